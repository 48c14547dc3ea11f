#include "daemon/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

void mg_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char text[256];
	int fd, n;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
		!mg_str_copy(to.sun_path, sizeof to.sun_path, mg_str_z(path)))
		return;
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%" PRId64 "\n", state, mg_mono_us());
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (void *)&to,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + mg_str_z(path).n)) < 0)
		n = 0; /* nobody listens: nothing to be done about it */
	mg_fd_close(&fd);
}

int64_t mg_notify_watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value, of;

	if (usec == NULL || !mg_str_to_u64(mg_str_z(usec), INT64_MAX, &value))
		return 0;
	if (pid != NULL && (!mg_str_to_u64(mg_str_z(pid), INT32_MAX, &of) || (pid_t)of != getpid()))
		return 0;
	return (int64_t)value / 2;
}
