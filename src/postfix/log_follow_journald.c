/* Following journald: the entries of facility mail, told apart by their tag like lines of a file. */
#include "postfix/log_follow.h"

#ifdef HAVE_LIBSYSTEMD

#include <stdlib.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"

enum { DATA_MAX = 64 * 1024, TAG_MAX = 256 };

/* The value of a field of the current entry, which holds until the next one is asked for. */
static struct mg_str field_of(sd_journal *journal, const char *name)
{
	const void *data;
	size_t n, label = strlen(name) + 1;

	if (sd_journal_get_data(journal, name, &data, &n) < 0 || n < label)
		return (struct mg_str){ 0 };
	return mg_str_of((const char *)data + label, n - label);
}

static unsigned pid_of(sd_journal *journal)
{
	uint64_t pid = 0;

	if (!mg_str_to_u64(field_of(journal, "SYSLOG_PID"), INT32_MAX, &pid))
		(void)mg_str_to_u64(field_of(journal, "_PID"), INT32_MAX, &pid);
	return (unsigned)pid;
}

static bool take_entry(struct mg_log_reader *reader, sd_journal *journal)
{
	struct mg_log_line line;
	char tag[TAG_MAX], *cursor = NULL;
	uint64_t time_us = 0;
	unsigned pid = pid_of(journal);

	if (sd_journal_get_cursor(journal, &cursor) < 0 || cursor == NULL)
		return true;
	(void)mg_str_copy(reader->position.cursor, sizeof reader->position.cursor, mg_str_z(cursor));
	free(cursor);
	(void)sd_journal_get_realtime_usec(journal, &time_us);
	(void)mg_str_copy(tag, sizeof tag, field_of(journal, "SYSLOG_IDENTIFIER"));
	mg_log_message_parse(mg_str_z(tag), pid, (int64_t)time_us, field_of(journal, "MESSAGE"), &line);
	return mg_log_reader_line(reader, &line);
}

/* To the entry before the one to take next. */
static int seek(struct mg_log_reader *reader, sd_journal *journal)
{
	const char *cursor = reader->position.cursor;

	if (cursor[0] == '\0' || sd_journal_seek_cursor(journal, cursor) < 0)
		return sd_journal_seek_realtime_usec(journal, (uint64_t)(mg_wall_us() - MG_DAY_US));
	if (sd_journal_next(journal) > 0 && sd_journal_test_cursor(journal, cursor) <= 0)
		return sd_journal_seek_cursor(
			journal, cursor); /* that entry is gone: the next is the first not taken */
	return 0;
}

static bool has_entries(sd_journal *journal)
{
	return sd_journal_seek_head(journal) >= 0 && sd_journal_next(journal) > 0;
}

static sd_journal *open_journal(struct mg_log_reader *reader, const char *directory)
{
	sd_journal *journal = NULL;
	int rc = directory == NULL ? sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY)
				   : sd_journal_open_directory(&journal, directory, 0);

	if (rc >= 0) {
		(void)sd_journal_set_data_threshold(journal, DATA_MAX);
		if (!has_entries(journal))
			mg_log_reader_trouble(reader, 0, "the journal holds nothing that may be read here", "");
		rc = sd_journal_add_match(journal, "SYSLOG_FACILITY=2", 0);
	}
	if (rc >= 0)
		rc = seek(reader, journal);
	if (rc >= 0)
		return journal;
	mg_log_reader_trouble(reader, -rc, "can't read the journal", "");
	sd_journal_close(journal);
	return NULL;
}

/* All there is. */
static bool drain(struct mg_log_reader *reader, sd_journal *journal)
{
	bool is_going = true;

	for (bool is_first = true; is_going && sd_journal_next(journal) > 0; is_first = false) {
		if (is_first)
			mg_log_reader_well(reader);
		is_going = take_entry(reader, journal);
	}
	return is_going && mg_log_reader_tell(reader);
}

void mg_log_follow_journald(struct mg_log_reader *reader, const char *directory)
{
	sd_journal *journal = NULL;
	bool is_going = true;

	while (is_going) {
		if (journal == NULL)
			journal = open_journal(reader, directory);
		if (journal == NULL) {
			is_going = mg_log_reader_wait(reader, -1, MG_LOG_RETRY_MS);
			continue;
		}
		is_going = drain(reader, journal) &&
			   mg_log_reader_wait(reader, sd_journal_get_fd(journal), MG_LOG_POLL_MS);
		(void)sd_journal_process(journal);
	}
	sd_journal_close(journal);
}

#else

void mg_log_follow_journald(struct mg_log_reader *reader, const char *directory)
{
	(void)directory;
	mg_log_reader_trouble(reader, 0, "this build can't read journald", "");
	while (mg_log_reader_wait(reader, -1, MG_LOG_RETRY_MS))
		continue;
}

#endif
