#include "policy/request.h"

size_t mg_policy_request_length(struct mg_str buffered)
{
	struct mg_str rest = buffered;

	while (mg_str_find(rest, '\n') != SIZE_MAX)
		if (mg_str_cut(&rest, '\n').n == 0)
			return buffered.n - rest.n;
	return 0;
}

/* The attributes that are kept as text, and where. */
static const struct {
	struct mg_str name;
	size_t place;
} texts[] = {
#define ROW(name, member)                                                                                              \
	{                                                                                                              \
		{ name, sizeof(name) - 1 }, offsetof(struct mg_policy_request, member)                                 \
	}
	ROW("client_name", client.name),
	ROW("server_port", client.server_port),
	ROW("helo_name", helo),
	ROW("sender", sender),
	ROW("recipient", recipient),
	ROW("queue_id", queue_id),
	ROW("instance", instance),
	ROW("sasl_username", user),
	ROW("sasl_method", auth_type),
	ROW("encryption_protocol", tls),
	ROW("ccert_fingerprint", fingerprint),
	ROW("ccert_pubkey_fingerprint", key_fingerprint),
	ROW("ccert_subject", certificate_subject),
	ROW("ccert_issuer", certificate_issuer),
#undef ROW
};

static enum mg_policy_stage stage_of(struct mg_str word)
{
	static const struct {
		struct mg_str word;
		enum mg_policy_stage stage;
	} stages[] = {
		{ { "MAIL", 4 }, MG_POLICY_MAIL },
		{ { "RCPT", 4 }, MG_POLICY_RCPT },
		{ { "DATA", 4 }, MG_POLICY_DATA },
		{ { "END-OF-MESSAGE", 14 }, MG_POLICY_END },
	};

	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
		if (mg_str_eq(stages[i].word, word))
			return stages[i].stage;
	return MG_POLICY_OTHER;
}

/* A request has thirty attributes and each is held against a dozen names: most differ at a glance. */
static bool is_name(struct mg_str name, struct mg_str wanted)
{
	return name.n == wanted.n && name.p[0] == wanted.p[0] && mg_str_eq(name, wanted);
}

static void take_text(struct mg_policy_request *request, size_t place, struct mg_str value)
{
	struct mg_str *text = (struct mg_str *)(void *)((char *)request + place);

	if (text->p == NULL)
		*text = value;
}

static void take(struct mg_policy_request *request, struct mg_str name, struct mg_str value)
{
	uint64_t number;

	if (name.n == 0)
		return;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (is_name(name, texts[i].name)) {
			take_text(request, texts[i].place, value);
			return;
		}
	if (is_name(name, MG_STR("client_address")) && request->client.ip.family == MG_IP_NONE)
		mg_ip_parse(value, &request->client.ip);
	else if (is_name(name, MG_STR("client_port")) && mg_str_to_u64(value, 65535, &number))
		request->client.port = (unsigned)number;
	else if (is_name(name, MG_STR("protocol_state")))
		request->stage = stage_of(value);
	else if (is_name(name, MG_STR("policy_context")))
		request->is_tap = mg_str_eq(value, MG_STR(MG_POLICY_TAP));
	else if (is_name(name, MG_STR("size")) && mg_str_to_u64(value, INT64_MAX, &number))
		request->size_bytes = number;
	else if (is_name(name, MG_STR("recipient_count")) && mg_str_to_u64(value, 1000000, &number))
		request->recipient_count = (unsigned)number;
}

enum mg_rc mg_policy_request_parse(struct mg_str text, struct mg_policy_request *request_out, struct mg_err *err)
{
	bool is_policy = false;

	*request_out = (struct mg_policy_request){ 0 };
	if (mg_str_find(text, '\0') != SIZE_MAX)
		return mg_err_set(err, MG_ESYNTAX, "a NUL byte in a policy request");
	while (text.n > 0) {
		struct mg_str value = mg_str_cut(&text, '\n');
		size_t equals = mg_str_find(value, '=');
		struct mg_str name = mg_str_first(value, equals);

		if (value.n == 0)
			continue;
		if (equals == SIZE_MAX)
			return mg_err_set(err, MG_ESYNTAX, "a policy attribute without '='");
		value = mg_str_from(value, equals + 1);
		if (mg_str_eq(name, MG_STR("request"))) {
			if (!mg_str_eq(value, MG_STR("smtpd_access_policy")))
				return mg_err_set(err, MG_ESYNTAX, "not a request=smtpd_access_policy");
			is_policy = true;
		} else {
			take(request_out, name, value);
		}
	}
	if (!is_policy)
		return mg_err_set(err, MG_ESYNTAX, "a policy request without request=smtpd_access_policy");
	return MG_OK;
}
