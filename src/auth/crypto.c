/* OpenSSL's algorithms are fetched once; keys are parsed once and kept in a table of small sets, each with the context that
 * verified last, so that a warm verification allocates nothing for RSA. */
#include "auth/crypto.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"

static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* ---- SHA-256 ---- */

struct mg_sha256 {
	EVP_MD_CTX *context;
	bool is_begun, is_broken;
};

struct mg_sha256 *mg_sha256_new(void)
{
	struct mg_sha256 *hash = calloc(1, sizeof *hash);

	pthread_once(&once, fetch);
	if (hash != NULL && (sha256 == NULL || (hash->context = EVP_MD_CTX_new()) == NULL))
		mg_sha256_free(&hash);
	return hash;
}

static void begin(struct mg_sha256 *hash)
{
	if (!hash->is_begun)
		hash->is_broken = EVP_DigestInit_ex2(hash->context, sha256, NULL) != 1;
	hash->is_begun = true;
}

void mg_sha256_add(struct mg_sha256 *hash, struct mg_str bytes)
{
	begin(hash);
	if (bytes.n > 0 && !hash->is_broken)
		hash->is_broken = EVP_DigestUpdate(hash->context, bytes.p, bytes.n) != 1;
}

/* A hash that could not be made is all zeros: no signature is right for it. */
void mg_sha256_end(struct mg_sha256 *hash, unsigned char digest_out[MG_SHA256_BYTES])
{
	begin(hash);
	if (hash->is_broken || EVP_DigestFinal_ex(hash->context, digest_out, NULL) != 1) {
		memset(digest_out, 0, MG_SHA256_BYTES);
		ERR_clear_error();
	}
	hash->is_begun = false;
}

bool mg_sha256_copy(struct mg_sha256 *hash, const struct mg_sha256 *from)
{
	hash->is_begun = from->is_begun;
	hash->is_broken = from->is_broken;
	if (!from->is_begun || EVP_MD_CTX_copy_ex(hash->context, from->context) == 1)
		return true;
	ERR_clear_error();
	return false;
}

void mg_sha256_free(struct mg_sha256 **hash)
{
	if (*hash == NULL)
		return;
	EVP_MD_CTX_free((*hash)->context);
	free(*hash);
	*hash = NULL;
}

bool mg_digest_eq(const unsigned char *a, const unsigned char *b, size_t bytes)
{
	return CRYPTO_memcmp(a, b, bytes) == 0;
}

/* ---- keys ---- */

/* One parsed key. Refused keys are never kept, so a kept one may verify. */
struct key {
	_Atomic unsigned refs;
	enum mg_key_kind kind;
	EVP_PKEY *pkey;
	_Atomic(EVP_PKEY_CTX *) idle; /* RSA: ready to verify, or NULL while somebody uses it */
	unsigned bits;
	size_t n;
	char bytes[]; /* as published */
};

static void unref_key(struct key *key)
{
	if (key == NULL || atomic_fetch_sub(&key->refs, 1) != 1)
		return;
	EVP_PKEY_CTX_free(atomic_load(&key->idle));
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* Section 3.6.1 of RFC 6376 tells of RSAPublicKey, its example and everybody of SubjectPublicKeyInfo: both are read. */
static EVP_PKEY *parse_rsa(struct mg_str bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.p, *end = at + bytes.n;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)bytes.n);

	if (pkey == NULL) {
		at = (const unsigned char *)bytes.p;
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)bytes.n);
	}
	if (pkey != NULL && (at != end || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

static EVP_PKEY *parse(enum mg_key_kind kind, struct mg_str bytes)
{
	if (kind == MG_KEY_RSA)
		return parse_rsa(bytes);
	return bytes.n == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.p, 32)
			     : NULL;
}

/* An exponent that is odd, over 1 and at most 2^32, and an odd modulus. */
static bool is_sane_rsa(EVP_PKEY *pkey)
{
	BIGNUM *e = NULL, *n = NULL;
	bool is_sane = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
		       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 && BN_is_odd(e) && !BN_is_one(e) &&
		       BN_num_bits(e) <= 32 && BN_is_odd(n);

	BN_free(e);
	BN_free(n);
	return is_sane;
}

static enum mg_verified judge(enum mg_key_kind kind, EVP_PKEY *pkey, unsigned *bits_out)
{
	*bits_out = kind == MG_KEY_RSA ? (unsigned)EVP_PKEY_get_bits(pkey) : 256;
	if (kind == MG_KEY_ED25519)
		return MG_VERIFIED;
	if (*bits_out < MG_RSA_BITS_MIN)
		return MG_KEY_TOO_SHORT;
	if (*bits_out > MG_RSA_BITS_MAX)
		return MG_KEY_TOO_LONG;
	return is_sane_rsa(pkey) ? MG_VERIFIED : MG_KEY_MALFORMED;
}

/* MG_VERIFIED: *key_out has one reference. */
static enum mg_verified make_key(enum mg_key_kind kind, struct mg_str bytes, struct key **key_out, unsigned *bits_out)
{
	EVP_PKEY *pkey = parse(kind, bytes);
	enum mg_verified verified = pkey == NULL ? MG_KEY_MALFORMED : judge(kind, pkey, bits_out);
	struct key *key = verified == MG_VERIFIED ? calloc(1, sizeof *key + bytes.n) : NULL;

	if (key == NULL) {
		EVP_PKEY_free(pkey);
		return verified == MG_VERIFIED ? MG_CRYPTO_FAILED : verified;
	}
	atomic_init(&key->refs, 1);
	key->kind = kind;
	key->pkey = pkey;
	key->bits = *bits_out;
	key->n = bytes.n;
	memcpy(key->bytes, bytes.p, bytes.n);
	*key_out = key;
	return MG_VERIFIED;
}

/* ---- the table of keys ---- */

enum { WAYS = 8, SETS = MG_CRYPTO_KEYS / WAYS, KEY_BYTES_MAX = 4096 };

static struct {
	pthread_mutex_t lock; /* guards all */
	struct slot {
		struct key *key;
		uint64_t used; /* when last, by ticks */
	} slots[SETS][WAYS];
	uint64_t ticks;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct slot *set_of(enum mg_key_kind kind, struct mg_str bytes)
{
	return kept.slots[(mg_hash_keyed(bytes) + (uint64_t)kind) % SETS];
}

/* A new reference; NULL: not kept. */
static struct key *find_key(enum mg_key_kind kind, struct mg_str bytes)
{
	struct slot *set = set_of(kind, bytes);
	struct key *found = NULL;

	pthread_mutex_lock(&kept.lock);
	for (size_t i = 0; i < WAYS && found == NULL; i++) {
		struct key *key = set[i].key;

		if (key == NULL || key->kind != kind || !mg_str_eq(mg_str_of(key->bytes, key->n), bytes))
			continue;
		found = key;
		set[i].used = ++kept.ticks;
		atomic_fetch_add(&found->refs, 1);
	}
	pthread_mutex_unlock(&kept.lock);
	return found;
}

/* Keeps a reference of its own. Two threads may keep the same key: one of them is forgotten later. */
static void keep_key(struct key *key)
{
	struct slot *set = set_of(key->kind, mg_str_of(key->bytes, key->n)), *oldest = set;
	struct key *gone;

	atomic_fetch_add(&key->refs, 1);
	pthread_mutex_lock(&kept.lock);
	for (struct slot *slot = set; slot < set + WAYS; slot++)
		if (slot->used < oldest->used)
			oldest = slot;
	gone = oldest->key;
	*oldest = (struct slot){ key, ++kept.ticks };
	pthread_mutex_unlock(&kept.lock);
	unref_key(gone);
}

static enum mg_verified take_key(enum mg_key_kind kind, struct mg_str bytes, struct key **key_out, unsigned *bits_out)
{
	enum mg_verified verified;

	*bits_out = 0;
	if (bytes.n == 0 || bytes.n > KEY_BYTES_MAX)
		return MG_KEY_MALFORMED;
	if ((*key_out = find_key(kind, bytes)) != NULL) {
		*bits_out = (*key_out)->bits;
		return MG_VERIFIED;
	}
	if ((verified = make_key(kind, bytes, key_out, bits_out)) == MG_VERIFIED)
		keep_key(*key_out);
	return verified;
}

void mg_crypto_fini(void)
{
	for (size_t set = 0; set < SETS; set++)
		for (size_t way = 0; way < WAYS; way++) {
			unref_key(kept.slots[set][way].key);
			kept.slots[set][way] = (struct slot){ 0 };
		}
}

/* ---- verifying ---- */

static EVP_PKEY_CTX *ready_rsa(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

	pthread_once(&once, fetch);
	if (context != NULL && sha256 != NULL && EVP_PKEY_verify_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(context, sha256) == 1)
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

static enum mg_verified verify_rsa(
	struct key *key, const unsigned char digest[MG_SHA256_BYTES], struct mg_str signature)
{
	EVP_PKEY_CTX *context;
	bool is_right;

	if (signature.n != (size_t)EVP_PKEY_get_size(key->pkey))
		return MG_NOT_VERIFIED;
	context = atomic_exchange(&key->idle, NULL);
	if (context == NULL && (context = ready_rsa(key->pkey)) == NULL)
		return MG_CRYPTO_FAILED;
	is_right =
		EVP_PKEY_verify(context, (const unsigned char *)signature.p, signature.n, digest, MG_SHA256_BYTES) == 1;
	EVP_PKEY_CTX_free(atomic_exchange(&key->idle, context));
	return is_right ? MG_VERIFIED : MG_NOT_VERIFIED;
}

static enum mg_verified verify_ed25519(
	struct key *key, const unsigned char digest[MG_SHA256_BYTES], struct mg_str signature)
{
	EVP_MD_CTX *context;
	enum mg_verified verified = MG_CRYPTO_FAILED;

	if (signature.n != 64)
		return MG_NOT_VERIFIED;
	context = EVP_MD_CTX_new();
	if (context != NULL && EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1)
		verified =
			EVP_DigestVerify(context, (const unsigned char *)signature.p, 64, digest, MG_SHA256_BYTES) == 1
				? MG_VERIFIED
				: MG_NOT_VERIFIED;
	EVP_MD_CTX_free(context);
	return verified;
}

enum mg_verified mg_verify(enum mg_key_kind kind, struct mg_str key_bytes, const unsigned char digest[MG_SHA256_BYTES],
	struct mg_str signature, unsigned *bits_out)
{
	struct key *key = NULL;
	enum mg_verified verified = take_key(kind, key_bytes, &key, bits_out);

	if (verified == MG_VERIFIED)
		verified = kind == MG_KEY_RSA ? verify_rsa(key, digest, signature)
					      : verify_ed25519(key, digest, signature);
	unref_key(key);
	if (verified != MG_VERIFIED)
		ERR_clear_error();
	return verified;
}

/* ---- own keys and certificates ---- */

/* A key that wants a passphrase is none for us: nobody is asked. */
static int no_passphrase(char *place, int size, int is_writing, void *unused)
{
	(void)place, (void)size, (void)is_writing, (void)unused;
	return -1;
}

static bool write_public(EVP_PKEY *pkey, struct mg_public_key *key)
{
	unsigned char *at = key->bytes;
	int bytes;

	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519) {
		*key = (struct mg_public_key){ .kind = MG_KEY_ED25519, .bits = 256, .n = sizeof key->bytes };
		return EVP_PKEY_get_raw_public_key(pkey, key->bytes, &key->n) == 1;
	}
	*key = (struct mg_public_key){ .kind = MG_KEY_RSA, .bits = (unsigned)EVP_PKEY_get_bits(pkey) };
	bytes = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? i2d_PUBKEY(pkey, NULL) : 0;
	if (bytes <= 0 || (size_t)bytes > sizeof key->bytes)
		return false;
	key->n = (size_t)i2d_PUBKEY(pkey, &at);
	return true;
}

bool mg_public_key_of(struct mg_str pem, struct mg_public_key *key_out)
{
	BIO *bio = pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	bool ok = pkey != NULL && write_public(pkey, key_out);

	EVP_PKEY_free(pkey);
	BIO_free(bio);
	ERR_clear_error();
	return ok;
}

enum mg_verified mg_public_key_read(enum mg_key_kind kind, struct mg_str bytes, unsigned *bits_out)
{
	struct key *key = NULL;
	enum mg_verified verified = take_key(kind, bytes, &key, bits_out);

	unref_key(key);
	ERR_clear_error();
	return verified;
}

bool mg_public_key_is(const struct mg_public_key *key, enum mg_key_kind kind, struct mg_str bytes)
{
	EVP_PKEY *ours = parse(key->kind, mg_str_of(key->bytes, key->n));
	EVP_PKEY *theirs = bytes.n == 0 ? NULL : parse(kind, bytes);
	bool is_same = ours != NULL && theirs != NULL && EVP_PKEY_eq(ours, theirs) == 1;

	EVP_PKEY_free(ours);
	EVP_PKEY_free(theirs);
	ERR_clear_error();
	return is_same;
}

/* A new reference; NULL: there are not so many. */
static X509 *certificate_at(struct mg_str pem, size_t at)
{
	BIO *bio = pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *found = NULL;

	for (size_t i = 0; bio != NULL && i <= at && i < MG_PEM_CERTIFICATES; i++) {
		X509_free(found);
		if ((found = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) == NULL)
			break;
	}
	BIO_free(bio);
	return at < MG_PEM_CERTIFICATES ? found : NULL;
}

/* DER of the whole or of its SubjectPublicKeyInfo; OPENSSL_free() it. */
static int selected_bytes(X509 *certificate, unsigned selector, unsigned char **der_out)
{
	if (selector == 0)
		return i2d_X509(certificate, der_out);
	return selector == 1 ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), der_out) : -1;
}

static bool match_bytes(
	const unsigned char *der, size_t bytes, unsigned matching, unsigned char *place, size_t *bytes_out)
{
	unsigned digest_bytes = 0;

	if (matching == 0 && bytes <= MG_CERTIFICATE_BYTES) {
		memcpy(place, der, bytes);
		*bytes_out = bytes;
		return true;
	}
	if ((matching != 1 && matching != 2) ||
		EVP_Digest(der, bytes, place, &digest_bytes, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) != 1)
		return false;
	*bytes_out = digest_bytes;
	return true;
}

bool mg_certificate_match(
	struct mg_str pem, size_t at, unsigned selector, unsigned matching, unsigned char *place, size_t *bytes_out)
{
	X509 *certificate = certificate_at(pem, at);
	unsigned char *der = NULL;
	int bytes = certificate == NULL ? -1 : selected_bytes(certificate, selector, &der);
	bool ok = bytes > 0 && match_bytes(der, (size_t)bytes, matching, place, bytes_out);

	OPENSSL_free(der);
	X509_free(certificate);
	ERR_clear_error();
	return ok;
}
