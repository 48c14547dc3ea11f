/* Every key is always there; what was not evaluated has the result "". */
#include "base/say.h"
#include "ctl/auth_report.h"

static json_t *text(const char *z)
{
	return mg_json_text(mg_str_z(z));
}

static json_t *iprev_json(const struct mg_evaluation *evaluation)
{
	static const struct mg_iprev_output none = { .name = "", .reason = "" };
	const struct mg_iprev_output *iprev = mg_evaluation_iprev(evaluation);

	if (iprev == NULL)
		iprev = &none;
	return json_pack("{s:s, s:o, s:o}", "result", mg_result_name(iprev->result), "name", text(iprev->name),
		"reason", text(iprev->reason));
}

static json_t *spf_json(const struct mg_spf_output *spf)
{
	static const struct mg_spf_output none = { .domain = "", .mechanism = "", .explanation = "", .reason = "" };

	if (spf == NULL)
		spf = &none;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "result", mg_result_name(spf->result), "scope",
		spf->scope == MG_SPF_HELO ? "helo" : "mfrom", "domain", text(spf->domain), "explanation",
		text(spf->explanation), "reason", text(spf->reason), "mechanism", text(spf->mechanism), "lookups",
		(int)spf->lookups, "voids", (int)spf->voids);
}

static json_t *dkim_json(const struct mg_evaluation *evaluation)
{
	size_t count;
	const struct mg_dkim_signature *signature = mg_evaluation_dkim(evaluation, &count);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++, signature++)
		json_array_append_new(
			array, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:b, s:b}", "result",
				       mg_result_name(signature->result), "domain", text(signature->domain), "selector",
				       text(signature->selector), "algorithm", text(signature->algorithm), "identity",
				       text(signature->identity), "reason", text(signature->reason), "key_bits",
				       (int)signature->key_bits, "testing", signature->is_testing, "whole_body",
				       !signature->covers_part_only));
	return array;
}

static json_t *arc_json(const struct mg_evaluation *evaluation)
{
	const struct mg_arc_output *arc = mg_evaluation_arc(evaluation);
	json_t *sealers = json_array();

	for (unsigned i = 0; arc != NULL && i < arc->instance && i < MG_ARC_SETS; i++)
		json_array_append_new(sealers, text(arc->sealer[i] == NULL ? "" : arc->sealer[i]));
	return json_pack("{s:s, s:i, s:o, s:o, s:b}", "result", arc == NULL ? "" : mg_result_name(arc->result),
		"instance", arc == NULL ? 0 : (int)arc->instance, "reason", text(arc == NULL ? "" : arc->reason),
		"sealers", sealers, "overrides", mg_evaluation_arc_overrides(evaluation));
}

static json_t *dmarc_json(const struct mg_evaluation *evaluation)
{
	static const struct mg_dmarc_output none = {
		.domain = "", .policy_domain = "", .org_domain = "", .reason = "", .rfc7489 = ""
	};
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);

	if (dmarc == NULL)
		dmarc = &none;
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:{s:b, s:b}, s:o, s:b, s:o}", "result",
		mg_result_name(dmarc->result), "domain", text(dmarc->domain), "policy_domain",
		text(dmarc->policy_domain), "policy", mg_dmarc_policy_name(dmarc->policy), "disposition",
		mg_dmarc_disposition_name(dmarc->disposition), "aligned", "spf", dmarc->aligned_spf, "dkim",
		dmarc->aligned_dkim, "reason", text(dmarc->reason), "testing", dmarc->is_testing, "rfc7489",
		text(dmarc->rfc7489));
}

static json_t *meaning_json(const struct mg_dnsbl_found *found)
{
	struct mg_say meaning = { 0 };
	struct mg_buf english;
	json_t *json;

	if (found->code_count > 0)
		meaning = mg_dnsbl_meaning(found->zone->name, &found->codes[0]);
	mg_buf_init(&english, MG_SAY_TEXT);
	mg_say_english(&english, &meaning);
	json = text(mg_buf_z(&english));
	mg_buf_fini(&english);
	return json;
}

static json_t *zone_json(const struct mg_dnsbl_found *found)
{
	static const char *const states[] = { "not-listed", "listed", "error", "trouble", "muted" };
	json_t *codes = json_array();
	char zone[MG_DNSBL_SHOWN], ip[MG_IP_TEXT];

	for (size_t i = 0; i < found->code_count; i++)
		json_array_append_new(codes, json_string(mg_ip_text(&found->codes[i], ip, sizeof ip)));
	return json_pack("{s:o, s:s, s:i, s:o, s:o}", "zone", text(mg_dnsbl_shown(found->zone->name, zone)), "state",
		states[found->state], "weight", found->zone->weight, "codes", codes, "meaning", meaning_json(found));
}

static json_t *dnsbl_json(const struct mg_evaluation *evaluation)
{
	const struct mg_dnsbl_output *dnsbl = mg_evaluation_dnsbl(evaluation);
	json_t *zones = json_array();

	for (size_t i = 0; dnsbl != NULL && i < dnsbl->count; i++)
		json_array_append_new(zones, zone_json(&dnsbl->found[i]));
	return json_pack("{s:i, s:o}", "score", dnsbl == NULL ? 0 : dnsbl->score, "zones", zones);
}

json_t *mg_auth_json(const struct mg_evaluation *evaluation, const char *results_field)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "iprev", iprev_json(evaluation), "spf",
		spf_json(mg_evaluation_spf(evaluation)), "spf_helo", spf_json(mg_evaluation_spf_helo(evaluation)),
		"dkim", dkim_json(evaluation), "arc", arc_json(evaluation), "dmarc", dmarc_json(evaluation), "dnsbl",
		dnsbl_json(evaluation), "authentication_results", text(results_field));
}
