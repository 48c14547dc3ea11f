/* rows.h - the tables of codes: one row for what is to be said of a code, or of words.
 *
 * Threads: constant. */
#ifndef MG_EXPLAIN_ROWS_H
#define MG_EXPLAIN_ROWS_H

#include "base/i18n.h"
#include "explain/explain.h"

enum mg_speaker {
	MG_SPEAKER_ANY,
	MG_SPEAKER_GMAIL,
	MG_SPEAKER_MICROSOFT,
	MG_SPEAKER_YAHOO,
	MG_SPEAKER_APPLE,
	MG_SPEAKER_GMX,
	MG_SPEAKER_PROOFPOINT,
	MG_SPEAKER_MIMECAST,
	MG_SPEAKER_BARRACUDA,
	MG_SPEAKER_IONOS,
	MG_SPEAKER_OVH,
	MG_SPEAKER_TELEFONICA,
	MG_SPEAKER_COMCAST,
	MG_SPEAKER_TONLINE,
	MG_SPEAKER_OTHER, /* known, without rows of its own */
};

/* What is NULL matches everything, or has nothing to say. */
struct mg_code_row {
	enum mg_speaker speaker;
	const char *code;     /* "550", or its beginning: "5" */
	const char *enhanced; /* "5.1.1"; X stands for any class or digit, a final * for anything */
	const char *text;     /* "one*two|three": one and later two, or three; lower case */
	enum mg_actor actor;
	const char *cause,
		*fix; /* N_(); %1 our address as they name it, %2 "HOST PORT", %3 "HOST:PORT", %4 the domain */
	const char *check;
	const char *meaning; /* N_(); NULL: the code's own */
	enum mg_side side;
	enum mg_permanence permanence; /* of words without a code */
	bool is_rate_limit;
};

/* What a code is called. */
struct mg_code_name {
	const char *code;    /* "550", or "X.1.1" */
	const char *meaning; /* N_() */
};

#define MG_CODE_TABLES(X)                                                                                              \
	X(gmail)                                                                                                       \
	X(microsoft)                                                                                                   \
	X(yahoo)                                                                                                       \
	X(providers)                                                                                                   \
	X(signatures)                                                                                                  \
	X(own_postfix)                                                                                                 \
	X(enhanced)                                                                                                    \
	X(basic)
#define MG_CODE_TABLE(name)                                                                                            \
	extern const struct mg_code_row mg_rows_##name[];                                                              \
	extern const size_t mg_rows_##name##_count;
MG_CODE_TABLES(MG_CODE_TABLE)
#undef MG_CODE_TABLE

extern const struct mg_code_name mg_enhanced_names[], mg_basic_names[];
extern const size_t mg_enhanced_names_count, mg_basic_names_count;

#define MG_ROWS_COUNT(table) (sizeof(table) / sizeof(table)[0])

#endif
