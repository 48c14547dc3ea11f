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

static void print_say(const struct mg_ctl *ctl, const char *method, enum mg_result result, const struct mg_say *say)
{
	struct mg_buf text;

	mg_buf_init(&text, MG_SAY_TEXT);
	mg_say_local(&text, say);
	print_line(ctl, method, result, "%s", mg_buf_z(&text));
	mg_buf_fini(&text);
}

/* A reason that is a literal, in the reader's language. gettext("") is the catalogue's header. */
static const char *local(const char *reason)
{
	return reason[0] == '\0' ? "" : _(reason);
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
	print_say(ctl, method, spf->result, &spf->say);
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
		print_detail(ctl, local(signature->reason));
		if (signature->is_testing)
			print_detail(ctl, _("the key says that it is being tested (t=y)"));
	}
}

static const char *last_sealer(const struct mg_arc_output *arc)
{
	const char *sealer = arc->instance <= MG_ARC_SETS ? arc->sealer[arc->instance - 1] : NULL;

	return sealer == NULL || sealer[0] == '\0' ? "?" : sealer;
}

static void print_arc(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	const struct mg_arc_output *arc = mg_evaluation_arc(evaluation);

	if (arc == NULL)
		return;
	if (arc->instance == 0) {
		print_line(ctl, "arc", arc->result, "%s", local(arc->reason));
		return;
	}
	print_line(ctl, "arc", arc->result, _("links in the chain: %u, the last sealed by %s"), arc->instance,
		last_sealer(arc));
	print_detail(ctl, local(arc->reason));
}

static void print_dmarc(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);
	char text[512];

	if (dmarc == NULL)
		return;
	print_line(ctl, "dmarc", dmarc->result, "%s", local(dmarc->reason));
	if (dmarc->policy_domain[0] != '\0') {
		snprintf(text, sizeof text,
			_("author's domain %s; policy \"%s\" of %s; aligned: SPF %s, DKIM %s; what is left to do: %s"),
			dmarc->domain, mg_dmarc_policy_name(dmarc->policy), dmarc->policy_domain,
			dmarc->aligned_spf ? _("yes") : _("no"), dmarc->aligned_dkim ? _("yes") : _("no"),
			mg_dmarc_disposition_name(dmarc->disposition));
		print_detail(ctl, text);
	}
	print_detail(ctl, local(dmarc->rfc7489));
	if (mg_evaluation_arc_overrides(evaluation))
		print_detail(
			ctl, _("overridden: every hand it went through is a trusted sealer, and their chain holds"));
}

static void print_code(const struct mg_ctl *ctl, const char *zone, const struct mg_ip *code)
{
	struct mg_say meaning = mg_dnsbl_meaning(zone, code);
	struct mg_buf text;
	char ip[MG_IP_TEXT];

	if (meaning.arg[0] != NULL)
		meaning.arg[0] = _(meaning.arg[0]);
	mg_buf_init(&text, MG_SAY_TEXT);
	mg_buf_addf(&text, " %s ", mg_ip_text(code, ip, sizeof ip));
	mg_say_local(&text, &meaning);
	mg_ctl_print(ctl, MG_INK_PLAIN, 0, mg_buf_z(&text));
	mg_buf_fini(&text);
}

static void print_dnsbl(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation)
{
	static const char *const states[] = { N_("not listed"), N_("listed"), N_("the zone answers with an error"),
		N_("no answer"), N_("not asked: its last test failed") };
	const struct mg_dnsbl_output *dnsbl = mg_evaluation_dnsbl(evaluation);
	char zone[MG_DNSBL_SHOWN];

	for (size_t i = 0; dnsbl != NULL && i < dnsbl->count; i++) {
		const struct mg_dnsbl_found *found = &dnsbl->found[i];

		mg_ctl_print(ctl, MG_INK_STRONG, 10, "dnsbl");
		mg_ctl_print(ctl,
			found->state == MG_DNSBL_LISTED && found->zone->weight > 0 ? MG_INK_BAD : MG_INK_PLAIN, 0,
			_(states[found->state]));
		printf(": %s", mg_dnsbl_shown(found->zone->name, zone));
		for (size_t code = 0; code < found->code_count; code++)
			print_code(ctl, found->zone->name, &found->codes[code]);
		putchar('\n');
	}
}

void mg_auth_report(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation, const char *results_field)
{
	const struct mg_iprev_output *iprev = mg_evaluation_iprev(evaluation);

	if (iprev != NULL)
		print_say(ctl, "iprev", iprev->result, &iprev->say);
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
