/* sasl.failures, account.rate, host.sendmail - signs that somebody guesses passwords, or that an account or a program of this machine
 * sends what it should not. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"

enum { TEN_MINUTES_S = 600, READ_MS = 20000, ACCOUNTS_CRIT = 10 };
static const int64_t HOUR_US = 3600 * MG_S_US;

/* ---- sasl.failures ---- */

struct guess {
	const struct mg_login_failure *failure; /* one of them */
	unsigned count, accounts;
};

static unsigned accounts_of(const struct mg_login_failure *all, size_t count, const struct mg_ip *ip)
{
	unsigned accounts = 0;

	for (size_t i = 0; i < count; i++) {
		bool is_new = mg_ip_eq(&all[i].ip, ip) && all[i].user[0] != '\0';

		for (size_t j = 0; j < i && is_new; j++)
			is_new = !mg_ip_eq(&all[j].ip, ip) || strcmp(all[j].user, all[i].user) != 0;
		accounts += is_new;
		if (accounts >= ACCOUNTS_CRIT)
			break;
	}
	return accounts;
}

/* The client (or, `by_user`, the account) with most failures. */
static struct guess worst_of(const struct mg_login_failure *all, size_t count, bool by_user)
{
	struct guess worst = { NULL, 0, 0 };

	for (size_t i = 0; i < count; i++) {
		unsigned same = 0;

		if (by_user && all[i].user[0] == '\0')
			continue;
		for (size_t j = 0; j < count; j++)
			same += by_user ? strcmp(all[j].user, all[i].user) == 0 : mg_ip_eq(&all[j].ip, &all[i].ip);
		if (same > worst.count)
			worst = (struct guess){ &all[i], same, 0 };
		if (same * 2 > count)
			break; /* nobody can have more */
	}
	if (worst.failure != NULL && !by_user)
		worst.accounts = accounts_of(all, count, &worst.failure->ip);
	return worst;
}

static void judge_failures(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_login_failure *all, size_t count)
{
	struct guess client = worst_of(all, count, false), account = worst_of(all, count, true);
	unsigned most = client.count > account.count ? client.count : account.count;
	enum mg_check_state state = mg_check_grade(env, "sasl.failures", most, 10, 100);
	char ip[64] = "";

	mg_finding_value(finding, most, "failures");
	mg_finding_evidence(finding, "%zu failed logins in 10 minutes", count);
	if (client.failure == NULL)
		return;
	mg_ip_text(&client.failure->ip, ip, sizeof ip);
	mg_finding_evidence(finding, "%s: %u failures, %u%s accounts", ip, client.count, client.accounts,
		client.accounts >= ACCOUNTS_CRIT ? " or more" : "");
	if (account.failure != NULL)
		mg_finding_evidence(finding, "account %s: %u failures", account.failure->user, account.count);
	if (client.accounts >= ACCOUNTS_CRIT)
		state = MG_STATE_CRIT;
	if (state == MG_STATE_OK)
		return;
	if (client.count >= account.count) {
		mg_finding_is(finding, state, N_("%1 guesses passwords: %2 failed logins in 10 minutes"), ip,
			mg_finding_number(finding, client.count, ""), NULL);
		mg_finding_cause(finding, N_("a program tries passwords from lists; nothing stops it yet"), NULL);
		mg_finding_fix(finding,
			N_("mailguardctl ban add %1; for good: fail2ban with its jail postfix-sasl (fail2ban-client status)"),
			ip, NULL);
	} else {
		mg_finding_is(finding, state, N_("somebody guesses the password of %1: %2 failed logins in 10 minutes"),
			account.failure->user, mg_finding_number(finding, account.count, ""), NULL);
		mg_finding_cause(finding,
			N_("many addresses try the same account, or its owner's program still has an old password"),
			NULL);
		mg_finding_fix(finding,
			N_("see where they come from: %1; ask the owner, and see to it that the password is a strong one"),
			mg_check_log_search(env, finding, "authentication failed"), NULL);
	}
}

static void check_failures(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	struct mg_login_failure *all;
	size_t count;

	finding->manual = mg_check_log_search(env, finding, "authentication failed");
	if (tally == NULL)
		return;
	if ((all = calloc(MG_TALLY_RING, sizeof *all)) == NULL)
		return;
	count = mg_log_tally_failures(tally, mg_wall_us() - TEN_MINUTES_S * MG_S_US, all);
	judge_failures(env, finding, all, count);
	free(all);
	mg_finding_is(finding, MG_STATE_OK, N_("nobody guesses passwords"), NULL);
}

/* ---- account.rate ---- */

struct busiest {
	char login[MG_TALLY_LOGIN];
	unsigned recipients;
};

static void see_login(void *context, const struct mg_login_outcomes *outcomes)
{
	struct busiest *busiest = context;

	if (outcomes->recipients <= busiest->recipients)
		return;
	busiest->recipients = outcomes->recipients;
	mg_str_copy(busiest->login, sizeof busiest->login, outcomes->login);
}

/* `span`: of the limit, for people. */
static bool judge_rate(const struct mg_check_env *env, struct mg_finding *finding, int64_t since_us, const char *span,
	double warn, double crit, bool is_configurable)
{
	struct busiest busiest = { "", 0 };
	enum mg_check_state state;

	if (mg_query_logins(env->query, since_us, env->deadline_us, see_login, &busiest, NULL) != MG_OK)
		return false;
	state = mg_check_grade(env, is_configurable ? "account.rate" : "", busiest.recipients, warn, crit);
	if (busiest.recipients > 0)
		mg_finding_evidence(finding, "%s: %u recipients in %s", busiest.login, busiest.recipients, span);
	if (is_configurable)
		mg_finding_value(finding, busiest.recipients, "recipients");
	if (state == MG_STATE_OK)
		return true;
	mg_finding_is(finding, state, N_("%1 has sent to %2 recipients in %3"), busiest.login,
		mg_finding_number(finding, busiest.recipients, ""), span, NULL);
	mg_finding_cause(finding,
		N_("a newsletter, or somebody else has its password; Gmail allows 500 recipients a day, Workspace 2000, Exchange Online 10000"),
		NULL);
	mg_finding_fix(finding,
		N_("look: mailguardctl recent --user %1; if it is not its owner: change the password, and stop what waits: mailguardctl limits show user:%1"),
		mg_finding_quoted(finding, busiest.login), NULL);
	return true;
}

static void check_rate(const struct mg_check_env *env, struct mg_finding *finding)
{
	int64_t now_us = mg_wall_us();

	finding->manual = "mailguardctl recent --since 1d | sort; mailguardctl limits list";
	if (env->query == NULL || !judge_rate(env, finding, now_us - HOUR_US, "1 h", 100, 300, true) ||
		!judge_rate(env, finding, now_us - MG_DAY_US, "24 h", 500, 2000, false)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how much each account sends can't be told"), NULL);
		mg_finding_cause(finding, N_("the record can't be read: it was not made yet, or needs root"), NULL);
		return;
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no account sends more than usual"), NULL);
}

/* ---- host.sendmail ---- */

static void check_sendmail(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_log_tally *tally = mg_check_tally(env, finding);
	struct mg_local_submission *all;
	unsigned most = 0, uid = 0;
	enum mg_check_state state;
	size_t count;
	char number[16];

	finding->manual = mg_check_log_search(env, finding, "pickup.*uid=");
	if (tally == NULL)
		return;
	if ((all = calloc(MG_TALLY_RING, sizeof *all)) == NULL)
		return;
	count = mg_log_tally_submissions(tally, mg_wall_us() - HOUR_US, all);
	for (size_t i = 0; i < count && most * 2 <= count; i++) {
		unsigned same = 0;

		for (size_t j = 0; j < count; j++)
			same += all[j].uid == all[i].uid;
		if (same > most) {
			most = same;
			uid = all[i].uid;
		}
	}
	free(all);
	mg_finding_value(finding, most, "messages");
	state = mg_check_grade(env, "host.sendmail", most, 50, 300);
	if (most > 0)
		mg_finding_evidence(finding, "uid %u: %u messages in an hour", uid, most);
	snprintf(number, sizeof number, "%u", uid);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("a program of this machine (uid %1) has sent %2 messages in an hour"),
			mg_arena_text(&finding->arena, mg_str_z(number), sizeof number),
			mg_finding_number(finding, most, ""), NULL);
		mg_finding_cause(finding,
			N_("often a web form or a broken-into web site that sends spam through sendmail(1)"), NULL);
		mg_finding_fix(finding,
			N_("see who it is: getent passwd %1; ps -u %1 -o pid,lstart,cmd; stop its mail: %2 -e 'authorized_submit_users=!%3,static:all'"),
			mg_arena_text(&finding->arena, mg_str_z(number), sizeof number),
			mg_check_program(env, finding, "postconf"), "USER", NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no program of this machine sends much mail"), NULL);
}

const struct mg_check mg_checks_abuse_signs[] = {
	{ "sasl.failures", N_("nobody guesses passwords"), 0, READ_MS, .run = check_failures },
	{ "account.rate", N_("how much each account sends"), 0, 5000, .run = check_rate,
		.follows = { "account.compromised" }, .needs = "journal.write" },
	{ "host.sendmail", N_("mail of this machine's programs"), 0, READ_MS, .run = check_sendmail },
};
const size_t mg_checks_abuse_signs_count = sizeof mg_checks_abuse_signs / sizeof mg_checks_abuse_signs[0];
