#include "auth/results_field.h"

#include <stdio.h>

enum { VALUE_MAX = 256 };

struct field {
	struct mg_buf *out;
	const char *fold;
	bool has_any;
};

static bool is_token_byte(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* RFC 2045's token, or an address that begins with '@' (as header.i has it): what may stand without quotes. */
static bool is_plain(struct mg_str value)
{
	if (value.n > 1 && value.p[0] == '@')
		value = mg_str_from(value, 1);
	for (size_t i = 0; i < value.n; i++)
		if (!is_token_byte(value.p[i]))
			return false;
	return value.n > 0;
}

/* As it is, or as a quoted-string; bytes that have no place in a header become '?'. */
static void put_value(struct mg_buf *out, const char *text)
{
	struct mg_str value = mg_str_first(mg_str_z(text), VALUE_MAX);

	if (is_plain(value)) {
		mg_buf_add(out, value);
		return;
	}
	mg_buf_addc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '"' || c == '\\')
			mg_buf_addc(out, '\\');
		mg_buf_addc(out, c < ' ' || c > '~' ? '?' : c);
	}
	mg_buf_addc(out, '"');
}

static void begin(struct field *field, const char *method, enum mg_result result)
{
	mg_buf_addc(field->out, ';');
	mg_buf_addz(field->out, field->fold);
	mg_buf_addz(field->out, method);
	mg_buf_addc(field->out, '=');
	mg_buf_addz(field->out, mg_result_name(result));
	field->has_any = true;
}

static void put(struct field *field, const char *property, const char *value)
{
	if (value[0] == '\0')
		return;
	mg_buf_addc(field->out, ' ');
	mg_buf_addz(field->out, property);
	mg_buf_addc(field->out, '=');
	put_value(field->out, value);
}

/* Why, where it isn't a plain pass or none. */
static void put_reason(struct field *field, enum mg_result result, const char *reason)
{
	if (result != MG_RESULT_PASS && result != MG_RESULT_NONE)
		put(field, "reason", reason);
}

static void put_iprev(struct field *field, const struct mg_evaluation *evaluation)
{
	const struct mg_iprev_output *iprev = mg_evaluation_iprev(evaluation);
	char ip[MG_IP_TEXT];

	if (iprev == NULL)
		return;
	begin(field, "iprev", iprev->result);
	put_reason(field, iprev->result, iprev->reason);
	put(field, "smtp.remote-ip", mg_ip_text(mg_evaluation_client(evaluation), ip, sizeof ip));
}

static void put_spf(struct field *field, const struct mg_spf_output *spf)
{
	if (spf == NULL)
		return;
	begin(field, "spf", spf->result);
	put_reason(field, spf->result, spf->reason);
	put(field, spf->scope == MG_SPF_HELO ? "smtp.helo" : "smtp.mailfrom", spf->domain);
}

static void put_dkim(struct field *field, const struct mg_evaluation *evaluation)
{
	size_t count;
	const struct mg_dkim_signature *signature = mg_evaluation_dkim(evaluation, &count);

	if (signature != NULL && count == 0)
		begin(field, "dkim", MG_RESULT_NONE);
	for (size_t i = 0; signature != NULL && i < count; i++) {
		begin(field, "dkim", signature[i].result);
		put_reason(field, signature[i].result, signature[i].reason);
		put(field, "header.d", signature[i].domain);
		put(field, "header.i", signature[i].identity);
		put(field, "header.s", signature[i].selector);
		put(field, "header.a", signature[i].algorithm);
		put(field, "header.b", signature[i].b_start);
	}
}

static void put_arc(struct field *field, const struct mg_evaluation *evaluation)
{
	const struct mg_arc_output *arc = mg_evaluation_arc(evaluation);
	char ip[MG_IP_TEXT], oldest[16];

	if (arc == NULL)
		return;
	begin(field, "arc", arc->result);
	put_reason(field, arc->result, arc->reason);
	if (arc->instance == 0)
		return;
	snprintf(oldest, sizeof oldest, "%u", arc->oldest_pass);
	put(field, "header.oldest-pass", oldest);
	put(field, "smtp.remote-ip", mg_ip_text(mg_evaluation_client(evaluation), ip, sizeof ip));
}

static void put_dmarc(struct field *field, const struct mg_evaluation *evaluation)
{
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);

	if (dmarc == NULL)
		return;
	begin(field, "dmarc", dmarc->result);
	if (dmarc->policy >= MG_DMARC_NONE)
		mg_buf_addf(field->out, " (p=%s dis=%s%s)", mg_dmarc_policy_name(dmarc->policy),
			mg_dmarc_disposition_name(dmarc->disposition),
			mg_evaluation_arc_overrides(evaluation) ? " arc=override" : "");
	put_reason(field, dmarc->result, dmarc->reason);
	put(field, "header.from", dmarc->domain);
	put(field, "policy.dmarc", mg_dmarc_policy_name(dmarc->policy));
}

/* Allowlists have a method of their own; for blocklists there is none. */
static void put_dnswl(struct field *field, const struct mg_evaluation *evaluation)
{
	const struct mg_dnsbl_output *dnsbl = mg_evaluation_dnsbl(evaluation);
	char zone[MG_DNSBL_SHOWN], code[MG_IP_TEXT];

	for (size_t i = 0; dnsbl != NULL && i < dnsbl->count; i++) {
		const struct mg_dnsbl_found *found = &dnsbl->found[i];

		if (found->zone->weight > 0 || found->state != MG_DNSBL_LISTED)
			continue;
		begin(field, "dnswl", MG_RESULT_PASS);
		put(field, "dns.zone", mg_dnsbl_shown(found->zone->name, zone));
		put(field, "policy.ip", mg_ip_text(&found->codes[0], code, sizeof code));
	}
}

void mg_results_field(
	struct mg_buf *out, const struct mg_evaluation *evaluation, const char *authserv_id, const char *fold)
{
	struct field field = { .out = out, .fold = fold };

	put_value(out, authserv_id);
	put_iprev(&field, evaluation);
	put_dnswl(&field, evaluation);
	put_spf(&field, mg_evaluation_spf_helo(evaluation));
	put_spf(&field, mg_evaluation_spf(evaluation));
	put_dkim(&field, evaluation);
	put_arc(&field, evaluation);
	put_dmarc(&field, evaluation);
	if (!field.has_any)
		mg_buf_addz(out, "; none");
}
