/* Writes mail for milter_load: signed messages of domains that dns_load_server answers for, each with an RSA-2048 and an
 * Ed25519 signature (relaxed/relaxed) of keys made for this run.
 *
 *   sign_messages MESSAGES DOMAINS BODY-BYTES FILE
 *
 * Message n, from 1, is of domain d<n>.example and comes from that domain's own address in 10/8; all after the first
 * DOMAINS are of one more domain. Prints the TXT records of the keys, RSA's and Ed25519's, a line each.
 *
 * In the file a message is a list of texts that end in NUL: address, HELO, sender, count of fields, bytes of the body,
 * names and values of the fields as a milter gets them; then the body. */
#include <inttypes.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "measure.h"

enum { FIELDS = 11, FIELD_MAX = 2048, SIGNATURE_MAX = 512, DIGEST = 32, LINE = 64 };

static const char signed_names[] = "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type";

struct field {
	const char *name;
	char value[FIELD_MAX];
};

static struct {
	EVP_PKEY *rsa, *ed25519;
	uint64_t messages, domains, body;
	char *body_text;
	char body_hash[64];
	FILE *file;
} run;

static void digest_of(struct mg_str bytes, unsigned char digest_out[DIGEST])
{
	if (EVP_Digest(bytes.p, bytes.n, digest_out, NULL, EVP_sha256(), NULL) != 1)
		fail("sign_messages: no digest");
}

static size_t signature_of(EVP_PKEY *key, const unsigned char digest[DIGEST], unsigned char *signature_out)
{
	size_t length = SIGNATURE_MAX;
	EVP_PKEY_CTX *rsa = key == run.rsa ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	EVP_MD_CTX *ed25519 = EVP_MD_CTX_new();
	bool is_good = rsa != NULL ? EVP_PKEY_sign_init(rsa) == 1 &&
					     EVP_PKEY_CTX_set_signature_md(rsa, EVP_sha256()) == 1 &&
					     EVP_PKEY_sign(rsa, signature_out, &length, digest, DIGEST) == 1
				   : EVP_DigestSignInit(ed25519, NULL, NULL, NULL, key) == 1 &&
					     EVP_DigestSign(ed25519, signature_out, &length, digest, DIGEST) == 1;

	if (!is_good)
		fail("sign_messages: can't sign");
	EVP_PKEY_CTX_free(rsa);
	EVP_MD_CTX_free(ed25519);
	return length;
}

/* RFC 6376 section 3.4.2, for one field; the end of its line is the caller's. */
static void add_relaxed(struct mg_buf *text, const char *name, const char *value)
{
	bool is_gap = false;

	for (; *name != '\0'; name++)
		mg_buf_addc(text, *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name);
	mg_buf_addc(text, ':');
	for (value += strspn(value, " \t\n"); *value != '\0'; value++) {
		if (strchr(" \t\n", *value) != NULL) {
			is_gap = true;
			continue;
		}
		if (is_gap)
			mg_buf_addc(text, ' ');
		is_gap = false;
		mg_buf_addc(text, *value);
	}
}

static bool is_signed(const char *name)
{
	const char *at = strstr(signed_names, name);

	return at != NULL && (at[strlen(name)] == ':' || at[strlen(name)] == '\0');
}

/* Fills the empty b= in. */
static void sign(struct field *signature, EVP_PKEY *key, const struct field *fields)
{
	struct mg_buf text;
	unsigned char digest[DIGEST], bytes[SIGNATURE_MAX], base64[SIGNATURE_MAX * 2];
	size_t length = strlen(signature->value), count;

	mg_buf_init(&text, FIELD_MAX * FIELDS);
	for (const struct field *field = fields; field < fields + FIELDS; field++)
		if (is_signed(field->name)) {
			add_relaxed(&text, field->name, field->value);
			mg_buf_addz(&text, "\r\n");
		}
	add_relaxed(&text, signature->name, signature->value);
	digest_of(mg_buf_str(&text), digest);
	count = (size_t)EVP_EncodeBlock(base64, bytes, (int)signature_of(key, digest, bytes));
	for (size_t at = 0; at < count; at += LINE)
		length += (size_t)snprintf(signature->value + length, FIELD_MAX - length, "%s%.*s",
			at == 0 ? "" : "\n\t ", LINE, (const char *)base64 + at);
	mg_buf_fini(&text);
}

static void add_text(const char *text)
{
	if (fwrite(text, strlen(text) + 1, 1, run.file) != 1)
		fail("sign_messages: can't write");
}

static void add_message(uint64_t n)
{
	uint64_t domain = n <= run.domains ? n : run.domains + 1;
	static struct field fields[FIELDS];
	char text[128];

#define FIELD(i, field_name, ...)                                                                                      \
	do {                                                                                                           \
		fields[i].name = (field_name);                                                                         \
		snprintf(fields[i].value, FIELD_MAX, __VA_ARGS__);                                                     \
	} while (0)
	FIELD(0, "Received",
		" from laptop (unknown [192.0.2.77])\n\tby mail.d%" PRIu64 ".example (Postfix) with ESMTPSA\n"
		"\tid 4AAAAAAA; Sat, 21 Nov 2026 19:36:36 +0000 (UTC)",
		domain);
	FIELD(1, "DKIM-Signature",
		" v=1; a=rsa-sha256; c=relaxed/relaxed; d=d%" PRIu64 ".example;\n\ts=rsa; t=1795289797; "
		"h=%s;\n\tbh=%s;\n\tb=",
		domain, signed_names, run.body_hash);
	FIELD(2, "DKIM-Signature",
		" v=1; a=ed25519-sha256; c=relaxed/relaxed; d=d%" PRIu64 ".example;\n\ts=ed25519; "
		"t=1795289797; h=%s;\n\tbh=%s;\n\tb=",
		domain, signed_names, run.body_hash);
	FIELD(3, "From", " Some Body <somebody@d%" PRIu64 ".example>", domain);
	FIELD(4, "To", " Ann <user0@local.example>");
	FIELD(5, "Subject", " The quarterly figures, and what they mean");
	FIELD(6, "Date", " Sat, 21 Nov 2026 19:36:36 +0000");
	FIELD(7, "Message-ID", " <%" PRIu64 ".1795289797@d%" PRIu64 ".example>", n, domain);
	FIELD(8, "MIME-Version", " 1.0");
	FIELD(9, "Content-Type", " text/plain; charset=utf-8; format=flowed");
	FIELD(10, "User-Agent", " Mutt/2.2.12 (2023-09-09)");
#undef FIELD
	sign(&fields[1], run.rsa, fields);
	sign(&fields[2], run.ed25519, fields);
	snprintf(text, sizeof text, "10.%" PRIu64 ".%" PRIu64 ".%" PRIu64, domain >> 16 & 255, domain >> 8 & 255,
		domain & 255);
	add_text(text);
	snprintf(text, sizeof text, "mail.d%" PRIu64 ".example", domain);
	add_text(text);
	snprintf(text, sizeof text, "somebody@d%" PRIu64 ".example", domain);
	add_text(text);
	snprintf(text, sizeof text, "%d", FIELDS);
	add_text(text);
	snprintf(text, sizeof text, "%" PRIu64, run.body);
	add_text(text);
	for (size_t i = 0; i < FIELDS; i++) {
		add_text(fields[i].name);
		add_text(fields[i].value);
	}
	if (fwrite(run.body_text, run.body, 1, run.file) != 1)
		fail("sign_messages: can't write");
}

/* Lines that relaxed canonicalization leaves as they are. */
static void make_body(void)
{
	static const char line[] = "It was the best of times, it was the worst of times, it was the age of wisdom.\r\n";
	unsigned char digest[DIGEST];
	size_t length = sizeof line - 1;

	run.body -= run.body % length;
	run.body_text = malloc(run.body + 1);
	if (run.body_text == NULL)
		fail("sign_messages: no memory");
	for (size_t i = 0; i < run.body; i++)
		run.body_text[i] = line[i % length];
	digest_of(mg_str_of(run.body_text, run.body), digest);
	EVP_EncodeBlock((unsigned char *)run.body_hash, digest, DIGEST);
}

static void print_records(void)
{
	unsigned char *der = NULL, raw[DIGEST], base64[1024];
	size_t length = sizeof raw;
	int der_bytes = i2d_PUBKEY(run.rsa, &der);

	EVP_EncodeBlock(base64, der, der_bytes);
	printf("v=DKIM1; k=rsa; p=%s\n", (const char *)base64);
	OPENSSL_free(der);
	if (EVP_PKEY_get_raw_public_key(run.ed25519, raw, &length) != 1)
		fail("sign_messages: no public key");
	EVP_EncodeBlock(base64, raw, DIGEST);
	printf("v=DKIM1; k=ed25519; p=%s\n", (const char *)base64);
}

int main(int argc, char **argv)
{
	if (argc != 5 || !mg_str_to_u64(mg_str_z(argv[1]), 1000000, &run.messages) ||
		!mg_str_to_u64(mg_str_z(argv[2]), 1000000, &run.domains) ||
		!mg_str_to_u64(mg_str_z(argv[3]), 500000, &run.body) || run.body < 1024)
		fail("usage: sign_messages MESSAGES DOMAINS BODY-BYTES FILE");
	run.rsa = EVP_RSA_gen(2048);
	run.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	run.file = fopen(argv[4], "wb");
	if (run.rsa == NULL || run.ed25519 == NULL || run.file == NULL)
		fail("sign_messages: no keys, or no file");
	make_body();
	for (uint64_t n = 1; n <= run.messages; n++)
		add_message(n);
	if (fclose(run.file) != 0)
		fail("sign_messages: can't write");
	print_records();
	free(run.body_text);
	EVP_PKEY_free(run.rsa);
	EVP_PKEY_free(run.ed25519);
	return EXIT_SUCCESS;
}
