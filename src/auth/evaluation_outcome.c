/* What came of an evaluation. A method that only served DMARC, and is off itself, is not told of. */
#include "auth/evaluation_state.h"

const struct mg_iprev_output *mg_evaluation_iprev(const struct mg_evaluation *e)
{
	return e->iprev_done ? mg_iprev_output(e->iprev) : NULL;
}

const struct mg_spf_output *mg_evaluation_spf(const struct mg_evaluation *e)
{
	return e->spf_done && e->o.conf->auth.spf != MG_LEVEL_OFF ? mg_spf_output(e->spf) : NULL;
}

const struct mg_spf_output *mg_evaluation_spf_helo(const struct mg_evaluation *e)
{
	return e->spf_helo_done ? mg_spf_output(e->spf_helo) : NULL;
}

const struct mg_dnsbl_output *mg_evaluation_dnsbl(const struct mg_evaluation *e)
{
	return e->dnsbl_done ? mg_dnsbl_output(e->dnsbl) : NULL;
}

const struct mg_dkim_signature *mg_evaluation_dkim(const struct mg_evaluation *e, size_t *count_out)
{
	*count_out = 0;
	return e->dkim_done && e->o.conf->auth.dkim != MG_LEVEL_OFF ? mg_dkim_signatures(e->dkim, count_out) : NULL;
}

const struct mg_arc_output *mg_evaluation_arc(const struct mg_evaluation *e)
{
	return e->arc_done && e->o.conf->auth.arc != MG_LEVEL_OFF ? mg_arc_output(e->arc) : NULL;
}

const struct mg_dmarc_output *mg_evaluation_dmarc(const struct mg_evaluation *e)
{
	return e->dmarc_done ? &e->dmarc_output : NULL;
}

struct mg_auth_result mg_evaluation_result(const struct mg_evaluation *e)
{
	struct mg_auth_result result = { 0 };

	if (mg_evaluation_iprev(e) != NULL)
		result.iprev = mg_evaluation_iprev(e)->result;
	if (mg_evaluation_spf(e) != NULL)
		result.spf = mg_evaluation_spf(e)->result;
	if (mg_evaluation_spf_helo(e) != NULL)
		result.spf_helo = mg_evaluation_spf_helo(e)->result;
	if (e->dkim_done && e->o.conf->auth.dkim != MG_LEVEL_OFF)
		result.dkim = mg_dkim_result(e->dkim);
	if (mg_evaluation_arc(e) != NULL)
		result.arc = mg_evaluation_arc(e)->result;
	if (mg_evaluation_dmarc(e) != NULL)
		result.dmarc = mg_evaluation_dmarc(e)->result;
	return result;
}

bool mg_evaluation_arc_overrides(const struct mg_evaluation *e)
{
	return e->is_overridden;
}

const struct mg_ip *mg_evaluation_client(const struct mg_evaluation *e)
{
	return &e->o.client;
}

const char *mg_evaluation_helo_name(const struct mg_evaluation *e)
{
	return e->helo;
}

const char *mg_evaluation_mail_from(const struct mg_evaluation *e)
{
	return e->mail_from;
}
