/* greylist.h - senders nobody knows are asked to come back later, which real mail servers do.
 *
 * Who comes back after the delay and within two days is let in, and its network is known from then on (seen.h). What is counted is
 * the client's network and the sender: recipients may come in another order.
 *
 * Threads and processes: safe from any. */
#ifndef MG_GUARD_GREYLIST_H
#define MG_GUARD_GREYLIST_H

#include "base/ip.h"
#include "guard/seen.h"

enum { MG_GREYLIST_WINDOW_S = 2 * 86400 };

extern const struct mg_table_shape mg_greylist_rows;

/* Seconds to wait before coming back; 0: come in. */
int64_t mg_greylist_ask(struct mg_state *state, struct mg_seen *seen, const struct mg_ip *client, struct mg_str sender,
	int64_t delay_s);

/* The network has shown otherwise that it is a mail server's (it passed SPF, DKIM or DMARC). */
void mg_greylist_know(struct mg_seen *seen, const struct mg_ip *client);

#endif
