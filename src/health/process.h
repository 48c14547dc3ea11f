/* process.h - other programs as /proc shows them.
 *
 * Threads: safe from any; reads /proc. */
#ifndef MG_HEALTH_PROCESS_H
#define MG_HEALTH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum { MG_PROCESS_NAME = 64, MG_PROCESSES_MAX = 100000 };

struct mg_process {
	pid_t pid, parent;
	char name[MG_PROCESS_NAME]; /* as the kernel has it: at most 15 bytes */
	int64_t started_s;          /* wall */
	bool has_ended;             /* a zombie: its parent has not asked for its status yet */
};

/* False: there is none with that number. */
bool mg_process_of(pid_t pid, struct mg_process *process_out);

/* Calls `take` for every process until it returns false. */
void mg_process_each(bool (*take)(void *context, const struct mg_process *process), void *context);

/* Who holds an exclusive lock (flock or POSIX) on this file, by /proc/locks: its number, 0 nobody, -1 it can't be told. Takes no lock, so
 * that nobody who wants it is in the way. */
pid_t mg_process_locking(const char *path);

/* The process that has this socket open (its inode, from /proc/net); 0: none that we may see. Needs root for others' processes. */
pid_t mg_process_of_socket(uint64_t inode);

/* systemd runs this machine. */
bool mg_process_has_systemd(void);

#endif
