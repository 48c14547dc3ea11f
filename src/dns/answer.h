/* answer.h - what DNS said to one question: immutable and counted.
 *
 * A CNAME chain is already followed: the records are those of the asked type at its end.
 *
 * Threads: never changes once made; ref and unref from any thread. */
#ifndef MG_DNS_ANSWER_H
#define MG_DNS_ANSWER_H

#include <stdatomic.h>

#include "base/ip.h"
#include "dns/question.h"

enum mg_dns_status {
	MG_DNS_FOUND,    /* the name has records of the type */
	MG_DNS_NODATA,   /* the name exists, but has none of the type */
	MG_DNS_NXDOMAIN, /* the name does not exist (RCODE 3) */
	MG_DNS_TROUBLE,  /* no usable answer: every method makes temperror of it, never fail */
};

/* Why there was trouble. */
enum mg_dns_trouble {
	MG_DNS_FINE,
	MG_DNS_TIMEOUT,   /* nobody answered in time */
	MG_DNS_SERVFAIL,  /* RCODE 2 */
	MG_DNS_REFUSED,   /* RCODE 5 and other errors */
	MG_DNS_MALFORMED, /* an answer that can't be read, or breaks a bound */
	MG_DNS_BUDGET,    /* the message has asked too much already, or its time is over */
	MG_DNS_NO_SERVER, /* no resolver is configured, or none can be reached */
	MG_DNS_TROUBLES,
};
const char *mg_dns_trouble_name(enum mg_dns_trouble trouble); /* "", "timeout", ... */

enum {
	MG_DNS_RECORDS_MAX = 256,      /* per answer; a larger set is MALFORMED */
	MG_DNS_TEXT_MAX = 16 * 1024,   /* bytes of one TXT record, its strings joined; a longer one is MALFORMED */
	MG_DNS_ANSWER_MAX = 64 * 1024, /* bytes of a message */
};

struct mg_dns_record {
	unsigned preference; /* MX */
	struct mg_ip ip;     /* A, AAAA */
	/* TXT: its strings joined with nothing between them (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2); any bytes.
	 * MX, PTR, NS, CNAME: a name as in question.h; the root is "". A name with a NUL or a '.' inside a label can't
	 * be written so: such a record is left out of the answer.
	 * TLSA: its data as it stands in the message (RFC 6698 section 2.1). */
	struct mg_str text;
};

struct mg_dns_answer {
	_Atomic unsigned refs;
	enum mg_dns_status status;
	enum mg_dns_trouble trouble;
	uint32_t ttl_s;                 /* how long it may be kept */
	bool is_authentic;              /* the resolver says it has validated it (AD, RFC 4035) */
	size_t count;                   /* of records; 0 unless FOUND. FOUND with 0: all were left out */
	struct mg_dns_record records[]; /* their text lies behind them */
};

/* A new answer with one reference, for those who make answers: `count` records all zero, and room for `text_bytes` of
 * text, at *text_out. NULL: no memory. */
struct mg_dns_answer *mg_dns_answer_new(enum mg_dns_status status, size_t count, size_t text_bytes, char **text_out);

/* The one answer for this trouble, static: ref and unref do nothing to it. Never fails. */
const struct mg_dns_answer *mg_dns_answer_trouble(enum mg_dns_trouble trouble);

const struct mg_dns_answer *mg_dns_answer_ref(const struct mg_dns_answer *answer);
void mg_dns_answer_unref(const struct mg_dns_answer **answer); /* sets *answer to NULL; NULL in it is fine */

#endif
