/* What is counted of the mail log, and what is not: a client's words are no complaint of Postfix. */
#include "rows.h"

#include <stdio.h>

#include "base/clock.h"
#include "health/clock_offset.h"
#include "postfix/log_tally.h"

struct row {
	const char *name, *tag, *text;
	enum mg_tally kind;
	unsigned count; /* of that kind, after this one line */
};

static const struct row rows[] = {
	{ "panic", "postfix/smtpd", "panic: myfree: corrupt memory block", MG_TALLY_PANIC, 1 },
	{ "fatal", "postfix/smtpd", "fatal: no SASL authentication mechanisms", MG_TALLY_FATAL, 1 },
	{ "fatal of another instance", "postfix-out/smtp", "fatal: unable to connect to the public cleanup service",
		MG_TALLY_FATAL, 1 },
	{ "error", "postfix/trivial-rewrite", "error: open /etc/postfix/x.db: No such file", MG_TALLY_ERROR, 1 },
	{ "warning", "postfix/master", "warning: process /usr/lib/postfix/sbin/smtpd pid 1 exit status 1",
		MG_TALLY_WARNING, 1 },
	{ "a word of the client is no fatal", "postfix/smtpd",
		"NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.1.1 <fatal: @x>: fatal: no", MG_TALLY_FATAL, 0 },
	{ "nor in a warning", "postfix/smtpd",
		"warning: x[192.0.2.1]: SASL PLAIN authentication failed: fatal: panic: ", MG_TALLY_FATAL, 0 },
	{ "Dovecot's", "dovecot", "imap-login: Fatal: master: service(imap-login): child 1 killed with signal 11",
		MG_TALLY_FATAL, 1 },
	{ "Dovecot's error with a user", "dovecot", "imap(ann)<12><ab+c>: Error: Mailbox INBOX: write failed",
		MG_TALLY_ERROR, 1 },
	{ "Dovecot's subject is none", "dovecot",
		"lmtp(ann)<1><x>: sieve: msgid=<x: Fatal: y>: stored mail into mailbox 'INBOX'", MG_TALLY_PANIC, 0 },
	{ "keyword in any case", "postfix/local", "ABCDEF12: to=<x@y>, status=deferred (Permission DENIED)",
		MG_TALLY_DENIED, 1 },
	{ "timed out counts as timeout", "postfix/smtp", "connect to a.example[192.0.2.1]:25: Connection timed out",
		MG_TALLY_TIMEOUT, 1 },
	{ "and as an unreached server", "postfix/smtp", "connect to a.example[192.0.2.1]:25: Connection timed out",
		MG_TALLY_TIMED_OUT, 1 },
	{ "another port is not 25", "postfix/smtp", "connect to a.example[192.0.2.1]:24: Connection timed out",
		MG_TALLY_TIMED_OUT, 0 },
	{ "process limit", "postfix/master",
		"warning: service \"smtp\" (25) has reached its process limit \"100\": new clients may wait",
		MG_TALLY_PROCESS_LIMIT, 1 },
	{ "not by a client", "postfix/smtpd", "NOQUEUE: reject: HELO has reached its process limit",
		MG_TALLY_PROCESS_LIMIT, 0 },
	{ "rate limit", "postfix/smtpd",
		"warning: Connection rate limit exceeded: 61 from x[192.0.2.1] for service smtp", MG_TALLY_RATE_LIMIT,
		1 },
	{ "Dovecot's limit", "dovecot",
		"master: Warning: service(imap): client_limit (200) reached, client connections are being dropped",
		MG_TALLY_DOVECOT_LIMIT, 1 },
	{ "compatibility", "postfix/smtpd",
		"using backwards-compatible default setting \"smtpd_relay_restrictions = (empty)\"",
		MG_TALLY_COMPAT_RELAY, 1 },
};

static void see(struct mg_log_tally *tally, const char *tag, const char *text, int64_t time_us)
{
	struct mg_log_line line;

	mg_log_message_parse(mg_str_z(tag), 1, time_us, mg_str_z(text), &line);
	mg_log_tally_see(tally, &line);
}

static void a_line_counts(void **state)
{
	const struct row *row = *state;
	struct mg_log_tally *tally = mg_log_tally_new();
	int64_t now_us = mg_wall_us();
	char last[MG_TALLY_LINE];

	see(tally, row->tag, row->text, now_us);
	assert_int_equal(mg_log_tally_count(tally, row->kind, now_us, 900), row->count);
	assert_int_equal(mg_log_tally_last(tally, row->kind, last) > 0, row->count > 0);
	mg_log_tally_free(&tally);
}

static void times_decide(void **unused)
{
	struct mg_log_tally *tally = mg_log_tally_new();
	int64_t now_us = mg_wall_us();
	unsigned quarters;

	(void)unused;
	for (int hour = 30; hour >= 1; hour--)
		for (int n = 0; n < 3; n++)
			see(tally, "postfix/smtp", "connect to a.example[192.0.2.1]:25: Connection refused",
				now_us - hour * 3600 * MG_S_US);
	assert_int_equal(mg_log_tally_count(tally, MG_TALLY_REFUSED, now_us, 900), 0);
	assert_int_equal(mg_log_tally_median(tally, MG_TALLY_REFUSED, now_us, &quarters),
		0); /* three of four quarters are quiet */
	assert_in_range(quarters, 29 * 4, 31 * 4);
	see(tally, "postfix/smtp", "x refused", now_us);
	see(tally, "postfix/smtp", "x refused", now_us - 100 * MG_DAY_US); /* older than what is kept */
	see(tally, "postfix/smtp", "x refused", now_us + 30 * MG_DAY_US);  /* a stamp that can't be */
	assert_int_equal(mg_log_tally_count(tally, MG_TALLY_REFUSED, now_us, 900), 1);
	mg_log_tally_free(&tally);
}

static void rings_keep_the_newest(void **unused)
{
	static struct mg_login_failure failures[MG_TALLY_RING];
	struct mg_log_tally *tally = mg_log_tally_new();
	int64_t now_us = mg_wall_us();

	(void)unused;
	for (int n = 0; n < 3 * MG_TALLY_RING; n++)
		see(tally, "postfix/smtpd",
			"warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=ann", now_us);
	see(tally, "postfix/smtpd",
		"warning: unknown[192.0.2.9]: SASL PLAIN authentication failed: x, sasl_username=bob", now_us);
	assert_in_range(mg_log_tally_failures(tally, now_us - MG_S_US, failures), MG_TALLY_RING - 1, MG_TALLY_RING);
	assert_string_equal(failures[0].user, "bob");
	assert_int_equal(mg_log_tally_failures(tally, now_us + MG_S_US, failures), 0);
	mg_log_tally_free(&tally);
}

static void offsets_of_time_services(void **unused)
{
	static const struct {
		const char *text;
		bool is_chrony, is_read;
		double seconds;
	} texts[] = {
		{ "C0A80101,192.168.1.1,3,1700000000.1,-0.000012345,0.1,0.2,1,2,3,4,5,64,Normal\n", true, true,
			-0.000012345 },
		{ "00000000,,0,0.0,0.0,0.0,0.0,0,0,0,1,1,0,Not synchronised\n", true, false, 0 },
		{ "506 Cannot talk to daemon\n", true, false, 0 },
		{ "       Server: 192.0.2.1\n       Offset: -1.742ms\n        Delay: 2ms\n", false, true, -0.001742 },
		{ "       Offset: +1min 2.5s\n", false, true, 62.5 },
		{ "       Offset: n/a\n", false, false, 0 },
		{ "", false, false, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		double seconds = 0;
		bool is_read = texts[i].is_chrony ? mg_clock_offset_of_chrony(mg_str_z(texts[i].text), &seconds)
						  : mg_clock_offset_of_timesyncd(mg_str_z(texts[i].text), &seconds);

		assert_int_equal(is_read, texts[i].is_read);
		if (is_read)
			assert_true(seconds - texts[i].seconds < 1e-9 && texts[i].seconds - seconds < 1e-9);
	}
}

int main(void)
{
	static struct CMUnitTest tests[40];
	size_t n = 0;

	ADD_ROWS(tests, n, rows, a_line_counts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(times_decide);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(rings_keep_the_newest);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(offsets_of_time_services);
	return _cmocka_run_group_tests("log_tally", tests, n, NULL, NULL);
}
