#include "rows.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>

#include "auth/crypto.h"

static EVP_PKEY *rsa, *ed25519;
static unsigned char digest[MG_SHA256_BYTES];

struct bytes {
	unsigned char p[2048];
	size_t n;
};

static struct mg_str str(const struct bytes *bytes)
{
	return mg_str_of(bytes->p, bytes->n);
}

static void sign(EVP_PKEY *key, struct bytes *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;

	out->n = sizeof out->p;
	assert_int_equal(EVP_DigestSignInit(context, NULL, is_rsa ? EVP_sha256() : NULL, NULL, key), 1);
	/* RSA signs the text, whose digest is verified; Ed25519 the digest itself */
	assert_int_equal(EVP_DigestSign(context, out->p, &out->n, is_rsa ? (const unsigned char *)"text" : digest,
				 is_rsa ? 4 : sizeof digest),
		1);
	EVP_MD_CTX_free(context);
}

static void publish(EVP_PKEY *key, bool is_bare, struct bytes *out)
{
	unsigned char *at = out->p;

	out->n = sizeof out->p;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		EVP_PKEY_get_raw_public_key(key, out->p, &out->n);
	else
		out->n = (size_t)(is_bare ? i2d_PublicKey(key, &at) : i2d_PUBKEY(key, &at));
}

static EVP_PKEY *rsa_of(unsigned bits, const char *e_hex)
{
	BIGNUM *n = BN_new(), *e = NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	BN_hex2bn(&e, e_hex);
	BN_rand(n, (int)bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_fromdata_init(context);
	EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	BN_free(e);
	return key;
}

static void a_hash_is_right_and_may_be_copied(void **state)
{
	struct mg_sha256 *hash = mg_sha256_new(), *copy = mg_sha256_new();
	unsigned char got[MG_SHA256_BYTES], wanted[MG_SHA256_BYTES];

	(void)state;
	for (int round = 0; round < 2; round++) {
		mg_sha256_add(hash, MG_STR("te"));
		mg_sha256_add(hash, MG_STR(""));
		assert_true(mg_sha256_copy(copy, hash));
		mg_sha256_add(hash, MG_STR("xt"));
		mg_sha256_end(hash, got);
		assert_memory_equal(got, digest, sizeof got);
		mg_sha256_end(copy, got);
		EVP_Digest("te", 2, wanted, NULL, EVP_sha256(), NULL);
		assert_memory_equal(got, wanted, sizeof got);
	}
	mg_sha256_end(hash, got);
	EVP_Digest("", 0, wanted, NULL, EVP_sha256(), NULL);
	assert_memory_equal(got, wanted, sizeof got);
	mg_sha256_free(&hash);
	mg_sha256_free(&copy);
	mg_sha256_free(&copy);
}

static void right_signatures_verify(void **state)
{
	struct bytes key, signature;
	unsigned bits;

	(void)state;
	for (int round = 0; round < 3; round++) {
		sign(rsa, &signature);
		for (int is_bare = 0; is_bare < 2; is_bare++) {
			publish(rsa, is_bare, &key);
			assert_int_equal(mg_verify(MG_KEY_RSA, str(&key), digest, str(&signature), &bits), MG_VERIFIED);
			assert_int_equal(bits, 1024);
		}
		sign(ed25519, &signature);
		publish(ed25519, false, &key);
		assert_int_equal(mg_verify(MG_KEY_ED25519, str(&key), digest, str(&signature), &bits), MG_VERIFIED);
		assert_int_equal(bits, 256);
	}
}

/* Every length, and every byte changed. */
static void others_do_not(void **state)
{
	EVP_PKEY *const keys[] = { rsa, ed25519 };
	struct bytes key, signature;
	unsigned bits;

	(void)state;
	for (int kind = MG_KEY_RSA; kind <= MG_KEY_ED25519; kind++) {
		size_t right;

		publish(keys[kind], false, &key);
		sign(keys[kind], &signature);
		right = signature.n;
		for (signature.n = 0; signature.n < 300; signature.n++)
			assert_int_equal(mg_verify((enum mg_key_kind)kind, str(&key), digest, str(&signature), &bits),
				signature.n == right ? MG_VERIFIED : MG_NOT_VERIFIED);
		signature.n = right;
		for (size_t i = 0; i < right; i++) {
			signature.p[i] ^= 1;
			assert_int_equal(mg_verify((enum mg_key_kind)kind, str(&key), digest, str(&signature), &bits),
				MG_NOT_VERIFIED);
			signature.p[i] ^= 1;
		}
	}
	assert_int_equal(ERR_peek_error(), 0);
}

struct size_row {
	const char *name;
	unsigned bits;
	const char *e;
	enum mg_verified verified;
};
static const struct size_row size_rows[] = {
	{ "512 bits", 512, "10001", MG_KEY_TOO_SHORT },
	{ "768 bits", 768, "10001", MG_KEY_TOO_SHORT },
	{ "1023 bits", 1023, "10001", MG_KEY_TOO_SHORT },
	{ "1024 bits", 1024, "10001", MG_NOT_VERIFIED },
	{ "2048 bits", 2048, "10001", MG_NOT_VERIFIED },
	{ "4096 bits", 4096, "10001", MG_NOT_VERIFIED },
	{ "4097 bits", 4097, "10001", MG_KEY_TOO_LONG },
	{ "8192 bits", 8192, "10001", MG_KEY_TOO_LONG },
	{ "e = 3", 1024, "3", MG_NOT_VERIFIED },
	{ "e = 1", 1024, "1", MG_KEY_MALFORMED },
	{ "e is even", 1024, "10000", MG_KEY_MALFORMED },
	{ "e = 2^32 - 1", 1024, "ffffffff", MG_NOT_VERIFIED },
	{ "e = 2^32 + 1", 1024, "100000001", MG_KEY_MALFORMED },
};

static void rsa_keys_have_bounds(void **state)
{
	const struct size_row *row = *state;
	EVP_PKEY *pkey = rsa_of(row->bits, row->e);
	struct bytes key, signature = { .n = row->bits / 8 };
	unsigned bits;

	assert_non_null(pkey);
	publish(pkey, false, &key);
	EVP_PKEY_free(pkey);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(mg_verify(MG_KEY_RSA, str(&key), digest, str(&signature), &bits), row->verified);
		assert_int_equal(bits, row->bits);
	}
	assert_int_equal(ERR_peek_error(), 0);
}

static void what_is_no_key_is_told(void **state)
{
	struct bytes key, ed, signature = { .n = 128 };
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	unsigned bits;

	(void)state;
	publish(rsa, false, &key);
	publish(ed25519, false, &ed);
	assert_int_equal(mg_verify(MG_KEY_ED25519, str(&key), digest, str(&signature), &bits), MG_KEY_MALFORMED);
	assert_int_equal(mg_verify(MG_KEY_RSA, str(&ed), digest, str(&signature), &bits), MG_KEY_MALFORMED);
	for (size_t n = 0; n < key.n; n++)
		assert_int_equal(
			mg_verify(MG_KEY_RSA, mg_str_of(key.p, n), digest, str(&signature), &bits), MG_KEY_MALFORMED);
	key.p[key.n++] = 0;
	assert_int_equal(mg_verify(MG_KEY_RSA, str(&key), digest, str(&signature), &bits), MG_KEY_MALFORMED);
	publish(ec, false, &key);
	assert_int_equal(mg_verify(MG_KEY_RSA, str(&key), digest, str(&signature), &bits), MG_KEY_MALFORMED);
	EVP_PKEY_free(ec);
	assert_int_equal(ERR_peek_error(), 0);
}

/* More keys than are kept, from several threads. */
static void *verify_many(void *context)
{
	struct bytes right, key, signature, ed;
	unsigned bits;
	size_t *wrong = context;

	publish(rsa, false, &right);
	sign(rsa, &signature);
	publish(ed25519, false, &ed);
	for (unsigned i = 0; i < 3 * MG_CRYPTO_KEYS; i++) {
		key = ed;
		memcpy(key.p, &i, sizeof i);
		*wrong +=
			mg_verify(MG_KEY_ED25519, str(&key), digest, mg_str_of(signature.p, 64), &bits) == MG_VERIFIED;
		if (i % 8 == 0)
			*wrong += mg_verify(MG_KEY_RSA, str(&right), digest, str(&signature), &bits) != MG_VERIFIED;
	}
	return NULL;
}

static void threads_share_the_keys(void **state)
{
	pthread_t threads[4];
	size_t wrong[ROWS(threads)] = { 0 };

	(void)state;
	for (size_t i = 0; i < ROWS(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &wrong[i]), 0);
	for (size_t i = 0; i < ROWS(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(wrong[i], 0);
	}
}

int main(void)
{
	static struct CMUnitTest tests[32];
	size_t n = 0;
	int failed;

	EVP_Digest("text", 4, digest, NULL, EVP_sha256(), NULL);
	rsa = EVP_RSA_gen(1024);
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ADD_ROWS(tests, n, size_rows, rsa_keys_have_bounds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_hash_is_right_and_may_be_copied);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(right_signatures_verify);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(others_do_not);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_no_key_is_told);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(threads_share_the_keys);
	failed = _cmocka_run_group_tests("crypto", tests, n, NULL, NULL);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed25519);
	mg_crypto_fini();
	return failed;
}
