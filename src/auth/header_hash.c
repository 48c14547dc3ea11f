/* An open-addressed table from name to the last field of that name; each field knows the one of its name above it. */
#include "auth/header_hash.h"

#include "base/hash.h"

enum { NONE = UINT16_MAX, PART = 120 };

struct name {
	uint16_t last;  /* the lowest field of the name, NONE: the place is free */
	uint16_t next;  /* the next one this signature will take */
	unsigned taker; /* which signature `next` belongs to */
	uint64_t hash;
	size_t count; /* fields of the name */
};

struct mg_header_index {
	struct mg_arena *arena;
	const struct mg_fields *fields;
	struct name *names; /* `room` of them, a power of two */
	size_t room;
	uint16_t *above;        /* per field: the one of the same name above it */
	struct mg_str *relaxed; /* per field: its relaxed form with CRLF, once made */
	unsigned takers;
	size_t bytes_left;
};

_Static_assert((int)MG_FIELDS_MAX < (int)NONE, "a field's place fits");

/* The name as written, without the blanks that old mail has before the colon. */
static struct mg_str name_of(const struct mg_header_index *index, size_t field)
{
	return mg_str_trim(index->fields->field[field].name);
}

/* Without case and whole, part by part: names that only begin alike must not share a place. */
static uint64_t hash_name(struct mg_str name)
{
	char part[PART + sizeof(uint64_t)];
	uint64_t hash = 0;

	do {
		size_t n = name.n < PART ? name.n : PART;

		for (size_t i = 0; i < n; i++)
			part[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
		memcpy(part + n, &hash, sizeof hash);
		hash = mg_hash_keyed(mg_str_of(part, n + sizeof hash));
		name = mg_str_from(name, n);
	} while (name.n > 0);
	return hash;
}

/* The place of a name, or the free one where it would be. */
static struct name *find(const struct mg_header_index *index, struct mg_str name)
{
	uint64_t hash = hash_name(name);

	for (size_t at = (size_t)hash;; at++) {
		struct name *place = &index->names[at & (index->room - 1)];

		if (place->last == NONE ||
			(place->hash == hash && mg_str_eq_nocase(name_of(index, place->last), name))) {
			place->hash = hash;
			return place;
		}
	}
}

static bool take_memory(struct mg_header_index *index)
{
	size_t count = index->fields->count;

	for (index->room = 16; index->room < 2 * count; index->room *= 2)
		;
	index->names = mg_arena_take(index->arena, index->room * sizeof *index->names);
	index->above = mg_arena_take(index->arena, (count + 1) * sizeof *index->above);
	index->relaxed = mg_arena_take(index->arena, (count + 1) * sizeof *index->relaxed);
	return index->names != NULL && index->above != NULL && index->relaxed != NULL;
}

struct mg_header_index *mg_header_index_new(struct mg_arena *arena, const struct mg_fields *fields)
{
	struct mg_header_index *index = mg_arena_take(arena, sizeof *index);

	if (index == NULL)
		return NULL;
	*index = (struct mg_header_index){ .arena = arena, .fields = fields, .bytes_left = MG_HEADER_HASHED };
	if (!take_memory(index))
		return NULL;
	for (size_t i = 0; i < index->room; i++)
		index->names[i].last = NONE;
	for (size_t i = 0; i < fields->count; i++) {
		struct name *name = find(index, name_of(index, i));

		index->above[i] = name->last;
		name->last = (uint16_t)i;
		name->count++;
	}
	return index;
}

size_t mg_header_index_count(const struct mg_header_index *index, struct mg_str name)
{
	return find(index, name)->count;
}

/* ---- hashing ---- */

static void into_hash(void *context, struct mg_str piece)
{
	mg_sha256_add(context, piece);
}

struct place {
	char *p;
	size_t n;
};

static void into_place(void *context, struct mg_str piece)
{
	struct place *place = context;

	if (piece.n > 0)
		memcpy(place->p + place->n, piece.p, piece.n);
	place->n += piece.n;
}

static bool spend(struct mg_header_index *index, size_t bytes)
{
	if (bytes > index->bytes_left)
		return false;
	index->bytes_left -= bytes;
	return true;
}

/* Canonical text is never longer than the field with ": " and CRLF. */
static bool make_relaxed(struct mg_header_index *index, size_t field)
{
	const struct mg_field *from = &index->fields->field[field];
	struct place place = { mg_arena_take(index->arena, from->name.n + from->value.n + 4), 0 };

	if (place.p == NULL)
		return false;
	mg_canon_field(MG_CANON_RELAXED, from, true, into_place, &place);
	index->relaxed[field] = mg_str_of(place.p, place.n);
	return true;
}

bool mg_header_hash_field(struct mg_header_index *index, enum mg_canon form, size_t field, struct mg_sha256 *hash)
{
	const struct mg_field *from = &index->fields->field[field];

	if (!spend(index, from->name.n + from->value.n))
		return false;
	if (form == MG_CANON_SIMPLE) {
		mg_canon_field(form, from, true, into_hash, hash);
		return true;
	}
	if (index->relaxed[field].p == NULL && !make_relaxed(index, field))
		return false;
	mg_sha256_add(hash, index->relaxed[field]);
	return true;
}

bool mg_header_hash_own(
	struct mg_header_index *index, enum mg_canon form, size_t field, struct mg_str cut, struct mg_sha256 *hash)
{
	struct mg_field own = index->fields->field[field];
	size_t head = (size_t)(cut.p - own.value.p);
	struct place place = { mg_arena_take(index->arena, own.value.n + 1), 0 };

	mg_assert(head <= own.value.n && cut.n <= own.value.n - head);
	if (place.p == NULL || !spend(index, own.name.n + own.value.n))
		return false;
	into_place(&place, mg_str_first(own.value, head));
	into_place(&place, mg_str_from(own.value, head + cut.n));
	own.value = mg_str_of(place.p, place.n);
	mg_canon_field(form, &own, false, into_hash, hash);
	return true;
}

/* The next field of a name for this signature; NONE when there is no more. */
static size_t take_next(struct mg_header_index *index, struct mg_str wanted, size_t own)
{
	struct name *name = find(index, wanted);
	uint16_t field;

	if (name->last == NONE)
		return NONE;
	if (name->taker != index->takers)
		name->next = name->last;
	name->taker = index->takers;
	if (name->next == own)
		name->next = index->above[own];
	field = name->next;
	if (field != NONE)
		name->next = index->above[field];
	return field;
}

bool mg_header_hash(struct mg_header_index *index, const struct mg_header_cover *cover, struct mg_sha256 *hash,
	unsigned char digest_out[MG_SHA256_BYTES])
{
	bool is_whole = true;

	index->takers++;
	for (size_t i = 0; i < cover->name_count && is_whole; i++) {
		size_t field = take_next(index, cover->names[i], cover->own);

		is_whole = field == NONE || mg_header_hash_field(index, cover->form, field, hash);
	}
	is_whole = is_whole && mg_header_hash_own(index, cover->form, cover->own, cover->cut, hash);
	mg_sha256_end(hash, digest_out);
	return is_whole;
}
