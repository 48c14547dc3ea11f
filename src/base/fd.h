/* fd.h - small truths about file descriptors, and listening sockets by our address syntax.
 *
 * Threads: safe from any. */
#ifndef MG_BASE_FD_H
#define MG_BASE_FD_H

#include <sys/socket.h>

#include "base/str.h"

/* "unix:PATH" or "inet:HOST:PORT" (HOST a literal address, IPv6 in brackets), parsed. */
struct mg_endpoint {
	struct sockaddr_storage address;
	socklen_t length;
	char text[160]; /* as written */
};

/* MG_ESYNTAX with a sentence that says what is expected. `text` "" is MG_ENOENT: the door is off. */
MG_MUSTCHECK
enum mg_rc mg_endpoint_parse(struct mg_str text, struct mg_endpoint *endpoint_out, struct mg_err *err);

/* Whether the listening socket `fd` is bound to this endpoint. */
bool mg_endpoint_is(const struct mg_endpoint *endpoint, int fd);

/* A connected, non-blocking, close-on-exec stream socket, waiting at most `timeout_ms`; -1 with errno. */
int mg_endpoint_connect(const struct mg_endpoint *endpoint, int timeout_ms);

bool mg_fd_nonblocking(int fd, bool on);
bool mg_fd_cloexec(int fd, bool on);
void mg_fd_close(int *fd); /* sets it to -1; -1 in it is fine; errno is kept */

/* Writes all of `s` before `deadline_us` (monotonic); false with errno otherwise. For small control messages. */
bool mg_fd_write_all(int fd, struct mg_str s, int64_t deadline_us);

/* Waits until `fd` has one of the poll(2) `events` or `deadline_us` passes; returns poll's revents, 0 on deadline. */
short mg_fd_wait(int fd, short events, int64_t deadline_us);

#endif
