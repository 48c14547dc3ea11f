/* account_row.h - the row of a login, as account.c and account_signs.c share it.
 *
 * Threads: under the lock of its shard. */
#ifndef MG_GUARD_ACCOUNT_ROW_H
#define MG_GUARD_ACCOUNT_ROW_H

#include "guard/account.h"

enum { MG_ACCOUNT_NETS = 16, MG_ACCOUNT_HOURS = 24 };

static const int64_t MG_HOUR_NS = INT64_C(3600) * 1000000000;

struct mg_account_net {
	uint64_t net; /* 0: free */
	int64_t first_ns, last_ns;
};

/* What happened in one hour. */
struct mg_account_hour {
	int64_t hour; /* state's time in hours */
	uint32_t messages, recipients, fresh, invalid, foreign_from, failures_own, failures_other, unused;
};

struct mg_account_row {
	struct mg_row head;
	char login[MG_ACCOUNT_LOGIN];
	int64_t first_ns;
	int64_t raised_ns[MG_SIGNS]; /* 0: never, or pardoned */
	uint32_t number[MG_SIGNS], unused;
	struct mg_account_net net[MG_ACCOUNT_NETS];
	struct mg_account_hour now, before;
	uint32_t past[MG_ACCOUNT_HOURS]; /* recipients of past hours in which it sent */
	uint32_t past_count, past_next;
	int64_t pardoned_ns; /* 0 never: what the record tells of before counts no more */
	struct mg_account_outcomes outcomes;
	uint32_t unused_too;
};

/* Moves the hours on. */
void mg_account_tick(struct mg_account_row *row, int64_t now_ns);

/* A count of about the last hour: this hour's and the rest of the one before. `member` is an offset in struct mg_account_hour. */
uint32_t mg_account_hourly(const struct mg_account_row *row, size_t member, int64_t now_ns);

bool mg_account_owns(const struct mg_account_net *net, int64_t now_ns);

/* Raises what has come to its threshold. */
void mg_account_judge(struct mg_account_row *row, int64_t now_ns);
/* A login has just succeeded from `net`. */
void mg_account_judge_login(struct mg_account_row *row, const struct mg_account_net *net, int64_t now_ns);

#endif
