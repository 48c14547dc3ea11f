/* The tags are rows: who needs them, who may have them, what reads them. What needs two tags is looked at behind the rows. */
#include "auth/dkim_signature.h"

#include "auth/base64.h"
#include "auth/header_hash.h"
#include "auth/tag_list.h"
#include "base/i18n.h"
#include "mail/domain.h"

enum { ALGORITHM_MAX = 32, IDENTITY_MAX = 320, B_START = 8, SIGNATURE_MAX = 2048 };
#define TIME_MAX UINT64_C(999999999999) /* section 3.5: twelve digits */

struct reading {
	struct mg_signature *signature;
	struct mg_arena *arena;
	bool is_short; /* of memory */
};

static void *take(struct reading *r, size_t bytes)
{
	void *piece = mg_arena_take(r->arena, bytes);

	r->is_short |= piece == NULL;
	return piece;
}

static const char *keep(struct reading *r, struct mg_str text)
{
	const char *copy = mg_arena_text(r->arena, text, text.n);

	r->is_short |= text.n > 0 && copy[0] == '\0';
	return copy;
}

void mg_signature_is(struct mg_signature *signature, enum mg_result result, const char *reason)
{
	if (signature->result != MG_RESULT_UNSET)
		return;
	signature->result = result;
	signature->reason = reason;
}

/* ---- one reader per tag: false, the value is wrong ---- */

static bool read_version(struct reading *r, const struct mg_tag *tag)
{
	(void)r;
	return mg_str_eq(tag->value, MG_STR("1"));
}

static bool is_word(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!((text.p[i] | 0x20) >= 'a' && (text.p[i] | 0x20) <= 'z') &&
			!(text.p[i] >= '0' && text.p[i] <= '9') && text.p[i] != '-')
			return false;
	return text.n > 0 && text.n <= ALGORITHM_MAX;
}

static bool read_algorithm(struct reading *r, const struct mg_tag *tag)
{
	struct mg_signature *s = r->signature;

	if (is_word(tag->value))
		s->algorithm = keep(r, tag->value);
	s->key_kind = mg_str_eq(tag->value, MG_STR("ed25519-sha256")) ? MG_KEY_ED25519 : MG_KEY_RSA;
	if (mg_str_eq(tag->value, MG_STR("rsa-sha1")))
		mg_signature_is(s, MG_RESULT_PERMERROR, N_("rsa-sha1 is no longer accepted (RFC 8301)"));
	return s->result != MG_RESULT_UNSET || s->key_kind == MG_KEY_ED25519 ||
	       mg_str_eq(tag->value, MG_STR("rsa-sha256"));
}

/* Section 3.5: no final dot; `labels` at least. */
static const char *read_name(struct reading *r, struct mg_str text, size_t labels)
{
	char place[MG_DOMAIN_TEXT];

	if (text.n == 0 || text.p[text.n - 1] == '.' || !mg_domain_ascii(text, place) ||
		mg_domain_labels(mg_str_z(place)) < labels)
		return "";
	return keep(r, mg_str_z(place));
}

static bool read_domain(struct reading *r, const struct mg_tag *tag)
{
	r->signature->domain = read_name(r, tag->value, 2);
	return r->signature->domain[0] != '\0';
}

static bool read_selector(struct reading *r, const struct mg_tag *tag)
{
	r->signature->selector = read_name(r, tag->value, 1);
	return r->signature->selector[0] != '\0';
}

static size_t without_blanks(char *place, size_t room, struct mg_str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < room; i++)
		if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\r' && text.p[i] != '\n')
			place[n++] = text.p[i];
	return n;
}

static bool read_signature(struct reading *r, const struct mg_tag *tag)
{
	size_t room = tag->value.n / 4 * 3 + 3, n;
	unsigned char *place = room <= SIGNATURE_MAX * 2 ? take(r, room) : NULL;
	char start[B_START];

	if (place == NULL || !mg_base64_decode(tag->value, place, room, &n) || n == 0 || n > SIGNATURE_MAX)
		return false;
	r->signature->signature = mg_str_of(place, n);
	r->signature->b_raw = tag->raw;
	n = without_blanks(start, sizeof start, tag->value);
	r->signature->b_start = keep(r, mg_str_of(start, n));
	return true;
}

static bool read_body_hash(struct reading *r, const struct mg_tag *tag)
{
	unsigned char place[MG_SHA256_BYTES];
	size_t n;

	if (!mg_base64_decode(tag->value, place, sizeof place, &n) || n != sizeof place)
		return false;
	memcpy(r->signature->body_hash, place, sizeof place);
	return true;
}

static bool read_form(struct mg_str word, enum mg_canon *form_out)
{
	*form_out = mg_str_eq(word, MG_STR("relaxed")) ? MG_CANON_RELAXED : MG_CANON_SIMPLE;
	return *form_out == MG_CANON_RELAXED || mg_str_eq(word, MG_STR("simple"));
}

static bool read_forms(struct reading *r, const struct mg_tag *tag)
{
	size_t slash = mg_str_find(tag->value, '/');
	struct mg_str body = slash == SIZE_MAX ? MG_STR("simple") : mg_str_from(tag->value, slash + 1);

	return read_form(mg_str_first(tag->value, slash), &r->signature->header_form) &&
	       read_form(body, &r->signature->body_form);
}

/* Printable ASCII but the colon (RFC 5322 section 3.6.8). */
static bool is_field_name(struct mg_str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return name.n > 0;
}

static bool read_names(struct reading *r, const struct mg_tag *tag)
{
	struct mg_str rest = tag->value, name;
	struct mg_signature *s = r->signature;
	size_t room = 1;

	for (size_t i = 0; i < rest.n; i++)
		room += rest.p[i] == ':';
	if (room > MG_HEADER_NAMES || (s->names = take(r, room * sizeof *s->names)) == NULL)
		return false;
	while (mg_read_colon_item(&rest, &name)) {
		if (!is_field_name(name))
			return false;
		s->names[s->name_count++] = name;
	}
	return true;
}

/* The domain of i=, in *place. */
static bool read_identity_domain(struct mg_str identity, char place[MG_DOMAIN_TEXT])
{
	size_t at = mg_str_rfind(identity, '@');
	struct mg_str domain = at == SIZE_MAX ? MG_STR("") : mg_str_from(identity, at + 1);

	return domain.n > 0 && domain.p[domain.n - 1] != '.' && mg_domain_ascii(domain, place);
}

static bool read_identity(struct reading *r, const struct mg_tag *tag)
{
	struct mg_signature *s = r->signature;
	char text[IDENTITY_MAX + MG_DOMAIN_TEXT], domain[MG_DOMAIN_TEXT];
	size_t n = without_blanks(text, IDENTITY_MAX, tag->value), at = mg_str_rfind(mg_str_of(text, n), '@');

	if (tag->value.n > IDENTITY_MAX || !read_identity_domain(mg_str_of(text, n), domain))
		return false;
	mg_str_copy(text + at + 1, sizeof text - at - 1, mg_str_z(domain));
	s->identity = keep(r, mg_str_z(text));
	s->is_identity_below = !mg_str_eq(mg_str_z(domain), mg_str_z(s->domain));
	return mg_domain_is_within(mg_str_z(domain), mg_str_z(s->domain));
}

static bool read_instance(struct reading *r, const struct mg_tag *tag)
{
	uint64_t instance;

	if (!mg_str_to_u64(tag->value, MG_ARC_INSTANCES, &instance) || instance == 0)
		return false;
	r->signature->instance = (unsigned)instance;
	return true;
}

static bool read_limit(struct reading *r, const struct mg_tag *tag)
{
	return mg_str_to_u64(tag->value, UINT64_MAX - 1, &r->signature->body_limit);
}

static bool read_query(struct reading *r, const struct mg_tag *tag)
{
	struct mg_str rest = tag->value, method;

	(void)r;
	while (mg_read_colon_item(&rest, &method))
		if (mg_str_eq(method, MG_STR("dns/txt")))
			return true;
	return false;
}

static bool read_time(const struct mg_tag *tag, int64_t *seconds_out)
{
	uint64_t seconds;

	if (!mg_str_to_u64(tag->value, TIME_MAX, &seconds))
		return false;
	*seconds_out = (int64_t)seconds;
	return true;
}

static bool read_signed(struct reading *r, const struct mg_tag *tag)
{
	return read_time(tag, &r->signature->signed_s);
}

static bool read_ends(struct reading *r, const struct mg_tag *tag)
{
	return read_time(tag, &r->signature->ends_s);
}

static bool read_cv(struct reading *r, const struct mg_tag *tag)
{
	static const char *const words[] = { [MG_CV_NONE] = "none", [MG_CV_PASS] = "pass", [MG_CV_FAIL] = "fail" };

	for (enum mg_arc_cv cv = MG_CV_NONE; cv <= MG_CV_FAIL; cv++)
		if (mg_str_eq(tag->value, mg_str_z(words[cv])))
			r->signature->cv = cv;
	return r->signature->cv != MG_CV_UNSET;
}

static bool refuse(struct reading *r, const struct mg_tag *tag)
{
	(void)r;
	(void)tag;
	return false;
}

/* ---- the rows ---- */

enum {
	DKIM = 1 << MG_SIGNATURE_DKIM,
	AMS = 1 << MG_SIGNATURE_AMS,
	SEAL = 1 << MG_SIGNATURE_SEAL,
	ALL = DKIM | AMS | SEAL
};

static const struct row {
	const char *name;
	unsigned needed, known; /* by which kinds; a tag that is not known is ignored */
	bool (*read)(struct reading *, const struct mg_tag *);
	const char *missing, *wrong;
} rows[] = {
	/* d= comes before i=, which is compared with it; names first, so that an error is told of somebody */
	{ "d", ALL, ALL, read_domain, N_("d= is missing"), N_("d= is no domain") },
	{ "s", ALL, ALL, read_selector, N_("s= is missing"), N_("s= is no selector") },
	{ "b", ALL, ALL, read_signature, N_("b= is missing"), N_("b= is no signature in base64") },
	{ "a", ALL, ALL, read_algorithm, N_("a= is missing"), N_("a= is no known algorithm") },
	{ "v", DKIM, DKIM, read_version, N_("v= is missing"), N_("v= is not 1") },
	{ "i", 0, DKIM, read_identity, "", N_("i= is not in the domain of d=") },
	{ "i", AMS | SEAL, AMS | SEAL, read_instance, N_("i= is missing"), N_("i= is no instance from 1 to 50") },
	{ "c", 0, DKIM | AMS, read_forms, "", N_("c= is no known canonicalization") },
	{ "bh", DKIM | AMS, DKIM | AMS, read_body_hash, N_("bh= is missing"), N_("bh= is no SHA-256 hash") },
	{ "h", DKIM | AMS, DKIM | AMS, read_names, N_("h= is missing"), N_("h= is no list of at most 100 names") },
	{ "h", 0, SEAL, refuse, "", N_("a seal must not have h=") },
	{ "l", 0, DKIM | AMS, read_limit, "", N_("l= is no length") },
	{ "q", 0, DKIM | AMS, read_query, "", N_("q= has no known way to the key") },
	{ "t", 0, ALL, read_signed, "", N_("t= is no time") },
	{ "x", 0, DKIM | AMS, read_ends, "", N_("x= is no time") },
	{ "cv", SEAL, SEAL, read_cv, N_("cv= is missing"), N_("cv= is none of none, pass, fail") },
};

static void read_row(struct reading *reading, const struct row *row, const struct mg_tag_list *list)
{
	struct mg_signature *signature = reading->signature;
	unsigned kind = 1U << signature->kind;
	const struct mg_tag *tag = (row->known & kind) != 0 ? mg_tag_list_find(list, row->name) : NULL;

	if (tag == NULL && (row->needed & kind) != 0)
		mg_signature_is(signature, MG_RESULT_PERMERROR, row->missing);
	if (tag != NULL && !row->read(reading, tag))
		mg_signature_is(signature, MG_RESULT_PERMERROR, row->wrong);
}

size_t mg_signature_names(const struct mg_signature *signature, struct mg_str name)
{
	size_t count = 0;

	for (size_t i = 0; i < signature->name_count; i++)
		count += mg_str_eq_nocase(signature->names[i], name);
	return count;
}

static void check_names(struct mg_signature *s)
{
	if (s->kind != MG_SIGNATURE_SEAL && mg_signature_names(s, MG_STR("From")) == 0)
		mg_signature_is(s, MG_RESULT_PERMERROR, N_("h= does not name From"));
	if (s->kind == MG_SIGNATURE_AMS && mg_signature_names(s, MG_STR("ARC-Seal")) != 0)
		mg_signature_is(s, MG_RESULT_PERMERROR, N_("h= must not name ARC-Seal"));
}

static void check_times(struct mg_signature *s, int64_t now_s)
{
	if (s->ends_s >= 0 && s->signed_s >= 0 && s->ends_s <= s->signed_s)
		mg_signature_is(s, MG_RESULT_PERMERROR, N_("x= is not later than t="));
	if (s->signed_s >= 0 && s->signed_s - MG_SIGNATURE_SKEW_S > now_s)
		mg_signature_is(s, MG_RESULT_PERMERROR, N_("t= lies in the future"));
	if (s->ends_s >= 0 && s->ends_s < now_s)
		mg_signature_is(s, MG_RESULT_FAIL, N_("the signature has expired (x=)"));
}

/* What is not in the field has its default. */
static void complete(struct reading *reading)
{
	struct mg_signature *s = reading->signature;
	char text[2 * MG_DOMAIN_TEXT + 16];
	size_t n = 0;
	const struct mg_str parts[] = { mg_str_z(s->selector), MG_STR("._domainkey."), mg_str_z(s->domain) };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		mg_str_copy(text + n, sizeof text - n, parts[i]);
		n += parts[i].n;
	}
	s->key_name = keep(reading, mg_str_of(text, n));
	if (s->identity[0] != '\0' || s->domain[0] == '\0')
		return;
	text[0] = '@';
	mg_str_copy(text + 1, sizeof text - 1, mg_str_z(s->domain));
	s->identity = keep(reading, mg_str_z(text));
}

void mg_signature_parse(struct mg_signature *signature, struct mg_arena *arena, enum mg_signature_kind kind,
	struct mg_str value, int64_t now_s)
{
	struct reading reading = { signature, arena, false };
	struct mg_tag_list list;

	*signature = (struct mg_signature){ .kind = kind,
		.reason = "",
		.algorithm = "",
		.domain = "",
		.selector = "",
		.identity = "",
		.b_start = "",
		.key_name = "",
		.body_limit = UINT64_MAX,
		.signed_s = -1,
		.ends_s = -1 };
	if (value.n > MG_SIGNATURE_BYTES)
		mg_signature_is(signature, MG_RESULT_PERMERROR, N_("the field is longer than 64 KiB"));
	else if (!mg_tag_list_parse(value, &list))
		mg_signature_is(signature, MG_RESULT_PERMERROR, N_("the field is no list of tags"));
	if (signature->result != MG_RESULT_UNSET)
		return;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		read_row(&reading, &rows[i], &list);
	if (signature->result == MG_RESULT_UNSET)
		check_names(signature);
	check_times(signature, now_s);
	complete(&reading);
	if (reading.is_short) {
		signature->result = MG_RESULT_TEMPERROR;
		signature->reason = N_("no memory");
	}
}
