/* Nearly every address is plain and short and is written where it is wanted at once; the others go the long way, over a buffer
 * with the spelling undone and one with what is left escaped. */
#include "guard/key.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/hash.h"
#include "mail/address.h"

enum {
	LONGEST = 1 << 20,
	BEGINNING = 40
}; /* bytes: of a text that is spelled out at all; of a hashed one's beginning */

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != ',' && c != '\\' && c != '"';
}

static size_t plain_bytes(struct mg_str text)
{
	size_t n = 0;

	while (n < text.n && is_plain(text.p[n]))
		n++;
	return n;
}

/* "BEGINNING~HASH" of `text`, the same on every machine. */
static void write_hashed(struct mg_str text, char *place, size_t size)
{
	static const uint64_t keys[2][2] = { { 0x6d61696c67756172, 1 }, { 0x6d61696c67756172, 2 } };
	struct mg_str beginning = mg_str_first(text, BEGINNING);

	beginning.n = plain_bytes(beginning);
	(void)snprintf(place, size, "%.*s~%016llx%016llx", MG_STR_ARGS(beginning),
		(unsigned long long)mg_hash_under(keys[0], text), (unsigned long long)mg_hash_under(keys[1], text));
}

static void add_without_commas(struct mg_buf *out, struct mg_str text)
{
	size_t comma;

	while ((comma = mg_str_find(text, ',')) != SIZE_MAX) {
		mg_buf_add(out, mg_str_first(text, comma));
		mg_buf_addz(out, "\\x2c");
		text = mg_str_from(text, comma + 1);
	}
	mg_buf_add(out, text);
}

static void write_escaped(struct mg_str text, char *place, size_t size)
{
	struct mg_buf escaped, out;

	mg_buf_init(&escaped, LONGEST);
	mg_buf_init(&out, LONGEST);
	mg_escape_quoted(&escaped, text, SIZE_MAX);
	add_without_commas(&out, mg_buf_str(&escaped));
	if (mg_buf_ok(&escaped) && mg_buf_ok(&out) && out.n < size)
		(void)mg_str_copy(place, size, mg_buf_str(&out));
	else
		write_hashed(text, place, size);
	mg_buf_fini(&escaped);
	mg_buf_fini(&out);
}

/* `text` in lower case. */
static void write_text(struct mg_str text, char *place, size_t size)
{
	if (text.n >= size)
		write_hashed(text, place, size);
	else if (plain_bytes(text) < text.n)
		write_escaped(text, place, size);
	else
		(void)mg_str_copy(place, size, text);
}

static void add_lower(struct mg_buf *out, struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		mg_buf_addc(out, text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] | 0x20) : text.p[i]);
}

static bool is_quoted(struct mg_str local)
{
	return local.n >= 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';
}

/* What stands between the quotes, backslashes resolved, up to a +tag. */
static void add_unquoted(struct mg_buf *out, struct mg_str local)
{
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '+' && out->n > 0)
			return;
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		add_lower(out, mg_str_of(local.p + i, 1));
	}
}

/* Without the +tag, unless that is all there is. */
static struct mg_str fold(struct mg_str local)
{
	size_t plus = mg_str_find(local, '+');

	return plus == SIZE_MAX || plus == 0 ? local : mg_str_first(local, plus);
}

static void write_folded(struct mg_str local, struct mg_str rest, char *place, size_t size)
{
	struct mg_buf plain;

	mg_buf_init(&plain, LONGEST);
	if (is_quoted(local))
		add_unquoted(&plain, local);
	else
		add_lower(&plain, fold(local));
	add_lower(&plain, rest);
	if (mg_buf_ok(&plain) && plain.n > 0)
		write_text(mg_buf_str(&plain), place, size);
	else
		write_hashed(local.n > 0 ? local : rest, place, size);
	mg_buf_fini(&plain);
}

/* False: it takes the long way. */
static bool write_plain(struct mg_str text, char *place, size_t size)
{
	if (text.n >= size || plain_bytes(text) < text.n)
		return false;
	(void)mg_str_copy(place, size, text);
	mg_lower(place);
	return true;
}

static struct mg_str without_final_dot(struct mg_str domain)
{
	return domain.n > 1 && domain.p[domain.n - 1] == '.' ? mg_str_first(domain, domain.n - 1) : domain;
}

bool mg_key_address(struct mg_str address, char *place, size_t size)
{
	size_t at = mg_str_rfind(address, '@');
	struct mg_str local = mg_str_first(address, at), rest = { 0 };

	if (address.n == 0)
		return false;
	if (at != SIZE_MAX)
		rest = without_final_dot(mg_str_from(address, at));
	if (fold(local).n < local.n || !write_plain(mg_str_first(address, local.n + rest.n), place, size))
		write_folded(local, rest, place, size);
	return true;
}

bool mg_key_domain(struct mg_str domain, char *place, size_t size)
{
	domain = without_final_dot(domain);
	if (domain.n > 0 && !write_plain(domain, place, size))
		write_folded(mg_str_first(domain, 0), domain, place, size);
	return domain.n > 0;
}

bool mg_key_client_net(const struct mg_ip *client, char *place, size_t size)
{
	char text[MG_IP_TEXT];
	struct mg_ip net = { .family = client->family };

	if (client->family == MG_IP_NONE)
		return false;
	memcpy(net.bytes, client->bytes, client->family == MG_IP_V4 ? 3 : 8);
	(void)snprintf(place, size, "%s/%d", mg_ip_text(&net, text, sizeof text), client->family == MG_IP_V4 ? 24 : 64);
	return true;
}
