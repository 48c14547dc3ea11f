/* config.submission - logins: encrypted, on the ports for them, and each with its own sender addresses. */
#include "base/i18n.h"
#include "health/check.h"

struct look {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	const char *postconf;
	bool has_submission; /* a service for logins beside port 25 */
	size_t logins;       /* services that offer them */
};

static bool is_yes(const struct look *look, const struct mg_postfix_service *service, const char *name)
{
	return mg_postfix_is_yes(look->env->postfix, service, name);
}

static const char *value(const struct look *look, const struct mg_postfix_service *service, const char *name)
{
	return mg_check_parameter(look->env, look->finding, service, name);
}

static bool is_port_25(const struct mg_postfix_service *service)
{
	struct mg_str name = mg_str_z(service->name);

	name = mg_str_from(name, mg_str_rfind(name, ':') + 1);
	return mg_str_eq(name, MG_STR("smtp")) || mg_str_eq(name, MG_STR("25"));
}

/* "-e NAME=VALUE", or "-P SERVICE/NAME=VALUE" where the service has its own. */
static void say_setting(
	struct look *look, const struct mg_postfix_service *service, const char *name, const char *word, bool is_own)
{
	if (is_own || mg_postfix_override(service, mg_str_z(name)) != NULL)
		mg_finding_fix(look->finding, "%1 -P %2/%3=%4", look->postconf, service->id, name, word, NULL);
	else
		mg_finding_fix(look->finding, "%1 -e %2=%3", look->postconf, name, word, NULL);
}

static void judge_clear(struct look *look, const struct mg_postfix_service *service)
{
	const char *level = value(look, service, "smtpd_tls_security_level");

	if (is_yes(look, service, "smtpd_tls_wrappermode") || is_yes(look, service, "smtpd_tls_auth_only") ||
		mg_str_eq(mg_str_z(level), MG_STR("encrypt")))
		return;
	mg_finding_evidence(
		look->finding, "%s: smtpd_tls_auth_only = no, smtpd_tls_security_level = %s", service->id, level);
	mg_finding_is(look->finding, MG_STATE_CRIT,
		N_("%1 lets clients log in without encryption: passwords cross the network in clear"), service->id,
		NULL);
	mg_finding_cause(look->finding, N_("logins are offered before TLS"), NULL);
	say_setting(look, service, "smtpd_tls_auth_only", "yes", false);
}

static void judge_owner(struct look *look, const struct mg_postfix_service *service)
{
	static const char *const lists[] = { "smtpd_sender_restrictions", "smtpd_recipient_restrictions",
		"smtpd_relay_restrictions", "smtpd_client_restrictions", "smtpd_helo_restrictions" };
	const char *maps = value(look, service, "smtpd_sender_login_maps");
	bool is_used = false;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		is_used = is_used || mg_str_find_str(mg_str_z(value(look, service, lists[i])),
					     MG_STR("sender_login_mismatch")) != SIZE_MAX;
	mg_finding_evidence(look->finding, "%s: smtpd_sender_login_maps = %s%s", service->id, maps,
		is_used ? "" : ", and no reject_sender_login_mismatch");
	if (maps[0] == '\0') {
		mg_finding_is(look->finding, MG_STATE_WARN, N_("on %1 whoever has a login may write in anybody's name"),
			service->id, NULL);
		mg_finding_cause(
			look->finding, N_("smtpd_sender_login_maps does not say which login owns which address"), NULL);
		mg_finding_fix(look->finding,
			N_("list them as ADDRESS LOGIN: %1 -e smtpd_sender_login_maps=hash:/etc/postfix/sender_login smtpd_sender_restrictions=reject_sender_login_mismatch"),
			look->postconf, NULL);
	} else if (!is_used) {
		mg_finding_is(look->finding, MG_STATE_WARN,
			N_("on %1 smtpd_sender_login_maps is written, but nothing asks it"), service->id, NULL);
		mg_finding_cause(look->finding, N_("no list holds reject_sender_login_mismatch"), NULL);
		say_setting(look, service, "smtpd_sender_restrictions", "reject_sender_login_mismatch", false);
	}
}

static void judge(struct look *look, const struct mg_postfix_service *service)
{
	if (mg_postfix_is_loopback(look->env->postfix, service) || !is_yes(look, service, "smtpd_sasl_auth_enable"))
		return;
	look->logins++;
	judge_clear(look, service);
	if (is_port_25(service) && look->has_submission) {
		mg_finding_evidence(look->finding, "%s: smtpd_sasl_auth_enable = yes", service->id);
		mg_finding_is(look->finding, MG_STATE_WARN,
			N_("port 25 offers logins although there is a port for them"), NULL);
		mg_finding_cause(look->finding,
			N_("whoever guesses passwords tries port 25 first, and no client of yours needs it"), NULL);
		say_setting(look, service, "smtpd_sasl_auth_enable", "no", true);
	}
	judge_owner(look, service);
}

static void check_submission(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct look look = { env, finding, mg_check_program(env, finding, "postconf"), false, 0 };
	const struct mg_postfix_service *service = NULL;

	finding->manual =
		"postconf -n | grep -E 'sasl|tls_auth_only|login_maps'; postconf -P | grep -E 'sasl|tls|login_maps'";
	if (!mg_check_has_postfix(env, finding))
		return;
	while ((service = mg_postfix_next_smtpd(env->postfix, service)) != NULL)
		look.has_submission = look.has_submission ||
				      (!is_port_25(service) && is_yes(&look, service, "smtpd_sasl_auth_enable"));
	while ((service = mg_postfix_next_smtpd(env->postfix, service)) != NULL)
		judge(&look, service);
	if (look.logins == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: Postfix offers no logins to other machines"));
		return;
	}
	mg_finding_is(finding, MG_STATE_OK, N_("logins are encrypted, and each may use only its own addresses"), NULL);
}

const struct mg_check mg_checks_submission[] = {
	{ "config.submission", N_("logins are safe"), 0, 5000, .run = check_submission },
};
const size_t mg_checks_submission_count = sizeof mg_checks_submission / sizeof mg_checks_submission[0];
