/* What the checks of DNS judge without DNS: names that providers make up, policies of MTA-STS, TLSA records, published keys. */
#include "rows.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "auth/base64.h"
#include "auth/crypto.h"
#include "health/own.h"
#include "health/ptr_name.h"
#include "health/sts_policy.h"
#include "health/tlsa.h"

/* ---- names of addresses ---- */

struct name_row {
	const char *name, *ip, *ptr;
	bool holds, has_word;
};
static const struct name_row name_rows[] = {
	{ "a mail server", "192.0.2.25", "mail.example.com", false, false },
	{ "forward with dashes", "192.0.2.25", "192-0-2-25.isp.example", true, false },
	{ "backward with dots", "192.0.2.25", "static.25.2.0.192.clients.isp.example", true, false },
	{ "three of four", "192.0.2.25", "host.2.0.192.isp.example", true, false },
	{ "two are chance", "192.0.2.25", "mx2-25.example.com", false, false },
	{ "hexadecimal", "192.0.2.25", "xc0000219.isp.example", true, false },
	{ "twelve digits", "192.0.2.25", "p192000002025.isp.example", true, false },
	{ "another address", "192.0.2.25", "198-51-100-7.isp.example", false, false },
	{ "IPv6 in full", "2001:db8::25", "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.isp.example",
		false, false },
	{ "IPv6 with dashes", "2001:db8:1:2::25", "2001-0db8-0001-0002--25.isp.example", true, false },
	{ "IPv6 of a mail server", "2001:db8::25", "mail.example.com", false, false },
	{ "dynamic", "192.0.2.25", "a.dynamic.isp.example", false, true },
	{ "dsl in a label", "192.0.2.25", "p5-dsl-7.isp.example", false, true },
	{ "a word within a word", "192.0.2.25", "pooling.example.com", false, false },
	{ "a numbered host", "192.0.2.25", "vps-1234.isp.example", false, true },
	{ "a host without a number", "192.0.2.25", "host.example.com", false, false },
	{ "empty", "192.0.2.25", "", false, false },
	{ "only dots", "192.0.2.25", "...", false, false },
};

static void a_name_is_told_from_an_address(void **state)
{
	const struct name_row *row = *state;
	struct mg_ip ip;

	assert_true(mg_ip_parse(mg_str_z(row->ip), &ip));
	assert_int_equal(mg_ptr_holds_address(mg_str_z(row->ptr), &ip), row->holds);
	if (!row->holds)
		assert_int_equal(mg_ptr_has_provider_word(mg_str_z(row->ptr)), row->has_word);
}

struct public_row {
	const char *name;
	bool is_public;
};
static const struct public_row public_rows[] = {
	{ "192.0.2.1", true },
	{ "203.0.113.200", true },
	{ "8.8.8.8", true },
	{ "2001:db8::1", true },
	{ "2a00:1450::1", true },
	{ "10.1.2.3", false },
	{ "172.31.0.1", false },
	{ "192.168.0.1", false },
	{ "100.64.0.1", false },
	{ "169.254.1.1", false },
	{ "127.0.0.1", false },
	{ "0.0.0.0", false },
	{ "224.0.0.1", false },
	{ "255.255.255.255", false },
	{ "::1", false },
	{ "fe80::1", false },
	{ "fd00::1", false },
	{ "ff02::1", false },
};

static void public_addresses_are_told_from_others(void **state)
{
	const struct public_row *row = *state;
	struct mg_ip ip;

	assert_true(mg_ip_parse(mg_str_z(row->name), &ip));
	assert_int_equal(mg_own_is_public(&ip), row->is_public);
}

/* ---- MTA-STS ---- */

#define HEAD "version: STSv1\nmode: enforce\n"

struct policy_row {
	const char *name, *text, *host;
	bool is_policy, covers;
};
static const struct policy_row policy_rows[] = {
	{ "the host", HEAD "mx: mail.example.com\nmax_age: 604800\n", "mail.example.com", true, true },
	{ "CRLF, and another order", "version: STSv1\r\nmax_age: 1\r\nmx: Mail.Example.com\r\nmode: testing\r\n",
		"mail.example.com", true, true },
	{ "a star for one label", HEAD "mx: *.example.com\nmax_age: 1\n", "a.example.com", true, true },
	{ "not for two", HEAD "mx: *.example.com\nmax_age: 1\n", "a.b.example.com", true, false },
	{ "not for none", HEAD "mx: *.example.com\nmax_age: 1\n", "example.com", true, false },
	{ "another host", HEAD "mx: b.example.com\nmx: c.example.com\nmax_age: 1\n", "a.example.com", true, false },
	{ "mode none needs no mx", "version: STSv1\nmode: none\nmax_age: 1\n", "a.example.com", true, false },
	{ "the first of a key counts", HEAD "mode: none\nmx: a.example\nmax_age: 1\nmax_age: 2", "a.example", true,
		true },
	{ "unknown keys", HEAD "sender: x\nmx:a.example\nmax_age:1", "a.example", true, true },
	{ "no version", "mode: enforce\nmx: a.example\nmax_age: 1\n", "a.example", false, true },
	{ "version not first", "mode: enforce\nversion: STSv1\nmx: a.example\nmax_age: 1\n", "a.example", false, true },
	{ "an unknown mode", "version: STSv1\nmode: strict\nmx: a.example\nmax_age: 1\n", "a.example", false, true },
	{ "no max_age", HEAD "mx: a.example\n", "a.example", false, true },
	{ "a max_age in days", HEAD "mx: a.example\nmax_age: 7d\n", "a.example", false, true },
	{ "no mx", HEAD "max_age: 1\n", "a.example", false, false },
	{ "a page", "<!DOCTYPE html>\n<html></html>", "a.example", false, false },
	{ "empty", "", "a.example", false, false },
};

static void a_policy_is_read(void **state)
{
	const struct policy_row *row = *state;
	struct mg_sts_policy policy;

	assert_int_equal(mg_sts_policy_parse(mg_str_z(row->text), &policy), row->is_policy);
	assert_int_equal(policy.wrong == NULL, row->is_policy);
	assert_int_equal(mg_sts_policy_covers(&policy, mg_str_z(row->host)), row->covers);
}

struct record_row {
	const char *name, *text;
	bool is_record;
};
static const struct record_row record_rows[] = {
	{ "plain", "v=STSv1; id=20240101T000000Z", true },
	{ "a semicolon at the end", "v=STSv1; id=1;", true },
	{ "other tags", "v=STSv1; x=y; id=abc", true },
	{ "no id", "v=STSv1;", false },
	{ "an empty id", "v=STSv1; id=;", false },
	{ "a date with dashes", "v=STSv1; id=2024-01-01", false },
	{ "33 characters", "v=STSv1; id=012345678901234567890123456789012", false },
	{ "another version", "v=STSv2; id=1", false },
};

static void an_announcement_is_read(void **state)
{
	const struct record_row *row = *state;
	struct mg_str id;

	assert_int_equal(mg_sts_record_parse(mg_str_z(row->text), &id), row->is_record);
}

static void a_policy_of_a_thousand_hosts_is_bounded(void **unused)
{
	struct mg_sts_policy policy;
	struct mg_buf text;

	(void)unused;
	mg_buf_init(&text, MG_STS_BYTES);
	mg_buf_addz(&text, HEAD "max_age: 1\n");
	for (int i = 0; i < 1000; i++)
		mg_buf_addf(&text, "mx: h%d.example\n", i);
	assert_true(mg_sts_policy_parse(mg_buf_str(&text), &policy));
	assert_int_equal(policy.mx_count, MG_STS_MX);
	assert_int_equal(policy.mx_left_out, 1000 - MG_STS_MX);
	mg_buf_fini(&text);
}

/* ---- keys and certificates ---- */

static struct mg_buf key_pem, chain_pem; /* a private key; a certificate and another above it */
static EVP_PKEY *key;

static void add_pem(struct mg_buf *out, BIO *bio)
{
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	mg_buf_add(out, mg_str_of(text, (size_t)n));
	BIO_free(bio);
}

static void add_certificate(EVP_PKEY *of, const char *name)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_NAME_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_version(certificate, 2);
	X509_set_subject_name(certificate, subject);
	X509_set_issuer_name(certificate, subject);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, of);
	assert_true(X509_sign(certificate, of, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, certificate);
	add_pem(&chain_pem, bio);
	X509_NAME_free(subject);
	X509_free(certificate);
}

static int set_up(void **unused)
{
	EVP_PKEY *above = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	BIO *bio = BIO_new(BIO_s_mem());

	(void)unused;
	key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	mg_buf_init(&key_pem, 16384);
	mg_buf_init(&chain_pem, 16384);
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	add_pem(&key_pem, bio);
	mg_buf_add(&chain_pem, mg_buf_str(&key_pem)); /* chain files hold the key as well */
	add_certificate(key, "mail.example.com");
	add_certificate(above, "authority");
	EVP_PKEY_free(above);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	EVP_PKEY_free(key);
	mg_buf_fini(&key_pem);
	mg_buf_fini(&chain_pem);
	mg_crypto_fini();
	return 0;
}

static void a_private_key_has_one_public_half(void **unused)
{
	struct mg_public_key public, other;
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	unsigned char *bare = NULL, raw[32];
	size_t raw_bytes = sizeof raw;
	int bare_bytes = i2d_PublicKey(key, &bare);
	unsigned bits;

	(void)unused;
	assert_true(mg_public_key_of(mg_buf_str(&key_pem), &public));
	assert_int_equal(public.bits, 2048);
	assert_true(mg_public_key_is(&public, MG_KEY_RSA, mg_str_of(public.bytes, public.n)));
	assert_true(mg_public_key_is(&public, MG_KEY_RSA, mg_str_of(bare, (size_t)bare_bytes)));
	assert_int_equal(mg_public_key_read(MG_KEY_RSA, mg_str_of(public.bytes, public.n), &bits), MG_VERIFIED);
	assert_int_equal(bits, 2048);
	assert_int_equal(
		mg_public_key_read(MG_KEY_RSA, mg_str_of(public.bytes, public.n - 1), &bits), MG_KEY_MALFORMED);
	EVP_PKEY_get_raw_public_key(ed25519, raw, &raw_bytes);
	assert_false(mg_public_key_is(&public, MG_KEY_ED25519, mg_str_of(raw, sizeof raw)));
	assert_false(mg_public_key_is(&public, MG_KEY_RSA, MG_STR("")));
	for (size_t n = 0; n < key_pem.n - 30; n += 97)
		assert_false(mg_public_key_of(mg_str_first(mg_buf_str(&key_pem), n), &other));
	assert_false(mg_public_key_of(MG_STR("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n"), &other));
	OPENSSL_free(bare);
	EVP_PKEY_free(ed25519);
}

static void what_is_encoded_is_decoded_again(void **unused)
{
	unsigned char bytes[64], back[64];
	struct mg_buf text;

	(void)unused;
	for (size_t n = 0; n <= sizeof bytes; n++) {
		size_t got;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 37 + n * 11);
		mg_buf_init(&text, 256);
		mg_base64_encode(&text, mg_str_of(bytes, n));
		assert_int_equal(text.n, (n + 2) / 3 * 4);
		assert_true(mg_base64_decode(mg_buf_str(&text), back, sizeof back, &got));
		assert_int_equal(got, n);
		assert_memory_equal(back, bytes, n);
		mg_buf_fini(&text);
	}
}

/* A record of this usage, selector and matching for certificate `at` of the chain. */
static struct mg_str make_record(char place[MG_CERTIFICATE_BYTES + 3], const char head[3], size_t at)
{
	size_t n = 0;

	memcpy(place, head, 3);
	assert_true(mg_certificate_match(mg_buf_str(&chain_pem), at, (unsigned char)head[1], (unsigned char)head[2],
		(unsigned char *)place + 3, &n));
	return mg_str_of(place, n + 3);
}

static void a_tlsa_record_is_of_its_certificate(void **unused)
{
	char place[MG_CERTIFICATE_BYTES + 3];
	struct mg_tlsa tlsa;
	struct mg_buf text;

	(void)unused;
	for (char selector = 0; selector <= 1; selector++)
		for (char matching = 0; matching <= 2; matching++)
			for (char usage = 2; usage <= 3; usage++)
				for (size_t at = 0; at < 2; at++) {
					const char head[3] = { usage, selector, matching };
					struct mg_str record = make_record(place, head, at);

					assert_true(mg_tlsa_parse(record, &tlsa));
					assert_true(mg_tlsa_is_usable(&tlsa));
					assert_int_equal(mg_tlsa_matches(&tlsa, mg_buf_str(&chain_pem)),
						(usage == 3) == (at == 0));
					place[record.n - 1] ^= 1;
					assert_false(mg_tlsa_matches(&tlsa, mg_buf_str(&chain_pem)));
				}
	assert_false(mg_tlsa_parse(MG_STR("\3\1\1"), &tlsa));
	assert_false(mg_tlsa_parse(MG_STR("\3\1\1abc"), &tlsa));
	assert_true(mg_tlsa_parse(MG_STR("\0\1\1abcdefghijklmnopqrstuvwxyz012345"), &tlsa));
	assert_false(mg_tlsa_is_usable(&tlsa));
	assert_false(mg_tlsa_matches(&tlsa, MG_STR("no certificate")));
	mg_buf_init(&text, 1024);
	assert_true(mg_tlsa_write(mg_buf_str(&chain_pem), &text));
	assert_int_equal(text.n, sizeof "3 1 1 " - 1 + 64);
	assert_false(mg_tlsa_write(MG_STR(""), &text));
	mg_buf_fini(&text);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(name_rows) + ROWS(public_rows) + ROWS(policy_rows) + ROWS(record_rows) + 4];
	size_t n = 0;

	ADD_ROWS(tests, n, name_rows, a_name_is_told_from_an_address);
	ADD_ROWS(tests, n, public_rows, public_addresses_are_told_from_others);
	ADD_ROWS(tests, n, policy_rows, a_policy_is_read);
	ADD_ROWS(tests, n, record_rows, an_announcement_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_policy_of_a_thousand_hosts_is_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_private_key_has_one_public_half);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_encoded_is_decoded_again);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_tlsa_record_is_of_its_certificate);
	return _cmocka_run_group_tests("dns_checks", tests, n, set_up, tear_down);
}
