/* finding.h - what one health check found, in words that can be translated.
 *
 * Threads: plain values, one owner at a time. */
#ifndef MG_HEALTH_FINDING_H
#define MG_HEALTH_FINDING_H

#include "base/arena.h"
#include "base/say.h"

enum mg_check_state { MG_STATE_OK, MG_STATE_WARN, MG_STATE_CRIT, MG_STATE_UNKNOWN, MG_STATE_MUTED, MG_STATES };
const char *mg_check_state_name(enum mg_check_state state); /* "ok", "warn", ... */

enum { MG_EVIDENCE_MAX = 48, MG_FINDING_ARENA = 256 * 1024 };

struct mg_finding {
	struct mg_arena arena; /* all text below that is no literal */
	enum mg_check_state state;
	bool is_inapplicable; /* left out of a general run */
	bool is_alone;        /* no consequence of another finding */
	struct mg_say summary, cause, fix;
	const char *manual; /* the command that would show the same, or NULL */
	bool has_value;
	double value;
	const char *unit; /* "" without */
	const char *evidence[MG_EVIDENCE_MAX];
	size_t evidence_count;
};

void mg_finding_init(struct mg_finding *finding);
void mg_finding_fini(struct mg_finding *finding);

/* State and summary; arguments are C strings up to a NULL and are copied. A later call that is no worse than what is
 * there changes nothing, so that a check may report everything it meets and the worst stays. */
void mg_finding_is(struct mg_finding *finding, enum mg_check_state state, const char *template, ...)
	__attribute__((sentinel));
/* What mg_finding_is() just said is a fault of its own, whatever this check otherwise follows from: it is never folded. */
void mg_finding_alone(struct mg_finding *finding);
/* Cause and remedy of what mg_finding_is() just said. */
void mg_finding_cause(struct mg_finding *finding, const char *template, ...) __attribute__((sentinel));
/* The same with a sentence from elsewhere, copied. */
void mg_finding_because(struct mg_finding *finding, const struct mg_say *sentence);
void mg_finding_mend(struct mg_finding *finding, const struct mg_say *sentence); /* the same for the remedy */
void mg_finding_fix(struct mg_finding *finding, const char *template, ...) __attribute__((sentinel));

void mg_finding_value(struct mg_finding *finding, double value, const char *unit);
void mg_finding_evidence(struct mg_finding *finding, const char *fmt, ...) MG_PRINTF(2, 3);
/* "not applicable: ..." */
void mg_finding_not_applicable(struct mg_finding *finding, const char *template);

/* A number as an argument: the text lives in the finding. */
const char *mg_finding_number(struct mg_finding *finding, double value, const char *unit);

/* Text that others wrote, as one word of a command that somebody may type: quoted for the shell where it must be; in the finding's
 * memory. */
const char *mg_finding_quoted(struct mg_finding *finding, const char *text);

/* The contract's CHECK object, a new reference. `since_us` is wall time. */
json_t *mg_finding_json(const struct mg_finding *finding, const char *id, const char *title, int64_t since_us);

#endif
