/* explanations.h - explanations as JSON and as lines for people.
 *
 * Threads: none; the program is one. */
#ifndef MG_CTL_EXPLANATIONS_H
#define MG_CTL_EXPLANATIONS_H

#include "ctl/ctl.h"
#include "explain/explain.h"

/* The object of `explain --json`, in the reader's language; a new reference. */
json_t *mg_ctl_explanation_json(const struct mg_explanation *explanation);

/* "we, the administrators of this server", in the reader's language. */
const char *mg_ctl_actor_text(enum mg_actor actor);

/* Prints a sentence in the reader's language as a paragraph; nothing when there is nothing to say. */
void mg_ctl_print_say(const struct mg_ctl *ctl, int indent, const char *label, const struct mg_say *say);

/* What a recipient of a TXN was answered, when that was no success. */
bool mg_ctl_explain_recipient(const json_t *recipient, struct mg_explanation *explanation_out);

#endif
