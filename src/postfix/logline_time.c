/* The two stamps of a mail log: "Nov  1 19:36:37", local and without a year, and RFC 3339. */
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "postfix/logline_parse.h"

/* `n` digits exactly. */
static bool read_digits(struct mg_str *rest, size_t n, int *value_out)
{
	int value = 0;

	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (rest->p[i] < '0' || rest->p[i] > '9')
			return false;
		value = value * 10 + (rest->p[i] - '0');
	}
	*value_out = value;
	*rest = mg_str_from(*rest, n);
	return true;
}

static bool read_clock(struct mg_str *rest, struct tm *tm)
{
	return read_digits(rest, 2, &tm->tm_hour) && mg_read_token(rest, MG_STR(":")) &&
	       read_digits(rest, 2, &tm->tm_min) && mg_read_token(rest, MG_STR(":")) &&
	       read_digits(rest, 2, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

static bool read_month(struct mg_str *rest, int *month_out)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int month = 0; month < 12; month++) {
		if (mg_read_token(rest, mg_str_of(names + 3 * month, 3))) {
			*month_out = month;
			return true;
		}
	}
	return false;
}

static bool read_day(struct mg_str *rest, int *day_out)
{
	return (mg_read_token(rest, MG_STR(" ")) ? read_digits(rest, 1, day_out) : read_digits(rest, 2, day_out)) &&
	       *day_out >= 1 && *day_out <= 31;
}

/* The system's time zone is one for all threads, and mktime(3) looks whether it is another at every call. */
static time_t local_time(struct tm *tm)
{
	static pthread_mutex_t zone = PTHREAD_MUTEX_INITIALIZER;
	time_t then;

	pthread_mutex_lock(&zone);
	then = mktime(tm);
	pthread_mutex_unlock(&zone);
	return then;
}

/* The newest year in which the stamp lies at most a day ahead of now; 29 February skips the years without it. */
static bool with_year(const struct tm *stamp, int64_t now_wall_us, int64_t *time_us_out)
{
	time_t now = (time_t)(now_wall_us / MG_S_US);
	struct tm today;

	if (localtime_r(&now, &today) == NULL)
		return false;
	for (int back = -1; back < 9; back++) {
		struct tm tm = *stamp;
		time_t then;

		tm.tm_year = today.tm_year - back;
		tm.tm_isdst = -1;
		then = local_time(&tm);
		if (tm.tm_mon != stamp->tm_mon || then > now + 86400)
			continue;
		*time_us_out = (int64_t)then * MG_S_US;
		return true;
	}
	return false;
}

static bool read_syslog(struct mg_str *rest, int64_t now_wall_us, int64_t *time_us_out)
{
	struct tm tm = { 0 };

	return read_month(rest, &tm.tm_mon) && mg_read_token(rest, MG_STR(" ")) && read_day(rest, &tm.tm_mday) &&
	       mg_read_token(rest, MG_STR(" ")) && read_clock(rest, &tm) && mg_read_token(rest, MG_STR(" ")) &&
	       with_year(&tm, now_wall_us, time_us_out);
}

/* ".123456", microseconds; more digits are dropped. */
static int64_t fraction_us(struct mg_str *rest)
{
	int64_t us = 0, unit = 100000;
	struct mg_str at = *rest;
	int digit;

	if (!mg_read_token(&at, MG_STR(".")))
		return 0;
	while (read_digits(&at, 1, &digit)) {
		us += digit * unit;
		unit /= 10;
	}
	*rest = at;
	return us;
}

static bool read_offset(struct mg_str *rest, int64_t *offset_s_out)
{
	int hours, minutes, sign;

	*offset_s_out = 0;
	if (mg_read_token(rest, MG_STR("Z")))
		return true;
	sign = mg_read_token(rest, MG_STR("-")) ? -1 : 1;
	if (sign > 0 && !mg_read_token(rest, MG_STR("+")))
		return false;
	if (!read_digits(rest, 2, &hours) || !mg_read_token(rest, MG_STR(":")) || !read_digits(rest, 2, &minutes))
		return false;
	*offset_s_out = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool read_rfc3339(struct mg_str *rest, int64_t *time_us_out)
{
	struct tm tm = { 0 };
	int year, month;
	int64_t us, offset_s;

	if (!read_digits(rest, 4, &year) || !mg_read_token(rest, MG_STR("-")) || !read_digits(rest, 2, &month) ||
		!mg_read_token(rest, MG_STR("-")) || !read_digits(rest, 2, &tm.tm_mday) ||
		!mg_read_token(rest, MG_STR("T")) || !read_clock(rest, &tm))
		return false;
	if (year < 1970 || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return false;
	us = fraction_us(rest);
	if (!read_offset(rest, &offset_s) || !mg_read_token(rest, MG_STR(" ")))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*time_us_out = ((int64_t)timegm(&tm) - offset_s) * MG_S_US + us;
	return true;
}

bool mg_line_stamp(struct mg_str *rest, int64_t now_wall_us, int64_t *time_us_out)
{
	struct mg_str at = *rest;

	if (!read_syslog(&at, now_wall_us, time_us_out)) {
		at = *rest;
		if (!read_rfc3339(&at, time_us_out))
			return false;
	}
	*rest = at;
	return true;
}
