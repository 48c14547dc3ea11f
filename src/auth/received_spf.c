#include "auth/received_spf.h"

#include "auth/field_value.h"

/* Inside a comment parentheses and backslashes are not themselves. */
static void put_comment(struct mg_buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		mg_buf_addc(out, strchr("()\\", *text) != NULL || *text < ' ' || *text > '~' ? ' ' : *text);
}

static void put_pair(struct mg_buf *out, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	mg_buf_addf(out, " %s=", name);
	mg_field_value(out, value);
	mg_buf_addc(out, ';');
}

void mg_received_spf(struct mg_buf *out, const struct mg_evaluation *evaluation, const char *receiver)
{
	const struct mg_spf_output *spf = mg_evaluation_spf(evaluation);
	char ip[MG_IP_TEXT];

	if (spf == NULL)
		return;
	mg_buf_addf(out, "%s (", mg_result_name(spf->result));
	put_comment(out, receiver);
	mg_buf_addz(out, ": ");
	put_comment(out, spf->reason);
	mg_buf_addz(out, ")");
	put_pair(out, "receiver", receiver);
	put_pair(out, "identity", spf->scope == MG_SPF_HELO ? "helo" : "mailfrom");
	put_pair(out, "client-ip", mg_ip_text(mg_evaluation_client(evaluation), ip, sizeof ip));
	put_pair(out, "helo", mg_evaluation_helo_name(evaluation));
	put_pair(out, "envelope-from", mg_evaluation_mail_from(evaluation));
}
