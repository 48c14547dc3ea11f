/* The slices of a line are a table of offsets, so that none can be forgotten in one of the two passes. */
#include "journal/line_copy.h"

#include <stdlib.h>

static const size_t slices[] = {
	offsetof(struct mg_log_line, service),
	offsetof(struct mg_log_line, daemon),
	offsetof(struct mg_log_line, queue_id),
	offsetof(struct mg_log_line, client_name),
	offsetof(struct mg_log_line, helo),
	offsetof(struct mg_log_line, proto),
	offsetof(struct mg_log_line, user),
	offsetof(struct mg_log_line, orig_queue_id),
	offsetof(struct mg_log_line, sender),
	offsetof(struct mg_log_line, recipient),
	offsetof(struct mg_log_line, orig_to),
	offsetof(struct mg_log_line, message_id),
	offsetof(struct mg_log_line, stage),
	offsetof(struct mg_log_line, verb),
	offsetof(struct mg_log_line, code),
	offsetof(struct mg_log_line, dsn),
	offsetof(struct mg_log_line, reply),
	offsetof(struct mg_log_line, relay),
	offsetof(struct mg_log_line, status),
	offsetof(struct mg_log_line, queued_as),
	offsetof(struct mg_log_line, child_queue_id),
	offsetof(struct mg_log_line, mailbox),
};
enum { SLICES = sizeof slices / sizeof slices[0] };

static struct mg_str *slice_of(struct mg_log_line *line, size_t i)
{
	return (struct mg_str *)(void *)((char *)line + slices[i]);
}

static size_t text_size(const struct mg_log_line *line)
{
	struct mg_log_line copy = *line;
	size_t size = 0;

	for (size_t i = 0; i < SLICES; i++)
		size += mg_str_first(*slice_of(&copy, i), MG_RECORD_TEXT).n;
	return size;
}

static void copy_line(struct mg_line_copy *copy, const struct mg_log_line *line, char **place)
{
	copy->has_line = true;
	copy->line = *line;
	for (size_t i = 0; i < SLICES; i++) {
		struct mg_str *slice = slice_of(&copy->line, i);

		*slice = mg_str_first(*slice, MG_RECORD_TEXT);
		if (slice->n == 0) {
			*slice = (struct mg_str){ "", 0 };
			continue;
		}
		memcpy(*place, slice->p, slice->n);
		slice->p = *place;
		*place += slice->n;
	}
}

static const char *copy_text(const char *text, char **place)
{
	size_t size = strlen(text) + 1;
	char *copy = *place;

	memcpy(copy, text, size);
	*place += size;
	return copy;
}

struct mg_line_copy *mg_line_copy_new(const struct mg_log_line *line, const struct mg_log_position *position)
{
	size_t size = line == NULL ? 0 : text_size(line);
	struct mg_line_copy *copy;
	char *place;

	if (position != NULL)
		size += strlen(position->source) + strlen(position->cursor) + 2;
	copy = malloc(sizeof *copy + size);
	if (copy == NULL)
		return NULL;
	copy->has_line = false;
	copy->has_position = position != NULL;
	place = copy->text;
	if (line != NULL)
		copy_line(copy, line, &place);
	if (position != NULL) {
		copy->source = copy_text(position->source, &place);
		copy->cursor = copy_text(position->cursor, &place);
		copy->inode = position->inode;
		copy->offset = position->offset;
		copy->fingerprint = position->fingerprint;
		copy->fingerprint_bytes = position->fingerprint_bytes;
	}
	return copy;
}
