/* What servers of mail say, certificates as text, and what doveconf prints. */
#include "rows.h"

#include <stdlib.h>

#include "health/dovecot_conf.h"
#include "served/certificate.h"
#include "served/reply.h"

struct reply_row {
	const char *name;
	enum mg_served_protocol protocol;
	const char *line, *tag;
	bool is_list;
	enum mg_reply_state state;
	unsigned code;
};
static const struct reply_row reply_rows[] = {
	{ "greeting", MG_SERVED_SMTP, "220 mail ESMTP", "", false, MG_REPLY_GOOD, 220 },
	{ "more to come", MG_SERVED_SMTP, "250-SIZE 1", "", false, MG_REPLY_MORE, 250 },
	{ "code alone", MG_SERVED_SMTP, "250", "", false, MG_REPLY_GOOD, 250 },
	{ "later", MG_SERVED_SMTP, "421 4.3.2 no", "", false, MG_REPLY_LATER, 421 },
	{ "never", MG_SERVED_SMTP, "554 no", "", false, MG_REPLY_BAD, 554 },
	{ "a code too low", MG_SERVED_SMTP, "199 x", "", false, MG_REPLY_NONSENSE, 0 },
	{ "a code too high", MG_SERVED_SMTP, "600 x", "", false, MG_REPLY_NONSENSE, 0 },
	{ "another separator", MG_SERVED_SMTP, "220_x", "", false, MG_REPLY_NONSENSE, 0 },
	{ "two digits", MG_SERVED_SMTP, "22", "", false, MG_REPLY_NONSENSE, 0 },
	{ "nothing", MG_SERVED_SMTP, "", "", false, MG_REPLY_NONSENSE, 0 },
	{ "IMAP greets", MG_SERVED_IMAP, "* OK [CAPABILITY IMAP4rev1] hi", "", false, MG_REPLY_GOOD, 0 },
	{ "IMAP knows us", MG_SERVED_IMAP, "* PREAUTH hi", "", false, MG_REPLY_GOOD, 0 },
	{ "IMAP says good-bye", MG_SERVED_IMAP, "* BYE no", "", false, MG_REPLY_BAD, 0 },
	{ "IMAP untagged", MG_SERVED_IMAP, "* CAPABILITY IMAP4rev1", "m1", false, MG_REPLY_MORE, 0 },
	{ "IMAP tagged", MG_SERVED_IMAP, "m1 OK done", "m1", false, MG_REPLY_GOOD, 0 },
	{ "IMAP another tag", MG_SERVED_IMAP, "m11 OK done", "m1", false, MG_REPLY_NONSENSE, 0 },
	{ "IMAP says no", MG_SERVED_IMAP, "m1 NO", "m1", false, MG_REPLY_BAD, 0 },
	{ "IMAP not greeted by SMTP", MG_SERVED_IMAP, "220 mail", "", false, MG_REPLY_NONSENSE, 0 },
	{ "POP3 greets", MG_SERVED_POP3, "+OK hi", "", false, MG_REPLY_GOOD, 0 },
	{ "POP3 refuses", MG_SERVED_POP3, "-ERR no", "", true, MG_REPLY_BAD, 0 },
	{ "POP3 list begins", MG_SERVED_POP3, "+OK", "", true, MG_REPLY_MORE, 0 },
	{ "POP3 list goes on", MG_SERVED_POP3, "STLS", "", true, MG_REPLY_MORE, 0 },
	{ "POP3 list ends", MG_SERVED_POP3, ".", "", true, MG_REPLY_GOOD, 0 },
	{ "POP3 nonsense", MG_SERVED_POP3, "hello", "", false, MG_REPLY_NONSENSE, 0 },
};

static void a_line_is_read(void **state)
{
	const struct reply_row *row = *state;
	struct mg_reply reply;

	mg_reply_read(row->protocol, mg_str_z(row->line), row->tag, row->is_list, &reply);
	assert_int_equal(reply.state, row->state);
	assert_int_equal(reply.code, row->code);
}

struct word_row {
	const char *name;
	enum mg_served_protocol protocol;
	const char *line;
	unsigned has;
	const char *mechanisms;
};
static const struct word_row word_rows[] = {
	{ "STARTTLS", MG_SERVED_SMTP, "250-starttls", MG_SERVED_STARTTLS, "" },
	{ "AUTH", MG_SERVED_SMTP, "250-AUTH PLAIN LOGIN PLAIN", MG_SERVED_AUTH, "PLAIN LOGIN" },
	{ "AUTH as of old", MG_SERVED_SMTP, "250-AUTH=LOGIN", MG_SERVED_AUTH, "LOGIN" },
	{ "no AUTH", MG_SERVED_SMTP, "250-AUTHENTIC", 0, "" },
	{ "size", MG_SERVED_SMTP, "250 SIZE 99999999999999999999999", MG_SERVED_SIZE, "" },
	{ "a mechanism of control bytes", MG_SERVED_SMTP, "250 AUTH \x1b[31m PLAIN", MG_SERVED_AUTH, "PLAIN" },
	{ "refused words do not count", MG_SERVED_SMTP, "502 STARTTLS", 0, "" },
	{ "IMAP", MG_SERVED_IMAP, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] AUTH=PLAIN",
		MG_SERVED_STARTTLS | MG_SERVED_LOGINDISABLED, "" },
	{ "IMAP mechanisms", MG_SERVED_IMAP, "* OK [CAPABILITY AUTH=PLAIN AUTH=LOGIN] x", MG_SERVED_AUTH,
		"PLAIN LOGIN" },
};

static void words_are_known(void **state)
{
	const struct word_row *row = *state;
	struct mg_served_words words = { 0 };
	struct mg_reply reply;

	mg_reply_read(row->protocol, mg_str_z(row->line), "", false, &reply);
	mg_reply_words(row->protocol, &reply, &words);
	assert_int_equal(words.has, row->has);
	assert_string_equal(words.mechanisms, row->mechanisms);
}

static const char self_signed[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIB1DCCAXugAwIBAgIUMd4uz57QAzBo2URE6amBiItLWMowCgYIKoZIzj0EAwIw\n"
				  "FzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMCAXDTI2MTEyMjA2MDUyNFoYDzIxMjYx\n"
				  "MDI5MDYwNTI0WjAXMRUwEwYDVQQDDAxtYWlsLmV4YW1wbGUwWTATBgcqhkjOPQIB\n"
				  "BggqhkjOPQMBBwNCAAQMOFNGcsrFf/aSBRf+Co913VYA2+fqcKLereIRmcWrGiAg\n"
				  "6honwCssvA8cGjeAhy8JhOZytHUK3etAHyQv9Spko4GiMIGfMB0GA1UdDgQWBBQU\n"
				  "B3TOHupo3E6kmp66Q4BggiXKyzAfBgNVHSMEGDAWgBQUB3TOHupo3E6kmp66Q4Bg\n"
				  "giXKyzAPBgNVHRMBAf8EBTADAQH/MEwGA1UdEQRFMEOCDG1haWwuZXhhbXBsZYIO\n"
				  "Ki53aWxkLmV4YW1wbGWHBMAAAgGHECABDbgAAAAAAAAAAAAAAAGBC3hAeS5leGFt\n"
				  "cGxlMAoGCCqGSM49BAMCA0cAMEQCICboE0I9BW9k4lqmhh+PlPsGULA9ZcucRF2a\n"
				  "LbcWDBSTAiBiZotjQp73IwgLJE36MBdpiapMdFV3xljTtTcn5Ant6A==\n"
				  "-----END CERTIFICATE-----\n";

static void a_certificate_tells_its_facts(void **state)
{
	struct mg_chain *chain = NULL;
	const struct mg_cert_facts *facts;
	char why[128];

	(void)state;
	assert_int_equal(mg_chain_parse(mg_str_z(self_signed), "x", &chain, NULL), MG_OK);
	assert_int_equal(mg_chain_count(chain), 1);
	facts = mg_chain_at(chain, 0);
	assert_string_equal(facts->subject, "CN = mail.example");
	assert_string_equal(facts->names, "mail.example, *.wild.example, 192.0.2.1, 2001:db8::1");
	assert_true(facts->is_self_signed);
	assert_string_equal(facts->key_kind, "EC");
	assert_int_equal(facts->key_bits, 256);
	assert_int_equal(facts->not_after_s - facts->not_before_s, INT64_C(36500) * 86400);
	assert_true(mg_chain_holds(chain, facts->sha256));
	assert_false(mg_chain_holds(chain, facts->spki_sha256));
	assert_true(mg_chain_covers(chain, "MAIL.example"));
	assert_true(mg_chain_covers(chain, "a.wild.example"));
	assert_true(mg_chain_covers(chain, "192.0.2.1"));
	assert_true(mg_chain_covers(chain, "2001:db8::1"));
	assert_false(mg_chain_covers(chain, "a.b.wild.example"));
	assert_false(mg_chain_covers(chain, "example"));
	assert_false(mg_chain_covers(chain, ""));
	assert_int_equal(mg_chain_trust(chain, why, sizeof why), MG_CHAIN_SELF_SIGNED);
	mg_chain_free(&chain);
}

struct bad_row {
	const char *name, *text, *word;
};
static const struct bad_row bad_rows[] = {
	{ "empty", " \n", "is empty" },
	{ "garbage", "garbage", "holds no certificate" },
	{ "DER", "0\x82\x01\x02 and more", "DER" },
	{ "broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate" },
};

static void what_is_no_certificate_says_so(void **state)
{
	const struct bad_row *row = *state;
	struct mg_chain *chain = NULL;
	struct mg_err err = { "" };

	assert_int_equal(mg_chain_parse(mg_str_z(row->text), "FILE", &chain, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, row->word));
	assert_non_null(strstr(err.text, "FILE"));
}

static void a_chain_is_bounded(void **state)
{
	enum { COPIES = MG_CHAIN_MAX + 5 };
	struct mg_chain *chain = NULL;
	char *many = calloc(COPIES, sizeof self_signed);

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i < COPIES; i++)
		memcpy(many + i * (sizeof self_signed - 1), self_signed, sizeof self_signed);
	assert_int_equal(mg_chain_parse(mg_str_z(many), "x", &chain, NULL), MG_OK);
	assert_int_equal(mg_chain_count(chain), MG_CHAIN_MAX);
	mg_chain_free(&chain);
	free(many);
}

static const char doveconf[] =
	"# 2.3.19\nbase_dir = /run/dovecot\nlisten = *, ::\nprotocols = \" imap lmtp\"\n"
	"service imap-login {\n  chroot = login\n  inet_listener imap {\n    address = 127.0.0.1\n    port = 143\n    ssl = no\n  }\n"
	"  inet_listener imaps {\n    address = \n    haproxy = yes\n    port = 993\n    ssl = yes\n  }\n"
	"  inet_listener off {\n    port = 0\n  }\n}\n"
	"service pop3-login {\n  inet_listener pop3 {\n    port = 110\n  }\n}\n"
	"service auth {\n  inet_listener x {\n    port = 7\n  }\n}\n"
	"local_name a.example {\n  ssl_cert = </other.pem\n}\n"
	"ssl = required\nssl_cert = </etc/cert.pem\nssl_key = </etc/key.pem\ndisable_plaintext_auth = no\n";

static void doveconf_is_read(void **state)
{
	struct mg_dovecot dovecot;

	(void)state;
	mg_dovecot_parse(mg_str_z(doveconf), &dovecot);
	assert_int_equal(dovecot.count, 2);
	assert_string_equal(dovecot.listener[0].name, "imap-login/imap");
	assert_string_equal(dovecot.listener[0].hosts, "127.0.0.1");
	assert_false(dovecot.listener[0].is_tls);
	assert_int_equal(dovecot.listener[1].port, 993);
	assert_true(dovecot.listener[1].is_tls && dovecot.listener[1].has_proxy);
	assert_string_equal(dovecot.listener[1].hosts, "*, ::");
	assert_string_equal(dovecot.certificate, "/etc/cert.pem");
	assert_string_equal(dovecot.key, "/etc/key.pem");
	assert_string_equal(dovecot.ssl, "required");
	assert_true(dovecot.allows_plaintext && dovecot.has_local_names);
}

static void braces_without_end_are_survived(void **state)
{
	struct mg_dovecot dovecot;
	char text[4096];

	(void)state;
	memset(text, '{', sizeof text);
	for (size_t i = 1; i < sizeof text; i += 2)
		text[i] = '\n';
	mg_dovecot_parse(mg_str_of(text, sizeof text), &dovecot);
	assert_int_equal(dovecot.count, 0);
	mg_dovecot_parse(MG_STR("}\n}\n}\nssl = no\n"), &dovecot);
	assert_string_equal(dovecot.ssl, "no");
}

int main(void)
{
	struct CMUnitTest tests[ROWS(reply_rows) + ROWS(word_rows) + ROWS(bad_rows) + 8];
	size_t n = 0;

	ADD_ROWS(tests, n, reply_rows, a_line_is_read);
	ADD_ROWS(tests, n, word_rows, words_are_known);
	ADD_ROWS(tests, n, bad_rows, what_is_no_certificate_says_so);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_certificate_tells_its_facts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_chain_is_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(doveconf_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(braces_without_end_are_survived);
	return _cmocka_run_group_tests("served", tests, n, NULL, NULL);
}
