/* notify.h - telling systemd how we are (sd_notify's datagram; no library needed for it).
 *
 * Threads: the supervisor's. */
#ifndef MG_DAEMON_NOTIFY_H
#define MG_DAEMON_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1", "RELOADING=1", "WATCHDOG=1", "STOPPING=1"... to $NOTIFY_SOCKET; without it does nothing. For
 * RELOADING the monotonic time is added, which systemd 253 wants. */
void mg_notify(const char *state);

/* How often the watchdog wants to hear of us, in microseconds: half of $WATCHDOG_USEC, 0 when there is none. */
int64_t mg_notify_watchdog_us(void);

#endif
