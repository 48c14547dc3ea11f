/* The verdict of a transaction follows from its recipients and its end:
 *   a final yes          accept (observe in mode "observe")
 *   all RCPTs refused    reject, or tempfail when none of them was for good; rule "postfix:DSN"
 *   no final answer      tempfail, "client:reset" or "client:gone": the message is still the client's
 * Postfix's later refusal of it all (another milter, end-of-data restrictions) is read from the log by the journal. */
#include "engine/transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/address.h"
#include "mail/auth_results.h"

struct mg_txn *mg_txn_begin(const struct mg_conf *conf, const struct mg_domains *domains)
{
	static _Atomic unsigned serial;
	struct mg_record *record = mg_record_new(mg_wall_us(), serial++);
	struct mg_txn *txn = record == NULL ? NULL : mg_arena_take(&record->arena, sizeof *txn);

	if (txn == NULL) {
		mg_record_free(&record);
		return NULL;
	}
	txn->record = record;
	txn->conf = mg_conf_ref(conf);
	txn->domains = domains == NULL ? NULL : mg_domains_ref(domains);
	txn->touched_us = mg_mono_us();
	return txn;
}

/* Takes the first word on a fact; doors agree where both know it. */
static void note(struct mg_record *record, const char **fact, struct mg_str text)
{
	if ((*fact)[0] == '\0' && text.n > 0)
		*fact = mg_record_text(record, text);
}

void mg_txn_client(struct mg_txn *txn, const struct mg_client *client, int64_t connect_us)
{
	struct mg_record *record = txn->record;

	if (record->client_ip.family == MG_IP_NONE)
		record->client_ip = client->ip;
	if (record->client_port == 0)
		record->client_port = client->port;
	if (record->connect_us == 0)
		record->connect_us = connect_us;
	note(record, &record->client_name, client->name);
	note(record, &record->server_port, client->server_port);
}

void mg_txn_user(struct mg_txn *txn, struct mg_str user, struct mg_str auth_type)
{
	if (!mg_str_eq_nocase(auth_type, MG_STR("ANONYMOUS")) && !mg_str_eq(user, MG_STR("anonymous")))
		note(txn->record, &txn->record->user, user);
}

void mg_txn_asked(struct mg_txn *txn, struct mg_str address)
{
	txn->asked = mg_record_find_recipient(txn->record, address);
	if (txn->asked != NULL)
		return;
	txn->asked = mg_record_add_recipient(txn->record, address);
	if (txn->asked != NULL)
		txn->asked->time_us = mg_wall_us();
}

/* "5.7.1" and nothing behind it: that is how Postfix tells a milter of a refusal. An accepted recipient of a virtual
 * alias domain has mailer "error" as well, but with words behind the code. */
static bool is_refusal(const struct mg_rcpt_facts *facts)
{
	struct mg_str rest = facts->host;
	uint64_t part;

	return mg_str_eq(facts->mailer, MG_STR("error")) && mg_read_u64(&rest, 5, &part) && part >= 4 &&
	       mg_read_token(&rest, MG_STR(".")) && mg_read_u64(&rest, 999, &part) &&
	       mg_read_token(&rest, MG_STR(".")) && mg_read_u64(&rest, 999, &part) && rest.n == 0;
}

static bool is_relay_denied(struct mg_str text)
{
	return mg_str_find_str(text, MG_STR("Relay access denied")) != SIZE_MAX;
}

static void refuse(struct mg_txn *txn, struct mg_recipient *recipient, const struct mg_rcpt_facts *facts)
{
	bool is_permanent = facts->host.p[0] == '5', is_relay = is_relay_denied(facts->resolved);

	recipient->verdict = is_permanent ? MG_ACTION_REJECT : MG_ACTION_TEMPFAIL;
	recipient->dsn = mg_record_text(txn->record, facts->host);
	recipient->reply = mg_record_text(txn->record, facts->resolved);
	/* The basic code is Postfix's setting and not told here; the log line brings the true one. */
	recipient->code = is_permanent ? (is_relay ? "554" : "550") : (is_relay ? "454" : "450");
}

/* Whose domain the recipient's is: the configuration knows; where it can't tell, Postfix's own resolving does. */
static void classify(struct mg_txn *txn, const struct mg_rcpt_facts *facts, bool is_refused)
{
	struct mg_str address = is_refused || facts->resolved.n == 0 ? facts->address : facts->resolved;

	if (is_refused && is_relay_denied(facts->resolved)) {
		txn->wants_foreign = true;
		return;
	}
	switch (mg_domains_class(txn->domains, mg_address_domain(address))) {
	case MG_DOMAIN_OURS:
		return;
	case MG_DOMAIN_FOREIGN:
		txn->wants_foreign = true;
		return;
	case MG_DOMAIN_UNKNOWN:
		break;
	}
	if (mg_str_eq(facts->mailer, MG_STR("smtp")))
		txn->wants_foreign = true;
	else if (facts->mailer.n == 0)
		txn->wants_unknown = true;
}

struct mg_recipient *mg_txn_rcpt(struct mg_txn *txn, const struct mg_rcpt_facts *facts)
{
	struct mg_recipient *recipient = mg_record_find_recipient(txn->record, facts->address);
	bool is_refused = is_refusal(facts);

	note(txn->record, &txn->record->queue_id, facts->queue_id);
	classify(txn, facts, is_refused);
	if (is_refused && recipient != NULL && recipient->rule != NULL)
		return recipient; /* Postfix passes on what policy said */
	if (recipient == NULL || recipient->verdict != MG_ACTION_NONE)
		recipient = mg_record_add_recipient(txn->record, facts->address);
	if (recipient == NULL)
		return NULL;
	recipient->time_us = mg_wall_us();
	recipient->verdict = MG_ACTION_ACCEPT;
	if (is_refused)
		refuse(txn, recipient, facts);
	return recipient;
}

static void note_from(struct mg_txn *txn, struct mg_str value)
{
	mg_author_field(&txn->author, value);
	txn->record->from_domain = txn->author.state == MG_AUTHOR_SOUND
					   ? mg_record_text(txn->record, mg_str_z(txn->author.domain[0]))
					   : ""; /* no one author domain */
}

void mg_txn_header(struct mg_txn *txn, struct mg_str name, struct mg_str value, struct mg_str own_id)
{
	struct mg_record *record = txn->record;

	record->size_bytes += name.n + value.n + 3;
	if (mg_str_eq_nocase(name, MG_STR("From"))) {
		note_from(txn, value);
	} else if (mg_str_eq_nocase(name, MG_STR("Message-ID"))) {
		note(record, &record->message_id, mg_address_bare(value));
	} else if (mg_str_eq_nocase(name, MG_STR("Authentication-Results"))) {
		txn->results_fields++;
		if (mg_auth_results_claims(value, own_id))
			mg_edits_delete(&txn->edits, &record->arena, "Authentication-Results", txn->results_fields);
	}
}

static enum mg_relay_class relay_class(const struct mg_txn *txn)
{
	const struct mg_record *record = txn->record;

	if (record->user[0] != '\0' && !txn->is_spoofed)
		return MG_RELAY_AUTHENTICATED;
	if (txn->is_simulated || (mg_ip_is_loopback(&record->client_ip) && !txn->is_spoofed))
		return MG_RELAY_LOCAL;
	if (!txn->is_spoofed && mg_domains_trusts(txn->domains, &record->client_ip))
		return MG_RELAY_TRUSTED;
	if (txn->wants_foreign)
		return MG_RELAY_STRANGER;
	return txn->wants_unknown ? MG_RELAY_NONE : MG_RELAY_INBOUND;
}

bool mg_txn_is_exempt(const struct mg_txn *txn)
{
	enum mg_relay_class class = relay_class(txn);

	return class == MG_RELAY_AUTHENTICATED || class == MG_RELAY_LOCAL || class == MG_RELAY_TRUSTED;
}

static const char *joined(struct mg_record *record, const char *first, const char *glue, const char *second)
{
	char text[256];

	snprintf(text, sizeof text, "%s%s%s", first, glue, second);
	return mg_record_text(record, mg_str_z(text));
}

/* The refusal that decides: the last one for good, or the last one. */
static const struct mg_recipient *deciding_refusal(const struct mg_record *record, size_t *accepted_out)
{
	const struct mg_recipient *decides = NULL;

	*accepted_out = record->recipients_left_out;
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next) {
		if (r->verdict == MG_ACTION_ACCEPT)
			++*accepted_out;
		else if (decides == NULL || r->verdict == MG_ACTION_REJECT || decides->verdict != MG_ACTION_REJECT)
			decides = r;
	}
	return decides;
}

/* Recipients that only policy asked about: in a policy-only transaction nobody said no; with the milter wired, a RCPT
 * that never reached it was refused by Postfix. */
static void settle_recipients(struct mg_record *record)
{
	for (struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		if (r->verdict == MG_ACTION_NONE)
			r->verdict = record->by_milter ? MG_ACTION_REJECT : MG_ACTION_ACCEPT;
}

static void settle_action(struct mg_txn *txn, enum mg_end how)
{
	struct mg_record *record = txn->record;
	const struct mg_recipient *refusal;
	size_t accepted;

	settle_recipients(record);
	refusal = deciding_refusal(record, &accepted);
	if ((how == MG_END_YES && record->action != MG_ACTION_NONE) || (how == MG_END_POLICY && txn->is_refused))
		return;
	if (accepted == 0 && refusal != NULL && refusal->rule != NULL) {
		record->action = refusal->verdict;
		record->code = joined(record, refusal->code, " ", refusal->dsn);
		record->text = refusal->reply;
		record->rule = refusal->rule;
	} else if (accepted == 0 && refusal != NULL) {
		record->action = refusal->verdict;
		record->code = joined(record, refusal->code, refusal->code[0] == '\0' ? "" : " ", refusal->dsn);
		record->text = refusal->reply;
		record->rule = joined(record, "postfix:", "", refusal->dsn);
	} else if (how == MG_END_POLICY && record->action == MG_ACTION_QUARANTINE) {
		return; /* policy said hold */
	} else if (how == MG_END_POLICY) {
		record->action = txn->conf->mode == MG_MODE_OBSERVE ? MG_ACTION_OBSERVE : MG_ACTION_ACCEPT;
	} else {
		record->action = MG_ACTION_TEMPFAIL;
		record->rule = how == MG_END_GONE ? "client:gone" : "client:reset";
	}
}

static bool is_none(const struct mg_record *record)
{
	return record->recipient_count + record->recipients_left_out == 0;
}

void mg_txn_settle(struct mg_txn *txn, enum mg_end how)
{
	txn->record->end_us = mg_wall_us();
	if (is_none(txn->record))
		return;
	settle_action(txn, how);
	txn->record->relay = relay_class(txn);
}

struct mg_record *mg_txn_end(struct mg_txn **txn)
{
	struct mg_record *record = (*txn)->record;

	mg_evaluation_free(&(*txn)->evaluation);
	mg_conf_unref(&(*txn)->conf);
	mg_domains_unref(&(*txn)->domains);
	*txn = NULL; /* it lies in the record */
	if (is_none(record))
		mg_record_free(&record);
	return record;
}
