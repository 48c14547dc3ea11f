#include "health/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { STAT_MAX = 4096, LOCKS_MAX = 4 * 1024 * 1024, DESCRIPTORS_MAX = 65536 };

/* Seconds since the epoch at boot. */
static int64_t booted_s(void)
{
	struct mg_buf text;
	uint64_t seconds = 0;
	size_t at;

	if (mg_file_read("/proc/stat", 1024 * 1024, &text, NULL) == MG_OK &&
		(at = mg_str_find_str(mg_buf_str(&text), MG_STR("\nbtime "))) != SIZE_MAX) {
		struct mg_str rest = mg_str_from(mg_buf_str(&text), at + sizeof "\nbtime " - 1);

		if (!mg_read_u64(&rest, INT64_MAX, &seconds))
			seconds = 0;
	}
	mg_buf_fini(&text);
	return (int64_t)seconds;
}

/* "PID (name) S PPID ... starttime ...": the name may hold anything, the last ")" ends it. */
static bool parse_stat(struct mg_str text, struct mg_process *process_out)
{
	enum { STATE = 1, PARENT = 2, STARTED = 20 }; /* words behind the name */
	size_t open = mg_str_find(text, '('), close = mg_str_rfind(text, ')');
	struct mg_str rest, word;
	uint64_t number;

	if (open == SIZE_MAX || close == SIZE_MAX || close < open)
		return false;
	mg_str_copy(process_out->name, sizeof process_out->name, mg_str_of(text.p + open + 1, close - open - 1));
	rest = mg_str_from(text, close + 1);
	for (int i = 1; i <= STARTED && mg_read_word(&rest, " \n", &word); i++) {
		if (i == STATE)
			process_out->has_ended = mg_str_eq(word, MG_STR("Z")) || mg_str_eq(word, MG_STR("X"));
		if (i != PARENT && i != STARTED)
			continue;
		if (!mg_str_to_u64(word, INT64_MAX, &number))
			return false;
		if (i == PARENT)
			process_out->parent = (pid_t)number;
		else
			process_out->started_s = (int64_t)(number / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	return true;
}

static bool read_process(pid_t pid, int64_t boot_s, struct mg_process *process_out)
{
	char path[64];
	struct mg_buf text;
	bool is_there;

	*process_out = (struct mg_process){ .pid = pid };
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	is_there = mg_file_read(path, STAT_MAX, &text, NULL) == MG_OK && parse_stat(mg_buf_str(&text), process_out);
	mg_buf_fini(&text);
	process_out->started_s += boot_s;
	return is_there;
}

bool mg_process_of(pid_t pid, struct mg_process *process_out)
{
	return pid > 0 && read_process(pid, booted_s(), process_out);
}

void mg_process_each(bool (*take)(void *context, const struct mg_process *process), void *context)
{
	DIR *all = opendir("/proc");
	int64_t boot_s = booted_s();
	const struct dirent *entry;
	struct mg_process process;
	uint64_t pid;

	for (int n = 0; all != NULL && n < MG_PROCESSES_MAX && (entry = readdir(all)) != NULL; n++)
		if (mg_str_to_u64(mg_str_z(entry->d_name), INT32_MAX, &pid) &&
			read_process((pid_t)pid, boot_s, &process) && !take(context, &process))
			break;
	if (all != NULL)
		closedir(all);
}

/* "1: FLOCK  ADVISORY  WRITE 9156 fe:00:10953038 0 EOF" */
static bool parse_lock(struct mg_str line, uint64_t inode, pid_t *pid_out)
{
	struct mg_str word, pid;
	uint64_t number;

	if (!mg_read_word(&line, " ", &word) || !mg_read_word(&line, " ", &word) || !mg_read_word(&line, " ", &word) ||
		!mg_read_word(&line, " ", &word) || !mg_str_eq(word, MG_STR("WRITE")) ||
		!mg_read_word(&line, " ", &pid) || !mg_read_word(&line, " ", &word))
		return false;
	word = mg_str_from(word, mg_str_rfind(word, ':') + 1);
	if (!mg_str_to_u64(word, UINT64_MAX, &number) || number != inode)
		return false;
	*pid_out = mg_str_to_u64(pid, INT32_MAX, &number) && number > 0 ? (pid_t)number : -1;
	return true;
}

pid_t mg_process_locking(const char *path)
{
	struct stat info;
	struct mg_buf text;
	struct mg_str rest, line;
	pid_t pid = -1;

	if (stat(path, &info) != 0)
		return -1;
	if (mg_file_read("/proc/locks", LOCKS_MAX, &text, NULL) == MG_OK) {
		pid = 0;
		rest = mg_buf_str(&text);
		while (rest.n > 0) {
			line = mg_str_cut(&rest, '\n');
			if (parse_lock(line, (uint64_t)info.st_ino, &pid))
				break;
		}
	}
	mg_buf_fini(&text);
	return pid;
}

struct search {
	char target[48]; /* "socket:[123]" */
	pid_t found;
};

static bool has_socket(void *context, const struct mg_process *process)
{
	struct search *search = context;
	char path[64], link[128];
	DIR *descriptors;
	const struct dirent *entry;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
	if ((descriptors = opendir(path)) == NULL)
		return true;
	for (int n = 0; n < DESCRIPTORS_MAX && search->found == 0 && (entry = readdir(descriptors)) != NULL; n++) {
		ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link);

		if (length > 0 && mg_str_eq(mg_str_of(link, (size_t)length), mg_str_z(search->target)))
			search->found = process->pid;
	}
	closedir(descriptors);
	return search->found == 0;
}

pid_t mg_process_of_socket(uint64_t inode)
{
	struct search search = { .found = 0 };

	snprintf(search.target, sizeof search.target, "socket:[%llu]", (unsigned long long)inode);
	mg_process_each(has_socket, &search);
	return search.found;
}

bool mg_process_has_systemd(void)
{
	struct stat info;

	return stat("/run/systemd/system", &info) == 0 && S_ISDIR(info.st_mode);
}
