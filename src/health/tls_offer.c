/* tls.protocol, tls.starttls - what the ports offer: versions and ciphers of TLS, STARTTLS, and passwords in clear. */
#include <stdio.h>

#include "base/i18n.h"
#include "health/tls_checks.h"

/* ---- tls.protocol ---- */

static const char *offer_name(enum mg_served_offer offer)
{
	static const char *const names[] = { "unknown", "yes", "no" };

	return names[offer];
}

/* Postfix before 3.6 can't say ">=". */
static bool has_ranges(const struct mg_check_env *env)
{
	struct mg_str rest = mg_str_z(env->postfix == NULL ? "" : env->postfix->version);
	uint64_t major = 0, minor = 0;

	return mg_read_u64(&rest, 1000, &major) && mg_read_token(&rest, MG_STR(".")) &&
	       mg_read_u64(&rest, 1000, &minor) && (major > 3 || (major == 3 && minor >= 6));
}

static void forbid_versions(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port)
{
	const char *value = has_ranges(env) ? ">=TLSv1.2" : "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1";
	char option[600];

	if (port->is_dovecots)
		mg_finding_fix(finding,
			N_("set ssl_min_protocol = TLSv1.2 in Dovecot's configuration (conf.d/10-ssl.conf), then: doveadm reload"),
			NULL);
	else if (port->has_own_protocols)
		mg_finding_fix(finding,
			"postconf %1-P '%2/smtpd_tls_protocols=%3' '%2/smtpd_tls_mandatory_protocols=%3' && postfix %1reload",
			mg_postfix_dash_c(env, option, sizeof option), port->port.name, value, NULL);
	else
		mg_finding_fix(finding,
			"postconf %1-e 'smtpd_tls_protocols = %2' 'smtpd_tls_mandatory_protocols = %2' && postfix %1reload",
			mg_postfix_dash_c(env, option, sizeof option), value, NULL);
}

static void judge_offers(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port)
{
	const struct mg_served_offers *offers = &port->offers;
	const char *where = mg_tls_where(finding, port);

	mg_finding_evidence(finding, "%s: %s %s %u bits; SSLv3 %s, TLSv1 %s, TLSv1.1 %s, weak ciphers %s%s%s", where,
		port->served.version, port->served.cipher, port->served.cipher_bits,
		offer_name(offers->version[MG_SSL_3]), offer_name(offers->version[MG_TLS_1_0]),
		offer_name(offers->version[MG_TLS_1_1]), offer_name(offers->weak),
		offers->weak_cipher[0] == '\0' ? "" : " ", offers->weak_cipher);
	for (unsigned version = MG_SSL_3; version <= MG_TLS_1_1; version++) {
		if (offers->version[version] != MG_OFFER_YES)
			continue;
		mg_finding_is(finding, version == MG_SSL_3 ? MG_STATE_CRIT : MG_STATE_WARN, N_("%1 accepts %2"), where,
			mg_tls_version_name((enum mg_tls_version)version), NULL);
		mg_finding_cause(finding,
			N_("outdated versions of TLS (RFC 8996) can be broken, and are allowed by the configuration"),
			NULL);
		forbid_versions(env, finding, port);
	}
	if (offers->weak == MG_OFFER_YES) {
		char option[600];

		mg_finding_is(
			finding, MG_STATE_WARN, N_("%1 accepts a weak cipher: %2"), where, offers->weak_cipher, NULL);
		mg_finding_cause(finding,
			N_("the configuration allows ciphers that can be broken, or that encrypt nothing"), NULL);
		mg_finding_fix(finding,
			port->is_dovecots
				? N_("take ssl_cipher_list out of Dovecot's configuration, then: doveadm reload")
				: "postconf %1-X smtpd_tls_ciphers smtpd_tls_mandatory_ciphers tls_medium_cipherlist tls_high_cipherlist tls_low_cipherlist tls_export_cipherlist tls_null_cipherlist; postfix %1reload",
			mg_postfix_dash_c(env, option, sizeof option), NULL);
	}
	if (offers->version[MG_TLS_1_0] == MG_OFFER_UNKNOWN && offers->version[MG_TLS_1_1] == MG_OFFER_UNKNOWN) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("whether %1 accepts outdated TLS could not be tried"),
			where, NULL);
		mg_finding_cause(finding,
			N_("the OpenSSL library of this machine can't speak it, or the port did not answer"), NULL);
	}
}

void mg_tls_check_protocol(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);

	finding->manual =
		"openssl s_client -connect 127.0.0.1:25 -starttls smtp -tls1 -cipher ALL:@SECLEVEL=0 </dev/null; "
		"postconf smtpd_tls_protocols smtpd_tls_mandatory_protocols";
	if (look == NULL || !mg_tls_applies(finding, look))
		return;
	mg_tls_look_at_offers(env, look);
	for (size_t i = 0; i < look->port_count; i++)
		if (look->port[i].has_offers)
			judge_offers(env, finding, &look->port[i]);
	mg_tls_say_unseen(finding, look);
	mg_finding_is(finding, MG_STATE_OK, N_("no port accepts TLS before 1.2 or a weak cipher"), NULL);
}

/* ---- tls.starttls ---- */

static void switch_tls_on(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_look *look,
	const struct mg_tls_port *port)
{
	bool has_certificate = false;
	char option[600];

	mg_postfix_dash_c(env, option, sizeof option);
	for (size_t i = 0; i < look->pair_count; i++)
		has_certificate = has_certificate || !look->pair[i].is_dovecots;
	if (port->is_dovecots)
		mg_finding_fix(finding,
			N_("set ssl = yes, ssl_cert and ssl_key in Dovecot's configuration (conf.d/10-ssl.conf), then: doveadm reload"),
			NULL);
	else if (has_certificate && port->has_own_level)
		mg_finding_fix(finding, "postconf %1-P '%2/smtpd_tls_security_level=may' && postfix %1reload", option,
			port->port.name, NULL);
	else if (has_certificate)
		mg_finding_fix(
			finding, "postconf %1-e 'smtpd_tls_security_level = may' && postfix %1reload", option, NULL);
	else
		mg_finding_fix(finding,
			"certbot certonly --standalone -d %2 && postconf %1-e 'smtpd_tls_cert_file = /etc/letsencrypt/live/%2/fullchain.pem' 'smtpd_tls_key_file = /etc/letsencrypt/live/%2/privkey.pem' 'smtpd_tls_security_level = may' && postfix %1reload",
			option, port->host, NULL);
}

static void judge_offered(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_look *look,
	const struct mg_tls_port *port, const char *where)
{
	if ((port->served.before.has & MG_SERVED_STARTTLS) != 0)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("%1 does not offer STARTTLS"), where, NULL);
	mg_finding_cause(finding,
		port->is_dovecots
			? N_("ssl = no in Dovecot's configuration: everything, passwords included, goes in clear")
		: port->is_level_none
			? N_("smtpd_tls_security_level is empty or none, so all mail arrives in clear")
			: N_("Postfix can't load its certificate, or smtpd_discard_ehlo_keywords takes STARTTLS away"),
		NULL);
	switch_tls_on(env, finding, look, port);
}

static void judge_working(struct mg_finding *finding, const struct mg_tls_port *port, const char *where)
{
	const struct mg_served *served = &port->served;

	if (served->state == MG_DIALOGUE_INJECTED) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 sends text in clear behind its answer to STARTTLS"), where,
			NULL);
		mg_finding_cause(finding,
			N_("somebody on the way can put commands or answers into the encrypted session (CVE-2011-0411)"),
			NULL);
		mg_finding_fix(finding, N_("update the server's program, or whatever stands in front of it"), NULL);
	} else if ((served->before.has & MG_SERVED_STARTTLS) != 0 && !served->is_secured) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 offers STARTTLS, and it fails: %2"), where,
			served->starttls == MG_REPLY_GOOD || served->starttls_text[0] == '\0' ? served->trouble
											      : served->starttls_text,
			NULL);
		mg_finding_cause(finding,
			N_("the certificate or its key can't be loaded, or master.cf is without the service tlsmgr; senders that want TLS can't deliver"),
			NULL);
		mg_finding_fix(finding,
			port->is_dovecots
				? "mailguardctl check tls.key; journalctl -u dovecot -n 20"
				: "mailguardctl check tls.key; postconf -M tlsmgr/unix; journalctl -u postfix -g TLS -n 5",
			NULL);
	}
}

static bool is_password_open(const struct mg_tls_look *look, const struct mg_tls_port *port)
{
	if (port->is_dovecots) /* towards this machine itself it always is, so what is configured counts */
		return look->allows_plaintext;
	return (port->served.before.has & MG_SERVED_AUTH) != 0;
}

static void judge_password(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_look *look,
	const struct mg_tls_port *port, const char *where)
{
	char option[600];

	if (port->port.is_implicit || port->port.is_loopback || !is_password_open(look, port))
		return;
	mg_postfix_dash_c(env, option, sizeof option);
	if (port->is_dovecots) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 takes passwords in clear"), where, NULL);
		mg_finding_cause(finding,
			N_("disable_plaintext_auth = no: a password can be sent before TLS, and read on the way"),
			NULL);
		mg_finding_fix(finding,
			N_("set disable_plaintext_auth = yes in Dovecot's configuration (conf.d/10-auth.conf), then: doveadm reload"),
			NULL);
		return;
	}
	mg_finding_is(
		finding, MG_STATE_CRIT, N_("%1 takes passwords in clear: AUTH is offered before TLS"), where, NULL);
	mg_finding_cause(finding, N_("smtpd_tls_auth_only is not set, so a login can be read on the way"), NULL);
	if (port->has_own_auth_only)
		mg_finding_fix(finding, "postconf %1-P '%2/smtpd_tls_auth_only=yes' && postfix %1reload", option,
			port->port.name, NULL);
	else
		mg_finding_fix(finding, "postconf %1-e 'smtpd_tls_auth_only=yes' && postfix %1reload", option, NULL);
}

static void judge_port(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_look *look,
	const struct mg_tls_port *port)
{
	const struct mg_served *served = &port->served;
	const char *where = mg_tls_where(finding, port);

	if (served->hello == MG_REPLY_MORE && !served->is_secured)
		return; /* not seen: said elsewhere */
	mg_finding_evidence(finding, "%s: STARTTLS %s, before TLS AUTH %s%s%s%s", where,
		port->port.is_implicit                           ? "not needed"
		: (served->before.has & MG_SERVED_STARTTLS) == 0 ? "not offered"
		: served->is_secured                             ? "works"
								 : "fails",
		(served->before.has & MG_SERVED_AUTH) != 0 ? served->before.mechanisms : "not offered",
		port->port.is_loopback ? ", only this machine reaches it" : "",
		served->starttls_text[0] == '\0' ? "" : ": ", served->starttls_text);
	if (port->port.is_implicit)
		return;
	judge_offered(env, finding, look, port, where);
	judge_working(finding, port, where);
	judge_password(env, finding, look, port, where);
}

void mg_tls_check_starttls(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);
	bool has_any = false;

	finding->manual =
		"openssl s_client -connect 127.0.0.1:25 -starttls smtp </dev/null; postconf smtpd_tls_security_level "
		"smtpd_tls_auth_only smtpd_sasl_auth_enable";
	if (look == NULL)
		return;
	for (size_t i = 0; i < look->port_count; i++) {
		has_any = has_any || !look->port[i].port.is_implicit;
		judge_port(env, finding, look, &look->port[i]);
	}
	if (!has_any && look->dovecot_trouble[0] == '\0' && look->postfix != NULL) {
		mg_finding_not_applicable(finding, N_("not applicable: no mail port begins in clear"));
		return;
	}
	mg_tls_say_unseen(finding, look);
	mg_finding_is(
		finding, MG_STATE_OK, N_("TLS is offered on every port, and no password is taken before it"), NULL);
}
