/* query.h - reading the record, on a read-only connection of one's own, with a deadline.
 *
 * Answers are JSON in the shapes of the contract (TXN). Readers never block the writer.
 *
 * Threads: one mg_query per thread. */
#ifndef MG_JOURNAL_QUERY_H
#define MG_JOURNAL_QUERY_H

#include <jansson.h>

#include "journal/record.h"

struct mg_query;

MG_MUSTCHECK
enum mg_rc mg_query_open(const char *path, struct mg_query **query_out, struct mg_err *err);
void mg_query_close(struct mg_query **query);

struct mg_recent_filter {
	int64_t since_us;    /* wall; 0: no bound */
	const char *verdict; /* an action's word, "" any; matches verdict.action, or `would` in observe mode */
	const char *client;  /* address or network in CIDR form, "" any */
	const char *sender;  /* address, or "@domain"; "" any; compared without case */
	const char *user;    /* login; "" any */
	unsigned limit;      /* newest first; 1..10000 */
};

/* [TXN...], newest first. MG_ETIME when `deadline_us` (monotonic) passes. *out is a new reference. */
MG_MUSTCHECK
enum mg_rc mg_query_recent(struct mg_query *query, const struct mg_recent_filter *filter, int64_t deadline_us,
	json_t **out, struct mg_err *err);

/* {"transactions":[TXN...],"events":[EVENT...]} for a queue id, Message-ID (with or without <>), address (sender or
 * recipient) or client IP; at most `limit` transactions, newest first, with parents and children of what was found.
 * EVENT: {"time":EPOCH,"stage":S,"text":S,"say":[...],"id":TXN id}; in order of time. Empty arrays: unknown.
 * Fractions of a second are kept in "time". */
MG_MUSTCHECK
enum mg_rc mg_query_trace(struct mg_query *query, const char *what, unsigned limit, int64_t deadline_us, json_t **out,
	struct mg_err *err);

/* Messages that the log shows since `since_us`, per service, and how many of them no door saw:
 * [{"service":"postfix/smtpd","messages":N,"unseen":N,"last_unseen_queue_id":S}...]. Loopback clients and pickup are
 * left out; what is younger than MG_JOURNAL_WAIT_S too. */
MG_MUSTCHECK
enum mg_rc mg_query_coverage(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err);

/* Clients of private or loopback addresses that bring mail without a login, since `since_us`:
 * [{"client":IP,"names":N,"messages":N,"relayed":N}...], most names first: how many different HELO names, messages, and messages that
 * went on to other servers. What sendmail(1) hands in is left out. */
MG_MUSTCHECK
enum mg_rc mg_query_gateways(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err);

/* Clients that Postfix refused to relay for, since `since_us`: [{"client":IP,"refused":N}...], most refusals first, at most 16. */
MG_MUSTCHECK
enum mg_rc mg_query_relay_attempts(
	struct mg_query *query, int64_t since_us, int64_t deadline_us, json_t **out, struct mg_err *err);

/* The attempts to deliver that the log tells of, since `since_us`: `see` is called for each, in no order, at most for
 * MG_QUERY_DELIVERIES of them; messages that came more than five days earlier are left out. */
enum { MG_QUERY_DELIVERIES = 100000 };
struct mg_delivery_attempt { /* slices are borrowed for the call */
	int64_t time_us;     /* wall */
	struct mg_str recipient, relay, status, code, dsn, reply;
	double delays_s[4]; /* before the queue manager, in it, connecting, sending; -1 not given */
};
MG_MUSTCHECK
enum mg_rc mg_query_deliveries(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_delivery_attempt *attempt), void *context, struct mg_err *err);

/* What became of the recipients of each login since `since_us`; `see` is called for every login, which a pseudonymous record veils. */
struct mg_login_outcomes {
	struct mg_str login; /* borrowed for the call */
	uint32_t recipients, undelivered, invalid;
};
MG_MUSTCHECK
enum mg_rc mg_query_logins(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_login_outcomes *outcomes), void *context, struct mg_err *err);

/* Messages to recipients at other servers that were sent since `since_us` by logins, trusted clients and this machine itself: per author
 * domain (that of the envelope where From is not known) and provider; `see` is called for at most 1000 pairs, most messages first.
 * A message to two recipients counts twice, as providers count it. */
enum mg_provider { MG_PROVIDER_OTHER, MG_PROVIDER_GMAIL, MG_PROVIDER_YAHOO, MG_PROVIDER_MICROSOFT };
struct mg_sent {
	struct mg_str domain; /* lower case; borrowed for the call */
	enum mg_provider provider;
	uint64_t messages;
	uint64_t misaligned; /* whose envelope has a domain that is neither above nor below */
};
MG_MUSTCHECK
enum mg_rc mg_query_sent(struct mg_query *query, int64_t since_us, int64_t deadline_us,
	void (*see)(void *context, const struct mg_sent *sent), void *context, struct mg_err *err);

#endif
