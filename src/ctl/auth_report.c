#include "ctl/auth_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/i18n.h"

static enum mg_ink ink_of(enum mg_result result)
{
	switch (result) {
	case MG_RESULT_PASS:
		return MG_INK_GOOD;
	case MG_RESULT_FAIL:
	case MG_RESULT_PERMERROR:
		return MG_INK_BAD;
	case MG_RESULT_SOFTFAIL:
	case MG_RESULT_TEMPERROR:
	case MG_RESULT_POLICY:
		return MG_INK_WARN;
	default:
		return MG_INK_PLAIN;
	}
}

/* "spf       pass       why" */
static void print_line(const struct mg_ctl *ctl, const char *method, enum mg_result result, const char *fmt, ...)
	MG_PRINTF(4, 5);
static void print_line(const struct mg_ctl *ctl, const char *method, enum mg_result result, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	mg_ctl_print(ctl, MG_INK_STRONG, 10, method);
	mg_ctl_print(ctl, ink_of(result), 11, mg_result_name(result));
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, text);
	putchar('\n');
}

static void print_detail(const struct mg_ctl *ctl, const char *text)
{
	if (text[0] != '\0')
		mg_ctl_paragraph(ctl, 21, "", text);
}

static void print_spf(const struct mg_ctl *ctl, const char *method, const struct mg_spf_output *spf)
{
	if (spf == NULL)
		return;
	print_line(ctl, method, spf->result, "%s", spf->reason);
	print_detail(ctl, spf->explanation);
}

static void print_dkim(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	size_t count;
	const struct mg_dkim_signature *signature = mg_evaluation_dkim(evaluation, &count);

	if (signature != NULL && count == 0)
		print_line(ctl, "dkim", MG_RESULT_NONE, "%s", _("the message is not signed"));
	for (size_t i = 0; i < count; i++, signature++) {
		print_line(ctl, "dkim", signature->result, _("%s, selector %s, %s"), signature->domain,
			signature->selector, signature->algorithm);
		print_detail(ctl, signature->reason);
		if (signature->is_testing)
			print_detail(ctl, _("the key says that it is being tested (t=y)"));
	}
}

static void print_arc(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	const struct mg_arc_output *arc = mg_evaluation_arc(evaluation);

	if (arc == NULL)
		return;
	if (arc->instance == 0)
		print_line(ctl, "arc", arc->result, "%s", arc->reason);
	else
		print_line(ctl, "arc", arc->result, _("%u seals, the last by %s; %s"), arc->instance,
			arc->instance <= MG_ARC_SETS && arc->sealer[arc->instance - 1] != NULL
				? arc->sealer[arc->instance - 1]
				: "?",
			arc->reason);
}

static void print_dmarc(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);
	char text[512];

	if (dmarc == NULL)
		return;
	print_line(ctl, "dmarc", dmarc->result, "%s", dmarc->reason);
	if (dmarc->policy_domain[0] != '\0') {
		snprintf(text, sizeof text,
			_("author's domain %s; policy \"%s\" of %s; aligned: SPF %s, DKIM %s; what is left to do: %s"),
			dmarc->domain, mg_dmarc_policy_name(dmarc->policy), dmarc->policy_domain,
			dmarc->aligned_spf ? _("yes") : _("no"), dmarc->aligned_dkim ? _("yes") : _("no"),
			mg_dmarc_disposition_name(dmarc->disposition));
		print_detail(ctl, text);
	}
	print_detail(ctl, dmarc->rfc7489);
	if (mg_evaluation_arc_overrides(evaluation))
		print_detail(
			ctl, _("overridden: every hand it went through is a trusted sealer, and their chain holds"));
}

static void print_dnsbl(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	static const char *const states[] = { N_("not listed"), N_("listed"), N_("the zone answers with an error"),
		N_("no answer"), N_("not asked: its last test failed") };
	const struct mg_dnsbl_output *dnsbl = mg_evaluation_dnsbl(evaluation);
	char zone[MG_DNSBL_SHOWN], ip[MG_IP_TEXT];

	for (size_t i = 0; dnsbl != NULL && i < dnsbl->count; i++) {
		const struct mg_dnsbl_found *found = &dnsbl->found[i];

		mg_ctl_print(ctl, MG_INK_STRONG, 10, "dnsbl");
		mg_ctl_print(ctl,
			found->state == MG_DNSBL_LISTED && found->zone->weight > 0 ? MG_INK_BAD : MG_INK_PLAIN, 0,
			_(states[found->state]));
		printf(": %s", mg_dnsbl_shown(found->zone->name, zone));
		for (size_t code = 0; code < found->code_count; code++)
			printf(" %s %s", mg_ip_text(&found->codes[code], ip, sizeof ip),
				mg_dnsbl_meaning(found->zone->name, &found->codes[code]));
		putchar('\n');
	}
}

void mg_auth_report(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation, const char *results_field)
{
	const struct mg_iprev_output *iprev = mg_evaluation_iprev(evaluation);

	if (iprev != NULL)
		print_line(ctl, "iprev", iprev->result, "%s", iprev->reason);
	print_dnsbl(ctl, evaluation);
	print_spf(ctl, "spf helo", mg_evaluation_spf_helo(evaluation));
	print_spf(ctl, "spf", mg_evaluation_spf(evaluation));
	print_dkim(ctl, evaluation);
	print_arc(ctl, evaluation);
	print_dmarc(ctl, evaluation);
	putchar('\n');
	mg_ctl_paragraph(ctl, 2, "", "Authentication-Results:");
	mg_ctl_paragraph(ctl, 4, "", results_field);
}
