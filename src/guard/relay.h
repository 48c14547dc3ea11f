/* relay.h - the live relay guard: is a recipient that Postfix is about to accept proof of an open relay?
 *
 * Proof is: Postfix is not responsible for the recipient, and nobody vouches for the client: no login, no certificate that Postfix
 * permits by, no trusted address (postfix/trust.h), not this machine. Who speaks for another client by XCLIENT must be trusted
 * himself, else his words about address and login count for nothing. What can't be known is no proof.
 *
 * Threads: pure. */
#ifndef MG_GUARD_RELAY_H
#define MG_GUARD_RELAY_H

#include "postfix/domains.h"

struct mg_relay_facts {
	bool is_simulated; /* not from SMTP */
	bool has_login;
	struct mg_ip client;
	struct mg_ip speaker; /* who said by XCLIENT that he is `client`; MG_IP_NONE nobody */
	struct mg_certificate certificate;
	struct mg_str domain;  /* of the recipient as Postfix resolved it */
	bool is_known_foreign; /* Postfix itself said so: the tap */
};

enum mg_relay_proof {
	MG_RELAY_LEGITIMATE, /* or at least not proof */
	MG_RELAY_LISTED,     /* legitimate, by nothing but a public address that the configuration trusts */
	MG_RELAY_PROOF,
	MG_RELAY_MUST_ASK, /* what a table or DNS says decides: relay_inquiry.h */
};

enum mg_relay_proof mg_relay_judge(const struct mg_domains *domains, const struct mg_relay_facts *facts);

#endif
