/* A policy request: whatever the bytes, its length lies within them and every slice points into them. */
#include <stdlib.h>

#include "policy/request.h"

static void inside(struct mg_str slice, struct mg_str text)
{
	if (slice.n > 0 && (slice.p < text.p || slice.p + slice.n > text.p + text.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_str text = mg_str_of(data, size);
	size_t length = mg_policy_request_length(text);
	struct mg_policy_request request;
	struct mg_err err = { "" };

	if (length > size)
		abort();
	if (mg_policy_request_parse(mg_str_first(text, length), &request, &err) != MG_OK)
		return 0;
	inside(request.sender, text);
	inside(request.recipient, text);
	inside(request.instance, text);
	inside(request.client.name, text);
	return 0;
}
