/* tls.key - the private keys: who may read them, and do they belong to their certificates? */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/i18n.h"
#include "health/tls_checks.h"

static void needs_root(struct mg_finding *finding, const char *path)
{
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the key %1 can't be looked at"), path, NULL);
	mg_finding_cause(finding, N_("needs root"), NULL);
	mg_finding_fix(finding, N_("run as root: mailguardctl check tls.key"), NULL);
}

static void judge_owner(struct mg_finding *finding, const char *path, const struct stat *info)
{
	struct passwd entry, *found = NULL;
	char space[2048];

	if (info->st_uid == 0)
		return;
	if (getpwuid_r(info->st_uid, &entry, space, sizeof space, &found) != 0)
		found = NULL;
	mg_finding_is(finding, MG_STATE_WARN, N_("the key %1 belongs to %2"), path,
		found != NULL ? found->pw_name : mg_finding_number(finding, info->st_uid, ""), NULL);
	mg_finding_cause(
		finding, N_("this account can read and replace it; the servers read their keys as root"), NULL);
	mg_finding_fix(finding, "chown root:root %1", path, NULL);
}

/* False: it is not there, or not for us to see. */
static bool judge_mode(struct mg_finding *finding, const char *path)
{
	struct stat info;

	if (stat(path, &info) != 0) {
		if (errno == EACCES)
			needs_root(finding, path);
		return errno != EACCES; /* what is missing is said by whoever reads it */
	}
	mg_finding_evidence(finding, "%s: mode %04o, uid %u, gid %u", path, (unsigned)info.st_mode & 07777,
		(unsigned)info.st_uid, (unsigned)info.st_gid);
	if ((info.st_mode & 07) != 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("everybody on this machine can reach the key %1"), path, NULL);
		mg_finding_cause(
			finding, N_("whoever reads it can pass for this server and read its connections"), NULL);
		mg_finding_fix(finding, "chmod 600 %1", path, NULL);
	} else if ((info.st_mode & 070) != 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("a group can reach the key %1"), path, NULL);
		mg_finding_cause(
			finding, N_("whoever reads it can pass for this server and read its connections"), NULL);
		mg_finding_fix(finding, "chmod 600 %1", path, NULL);
	}
	judge_owner(finding, path, &info);
	return true;
}

static void does_not_fit(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_pair *pair)
{
	char reload[700];

	mg_finding_is(finding, MG_STATE_CRIT, N_("the key %1 does not belong to the certificate %2"), pair->key[0],
		pair->certificate, NULL);
	mg_finding_cause(finding,
		N_("one of the two files was replaced without the other; the server can't use them, and TLS fails"),
		NULL);
	mg_finding_fix(finding,
		N_("put the key of this certificate into %1, then: %2; compare: openssl x509 -in %3 -noout -pubkey; openssl pkey -in %1 -pubout"),
		pair->key[0], mg_tls_reload(env, pair->is_dovecots, reload, sizeof reload), pair->certificate, NULL);
}

static void unusable(struct mg_finding *finding, const char *path, enum mg_rc rc, const char *trouble)
{
	if (rc == MG_EPERM) {
		needs_root(finding, path);
		return;
	}
	mg_finding_evidence(finding, "%s", trouble);
	mg_finding_is(finding, MG_STATE_CRIT, N_("the server can't load %1"), path, NULL);
	mg_finding_cause(finding, "%1", trouble, NULL);
	mg_finding_fix(finding,
		N_("put the right file there, or name the right one: ls -lL %1; postconf -n | grep smtpd_tls_; doveconf -n ssl_cert ssl_key"),
		path, NULL);
}

static void judge_fit(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_tls_pair *pair)
{
	enum mg_key_fit best = MG_KEY_UNREADABLE, fit;
	struct mg_err err = { "" }, first = { "" };
	enum mg_rc rc = MG_OK, first_rc = MG_OK;

	for (size_t i = 0; i < pair->key_count; i++) {
		fit = mg_chain_fit(pair->chain, pair->key[i], &rc, &err);
		if (fit == MG_KEY_UNREADABLE && first_rc == MG_OK) {
			first_rc = rc;
			first = err;
		}
		if (fit < best)
			best = fit;
	}
	mg_finding_evidence(finding, "%s: %s %u bits, %s", pair->certificate, mg_chain_at(pair->chain, 0)->key_kind,
		mg_chain_at(pair->chain, 0)->key_bits, best == MG_KEY_FITS ? "the key fits" : "no fitting key");
	switch (best) {
	case MG_KEY_FITS:
		break;
	case MG_KEY_FITS_NOT:
		does_not_fit(env, finding, pair);
		break;
	case MG_KEY_NONE:
		mg_finding_is(finding, MG_STATE_CRIT, N_("%1 holds no private key in PEM form"), pair->key[0], NULL);
		mg_finding_cause(
			finding, N_("the file is empty, damaged or something else; TLS fails without the key"), NULL);
		mg_finding_fix(
			finding, N_("look at it: head -n 1 %1; openssl pkey -in %1 -noout -check"), pair->key[0], NULL);
		break;
	case MG_KEY_LOCKED:
		mg_finding_is(finding, MG_STATE_CRIT, N_("the key %1 is locked with a passphrase"), pair->key[0], NULL);
		mg_finding_cause(finding, N_("a server has nobody who could type it, so it can't load the key"), NULL);
		mg_finding_fix(
			finding, "umask 077; openssl pkey -in %1 -out %1.open && mv %1.open %1", pair->key[0], NULL);
		break;
	case MG_KEY_UNREADABLE:
		unusable(finding, pair->key[0], first_rc, first.text);
		break;
	}
}

void mg_tls_check_key(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_tls_look *look = mg_tls_look(env, finding);

	finding->manual = "ls -lL $(postconf -h smtpd_tls_key_file); openssl pkey -in KEY -pubout; "
			  "openssl x509 -in CERTIFICATE -noout -pubkey";
	if (look == NULL)
		return;
	if (look->pair_count == 0 && look->dovecot_trouble[0] == '\0' && look->postfix != NULL) {
		mg_finding_not_applicable(finding, N_("not applicable: no certificate is configured"));
		return;
	}
	for (size_t i = 0; i < look->pair_count; i++) {
		const struct mg_tls_pair *pair = &look->pair[i];
		bool may = true;

		for (size_t n = 0; n < pair->key_count; n++)
			may = judge_mode(finding, pair->key[n]) && may;
		if (pair->chain == NULL)
			unusable(finding, pair->certificate, pair->rc, pair->trouble);
		else if (may)
			judge_fit(env, finding, pair);
	}
	if (look->dovecot_trouble[0] != '\0') {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", look->dovecot_trouble, NULL);
		mg_finding_fix(finding, N_("see what it complains of: doveconf -n"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("every key is its certificate's, and root alone can read it"), NULL);
}
