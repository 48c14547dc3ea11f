/* The readers. None of them looks at a byte beyond its slice; all of them leave it alone when they fail. */
#include "postfix/logline_parse.h"

enum { ADDRESS_MAX = 4096, QUEUE_ID_MIN = 6, QUEUE_ID_LONG_MIN = 10, QUEUE_ID_MAX = 40 };

bool mg_line_starts_any(struct mg_str text, const struct mg_str *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mg_str_starts(text, prefixes[i]))
			return true;
	return false;
}

size_t mg_line_find_last(struct mg_str text, struct mg_str needle)
{
	for (size_t i = text.n; i-- > 0;)
		if (mg_str_starts(mg_str_from(text, i), needle))
			return i;
	return SIZE_MAX;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'F');
}

/* The alphabet of long queue ids: digits and consonants. */
static bool is_base52(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z' && memchr("AEIOU", c, 5) == NULL) ||
	       (c >= 'a' && c <= 'z' && memchr("aeiou", c, 5) == NULL);
}

bool mg_queue_id_is(struct mg_str word)
{
	bool is_short = word.n >= QUEUE_ID_MIN && word.n <= QUEUE_ID_MAX;
	bool is_long = word.n >= QUEUE_ID_LONG_MIN && word.n <= QUEUE_ID_MAX;

	for (size_t i = 0; i < word.n && (is_short || is_long); i++) {
		is_short = is_short && is_hex(word.p[i]);
		is_long = is_long && is_base52(word.p[i]);
	}
	return is_short || is_long;
}

bool mg_line_read_queue_id(struct mg_str *rest, bool is_noqueue_ok, struct mg_str *queue_id_out)
{
	size_t n = mg_str_find(*rest, ':');
	struct mg_str word;

	if (n == SIZE_MAX || n + 1 >= rest->n || rest->p[n + 1] != ' ')
		return false;
	word = mg_str_first(*rest, n);
	if (is_noqueue_ok && mg_str_eq(word, MG_STR("NOQUEUE")))
		word = (struct mg_str){ 0 };
	else if (!mg_queue_id_is(word))
		return false;
	*queue_id_out = word;
	*rest = mg_str_from(*rest, n + 2);
	return true;
}

/* The offset behind the closing quote of a quoted local part that begins `text`; 0 when it never closes. */
static size_t behind_quotes(struct mg_str text)
{
	for (size_t i = 1; i < text.n && i < ADDRESS_MAX; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '"')
			return i + 1;
	}
	return 0;
}

bool mg_line_read_address(struct mg_str *rest, struct mg_str *address_out)
{
	size_t i = 0;

	if (rest->n > 0 && rest->p[0] == '"') {
		i = behind_quotes(*rest);
		if (i == 0 || i >= rest->n || rest->p[i] != '@')
			return false;
	}
	for (; i < rest->n && i < ADDRESS_MAX; i++) {
		if (rest->p[i] == '<' || rest->p[i] == '"')
			return false;
		if (rest->p[i] != '>')
			continue;
		*address_out = mg_str_first(*rest, i);
		*rest = mg_str_from(*rest, i + 1);
		return true;
	}
	return false;
}

static bool port_of(struct mg_str text, unsigned *port_out)
{
	uint64_t port = 0;

	if (text.n > 0 && (!mg_read_token(&text, MG_STR(":")) || !mg_str_to_u64(text, 65535, &port)))
		return false;
	*port_out = (unsigned)port;
	return true;
}

bool mg_line_client_is(struct mg_str word, struct mg_log_line *line)
{
	size_t open = mg_str_rfind(word, '['), close = mg_str_rfind(word, ']');
	struct mg_str inside;
	struct mg_ip ip = { 0 };
	unsigned port;

	if (open == SIZE_MAX || close == SIZE_MAX || close < open || !port_of(mg_str_from(word, close + 1), &port))
		return false;
	inside = mg_str_of(word.p + open + 1, close - open - 1);
	inside = mg_str_cut(&inside, '%'); /* a link-local address may name its interface */
	if (!mg_ip_parse(inside, &ip) && !mg_str_eq(inside, MG_STR("unknown")) && !mg_str_eq(inside, MG_STR("local")))
		return false;
	line->client_name = mg_str_first(word, open);
	line->client_ip = ip;
	line->client_port = port;
	return true;
}

bool mg_line_read_client(struct mg_str *rest, char end, struct mg_log_line *line)
{
	struct mg_str after = *rest, word = mg_str_cut(&after, ' ');

	if (word.n == 0 || word.p[word.n - 1] != end || !mg_line_client_is(mg_str_first(word, word.n - 1), line))
		return false;
	*rest = after;
	return true;
}

/* "5.7.1" at the start of `text`: its length, 0 when there is none. */
static size_t dsn_length(struct mg_str text)
{
	size_t i = 2;

	if (text.n < 5 || memchr("245", text.p[0], 3) == NULL || text.p[1] != '.')
		return 0;
	for (unsigned part = 0; part < 2; part++) {
		size_t from = i;

		while (i < text.n && i - from < 3 && is_digit(text.p[i]))
			i++;
		if (i == from)
			return 0;
		if (part == 0 && (i >= text.n || text.p[i++] != '.'))
			return 0;
	}
	return i == text.n || text.p[i] == ' ' ? i : 0;
}

struct mg_str mg_line_take_codes(struct mg_str text, struct mg_log_line *line)
{
	size_t n;

	if (text.n >= 3 && text.p[0] >= '2' && text.p[0] <= '5' && is_digit(text.p[1]) && is_digit(text.p[2]) &&
		(text.n == 3 || text.p[3] == ' ' || text.p[3] == '-')) {
		line->code = mg_str_first(text, 3);
		text = mg_str_from(text, text.n == 3 ? 3 : 4);
	}
	n = dsn_length(text);
	if (n > 0) {
		line->dsn = mg_str_first(text, n);
		text = mg_str_from(text, n == text.n ? n : n + 1);
	}
	return text;
}

/* A HELO name, which smtpd has stripped of every <>, space and the like, with its '>'. */
static bool read_helo(struct mg_str *rest, struct mg_str *helo_out)
{
	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] == '<' || rest->p[i] == ' ')
			return false;
		if (rest->p[i] != '>')
			continue;
		*helo_out = mg_str_first(*rest, i);
		*rest = mg_str_from(*rest, i + 1);
		return true;
	}
	return false;
}

static bool is_key(struct mg_str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '_' && (word.p[i] < 'a' || word.p[i] > 'z'))
			return false;
	return word.n > 0;
}

/* " key=value" as a later Postfix may append; the value has no space and no <>, or stands within them. */
static bool read_extra(struct mg_str *rest, struct mg_str *key_out, struct mg_str *value_out)
{
	struct mg_str at = *rest;
	size_t n = mg_str_find(at, '=');

	if (!mg_read_token(&at, MG_STR(" ")) || n == SIZE_MAX || !is_key(mg_str_of(at.p, n - 1)))
		return false;
	*key_out = mg_str_of(at.p, n - 1);
	at = mg_str_from(at, n);
	if (mg_read_token(&at, MG_STR("<"))) {
		if (!read_helo(&at, value_out))
			return false;
	} else {
		for (n = 0; n < at.n && at.p[n] != ' ' && at.p[n] != ':'; n++)
			if (at.p[n] == '<' || at.p[n] == '>')
				return false;
		*value_out = mg_str_first(at, n);
		at = mg_str_from(at, n);
	}
	*rest = at;
	return true;
}

/* The first field has no space before it. */
static bool read_label(struct mg_str *rest, bool is_first, struct mg_str label)
{
	struct mg_str at = *rest;

	if ((!is_first && !mg_read_token(&at, MG_STR(" "))) || !mg_read_token(&at, label))
		return false;
	*rest = at;
	return true;
}

bool mg_line_read_context(struct mg_str *rest, struct mg_line_context *context_out)
{
	struct mg_line_context c = { 0 };
	struct mg_str at = *rest, key, value;
	bool is_first = true;

	if (read_label(&at, is_first, MG_STR("from=<"))) {
		if (!mg_line_read_address(&at, &c.sender))
			return false;
		c.has_sender = true;
		is_first = false;
	}
	if (read_label(&at, is_first, MG_STR("to=<"))) {
		if (!mg_line_read_address(&at, &c.recipient))
			return false;
		is_first = false;
	}
	if (read_label(&at, is_first, MG_STR("proto="))) {
		size_t n = 0;

		while (n < at.n && ((at.p[n] >= 'A' && at.p[n] <= 'Z') || is_digit(at.p[n])))
			n++;
		c.proto = mg_str_first(at, n);
		at = mg_str_from(at, n);
		is_first = false;
	}
	if (read_label(&at, is_first, MG_STR("helo=<"))) {
		if (!read_helo(&at, &c.helo))
			return false;
		is_first = false;
	}
	if (is_first)
		return false;
	while (read_extra(&at, &key, &value))
		if (mg_str_eq(key, MG_STR("sasl_username")))
			c.user = value;
	*rest = at;
	*context_out = c;
	return true;
}

void mg_line_put_context(const struct mg_line_context *context, struct mg_log_line *line)
{
	line->sender = context->sender;
	line->has_sender = context->has_sender;
	line->recipient = context->recipient;
	line->proto = context->proto;
	line->helo = context->helo;
	line->user = context->user;
}
