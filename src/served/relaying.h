/* relaying.h - what an SMTP server's answer to a stranger's mail for strangers says of it: does it relay?
 *
 * A refusal is no proof by itself: some refuse this client, or look the recipient's domain up first and refuse that. Such answers are
 * told from a refusal to relay by the words that servers are known to use; what is not known counts as a refusal to relay.
 *
 * Threads: pure. */
#ifndef MG_SERVED_RELAYING_H
#define MG_SERVED_RELAYING_H

#include "served/mail_port.h"

enum mg_relaying {
	MG_RELAYING_UNASKED,   /* no answer */
	MG_RELAYING_REFUSED,   /* it does not relay for this sender */
	MG_RELAYING_ACCEPTED,  /* it took the recipient */
	MG_RELAYING_LATER,     /* 4xx: greylisting, a look-up that failed */
	MG_RELAYING_NOT_US,    /* it refuses this client, whatever it sends */
	MG_RELAYING_NOT_THERE, /* it refuses the recipient's or the sender's domain, which says nothing of others */
};
const char *mg_relaying_name(enum mg_relaying relaying); /* "", "refused", "accepted", "later", ... */

enum mg_relaying mg_relaying_of(const struct mg_served_tried *tried);

/* Of all tries of one look: accepted if one was; refused if one was and none speaks against it; else what the last one met.
 * *at_out: the try that tells it, only when there is one. */
enum mg_relaying mg_relaying_of_look(const struct mg_served *served, size_t *at_out);

#endif
