#include "auth/results_field.h"

#include <stdio.h>

#include "auth/field_value.h"

enum { ROOM_FOR_LISTS = 2048, ROOM_FOR_SIGNATURES = MG_RESULTS_FIELD - 2048 };

struct field {
	struct mg_buf *out;
	const char *fold;
	bool has_any;
};

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
	mg_field_value(field->out, value);
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
	put(field, "policy.iprev", mg_ip_text(mg_evaluation_client(evaluation), ip, sizeof ip));
}

static void put_spf(struct field *field, const struct mg_spf_output *spf)
{
	if (spf == NULL)
		return;
	begin(field, "spf", spf->result);
	put_reason(field, spf->result, spf->reason);
	put(field, spf->scope == MG_SPF_HELO ? "smtp.helo" : "smtp.mailfrom", spf->domain);
}

static void put_signature(struct field *field, const struct mg_dkim_signature *signature)
{
	begin(field, "dkim", signature->result);
	put_reason(field, signature->result, signature->reason);
	put(field, "header.d", signature->domain);
	put(field, "header.i", signature->identity);
	put(field, "header.s", signature->selector);
	put(field, "header.a", signature->algorithm);
	put(field, "header.b", signature->b_start);
}

/* What comes in any number is left out where it would take the place of what follows. */
static void put_if_room(struct field *field, const struct mg_buf *piece, size_t room)
{
	if (!mg_buf_ok(piece) || field->out->n + piece->n > room)
		return;
	mg_buf_add(field->out, mg_buf_str(piece));
	field->has_any = true;
}

static void put_dkim(struct field *field, const struct mg_evaluation *evaluation)
{
	size_t count;
	const struct mg_dkim_signature *signature = mg_evaluation_dkim(evaluation, &count);
	struct mg_buf piece;
	struct field one = { .out = &piece, .fold = field->fold };

	if (signature != NULL && count == 0)
		begin(field, "dkim", MG_RESULT_NONE);
	mg_buf_init(&piece, MG_RESULTS_FIELD);
	for (size_t i = 0; signature != NULL && i < count; i++) {
		mg_buf_reset(&piece);
		put_signature(&one, &signature[i]);
		put_if_room(field, &piece, ROOM_FOR_SIGNATURES);
	}
	mg_buf_fini(&piece);
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
	if (dmarc->policy >= MG_DMARC_NONE)
		put(field, "policy.dmarc", mg_dmarc_disposition_name(dmarc->disposition));
}

/* Allowlists have a method of their own; for blocklists there is none. */
static void put_dnswl(struct field *field, const struct mg_evaluation *evaluation)
{
	const struct mg_dnsbl_output *dnsbl = mg_evaluation_dnsbl(evaluation);
	char zone[MG_DNSBL_SHOWN], code[MG_IP_TEXT];
	struct mg_buf piece;
	struct field one = { .out = &piece, .fold = field->fold };

	mg_buf_init(&piece, MG_RESULTS_FIELD);
	for (size_t i = 0; dnsbl != NULL && i < dnsbl->count; i++) {
		const struct mg_dnsbl_found *found = &dnsbl->found[i];

		if (found->zone->weight > 0 || found->state != MG_DNSBL_LISTED)
			continue;
		mg_buf_reset(&piece);
		begin(&one, "dnswl", MG_RESULT_PASS);
		put(&one, "dns.zone", mg_dnsbl_shown(found->zone->name, zone));
		put(&one, "policy.ip", mg_ip_text(&found->codes[0], code, sizeof code));
		put_if_room(field, &piece, ROOM_FOR_LISTS);
	}
	mg_buf_fini(&piece);
}

void mg_results_field(
	struct mg_buf *out, const struct mg_evaluation *evaluation, const char *authserv_id, const char *fold)
{
	struct field field = { .out = out, .fold = fold };

	mg_field_value(out, authserv_id);
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
