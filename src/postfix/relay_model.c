#include "postfix/relay_model.h"

#include "postfix/relay_net.h"
#include "postfix/restrictions.h"

enum { VALUE_MAX = 16 * 1024 * 1024 };

static const char *const stage_parameters[MG_STAGES] = {
	[MG_STAGE_CLIENT] = "smtpd_client_restrictions",
	[MG_STAGE_HELO] = "smtpd_helo_restrictions",
	[MG_STAGE_SENDER] = "smtpd_sender_restrictions",
	[MG_STAGE_RELAY] = "smtpd_relay_restrictions",
	[MG_STAGE_RECIPIENT] = "smtpd_recipient_restrictions",
	[MG_STAGE_DATA] = "smtpd_data_restrictions",
	[MG_STAGE_END] = "smtpd_end_of_data_restrictions",
};

struct mg_str mg_relay_model_value(struct mg_relay_model *model, const char *parameter)
{
	struct mg_buf value;
	struct mg_str text = MG_STR("");

	mg_buf_init(&value, VALUE_MAX);
	if (mg_postfix_value(model->postfix, model->service, parameter, &value, NULL) == MG_OK && mg_buf_ok(&value)) {
		text = mg_str_trim(mg_buf_str(&value));
		text = mg_str_z(mg_arena_text(model->arena, text, text.n));
	} else {
		model->is_incomplete = true;
	}
	mg_buf_fini(&value);
	return text;
}

static bool is_yes(struct mg_relay_model *model, const char *parameter)
{
	return mg_str_eq_nocase(mg_relay_model_value(model, parameter), MG_STR("yes"));
}

static bool is_given(struct mg_relay_model *model, const char *parameter)
{
	struct mg_str value = mg_relay_model_value(model, parameter);

	return value.n > 0 && !mg_str_eq_nocase(value, MG_STR("none"));
}

/* ---- TLS ---- */

static bool has_tls(struct mg_relay_model *model)
{
	static const char *const certificates[] = { "smtpd_tls_cert_file", "smtpd_tls_eccert_file",
		"smtpd_tls_dcert_file", "smtpd_tls_chain_files" };
	bool has_certificate = false;

	for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++)
		has_certificate = has_certificate || is_given(model, certificates[i]);
	return has_certificate && (is_given(model, "smtpd_tls_security_level") || is_yes(model, "smtpd_use_tls") ||
					  is_yes(model, "smtpd_enforce_tls") || is_yes(model, "smtpd_tls_wrappermode"));
}

static enum mg_relay_ca ca_of(struct mg_relay_model *model)
{
	static const char *const parameters[] = { "smtpd_tls_CAfile", "smtpd_tls_CApath" };
	enum mg_relay_ca ca = MG_CA_NONE;

	if (is_yes(model, "tls_append_default_CA"))
		return MG_CA_PUBLIC;
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		struct mg_str value = mg_relay_model_value(model, parameters[i]);

		if (mg_str_starts(value, MG_STR("/etc/ssl/cert")) || mg_str_starts(value, MG_STR("/etc/pki/")) ||
			mg_str_starts(value, MG_STR("/usr/share/ca-certificates")))
			ca = MG_CA_PUBLIC;
		else if (value.n > 0 && ca == MG_CA_NONE)
			ca = MG_CA_PRIVATE;
	}
	return ca;
}

/* ---- who can come ---- */

/* The listener's own address decides the family, else inet_protocols. */
static void load_families(struct mg_relay_model *model)
{
	struct mg_str name = mg_str_z(model->service->name), protocols, word, rest;
	size_t colon = mg_str_rfind(name, ':');
	struct mg_ip ip;

	protocols = rest = mg_relay_model_value(model, "inet_protocols");
	model->speaks_v4 = model->speaks_v6 = protocols.n == 0;
	while (mg_read_word(&rest, ", \t", &word)) {
		bool is_all = mg_str_eq_nocase(word, MG_STR("all"));

		model->speaks_v4 = model->speaks_v4 || is_all || mg_str_eq_nocase(word, MG_STR("ipv4"));
		model->speaks_v6 = model->speaks_v6 || is_all || mg_str_eq_nocase(word, MG_STR("ipv6"));
	}
	if (colon == SIZE_MAX || !mg_ip_parse(mg_str_first(name, colon), &ip))
		return;
	model->speaks_v4 = model->speaks_v4 && ip.family == MG_IP_V4;
	model->speaks_v6 = model->speaks_v6 && ip.family == MG_IP_V6;
}

static void load_switches(struct mg_relay_model *model)
{
	model->delays = is_yes(model, "smtpd_delay_reject");
	model->wants_helo = is_yes(model, "smtpd_helo_required");
	model->has_tls = has_tls(model);
	model->asks_cert =
		model->has_tls && (is_yes(model, "smtpd_tls_ask_ccert") || is_yes(model, "smtpd_tls_req_ccert"));
	model->ca = ca_of(model);
	model->has_sasl = is_yes(model, "smtpd_sasl_auth_enable");
	model->has_anonymous =
		model->has_sasl && mg_str_find_str(mg_relay_model_value(model, "smtpd_sasl_security_options"),
					   MG_STR("noanonymous")) == SIZE_MAX;
	model->access_with_parents = mg_relay_matches_parents(model->postfix, model->service, "smtpd_access_maps");
	model->discards = mg_relay_model_value(model, "smtpd_proxy_filter").n == 0;
	model->null_sender = mg_relay_model_value(model, "smtpd_null_access_lookup_key");
	model->policy_default = mg_relay_model_value(model, "smtpd_policy_service_default_action");
}

enum mg_rc mg_relay_model_load(struct mg_relay_model *model, struct mg_err *err)
{
	if (mg_relay_lists_new(model->postfix, model->service, model->tables, &model->lists) != MG_OK)
		return mg_err_set(err, MG_ENOMEM, "no memory for the restrictions of %s", model->service->id);
	for (size_t i = 0; i < MG_STAGES; i++) {
		model->stages[i] = mg_relay_lists_parameter(model->lists, stage_parameters[i]);
		if (model->stages[i] == NULL)
			return mg_err_set(err, MG_ENOMEM, "no memory for the restrictions of %s", model->service->id);
	}
	load_families(model);
	load_switches(model);
	mg_match_load(&model->mynetworks, model->tables, model->arena, mg_relay_model_value(model, "mynetworks"),
		mg_relay_matches_parents(model->postfix, model->service, "mynetworks"));
	mg_match_load(&model->xclient, model->tables, model->arena,
		mg_relay_model_value(model, "smtpd_authorized_xclient_hosts"),
		mg_relay_matches_parents(model->postfix, model->service, "smtpd_authorized_xclient_hosts"));
	mg_relay_maps_load(&model->ccerts, model->tables, model->postfix, model->service, "relay_clientcerts");
	mg_relay_maps_load(&model->owners, model->tables, model->postfix, model->service, "smtpd_sender_login_maps");
	return MG_OK;
}

void mg_relay_model_fini(struct mg_relay_model *model)
{
	mg_relay_lists_free(&model->lists);
}
