/* channel.h - the socketpair between the supervisor and a worker: short messages, a descriptor now and then.
 *
 * A message is a packet of its own, so it arrives whole or not at all. A record that is handed over travels as a
 * memory file's descriptor, because it may be larger than a packet.
 *
 * Threads: sending is safe from any, receiving from one. Never blocks. */
#ifndef MG_DAEMON_CHANNEL_H
#define MG_DAEMON_CHANNEL_H

#include "base/rc.h"
#include "base/str.h"

enum mg_word {
	/* supervisor to worker */
	MG_WORD_GO = 'G',     /* take the roles, open the doors */
	MG_WORD_RELOAD = 'L', /* read the configuration again */
	MG_WORD_YIELD = 'Y',  /* upgrade: give up the roles and the doors, finish what is in flight, exit */
	MG_WORD_DRAIN = 'D',  /* stop: as YIELD, with the roles kept to the end */
	/* worker to supervisor */
	MG_WORD_READY = 'R',    /* doors are open */
	MG_WORD_RELOADED = 'O', /* the new configuration is in force */
	MG_WORD_REFUSED = 'N',  /* it is not; the text says why */
	MG_WORD_YIELDED = 'F',  /* the roles are free */
	/* both ways */
	MG_WORD_RECORD = 'C', /* a packed record in the descriptor; from YIELDed worker to the next one */
};

enum { MG_CHANNEL_TEXT = 600 };

struct mg_message {
	enum mg_word word;
	char text[MG_CHANNEL_TEXT];
	int fd; /* -1 without; the receiver's to close */
};

MG_MUSTCHECK
enum mg_rc mg_channel_pair(int fds_out[2], struct mg_err *err);

/* False when the other side is gone or does not read. `fd` -1: none; it stays the caller's. */
bool mg_channel_send(int channel, enum mg_word word, const char *text, int fd);

/* 1: a message; 0: none now; -1: the other side is gone. */
int mg_channel_receive(int channel, struct mg_message *message_out);

#endif
