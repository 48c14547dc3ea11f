#include "auth/dmarc_record.h"

const char *mg_dmarc_policy_name(enum mg_dmarc_policy policy)
{
	static const char *const names[] = { "", "", "none", "quarantine", "reject" };

	return names[policy];
}

static enum mg_dmarc_policy policy_of(struct mg_str value)
{
	for (enum mg_dmarc_policy p = MG_DMARC_NONE; p <= MG_DMARC_REJECT; p++)
		if (mg_str_eq_nocase(value, mg_str_z(mg_dmarc_policy_name(p))))
			return p;
	return MG_DMARC_INVALID;
}

static void take_p(struct mg_dmarc_record *record, struct mg_str value)
{
	record->p = policy_of(value);
}

static void take_sp(struct mg_dmarc_record *record, struct mg_str value)
{
	record->sp = policy_of(value);
}

static void take_np(struct mg_dmarc_record *record, struct mg_str value)
{
	record->np = policy_of(value);
}

static void take_psd(struct mg_dmarc_record *record, struct mg_str value)
{
	if (mg_str_eq_nocase(value, MG_STR("y")))
		record->psd = MG_DMARC_PSD_Y;
	else if (mg_str_eq_nocase(value, MG_STR("n")))
		record->psd = MG_DMARC_PSD_N;
}

static void take_adkim(struct mg_dmarc_record *record, struct mg_str value)
{
	record->strict_dkim = mg_str_eq_nocase(value, MG_STR("s"));
}

static void take_aspf(struct mg_dmarc_record *record, struct mg_str value)
{
	record->strict_spf = mg_str_eq_nocase(value, MG_STR("s"));
}

static void take_t(struct mg_dmarc_record *record, struct mg_str value)
{
	record->is_testing = mg_str_eq_nocase(value, MG_STR("y"));
}

static void take_pct(struct mg_dmarc_record *record, struct mg_str value)
{
	uint64_t pct;

	if (mg_str_to_u64(value, 100, &pct))
		record->pct = (unsigned)pct;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* scheme ":" and something (RFC 3986 section 3), as far as it matters here. */
static bool is_uri(struct mg_str text)
{
	size_t colon = mg_str_find(text, ':');

	if (colon == SIZE_MAX || colon == 0 || colon + 1 == text.n || !is_letter(text.p[0]))
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' || (i < colon && strchr("@/?#", text.p[i]) != NULL))
			return false;
	return true;
}

static void take_rua(struct mg_dmarc_record *record, struct mg_str value)
{
	while (value.n > 0 && !record->has_rua)
		record->has_rua = is_uri(mg_str_trim(mg_str_cut(&value, ',')));
}

static const struct {
	const char *name;
	void (*take)(struct mg_dmarc_record *record, struct mg_str value);
} tags[] = {
	{ "p", take_p },
	{ "sp", take_sp },
	{ "np", take_np },
	{ "psd", take_psd },
	{ "adkim", take_adkim },
	{ "aspf", take_aspf },
	{ "t", take_t },
	{ "rua", take_rua },
	{ "pct", take_pct },
};
enum { TAGS = sizeof tags / sizeof tags[0] };

static bool is_version(struct mg_str tag)
{
	struct mg_str name = mg_str_cut(&tag, '=');

	return name.n > 0 && name.p[0] != ' ' && name.p[0] != '\t' &&
	       mg_str_eq_nocase(mg_str_trim(name), MG_STR("v")) && mg_str_eq(mg_str_trim(tag), MG_STR("DMARC1"));
}

bool mg_dmarc_record_parse(struct mg_str text, struct mg_dmarc_record *record_out)
{
	bool is_taken[TAGS] = { false }; /* of a tag said twice the first counts */

	*record_out = (struct mg_dmarc_record){ .pct = 100 };
	if (!is_version(mg_str_cut(&text, ';')))
		return false;
	while (text.n > 0) {
		struct mg_str value = mg_str_cut(&text, ';'), name;

		if (mg_str_find(value, '=') == SIZE_MAX)
			continue;
		name = mg_str_trim(mg_str_cut(&value, '='));
		for (size_t i = 0; i < TAGS; i++)
			if (!is_taken[i] && mg_str_eq_nocase(name, mg_str_z(tags[i].name))) {
				tags[i].take(record_out, mg_str_trim(value));
				is_taken[i] = true;
			}
	}
	return true;
}

bool mg_dmarc_record_mend(struct mg_dmarc_record *record)
{
	if (record->p >= MG_DMARC_NONE && record->sp != MG_DMARC_INVALID && record->np != MG_DMARC_INVALID)
		return true;
	record->p = MG_DMARC_NONE;
	record->sp = record->np = MG_DMARC_UNSET;
	return record->has_rua;
}
