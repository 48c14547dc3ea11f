/* dns_server_kit.h - a DNS server that behaves as a test wants it: UDP and TCP on one random port of 127.0.0.1, in a thread
 * of its own.
 *
 * It answers A with 192.0.2.`mark`, TXT with `text_bytes` times 'x', all else with no data, at a TTL of 60 s. */
#ifndef MG_TEST_DNS_SERVER_KIT_H
#define MG_TEST_DNS_SERVER_KIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum server_act {
	ACT_ANSWER,
	ACT_SILENT,
	ACT_DROP_FIRST, /* the first datagram, then ACT_ANSWER */
	ACT_SERVFAIL,
	ACT_REFUSED,
	ACT_NXDOMAIN,
	ACT_TRUNCATE,     /* over UDP: TC and no records */
	ACT_CUT,          /* over UDP: the last bytes are missing, and no TC */
	ACT_LIE_ID,       /* first a reply with another id and 192.0.2.66, then the right one */
	ACT_LIE_QUESTION, /* first a reply to another name, then the right one */
	ACT_LIE_ADDRESS,  /* first a reply from another port, then the right one */
	ACT_EMPTY,        /* first an empty datagram, then the right one */
	ACT_NO_EDNS,      /* FORMERR to queries with OPT */
	ACT_NO_EDNS_BARE, /* FORMERR without the question */
	ACT_NOTIMP_EDNS,  /* NOTIMP to queries with OPT */
	ACT_DEAF_EDNS,    /* silent to queries with OPT */
	ACT_GARBAGE,      /* a reply whose records are nonsense, over TCP too */
	ACT_HANG_UP,      /* over UDP: TC; over TCP: closes without a word */
	ACT_MUTE_TCP,     /* over UDP: TC; over TCP: not a word */
};

struct server {
	_Atomic int act;
	_Atomic int delay_ms;
	_Atomic unsigned udp, tcp, with_edns; /* questions that came */
	_Atomic unsigned ids_repeated;        /* the same id twice in a row */
	unsigned char mark;
	_Atomic unsigned text_bytes;
	unsigned port;
	char address[32]; /* "127.0.0.1:PORT" */

	int udp_fd, tcp_fd, stop_fd;
	pthread_t thread;
	struct server_run *run;
};

void server_begin(struct server *server, enum server_act act, unsigned char mark);
/* The same on a port that is known: for one that comes back. */
void server_begin_at(struct server *server, enum server_act act, unsigned char mark, unsigned port);
void server_end(struct server *server);

#endif
