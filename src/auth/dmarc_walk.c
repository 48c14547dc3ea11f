#include "auth/dmarc_walk.h"

#include <stdio.h>

#include "mail/domain.h"

static const struct mg_dns_answer *ask(struct mg_lookup *lookup, struct mg_str domain)
{
	char name[sizeof "_dmarc." + MG_DNS_NAME_MAX];

	snprintf(name, sizeof name, "_dmarc.%.*s", MG_STR_ARGS(domain));
	return mg_lookup_get(lookup, mg_str_z(name), MG_DNS_TXT);
}

/* Steps 3 and 4: a long name is shortened to seven labels at once. */
static struct mg_str next_target(struct mg_str domain)
{
	size_t labels = mg_domain_labels(domain);

	do
		domain = mg_domain_parent(domain);
	while (labels-- > MG_DMARC_LEVELS);
	return domain;
}

void mg_dmarc_walk_prefetch(struct mg_lookup *lookup, struct mg_str domain)
{
	for (; domain.n > 0; domain = next_target(domain))
		ask(lookup, domain);
}

/* Steps 2 and 6: of several records none counts. */
static bool only_record(const struct mg_dns_answer *answer, struct mg_dmarc_record *record_out)
{
	struct mg_dmarc_record record;
	size_t found = 0;

	for (size_t i = 0; i < answer->count; i++)
		if (mg_dmarc_record_parse(answer->records[i].text, &record)) {
			found++;
			*record_out = record;
		}
	return found == 1;
}

enum mg_step mg_dmarc_walk_first(
	struct mg_lookup *lookup, struct mg_str domain, bool *is_broken_out, struct mg_dmarc_level *level_out)
{
	const struct mg_dns_answer *answer = ask(lookup, domain);

	if (answer == NULL)
		return MG_STEP_WAIT;
	*is_broken_out = answer->status == MG_DNS_TROUBLE;
	*level_out = (struct mg_dmarc_level){ .domain = domain };
	level_out->has_record = only_record(answer, &level_out->record);
	return MG_STEP_DONE;
}

/* The end of `domain` with one label more than `below` has. */
static struct mg_str one_label_below(struct mg_str domain, struct mg_str below)
{
	size_t labels = mg_domain_labels(below) + 1;

	while (mg_domain_labels(domain) > labels)
		domain = mg_domain_parent(domain);
	return domain;
}

/* Section 4.10.2, from the longest name to the shortest. */
static struct mg_str organizational(const struct mg_dmarc_walk *walk, struct mg_str domain)
{
	struct mg_str shortest = domain;

	for (size_t i = 0; i < walk->count; i++) {
		const struct mg_dmarc_level *level = &walk->level[i];

		if (!level->has_record)
			continue;
		if (level->record.psd == MG_DMARC_PSD_N)
			return level->domain;
		if (level->record.psd == MG_DMARC_PSD_Y && i > 0)
			return one_label_below(domain, level->domain);
		shortest = level->domain;
	}
	return shortest;
}

enum mg_step mg_dmarc_walk(struct mg_lookup *lookup, struct mg_str domain, struct mg_dmarc_walk *walk_out)
{
	struct mg_str target = domain;

	*walk_out = (struct mg_dmarc_walk){ .org = domain };
	mg_dmarc_walk_prefetch(lookup, domain);
	for (; target.n > 0 && walk_out->count < MG_DMARC_LEVELS; target = next_target(target)) {
		struct mg_dmarc_level *level = &walk_out->level[walk_out->count];

		if (mg_dmarc_walk_first(lookup, target, &walk_out->is_broken, level) == MG_STEP_WAIT)
			return MG_STEP_WAIT;
		if (walk_out->is_broken)
			return MG_STEP_DONE;
		walk_out->count++;
		if (level->has_record && level->record.psd != MG_DMARC_PSD_U)
			break;
	}
	walk_out->org = organizational(walk_out, domain);
	return MG_STEP_DONE;
}
