/* smtpd and postscreen: who connected, what was begun, what was refused.
 *
 * "QID: VERB: STAGE from NAME[IP]: TEXT; from=<> to=<> proto= helo=<>" is read from both ends: stage and client by
 * position, then the one "; " whose fields reach exactly to the end of the line. TEXT repeats addresses unquoted
 * (<a; from=<b> to=<c>: Relay access denied), but what it fakes is followed by more text and so never fits. */
#include "postfix/logline_parse.h"

static const struct mg_str smtpd_noise[] = { MG_LINE_LIT("lost connection "), MG_LINE_LIT("timeout "),
	MG_LINE_LIT("too many errors "), MG_LINE_LIT("improper command pipelining "),
	MG_LINE_LIT("setting up TLS connection "), MG_LINE_LIT("Anonymous TLS connection "),
	MG_LINE_LIT("Trusted TLS connection "), MG_LINE_LIT("Untrusted TLS connection "),
	MG_LINE_LIT("Verified TLS connection "), MG_LINE_LIT("SSL_accept "), MG_LINE_LIT("proxy-accept: "),
	MG_LINE_LIT("SSL3 alert "), MG_LINE_LIT("discarding EHLO keywords: "), MG_LINE_LIT("TLS SNI "),
	MG_LINE_LIT("abort all milters"), MG_LINE_LIT("milter ") };

static const struct mg_str silent_verbs[] = { MG_LINE_LIT("warn: "), MG_LINE_LIT("info: "), MG_LINE_LIT("filter: "),
	MG_LINE_LIT("redirect: "), MG_LINE_LIT("prepend: "), MG_LINE_LIT("permit: "), MG_LINE_LIT("bcc: "),
	MG_LINE_LIT("delay: "), MG_LINE_LIT("trigger: "), MG_LINE_LIT("proxy-accept: "),
	MG_LINE_LIT("lost connection "), MG_LINE_LIT("timeout ") };

static const struct mg_str postscreen_noise[] = { MG_LINE_LIT("PASS "), MG_LINE_LIT("DISCONNECT "),
	MG_LINE_LIT("PREGREET "), MG_LINE_LIT("HANGUP "), MG_LINE_LIT("DNSBL "), MG_LINE_LIT("ALLOWLISTED "),
	MG_LINE_LIT("DENYLISTED "), MG_LINE_LIT("WHITELISTED "), MG_LINE_LIT("BLACKLISTED "), MG_LINE_LIT("WHITELIST "),
	MG_LINE_LIT("ALLOWLIST "), MG_LINE_LIT("NON-SMTP COMMAND "), MG_LINE_LIT("COMMAND "),
	MG_LINE_LIT("BARE NEWLINE "), MG_LINE_LIT("BDAT "), MG_LINE_LIT("DATA "), MG_LINE_LIT("VETO "),
	MG_LINE_LIT("entering STRESS mode"), MG_LINE_LIT("leaving STRESS mode"), MG_LINE_LIT("NOQUEUE: ") };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* "connect from NAME[IP]", "disconnect from NAME[IP] ehlo=1 ..." */
static enum mg_line_kind session(struct mg_str rest, struct mg_log_line *line, enum mg_line_kind kind)
{
	struct mg_str word = mg_str_cut(&rest, ' ');

	return mg_line_client_is(word, line) ? kind : MG_LINE_UNKNOWN;
}

/* "NAME[IP]: SASL METHOD authentication failed: REASON[, sasl_username=USER]". The reason is the library's, the
 * name, up to the end, the client's. */
static enum mg_line_kind warning(struct mg_str rest, struct mg_log_line *line)
{
	struct mg_str method;
	size_t at;

	if (!mg_line_read_client(&rest, ':', line) || !mg_read_token(&rest, MG_STR("SASL ")))
		return MG_LINE_NOISE;
	method = mg_str_cut(&rest, ' ');
	if (method.n == 0 || !mg_read_token(&rest, MG_STR("authentication failed: ")))
		return MG_LINE_NOISE;
	at = mg_str_find_str(rest, MG_STR(", sasl_username="));
	line->reply = rest;
	if (at != SIZE_MAX) {
		line->reply = mg_str_first(rest, at);
		line->user = mg_str_from(rest, at + sizeof ", sasl_username=" - 1);
	}
	return MG_LINE_SASL_FAIL;
}

/* Takes `label` and the word behind it off the end of *text. */
static bool take_last(struct mg_str *text, struct mg_str label, struct mg_str *word_out)
{
	size_t at = mg_line_find_last(*text, label);
	struct mg_str word = mg_str_from(*text, at == SIZE_MAX ? text->n : at + label.n);

	if (word.n == 0 || mg_str_find(word, ' ') != SIZE_MAX)
		return false;
	*word_out = word;
	*text = mg_str_first(*text, at);
	return true;
}

/* What XFORWARD told stands last: ", orig_queue_id=QID, orig_client=NAME[IP]". */
static void take_origin(struct mg_str *rest, struct mg_log_line *line)
{
	struct mg_str before = *rest, word;
	struct mg_log_line ignored;

	if (take_last(&before, MG_STR(", orig_client="), &word) && mg_line_client_is(word, &ignored))
		*rest = before;
	before = *rest;
	if (take_last(&before, MG_STR(", orig_queue_id="), &word) && mg_queue_id_is(word)) {
		line->orig_queue_id = word;
		*rest = before;
	}
}

/* "client=NAME[IP][, sasl_method=M, sasl_username=U[, sasl_sender=S]][, orig_queue_id=Q][, orig_client=C]". S is the
 * client's AUTH= parameter and could imitate what follows it, so the origin is not believed behind it. */
static enum mg_line_kind client(struct mg_str text, struct mg_log_line *line)
{
	struct mg_str rest = mg_str_from(text, mg_str_find(text, ' ')), word = mg_str_first(text, text.n - rest.n);

	if (rest.n > 0 && (word.n == 0 || word.p[--word.n] != ','))
		return MG_LINE_UNKNOWN;
	if (!mg_line_client_is(word, line))
		return MG_LINE_UNKNOWN;
	rest = mg_str_from(text, word.n);
	if (mg_str_find_str(rest, MG_STR(", sasl_sender=")) == SIZE_MAX)
		take_origin(&rest, line);
	if (!mg_read_token(&rest, MG_STR(", sasl_method=")))
		return MG_LINE_CLIENT;
	(void)mg_str_cut(&rest, ',');
	if (mg_read_token(&rest, MG_STR(" sasl_username=")))
		line->user = mg_str_first(rest, mg_str_find_str(rest, MG_STR(", sasl_sender=")));
	return MG_LINE_CLIENT;
}

static bool is_stage(struct mg_str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '-' && (word.p[i] < 'A' || word.p[i] > 'Z'))
			return false;
	return word.n > 0;
}

/* A HELO that is refused stands in the line as it was sent, brackets and all, before any sender: nothing behind it
 * can be told from it unless it is plain. */
static void read_helo_refusal(struct mg_str rest, struct mg_log_line *line)
{
	struct mg_line_context context;
	size_t at = mg_str_rfind(rest, ';');
	struct mg_str fields = mg_str_from(rest, at == SIZE_MAX ? rest.n : at + 2);

	if (mg_str_starts(fields, MG_STR("proto=")) && mg_line_read_context(&fields, &context) && fields.n == 0) {
		line->proto = context.proto;
		line->helo = context.helo;
		rest = mg_str_first(rest, at);
	}
	line->reply = mg_line_take_codes(rest, line);
}

/* TEXT and the fields behind it. */
static void read_refusal(struct mg_str rest, struct mg_log_line *line)
{
	struct mg_str text = rest;

	for (size_t i = 0; i + 2 < rest.n; i++) {
		struct mg_str fields = mg_str_from(rest, i + 2);
		struct mg_line_context context;

		if (rest.p[i] != ';' || rest.p[i + 1] != ' ' || !mg_line_read_context(&fields, &context) ||
			fields.n != 0)
			continue;
		mg_line_put_context(&context, line);
		text = mg_str_first(rest, i);
		break;
	}
	line->reply = mg_line_take_codes(text, line);
}

/* "STAGE from NAME[IP]: TEXT; fields"; a before-queue filter's refusal has no client. */
static enum mg_line_kind refusal(struct mg_str rest, struct mg_log_line *line, enum mg_line_kind kind)
{
	static const struct mg_str proxy = MG_LINE_LIT("proxy-reject");
	bool is_proxy = mg_str_eq(line->verb, proxy);

	line->stage = mg_str_cut(&rest, ' ');
	if (is_proxy) {
		if (line->stage.n == 0 || line->stage.p[--line->stage.n] != ':')
			return MG_LINE_UNKNOWN;
	} else if (!mg_read_token(&rest, MG_STR("from ")) || !mg_line_read_client(&rest, ':', line)) {
		return MG_LINE_UNKNOWN;
	}
	if (!is_stage(line->stage))
		return MG_LINE_UNKNOWN;
	if (mg_str_ends(line->stage, MG_STR("HELO")) || mg_str_ends(line->stage, MG_STR("HLO")))
		read_helo_refusal(rest, line);
	else
		read_refusal(rest, line);
	return kind;
}

static enum mg_line_kind verdict(struct mg_str rest, struct mg_log_line *line)
{
	struct mg_str verb, at;
	size_t n = mg_str_find(rest, ':');

	if (mg_line_starts_any(rest, silent_verbs, COUNT(silent_verbs)))
		return MG_LINE_NOISE;
	if (n == SIZE_MAX || n + 1 >= rest.n || rest.p[n + 1] != ' ')
		return MG_LINE_UNKNOWN;
	verb = mg_str_first(rest, n);
	at = mg_str_from(rest, n + 2);
	line->verb = verb;
	if (mg_str_eq(verb, MG_STR("reject")) || mg_str_eq(verb, MG_STR("reject_warning")) ||
		mg_str_eq(verb, MG_STR("proxy-reject")))
		return refusal(at, line, MG_LINE_REJECT);
	if (mg_str_eq(verb, MG_STR("hold")))
		return refusal(at, line, MG_LINE_HOLD);
	if (mg_str_eq(verb, MG_STR("discard")))
		return refusal(at, line, MG_LINE_DISCARD);
	if (mg_read_token(&line->verb, MG_STR("milter-")))
		return refusal(at, line, MG_LINE_MILTER);
	return MG_LINE_UNKNOWN;
}

enum mg_line_kind mg_line_smtpd(struct mg_str text, struct mg_log_line *line)
{
	if (mg_line_read_queue_id(&text, true, &line->queue_id))
		return mg_read_token(&text, MG_STR("client=")) ? client(text, line) : verdict(text, line);
	if (mg_read_token(&text, MG_STR("connect from ")))
		return session(text, line, MG_LINE_CONNECT);
	if (mg_read_token(&text, MG_STR("disconnect from ")))
		return session(text, line, MG_LINE_DISCONNECT);
	if (mg_read_token(&text, MG_STR("warning: ")))
		return warning(text, line);
	if (mg_str_starts(text, MG_STR("proxy-reject: ")))
		return verdict(text, line);
	if (mg_line_starts_any(text, smtpd_noise, COUNT(smtpd_noise)) || mg_line_is_general(text))
		return MG_LINE_NOISE;
	return MG_LINE_UNKNOWN;
}

/* postscreen keeps an address as it was sent: quotes may stand anywhere, the first '>' outside them ends it. */
static bool read_raw_address(struct mg_str *rest, struct mg_str *address_out)
{
	bool is_quoted = false;

	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\') {
			i++;
		} else if (rest->p[i] == '"') {
			is_quoted = !is_quoted;
		} else if (rest->p[i] == '>' && !is_quoted) {
			*address_out = mg_str_first(*rest, i);
			*rest = mg_str_from(*rest, i + 1);
			return true;
		}
	}
	return false;
}

/* "from=<>, to=<>, proto=, helo=<>": a HELO name here may hold anything but a space. */
static void read_postscreen_fields(struct mg_str rest, struct mg_log_line *line)
{
	struct mg_str sender, recipient, proto;

	if (!mg_read_token(&rest, MG_STR("from=<")) || !read_raw_address(&rest, &sender) ||
		!mg_read_token(&rest, MG_STR(", to=<")) || !read_raw_address(&rest, &recipient) ||
		!mg_read_token(&rest, MG_STR(", proto=")))
		return;
	proto = mg_str_cut(&rest, ',');
	if (!mg_read_token(&rest, MG_STR(" helo=<")) || !mg_str_ends(rest, MG_STR(">")) ||
		mg_str_find(rest, ' ') != SIZE_MAX)
		return;
	line->sender = sender;
	line->has_sender = true;
	line->recipient = recipient;
	line->proto = proto;
	line->helo = mg_str_first(rest, rest.n - 1);
}

/* "reject: RCPT from [IP]:PORT: CODE DSN TEXT; from=<>, ..." or "reject: CONNECT from [IP]:PORT:
 * TEXT". */
static enum mg_line_kind postscreen_refusal(struct mg_str rest, struct mg_log_line *line)
{
	size_t at;

	line->verb = mg_str_cut(&rest, ':');
	if (!mg_read_token(&rest, MG_STR(" ")))
		return MG_LINE_UNKNOWN;
	line->stage = mg_str_cut(&rest, ' ');
	if (!is_stage(line->stage) || !mg_read_token(&rest, MG_STR("from ")) || !mg_line_read_client(&rest, ':', line))
		return MG_LINE_UNKNOWN;
	at = mg_str_find_str(rest, MG_STR("; from=<")); /* what stands before it is Postfix's own */
	if (at != SIZE_MAX)
		read_postscreen_fields(mg_str_from(rest, at + 2), line);
	line->reply = mg_line_take_codes(mg_str_first(rest, at), line);
	return MG_LINE_POSTSCREEN;
}

enum mg_line_kind mg_line_postscreen(struct mg_str text, struct mg_log_line *line)
{
	if (mg_str_starts(text, MG_STR("NOQUEUE: reject: ")))
		return postscreen_refusal(mg_str_from(text, sizeof "NOQUEUE: " - 1), line);
	if (mg_read_token(&text, MG_STR("CONNECT from ")))
		return session(text, line, MG_LINE_CONNECT);
	if (mg_line_starts_any(text, postscreen_noise, COUNT(postscreen_noise)) || mg_line_is_general(text))
		return MG_LINE_NOISE;
	return MG_LINE_UNKNOWN;
}
