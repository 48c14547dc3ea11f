/* What may stand before and behind a number decides whether it is a code. */
#include "explain/codes.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_any(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char at_of(struct mg_str text, size_t at)
{
	return at < text.n ? text.p[at] : '\0';
}

static char before_of(struct mg_str text, size_t at)
{
	return at > 0 && at <= text.n ? text.p[at - 1] : '\0';
}

bool mg_is_basic(struct mg_str text, size_t at)
{
	char before = before_of(text, at), next = at_of(text, at + 3), beyond = at_of(text, at + 4);

	if (at + 3 > text.n || text.p[at] < '2' || text.p[at] > '5' || !is_digit(text.p[at + 1]) ||
		!is_digit(text.p[at + 2]))
		return false;
	if (is_digit(before) || is_letter(before) || is_any(before, "._-/[@$%+&~^"))
		return false;
	if (before == ':' && at >= 2 && is_digit(text.p[at - 2]))
		return false; /* a time, a port */
	if (is_digit(next) || is_letter(next) || is_any(next, "_/@]%$=+[\\"))
		return false;
	if ((next == '.' || next == ',' || next == ':') && is_digit(beyond) && mg_enhanced_length(text, at + 4) == 0)
		return false; /* an address, a version, a time */
	if (next == '-' && is_digit(beyond) && mg_enhanced_length(text, at + 4) == 0)
		return false;
	return !mg_str_starts(mg_str_from(text, at), MG_STR("587")) &&
	       !mg_str_starts(mg_str_from(text, at), MG_STR("465")); /* ports, and no code of anybody's */
}

static size_t digits_at(struct mg_str text, size_t at, size_t most)
{
	size_t n = 0;

	while (n <= most && is_digit(at_of(text, at + n)))
		n++;
	return n > most ? 0 : n;
}

static bool ends_enhanced(struct mg_str text, size_t end)
{
	char next = at_of(text, end);

	if (is_digit(next) || is_letter(next) || is_any(next, "_/@-="))
		return false;
	return !(next == '.' && (is_digit(at_of(text, end + 1)) || is_letter(at_of(text, end + 1))));
}

size_t mg_enhanced_length(struct mg_str text, size_t at)
{
	char class = at_of(text, at), before = before_of(text, at);
	size_t subject, detail;

	if ((class != '2' && class != '4' && class != '5') || at_of(text, at + 1) != '.')
		return 0;
	if (is_digit(before) || is_letter(before) || before == '.' || before == '_' || before == '/' || before == '@')
		return 0;
	if (before == '-' &&
		(at < 4 || !is_digit(text.p[at - 2]) || !is_digit(text.p[at - 3]) || !is_digit(text.p[at - 4])))
		return 0;
	subject = digits_at(text, at + 2, 3);
	if (subject == 0 || at_of(text, at + 2 + subject) != '.')
		return 0;
	detail = digits_at(text, at + 3 + subject, 3);
	if (detail == 0 || !ends_enhanced(text, at + 3 + subject + detail))
		return 0;
	return 3 + subject + detail;
}

/* The codes that servers really send (RFC 5321 and its extensions). */
static bool is_usual(struct mg_str text, size_t at)
{
	static const char usual[] =
		"211 214 220 221 235 250 251 252 334 354 421 430 432 450 451 452 453 454 455 458 459 471 500 501 502 503 504 510 511 "
		"512 513 515 517 521 523 525 530 531 533 534 535 538 540 541 542 543 544 546 547 550 551 552 553 554 555 556 557 570 571 ";

	return mg_str_find_str(mg_str_z(usual), mg_str_of(text.p + at, 3)) != SIZE_MAX;
}

static bool is_word_of(const char *const words[], size_t count, struct mg_str word)
{
	for (size_t i = 0; i < count; i++)
		if (mg_str_eq_nocase(word, mg_str_z(words[i])))
			return true;
	return false;
}
#define IS_WORD_OF(words, word) is_word_of(words, sizeof(words) / sizeof(words)[0], word)

/* "250 messages", "450 KB": a quantity. */
static bool is_quantity(struct mg_str text, size_t at)
{
	static const char *const units[] = { "messages", "mails", "emails", "e-mails", "bytes", "octets", "kb", "mb",
		"gb", "tb", "kib", "mib", "gib", "recipients", "users", "seconds", "secs", "sec", "s", "ms", "minutes",
		"min", "mins", "hours", "h", "days", "d", "times", "connections", "destinations", "lines", "people",
		"errors", "attempts", "accounts", "mensajes", "correos", "usuarios", "segundos", "minutos", "horas",
		"d\303\255as", "dias", "bytes,", "percent", "hosts", "servers", "files", "items", "entries", "k", "m",
		"per", "in", "and", "or", "of", "mailboxes", "domains", "queued", "deferred", "euros", "requests",
		"kbytes", "mbytes" };
	struct mg_str behind = mg_str_from(text, at + 3), word;

	if (behind.n == 0 || !is_blank(behind.p[0]))
		return false;
	return mg_read_word(&behind, " \t\r\n.,;:!?()", &word) && IS_WORD_OF(units, word);
}

/* The word before `at`, without the blanks, colons, quotes and equals signs between. */
static struct mg_str word_before(struct mg_str text, size_t at)
{
	size_t end = at, from;

	while (end > 0 && (is_blank(text.p[end - 1]) || is_any(text.p[end - 1], ":='\"#(<")))
		end--;
	from = end;
	while (from > 0 && end - from < 32 && (is_letter(text.p[from - 1]) || text.p[from - 1] == '_'))
		from--;
	return mg_str_of(text.p + from, end - from);
}

static bool is_behind_marker(struct mg_str text, size_t at)
{
	static const char *const words[] = { "said", "me", "smtp", "esmtp", "error", "code", "codes", "status", "reply",
		"response", "responded", "replied", "answer", "answered", "returned", "returns", "returning", "with",
		"codigo", "c\303\263digo", "rejected", "refused", "got", "failed", "respuesta", "dice", "dijo",
		"devuelve", "devolvi\303\263", "smtp_code", "statuscode", "an", "un", "received", "lmtp" };

	return IS_WORD_OF(words, word_before(text, at));
}

static bool is_of_something_else(struct mg_str text, size_t at)
{
	static const char *const words[] = { "size", "port", "id", "pid", "uid", "gid", "nrcpt", "limit", "delay",
		"count", "total", "line", "number", "order", "invoice", "ticket", "connections", "process", "puerto",
		"pedido", "tama\303\261o", "factura", "most", "least", "than", "up", "version", "max", "min", "length",
		"age", "bytes", "page", "room", "queue" };

	return IS_WORD_OF(words, word_before(text, at));
}

/* At the start of the line, apart from what dialogues put before a reply. */
static bool is_at_start(struct mg_str line, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!is_blank(line.p[i]) && !is_any(line.p[i], "<>*-~|#'\"(") &&
			!((line.p[i] == 'S' || line.p[i] == 's') && at_of(line, i + 1) == ':') &&
			!(line.p[i] == ':' && i > 0 && (line.p[i - 1] == 'S' || line.p[i - 1] == 's')))
			return false;
	return true;
}

/* An enhanced code stands right behind the basic one at `at`: its place, or SIZE_MAX. */
static size_t attached(struct mg_str text, size_t at)
{
	size_t place = at + 3;

	if (at_of(text, place) == '-' && mg_enhanced_length(text, place + 1) > 0)
		return place + 1;
	while (place < text.n && (is_blank(text.p[place]) || is_any(text.p[place], "#-:,;([")) && place < at + 8)
		place++;
	return place > at + 3 && mg_enhanced_length(text, place) > 0 ? place : SIZE_MAX;
}

static bool is_before_text(struct mg_str text, size_t at)
{
	char next = at_of(text, at + 3), beyond = at_of(text, at + 4);

	if (next == '\0' || next == ')' || next == '\'' || next == '"')
		return true;
	return (is_blank(next) || next == '-' || next == ':') &&
	       (is_letter(beyond) || is_any(beyond, "<[\"'*({#") || beyond == '\0');
}

static bool is_code(struct mg_str line, size_t at, bool is_first_line)
{
	char before;

	if (!mg_is_basic(line, at))
		return false;
	if (attached(line, at) != SIZE_MAX)
		return !is_of_something_else(line, at);
	if (is_quantity(line, at))
		return false;
	if (is_at_start(line, at))
		return is_usual(line, at) ? is_before_text(line, at) || is_blank(at_of(line, at + 3))
					  : is_first_line && (is_before_text(line, at) || mg_str_trim(line).n == 3);
	if (!is_usual(line, at) || !is_before_text(line, at) || is_of_something_else(line, at))
		return false;
	if (is_behind_marker(line, at))
		return true;
	before = before_of(line, at);
	if (is_blank(before) && at >= 2)
		before = line.p[at - 2];
	return is_any(before, ":;('\"<>") && at_of(line, at + 3) != ')';
}

/* Versions have three parts as well. */
static bool is_version(struct mg_str text, size_t at)
{
	static const char *const programs[] = { "postfix", "exim", "dovecot", "sendmail", "version", "release",
		"openssl", "python", "php", "mysql", "mariadb", "linux", "kernel", "debian", "ubuntu", "roundcube",
		"spamassassin", "amavis", "clamav", "rspamd", "thunderbird", "ver", "v", "build", "nginx", "apache",
		"mta", "server", "esmtp", "versi\303\263n", "qpsmtpd", "haraka", "zimbra", "exchange", "outlook",
		"mailguard", "ip", "address" };

	return IS_WORD_OF(programs, word_before(text, at));
}

/* RFC 3463 knows the subjects 0 to 7. */
static bool is_subject(struct mg_str text, size_t at)
{
	return at_of(text, at + 3) == '.' && text.p[at + 2] <= '7';
}

static bool is_enhanced(struct mg_str line, size_t at)
{
	size_t length = mg_enhanced_length(line, at);

	if (length == 0 || is_version(line, at))
		return false;
	if (mg_str_trim(line).n == length)
		return true;
	if (!is_subject(line, at) && !is_at_start(line, at) && !is_behind_marker(line, at))
		return false;
	return before_of(line, at) != '=' || mg_str_eq_nocase(word_before(line, at), MG_STR("dsn")) ||
	       is_behind_marker(line, at);
}

bool mg_codes_find(struct mg_str line, bool is_first_line, struct mg_codes *codes_out)
{
	*codes_out = (struct mg_codes){ SIZE_MAX, SIZE_MAX, 0 };
	for (size_t at = 0; at < line.n; at++) {
		if (!is_digit(line.p[at]))
			continue;
		if (codes_out->enhanced_at == SIZE_MAX && is_enhanced(line, at)) {
			codes_out->enhanced_at = at;
			codes_out->enhanced_length = mg_enhanced_length(line, at);
		}
		if (!is_code(line, at, is_first_line))
			continue;
		if (codes_out->enhanced_at != SIZE_MAX && line.p[codes_out->enhanced_at] != line.p[at])
			return true; /* what ours quotes */
		codes_out->basic_at = at;
		if (codes_out->enhanced_at == SIZE_MAX && attached(line, at) != SIZE_MAX) {
			codes_out->enhanced_at = attached(line, at);
			codes_out->enhanced_length = mg_enhanced_length(line, codes_out->enhanced_at);
		}
		return true;
	}
	return codes_out->enhanced_at != SIZE_MAX;
}

bool mg_codes_find_enhanced(struct mg_str text, size_t at, const char *basic, size_t *at_out, size_t *length_out)
{
	for (size_t i = at; i < text.n; i++) {
		bool is_same = mg_is_basic(text, i) && memcmp(text.p + i, basic, 3) == 0;
		size_t place = is_same ? attached(text, i) : SIZE_MAX;

		if (place == SIZE_MAX && text.p[i] == basic[0] && mg_enhanced_length(text, i) > 0 &&
			!is_version(text, i) && before_of(text, i) != '=' && is_subject(text, i))
			place = i;
		if (place == SIZE_MAX)
			continue;
		*at_out = place;
		*length_out = mg_enhanced_length(text, place);
		return true;
	}
	return false;
}
