/* The keyed hash is SipHash-2-4. base/hash draws its key anew at every start; ours must outlive the process, or an
 * address could not be found again. */
#include "journal/veil.h"

enum { HEX = 16, KEYED_MAX = 2 * MG_RECORD_TEXT };

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int count)
{
	while (count-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static uint64_t keyed_hash(const uint64_t key[2], struct mg_str text)
{
	struct sip s = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };

	for (size_t at = 0; at <= text.n; at += 8) {
		uint64_t word = text.n - at < 8 ? (uint64_t)text.n << 56 : 0;

		for (size_t i = 0; i < 8 && at + i < text.n; i++)
			word |= (uint64_t)(unsigned char)text.p[at + i] << 8 * i;
		s.v3 ^= word;
		sip_rounds(&s, 2);
		s.v0 ^= word;
	}
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

int64_t mg_veil_text_key(const struct mg_veil *veil, struct mg_str text)
{
	return text.n == 0 ? 0 : (int64_t)(keyed_hash(veil->key, text) | 1);
}

static struct mg_str lower_case(struct mg_str s, char *place, size_t size)
{
	size_t n = s.n < size ? s.n : size - 1;

	mg_str_copy(place, size, mg_str_first(s, n));
	mg_lower(place);
	return mg_str_of(place, n);
}

static bool is_pseudonym(struct mg_str local)
{
	if (local.n != HEX + 2 || !mg_str_starts(local, MG_STR("p-")))
		return false;
	for (size_t i = 2; i < local.n; i++)
		if (strchr("0123456789abcdef", local.p[i]) == NULL || local.p[i] == '\0')
			return false;
	return true;
}

/* Writes "p-" and the hash of the local part into `place` of HEX + 3 bytes. */
static struct mg_str pseudonym(const struct mg_veil *veil, struct mg_str local, char *place)
{
	char lower[MG_RECORD_TEXT];
	struct mg_str text = lower_case(local, lower, sizeof lower);
	uint64_t hash;

	if (is_pseudonym(text)) {
		mg_str_copy(place, HEX + 3, text);
		return mg_str_of(place, HEX + 2);
	}
	hash = keyed_hash(veil->key, text);
	place[0] = 'p';
	place[1] = '-';
	for (int i = 0; i < HEX; i++)
		place[2 + i] = "0123456789abcdef"[hash >> 4 * (HEX - 1 - i) & 15];
	place[HEX + 2] = '\0';
	return mg_str_of(place, HEX + 2);
}

int64_t mg_veil_address_key(const struct mg_veil *veil, struct mg_str address)
{
	char place[KEYED_MAX], name[HEX + 3];
	size_t at = mg_str_rfind(address, '@');
	struct mg_str local = pseudonym(veil, mg_str_first(address, at), name);
	struct mg_str domain;

	if (address.n == 0)
		return 0;
	memcpy(place, local.p, local.n);
	domain = lower_case(
		mg_str_from(address, at == SIZE_MAX ? address.n : at), place + local.n, sizeof place - local.n);
	return mg_veil_text_key(veil, mg_str_of(place, local.n + domain.n));
}

void mg_veil_address(const struct mg_veil *veil, struct mg_str address, struct mg_buf *out)
{
	char name[HEX + 3];
	size_t at = mg_str_rfind(address, '@');

	if (address.n == 0)
		return;
	mg_buf_add(out, pseudonym(veil, mg_str_first(address, at), name));
	mg_buf_add(out, mg_str_from(address, at == SIZE_MAX ? address.n : at));
}

static bool is_word(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_local(char c)
{
	return is_word(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* Where the local part that ends before `at` begins: a run of its characters, or a quoted string; at least `from`. */
static size_t local_start(struct mg_str text, size_t from, size_t at)
{
	size_t start = at;

	if (at > from && text.p[at - 1] == '"') {
		for (start = at - 1; start > from && text.p[start - 1] != '"';)
			start--;
		return start > from ? start - 1 : start;
	}
	while (start > from && is_local(text.p[start - 1]))
		start--;
	return start;
}

/* Appends a part without addresses, `local` hidden where it is a word of its own. */
static void add_hidden(struct mg_buf *out, struct mg_str text, struct mg_str local)
{
	while (local.n > 0) {
		size_t at = mg_str_find_str(text, local);
		bool is_whole;

		if (at == SIZE_MAX)
			break;
		is_whole = (at == 0 || !is_word(text.p[at - 1])) &&
			   (at + local.n == text.n || !is_word(text.p[at + local.n]));
		mg_buf_add(out, mg_str_first(text, at));
		mg_buf_add(out, is_whole ? MG_STR("*") : local);
		text = mg_str_from(text, at + local.n);
	}
	mg_buf_add(out, text);
}

void mg_veil_text(struct mg_str text, struct mg_str local, struct mg_buf *out)
{
	size_t from = 0;

	for (size_t at = 0; at < text.n; at++) {
		size_t start;

		if (text.p[at] != '@' || (start = local_start(text, from, at)) == at)
			continue;
		add_hidden(out, mg_str_of(text.p + from, start - from), local);
		for (at++; at < text.n && (is_word(text.p[at]) || text.p[at] == '.' || text.p[at] == '-');)
			at++;
		mg_buf_addc(out, '*');
		from = at--;
	}
	add_hidden(out, mg_str_from(text, from), local);
}

static struct mg_str local_of(struct mg_str address)
{
	return mg_str_first(address, mg_str_rfind(address, '@'));
}

static struct mg_str hidden_address(const struct mg_veil *veil, struct mg_str address, struct mg_arena *arena)
{
	char name[HEX + 3], place[KEYED_MAX];
	size_t at = mg_str_rfind(address, '@');
	struct mg_str local = pseudonym(veil, mg_str_first(address, at), name);
	struct mg_str domain = mg_str_from(address, at == SIZE_MAX ? address.n : at);

	if (address.n == 0)
		return address;
	domain = mg_str_first(domain, sizeof place - local.n);
	memcpy(place, local.p, local.n);
	if (domain.n > 0)
		memcpy(place + local.n, domain.p, domain.n);
	return mg_str_z(mg_arena_text(arena, mg_str_of(place, local.n + domain.n), MG_RECORD_TEXT));
}

static struct mg_str hidden_text(struct mg_str text, struct mg_str local, struct mg_arena *arena)
{
	struct mg_buf out;
	struct mg_str copy;

	if (text.n == 0)
		return text;
	mg_buf_init(&out, 4 * MG_RECORD_TEXT + 4 * text.n);
	mg_veil_text(text, local, &out);
	copy = mg_str_z(mg_arena_text(arena, mg_buf_str(&out), MG_RECORD_TEXT));
	mg_buf_fini(&out);
	return copy;
}

/* Texts of a record are C strings: what an empty slice points to is not one. */
static const char *text_z(struct mg_str s)
{
	return s.n == 0 ? "" : s.p;
}

void mg_veil_record(const struct mg_veil *veil, struct mg_record *record)
{
	struct mg_arena *arena = &record->arena;

	if (!veil->is_on)
		return;
	record->auth_report =
		text_z(hidden_text(mg_str_z(record->auth_report), local_of(mg_str_z(record->sender)), arena));
	record->text = text_z(hidden_text(mg_str_z(record->text), local_of(mg_str_z(record->sender)), arena));
	record->sender = text_z(hidden_address(veil, mg_str_z(record->sender), arena));
	record->user = text_z(hidden_address(veil, mg_str_z(record->user), arena));
	for (struct mg_recipient *r = record->recipients; r != NULL; r = r->next) {
		r->reply = text_z(hidden_text(mg_str_z(r->reply), local_of(mg_str_z(r->address)), arena));
		r->address = text_z(hidden_address(veil, mg_str_z(r->address), arena));
	}
}

void mg_veil_line(const struct mg_veil *veil, struct mg_log_line *line, struct mg_arena *arena)
{
	if (!veil->is_on)
		return;
	line->reply = hidden_text(line->reply, local_of(line->recipient), arena);
	line->relay = hidden_text(line->relay, (struct mg_str){ 0 }, arena);
	line->mailbox = hidden_text(line->mailbox, (struct mg_str){ 0 }, arena);
	line->sender = hidden_address(veil, line->sender, arena);
	line->recipient = hidden_address(veil, line->recipient, arena);
	line->orig_to = hidden_address(veil, line->orig_to, arena);
	line->user = hidden_address(veil, line->user, arena);
}
