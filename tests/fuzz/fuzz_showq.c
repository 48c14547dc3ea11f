/* What a showq service may send, in pieces: it ends, within its bounds. The first byte is the length of a piece. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/queue_reasons.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_reasons reasons;
	struct mg_showq showq;
	size_t step = size > 0 ? (size_t)data[0] + 1 : 1;

	mg_reasons_init(&reasons);
	mg_showq_init(&showq, mg_reasons_see, &reasons);
	for (size_t at = 1; at < size; at += step)
		if (!mg_showq_feed(&showq, mg_str_first(mg_str_of(data + at, size - at), step)))
			break;
	mg_showq_end(&showq);
	mg_reasons_sort(&reasons);
	mg_showq_fini(&showq);
	mg_reasons_fini(&reasons);
	return 0;
}
