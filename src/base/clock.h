/* clock.h - the two clocks, never confused: monotonic for every deadline and duration, wall for records and people.
 *
 * Threads: safe from any. */
#ifndef MG_BASE_CLOCK_H
#define MG_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define MG_MS_US  ((int64_t)1000)
#define MG_S_US   ((int64_t)1000000)
#define MG_DAY_US (86400 * MG_S_US)

int64_t mg_mono_us(void); /* since an unknown moment; never steps */
int64_t mg_wall_us(void); /* since the epoch; may step */

/* "2026-11-21 19:36:37" in local time into `place` of at least 20 bytes; returns `place`. */
char *mg_wall_text(char *place, size_t size, int64_t wall_us);

#endif
