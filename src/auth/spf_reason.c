/* What an evaluation says to people, in one place. */
#include "auth/spf_state.h"
#include "base/i18n.h"

void mg_spf_stop(struct mg_spf *spf, enum mg_result result, struct mg_say why)
{
	spf->output.reason = mg_reason(spf->arena, &why, &spf->output.say);
	spf->output.result = result;
	spf->phase = MG_SPF_OVER;
}

void mg_spf_stop_for_trouble(struct mg_spf *spf, const char *name, enum mg_dns_trouble trouble)
{
	mg_spf_stop(spf, MG_RESULT_TEMPERROR,
		MG_SAY(N_("DNS gave no answer about %1 (%2)"), name, mg_dns_trouble_name(trouble)));
}

const char *mg_spf_quoted(struct mg_spf *spf, struct mg_str term)
{
	return mg_arena_text(spf->arena, term, MG_SPF_QUOTED);
}

/* How the match was reached: in the domain's own record, in one it includes, in the one it redirects to, or both. */
enum way { DIRECTLY, BY_INCLUDE, BY_REDIRECT, BY_BOTH, WAYS };

/* %1 is the client, %2 the domain, %3 its mechanism, %4 of %5 the one included, %6 where it redirects to. */
static const char *const endings[MG_RESULTS][WAYS] = {
	[MG_RESULT_PASS] = {
		N_("%1 is among the senders %2 allows: %3"),
		N_("%1 is among the senders %2 allows: %3 (%4 of %5)"),
		N_("%1 is among the senders %2 allows: %3, redirected to %6"),
		N_("%1 is among the senders %2 allows: %3 (%4 of %5), redirected to %6"),
	},
	[MG_RESULT_FAIL] = {
		N_("%1 is not among the senders %2 allows: %3"),
		N_("%1 is not among the senders %2 allows: %3 (%4 of %5)"),
		N_("%1 is not among the senders %2 allows: %3, redirected to %6"),
		N_("%1 is not among the senders %2 allows: %3 (%4 of %5), redirected to %6"),
	},
	[MG_RESULT_SOFTFAIL] = {
		N_("%1 is probably not among the senders %2 allows: %3"),
		N_("%1 is probably not among the senders %2 allows: %3 (%4 of %5)"),
		N_("%1 is probably not among the senders %2 allows: %3, redirected to %6"),
		N_("%1 is probably not among the senders %2 allows: %3 (%4 of %5), redirected to %6"),
	},
	[MG_RESULT_NEUTRAL] = {
		N_("%1 may or may not send for %2, which doesn't say: %3"),
		N_("%1 may or may not send for %2, which doesn't say: %3 (%4 of %5)"),
		N_("%1 may or may not send for %2, which doesn't say: %3, redirected to %6"),
		N_("%1 may or may not send for %2, which doesn't say: %3 (%4 of %5), redirected to %6"),
	},
};

void mg_spf_stop_at_match(struct mg_spf *spf, enum mg_result result)
{
	const struct mg_spf_frame *bottom = spf->frames[0], *reached = spf->frames[spf->reach - 1];
	enum way way = bottom->is_redirected ? BY_REDIRECT : DIRECTLY;
	char ip[MG_IP_TEXT];

	mg_ip_text(&spf->values.ip, ip, sizeof ip);
	if (bottom->term.kind == MG_SPF_NO_KIND) {
		mg_spf_stop(spf, result, MG_SAY(N_("no mechanism of %1 matches %2"), bottom->domain, ip));
		return;
	}
	if (reached != bottom)
		way = bottom->is_redirected ? BY_BOTH : BY_INCLUDE;
	mg_spf_stop(spf, result,
		(struct mg_say){ endings[result][way],
			{ ip, spf->output.domain, mg_spf_quoted(spf, bottom->term.text),
				mg_spf_quoted(spf, reached->term.text), reached->domain, bottom->domain } });
}
