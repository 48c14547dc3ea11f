#include "auth/reason.h"

static const char *quoted(struct mg_arena *arena, const char *text)
{
	char place[MG_REASON_QUOTED + 1];

	mg_str_copy(place, sizeof place, mg_str_z(text));
	for (char *c = place; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return mg_arena_text(arena, mg_str_z(place), MG_REASON_QUOTED);
}

const char *mg_reason(struct mg_arena *arena, const struct mg_say *say, struct mg_say *kept_out)
{
	struct mg_buf english;
	const char *reason;

	*kept_out = *say;
	for (size_t i = 0; i < MG_SAY_ARGS; i++)
		if (say->arg[i] != NULL)
			kept_out->arg[i] = quoted(arena, say->arg[i]);
	mg_buf_init(&english, MG_SAY_TEXT);
	mg_say_english(&english, kept_out);
	reason = mg_arena_text(arena, mg_buf_str(&english), MG_REASON - 1);
	mg_buf_fini(&english);
	return reason;
}
