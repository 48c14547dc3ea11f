/* What --set may say: every kind of value with and without quotes, and each wrong one with the words it is blamed in. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf_with.h"

struct set_row {
	const char *name;
	const char *sets[3];  /* up to a NULL */
	const char *words[2]; /* NULL: it is fine; else parts of the sentence */
};

#define LIMIT "{ name = \"x\"; key = \"user\"; count = \"recipients\"; limit = 100; per = \"1h\"; }"
static const struct set_row bad_rows[] = {
	{ "an unknown setting", { "auth.dmarx=off" }, { "--set auth.dmarx: ", "did you mean \"dmarc\"?" } },
	{ "an unknown section", { "auht.dmarc=off" }, { "--set auht.dmarc: ", "did you mean \"auth\"?" } },
	{ "an unknown word", { "moed=observe" }, { "--set moed: ", "did you mean \"mode\"?" } },
	{ "a wrong value", { "auth.spf=enforc" }, { "--set auth.spf: ", "did you mean \"enforce\"?" } },
	{ "a wrong value in quotes", { "auth.spf=\"enforc\"" }, { "--set auth.spf: ", "did you mean \"enforce\"?" } },
	{ "a number out of range", { "auth.dnsbl_threshold=0" }, { "--set auth.dnsbl_threshold: ", "1" } },
	{ "no number", { "auth.dnsbl_threshold=two" }, { "--set auth.dnsbl_threshold: " } },
	{ "no duration", { "greylist.delay=5" }, { "--set greylist.delay: " } },
	{ "a section", { "auth=off" }, { "--set auth: ", "such as auth.spf" } },
	{ "a field of a table", { "rate.limits.limit=5" }, { "--set rate.limits.limit: ", "rate.limits=(" } },
	{ "a list that is none", { "rate.limits=5" }, { "--set rate.limits: " } },
	{ "an entry with a fault", { "rate.limits=( { name = \"x\"; key = \"usr\"; } )" }, { "--set rate.limits: " } },
	{ "a bracket open", { "rate.limits=( " LIMIT }, { "--set rate.limits: " } },
	{ "two settings in one", { "auth.dnsbl_threshold=1; y = 2" }, { "--set auth.dnsbl_threshold: ", "one value" } },
	{ "two settings in one list", { "rate.limits=( ); mode = \"observe\"" },
		{ "--set rate.limits: ", "one value" } },
	{ "a file", { "rate.limits=\n@include \"/etc/passwd\"\n" }, { "--set rate.limits: " } },
	{ "nothing", { "auth.dnsbl_threshold=" }, { "--set auth.dnsbl_threshold: " } },
	{ "a control byte", { "auth.dnsbl=a\x01.example" }, { "--set auth.dnsbl: " } },
	{ "a control byte in a name", { "a\x1b[2J=1" }, { "--set a\\x1b[2J: " } },
	{ "the second is wrong", { "mode=observe", "auth.spf=on" }, { "--set auth.spf: " } },
	{ "dots only", { "..=1" }, { "--set ..: " } },
};

static enum mg_rc load_with(
	const char *path, const char *const *texts, const struct mg_conf **conf_out, struct mg_err *err)
{
	struct mg_conf_set sets[3];
	size_t count = 0;

	while (count < 3 && texts[count] != NULL) {
		assert_true(mg_conf_set_cut(mg_str_z(texts[count]), &sets[count]));
		count++;
	}
	return mg_conf_load_with(path, sets, count, conf_out, err);
}

static void it_is_refused(void **state)
{
	const struct set_row *row = *state;
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };

	assert_int_not_equal(load_with(NULL, row->sets, &conf, &err), MG_OK);
	assert_null(conf);
	for (size_t i = 0; i < 2 && row->words[i] != NULL; i++)
		if (mg_str_find_str(mg_str_z(err.text), mg_str_z(row->words[i])) == SIZE_MAX)
			fail_msg("\"%s\" is not in: %s", row->words[i], err.text);
	assert_true(mg_str_find(mg_str_z(err.text), '\n') == SIZE_MAX);
}

static const struct mg_conf *good(const char *path, const char *const *texts)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };

	if (load_with(path, texts, &conf, &err) != MG_OK)
		fail_msg("%s", err.text);
	return conf;
}
#define GOOD(...) good(NULL, (const char *const[4]){ __VA_ARGS__ })

static void words_need_no_quotes(void **state)
{
	const struct mg_conf *conf = GOOD("mode=observe", "auth.dmarc = off", "greylist.delay=1h");

	(void)state;
	assert_int_equal(conf->mode, MG_MODE_OBSERVE);
	assert_int_equal(conf->auth.dmarc, MG_LEVEL_OFF);
	assert_int_equal(conf->greylist.delay_s, 3600);
	mg_conf_unref(&conf);
	conf = GOOD("alert.exec=/opt/a \"b", "auth.on_temperror=\"tempfail\"", "alert.mail=");
	assert_string_equal(conf->alert.exec, "/opt/a \"b");
	assert_true(conf->auth.tempfail_on_temperror);
	assert_string_equal(conf->alert.mail, "");
	mg_conf_unref(&conf);
}

static void numbers_and_lists_are_read(void **state)
{
	const struct mg_conf *conf = GOOD("auth.dnsbl_threshold=2", "greylist.enabled=true",
		"rate.limits=( " LIMIT
		",\n{ name = \"y\"; key = \"client\"; count = \"bytes\"; limit = 5000000000; per = \"1d\"; } )");

	(void)state;
	assert_int_equal(conf->auth.dnsbl_threshold, 2);
	assert_true(conf->greylist.enabled);
	assert_int_equal(conf->rate.limit_count, 2);
	assert_true(conf->rate.limits[1].limit == 5000000000);
	assert_int_equal(conf->rate.limits[0].burst, 100);
	mg_conf_unref(&conf);
	conf = GOOD("auth.dnsbl=[ \"a.example\", { zone = \"b.example\"; weight = -2; } ]",
		"relay.trusted=192.0.2.0/24", "rate.limits=( )");
	assert_int_equal(conf->auth.dnsbl_count, 2);
	assert_int_equal(conf->relay.trusted.count, 1);
	assert_string_equal(conf->relay.trusted.item[0], "192.0.2.0/24");
	assert_int_equal(conf->rate.limit_count, 0);
	mg_conf_unref(&conf);
	conf = GOOD("auth.dnsbl=a.example", "relay.trusted=");
	assert_int_equal(conf->auth.dnsbl_count, 1);
	assert_string_equal(conf->auth.dnsbl[0].zone, "a.example");
	assert_int_equal(conf->relay.trusted.count, 0);
	mg_conf_unref(&conf);
}

static void the_last_word_counts_and_the_file_stays(void **state)
{
	char path[] = "/tmp/mailguard-with-XXXXXX";
	int fd = mkstemp(path);
	const char text[] =
		"mode = \"observe\";\nauth = { spf = \"enforce\"; };\nrate = { limits = ( " LIMIT " ); };\n";
	const struct mg_conf *conf;
	struct mg_err err = { "" };

	(void)state;
	assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
	close(fd);
	conf = good(path, (const char *const[4]){ "mode=enforce", "auth.dkim=enforce", "auth.dkim=off" });
	assert_int_equal(conf->mode, MG_MODE_ENFORCE);
	assert_int_equal(conf->auth.spf, MG_LEVEL_ENFORCE);
	assert_int_equal(conf->auth.dkim, MG_LEVEL_OFF);
	assert_string_equal(conf->rate.limits[0].name, "x");
	mg_conf_unref(&conf);
	assert_int_not_equal(
		load_with("/nonexistent/x.conf", (const char *const[4]){ "mode=enforce" }, &conf, &err), MG_OK);
	unlink(path);
}

static void what_is_no_setting_is_told(void **state)
{
	struct mg_conf_set set;

	(void)state;
	assert_false(mg_conf_set_cut(MG_STR("mode"), &set));
	assert_false(mg_conf_set_cut(MG_STR("=off"), &set));
	assert_false(mg_conf_set_cut(MG_STR(" =off"), &set));
	assert_false(mg_conf_set_cut(MG_STR(""), &set));
	assert_true(mg_conf_set_cut(MG_STR("a=b=c"), &set));
	assert_true(mg_str_eq(set.key, MG_STR("a")) && mg_str_eq(set.value, MG_STR("b=c")));
	assert_true(mg_conf_bears_on_verdicts(MG_STR("mode")) && mg_conf_bears_on_verdicts(MG_STR("rate.limits")));
	assert_false(
		mg_conf_bears_on_verdicts(MG_STR("dns.tries")) || mg_conf_bears_on_verdicts(MG_STR("auth.add_header")));
}

static void a_value_too_long_is_told(void **state)
{
	size_t size = MG_CONF_SET_BYTES + 100;
	char *text = malloc(size);
	const char *const texts[4] = { text };
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };

	(void)state;
	memset(text, 'x', size);
	memcpy(text, "alert.exec=/", 12);
	text[size - 1] = '\0';
	assert_int_equal(load_with(NULL, texts, &conf, &err), MG_ERANGE);
	free(text);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(bad_rows) + 8];
	size_t n = 0;

	ADD_ROWS(tests, n, bad_rows, it_is_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(words_need_no_quotes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(numbers_and_lists_are_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_last_word_counts_and_the_file_stays);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_no_setting_is_told);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_value_too_long_is_told);
	return _cmocka_run_group_tests("conf_with", tests, n, NULL, NULL);
}
