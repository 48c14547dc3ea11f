#include "health/log_history.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

enum { LOOK_MS = 5 };

static bool take(void *context, const struct mg_log_line *line, const struct mg_log_position *position)
{
	(void)context;
	(void)line;
	(void)position;
	return true;
}

static enum mg_rc begin(struct mg_log_history *history, const char *source, struct mg_err *err)
{
	struct mg_log_sink sink = { .take = take, .see = mg_log_tally_see };

	mg_log_history_fini(history);
	if ((history->tally = mg_log_tally_new()) == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory to read the mail log");
	sink.context = history->tally;
	mg_str_copy(history->source, sizeof history->source, mg_str_z(source));
	return mg_log_reader_start(source, NULL, &sink, &history->reader, err);
}

static enum mg_rc rc_of(int errnum)
{
	return errnum == EACCES || errnum == EPERM ? MG_EPERM : errnum == ENOENT ? MG_ENOENT : MG_EIO;
}

enum mg_rc mg_log_history_get(struct mg_log_history *history, const char *source, int64_t deadline_us,
	struct mg_log_tally **tally_out, struct mg_err *err)
{
	struct mg_log_reader_stats stats;
	enum mg_rc rc = MG_OK;

	if (source[0] == '\0')
		return mg_err_set(err, MG_ENOENT, "no mail log was found");
	if (history->reader == NULL || strcmp(history->source, source) != 0)
		rc = begin(history, source, err);
	if (rc != MG_OK)
		return rc;
	for (;;) {
		mg_log_reader_stats(history->reader, &stats);
		if (stats.has_caught_up || mg_mono_us() >= deadline_us)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	*tally_out = history->tally;
	return stats.trouble[0] == '\0' ? MG_OK : mg_err_set(err, rc_of(stats.trouble_errno), "%s", stats.trouble);
}

void mg_log_history_fini(struct mg_log_history *history)
{
	mg_log_reader_stop(&history->reader);
	mg_log_tally_free(&history->tally);
	history->source[0] = '\0';
}
