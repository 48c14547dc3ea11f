#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/ip.h"
#include "served/tls_chain.h"

enum { FILE_MAX = 1024 * 1024, KEYS_MAX = 16 };

struct mg_chain {
	size_t count;
	X509 *x509[MG_CHAIN_MAX];
	struct mg_cert_facts facts[MG_CHAIN_MAX];
};

/* ---- facts ---- */

static void copy_bio(BIO *bio, char *place, size_t size)
{
	char *text = NULL;
	long n = BIO_get_mem_data(bio, &text);

	(void)mg_str_copy(place, size, mg_str_of(text, n < 0 ? 0 : (size_t)n));
	mg_escape_in_place(place);
}

static void name_text(const X509_NAME *name, char *place, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());

	place[0] = '\0';
	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		copy_bio(bio, place, size);
	BIO_free(bio);
}

static void common_name(const X509 *x509, char *place, size_t size)
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	int last = -1;

	place[0] = '\0';
	for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
		last = at;
	if (last >= 0) {
		const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last));

		(void)mg_str_copy(
			place, size, mg_str_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)));
		mg_escape_in_place(place);
	}
}

static void add_name(struct mg_buf *out, const GENERAL_NAME *name)
{
	int kind = 0;
	const ASN1_STRING *text = GENERAL_NAME_get0_value(name, &kind);
	struct mg_str bytes;
	char address[MG_IP_TEXT];
	struct mg_ip ip;

	if (kind != GEN_DNS && kind != GEN_IPADD)
		return;
	bytes = mg_str_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
	if (kind == GEN_IPADD) {
		if (bytes.n != 4 && bytes.n != 16)
			return;
		ip = (struct mg_ip){ .family = bytes.n == 4 ? MG_IP_V4 : MG_IP_V6 };
		memcpy(ip.bytes, bytes.p, bytes.n);
		bytes = mg_str_z(mg_ip_text(&ip, address, sizeof address));
	}
	if (out->n > 0)
		mg_buf_addz(out, ", ");
	mg_buf_add(out, mg_str_first(bytes, MG_CERT_TEXT));
}

static void alternative_names(const X509 *x509, char *place, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	struct mg_buf out;

	mg_buf_init(&out, size);
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && mg_buf_ok(&out); i++)
		add_name(&out, sk_GENERAL_NAME_value(names, i));
	(void)mg_str_copy(place, size, mg_buf_str(&out));
	mg_escape_in_place(place);
	mg_buf_fini(&out);
	GENERAL_NAMES_free(names);
}

static int64_t epoch(const ASN1_TIME *time)
{
	ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (zero == NULL || !ASN1_TIME_diff(&days, &seconds, zero, time))
		days = seconds = 0;
	ASN1_TIME_free(zero);
	return (int64_t)days * 86400 + seconds;
}

static void key_facts(const X509 *x509, struct mg_cert_facts *facts)
{
	EVP_PKEY *key = X509_get0_pubkey(x509);
	const char *kind = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);

	(void)mg_str_copy(facts->key_kind, sizeof facts->key_kind, mg_str_z(kind == NULL ? "unknown" : kind));
	facts->key_bits = key == NULL ? 0 : (unsigned)EVP_PKEY_get_bits(key);
}

static void look(X509 *x509, struct mg_cert_facts *facts)
{
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &spki);

	name_text(X509_get_subject_name(x509), facts->subject, sizeof facts->subject);
	name_text(X509_get_issuer_name(x509), facts->issuer, sizeof facts->issuer);
	common_name(x509, facts->common_name, sizeof facts->common_name);
	alternative_names(x509, facts->names, sizeof facts->names);
	facts->not_before_s = epoch(X509_get0_notBefore(x509));
	facts->not_after_s = epoch(X509_get0_notAfter(x509));
	facts->is_self_signed = X509_self_signed(x509, 0) == 1;
	facts->is_ca = X509_check_ca(x509) > 0;
	(void)X509_digest(x509, EVP_sha256(), facts->sha256, NULL);
	if (n > 0)
		(void)EVP_Digest(spki, (size_t)n, facts->spki_sha256, NULL, EVP_sha256(), NULL);
	OPENSSL_free(spki);
	key_facts(x509, facts);
}

/* Takes a reference of its own. */
static void add(struct mg_chain *chain, X509 *x509)
{
	if (chain->count == MG_CHAIN_MAX || !X509_up_ref(x509))
		return;
	chain->x509[chain->count] = x509;
	look(x509, &chain->facts[chain->count++]);
}

struct mg_chain *mg_chain_of_stack(STACK_OF(X509) * certificates)
{
	struct mg_chain *chain = calloc(1, sizeof *chain);

	for (int i = 0; chain != NULL && i < sk_X509_num(certificates); i++)
		add(chain, sk_X509_value(certificates, i));
	if (chain != NULL && chain->count == 0)
		mg_chain_free(&chain);
	ERR_clear_error();
	return chain;
}

void mg_chain_free(struct mg_chain **chain)
{
	if (*chain == NULL)
		return;
	for (size_t i = 0; i < (*chain)->count; i++)
		X509_free((*chain)->x509[i]);
	free(*chain);
	*chain = NULL;
}

size_t mg_chain_count(const struct mg_chain *chain)
{
	return chain->count;
}

const struct mg_cert_facts *mg_chain_at(const struct mg_chain *chain, size_t i)
{
	return &chain->facts[i];
}

bool mg_chain_holds(const struct mg_chain *chain, const unsigned char sha256[MG_CERT_DIGEST])
{
	for (size_t i = 0; i < chain->count; i++)
		if (memcmp(chain->facts[i].sha256, sha256, MG_CERT_DIGEST) == 0)
			return true;
	return false;
}

/* ---- files ---- */

static enum mg_rc read_all(int fd, const char *path, struct mg_buf *out, struct mg_err *err)
{
	char block[16 * 1024];
	ssize_t n;

	while ((n = read(fd, block, sizeof block)) > 0 && mg_buf_ok(out))
		mg_buf_add(out, mg_str_of(block, (size_t)n));
	if (n < 0)
		return mg_err_sys(err, MG_EIO, errno, "%s can't be read", path);
	return mg_buf_ok(out) ? MG_OK
			      : mg_err_set(err, MG_ERANGE,
					"%s is larger than %d bytes: that is no PEM file of a server", path, FILE_MAX);
}

static enum mg_rc read_file(const char *path, struct mg_buf *out, struct mg_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	enum mg_rc rc;

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return mg_err_sys(err, MG_EPERM, errno, "%s can't be read", path);
	if (fd < 0)
		return mg_err_sys(
			err, errno == ENOENT || errno == ENOTDIR ? MG_ENOENT : MG_EIO, errno, "%s can't be read", path);
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		rc = mg_err_set(err, MG_ESYNTAX, "%s is no regular file", path);
	else
		rc = read_all(fd, path, out, err);
	mg_fd_close(&fd);
	return rc;
}

static int no_passphrase(char *place, int size, int is_writing, void *context)
{
	(void)place, (void)size, (void)is_writing;
	*(bool *)context = true;
	return -1;
}

/* What is wrong with text that holds no certificate. */
static enum mg_rc no_certificate(struct mg_str pem, const char *name, struct mg_err *err)
{
	if (mg_str_trim(pem).n == 0)
		return mg_err_set(err, MG_ESYNTAX, "%s is empty", name);
	if (pem.n > 2 && pem.p[0] == 0x30 && ((unsigned char)pem.p[1] & 0x80) != 0)
		return mg_err_set(err, MG_ESYNTAX, "%s is in DER form, and PEM is wanted", name);
	return mg_err_set(err, MG_ESYNTAX, "%s holds no certificate in PEM form", name);
}

enum mg_rc mg_chain_parse(struct mg_str pem, const char *name, struct mg_chain **chain_out, struct mg_err *err)
{
	struct mg_chain *chain = calloc(1, sizeof *chain);
	BIO *bio = pem.n > FILE_MAX ? NULL : BIO_new_mem_buf(pem.n == 0 ? "" : pem.p, (int)pem.n);
	bool is_locked = false;
	X509 *x509;

	if (chain == NULL || bio == NULL) {
		free(chain);
		BIO_free(bio);
		return mg_err_set(err, MG_ENOMEM, "no memory for %s", name);
	}
	while (chain->count < MG_CHAIN_MAX &&
		(x509 = PEM_read_bio_X509(bio, NULL, no_passphrase, &is_locked)) != NULL) {
		add(chain, x509);
		X509_free(x509);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (chain->count == 0) {
		mg_chain_free(&chain);
		return no_certificate(pem, name, err);
	}
	*chain_out = chain;
	return MG_OK;
}

enum mg_rc mg_chain_load(const char *path, struct mg_chain **chain_out, struct mg_err *err)
{
	struct mg_buf pem;
	enum mg_rc rc;

	mg_buf_init(&pem, FILE_MAX);
	rc = read_file(path, &pem, err);
	if (rc == MG_OK)
		rc = mg_chain_parse(mg_buf_str(&pem), path, chain_out, err);
	mg_buf_fini(&pem);
	return rc;
}

/* ---- judgements ---- */

bool mg_chain_covers(const struct mg_chain *chain, const char *host)
{
	struct mg_ip ip;
	bool does;

	if (mg_ip_parse(mg_str_z(host), &ip))
		does = X509_check_ip_asc(chain->x509[0], host, 0) == 1;
	else
		does = X509_check_host(
			       chain->x509[0], host, strlen(host), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	ERR_clear_error();
	return does;
}

/* The time of the server's own certificate is another check's. */
static int without_own_time(int is_ok, X509_STORE_CTX *context)
{
	int error = X509_STORE_CTX_get_error(context);

	if (!is_ok && X509_STORE_CTX_get_error_depth(context) == 0 &&
		(error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)) {
		X509_STORE_CTX_set_error(context, X509_V_OK);
		return 1;
	}
	return is_ok;
}

static enum mg_chain_state trust_of(int error)
{
	switch (error) {
	case X509_V_OK:
		return MG_CHAIN_TRUSTED;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return MG_CHAIN_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return MG_CHAIN_INCOMPLETE;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return MG_CHAIN_PRIVATE_CA;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return MG_CHAIN_EXPIRED;
	default:
		return MG_CHAIN_BROKEN;
	}
}

static int verify(const struct mg_chain *chain, X509_STORE *store, STACK_OF(X509) * others)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int error = X509_V_ERR_OUT_OF_MEM;

	if (context != NULL && X509_STORE_CTX_init(context, store, chain->x509[0], others) == 1) {
		(void)X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
		X509_STORE_CTX_set_verify_cb(context, without_own_time);
		error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
		if (error == X509_V_OK && X509_STORE_CTX_get_error(context) != X509_V_OK)
			error = X509_STORE_CTX_get_error(context);
	}
	X509_STORE_CTX_free(context);
	return error;
}

enum mg_chain_state mg_chain_trust(const struct mg_chain *chain, char *place, size_t size)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	int error = X509_V_ERR_OUT_OF_MEM;

	if (store != NULL && others != NULL && X509_STORE_set_default_paths(store) == 1) {
		for (size_t i = 1; i < chain->count; i++)
			(void)sk_X509_push(others, chain->x509[i]);
		error = verify(chain, store, others);
	}
	sk_X509_free(others);
	X509_STORE_free(store);
	ERR_clear_error();
	(void)mg_str_copy(place, size, mg_str_z(X509_verify_cert_error_string(error)));
	return trust_of(error);
}

static bool is_key_of(const struct mg_chain *chain, EVP_PKEY *key)
{
	for (size_t i = 0; i < chain->count; i++)
		if ((i == 0 || !chain->facts[i].is_ca) && X509_check_private_key(chain->x509[i], key) == 1)
			return true;
	return false;
}

static enum mg_key_fit fit_of(const struct mg_chain *chain, struct mg_str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.n == 0 ? "" : pem.p, (int)pem.n);
	enum mg_key_fit fit = MG_KEY_NONE;
	bool is_locked = false;
	EVP_PKEY *key = NULL;

	for (int i = 0; bio != NULL && i < KEYS_MAX && fit != MG_KEY_FITS; i++) {
		if ((key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &is_locked)) == NULL)
			break;
		fit = is_key_of(chain, key) ? MG_KEY_FITS : MG_KEY_FITS_NOT;
		EVP_PKEY_free(key);
	}
	BIO_free(bio);
	ERR_clear_error();
	return fit == MG_KEY_NONE && is_locked ? MG_KEY_LOCKED : fit;
}

enum mg_key_fit mg_chain_fit(const struct mg_chain *chain, const char *key_path, enum mg_rc *rc_out, struct mg_err *err)
{
	enum mg_key_fit fit = MG_KEY_UNREADABLE;
	struct mg_buf pem;

	mg_buf_init(&pem, FILE_MAX);
	*rc_out = read_file(key_path, &pem, err);
	if (*rc_out == MG_OK)
		fit = fit_of(chain, mg_buf_str(&pem));
	if (pem.p != NULL)
		OPENSSL_cleanse(pem.p, pem.n);
	mg_buf_fini(&pem);
	return fit;
}
