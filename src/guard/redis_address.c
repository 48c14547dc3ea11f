#include "guard/redis_address.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

static size_t of_path(const char *path, struct mg_redis_address *place)
{
	struct sockaddr_un *un = (void *)&place->address;

	*place = (struct mg_redis_address){ .length = sizeof *un };
	un->sun_family = AF_UNIX;
	mg_assert(mg_str_copy(un->sun_path, sizeof un->sun_path, mg_str_z(path)));
	return 1;
}

static size_t keep(const struct addrinfo *found, struct mg_redis_address *list)
{
	size_t n = 0;

	for (; found != NULL && n < MG_REDIS_ADDRESSES; found = found->ai_next) {
		if (found->ai_addrlen > sizeof list[n].address)
			continue;
		list[n] = (struct mg_redis_address){ .length = found->ai_addrlen };
		memcpy(&list[n].address, found->ai_addr, found->ai_addrlen);
		n++;
	}
	return n;
}

size_t mg_redis_addresses(const struct mg_store_url *url, struct mg_redis_address *list_out, struct mg_err *err)
{
	struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char port[8];
	size_t n;
	int code;

	if (url->kind == MG_STORE_UNIX)
		return of_path(url->path, list_out);
	(void)snprintf(port, sizeof port, "%u", (unsigned)url->port);
	code = getaddrinfo(url->host, port, &wanted, &found);
	if (code != 0) {
		(void)mg_err_set(err, MG_ENOENT, "no address of %s: %s", url->host, gai_strerror(code));
		return 0;
	}
	n = keep(found, list_out);
	freeaddrinfo(found);
	return n;
}
