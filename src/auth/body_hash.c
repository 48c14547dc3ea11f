/* The body is made canonical once per form, and hashed once per form: where a wish's limit is reached, the hash so far is
 * copied. So the work does not grow with the signatures. Canonical form comes in pieces of a few bytes, which are gathered
 * before they are hashed. */
#include "auth/body_hash.h"

#include <stdlib.h>

enum { FORMS = MG_CANON_RELAXED + 1, GATHERED = 4096 };

struct wish {
	enum mg_canon form;
	uint64_t limit;
	struct mg_sha256 *hash; /* for the copy */
	bool is_taken;
	unsigned char digest[MG_SHA256_BYTES];
};

struct form {
	struct mg_canon_body body;
	struct mg_body_hashes *owner;
	uint64_t bytes;         /* of the canonical body so far */
	uint64_t stop;          /* the next limit; MG_BODY_WHOLE: none */
	struct mg_sha256 *hash; /* NULL: nobody wants it */
	size_t gathered;
	char bytes_gathered[GATHERED];
};

struct mg_body_hashes {
	struct wish wishes[MG_BODY_HASHES];
	size_t count;
	struct form forms[FORMS];
};

struct mg_body_hashes *mg_body_hashes_new(void)
{
	struct mg_body_hashes *hashes = calloc(1, sizeof *hashes);

	for (int form = 0; hashes != NULL && form < FORMS; form++) {
		hashes->forms[form].owner = hashes;
		hashes->forms[form].stop = MG_BODY_WHOLE;
		mg_canon_body_init(&hashes->forms[form].body, (enum mg_canon)form);
	}
	return hashes;
}

void mg_body_hashes_free(struct mg_body_hashes **hashes)
{
	if (*hashes == NULL)
		return;
	for (size_t i = 0; i < (*hashes)->count; i++)
		mg_sha256_free(&(*hashes)->wishes[i].hash);
	for (int form = 0; form < FORMS; form++)
		mg_sha256_free(&(*hashes)->forms[form].hash);
	free(*hashes);
	*hashes = NULL;
}

int mg_body_hashes_want(struct mg_body_hashes *hashes, enum mg_canon form, uint64_t limit)
{
	struct form *of = &hashes->forms[form];
	struct mg_sha256 *hash;

	for (size_t i = 0; i < hashes->count; i++)
		if (hashes->wishes[i].form == form && hashes->wishes[i].limit == limit)
			return (int)i;
	if (hashes->count == MG_BODY_HASHES || (of->hash == NULL && (of->hash = mg_sha256_new()) == NULL) ||
		(hash = mg_sha256_new()) == NULL)
		return -1;
	hashes->wishes[hashes->count] = (struct wish){ .form = form, .limit = limit, .hash = hash };
	if (limit < of->stop)
		of->stop = limit;
	return (int)hashes->count++;
}

static void hash_gathered(struct form *form)
{
	mg_sha256_add(form->hash, mg_str_of(form->bytes_gathered, form->gathered));
	form->gathered = 0;
}

static void gather(struct form *form, struct mg_str piece)
{
	if (piece.n > GATHERED - form->gathered)
		hash_gathered(form);
	if (piece.n > GATHERED) {
		mg_sha256_add(form->hash, piece);
	} else if (piece.n > 0) {
		memcpy(form->bytes_gathered + form->gathered, piece.p, piece.n);
		form->gathered += piece.n;
	}
	form->bytes += piece.n;
}

/* The digest of what was hashed so far. A copy that can't be made is right for no signature, as crypto.h has it. */
static void take_digest(struct wish *wish, const struct form *form)
{
	wish->is_taken = true;
	if (mg_sha256_copy(wish->hash, form->hash))
		mg_sha256_end(wish->hash, wish->digest);
}

/* Those whose limit is reached; and which one is next. */
static void take_stop(struct form *form)
{
	struct mg_body_hashes *hashes = form->owner;
	uint64_t next = MG_BODY_WHOLE;

	hash_gathered(form);
	for (size_t i = 0; i < hashes->count; i++) {
		struct wish *wish = &hashes->wishes[i];

		if (wish->form != form->body.form || wish->is_taken)
			continue;
		if (wish->limit == form->bytes)
			take_digest(wish, form);
		else if (wish->limit < next)
			next = wish->limit;
	}
	form->stop = next;
}

static void take(void *context, struct mg_str piece)
{
	struct form *form = context;

	while (piece.n >= form->stop - form->bytes) {
		struct mg_str up_to_stop = mg_str_first(piece, (size_t)(form->stop - form->bytes));

		gather(form, up_to_stop);
		take_stop(form);
		piece = mg_str_from(piece, up_to_stop.n);
	}
	gather(form, piece);
}

void mg_body_hashes_add(struct mg_body_hashes *hashes, struct mg_str chunk)
{
	for (int i = 0; i < FORMS; i++)
		if (hashes->forms[i].hash != NULL)
			mg_canon_body_add(&hashes->forms[i].body, chunk, take, &hashes->forms[i]);
}

void mg_body_hashes_end(struct mg_body_hashes *hashes)
{
	for (int i = 0; i < FORMS; i++)
		if (hashes->forms[i].hash != NULL) {
			mg_canon_body_end(&hashes->forms[i].body, take, &hashes->forms[i]);
			hash_gathered(&hashes->forms[i]);
		}
	for (size_t i = 0; i < hashes->count; i++)
		if (!hashes->wishes[i].is_taken)
			take_digest(&hashes->wishes[i], &hashes->forms[hashes->wishes[i].form]);
}

const unsigned char *mg_body_hashes_digest(const struct mg_body_hashes *hashes, int number, uint64_t *whole_bytes_out)
{
	mg_assert(number >= 0 && (size_t)number < hashes->count);
	*whole_bytes_out = hashes->forms[hashes->wishes[number].form].bytes;
	return hashes->wishes[number].digest;
}
