#include "served/mail_port.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "served/relaying.h"

enum { LINES_MAX = 100, GOOD_BYE_MS = 2000 };

struct look {
	const struct mg_served_target *target;
	struct mg_served *served;
	struct mg_dialogue talk;
	int64_t started_us;
	unsigned tag; /* of IMAP commands */
};

static void keep_text(char *place, struct mg_str text)
{
	(void)mg_str_copy(place, MG_SERVED_TEXT, mg_str_first(text, MG_SERVED_TEXT - 1));
	mg_escape_in_place(place);
}

static void never_ends(struct look *look)
{
	if (look->talk.state != MG_DIALOGUE_OPEN)
		return;
	look->talk.state = MG_DIALOGUE_FLOOD;
	(void)mg_str_copy(look->talk.trouble, sizeof look->talk.trouble, MG_STR("a reply of more than 100 lines"));
}

static void keep_line(struct mg_served *served, struct mg_str text)
{
	size_t held = strlen(served->listed);

	if (text.n == 0 || held + text.n + 2 > sizeof served->listed)
		return;
	if (held > 0)
		served->listed[held++] = '\n';
	(void)mg_str_copy(served->listed + held, sizeof served->listed - held, text);
	mg_escape_in_place(served->listed + held);
}

/* Reads a reply to its last line; `words` NULL: nobody wants them. MORE: it did not come to an end. */
static struct mg_reply read_reply(
	struct look *look, const char *tag, bool is_list, struct mg_served_words *words, char *first_text)
{
	struct mg_reply reply = { .state = MG_REPLY_MORE };
	struct mg_str line;

	for (int i = 0; i < LINES_MAX && mg_dialogue_line(&look->talk, &line); i++) {
		mg_reply_read(look->target->protocol, line, tag, is_list, &reply);
		if (i == 0 && first_text != NULL)
			keep_text(first_text, line);
		if (words != NULL) {
			mg_reply_words(look->target->protocol, &reply, words);
			keep_line(look->served, reply.text);
		}
		if (reply.state != MG_REPLY_MORE)
			return reply;
	}
	never_ends(look);
	reply.state = MG_REPLY_MORE;
	return reply;
}

/* ---- greeting ---- */

/* The moment of the first line counts: postscreen and the like may send the last one seconds later, on purpose. */
static bool greet(struct look *look)
{
	struct mg_served *served = look->served;
	struct mg_reply reply = { .state = MG_REPLY_MORE };
	struct mg_str line;

	for (int i = 0; i < LINES_MAX && mg_dialogue_line(&look->talk, &line); i++) {
		mg_reply_read(look->target->protocol, line, "", false, &reply);
		if (i == 0) {
			served->is_greeted = true;
			served->greet_us = mg_mono_us() - look->started_us;
			keep_text(served->greeting_text, line);
			if (look->target->protocol == MG_SERVED_IMAP)
				mg_reply_words(MG_SERVED_IMAP, &reply, &served->before);
		}
		if (reply.state != MG_REPLY_MORE)
			break;
	}
	if (reply.state == MG_REPLY_MORE)
		never_ends(look);
	served->greeting = reply.state;
	served->code = reply.code;
	return reply.state == MG_REPLY_GOOD;
}

/* ---- what it can ---- */

/* Without a name: this end of the connection (RFC 5321 section 4.1.4). */
static void command_ehlo(const struct look *look, char *place, size_t size)
{
	struct sockaddr_storage own = { 0 };
	socklen_t length = sizeof own;
	struct mg_ip ip = { 0 };
	char text[MG_IP_TEXT];

	if (look->target->helo != NULL) {
		snprintf(place, size, "EHLO %s", look->target->helo);
		return;
	}
	if (getsockname(look->talk.fd, (void *)&own, &length) != 0 || !mg_ip_from_sockaddr((void *)&own, &ip, NULL))
		ip = look->target->ip;
	snprintf(place, size, "EHLO [%s%s]", ip.family == MG_IP_V6 ? "IPv6:" : "", mg_ip_text(&ip, text, sizeof text));
}

static struct mg_reply ask(
	struct look *look, const char *command, bool is_list, struct mg_served_words *words, char *text)
{
	char line[300], tag[16] = "";

	if (look->target->protocol == MG_SERVED_IMAP)
		snprintf(tag, sizeof tag, "m%u", ++look->tag);
	snprintf(line, sizeof line, "%s%s%s", tag, tag[0] == '\0' ? "" : " ", command);
	if (!mg_dialogue_say(&look->talk, line))
		return (struct mg_reply){ .state = MG_REPLY_MORE };
	return read_reply(look, tag, is_list, words, text);
}

static bool hello(struct look *look, struct mg_served_words *words)
{
	char command[300] = "CAPABILITY";
	bool is_pop3 = look->target->protocol == MG_SERVED_POP3;
	struct mg_reply reply;

	if (look->target->protocol == MG_SERVED_SMTP)
		command_ehlo(look, command, sizeof command);
	else if (is_pop3)
		(void)mg_str_copy(command, sizeof command, MG_STR("CAPA"));
	look->served->listed[0] = '\0';
	reply = ask(look, command, is_pop3, words, look->served->hello_text);
	/* a POP3 server need not know CAPA (RFC 2449): it then can nothing that is asked for here */
	look->served->hello = is_pop3 && reply.state == MG_REPLY_BAD ? MG_REPLY_GOOD : reply.state;
	return look->served->hello == MG_REPLY_GOOD;
}

/* ---- TLS ---- */

static bool secure(struct look *look)
{
	struct mg_served *served = look->served;

	if (!mg_dialogue_secure(&look->talk, &look->target->wish))
		return false;
	served->is_secured = true;
	(void)mg_str_copy(served->version, sizeof served->version, mg_str_z(mg_tls_protocol(look->talk.tls)));
	(void)mg_str_copy(
		served->cipher, sizeof served->cipher, mg_str_z(mg_tls_cipher(look->talk.tls, &served->cipher_bits)));
	served->chain = mg_tls_chain(look->talk.tls);
	return true;
}

static bool upgrade(struct look *look)
{
	const char *command = look->target->protocol == MG_SERVED_POP3 ? "STLS" : "STARTTLS";
	struct mg_reply reply = ask(look, command, false, NULL, look->served->starttls_text);

	look->served->starttls = reply.state;
	return reply.state == MG_REPLY_GOOD && secure(look);
}

/* ---- would it relay? ---- */

static void try_to_relay(struct look *look, const struct mg_served_try *try, struct mg_served_tried *tried)
{
	char command[MG_SERVED_TEXT];
	struct mg_reply reply;

	tried->mail = tried->rcpt = MG_REPLY_MORE;
	snprintf(command, sizeof command, "MAIL FROM:<%s>", try->mail_from);
	reply = ask(look, command, false, NULL, tried->text);
	tried->mail = reply.state;
	tried->code = reply.code;
	if (reply.state != MG_REPLY_GOOD)
		return;
	snprintf(command, sizeof command, "RCPT TO:<%s>", try->rcpt_to);
	reply = ask(look, command, false, NULL, tried->text);
	tried->rcpt = reply.state;
	tried->code = reply.code;
	(void)ask(look, "RSET", false, NULL, NULL);
}

static bool is_refused_already(const struct look *look, const char *mail_from)
{
	for (size_t i = 0; i < look->served->tried_count; i++)
		if (mg_str_eq(mg_str_z(look->target->tries[i].mail_from), mg_str_z(mail_from)) &&
			mg_relaying_of(&look->served->tried[i]) == MG_RELAYING_REFUSED)
			return true;
	return false;
}

static void try_all(struct look *look)
{
	struct mg_served *served = look->served;

	for (size_t i = 0; i < look->target->try_count && look->talk.state == MG_DIALOGUE_OPEN; i++) {
		served->tried_count = i + 1;
		if (is_refused_already(look, look->target->tries[i].mail_from))
			continue;
		try_to_relay(look, &look->target->tries[i], &served->tried[i]);
		if (served->tried[i].rcpt == MG_REPLY_GOOD)
			return;
	}
}

static void good_bye(struct look *look)
{
	static const char *const words[] = { "QUIT", "LOGOUT", "QUIT" };
	int64_t end_us = mg_mono_us() + GOOD_BYE_MS * MG_MS_US;

	if (look->talk.deadline_us > end_us)
		look->talk.deadline_us = end_us;
	(void)ask(look, words[look->target->protocol], false, NULL, NULL);
}

static void converse(struct look *look)
{
	const struct mg_served_target *target = look->target;
	struct mg_served *served = look->served;

	if (target->preamble != NULL && !mg_dialogue_say(&look->talk, target->preamble))
		return;
	if (target->secure == MG_SERVED_IMPLICIT && !secure(look))
		return;
	if (!greet(look) || !hello(look, served->is_secured ? &served->after : &served->before))
		return;
	if (target->secure == MG_SERVED_UPGRADE && (served->before.has & MG_SERVED_STARTTLS) != 0 && upgrade(look) &&
		!hello(look, &served->after))
		return;
	try_all(look);
}

void mg_served_look(const struct mg_served_target *target, struct mg_served *served)
{
	struct look look = { .target = target, .served = served, .started_us = mg_mono_us() };
	const struct mg_ip *source = target->source.family == MG_IP_NONE ? NULL : &target->source;

	*served = (struct mg_served){ 0 };
	served->is_connected = mg_dialogue_open(&look.talk, &target->ip, target->port, source,
		target->connect_us == 0 ? target->deadline_us : target->connect_us);
	served->connect_us = mg_mono_us() - look.started_us;
	served->connect_errno = look.talk.connect_errno;
	look.talk.deadline_us = target->deadline_us;
	if (served->is_connected)
		converse(&look);
	served->state = look.talk.state;
	(void)mg_str_copy(served->trouble, sizeof served->trouble, mg_str_z(look.talk.trouble));
	if (look.talk.state == MG_DIALOGUE_OPEN)
		good_bye(&look);
	mg_dialogue_close(&look.talk);
}

void mg_served_fini(struct mg_served *served)
{
	mg_chain_free(&served->chain);
}

/* ---- versions ---- */

static enum mg_served_offer try(const struct mg_served_target *target, char *cipher, size_t size)
{
	struct mg_served served;
	enum mg_served_offer offer = MG_OFFER_UNKNOWN;

	mg_served_look(target, &served);
	if (served.is_secured)
		offer = MG_OFFER_YES;
	else if (served.state == MG_DIALOGUE_TLS)
		offer = MG_OFFER_NO;
	if (cipher != NULL && served.is_secured)
		(void)mg_str_copy(cipher, size, mg_str_z(served.cipher));
	mg_served_fini(&served);
	return offer;
}

void mg_served_versions(const struct mg_served_target *target, unsigned mask, struct mg_served_offers *offers)
{
	struct mg_served_target one = *target;

	*offers = (struct mg_served_offers){ 0 };
	for (unsigned version = MG_SSL_3; version < MG_TLS_VERSIONS; version++) {
		if ((mask & 1u << version) == 0)
			continue;
		one.wish.version = (enum mg_tls_version)version;
		offers->version[version] = try(&one, NULL, 0);
	}
	if ((mask & MG_OFFERS_WEAK) == 0)
		return;
	one.wish = target->wish;
	one.wish.is_weak = true;
	offers->weak = try(&one, offers->weak_cipher, sizeof offers->weak_cipher);
}
