/* A name is labels with their lengths; two high bits of a length make it a pointer to the rest of the name. */
#include "dns/name.h"

enum { POINTER = 0xc0, POINTER_BYTES = 2 };

static bool is_written(const char *label, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (label[i] == '\0' || label[i] == '.')
			return false;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* False: the name is longer than any may be. */
static bool add_label(struct mg_dns_name *name, const char *label, size_t n)
{
	size_t dot = name->length > 0;

	if (name->length + dot + n > MG_DNS_NAME_MAX)
		return false;
	if (dot)
		name->text[name->length++] = '.';
	for (size_t i = 0; i < n; i++)
		name->text[name->length++] = lower(label[i]);
	name->is_text &= is_written(label, n);
	return true;
}

/* Follows the pointer at `here`; it must lead before `floor`, where the labels read last begin. */
static bool follow(struct mg_str message, size_t *here, size_t *floor)
{
	size_t to;

	if (message.n - *here < POINTER_BYTES)
		return false;
	to = (size_t)((unsigned char)message.p[*here] & ~POINTER) << 8 | (unsigned char)message.p[*here + 1];
	if (to >= *floor)
		return false;
	*here = *floor = to;
	return true;
}

bool mg_dns_name_read(struct mg_str message, size_t *at, struct mg_dns_name *name_out)
{
	size_t here = *at, floor = here, end = 0;
	unsigned hops = 0;

	*name_out = (struct mg_dns_name){ .is_text = true };
	while (here < message.n) {
		size_t n = (unsigned char)message.p[here];

		if (n == 0) {
			*at = hops == 0 ? here + 1 : end;
			return true;
		}
		if ((n & POINTER) == POINTER) {
			if (hops++ == 0)
				end = here + POINTER_BYTES;
			if (hops > MG_DNS_HOPS || !follow(message, &here, &floor))
				return false;
			continue;
		}
		if ((n & POINTER) != 0 || n >= message.n - here || !add_label(name_out, message.p + here + 1, n))
			return false;
		here += 1 + n;
	}
	return false;
}

bool mg_dns_name_eq(const struct mg_dns_name *a, const struct mg_dns_name *b)
{
	return a->is_text && b->is_text && mg_str_eq(mg_str_of(a->text, a->length), mg_str_of(b->text, b->length));
}

void mg_dns_name_write(struct mg_buf *out, const struct mg_dns_question *question)
{
	struct mg_str rest = mg_str_of(question->name, question->length);

	while (rest.n > 0) {
		struct mg_str label = mg_str_cut(&rest, '.');

		mg_buf_addc(out, (char)label.n);
		mg_buf_add(out, label);
	}
	mg_buf_addc(out, '\0');
}
