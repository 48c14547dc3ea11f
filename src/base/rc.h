/* rc.h - how our own failures are told: a code that must be looked at, and one sentence for people.
 *
 * An mg_rc says that *we* could not do something (memory, disk, configuration). Results that a standard knows
 * (temperror, fail, "refuse with 450") are outcomes and never travel as mg_rc.
 *
 * Threads: nothing here has state. */
#ifndef MG_BASE_RC_H
#define MG_BASE_RC_H

#include <stddef.h>

#define MG_MUSTCHECK         __attribute__((warn_unused_result))
#define MG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum mg_rc {
	MG_OK = 0,
	MG_ENOMEM = -1,  /* no memory */
	MG_EIO = -2,     /* a system call or a library failed; the sentence says which and why */
	MG_ERANGE = -3,  /* a value lies outside its documented range */
	MG_ESYNTAX = -4, /* text that can't be understood */
	MG_ENOENT = -5,  /* what was asked for does not exist */
	MG_EPERM = -6,   /* not permitted */
	MG_EFULL = -7,   /* a bounded thing is full */
	MG_ETIME = -8,   /* the deadline passed */
	MG_EBUSY = -9,   /* somebody else holds it */
};

/* One sentence about one failure, without a final newline. Zero-initialise it. */
struct mg_err {
	char text[512];
};

/* Writes the sentence, cut at its size and with control bytes made harmless, and returns `rc`, so that a failing
 * function can `return mg_err_set(err, MG_EIO, ...)`. `err` may be NULL. */
enum mg_rc mg_err_set(struct mg_err *err, enum mg_rc rc, const char *fmt, ...) MG_PRINTF(3, 4);

/* As mg_err_set(), and appends ": " and the system's text for `errnum`. */
enum mg_rc mg_err_sys(struct mg_err *err, enum mg_rc rc, int errnum, const char *fmt, ...) MG_PRINTF(4, 5);

/* Stops the process loudly on a bug of ours. Never for bytes that came from outside. */
#define mg_assert(ours) ((ours) ? (void)0 : mg_bug(#ours, __FILE__, __LINE__))
_Noreturn void mg_bug(const char *claim, const char *file, int line);

#endif
