/* What an evaluation says to people, in one place. */
#include "auth/spf_state.h"

#include <stdarg.h>
#include <stdio.h>

void mg_spf_reason(struct mg_spf *spf, const char *fmt, ...)
{
	char text[MG_SPF_REASON];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	spf->output.reason = mg_arena_text(spf->arena, mg_str_z(text), sizeof text);
}

void mg_spf_stop_for_trouble(struct mg_spf *spf, const char *name, enum mg_dns_trouble trouble)
{
	mg_spf_reason(
		spf, "DNS gave no answer about %.*s (%s)", MG_DNS_NAME_MAX / 2, name, mg_dns_trouble_name(trouble));
	mg_spf_stop(spf, MG_RESULT_TEMPERROR);
}

/* "include:a.example (ip4:192.0.2.1 of a.example), redirected to b.example" */
static void describe_match(const struct mg_spf *spf, struct mg_buf *out)
{
	const struct mg_spf_frame *bottom = &spf->frames[0], *reached = &spf->frames[spf->reach - 1];

	mg_buf_add(out, mg_str_first(bottom->term.text, MG_SPF_SAID));
	if (spf->reach > 1) {
		mg_buf_addz(out, " (");
		mg_buf_add(out, mg_str_first(reached->term.text, MG_SPF_SAID));
		mg_buf_addf(out, " of %s)", reached->domain);
	}
	if (bottom->is_redirected)
		mg_buf_addf(out, ", redirected to %s", bottom->domain);
}

/* %1$s is the client, %2$s the domain, %3$s the match. */
static const char *const endings[MG_RESULTS] = {
	[MG_RESULT_PASS] = "%1$s is among the senders %2$s allows: %3$s",
	[MG_RESULT_FAIL] = "%1$s is not among the senders %2$s allows: %3$s",
	[MG_RESULT_SOFTFAIL] = "%1$s is probably not among the senders %2$s allows: %3$s",
	[MG_RESULT_NEUTRAL] = "%1$s may or may not send for %2$s, which doesn't say: %3$s",
};

void mg_spf_describe_ending(struct mg_spf *spf, enum mg_result result)
{
	struct mg_buf match;
	char ip[MG_IP_TEXT];

	mg_ip_text(&spf->values.ip, ip, sizeof ip);
	if (spf->frames[0].term.kind == MG_SPF_NO_KIND) {
		mg_spf_reason(spf, "no mechanism of %s matches %s", spf->frames[0].domain, ip);
		return;
	}
	mg_buf_init(&match, 2 * MG_SPF_REASON);
	describe_match(spf, &match);
	mg_spf_reason(spf, endings[result], ip, spf->output.domain, mg_buf_z(&match));
	mg_buf_fini(&match);
}
