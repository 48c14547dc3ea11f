/* dns.dkim, dns.dmarc - can others verify our signatures, and do they know what to do with forgeries? */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "auth/base64.h"
#include "auth/crypto.h"
#include "auth/dmarc_walk.h"
#include "auth/tag_list.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "health/dns_judge.h"
#include "health/dns_said.h"
#include "mail/domain.h"

enum { DEADLINE_MS = 12000, PERIOD_S = 300, KEY_FILE_BYTES = 64 * 1024, RECORDS = 4, KEY_BYTES = 4096, REPORTS = 5 };
enum { RECORD_TEXT = 1000 };

/* ---- DKIM ---- */

struct dkim {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	const char *domain, *name, *key_file; /* "SELECTOR._domainkey.DOMAIN" */
	bool has_key;
	struct mg_public_key key;
};

/* The file's text; 0, or what errno said. A pipe that never speaks must not hold us up. */
static int read_file(const char *path, struct mg_buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char piece[4096];
	ssize_t n;

	if (fd < 0)
		return errno;
	while (mg_buf_ok(text) && (n = read(fd, piece, sizeof piece)) > 0)
		mg_buf_add(text, mg_str_of(piece, (size_t)n));
	mg_fd_close(&fd);
	explicit_bzero(piece, sizeof piece);
	return 0;
}

static void say_unread(struct dkim *dkim, int why)
{
	mg_finding_is(dkim->finding, MG_STATE_UNKNOWN,
		N_("the private key %1 can't be compared with the published one"), dkim->key_file, NULL);
	if (why == EACCES || why == EPERM)
		mg_finding_cause(dkim->finding,
			N_("needs root: the signer's private key can't be read by others, and should not be"), NULL);
	else if (why == ENOENT)
		mg_finding_cause(dkim->finding, N_("there is no such file"), NULL);
	else
		mg_finding_cause(dkim->finding, N_("it holds no private key in PEM form without a passphrase"), NULL);
	mg_finding_fix(dkim->finding,
		N_("openssl pkey -in %1 -noout -text; health.dkim in mailguard.conf names the file"), dkim->key_file,
		NULL);
}

static void read_key(struct dkim *dkim)
{
	struct mg_buf pem;
	int why;

	if (dkim->key_file[0] == '\0') {
		mg_finding_evidence(dkim->finding, "%s: no key_file to compare with", dkim->name);
		return;
	}
	mg_buf_init(&pem, KEY_FILE_BYTES);
	why = read_file(dkim->key_file, &pem);
	dkim->has_key = pem.n > 0 && mg_public_key_of(mg_buf_str(&pem), &dkim->key);
	if (pem.n > 0)
		explicit_bzero(pem.p, pem.n);
	mg_buf_fini(&pem);
	if (dkim->has_key)
		mg_finding_evidence(dkim->finding, "%s: %s, %u bits", dkim->key_file,
			dkim->key.kind == MG_KEY_RSA ? "RSA" : "Ed25519", dkim->key.bits);
	else
		say_unread(dkim, why);
}

/* The record of our key. */
static void say_publish(struct dkim *dkim)
{
	struct mg_buf record;

	if (!dkim->has_key) {
		mg_finding_fix(dkim->finding,
			N_("publish the record that the signer wrote beside its key (SELECTOR.txt) at %1"), dkim->name,
			NULL);
		return;
	}
	mg_buf_init(&record, RECORD_TEXT);
	mg_buf_addf(&record, "v=DKIM1; k=%s; p=", dkim->key.kind == MG_KEY_RSA ? "rsa" : "ed25519");
	mg_base64_encode(&record, mg_str_of(dkim->key.bytes, dkim->key.n));
	mg_finding_fix(dkim->finding, N_("in the zone: %1. IN TXT %2"), dkim->name,
		mg_dns_txt(dkim->finding, mg_buf_str(&record)), NULL);
	mg_buf_fini(&record);
}

static void say_longer(struct dkim *dkim)
{
	mg_finding_fix(dkim->finding,
		N_("opendkim-genkey -b 2048 -d %1 -s NEW-SELECTOR, publish NEW-SELECTOR.txt, then let the signer use it"),
		dkim->domain, NULL);
}

static void say_bad(struct dkim *dkim, enum mg_check_state state, const char *summary, const char *cause)
{
	mg_finding_is(dkim->finding, state, summary, dkim->name, NULL);
	mg_finding_cause(dkim->finding, cause, NULL);
}

static bool lists_word(const struct mg_tag *tag, const char *word, const char *other)
{
	struct mg_str rest = tag->value, item;

	while (mg_read_colon_item(&rest, &item))
		if (mg_str_eq(item, mg_str_z(word)) || mg_str_eq(item, mg_str_z(other)))
			return true;
	return false;
}

static void judge_flags(struct dkim *dkim, const struct mg_tag_list *list)
{
	const struct mg_tag *t = mg_tag_list_find(list, "t"), *s = mg_tag_list_find(list, "s"),
			    *h = mg_tag_list_find(list, "h");

	if (s != NULL && !lists_word(s, "email", "*")) {
		say_bad(dkim, MG_STATE_CRIT, N_("the key %1 is not for mail"), N_("its record says so (s=)"));
		say_publish(dkim);
	}
	if (h != NULL && !lists_word(h, "sha256", "sha256")) {
		say_bad(dkim, MG_STATE_CRIT, N_("the key %1 forbids the hash that signatures use"),
			N_("its record does not name sha256 (h=)"));
		say_publish(dkim);
	}
	if (t != NULL && lists_word(t, "y", "y")) {
		say_bad(dkim, MG_STATE_WARN, N_("the key %1 is published as a test"),
			N_("with t=y others treat signed mail as if it were not signed"));
		say_publish(dkim);
	}
}

static void judge_bits(struct dkim *dkim, enum mg_verified verified, unsigned bits)
{
	switch (verified) {
	case MG_VERIFIED:
	case MG_NOT_VERIFIED:
		if (bits >= 2048 || bits == 256)
			return;
		say_bad(dkim, MG_STATE_WARN, N_("the key %1 is short"),
			N_("it has fewer than 2048 bits (RFC 8301 section 3.2)"));
		say_longer(dkim);
		break;
	case MG_KEY_TOO_SHORT:
		say_bad(dkim, MG_STATE_CRIT, N_("the key %1 is too short: nobody accepts it"),
			N_("it has fewer than 1024 bits (RFC 8301 section 3.2)"));
		say_longer(dkim);
		break;
	case MG_KEY_TOO_LONG:
		say_bad(dkim, MG_STATE_WARN, N_("the key %1 is too long for many verifiers"),
			N_("it has more than 4096 bits"));
		say_longer(dkim);
		break;
	case MG_KEY_MALFORMED:
		say_bad(dkim, MG_STATE_CRIT, N_("the key published at %1 can't be read"),
			N_("what p= holds is no public key of its kind: cut off, or copied with a mistake"));
		say_publish(dkim);
		break;
	case MG_CRYPTO_FAILED:
		break;
	}
}

/* One record that looks like a key. */
static void judge_key(struct dkim *dkim, const struct mg_tag_list *list)
{
	const struct mg_tag *k = mg_tag_list_find(list, "k"), *p = mg_tag_list_find(list, "p");
	bool is_ed25519 = k != NULL && mg_str_eq(k->value, MG_STR("ed25519"));
	enum mg_key_kind kind = is_ed25519 ? MG_KEY_ED25519 : MG_KEY_RSA;
	enum mg_verified verified = MG_KEY_MALFORMED;
	unsigned char bytes[KEY_BYTES];
	unsigned bits = 0;
	size_t n = 0;

	if (p->value.n == 0) {
		say_bad(dkim, MG_STATE_CRIT, N_("the key %1 is revoked"), N_("its record has an empty p="));
		say_publish(dkim);
		return;
	}
	if (mg_base64_decode(p->value, bytes, sizeof bytes, &n))
		verified = mg_public_key_read(kind, mg_str_of(bytes, n), &bits);
	mg_finding_evidence(
		dkim->finding, "%s: published, %s, %u bits", dkim->name, is_ed25519 ? "Ed25519" : "RSA", bits);
	if (dkim->has_key && verified != MG_KEY_MALFORMED &&
		(kind != dkim->key.kind || !mg_public_key_is(&dkim->key, kind, mg_str_of(bytes, n)))) {
		mg_finding_is(dkim->finding, MG_STATE_CRIT, N_("the key published at %1 is not the one that signs"),
			dkim->name, NULL);
		mg_finding_cause(dkim->finding,
			N_("it does not belong to the private key %1, so every signature fails"), dkim->key_file, NULL);
		say_publish(dkim);
	}
	judge_bits(dkim, verified, bits);
	judge_flags(dkim, list);
}

/* False: there is no p=, or the version is another. */
static bool read_record(struct mg_str text, struct mg_tag_list *list)
{
	const struct mg_tag *v;

	if (text.n > KEY_BYTES || !mg_tag_list_parse(text, list) || mg_tag_list_find(list, "p") == NULL)
		return false;
	v = mg_tag_list_find(list, "v");
	return v == NULL || (v == list->tags && mg_str_eq(v->value, MG_STR("DKIM1")));
}

static void judge_records(struct dkim *dkim, const struct mg_dns_answer *answer)
{
	struct mg_tag_list list;
	size_t keys = 0;

	for (size_t i = 0; i < answer->count && i < RECORDS; i++) {
		if (read_record(answer->records[i].text, &list)) {
			keys++;
			judge_key(dkim, &list);
		} else {
			mg_finding_evidence(dkim->finding, "%s: \"%s\"", dkim->name,
				mg_dns_shown(dkim->finding, answer->records[i].text));
		}
	}
	if (keys == 0) {
		say_bad(dkim, MG_STATE_CRIT, N_("the record at %1 is no DKIM key"),
			N_("it is not of the form \"v=DKIM1; k=rsa; p=...\""));
		say_publish(dkim);
	} else if (answer->count > 1) {
		say_bad(dkim, MG_STATE_WARN, N_("there is more than one record at %1"),
			N_("which of them counts is not defined (RFC 6376 section 3.6.2.2)"));
		say_publish(dkim);
	}
}

void mg_judge_dkim(const struct mg_check_env *env, const char *domain, const char *selector, const char *key_file,
	struct mg_finding *finding)
{
	struct dkim dkim = {
		.env = env, .finding = finding, .domain = domain, .key_file = key_file == NULL ? "" : key_file
	};
	const struct mg_dns_answer *answer;

	dkim.name = mg_dns_text(finding, "%s._domainkey.%s", selector, domain);
	answer = mg_check_ask(env, mg_str_z(dkim.name), MG_DNS_TXT);
	read_key(&dkim);
	if (mg_dns_is_silent(finding, dkim.name, MG_DNS_TXT, answer))
		return;
	if (answer->count > 0) {
		judge_records(&dkim, answer);
		return;
	}
	mg_finding_evidence(finding, "%s TXT: none", dkim.name);
	mg_finding_is(finding, MG_STATE_CRIT, N_("the DKIM key %1 is not published"), dkim.name, NULL);
	mg_finding_cause(
		finding, N_("mail is signed with a key that nobody can look up, so every signature fails"), NULL);
	say_publish(&dkim);
}

static void check_dkim(const struct mg_check_env *env, struct mg_finding *finding)
{
	const struct mg_dkim_row *rows = env->conf->health.dkim;
	size_t count = env->conf->health.dkim_count;

	finding->manual = "dig SELECTOR._domainkey.DOMAIN TXT";
	if (count == 0) {
		mg_finding_not_applicable(
			finding, N_("not applicable: health.dkim names no key that signs this server's mail"));
		return;
	}
	finding->manual = mg_dns_text(finding, "dig %s._domainkey.%s TXT; openssl pkey -in %s -pubout",
		rows[0].selector, rows[0].domain,
		rows[0].key_file == NULL || rows[0].key_file[0] == '\0' ? "KEY" : rows[0].key_file);
	for (size_t i = 0; i < count && i < MG_OWN_DOMAINS; i++)
		mg_lookup_get(env->dns,
			mg_str_z(mg_dns_text(finding, "%s._domainkey.%s", rows[i].selector, rows[i].domain)),
			MG_DNS_TXT);
	for (size_t i = 0; i < count && i < MG_OWN_DOMAINS; i++)
		mg_judge_dkim(env, rows[i].domain, rows[i].selector, rows[i].key_file, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("every DKIM key is published (%1)"),
		mg_finding_number(finding, (double)count, ""), NULL);
}

/* ---- DMARC ---- */

static const char *policy_name(const char *domain, struct mg_finding *finding)
{
	return mg_dns_text(finding, "_dmarc.%s", domain);
}

static void say_fresh_dmarc(struct mg_finding *finding, const char *domain)
{
	mg_finding_fix(finding, N_("in the zone: %1. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@%2\""),
		policy_name(domain, finding), domain, NULL);
}

static void say_missing(
	struct mg_finding *finding, const char *domain, const struct mg_dns_answer *answer, bool is_applying)
{
	const char *name = policy_name(domain, finding);
	struct mg_str text;

	for (size_t i = 0; i < answer->count && i < RECORDS; i++)
		mg_finding_evidence(finding, "%s TXT \"%s\"", name, mg_dns_shown(finding, answer->records[i].text));
	if (mg_dns_versioned(answer, "v=DMARC1", &text) > 1) {
		mg_finding_is(
			finding, MG_STATE_CRIT, N_("%1 has more than one DMARC record, so none counts"), domain, NULL);
		mg_finding_cause(finding, N_("exactly one may stand at %1 (RFC 9989 section 4.10)"), name, NULL);
	} else if (answer->count > 0 || is_applying) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("the DMARC record of %1 can't be used"), domain, NULL);
		mg_finding_cause(finding,
			N_("it must begin with \"v=DMARC1;\" and have p=none, p=quarantine or p=reject"), NULL);
	} else {
		mg_finding_evidence(finding, "%s TXT: none", name);
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 has no DMARC record"), domain, NULL);
		mg_finding_cause(finding,
			N_("without one Gmail, Yahoo and Microsoft refuse bulk mail, and anybody may forge the domain"),
			NULL);
	}
	say_fresh_dmarc(finding, domain);
}

/* The value of rua=, as it stands. */
static struct mg_str rua_of(struct mg_str record)
{
	while (record.n > 0) {
		struct mg_str value = mg_str_cut(&record, ';'), name = mg_str_trim(mg_str_cut(&value, '='));

		if (mg_str_eq_nocase(name, MG_STR("rua")))
			return mg_str_trim(value);
	}
	return MG_STR("");
}

/* Reports that go elsewhere need a word of that domain (RFC 9990 section 4). */
static void judge_report(const struct mg_check_env *env, struct mg_finding *finding, const char *policy_domain,
	struct mg_str org, struct mg_str uri)
{
	char host[MG_DOMAIN_TEXT];
	const struct mg_dns_answer *answer;
	const char *name;
	struct mg_str text;
	size_t at = mg_str_rfind(uri, '@');

	if (!mg_str_starts_nocase(uri, MG_STR("mailto:")) || at == SIZE_MAX)
		return;
	text = mg_str_from(uri, at + 1);
	if (!mg_domain_ascii(mg_str_trim(mg_str_cut(&text, '!')), host) || mg_domain_is_within(mg_str_z(host), org))
		return;
	name = mg_dns_text(finding, "%s._report._dmarc.%s", policy_domain, host);
	answer = mg_check_ask(env, mg_str_z(name), MG_DNS_TXT);
	if (answer->status == MG_DNS_TROUBLE) {
		mg_finding_evidence(finding, "%s TXT: %s", name, mg_dns_trouble_name(answer->trouble));
		return;
	}
	if (mg_dns_versioned(answer, "v=DMARC1", &text) > 0)
		return;
	mg_finding_evidence(finding, "%s TXT: none", name);
	mg_finding_is(finding, MG_STATE_WARN, N_("DMARC reports of %1 go to %2, which has not agreed to take them"),
		policy_domain, host, NULL);
	mg_finding_cause(finding, N_("reporters look for its consent, find none, and send nothing there"), NULL);
	mg_finding_fix(finding, N_("in the zone of %1: %2. IN TXT \"v=DMARC1\""), host, name, NULL);
}

static void judge_reports(const struct mg_check_env *env, struct mg_finding *finding, const char *domain,
	const char *policy_domain, struct mg_str org, struct mg_str record, bool has_rua)
{
	struct mg_str rua = rua_of(record);
	struct mg_buf more;

	for (size_t i = 0; rua.n > 0 && i < REPORTS; i++)
		judge_report(env, finding, policy_domain, org, mg_str_trim(mg_str_cut(&rua, ',')));
	if (has_rua)
		return;
	mg_finding_is(finding, MG_STATE_WARN, N_("nobody hears who sends in the name of %1"), domain, NULL);
	mg_finding_cause(finding, N_("its DMARC record has no rua= that could be used: no reports come"), NULL);
	mg_buf_init(&more, RECORD_TEXT);
	record = mg_str_trim(record);
	while (record.n > 0) {
		struct mg_str tag = mg_str_trim(mg_str_cut(&record, ';'));

		if (tag.n > 0 && !mg_str_starts_nocase(tag, MG_STR("rua")))
			mg_buf_add(&more, tag), mg_buf_addz(&more, "; ");
	}
	mg_buf_addf(&more, "rua=mailto:postmaster@%s", policy_domain);
	mg_finding_fix(finding, N_("in the zone: %1. IN TXT %2"), policy_name(policy_domain, finding),
		mg_dns_txt(finding, mg_buf_str(&more)), NULL);
	mg_buf_fini(&more);
}

/* The level whose record counts for the domain: its own, else the organizational domain's, else a public suffix's. */
static const struct mg_dmarc_level *applying(const struct mg_dmarc_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		const struct mg_dmarc_level *level = &walk->level[i];

		if (level->has_record && (i == 0 || mg_str_eq(level->domain, walk->org)))
			return level;
	}
	return NULL;
}

void mg_judge_dmarc(const struct mg_check_env *env, const char *domain, struct mg_finding *finding)
{
	const struct mg_dns_answer *own, *answer;
	const struct mg_dmarc_level *level;
	struct mg_dmarc_record record;
	struct mg_str text = MG_STR("");
	struct mg_dmarc_walk walk;
	const char *policy_domain;

	mg_dmarc_walk_prefetch(env->dns, mg_str_z(domain));
	while (mg_dmarc_walk(env->dns, mg_str_z(domain), &walk) == MG_STEP_WAIT)
		mg_check_wait(env);
	own = mg_check_ask(env, mg_str_z(policy_name(domain, finding)), MG_DNS_TXT);
	if (mg_dns_is_silent(finding, policy_name(domain, finding), MG_DNS_TXT, own))
		return;
	if ((level = applying(&walk)) == NULL && walk.is_broken) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("DNS gave no answer about %1"),
			policy_name(domain, finding), NULL);
		mg_finding_cause(
			finding, N_("the DMARC record may stand at a parent domain that gave no answer"), NULL);
		mg_finding_fix(finding, N_("mailguardctl check dns.resolver"), NULL);
		return;
	}
	if (level == NULL || mg_dns_versioned(own, "v=DMARC1", &text) > 1) {
		say_missing(finding, domain, own, false);
		return;
	}
	policy_domain = mg_dns_shown(finding, level->domain);
	answer = mg_check_ask(env, mg_str_z(policy_name(policy_domain, finding)), MG_DNS_TXT);
	mg_dns_versioned(answer, "v=DMARC1", &text);
	mg_finding_evidence(
		finding, "%s: %s TXT \"%s\"", domain, policy_name(policy_domain, finding), mg_dns_shown(finding, text));
	record = level->record;
	if (!mg_dmarc_record_mend(&record)) {
		say_missing(finding, policy_domain, answer, true);
		return;
	}
	if (level->record.p < MG_DMARC_NONE || level->record.sp == MG_DMARC_INVALID ||
		level->record.np == MG_DMARC_INVALID) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the DMARC record of %1 has a policy that nobody understands"),
			domain, NULL);
		mg_finding_cause(finding,
			N_("p=, sp= and np= are none, quarantine or reject; what is wrong counts as p=none"), NULL);
		say_fresh_dmarc(finding, policy_domain);
	}
	judge_reports(env, finding, domain, policy_domain, walk.org, text, record.has_rua);
}

static void check_dmarc(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_own own;

	finding->manual = "dig _dmarc.DOMAIN TXT";
	if (!mg_own_names(env, finding, &own))
		return;
	if (own.domain_count == 0) {
		mg_finding_not_applicable(finding, N_("not applicable: this server has no domain of its own"));
		return;
	}
	finding->manual = mg_dns_text(finding, "dig _dmarc.%s TXT", own.domains[0]);
	for (size_t i = 0; i < own.domain_count; i++)
		mg_dmarc_walk_prefetch(env->dns, mg_str_z(own.domains[i]));
	for (size_t i = 0; i < own.domain_count; i++)
		mg_judge_dmarc(env, own.domains[i], finding);
	mg_finding_is(finding, MG_STATE_OK, N_("every own domain has a DMARC record"), NULL);
}

const struct mg_check mg_checks_dns_auth[] = {
	{ "dns.dkim", N_("the keys that sign are published"), PERIOD_S, DEADLINE_MS, .run = check_dkim,
		.needs = "dns.resolver" },
	{ "dns.dmarc", N_("own domains have a DMARC record"), PERIOD_S, DEADLINE_MS, .run = check_dmarc,
		.needs = "dns.resolver" },
};
const size_t mg_checks_dns_auth_count = sizeof mg_checks_dns_auth / sizeof mg_checks_dns_auth[0];
