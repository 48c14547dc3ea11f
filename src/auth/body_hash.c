/* The body is made canonical once per form, and each form feeds all hashes that want it. */
#include "auth/body_hash.h"

#include <stdlib.h>

enum { FORMS = MG_CANON_RELAXED + 1 };

struct wish {
	enum mg_canon form;
	uint64_t limit;
	struct mg_sha256 *hash;
	unsigned char digest[MG_SHA256_BYTES];
};

struct form {
	struct mg_canon_body body;
	struct mg_body_hashes *owner;
	uint64_t bytes; /* of the canonical body so far */
	bool is_wanted;
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
	free(*hashes);
	*hashes = NULL;
}

int mg_body_hashes_want(struct mg_body_hashes *hashes, enum mg_canon form, uint64_t limit)
{
	struct mg_sha256 *hash;

	for (size_t i = 0; i < hashes->count; i++)
		if (hashes->wishes[i].form == form && hashes->wishes[i].limit == limit)
			return (int)i;
	if (hashes->count == MG_BODY_HASHES || (hash = mg_sha256_new()) == NULL)
		return -1;
	hashes->wishes[hashes->count] = (struct wish){ .form = form, .limit = limit, .hash = hash };
	hashes->forms[form].is_wanted = true;
	return (int)hashes->count++;
}

static void take(void *context, struct mg_str piece)
{
	struct form *form = context;
	struct mg_body_hashes *hashes = form->owner;

	for (size_t i = 0; i < hashes->count; i++) {
		struct wish *wish = &hashes->wishes[i];

		if (wish->form == form->body.form && form->bytes < wish->limit) {
			uint64_t left = wish->limit - form->bytes;

			mg_sha256_add(wish->hash, mg_str_first(piece, left < piece.n ? (size_t)left : piece.n));
		}
	}
	form->bytes += piece.n;
}

void mg_body_hashes_add(struct mg_body_hashes *hashes, struct mg_str chunk)
{
	for (int i = 0; i < FORMS; i++)
		if (hashes->forms[i].is_wanted)
			mg_canon_body_add(&hashes->forms[i].body, chunk, take, &hashes->forms[i]);
}

void mg_body_hashes_end(struct mg_body_hashes *hashes)
{
	for (int i = 0; i < FORMS; i++)
		if (hashes->forms[i].is_wanted)
			mg_canon_body_end(&hashes->forms[i].body, take, &hashes->forms[i]);
	for (size_t i = 0; i < hashes->count; i++)
		mg_sha256_end(hashes->wishes[i].hash, hashes->wishes[i].digest);
}

const unsigned char *mg_body_hashes_digest(const struct mg_body_hashes *hashes, int number, uint64_t *whole_bytes_out)
{
	mg_assert(number >= 0 && (size_t)number < hashes->count);
	*whole_bytes_out = hashes->forms[hashes->wishes[number].form].bytes;
	return hashes->wishes[number].digest;
}
