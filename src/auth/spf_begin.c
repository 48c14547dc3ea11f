/* Whose record is to be looked for (RFC 7208 sections 2.4, 4.1, 4.3), and what the macro letters stand for. */
#include "auth/spf_state.h"
#include "base/i18n.h"
#include "mail/address.h"
#include "mail/domain.h"

enum { LOCAL_PART = 512 }; /* RFC 5321 allows 64; the sender is then no longer than a value may be */

/* A copy that lives as long as the evaluation; "" without memory. */
static struct mg_str keep(struct mg_arena *arena, struct mg_str text)
{
	struct mg_str kept = mg_str_first(text, MG_SPF_VALUE);
	char *place = mg_arena_take(arena, kept.n + 1);

	if (place == NULL)
		return MG_STR("");
	if (kept.n > 0)
		memcpy(place, kept.p, kept.n);
	kept.p = place;
	return kept;
}

static struct mg_str join(struct mg_arena *arena, struct mg_str local_part, struct mg_str domain)
{
	struct mg_buf sender;
	struct mg_str kept;

	mg_buf_init(&sender, 2 * MG_SPF_VALUE);
	mg_buf_add(&sender, local_part);
	mg_buf_addc(&sender, '@');
	mg_buf_add(&sender, domain);
	kept = keep(arena, mg_buf_str(&sender));
	mg_buf_fini(&sender);
	return kept;
}

static bool is_ascii(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] > 0x7f)
			return false;
	return true;
}

bool mg_spf_is_checkable(struct mg_str domain)
{
	struct mg_ip ip;

	return mg_domain_labels(domain) >= 2 && !mg_ip_parse(domain, &ip);
}

static void begin(struct mg_spf *spf, struct mg_str domain)
{
	struct mg_spf_frame *bottom = spf->frames[0];

	spf->depth = 1;
	if (mg_domain_ascii(domain, bottom->domain) && mg_spf_is_checkable(mg_str_z(bottom->domain))) {
		bottom->domain_length = strlen(bottom->domain);
		spf->output.domain = mg_arena_text(spf->arena, mg_str_z(bottom->domain), MG_SPF_NAME);
		return;
	}
	if (domain.n == 0)
		mg_spf_stop(spf, MG_RESULT_NONE, MG_SAY(N_("there is no domain to check")));
	else
		mg_spf_stop(spf, MG_RESULT_NONE,
			MG_SAY(N_("%1 is not a domain name that can have an SPF record"),
				mg_arena_text(spf->arena, domain, MG_REASON_QUOTED)));
}

static void set_values(
	struct mg_spf *spf, const struct mg_spf_input *input, struct mg_str local_part, struct mg_str domain)
{
	struct mg_spf_values *values = &spf->values;

	values->ip = input->ip;
	values->now_s = input->now_s;
	values->helo = keep(spf->arena, input->helo);
	values->receiver = input->receiver.n > 0 ? keep(spf->arena, input->receiver) : MG_STR("unknown");
	values->local_part =
		local_part.n > 0 ? keep(spf->arena, mg_str_first(local_part, LOCAL_PART)) : MG_STR("postmaster");
	values->sender_domain = is_ascii(domain) ? keep(spf->arena, domain) : mg_str_z(spf->output.domain);
	values->sender = join(spf->arena, values->local_part, values->sender_domain);
}

struct mg_spf *mg_spf_new(struct mg_arena *arena, const struct mg_spf_input *input)
{
	bool is_helo = input->scope == MG_SPF_HELO || input->mail_from.n == 0;
	struct mg_str local_part = MG_STR("postmaster"), domain = input->helo;
	struct mg_spf *spf = mg_arena_take(arena, sizeof *spf);

	if (spf == NULL || (spf->frames[0] = mg_arena_take(arena, sizeof *spf->frames[0])) == NULL)
		return NULL;
	if (!is_helo) {
		local_part = mg_str_first(input->mail_from, mg_str_rfind(input->mail_from, '@'));
		domain = mg_address_domain(input->mail_from);
	}
	spf->arena = arena;
	spf->wants_explanation = input->wants_explanation;
	spf->output = (struct mg_spf_output){ .scope = is_helo ? MG_SPF_HELO : MG_SPF_MFROM,
		.domain = "",
		.mechanism = "",
		.explanation = "",
		.reason = "" };
	begin(spf, domain);
	set_values(spf, input, local_part, domain);
	return spf;
}
