#include "served/reply.h"

static void read_smtp(struct mg_str line, struct mg_reply *reply)
{
	uint64_t code;
	char after;

	if (line.n < 3 || !mg_str_to_u64(mg_str_first(line, 3), 599, &code) || code < 200)
		return;
	after = line.n > 3 ? line.p[3] : ' ';
	if (after != ' ' && after != '-')
		return;
	reply->code = (unsigned)code;
	reply->text = mg_str_from(line, 4);
	if (after == '-')
		reply->state = MG_REPLY_MORE;
	else
		reply->state = code < 400 ? MG_REPLY_GOOD : code < 500 ? MG_REPLY_LATER : MG_REPLY_BAD;
}

static bool read_status(struct mg_str *rest)
{
	struct mg_str word;

	return mg_read_word(rest, " ", &word) &&
	       (mg_str_eq_nocase(word, MG_STR("OK")) || mg_str_eq_nocase(word, MG_STR("PREAUTH")));
}

static void read_imap(struct mg_str line, const char *tag, struct mg_reply *reply)
{
	struct mg_str rest = line;
	bool is_greeting = tag[0] == '\0';

	if (mg_read_token(&rest, MG_STR("* "))) {
		reply->text = rest;
		if (!is_greeting)
			reply->state = MG_REPLY_MORE;
		else
			reply->state = read_status(&rest) ? MG_REPLY_GOOD : MG_REPLY_BAD;
	} else if (!is_greeting && mg_read_token(&rest, mg_str_z(tag)) && mg_read_token(&rest, MG_STR(" "))) {
		reply->text = rest;
		reply->state = read_status(&rest) ? MG_REPLY_GOOD : MG_REPLY_BAD;
	}
}

static void read_pop3(struct mg_str line, bool is_list, struct mg_reply *reply)
{
	reply->text = line;
	if (mg_str_starts_nocase(line, MG_STR("+OK")))
		reply->state = is_list ? MG_REPLY_MORE : MG_REPLY_GOOD;
	else if (mg_str_starts_nocase(line, MG_STR("-ERR")))
		reply->state = MG_REPLY_BAD;
	else if (is_list)
		reply->state = mg_str_eq(line, MG_STR(".")) ? MG_REPLY_GOOD : MG_REPLY_MORE;
}

void mg_reply_read(
	enum mg_served_protocol protocol, struct mg_str line, const char *tag, bool is_list, struct mg_reply *reply_out)
{
	*reply_out = (struct mg_reply){ .state = MG_REPLY_NONSENSE, .text = line };
	switch (protocol) {
	case MG_SERVED_SMTP:
		read_smtp(line, reply_out);
		break;
	case MG_SERVED_IMAP:
		read_imap(line, tag, reply_out);
		break;
	case MG_SERVED_POP3:
		read_pop3(line, is_list, reply_out);
		break;
	}
}

/* ---- words ---- */

static void add_mechanism(struct mg_str name, struct mg_served_words *words)
{
	size_t held = strlen(words->mechanisms);

	words->has |= MG_SERVED_AUTH;
	if (name.n == 0 || held + name.n + 2 > sizeof words->mechanisms ||
		mg_str_find_str(mg_str_z(words->mechanisms), name) != SIZE_MAX)
		return;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return;
	if (held > 0)
		words->mechanisms[held++] = ' ';
	memcpy(words->mechanisms + held, name.p, name.n);
	words->mechanisms[held + name.n] = '\0';
}

static void add_mechanisms(struct mg_str rest, struct mg_served_words *words)
{
	struct mg_str word;

	words->has |= MG_SERVED_AUTH;
	while (mg_read_word(&rest, " \t", &word))
		add_mechanism(word, words);
}

static const struct {
	const char *word;
	unsigned bit;
} smtp_words[] = {
	{ "STARTTLS", MG_SERVED_STARTTLS },
	{ "SIZE", MG_SERVED_SIZE },
	{ "PIPELINING", MG_SERVED_PIPELINING },
	{ "8BITMIME", MG_SERVED_8BITMIME },
	{ "SMTPUTF8", MG_SERVED_SMTPUTF8 },
	{ "REQUIRETLS", MG_SERVED_REQUIRETLS },
	{ "DSN", MG_SERVED_DSN },
};

static void smtp_word(struct mg_str rest, struct mg_served_words *words)
{
	struct mg_str word, size;

	if (mg_str_starts_nocase(rest, MG_STR("AUTH="))) { /* of servers from before RFC 2554 */
		add_mechanisms(mg_str_from(rest, 5), words);
		return;
	}
	if (!mg_read_word(&rest, " \t", &word))
		return;
	if (mg_str_eq_nocase(word, MG_STR("AUTH")))
		add_mechanisms(rest, words);
	for (size_t i = 0; i < sizeof smtp_words / sizeof smtp_words[0]; i++)
		if (mg_str_eq_nocase(word, mg_str_z(smtp_words[i].word)))
			words->has |= smtp_words[i].bit;
	if (mg_str_eq_nocase(word, MG_STR("SIZE")) && mg_read_word(&rest, " \t", &size) &&
		!mg_str_to_u64(size, UINT64_MAX, &words->size_bytes))
		words->size_bytes = 0;
}

/* "CAPABILITY IMAP4rev1 ...", or "OK [CAPABILITY IMAP4rev1 ...] Ready." */
static void imap_words(struct mg_str text, struct mg_served_words *words)
{
	size_t at = mg_str_find_str(text, MG_STR("CAPABILITY "));
	struct mg_str rest, word;

	if (at == SIZE_MAX)
		return;
	rest = mg_str_from(text, at);
	rest = mg_str_first(rest, mg_str_find(rest, ']'));
	while (mg_read_word(&rest, " ", &word)) {
		if (mg_str_eq_nocase(word, MG_STR("STARTTLS")))
			words->has |= MG_SERVED_STARTTLS;
		else if (mg_str_eq_nocase(word, MG_STR("LOGINDISABLED")))
			words->has |= MG_SERVED_LOGINDISABLED;
		else if (mg_str_starts_nocase(word, MG_STR("AUTH=")))
			add_mechanism(mg_str_from(word, 5), words);
	}
}

static void pop3_word(struct mg_str rest, struct mg_served_words *words)
{
	struct mg_str word;

	if (!mg_read_word(&rest, " ", &word))
		return;
	if (mg_str_eq_nocase(word, MG_STR("STLS")))
		words->has |= MG_SERVED_STARTTLS;
	else if (mg_str_eq_nocase(word, MG_STR("USER")))
		words->has |= MG_SERVED_AUTH;
	else if (mg_str_eq_nocase(word, MG_STR("SASL"))) /* without any, none may be used yet */
		while (mg_read_word(&rest, " ", &word))
			add_mechanism(word, words);
}

void mg_reply_words(enum mg_served_protocol protocol, const struct mg_reply *reply, struct mg_served_words *words)
{
	if (reply->state != MG_REPLY_MORE && reply->state != MG_REPLY_GOOD)
		return;
	switch (protocol) {
	case MG_SERVED_SMTP:
		smtp_word(reply->text, words);
		break;
	case MG_SERVED_IMAP:
		imap_words(reply->text, words);
		break;
	case MG_SERVED_POP3:
		pop3_word(reply->text, words);
		break;
	}
}
