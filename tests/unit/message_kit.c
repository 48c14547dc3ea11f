#include "message_kit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { MEMORY = 64 * 1024 * 1024 };

/* ---- verifying ---- */

static struct mg_buf with_crlf(const char *text, size_t n)
{
	struct mg_buf out;

	mg_buf_init(&out, MEMORY);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			mg_buf_addc(&out, '\r');
		mg_buf_addc(&out, text[i]);
	}
	return out;
}

/* The next field with its folds; false at the blank line or the end. */
static bool next_field(struct mg_str *rest, struct mg_field *field)
{
	size_t end = 0, colon;

	if (mg_str_starts(*rest, MG_STR("\r\n"))) {
		*rest = mg_str_from(*rest, 2);
		return false;
	}
	if (rest->n == 0)
		return false;
	do {
		size_t line = mg_str_find_str(mg_str_from(*rest, end), MG_STR("\r\n"));

		end = line == SIZE_MAX ? rest->n : end + line + 2;
	} while (end < rest->n && (rest->p[end] == ' ' || rest->p[end] == '\t'));
	colon = mg_str_find(*rest, ':');
	colon = colon < end ? colon : end - 1;
	field->name = mg_str_first(*rest, colon);
	field->value = mg_str_of(rest->p + colon + 1, end - colon - 1);
	if (mg_str_ends(field->value, MG_STR("\r\n")))
		field->value.n -= 2;
	*rest = mg_str_from(*rest, end);
	return true;
}

static void take_header(struct message *message, struct mg_str *rest)
{
	struct mg_field field;

	while (next_field(rest, &field)) {
		if (!mg_fields_add(&message->fields, field.name, field.value))
			continue;
		mg_dkim_field(message->dkim, message->lookup);
		mg_arc_field(message->arc, message->lookup);
	}
	mg_dkim_header_end(message->dkim, message->hashes);
	mg_arc_header_end(message->arc, message->hashes);
}

static void take_body(struct message *message, struct mg_str rest, size_t chunk)
{
	for (chunk = chunk == 0 ? rest.n : chunk; rest.n > 0; rest = mg_str_from(rest, chunk))
		mg_body_hashes_add(message->hashes, mg_str_first(rest, chunk));
	mg_body_hashes_end(message->hashes);
	mg_dkim_body_end(message->dkim, message->hashes);
	mg_arc_body_end(message->arc, message->hashes);
}

void message_verify(struct message *message, struct zone *zone, const char *text, size_t n,
	const struct mg_dkim_options *options, size_t chunk)
{
	const struct mg_dkim_options usual = { .max_signatures = 10, .now_s = 1700000000 };
	struct mg_buf lines = with_crlf(text, n);
	struct mg_str rest = mg_buf_str(&lines);

	options = options == NULL ? &usual : options;
	*message = (struct message){ .hashes = mg_body_hashes_new(), .lookup = zone_lookup(zone) };
	mg_arena_init(&message->arena, MEMORY);
	mg_fields_init(&message->fields, &message->arena);
	message->dkim = mg_dkim_new(&message->arena, &message->fields, options);
	message->arc = mg_arc_new(&message->arena, &message->fields, options->now_s);
	take_header(message, &rest);
	take_body(message, rest, chunk);
	mg_buf_fini(&lines);
	for (;;) {
		enum mg_step dkim = mg_dkim_step(message->dkim, message->lookup);
		enum mg_step arc = mg_arc_step(message->arc, message->lookup);

		if ((dkim == MG_STEP_DONE && arc == MG_STEP_DONE) || !zone_deliver(zone))
			break;
	}
}

bool message_verify_arc(struct message *message, struct zone *zone, const char *header, const char *body, size_t max)
{
	struct mg_str rest = mg_str_z(header);
	struct mg_field field;

	*message = (struct message){ .hashes = mg_body_hashes_new(), .lookup = zone_lookup(zone) };
	mg_arena_init(&message->arena, MEMORY);
	mg_arena_init(&message->small, max);
	mg_fields_init(&message->fields, &message->arena);
	if ((message->arc = mg_arc_new(&message->small, &message->fields, 1700000000)) == NULL) {
		message_end(message);
		return false;
	}
	while (next_field(&rest, &field)) {
		mg_fields_add(&message->fields, field.name, field.value);
		mg_arc_field(message->arc, message->lookup);
	}
	mg_arc_header_end(message->arc, message->hashes);
	mg_body_hashes_add(message->hashes, mg_str_z(body));
	mg_body_hashes_end(message->hashes);
	mg_arc_body_end(message->arc, message->hashes);
	while (mg_arc_step(message->arc, message->lookup) == MG_STEP_WAIT && zone_deliver(zone))
		;
	return true;
}

void message_end(struct message *message)
{
	mg_arena_fini(&message->small);
	mg_lookup_free(&message->lookup);
	mg_body_hashes_free(&message->hashes);
	mg_arena_fini(&message->arena);
}

/* ---- signing ---- */

static EVP_PKEY *make_public_rsa(unsigned bits)
{
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	BN_rand(n, (int)bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_set_word(e, 65537);
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

EVP_PKEY *make_rsa(unsigned bits)
{
	return bits > 4096 ? make_public_rsa(bits) : EVP_RSA_gen(bits);
}

EVP_PKEY *make_ed25519(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static bool is_ed25519(EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
}

void public_key(EVP_PKEY *key, bool is_bare, char *place, size_t size)
{
	unsigned char raw[32], *der = NULL;
	size_t n = sizeof raw;
	int length;

	if (is_ed25519(key)) {
		EVP_PKEY_get_raw_public_key(key, raw, &n);
		EVP_EncodeBlock((unsigned char *)place, raw, (int)n);
		return;
	}
	length = is_bare ? i2d_PublicKey(key, &der) : i2d_PUBKEY(key, &der);
	if (length > 0 && (size_t)length / 3 * 4 + 5 < size)
		EVP_EncodeBlock((unsigned char *)place, der, length);
	OPENSSL_free(der);
}

static void into_buf(void *context, struct mg_str piece)
{
	mg_buf_add(context, piece);
}

void body_hash(const char *body, size_t n, enum mg_canon form, uint64_t limit, char place[64])
{
	struct mg_canon_body canon;
	struct mg_buf text;
	unsigned char digest[32];

	mg_buf_init(&text, MEMORY);
	mg_canon_body_init(&canon, form);
	mg_canon_body_add(&canon, mg_str_of(body, n), into_buf, &text);
	mg_canon_body_end(&canon, into_buf, &text);
	EVP_Digest(mg_buf_z(&text), text.n < limit ? text.n : (size_t)limit, digest, NULL, EVP_sha256(), NULL);
	EVP_EncodeBlock((unsigned char *)place, digest, sizeof digest);
	mg_buf_fini(&text);
}

enum { FIELDS_MAX = 64 };

/* Bottom-up, each field once. */
static void add_named(struct mg_buf *out, const struct signing *signing)
{
	struct mg_field fields[FIELDS_MAX];
	bool is_taken[FIELDS_MAX] = { false };
	struct mg_str rest = mg_str_z(signing->header), names = mg_str_z(signing->names);
	size_t count = 0;

	while (count < FIELDS_MAX && next_field(&rest, &fields[count]))
		count++;
	while (names.n > 0) {
		struct mg_str name = mg_str_trim(mg_str_cut(&names, ':'));

		for (size_t i = count; i > 0; i--) {
			if (is_taken[i - 1] || !mg_str_eq_nocase(fields[i - 1].name, name))
				continue;
			is_taken[i - 1] = true;
			mg_canon_field(signing->form, &fields[i - 1], true, into_buf, out);
			break;
		}
	}
}

static size_t make_signature(EVP_PKEY *key, struct mg_str text, unsigned char *place, size_t room)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char digest[32];

	if (is_ed25519(key)) {
		EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL);
		text = mg_str_of(digest, sizeof digest);
	}
	if (EVP_DigestSignInit(context, NULL, is_ed25519(key) ? NULL : EVP_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(context, place, &room, (const unsigned char *)text.p, text.n) != 1)
		room = 256; /* a public key alone can't sign: some bytes */
	EVP_MD_CTX_free(context);
	return room;
}

void sign(struct mg_buf *out, const struct signing *signing)
{
	unsigned char bytes[2048] = { 0 };
	char text[4096], own[8192];
	struct mg_buf covered;
	struct mg_field field = { mg_str_z(signing->name), { 0 } };

	mg_buf_init(&covered, MEMORY);
	if (signing->first != NULL)
		mg_buf_addz(&covered, signing->first);
	if (signing->names != NULL)
		add_named(&covered, signing);
	own[0] = ' ';
	mg_str_copy(own + 1, sizeof own - 4, mg_str_z(signing->tags));
	field.value = mg_str_of(own, strlen(own));
	memcpy(own + field.value.n, " b=", 4);
	field.value.n += 3;
	mg_canon_field(signing->form, &field, false, into_buf, &covered);
	EVP_EncodeBlock((unsigned char *)text, bytes,
		(int)make_signature(signing->key, mg_buf_str(&covered), bytes, sizeof bytes));
	mg_buf_addf(out, "%s:%s", signing->name, own);
	for (size_t i = 0; i < strlen(text); i += 60) /* folded, as they come */
		mg_buf_addf(out, "%s%.60s", i == 0 ? "" : "\r\n\t", text + i);
	mg_buf_addz(out, "\r\n");
	mg_buf_fini(&covered);
}
