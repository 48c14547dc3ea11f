#include "health/sts_policy.h"

#include "base/i18n.h"

static const char *const mode_names[] = { "", "none", "testing", "enforce" };

const char *mg_sts_mode_name(enum mg_sts_mode mode)
{
	return mode_names[mode];
}

static enum mg_sts_mode mode_of(struct mg_str value)
{
	for (enum mg_sts_mode mode = MG_STS_NONE; mode <= MG_STS_ENFORCE; mode++)
		if (mg_str_eq(value, mg_str_z(mode_names[mode])))
			return mode;
	return MG_STS_NO_MODE;
}

static void take_mx(struct mg_sts_policy *policy, struct mg_str value)
{
	if (value.n == 0)
		return;
	if (policy->mx_count < MG_STS_MX)
		policy->mx[policy->mx_count++] = value;
	else
		policy->mx_left_out++;
}

bool mg_sts_policy_parse(struct mg_str text, struct mg_sts_policy *policy_out)
{
	bool has_version = false, has_age = false, is_first = true;

	*policy_out = (struct mg_sts_policy){ 0 };
	while (text.n > 0) {
		struct mg_str value = mg_str_trim(mg_str_cut(&text, '\n')), key;

		if (value.n == 0)
			continue;
		key = mg_str_trim(mg_str_cut(&value, ':'));
		value = mg_str_trim(value);
		if (is_first)
			has_version = mg_str_eq(key, MG_STR("version")) && mg_str_eq(value, MG_STR("STSv1"));
		is_first = false;
		if (mg_str_eq(key, MG_STR("mode")) && policy_out->mode == MG_STS_NO_MODE)
			policy_out->mode = mode_of(value);
		else if (mg_str_eq(key, MG_STR("max_age")) && !has_age)
			has_age = mg_str_to_u64(value, UINT32_MAX, &policy_out->max_age_s);
		else if (mg_str_eq(key, MG_STR("mx")))
			take_mx(policy_out, value);
	}
	if (!has_version)
		policy_out->wrong = N_("it does not begin with \"version: STSv1\"");
	else if (policy_out->mode == MG_STS_NO_MODE)
		policy_out->wrong = N_("it has no \"mode: enforce\", \"testing\" or \"none\"");
	else if (!has_age)
		policy_out->wrong = N_("it has no \"max_age:\" in seconds");
	else if (policy_out->mx_count == 0 && policy_out->mode != MG_STS_NONE)
		policy_out->wrong = N_("it names no \"mx:\"");
	return policy_out->wrong == NULL;
}

bool mg_sts_policy_covers(const struct mg_sts_policy *policy, struct mg_str host)
{
	struct mg_str parent = host;

	mg_str_cut(&parent, '.');
	for (size_t i = 0; i < policy->mx_count; i++) {
		struct mg_str pattern = policy->mx[i];

		if (mg_str_eq_nocase(pattern, host))
			return true;
		if (mg_str_starts(pattern, MG_STR("*.")) && parent.n > 0 &&
			mg_str_eq_nocase(mg_str_from(pattern, 2), parent))
			return true;
	}
	return false;
}

static bool is_id(struct mg_str id)
{
	for (size_t i = 0; i < id.n; i++)
		if ((id.p[i] < '0' || id.p[i] > '9') && ((id.p[i] | 0x20) < 'a' || (id.p[i] | 0x20) > 'z'))
			return false;
	return id.n >= 1 && id.n <= 32;
}

bool mg_sts_record_parse(struct mg_str text, struct mg_str *id_out)
{
	struct mg_str version = mg_str_trim(mg_str_cut(&text, ';'));

	*id_out = MG_STR("");
	if (!mg_str_eq(version, MG_STR("v=STSv1")))
		return false;
	while (text.n > 0) {
		struct mg_str value = mg_str_trim(mg_str_cut(&text, ';')), name = mg_str_trim(mg_str_cut(&value, '='));

		if (mg_str_eq(name, MG_STR("id")) && id_out->n == 0)
			*id_out = mg_str_trim(value);
	}
	return is_id(*id_out);
}
