#include "conf/store_url.h"

#include <stdio.h>

#include "base/i18n.h"
#include "base/ip.h"
#include "conf/check.h"

enum { DATABASE_MAX = 1000000 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte behind a "%" at the start of *rest; -1: no two digits. */
static int read_escape(struct mg_str *rest)
{
	int high = rest->n >= 3 ? hex_digit(rest->p[1]) : -1;
	int low = rest->n >= 3 ? hex_digit(rest->p[2]) : -1;

	if (high < 0 || low < 0)
		return -1;
	*rest = mg_str_from(*rest, 3);
	return high * 16 + low;
}

/* Into `place` with its final NUL. False: too long, a control byte, or a "%" without its two digits. */
static bool decode(struct mg_str text, char *place, size_t size)
{
	size_t n = 0;

	while (text.n > 0) {
		int c = (unsigned char)text.p[0];

		if (c == '%')
			c = read_escape(&text);
		else
			text = mg_str_from(text, 1);
		if (c < 0x20 || c == 0x7f || n + 1 >= size)
			return false;
		place[n++] = (char)c;
	}
	place[n] = '\0';
	return true;
}

static bool read_database(struct mg_str text, struct mg_store_url *url)
{
	uint64_t database = 0;

	if (text.n > 0 && !mg_str_to_u64(text, DATABASE_MAX, &database))
		return false;
	url->database = (unsigned)database;
	return true;
}

/* "USER:PASSWORD", "USER", ":PASSWORD". */
static bool read_account(struct mg_str text, struct mg_store_url *url)
{
	struct mg_str user = mg_str_cut(&text, ':');

	return decode(user, url->user, sizeof url->user) && decode(text, url->password, sizeof url->password);
}

static bool read_port(struct mg_str text, struct mg_store_url *url)
{
	uint64_t port;

	if (!mg_str_to_u64(text, 65535, &port) || port == 0)
		return false;
	url->port = (uint16_t)port;
	return true;
}

/* "HOST", "HOST:PORT", "[ADDRESS6]:PORT". */
static bool read_host(struct mg_str text, struct mg_store_url *url)
{
	size_t colon = mg_str_rfind(text, ':'), bracket = mg_str_rfind(text, ']');
	bool is_bracketed = text.n > 0 && text.p[0] == '[';

	if (colon != SIZE_MAX && (bracket == SIZE_MAX || colon > bracket)) {
		if (!read_port(mg_str_from(text, colon + 1), url))
			return false;
		text = mg_str_first(text, colon);
	}
	if (mg_check_host(text, NULL) != MG_OK || (!is_bracketed && mg_str_find(text, ':') != SIZE_MAX))
		return false;
	if (is_bracketed)
		text = mg_str_first(mg_str_from(text, 1), text.n - 2);
	return mg_str_copy(url->host, sizeof url->host, text);
}

static bool read_net(struct mg_str rest, struct mg_store_url *url)
{
	size_t at = mg_str_rfind(rest, '@');
	struct mg_str host;

	if (at != SIZE_MAX && !read_account(mg_str_first(rest, at), url))
		return false;
	rest = mg_str_from(rest, at == SIZE_MAX ? 0 : at + 1);
	host = mg_str_cut(&rest, '/');
	url->port = 6379;
	return read_host(host, url) && read_database(rest, url);
}

static bool read_unix(struct mg_str rest, struct mg_store_url *url)
{
	struct mg_str path = mg_str_cut(&rest, '?');

	if (rest.n > 0 && !(mg_read_token(&rest, MG_STR("db=")) && rest.n > 0))
		return false;
	return path.n > 1 && path.p[0] == '/' && decode(path, url->path, sizeof url->path) && read_database(rest, url);
}

static bool read_url(struct mg_str rest, struct mg_store_url *url)
{
	if (mg_str_eq(rest, MG_STR("memory"))) {
		url->kind = MG_STORE_MEMORY;
		return true;
	}
	if (mg_read_token(&rest, MG_STR("redis+unix://"))) {
		url->kind = MG_STORE_UNIX;
		return read_unix(rest, url);
	}
	if (mg_read_token(&rest, MG_STR("rediss://"))) {
		url->kind = MG_STORE_TLS;
		return read_net(rest, url);
	}
	url->kind = MG_STORE_TCP;
	return mg_read_token(&rest, MG_STR("redis://")) && read_net(rest, url);
}

/* What is too long is cut: it is for people. */
static void show(struct mg_store_url *url)
{
	const char *scheme = url->kind == MG_STORE_TLS ? "rediss" : "redis";
	bool is_address6 = strchr(url->host, ':') != NULL;
	int n = 0;

	if (url->kind == MG_STORE_MEMORY)
		n = snprintf(url->shown, sizeof url->shown, "memory");
	else if (url->kind == MG_STORE_UNIX)
		n = snprintf(url->shown, sizeof url->shown, "redis+unix://%s?db=%u", url->path, url->database);
	else
		n = snprintf(url->shown, sizeof url->shown, "%s://%s%.*s%s:%u/%u", scheme, is_address6 ? "[" : "", 120,
			url->host, is_address6 ? "]" : "", url->port, url->database);
	if (n < 0)
		url->shown[0] = '\0';
}

/* The value may hold a password: it is never shown. */
enum mg_rc mg_store_url_parse(struct mg_str text, struct mg_store_url *url_out, struct mg_err *err)
{
	*url_out = (struct mg_store_url){ 0 };
	if (read_url(text, url_out)) {
		show(url_out);
		return MG_OK;
	}
	explicit_bzero(url_out, sizeof *url_out);
	return mg_err_set(err, MG_ESYNTAX,
		_("this is no store; write \"memory\", \"redis://HOST:PORT/DB\", \"rediss://...\" or \"redis+unix:///PATH\""));
}
