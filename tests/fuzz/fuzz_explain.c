/* Whatever the text: it ends, and every word of the explanation is there. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "explain/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_explanation found;
	char *copy = malloc(size == 0 ? 1 : size); /* its own block, so that the sanitizer sees its ends */

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	if (mg_explain(mg_str_of(copy, size), &found) &&
		(found.meaning.template == NULL || found.cause.template == NULL || found.fix.template == NULL ||
			found.actor == MG_ACTOR_NONE || found.permanence == MG_PERMANENCE_NONE))
		abort();
	free(copy);
	return 0;
}
