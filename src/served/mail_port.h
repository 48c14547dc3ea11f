/* mail_port.h - what a mail port serves, seen as a client: any server of SMTP, IMAP or POP3, whoever made it.
 *
 * One look is one connection: greeting, what it says it can, TLS where wished, what it says it can then, whether it would relay
 * where that is asked, good-bye. Nothing is ever authenticated or sent as mail: no command goes beyond RCPT.
 *
 * Threads: one owner; blocks up to the deadline. */
#ifndef MG_SERVED_MAIL_PORT_H
#define MG_SERVED_MAIL_PORT_H

#include "served/dialogue.h"
#include "served/reply.h"

enum mg_served_secure {
	MG_SERVED_CLEAR,    /* only listen to what it offers */
	MG_SERVED_UPGRADE,  /* STARTTLS, if it is offered */
	MG_SERVED_IMPLICIT, /* TLS from the first byte */
};

enum { MG_SERVED_TRIES = 3, MG_SERVED_TEXT = 256, MG_SERVED_LISTED = 2048 };

/* One question to an SMTP server: would it take mail of this sender for this recipient? */
struct mg_served_try {
	const char *mail_from, *rcpt_to; /* without <> */
};

struct mg_served_target {
	enum mg_served_protocol protocol;
	enum mg_served_secure secure;
	struct mg_ip ip;
	unsigned port;
	struct mg_ip source;     /* MG_IP_NONE: the system chooses */
	const char *helo;        /* NULL: an address literal */
	const char *preamble;    /* a line before everything, such as of the PROXY protocol; NULL: none */
	struct mg_tls_wish wish; /* server name, version */
	int64_t deadline_us;     /* monotonic: of the whole look */
	int64_t connect_us;      /* monotonic: of the connection; 0: as the whole */
	/* SMTP: asked in their order until one is accepted; a sender that was clearly refused relaying is not tried again. */
	struct mg_served_try tries[MG_SERVED_TRIES];
	size_t try_count;
};

/* What became of a try; texts are whole first lines of replies. */
struct mg_served_tried {
	enum mg_reply_state mail, rcpt; /* MORE: not asked, or no answer */
	unsigned code;                  /* of the last answer */
	char text[MG_SERVED_TEXT];
};

struct mg_served {
	enum mg_dialogue_state state;      /* how it ended: OPEN is well */
	char trouble[MG_DIALOGUE_TROUBLE]; /* why, "" */
	int connect_errno;                 /* why there was no connection; 0: there was one */
	bool is_connected, is_greeted;
	int64_t connect_us, greet_us; /* from the beginning to the connection and to the first byte of greeting */
	unsigned code;                /* of an SMTP greeting; 0 */
	enum mg_reply_state greeting; /* MORE: none came */
	char greeting_text[MG_SERVED_TEXT];
	/* What it answered to EHLO, CAPABILITY, CAPA; MORE: nothing. */
	enum mg_reply_state hello;
	char hello_text[MG_SERVED_TEXT];
	char listed[MG_SERVED_LISTED];        /* the lines of the last such answer, by '\n', printable; may be cut */
	struct mg_served_words before, after; /* TLS. Implicit TLS has no before */
	enum mg_reply_state starttls;         /* the answer to STARTTLS; MORE: it was not asked */
	char starttls_text[MG_SERVED_TEXT];
	bool is_secured;
	char version[16], cipher[64]; /* "TLSv1.3" */
	unsigned cipher_bits;
	struct mg_chain *chain; /* what it presented; NULL: nothing */
	struct mg_served_tried tried[MG_SERVED_TRIES];
	size_t tried_count;
};

/* Always leaves a whole `served`, mg_served_fini()'s. */
void mg_served_look(const struct mg_served_target *target, struct mg_served *served);
void mg_served_fini(struct mg_served *served);

enum mg_served_offer { MG_OFFER_UNKNOWN, MG_OFFER_YES, MG_OFFER_NO };

struct mg_served_offers {
	enum mg_served_offer version[MG_TLS_VERSIONS]; /* by enum mg_tls_version */
	enum mg_served_offer weak;                     /* ciphers nobody should accept any more */
	char weak_cipher[64];                          /* the one it took */
};

enum { MG_OFFERS_LEGACY = 1 << MG_SSL_3 | 1 << MG_TLS_1_0 | 1 << MG_TLS_1_1, MG_OFFERS_WEAK = 1 << MG_TLS_VERSIONS };

/* One look for each version in `mask` (bits 1 << enum mg_tls_version, MG_OFFERS_WEAK). What the library here can't speak, and what could
 * not be tried, stays unknown: only a refused handshake is a no. */
void mg_served_versions(const struct mg_served_target *target, unsigned mask, struct mg_served_offers *offers);

#endif
