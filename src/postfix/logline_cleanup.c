/* cleanup: the Message-ID, and what header_checks, body_checks and milters did.
 *
 * "QID: VERB: CLASS CONTENT from ORIGIN; from=<> to=<> proto= helo=<>[: TEXT]": CONTENT is a stranger's and may hold
 * a whole false copy of what follows it. So the last place counts at which " from ORIGIN; fields" fits, passing over
 * what already lies inside fields that fit (a sender may be written "... from x[192.0.2.1]; from=<b>"@example.com). */
#include "postfix/logline_parse.h"

static const struct mg_str silent_verbs[] = { MG_LINE_LIT("warning: "), MG_LINE_LIT("info: "), MG_LINE_LIT("filter: "),
	MG_LINE_LIT("redirect: "), MG_LINE_LIT("prepend: "), MG_LINE_LIT("replace: "), MG_LINE_LIT("bcc: "),
	MG_LINE_LIT("delay: "), MG_LINE_LIT("strip: "), MG_LINE_LIT("ignore: "), MG_LINE_LIT("pass: "),
	MG_LINE_LIT("resent-message-id=") };

/* The word before `at` when it is an origin with " from " before it. */
static bool read_origin(struct mg_str text, size_t at, struct mg_log_line *line)
{
	struct mg_str before = mg_str_first(text, at), word;
	size_t space = mg_str_rfind(before, ' ');

	if (space == SIZE_MAX || !mg_str_ends(mg_str_first(before, space), MG_STR(" from")))
		return false;
	word = mg_str_from(before, space + 1);
	if (mg_str_eq(word, MG_STR("local"))) {
		line->client_name = (struct mg_str){ 0 };
		line->client_ip = (struct mg_ip){ 0 };
		line->client_port = 0;
		return true;
	}
	return mg_line_client_is(word, line);
}

static enum mg_line_kind content_check(struct mg_str rest, struct mg_log_line *line, enum mg_line_kind kind)
{
	size_t i = 0;

	line->stage = mg_str_cut(&rest, ' ');
	while (i + 2 < rest.n) {
		struct mg_str fields = mg_str_from(rest, i + 2);
		struct mg_line_context context;

		if (rest.p[i] == ';' && rest.p[i + 1] == ' ' && mg_line_read_context(&fields, &context) &&
			(fields.n == 0 || mg_str_starts(fields, MG_STR(": "))) && read_origin(rest, i, line)) {
			mg_line_put_context(&context, line);
			line->reply = mg_str_from(fields, 2);
			i = rest.n - fields.n;
		} else {
			i++;
		}
	}
	line->reply = mg_line_take_codes(line->reply, line);
	return line->stage.n > 0 ? kind : MG_LINE_UNKNOWN;
}

static enum mg_line_kind message_id(struct mg_str text, struct mg_log_line *line)
{
	if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
		text = mg_str_of(text.p + 1, text.n - 2);
	line->message_id = text;
	return MG_LINE_MESSAGE_ID;
}

enum mg_line_kind mg_line_cleanup(struct mg_str text, struct mg_log_line *line)
{
	struct mg_str whole = text;

	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return mg_line_is_general(text) ? MG_LINE_NOISE : MG_LINE_UNKNOWN;
	if (mg_read_token(&text, MG_STR("message-id=")))
		return message_id(text, line);
	if (mg_str_starts(text, MG_STR("to=<")))
		return mg_line_delivery(text, line) ? MG_LINE_DELIVERY : MG_LINE_UNKNOWN;
	if (mg_str_starts(text, MG_STR("milter-")))
		return mg_line_smtpd(whole, line); /* the same shape */
	line->verb = mg_str_first(text, mg_str_find(text, ':'));
	if (mg_read_token(&text, MG_STR("reject: ")))
		return content_check(text, line, MG_LINE_REJECT);
	if (mg_read_token(&text, MG_STR("hold: ")))
		return content_check(text, line, MG_LINE_HOLD);
	if (mg_read_token(&text, MG_STR("discard: ")))
		return content_check(text, line, MG_LINE_DISCARD);
	if (mg_line_starts_any(text, silent_verbs, sizeof silent_verbs / sizeof silent_verbs[0]))
		return MG_LINE_NOISE;
	return MG_LINE_UNKNOWN;
}
