#include "engine/replay_limits.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "engine/over_limit.h"
#include "guard/limits.h"
#include "guard/memory_store.h"
#include "guard/seen.h"

enum { SESSIONS = 65536 }; /* remembered at a time; of a forgotten one the connection counts again */

struct mg_replay_limits {
	const struct mg_conf *conf;
	void *memory;
	size_t bytes;
	struct mg_state *state;
	struct mg_seen seen;
	struct mg_limit_store store;
	struct mg_charge charge;
	size_t row[MG_CHARGE_ITEMS];
	uint64_t session[SESSIONS]; /* those whose connection was charged, where their hash says */
};

static _Atomic int64_t now_us = 1;

static int64_t clock_us(void)
{
	return now_us;
}

void mg_replay_limits_clock(int64_t wall_us)
{
	if (wall_us > now_us)
		now_us = wall_us;
}

static enum mg_rc open_state(struct mg_replay_limits *limits, struct mg_err *err)
{
	static const struct mg_state_clock clock = { clock_us, clock_us };
	size_t keys = limits->conf->state.max_keys;
	struct mg_state_plan plan = { .shape = { [MG_STATE_LIMITS] = &mg_limit_rows, [MG_STATE_SEEN] = &mg_seen_rows },
		.rows = { [MG_STATE_LIMITS] = keys, [MG_STATE_SEEN] = keys },
		.clock = &clock };

	limits->bytes = mg_state_bytes(&plan);
	limits->memory = mmap(NULL, limits->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (limits->memory == MAP_FAILED)
		return mg_err_set(err, MG_ENOMEM, "no memory for %zu keys", keys);
	return mg_state_open(&plan, limits->memory, limits->bytes, true, &limits->state, err);
}

enum mg_rc mg_replay_limits_new(const struct mg_conf *conf, struct mg_replay_limits **limits_out, struct mg_err *err)
{
	struct mg_replay_limits *limits;
	enum mg_rc rc;

	*limits_out = NULL;
	if (conf->rate.limit_count == 0)
		return MG_OK;
	if ((limits = calloc(1, sizeof *limits)) == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the limits");
	limits->conf = mg_conf_ref(conf);
	if ((rc = open_state(limits, err)) != MG_OK) {
		mg_replay_limits_free(&limits);
		return rc;
	}
	limits->seen.state = limits->state;
	mg_memory_store(limits->state, &limits->store);
	*limits_out = limits;
	return MG_OK;
}

void mg_replay_limits_free(struct mg_replay_limits **limits)
{
	struct mg_replay_limits *last = *limits;

	*limits = NULL;
	if (last == NULL)
		return;
	mg_state_close(&last->state);
	if (last->memory != NULL && last->memory != MAP_FAILED)
		munmap(last->memory, last->bytes);
	mg_conf_unref(&last->conf);
	free(last);
}

static struct mg_limit_facts facts_of(const struct mg_record *record, const struct mg_recipient *recipient)
{
	return (struct mg_limit_facts){ .client = record->client_ip,
		.user = mg_str_z(record->user),
		.sender = mg_str_z(record->sender),
		.recipient = recipient == NULL ? MG_STR("") : mg_str_z(recipient->address) };
}

/* ---- sessions ---- */

static uint64_t session_of(const struct mg_record *record)
{
	char text[MG_IP_TEXT + 48], ip[MG_IP_TEXT];
	int n = snprintf(text, sizeof text, "%s %u %lld", mg_ip_text(&record->client_ip, ip, sizeof ip),
		record->client_port, (long long)record->connect_us);

	return mg_hash_keyed(mg_str_of(text, (size_t)n)) | 1;
}

static bool is_connect_charged(const struct mg_replay_limits *limits, uint64_t session)
{
	return limits->session[session / 2 % SESSIONS] == session;
}

/* ---- a decision ---- */

static void judge(const struct mg_replay_limits *limits, struct mg_record *record, struct mg_judgement *judgement_out)
{
	size_t item = mg_over_limit_item(limits->conf, &limits->charge, limits->row);
	const struct mg_limit_row *row;

	if (item == MG_CHARGE_ITEMS)
		return;
	row = &limits->conf->rate.limits[limits->row[item]];
	if (row->action != MG_LIMIT_OBSERVE)
		*judgement_out = mg_over_limit(record, row, &limits->charge.item[item]);
}

/* Where the message's own items begin, and those of the connection, which are never given back. */
static void bill_it(
	struct mg_replay_limits *limits, const struct mg_recipient *recipient, size_t own, struct mg_replay_bill *bill)
{
	const struct mg_charge *charge = &limits->charge;
	size_t last = own;

	while (last < charge->count && limits->conf->rate.limits[limits->row[last]].count != MG_COUNT_CONNECTIONS)
		last++;
	mg_bill_add(&bill->bill, charge, 0, own, recipient);
	mg_bill_add(&bill->bill, charge, own, last, NULL);
}

/* Lists what the event costs; returns how many items are the recipient's own. */
static size_t list_costs(struct mg_replay_limits *limits, const struct mg_record *record,
	const struct mg_recipient *recipient, bool is_soft, const struct mg_replay_bill *bill)
{
	struct mg_limit_facts facts = facts_of(record, recipient);
	struct mg_charge *charge = &limits->charge;
	size_t own;

	*charge = (struct mg_charge){ 0 };
	if (recipient == NULL) {
		mg_limits_charge(limits->conf, &facts, MG_SPEND_DATA, record->size_bytes, is_soft, &limits->seen,
			charge, limits->row);
		return 0;
	}
	mg_limits_charge(limits->conf, &facts, MG_SPEND_RCPT, 1, is_soft, &limits->seen, charge, limits->row);
	own = charge->count;
	if (!bill->is_message_charged)
		mg_limits_charge(
			limits->conf, &facts, MG_SPEND_MESSAGE, 1, is_soft, &limits->seen, charge, limits->row);
	if (!is_connect_charged(limits, session_of(record)))
		mg_limits_charge(
			limits->conf, &facts, MG_SPEND_CONNECT, 1, is_soft, &limits->seen, charge, limits->row);
	return own;
}

void mg_replay_limits_ask(struct mg_replay_limits *limits, struct mg_record *record,
	const struct mg_recipient *recipient, bool is_soft, struct mg_replay_bill *bill,
	struct mg_judgement *judgement_out)
{
	uint64_t session = session_of(record);
	size_t own;

	*judgement_out = (struct mg_judgement){ MG_ACTION_ACCEPT, "", "", "", "" };
	if (limits == NULL)
		return;
	own = list_costs(limits, record, recipient, is_soft, bill);
	if (limits->charge.count == 0)
		return;
	(void)limits->store.decide(limits->store.context, &limits->charge); /* this store decides at once */
	judge(limits, record, judgement_out);
	if (limits->charge.is_refused)
		return;
	bill_it(limits, recipient, own, bill);
	if (recipient != NULL) {
		bill->is_message_charged = true;
		limits->session[session / 2 % SESSIONS] = session;
	}
}

void mg_replay_limits_failure(
	struct mg_replay_limits *limits, const struct mg_record *record, const struct mg_recipient *recipient)
{
	struct mg_limit_facts facts = facts_of(record, recipient);

	if (limits == NULL)
		return;
	limits->charge = (struct mg_charge){ 0 };
	mg_limits_charge(limits->conf, &facts, MG_SPEND_FAILURE, 1, false, &limits->seen, &limits->charge, limits->row);
	if (limits->charge.count > 0)
		(void)limits->store.decide(limits->store.context, &limits->charge);
}

void mg_replay_limits_close(struct mg_replay_limits *limits, const struct mg_record *record, bool is_accepted,
	const bool *is_taken, struct mg_replay_bill *bill)
{
	if (limits == NULL)
		return;
	if (!is_accepted)
		mg_bill_refund(&bill->bill, &limits->store, NULL);
	mg_bill_fini(&bill->bill);
	if (!is_accepted)
		return;
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		if (*is_taken++) {
			struct mg_limit_facts facts = facts_of(record, r);

			mg_limits_learn(limits->conf, &facts, &limits->seen);
		}
}
