/* redis_fake_kit.h - a server that speaks as much of Redis as the client asks for, and misbehaves as a test wants it: a unix
 * socket and a thread of its own. Levels it has none: what it grants, it grants always. */
#ifndef MG_TESTS_REDIS_FAKE_KIT_H
#define MG_TESTS_REDIS_FAKE_KIT_H

#include <pthread.h>
#include <stdatomic.h>

/* What becomes of scripts; all else is answered well, but for ACT_DEAF, ACT_RUDE and ACT_BUSY. */
enum fake_act {
	ACT_GRANT,
	ACT_SILENT,
	ACT_DEAF,   /* no answer to anything */
	ACT_BUSY,   /* hangs up on whoever connects or says anything */
	ACT_RUDE,   /* nonsense to anything */
	ACT_GOSSIP, /* repeats what it was told, the password too */
	ACT_LATE,   /* grants after 200 ms */
	ACT_READONLY,
	ACT_LOADING,
	ACT_MOVED,
	ACT_OOM,
	ACT_NOAUTH,
	ACT_NOSCRIPT, /* to EVALSHA, whatever it was taught */
	ACT_NOSCRIPT_ALWAYS,
	ACT_GARBAGE,
	ACT_ENDLESS_BULK,
	ACT_ENDLESS_LINE,
	ACT_DEEP,
	ACT_WIDE,
	ACT_TWICE, /* two answers to one question */
	ACT_SHORT, /* too few items */
	ACT_LIE,   /* a refusal without a reason */
	ACT_NUMBER,
	ACT_NIL,
	ACT_HANG_UP,
	ACT_HALF, /* half an answer, then hangs up */
	ACT_LAST,
};

struct fake {
	_Atomic int act;
	_Atomic unsigned scripts, refunds, evals; /* asked for */
	char directory[64];
	char url[128];
	char socket[96];
	int listen_fd, stop_fd;
	pthread_t thread;
};

void fake_begin(struct fake *fake, enum fake_act act);
void fake_end(struct fake *fake);

#endif
