/* Log lines first, then delivery reports, then whatever looks like a dialogue or a bounce. Of several replies the first failure
 * counts, else the last that is no farewell. */
#include "explain/reply.h"

#include "explain/codes.h"
#include "postfix/logline.h"

enum { LINES = 2000 };

const char *mg_permanence_name(enum mg_permanence permanence)
{
	static const char *const names[MG_PERMANENCES] = {
		[MG_PERMANENCE_NONE] = "",
		[MG_PERMANENCE_SUCCESS] = "success",
		[MG_PERMANENCE_INTERMEDIATE] = "intermediate",
		[MG_PERMANENCE_TEMPORARY] = "temporary",
		[MG_PERMANENCE_PERMANENT] = "permanent",
	};

	return names[permanence];
}

static enum mg_permanence permanence_of_class(char class)
{
	static const enum mg_permanence classes[] = { MG_PERMANENCE_SUCCESS, MG_PERMANENCE_INTERMEDIATE,
		MG_PERMANENCE_TEMPORARY, MG_PERMANENCE_PERMANENT };

	return class < '2' || class > '5' ? MG_PERMANENCE_NONE : classes[class - '2'];
}

static enum mg_permanence permanence_of_status(struct mg_str status)
{
	static const struct {
		const char *word;
		enum mg_permanence permanence;
	} words[] = {
		{ "sent", MG_PERMANENCE_SUCCESS },
		{ "deliverable", MG_PERMANENCE_SUCCESS },
		{ "deferred", MG_PERMANENCE_TEMPORARY },
		{ "SOFTBOUNCE", MG_PERMANENCE_TEMPORARY },
		{ "bounced", MG_PERMANENCE_PERMANENT },
		{ "undeliverable", MG_PERMANENCE_PERMANENT },
		{ "expired", MG_PERMANENCE_PERMANENT },
		{ "force-expired", MG_PERMANENCE_PERMANENT },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mg_str_eq_nocase(status, mg_str_z(words[i].word)))
			return words[i].permanence;
	return MG_PERMANENCE_NONE;
}

static void set_enhanced(struct mg_reply *reply, struct mg_str text, size_t at, size_t length)
{
	mg_str_copy(reply->enhanced, sizeof reply->enhanced, mg_str_first(mg_str_from(text, at), length));
}

/* Takes what mg_codes_find() found in `line`, which lies in `whole` (where the reply may go on). */
static void take_codes(struct mg_reply *reply, struct mg_str whole, struct mg_str line, const struct mg_codes *codes)
{
	size_t at, length;

	if (codes->enhanced_at != SIZE_MAX)
		set_enhanced(reply, line, codes->enhanced_at, codes->enhanced_length);
	if (codes->basic_at != SIZE_MAX) {
		mg_str_copy(reply->code, sizeof reply->code, mg_str_of(line.p + codes->basic_at, 3));
		if (reply->enhanced[0] == '\0' &&
			mg_codes_find_enhanced(
				whole, (size_t)(line.p - whole.p) + codes->basic_at, reply->code, &at, &length))
			set_enhanced(reply, whole, at, length);
	}
	if (reply->permanence == MG_PERMANENCE_NONE)
		reply->permanence = permanence_of_class(reply->code[0] != '\0' ? reply->code[0] : reply->enhanced[0]);
}

static size_t find_nocase(struct mg_str text, struct mg_str needle)
{
	for (size_t i = 0; i + needle.n <= text.n; i++)
		if (mg_str_starts_nocase(mg_str_from(text, i), needle))
			return i;
	return SIZE_MAX;
}

/* The earliest place behind one of the words after which Postfix quotes a server. */
static size_t behind_quote(struct mg_str words)
{
	static const char *const marks[] = { " said: ", " refused to talk to me: " };
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		size_t at = mg_str_find_str(words, mg_str_z(marks[i]));

		if (at != SIZE_MAX && at + strlen(marks[i]) < first)
			first = at + strlen(marks[i]);
	}
	return first;
}

static bool is_inner(struct mg_str relay)
{
	return relay.n > 0 &&
	       (mg_str_find(relay, '[') == SIZE_MAX || mg_str_find_str(relay, MG_STR("[private/")) != SIZE_MAX ||
		       mg_str_starts(relay, MG_STR("private/")));
}

void mg_reply_of_delivery(
	struct mg_str words, struct mg_str dsn, struct mg_str status, struct mg_str relay, struct mg_reply *reply_out)
{
	struct mg_codes codes;
	size_t at = behind_quote(words);
	struct mg_str said = at == SIZE_MAX ? words : mg_str_from(words, at);

	*reply_out = (struct mg_reply){ .permanence = permanence_of_status(status), .words = words, .host = relay };
	reply_out->side = is_inner(relay) ? MG_SIDE_OWN : relay.n > 0 || at != SIZE_MAX ? MG_SIDE_REMOTE : MG_SIDE_ANY;
	if ((mg_is_basic(said, 0) || mg_enhanced_length(said, 0) > 0) && mg_codes_find(said, true, &codes) &&
		(codes.basic_at == 0 || codes.enhanced_at == 0))
		take_codes(reply_out, said, said, &codes);
	if (reply_out->enhanced[0] == '\0' && mg_enhanced_length(dsn, 0) == dsn.n)
		mg_str_copy(reply_out->enhanced, sizeof reply_out->enhanced, dsn);
	if (reply_out->permanence == MG_PERMANENCE_NONE)
		reply_out->permanence =
			permanence_of_class(reply_out->code[0] != '\0' ? reply_out->code[0] : reply_out->enhanced[0]);
}

/* ---- log lines ---- */

/* The word behind "name=", up to a comma or blank. */
static struct mg_str field(struct mg_str line, struct mg_str name)
{
	size_t at = mg_str_find_str(line, name), end;
	struct mg_str value;

	if (at == SIZE_MAX || (at > 0 && line.p[at - 1] != ' ' && line.p[at - 1] != ','))
		return mg_str_of(line.p, 0);
	value = mg_str_from(line, at + name.n);
	for (end = 0; end < value.n && value.p[end] != ',' && value.p[end] != ' '; end++)
		;
	return mg_str_first(value, end);
}

/* A delivery's line of which the beginning may be missing, or "…" instead of it. */
static bool find_status(struct mg_str line, struct mg_reply *reply)
{
	struct mg_str status = field(line, MG_STR("status=")), words;

	if (status.n == 0 || permanence_of_status(status) == MG_PERMANENCE_NONE)
		return false;
	words = mg_str_trim(mg_str_of(status.p + status.n, line.n - (size_t)(status.p + status.n - line.p)));
	if (words.n > 0 && (words.p[0] == '(' || words.p[0] == ','))
		words = mg_str_trim(mg_str_from(words, 1));
	if (words.n > 0 && words.p[words.n - 1] == ')')
		words.n--;
	mg_reply_of_delivery(words, field(line, MG_STR("dsn=")), status, field(line, MG_STR("relay=")), reply);
	if (words.n == 0 || mg_str_starts(words, MG_STR("returned to sender")))
		reply->words = line;
	return true;
}

static bool find_refusal(const struct mg_log_line *line, struct mg_str whole, struct mg_reply *reply)
{
	*reply = (struct mg_reply){ .side = MG_SIDE_OWN, .is_inbound = true, .words = line->reply };
	if (line->code.n == 3)
		mg_str_copy(reply->code, sizeof reply->code, line->code);
	if (line->dsn.n > 0)
		mg_str_copy(reply->enhanced, sizeof reply->enhanced, line->dsn);
	if (reply->code[0] == '\0' && reply->enhanced[0] == '\0')
		return false;
	if (line->reply.n == 0)
		reply->words = whole;
	reply->permanence = permanence_of_class(reply->code[0] != '\0' ? reply->code[0] : reply->enhanced[0]);
	return true;
}

/* `has_none_out`: a line of the log in which nobody replies, whatever the addresses in it imitate. */
static bool find_in_log(struct mg_str line, struct mg_reply *reply, bool *has_none_out)
{
	struct mg_log_line parsed;

	*has_none_out = false;
	switch (mg_log_line_parse(line, 0, &parsed)) {
	case MG_LINE_CONNECT:
	case MG_LINE_DISCONNECT:
	case MG_LINE_CLIENT:
	case MG_LINE_PICKUP:
	case MG_LINE_MESSAGE_ID:
	case MG_LINE_QUEUED:
	case MG_LINE_REMOVED:
	case MG_LINE_RELEASE:
	case MG_LINE_SASL_FAIL:
		*has_none_out = true;
		return false;
	case MG_LINE_DELIVERY:
		mg_reply_of_delivery(parsed.reply, parsed.dsn, parsed.status, parsed.relay, reply);
		return reply->permanence != MG_PERMANENCE_NONE;
	case MG_LINE_REJECT:
	case MG_LINE_POSTSCREEN:
	case MG_LINE_MILTER:
		return find_refusal(&parsed, line, reply);
	default:
		return find_status(line, reply);
	}
}

/* ---- free text ---- */

static bool is_failure(const struct mg_reply *reply)
{
	return reply->permanence == MG_PERMANENCE_TEMPORARY || reply->permanence == MG_PERMANENCE_PERMANENT;
}

static bool is_own_refusal(struct mg_str line)
{
	return mg_str_find_str(line, MG_STR("reject: ")) != SIZE_MAX ||
	       mg_str_find_str(line, MG_STR("milter-reject: ")) != SIZE_MAX ||
	       mg_str_find_str(line, MG_STR("milter-hold: ")) != SIZE_MAX;
}

/* The paragraph of `text` in which `line` lies. */
static struct mg_str paragraph(struct mg_str text, struct mg_str line)
{
	size_t from = (size_t)(line.p - text.p), to = from + line.n;

	while (from > 0 && !(text.p[from - 1] == '\n' &&
				   (from < 2 || text.p[from - 2] == '\n' ||
					   (text.p[from - 2] == '\r' && from >= 3 && text.p[from - 3] == '\n'))))
		from--;
	while (to < text.n &&
		!(text.p[to] == '\n' && (to + 1 >= text.n || text.p[to + 1] == '\n' || text.p[to + 1] == '\r')))
		to++;
	return mg_str_first(mg_str_from(text, from), to - from);
}

static bool find_in_line(struct mg_str text, struct mg_str line, bool is_first, struct mg_reply *reply)
{
	struct mg_codes codes;
	bool has_none;

	if (find_in_log(line, reply, &has_none))
		return true;
	if (has_none || !mg_codes_find(line, is_first, &codes))
		return false;
	*reply = (struct mg_reply){ .words = paragraph(text, line) };
	take_codes(reply, reply->words, line, &codes);
	if (is_own_refusal(line)) {
		reply->side = MG_SIDE_OWN;
		reply->is_inbound = true;
		reply->words = line;
	} else if (mg_str_find_str(line, MG_STR(" said: ")) != SIZE_MAX ||
		   find_nocase(reply->words, MG_STR(" said: ")) != SIZE_MAX) {
		reply->side = MG_SIDE_REMOTE;
	}
	return reply->permanence != MG_PERMANENCE_NONE;
}

/* A field of a delivery report with its continuation lines. */
static struct mg_str report_field(struct mg_str text, struct mg_str name)
{
	for (size_t at = 0; at < text.n; at++) {
		size_t end;

		if ((at > 0 && text.p[at - 1] != '\n') || !mg_str_starts_nocase(mg_str_from(text, at), name))
			continue;
		for (end = at; end < text.n; end++)
			if (text.p[end] == '\n' &&
				(end + 1 >= text.n || (text.p[end + 1] != ' ' && text.p[end + 1] != '\t')))
				break;
		return mg_str_trim(mg_str_of(text.p + at + name.n, end - at - name.n));
	}
	return mg_str_of(text.p, 0);
}

/* RFC 3464: Diagnostic-Code has the reply, Status the enhanced code. */
static bool find_in_report(struct mg_str text, struct mg_reply *reply)
{
	struct mg_str diagnostic = report_field(text, MG_STR("Diagnostic-Code:"));
	struct mg_str status = report_field(text, MG_STR("Status:")), said = diagnostic;
	struct mg_codes codes;
	size_t semicolon = mg_str_find(diagnostic, ';');

	*reply = (struct mg_reply){ .words = diagnostic };
	if (mg_str_starts_nocase(diagnostic, MG_STR("smtp")))
		reply->side = MG_SIDE_REMOTE;
	if (semicolon != SIZE_MAX && semicolon < 16)
		said = mg_str_trim(mg_str_from(diagnostic, semicolon + 1));
	if (said.n > 0 && mg_codes_find(said, true, &codes))
		take_codes(reply, said, said, &codes);
	if (reply->enhanced[0] == '\0' && mg_enhanced_length(status, 0) > 0)
		set_enhanced(reply, status, 0, mg_enhanced_length(status, 0));
	if (reply->words.n == 0)
		reply->words = text;
	if (reply->permanence == MG_PERMANENCE_NONE)
		reply->permanence = permanence_of_class(reply->enhanced[0]);
	reply->host = report_field(text, MG_STR("Remote-MTA:"));
	return reply->permanence != MG_PERMANENCE_NONE;
}

bool mg_reply_find(struct mg_str text, struct mg_reply *reply_out)
{
	struct mg_str rest = text, line;
	struct mg_reply reply;
	bool is_found = false, is_first = true;

	*reply_out = (struct mg_reply){ .words = text };
	if (find_in_report(text, &reply)) {
		*reply_out = reply;
		return true;
	}
	for (int lines = 0; rest.n > 0 && lines < LINES; lines++) {
		line = mg_str_cut(&rest, '\n');
		if (mg_str_trim(line).n == 0)
			continue;
		if (find_in_line(text, line, is_first, &reply) &&
			(!is_found || is_failure(&reply) || !mg_str_starts(mg_str_z(reply.code), MG_STR("221")))) {
			*reply_out = reply;
			is_found = true;
			if (is_failure(&reply))
				return true;
		}
		is_first = false;
	}
	return is_found;
}
