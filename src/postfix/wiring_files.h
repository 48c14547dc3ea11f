/* wiring_files.h - main.cf and master.cf as files: their bytes, copies beside them, and the note of what wire did.
 *
 * Threads: one at a time. */
#ifndef MG_POSTFIX_WIRING_FILES_H
#define MG_POSTFIX_WIRING_FILES_H

#include <sys/stat.h>

#include "base/buf.h"

enum { MG_WIRED_FILES = 2, MG_WIRED_NAME = 80 };

extern const char *const mg_wired_files[MG_WIRED_FILES]; /* "main.cf", "master.cf" */

struct mg_wired_file {
	struct mg_buf content;
	struct stat stat; /* its mode and owner */
};

/* MG_WIRING_STATE, understood. */
struct mg_wired {
	bool is_there;
	char backup[MG_WIRED_FILES][MG_WIRED_NAME]; /* names in the directory */
	bool is_exact;                              /* the copies are what stood there before mailguard was wired in */
	uint64_t hash[MG_WIRED_FILES];              /* of the files as apply left them */
	struct mg_buf empty; /* parameters that main.cf had set to nothing, a blank behind each */
};

/* Reads a file of at most 4 MiB. A symbolic link is refused: postconf would put a file in its place. */
MG_MUSTCHECK
enum mg_rc mg_wired_file_read(
	const char *directory, const char *name, struct mg_wired_file *file_out, struct mg_err *err);
void mg_wired_file_fini(struct mg_wired_file *file);

/* Writes it anew, in one step, with the mode and owner in file->stat. */
MG_MUSTCHECK
enum mg_rc mg_wired_file_write(
	const char *directory, const char *name, const struct mg_wired_file *file, struct mg_err *err);

/* A copy NAME.mailguard-YYYYMMDD-HHMMSS; its name goes to `place`. */
MG_MUSTCHECK
enum mg_rc mg_wired_file_backup(const char *directory, const char *name, const struct mg_wired_file *file,
	int64_t wall_us, char place[MG_WIRED_NAME], struct mg_err *err);

void mg_wired_file_remove(const char *directory, const char *name);
uint64_t mg_wired_file_hash(
	const struct mg_wired_file *file); /* tells whether it changed; no defence against forgery */

/* A missing note is not there, and no error; what can't be understood is MG_ESYNTAX. */
MG_MUSTCHECK
enum mg_rc mg_wired_load(const char *directory, struct mg_wired *wired_out, struct mg_err *err);
MG_MUSTCHECK
enum mg_rc mg_wired_save(const char *directory, const struct mg_wired *wired, struct mg_err *err);
void mg_wired_fini(struct mg_wired *wired);

#endif
