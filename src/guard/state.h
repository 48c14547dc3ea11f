/* state.h - the guards' memory: tables of fixed size in shared memory that the supervisor holds, and its copy on disk.
 *
 * *State's time* is monotonic and goes on over a restart: the snapshot says how late it was, the wall clock tells how long we
 * were away (never less than nothing). Nothing else here looks at the wall clock, so a stepped clock changes nothing.
 *
 * Snapshot: one file, written beside and renamed, with a checksum over all; rows that mean nothing any more are left out. What
 * can't be read is set aside as FILE.bad with one line in the log, and the state begins empty.
 *
 * Threads and processes: safe from any; one mg_state_save() at a time. */
#ifndef MG_GUARD_STATE_H
#define MG_GUARD_STATE_H

#include "base/str.h"
#include "guard/table.h"

enum mg_state_table {
	MG_STATE_LIMITS,   /* rate limits: memory_store.c */
	MG_STATE_SEEN,     /* who has written to whom, which networks have delivered: seen.c */
	MG_STATE_ACCOUNTS, /* logins and what they did: abuse */
	MG_STATE_GREYLIST, /* who was asked to come back */
	MG_STATE_BANS,
	MG_STATE_TABLES,
};

struct mg_state;

/* Whence time comes, so that tests can bring their own. */
struct mg_state_clock {
	int64_t (*mono_us)(void), (*wall_us)(void);
};

/* The shapes of all tables and how many rows each has for `max_keys` (state.max_keys, 16..2^24). */
struct mg_state_plan {
	const struct mg_table_shape *shape[MG_STATE_TABLES]; /* NULL: no such table */
	size_t rows[MG_STATE_TABLES];
	const struct mg_state_clock *clock; /* NULL: the machine's */
};

/* Bytes of shared memory for a plan; what no row has touched yet costs nothing. */
size_t mg_state_bytes(const struct mg_state_plan *plan);

/* Over `memory` (page-aligned; zeroed when `is_new`), which must stay mapped. MG_ESYNTAX: it is there and of another layout;
 * the caller begins with new memory. */
MG_MUSTCHECK
enum mg_rc mg_state_open(const struct mg_state_plan *plan, void *memory, size_t bytes, bool is_new,
	struct mg_state **state_out, struct mg_err *err);
void mg_state_close(struct mg_state **state); /* the memory stays; NULL is fine */

struct mg_table *mg_state_table(struct mg_state *state, enum mg_state_table which);

/* Nanoseconds, > 0, never going back while the memory lives. */
int64_t mg_state_now_ns(const struct mg_state *state);

/* The key of a text; never 0. `space` keeps things of different kinds apart ("login-hour", "ban"). */
uint64_t mg_state_key(const struct mg_state *state, struct mg_str space, struct mg_str text);

/* Writes the snapshot: 0600, fsynced, renamed over `path`. May block on disk. */
MG_MUSTCHECK
enum mg_rc mg_state_save(struct mg_state *state, const char *path, struct mg_err *err);

/* Fills a new state from the snapshot: before anybody uses it. MG_ENOENT: there is none; MG_ESYNTAX: it can't be read, and
 * stands aside now. MG_EPERM, MG_EIO: it can't be opened, and stays. Tables of another version are left empty. */
MG_MUSTCHECK
enum mg_rc mg_state_restore(struct mg_state *state, const char *path, struct mg_err *err);

#endif
