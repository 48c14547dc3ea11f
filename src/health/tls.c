/* tls.* - certificates, keys and TLS of the mail ports: what is configured beside what is served. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/tls_checks.h"

enum { DAY_S = 86400, LOOK_DEADLINE_MS = 20000, OFFER_DEADLINE_MS = 40000, PERIOD_S = 600, OFFER_PERIOD_S = 6 * 3600 };

/* ---- what the checks of the family share ---- */

const char *mg_tls_reload(const struct mg_check_env *env, bool is_dovecots, char *place, size_t size)
{
	char option[600];

	if (is_dovecots)
		snprintf(place, size, "doveadm reload");
	else
		snprintf(place, size, "postfix %sreload", mg_postfix_dash_c(env, option, sizeof option));
	return place;
}

const char *mg_tls_where(struct mg_finding *finding, const struct mg_tls_port *port)
{
	char text[MG_MAIL_PORT_TEXT + MG_DOVECOT_TEXT + 8];

	if (mg_str_starts(mg_str_z(port->port.name), mg_str_z(port->port.text)))
		return mg_arena_text(&finding->arena, mg_str_z(port->port.text), sizeof port->port.text);
	snprintf(text, sizeof text, "%s (%s)", port->port.text, port->port.name);
	return mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
}

void mg_tls_say_unseen(struct mg_finding *finding, const struct mg_tls_look *look)
{
	for (size_t i = 0; i < look->port_count; i++) {
		const struct mg_tls_port *port = &look->port[i];

		const char *trouble = port->served.trouble;

		if (port->served.is_secured || (port->served.state == MG_DIALOGUE_OPEN && port->pairs == 0))
			continue;
		if (trouble[0] == '\0')
			trouble = port->served.starttls_text[0] != '\0' ? port->served.starttls_text
									: port->served.greeting_text;
		mg_finding_evidence(finding, "%s: %s", mg_tls_where(finding, port), trouble);
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("%1 could not be looked at: %2"),
			mg_tls_where(finding, port), trouble, NULL);
		mg_finding_cause(finding, N_("the port does not answer as it should, so its TLS can't be seen"), NULL);
		mg_finding_fix(finding,
			"mailguardctl check tls.starttls tls.key service.smtp.25 service.smtp.587 service.smtp.465 service.imap.143 service.imap.993",
			NULL);
	}
	if (look->dovecot_trouble[0] != '\0') {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", look->dovecot_trouble, NULL);
		mg_finding_fix(finding, N_("see what it complains of: doveconf -n"), NULL);
	}
	if (look->is_cut)
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("there was no time to look at every mail port"), NULL);
}

bool mg_tls_applies(struct mg_finding *finding, const struct mg_tls_look *look)
{
	bool applies = look->pair_count > 0 || look->dovecot_trouble[0] != '\0' || look->postfix == NULL;

	for (size_t i = 0; i < look->port_count; i++)
		applies = applies || look->port[i].served.is_secured;
	if (!applies)
		mg_finding_not_applicable(finding, N_("not applicable: no mail port is configured for TLS"));
	return applies;
}

static bool is_server_port(const struct mg_tls_port *port)
{
	return port->port.role == MG_ROLE_SMTP_25;
}

/* A certificate that is served, or waits in a file. */
struct subject {
	const char *where; /* for sentences */
	const struct mg_chain *chain;
	bool is_dovecots;
	const struct mg_tls_port *port; /* NULL: a file */
	const struct mg_tls_pair *pair; /* NULL: served */
};

/* ---- tls.cert.expiry ---- */

struct expiry {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	int64_t now_s;
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

/* Whether a file of this port already holds something better than what is served. */
static bool is_renewed_on_disk(
	const struct mg_tls_look *look, const struct mg_tls_port *port, const struct mg_cert_facts *served)
{
	for (size_t i = 0; port != NULL && i < look->pair_count; i++) {
		const struct mg_tls_pair *pair = &look->pair[i];

		if ((port->pairs & UINT32_C(1) << i) != 0 && pair->chain != NULL &&
			mg_chain_at(pair->chain, 0)->not_after_s > served->not_after_s)
			return true;
	}
	return false;
}

static void expiry_remedy(const struct expiry *expiry, const struct mg_tls_look *look, const struct subject *subject,
	const struct mg_cert_facts *facts)
{
	char reload[700], option[600];

	if (is_renewed_on_disk(look, subject->port, facts)) {
		mg_finding_cause(expiry->finding,
			N_("a newer certificate is in the file already, but the server has not been reloaded since"),
			NULL);
		mg_finding_fix(expiry->finding, "%1",
			mg_tls_reload(expiry->env, subject->is_dovecots, reload, sizeof reload), NULL);
		return;
	}
	mg_finding_cause(expiry->finding,
		N_("it was not renewed: renewal by certbot begins at a third of the life that is left, so it is missing or fails"),
		NULL);
	mg_finding_fix(expiry->finding, "certbot renew --deploy-hook 'postfix %1reload; doveadm reload'",
		mg_postfix_dash_c(expiry->env, option, sizeof option), NULL);
}

static void judge_expiry(struct expiry *expiry, const struct mg_tls_look *look, const struct subject *subject,
	const struct mg_cert_facts *facts)
{
	double days = (double)(facts->not_after_s - expiry->now_s) / DAY_S;
	double life = (double)(facts->not_after_s - facts->not_before_s) / DAY_S, warn = life / 4, crit = 7;
	enum mg_check_state state;
	char when[32];

	warn = warn > 21 ? 21 : warn < crit ? crit + 0.001 : warn;
	state = mg_check_grade(expiry->env, "tls.cert.expiry", days, warn, crit);
	mg_finding_evidence(expiry->finding, "%s: %s, %s to %s, %.1f days left", subject->where, facts->subject,
		date(facts->not_before_s, when, sizeof when), date(facts->not_after_s, (char[32]){ "" }, 32), days);
	if (!expiry->has_any || days < expiry->least_days)
		expiry->least_days = days;
	expiry->has_any = true;
	date(facts->not_after_s, when, sizeof when);
	if (days < 0) {
		mg_finding_is(expiry->finding, MG_STATE_CRIT, N_("the certificate of %1 has expired: %2"),
			subject->where, when, NULL);
		expiry_remedy(expiry, look, subject, facts);
	} else if (facts->not_before_s > expiry->now_s) {
		mg_finding_is(expiry->finding, MG_STATE_CRIT, N_("the certificate of %1 is not valid before %2"),
			subject->where, date(facts->not_before_s, when, sizeof when), NULL);
		mg_finding_cause(expiry->finding, N_("it was made for later, or this machine's clock is wrong"), NULL);
		mg_finding_fix(expiry->finding, "timedatectl; mailguardctl check system.time", NULL);
	} else if (state != MG_STATE_OK) {
		mg_finding_is(expiry->finding, state, N_("the certificate of %1 expires in %2 days: %3"),
			subject->where, mg_finding_number(expiry->finding, (double)(int)days, ""), when, NULL);
		expiry_remedy(expiry, look, subject, facts);
	}
}

static void unreadable_file(struct mg_finding *finding, const struct mg_tls_pair *pair)
{
	mg_finding_evidence(finding, "%s: %s", pair->certificate, pair->trouble);
	mg_finding_is(
		finding, MG_STATE_UNKNOWN, N_("the certificate file %1 can't be looked at"), pair->certificate, NULL);
	if (pair->rc == MG_EPERM) {
		mg_finding_cause(finding, N_("needs root"), NULL);
		mg_finding_fix(finding, N_("run as root: mailguardctl check"), NULL);
	} else {
		mg_finding_cause(finding, "%1", pair->trouble, NULL);
		mg_finding_fix(finding, "ls -lL %1", pair->certificate, NULL);
	}
}

static void check_expiry(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);
	struct expiry expiry = { .env = env, .finding = finding, .now_s = mg_wall_us() / MG_S_US };

	finding->manual =
		"openssl s_client -connect 127.0.0.1:25 -starttls smtp </dev/null | openssl x509 -noout -dates";
	if (look == NULL || !mg_tls_applies(finding, look))
		return;
	for (size_t i = 0; i < look->port_count; i++) {
		const struct mg_tls_port *port = &look->port[i];
		struct subject subject = { mg_tls_where(finding, port), port->served.chain, port->is_dovecots, port,
			NULL };

		if (subject.chain != NULL)
			judge_expiry(&expiry, look, &subject, mg_chain_at(subject.chain, 0));
	}
	for (size_t i = 0; i < look->pair_count; i++) {
		const struct mg_tls_pair *pair = &look->pair[i];
		struct subject subject = { pair->certificate, pair->chain, pair->is_dovecots, NULL, pair };

		for (size_t n = 0; pair->chain != NULL && n < mg_chain_count(pair->chain); n++)
			if (n == 0 || !mg_chain_at(pair->chain, n)->is_ca)
				judge_expiry(&expiry, look, &subject, mg_chain_at(pair->chain, n));
		if (pair->chain == NULL)
			unreadable_file(finding, pair);
	}
	if (expiry.has_any)
		mg_finding_value(finding, expiry.least_days, "d");
	mg_tls_say_unseen(finding, look);
	mg_finding_is(finding, MG_STATE_OK, N_("no certificate expires soon; the next in %1 days"),
		mg_finding_number(finding, (double)(int)expiry.least_days, ""), NULL);
}

/* ---- tls.cert.name, tls.cert.chain: served, or in the file where nothing is served ---- */

static void check_served(const struct mg_check_env *env, struct mg_finding *finding,
	void (*judge)(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port,
		const struct subject *subject),
	const char *fine)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);

	if (look == NULL || !mg_tls_applies(finding, look))
		return;
	for (size_t i = 0; i < look->port_count; i++) {
		const struct mg_tls_port *port = &look->port[i];
		struct subject subject = { mg_tls_where(finding, port), port->served.chain, port->is_dovecots, port,
			NULL };

		for (size_t n = 0; n < look->pair_count; n++)
			if ((port->pairs & UINT32_C(1) << n) != 0 && subject.pair == NULL)
				subject.pair = &look->pair[n];
		if (subject.chain == NULL && subject.pair != NULL)
			subject.chain = subject.pair->chain;
		if (subject.chain != NULL)
			judge(env, finding, port, &subject);
		else if (subject.pair != NULL)
			unreadable_file(finding, subject.pair);
	}
	mg_tls_say_unseen(finding, look);
	mg_finding_is(finding, MG_STATE_OK, fine, NULL);
}

static void judge_name(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port,
	const struct subject *subject)
{
	const struct mg_cert_facts *facts = mg_chain_at(subject->chain, 0);
	const char *names = facts->names[0] != '\0' ? facts->names : facts->common_name;

	(void)env;
	mg_finding_evidence(finding, "%s: for %s: %s", subject->where, port->host, names);
	if (port->host[0] == '\0') {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("the name that the certificate of %1 should cover is not known"), subject->where, NULL);
		mg_finding_cause(finding, N_("Postfix's myhostname can't be read"), NULL);
		return;
	}
	if (mg_chain_covers(subject->chain, port->host))
		return;
	mg_finding_is(finding, is_server_port(port) ? MG_STATE_WARN : MG_STATE_CRIT,
		N_("the certificate of %1 does not cover %2"), subject->where, port->host, NULL);
	mg_finding_cause(finding,
		N_("it was made for %1; mail programs warn or refuse to connect, and servers that verify (MTA-STS) send nothing"),
		names[0] == '\0' ? "-" : names, NULL);
	mg_finding_fix(finding, N_("certbot certonly -d %1, or use a name it covers: postconf -e 'myhostname = NAME'"),
		port->host, NULL);
}

static void check_name(const struct mg_check_env *env, struct mg_finding *finding)
{
	finding->manual = "openssl s_client -connect 127.0.0.1:25 -starttls smtp </dev/null | "
			  "openssl x509 -noout -ext subjectAltName; postconf myhostname";
	check_served(env, finding, judge_name, N_("every certificate covers the name of its server"));
}

/* "/etc/letsencrypt/live/x/fullchain.pem" beside cert.pem, if it is there. */
static bool full_chain_beside(const struct mg_tls_pair *pair, char *place, size_t size)
{
	const char *slash = pair == NULL ? NULL : strrchr(pair->certificate, '/');
	struct stat info;

	if (slash == NULL)
		return false;
	snprintf(place, size, "%.*s/fullchain.pem", (int)(slash - pair->certificate), pair->certificate);
	return strcmp(place, pair->certificate) != 0 && stat(place, &info) == 0;
}

static void complete_chain(const struct mg_check_env *env, struct mg_finding *finding, const struct subject *subject)
{
	const char *file = subject->pair == NULL ? "" : subject->pair->certificate;
	char full[MG_TLS_PATH + 16], reload[700], option[600];

	mg_tls_reload(env, subject->is_dovecots, reload, sizeof reload);
	if (subject->is_dovecots)
		mg_finding_fix(finding,
			N_("set ssl_cert = <fullchain.pem (the certificate, then the intermediate ones) instead of %1, then: %2"),
			file, reload, NULL);
	else if (full_chain_beside(subject->pair, full, sizeof full) &&
		 strcmp(subject->pair->parameter, "smtpd_tls_chain_files") != 0)
		mg_finding_fix(finding, "postconf %1-e '%2 = %3' && %4", mg_postfix_dash_c(env, option, sizeof option),
			subject->pair->parameter, full, reload, NULL);
	else
		mg_finding_fix(finding,
			N_("cat INTERMEDIATE.pem >> %1 && %2 (a fullchain.pem of the authority does as well)"), file,
			reload, NULL);
}

static void judge_chain(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_port *port,
	const struct subject *subject)
{
	enum mg_check_state state = is_server_port(port) ? MG_STATE_WARN : MG_STATE_CRIT;
	const char *issuer = mg_chain_at(subject->chain, mg_chain_count(subject->chain) - 1)->issuer;
	char why[128], option[600];
	enum mg_chain_state trust = mg_chain_trust(subject->chain, why, sizeof why);

	mg_finding_evidence(finding, "%s: %zu certificates, issuer %s: %s", subject->where,
		mg_chain_count(subject->chain), mg_chain_at(subject->chain, 0)->issuer, why);
	if (trust == MG_CHAIN_TRUSTED)
		return;
	mg_finding_is(finding, state,
		trust == MG_CHAIN_SELF_SIGNED ? N_("the certificate of %1 is self-signed")
					      : N_("the certificate of %1 can't be verified: %2"),
		subject->where, why, NULL);
	switch (trust) {
	case MG_CHAIN_SELF_SIGNED:
		mg_finding_cause(
			finding, N_("no authority has signed it, so nobody can tell it from a forged one"), NULL);
		mg_finding_fix(finding,
			N_("certbot certonly -d %1, then: postconf %2-e 'smtpd_tls_cert_file = /etc/letsencrypt/live/%1/fullchain.pem' 'smtpd_tls_key_file = /etc/letsencrypt/live/%1/privkey.pem' && postfix %2reload"),
			port->host, mg_postfix_dash_c(env, option, sizeof option), NULL);
		break;
	case MG_CHAIN_INCOMPLETE:
		mg_finding_cause(finding,
			N_("the server does not send the certificate of the issuer, %1: the file holds its own alone instead of the full chain"),
			issuer, NULL);
		complete_chain(env, finding, subject);
		break;
	case MG_CHAIN_PRIVATE_CA:
		mg_finding_cause(finding, N_("it leads to a root that this machine does not trust: %1"), issuer, NULL);
		mg_finding_fix(finding,
			N_("use a certificate of a public authority, or trust this one: cp CA.pem /usr/local/share/ca-certificates/ca.crt && update-ca-certificates"),
			NULL);
		break;
	case MG_CHAIN_EXPIRED:
		mg_finding_cause(finding, N_("an intermediate certificate has expired: %1"), issuer, NULL);
		complete_chain(env, finding, subject);
		break;
	case MG_CHAIN_TRUSTED:
	case MG_CHAIN_BROKEN:
		mg_finding_cause(finding, "%1", why, NULL);
		mg_finding_fix(finding, N_("get a new certificate: certbot certonly -d %1"), port->host, NULL);
		break;
	}
}

static void check_chain(const struct mg_check_env *env, struct mg_finding *finding)
{
	finding->manual = "openssl s_client -connect 127.0.0.1:25 -starttls smtp -showcerts </dev/null";
	check_served(env, finding, judge_chain, N_("every certificate leads to an authority that this machine trusts"));
}

/* ---- tls.cert.loaded ---- */

/* Whether a file of this port holds what it serves; *other_out: one that does not, or can't be read. */
static bool is_loaded(
	const struct mg_tls_look *look, const struct mg_tls_port *port, const struct mg_tls_pair **other_out)
{
	for (size_t i = 0; i < look->pair_count; i++) {
		const struct mg_tls_pair *pair = &look->pair[i];

		if ((port->pairs & UINT32_C(1) << i) == 0)
			continue;
		if (pair->chain != NULL && mg_chain_holds(pair->chain, mg_chain_at(port->served.chain, 0)->sha256))
			return true;
		*other_out = pair;
	}
	return false;
}

static void judge_loaded(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_look *look,
	const struct mg_tls_port *port)
{
	const char *where = mg_tls_where(finding, port);
	const struct mg_tls_pair *other = NULL;
	char reload[700];

	if (is_loaded(look, port, &other)) {
		mg_finding_evidence(finding, "%s: as in its file", where);
	} else if (other != NULL && other->chain == NULL) {
		unreadable_file(finding, other);
	} else if (other != NULL) {
		mg_finding_evidence(finding, "%s: not what %s holds", where, other->certificate);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 serves another certificate than %2 holds"), where,
			other->certificate, NULL);
		mg_finding_cause(finding, N_("the file was renewed, and the server has not been reloaded since"), NULL);
		mg_finding_fix(finding, "%1", mg_tls_reload(env, port->is_dovecots, reload, sizeof reload), NULL);
	}
}

static void check_loaded(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);

	finding->manual = "openssl s_client -connect 127.0.0.1:25 -starttls smtp </dev/null | openssl x509 -noout "
			  "-fingerprint; postconf smtpd_tls_cert_file smtpd_tls_chain_files";
	if (look == NULL || !mg_tls_applies(finding, look))
		return;
	for (size_t i = 0; i < look->port_count; i++)
		if (look->port[i].served.chain != NULL)
			judge_loaded(env, finding, look, &look->port[i]);
	mg_tls_say_unseen(finding, look);
	mg_finding_is(finding, MG_STATE_OK, N_("every port serves the certificate of its file"), NULL);
}

const struct mg_check mg_checks_tls[] = {
	{ "tls.cert.expiry", N_("certificates are renewed in time"), PERIOD_S, LOOK_DEADLINE_MS, .run = check_expiry,
		.needs = "service.postfix" },
	{ "tls.cert.name", N_("certificates cover the server's name"), PERIOD_S, LOOK_DEADLINE_MS, .run = check_name,
		.needs = "service.postfix" },
	{ "tls.cert.chain", N_("certificates can be verified"), PERIOD_S, LOOK_DEADLINE_MS, .run = check_chain,
		.needs = "service.postfix" },
	{ "tls.cert.loaded", N_("the certificates on disk are those served"), PERIOD_S, LOOK_DEADLINE_MS,
		.run = check_loaded, .steady = 2, .needs = "service.postfix" },
	{ "tls.key", N_("private keys are private, and fit"), PERIOD_S, LOOK_DEADLINE_MS, .run = mg_tls_check_key },
	{ "tls.protocol", N_("no outdated TLS is offered"), OFFER_PERIOD_S, OFFER_DEADLINE_MS,
		.run = mg_tls_check_protocol, .needs = "service.postfix" },
	{ "tls.starttls", N_("TLS is offered, and no password before it"), PERIOD_S, LOOK_DEADLINE_MS,
		.run = mg_tls_check_starttls, .needs = "service.postfix" },
};
const size_t mg_checks_tls_count = sizeof mg_checks_tls / sizeof mg_checks_tls[0];
