/* The tables, and every statement of the writer, prepared once.
 *
 * Enums of record.h are stored as their numbers; rows of a transaction that wait for their record have is_shown 0 and
 * waits_us set, rows that may never be shown (probes, a connection that brought no message) have both 0. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/store.h"

static const char schema_1[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE position(source TEXT PRIMARY KEY, inode INTEGER, offset INTEGER, fingerprint INTEGER,"
	" fingerprint_bytes INTEGER, cursor TEXT) WITHOUT ROWID;"
	"CREATE TABLE txn(seq INTEGER PRIMARY KEY, life INTEGER, time_us INTEGER, end_us INTEGER, first_line_us INTEGER,"
	" last_line_us INTEGER, waits_us INTEGER, is_shown INTEGER, log_seen INTEGER, recipient_count INTEGER,"
	" left_out INTEGER, action INTEGER, smtpd_pid INTEGER, client_port INTEGER, sender_key INTEGER,"
	" message_key INTEGER, size_bytes INTEGER, parent INTEGER, is_refusal INTEGER, client_ip BLOB,"
	" id TEXT, connect_us INTEGER, by_milter INTEGER, by_policy INTEGER, queue_id TEXT, service TEXT,"
	" server_port TEXT, client_name TEXT, helo TEXT, user TEXT, sender TEXT, from_domain TEXT, message_id TEXT,"
	" tls TEXT, iprev TEXT, spf TEXT, dkim TEXT, arc TEXT, dmarc TEXT, relay INTEGER, would INTEGER, code TEXT,"
	" text TEXT, rule TEXT, latency_us INTEGER, is_degraded INTEGER);"
	"CREATE INDEX txn_time ON txn(time_us);"
	"CREATE INDEX txn_queue_id ON txn(queue_id) WHERE queue_id<>'';"
	"CREATE INDEX txn_message ON txn(message_key) WHERE message_key<>0;"
	"CREATE INDEX txn_sender ON txn(sender_key) WHERE sender_key<>0;"
	"CREATE INDEX txn_client ON txn(client_ip, time_us) WHERE client_ip<>x'';"
	"CREATE INDEX txn_user ON txn(user, time_us) WHERE user<>'';"
	"CREATE INDEX txn_pid ON txn(smtpd_pid, time_us) WHERE smtpd_pid<>0;"
	"CREATE INDEX txn_line_pid ON txn(smtpd_pid, time_us) WHERE smtpd_pid<>0 AND is_refusal=0 AND life & 1 = 0;"
	"CREATE INDEX txn_unnamed ON txn(smtpd_pid, time_us) WHERE smtpd_pid<>0 AND queue_id='' AND is_refusal=0;"
	"CREATE INDEX txn_refusal ON txn(client_ip, time_us) WHERE is_refusal=1;"
	"CREATE INDEX txn_waits ON txn(waits_us) WHERE waits_us<>0;"
	"CREATE INDEX txn_parent ON txn(parent) WHERE parent<>0;"
	"CREATE TABLE recipient(slot INTEGER PRIMARY KEY, address TEXT, key INTEGER, owner INTEGER, tally INTEGER,"
	" verdict INTEGER, delivery INTEGER, code TEXT, dsn TEXT, reply TEXT, relay TEXT, rcpt_us INTEGER,"
	" last_us INTEGER);"
	"CREATE INDEX recipient_key ON recipient(key);"
	"CREATE TABLE event(slot INTEGER PRIMARY KEY, kind INTEGER, time_us INTEGER, recipient TEXT, orig_to TEXT,"
	" sender TEXT, relay TEXT, verb TEXT, stage TEXT, code TEXT, dsn TEXT, status TEXT, reply TEXT,"
	" other_id TEXT, mailbox TEXT, service TEXT, number INTEGER, delay REAL, delays TEXT);";

static const char schema_2[] = "ALTER TABLE txn ADD COLUMN auth_report TEXT NOT NULL DEFAULT '';";

static const char schema_3[] = "ALTER TABLE txn ADD COLUMN auth_facts TEXT NOT NULL DEFAULT '';"
			       "ALTER TABLE txn ADD COLUMN asked TEXT NOT NULL DEFAULT '';"
			       "ALTER TABLE recipient ADD COLUMN rule TEXT;"
			       "ALTER TABLE recipient ADD COLUMN asked TEXT;";

static const char *const migrations[] = { schema_1, schema_2, schema_3 }; /* [n]: from version n to n + 1 */

#define HEAD                                                                                                           \
	"SELECT seq,life,time_us,end_us,first_line_us,last_line_us,waits_us,is_shown,log_seen,recipient_count,"        \
	"left_out,action,smtpd_pid,client_port,sender_key,message_key,size_bytes,parent,is_refusal,"                   \
	"rule GLOB 'client:*',by_milter,client_ip FROM txn "
#define FACTS                                                                                                          \
	"time_us=?,end_us=?,left_out=?,action=?,smtpd_pid=?,client_port=?,sender_key=?,message_key=?,size_bytes=?,"    \
	"client_ip=?,id=?,connect_us=?,by_milter=?,by_policy=?,server_port=?,client_name=?,helo=?,user=?,sender=?,"    \
	"from_domain=?,message_id=coalesce(?,message_id),tls=?,iprev=?,spf=?,dkim=?,arc=?,dmarc=?,relay=?,would=?,"    \
	"code=?,text=?,rule=?,latency_us=?,is_degraded=?,auth_report=?,auth_facts=?,asked=?"

static const char *const statements[MG_STMTS] = {
	[MG_STMT_BEGIN] = "BEGIN IMMEDIATE",
	[MG_STMT_COMMIT] = "COMMIT",
	[MG_STMT_ROLLBACK] = "ROLLBACK",
	[MG_STMT_POSITION] = "INSERT OR REPLACE INTO position VALUES(?,?,?,?,?,?)",
	[MG_STMT_INSERT] =
		"INSERT INTO txn(time_us,end_us,left_out,action,smtpd_pid,client_port,sender_key,message_key,"
		"size_bytes,client_ip,id,connect_us,by_milter,by_policy,server_port,client_name,helo,user,sender,"
		"from_domain,message_id,tls,iprev,spf,dkim,arc,dmarc,relay,would,code,text,rule,latency_us,"
		"is_degraded,auth_report,auth_facts,asked,life,first_line_us,last_line_us,waits_us,is_shown,log_seen,recipient_count,parent,"
		"is_refusal,queue_id,service) "
		"VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,coalesce(?,''),?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"?,?,?,?,?,?,?,?,?,?,?,?)",
	[MG_STMT_OVERLAY] = "UPDATE txn SET " FACTS ",life=?,waits_us=0,is_shown=1,recipient_count=0 WHERE seq=?",
	[MG_STMT_SAVE] = "UPDATE txn SET life=?,first_line_us=?,last_line_us=?,log_seen=?,recipient_count=?,left_out=?"
			 " WHERE seq=?",
	[MG_STMT_WAIT] = "UPDATE txn SET waits_us=? WHERE seq=?",
	[MG_STMT_SHOW] = "UPDATE txn SET waits_us=0,is_shown=? WHERE seq=?",
	[MG_STMT_VERDICT] =
		"UPDATE txn SET action=?1,code=?2,text=?3,rule=CASE WHEN rule='' OR rule='log-only' OR "
		"substr(rule,1,8)='postfix:' OR substr(rule,1,7)='client:' OR ?5 THEN ?4 ELSE rule END WHERE seq=?6",
	[MG_STMT_QUEUE_ID] = "UPDATE txn SET queue_id=? WHERE seq=?",
	[MG_STMT_SERVICE] = "UPDATE txn SET service=coalesce(?,'') WHERE seq=?",
	[MG_STMT_CLIENT] =
		"UPDATE txn SET service=coalesce(?,''),smtpd_pid=?,client_ip=?,client_port=?,client_name=coalesce(?,''),"
		"user=coalesce(?,'') WHERE seq=?",
	[MG_STMT_SIZE] = "UPDATE txn SET size_bytes=? WHERE seq=?",
	[MG_STMT_FACTS] = "UPDATE txn SET sender=?,sender_key=?,size_bytes=?,end_us=?,waits_us=? WHERE seq=?",
	[MG_STMT_MESSAGE_ID] = "UPDATE txn SET message_id=?,message_key=? WHERE seq=?",
	[MG_STMT_PARENT] = "UPDATE txn SET parent=? WHERE seq=?",
	[MG_STMT_DROP] = "DELETE FROM txn WHERE seq=?",
	[MG_STMT_BY_SEQ] = HEAD "WHERE seq=?",
	[MG_STMT_BY_QUEUE_ID] = HEAD "WHERE queue_id=? AND queue_id<>'' ORDER BY seq DESC LIMIT 8",
	[MG_STMT_BY_PID] =
		HEAD "WHERE smtpd_pid=? AND smtpd_pid<>0 AND time_us BETWEEN ? AND ? ORDER BY time_us DESC LIMIT 32",
	[MG_STMT_LOG_BY_PID] = HEAD "WHERE smtpd_pid=? AND smtpd_pid<>0 AND time_us BETWEEN ? AND ?"
				    " AND is_refusal=0 AND life & 1 = 0 ORDER BY time_us DESC LIMIT 32",
	[MG_STMT_UNNAMED] = HEAD "WHERE smtpd_pid=? AND smtpd_pid<>0 AND queue_id='' AND is_refusal=0"
				 " AND time_us BETWEEN ? AND ? ORDER BY time_us DESC LIMIT 32",
	[MG_STMT_BY_CLIENT] = HEAD "WHERE client_ip=? AND client_ip<>x'' AND time_us BETWEEN ? AND ?"
				   " ORDER BY time_us DESC LIMIT 64",
	[MG_STMT_BY_MESSAGE] = HEAD "WHERE message_key=? AND message_key<>0 ORDER BY seq DESC LIMIT 8",
	[MG_STMT_REFUSALS] =
		HEAD "WHERE client_ip=? AND is_refusal=1 AND time_us BETWEEN ? AND ? ORDER BY time_us DESC LIMIT 32",
	[MG_STMT_PROMOTE] = "UPDATE txn SET waits_us=0,is_shown=1 WHERE waits_us<>0 AND"
			    " (waits_us<?1 OR (waits_us<?2 AND life & 36 <> 0))" /* CLOSED, QUEUED */,
	[MG_STMT_WAITING_COUNT] = "SELECT count(*) FROM txn WHERE waits_us<>0",
	[MG_STMT_ADD_RECIPIENT] = "INSERT INTO recipient VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[MG_STMT_FIND_RECIPIENT] = "SELECT slot,address,owner,tally,verdict,delivery,reply FROM recipient"
				   " WHERE key=? AND slot BETWEEN ? AND ?",
	[MG_STMT_READ_RECIPIENTS] = "SELECT * FROM recipient WHERE slot BETWEEN ? AND ?",
	[MG_STMT_DROP_RECIPIENTS] = "DELETE FROM recipient WHERE slot BETWEEN ? AND ?",
	[MG_STMT_DROP_RECIPIENT] = "DELETE FROM recipient WHERE slot=?",
	[MG_STMT_REFUSE] = "UPDATE recipient SET verdict=?,code=?,dsn=?,reply=?,last_us=?,rule=NULL WHERE slot=?",
	[MG_STMT_REFUSE_ALL] = "UPDATE recipient SET verdict=?1,code=?2,dsn=?3,reply=?4,last_us=?5"
			       " WHERE slot BETWEEN ?6 AND ?7 AND verdict NOT IN (2,3)",
	[MG_STMT_ANY_ACCEPTED] = "SELECT 1 FROM recipient WHERE slot BETWEEN ? AND ? AND verdict NOT IN (2,3)"
				 " AND owner IS NULL LIMIT 1",
	[MG_STMT_ANY_REJECTED] = "SELECT 1 FROM recipient WHERE slot BETWEEN ? AND ? AND verdict=2 LIMIT 1",
	[MG_STMT_DELIVER] = "UPDATE recipient SET delivery=?,tally=?,dsn=?,reply=?,relay=?,last_us=? WHERE slot=?",
	[MG_STMT_HOLD_ALL] =
		"UPDATE recipient SET delivery=0,tally=tally & ~65535 WHERE slot BETWEEN ? AND ? AND delivery=2",
	/* the lowest 16 bits of a tally count what is deferred, the next 16 what has expired */
	[MG_STMT_EXPIRE_ALL] = "UPDATE recipient SET delivery=CASE delivery WHEN 2 THEN 4 ELSE delivery END,"
			       "tally=(tally & ~65535) + ((tally & 65535) << 16)"
			       " WHERE slot BETWEEN ? AND ? AND (delivery=2 OR tally & 65535)",
	[MG_STMT_ADD_EVENT] = "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[MG_STMT_READ_EVENTS] = "SELECT * FROM event WHERE slot BETWEEN ? AND ?",
	[MG_STMT_MOVE_EVENT] = "UPDATE event SET slot=? WHERE slot=?",
	[MG_STMT_DROP_EVENTS] = "DELETE FROM event WHERE slot BETWEEN ? AND ?",
	[MG_STMT_OLDEST] = HEAD "WHERE time_us<? ORDER BY time_us LIMIT 100",
	[MG_STMT_SHOW_OLDEST] = "UPDATE txn SET waits_us=0,is_shown=1 WHERE seq IN (SELECT seq FROM txn"
				" WHERE waits_us<>0 ORDER BY waits_us LIMIT ?)",
	[MG_STMT_PAGES] = "SELECT page_count, freelist_count, page_size FROM pragma_page_count,"
			  " pragma_freelist_count, pragma_page_size",
};

struct limit {
	int64_t deadline_us;
};

static int is_over(void *context)
{
	return mg_mono_us() > ((struct limit *)context)->deadline_us;
}

static enum mg_rc sql_err(struct mg_store *store, const char *path, const char *what, struct mg_err *err)
{
	int rc = sqlite3_errcode(store->db) & 0xff;

	mg_err_set(err, MG_EIO, "journal %s: %s: %s", path, what, sqlite3_errmsg(store->db));
	return rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? MG_EBUSY : MG_EIO;
}

static bool is_corrupt(sqlite3 *db)
{
	int rc = sqlite3_errcode(db) & 0xff;

	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

/* The first column of the first row as a number. */
static bool number_of(sqlite3 *db, const char *sql, int64_t *value_out)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;

	if (ok)
		*value_out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return ok;
}

/* quick_check reads the whole file: a large one is checked as far as the time goes. */
static bool is_sound(sqlite3 *db, int check_ms)
{
	struct limit limit = { mg_mono_us() + check_ms * MG_MS_US };
	sqlite3_stmt *stmt = NULL;
	bool ok = true;

	if (check_ms <= 0)
		return true;
	sqlite3_progress_handler(db, 1000, is_over, &limit);
	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK) {
		int rc = sqlite3_step(stmt);

		if (rc == SQLITE_ROW)
			ok = mg_str_eq(mg_column_text(stmt, 0), MG_STR("ok"));
		else
			ok = rc != SQLITE_CORRUPT && rc != SQLITE_NOTADB;
	}
	sqlite3_finalize(stmt);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	return ok;
}

static bool add_key(sqlite3 *db)
{
	unsigned char key[16];
	sqlite3_stmt *stmt = NULL;
	bool ok = getrandom(key, sizeof key, 0) == (ssize_t)sizeof key &&
		  sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO meta VALUES('key',?)", -1, &stmt, NULL) == SQLITE_OK;

	if (ok) {
		sqlite3_bind_blob(stmt, 1, key, sizeof key, SQLITE_STATIC);
		ok = sqlite3_step(stmt) == SQLITE_DONE;
	}
	sqlite3_finalize(stmt);
	return ok;
}

bool mg_store_read_key(sqlite3 *db, struct mg_veil *veil)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE name='key'", -1, &stmt, NULL) == SQLITE_OK &&
		  sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == (int)sizeof veil->key;

	if (ok)
		memcpy(veil->key, sqlite3_column_blob(stmt, 0), sizeof veil->key);
	sqlite3_finalize(stmt);
	return ok;
}

/* Brings a schema of version `from` to ours in one transaction. */
static bool migrate(sqlite3 *db, int64_t from)
{
	char version[48];
	bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;

	for (int64_t i = from; ok && i < MG_SCHEMA_VERSION; i++)
		ok = sqlite3_exec(db, migrations[i], NULL, NULL, NULL) == SQLITE_OK;
	snprintf(version, sizeof version, "PRAGMA user_version=%d", MG_SCHEMA_VERSION);
	ok = ok && add_key(db) && sqlite3_exec(db, version, NULL, NULL, NULL) == SQLITE_OK &&
	     sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	return ok;
}

static enum mg_rc bring_up(struct mg_store *store, const char *path, int check_ms, struct mg_err *err)
{
	static const char setup[] = "PRAGMA auto_vacuum=INCREMENTAL;PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
				    "PRAGMA mmap_size=0;PRAGMA cache_size=-4000;PRAGMA journal_size_limit=2097152;"
				    "PRAGMA wal_autocheckpoint=500;"
				    "PRAGMA temp_store=MEMORY;PRAGMA trusted_schema=OFF;";
	int64_t version;

	if (!number_of(store->db, "PRAGMA user_version", &version))
		return sql_err(store, path, "can't read it", err);
	if (version < 0 || version > MG_SCHEMA_VERSION)
		return mg_err_set(err, MG_ERANGE,
			"journal %s was written by a newer mailguard (schema %lld, this one knows %d): install that "
			"version again, or move the file away and a new journal is begun",
			path, (long long)version, MG_SCHEMA_VERSION);
	if (sqlite3_exec(store->db, setup, NULL, NULL, NULL) != SQLITE_OK)
		return sql_err(store, path, "can't set it up", err);
	if (!is_sound(store->db, check_ms)) {
		store->rc = SQLITE_CORRUPT;
		return mg_err_set(err, MG_EIO, "journal %s: its content is damaged", path);
	}
	if (version < MG_SCHEMA_VERSION && !migrate(store->db, version))
		return sql_err(store, path, "can't bring its schema up to date", err);
	if (!mg_store_read_key(store->db, &store->veil))
		return sql_err(store, path, "can't read its key", err);
	for (int i = 0; i < MG_STMTS; i++)
		if (sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &store->stmt[i],
			    NULL) != SQLITE_OK)
			return sql_err(store, path, "can't prepare a statement", err);
	return MG_OK;
}

enum mg_rc mg_store_open(
	struct mg_store *store, const char *path, int check_ms, bool *is_corrupt_out, struct mg_err *err)
{
	struct stat st;
	enum mg_rc rc;
	int fd;

	*is_corrupt_out = false;
	/* Only what does not exist is opened here: closing a descriptor drops every lock that this process holds on the
	 * file. The WAL takes over its mode. */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd >= 0)
		close(fd);
	if ((fd < 0 && errno != EEXIST) || stat(path, &st) != 0)
		return mg_err_sys(err, MG_EIO, errno, "can't open the journal %s", path);
	store->inode = (uint64_t)st.st_ino;
	store->rc = SQLITE_OK;
	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		rc = sql_err(store, path, "can't open it", err);
	} else {
		sqlite3_busy_timeout(store->db, 250);
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 2048, 128); /* rows are built in these */
		rc = bring_up(store, path, check_ms, err);
	}
	if (rc != MG_OK) {
		*is_corrupt_out = rc == MG_EIO && (store->rc == SQLITE_CORRUPT || is_corrupt(store->db));
		mg_store_close(store);
	}
	return rc;
}

void mg_store_close(struct mg_store *store)
{
	for (int i = 0; i < MG_STMTS; i++) {
		sqlite3_finalize(store->stmt[i]);
		store->stmt[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}
