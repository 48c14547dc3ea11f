/* clock_offset.h - how far the clock is from the time service's: asked of chrony or systemd-timesyncd, else of the kernel.
 *
 * Threads: safe from any; blocks on chronyc or timedatectl up to the deadline. */
#ifndef MG_HEALTH_CLOCK_OFFSET_H
#define MG_HEALTH_CLOCK_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct mg_clock_offset {
	bool is_known;
	double seconds;
	const char *source; /* a literal, for evidence */
};

struct mg_clock_offset mg_clock_offset_look(int64_t deadline_us);

/* The offset in what `chronyc -c tracking` and `timedatectl timesync-status` print; false: it is not in it, or the service is not synchronised. */
bool mg_clock_offset_of_chrony(struct mg_str text, double *seconds_out);
bool mg_clock_offset_of_timesyncd(struct mg_str text, double *seconds_out);

#endif
