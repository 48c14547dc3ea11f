#include "dns/resolver_address.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum { DNS_PORT = 53, RESOLV_CONF_BYTES = 16 * 1024 };

static bool read_port(struct mg_str text, unsigned *port_out)
{
	uint64_t port;

	if (!mg_str_to_u64(text, 65535, &port) || port == 0)
		return false;
	*port_out = (unsigned)port;
	return true;
}

/* Where the ':' of the port is; SIZE_MAX: no port. A bare IPv6 address has several colons and no port. */
static size_t port_colon(struct mg_str text)
{
	size_t first = mg_str_find(text, ':'), last = mg_str_rfind(text, ':');

	if (mg_str_starts(text, MG_STR("[")))
		return last != SIZE_MAX && last > 0 && text.p[last - 1] == ']' ? last : SIZE_MAX;
	return first == last ? first : SIZE_MAX;
}

bool mg_server_address_parse(struct mg_str text, struct mg_server_address *address_out)
{
	size_t colon = port_colon(text);

	*address_out = (struct mg_server_address){ .port = DNS_PORT };
	if (colon != SIZE_MAX && !read_port(mg_str_from(text, colon + 1), &address_out->port))
		return false;
	return mg_ip_parse(mg_str_first(text, colon), &address_out->ip);
}

const char *mg_server_address_text(const struct mg_server_address *address, char *place, size_t size)
{
	char ip[MG_IP_TEXT];

	mg_ip_text(&address->ip, ip, sizeof ip);
	(void)snprintf(place, size, address->ip.family == MG_IP_V6 ? "[%s]:%u" : "%s:%u", ip, address->port);
	return place;
}

bool mg_server_address_eq(const struct mg_server_address *a, const struct mg_server_address *b)
{
	return a->port == b->port && mg_ip_eq(&a->ip, &b->ip);
}

enum mg_rc mg_server_list_of(
	const struct mg_resolver_options *options, struct mg_server_list *list_out, struct mg_err *err)
{
	*list_out = (struct mg_server_list){ .count = options->server_count };
	if (options->server_count > MG_RESOLVER_SERVERS)
		return mg_err_set(err, MG_ERANGE, "%zu DNS servers are too many: name at most %d",
			options->server_count, (int)MG_RESOLVER_SERVERS);
	for (size_t i = 0; i < options->server_count; i++)
		if (!mg_server_address_parse(mg_str_z(options->servers[i]), &list_out->items[i]))
			return mg_err_set(err, MG_ESYNTAX,
				"\"%s\" is no DNS server: write \"192.0.2.1\", \"192.0.2.1:53\" or \"[2001:db8::1]:53\"",
				options->servers[i]);
	return MG_OK;
}

static void add_nameserver(struct mg_server_list *list, struct mg_str word)
{
	struct mg_server_address address = { .port = DNS_PORT };

	if (list->count < MG_RESOLVER_SERVERS && mg_ip_parse(mg_str_cut(&word, '%'), &address.ip))
		list->items[list->count++] = address;
}

void mg_resolv_conf_parse(struct mg_str text, struct mg_server_list *list_out)
{
	*list_out = (struct mg_server_list){ 0 };
	while (text.n > 0) {
		struct mg_str line = mg_str_cut(&text, '\n'), word;

		if (mg_read_word(&line, " \t\r", &word) && mg_str_eq(word, MG_STR("nameserver")) &&
			mg_read_word(&line, " \t\r", &word))
			add_nameserver(list_out, word);
	}
}

static struct mg_file_mark mark_of(const struct stat *state)
{
	return (struct mg_file_mark){ .device = (uint64_t)state->st_dev,
		.inode = (uint64_t)state->st_ino,
		.bytes = (uint64_t)state->st_size,
		.seconds = state->st_mtim.tv_sec,
		.nanoseconds = state->st_mtim.tv_nsec };
}

static bool is_mark(const struct mg_file_mark *a, const struct mg_file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes && a->seconds == b->seconds &&
	       a->nanoseconds == b->nanoseconds;
}

static void read_file(int fd, struct mg_server_list *list)
{
	char text[RESOLV_CONF_BYTES];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	mg_resolv_conf_parse(mg_str_of(text, n), list);
}

bool mg_resolv_conf_follow(const char *path, struct mg_file_mark *mark, struct mg_server_list *list_out)
{
	struct mg_file_mark now = { 0 };
	struct stat state;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &state) == 0 && S_ISREG(state.st_mode))
		now = mark_of(&state);
	else
		mg_fd_close(&fd);
	if (is_mark(&now, mark)) {
		mg_fd_close(&fd);
		return false;
	}
	*mark = now;
	*list_out = (struct mg_server_list){ 0 };
	if (fd >= 0)
		read_file(fd, list_out);
	mg_fd_close(&fd);
	return true;
}
