/* log_history.h - the mail log of the last days as the checks see it: read once from a bounded way back, then followed.
 *
 * It reads beside the record's reader and shares nothing with it, so that checks work without the daemon and can't be in its way.
 *
 * Threads: one at a time (the health worker's); reading has a thread of its own. */
#ifndef MG_HEALTH_LOG_HISTORY_H
#define MG_HEALTH_LOG_HISTORY_H

#include "postfix/log_reader.h"
#include "postfix/log_tally.h"

struct mg_log_history {
	struct mg_log_reader *reader;
	struct mg_log_tally *tally;
	char source[160];
};

/* The tally once the log was read to its end, or until monotonic `deadline_us`; begins to read, and begins anew when `source` ("file:PATH",
 * "journald") is another than before. The tally is borrowed until then. MG_EPERM, MG_ENOENT, MG_EIO: nothing can be read. */
MG_MUSTCHECK
enum mg_rc mg_log_history_get(struct mg_log_history *history, const char *source, int64_t deadline_us,
	struct mg_log_tally **tally_out, struct mg_err *err);
void mg_log_history_fini(struct mg_log_history *history);

#endif
