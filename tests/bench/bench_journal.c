/* How fast the journal writes: records alone, and records with the six lines that the log has of an ordinary message,
 * the lines before or behind their record. Prints medians of five runs, and the writer's CPU time.
 *
 *   bench_journal [DIRECTORY]    default /tmp; the database is made there and removed */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal.h"

enum { RUNS = 5, MESSAGES = 60000, WINDOW = 200 };

static const char *directory = "/tmp";

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct mg_str text(struct mg_record *record, const char *fmt, int i)
{
	char place[96];
	int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(place, sizeof place, fmt, i);
#pragma GCC diagnostic pop
	return mg_str_z(mg_record_text(record, mg_str_of(place, (size_t)n)));
}

static struct mg_record *record_of(int i, int64_t now_us)
{
	struct mg_record *record = mg_record_new(now_us, (unsigned)i);

	record->connect_us = now_us - 100000;
	record->end_us = now_us + 50000;
	record->by_milter = record->by_policy = true;
	record->smtpd_pid = 1000 + (unsigned)i % 50;
	record->queue_id = text(record, "4ABC%08XZ", i).p;
	mg_ip_parse(text(record, "192.0.2.%d", i % 250), &record->client_ip);
	record->client_name = text(record, "mail%d.example.org", i % 1000).p;
	record->helo = record->client_name;
	record->sender = text(record, "sender%d@example.org", i % 5000).p;
	record->from_domain = "example.org";
	record->message_id = text(record, "%08d.20261121@example.org", i).p;
	record->server_port = "25";
	record->tls = "TLSv1.3";
	record->size_bytes = 10240;
	for (int method = 0; method < MG_METHODS; method++)
		record->auth[method] = "pass";
	record->relay = MG_RELAY_INBOUND;
	record->action = MG_ACTION_ACCEPT;
	record->latency_us = 1500;
	mg_record_add_recipient(record, text(record, "recipient%d@example.net", i % 2000))->verdict = MG_ACTION_ACCEPT;
	return record;
}

static void put_record(struct mg_journal *journal, int i, int64_t now_us)
{
	struct mg_record *record = record_of(i, now_us);
	struct mg_journal_stats stats;

	for (;;) { /* faster than the disk: a real door would drop, here we measure */
		mg_journal_stats(journal, &stats);
		if (stats.queued < MG_JOURNAL_QUEUE - 2000)
			break;
		usleep(500);
	}
	mg_journal_put(journal, record);
}

/* Lines from..to of the six. */
static void put_lines(struct mg_journal *journal, int i, int from, int to, int64_t now_us)
{
	static const enum mg_line_kind kinds[] = { MG_LINE_CLIENT, MG_LINE_MESSAGE_ID, MG_LINE_QUEUED, MG_LINE_DELIVERY,
		MG_LINE_REMOVED, MG_LINE_DISCONNECT };
	struct mg_log_position position = { .source = "file:/var/log/mail.log", .inode = 5 };
	struct mg_record *texts = mg_record_new(0, 0);

	for (int n = from; n < to; n++) {
		struct mg_log_line line = { .kind = kinds[n], .time_us = now_us + 1000 * n };

		line.service = MG_STR("postfix/smtpd");
		line.daemon = MG_STR("smtpd");
		line.pid = 1000 + (unsigned)i % 50;
		line.queue_id = n == 5 ? (struct mg_str){ 0 } : text(texts, "4ABC%08XZ", i);
		mg_ip_parse(text(texts, "192.0.2.%d", i % 250), &line.client_ip);
		line.client_name = text(texts, "mail%d.example.org", i % 1000);
		line.delay_s = -1;
		if (n == 1)
			line.message_id = text(texts, "%08d.20261121@example.org", i);
		if (n == 2) {
			line.sender = text(texts, "sender%d@example.org", i % 5000);
			line.size_bytes = 10240;
		}
		if (n == 3) {
			line.recipient = text(texts, "recipient%d@example.net", i % 2000);
			line.relay = MG_STR("mx.example.net[198.51.100.7]:25");
			line.dsn = MG_STR("2.0.0");
			line.status = MG_STR("sent");
			line.reply = MG_STR("250 2.0.0 Ok: queued as 4ABCDEF");
			line.delay_s = 0.5;
		}
		position.offset++;
		mg_journal_take_line(journal, &line, &position);
	}
	mg_record_free(&texts);
}

enum order { RECORDS_ONLY, LINES_BEHIND, LINES_AROUND };

static void put_all(struct mg_journal *journal, enum order order, int64_t now_us)
{
	for (int i = 0; i < MESSAGES; i++) {
		int64_t at_us = now_us + (int64_t)i * 1000;

		if (order == LINES_AROUND && i >= WINDOW) /* its record comes some 200 messages later */
			put_record(journal, i - WINDOW, at_us - WINDOW * 1000);
		if (order != LINES_AROUND)
			put_record(journal, i, at_us);
		if (order == LINES_AROUND)
			put_lines(journal, i, 0, 3, at_us);
		if (order != RECORDS_ONLY && i >= WINDOW)
			put_lines(journal, i - WINDOW, order == LINES_AROUND ? 3 : 0, 6, at_us - WINDOW * 1000);
	}
	for (int i = MESSAGES - WINDOW; i < MESSAGES && order != RECORDS_ONLY; i++) {
		if (order == LINES_AROUND)
			put_record(journal, i, now_us + (int64_t)i * 1000);
		put_lines(journal, i, order == LINES_AROUND ? 3 : 0, 6, now_us + (int64_t)i * 1000);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool run(enum order order, double *rate_out, double *cpu_us_out)
{
	char path[256], name[300];
	struct mg_journal_options options = { .path = path, .keep_days = 30, .max_mb = 2048 };
	struct mg_journal *journal;
	struct mg_err err = { "" };
	int64_t begun_us;
	double begun_cpu;

	snprintf(path, sizeof path, "%s/bench-journal-%d.db", directory, (int)getpid());
	if (mg_journal_open(&options, &journal, &err) != MG_OK) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	begun_us = mg_mono_us();
	begun_cpu = cpu_s();
	put_all(journal, order, mg_wall_us());
	if (!mg_journal_flush(journal, 120000))
		fprintf(stderr, "not flushed\n");
	*rate_out = MESSAGES / ((double)(mg_mono_us() - begun_us) / 1e6);
	*cpu_us_out = (cpu_s() - begun_cpu) * 1e6 / MESSAGES;
	mg_journal_close(&journal, 10000);
	unlink(path);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "%s%s", path, i == 0 ? "-wal" : "-shm");
		unlink(name);
	}
	return true;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "records alone", "records, 6 lines each behind them",
		"records, 3 lines each before, 3 behind" };

	if (argc > 1)
		directory = argv[1];
	for (int order = RECORDS_ONLY; order <= LINES_AROUND; order++) {
		double rate[RUNS], cpu[RUNS];

		for (int i = 0; i < RUNS; i++)
			if (!run((enum order)order, &rate[i], &cpu[i]))
				return 1;
		qsort(rate, RUNS, sizeof rate[0], by_value);
		qsort(cpu, RUNS, sizeof cpu[0], by_value);
		printf("%-40s %8.0f messages/s, %6.1f us CPU each (making them included)\n", names[order],
			rate[RUNS / 2], cpu[RUNS / 2]);
	}
	return 0;
}
