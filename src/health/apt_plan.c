#include "health/apt_plan.h"

#include <stdio.h>

/* Servers, filters, and the libraries through which they speak to the world. */
static bool is_of_mail(struct mg_str name)
{
	static const char *const begin[] = { "postfix", "dovecot", "exim4", "rspamd", "amavis", "spamassassin",
		"clamav", "opendkim", "opendmarc", "opensmtpd", "postgrey", "libmilter", "libssl", "openssl",
		"libgnutls", "libsasl2", "sasl2-bin", "mailguard", "fail2ban", "unbound", "roundcube" };

	for (size_t i = 0; i < sizeof begin / sizeof begin[0]; i++)
		if (mg_str_starts(name, mg_str_z(begin[i])))
			return true;
	return false;
}

/* A name that can be typed (Debian Policy 5.6.1). */
static bool is_name(struct mg_str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') ||
			    name.p[i] == '+' || name.p[i] == '-' || name.p[i] == '.' || name.p[i] == ':'))
			return false;
	return name.n > 1 && name.n < 100 && name.p[0] != '-';
}

void mg_apt_plan_read(struct mg_str text, struct mg_apt_plan *plan)
{
	*plan = (struct mg_apt_plan){ .count = 0 };
	while (text.n > 0) {
		struct mg_str line = mg_str_cut(&text, '\n'), name;
		size_t held = strlen(plan->names);

		if (!mg_read_token(&line, MG_STR("Inst ")) || !mg_read_word(&line, " ", &name) || !is_name(name) ||
			!is_of_mail(name))
			continue;
		if (mg_str_find_str(line, MG_STR("Security")) == SIZE_MAX &&
			mg_str_find_str(line, MG_STR("-security")) == SIZE_MAX)
			continue;
		plan->count++;
		if (held + name.n + 2 <= sizeof plan->names)
			snprintf(plan->names + held, sizeof plan->names - held, "%s%.*s", held == 0 ? "" : " ",
				MG_STR_ARGS(name));
	}
}
