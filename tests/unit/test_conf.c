/* Every bad text of a configuration, the line it is blamed on and words of the sentence; every good one, what it sets. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/settings.h"

static char directory[] = "/tmp/mailguard-conf-XXXXXX";

static void write_file(const char *name, struct mg_str text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	if (text.n > 0)
		assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
	assert_int_equal(fclose(file), 0);
}

static enum mg_rc load(struct mg_str text, const struct mg_conf **conf_out, struct mg_err *err)
{
	char path[256];

	write_file("test.conf", text);
	snprintf(path, sizeof path, "%s/test.conf", directory);
	return mg_conf_load(path, conf_out, err);
}

struct bad_case {
	const char *name, *text;
	unsigned line;
	const char *words[3];
};

#define LIMIT(more)                                                                                                    \
	"rate = { limits = ( {\n name = \"a\"; key = \"user\"; count = \"bytes\"; limit = 5; per = \"1h\";" more       \
	"} ); };"

static const struct bad_case bad_cases[] = {
	/* names */
	{ "unknown at the top", "mode = \"observe\";\nmoed = \"x\";", 2,
		{ "unknown setting \"moed\"", "did you mean \"mode\"?" } },
	{ "unknown section", "\n\nmillter = { };", 3, { "unknown setting \"millter\"", "\"milter\"?" } },
	{ "unknown in a section", "milter = {\n lisen = \"\";\n};", 2, { "\"lisen\" in \"milter\"", "\"listen\"?" } },
	{ "the beginning of a name", "dns = { timeout = 5; };", 1, { "did you mean \"timeout_ms\"?" } },
	{ "in the wrong section", "policy = { keep_days = 5; };", 1, { "inside the section \"journal\"" } },
	{ "at the top instead of its section", "keep_days = 5;", 1, { "inside the section \"journal\"" } },
	{ "nothing near", "policy = { wobble = 5; };", 1, { "known here are listen" } },
	{ "a path as a key", "\"milter.listen\" = \"\";", 1, { "write milter = { listen = ...; }" } },
	{ "a dotted name", "milter.listen = \"\";", 1, { "after \"milter\"", "section" } },
	{ "a section in a section", "milter = { policy = { }; };", 1, { "\"policy\" in \"milter\"" } },
	{ "an empty name", "\"\" = 1;", 1, { "unknown setting \"\"" } },
	{ "hostile name", "\"\033[31m\\\"\" = 1;", 1, { "\\x1b[31m" } },
	{ "given twice", "mode = \"observe\";\nmode = \"observe\";", 2, { "given twice" } },
	{ "given twice, quoted", "mode = \"observe\";\n\"mode\" = \"observe\";", 2, { "given twice" } },
	{ "an overlong name", "\"0123456789012345678901234567890123456789012345678901234567890123456789\" = 1;", 1,
		{ "too long" } },
	/* types */
	{ "text for number", "milter = { max_sessions = \"5\"; };", 1,
		{ "milter.max_sessions can't be a text", "max_sessions = 500;" } },
	{ "fraction for number", "milter = { max_sessions = 5.5; };", 1, { "a number with a fraction" } },
	{ "number for text", "user = 5;", 1, { "user can't be a number", "user = \"mailguard\";" } },
	{ "number for duration", "health = {\n interval = 60; };", 2, { "interval = \"60s\";" } },
	{ "text for bool", "journal = { pseudonymize = \"yes\"; };", 1, { "can't be a text", "pseudonymize = false" } },
	{ "number for bool", "greylist = { enabled = 1; };", 1, { "enabled = false" } },
	{ "group for text", "user = { };", 1, { "a group { }" } },
	{ "text for section", "milter = \"unix:/x\";", 1, { "\"milter\" is a section", "milter = { ... };" } },
	{ "text for list", "health = { domains = \"example.com\"; };", 1, { "domains = ( \"...\", \"...\" );" } },
	{ "number in list", "health = { domains = ( \"example.com\",\n5 ); };", 2,
		{ "health.domains can't be a number" } },
	{ "group in list", "relay = { trusted = ( { } ); };", 1, { "can't be a group" } },
	{ "list for table of names", "health = { thresholds = ( ); };", 1,
		{ "can't be a list", "{ \"...\" = { ... }; }" } },
	{ "group for table", "rate = { limits = { }; };", 1, { "can't be a group", "limits = ( {" } },
	{ "text in table", "rate = { limits = ( \"a\" ); };", 1, { "rate.limits can't be a text" } },
	/* ranges and words */
	{ "too small", "milter = { max_sessions = 0; };", 1, { "from 1 to 10000" } },
	{ "too large", "milter = { max_sessions = 10001; };", 1, { "is 10001", "from 1 to 10000" } },
	{ "no 32-bit wrap", "milter = { max_sessions = 4294967297; };", 1, { "out of range" } },
	{ "no 32-bit wrap in hex", "milter = { max_sessions = 0x100000001; };", 1, { "out of range" } },
	{ "far too large", "milter = { max_sessions = 99999999999999999999; };", 1, { "too large" } },
	{ "negative", "dns = { tries = -1; };", 1, { "dns.tries is -1" } },
	{ "unknown word", "mode = \"enforec\";", 1, { "unknown value \"enforec\"", "did you mean \"enforce\"?" } },
	{ "unknown word, nothing near", "auth = { spf = \"paranoid\"; };", 1,
		{ "write one of: off, record, enforce" } },
	{ "word in another case", "mode = \"Observe\";", 1, { "did you mean \"observe\"?" } },
	{ "unknown temperror", "auth = { on_temperror = \"reject\"; };", 1, { "accept, tempfail" } },
	{ "bad duration", "abuse = { expire = \"24\"; };", 1, { "\"24\" is no duration", "s, m, h or d" } },
	{ "bad duration unit", "greylist = { delay = \"5w\"; };", 1, { "no duration" } },
	{ "negative duration", "greylist = { delay = \"-5m\"; };", 1, { "no duration" } },
	{ "duration out of range", "greylist = { delay = \"2d\"; };", 1, { "within 1s - 1d" } },
	{ "duration zero", "health = { interval = \"0s\"; };", 1, { "out of range" } },
	{ "overflowing duration", "greylist = { delay = \"99999999999999999999d\"; };", 1, { "no duration" } },
	/* values */
	{ "listen without kind", "milter = { listen = \"/run/x\"; };", 1,
		{ "milter.listen", "\"unix:\" or \"inet:\"" } },
	{ "listen relative", "policy = { listen = \"unix:x\"; };", 1, { "absolute" } },
	{ "listen without port", "http = { listen = \"inet:127.0.0.1\"; };", 1, { "http.listen" } },
	{ "listen on port 0", "http = { listen = \"inet:127.0.0.1:0\"; };", 1, { "1 to 65535" } },
	{ "listen with a blank", "control = { listen = \"unix:/a b\"; };", 1, { "control.listen", "main.cf" } },
	{ "relative path", "journal = { path = \"x.db\"; };", 1, { "journal.path", "leading /" } },
	{ "control byte", "journal = { path = \"/x\\ny\"; };", 1, { "control character" } },
	{ "log", "postfix = { log = \"syslog\"; };", 1, { "journald" } },
	{ "log file", "postfix = { log = \"file:mail.log\"; };", 1, { "absolute path" } },
	{ "dovecot's file", "dovecot = { config = \"dovecot.conf\"; };", 1, { "absolute path" } },
	{ "server without port", "dns = { servers = ( \"192.0.2.53\" ); };", 1, { "is no resolver", "192.0.2.53:53" } },
	{ "server without brackets", "dns = { servers = ( \"2001:db8::1:53\" ); };", 1, { "is no resolver" } },
	{ "store", "state = { store = \"redis:secret@host\"; };", 1, { "state.store", "redis://HOST:PORT/DB" } },
	{ "network with host bits", "relay = { trusted = ( \"192.0.2.0/24\",\n\"192.0.2.1/24\" ); };", 2,
		{ "relay.trusted", "\"192.0.2.1/24\"", "zeros behind" } },
	{ "no network", "relay = { trusted = [ \"example.com\" ]; };", 1, { "no address or network" } },
	{ "no domain", "health = { domains = ( \"exa mple.com\" ); };", 1, { "no domain name" } },
	{ "no address", "health = { public_addresses = ( \"1.2.3\" ); };", 1, { "no address" } },
	{ "no host", "health = { outbound25 = ( \"mx:25\" ); };", 1, { "without a port" } },
	{ "backup's path", "health = { backup = { path = \"backups\"; }; };", 1,
		{ "health.backup.path", "absolute path" } },
	{ "backup's unknown", "health = { backup = { perod = \"1d\"; }; };", 1,
		{ "\"perod\" in \"health.backup\"", "\"period\"?" } },
	{ "backup is a section", "health = { backup = \"/b\"; };", 1, { "is a section" } },
	{ "a section too deep", "health = { backup = { path = { a = 1; }; }; };", 1, { "health.backup.path" } },
	{ "dnsbl weight", "auth = { dnsbl = ( { zone = \"a.example\"; weight = 0; } ); };", 1,
		{ "weight", "\"a.example\"" } },
	{ "dnsbl twice", "auth = { dnsbl = ( \"a.example\",\n \"A.example\" ); };", 2, { "named twice" } },
	{ "dnsbl without zone", "auth = { dnsbl = (\n { weight = 1; } ); };", 2, { "has no zone", "add zone" } },
	{ "dnsbl unknown field", "auth = { dnsbl = ( { zone = \"a.example\"; wieght = 1; } ); };", 1,
		{ "\"wieght\" in \"auth.dnsbl\"", "\"weight\"?" } },
	{ "selector", "health = { dkim = ( { domain = \"a.example\"; selector = \"\"; } ); };", 1, { "no selector" } },
	{ "mail", "alert = { mail = \"a b@example.com\"; };", 1, { "no mail address" } },
	{ "webhook", "alert = { webhook = \"example.com\"; };", 1, { "no URL" } },
	{ "exec", "alert = { exec = \"notify\"; };", 1, { "absolute path" } },
	{ "authserv_id", "authserv_id = \"a;b\";", 1, { "no domain name" } },
	{ "account", "user = \"-x\";", 1, { "account" } },
	/* thresholds */
	{ "threshold id", "health = { thresholds = { \"queue\" = { warn = 1; }; }; };", 1,
		{ "\"queue\" is no health check" } },
	{ "threshold field", "health = { thresholds = {\n\"queue.deferred\" = { warm = 1; }; }; };", 2,
		{ "did you mean \"warn\"?" } },
	{ "threshold type", "health = { thresholds = { \"queue.deferred\" = { warn = \"1\"; }; }; };", 1,
		{ "can't be a text" } },
	{ "threshold not finite", "health = { thresholds = { \"queue.deferred\" = { warn = 1e999; }; }; };", 1,
		{ "out of range" } },
	{ "threshold no group", "health = { thresholds = { \"queue.deferred\" = 5; }; };", 1, { "can't be a number" } },
	{ "threshold twice", "health = { thresholds = { \"a.b\" = { };\n\"a.b\" = { }; }; };", 2, { "given twice" } },
	{ "threshold without quotes", "health = { thresholds = {\n queue.deferred = { }; }; };", 2,
		{ "write the name in quotes" } },
	/* limits */
	{ "limit key", "rate = { limits = ( { name = \"a\";\nkey = \"users\"; } ); };", 2,
		{ "\"users\" is no key", "did you mean \"user\"?" } },
	{ "limit key, second", "rate = { limits = ( { key = \"user+colour\"; } ); };", 1, { "\"colour\" is no key" } },
	{ "limit keys, three", "rate = { limits = ( { key = \"user+client+sender\"; } ); };", 1, { "at most two" } },
	{ "limit key with itself", "rate = { limits = ( { key = \"user+user\"; } ); };", 1, { "with itself" } },
	{ "limit key, empty half", "rate = { limits = ( { key = \"user+\"; } ); };", 1, { "\"\" is no key" } },
	{ "limit count", "rate = { limits = ( { count = \"recipient\"; } ); };", 1,
		{ "rate.limits.count", "\"recipients\"?" } },
	{ "limit action", "rate = { limits = ( { action = \"block\"; } ); };", 1,
		{ "tempfail, reject, hold, observe" } },
	{ "limit of zero", "rate = { limits = ( { limit = 0; } ); };", 1, { "rate.limits.limit is 0" } },
	{ "limit without name", "rate = { limits = (\n\n{ key = \"user\"; } ); };", 3, { "has no name" } },
	{ "limit without per",
		"rate = { limits = ( { name = \"a\"; key = \"user\"; count = \"bytes\"; limit = 5; } ); };", 1,
		{ "has no per", "per = \"1h\"" } },
	{ "burst above limit", LIMIT("burst = 6;"), 1, { "burst 6", "burst = 5 or less" } },
	{ "burst of zero", LIMIT("burst = 0;"), 2, { "rate.limits.burst is 0" } },
	{ "empty exception", LIMIT("except = ( \"\" );"), 2, { "exception is empty" } },
	{ "two of a name",
		"rate = { limits = ( { name = \"a\"; key = \"user\"; count = \"bytes\"; limit = 5; per = \"1h\"; },\n{ name = \"a\"; key = \"user\"; count = \"bytes\"; limit = 5; per = \"1h\"; } ); };",
		2, { "two limits are named \"a\"" } },
	/* syntax */
	{ "missing value", "mode = ;\n", 1, { "syntax error", "missing" } },
	{ "missing equals", "mode \"observe\";\n", 1, { "no = before \"observe\"" } },
	{ "two values", "dns = { tries = 5 6; };", 1, { "no = before \"6\"" } },
	{ "open text", "mode = \"observe;\nuser = \"x\";", 1, { "no closing quote" } },
	{ "open comment", "mode = \"observe\";\n/* for ever", 2, { "comment never ends" } },
	{ "open bracket", "milter = {\n listen = \"\";\n", 3, { "bracket still open" } },
	{ "wrong bracket", "dns = { servers = ( \"192.0.2.53:53\" }; };", 1, { "\")\" is missing" } },
	{ "stray bracket", "mode = \"observe\"; };", 1, { "\"}\" closes nothing" } },
	{ "nesting", "x = ((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))));", 1,
		{ "too many brackets" } },
	{ "resolvers",
		"dns = { servers = ( \"192.0.2.1:53\", \"192.0.2.2:53\", \"192.0.2.3:53\", \"192.0.2.4:53\", \"192.0.2.5:53\", \"192.0.2.6:53\", \"192.0.2.7:53\", \"192.0.2.8:53\", \"192.0.2.9:53\" ); };",
		1, { "dns.servers", "at most 8" } },
	{ "no quotes", "mode = observe;", 1, { "\"observe\" is a text without quotes" } },
	{ "no quotes in a list", "dns = { servers = ( a ); };", 1, { "without quotes" } },
	{ "yes", "greylist = { enabled = yes; };", 1, { "\"yes\" is no value; write true or false" } },
	{ "single quotes", "mode = 'observe';", 1, { "double quotes" } },
	{ "bare duration", "health = { interval = 60s; };", 1, { "\"60s\" is no number", "quotes" } },
	{ "bare address", "http = { listen = 127.0.0.1; };", 1, { "\"127.0.0.1\" is no number" } },
	{ "bare path", "journal = { path = /var/x; };", 1, { "\"/\" is no part", "quotes" } },
	{ "stray byte", "mode = \"observe\";\n$x = 1;", 2, { "\"$\" is no part" } },
	{ "NUL by escape", "user = \"a\\x00b\";", 1, { "NUL" } },
	{ "line after a block comment", "/* one\ntwo\n*/ moed = 1;", 3, { "\"moed\"" } },
	{ "line with CRLF", "mode = \"observe\";\r\n\r\nmoed = 1;\r\n", 3, { "\"moed\"" } },
	/* includes */
	{ "include missing", "\n@include \"nowhere.conf\"\n", 2, { "nowhere.conf", "can't be read" } },
	{ "include itself", "\n\n@include \"test.conf\"\n", 3, { "includes itself" } },
	{ "include without quotes", "@include other.conf\n", 1, { "@include needs" } },
	{ "include in the middle", "mode = \"observe\"; @include \"one.conf\"\n", 1, { "line of its own" } },
	{ "include misspelt", "@inculde \"one.conf\"\n", 1, { "only @include" } },
	{ "after an include", "@include \"one.conf\"\nmoed = 1;\n", 2, { "\"moed\"" } },
	{ "duplicate by include", "@include \"one.conf\"\nmode = \"enforce\";\n", 2, { "given twice" } },
};

static void bad_text_is_told(void **state)
{
	const struct bad_case *c = *state;
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };
	char place[300];

	assert_true(load(mg_str_z(c->text), &conf, &err) < 0);
	assert_null(conf);
	snprintf(place, sizeof place, "%s/test.conf:%u: ", directory, c->line);
	if (!mg_str_starts(mg_str_z(err.text), mg_str_z(place)))
		fail_msg("expected line %u, got: %s", c->line, err.text);
	for (size_t i = 0; i < 3 && c->words[i] != NULL; i++)
		if (strstr(err.text, c->words[i]) == NULL)
			fail_msg("expected '%s' in: %s", c->words[i], err.text);
	for (const char *p = err.text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20);
}

static const struct mg_conf *good(const char *text)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };

	if (load(mg_str_z(text), &conf, &err) != MG_OK)
		fail_msg("%s", err.text);
	return conf;
}

static void an_empty_file_means_the_defaults(void **state)
{
	const struct mg_conf *conf = good("");
	const struct mg_limit_row *limit = conf->rate.limits;

	(void)state;
	assert_int_equal(conf->mode, MG_MODE_ENFORCE);
	assert_string_equal(conf->user, "mailguard");
	assert_string_equal(conf->milter.listen, "unix:/var/spool/postfix/mailguard/milter.sock");
	assert_int_equal(conf->milter.max_sessions, 500);
	assert_string_equal(conf->policy.listen, "unix:/var/spool/postfix/mailguard/policy.sock");
	assert_string_equal(conf->control.listen, "unix:/run/mailguard/control.sock");
	assert_string_equal(conf->http.listen, "inet:127.0.0.1:9619");
	assert_string_equal(conf->postfix.config_directory, "/etc/postfix");
	assert_string_equal(conf->dovecot.config, "");
	assert_int_equal(conf->dns.servers.count, 0);
	assert_int_equal(conf->dns.cache_entries, 100000);
	assert_string_equal(conf->state.store, "memory");
	assert_int_equal(conf->auth.spf, MG_LEVEL_RECORD);
	assert_int_equal(conf->auth.dmarc, MG_LEVEL_ENFORCE);
	assert_false(conf->auth.tempfail_on_temperror);
	assert_true(conf->auth.add_header);
	assert_int_equal(conf->auth.time_budget_ms, 15000);
	assert_int_equal(conf->rate.limit_count, 1);
	assert_string_equal(limit->name, "login-hour");
	assert_string_equal(limit->key, "user");
	assert_int_equal(limit->count, MG_COUNT_RECIPIENTS);
	assert_int_equal(limit->limit, 500);
	assert_int_equal(limit->burst, 500);
	assert_int_equal(limit->per_s, 3600);
	assert_int_equal(limit->action, MG_LIMIT_TEMPFAIL);
	assert_int_equal(conf->abuse.action, MG_ABUSE_TEMPFAIL);
	assert_int_equal(conf->abuse.expire_s, 86400);
	assert_int_equal(conf->greylist.delay_s, 300);
	assert_int_equal(conf->health.interval_s, 60);
	mg_conf_unref(&conf);
	assert_null(conf);
	mg_conf_unref(&conf);
}

static const char whole[] =
	"mode = \"observe\"; authserv_id = \"mx.example.com\"\n"
	"milter : { listen = \"inet:127.0.0.1:9620\", max_sessions = 0x10 }\n"
	"dns = { servers = [ \"192.0.2.53:53\", \"[2001:db8::53]:53\" ]; };  # comment \" {\n"
	"auth = { dmarc = \"off\"; on_temperror = \"tempfail\"; add_header = FALSE; // and \" [\n"
	"  dnsbl = [ \"a.example\", { zone = \"b.example\"; weight = -2; } ]; };\n"
	"relay = { trusted = ( \"192.0.2.0/24\" \n, \"2001:db8::/32\", \"[2001:db8::]/32\", \"203.0.113.9\" ); };\n"
	"rate = { limits = ( { name = \"day\"; key = \"client+sender_domain\"; count = \"bytes\"; limit = 10000000000;\n"
	"  burst = 5000000000; per = \"1d\"; action = \"hold\"; except = [ \"boss@example.com\" ]; },\n"
	"  { name = \"m\"; key = \"client_net\"; count = \"failures\"; limit = 3; per = \"90s\"; } ); };\n"
	"health = { thresholds = { \"queue.deferred\" = { warn = 100; crit = 500; };\n"
	"  \"queue.null-sender\" : { crit = 0.5; } };\n"
	"  dkim = ( { domain = \"example.com\"; selector = \"s1\"; } ); };\n"
	"state = { store = \"rediss://u:p/w@redis.example:6380/2\"; };\n";

static void a_whole_file_is_read(void **state)
{
	const struct mg_conf *conf = good(whole);

	(void)state;
	assert_int_equal(conf->mode, MG_MODE_OBSERVE);
	assert_int_equal(conf->milter.max_sessions, 16);
	assert_int_equal(conf->dns.servers.count, 2);
	assert_string_equal(conf->dns.servers.item[1], "[2001:db8::53]:53");
	assert_true(conf->auth.tempfail_on_temperror);
	assert_false(conf->auth.add_header);
	assert_int_equal(conf->auth.dmarc, MG_LEVEL_OFF);
	assert_int_equal(conf->auth.dnsbl_count, 2);
	assert_string_equal(conf->auth.dnsbl[0].zone, "a.example");
	assert_int_equal(conf->auth.dnsbl[0].weight, 1);
	assert_int_equal(conf->auth.dnsbl[1].weight, -2);
	assert_int_equal(conf->relay.trusted.count, 4);
	assert_int_equal(conf->rate.limit_count, 2);
	assert_true(conf->rate.limits[0].limit == 10000000000u);
	assert_true(conf->rate.limits[0].burst == 5000000000u);
	assert_string_equal(conf->rate.limits[0].except.item[0], "boss@example.com");
	assert_int_equal(conf->rate.limits[1].per_s, 90);
	assert_int_equal(conf->rate.limits[1].burst, 3);
	assert_int_equal(conf->rate.limits[1].action, MG_LIMIT_TEMPFAIL);
	assert_int_equal(conf->health.threshold_count, 2);
	assert_string_equal(conf->health.thresholds[0].check, "queue.deferred");
	assert_true(conf->health.thresholds[0].crit == 500);
	assert_true(isnan(conf->health.thresholds[1].warn));
	assert_true(conf->health.thresholds[1].crit == 0.5);
	assert_string_equal(conf->health.dkim[0].key_file, "");
	mg_conf_unref(&conf);
}

static void an_include_counts_lines_of_its_own(void **state)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };

	(void)state;
	conf = good("milter = {\n@include \"inner.conf\"\n max_sessions = 7; };\n@include \"one.conf\"\nuser = \"x\";");
	assert_string_equal(conf->milter.listen, "inet:127.0.0.1:9620");
	assert_int_equal(conf->milter.max_sessions, 7);
	assert_int_equal(conf->mode, MG_MODE_OBSERVE);
	mg_conf_unref(&conf);
	assert_int_equal(load(MG_STR("\n@include \"broken.conf\"\n"), &conf, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, "/broken.conf:3: unknown setting \"wrong\""));
	assert_int_equal(load(MG_STR("@include \"loop1.conf\"\n"), &conf, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, "/loop2.conf:1: "));
	assert_non_null(strstr(err.text, "includes itself"));
}

static void what_is_no_text_file_is_refused(void **state)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };
	struct mg_buf large;

	(void)state;
	assert_int_equal(load(MG_STR("mode\n\n=\0\"observe\";"), &conf, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, "test.conf:3: a NUL byte"));
	mg_buf_init(&large, 2 * 1024 * 1024);
	for (size_t i = 0; i < 1024 * 1024 / 16; i++)
		mg_buf_addz(&large, "# fifteen bytes\n");
	assert_int_equal(load(mg_buf_str(&large), &conf, &err), MG_OK);
	mg_conf_unref(&conf);
	mg_buf_addc(&large, '\n');
	assert_int_equal(load(mg_buf_str(&large), &conf, &err), MG_ERANGE);
	assert_non_null(strstr(err.text, "test.conf:1: the file is larger than 1 MiB"));
	mg_buf_fini(&large);
	assert_int_equal(mg_conf_load("/nonexistent/x.conf", &conf, &err), MG_ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/x.conf: there is no such file"));
	assert_int_equal(mg_conf_load(directory, &conf, &err), MG_EIO);
	assert_int_equal(mg_conf_load("/dev/null", &conf, &err), MG_OK);
	mg_conf_unref(&conf);
}

static void a_password_is_not_shown(void **state)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };

	(void)state;
	assert_true(load(MG_STR("state = { store = \"redis://u:hushhush@host:x/0\"; };"), &conf, &err) < 0);
	assert_null(strstr(err.text, "hushhush"));
}

static void a_reload_keeps_sockets_and_user(void **state)
{
	const struct mg_conf *now = good(""), *next = good("mode = \"observe\";");
	const struct mg_conf *kept = mg_conf_ref(now);
	static const char *const fixed[][2] = { { "user = \"x\";", "user" },
		{ "milter = { listen = \"\"; };", "milter.listen" },
		{ "policy = { listen = \"\"; };", "policy.listen" },
		{ "control = { listen = \"\"; };", "control.listen" },
		{ "http = { listen = \"\"; };", "http.listen" } };
	struct mg_err err = { 0 };

	(void)state;
	assert_int_equal(mg_conf_may_replace(now, next, &err), MG_OK);
	mg_conf_unref(&next);
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		next = good(fixed[i][0]);
		assert_int_equal(mg_conf_may_replace(now, next, &err), MG_EPERM);
		assert_non_null(strstr(err.text, fixed[i][1]));
		mg_conf_unref(&next);
	}
	mg_conf_unref(&now);
	assert_string_equal(kept->user, "mailguard");
	mg_conf_unref(&kept);
}

static void every_row_has_its_help(void **state)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { 0 };

	(void)state;
	for (const struct mg_setting *row = mg_settings; row->path != NULL; row++) {
		assert_non_null(row->help);
		assert_ptr_equal(mg_setting_find(mg_str_z(row->path)), row);
		assert_true(row->type != MG_SETTING_WORD || row->words != NULL);
	}
	assert_int_equal(mg_conf_defaults(&conf, &err), MG_OK);
	assert_string_equal(conf->path, "");
	mg_conf_unref(&conf);
}

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	write_file("one.conf", MG_STR("mode = \"observe\";"));
	write_file("inner.conf", MG_STR("listen = \"inet:127.0.0.1:9620\";\n"));
	write_file("broken.conf", MG_STR("\nmode = \"observe\";\nwrong = 1;"));
	write_file("loop1.conf", MG_STR("@include \"loop2.conf\"\n"));
	write_file("loop2.conf", MG_STR("@include \"loop1.conf\"\n"));
	return 0;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "one.conf", "inner.conf", "broken.conf", "loop1.conf", "loop2.conf",
		"test.conf" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

int main(void)
{
	enum { BAD = sizeof bad_cases / sizeof bad_cases[0] };
	static struct CMUnitTest tests[BAD + 8] = {
		cmocka_unit_test(an_empty_file_means_the_defaults),
		cmocka_unit_test(a_whole_file_is_read),
		cmocka_unit_test(an_include_counts_lines_of_its_own),
		cmocka_unit_test(what_is_no_text_file_is_refused),
		cmocka_unit_test(a_password_is_not_shown),
		cmocka_unit_test(a_reload_keeps_sockets_and_user),
		cmocka_unit_test(every_row_has_its_help),
	};
	size_t count = 7;

	for (size_t i = 0; i < BAD; i++)
		tests[count++] = (struct CMUnitTest){
			.name = bad_cases[i].name, .test_func = bad_text_is_told, .initial_state = (void *)&bad_cases[i]
		};
	return _cmocka_run_group_tests("conf", tests, count, make_directory, remove_directory);
}
