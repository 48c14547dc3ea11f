/* Doubling growth up to the ceiling; `is_full` sticks until a reset. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 256 };

void mg_buf_init(struct mg_buf *buf, size_t max_bytes)
{
	*buf = (struct mg_buf){ .max = max_bytes };
}

void mg_buf_fini(struct mg_buf *buf)
{
	free(buf->p);
	*buf = (struct mg_buf){ .max = buf->max };
}

void mg_buf_reset(struct mg_buf *buf)
{
	buf->n = 0;
	buf->is_full = false;
	if (buf->p != NULL)
		buf->p[0] = '\0';
}

/* Makes room for `more` bytes and the final NUL. */
static bool grow(struct mg_buf *buf, size_t more)
{
	size_t room = buf->room == 0 ? FIRST_ROOM : buf->room;
	char *p;

	if (buf->is_full || more > buf->max - buf->n) {
		buf->is_full = true;
		return false;
	}
	if (buf->n + more + 1 <= buf->room)
		return true;
	while (room < buf->n + more + 1)
		room *= 2;
	p = realloc(buf->p, room);
	if (p == NULL) {
		buf->is_full = true;
		return false;
	}
	buf->p = p;
	buf->room = room;
	return true;
}

void mg_buf_add(struct mg_buf *buf, struct mg_str s)
{
	if (s.n == 0 || !grow(buf, s.n))
		return;
	memcpy(buf->p + buf->n, s.p, s.n);
	buf->n += s.n;
	buf->p[buf->n] = '\0';
}

void mg_buf_addz(struct mg_buf *buf, const char *text)
{
	mg_buf_add(buf, mg_str_z(text));
}

void mg_buf_addc(struct mg_buf *buf, char c)
{
	mg_buf_add(buf, mg_str_of(&c, 1));
}

void mg_buf_addf(struct mg_buf *buf, const char *fmt, ...)
{
	size_t end = buf->room <= buf->max ? buf->room : buf->max + 1, room = buf->is_full ? 0 : end - buf->n;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(room == 0 ? NULL : buf->p + buf->n, room, fmt, args); /* mostly it fits */
	va_end(args);
	if (n >= 0 && (size_t)n < room) {
		buf->n += (size_t)n;
		return;
	}
	if (room > 0)
		buf->p[buf->n] = '\0';
	if (n < 0 || !grow(buf, (size_t)n))
		return;
	va_start(args, fmt);
	vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, args);
	va_end(args);
	buf->n += (size_t)n;
}

void mg_buf_drop(struct mg_buf *buf, size_t n)
{
	if (n == 0)
		return;
	if (n >= buf->n) {
		buf->n = 0;
	} else {
		memmove(buf->p, buf->p + n, buf->n - n);
		buf->n -= n;
	}
	if (buf->p != NULL)
		buf->p[buf->n] = '\0';
}
