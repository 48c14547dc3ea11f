/* dns.dane - are the TLSA records of this server those of the certificate that Postfix is configured with? What is really served on
 * the port is another check's. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/i18n.h"
#include "health/dns_said.h"
#include "health/own.h"
#include "health/tlsa.h"
#include "postfix/restrictions.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 900, TARGETS = 20, ADDRESSES = 8 };
enum { RECORDS = 16, FILE_BYTES = 64 * 1024, FILES = 4 };

struct certificates {
	const char *paths[FILES];
	struct mg_buf files[FILES];
	struct mg_str pems[FILES]; /* of `files` */
	size_t count;
	const char *unreadable; /* a file that could not be read, else NULL */
};

static void read_certificates(struct mg_finding *finding, const char *path, struct certificates *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct mg_buf text;
	char piece[4096];
	ssize_t n;

	if (fd < 0) {
		out->unreadable = path;
		return;
	}
	mg_buf_init(&text, FILE_BYTES);
	while (mg_buf_ok(&text) && (n = read(fd, piece, sizeof piece)) > 0)
		mg_buf_add(&text, mg_str_of(piece, (size_t)n));
	mg_fd_close(&fd);
	explicit_bzero(piece, sizeof piece);
	if (out->count < FILES && text.n > 0) {
		out->paths[out->count] = mg_dns_shown(finding, mg_str_z(path));
		out->files[out->count] = text;
		out->pems[out->count++] = mg_buf_str(&text);
	} else {
		mg_buf_fini(&text);
	}
}

/* What port 25 presents, as its service sees the settings. */
static void certificates_of(const struct mg_check_env *env, struct mg_finding *finding, struct certificates *out)
{
	static const char *const parameters[] = { "smtpd_tls_chain_files", "smtpd_tls_cert_file",
		"smtpd_tls_eccert_file" };
	const struct mg_postfix_service *service = mg_postfix_next_smtpd(env->postfix, NULL);

	*out = (struct certificates){ 0 };
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		struct mg_str rest = mg_str_z(mg_check_parameter(env, finding, service, parameters[i])), word;

		while (mg_postfix_word(&rest, &word))
			if (!mg_str_eq(word, MG_STR("none")))
				read_certificates(finding, mg_arena_text(&finding->arena, word, word.n), out);
		if (i == 0 && (out->count > 0 || out->unreadable != NULL))
			return; /* chain files win over the others */
	}
}

/* Chain files hold the private key, too. */
static void free_certificates(struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++) {
		explicit_bzero(certificates->files[i].p, certificates->files[i].n);
		mg_buf_fini(&certificates->files[i]);
	}
}

static const char *record_text(struct mg_finding *finding, const struct mg_tlsa *tlsa)
{
	enum { SHOWN = 32 };
	const char *text = mg_dns_text(finding, "%u %u %u ", tlsa->usage, tlsa->selector, tlsa->matching);
	char hex[2 * SHOWN + 1] = "";

	for (size_t i = 0; i < tlsa->data.n && i < SHOWN; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)tlsa->data.p[i]);
	return mg_dns_text(finding, "%s%s%s", text, hex, tlsa->data.n > SHOWN ? "..." : "");
}

static void say_tlsa_fix(struct mg_finding *finding, const char *name, const struct certificates *certificates)
{
	struct mg_buf record;

	mg_buf_init(&record, MG_SAY_TEXT);
	if (certificates->count > 0 && mg_tlsa_write(certificates->pems[0], &record))
		mg_finding_fix(finding, N_("in the zone: %1. IN TLSA %2"), name, mg_buf_z(&record), NULL);
	else
		mg_finding_fix(finding,
			N_("postconf smtpd_tls_chain_files smtpd_tls_cert_file; or take the record out: %1. IN TLSA"),
			name, NULL);
	mg_buf_fini(&record);
}

/* Whether a record that may be used is one of the certificates'. */
static bool has_match(struct mg_finding *finding, const char *name, const struct mg_dns_answer *answer,
	const struct certificates *certificates, size_t *usable_out)
{
	bool has = false;

	for (size_t i = 0; i < answer->count && i < RECORDS; i++) {
		struct mg_tlsa tlsa;
		bool is_sound = mg_tlsa_parse(answer->records[i].text, &tlsa) && mg_tlsa_is_usable(&tlsa),
		     matches = false;

		*usable_out += is_sound;
		for (size_t k = 0; is_sound && k < certificates->count; k++)
			matches = matches || mg_tlsa_matches(&tlsa, certificates->pems[k]);
		mg_finding_evidence(finding, "%s TLSA %s: %s", name,
			answer->records[i].text.n < 4 ? "(too short)" : record_text(finding, &tlsa),
			matches    ? "matches"
			: is_sound ? "does not match"
				   : "can't be used in SMTP");
		has = has || matches;
	}
	return has;
}

static void judge_tlsa(struct mg_finding *finding, const char *name, const struct mg_dns_answer *answer,
	const struct certificates *certificates)
{
	size_t usable = 0;

	mg_finding_evidence(finding, "%s: DNSSEC %s", name,
		answer->is_authentic
			? "validated, as the resolver says (worth what the way to it is worth)"
			: "not validated by the resolver: senders ignore the record unless theirs validates it");
	if (has_match(finding, name, answer, certificates, &usable))
		return;
	if (usable == 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the TLSA record %1 can't be used for mail"), name, NULL);
		mg_finding_cause(
			finding, N_("SMTP knows usages 2 and 3 with a whole hash (RFC 7672 section 3.1)"), NULL);
	} else if (certificates->count == 0 && certificates->unreadable != NULL) {
		mg_finding_is(finding, MG_STATE_UNKNOWN,
			N_("the TLSA record %1 can't be compared with the certificate"), name, NULL);
		mg_finding_cause(
			finding, N_("needs root, or the file is not there: %1"), certificates->unreadable, NULL);
	} else if (certificates->count == 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("a TLSA record promises TLS at %1, but Postfix has no certificate"), name, NULL);
		mg_finding_cause(finding,
			N_("senders that know DANE (Microsoft, many in Europe) deliver nothing to a server without TLS"),
			NULL);
	} else {
		mg_finding_is(
			finding, MG_STATE_CRIT, N_("the TLSA record %1 is not of Postfix's certificate"), name, NULL);
		mg_finding_cause(finding,
			N_("the certificate %1 was changed without the record: senders that know DANE deliver nothing"),
			certificates->paths[0], NULL);
	}
	say_tlsa_fix(finding, name, certificates);
}

struct hosts {
	const char *names[TARGETS];
	size_t count;
};

static void add_host(struct mg_finding *finding, struct hosts *hosts, struct mg_str name)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (mg_str_eq_nocase(mg_str_z(hosts->names[i]), name))
			return;
	if (hosts->count < TARGETS && name.n > 0)
		hosts->names[hosts->count++] = mg_dns_shown(finding, name);
}

/* The MX hosts that are this server: others' certificates are not here to compare. */
static void own_hosts(
	const struct mg_check_env *env, struct mg_finding *finding, const struct mg_own *own, struct hosts *hosts)
{
	struct mg_ip addresses[ADDRESSES];
	const struct mg_dns_answer *silent;

	if (own->hostname[0] != '\0')
		add_host(finding, hosts, mg_str_z(own->hostname));
	for (size_t i = 0; i < own->domain_count; i++) {
		const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(own->domains[i]), MG_DNS_MX);

		for (size_t k = 0; k < answer->count && k < TARGETS; k++) {
			struct mg_str name = answer->records[k].text;
			size_t count = mg_dns_addresses(env, name, addresses, ADDRESSES, &silent);

			for (size_t at = 0; at < count; at++)
				if (mg_own_has(own, &addresses[at]))
					add_host(finding, hosts, name);
		}
	}
}

static void check_dane(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct certificates certificates;
	struct hosts hosts = { .count = 0 };
	size_t published = 0;
	struct mg_own own;

	finding->manual = "dig _25._tcp.HOST TLSA";
	if (!mg_check_has_postfix(env, finding) || !mg_own(env, finding, &own))
		return;
	finding->manual =
		mg_dns_text(finding, "dig _25._tcp.%s TLSA; postconf smtpd_tls_chain_files smtpd_tls_cert_file",
			own.hostname[0] == '\0' ? "HOST" : own.hostname);
	own_hosts(env, finding, &own, &hosts);
	certificates_of(env, finding, &certificates);
	for (size_t i = 0; i < hosts.count; i++) {
		const char *name = mg_dns_text(finding, "_25._tcp.%s", hosts.names[i]);
		const struct mg_dns_answer *answer = mg_check_ask(env, mg_str_z(name), MG_DNS_TLSA);

		if (mg_dns_is_silent(finding, name, MG_DNS_TLSA, answer)) {
			published++;
		} else if (answer->count > 0) {
			published++;
			judge_tlsa(finding, name, answer, &certificates);
		}
	}
	free_certificates(&certificates);
	if (published == 0)
		mg_finding_not_applicable(finding, N_("not applicable: no TLSA record is published for this server"));
	mg_finding_is(finding, MG_STATE_OK, N_("the TLSA records are those of Postfix's certificate"), NULL);
}

const struct mg_check mg_checks_dns_dane[] = {
	{ "dns.dane", N_("the TLSA record is the certificate's"), PERIOD_S, DEADLINE_MS, .run = check_dane,
		.needs = "dns.resolver" },
};
const size_t mg_checks_dns_dane_count = sizeof mg_checks_dns_dane / sizeof mg_checks_dns_dane[0];
