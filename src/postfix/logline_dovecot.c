/* Dovecot's deliveries (2.2 to 2.4): "lmtp(USER)<PID><SESSION>: [sieve: ]msgid=<ID>: TEXT", "lda(USER)...: ...",
 * "lmtp(PID, USER): SESSION: ..." in 2.2. Everything else it says (logins, statistics) is no delivery. */
#include "postfix/logline_parse.h"

/* A delivery's words, and which of them is the outcome. */
struct outcome {
	struct mg_str text;          /* how the text begins */
	size_t status_at, n;         /* the outcome's word in it */
	bool is_quoted, has_mailbox; /* 'MAILBOX' or to the end of the line */
};

static const struct outcome outcomes[] = {
	{ MG_LINE_LIT("saved mail to "), 0, 5, false, true },
	{ MG_LINE_LIT("stored mail into mailbox "), 0, 6, true, true },
	{ MG_LINE_LIT("save failed to "), 5, 6, false, false },
	{ MG_LINE_LIT("failed to store into mailbox "), 0, 6, true, false },
	{ MG_LINE_LIT("forwarded to "), 0, 9, false, false },
	{ MG_LINE_LIT("redirected to "), 0, 10, false, false },
	{ MG_LINE_LIT("rejected"), 0, 8, false, false },
	{ MG_LINE_LIT("discarded"), 0, 9, false, false },
	{ MG_LINE_LIT("marked message to be discarded"), 0, 6, false, false },
	{ MG_LINE_LIT("sent vacation response"), 5, 8, false, false },
	{ MG_LINE_LIT("discarding vacation response"), 11, 8, false, false },
	{ MG_LINE_LIT("sent auto-response"), 5, 13, false, false },
};

/* The mailbox name is the user's own choice and ends the line. */
static struct mg_str mailbox_of(struct mg_str rest, bool is_quoted)
{
	if (!is_quoted)
		return rest;
	if (rest.n < 2 || rest.p[0] != '\'' || rest.p[rest.n - 1] != '\'')
		return (struct mg_str){ 0 };
	return mg_str_of(rest.p + 1, rest.n - 2);
}

static enum mg_line_kind read_text(struct mg_str text, struct mg_log_line *line)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		const struct outcome *o = &outcomes[i];

		if (!mg_str_starts(text, o->text))
			continue;
		line->status = mg_str_first(mg_str_from(text, o->status_at), o->n);
		line->reply = text;
		if (o->has_mailbox)
			line->mailbox = mailbox_of(mg_str_from(text, o->text.n), o->is_quoted);
		return MG_LINE_DOVECOT;
	}
	return MG_LINE_UNKNOWN;
}

/* "lmtp(USER)": Dovecot 2.2 writes "lmtp(PID, USER)". */
static bool read_user(struct mg_str *rest, struct mg_str *user_out)
{
	struct mg_str at = *rest, digits;
	uint64_t pid;
	size_t close, comma;

	if (!mg_read_token(&at, MG_STR("lmtp(")) && !mg_read_token(&at, MG_STR("lda(")))
		return false;
	close = mg_str_find(at, ')');
	if (close == SIZE_MAX)
		return false;
	*user_out = mg_str_first(at, close);
	comma = mg_str_find(*user_out, ',');
	digits = mg_str_first(*user_out, comma);
	if (comma != SIZE_MAX && mg_str_to_u64(digits, UINT32_MAX, &pid))
		*user_out = mg_str_trim(mg_str_from(*user_out, comma + 1));
	*rest = mg_str_from(at, close + 1);
	return true;
}

/* msgid=ID is a stranger's, with or without <>, and ends where ": " and a known text follow: if that is at more than
 * one place, somebody imitates it. */
static enum mg_line_kind read_message(struct mg_str rest, struct mg_log_line *line)
{
	enum mg_line_kind kind = MG_LINE_UNKNOWN;

	for (size_t i = 0; i + 2 < rest.n; i++) {
		struct mg_str id = mg_str_first(rest, i);

		if (rest.p[i] != ':' || rest.p[i + 1] != ' ' ||
			read_text(mg_str_from(rest, i + 2), line) != MG_LINE_DOVECOT)
			continue;
		if (kind == MG_LINE_DOVECOT)
			return MG_LINE_UNKNOWN;
		kind = MG_LINE_DOVECOT;
		if (id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
			id = mg_str_of(id.p + 1, id.n - 2);
		line->message_id = id;
	}
	return kind;
}

enum mg_line_kind mg_line_dovecot(struct mg_str text, struct mg_log_line *line)
{
	size_t at;

	(void)(mg_read_token(&text, MG_STR("Info: ")) || mg_read_token(&text, MG_STR("Error: ")));
	if (!read_user(&text, &line->user))
		return MG_LINE_NOISE;
	at = mg_str_find_str(text, MG_STR(": msgid="));
	if (at == SIZE_MAX)
		return MG_LINE_NOISE; /* "Connect from local", "Disconnect from local: ..." */
	return read_message(mg_str_from(text, at + sizeof ": msgid=" - 1), line);
}
