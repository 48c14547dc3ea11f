#include "health/dns_said.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/i18n.h"

const char *mg_dns_shown(struct mg_finding *finding, struct mg_str text)
{
	char place[MG_DNS_SHOWN];

	mg_str_copy(place, sizeof place, text);
	for (size_t i = 0; i < sizeof place - 1 && i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			place[i] = '?';
	return mg_arena_text(&finding->arena, mg_str_z(place), sizeof place);
}

const char *mg_dns_shown_ip(struct mg_finding *finding, const struct mg_ip *ip)
{
	char place[MG_IP_TEXT];

	return mg_arena_text(&finding->arena, mg_str_z(mg_ip_text(ip, place, sizeof place)), sizeof place);
}

const char *mg_dns_text(struct mg_finding *finding, const char *fmt, ...)
{
	char text[MG_SAY_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
}

bool mg_dns_is_silent(
	struct mg_finding *finding, const char *name, enum mg_dns_type type, const struct mg_dns_answer *answer)
{
	const char *type_name = mg_dns_type_name(type);

	if (answer->status != MG_DNS_TROUBLE)
		return false;
	mg_finding_evidence(finding, "%s %s: %s", name, type_name, mg_dns_trouble_name(answer->trouble));
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("DNS gave no answer about %1"), name, NULL);
	mg_finding_cause(finding, N_("asked for %1, the resolver came to: %2"), type_name,
		mg_dns_trouble_name(answer->trouble), NULL);
	mg_finding_fix(finding, N_("dig %1 %2; mailguardctl check dns.resolver"), name, type_name, NULL);
	return true;
}

static bool has_version(struct mg_str text, struct mg_str version)
{
	struct mg_str rest = mg_str_from(text, version.n);

	return mg_str_starts_nocase(text, version) &&
	       (rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == ';' || rest.p[0] == '\t');
}

size_t mg_dns_versioned(const struct mg_dns_answer *answer, const char *version, struct mg_str *text_out)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++)
		if (has_version(answer->records[i].text, mg_str_z(version)) && count++ == 0)
			*text_out = answer->records[i].text;
	return count;
}

size_t mg_dns_addresses(const struct mg_check_env *env, struct mg_str name, struct mg_ip *place, size_t max,
	const struct mg_dns_answer **silent_out)
{
	static const enum mg_dns_type types[] = { MG_DNS_A, MG_DNS_AAAA };
	size_t count = 0;

	*silent_out = NULL;
	mg_lookup_get(env->dns, name, MG_DNS_A);
	mg_lookup_get(env->dns, name, MG_DNS_AAAA);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const struct mg_dns_answer *answer = mg_check_ask(env, name, types[i]);

		if (answer->status == MG_DNS_TROUBLE)
			*silent_out = answer;
		for (size_t k = 0; k < answer->count && count < max; k++)
			place[count++] = answer->records[k].ip;
	}
	return count;
}

const char *mg_dns_txt(struct mg_finding *finding, struct mg_str value)
{
	enum { STRING = 255 };
	bool is_long = value.n > STRING;
	const char *kept;
	struct mg_buf text;

	mg_buf_init(&text, MG_SAY_TEXT);
	mg_buf_addz(&text, is_long ? "( " : "");
	for (size_t at = 0; at == 0 || at < value.n; at += STRING) {
		struct mg_str piece = mg_str_first(mg_str_from(value, at), STRING);

		mg_buf_addz(&text, at > 0 ? " \"" : "\"");
		for (size_t i = 0; i < piece.n; i++) {
			if (piece.p[i] == '"' || piece.p[i] == '\\')
				mg_buf_addc(&text, '\\');
			mg_buf_addc(&text, piece.p[i] < ' ' || piece.p[i] > '~' ? '?' : piece.p[i]);
		}
		mg_buf_addc(&text, '"');
	}
	mg_buf_addz(&text, is_long ? " )" : "");
	kept = mg_arena_text(&finding->arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return kept;
}
