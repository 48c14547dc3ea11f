/* Deleted rows leave free pages, which new rows take; only where the file itself is too large they are given back, a
 * few at a time. Everything stays well below the limit, because the WAL counts too and grows within a batch. */
#include "journal/retention.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

enum { SLICE_ROWS = 2000, SLICE_TXNS = 100, VACUUM_PAGES = 256 };
static const int64_t megabyte = 1024 * 1024;

struct pages {
	int64_t count, unused, bytes; /* bytes: of a page */
};

static uint64_t file_bytes(const char *path, const char *suffix)
{
	char name[4096];
	struct stat st;
	int n = snprintf(name, sizeof name, "%s%s", path, suffix);

	return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t mg_retention_bytes(const char *path)
{
	return file_bytes(path, "") + file_bytes(path, "-wal");
}

static bool read_pages(struct mg_store *store, struct pages *pages)
{
	struct mg_bind b = mg_bind(store, MG_STMT_PAGES);
	bool ok = mg_store_step(store, &b);

	if (ok)
		*pages = (struct pages){ sqlite3_column_int64(b.stmt, 0), sqlite3_column_int64(b.stmt, 1),
			sqlite3_column_int64(b.stmt, 2) };
	mg_store_end(&b);
	return ok;
}

static void run_plain(struct mg_store *store, enum mg_stmt which)
{
	struct mg_bind b = mg_bind(store, which);

	mg_store_run(store, &b);
}

/* Deletes the oldest that began before `before_us`; returns how many. */
static size_t delete_slice(struct mg_store *store, int64_t before_us)
{
	struct mg_head heads[SLICE_TXNS];
	int64_t rows = sqlite3_total_changes(store->db);
	struct mg_bind b;
	size_t n, done = 0;

	run_plain(store, MG_STMT_BEGIN);
	b = mg_bind(store, MG_STMT_OLDEST);
	mg_bind_int(&b, before_us);
	n = mg_head_read(store, &b, heads, SLICE_TXNS);
	while (done < n && sqlite3_total_changes(store->db) - rows < SLICE_ROWS)
		mg_head_drop(store, &heads[done++]);
	run_plain(store, MG_STMT_COMMIT);
	if (store->rc != SQLITE_OK && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return store->rc == SQLITE_OK ? done : 0;
}

static void exec(struct mg_store *store, const char *sql)
{
	int rc = store->rc == SQLITE_OK ? sqlite3_exec(store->db, sql, NULL, NULL, NULL) : SQLITE_OK;

	if (rc != SQLITE_OK && rc != SQLITE_BUSY && store->rc == SQLITE_OK)
		store->rc = rc;
}

static void shrink(struct mg_store *store)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
	exec(store, sql);
}

/* The WAL's share of the limit: one batch touches a page of every index for each of its rows, so it may write a small
 * database whole, and of a large one some ten thousand pages, before the WAL can be folded into it. */
static int64_t reserve_of(int64_t max)
{
	int64_t reserve = max * 5 / 8;

	return reserve > 96 * megabyte ? 96 * megabyte : reserve;
}

/* One step towards the size; false: nothing left to do. */
static bool size_step(struct mg_store *store, const char *path, int64_t max)
{
	int64_t limit = max - reserve_of(max);
	struct pages pages;
	int64_t used;

	if (!read_pages(store, &pages))
		return false;
	used = (pages.count - pages.unused) * pages.bytes;
	if (used > limit - limit / 16)
		return delete_slice(store, INT64_MAX) > 0;
	if (pages.count * pages.bytes > limit && pages.unused > 0) {
		shrink(store);
		return store->rc == SQLITE_OK;
	}
	if ((int64_t)mg_retention_bytes(path) > max - reserve_of(max) / 2 &&
		(int64_t)file_bytes(path, "-wal") > megabyte) /* a reader may hold it: tried again the next time */
		exec(store, "PRAGMA wal_checkpoint(TRUNCATE)");
	return false;
}

bool mg_retention_run(struct mg_store *store, const char *path, const struct mg_retention *retention, int64_t budget_us)
{
	int64_t deadline_us = mg_mono_us() + budget_us;
	int64_t before_us = store->now_us - retention->keep_days * MG_DAY_US;
	bool is_aged = true, is_large = true;

	while (store->rc == SQLITE_OK && (is_aged || is_large) && mg_mono_us() < deadline_us) {
		if (is_aged)
			is_aged = delete_slice(store, before_us) > 0;
		else
			is_large = size_step(store, path, retention->max_mb * megabyte);
	}
	return store->rc == SQLITE_OK && (is_aged || is_large);
}
