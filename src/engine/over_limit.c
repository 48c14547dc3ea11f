#include "engine/over_limit.h"

#include <stdio.h>

#include "engine/gate_steps.h"

static const char *unit_of(enum mg_limit_count count)
{
	static const char *const units[] = { "messages", "recipients", "new recipients", "bytes", "connections",
		"failures" };

	return units[count];
}

struct mg_judgement mg_over_limit(
	struct mg_record *record, const struct mg_limit_row *limit, const struct mg_charge_item *item)
{
	bool is_reject = limit->action == MG_LIMIT_REJECT;
	char text[400], per[MG_GATE_SPAN], wait[MG_GATE_SPAN], rule[100];

	if (item->wait_ns == INT64_MAX)
		snprintf(text, sizeof text, "Over the limit %s: more than %llu %s at once is never let through",
			limit->name, (unsigned long long)limit->burst, unit_of(limit->count));
	else
		snprintf(text, sizeof text, "Over the limit %s of %llu %s in %s, please try again in %s", limit->name,
			(unsigned long long)limit->limit, unit_of(limit->count), mg_gate_span(per, limit->per_s),
			mg_gate_span(wait, (uint64_t)(item->wait_ns / 1000000000) + 1));
	snprintf(rule, sizeof rule, "limit:%s", limit->name);
	return (struct mg_judgement){ limit->action == MG_LIMIT_HOLD ? MG_ACTION_QUARANTINE
				      : is_reject                    ? MG_ACTION_REJECT
								     : MG_ACTION_TEMPFAIL,
		is_reject ? "550" : "451", is_reject ? "5.7.1" : "4.7.1", mg_record_text(record, mg_str_z(text)),
		mg_record_text(record, mg_str_z(rule)) };
}

static bool is_hard(const struct mg_charge_item *item)
{
	return item->mode == MG_CHARGE_HARD || item->mode == MG_CHARGE_LOOK;
}

/* Whether `a` has more to say than `b`. */
static bool speaks_before(
	const struct mg_conf *conf, const struct mg_charge *charge, const size_t *row, size_t a, size_t b)
{
	bool holds_a = conf->rate.limits[row[a]].action == MG_LIMIT_HOLD,
	     holds_b = conf->rate.limits[row[b]].action == MG_LIMIT_HOLD;

	return holds_a != holds_b ? holds_a : charge->item[a].wait_ns > charge->item[b].wait_ns;
}

size_t mg_over_limit_item(const struct mg_conf *conf, const struct mg_charge *charge, const size_t *row)
{
	size_t worst = MG_CHARGE_ITEMS;

	for (size_t i = 0; i < charge->count; i++) {
		const struct mg_charge_item *item = &charge->item[i];

		if (item->is_over && is_hard(item) == charge->is_refused &&
			(worst == MG_CHARGE_ITEMS || speaks_before(conf, charge, row, i, worst)))
			worst = i;
	}
	return worst;
}
