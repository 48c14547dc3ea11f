/* The floor of sender authentication: the cryptography that the message of sign_messages needs, and nothing else. One
 * RSA-2048 and one Ed25519 verification with keys parsed before, and SHA-256 over the body and both signed headers.
 *
 *   bare_crypto MESSAGES BODY-BYTES
 *
 * Prints one JSON object: CPU in microseconds per message, in all and of each kind. */
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/str.h"
#include "measure.h"

enum { HEADER = 640, DIGEST = 32, SIGNATURE_MAX = 512, SIGNATURES = 32 };

/* A key and its signatures of several digests: what one costs depends on its bits. */
struct proof {
	EVP_PKEY *key;
	unsigned char signature[SIGNATURES][SIGNATURE_MAX];
	size_t length;
};

static unsigned char digests[SIGNATURES][DIGEST];
static double rsa_us, ed25519_us, hash_us;

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void sign_rsa(struct proof *proof, size_t n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(proof->key, NULL);

	proof->length = SIGNATURE_MAX;
	if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 || EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1 ||
		EVP_PKEY_sign(ctx, proof->signature[n], &proof->length, digests[n], DIGEST) != 1)
		fail("bare_crypto: can't sign");
	EVP_PKEY_CTX_free(ctx);
}

static void sign_ed25519(struct proof *proof, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	proof->length = SIGNATURE_MAX;
	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, proof->key) != 1 ||
		EVP_DigestSign(ctx, proof->signature[n], &proof->length, digests[n], DIGEST) != 1)
		fail("bare_crypto: can't sign");
	EVP_MD_CTX_free(ctx);
}

static void sign(struct proof *rsa, struct proof *ed25519)
{
	rsa->key = EVP_RSA_gen(2048);
	ed25519->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (rsa->key == NULL || ed25519->key == NULL)
		fail("bare_crypto: no keys");
	for (size_t n = 0; n < SIGNATURES; n++) {
		digests[n][0] = (unsigned char)n;
		sign_rsa(rsa, n);
		sign_ed25519(ed25519, n);
	}
}

static void verify_rsa(const struct proof *proof, size_t n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(proof->key, NULL);

	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 || EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1 ||
		EVP_PKEY_verify(ctx, proof->signature[n], proof->length, digests[n], DIGEST) != 1)
		fail("bare_crypto: an RSA signature is wrong");
	EVP_PKEY_CTX_free(ctx);
}

static void verify_ed25519(const struct proof *proof, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, proof->key) != 1 ||
		EVP_DigestVerify(ctx, proof->signature[n], proof->length, digests[n], DIGEST) != 1)
		fail("bare_crypto: an Ed25519 signature is wrong");
	EVP_MD_CTX_free(ctx);
}

static void hash(const unsigned char *bytes, size_t count)
{
	unsigned char unused[DIGEST];

	if (EVP_Digest(bytes, count, unused, NULL, EVP_sha256(), NULL) != 1)
		fail("bare_crypto: no digest");
}

/* What callgrind counts, by this name: not static, so that no compiler makes a variant of it. */
void verify_messages(const struct proof *rsa, const struct proof *ed25519, const unsigned char *bytes, size_t body,
	uint64_t messages);

void verify_messages(const struct proof *rsa, const struct proof *ed25519, const unsigned char *bytes, size_t body,
	uint64_t messages)
{
	for (uint64_t i = 0; i < messages; i++) {
		double start_us = cpu_us();

		verify_rsa(rsa, i % SIGNATURES);
		rsa_us += cpu_us() - start_us;
		start_us = cpu_us();
		verify_ed25519(ed25519, i % SIGNATURES);
		ed25519_us += cpu_us() - start_us;
		start_us = cpu_us();
		hash(bytes, body);
		hash(bytes, HEADER);
		hash(bytes, HEADER);
		hash_us += cpu_us() - start_us;
	}
}

int main(int argc, char **argv)
{
	static struct proof rsa, ed25519;
	uint64_t messages, body;
	unsigned char *bytes;

	if (argc != 3 || !mg_str_to_u64(mg_str_z(argv[1]), 10000000, &messages) || messages == 0 ||
		!mg_str_to_u64(mg_str_z(argv[2]), 500000, &body) || (bytes = calloc(1, body + HEADER)) == NULL)
		fail("usage: bare_crypto MESSAGES BODY-BYTES");
	sign(&rsa, &ed25519);
	verify_messages(&rsa, &ed25519, bytes, body, messages);
	printf("{\"cpu_us\": %.2f, \"rsa_us\": %.2f, \"ed25519_us\": %.2f, \"sha256_us\": %.2f}\n",
		(rsa_us + ed25519_us + hash_us) / (double)messages, rsa_us / (double)messages,
		ed25519_us / (double)messages, hash_us / (double)messages);
	EVP_PKEY_free(rsa.key);
	EVP_PKEY_free(ed25519.key);
	free(bytes);
	return EXIT_SUCCESS;
}
