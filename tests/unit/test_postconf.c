/* Macros, restriction lists and the model of a configuration directory, beside what postconf itself says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/run.h"
#include "postfix/expand.h"
#include "postfix/postconf.h"
#include "postfix/restrictions.h"

/* --- macros --- */

static const char *const known[][2] = { { "a", "1" }, { "b", "$a" }, { "empty", "" }, { "braces", "{ x, y = $a }" },
	{ "self", "$self" }, { "ping", "$pong" }, { "pong", "$ping x" }, { "double", "$double$double" },
	{ "level", "3.6" }, { "dollar", "$$a" }, { "abc", "no" }, { "tail", "x$a" } };

static const char *look_up(void *context, struct mg_str name)
{
	(void)context;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (mg_str_eq(name, mg_str_z(known[i][0])))
			return known[i][1];
	return NULL;
}

static const char *const expand_cases[][2] = {
	{ "", "" },
	{ "plain, words", "plain, words" },
	{ "$a", "1" },
	{ "${a}-$(a)", "1-1" },
	{ "$b$a", "11" },
	{ "$a$b$a", "111" },
	{ "${tail}bc", "x1bc" },
	{ "$tail.$b", "x1.1" },
	{ "[$nothing]", "[]" },
	{ "$braces", "{ x, y = 1 }" },
	{ "$$a $", "$a $" },
	{ "$dollar", "$a" },
	{ "${a?yes}${nothing?yes}", "yes" },
	{ "${a?{yes}:{no}}, ${empty?{yes}:{no}}", "yes, no" },
	{ "${nothing:default} ${a:default}", "default 1" },
	{ "${nothing:{$b}}", "1" },
	{ "${{$level} <level {3.10} ? {older} : {newer}}", "older" },
	{ "${{$level} <level {3.6} ? {older} : {newer}}", "newer" },
	{ "${{3.6.1} >level {3.6} ? {$a} : {$b, no}}", "1" },
	{ "${{10} > {9} ? {number}:{text}}", "number" },
	{ "${{x10} > {x9} ? {number}:{text}}", "text" },
	{ "${{$a} == {1} ? {same}}${{$a} != {1} ? {other}}", "same" },
	{ "${{a} <= {a} ? {x}}${{b} >= {c} ? {y}}", "x" },
	{ "${open", "${open" },
	{ "${}", "" },
	{ "$-", "$-" },
};

static void macros_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expand_cases / sizeof expand_cases[0]; i++) {
		struct mg_buf out;

		mg_buf_init(&out, MG_EXPAND_MAX);
		assert_int_equal(mg_expand(mg_str_z(expand_cases[i][0]), look_up, NULL, &out, NULL), MG_OK);
		assert_string_equal(mg_buf_z(&out), expand_cases[i][1]);
		mg_buf_fini(&out);
	}
}

static void endless_macros_end(void **state)
{
	static const char *const texts[] = { "$self", "$ping", "x $double", "${a?$self}" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct mg_buf out;
		struct mg_err err = { 0 };

		mg_buf_init(&out, MG_EXPAND_MAX);
		assert_int_equal(mg_expand(mg_str_z(texts[i]), look_up, NULL, &out, &err), MG_EFULL);
		assert_non_null(strstr(err.text, "no end"));
		mg_buf_fini(&out);
	}
}

/* --- restriction lists --- */

struct list_case {
	const char *text;
	struct {
		const char *name, *argument;
		enum mg_restriction_kind kind;
	} found[5];
};

static const struct list_case list_cases[] = {
	{ "", { { NULL, NULL, 0 } } },
	{ " ,\t, ", { { NULL, NULL, 0 } } },
	{ "permit_mynetworks, reject", { { "permit_mynetworks", "", MG_RESTRICTION_PERMIT_IF },
					       { "reject", "", MG_RESTRICTION_REJECT_ALL } } },
	{ "Permit", { { "Permit", "", MG_RESTRICTION_PERMIT_ALL } } },
	{ "check_client_access hash:/a, check_sender_mx_access cidr:/b,sleep 5",
		{ { "check_client_access", "hash:/a", MG_RESTRICTION_ACCESS },
			{ "check_sender_mx_access", "cidr:/b", MG_RESTRICTION_ACCESS },
			{ "sleep", "5", MG_RESTRICTION_NEUTRAL } } },
	{ "check_policy_service { unix:x, default_action=DUNNO, timeout = 5s }, permit",
		{ { "check_policy_service", "{ unix:x, default_action=DUNNO, timeout = 5s }", MG_RESTRICTION_POLICY },
			{ "permit", "", MG_RESTRICTION_PERMIT_ALL } } },
	{ "check_client_access inline:{ {a = b}, c=d } reject_unauth_destination",
		{ { "check_client_access", "inline:{ {a = b}, c=d }", MG_RESTRICTION_ACCESS },
			{ "reject_unauth_destination", "", MG_RESTRICTION_REJECT_IF } } },
	{ "hash:/etc/postfix/access, my_class", { { "hash:/etc/postfix/access", "", MG_RESTRICTION_ACCESS },
							{ "my_class", "", MG_RESTRICTION_OTHER } } },
	{ "reject_rbl_client zen.example=127.0.0.[2..11], reject_rhsbl_sender a.example permit_dnswl_client b.example",
		{ { "reject_rbl_client", "zen.example=127.0.0.[2..11]", MG_RESTRICTION_REJECT_IF },
			{ "reject_rhsbl_sender", "a.example", MG_RESTRICTION_REJECT_IF },
			{ "permit_dnswl_client", "b.example", MG_RESTRICTION_PERMIT_IF } } },
	{ "warn_if_reject reject_unknown_client_hostname check_policy_service",
		{ { "warn_if_reject", "", MG_RESTRICTION_MODIFIER },
			{ "reject_unknown_client_hostname", "", MG_RESTRICTION_REJECT_IF },
			{ "check_policy_service", "", MG_RESTRICTION_POLICY } } },
	{ "a { b", { { "a", "", MG_RESTRICTION_OTHER }, { "{ b", "", MG_RESTRICTION_OTHER } } },
	{ "a }b", { { "a", "", MG_RESTRICTION_OTHER }, { "}b", "", MG_RESTRICTION_OTHER } } },
};

static void lists_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof list_cases / sizeof list_cases[0]; i++) {
		struct mg_str rest = mg_str_z(list_cases[i].text);
		struct mg_restriction one;

		for (size_t j = 0; list_cases[i].found[j].name != NULL; j++) {
			assert_true(mg_restriction_next(&rest, &one));
			assert_true(mg_str_eq(one.name, mg_str_z(list_cases[i].found[j].name)));
			assert_true(mg_str_eq(one.argument, mg_str_z(list_cases[i].found[j].argument)));
			assert_int_equal(one.kind, list_cases[i].found[j].kind);
		}
		assert_false(mg_restriction_next(&rest, &one));
	}
}

/* --- the model --- */

static char directory[] = "/tmp/mailguard-postconf-XXXXXX";

static const char main_cf[] = "compatibility_level = 3.6\n"
			      "myhostname = mail.example.com\n"
			      "queue_directory = /var/spool/elsewhere\n"
			      "mua = permit_sasl_authenticated,\n  reject\n"
			      "smtpd_recipient_restrictions = $mua\n"
			      "inet_interfaces = all\n";
static const char master_cf[] =
	"# a comment\n"
	"smtp      inet  n       -       y       -       10      smtpd\n"
	"  -o { smtpd_helo_restrictions = permit_mynetworks, reject }\n"
	"  -o mua=permit_mynetworks\n"
	"[::1]:10025 inet n      -       n       -       -       smtpd -o mua=reject -o mua=permit\n"
	"192.0.2.1:587 inet n    n       -       -       0       smtpd\n"
	"25000     inet  n       -       n       -       1       postscreen\n"
	"smtpd     pass  -       -       n       -       -       smtpd\n"
	"pickup    unix  n       -       n       60      1       pickup\n";

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct mg_postfix *load(const char *main_text, const char *master_text)
{
	struct mg_postfix *postfix = NULL;
	struct mg_err err = { 0 };
	enum mg_rc rc;

	write_file("main.cf", main_text);
	write_file("master.cf", master_text);
	rc = mg_postfix_load(directory, 20000, &postfix, &err);
	if (rc == MG_ENOENT)
		skip(); /* no Postfix here */
	if (rc != MG_OK)
		fail_msg("%s", err.text);
	return postfix;
}

static void assert_value(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *name, const char *value)
{
	struct mg_buf out;

	mg_buf_init(&out, MG_EXPAND_MAX);
	assert_int_equal(mg_postfix_value(postfix, service, name, &out, NULL), MG_OK);
	assert_string_equal(mg_buf_z(&out), value);
	mg_buf_fini(&out);
}

static void a_directory_is_loaded(void **state)
{
	struct mg_postfix *postfix = load(main_cf, master_cf);
	const struct mg_postfix_service *service;

	(void)state;
	assert_string_equal(postfix->queue_directory, "/var/spool/elsewhere");
	assert_true(postfix->version[0] >= '2');
	assert_int_equal(postfix->service_count, 6);
	assert_true(mg_postfix_is_set(postfix, "myhostname"));
	assert_false(mg_postfix_is_set(postfix, "smtpd_milters"));
	assert_string_equal(mg_postfix_raw(postfix, NULL, MG_STR("smtpd_recipient_restrictions")), "$mua");
	assert_null(mg_postfix_raw(postfix, NULL, MG_STR("no_such_parameter")));
	assert_value(postfix, NULL, "no_such_parameter", "");
	assert_true(mg_postfix_is_yes(postfix, NULL, "smtpd_delay_reject"));

	service = &postfix->services[0];
	assert_string_equal(service->id, "smtp/inet");
	assert_true(service->is_chroot);
	assert_false(service->is_private);
	assert_true(service->is_unprivileged);
	assert_int_equal(service->max_processes, 10);
	assert_int_equal(service->override_count, 2);
	assert_value(postfix, service, "smtpd_helo_restrictions", "permit_mynetworks, reject");
	assert_int_equal(postfix->services[2].max_processes, 0);
	assert_false(postfix->services[2].is_unprivileged);
	assert_false(postfix->services[2].is_chroot);
	mg_postfix_free(&postfix);
	assert_null(postfix);
	mg_postfix_free(&postfix);
}

static void an_override_counts_in_its_service(void **state)
{
	struct mg_postfix *postfix = load(main_cf, master_cf);

	(void)state;
	assert_value(postfix, NULL, "smtpd_recipient_restrictions", "permit_sasl_authenticated, reject");
	assert_value(postfix, &postfix->services[0], "smtpd_recipient_restrictions", "permit_mynetworks");
	assert_value(postfix, &postfix->services[1], "smtpd_recipient_restrictions", "permit");
	assert_value(
		postfix, &postfix->services[2], "smtpd_recipient_restrictions", "permit_sasl_authenticated, reject");
	mg_postfix_free(&postfix);
}

static void who_reaches_an_smtpd(void **state)
{
	struct mg_postfix *postfix = load(main_cf, master_cf);
	const struct mg_postfix_service *service = NULL;
	static const char *const ids[] = { "smtp/inet", "[::1]:10025/inet", "192.0.2.1:587/inet", "smtpd/pass" };
	static const bool loopback[] = { false, true, false, false };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		service = mg_postfix_next_smtpd(postfix, service);
		assert_non_null(service);
		assert_string_equal(service->id, ids[i]);
		assert_int_equal(mg_postfix_is_loopback(postfix, service), loopback[i]);
	}
	assert_null(mg_postfix_next_smtpd(postfix, service));
	mg_postfix_free(&postfix);
	postfix = load(
		"compatibility_level = 3.6\nmyhostname = a.example\ninet_interfaces = 127.0.0.1, [::1] localhost\n",
		master_cf);
	assert_true(mg_postfix_is_loopback(postfix, &postfix->services[0]));
	assert_true(mg_postfix_is_loopback(postfix, &postfix->services[4]));
	assert_false(mg_postfix_is_loopback(postfix, &postfix->services[2]));
	mg_postfix_free(&postfix);
}

static void what_is_no_directory_is_told(void **state)
{
	struct mg_postfix *postfix = load(main_cf, master_cf);
	struct mg_err err = { 0 };

	(void)state;
	mg_postfix_free(&postfix);
	assert_int_equal(mg_postfix_load("/nonexistent", 20000, &postfix, &err), MG_EIO);
	assert_non_null(strstr(err.text, "/nonexistent"));
	assert_null(postfix);
	assert_int_equal(mg_postfix_load(directory, 0, &postfix, &err), MG_ETIME);
	assert_null(postfix);
}

/* Our expansion beside postconf's own, for what smtpd's decisions depend on. */
static void postconf_agrees(void **state)
{
	static const char *const names[] = { "smtpd_relay_restrictions", "smtpd_recipient_restrictions",
		"mydestination", "relay_domains", "mynetworks", "smtpd_relay_before_recipient_restrictions",
		"proxy_interfaces", "smtputf8_enable" };
	struct mg_postfix *postfix = load(main_cf, master_cf);

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *const argv[] = { "postconf", "-c", directory, "-xh", names[i], NULL };
		const struct mg_run run = { .argv = argv, .timeout_ms = 20000, .out_max = 65536, .err_max = 1000 };
		struct mg_run_result result;
		struct mg_buf ours;

		mg_buf_init(&ours, MG_EXPAND_MAX);
		assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
		assert_int_equal(mg_postfix_value(postfix, NULL, names[i], &ours, NULL), MG_OK);
		assert_true(mg_str_eq(mg_str_trim(mg_buf_str(&ours)), mg_str_trim(mg_buf_str(&result.out))));
		mg_buf_fini(&ours);
		mg_run_fini(&result);
	}
	mg_postfix_free(&postfix);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/main.cf", directory);
	unlink(path);
	snprintf(path, sizeof path, "%s/master.cf", directory);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(macros_are_expanded),
		cmocka_unit_test(endless_macros_end),
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(a_directory_is_loaded),
		cmocka_unit_test(an_override_counts_in_its_service),
		cmocka_unit_test(who_reaches_an_smtpd),
		cmocka_unit_test(what_is_no_directory_is_told),
		cmocka_unit_test(postconf_agrees),
	};

	return cmocka_run_group_tests_name("postconf", tests, make_directory, remove_directory);
}
