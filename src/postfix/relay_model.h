/* relay_model.h - one smtpd service as far as relaying depends on it, and one client that tries it.
 *
 * The client is made of independent choices (its address, its verified name, HELO, sender, recipient, certificate), each
 * out of a list of candidates; relay_stranger.c chooses them so that every line drawn by a table or a network is tried on
 * both sides.
 *
 * Threads: the owner's of the tables. */
#ifndef MG_POSTFIX_RELAY_MODEL_H
#define MG_POSTFIX_RELAY_MODEL_H

#include "base/say.h"
#include "postfix/relay_destination.h"
#include "postfix/relay_list.h"

/* In every name that we make up: whoever is let through under it is anybody. */
#define MG_RELAY_PROBE "mailguard-probe"

enum mg_relay_choice {
	MG_CHOICE_ADDRESS,
	MG_CHOICE_NAME,
	MG_CHOICE_HELO,
	MG_CHOICE_SENDER,
	MG_CHOICE_RECIPIENT,
	MG_CHOICE_CERT,
	MG_CHOICES,
};

struct mg_relay_candidate {
	struct mg_str text; /* HELO: "" is none said; sender: "" is the null sender; cert: "", "self", "signed" */
	struct mg_ip ip;    /* of an address */
	enum mg_relay_class class;                    /* of a recipient's domain */
	const struct mg_match_pattern *relay_pattern; /* ... and the pattern of relay_domains that took it */
	bool is_doubtful; /* perhaps nobody is that: it can't make the verdict more than unknown */
	bool is_listed;   /* recipient: relay_recipient_maps lets it pass, or there are none */
};

struct mg_relay_client {
	const struct mg_relay_candidate *is[MG_CHOICES];
	bool has_login; /* claimed by XCLIENT */
};

enum mg_relay_stage {
	MG_STAGE_CLIENT,
	MG_STAGE_HELO,
	MG_STAGE_SENDER,
	MG_STAGE_RELAY,
	MG_STAGE_RECIPIENT,
	MG_STAGE_DATA,
	MG_STAGE_END,
	MG_STAGES,
};

/* How far permit_tls_all_clientcerts goes. */
enum mg_relay_ca { MG_CA_NONE, MG_CA_PRIVATE, MG_CA_PUBLIC };

/* A table whose permits no candidate meets, though somebody might. */
struct mg_relay_doubt {
	const struct mg_table *table;
	enum mg_relay_choice choice;
	struct mg_str rule;
};

enum { MG_RELAY_DOUBTS = 64, MG_RELAY_CANDIDATES = 4096, MG_RELAY_KINDS = 64 };

struct mg_relay_model {
	struct mg_arena *arena;
	const struct mg_postfix *postfix;
	const struct mg_postfix_service *service;
	const char *policy_listen; /* our own policy door, or "" */
	struct mg_tables *tables;
	const struct mg_relay_destination *destination;
	struct mg_relay_lists *lists;
	const struct mg_relay_list *stages[MG_STAGES];
	struct mg_match_list mynetworks, xclient;
	struct mg_relay_maps ccerts, owners;
	struct mg_str null_sender;    /* smtpd_null_access_lookup_key */
	struct mg_str policy_default; /* smtpd_policy_service_default_action */
	bool delays, wants_helo, has_tls, asks_cert, has_sasl, has_anonymous, access_with_parents, discards;
	enum mg_relay_ca ca;
	bool speaks_v4, speaks_v6; /* what a client of this listener can come by */

	struct mg_relay_doubt doubts[MG_RELAY_DOUBTS];
	size_t doubt_count;
	bool is_incomplete; /* a bound was met: nothing can be called closed */
	uint64_t steps;     /* restrictions looked at so far */
};

/* Reads everything but the candidates. */
MG_MUSTCHECK
enum mg_rc mg_relay_model_load(struct mg_relay_model *model, struct mg_err *err);
void mg_relay_model_fini(struct mg_relay_model *model);

/* An expanded value of the service, kept in the arena. */
struct mg_str mg_relay_model_value(struct mg_relay_model *model, const char *parameter);

#endif
