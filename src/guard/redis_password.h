/* redis_password.h - the shared store's password out of its own file (state.password_file).
 *
 * Threads: pure but for reading the file; may block on disk. */
#ifndef MG_GUARD_REDIS_PASSWORD_H
#define MG_GUARD_REDIS_PASSWORD_H

#include <stddef.h>

#include "base/rc.h"

/* The first line, into `place`. MG_ENOENT, MG_EPERM (others may read or change it, or we may not), MG_ESYNTAX (empty, too long, no
 * plain file), with a sentence that says how to mend it. */
MG_MUSTCHECK
enum mg_rc mg_redis_password_read(const char *path, char *place, size_t size, struct mg_err *err);

#endif
