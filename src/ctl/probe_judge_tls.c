/* tls.* of a probe: what its ports offer, and the certificates they show. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "ctl/probe.h"

enum { DAY_S = 86400, WARN_DAYS = 21, CRIT_DAYS = 7 };

static bool is_server_port(const struct mg_probe_seen *seen)
{
	return seen->port->door == &mg_probe_doors[0];
}

/* "openssl s_client -connect ..." of the first port that has TLS. */
struct manual {
	struct mg_finding *finding;
	const char *tail;
};

static void note_manual(const struct mg_probe_seen *seen, void *context)
{
	const struct manual *manual = context;
	bool is_v6 = seen->address->ip.family == MG_IP_V6;
	char text[600];

	if (!seen->port->served.is_secured || manual->finding->manual != NULL)
		return;
	snprintf(text, sizeof text, "openssl s_client -connect %s%s%s:%u%s%s%s%s </dev/null%s", is_v6 ? "[" : "",
		seen->address->text, is_v6 ? "]" : "", seen->port->number,
		seen->port->door->starttls == NULL ? "" : " -starttls ",
		seen->port->door->starttls == NULL ? "" : seen->port->door->starttls,
		seen->host->name[0] == '\0' ? "" : " -servername ", seen->host->name, manual->tail);
	manual->finding->manual = mg_arena_text(&manual->finding->arena, mg_str_z(text), sizeof text);
}

/* False, and said so: there is no TLS to look at. */
static bool has_tls(struct mg_probe *probe, struct mg_finding *finding, const char *tail)
{
	struct manual manual = { finding, tail };

	mg_probe_each_port(probe, finding, note_manual, &manual);
	if (finding->manual != NULL)
		return true;
	mg_finding_not_applicable(finding, N_("not looked at: no port came as far as TLS"));
	return false;
}

/* ---- tls.starttls ---- */

static const char *const offer_fixes[] = {
	[MG_SOFTWARE_OTHER] = N_("in that server's configuration: give it a certificate and switch STARTTLS on"),
	[MG_SOFTWARE_POSTFIX] = N_(
		"on that server: postconf -e 'smtpd_tls_security_level = may' 'smtpd_tls_chain_files = /etc/ssl/private/mail.pem' && postfix reload"),
	[MG_SOFTWARE_EXIM] = N_(
		"on that server: MAIN_TLS_ENABLE = yes, tls_certificate and tls_privatekey in Exim's configuration, then: update-exim4.conf && systemctl restart exim4"),
	[MG_SOFTWARE_EXCHANGE] = N_(
		"on that server: Get-ExchangeCertificate; Enable-ExchangeCertificate -Thumbprint THUMBPRINT -Services SMTP"),
	[MG_SOFTWARE_SENDMAIL] = N_(
		"on that server: confSERVER_CERT and confSERVER_KEY in sendmail.mc, then: make -C /etc/mail && systemctl restart sendmail"),
	[MG_SOFTWARE_DOVECOT] =
		N_("on that server: ssl = required, ssl_cert and ssl_key in conf.d/10-ssl.conf, then: doveadm reload"),
};

static const char *const password_fixes[] = {
	[MG_SOFTWARE_OTHER] = N_("in that server's configuration: offer logins only after TLS"),
	[MG_SOFTWARE_POSTFIX] = N_("on that server: postconf -e 'smtpd_tls_auth_only = yes' && postfix reload"),
	[MG_SOFTWARE_EXIM] = N_(
		"on that server: auth_advertise_hosts = ${if eq {$tls_in_cipher}{}{}{*}} in Exim's configuration, then: systemctl restart exim4"),
	[MG_SOFTWARE_EXCHANGE] =
		N_("on that server: Set-ReceiveConnector NAME -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS"),
	[MG_SOFTWARE_SENDMAIL] = N_(
		"on that server: define(`confAUTH_OPTIONS', `A p') in sendmail.mc, then: make -C /etc/mail && systemctl restart sendmail"),
	[MG_SOFTWARE_DOVECOT] =
		N_("on that server: disable_plaintext_auth = yes in conf.d/10-auth.conf, then: doveadm reload"),
};

/* Others than these never send a password as it is. */
static bool has_clear_mechanism(const struct mg_served_words *words)
{
	static const char *const names[] = { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER" };
	struct mg_str rest = mg_str_z(words->mechanisms), word;

	while (mg_read_word(&rest, " ", &word))
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (mg_str_eq_nocase(word, mg_str_z(names[i])))
				return true;
	return false;
}

static bool takes_passwords(const struct mg_probe_seen *seen)
{
	const struct mg_served_words *before = &seen->port->served.before;

	switch (seen->port->door->protocol) {
	case MG_SERVED_SMTP:
		return has_clear_mechanism(before);
	case MG_SERVED_POP3: /* without mechanisms it is USER that is offered */
		return (before->has & MG_SERVED_AUTH) != 0 &&
		       (before->mechanisms[0] == '\0' || has_clear_mechanism(before));
	case MG_SERVED_IMAP:
		return (before->has & MG_SERVED_LOGINDISABLED) == 0;
	}
	return false;
}

static void judge_offered(const struct mg_probe_seen *seen)
{
	const struct mg_served *served = &seen->port->served;
	struct mg_finding *finding = seen->finding;

	if ((served->before.has & MG_SERVED_STARTTLS) == 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("%1 does not offer STARTTLS"), seen->where, NULL);
		mg_finding_cause(finding,
			N_("everything goes in clear there; senders that insist on TLS deliver nothing"), NULL);
		mg_finding_fix(finding, offer_fixes[seen->port->software.kind], NULL);
	} else if (served->state == MG_DIALOGUE_INJECTED) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 sends text in clear behind its answer to STARTTLS"),
			seen->where, NULL);
		mg_finding_cause(finding,
			N_("somebody on the way can put commands or answers into the encrypted session (CVE-2011-0411)"),
			NULL);
		mg_finding_fix(finding, N_("update the server's program, or whatever stands in front of it"), NULL);
	} else if (!served->is_secured) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 offers STARTTLS, and it fails: %2"), seen->where,
			served->starttls == MG_REPLY_GOOD || served->starttls_text[0] == '\0' ? served->trouble
											      : served->starttls_text,
			NULL);
		mg_finding_cause(finding,
			N_("its certificate or key can't be loaded, or it has no version of TLS in common with anybody"),
			NULL);
		mg_finding_fix(finding, offer_fixes[seen->port->software.kind], NULL);
	}
}

static void judge_starttls(const struct mg_probe_seen *seen, void *context)
{
	const struct mg_served *served = &seen->port->served;
	bool *has_any = context, is_mail_of_people = seen->port->door->protocol == MG_SERVED_SMTP;

	if (seen->port->door->is_implicit || served->hello != MG_REPLY_GOOD)
		return;
	*has_any = true;
	mg_finding_evidence(seen->finding, "%s: STARTTLS %s, AUTH before TLS %s%s%s", seen->where,
		(served->before.has & MG_SERVED_STARTTLS) == 0 ? "not offered"
		: served->is_secured                           ? "works"
							       : "fails",
		takes_passwords(seen) ? "offered: " : "not offered",
		takes_passwords(seen) ? served->before.mechanisms : "", served->is_secured ? "" : served->trouble);
	judge_offered(seen);
	if (!takes_passwords(seen))
		return;
	mg_finding_is(seen->finding, is_mail_of_people ? MG_STATE_CRIT : MG_STATE_WARN,
		N_("%1 takes passwords in clear: AUTH is offered before TLS"), seen->where, NULL);
	mg_finding_cause(seen->finding, N_("a login made without TLS can be read on the way"), NULL);
	mg_finding_fix(seen->finding, password_fixes[seen->port->software.kind], NULL);
}

static void check_starttls(struct mg_probe *probe, struct mg_finding *finding)
{
	bool has_any = false;

	finding->manual = "openssl s_client -starttls smtp -connect SERVER:25 </dev/null";
	mg_probe_each_port(probe, finding, judge_starttls, &has_any);
	if (!has_any)
		mg_finding_not_applicable(finding, N_("not looked at: no port told what it can"));
	else
		mg_finding_is(finding, MG_STATE_OK,
			N_("TLS is offered on every port, and no password is taken before it"), NULL);
}

/* ---- tls.protocol ---- */

static const char *const version_fixes[] = {
	[MG_SOFTWARE_OTHER] = N_("in that server's configuration: allow TLS 1.2 and above alone"),
	[MG_SOFTWARE_POSTFIX] = N_(
		"on that server: postconf -e 'smtpd_tls_protocols = >=TLSv1.2' 'smtpd_tls_mandatory_protocols = >=TLSv1.2' && postfix reload"),
	[MG_SOFTWARE_EXIM] = N_(
		"on that server: tls_require_ciphers = SECURE256:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3 in Exim's configuration (GnuTLS), then: systemctl restart exim4"),
	[MG_SOFTWARE_EXCHANGE] =
		N_("on that server: switch TLS 1.0 and 1.1 off in the registry (SCHANNEL\\Protocols), then restart it"),
	[MG_SOFTWARE_SENDMAIL] = N_(
		"on that server: add +SSL_OP_NO_TLSv1 +SSL_OP_NO_TLSv1_1 to confSERVER_SSL_OPTIONS in sendmail.mc, then: make -C /etc/mail && systemctl restart sendmail"),
	[MG_SOFTWARE_DOVECOT] =
		N_("on that server: ssl_min_protocol = TLSv1.2 in conf.d/10-ssl.conf, then: doveadm reload"),
};

static const char *offer_name(enum mg_served_offer offer)
{
	static const char *const names[] = { "unknown", "yes", "no" };

	return names[offer];
}

static void judge_protocol(const struct mg_probe_seen *seen, void *context)
{
	const struct mg_served_offers *offers = &seen->port->offers;

	(void)context;
	if (!seen->port->has_offers)
		return;
	mg_finding_evidence(seen->finding,
		"%s: %s %s; SSLv3 %s, TLSv1 %s, TLSv1.1 %s, TLSv1.2 %s, TLSv1.3 %s, weak ciphers %s", seen->where,
		seen->port->served.version, seen->port->served.cipher, offer_name(offers->version[MG_SSL_3]),
		offer_name(offers->version[MG_TLS_1_0]), offer_name(offers->version[MG_TLS_1_1]),
		offer_name(offers->version[MG_TLS_1_2]), offer_name(offers->version[MG_TLS_1_3]),
		offer_name(offers->weak));
	for (unsigned version = MG_SSL_3; version <= MG_TLS_1_1; version++) {
		if (offers->version[version] != MG_OFFER_YES)
			continue;
		mg_finding_is(seen->finding, version == MG_SSL_3 ? MG_STATE_CRIT : MG_STATE_WARN, N_("%1 accepts %2"),
			seen->where, mg_tls_version_name((enum mg_tls_version)version), NULL);
		mg_finding_cause(seen->finding,
			N_("outdated versions of TLS (RFC 8996) can be broken, and are allowed by the configuration"),
			NULL);
		mg_finding_fix(seen->finding, version_fixes[seen->port->software.kind], NULL);
	}
	if (offers->weak == MG_OFFER_YES) {
		mg_finding_is(seen->finding, MG_STATE_WARN, N_("%1 accepts a weak cipher: %2"), seen->where,
			offers->weak_cipher, NULL);
		mg_finding_cause(seen->finding,
			N_("the configuration allows ciphers that can be broken, or that encrypt nothing"), NULL);
		mg_finding_fix(seen->finding,
			N_("in that server's configuration: leave the list of ciphers at its default"), NULL);
	}
}

static void check_protocol(struct mg_probe *probe, struct mg_finding *finding)
{
	if (!has_tls(probe, finding, ""))
		return;
	mg_probe_each_port(probe, finding, judge_protocol, NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("no port accepts TLS before 1.2 or a weak cipher"), NULL);
}

/* ---- certificates ---- */

struct expiry {
	double least_days;
	bool has_any;
};

static const char *date(int64_t epoch_s, char *place, size_t size)
{
	struct tm parts;
	time_t time = (time_t)epoch_s;

	if (gmtime_r(&time, &parts) == NULL || strftime(place, size, "%Y-%m-%d %H:%M UTC", &parts) == 0)
		place[0] = '\0';
	return place;
}

static void judge_expiry(const struct mg_probe_seen *seen, void *context)
{
	struct expiry *expiry = context;
	const struct mg_cert_facts *facts;
	double days, warn;
	enum mg_check_state state;
	char when[32], begin[32];

	if (seen->port->served.chain == NULL)
		return;
	facts = mg_chain_at(seen->port->served.chain, 0);
	days = (double)(facts->not_after_s - mg_wall_us() / MG_S_US) / DAY_S;
	warn = (double)(facts->not_after_s - facts->not_before_s) / DAY_S / 4;
	warn = warn > WARN_DAYS ? WARN_DAYS : warn < CRIT_DAYS ? CRIT_DAYS + 0.001 : warn;
	state = mg_check_grade(&seen->probe->env, "tls.cert.expiry", days, warn, CRIT_DAYS);
	date(facts->not_after_s, when, sizeof when);
	date(facts->not_before_s, begin, sizeof begin);
	mg_finding_evidence(
		seen->finding, "%s: %s, %s to %s, %.1f days left", seen->where, facts->subject, begin, when, days);
	if (!expiry->has_any || days < expiry->least_days)
		expiry->least_days = days;
	expiry->has_any = true;
	if (days < 0)
		mg_finding_is(seen->finding, MG_STATE_CRIT, N_("the certificate of %1 has expired: %2"), seen->where,
			when, NULL);
	else if (facts->not_before_s > mg_wall_us() / MG_S_US)
		mg_finding_is(seen->finding, MG_STATE_CRIT, N_("the certificate of %1 is not valid before %2"),
			seen->where, begin, NULL);
	else if (state != MG_STATE_OK)
		mg_finding_is(seen->finding, state, N_("the certificate of %1 expires in %2 days: %3"), seen->where,
			mg_finding_number(seen->finding, (double)(int)days, ""), when, NULL);
	else
		return;
	mg_finding_cause(
		seen->finding, N_("it was not renewed in time, or the server was not reloaded after it was"), NULL);
	mg_finding_fix(seen->finding,
		N_("on that server: certbot renew, then reload the mail server: postfix reload; doveadm reload; systemctl reload exim4"),
		NULL);
}

static void check_expiry(struct mg_probe *probe, struct mg_finding *finding)
{
	struct expiry expiry = { 0 };

	if (!has_tls(probe, finding, " | openssl x509 -noout -dates"))
		return;
	mg_probe_each_port(probe, finding, judge_expiry, &expiry);
	if (expiry.has_any)
		mg_finding_value(finding, expiry.least_days, "d");
	mg_finding_is(finding, MG_STATE_OK, N_("no certificate expires soon; the next in %1 days"),
		mg_finding_number(finding, (double)(int)expiry.least_days, ""), NULL);
}

/* People write other names of the same server into their mail programs. */
static bool covers_name_of_people(const struct mg_probe_seen *seen)
{
	static const char *const labels[] = { "", "mail.", "imap.", "smtp.", "pop.", "pop3.", "mx." };
	char name[MG_DOMAIN_TEXT + 8];

	for (size_t i = 0; seen->probe->domain[0] != '\0' && i < sizeof labels / sizeof labels[0]; i++) {
		snprintf(name, sizeof name, "%s%s", labels[i], seen->probe->domain);
		if (mg_chain_covers(seen->port->served.chain, name))
			return true;
	}
	return false;
}

static void judge_name(const struct mg_probe_seen *seen, void *context)
{
	const char *host = seen->host->name[0] != '\0' ? seen->host->name : seen->address->text;
	const struct mg_cert_facts *facts;
	const char *names;

	(void)context;
	if (seen->port->served.chain == NULL)
		return;
	facts = mg_chain_at(seen->port->served.chain, 0);
	names = facts->names[0] != '\0' ? facts->names : facts->common_name;
	mg_finding_evidence(seen->finding, "%s: for %s: %s", seen->where, host, names);
	if (mg_chain_covers(seen->port->served.chain, host) || (!is_server_port(seen) && covers_name_of_people(seen)) ||
		seen->host->name[0] == '\0')
		return;
	mg_finding_is(seen->finding, is_server_port(seen) ? MG_STATE_WARN : MG_STATE_CRIT,
		N_("the certificate of %1 does not cover %2"), seen->where, host, NULL);
	mg_finding_cause(seen->finding,
		N_("it was made for %1; mail programs warn or refuse to connect, and servers that verify (MTA-STS) send nothing"),
		names[0] == '\0' ? "-" : names, NULL);
	mg_finding_fix(
		seen->finding, N_("on that server: certbot certonly -d %1, and use that certificate"), host, NULL);
}

static void check_name(struct mg_probe *probe, struct mg_finding *finding)
{
	bool has_name = false;

	if (!has_tls(probe, finding, " | openssl x509 -noout -ext subjectAltName"))
		return;
	for (size_t i = 0; i < probe->host_count; i++)
		has_name = has_name || probe->host[i].name[0] != '\0';
	if (!has_name) {
		mg_finding_not_applicable(
			finding, N_("not looked at: the name that the certificate should cover is not known"));
		return;
	}
	mg_probe_each_port(probe, finding, judge_name, NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("every certificate covers the name of its server"), NULL);
}

static void judge_chain(const struct mg_probe_seen *seen, void *context)
{
	enum mg_chain_state trust;
	const char *issuer;
	char why[128];

	(void)context;
	if (seen->port->served.chain == NULL)
		return;
	trust = mg_chain_trust(seen->port->served.chain, why, sizeof why);
	issuer = mg_chain_at(seen->port->served.chain, mg_chain_count(seen->port->served.chain) - 1)->issuer;
	mg_finding_evidence(seen->finding, "%s: %zu certificates, issuer %s: %s", seen->where,
		mg_chain_count(seen->port->served.chain), mg_chain_at(seen->port->served.chain, 0)->issuer, why);
	if (trust == MG_CHAIN_TRUSTED)
		return;
	mg_finding_is(seen->finding, is_server_port(seen) ? MG_STATE_WARN : MG_STATE_CRIT,
		trust == MG_CHAIN_SELF_SIGNED ? N_("the certificate of %1 is self-signed")
					      : N_("the certificate of %1 can't be verified: %2"),
		seen->where, why, NULL);
	if (trust == MG_CHAIN_SELF_SIGNED)
		mg_finding_cause(
			seen->finding, N_("no authority has signed it, so nobody can tell it from a forged one"), NULL);
	else if (trust == MG_CHAIN_INCOMPLETE)
		mg_finding_cause(seen->finding,
			N_("the server does not send the certificate of the issuer, %1: the file holds its own alone instead of the full chain"),
			issuer, NULL);
	else if (trust == MG_CHAIN_PRIVATE_CA)
		mg_finding_cause(
			seen->finding, N_("it leads to a root that this machine does not trust: %1"), issuer, NULL);
	else
		mg_finding_cause(seen->finding, "%1", why, NULL);
	mg_finding_fix(seen->finding,
		N_("on that server: certbot certonly -d %1, and give the mail server the whole chain: fullchain.pem"),
		seen->host->name[0] != '\0' ? seen->host->name : "NAME", NULL);
}

static void check_chain(struct mg_probe *probe, struct mg_finding *finding)
{
	if (!has_tls(probe, finding, " -showcerts"))
		return;
	mg_probe_each_port(probe, finding, judge_chain, NULL);
	mg_finding_is(
		finding, MG_STATE_OK, N_("every certificate leads to an authority that this machine trusts"), NULL);
}

const struct mg_probe_check mg_probe_checks_tls[] = {
	{ "tls.starttls", N_("TLS is offered, and no password before it"), check_starttls },
	{ "tls.protocol", N_("no outdated TLS is offered"), check_protocol },
	{ "tls.cert.expiry", N_("certificates are renewed in time"), check_expiry },
	{ "tls.cert.name", N_("certificates cover the server's name"), check_name },
	{ "tls.cert.chain", N_("certificates can be verified"), check_chain },
	{ NULL, NULL, NULL },
};
