/* What became of the message, line by line of the mail log. */
#include "base/i18n.h"
#include "journal/reader.h"

#include <stdio.h>
#include <stdlib.h>

/* The columns of mg_query.events. */
enum column {
	KIND,
	TIME,
	RECIPIENT,
	ORIG_TO,
	RELAY,
	STATUS,
	VERB,
	REPLY,
	OTHER_ID,
	MAILBOX,
	NUMBER,
	SENDER,
	CODE,
	DSN
};

/* Deliveries are folded by what came of them. */
enum { FOLDS = MG_DELIVERIES };

struct teller {
	json_t *events;
	const char *id;
	double last;              /* no event of this story is told before it */
	int64_t count[FOLDS];     /* lines of that kind */
	int64_t done[FOLDS];      /* of them read */
	int64_t addresses[FOLDS]; /* recipients that ended so */
	bool has_queued;
};

static double time_of(struct teller *teller, sqlite3_stmt *stmt)
{
	int64_t time_us = sqlite3_column_int64(stmt, TIME);
	double time = (double)time_us / 1e6;

	/* A stamp without fraction stands for any moment of its second. */
	if (time_us % 1000000 == 0 && time < teller->last && time + 1 > teller->last)
		time = teller->last;
	if (time > teller->last)
		teller->last = time;
	return time;
}

static void tell(struct teller *teller, sqlite3_stmt *stmt, const char *stage, struct mg_say say)
{
	mg_trace_add(teller->events, time_of(teller, stmt), stage, &say, teller->id);
}

/* The text of a column as a C string until the statement moves on. */
static const char *text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *value = sqlite3_column_text(stmt, column);

	return value == NULL ? "" : (const char *)value;
}

static size_t fold_of(sqlite3_stmt *stmt)
{
	enum mg_delivery delivery = mg_delivery_of(mg_column_text(stmt, STATUS));

	return delivery < MG_DELIVERIES ? (size_t)delivery : 0;
}

static bool is_local(const char *relay)
{
	return strcmp(relay, "local") == 0 || strcmp(relay, "virtual") == 0;
}

/* Sentences by outcome: for one recipient (%1; %2 what was said; %3 the next hop), and for many (%1 their number). */
static const struct {
	const char *stage, *one, *many;
} deliveries[FOLDS] = {
	[MG_DELIVERY_SENT] = { "delivery", N_("handed over for %1 to %3, which answered: %2"),
		N_("handed over for %1 recipients") },
	[MG_DELIVERY_DEFERRED] = { "delivery",
		N_("the delivery to %1 was put off, Postfix tries again by itself; %3 is where it stopped: %2"),
		N_("the delivery to %1 recipients was put off, Postfix tries again by itself") },
	[MG_DELIVERY_BOUNCED] = { "bounce", N_("the delivery to %1 failed for good, %3 is where it stopped: %2"),
		N_("the delivery to %1 recipients failed for good") },
	[MG_DELIVERY_EXPIRED] = { "bounce", N_("the delivery to %1 was given up after too many tries: %2"),
		N_("the delivery to %1 recipients was given up after too many tries") },
};

static void tell_one_delivery(struct teller *teller, sqlite3_stmt *stmt, size_t fold)
{
	const char *relay = text(stmt, RELAY), *address = text(stmt, RECIPIENT), *reply = text(stmt, REPLY);
	bool is_nowhere = relay[0] == '\0' || strcmp(relay, "none") == 0;
	const char *sentence = deliveries[fold].one;

	if (fold == MG_DELIVERY_SENT && is_local(relay))
		sentence = N_("delivered on this host to %1: %2");
	else if (fold == MG_DELIVERY_SENT && is_nowhere)
		sentence = N_("delivered to %1: %2");
	else if (fold == MG_DELIVERY_DEFERRED && is_nowhere)
		sentence = N_("the delivery to %1 was put off, Postfix tries again by itself: %2");
	else if (fold == MG_DELIVERY_BOUNCED && (is_nowhere || is_local(relay)))
		sentence = N_("the delivery to %1 failed for good: %2");
	if (text(stmt, ORIG_TO)[0] != '\0' && strcmp(text(stmt, ORIG_TO), address) != 0)
		tell(teller, stmt, deliveries[fold].stage,
			MG_SAY(N_("the address %1 stands for %2"), text(stmt, ORIG_TO), address));
	tell(teller, stmt, deliveries[fold].stage, MG_SAY(sentence, address, reply, relay));
}

static void tell_delivery(struct teller *teller, sqlite3_stmt *stmt)
{
	size_t fold = fold_of(stmt);
	char number[24];

	if (deliveries[fold].one == NULL)
		return;
	teller->done[fold]++;
	if (teller->count[fold] <= MG_TRACE_FOLD) {
		tell_one_delivery(teller, stmt, fold);
	} else if (teller->done[fold] == teller->count[fold]) {
		snprintf(number, sizeof number, "%lld",
			(long long)(teller->addresses[fold] > teller->count[fold] ? teller->addresses[fold]
										  : teller->count[fold]));
		tell(teller, stmt, deliveries[fold].stage, MG_SAY(deliveries[fold].many, number));
	}
	if (fold == MG_DELIVERY_SENT && text(stmt, OTHER_ID)[0] != '\0')
		tell(teller, stmt, "queue", MG_SAY(N_("the next hop queued it as %1"), text(stmt, OTHER_ID)));
}

static void tell_queued(struct teller *teller, sqlite3_stmt *stmt)
{
	char bytes[24];

	snprintf(bytes, sizeof bytes, "%lld", (long long)sqlite3_column_int64(stmt, NUMBER));
	if (teller->has_queued)
		tell(teller, stmt, "queue", MG_SAY(N_("Postfix took it up for another try")));
	else
		tell(teller, stmt, "queue", MG_SAY(N_("Postfix took it into its queue: %1 bytes"), bytes));
	teller->has_queued = true;
}

/* What happened of itself, without further cases. %1 is the reply, %2 the other queue id, %3 the mailbox, %4 the
 * number. */
static const struct {
	const char *stage, *sentence;
} plain[MG_EVENTS] = {
	[MG_EVENT_PICKUP] = { "connect", N_("it was submitted on this host by the user with uid %4") },
	[MG_EVENT_EXPIRED] = { "bounce",
		N_("Postfix gave up after trying for as long as its queue keeps mail, and returned it to the sender") },
	[MG_EVENT_NOTICE] = { "bounce", N_("a notice about the delivery was queued as %2") },
	[MG_EVENT_HOLD] = { "hold", N_("it was put on hold and waits until an administrator releases it") },
	[MG_EVENT_RELEASE] = { "hold", N_("it was released from hold") },
	[MG_EVENT_DISCARD] = { "end", N_("Postfix was told to throw it away: %1") },
	[MG_EVENT_REMOVED] = { "end", N_("Postfix is finished with it and removed it from the queue") },
};

static void tell_plain(struct teller *teller, sqlite3_stmt *stmt, size_t kind)
{
	char number[24];

	snprintf(number, sizeof number, "%lld", (long long)sqlite3_column_int64(stmt, NUMBER));
	if (plain[kind].sentence != NULL)
		tell(teller, stmt, plain[kind].stage,
			MG_SAY(plain[kind].sentence, text(stmt, REPLY), text(stmt, OTHER_ID), text(stmt, MAILBOX),
				number));
}

static void tell_line(struct teller *teller, sqlite3_stmt *stmt)
{
	int64_t kind = sqlite3_column_int64(stmt, KIND);

	if (kind < 0 || kind >= MG_EVENTS)
		return;
	if (kind == MG_EVENT_DELIVERY) {
		tell_delivery(teller, stmt);
	} else if (kind == MG_EVENT_QUEUED) {
		tell_queued(teller, stmt);
	} else if (kind == MG_EVENT_DOVECOT) {
		if (text(stmt, MAILBOX)[0] != '\0')
			tell(teller, stmt, "mailbox",
				MG_SAY(N_("Dovecot put it into the mailbox %1"), text(stmt, MAILBOX)));
		else
			tell(teller, stmt, "mailbox", MG_SAY(N_("Dovecot says: %1"), text(stmt, REPLY)));
	} else if (kind == MG_EVENT_MILTER && strstr(text(stmt, VERB), "hold") != NULL) {
		tell(teller, stmt, "hold",
			MG_SAY(N_("a filter put it on hold, it waits until an administrator releases it: %1"),
				text(stmt, REPLY)));
	} else {
		tell_plain(teller, stmt, (size_t)kind);
	}
}

static void bind_range(sqlite3_stmt *stmt, int64_t seq)
{
	sqlite3_bind_int64(stmt, 1, mg_event_slot(seq, 0));
	sqlite3_bind_int64(stmt, 2, mg_event_slot(seq + 1, 0) - 1);
}

static void count_addresses(struct teller *teller, const json_t *recipients)
{
	const json_t *recipient;
	size_t i;

	json_array_foreach(recipients, i, recipient)
	{
		const char *word = json_string_value(json_object_get(recipient, "delivery"));
		enum mg_delivery delivery = mg_delivery_of(mg_str_z(word));

		if (delivery < MG_DELIVERIES)
			teller->addresses[delivery]++;
	}
}

bool mg_trace_log(struct mg_query *query, int64_t seq, const json_t *txn, double last_time, json_t *events)
{
	struct teller teller = {
		.events = events, .id = json_string_value(json_object_get(txn, "id")), .last = last_time
	};
	sqlite3_stmt *stmt = query->events;

	count_addresses(&teller, json_object_get(txn, "recipients"));
	bind_range(stmt, seq);
	while (mg_query_row(query, stmt))
		if (sqlite3_column_int64(stmt, KIND) == MG_EVENT_DELIVERY)
			teller.count[fold_of(stmt)]++;
	sqlite3_reset(stmt);
	while (query->failure == SQLITE_OK && mg_query_row(query, stmt))
		tell_line(&teller, stmt);
	sqlite3_reset(stmt);
	return query->failure == SQLITE_OK;
}
