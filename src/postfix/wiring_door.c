#include "postfix/wiring_door.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/ip.h"
#include "postfix/restrictions.h"

enum { PATH_BYTES = 512 };

static struct mg_str inside(struct mg_str word)
{
	word = mg_str_trim(word);
	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		return mg_str_trim(mg_str_of(word.p + 1, word.n - 2));
	return word;
}

struct mg_str mg_door_server(struct mg_str word)
{
	struct mg_str rest = inside(word), server = { 0 };

	(void)mg_postfix_word(&rest, &server);
	return server;
}

struct mg_str mg_door_attribute(struct mg_str word, struct mg_str name)
{
	struct mg_str rest = inside(word), item;

	while (mg_postfix_word(&rest, &item)) { /* name=value, name = value, { name = value } */
		struct mg_str pair = inside(item), key;

		if (mg_str_find(pair, '=') == SIZE_MAX) {
			struct mg_str ahead = rest, equals;

			if (!mg_str_eq(pair, name) || !mg_postfix_word(&ahead, &equals) || equals.p[0] != '=')
				continue;
			if (equals.n > 1)
				return mg_str_from(equals, 1);
			return mg_postfix_word(&ahead, &item) ? item : MG_STR("");
		}
		key = mg_str_trim(mg_str_cut(&pair, '='));
		if (mg_str_eq(key, name))
			return pair.n > 0 ? mg_str_trim(pair) : mg_postfix_word(&rest, &item) ? item : MG_STR("");
	}
	return MG_STR("");
}

/* An absolute path without doubled slashes, "." parts and a final slash; ".." stays, and matches nothing of ours. */
static bool normal_path(struct mg_str base, struct mg_str path, char place[PATH_BYTES])
{
	struct mg_str parts[2] = { base, path };
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		while (parts[i].n > 0) {
			struct mg_str part = mg_str_cut(&parts[i], '/');

			if (part.n == 0 || mg_str_eq(part, MG_STR(".")))
				continue;
			if (n + part.n + 2 > PATH_BYTES)
				return false;
			place[n++] = '/';
			memcpy(place + n, part.p, part.n);
			n += part.n;
		}
	}
	place[n] = '\0';
	return n > 0;
}

static enum mg_door_match match_unix(
	struct mg_str path, struct mg_str ours, const char *queue_directory, bool is_chroot)
{
	struct mg_str queue = mg_str_z(queue_directory);
	bool is_absolute = path.n > 0 && path.p[0] == '/';
	char there[PATH_BYTES], here[PATH_BYTES];

	if (path.n == 0 || !normal_path(MG_STR(""), ours, here))
		return MG_DOOR_OTHER;
	if (normal_path(is_absolute && !is_chroot ? MG_STR("") : queue, path, there) && strcmp(here, there) == 0)
		return MG_DOOR_OURS;
	if (is_absolute && is_chroot && normal_path(MG_STR(""), path, there) && strcmp(here, there) == 0)
		return MG_DOOR_UNREACHABLE;
	return MG_DOOR_OTHER;
}

/* HOST:PORT, [HOST6]:PORT, PORT@HOST, and PORT alone, which Postfix takes for this host. */
static bool split_inet(struct mg_str text, struct mg_str *host_out, uint64_t *port_out)
{
	size_t at = mg_str_find(text, '@'), colon = mg_str_rfind(text, ':');

	if (at != SIZE_MAX) {
		*host_out = mg_str_from(text, at + 1);
		return mg_str_to_u64(mg_str_first(text, at), 65535, port_out);
	}
	*host_out = colon == SIZE_MAX ? MG_STR("localhost") : mg_str_first(text, colon);
	return mg_str_to_u64(colon == SIZE_MAX ? text : mg_str_from(text, colon + 1), 65535, port_out);
}

static bool is_wildcard(const struct mg_ip *ip)
{
	static const unsigned char zero[16];

	return memcmp(ip->bytes, zero, sizeof zero) == 0;
}

static bool match_inet(struct mg_str text, const struct mg_endpoint *ours)
{
	struct mg_str host;
	struct mg_ip there, here;
	uint64_t port;
	unsigned our_port;
	bool is_local_name;

	if (!split_inet(text, &host, &port) || !mg_ip_from_sockaddr((const void *)&ours->address, &here, &our_port) ||
		port != our_port)
		return false;
	is_local_name = mg_str_eq_nocase(host, MG_STR("localhost")) || mg_str_eq_nocase(host, MG_STR("ip6-localhost"));
	if (is_local_name)
		return mg_ip_is_loopback(&here) || is_wildcard(&here);
	if (!mg_ip_parse(host, &there))
		return false;
	return mg_ip_eq(&here, &there) || (is_wildcard(&here) && mg_ip_is_loopback(&there));
}

enum mg_door_match mg_door_match(struct mg_str server, const char *listen, const char *queue_directory, bool is_chroot)
{
	struct mg_str ours = mg_str_z(listen);
	struct mg_endpoint endpoint;
	bool is_unix = mg_read_token(&ours, MG_STR("unix:"));

	if (mg_read_token(&server, MG_STR("unix:")) || mg_read_token(&server, MG_STR("local:")))
		return is_unix ? match_unix(server, ours, queue_directory, is_chroot) : MG_DOOR_OTHER;
	if (!mg_read_token(&server, MG_STR("inet:")) && !mg_read_token(&server, MG_STR("inet6:")))
		return MG_DOOR_OTHER;
	if (is_unix || mg_endpoint_parse(mg_str_z(listen), &endpoint, NULL) != MG_OK)
		return MG_DOOR_OTHER;
	return match_inet(server, &endpoint) ? MG_DOOR_OURS : MG_DOOR_OTHER;
}

static bool name_inet(const char *listen, char *place, size_t size)
{
	struct mg_endpoint endpoint;
	struct mg_ip ip;
	unsigned port;
	char text[MG_IP_TEXT];
	int n;

	if (mg_endpoint_parse(mg_str_z(listen), &endpoint, NULL) != MG_OK ||
		!mg_ip_from_sockaddr((const void *)&endpoint.address, &ip, &port))
		return false;
	if (is_wildcard(&ip))
		n = snprintf(place, size, "inet:%s:%u", ip.family == MG_IP_V6 ? "[::1]" : "127.0.0.1", port);
	else
		n = snprintf(place, size, ip.family == MG_IP_V6 ? "inet:[%s]:%u" : "inet:%s:%u",
			mg_ip_text(&ip, text, sizeof text), port);
	return n > 0 && (size_t)n < size;
}

bool mg_door_name(const char *listen, const char *queue_directory, bool is_chroot, char *place, size_t size)
{
	struct mg_str path = mg_str_z(listen);
	char here[PATH_BYTES], queue[PATH_BYTES];
	int n;

	place[0] = '\0';
	if (!mg_read_token(&path, MG_STR("unix:")))
		return name_inet(listen, place, size);
	if (!normal_path(MG_STR(""), path, here))
		return false;
	path = mg_str_z(here);
	if (normal_path(MG_STR(""), mg_str_z(queue_directory), queue) && mg_read_token(&path, mg_str_z(queue)) &&
		mg_read_token(&path, MG_STR("/"))) {
		n = snprintf(place, size, "unix:%.*s", MG_STR_ARGS(path)); /* right with and without chroot */
		return n > 0 && (size_t)n < size;
	}
	n = snprintf(place, size, "unix:%s", here);
	return n > 0 && (size_t)n < size && !is_chroot;
}
