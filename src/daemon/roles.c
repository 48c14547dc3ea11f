/* Records go into the journal of this worker, or, once it has given its roles up, to the next worker's. */
#include "daemon/worker_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/channel.h"
#include "daemon/log_source.h"
#include "journal/record_pack.h"
#include "milter/milter.h"
#include "postfix/wiring.h"

enum { JOURNAL_CLOSE_MS = 5000, JOURNAL_RETRY_S = 10, RECORD_BYTES_MAX = 16 * 1024 * 1024 };

/* ---- records ---- */

/* To the worker that has the journal now, through the supervisor. */
static bool hand_over(struct worker *w, struct mg_record *record)
{
	struct mg_buf packed;
	bool is_sent = false;
	int fd;

	mg_buf_init(&packed, RECORD_BYTES_MAX);
	mg_record_pack(record, &packed);
	mg_record_free(&record);
	fd = memfd_create("mailguard-record", MFD_CLOEXEC);
	if (fd >= 0 && mg_buf_ok(&packed) && mg_fd_write_all(fd, mg_buf_str(&packed), mg_mono_us() + MG_S_US))
		is_sent = mg_channel_send(w->o.channel, MG_WORD_RECORD, "", fd);
	mg_fd_close(&fd);
	mg_buf_fini(&packed);
	return is_sent;
}

bool mg_worker_put_record(void *context, struct mg_record *record)
{
	struct worker *w = context;
	bool is_kept = false;

	pthread_rwlock_rdlock(&w->journal_lock);
	if (w->journal != NULL) {
		is_kept = mg_journal_put(w->journal, record);
		record = NULL;
	}
	pthread_rwlock_unlock(&w->journal_lock);
	if (record != NULL && w->is_yielding)
		return hand_over(w, record);
	mg_record_free(&record);
	return is_kept;
}

void mg_worker_take_record(struct worker *w, int fd)
{
	void *bytes;
	off_t size = lseek(fd, 0, SEEK_END);
	struct mg_record *record;

	if (size <= 0 || size > RECORD_BYTES_MAX)
		return;
	bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return;
	record = mg_record_unpack(mg_str_of(bytes, (size_t)size));
	munmap(bytes, (size_t)size);
	if (record == NULL)
		return;
	if (!w->has_tried_journal && w->early_count < MG_EARLY_RECORDS)
		w->early[w->early_count++] = record;
	else
		mg_worker_put_record(w, record); /* counted by the worker it comes from */
}

static void put_early_records(struct worker *w)
{
	for (size_t i = 0; i < w->early_count; i++)
		mg_worker_put_record(w, w->early[i]);
	w->early_count = 0;
}

static void corrected(void *context, enum mg_action was, enum mg_action is)
{
	struct worker *w = context;

	mg_counters_correct(&w->o.hot->counters, was, is);
}

/* ---- roles ---- */

void mg_worker_close_journal(struct worker *w)
{
	struct mg_journal *journal;
	size_t lost;

	pthread_rwlock_wrlock(&w->journal_lock);
	journal = w->journal;
	w->journal = NULL;
	pthread_rwlock_unlock(&w->journal_lock);
	lost = mg_journal_close(&journal, JOURNAL_CLOSE_MS);
	if (lost > 0)
		mg_log(MG_LOG_ERROR, "records-lost: count=%zu, the journal could not be written", lost);
}

/* The reader's lines go to the engine (a disconnect ends transactions) and into the record. */
static bool take_line(void *context, const struct mg_log_line *line, const struct mg_log_position *position)
{
	struct worker *w = context;

	if (line != NULL)
		mg_engine_log_line(w->engine, line);
	return mg_journal_take_line(w->journal, line, position);
}

/* On the jobs' thread: the check of a large file, a slow disk or a lock may take its time. */
static void open_journal(struct worker *w)
{
	const struct mg_conf *conf = mg_worker_pin_conf(w);
	struct mg_journal_options options = { .path = conf->journal.path,
		.keep_days = (unsigned)conf->journal.keep_days,
		.max_mb = (unsigned)conf->journal.max_mb,
		.pseudonymize = conf->journal.pseudonymize,
		.corrected = corrected,
		.context = w };
	struct mg_journal *journal = NULL;
	struct mg_err err = { "" };

	if (mg_journal_open(&options, &journal, &err) != MG_OK)
		mg_log(MG_LOG_ERROR, "journal-not-open: %s; mail goes on unrecorded, next try in %d s", err.text,
			JOURNAL_RETRY_S);
	pthread_rwlock_wrlock(&w->journal_lock);
	w->journal = journal;
	mg_str_copy(w->journal_trouble, sizeof w->journal_trouble, mg_str_z(err.text));
	pthread_rwlock_unlock(&w->journal_lock);
	mg_conf_unref(&conf);
}

struct recording_job {
	struct mg_job job; /* first */
	struct worker *worker;
	char source[160]; /* of the log; "" none */
};

static void prepare_recording(struct mg_job *job)
{
	struct recording_job *recording = (struct recording_job *)job;
	struct worker *w = recording->worker;
	const struct mg_conf *conf = mg_worker_pin_conf(w);

	if (!mg_worker_has_journal(w))
		open_journal(w);
	w->has_tried_journal = true;
	mg_log_source_of(conf, recording->source, sizeof recording->source);
	mg_conf_unref(&conf);
}

/* The reader begins where the record says the last one stopped. */
static void start_reader(struct worker *w, const char *source)
{
	struct mg_log_sink sink = { .context = w, .take = take_line };
	struct mg_log_position position;
	struct mg_log_reader *reader = NULL;
	struct mg_err err = { "" };
	bool is_known = mg_journal_position(w->journal, source, &position);

	mg_journal_refuse_lines(w->journal, false);
	if (mg_log_reader_start(source, is_known ? &position : NULL, &sink, &reader, &err) != MG_OK)
		mg_log(MG_LOG_ERROR, "log-reader-not-started: %s", err.text);
	pthread_mutex_lock(&w->reader_lock);
	w->reader = reader;
	pthread_mutex_unlock(&w->reader_lock);
}

static void recording_prepared(struct mg_job *job)
{
	struct recording_job *recording = (struct recording_job *)job;
	struct worker *w = recording->worker;

	put_early_records(w);
	if (w->is_yielding) /* the next worker records now */
		mg_worker_close_journal(w);
	else if (recording->source[0] != '\0' && mg_worker_has_journal(w) && w->reader == NULL)
		start_reader(w, recording->source);
	mg_health_hasten(w->health);
	free(recording);
}

void mg_worker_start_recording(struct worker *w)
{
	struct recording_job *recording = calloc(1, sizeof *recording);

	w->recording_retry_us = mg_mono_us() + JOURNAL_RETRY_S * MG_S_US;
	if (recording == NULL)
		return;
	*recording = (struct recording_job){ .job = { prepare_recording, recording_prepared, NULL }, .worker = w };
	if (!mg_jobs_add(w->jobs, &recording->job))
		free(recording);
}

bool mg_worker_has_journal(struct worker *w)
{
	bool has;

	pthread_rwlock_rdlock(&w->journal_lock);
	has = w->journal != NULL;
	pthread_rwlock_unlock(&w->journal_lock);
	return has;
}

void mg_worker_stop_reader(struct worker *w)
{
	struct mg_log_reader *reader;

	pthread_mutex_lock(&w->reader_lock);
	reader = w->reader;
	w->reader = NULL;
	pthread_mutex_unlock(&w->reader_lock);
	if (reader != NULL && w->journal != NULL)
		mg_journal_refuse_lines(w->journal, true); /* it may be waiting for a full disk */
	mg_log_reader_stop(&reader);
}

static uint64_t rss_bytes(void)
{
	struct mg_str text;
	char line[128];
	uint64_t pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	struct mg_str word;

	if (statm == NULL)
		return 0;
	text = mg_str_z(fgets(line, sizeof line, statm));
	fclose(statm);
	if (mg_read_word(&text, " ", &word) && mg_read_word(&text, " ", &word))
		mg_str_to_u64(word, UINT32_MAX, &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void tell_zones(struct worker *w, struct mg_figures *out)
{
	const struct mg_conf *conf = mg_worker_pin_conf(w);

	for (size_t i = 0; i < conf->auth.dnsbl_count && out->zone_count < MG_DNSBL_ZONES; i++) {
		const char *name = conf->auth.dnsbl[i].zone;

		mg_dnsbl_shown(name, out->zones[out->zone_count].shown);
		out->zones[out->zone_count].health = mg_dnsbl_zones_health(w->zones, name, NULL);
		out->zones[out->zone_count].is_believed = mg_dnsbl_zones_believes(w->zones, name);
		out->zone_count++;
	}
	mg_conf_unref(&conf);
}

void mg_worker_figures(void *context, struct mg_figures *out)
{
	struct worker *w = context;
	struct mg_milter_stats milter;

	*out = (struct mg_figures){ .counters = &w->o.hot->counters,
		.guards = mg_worker_guards_all(w->guards),
		.worker_started_us = w->started_us,
		.loop_lag_us = w->loop_lag_us,
		.rss_bytes = rss_bytes() };
	pthread_rwlock_rdlock(&w->journal_lock);
	out->has_journal = w->journal != NULL;
	out->is_journal_opening = !w->has_tried_journal;
	if (w->journal != NULL)
		mg_journal_stats(w->journal, &out->journal);
	mg_str_copy(out->journal_trouble, sizeof out->journal_trouble, mg_str_z(w->journal_trouble));
	pthread_rwlock_unlock(&w->journal_lock);
	pthread_mutex_lock(&w->reader_lock);
	out->has_log = w->reader != NULL;
	if (w->reader != NULL)
		mg_log_reader_stats(w->reader, &out->log);
	pthread_mutex_unlock(&w->reader_lock);
	mg_resolver_stats(w->resolver, &out->dns);
	out->has_store = mg_worker_guards_store(w->guards, &out->store);
	tell_zones(w, out);
	mg_milter_stats(&milter);
	out->milter_sessions = milter.sessions;
	out->milter_capped = milter.capped;
	out->policy_connections = w->policy == NULL ? 0 : mg_policy_connections(w->policy);
}

/* Where the tap or the milter is wired everywhere, they judge relaying better than policy's first look. */
static void look_at_wiring(struct worker *w, const struct mg_conf *conf, const struct mg_postfix *postfix)
{
	struct mg_wiring_doors doors = { conf->milter.listen, conf->policy.listen };
	struct mg_wiring *wiring = NULL;

	if (mg_wiring_inspect(postfix, &doors, &wiring, NULL) == MG_OK)
		mg_engine_set_wiring(w->engine, wiring->has_milter, wiring->has_tap);
	mg_wiring_free(&wiring);
}

void mg_worker_postfix_read(void *context, const struct mg_postfix *postfix)
{
	struct worker *w = context;
	const struct mg_conf *conf = mg_worker_pin_conf(w);
	const struct mg_domains *domains = NULL;
	struct mg_err err = { "" };

	if (mg_domains_load(postfix, &conf->relay.trusted, &domains, &err) == MG_OK) {
		mg_engine_set_domains(w->engine, domains);
		mg_domains_unref(&w->domains);
		w->domains = domains;
	} else {
		mg_log(MG_LOG_WARNING, "domains-unknown: %s", err.text);
	}
	look_at_wiring(w, conf, postfix);
	mg_conf_unref(&conf);
	w->knows_postfix = true;
}

bool mg_worker_is_stale(void *context)
{
	const struct worker *w = context;

	return w->domains != NULL && !mg_domains_is_fresh(w->domains);
}
