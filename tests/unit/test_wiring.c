/* Small configurations: what the plan changes, that applying it wires them, that a second plan is empty, and that undo
 * brings back what was there, byte for byte or around somebody's later edits. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/run.h"
#include "postfix/wiring.h"
#include "postfix/wiring_door.h"
#include "postfix/wiring_entry.h"

static char directory[] = "/tmp/mailguard-wiring-XXXXXX";

#define BASE                                                                                                           \
	"compatibility_level = 3.6\nmyhostname = mail.example.com\nqueue_directory = /var/spool/postfix\n"             \
	"mydestination = example.com\n"
#define SMTP   "smtp inet n - n - - smtpd\n"
#define PICKUP "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n"
#define MILTER "unix:/var/spool/postfix/mailguard/milter.sock"
#define POLICY "unix:/var/spool/postfix/mailguard/policy.sock"

#define CHECK_TEXT                                                                                                     \
	"check_policy_service { unix:mailguard/policy.sock, policy_context=rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }"
#define TAP_TEXT                                                                                                       \
	"permit_auth_destination, check_policy_service { unix:mailguard/policy.sock, policy_context=relay-rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }"
#define MILTER_TEXT                                                                                                    \
	"{ unix:mailguard/milter.sock, default_action=accept, connect_timeout=5s, command_timeout=10s, content_timeout=30s }"

#define CHECK_IS                                                                                                       \
	{                                                                                                              \
		"main.cf", "mailguard_check", CHECK_TEXT                                                               \
	}
#define TAP_IS                                                                                                         \
	{                                                                                                              \
		"main.cf", "mailguard_relay_tap", TAP_TEXT                                                             \
	}
#define MILTER_IS                                                                                                      \
	{                                                                                                              \
		"main.cf", "mailguard_milter", MILTER_TEXT                                                             \
	}
#define BOTH                                                                                                           \
	{                                                                                                              \
		"main.cf", "smtpd_recipient_restrictions", "$mailguard_check, $mailguard_relay_tap"                    \
	}
#define MILTERS                                                                                                        \
	{                                                                                                              \
		"main.cf", "smtpd_milters", "$mailguard_milter"                                                        \
	}
#define OTHERS                                                                                                         \
	{                                                                                                              \
		"main.cf", "non_smtpd_milters", "$mailguard_milter"                                                    \
	}

struct wiring_case {
	const char *name, *main, *master;
	const char *milter, *policy; /* NULL: MILTER, POLICY */
	struct {
		const char *where, *parameter, *after;
	} edits[12]; /* all of them, in order */
	const char *warnings[3];
	bool stays_unwired; /* not everything can be mended by a plan */
	bool is_tapped;     /* every outer smtpd has the tap afterwards */
};

static const struct wiring_case wiring_cases[] = {
	{ .name = "nothing set",
		.main = BASE,
		.master = SMTP PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS } },
	{ .name = "chrooted",
		.main = BASE,
		.master = "smtp inet n - y - - smtpd\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS } },
	{ .name = "a permit in the list",
		.main = BASE "smtpd_recipient_restrictions = permit_mynetworks,\n  reject_unauth_destination\n",
		.master = SMTP PICKUP,
		.edits = { CHECK_IS, MILTER_IS,
			{ "main.cf", "smtpd_recipient_restrictions",
				"$mailguard_check, permit_mynetworks, reject_unauth_destination" },
			MILTERS, OTHERS },
		.warnings = { "smtp/inet: the relay tap is left out, because permit_mynetworks" } },
	{ .name = "a table in the list",
		.main = BASE "smtpd_recipient_restrictions = check_recipient_access hash:/x\n",
		.master = SMTP PICKUP,
		.edits = { CHECK_IS, MILTER_IS,
			{ "main.cf", "smtpd_recipient_restrictions",
				"$mailguard_check, check_recipient_access hash:/x" },
			MILTERS, OTHERS },
		.warnings = { "because check_recipient_access" } },
	{ .name = "only refusals in the list",
		.main = BASE "smtpd_recipient_restrictions = reject_unauth_destination reject_non_fqdn_recipient\n",
		.master = SMTP PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS,
			{ "main.cf", "smtpd_recipient_restrictions",
				"$mailguard_check, reject_unauth_destination reject_non_fqdn_recipient, $mailguard_relay_tap" },
			MILTERS, OTHERS } },
	{ .name = "a list that ends in reject",
		.main = BASE "smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject\n",
		.master = SMTP PICKUP,
		.edits = { CHECK_IS, MILTER_IS,
			{ "main.cf", "smtpd_recipient_restrictions",
				"$mailguard_check, reject_non_fqdn_recipient, reject" },
			MILTERS, OTHERS },
		.warnings = { "because reject in" } },
	{ .name = "recipient before relay restrictions",
		.main = BASE "smtpd_relay_before_recipient_restrictions = no\n",
		.master = SMTP PICKUP,
		.edits = { CHECK_IS, MILTER_IS, { "main.cf", "smtpd_recipient_restrictions", "$mailguard_check" },
			MILTERS, OTHERS },
		.warnings = { "because smtpd_relay_before_recipient_restrictions is not yes" } },
	{ .name = "old compatibility level",
		.main = "myhostname = mail.example.com\nqueue_directory = /var/spool/postfix\n",
		.master = "smtp inet n - - - - smtpd\n" PICKUP,
		.edits = { CHECK_IS, MILTER_IS, { "main.cf", "smtpd_recipient_restrictions", "$mailguard_check" },
			MILTERS, OTHERS },
		.warnings = { "is not yes" } },
	{ .name = "other milters",
		.main = BASE
		"smtpd_milters = inet:127.0.0.1:8891, { unix:x.sock, default_action=tempfail }\nnon_smtpd_milters = $smtpd_milters\n",
		.master = SMTP PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH,
			{ "main.cf", "smtpd_milters",
				"inet:127.0.0.1:8891, { unix:x.sock, default_action=tempfail }, $mailguard_milter" },
			{ "main.cf", "non_smtpd_milters", "$smtpd_milters, $mailguard_milter" } } },
	{ .name = "milters set to nothing",
		.main = BASE "smtpd_milters =\n",
		.master = SMTP PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS } },
	{ .name = "overrides without blanks",
		.main = BASE,
		.master = SMTP
		"submission inet n - n - - smtpd -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject -o smtpd_milters=inet:127.0.0.1:8891 -o syslog_name=postfix/submission\n" PICKUP,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "submission/inet", "smtpd_recipient_restrictions",
				"$mailguard_check,permit_sasl_authenticated,reject" },
			{ "submission/inet", "smtpd_milters", "inet:127.0.0.1:8891,$mailguard_milter" } },
		.warnings = { "submission/inet: the relay tap is left out, because permit_sasl_authenticated" } },
	{ .name = "overrides with blanks",
		.main = BASE,
		.master = SMTP
		"submission inet n - n - - smtpd\n  -o { smtpd_recipient_restrictions = check_client_access inline:{ {a = b} }, reject }\n  # between\n  -o { smtpd_milters = { inet:127.0.0.1:8891, default_action=accept } }\n" PICKUP,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "submission/inet", "smtpd_recipient_restrictions",
				"$mailguard_check, check_client_access inline:{ {a = b} }, reject" },
			{ "submission/inet", "smtpd_milters",
				"{ inet:127.0.0.1:8891, default_action=accept }, $mailguard_milter" } },
		.warnings = { "because check_client_access" } },
	{ .name = "overrides through macros",
		.main = BASE "mua_recipients = reject_unknown_recipient_domain\n",
		.master =
			SMTP "submission inet n - n - - smtpd -o smtpd_recipient_restrictions=$mua_recipients\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "submission/inet", "smtpd_recipient_restrictions",
				"$mailguard_check,$mua_recipients,$mailguard_relay_tap" } } },
	{ .name = "a macro set anew by a service",
		.main = BASE "extra = reject_non_fqdn_recipient\nsmtpd_recipient_restrictions = $extra\n",
		.master = SMTP "2525 inet n - n - - smtpd -o extra=permit_mynetworks\n" PICKUP,
		.edits = { CHECK_IS, MILTER_IS,
			{ "main.cf", "smtpd_recipient_restrictions", "$mailguard_check, $extra" }, MILTERS, OTHERS },
		.warnings = { "2525/inet: the relay tap is left out, because permit_mynetworks" } },
	{ .name = "re-injection stays as it is",
		.main = BASE "content_filter = scan:127.0.0.1:10024\n",
		.master = SMTP
		"127.0.0.1:10025 inet n - n - - smtpd -o content_filter= -o smtpd_milters= -o smtpd_recipient_restrictions=permit_mynetworks,reject\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "127.0.0.1:10025/inet", "smtpd_recipient_restrictions",
				"$mailguard_check,permit_mynetworks,reject" } },
		.warnings = { "127.0.0.1:10025/inet: the relay tap is left out" } },
	{ .name = "emptied, but reachable from outside",
		.main = BASE,
		.master = SMTP "587 inet n - n - - smtpd -o smtpd_milters= -o smtpd_recipient_restrictions=\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "587/inet", "smtpd_recipient_restrictions", "$mailguard_check,$mailguard_relay_tap" },
			{ "587/inet", "smtpd_milters", "$mailguard_milter" } } },
	{ .name = "behind postscreen",
		.main = BASE,
		.master = "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd -o smtpd_milters=\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "smtpd/pass", "smtpd_milters", "$mailguard_milter" } } },
	{ .name = "two tabs and a continued entry",
		.main = BASE,
		.master = "smtp\tinet\tn\t-\tn\t-\t-\tsmtpd\n\t-o\tsmtpd_milters=inet:127.0.0.1:1\n\n" PICKUP,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS,
			{ "smtp/inet", "smtpd_milters", "inet:127.0.0.1:1,$mailguard_milter" } } },
	{ .name = "wired by hand",
		.master = "smtp inet n - n - - smtpd\n" PICKUP,
		.is_tapped = true,
		.main = BASE
		"smtpd_milters = {unix:/var/spool/postfix//mailguard/milter.sock,default_action=accept}\n"
		"non_smtpd_milters = { unix:mailguard/milter.sock default_action = accept }\n"
		"smtpd_recipient_restrictions = check_policy_service { unix:mailguard/policy.sock, default_action=DUNNO },\n"
		" permit_auth_destination check_policy_service {unix:/var/spool/postfix/mailguard/policy.sock, policy_context=relay-rcpt, default_action=DUNNO}\n",
		.edits = { { NULL, NULL, NULL } } },
	{ .name = "wired by hand, behind a permit",
		.master = SMTP PICKUP,
		.main = BASE
		"smtpd_milters = unix:mailguard/milter.sock\nnon_smtpd_milters = $smtpd_milters\nmilter_default_action = accept\n"
		"smtpd_recipient_restrictions = permit_mynetworks, check_policy_service unix:mailguard/policy.sock\n",
		.edits = { CHECK_IS,
			{ "main.cf", "smtpd_recipient_restrictions",
				"$mailguard_check, permit_mynetworks, check_policy_service unix:mailguard/policy.sock" } },
		.warnings = { "the relay tap is left out", "smtpd_milters without default_action=accept" } },
	{ .name = "over inet",
		.main = BASE "smtpd_milters = inet:localhost:9620\n",
		.master = "smtp inet n - y - - smtpd\n" PICKUP,
		.milter = "inet:127.0.0.1:9620",
		.policy = "inet:0.0.0.0:9621",
		.is_tapped = true,
		.edits = { { "main.cf", "mailguard_check",
				   "check_policy_service { inet:127.0.0.1:9621, policy_context=rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }" },
			{ "main.cf", "mailguard_relay_tap",
				"permit_auth_destination, check_policy_service { inet:127.0.0.1:9621, policy_context=relay-rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }" },
			{ "main.cf", "mailguard_milter",
				"{ inet:127.0.0.1:9620, default_action=accept, connect_timeout=5s, command_timeout=10s, content_timeout=30s }" },
			BOTH, OTHERS },
		.warnings = { "main.cf: our milter stands in smtpd_milters without default_action=accept" } },
	{ .name = "sockets outside the chroot",
		.main = BASE,
		.master = "smtp inet n - y - - smtpd\n" PICKUP,
		.milter = "unix:/run/mailguard/milter.sock",
		.policy = "unix:/run/mailguard/policy.sock",
		.stays_unwired = true,
		.edits = { { "main.cf", "mailguard_check",
				   "check_policy_service { unix:/run/mailguard/policy.sock, policy_context=rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }" },
			{ "main.cf", "mailguard_relay_tap",
				"permit_auth_destination, check_policy_service { unix:/run/mailguard/policy.sock, policy_context=relay-rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }" },
			{ "main.cf", "mailguard_milter",
				"{ unix:/run/mailguard/milter.sock, default_action=accept, connect_timeout=5s, command_timeout=10s, content_timeout=30s }" },
			BOTH, MILTERS, OTHERS },
		.warnings = { "smtp/inet runs chrooted", "can't reach unix:/run/mailguard/policy.sock" } },
	{ .name = "milter alone",
		.main = BASE,
		.master = SMTP PICKUP,
		.policy = "",
		.stays_unwired = true,
		.edits = { MILTER_IS, MILTERS, OTHERS } },
	{ .name = "policy alone",
		.main = BASE,
		.master = SMTP PICKUP,
		.milter = "",
		.stays_unwired = true,
		.is_tapped = true,
		.edits = { CHECK_IS, TAP_IS, BOTH } },
	{ .name = "milters switched off by an option",
		.main = BASE,
		.master =
			"smtp inet n - n - - smtpd -o receive_override_options=no_milters,no_address_mappings\n" PICKUP,
		.edits = { CHECK_IS, TAP_IS, MILTER_IS, BOTH, MILTERS, OTHERS },
		.stays_unwired = true,
		.is_tapped = true,
		.warnings = { "smtp/inet: receive_override_options" } },
};

/* --- tools --- */

static void path_of(char place[256], const char *name)
{
	snprintf(place, 256, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text, const char *mode)
{
	char path[256];
	FILE *file;

	path_of(path, name);
	file = fopen(path, mode);
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *read_file(const char *name)
{
	char path[256], block[65536];
	FILE *file;
	size_t n;

	path_of(path, name);
	file = fopen(path, "r");
	if (file == NULL)
		return NULL;
	n = fread(block, 1, sizeof block, file);
	fclose(file);
	return mg_str_dup(mg_str_of(block, n));
}

static char *postconf(const char *option)
{
	const char *const argv[] = { "postconf", "-c", directory, option, NULL };
	const struct mg_run run = { .argv = argv, .timeout_ms = 20000, .out_max = 1 << 20, .err_max = 1 << 16 };
	struct mg_run_result result;
	char *copy;

	assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
	copy = mg_str_dup(mg_buf_str(&result.out));
	mg_run_fini(&result);
	return copy;
}

static void forget(char *text)
{
	free(text);
}

static struct mg_postfix *load(void)
{
	struct mg_postfix *postfix = NULL;
	struct mg_err err = { 0 };
	enum mg_rc rc = mg_postfix_load(directory, 20000, &postfix, &err);

	if (rc == MG_ENOENT)
		skip(); /* no Postfix here */
	if (rc != MG_OK)
		fail_msg("%s", err.text);
	return postfix;
}

static struct mg_wiring_doors doors_of(const struct wiring_case *c)
{
	return (struct mg_wiring_doors){ c->milter == NULL ? MILTER : c->milter,
		c->policy == NULL ? POLICY : c->policy };
}

static void assert_plan_is_empty(const struct mg_wiring_doors *doors)
{
	struct mg_postfix *postfix = load();
	struct mg_wiring_plan *plan = NULL;

	assert_int_equal(mg_wiring_plan(postfix, doors, &plan, NULL), MG_OK);
	if (plan->edit_count > 0)
		fail_msg("a second plan sets %s in %s to '%s'", plan->edits[0].parameter, plan->edits[0].where,
			plan->edits[0].after);
	mg_wiring_plan_free(&plan);
	mg_postfix_free(&postfix);
}

static struct mg_wiring_plan *apply(const struct mg_wiring_doors *doors)
{
	struct mg_wiring_plan *plan = NULL;
	struct mg_err err = { 0 };

	if (mg_wiring_apply(directory, doors, &plan, &err) != MG_OK)
		fail_msg("%s", err.text);
	return plan;
}

static struct mg_wiring_plan *undo(void)
{
	struct mg_wiring_plan *plan = NULL;
	struct mg_err err = { 0 };

	if (mg_wiring_undo(directory, &plan, &err) != MG_OK)
		fail_msg("%s", err.text);
	return plan;
}

static void clean(void)
{
	const char *const argv[] = { "/bin/sh", "-c", "rm -rf \"$0\"/*", directory, NULL };
	const struct mg_run run = { .argv = argv, .timeout_ms = 20000 };
	struct mg_run_result result;

	assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
	mg_run_fini(&result);
}

static bool is_anything_left(void)
{
	const char *const argv[] = { "/bin/sh", "-c", "ls \"$0\" | grep -v -x -e main.cf -e master.cf", directory,
		NULL };
	const struct mg_run run = { .argv = argv, .timeout_ms = 20000, .out_max = 1000 };
	struct mg_run_result result;
	bool is_left;

	assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
	is_left = result.out.n > 0;
	mg_run_fini(&result);
	return is_left;
}

/* --- the cases --- */

static void assert_plan(const struct wiring_case *c, const struct mg_wiring_plan *plan)
{
	size_t count = 0;

	for (; count < 12 && c->edits[count].where != NULL; count++) {
		if (count >= plan->edit_count)
			fail_msg("%s: no edit of %s in %s", c->name, c->edits[count].parameter, c->edits[count].where);
		assert_string_equal(plan->edits[count].where, c->edits[count].where);
		assert_string_equal(plan->edits[count].parameter, c->edits[count].parameter);
		assert_string_equal(plan->edits[count].after, c->edits[count].after);
	}
	if (plan->edit_count > count)
		fail_msg("%s: unexpected edit of %s in %s", c->name, plan->edits[count].parameter,
			plan->edits[count].where);
	for (size_t i = 0; i < 3 && c->warnings[i] != NULL; i++) {
		bool is_found = false;

		for (size_t j = 0; j < plan->warning_count; j++)
			is_found = is_found || strstr(plan->warnings[j], c->warnings[i]) != NULL;
		if (!is_found)
			fail_msg("%s: no warning with '%s'", c->name, c->warnings[i]);
	}
	if (c->warnings[0] == NULL && plan->warning_count > 0)
		fail_msg("%s: unexpected warning: %s", c->name, plan->warnings[0]);
}

static void assert_wired(const struct wiring_case *c, const struct mg_wiring_doors *doors)
{
	struct mg_postfix *postfix = load();
	struct mg_wiring *wiring = NULL;

	assert_int_equal(mg_wiring_inspect(postfix, doors, &wiring, NULL), MG_OK);
	if (c->stays_unwired)
		assert_false(wiring->has_milter && wiring->has_policy);
	else
		assert_true(wiring->has_milter && wiring->has_policy && wiring->has_non_smtpd);
	assert_int_equal(wiring->has_tap, c->is_tapped);
	mg_wiring_free(&wiring);
	mg_postfix_free(&postfix);
}

static void a_configuration_is_wired_and_unwired(void **state)
{
	const struct wiring_case *c = *state;
	const struct mg_wiring_doors doors = doors_of(c);
	struct mg_wiring_plan *plan;
	char *names, *services, *main_before = NULL, *master_before = NULL, *now;

	clean();
	write_file("main.cf", c->main, "w");
	write_file("master.cf", c->master, "w");
	mg_postfix_free(&(struct mg_postfix *){ load() });
	names = postconf("-n");
	services = postconf("-M");
	for (int round = 0; round < 2; round++) { /* undone first by the copies, then around a later edit */
		if (round == 0) {
			main_before = read_file("main.cf");
			master_before = read_file("master.cf");
		}
		plan = apply(&doors);
		assert_plan(c, plan);
		assert_int_equal(plan->backup[0] != NULL, plan->edit_count > 0);
		mg_wiring_plan_free(&plan);
		assert_plan_is_empty(&doors);
		assert_wired(c, &doors);
		if (round == 1)
			write_file("main.cf", "# a later edit\n", "a");
		plan = undo();
		assert_int_equal(plan->is_restored, round == 0 && c->edits[0].where != NULL);
		mg_wiring_plan_free(&plan);
		assert_string_equal(now = postconf("-n"), names);
		forget(now);
		assert_string_equal(now = postconf("-M"), services);
		forget(now);
		if (round == 0) {
			assert_string_equal(now = read_file("main.cf"), main_before);
			forget(now);
			assert_string_equal(now = read_file("master.cf"), master_before);
			forget(now);
			assert_false(is_anything_left());
		}
		plan = undo();
		assert_int_equal(plan->edit_count, 0);
		assert_false(plan->is_restored);
		mg_wiring_plan_free(&plan);
	}
	forget(names);
	forget(services);
	forget(main_before);
	forget(master_before);
}

/* --- what can go wrong --- */

static const struct mg_wiring_doors usual = { MILTER, POLICY };

static void begin(const char *main_text, const char *master_text)
{
	clean();
	write_file("main.cf", main_text, "w");
	write_file("master.cf", master_text, "w");
	mg_postfix_free(&(struct mg_postfix *){ load() });
}

/* postconf writes FILE.tmp first: a directory of that name stops it, for main.cf at once, for master.cf half-way. */
static void a_failure_leaves_the_files_as_they_were(void **state)
{
	static const char *const obstacles[] = { "main.cf.tmp", "master.cf.tmp" };
	const char *main_text = BASE "# kept\n",
		   *master_text = "smtp inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:1\n" PICKUP;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct mg_wiring_plan *plan = NULL;
		struct mg_err err = { 0 };
		char path[256], *now;

		begin(main_text, master_text);
		path_of(path, obstacles[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(mg_wiring_apply(directory, &usual, &plan, &err), MG_EIO);
		assert_null(plan);
		assert_non_null(strstr(err.text, "postconf"));
		assert_int_equal(rmdir(path), 0);
		assert_string_equal(now = read_file("main.cf"), main_text);
		forget(now);
		assert_string_equal(now = read_file("master.cf"), master_text);
		forget(now);
		assert_false(is_anything_left());
	}
}

static void a_link_is_not_replaced(void **state)
{
	struct mg_wiring_plan *plan = NULL;
	struct mg_err err = { 0 };
	char from[256], to[256];

	(void)state;
	begin(BASE, SMTP PICKUP);
	path_of(from, "main.cf");
	path_of(to, "real.cf");
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(symlink("real.cf", from), 0);
	assert_int_equal(mg_wiring_apply(directory, &usual, &plan, &err), MG_EPERM);
	assert_non_null(strstr(err.text, "symbolic link"));
}

static void modes_are_kept(void **state)
{
	struct mg_wiring_plan *plan;
	struct stat st;
	char path[256];

	(void)state;
	begin(BASE, SMTP PICKUP);
	path_of(path, "main.cf");
	assert_int_equal(chmod(path, 0640), 0);
	plan = apply(&usual);
	path_of(path, plan->backup[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	mg_wiring_plan_free(&plan);
	plan = undo();
	mg_wiring_plan_free(&plan);
	path_of(path, "main.cf");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

/* Other sockets later: the macros change, and undo still knows the very first files. */
static void wiring_anew_keeps_the_first_copies(void **state)
{
	const struct mg_wiring_doors moved = { "inet:127.0.0.1:9620", "" };
	struct mg_wiring_plan *plan;
	char *now;

	(void)state;
	begin(BASE, SMTP PICKUP);
	mg_wiring_plan_free(&(struct mg_wiring_plan *){ apply(&usual) });
	plan = apply(&moved);
	assert_int_equal(plan->edit_count, 4); /* two macros gone, one changed, one list emptied */
	mg_wiring_plan_free(&plan);
	assert_plan_is_empty(&moved);
	plan = undo();
	assert_true(plan->is_restored);
	mg_wiring_plan_free(&plan);
	assert_string_equal(now = read_file("main.cf"), BASE);
	forget(now);
}

static void undo_without_its_note_takes_our_pieces_out(void **state)
{
	struct mg_wiring_plan *plan;
	char path[256], *before, *after;

	(void)state;
	begin(BASE "smtpd_milters = inet:127.0.0.1:1\n",
		"smtp inet n - n - - smtpd -o smtpd_recipient_restrictions=reject\n" PICKUP);
	before = postconf("-n");
	mg_wiring_plan_free(&(struct mg_wiring_plan *){ apply(&usual) });
	path_of(path, MG_WIRING_STATE);
	assert_int_equal(unlink(path), 0);
	plan = undo();
	assert_false(plan->is_restored);
	assert_true(plan->edit_count > 3);
	mg_wiring_plan_free(&plan);
	assert_string_equal(after = postconf("-n"), before);
	forget(after);
	forget(before);
	after = postconf("-P");
	assert_string_equal(after, "smtp/inet/smtpd_recipient_restrictions = reject\n");
	forget(after);
}

static void an_edit_of_the_administrator_survives_undo(void **state)
{
	struct mg_wiring_plan *plan;
	char *now;

	(void)state;
	begin(BASE, SMTP PICKUP);
	mg_wiring_plan_free(&(struct mg_wiring_plan *){ apply(&usual) });
	write_file("main.cf",
		"smtpd_recipient_restrictions = $mailguard_check, reject_unauth_destination, ${mailguard_relay_tap}\n"
		"smtpd_sender_restrictions = $mailguard_check\nsmtpd_milters = inet:127.0.0.1:1, $mailguard_milter\n",
		"a");
	plan = undo();
	assert_false(plan->is_restored);
	mg_wiring_plan_free(&plan);
	now = postconf("-n");
	assert_non_null(strstr(now, "smtpd_recipient_restrictions = reject_unauth_destination\n"));
	assert_non_null(strstr(now, "smtpd_milters = inet:127.0.0.1:1\n"));
	assert_null(strstr(now, "mailguard_"));
	assert_null(strstr(now, "smtpd_sender_restrictions"));
	forget(now);
	now = read_file("main.cf");
	assert_null(strstr(now, "mailguard_"));
	forget(now);
}

/* --- the small parts --- */

struct door_case {
	const char *server, *listen;
	bool is_chroot;
	enum mg_door_match match;
};

static const struct door_case door_cases[] = {
	{ "unix:mailguard/milter.sock", MILTER, true, MG_DOOR_OURS },
	{ "unix:mailguard/milter.sock", MILTER, false, MG_DOOR_OURS },
	{ "local:./mailguard//milter.sock", MILTER, false, MG_DOOR_OURS },
	{ "unix:/var/spool/postfix/mailguard/milter.sock", MILTER, false, MG_DOOR_OURS },
	{ "unix:/var/spool/postfix/mailguard/milter.sock", MILTER, true, MG_DOOR_UNREACHABLE },
	{ "unix:/mailguard/milter.sock", MILTER, true, MG_DOOR_OURS },
	{ "unix:/mailguard/milter.sock", MILTER, false, MG_DOOR_OTHER },
	{ "unix:mailguard/other.sock", MILTER, false, MG_DOOR_OTHER },
	{ "unix:", MILTER, false, MG_DOOR_OTHER },
	{ "unix:/run/x", "unix:/run/x", false, MG_DOOR_OURS },
	{ "unix:/run/x", "unix:/run/x", true, MG_DOOR_UNREACHABLE },
	{ "inet:127.0.0.1:9620", "inet:127.0.0.1:9620", true, MG_DOOR_OURS },
	{ "inet:localhost:9620", "inet:127.0.0.1:9620", false, MG_DOOR_OURS },
	{ "inet:LOCALHOST:9620", "inet:[::1]:9620", false, MG_DOOR_OURS },
	{ "inet:9620@localhost", "inet:127.0.0.1:9620", false, MG_DOOR_OURS },
	{ "inet:[::1]:9620", "inet:[::1]:9620", false, MG_DOOR_OURS },
	{ "inet:127.0.0.1:9620", "inet:0.0.0.0:9620", false, MG_DOOR_OURS },
	{ "inet:127.0.0.1:9621", "inet:127.0.0.1:9620", false, MG_DOOR_OTHER },
	{ "inet:192.0.2.1:9620", "inet:127.0.0.1:9620", false, MG_DOOR_OTHER },
	{ "inet:mx.example:9620", "inet:127.0.0.1:9620", false, MG_DOOR_OTHER },
	{ "inet:127.0.0.1:9620", MILTER, false, MG_DOOR_OTHER },
	{ "mailguard", MILTER, false, MG_DOOR_OTHER },
	{ "", MILTER, false, MG_DOOR_OTHER },
};

static void a_door_is_known_by_all_its_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof door_cases / sizeof door_cases[0]; i++) {
		const struct door_case *c = &door_cases[i];

		if (mg_door_match(mg_str_z(c->server), c->listen, "/var/spool/postfix/", c->is_chroot) != c->match)
			fail_msg("%s beside %s%s", c->server, c->listen, c->is_chroot ? " in the chroot" : "");
	}
}

static void attributes_are_read(void **state)
{
	static const char *const words[] = { "{ unix:x, default_action=accept, a=b }",
		"{unix:x default_action = accept}", "{ unix:x, { default_action = accept } }",
		"{ unix:x, default_action =accept }", "{unix:x,default_action= accept}" };

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		assert_true(mg_str_eq(mg_door_server(mg_str_z(words[i])), MG_STR("unix:x")));
		assert_true(
			mg_str_eq(mg_door_attribute(mg_str_z(words[i]), MG_STR("default_action")), MG_STR("accept")));
	}
	assert_int_equal(mg_door_attribute(MG_STR("unix:x"), MG_STR("default_action")).n, 0);
}

static void an_option_is_changed_in_its_entry(void **state)
{
	static const char *const cases[][4] = {
		{ "smtp inet n - n - - smtpd -o a=1 -o b=2", "a", "$x,1",
			"smtp inet n - n - - smtpd -o a=$x,1 -o b=2" },
		{ "s i n - n - - smtpd -o {a=1, 2} -v", "a", "$x, 1, 2", "s i n - n - - smtpd -o {a=$x, 1, 2} -v" },
		{ "s i n - n - - smtpd -o a=1 -o ab=2 -o a=3", "a", "4", "s i n - n - - smtpd -o a=1 -o ab=2 -o a=4" },
		{ "s i n - n - - smtpd -o a=", "a", "", "s i n - n - - smtpd -o a=" },
		{ "s i n - n - - smtpd a=1 -o {b=a=1}", "a", "2", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mg_buf entry;

		mg_buf_init(&entry, 1000);
		mg_buf_addz(&entry, cases[i][0]);
		assert_int_equal(mg_entry_set(&entry, cases[i][1], cases[i][2]), cases[i][3] != NULL);
		if (cases[i][3] != NULL)
			assert_string_equal(mg_buf_z(&entry), cases[i][3]);
		mg_buf_fini(&entry);
	}
}

/* Postfix waits a second before it trusts a file that has just changed. This thread makes them look older, so that the
 * tests need not wait. */
static atomic_bool is_over;
static pthread_t aging;

static void *make_old(void *unused)
{
	const struct timespec old[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	char path[256];

	path_of(path, "main.cf");
	while (!atomic_load(&is_over)) {
		utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW);
		poll(NULL, 0, 1);
	}
	return unused;
}

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	return pthread_create(&aging, NULL, make_old, NULL);
}

static int remove_directory(void **state)
{
	(void)state;
	atomic_store(&is_over, true);
	pthread_join(aging, NULL);
	clean();
	return rmdir(directory);
}

int main(void)
{
	enum { CASES = sizeof wiring_cases / sizeof wiring_cases[0], OTHER = 9 };
	static struct CMUnitTest tests[CASES + OTHER] = {
		cmocka_unit_test(a_door_is_known_by_all_its_names),
		cmocka_unit_test(attributes_are_read),
		cmocka_unit_test(an_option_is_changed_in_its_entry),
		cmocka_unit_test(a_failure_leaves_the_files_as_they_were),
		cmocka_unit_test(a_link_is_not_replaced),
		cmocka_unit_test(modes_are_kept),
		cmocka_unit_test(wiring_anew_keeps_the_first_copies),
		cmocka_unit_test(undo_without_its_note_takes_our_pieces_out),
		cmocka_unit_test(an_edit_of_the_administrator_survives_undo),
	};

	for (size_t i = 0; i < CASES; i++)
		tests[OTHER + i] = (struct CMUnitTest){ .name = wiring_cases[i].name,
			.test_func = a_configuration_is_wired_and_unwired,
			.initial_state = (void *)&wiring_cases[i] };
	return cmocka_run_group_tests_name("wiring", tests, make_directory, remove_directory);
}
