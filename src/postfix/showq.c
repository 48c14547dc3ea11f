/* The showq service (showq(8)): after a greeting, per message queue_name, queue_id, time, size, sender, then recipient and reason
 * again and again; an empty name ends a message, one more the answer. Postfix before 3.1 spoke otherwise. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "postfix/queue.h"

enum { NAME_MAX_BYTES = 64, VALUE_MAX_BYTES = 8192, PIECE = 16384, CONNECT_MS = 2000 };

void mg_showq_init(struct mg_showq *showq, mg_queue_see *see, void *context)
{
	*showq = (struct mg_showq){ .see = see, .context = context };
	mg_buf_init(&showq->name, NAME_MAX_BYTES);
	mg_buf_init(&showq->value, VALUE_MAX_BYTES);
	mg_buf_init(&showq->queue, NAME_MAX_BYTES);
	mg_buf_init(&showq->id, NAME_MAX_BYTES);
	mg_buf_init(&showq->sender, VALUE_MAX_BYTES);
	mg_buf_init(&showq->recipient, VALUE_MAX_BYTES);
	mg_buf_init(&showq->reason, VALUE_MAX_BYTES);
}

void mg_showq_fini(struct mg_showq *showq)
{
	mg_buf_fini(&showq->name);
	mg_buf_fini(&showq->value);
	mg_buf_fini(&showq->queue);
	mg_buf_fini(&showq->id);
	mg_buf_fini(&showq->sender);
	mg_buf_fini(&showq->recipient);
	mg_buf_fini(&showq->reason);
}

static void set(struct mg_buf *place, struct mg_str value)
{
	mg_buf_reset(place);
	mg_buf_add(place, mg_str_first(value, place->max));
}

/* The recipient under way is complete. */
static void flush(struct mg_showq *showq)
{
	struct mg_queue_entry entry = { .queue = mg_buf_str(&showq->queue),
		.id = mg_buf_str(&showq->id),
		.sender = mg_buf_str(&showq->sender),
		.recipient = mg_buf_str(&showq->recipient),
		.reason = mg_buf_str(&showq->reason),
		.arrival_us = showq->arrival_us,
		.size_bytes = showq->size_bytes,
		.is_first = showq->is_first };

	if (!showq->has_message || (!showq->has_recipient && !showq->is_first))
		return;
	showq->see(showq->context, &entry);
	showq->is_first = false;
	showq->has_recipient = false;
	showq->recipients++;
	mg_buf_reset(&showq->recipient);
	mg_buf_reset(&showq->reason);
}

void mg_showq_end(struct mg_showq *showq)
{
	flush(showq);
	showq->has_message = false;
}

static void begin_message(struct mg_showq *showq, struct mg_str queue)
{
	mg_showq_end(showq);
	showq->has_message = showq->is_first = true;
	showq->messages++;
	showq->arrival_us = 0;
	showq->size_bytes = 0;
	mg_buf_reset(&showq->id);
	mg_buf_reset(&showq->sender);
	set(&showq->queue, queue);
}

static void take(struct mg_showq *showq, struct mg_str name, struct mg_str value)
{
	uint64_t number;

	if (mg_str_eq(name, MG_STR("queue_name"))) {
		begin_message(showq, value);
	} else if (mg_str_eq(name, MG_STR("queue_id"))) {
		set(&showq->id, value);
	} else if (mg_str_eq(name, MG_STR("time")) && mg_str_to_u64(value, UINT32_MAX * UINT64_C(4), &number)) {
		showq->arrival_us = (int64_t)number * MG_S_US;
	} else if (mg_str_eq(name, MG_STR("size")) && mg_str_to_u64(value, UINT64_MAX / 2, &number)) {
		showq->size_bytes = number;
	} else if (mg_str_eq(name, MG_STR("sender"))) {
		set(&showq->sender, mg_str_eq(value, MG_STR("MAILER-DAEMON")) ? MG_STR("") : value);
	} else if (mg_str_eq(name, MG_STR("recipient"))) {
		if (showq->has_recipient)
			flush(showq);
		showq->has_recipient = true;
		set(&showq->recipient, value);
	} else if (mg_str_eq(name, MG_STR("reason"))) {
		set(&showq->reason, value);
	}
}

static void take_text(struct mg_showq *showq)
{
	if (showq->is_value)
		take(showq, mg_buf_str(&showq->name), mg_buf_str(&showq->value));
	else if (showq->name.n == 0 && !showq->name.is_full) {
		mg_showq_end(showq);
		return; /* the end of a list has no value */
	}
	showq->is_value = !showq->is_value;
	if (showq->is_value)
		return;
	mg_buf_reset(&showq->name);
	mg_buf_reset(&showq->value);
}

bool mg_showq_feed(struct mg_showq *showq, struct mg_str bytes)
{
	while (bytes.n > 0) {
		size_t end = mg_str_find(bytes, '\0');
		struct mg_str piece = mg_str_first(bytes, end);
		struct mg_buf *place = showq->is_value ? &showq->value : &showq->name;

		mg_buf_add(place, mg_str_first(piece, place->max - place->n));
		if (end == SIZE_MAX)
			return true;
		take_text(showq);
		bytes = mg_str_from(bytes, end + 1);
		if (showq->messages > MG_QUEUE_MESSAGES || showq->recipients > MG_QUEUE_RECIPIENTS)
			return false;
	}
	return true;
}

static enum mg_rc receive(int fd, int64_t deadline_us, struct mg_showq *showq, bool *is_cut, struct mg_err *err)
{
	char piece[PIECE];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);

		if (n == 0)
			return MG_OK;
		if (n > 0 && !mg_showq_feed(showq, mg_str_of(piece, (size_t)n))) {
			*is_cut = true;
			return MG_OK;
		}
		if (n > 0 && mg_mono_us() <= deadline_us)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return mg_err_sys(err, MG_EIO, errno, "can't read showq's answer");
		if (mg_mono_us() > deadline_us || (n < 0 && mg_fd_wait(fd, POLLIN, deadline_us) == 0)) {
			*is_cut = true;
			return showq->messages > 0
				       ? MG_OK
				       : mg_err_set(err, MG_ETIME, "Postfix's showq service does not answer");
		}
	}
}

enum mg_rc mg_queue_list(const char *queue_directory, int64_t deadline_us, mg_queue_see *see, void *context,
	bool *is_cut_out, struct mg_err *err)
{
	struct mg_endpoint endpoint;
	struct mg_showq showq;
	char address[256];
	enum mg_rc rc;
	int fd;

	*is_cut_out = false;
	snprintf(address, sizeof address, "unix:%s/public/showq", queue_directory);
	if ((rc = mg_endpoint_parse(mg_str_z(address), &endpoint, err)) != MG_OK)
		return rc;
	if ((fd = mg_endpoint_connect(&endpoint, CONNECT_MS)) < 0)
		return mg_err_sys(err,
			errno == EACCES || errno == EPERM          ? MG_EPERM
			: errno == ENOENT || errno == ECONNREFUSED ? MG_ENOENT
								   : MG_EIO,
			errno, "can't ask %s/public/showq", queue_directory);
	mg_showq_init(&showq, see, context);
	rc = receive(fd, deadline_us, &showq, is_cut_out, err);
	if (rc == MG_OK)
		mg_showq_end(&showq);
	mg_showq_fini(&showq);
	mg_fd_close(&fd);
	return rc;
}
