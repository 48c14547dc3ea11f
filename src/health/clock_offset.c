#include "health/clock_offset.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timex.h>

#include "base/clock.h"
#include "base/run.h"

enum { ANSWER_MAX = 8192, NUMBER_MAX = 32 };

/* A decimal number; what stands behind it goes to *rest. */
static bool read_number(struct mg_str text, double *value_out, struct mg_str *rest)
{
	char number[NUMBER_MAX], *end;

	mg_str_copy(number, sizeof number, text);
	*value_out = strtod(number, &end);
	if (end == number || *value_out != *value_out)
		return false;
	*rest = mg_str_from(text, (size_t)(end - number));
	return true;
}

/* C0A80101,192.168.1.1,3,1700000000.0,-0.000012,...,Normal: the fifth field is how far the system's clock is from NTP's. */
bool mg_clock_offset_of_chrony(struct mg_str text, double *seconds_out)
{
	enum { REFERENCE = 0, OFFSET = 4 };
	struct mg_str line = mg_str_cut(&text, '\n'), rest;

	if (mg_str_find_str(line, MG_STR("Not synchronised")) != SIZE_MAX)
		return false;
	for (int field = 0; line.n > 0; field++) {
		struct mg_str word = mg_str_cut(&line, ',');

		if (field == OFFSET)
			return read_number(word, seconds_out, &rest) && rest.n == 0;
	}
	return false;
}

/* "       Offset: -1.742ms": with us, ms, s, min and so on behind it. */
bool mg_clock_offset_of_timesyncd(struct mg_str text, double *seconds_out)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 } };
	double total = 0, part;

	while (text.n > 0) {
		struct mg_str line = mg_str_trim(mg_str_cut(&text, '\n')), word, unit;
		bool is_negative;

		if (!mg_read_token(&line, MG_STR("Offset:")))
			continue;
		line = mg_str_trim(line);
		is_negative = line.n > 0 && line.p[0] == '-';
		while (mg_read_word(&line, " ", &word)) {
			size_t i = 0;

			if (!read_number(word, &part, &unit))
				return false;
			while (i < sizeof units / sizeof units[0] && !mg_str_eq(unit, mg_str_z(units[i].unit)))
				i++;
			if (i == sizeof units / sizeof units[0])
				return false;
			total += (part < 0 ? -part : part) * units[i].seconds;
		}
		*seconds_out = is_negative ? -total : total;
		return true;
	}
	return false;
}

static bool ask(const char *const *argv, int64_t deadline_us, bool (*read)(struct mg_str text, double *seconds_out),
	double *seconds_out)
{
	const struct mg_run run = { .argv = argv,
		.timeout_ms = (int)((deadline_us - mg_mono_us()) / MG_MS_US / 2),
		.out_max = ANSWER_MAX,
		.err_max = ANSWER_MAX };
	struct mg_run_result result;
	bool is_read;

	if (run.timeout_ms <= 0)
		return false;
	is_read = mg_run(&run, &result, NULL) == MG_OK && result.status == 0 &&
		  read(mg_buf_str(&result.out), seconds_out);
	mg_run_fini(&result);
	return is_read;
}

struct mg_clock_offset mg_clock_offset_look(int64_t deadline_us)
{
	static const char *const chrony[] = { "chronyc", "-c", "-n", "tracking", NULL };
	static const char *const timesyncd[] = { "timedatectl", "--no-pager", "timesync-status", NULL };
	struct mg_clock_offset offset = { .is_known = true, .source = "chronyc tracking" };
	struct timex kernel = { .modes = 0 };

	if (ask(chrony, deadline_us, mg_clock_offset_of_chrony, &offset.seconds))
		return offset;
	offset.source = "timedatectl timesync-status";
	if (ask(timesyncd, deadline_us, mg_clock_offset_of_timesyncd, &offset.seconds))
		return offset;
	offset.source = "adjtimex: the kernel's clock is kept";
	if (adjtimex(&kernel) != -1 && (kernel.status & STA_UNSYNC) == 0) {
		offset.seconds = (double)kernel.offset / ((kernel.status & STA_NANO) != 0 ? 1e9 : 1e6);
		return offset;
	}
	return (struct mg_clock_offset){ .source = "no time service answers" };
}
