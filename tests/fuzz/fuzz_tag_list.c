/* Whatever the bytes: no crash, every slice lies inside the text, no name comes twice; the same bytes as base64 stay within
 * their room. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64.h"
#include "auth/tag_list.h"

static void is_inside(struct mg_str slice, struct mg_str whole)
{
	if (slice.n > 0 && (slice.p < whole.p || slice.n > whole.n || slice.p > whole.p + (whole.n - slice.n)))
		abort();
}

static void check_list(struct mg_str text)
{
	struct mg_tag_list list;

	if (!mg_tag_list_parse(text, &list))
		return;
	for (size_t i = 0; i < list.count; i++) {
		char name[64];

		is_inside(list.tags[i].name, text);
		is_inside(list.tags[i].value, list.tags[i].raw);
		is_inside(list.tags[i].raw, text);
		if (mg_str_copy(name, sizeof name, list.tags[i].name) && mg_tag_list_find(&list, name) != &list.tags[i])
			abort();
		for (struct mg_str rest = list.tags[i].value, item; mg_read_colon_item(&rest, &item);)
			is_inside(item, text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size == 0 ? 1 : size); /* its own block, so that the sanitizer sees its ends */
	unsigned char *place = malloc(size / 2 + 1);
	size_t n = 0;

	if (copy == NULL || place == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	check_list(mg_str_of(copy, size));
	if (mg_base64_decode(mg_str_of(copy, size), place, size / 2 + 1, &n) && n > size / 2 + 1)
		abort();
	free(place);
	free(copy);
	return 0;
}
