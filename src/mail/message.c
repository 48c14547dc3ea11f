#include "mail/message.h"

/* The next line without its end; *rest is what follows. */
static struct mg_str take_line(struct mg_str *rest)
{
	struct mg_str line = mg_str_cut(rest, '\n');

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool continues(struct mg_str rest)
{
	return rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t');
}

/* The length of the field's name: printable, and behind it, at most after blanks, the colon. 0: no field. */
static size_t name_length(struct mg_str line, size_t *colon_out)
{
	size_t n = 0, colon;

	while (n < line.n && line.p[n] > ' ' && line.p[n] <= '~' && line.p[n] != ':')
		n++;
	for (colon = n; colon < line.n && (line.p[colon] == ' ' || line.p[colon] == '\t'); colon++)
		;
	*colon_out = colon;
	return colon < line.n && line.p[colon] == ':' ? n : 0;
}

bool mg_message_field(struct mg_str *rest, struct mg_str *name_out, struct mg_str *value_out)
{
	struct mg_str ahead = *rest, line = take_line(&ahead);
	const char *start = line.p;
	size_t colon;

	if (line.n == 0) {
		*rest = ahead; /* the empty line belongs to neither */
		return false;
	}
	if (name_length(line, &colon) == 0)
		return false;
	while (continues(ahead))
		line = take_line(&ahead);
	*name_out = mg_str_of(start, colon);
	*value_out = mg_str_of(start + colon + 1, (size_t)(line.p + line.n - start) - colon - 1);
	*rest = ahead;
	return true;
}

void mg_message_body(struct mg_str body, void (*sink)(void *context, struct mg_str piece), void *context)
{
	while (body.n > 0) {
		size_t end = mg_str_find(body, '\n');
		bool is_whole = end != SIZE_MAX;
		struct mg_str line = mg_str_first(body, end);

		body = is_whole ? mg_str_from(body, end + 1) : mg_str_of(body.p, 0);
		if (is_whole && line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		sink(context, line);
		if (is_whole)
			sink(context, MG_STR("\r\n"));
	}
}
