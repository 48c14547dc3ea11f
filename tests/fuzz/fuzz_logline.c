/* Whatever the bytes of a line: no crash, no byte read beyond it, and every slice of the result lies inside it. The
 * first byte chooses between a whole line and a journal entry of one of the daemons. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "postfix/logline.h"

static const char *const tags[] = { "postfix/smtpd", "postfix/smtp", "postfix/qmgr", "postfix/cleanup",
	"postfix/pickup", "postfix/bounce", "postfix/postscreen", "postfix/postsuper", "dovecot", "postfix/local" };

static bool is_within(struct mg_str slice, struct mg_str whole)
{
	uintptr_t from = (uintptr_t)slice.p, start = (uintptr_t)whole.p;

	return from >= start && slice.n <= whole.n && from - start <= whole.n - slice.n;
}

static void is_inside(struct mg_str slice, struct mg_str whole, struct mg_str tag)
{
	if (slice.n > 0 && !is_within(slice, whole) && !is_within(slice, tag))
		abort();
}

static void check(const struct mg_log_line *line, struct mg_str whole, struct mg_str tag)
{
	const struct mg_str slices[] = { line->service, line->daemon, line->queue_id, line->client_name, line->helo,
		line->proto, line->user, line->orig_queue_id, line->sender, line->recipient, line->orig_to,
		line->message_id, line->stage, line->code, line->dsn, line->reply, line->relay, line->status,
		line->queued_as, line->child_queue_id, line->mailbox, line->verb };

	for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++)
		is_inside(slices[i], whole, tag);
	if ((unsigned)line->kind >= MG_LINE_KINDS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_log_line line;
	struct mg_str whole, tag = { 0 };
	char *copy;

	if (size == 0)
		return 0;
	copy = malloc(size - 1 == 0 ? 1 : size - 1); /* its own block, so that the sanitizer sees its ends */
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	whole = mg_str_of(copy, size - 1);
	if (data[0] < sizeof tags / sizeof tags[0]) {
		tag = mg_str_z(tags[data[0]]);
		mg_log_message_parse(tag, 1, 0, whole, &line);
	} else {
		mg_log_line_parse(whole, INT64_C(1795291200000000), &line);
	}
	check(&line, whole, tag);
	free(copy);
	return 0;
}
