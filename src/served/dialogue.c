#include "served/dialogue.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"

enum { BYTES_MAX = 256 * 1024 };

static bool ends(struct mg_dialogue *dialogue, enum mg_dialogue_state state, const char *trouble)
{
	if (dialogue->state != MG_DIALOGUE_OPEN)
		return false;
	dialogue->state = state;
	(void)mg_str_copy(dialogue->trouble, sizeof dialogue->trouble, mg_str_z(trouble));
	return false;
}

static bool fails(struct mg_dialogue *dialogue, enum mg_dialogue_state state, int errnum)
{
	struct mg_err err = { "" };

	dialogue->connect_errno = errnum;
	(void)mg_err_sys(&err, MG_EIO, errnum, "connect");
	return ends(dialogue, state, err.text);
}

static socklen_t socket_address(const struct mg_ip *ip, unsigned port, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){ 0 };
	if (ip->family == MG_IP_V4) {
		struct sockaddr_in *in = (void *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, ip->bytes, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (void *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	memcpy(&in6->sin6_addr, ip->bytes, 16);
	return sizeof *in6;
}

static int outcome_of_connect(int fd, const struct sockaddr_storage *address, socklen_t length, int64_t deadline_us)
{
	int failure = 0;
	socklen_t size = sizeof failure;

	if (connect(fd, (const void *)address, length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (mg_fd_wait(fd, POLLOUT, deadline_us) == 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 ? errno : failure;
}

bool mg_dialogue_open(struct mg_dialogue *dialogue, const struct mg_ip *ip, unsigned port, const struct mg_ip *source,
	int64_t deadline_us)
{
	struct sockaddr_storage address, from;
	socklen_t length = socket_address(ip, port, &address), from_length;
	int errnum;

	*dialogue = (struct mg_dialogue){ .deadline_us = deadline_us, .fd = -1 };
	dialogue->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dialogue->fd < 0)
		return fails(dialogue, MG_DIALOGUE_UNREACHABLE, errno);
	if (source != NULL && source->family == ip->family) {
		from_length = socket_address(source, 0, &from);
		if (bind(dialogue->fd, (const void *)&from, from_length) != 0)
			return fails(dialogue, MG_DIALOGUE_UNREACHABLE, errno);
	}
	errnum = outcome_of_connect(dialogue->fd, &address, length, deadline_us);
	if (errnum == 0)
		return true;
	return fails(dialogue, errnum == ECONNREFUSED ? MG_DIALOGUE_REFUSED : MG_DIALOGUE_UNREACHABLE, errnum);
}

void mg_dialogue_close(struct mg_dialogue *dialogue)
{
	mg_tls_free(&dialogue->tls);
	mg_fd_close(&dialogue->fd);
}

/* ---- reading ---- */

static ssize_t read_clear(struct mg_dialogue *dialogue, char *place, size_t size)
{
	for (;;) {
		ssize_t n = recv(dialogue->fd, place, size, 0);

		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
		if (mg_mono_us() >= dialogue->deadline_us ||
			mg_fd_wait(dialogue->fd, POLLIN, dialogue->deadline_us) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static bool read_more(struct mg_dialogue *dialogue)
{
	char *place = dialogue->in + dialogue->held;
	size_t room = sizeof dialogue->in - dialogue->held;
	ssize_t n;

	if (mg_mono_us() >= dialogue->deadline_us)
		return ends(dialogue, MG_DIALOGUE_SILENT, "no whole line in time");
	n = dialogue->tls != NULL ? mg_tls_read(dialogue->tls, place, room, dialogue->deadline_us)
				  : read_clear(dialogue, place, room);
	if (n < 0 && errno == ETIMEDOUT)
		return ends(dialogue, MG_DIALOGUE_SILENT, dialogue->held > 0 ? "no whole line in time" : "silence");
	if (n <= 0)
		return ends(dialogue, MG_DIALOGUE_CLOSED, "the server closed the connection");
	dialogue->held += (size_t)n;
	dialogue->read_bytes += (size_t)n;
	return dialogue->read_bytes <= BYTES_MAX ||
	       ends(dialogue, MG_DIALOGUE_FLOOD, "the server does not stop talking");
}

static void drop_taken(struct mg_dialogue *dialogue)
{
	memmove(dialogue->in, dialogue->in + dialogue->taken, dialogue->held - dialogue->taken);
	dialogue->held -= dialogue->taken;
	dialogue->taken = 0;
}

bool mg_dialogue_line(struct mg_dialogue *dialogue, struct mg_str *line_out)
{
	size_t end;

	if (dialogue->state != MG_DIALOGUE_OPEN)
		return false;
	drop_taken(dialogue);
	while ((end = mg_str_find(mg_str_of(dialogue->in, dialogue->held), '\n')) == SIZE_MAX) {
		if (dialogue->held == sizeof dialogue->in)
			return ends(dialogue, MG_DIALOGUE_FLOOD, "a line of more than 4096 bytes");
		if (!read_more(dialogue))
			return false;
	}
	dialogue->taken = end + 1;
	*line_out = mg_str_of(dialogue->in, end > 0 && dialogue->in[end - 1] == '\r' ? end - 1 : end);
	return true;
}

/* ---- writing ---- */

static bool send_all(struct mg_dialogue *dialogue, struct mg_str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(dialogue->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes = mg_str_from(bytes, (size_t)n);
			continue;
		}
		if ((errno != EAGAIN && errno != EINTR) ||
			mg_fd_wait(dialogue->fd, POLLOUT, dialogue->deadline_us) == 0)
			return false;
	}
	return true;
}

bool mg_dialogue_say(struct mg_dialogue *dialogue, const char *line)
{
	struct mg_buf out;
	bool is_sent;

	if (dialogue->state != MG_DIALOGUE_OPEN)
		return false;
	mg_buf_init(&out, MG_DIALOGUE_LINE);
	mg_buf_addz(&out, line);
	mg_buf_addz(&out, "\r\n");
	is_sent = mg_buf_ok(&out) &&
		  (dialogue->tls != NULL ? mg_tls_write(dialogue->tls, mg_buf_str(&out), dialogue->deadline_us)
					 : send_all(dialogue, mg_buf_str(&out)));
	mg_buf_fini(&out);
	return is_sent || ends(dialogue, MG_DIALOGUE_CLOSED, "the server closed the connection");
}

bool mg_dialogue_secure(struct mg_dialogue *dialogue, const struct mg_tls_wish *wish)
{
	struct mg_err err = { "" };
	enum mg_rc rc;

	if (dialogue->state != MG_DIALOGUE_OPEN)
		return false;
	drop_taken(dialogue);
	if (dialogue->held > 0)
		return ends(dialogue, MG_DIALOGUE_INJECTED, "text in clear behind the answer to STARTTLS");
	rc = mg_tls_start(dialogue->fd, wish, dialogue->deadline_us, &dialogue->tls, &err);
	if (rc == MG_OK)
		return true;
	return ends(dialogue,
		rc == MG_ERANGE  ? MG_DIALOGUE_NO_LIBRARY
		: rc == MG_ETIME ? MG_DIALOGUE_SILENT
				 : MG_DIALOGUE_TLS,
		err.text);
}
