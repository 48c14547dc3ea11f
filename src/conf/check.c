#include "conf/check.h"

#include <netinet/in.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "base/ip.h"
#include "conf/store_url.h"

enum { SHOWN = 48, DOMAIN_MAX = 253, LABEL_MAX = 63, NAME_MAX_BYTES = 63 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

const char *mg_quoted(char place[MG_QUOTED], struct mg_str word)
{
	struct mg_buf text;

	mg_buf_init(&text, MG_QUOTED - 1);
	mg_buf_addc(&text, '"');
	mg_escape_quoted(&text, word, SHOWN);
	mg_buf_addc(&text, '"');
	mg_str_copy(place, MG_QUOTED, mg_buf_str(&text));
	mg_buf_fini(&text);
	return place;
}

void mg_nearest_init(struct mg_nearest *nearest, struct mg_str word)
{
	*nearest = (struct mg_nearest){ .word = word, .distance = UINT32_MAX };
}

void mg_nearest_see(struct mg_nearest *nearest, struct mg_str candidate)
{
	unsigned distance = mg_str_distance(nearest->word, candidate);

	if (distance > 2 && nearest->word.n >= 3 && mg_str_starts_nocase(candidate, nearest->word))
		distance = 2; /* "timeout" means "timeout_ms" */
	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}

bool mg_nearest_is_near(const struct mg_nearest *nearest)
{
	return nearest->distance <= 1 + nearest->word.n / 3 && nearest->distance < nearest->word.n;
}

static bool only(struct mg_str value, const char *allowed)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\0' || strchr(allowed, value.p[i]) == NULL)
			return false;
	return true;
}

static bool has_any(struct mg_str value, const char *unwanted)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\0' || strchr(unwanted, value.p[i]) != NULL)
			return true;
	return false;
}

enum mg_rc mg_check_plain(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
			return mg_err_set(why, MG_ESYNTAX, _("%s holds a control character; take it out"),
				mg_quoted(quoted, value));
	return MG_OK;
}

static bool is_domain(struct mg_str value)
{
	struct mg_str rest = value;

	if (value.n == 0 || value.n > DOMAIN_MAX || value.p[value.n - 1] == '.')
		return false;
	while (rest.n > 0) {
		struct mg_str label = mg_str_cut(&rest, '.');

		if (label.n == 0 || label.n > LABEL_MAX || !only(label, LETTERS DIGITS "-_") || label.p[0] == '-' ||
			label.p[label.n - 1] == '-')
			return false;
	}
	return true;
}

enum mg_rc mg_check_domain(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (is_domain(value))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX,
		_("%s is no domain name; write it like \"example.com\", in ASCII form and without a final dot"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_authserv(struct mg_str value, struct mg_err *why)
{
	return value.n == 0 ? MG_OK : mg_check_domain(value, why);
}

enum mg_rc mg_check_host(struct mg_str value, struct mg_err *why)
{
	struct mg_ip ip;
	char quoted[MG_QUOTED];

	if (is_domain(value) || mg_ip_parse(value, &ip))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no host; write a name or an address, without a port"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_language(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (value.n <= NAME_MAX_BYTES && only(value, LETTERS DIGITS "_.@:-"))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no language; write \"en\", \"es\" or \"\" for the environment's"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_account(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (value.n <= NAME_MAX_BYTES && only(value, LETTERS DIGITS "_.-") && (value.n == 0 || value.p[0] != '-'))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no name of an account; write a user's or group's name"),
		mg_quoted(quoted, value));
}

/* Postfix must be able to name the socket in main.cf, where blanks, commas, braces and $ mean something. */
enum mg_rc mg_check_listen(struct mg_str value, struct mg_err *why)
{
	struct mg_endpoint endpoint;
	struct mg_err reason = { 0 };
	char quoted[MG_QUOTED];
	const struct sockaddr_in *in = (const void *)&endpoint.address; /* the port is where sockaddr_in6 has it */

	if (value.n == 0)
		return MG_OK;
	if (has_any(value, " \t,{}$\"'"))
		return mg_err_set(why, MG_ESYNTAX,
			_("%s can't be listened on: blanks, commas, braces, quotes and $ have another meaning in main.cf; choose another path"),
			mg_quoted(quoted, value));
	if (mg_endpoint_parse(value, &endpoint, &reason) != MG_OK)
		return mg_err_set(
			why, MG_ESYNTAX, _("%s can't be listened on; %s"), mg_quoted(quoted, value), reason.text);
	if (endpoint.address.ss_family != AF_UNIX && in->sin_port == 0)
		return mg_err_set(why, MG_ERANGE, _("%s can't be listened on; choose a port from 1 to 65535"),
			mg_quoted(quoted, value));
	return MG_OK;
}

enum mg_rc mg_check_path(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (value.n > 0 && value.p[0] == '/')
		return mg_check_plain(value, why);
	return mg_err_set(
		why, MG_ESYNTAX, _("%s is no absolute path; write it with a leading /"), mg_quoted(quoted, value));
}

enum mg_rc mg_check_path_none(struct mg_str value, struct mg_err *why)
{
	return value.n == 0 ? MG_OK : mg_check_path(value, why);
}

enum mg_rc mg_check_log(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];
	struct mg_str rest = value;

	if (mg_str_eq(value, MG_STR("auto")) || mg_str_eq(value, MG_STR("journald")) || mg_str_eq(value, MG_STR("off")))
		return MG_OK;
	if (mg_read_token(&rest, MG_STR("file:")))
		return mg_check_path(rest, why);
	return mg_err_set(why, MG_ESYNTAX, _("%s is no log; write \"auto\", \"journald\", \"file:/PATH\" or \"off\""),
		mg_quoted(quoted, value));
}

/* ADDRESS:PORT, an IPv6 address in brackets. */
static bool is_address_port(struct mg_str value)
{
	size_t colon = mg_str_rfind(value, ':');
	struct mg_str address = mg_str_first(value, colon);
	struct mg_ip ip;
	uint64_t port;

	if (colon == SIZE_MAX || !mg_str_to_u64(mg_str_from(value, colon + 1), 65535, &port) || port == 0)
		return false;
	return mg_ip_parse(address, &ip) && (mg_str_find(address, ':') == SIZE_MAX || address.p[0] == '[');
}

enum mg_rc mg_check_server(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (is_address_port(value))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX,
		_("%s is no resolver; write its address and port, as in \"192.0.2.53:53\" or \"[2001:db8::53]:53\""),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_ip(struct mg_str value, struct mg_err *why)
{
	struct mg_ip ip;
	char quoted[MG_QUOTED];

	if (mg_ip_parse(value, &ip))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no address; write it like \"192.0.2.1\" or \"2001:db8::1\""),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_net(struct mg_str value, struct mg_err *why)
{
	struct mg_net net;
	char quoted[MG_QUOTED];

	if (mg_net_parse(value, &net))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX,
		_("%s is no address or network; write it like \"192.0.2.0/24\" or \"2001:db8::/32\", with zeros behind the prefix"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_limit_name(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (value.n > 0 && value.n <= NAME_MAX_BYTES && only(value, LETTERS DIGITS "_.-"))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no name for a limit; use 1 to 63 letters, digits, dots, - and _"),
		mg_quoted(quoted, value));
}

static enum mg_rc check_key_word(struct mg_str word, struct mg_err *why)
{
	static const char *const keys[] = { "client", "client_net", "user", "sender", "sender_domain", "recipient",
		"recipient_domain" };
	struct mg_nearest nearest;
	char quoted[MG_QUOTED];

	mg_nearest_init(&nearest, word);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (mg_str_eq(word, mg_str_z(keys[i])))
			return MG_OK;
		mg_nearest_see(&nearest, mg_str_z(keys[i]));
	}
	if (mg_nearest_is_near(&nearest))
		return mg_err_set(why, MG_ESYNTAX, _("%s is no key; did you mean \"%.*s\"?"), mg_quoted(quoted, word),
			MG_STR_ARGS(nearest.best));
	return mg_err_set(why, MG_ESYNTAX,
		_("%s is no key; write client, client_net, user, sender, sender_domain, recipient or recipient_domain"),
		mg_quoted(quoted, word));
}

enum mg_rc mg_check_limit_key(struct mg_str value, struct mg_err *why)
{
	struct mg_str rest = value, first = mg_str_cut(&rest, '+');
	char quoted[MG_QUOTED];
	enum mg_rc rc = check_key_word(first, why);

	if (rc != MG_OK || first.n == value.n)
		return rc;
	if (mg_str_find(rest, '+') != SIZE_MAX)
		return mg_err_set(
			why, MG_ESYNTAX, _("%s joins more than two keys; join at most two"), mg_quoted(quoted, value));
	if ((rc = check_key_word(rest, why)) != MG_OK)
		return rc;
	if (mg_str_eq(first, rest))
		return mg_err_set(
			why, MG_ESYNTAX, _("%s joins a key with itself; write it once"), mg_quoted(quoted, value));
	return MG_OK;
}

enum mg_rc mg_check_except(struct mg_str value, struct mg_err *why)
{
	if (mg_str_trim(value).n == 0)
		return mg_err_set(why, MG_ESYNTAX, _("an exception is empty; write a key or take it out"));
	return mg_check_plain(value, why);
}

enum mg_rc mg_check_selector(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (is_domain(value))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no selector; write what stands before ._domainkey"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_id(struct mg_str value, struct mg_err *why)
{
	char quoted[MG_QUOTED];

	if (value.n > 0 && value.n <= NAME_MAX_BYTES && mg_str_find(value, '.') != SIZE_MAX &&
		only(value, "abcdefghijklmnopqrstuvwxyz" DIGITS "_.-"))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX,
		_("%s is no health check; write an id such as \"queue.deferred\" (mailguardctl check --list names them)"),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_mail(struct mg_str value, struct mg_err *why)
{
	size_t at = mg_str_rfind(value, '@');
	char quoted[MG_QUOTED];

	if (value.n == 0)
		return MG_OK;
	if (value.p[0] != '-' && !has_any(value, " \t,<>\"\\") && mg_check_plain(value, NULL) == MG_OK &&
		(at == SIZE_MAX || (at > 0 && is_domain(mg_str_from(value, at + 1)))))
		return MG_OK;
	return mg_err_set(why, MG_ESYNTAX, _("%s is no mail address; write one like \"postmaster@example.com\""),
		mg_quoted(quoted, value));
}

/* HOST or HOST:PORT or [ADDRESS6]:PORT. */
static bool is_host_port(struct mg_str value)
{
	size_t colon = mg_str_rfind(value, ':'), bracket = mg_str_rfind(value, ']');
	uint64_t port;

	if (colon != SIZE_MAX && (bracket == SIZE_MAX || colon > bracket)) {
		if (!mg_str_to_u64(mg_str_from(value, colon + 1), 65535, &port) || port == 0)
			return false;
		value = mg_str_first(value, colon);
	}
	return mg_check_host(value, NULL) == MG_OK && (mg_str_find(value, ':') == SIZE_MAX || value.p[0] == '[');
}

enum mg_rc mg_check_webhook(struct mg_str value, struct mg_err *why)
{
	struct mg_str rest = value, host;
	char quoted[MG_QUOTED];

	if (value.n == 0)
		return MG_OK;
	if ((mg_read_token(&rest, MG_STR("https://")) || mg_read_token(&rest, MG_STR("http://"))) &&
		!has_any(rest, " \t\"<>\\") && mg_check_plain(rest, NULL) == MG_OK) {
		host = mg_str_cut(&rest, '/');
		host = mg_str_from(host, mg_str_rfind(host, '@') == SIZE_MAX ? 0 : mg_str_rfind(host, '@') + 1);
		if (is_host_port(mg_str_cut(&host, '?')))
			return MG_OK;
	}
	return mg_err_set(why, MG_ESYNTAX, _("%s is no URL; write one like \"https://example.com/hook\""),
		mg_quoted(quoted, value));
}

enum mg_rc mg_check_store(struct mg_str value, struct mg_err *why)
{
	struct mg_store_url url;
	enum mg_rc rc = mg_store_url_parse(value, &url, why);

	explicit_bzero(&url, sizeof url);
	return rc;
}
