/* log_tally.h - what the mail log says beside the lives of messages, counted by kind and time: complaints, keywords, failed logins, local
 * submissions.
 *
 * Of fixed size whatever is logged. Only Postfix's and Dovecot's own fixed words count, at the places where they put them: what a client can
 * write into a line is no complaint of Postfix. Counts know a line's own time, so an old log can be read at once.
 *
 * Threads: safe from any. */
#ifndef MG_POSTFIX_LOG_TALLY_H
#define MG_POSTFIX_LOG_TALLY_H

#include "postfix/logline.h"

enum mg_tally {
	MG_TALLY_PANIC,
	MG_TALLY_FATAL,
	MG_TALLY_ERROR,
	MG_TALLY_WARNING,
	MG_TALLY_DENIED, /* words anywhere in a line: a trend, no more */
	MG_TALLY_FULL,
	MG_TALLY_TIMEOUT,
	MG_TALLY_FAILED,
	MG_TALLY_REFUSED,
	MG_TALLY_PROCESS_LIMIT, /* Postfix: a service has reached its process limit */
	MG_TALLY_RATE_LIMIT,    /* Postfix: connection, message, recipient... limit exceeded by a client */
	MG_TALLY_DOVECOT_LIMIT, /* Dovecot: client_limit, process_limit, mail_max_userip_connections */
	MG_TALLY_COMPAT,        /* using backwards-compatible default setting */
	MG_TALLY_COMPAT_RELAY,  /* ... of the relay restrictions */
	MG_TALLY_TIMED_OUT,     /* a connection to another server's port 25 timed out */
	MG_TALLY_REACHED,       /* mail was handed to another server */
	MG_TALLIES,
};
const char *mg_tally_name(enum mg_tally kind); /* "panic", "fatal", ... */

struct mg_log_tally;

struct mg_log_tally *mg_log_tally_new(void); /* NULL: no memory */
void mg_log_tally_free(struct mg_log_tally **tally);

/* Counts a line (of Postfix or Dovecot). Fits mg_log_sink.see with the tally as context. */
void mg_log_tally_see(void *tally, const struct mg_log_line *line);

/* How many lines of the kind bear a time in the `seconds` (at most 3600, in steps of a minute) before `now_us`, wall time. */
unsigned mg_log_tally_count(struct mg_log_tally *tally, enum mg_tally kind, int64_t now_us, unsigned seconds);

enum { MG_TALLY_LINE = 400 };
/* The last line of the kind, without its stamp ("postfix/smtpd: fatal: ..."), into `place`; its time, 0 when there was none. */
int64_t mg_log_tally_last(struct mg_log_tally *tally, enum mg_tally kind, char place[MG_TALLY_LINE]);

/* The median count of the quarter hours of the last seven days before the current one, as far as the log reaches back.
 * *quarters_out: how many those were. */
unsigned mg_log_tally_median(struct mg_log_tally *tally, enum mg_tally kind, int64_t now_us, unsigned *quarters_out);

/* The times of the first and the last line of Postfix; 0 none yet. */
int64_t mg_log_tally_first_us(struct mg_log_tally *tally);
int64_t mg_log_tally_newest_us(struct mg_log_tally *tally);

enum { MG_TALLY_RING = 4096, MG_TALLY_LOGIN = 96 };

struct mg_login_failure {
	int64_t time_us;
	struct mg_ip ip;
	char user[MG_TALLY_LOGIN]; /* "" not told */
};
/* The failed logins since `since_us`, the newest first, at most MG_TALLY_RING: copied to `place`. */
size_t mg_log_tally_failures(struct mg_log_tally *tally, int64_t since_us, struct mg_login_failure *place);

struct mg_local_submission {
	int64_t time_us;
	unsigned uid;
};
/* The same of messages that programs of this machine handed to sendmail(1). */
size_t mg_log_tally_submissions(struct mg_log_tally *tally, int64_t since_us, struct mg_local_submission *place);

#endif
