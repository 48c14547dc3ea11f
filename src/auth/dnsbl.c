/* All zones are asked at once; when the last has answered, each answer is understood and the weights are added. */
#include "auth/dnsbl.h"

#include "auth/dnsbl_answer.h"
#include "auth/iprev.h"
#include "base/buf.h"
#include "base/clock.h"

struct mg_dnsbl {
	struct mg_ip ip;
	struct mg_dnsbl_zones *health;
	bool is_done;
	struct mg_dnsbl_output output;
};

struct mg_dnsbl *mg_dnsbl_new(struct mg_arena *arena, const struct mg_ip *ip, const struct mg_dnsbl_zone *zones,
	size_t zone_count, struct mg_dnsbl_zones *health)
{
	size_t most = ip->family == MG_IP_NONE ? 0 : MG_DNSBL_ZONES; /* without an address there is nothing to ask */
	size_t count = zone_count < most ? zone_count : most;
	struct mg_dnsbl *dnsbl = mg_arena_take(arena, sizeof *dnsbl);
	struct mg_dnsbl_found *found = mg_arena_take(arena, (count + 1) * sizeof *found);

	if (dnsbl == NULL || found == NULL)
		return NULL;
	*dnsbl = (struct mg_dnsbl){ .ip = *ip, .health = health, .output = { .found = found, .count = count } };
	for (size_t i = 0; i < count; i++) {
		found[i].zone = &zones[i];
		if (health != NULL && !mg_dnsbl_zones_believes(health, zones[i].name))
			found[i].state = MG_DNSBL_MUTED;
	}
	return dnsbl;
}

const struct mg_dns_answer *mg_dnsbl_ask(struct mg_lookup *lookup, const char *zone, const struct mg_ip *ip)
{
	const struct mg_dns_answer *answer;
	struct mg_buf name;

	mg_buf_init(&name, 2 * MG_DNS_NAME_MAX);
	mg_ip_reversed(&name, ip, mg_str_z(zone));
	answer = mg_lookup_get(lookup, mg_buf_str(&name), MG_DNS_A);
	mg_buf_fini(&name);
	return answer;
}

/* dnswl.org refuses with a code of its own, which would else be the word of an allowlist. */
static bool is_refusal(const char *zone, const unsigned char code[4])
{
	static const unsigned char dnswl_refuses[4] = { 127, 0, 0, 255 };

	if (code[1] == 255 && code[2] == 255)
		return true;
	if (code[1] == 0 && code[2] == 0 && code[3] == 1)
		return true;
	return mg_str_ends_nocase(mg_str_z(zone), MG_STR("dnswl.org")) && memcmp(code, dnswl_refuses, 4) == 0;
}

enum mg_dnsbl_word mg_dnsbl_word(const char *zone, const struct mg_dns_answer *answer)
{
	enum mg_dnsbl_word word = answer->count > 0 ? MG_DNSBL_SAYS_YES : MG_DNSBL_SAYS_NO;

	if (answer->status == MG_DNS_TROUBLE)
		return MG_DNSBL_NO_WORD;
	for (size_t i = 0; i < answer->count; i++) {
		const struct mg_ip *code = &answer->records[i].ip;

		if (code->family != MG_IP_V4 || code->bytes[0] != 127)
			return MG_DNSBL_NONSENSE;
		if (is_refusal(zone, code->bytes))
			word = MG_DNSBL_REFUSES;
	}
	return word;
}

static void keep_codes(struct mg_dnsbl_found *found, const struct mg_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count && i < MG_DNSBL_CODES; i++)
		found->codes[found->code_count++] = answer->records[i].ip;
}

/* An error in a client's answer mutes the zone until a test passes: the test may not have come by yet. */
static void note_error(struct mg_dnsbl *dnsbl, const char *zone, enum mg_dnsbl_word word)
{
	if (dnsbl->health != NULL)
		mg_dnsbl_zones_set(dnsbl->health, zone,
			word == MG_DNSBL_REFUSES ? MG_DNSBL_REFUSES_US : MG_DNSBL_LISTS_ALL, mg_wall_us());
}

static void understand(struct mg_dnsbl *dnsbl, struct mg_dnsbl_found *found, const struct mg_dns_answer *answer)
{
	enum mg_dnsbl_word word = mg_dnsbl_word(found->zone->name, answer);

	keep_codes(found, answer);
	switch (word) {
	case MG_DNSBL_SAYS_NO:
		found->state = MG_DNSBL_NOT_LISTED;
		break;
	case MG_DNSBL_SAYS_YES:
		found->state = MG_DNSBL_LISTED;
		dnsbl->output.score += found->zone->weight;
		break;
	case MG_DNSBL_REFUSES:
	case MG_DNSBL_NONSENSE:
		found->state = MG_DNSBL_ERROR;
		note_error(dnsbl, found->zone->name, word);
		break;
	case MG_DNSBL_NO_WORD:
		found->state = MG_DNSBL_TROUBLE;
		dnsbl->output.is_incomplete = true;
		break;
	}
}

enum mg_step mg_dnsbl_step(struct mg_dnsbl *dnsbl, struct mg_lookup *lookup)
{
	const struct mg_dns_answer *answers[MG_DNSBL_ZONES] = { NULL };
	struct mg_dnsbl_output *output = &dnsbl->output;
	bool waits = false;

	if (dnsbl->is_done)
		return MG_STEP_DONE;
	for (size_t i = 0; i < output->count; i++) {
		if (output->found[i].state == MG_DNSBL_MUTED)
			continue;
		answers[i] = mg_dnsbl_ask(lookup, output->found[i].zone->name, &dnsbl->ip);
		waits |= answers[i] == NULL;
	}
	if (waits)
		return MG_STEP_WAIT;
	for (size_t i = 0; i < output->count; i++)
		if (answers[i] != NULL)
			understand(dnsbl, &output->found[i], answers[i]);
	dnsbl->is_done = true;
	return MG_STEP_DONE;
}

const struct mg_dnsbl_output *mg_dnsbl_output(const struct mg_dnsbl *dnsbl)
{
	return &dnsbl->output;
}
