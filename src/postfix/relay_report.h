/* relay_report.h - what the parts of the prover share: adding paths, and writing the line that mends one.
 *
 * Threads: the owner's of the report. */
#ifndef MG_POSTFIX_RELAY_REPORT_H
#define MG_POSTFIX_RELAY_REPORT_H

#include "postfix/relay_eval.h"
#include "postfix/relay_prover.h"

struct mg_relay_proof { /* one run */
	struct mg_relay_report *report;
	const struct mg_postfix *postfix;
	const char *policy_listen;
	struct mg_tables *tables;
	struct mg_relay_destination destination;
	struct mg_arena scratch; /* candidates and lists: gone with the run */
};

/* Adds a path unless the same service, restriction and sentence is there; arguments are copied. `service` NULL: of all. */
void mg_relay_report_add(struct mg_relay_proof *proof, enum mg_relay_path_kind kind,
	const struct mg_postfix_service *service, const char *restriction, struct mg_say why, struct mg_say fix,
	const char *topic);

/* "smtpd_relay_restrictions: check_client_access cidr:/x" */
const char *mg_relay_report_restriction(
	struct mg_relay_proof *proof, const struct mg_relay_list *list, const struct mg_relay_item *item);

/* The command that sets a parameter where the service takes it from: `postconf -e` or `postconf -P`. The list's words are
 * separated by ", ", or "," where postconf -P takes no white space. */
struct mg_say mg_relay_fix_parameter(struct mg_relay_proof *proof, const struct mg_postfix_service *service,
	const char *parameter, const char *const *words, size_t count);

/* ... smtpd_relay_restrictions to a list that is safe. */
struct mg_say mg_relay_fix_list(struct mg_relay_proof *proof, const struct mg_postfix_service *service);

/* ... mynetworks to what in it is narrow; relay_domains to what in it is one's own. */
struct mg_say mg_relay_fix_networks(
	struct mg_relay_proof *proof, const struct mg_postfix_service *service, const struct mg_match_list *networks);
struct mg_say mg_relay_fix_domains(struct mg_relay_proof *proof, const struct mg_match_pattern *culprit);

/* ---- the ways, one file each ---- */

/* An smtpd that strangers reach, with what can be forged before it (by postscreen's PROXY protocol); one that only this machine reaches
 * is merely looked at for faults. */
MG_MUSTCHECK
enum mg_rc mg_relay_prove_smtpd(struct mg_relay_proof *proof, const struct mg_postfix_service *service, bool is_reached,
	const struct mg_postfix_service *forging_screen, struct mg_err *err);
MG_MUSTCHECK
enum mg_rc mg_relay_prove_qmqpd(
	struct mg_relay_proof *proof, const struct mg_postfix_service *service, struct mg_err *err);

/* Says as advice what makes the service useless: that smtpd would end at once (then true, and there is no way in), or answer 451. */
bool mg_relay_tell_faults(struct mg_relay_proof *proof, const struct mg_relay_model *model);

/* virtual_alias_maps and the canonical maps, which are looked up after the test. */
void mg_relay_prove_rewriting(struct mg_relay_proof *proof);

/* permit_mx_backup, allow_untrusted_routing, mynetworks_style, whom the lists trust on purpose. */
struct mg_relay_strangers;
void mg_relay_advise_service(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, const struct mg_relay_strangers *strangers);
void mg_relay_advise(struct mg_relay_proof *proof);

#endif
