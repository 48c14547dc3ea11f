/* file.h - small files read whole.
 *
 * Threads: safe from any; blocks on the disk. */
#ifndef MG_BASE_FILE_H
#define MG_BASE_FILE_H

#include "base/buf.h"
#include "base/rc.h"

/* Reads at most `max_bytes` of a regular file or of one in /proc into `out` (initialised here, mg_buf_fini() by the caller in any case).
 * What is no file (a FIFO, a device) is not opened for waiting. MG_ENOENT, MG_EPERM, MG_EIO with a sentence; a longer file is cut. */
MG_MUSTCHECK
enum mg_rc mg_file_read(const char *path, size_t max_bytes, struct mg_buf *out, struct mg_err *err);

/* Its last `max_bytes`, from the beginning of a line on. */
MG_MUSTCHECK
enum mg_rc mg_file_tail(const char *path, size_t max_bytes, struct mg_buf *out, struct mg_err *err);

#endif
