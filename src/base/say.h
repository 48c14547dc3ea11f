/* say.h - a sentence for people, kept apart from its language: a template and its arguments.
 *
 * A check, the story of a message, a hint: each is said once, in English, as N_("... %1 ... %2"), and travels with its
 * arguments. Whoever shows it translates the template in the reader's language and only then fills it in, so the
 * daemon need not know who will read. In JSON the filled-in English stands beside the parts:
 * "summary": "...", and under "say" the array ["template", "arg1", ...].
 *
 * Threads: pure. */
#ifndef MG_BASE_SAY_H
#define MG_BASE_SAY_H

#include <jansson.h>

#include "base/buf.h"

enum { MG_SAY_ARGS = 6, MG_SAY_TEXT = 1024 };

/* Borrowed: the template is a literal, the arguments live as long as the owner says. */
struct mg_say {
	const char *template; /* NULL or "": nothing to say */
	const char *arg[MG_SAY_ARGS];
};

/* MG_SAY(N_("%1 listens on %2"), name, place): at most five arguments; a sixth wants the struct written out. */
#define MG_SAY(...) ((struct mg_say){ MG_SAY_SPLIT(__VA_ARGS__, NULL) })
#define MG_SAY_SPLIT(text, ...)                                                                                        \
	text,                                                                                                          \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

/* Appends `template` with %1..%6 replaced ("%%" is a percent sign; a missing argument is empty). The template is
 * never a printf format. */
void mg_say_fill(struct mg_buf *out, const char *template, const char *const args[MG_SAY_ARGS]);

/* Appends the sentence in English (as the source has it), or in the language of mg_i18n_init(). */
void mg_say_english(struct mg_buf *out, const struct mg_say *say);
void mg_say_local(struct mg_buf *out, const struct mg_say *say);

/* ["template", "arg1", ...] as a new reference, NULL when memory is out; strings are made valid UTF-8. */
json_t *mg_say_json(const struct mg_say *say);

/* The sentence in the reader's language from such an array; nothing when `array` is none. */
void mg_say_local_json(struct mg_buf *out, const json_t *array);

/* A JSON string of `text` made valid UTF-8, cut at 16 KiB; a new reference. */
json_t *mg_json_text(struct mg_str text);

#endif
