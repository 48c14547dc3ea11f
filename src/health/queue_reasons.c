/* One message counts once for each of its destinations, whatever the number of its recipients there. */
#include "health/queue_reasons.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

static const char others[] = "...";

void mg_reasons_init(struct mg_reasons *reasons)
{
	*reasons = (struct mg_reasons){ 0 };
	reasons->domains = calloc(MG_REASON_DOMAINS, sizeof *reasons->domains);
	reasons->groups = calloc(MG_REASON_GROUPS, sizeof *reasons->groups);
}

void mg_reasons_fini(struct mg_reasons *reasons)
{
	free(reasons->domains);
	free(reasons->groups);
	*reasons = (struct mg_reasons){ 0 };
}

static void domain_of(struct mg_str recipient, char domain[MG_REASON_DOMAIN])
{
	size_t at = mg_str_rfind(recipient, '@');

	mg_str_copy(domain, MG_REASON_DOMAIN, at == SIZE_MAX ? recipient : mg_str_from(recipient, at + 1));
	for (char *c = domain; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	mg_lower(domain);
}

static bool is_new(char last_id[32], struct mg_str id)
{
	bool is_same = mg_str_eq(mg_str_z(last_id), mg_str_first(id, 31));

	mg_str_copy(last_id, 32, mg_str_first(id, 31));
	return !is_same;
}

static struct mg_reason_domain *domain_row(struct mg_reasons *reasons, const char *domain)
{
	struct mg_reason_domain *row = reasons->domains;

	for (; row < reasons->domains + reasons->domain_count; row++)
		if (strcmp(row->domain, domain) == 0)
			return row;
	if (reasons->domain_count == MG_REASON_DOMAINS - 1)
		domain = others;
	if (reasons->domain_count == MG_REASON_DOMAINS)
		return row - 1;
	reasons->domain_count++;
	mg_str_copy(row->domain, sizeof row->domain, mg_str_z(domain));
	return row;
}

/* The sentences are the same, and the code too. */
static bool is_like(const struct mg_explanation *a, const struct mg_explanation *b)
{
	return a->cause.template == b->cause.template && strcmp(a->code, b->code) == 0 &&
	       strcmp(a->enhanced, b->enhanced) == 0;
}

static struct mg_reason_group *group_row(struct mg_reasons *reasons, const char *domain,
	const struct mg_queue_entry *entry, struct mg_explanation *found)
{
	struct mg_reason_group *row = reasons->groups;

	for (; row < reasons->groups + reasons->group_count; row++)
		if (strcmp(row->domain, domain) == 0 && is_like(&row->explanation, found))
			return row;
	if (reasons->group_count == MG_REASON_GROUPS)
		return NULL;
	reasons->group_count++;
	mg_str_copy(row->domain, sizeof row->domain, mg_str_z(domain));
	mg_str_copy(row->text, sizeof row->text, entry->reason);
	mg_explain_delivery(entry->reason, mg_str_of("", 0), MG_STR("deferred"), mg_str_of("", 0), &row->explanation);
	return row;
}

static void count(struct mg_reasons *reasons, const struct mg_queue_entry *entry)
{
	char domain[MG_REASON_DOMAIN];
	struct mg_explanation found;
	struct mg_reason_domain *row;
	struct mg_reason_group *group;

	domain_of(entry->recipient, domain);
	row = domain_row(reasons, domain);
	if (is_new(row->last_id, entry->id))
		row->messages++;
	if (!mg_explain_delivery(entry->reason, mg_str_of("", 0), MG_STR("deferred"), mg_str_of("", 0), &found) ||
		(group = group_row(reasons, domain, entry, &found)) == NULL)
		return;
	if (is_new(group->last_id, entry->id))
		group->messages++;
	if (group->oldest_us == 0 || entry->arrival_us < group->oldest_us)
		group->oldest_us = entry->arrival_us;
}

void mg_reasons_see(void *context, const struct mg_queue_entry *entry)
{
	struct mg_reasons *reasons = context;
	bool is_deferred = mg_str_eq(entry->queue, MG_STR("deferred"));

	if (reasons->domains == NULL || reasons->groups == NULL)
		return;
	if (entry->is_first) {
		reasons->all_messages++;
		reasons->messages += is_deferred ? 1 : 0;
		reasons->null_senders += entry->sender.n == 0 ? 1 : 0;
	}
	if (is_deferred && entry->recipient.n > 0)
		count(reasons, entry);
}

static int by_messages(const void *a, const void *b)
{
	const struct mg_reason_group *left = a, *right = b;

	return left->messages < right->messages ? 1 : left->messages > right->messages ? -1 : 0;
}

void mg_reasons_sort(struct mg_reasons *reasons)
{
	if (reasons->group_count == 0)
		return;
	qsort(reasons->groups, reasons->group_count, sizeof *reasons->groups, by_messages);
	for (size_t i = 0; i < reasons->group_count; i++)
		mg_explanation_moved(&reasons->groups[i].explanation);
}

const struct mg_reason_domain *mg_reasons_worst(const struct mg_reasons *reasons)
{
	const struct mg_reason_domain *worst = NULL;

	for (size_t i = 0; i < reasons->domain_count; i++)
		if (worst == NULL || reasons->domains[i].messages > worst->messages)
			worst = &reasons->domains[i];
	return worst;
}

const struct mg_reason_group *mg_reasons_group_of(const struct mg_reasons *reasons, const char *domain)
{
	for (size_t i = 0; i < reasons->group_count; i++)
		if (strcmp(reasons->groups[i].domain, domain) == 0)
			return &reasons->groups[i];
	return NULL;
}

/* ---- what `status` shows ---- */

static struct {
	pthread_mutex_t lock;
	json_t *reasons;
} last = { .lock = PTHREAD_MUTEX_INITIALIZER };

static json_t *group_json(const struct mg_reason_group *group)
{
	struct mg_buf cause;
	json_t *json;

	mg_buf_init(&cause, MG_SAY_TEXT);
	mg_say_english(&cause, &group->explanation.cause);
	json = json_pack("{s:o, s:I, s:s, s:s, s:o, s:o, s:I}", "domain", mg_json_text(mg_str_z(group->domain)),
		"count", (json_int_t)group->messages, "code", group->explanation.code, "enhanced",
		group->explanation.enhanced, "cause", mg_json_text(mg_buf_str(&cause)), "say",
		mg_say_json(&group->explanation.cause), "oldest", (json_int_t)(group->oldest_us / MG_S_US));
	mg_buf_fini(&cause);
	return json;
}

void mg_reasons_remember(const struct mg_reasons *reasons)
{
	json_t *array = json_array();

	for (size_t i = 0; i < reasons->group_count && i < MG_REASONS_SHOWN; i++)
		json_array_append_new(array, group_json(&reasons->groups[i]));
	pthread_mutex_lock(&last.lock);
	json_decref(last.reasons);
	last.reasons = array;
	pthread_mutex_unlock(&last.lock);
}

json_t *mg_reasons_last(void)
{
	json_t *copy;

	pthread_mutex_lock(&last.lock);
	copy = last.reasons == NULL ? json_array() : json_deep_copy(last.reasons);
	pthread_mutex_unlock(&last.lock);
	return copy;
}
