/* What servers' answers to a stranger's mail for strangers mean, and which program speaks so. */
#include "rows.h"

#include "served/relaying.h"
#include "served/software.h"

struct answer_row {
	const char *name;
	enum mg_reply_state mail, rcpt;
	const char *text;
	enum mg_relaying means;
};
static const struct answer_row answer_rows[] = {
	{ "taken", MG_REPLY_GOOD, MG_REPLY_GOOD, "250 2.1.5 Ok", MG_RELAYING_ACCEPTED },
	{ "Postfix", MG_REPLY_GOOD, MG_REPLY_BAD, "554 5.7.1 <a@b.invalid>: Relay access denied", MG_RELAYING_REFUSED },
	{ "Postfix, for later", MG_REPLY_GOOD, MG_REPLY_LATER, "454 4.7.1 <a@b.invalid>: Relay access denied",
		MG_RELAYING_REFUSED },
	{ "Exim", MG_REPLY_GOOD, MG_REPLY_BAD, "550 relay not permitted", MG_RELAYING_REFUSED },
	{ "Exchange", MG_REPLY_GOOD, MG_REPLY_BAD, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
		MG_RELAYING_REFUSED },
	{ "Sendmail", MG_REPLY_GOOD, MG_REPLY_BAD, "550 5.7.1 <a@b>... Relaying denied", MG_RELAYING_REFUSED },
	{ "qmail", MG_REPLY_GOOD, MG_REPLY_BAD, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
		MG_RELAYING_REFUSED },
	{ "words nobody knows", MG_REPLY_GOOD, MG_REPLY_BAD, "550 no", MG_RELAYING_REFUSED },
	{ "a login first", MG_REPLY_BAD, MG_REPLY_MORE, "530 5.7.0 Authentication required", MG_RELAYING_REFUSED },
	{ "TLS first", MG_REPLY_BAD, MG_REPLY_MORE, "530 5.7.0 Must issue a STARTTLS command first",
		MG_RELAYING_NOT_US },
	{ "the sender is not liked", MG_REPLY_BAD, MG_REPLY_MORE, "550 5.1.0 no", MG_RELAYING_NOT_THERE },
	{ "the client is not liked", MG_REPLY_GOOD, MG_REPLY_BAD,
		"554 5.7.1 Service unavailable; Client host [203.0.113.66] blocked using bl.example",
		MG_RELAYING_NOT_US },
	{ "the domain is looked up", MG_REPLY_GOOD, MG_REPLY_BAD,
		"550 5.1.2 <a@b.invalid>: Recipient address rejected: Domain not found", MG_RELAYING_NOT_THERE },
	{ "Exim looks it up", MG_REPLY_GOOD, MG_REPLY_BAD, "550 Unrouteable address", MG_RELAYING_NOT_THERE },
	{ "greylisted", MG_REPLY_GOOD, MG_REPLY_LATER, "450 4.2.0 Greylisted", MG_RELAYING_LATER },
	{ "put off at MAIL", MG_REPLY_LATER, MG_REPLY_MORE, "451 4.3.0 x", MG_RELAYING_LATER },
	{ "silence", MG_REPLY_MORE, MG_REPLY_MORE, "", MG_RELAYING_UNASKED },
	{ "silence after MAIL", MG_REPLY_GOOD, MG_REPLY_MORE, "250 Ok", MG_RELAYING_UNASKED },
	{ "nonsense", MG_REPLY_GOOD, MG_REPLY_NONSENSE, "hello", MG_RELAYING_UNASKED },
};

static void an_answer_means(void **state)
{
	const struct answer_row *row = *state;
	struct mg_served_tried tried = { .mail = row->mail, .rcpt = row->rcpt };

	(void)mg_str_copy(tried.text, sizeof tried.text, mg_str_z(row->text));
	assert_int_equal(mg_relaying_of(&tried), row->means);
}

/* Each letter a try: a accepted, r refused, l later, u the client refused, d the domain, - no answer. */
struct look_row {
	const char *name, *tries;
	enum mg_relaying means;
	size_t at;
};
static const struct look_row look_rows[] = {
	{ "nothing", "", MG_RELAYING_UNASKED, 9 },
	{ "one refusal", "r", MG_RELAYING_REFUSED, 0 },
	{ "the second is taken", "ra", MG_RELAYING_ACCEPTED, 1 },
	{ "taken once is taken", "al", MG_RELAYING_ACCEPTED, 0 },
	{ "the domain, then the truth", "dr", MG_RELAYING_REFUSED, 1 },
	{ "a refusal stands beside silence", "r--", MG_RELAYING_REFUSED, 0 },
	{ "a refusal stands beside a domain", "r-d", MG_RELAYING_REFUSED, 0 },
	{ "put off", "ll", MG_RELAYING_LATER, 1 },
	{ "refused as a client", "uu", MG_RELAYING_NOT_US, 1 },
	{ "silence", "--", MG_RELAYING_UNASKED, 9 },
};

static struct mg_served_tried tried_of(char letter)
{
	struct mg_served_tried tried = { .mail = MG_REPLY_GOOD, .rcpt = MG_REPLY_BAD };
	const char *text = "550 relay not permitted";

	switch (letter) {
	case 'a':
		tried.rcpt = MG_REPLY_GOOD;
		break;
	case 'l':
		tried.rcpt = MG_REPLY_LATER;
		text = "450 later";
		break;
	case 'u':
		text = "554 Client host rejected";
		break;
	case 'd':
		text = "550 Domain not found";
		break;
	case '-':
		tried.mail = tried.rcpt = MG_REPLY_MORE;
		break;
	}
	(void)mg_str_copy(tried.text, sizeof tried.text, mg_str_z(text));
	return tried;
}

static void a_look_means(void **state)
{
	const struct look_row *row = *state;
	struct mg_served served = { 0 };
	size_t at = 9;

	for (; row->tries[served.tried_count] != '\0'; served.tried_count++)
		served.tried[served.tried_count] = tried_of(row->tries[served.tried_count]);
	assert_int_equal(mg_relaying_of_look(&served, &at), row->means);
	assert_int_equal(at, row->at);
}

struct software_row {
	const char *name, *greeting, *listed, *reply, *is;
	enum mg_software_sign sign;
};
static const struct software_row software_rows[] = {
	{ "Postfix", "220 mail.example ESMTP Postfix (Debian/GNU)", "", "", "Postfix", MG_SOFTWARE_GREETING },
	{ "Exim", "220 mail.example ESMTP Exim 4.96 Sun, 22 Nov", "", "", "Exim", MG_SOFTWARE_GREETING },
	{ "a host that is called exim", "220 exim.example ESMTP", "", "", "", MG_SOFTWARE_NO_SIGN },
	{ "Exchange", "220 EX01 Microsoft ESMTP MAIL Service ready", "", "", "Exchange", MG_SOFTWARE_GREETING },
	{ "Exchange that hides", "220 ready", "mail Hello\nX-ANONYMOUSTLS\nXRDST", "", "Exchange",
		MG_SOFTWARE_CAPABILITIES },
	{ "Exim that hides", "220 ready", "mail Hello\nPIPECONNECT", "", "Exim", MG_SOFTWARE_CAPABILITIES },
	{ "Postfix that hides", "220 ready", "mail\nPIPELINING", "554 5.7.1 <x>: Relay access denied", "Postfix",
		MG_SOFTWARE_REPLIES },
	{ "the greeting goes before the rest", "220 x ESMTP Postfix", "X-EXPS", "550 relay not permitted", "Postfix",
		MG_SOFTWARE_GREETING },
	{ "Dovecot", "* OK [CAPABILITY IMAP4rev1] Dovecot ready.", "", "", "Dovecot", MG_SOFTWARE_GREETING },
	{ "nothing", "", "", "", "", MG_SOFTWARE_NO_SIGN },
};

static void a_program_is_known(void **state)
{
	const struct software_row *row = *state;
	struct mg_served served = { .tried_count = 1 };
	struct mg_software software;

	(void)mg_str_copy(served.greeting_text, sizeof served.greeting_text, mg_str_z(row->greeting));
	(void)mg_str_copy(served.listed, sizeof served.listed, mg_str_z(row->listed));
	(void)mg_str_copy(served.tried[0].text, sizeof served.tried[0].text, mg_str_z(row->reply));
	software = mg_software_of(&served);
	assert_string_equal(software.name, row->is);
	assert_int_equal(software.sign, row->sign);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(answer_rows) + ROWS(look_rows) + ROWS(software_rows)];
	size_t n = 0;

	ADD_ROWS(tests, n, answer_rows, an_answer_means);
	ADD_ROWS(tests, n, look_rows, a_look_means);
	ADD_ROWS(tests, n, software_rows, a_program_is_known);
	return _cmocka_run_group_tests("probe", tests, n, NULL, NULL);
}
