#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * MG_S_US + now.tv_nsec / 1000;
}

int64_t mg_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t mg_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

char *mg_wall_text(char *place, size_t size, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / MG_S_US);
	struct tm local;

	place[0] = '\0';
	if (localtime_r(&seconds, &local) != NULL)
		strftime(place, size, "%Y-%m-%d %H:%M:%S", &local);
	return place;
}
