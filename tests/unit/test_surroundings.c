/* Small readers of what programs beside Postfix say: Dovecot's authentication server and places, fail2ban's files, apt's plan. */
#include "rows.h"

#include "health/apt_plan.h"
#include "health/dovecot_conf.h"
#include "health/jail_conf.h"
#include "health/sasl_answer.h"

struct answer_row {
	const char *name, *text, *mechanisms;
	bool is_done, is_nonsense;
};
static const struct answer_row answer_rows[] = {
	{ "as it should", "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\nSPID\t7\nDONE\n", "PLAIN LOGIN", true,
		false },
	{ "none", "VERSION\t1\t2\nDONE\n", "", true, false },
	{ "not to its end", "VERSION\t1\t2\nMECH\tPLAIN\n", "PLAIN", false, false },
	{ "another version", "VERSION\t2\t0\nMECH\tPLAIN\nDONE\n", "", false, true },
	{ "another protocol", "220 mail ESMTP\nDONE\n", "", false, true },
	{ "names that are none",
		"VERSION\t1\t1\nMECH\t\x1b[31m\nMECH\t\nMECH\tplain\nMECH\tA-VERY-LONG-MECHANISM-NAME\nDONE\n", "",
		true, false },
};

static void an_answer_is_read(void **state)
{
	const struct answer_row *row = *state;
	struct mg_sasl_answer answer = { .has_version = false };
	struct mg_str rest = mg_str_z(row->text);

	while (rest.n > 0)
		mg_sasl_answer_read(mg_str_cut(&rest, '\n'), &answer);
	assert_string_equal(answer.mechanisms, row->mechanisms);
	assert_int_equal(answer.is_done, row->is_done);
	assert_int_equal(answer.is_nonsense, row->is_nonsense);
}

struct place_row {
	const char *name, *conf;
	const char *places[2];
};
static const struct place_row place_rows[] = {
	{ "maildir", "mail_location = maildir:/var/vmail/%d/%n:INDEX=/var/index\n", { "/var/vmail" } },
	{ "mbox and inbox", "mail_location = mbox:~/mail:INBOX=/var/mail/%u\n", { "/home", "/var/mail" } },
	{ "a home of users", "mail_location = maildir:~/Maildir\nmail_home = /srv/mail/%u\n", { "/srv/mail" } },
	{ "a home of a userdb", "mail_location = maildir:%h/Maildir\nuserdb {\n  args = uid=mail home=/srv/box/%u\n}\n",
		{ "/srv/box" } },
	{ "2.4", "# 2.4.0 (x): /etc/dovecot/dovecot.conf\nmail_path = %{home}/mail\nmail_home = /srv/%{user}\n",
		{ "/srv" } },
	{ "nothing", "mail_location = \n", { NULL } },
	{ "the root", "mail_location = maildir:/%u\n", { NULL } },
};

static void places_are_found(void **state)
{
	const struct place_row *row = *state;
	char places[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT];
	struct mg_dovecot dovecot;
	size_t count;

	mg_dovecot_parse(mg_str_z(row->conf), &dovecot);
	count = mg_dovecot_mailboxes(&dovecot, places);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(i < count, row->places[i] != NULL);
		if (i < count)
			assert_string_equal(places[i], row->places[i]);
	}
}

static void more_of_doveconf_is_read(void **state)
{
	struct mg_dovecot dovecot;

	(void)state;
	mg_dovecot_parse(
		MG_STR("# 2.3.19.1 (9b53102964): /x/dovecot.conf\nssl_min_protocol = TLSv1\nauth_mechanisms = plain login\n"
		       "mail_plugins = \nprotocol imap {\n  mail_plugins = \" quota imap_quota\"\n}\n"
		       "service auth {\n  unix_listener /q/private/auth {\n    mode = 0660\n  }\n}\n"),
		&dovecot);
	assert_string_equal(dovecot.file, "/x/dovecot.conf");
	assert_string_equal(dovecot.ssl_min_protocol, "TLSv1");
	assert_string_equal(dovecot.mechanisms, "plain login");
	assert_true(dovecot.has_quota && !dovecot.is_24);
	assert_int_equal(dovecot.socket_count, 1);
	assert_string_equal(dovecot.socket[0].path, "/q/private/auth");
	assert_string_equal(dovecot.socket[0].service, "auth");
}

struct jail_row {
	const char *name, *text, *filter;
};
static const struct jail_row jail_rows[] = {
	{ "nothing", "", "postfix-sasl[mode=normal]" },
	{ "the default",
		"[DEFAULT]\nmode = normal\nfilter = %(__name__)s[mode=%(mode)s]\n[postfix-sasl]\nmode = more\n",
		"postfix-sasl[mode=more]" },
	{ "its own", "[postfix-sasl]\nfilter   = postfix[mode=auth]\n[other]\nfilter = x\n", "postfix[mode=auth]" },
	{ "the last counts", "[postfix-sasl]\nfilter = a\n# filter = b\n[postfix-sasl]\nfilter = c\n", "c" },
	{ "a quote and a control byte", "[postfix-sasl]\nfilter = a'\x1b\n", "a??" },
};

static void a_filter_is_found(void **state)
{
	const struct jail_row *row = *state;
	struct mg_jail jail = { .filter = "" };
	char filter[256];

	mg_jail_read(mg_str_z(row->text), "postfix-sasl", &jail);
	mg_jail_settle(&jail, "postfix-sasl", filter, sizeof filter);
	assert_string_equal(filter, row->filter);
}

static void a_plan_is_read(void **state)
{
	struct mg_apt_plan plan;

	(void)state;
	mg_apt_plan_read(
		MG_STR("Inst postfix [1] (2 Debian-Security:12/stable-security [amd64])\nInst bash (2 Debian-Security:12 [amd64])\n"
		       "Inst dovecot-imapd [1] (2 Ubuntu:22.04/jammy-security [amd64])\nConf postfix (2 Debian-Security:12)\n"
		       "Inst postfix;reboot (2 Debian-Security:12)\nInst exim4 [1] (2 Debian:12/stable [amd64])\nInst"),
		&plan);
	assert_int_equal(plan.count, 2);
	assert_string_equal(plan.names, "postfix dovecot-imapd");
}

int main(void)
{
	struct CMUnitTest tests[ROWS(answer_rows) + ROWS(place_rows) + ROWS(jail_rows) + 4];
	size_t n = 0;

	ADD_ROWS(tests, n, answer_rows, an_answer_is_read);
	ADD_ROWS(tests, n, place_rows, places_are_found);
	ADD_ROWS(tests, n, jail_rows, a_filter_is_found);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(more_of_doveconf_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_plan_is_read);
	return _cmocka_run_group_tests("surroundings", tests, n, NULL, NULL);
}
