#include "engine/replay_sender.h"

struct facts {
	struct mg_auth_facts auth;
	struct mg_auth_gaps gaps;
};

static bool is_unset(enum mg_level level, enum mg_result result)
{
	return level == MG_LEVEL_ENFORCE && result == MG_RESULT_UNSET;
}

/* The first thing that an enforced method would have had to know. Policy alone never knew of DKIM, ARC and DMARC. */
static enum mg_replay_gap gap_of(
	const struct mg_record *record, const struct mg_conf *conf, bool has_other_sealers, const struct facts *facts)
{
	bool has_message = record->by_milter;

	if (conf->auth.dnsbl_action == MG_LEVEL_ENFORCE && conf->auth.dnsbl_count > 0 &&
		(facts->gaps.dnsbl || !facts->auth.has_dnsbl))
		return MG_GAP_DNSBL;
	if (is_unset(conf->auth.iprev, facts->auth.iprev))
		return MG_GAP_IPREV;
	if (is_unset(conf->auth.spf, facts->auth.spf) || (conf->auth.spf == MG_LEVEL_ENFORCE && facts->gaps.spf_helo))
		return MG_GAP_SPF;
	if (has_message && is_unset(conf->auth.dkim, facts->auth.dkim))
		return MG_GAP_DKIM;
	if (has_message && is_unset(conf->auth.arc, facts->auth.arc))
		return MG_GAP_ARC;
	if (!has_message || conf->auth.dmarc != MG_LEVEL_ENFORCE)
		return MG_GAP_NONE;
	if (facts->auth.dmarc == MG_RESULT_UNSET || facts->gaps.dmarc)
		return MG_GAP_DMARC;
	if (has_other_sealers && facts->auth.arc != MG_RESULT_NONE && facts->auth.dmarc == MG_RESULT_FAIL)
		return MG_GAP_SEALERS;
	return MG_GAP_NONE;
}

enum mg_replay_gap mg_replay_sender(struct mg_record *record, const struct mg_conf *conf, bool has_other_sealers,
	struct mg_judgement *judgement_out)
{
	struct facts facts;
	enum mg_replay_gap gap;

	(void)mg_auth_facts_read(record, conf, &facts.auth, &facts.gaps);
	gap = gap_of(record, conf, has_other_sealers, &facts);
	if (gap == MG_GAP_DNSBL) /* what is known of the lists may be outweighed by what is not */
		facts.auth.has_dnsbl = false;
	mg_enforce_facts(&facts.auth, conf, record, judgement_out);
	return judgement_out->action == MG_ACTION_REJECT && gap != MG_GAP_SEALERS ? MG_GAP_NONE : gap;
}
