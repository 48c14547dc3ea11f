/* Queue and delivery: pickup, qmgr, the delivery agents, bounce, postsuper.
 *
 * "to=<A>[, orig_to=<B>], relay=R[, conn_use=N], delay=, delays=, [more=,] dsn=D, status=S (REASON)": the addresses
 * first, then Postfix's own words up to the parenthesis; REASON, which a remote host wrote, is all the rest. */
#include "postfix/logline_parse.h"

/* "0.05", "12": false for anything else. */
static bool seconds_of(struct mg_str text, double *seconds_out)
{
	double value = 0, unit = 1;
	bool has_point = false;

	if (text.n == 0 || text.n > 18)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '.' && !has_point && i > 0) {
			has_point = true;
		} else if (c >= '0' && c <= '9') {
			unit = has_point ? unit / 10 : unit;
			value = has_point ? value + (c - '0') * unit : value * 10 + (c - '0');
		} else {
			return false;
		}
	}
	*seconds_out = value;
	return true;
}

static void read_delays(struct mg_str text, double delays_s[4])
{
	double parts[4];

	for (size_t i = 0; i < 4; i++)
		if (!seconds_of(mg_str_cut(&text, '/'), &parts[i]))
			return;
	if (text.n == 0)
		memcpy(delays_s, parts, sizeof parts);
}

/* "... queued as QID" of the next Postfix, or local's own "forwarded as QID" after an alias. */
static void read_queued_as(struct mg_str reply, struct mg_log_line *line)
{
	struct mg_str label = MG_STR("queued as "), word;
	size_t at = mg_line_find_last(reply, label);

	if (mg_str_eq(line->relay, MG_STR("local"))) {
		label = MG_STR("forwarded as ");
		at = mg_str_starts(reply, label) ? 0 : SIZE_MAX;
	}
	if (at == SIZE_MAX)
		return;
	reply = mg_str_from(reply, at + label.n);
	word = mg_str_cut(&reply, ' ');
	while (word.n > 0 && memchr(").,;", word.p[word.n - 1], 4) != NULL)
		word.n--;
	if (mg_queue_id_is(word))
		line->queued_as = word;
}

/* The SMTP code of "250 2.0.0 Ok" or of "host NAME[IP] said: 550 5.1.1 no". */
static void read_reason(struct mg_str reason, struct mg_log_line *line)
{
	struct mg_log_line codes = { 0 };

	if (reason.n > 0 && reason.p[reason.n - 1] == ')')
		reason.n--;
	line->reply = reason;
	if (mg_str_eq(line->status, MG_STR("sent")))
		read_queued_as(reason, line);
	if (mg_read_token(&reason, MG_STR("host "))) {
		(void)mg_str_cut(&reason, ' ');
		if (!mg_read_token(&reason, MG_STR("said: ")) &&
			!mg_read_token(&reason, MG_STR("refused to talk to me: ")))
			return;
	}
	(void)mg_line_take_codes(reason, &codes);
	line->code = codes.code;
}

static bool is_key(struct mg_str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '_' && (word.p[i] < 'a' || word.p[i] > 'z'))
			return false;
	return word.n > 0;
}

static void put_value(struct mg_str key, struct mg_str value, struct mg_log_line *line)
{
	if (mg_str_eq(key, MG_STR("relay")))
		line->relay = value;
	else if (mg_str_eq(key, MG_STR("delay")))
		(void)seconds_of(value, &line->delay_s);
	else if (mg_str_eq(key, MG_STR("delays")))
		read_delays(value, line->delays_s);
	else if (mg_str_eq(key, MG_STR("dsn")))
		line->dsn = value;
}

/* ", relay=..., ..., status=S (REASON)" to the end. Keys we don't know (3.11's tls=) are passed over. */
static bool read_outcome(struct mg_str rest, struct mg_log_line *line)
{
	if (!mg_str_starts(rest, MG_STR(", relay=")))
		return false;
	while (mg_read_token(&rest, MG_STR(", "))) {
		struct mg_str key = mg_str_first(rest, mg_str_find(rest, '=')), value;
		size_t end;

		rest = mg_str_from(rest, key.n + 1);
		if (!is_key(key))
			return false;
		if (mg_str_eq(key, MG_STR("status"))) {
			line->status = mg_str_cut(&rest, ' ');
			if (!is_key(line->status) || line->dsn.n == 0 || !mg_read_token(&rest, MG_STR("(")))
				return false;
			read_reason(rest, line);
			return true;
		}
		end = mg_str_find_str(rest, MG_STR(", "));
		value = mg_str_first(rest, end);
		if (end == SIZE_MAX || mg_str_find(value, '<') != SIZE_MAX || mg_str_find(value, '>') != SIZE_MAX)
			return false;
		put_value(key, value, line);
		rest = mg_str_from(rest, end);
	}
	return false;
}

/* Addresses not quoted as they should be: their end is where the structure follows, if that is one place only. */
static bool read_unquoted(struct mg_str text, struct mg_log_line *line)
{
	static const struct mg_str orig = MG_LINE_LIT(">, orig_to=<");
	struct mg_log_line found = *line, attempt;
	struct mg_str addresses = { 0 };
	size_t fits = 0, at;

	for (size_t i = 0; i < text.n && fits < 2; i++) {
		attempt = *line;
		if (text.p[i] != '>' || !read_outcome(mg_str_from(text, i + 1), &attempt))
			continue;
		found = attempt;
		addresses = mg_str_first(text, i);
		fits++;
	}
	if (fits != 1)
		return false;
	at = mg_str_find_str(addresses, orig);
	if (at != SIZE_MAX) {
		found.orig_to = mg_str_from(addresses, at + orig.n);
		if (mg_str_find_str(found.orig_to, orig) != SIZE_MAX)
			return false;
		addresses = mg_str_first(addresses, at);
	}
	*line = found;
	line->recipient = addresses;
	return true;
}

bool mg_line_delivery(struct mg_str text, struct mg_log_line *line)
{
	struct mg_log_line attempt = *line;
	struct mg_str rest;

	if (!mg_read_token(&text, MG_STR("to=<")))
		return false;
	rest = text;
	if (mg_line_read_address(&rest, &attempt.recipient) &&
		(!mg_read_token(&rest, MG_STR(", orig_to=<")) || mg_line_read_address(&rest, &attempt.orig_to)) &&
		read_outcome(rest, &attempt)) {
		*line = attempt;
		return true;
	}
	return read_unquoted(text, line);
}

/* "host mx[192.0.2.1] said: ..." and the like tell of an attempt; the delivery line tells what came of it. */
enum mg_line_kind mg_line_agent(struct mg_str text, struct mg_log_line *line)
{
	static const struct mg_str noise[] = { MG_LINE_LIT("host "), MG_LINE_LIT("lost connection with "),
		MG_LINE_LIT("conversation with "), MG_LINE_LIT("enabling PIX "), MG_LINE_LIT("disabling PIX "),
		MG_LINE_LIT("breaking line "), MG_LINE_LIT("Cannot start TLS"), MG_LINE_LIT("TLS is required"),
		MG_LINE_LIT("Server certificate "), MG_LINE_LIT("Anonymous TLS connection "),
		MG_LINE_LIT("Trusted TLS connection "), MG_LINE_LIT("Untrusted TLS connection "),
		MG_LINE_LIT("Verified TLS connection "), MG_LINE_LIT("SSL_connect "),
		MG_LINE_LIT("setting up TLS connection "), MG_LINE_LIT("certificate verification failed "),
		MG_LINE_LIT("server certificate verification failed "), MG_LINE_LIT("Host offered STARTTLS") };
	enum { COUNT = sizeof noise / sizeof noise[0] };

	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return mg_line_is_general(text) || mg_line_starts_any(text, noise, COUNT) ? MG_LINE_NOISE
											  : MG_LINE_UNKNOWN;
	if (mg_line_delivery(text, line))
		return MG_LINE_DELIVERY;
	return mg_line_starts_any(text, noise, COUNT) || mg_line_is_general(text) ? MG_LINE_NOISE : MG_LINE_UNKNOWN;
}

/* "S>, size=N, nrcpt=N (queue active)": Postfix's words end the line, so the sender ends at the last ">, size=". */
static bool read_queued(struct mg_str text, struct mg_log_line *line)
{
	size_t at = mg_line_find_last(text, MG_STR(">, size="));
	struct mg_str rest = mg_str_from(text, at == SIZE_MAX ? text.n : at + sizeof ">, size=" - 1);
	uint64_t size, count;

	if (!mg_read_u64(&rest, INT64_MAX, &size) || !mg_read_token(&rest, MG_STR(", nrcpt=")) ||
		!mg_read_u64(&rest, UINT32_MAX, &count) || !mg_str_starts(rest, MG_STR(" (queue ")))
		return false;
	line->sender = mg_str_first(text, at);
	line->has_sender = true;
	line->size_bytes = size;
	line->recipient_count = (unsigned)count;
	return true;
}

static bool read_expired(struct mg_str text, struct mg_log_line *line)
{
	size_t at = mg_line_find_last(text, MG_STR(">, status="));
	struct mg_str rest = mg_str_from(text, at == SIZE_MAX ? text.n : at + sizeof ">, status=" - 1);

	line->status = mg_str_cut(&rest, ',');
	if (!mg_str_ends(line->status, MG_STR("expired")) || !mg_str_eq(rest, MG_STR(" returned to sender")))
		return false;
	line->sender = mg_str_first(text, at);
	line->has_sender = true;
	return true;
}

enum mg_line_kind mg_line_qmgr(struct mg_str text, struct mg_log_line *line)
{
	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return mg_line_is_general(text) ? MG_LINE_NOISE : MG_LINE_UNKNOWN;
	if (mg_str_eq(text, MG_STR("removed")))
		return MG_LINE_REMOVED;
	if (mg_line_delivery(text, line))
		return MG_LINE_DELIVERY;
	if (mg_str_starts(text, MG_STR("skipped, still being delivered")))
		return MG_LINE_NOISE;
	if (!mg_read_token(&text, MG_STR("from=<")))
		return MG_LINE_UNKNOWN;
	if (read_queued(text, line))
		return MG_LINE_QUEUED;
	return read_expired(text, line) ? MG_LINE_EXPIRED : MG_LINE_UNKNOWN;
}

/* "uid=N from=<S>[ orig_id=QID]": without orig_id the line ends with '>'. */
enum mg_line_kind mg_line_pickup(struct mg_str text, struct mg_log_line *line)
{
	static const struct mg_str label = MG_LINE_LIT("> orig_id=");
	uint64_t uid;
	size_t at;

	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return mg_line_is_general(text) ? MG_LINE_NOISE : MG_LINE_UNKNOWN;
	if (!mg_read_token(&text, MG_STR("uid=")) || !mg_read_u64(&text, UINT32_MAX, &uid) ||
		!mg_read_token(&text, MG_STR(" from=<")))
		return MG_LINE_UNKNOWN;
	line->uid = (unsigned)uid;
	line->has_sender = true;
	if (mg_str_ends(text, MG_STR(">"))) {
		line->sender = mg_str_first(text, text.n - 1);
		return MG_LINE_PICKUP;
	}
	at = mg_line_find_last(text, label);
	if (at == SIZE_MAX || !mg_queue_id_is(mg_str_from(text, at + label.n)))
		return MG_LINE_UNKNOWN;
	line->sender = mg_str_first(text, at);
	line->orig_queue_id = mg_str_from(text, at + label.n);
	return MG_LINE_PICKUP;
}

/* "sender|postmaster WHAT notification: QID". */
enum mg_line_kind mg_line_bounce(struct mg_str text, struct mg_log_line *line)
{
	static const struct mg_str label = MG_LINE_LIT(" notification: ");
	size_t at;

	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return mg_line_is_general(text) ? MG_LINE_NOISE : MG_LINE_UNKNOWN;
	if (mg_line_delivery(text, line))
		return MG_LINE_DELIVERY;
	at = mg_str_find_str(text, label);
	line->verb = mg_str_cut(&text, ' ');
	if (at == SIZE_MAX || at <= line->verb.n ||
		(!mg_str_eq(line->verb, MG_STR("sender")) && !mg_str_eq(line->verb, MG_STR("postmaster"))))
		return MG_LINE_UNKNOWN;
	at -= line->verb.n + 1;
	line->status = mg_str_first(text, at);
	line->child_queue_id = mg_str_from(text, at + label.n);
	return mg_queue_id_is(line->child_queue_id) ? MG_LINE_NOTICE : MG_LINE_UNKNOWN;
}

enum mg_line_kind mg_line_postsuper(struct mg_str text, struct mg_log_line *line)
{
	if (!mg_line_read_queue_id(&text, false, &line->queue_id))
		return MG_LINE_NOISE; /* "Deleted: 1 message" */
	if (mg_str_eq(text, MG_STR("removed")))
		return MG_LINE_REMOVED;
	if (mg_str_eq(text, MG_STR("placed on hold")))
		return MG_LINE_HOLD;
	if (mg_str_eq(text, MG_STR("released from hold")))
		return MG_LINE_RELEASE;
	if (mg_str_eq(text, MG_STR("requeued")) || mg_str_eq(text, MG_STR("expired")))
		return MG_LINE_NOISE;
	return MG_LINE_UNKNOWN;
}
