#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ip.h"

static enum mg_rc parse_unix(struct mg_str path, struct mg_endpoint *endpoint, struct mg_err *err)
{
	struct sockaddr_un *un = (void *)&endpoint->address;

	if (path.n == 0 || path.p[0] != '/')
		return mg_err_set(err, MG_ESYNTAX, "a socket path must be absolute: write \"unix:/path/to/socket\"");
	un->sun_family = AF_UNIX;
	if (!mg_str_copy(un->sun_path, sizeof un->sun_path, path))
		return mg_err_set(err, MG_ERANGE, "a socket path has at most %zu bytes, this one has %zu",
			sizeof un->sun_path - 1, path.n);
	endpoint->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return MG_OK;
}

static enum mg_rc parse_inet(struct mg_str text, struct mg_endpoint *endpoint, struct mg_err *err)
{
	size_t colon = mg_str_rfind(text, ':');
	struct mg_ip ip;
	uint64_t port;

	if (colon == SIZE_MAX || !mg_ip_parse(mg_str_first(text, colon), &ip) ||
		!mg_str_to_u64(mg_str_from(text, colon + 1), 65535, &port))
		return mg_err_set(err, MG_ESYNTAX,
			"not an address and port: write \"inet:127.0.0.1:9620\" or \"inet:[::1]:9620\"");
	if (ip.family == MG_IP_V4) {
		struct sockaddr_in *in = (void *)&endpoint->address;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, ip.bytes, 4);
		endpoint->length = sizeof *in;
	} else {
		struct sockaddr_in6 *in6 = (void *)&endpoint->address;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, ip.bytes, 16);
		endpoint->length = sizeof *in6;
	}
	return MG_OK;
}

enum mg_rc mg_endpoint_parse(struct mg_str text, struct mg_endpoint *endpoint_out, struct mg_err *err)
{
	*endpoint_out = (struct mg_endpoint){ 0 };
	if (text.n == 0)
		return mg_err_set(err, MG_ENOENT, "no address");
	if (!mg_str_copy(endpoint_out->text, sizeof endpoint_out->text, text))
		return mg_err_set(err, MG_ERANGE, "an address has at most %zu bytes", sizeof endpoint_out->text - 1);
	if (mg_read_token(&text, MG_STR("unix:")))
		return parse_unix(text, endpoint_out, err);
	if (mg_read_token(&text, MG_STR("inet:")))
		return parse_inet(text, endpoint_out, err);
	return mg_err_set(err, MG_ESYNTAX, "an address begins with \"unix:\" or \"inet:\"");
}

bool mg_endpoint_is(const struct mg_endpoint *endpoint, int fd)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t length = sizeof bound;

	if (getsockname(fd, (void *)&bound, &length) != 0 || bound.ss_family != endpoint->address.ss_family)
		return false;
	if (bound.ss_family == AF_UNIX)
		return strcmp(((struct sockaddr_un *)&bound)->sun_path,
			       ((const struct sockaddr_un *)&endpoint->address)->sun_path) == 0;
	return length == endpoint->length && memcmp(&bound, &endpoint->address, length) == 0;
}

int mg_endpoint_connect(const struct mg_endpoint *endpoint, int timeout_ms)
{
	int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failure = 0;
	socklen_t size = sizeof failure;

	if (fd < 0)
		return -1;
	if (connect(fd, (const void *)&endpoint->address, endpoint->length) == 0)
		return fd;
	if (errno == EINPROGRESS && mg_fd_wait(fd, POLLOUT, mg_mono_us() + timeout_ms * MG_MS_US) == 0)
		errno = ETIMEDOUT;
	else if (errno == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0) {
		if (failure == 0)
			return fd;
		errno = failure;
	}
	mg_fd_close(&fd);
	return -1;
}

static bool set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	return flags >= 0 && fcntl(fd, set, on ? flags | flag : flags & ~flag) == 0;
}

bool mg_fd_nonblocking(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool mg_fd_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

void mg_fd_close(int *fd)
{
	int kept = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = kept;
}

short mg_fd_wait(int fd, short events, int64_t deadline_us)
{
	struct pollfd one = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_us = deadline_us - mg_mono_us();
		int n = poll(&one, 1, left_us <= 0 ? 0 : (int)((left_us + MG_MS_US - 1) / MG_MS_US));

		if (n > 0)
			return one.revents;
		if (n == 0 || errno != EINTR)
			return 0;
	}
}

bool mg_fd_write_all(int fd, struct mg_str s, int64_t deadline_us)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, s.p, s.n);
		if (n > 0) {
			s = mg_str_from(s, (size_t)n);
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (mg_fd_wait(fd, POLLOUT, deadline_us) == 0) {
				errno = ETIMEDOUT;
				return false;
			}
		} else {
			return false;
		}
	}
	return true;
}
