/* buf.h - growing text with a ceiling that is fixed at birth.
 *
 * Appending never fails in the caller's face: what does not fit (ceiling or memory) is left out and the buffer says so
 * through mg_buf_ok(), which whoever uses the content must ask. The content is always NUL-terminated.
 *
 * Threads: one owner. */
#ifndef MG_BASE_BUF_H
#define MG_BASE_BUF_H

#include "base/str.h"

struct mg_buf {
	char *p;  /* NULL until the first byte */
	size_t n; /* bytes held, without the final NUL */
	size_t room;
	size_t max;   /* ceiling in bytes */
	bool is_full; /* something was left out */
};

void mg_buf_init(struct mg_buf *buf, size_t max_bytes); /* allocates nothing; can't fail */
void mg_buf_fini(struct mg_buf *buf);                   /* may be used again after mg_buf_init() */
void mg_buf_reset(struct mg_buf *buf);                  /* empty and ok again, memory kept */

void mg_buf_add(struct mg_buf *buf, struct mg_str s);
void mg_buf_addz(struct mg_buf *buf, const char *text);
void mg_buf_addc(struct mg_buf *buf, char c);
void mg_buf_addf(struct mg_buf *buf, const char *fmt, ...) MG_PRINTF(2, 3);

/* Drops the first `n` bytes. */
void mg_buf_drop(struct mg_buf *buf, size_t n);

/* Everything appended since mg_buf_init() or _reset() is there. */
static inline bool mg_buf_ok(const struct mg_buf *buf)
{
	return !buf->is_full;
}

static inline struct mg_str mg_buf_str(const struct mg_buf *buf)
{
	return (struct mg_str){ buf->p, buf->n };
}

/* The content as a C string, "" when empty; valid until the next change. */
static inline const char *mg_buf_z(const struct mg_buf *buf)
{
	return buf->p == NULL ? "" : buf->p;
}

#endif
