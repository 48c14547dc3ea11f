/* account.* - logins that look as if somebody else used them. */
#include "guard/account.h"

#include <stdio.h>

#include "base/i18n.h"
#include "health/check.h"

struct report {
	struct mg_finding *finding;
	unsigned count;
};

static void show_signs(struct mg_finding *finding, const struct mg_account_view *view)
{
	for (int sign = 0; sign < MG_SIGNS; sign++)
		if (view->is_raised[sign])
			mg_finding_evidence(finding, "login=%s, sign=%s, number=%u", view->login,
				mg_sign_name((enum mg_sign)sign), view->number[sign]);
}

static bool see(void *context, const struct mg_account_view *view)
{
	struct report *report = context;
	struct mg_finding *finding = report->finding;
	bool is_acted = view->rung > MG_ACCOUNT_NOTIFY;

	report->count++;
	mg_finding_is(finding, is_acted ? MG_STATE_CRIT : MG_STATE_WARN,
		view->rung == MG_ACCOUNT_HOLD ? N_("the account %1 looks compromised; its mail is held")
		: view->rung == MG_ACCOUNT_TEMPFAIL
			? N_("the account %1 looks compromised; its mail is not taken for now")
			: N_("the account %1 behaves oddly"),
		view->login, NULL);
	mg_finding_cause(finding,
		N_("somebody else may know its password; what speaks for that: mailguardctl limits show user:%1"),
		view->login, NULL);
	mg_finding_fix(finding, N_("change its password, then: mailguardctl limits reset user:%1"),
		mg_finding_quoted(finding, view->login), NULL);
	show_signs(finding, view);
	return true;
}

static void check_compromised(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct report report = { finding, 0 };

	if (env->figures == NULL || env->figures->guards == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("mailguardd does not answer, so nothing is known of its accounts"), NULL);
		return;
	}
	if (env->conf->abuse.action == MG_ABUSE_OFF) {
		mg_finding_not_applicable(finding, N_("not applicable: abuse.action = \"off\""));
		return;
	}
	mg_account_list(env->figures->guards->state, env->conf, see, &report);
	mg_finding_value(finding, report.count, "accounts");
	mg_finding_is(finding, MG_STATE_OK, N_("no account behaves as if somebody else used it"), NULL);
}

const struct mg_check mg_checks_account[] = {
	{ "account.compromised", N_("no login is used by somebody else"), 0, 1000, .run = check_compromised,
		.is_daemons = true, .follows = { "self.milter" } },
};
const size_t mg_checks_account_count = sizeof mg_checks_account / sizeof mg_checks_account[0];
