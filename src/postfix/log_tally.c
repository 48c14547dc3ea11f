#include "postfix/log_tally.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { MINUTES = 64, QUARTERS = 7 * 24 * 4 + 1, QUARTER_S = 900, MINUTE_S = 60 };

struct last {
	int64_t time_us;
	char text[MG_TALLY_LINE];
};

struct mg_log_tally {
	pthread_mutex_t lock;
	uint32_t minutes[MG_TALLIES][MINUTES], quarters[MG_TALLIES][QUARTERS];
	int64_t newest_minute, newest_quarter;
	struct last last[MG_TALLIES];
	int64_t first_us, newest_us;
	struct mg_login_failure failures[MG_TALLY_RING];
	struct mg_local_submission submissions[MG_TALLY_RING];
	size_t failure_count, submission_count; /* ever */
};

static const char *const names[MG_TALLIES] = { "panic", "fatal", "error", "warning", "denied", "full", "timeout",
	"failed", "refused", "process limit", "rate limit", "dovecot limit", "compatibility",
	"compatibility of relay restrictions", "timed out", "reached" };

const char *mg_tally_name(enum mg_tally kind)
{
	return names[kind];
}

struct mg_log_tally *mg_log_tally_new(void)
{
	struct mg_log_tally *tally = calloc(1, sizeof *tally);

	if (tally == NULL)
		return NULL;
	pthread_mutex_init(&tally->lock, NULL);
	tally->newest_minute = tally->newest_quarter = -1;
	return tally;
}

void mg_log_tally_free(struct mg_log_tally **tally)
{
	if (*tally != NULL)
		pthread_mutex_destroy(&(*tally)->lock);
	free(*tally);
	*tally = NULL;
}

/* ---- what a line is ---- */

static bool has(struct mg_str text, const char *word)
{
	return mg_str_find_str(text, mg_str_z(word)) != SIZE_MAX;
}

static bool is_dovecot(const struct mg_log_line *line)
{
	return mg_str_eq(line->daemon, MG_STR("dovecot"));
}

/* Postfix: "fatal: ..." begins the text. Dovecot: "service(user)<pid><session>: Fatal: ...", before anything a client may have said. */
static bool complains(const struct mg_log_line *line, const char *word, const char *dovecot_word)
{
	struct mg_str text = line->text;
	size_t colon;

	if (!is_dovecot(line))
		return mg_str_starts(text, mg_str_z(word));
	for (int i = 0; i < 3; i++) {
		if (mg_str_starts(text, mg_str_z(dovecot_word)))
			return true;
		if ((colon = mg_str_find_str(text, MG_STR(": "))) == SIZE_MAX)
			return false;
		text = mg_str_from(text, colon + 2);
	}
	return false;
}

static bool is_rate_limit(const struct mg_log_line *line)
{
	return mg_str_eq(line->daemon, MG_STR("smtpd")) && mg_str_starts(line->text, MG_STR("warning: ")) &&
	       (has(line->text, "limit exceeded:") || has(line->text, "rate limit"));
}

static bool is_dovecot_limit(const struct mg_log_line *line)
{
	return is_dovecot(line) && (has(line->text, "process_limit (") || has(line->text, "client_limit (") ||
					   has(line->text, "Maximum number of connections from user+IP exceeded"));
}

static bool is_client_of_others(const struct mg_log_line *line)
{
	return mg_str_eq(line->daemon, MG_STR("smtp"));
}

/* `lower`: the text in lower case. */
static bool is_kind(const struct mg_log_line *line, struct mg_str lower, enum mg_tally kind)
{
	struct mg_str text = line->text;

	switch (kind) {
	case MG_TALLY_PANIC:
		return complains(line, "panic: ", "Panic: ");
	case MG_TALLY_FATAL:
		return complains(line, "fatal: ", "Fatal: ");
	case MG_TALLY_ERROR:
		return complains(line, "error: ", "Error: ");
	case MG_TALLY_WARNING:
		return complains(line, "warning: ", "Warning: ");
	case MG_TALLY_DENIED:
		return has(lower, "denied");
	case MG_TALLY_FULL:
		return has(lower, "full");
	case MG_TALLY_TIMEOUT:
		return has(lower, "timeout") || has(lower, "timed out");
	case MG_TALLY_FAILED:
		return has(lower, "failed");
	case MG_TALLY_REFUSED:
		return has(lower, "refused");
	case MG_TALLY_PROCESS_LIMIT:
		return mg_str_eq(line->daemon, MG_STR("master")) && has(text, "has reached its process limit");
	case MG_TALLY_RATE_LIMIT:
		return is_rate_limit(line);
	case MG_TALLY_DOVECOT_LIMIT:
		return is_dovecot_limit(line);
	case MG_TALLY_COMPAT:
		return mg_str_starts(text, MG_STR("using backwards-compatible default setting "));
	case MG_TALLY_COMPAT_RELAY:
		return mg_str_starts(text, MG_STR("using backwards-compatible default setting ")) &&
		       has(text, "relay_restrictions");
	case MG_TALLY_TIMED_OUT:
		return is_client_of_others(line) && mg_str_starts(text, MG_STR("connect to ")) &&
		       has(text, "]:25: Connection timed out");
	case MG_TALLY_REACHED:
		return is_client_of_others(line) && line->kind == MG_LINE_DELIVERY && has(line->relay, "]:25") &&
		       line->code.n == 3;
	default:
		return false;
	}
}

/* ---- counting ---- */

/* Moves a ring on to the span `now`; false: it is too old to count. */
static bool move_on(uint32_t *all, size_t rings, size_t slots, int64_t *newest, int64_t now)
{
	if (*newest < 0)
		*newest = now;
	if (now <= *newest - (int64_t)slots)
		return false;
	for (int64_t span = *newest + 1; span <= now && span <= *newest + (int64_t)slots; span++)
		for (size_t ring = 0; ring < rings; ring++)
			all[ring * slots + (size_t)(span % (int64_t)slots)] = 0;
	if (now > *newest)
		*newest = now;
	return true;
}

static void keep_last(struct last *last, const struct mg_log_line *line)
{
	if (line->time_us < last->time_us)
		return;
	last->time_us = line->time_us;
	snprintf(last->text, sizeof last->text, "%.*s: %.*s", MG_STR_ARGS(line->service),
		MG_STR_ARGS(mg_str_first(line->text, sizeof last->text)));
}

static void keep_events(struct mg_log_tally *tally, const struct mg_log_line *line)
{
	if (line->kind == MG_LINE_SASL_FAIL) {
		struct mg_login_failure *failure = &tally->failures[tally->failure_count++ % MG_TALLY_RING];

		*failure = (struct mg_login_failure){ .time_us = line->time_us, .ip = line->client_ip };
		mg_str_copy(failure->user, sizeof failure->user, line->user);
	}
	if (line->kind == MG_LINE_PICKUP)
		tally->submissions[tally->submission_count++ % MG_TALLY_RING] =
			(struct mg_local_submission){ line->time_us, line->uid };
}

static struct mg_str lower_case(struct mg_str text, char place[MG_LOG_LINE_MAX + 1])
{
	for (size_t i = 0; i < text.n && i < MG_LOG_LINE_MAX; i++)
		place[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] - 'A' + 'a') : text.p[i];
	return mg_str_of(place, text.n < MG_LOG_LINE_MAX ? text.n : MG_LOG_LINE_MAX);
}

void mg_log_tally_see(void *context, const struct mg_log_line *line)
{
	struct mg_log_tally *tally = context;
	char text[MG_LOG_LINE_MAX + 1];
	struct mg_str lower = lower_case(line->text, text);
	int64_t minute = line->time_us / MG_S_US / MINUTE_S, quarter = line->time_us / MG_S_US / QUARTER_S;
	bool in_minutes, in_quarters;

	if (line->time_us <= 0 || line->time_us > mg_wall_us() + MG_DAY_US)
		return; /* a forged or mistaken stamp must not push everything else out */
	pthread_mutex_lock(&tally->lock);
	in_minutes = move_on(&tally->minutes[0][0], MG_TALLIES, MINUTES, &tally->newest_minute, minute);
	in_quarters = move_on(&tally->quarters[0][0], MG_TALLIES, QUARTERS, &tally->newest_quarter, quarter);
	if (tally->first_us == 0)
		tally->first_us = line->time_us;
	tally->newest_us = line->time_us;
	for (int kind = 0; kind < MG_TALLIES; kind++) {
		if (!is_kind(line, lower, (enum mg_tally)kind))
			continue;
		if (in_minutes)
			tally->minutes[kind][minute % MINUTES]++;
		if (in_quarters)
			tally->quarters[kind][quarter % QUARTERS]++;
		keep_last(&tally->last[kind], line);
	}
	keep_events(tally, line);
	pthread_mutex_unlock(&tally->lock);
}

/* ---- asking ---- */

unsigned mg_log_tally_count(struct mg_log_tally *tally, enum mg_tally kind, int64_t now_us, unsigned seconds)
{
	int64_t now = now_us / MG_S_US / MINUTE_S, first = now - (int64_t)(seconds / MINUTE_S) + 1;
	unsigned count = 0;

	pthread_mutex_lock(&tally->lock);
	for (int64_t minute = first; minute <= now; minute++)
		if (minute <= tally->newest_minute && minute > tally->newest_minute - MINUTES)
			count += tally->minutes[kind][minute % MINUTES];
	pthread_mutex_unlock(&tally->lock);
	return count;
}

int64_t mg_log_tally_last(struct mg_log_tally *tally, enum mg_tally kind, char place[MG_TALLY_LINE])
{
	int64_t time_us;

	pthread_mutex_lock(&tally->lock);
	time_us = tally->last[kind].time_us;
	mg_str_copy(place, MG_TALLY_LINE, mg_str_z(tally->last[kind].text));
	pthread_mutex_unlock(&tally->lock);
	return time_us;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

unsigned mg_log_tally_median(struct mg_log_tally *tally, enum mg_tally kind, int64_t now_us, unsigned *quarters_out)
{
	uint32_t counts[QUARTERS];
	int64_t now = now_us / MG_S_US / QUARTER_S, first;
	unsigned n = 0;

	pthread_mutex_lock(&tally->lock);
	first = tally->first_us == 0 ? now : tally->first_us / MG_S_US / QUARTER_S + 1;
	if (first < now - QUARTERS + 1)
		first = now - QUARTERS + 1;
	for (int64_t quarter = first; quarter < now; quarter++)
		counts[n++] = quarter <= tally->newest_quarter && quarter > tally->newest_quarter - QUARTERS
				      ? tally->quarters[kind][quarter % QUARTERS]
				      : 0;
	pthread_mutex_unlock(&tally->lock);
	*quarters_out = n;
	if (n == 0)
		return 0;
	qsort(counts, n, sizeof counts[0], compare);
	return counts[n / 2];
}

int64_t mg_log_tally_first_us(struct mg_log_tally *tally)
{
	int64_t time_us;

	pthread_mutex_lock(&tally->lock);
	time_us = tally->first_us;
	pthread_mutex_unlock(&tally->lock);
	return time_us;
}

int64_t mg_log_tally_newest_us(struct mg_log_tally *tally)
{
	int64_t time_us;

	pthread_mutex_lock(&tally->lock);
	time_us = tally->newest_us;
	pthread_mutex_unlock(&tally->lock);
	return time_us;
}

size_t mg_log_tally_failures(struct mg_log_tally *tally, int64_t since_us, struct mg_login_failure *place)
{
	size_t n = 0;

	pthread_mutex_lock(&tally->lock);
	for (size_t i = tally->failure_count; i > 0 && tally->failure_count - i < MG_TALLY_RING; i--)
		if (tally->failures[(i - 1) % MG_TALLY_RING].time_us >= since_us)
			place[n++] = tally->failures[(i - 1) % MG_TALLY_RING];
	pthread_mutex_unlock(&tally->lock);
	return n;
}

size_t mg_log_tally_submissions(struct mg_log_tally *tally, int64_t since_us, struct mg_local_submission *place)
{
	size_t n = 0;

	pthread_mutex_lock(&tally->lock);
	for (size_t i = tally->submission_count; i > 0 && tally->submission_count - i < MG_TALLY_RING; i--)
		if (tally->submissions[(i - 1) % MG_TALLY_RING].time_us >= since_us)
			place[n++] = tally->submissions[(i - 1) % MG_TALLY_RING];
	pthread_mutex_unlock(&tally->lock);
	return n;
}
