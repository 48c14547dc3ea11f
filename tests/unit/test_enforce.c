/* What becomes of results: which of them refuse, at which level, and who speaks when several do. Observing and exempting are
 * the engine's (test_engine.c). */
#include "rows.h"

#include <string.h>

#include "engine/enforce.h"
#include "evaluation_kit.h"

#define ALL_OFF        "spf = \"off\"; dkim = \"off\"; arc = \"off\"; dmarc = \"off\"; iprev = \"off\"; "
#define AUTH(settings) "auth = { " settings " };"
#define RECORD_ALL     "spf = \"record\"; dkim = \"record\"; arc = \"record\"; dmarc = \"record\"; iprev = \"record\"; "
#define ENFORCE_ALL                                                                                                    \
	"spf = \"enforce\"; dkim = \"enforce\"; arc = \"enforce\"; dmarc = \"enforce\"; iprev = \"enforce\"; "
#define NOW_FAIL "on_temperror = \"tempfail\"; "
#define LETTER   "From: <a@bank.example>\n\nHello\n"
#define SIGNED   "DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from; bh=AAAA; b=AAAA\n" LETTER
/* a signature that is sound, of a body it does not have */
#define BROKEN                                                                                                         \
	"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from;\n"                                            \
	" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n" LETTER
#define NAMED     "1.2.0.192.in-addr.arpa PTR h.example\nh.example A 192.0.2.1\n"
#define REJECTS   "_dmarc.bank.example TXT v=DMARC1; p=reject\n"
#define SPF_FAILS "bank.example TXT v=spf1 -all\n"
#define SLOW                                                                                                           \
	"bank.example SERVFAIL\n_dmarc.bank.example SERVFAIL\n1.2.0.192.in-addr.arpa SERVFAIL\n"                       \
	"s._domainkey.bank.example SERVFAIL\n"
#define BROKEN_CHAIN "ARC-Seal: i=1; cv=none; a=rsa-sha256; d=x.example; s=s; b=AAAA\n" LETTER

struct enforce_row {
	const char *name, *conf, *zone, *from, *message;
	enum mg_action action;
	const char *code, *dsn, *rule, *text; /* a part of it */
};
static const struct enforce_row enforce_rows[] = {
	{ "nothing is wrong", AUTH(ENFORCE_ALL), NAMED "bank.example TXT v=spf1 ip4:192.0.2.1 -all\n", "a@bank.example",
		LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "all is off", AUTH(ALL_OFF), REJECTS SPF_FAILS, "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "all is recorded", AUTH(RECORD_ALL), REJECTS SPF_FAILS, "a@bank.example", BROKEN, MG_ACTION_ACCEPT, "", "",
		"", "" },

	{ "DMARC rejects", AUTH(""), REJECTS, "x@y.example", LETTER, MG_ACTION_REJECT, "550", "5.7.1", "auth:dmarc",
		"Email rejected per DMARC policy for bank.example" },
	{ "DMARC holds", AUTH(""), "_dmarc.bank.example TXT v=DMARC1; p=quarantine\n", "x@y.example", LETTER,
		MG_ACTION_QUARANTINE, "550", "", "auth:dmarc", "held per DMARC policy for bank.example" },
	{ "DMARC wants nothing", AUTH(""), "_dmarc.bank.example TXT v=DMARC1; p=none\n", "x@y.example", LETTER,
		MG_ACTION_ACCEPT, "", "", "", "" },
	{ "DMARC of a testing domain", AUTH(""), "_dmarc.bank.example TXT v=DMARC1; p=quarantine; t=y\n", "x@y.example",
		LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "DMARC recorded", AUTH("dmarc = \"record\";"), REJECTS, "x@y.example", LETTER, MG_ACTION_ACCEPT, "", "", "",
		"" },
	{ "DMARC needs SPF and DKIM even when they are off", AUTH("spf = \"off\"; dkim = \"off\";"),
		REJECTS "bank.example TXT v=spf1 ip4:192.0.2.1 -all\n", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "",
		"", "", "" },
	{ "two authors, one of a bank", AUTH(""), REJECTS "y.example TXT v=spf1 +all\n", "x@y.example",
		"From: x@y.example, a@bank.example\n\n", MG_ACTION_REJECT, "550", "5.7.1", "auth:dmarc",
		"bank.example" },

	{ "SPF fails", AUTH("spf = \"enforce\";"), SPF_FAILS, "a@bank.example", LETTER, MG_ACTION_REJECT, "550",
		"5.7.23", "auth:spf", "SPF: bank.example does not allow mail from 192.0.2.1" },
	{ "SPF explains", AUTH("spf = \"enforce\";"),
		"bank.example TXT v=spf1 -all exp=why.bank.example\nwhy.bank.example TXT no, %{i}\n", "a@bank.example",
		LETTER, MG_ACTION_REJECT, "550", "5.7.23", "auth:spf", "; it explains: no, 192.0.2.1" },
	{ "SPF softfail", AUTH("spf = \"enforce\";"), "bank.example TXT v=spf1 ~all\n", "a@bank.example", LETTER,
		MG_ACTION_ACCEPT, "", "", "", "" },
	{ "SPF neutral", AUTH("spf = \"enforce\";"), "bank.example TXT v=spf1 ?all\n", "a@bank.example", LETTER,
		MG_ACTION_ACCEPT, "", "", "", "" },
	{ "SPF permerror", AUTH("spf = \"enforce\";"), "bank.example TXT v=spf1 nonsense -all\n", "a@bank.example",
		LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "HELO denies it", AUTH("spf = \"enforce\";"), "h.example TXT v=spf1 -all\n", "a@bank.example", LETTER,
		MG_ACTION_REJECT, "550", "5.7.23", "auth:spf", "h.example does not allow" },
	{ "HELO denies it, MAIL FROM allows it", AUTH("spf = \"enforce\";"),
		"h.example TXT v=spf1 -all\nbank.example TXT v=spf1 +all\n", "a@bank.example", LETTER, MG_ACTION_ACCEPT,
		"", "", "", "" },
	{ "HELO denies it, policy alone", AUTH("spf = \"enforce\";"), "h.example TXT v=spf1 -all\n", "a@bank.example",
		NULL, MG_ACTION_REJECT, "550", "5.7.23", "auth:spf", "h.example does not allow" },

	{ "DKIM fails", AUTH("dkim = \"enforce\";"), "", "a@bank.example", BROKEN, MG_ACTION_REJECT, "550", "5.7.20",
		"auth:dkim", "no DKIM signature" },
	{ "DKIM permerror", AUTH("dkim = \"enforce\";"), "", "a@bank.example", SIGNED, MG_ACTION_ACCEPT, "", "", "",
		"" },
	{ "no signature", AUTH("dkim = \"enforce\";"), "", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "ARC fails", AUTH("arc = \"enforce\";"), "", "a@bank.example", BROKEN_CHAIN, MG_ACTION_REJECT, "550",
		"5.7.29", "auth:arc", "broken" },
	{ "no chain", AUTH("arc = \"enforce\";"), "", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "no name", AUTH("iprev = \"enforce\";"), "", "a@bank.example", LETTER, MG_ACTION_REJECT, "550", "5.7.25",
		"auth:iprev", "192.0.2.1 has no name" },
	{ "another's name", AUTH("iprev = \"enforce\";"), "1.2.0.192.in-addr.arpa PTR h.example\n", "a@bank.example",
		LETTER, MG_ACTION_REJECT, "550", "5.7.25", "auth:iprev", "leads back" },
	{ "its name", AUTH("iprev = \"enforce\";"), NAMED, "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },

	{ "listed", AUTH("dnsbl = ( \"bl.example\" ); dnsbl_action = \"enforce\";"),
		"1.2.0.192.bl.example A 127.0.0.2\n", "a@bank.example", LETTER, MG_ACTION_REJECT, "550", "5.7.1",
		"auth:dnsbl", "listed by bl.example" },
	{ "listed, by a zone with a key",
		AUTH("dnsbl = ( \"abcdefgh12345678.bl.example\" ); dnsbl_action = \"enforce\";"),
		"1.2.0.192.abcdefgh12345678.bl.example A 127.0.0.2\n", "a@bank.example", LETTER, MG_ACTION_REJECT,
		"550", "5.7.1", "auth:dnsbl", "listed by KEY.bl.example" },
	{ "listed, recorded", AUTH("dnsbl = ( \"bl.example\" ); dnsbl_action = \"record\";"),
		"1.2.0.192.bl.example A 127.0.0.2\n", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "listed, too light", AUTH("dnsbl = ( \"bl.example\" ); dnsbl_action = \"enforce\"; dnsbl_threshold = 2;"),
		"1.2.0.192.bl.example A 127.0.0.2\n", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "", "" },
	{ "listed and allowed",
		AUTH("dnsbl = ( { zone = \"bl.example\"; weight = 2; }, { zone = \"wl.example\"; weight = -2; } ); "
		     "dnsbl_action = \"enforce\";"),
		"1.2.0.192.bl.example A 127.0.0.2\n1.2.0.192.wl.example A 127.0.0.2\n", "a@bank.example", LETTER,
		MG_ACTION_ACCEPT, "", "", "", "" },
	{ "a list that says an error", AUTH("dnsbl = ( \"bl.example\" ); dnsbl_action = \"enforce\";"),
		"1.2.0.192.bl.example A 127.255.255.254\n", "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "",
		"" },
	{ "a list that gives no answer", AUTH(NOW_FAIL "dnsbl = ( \"bl.example\" ); dnsbl_action = \"enforce\";"),
		"1.2.0.192.bl.example SERVFAIL\n", "a@x.example", "From: a@x.example\n\n", MG_ACTION_ACCEPT, "", "", "",
		"" },

	{ "no answer from anybody", AUTH(ENFORCE_ALL), SLOW, "a@bank.example", LETTER, MG_ACTION_ACCEPT, "", "", "",
		"" },
	{ "no answer from anybody, on_temperror", AUTH(ENFORCE_ALL NOW_FAIL), SLOW, "a@bank.example", LETTER,
		MG_ACTION_TEMPFAIL, "451", "4.7.25", "auth:iprev", "try again later" },
	{ "SPF temperror",
		AUTH("dkim = \"off\"; arc = \"off\"; dmarc = \"off\"; iprev = \"off\"; spf = \"enforce\"; " NOW_FAIL),
		SLOW, "a@bank.example", LETTER, MG_ACTION_TEMPFAIL, "451", "4.7.24", "auth:spf",
		"no answer for the SPF check" },
	{ "DMARC temperror", AUTH(NOW_FAIL), SLOW, "a@bank.example", LETTER, MG_ACTION_TEMPFAIL, "451", "4.7.1",
		"auth:dmarc", "DMARC" },
	{ "a recorded method's temperror is silent", AUTH(RECORD_ALL NOW_FAIL), SLOW, "a@bank.example", LETTER,
		MG_ACTION_ACCEPT, "", "", "", "" },

	{ "reject is graver than tempfail", AUTH("spf = \"enforce\"; iprev = \"enforce\"; " NOW_FAIL),
		SPF_FAILS "1.2.0.192.in-addr.arpa SERVFAIL\n", "a@bank.example", LETTER, MG_ACTION_REJECT, "550",
		"5.7.23", "auth:spf", "" },
	{ "tempfail is graver than quarantine", AUTH("iprev = \"enforce\"; " NOW_FAIL),
		"_dmarc.bank.example TXT v=DMARC1; p=quarantine\n1.2.0.192.in-addr.arpa SERVFAIL\n", "x@y.example",
		LETTER, MG_ACTION_TEMPFAIL, "451", "4.7.25", "auth:iprev", "" },
	{ "of the equal the first speaks", AUTH("spf = \"enforce\";"), SPF_FAILS REJECTS, "a@bank.example", LETTER,
		MG_ACTION_REJECT, "550", "5.7.23", "auth:spf", "" },
	{ "odd bytes of others are not passed on", AUTH("spf = \"enforce\";"),
		"bank.example TXT v=spf1 -all exp=why.bank.example\nwhy.bank.example TXT no\\x0d\\x0a250 \\xffok\n",
		"a@bank.example", LETTER, MG_ACTION_REJECT, "550", "5.7.23", "auth:spf", "does not allow" },
};

static void judge(const struct enforce_row *row, struct zone *zone)
{
	const struct evaluation_case c = { .conf = row->conf, .from = row->from, .message = row->message };
	struct mg_record *record = mg_record_new(1, 1);
	struct mg_judgement judgement;
	struct evaluation_run run;

	evaluation_begin(&run, zone, &c);
	mg_enforce(run.evaluation, run.conf, record, &judgement);
	assert_int_equal(judgement.action, row->action);
	assert_string_equal(judgement.code, row->code);
	assert_string_equal(judgement.dsn, row->dsn);
	assert_string_equal(judgement.rule, row->rule);
	assert_non_null(strstr(judgement.text, row->text));
	assert_int_equal(judgement.text[0] == '\0', row->action == MG_ACTION_ACCEPT);
	for (const char *p = judgement.text; *p != '\0'; p++)
		assert_true(*p >= ' ' && *p <= '~');
	mg_record_free(&record);
	evaluation_end(&run);
}

static void results_become_an_answer(void **state)
{
	const struct enforce_row *row = *state;
	struct zone zone;

	zone_begin(&zone, row->zone);
	judge(row, &zone);
	zone.is_slow = true;
	judge(row, &zone);
	zone_end(&zone);
}

int main(void)
{
	static struct CMUnitTest tests[ROWS(enforce_rows)];
	size_t n = 0;

	ADD_ROWS(tests, n, enforce_rows, results_become_an_answer);
	return _cmocka_run_group_tests("enforce", tests, n, NULL, NULL);
}
