#include "milter/reply.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"

enum { REPLY_TEXT = 480 }; /* with the codes before it, under the 512 bytes of RFC 5321 section 4.5.3.1.5 */

/* Postfix and libmilter expand '%' and split at line ends: neither may reach them. */
static void set_text(SMFICTX *ctx, const struct mg_verdict *verdict)
{
	char code[4], dsn[16], text[REPLY_TEXT];

	snprintf(code, sizeof code, "%s", verdict->code);
	snprintf(dsn, sizeof dsn, "%s", verdict->dsn);
	snprintf(text, sizeof text, "%s", verdict->text);
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '%')
			*p = '?';
	if (smfi_setreply(ctx, code, dsn, text) != MI_SUCCESS)
		mg_log(MG_LOG_WARNING, "milter-reply: code=%s, refused by libmilter", code);
}

static bool insert(SMFICTX *ctx, const struct mg_edit *edit, bool has_leading_space)
{
	struct mg_buf value;
	bool is_done;

	mg_buf_init(&value, MG_EDIT_BYTES);
	if (has_leading_space)
		mg_buf_addc(&value, ' ');
	mg_buf_addz(&value, edit->value);
	is_done = mg_buf_ok(&value) && smfi_insheader(ctx, (int)edit->index, (char *)edit->name, value.p) == MI_SUCCESS;
	mg_buf_fini(&value);
	return is_done;
}

static bool apply_edits(SMFICTX *ctx, const struct mg_verdict *verdict, bool has_leading_space)
{
	for (size_t i = 0; i < verdict->edit_count; i++) {
		const struct mg_edit *edit = &verdict->edits[i];

		if (edit->value != NULL ? !insert(ctx, edit, has_leading_space)
					: smfi_chgheader(ctx, (char *)edit->name, (int)edit->index, NULL) != MI_SUCCESS)
			return false;
	}
	return true;
}

sfsistat mg_milter_reply(SMFICTX *ctx, const struct mg_verdict *verdict, bool has_leading_space, bool at_end)
{
	switch (verdict->action) {
	case MG_ACTION_REJECT:
		set_text(ctx, verdict);
		return SMFIS_REJECT;
	case MG_ACTION_TEMPFAIL:
		set_text(ctx, verdict);
		return SMFIS_TEMPFAIL;
	case MG_ACTION_DISCARD:
		return at_end ? SMFIS_DISCARD : SMFIS_CONTINUE;
	default:
		break;
	}
	if (!at_end)
		return SMFIS_CONTINUE;
	if (!apply_edits(ctx, verdict, has_leading_space))
		mg_log(MG_LOG_WARNING, "milter-edit: Postfix did not take a header edit");
	if (verdict->action == MG_ACTION_QUARANTINE && smfi_quarantine(ctx, (char *)verdict->text) != MI_SUCCESS)
		mg_log(MG_LOG_WARNING, "milter-hold: Postfix did not take the hold");
	return SMFIS_ACCEPT;
}
