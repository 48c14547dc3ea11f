#include "health/tls_look.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"

/* A STARTTLS that Postfix can't serve makes it write to its postmaster, each time. */
enum { LIFE_S = 25, ABSENT_LIFE_S = 3, FAILED_LIFE_S = 1800, PORT_MS = 5000, OFFER_MS = 1500, LEAST_MS = 100 };

/* ---- files ---- */

/* The bit of this pair, which is added unless it is known; 0: no room. */
static uint32_t bit_of(struct mg_tls_look *look, const struct mg_tls_pair *pair)
{
	for (size_t i = 0; i < look->pair_count; i++)
		if (strcmp(look->pair[i].certificate, pair->certificate) == 0 &&
			strcmp(look->pair[i].key[0], pair->key[0]) == 0)
			return UINT32_C(1) << i;
	if (look->pair_count == MG_TLS_PAIRS)
		return 0;
	look->pair[look->pair_count] = *pair;
	return UINT32_C(1) << look->pair_count++;
}

static void load(struct mg_tls_pair *pair)
{
	struct mg_err err = { "" };

	pair->rc = mg_chain_load(pair->certificate, &pair->chain, &err);
	(void)mg_str_copy(pair->trouble, sizeof pair->trouble, mg_str_z(err.text));
}

static bool names_file(const char *value)
{
	return value[0] == '/';
}

static uint32_t add_classic(struct mg_tls_look *look, const char *parameter, const char *certificate, const char *key)
{
	struct mg_tls_pair pair = { .key_count = 1 };

	if (!names_file(certificate) ||
		!mg_str_copy(pair.certificate, sizeof pair.certificate, mg_str_z(certificate)) ||
		!mg_str_copy(pair.key[0], sizeof pair.key[0], mg_str_z(names_file(key) ? key : certificate)))
		return 0;
	(void)mg_str_copy(pair.parameter, sizeof pair.parameter, mg_str_z(parameter));
	return bit_of(look, &pair);
}

/* smtpd_tls_chain_files: each key before its chain, in one file or in several. */
static uint32_t add_chain_files(struct mg_tls_look *look, struct mg_str files)
{
	struct mg_tls_pair model = { .parameter = "smtpd_tls_chain_files" };
	struct mg_str rest = files, word;
	uint32_t bits = 0;

	while (mg_read_word(&rest, ", \t", &word))
		if (model.key_count < MG_TLS_KEYS && mg_str_copy(model.key[model.key_count], MG_TLS_PATH, word))
			model.key_count++;
	for (rest = files; mg_read_word(&rest, ", \t", &word);) {
		struct mg_tls_pair pair = model;
		struct mg_chain *chain = NULL;

		if (!mg_str_copy(pair.certificate, sizeof pair.certificate, word))
			continue;
		/* a file with a key alone is no certificate's */
		if (model.key_count > 1 && mg_chain_load(pair.certificate, &chain, NULL) == MG_ESYNTAX)
			continue;
		mg_chain_free(&chain);
		bits |= bit_of(look, &pair);
	}
	return bits;
}

static uint32_t pairs_of_service(const struct mg_check_env *env, struct mg_finding *finding, struct mg_tls_look *look,
	const struct mg_postfix_service *service)
{
	static const struct {
		const char *certificate, *key;
	} classic[] = {
		{ "smtpd_tls_cert_file", "smtpd_tls_key_file" },
		{ "smtpd_tls_eccert_file", "smtpd_tls_eckey_file" },
		{ "smtpd_tls_dcert_file", "smtpd_tls_dkey_file" },
	};
	const char *files = mg_check_parameter(env, finding, service, "smtpd_tls_chain_files");
	uint32_t bits = 0;

	if (files[0] != '\0')
		return add_chain_files(look, mg_str_z(files));
	for (size_t i = 0; i < sizeof classic / sizeof classic[0]; i++)
		bits |= add_classic(look, classic[i].certificate,
			mg_check_parameter(env, finding, service, classic[i].certificate),
			mg_check_parameter(env, finding, service, classic[i].key));
	return bits;
}

/* ---- ports ---- */

static void copy(char *place, size_t size, const char *text)
{
	(void)mg_str_copy(place, size, mg_str_z(text));
}

static bool is_level_none(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port,
	const struct mg_postfix_service *service)
{
	const char *name = strcmp(service->command, "postscreen") == 0 ? "postscreen_tls_security_level"
								       : "smtpd_tls_security_level";
	const char *level = mg_check_parameter(env, finding, service, name);

	if (port->port.is_implicit)
		return false;
	if (level[0] == '\0')
		return !mg_postfix_is_yes(env->postfix, service, "smtpd_use_tls") &&
		       !mg_postfix_is_yes(env->postfix, service, "smtpd_enforce_tls");
	return strcmp(level, "none") == 0;
}

static void of_postfix(
	const struct mg_check_env *env, struct mg_finding *finding, struct mg_tls_look *look, struct mg_tls_port *port)
{
	const struct mg_postfix_service *service = port->port.service;
	uint32_t pairs = pairs_of_service(env, finding, look, service);

	copy(port->host, sizeof port->host, mg_check_parameter(env, finding, service, "myhostname"));
	port->is_level_none = is_level_none(env, finding, port, service);
	port->has_own_level = mg_postfix_override(service, MG_STR("smtpd_tls_security_level")) != NULL;
	port->has_own_auth_only = mg_postfix_override(service, MG_STR("smtpd_tls_auth_only")) != NULL;
	port->has_own_protocols = mg_postfix_override(service, MG_STR("smtpd_tls_protocols")) != NULL ||
				  mg_postfix_override(service, MG_STR("smtpd_tls_mandatory_protocols")) != NULL;
	port->has_other_names = mg_check_parameter(env, finding, service, "tls_server_sni_maps")[0] != '\0';
	port->pairs = port->is_level_none ? 0 : pairs;
}

static void of_dovecot(const struct mg_check_env *env, struct mg_finding *finding, struct mg_tls_look *look,
	struct mg_tls_port *port, const struct mg_dovecot *dovecot)
{
	port->is_dovecots = true;
	if (env->postfix != NULL)
		copy(port->host, sizeof port->host, mg_check_parameter(env, finding, NULL, "myhostname"));
	port->has_other_names = dovecot->has_local_names;
	if (strcmp(dovecot->ssl, "no") != 0) {
		port->pairs = add_classic(look, "ssl_cert", dovecot->certificate, dovecot->key);
		for (size_t i = 0; i < look->pair_count; i++)
			if ((port->pairs & UINT32_C(1) << i) != 0 && strcmp(look->pair[i].parameter, "ssl_cert") == 0)
				look->pair[i].is_dovecots = true;
	}
}

static struct mg_served_target target_of(const struct mg_tls_port *port, int64_t deadline_us)
{
	struct mg_served_target target = mg_mail_port_target(&port->port, deadline_us);

	target.secure = port->port.is_implicit ? MG_SERVED_IMPLICIT : MG_SERVED_UPGRADE;
	/* without a name the certificate of the configured files is served, which can be compared */
	target.wish.server_name = port->has_other_names ? NULL : port->host;
	return target;
}

static int64_t end_of(const struct mg_check_env *env, int ms)
{
	int64_t end_us = mg_mono_us() + ms * MG_MS_US;

	return end_us < env->deadline_us ? end_us : env->deadline_us;
}

static void look_at_port(const struct mg_check_env *env, struct mg_tls_look *look, struct mg_tls_port *port)
{
	struct mg_served_target target = target_of(port, end_of(env, PORT_MS));

	if (target.deadline_us - mg_mono_us() < LEAST_MS * MG_MS_US) {
		look->is_cut = true;
		port->served.state = MG_DIALOGUE_SILENT;
		copy(port->served.trouble, sizeof port->served.trouble, "not looked at: no time was left");
		return;
	}
	mg_served_look(&target, &port->served);
}

static void look_at_ports(const struct mg_check_env *env, struct mg_finding *finding, struct mg_tls_look *look,
	const struct mg_mail_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		const struct mg_mail_port *one = &ports->port[i];
		struct mg_tls_port *port = &look->port[look->port_count];

		if (!one->is_first || (ports->has_public[one->service == NULL] && one->is_loopback))
			continue;
		if (look->port_count == MG_TLS_PORTS) {
			look->is_cut = true;
			return;
		}
		port->port = *one;
		if (one->service != NULL)
			of_postfix(env, finding, look, port);
		else
			of_dovecot(env, finding, look, port, &ports->dovecot);
		port->port.service = NULL; /* the configuration may be read again while this is kept */
		look->port_count++;
		look_at_port(env, look, port);
	}
}

/* ---- what is kept ---- */

static void forget(struct mg_tls_look *look)
{
	for (size_t i = 0; i < look->port_count; i++)
		mg_served_fini(&look->port[i].served);
	for (size_t i = 0; i < look->pair_count; i++)
		mg_chain_free(&look->pair[i].chain);
	memset(look, 0, sizeof *look);
}

static void look_anew(const struct mg_check_env *env, struct mg_finding *finding, struct mg_tls_look *look,
	const struct mg_mail_ports *ports)
{
	forget(look);
	look->postfix = env->postfix;
	look->made_us = mg_mono_us();
	look->allows_plaintext = ports->dovecot.allows_plaintext && strcmp(ports->dovecot.ssl, "required") != 0;
	copy(look->dovecot_trouble, sizeof look->dovecot_trouble, ports->dovecot_trouble);
	look_at_ports(env, finding, look, ports);
	for (size_t i = 0; i < look->pair_count; i++)
		load(&look->pair[i]);
}

static bool is_fresh(const struct mg_check_env *env, const struct mg_tls_look *look)
{
	int64_t life_s = LIFE_S;

	if (look->made_us == 0 || look->is_cut || look->postfix != env->postfix)
		return false;
	for (size_t i = 0; i < look->port_count; i++)
		if (!look->port[i].served.is_connected)
			life_s = ABSENT_LIFE_S; /* whoever was just being started may be there now */
	for (size_t i = 0; i < look->port_count; i++)
		if (look->port[i].served.starttls == MG_REPLY_LATER)
			life_s = FAILED_LIFE_S;
	return mg_mono_us() - look->made_us < life_s * MG_S_US;
}

struct mg_tls_look *mg_tls_look(const struct mg_check_env *env, struct mg_finding *finding)
{
	static struct mg_tls_look *kept; /* one check runs at a time */
	struct mg_mail_ports *ports;

	(void)mg_check_has_postfix(env, finding); /* without it, what is known of Dovecot still counts */
	if (kept == NULL && (kept = calloc(1, sizeof *kept)) == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("no memory for a look at the mail ports"), NULL);
		return NULL;
	}
	if (is_fresh(env, kept))
		return kept;
	if ((ports = calloc(1, sizeof *ports)) == NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("no memory for a look at the mail ports"), NULL);
		return NULL;
	}
	mg_mail_ports_look(env, ports);
	look_anew(env, finding, kept, ports);
	free(ports);
	return kept;
}

void mg_tls_look_at_offers(const struct mg_check_env *env, struct mg_tls_look *look)
{
	if (look->has_offers)
		return;
	for (size_t i = 0; i < look->port_count; i++) {
		struct mg_tls_port *port = &look->port[i];
		struct mg_served_target target = target_of(port, end_of(env, OFFER_MS));

		if (!port->served.is_secured)
			continue;
		if (mg_mono_us() >= env->deadline_us - LEAST_MS * MG_MS_US) {
			look->is_cut = true;
			return;
		}
		mg_served_versions(&target, MG_OFFERS_LEGACY | MG_OFFERS_WEAK, &port->offers);
		port->has_offers = true;
	}
	look->has_offers = true;
}
