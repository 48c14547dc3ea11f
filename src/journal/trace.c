/* The story of a transaction as a postmaster would tell it to a colleague: here what the doors know, in trace_log.c what
 * the mail log adds. The sentences are templates with arguments, so that the reader's side can put them into another
 * language. */
#include "base/i18n.h"
#include "journal/reader.h"

#include <stdio.h>

/* Where a story is being told. */
struct story {
	json_t *events;
	const json_t *txn;
	const char *id;
};

void mg_trace_add(json_t *events, double time, const char *stage, const struct mg_say *say, const char *id)
{
	struct mg_buf text;

	mg_buf_init(&text, 8 * MG_RECORD_TEXT);
	mg_say_english(&text, say);
	json_array_append_new(events, json_pack("{s:f, s:s, s:o, s:o, s:s}", "time", time, "stage", stage, "text",
					      mg_json_text(mg_buf_str(&text)), "say", mg_say_json(say), "id", id));
	mg_buf_fini(&text);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static bool is_word(const char *text, const char *word)
{
	return strcmp(text, word) == 0;
}

static void tell(struct story *story, double time, const char *stage, struct mg_say say)
{
	mg_trace_add(story->events, time, stage, &say, story->id);
}

static void tell_client(struct story *story)
{
	const json_t *client = json_object_get(story->txn, "client");
	const char *ip = text_of(client, "ip"), *name = text_of(client, "name");
	double connected = number_of(story->txn, "connect_time"), begun = number_of(story->txn, "time");
	double time = connected > 0 && connected <= begun ? connected : begun;

	if (ip[0] == '\0')
		return;
	if (name[0] == '\0' || is_word(name, "unknown"))
		tell(story, time, "connect",
			MG_SAY(N_("%1 connected; it has no name in DNS that leads back to this address"), ip));
	else
		tell(story, time, "connect", MG_SAY(N_("%1 [%2] connected"), name, ip));
	if (text_of(client, "helo")[0] != '\0')
		tell(story, time, "helo", MG_SAY(N_("it introduced itself as %1"), text_of(client, "helo")));
	if (text_of(story->txn, "tls")[0] != '\0')
		tell(story, time, "helo",
			MG_SAY(N_("the connection is encrypted with %1"), text_of(story->txn, "tls")));
	if (text_of(client, "user")[0] != '\0')
		tell(story, time, "auth", MG_SAY(N_("it logged in as %1"), text_of(client, "user")));
}

static void tell_sender(struct story *story)
{
	const char *sender = text_of(story->txn, "sender");
	double time = number_of(story->txn, "time");

	if (sender[0] == '\0' && json_array_size(json_object_get(story->txn, "recipients")) == 0)
		return; /* it may not have come so far */
	if (sender[0] == '\0')
		tell(story, time, "mail", MG_SAY(N_("the sender is empty, as in bounces and other notices")));
	else
		tell(story, time, "mail", MG_SAY(N_("the sender is %1"), sender));
}

/* How a recipient was answered: three kinds, each folded when there are many. */
enum answer { ACCEPTED, REFUSED, PUT_OFF, ANSWERS };

static enum answer answer_of(const json_t *recipient)
{
	const char *verdict = text_of(recipient, "verdict");

	if (is_word(verdict, "reject"))
		return REFUSED;
	return is_word(verdict, "tempfail") ? PUT_OFF : ACCEPTED;
}

static void tell_recipient(struct story *story, const json_t *recipient, double time)
{
	const char *address = text_of(recipient, "address"), *reply = text_of(recipient, "reply");
	const char *code = text_of(recipient, "dsn");

	if (code[0] == '\0')
		code = text_of(recipient, "code");
	if (answer_of(recipient) == ACCEPTED)
		tell(story, time, "rcpt", MG_SAY(N_("recipient %1 was accepted"), address));
	else if (answer_of(recipient) == REFUSED)
		tell(story, time, "rcpt",
			MG_SAY(N_("recipient %1 was refused for good (%2): %3"), address, code, reply));
	else
		tell(story, time, "rcpt",
			MG_SAY(N_("recipient %1 was put off (%2), the other side may try again later: %3"), address,
				code, reply));
}

static void tell_recipients(struct story *story)
{
	static const char *const folded[ANSWERS] = { N_("%1 recipients were accepted, %2 the first of them"),
		N_("%1 recipients were refused for good, %2 the first of them: %3"),
		N_("%1 recipients were put off, %2 the first of them: %3") };
	const json_t *recipients = json_object_get(story->txn, "recipients"), *recipient;
	double begun = number_of(story->txn, "time");
	size_t count[ANSWERS] = { 0 }, i;
	char number[24];

	json_array_foreach(recipients, i, recipient) count[answer_of(recipient)]++;
	json_array_foreach(recipients, i, recipient)
	{
		enum answer answer = answer_of(recipient);
		double time = number_of(recipient, "rcpt_time");

		if (count[answer] == 0)
			continue; /* told already */
		if (count[answer] <= MG_TRACE_FOLD) {
			tell_recipient(story, recipient, time > 0 ? time : begun);
			continue;
		}
		snprintf(number, sizeof number, "%zu", count[answer]);
		tell(story, time > 0 ? time : begun, "rcpt",
			MG_SAY(folded[answer], number, text_of(recipient, "address"), text_of(recipient, "reply")));
		count[answer] = 0;
	}
	if (number_of(story->txn, "recipients_left_out") > 0) {
		snprintf(number, sizeof number, "%.0f", number_of(story->txn, "recipients_left_out"));
		tell(story, begun, "rcpt", MG_SAY(N_("%1 more recipients were not kept one by one"), number));
	}
}

static void tell_data(struct story *story)
{
	const char *message_id = text_of(story->txn, "message_id");
	double size = number_of(story->txn, "size"), time = number_of(story->txn, "end_time");
	char bytes[24];

	snprintf(bytes, sizeof bytes, "%.0f", size);
	if (size > 0 && message_id[0] != '\0')
		tell(story, time, "data",
			MG_SAY(N_("the message was received: %1 bytes, Message-ID <%2>"), bytes, message_id));
	else if (size > 0)
		tell(story, time, "data", MG_SAY(N_("the message was received: %1 bytes"), bytes));
	else if (message_id[0] != '\0')
		tell(story, time, "data", MG_SAY(N_("the message was received: Message-ID <%1>"), message_id));
}

static void tell_check(struct story *story, const char *what)
{
	tell(story, number_of(story->txn, "end_time"), "checks",
		MG_SAY(N_("where it says it comes from was checked: %1"), what));
}

/* Of a record without details the results alone. */
static void tell_results(struct story *story)
{
	const json_t *auth = json_object_get(story->txn, "auth");

	for (int i = 0; i < MG_METHODS; i++) {
		const char *method = mg_method_name((enum mg_method)i), *result = text_of(auth, method);
		char text[64];

		snprintf(text, sizeof text, "%s=%s", method, result);
		if (result[0] != '\0')
			tell_check(story, text);
	}
}

static void tell_checks(struct story *story)
{
	const json_t *details = json_object_get(story->txn, "auth_details");
	size_t i;
	json_t *detail;

	if (json_array_size(details) == 0)
		tell_results(story);
	json_array_foreach((json_t *)details, i, detail) tell_check(story, json_string_value(detail));
}

/* The verdict's words, by action and by whether Postfix itself spoke it. Arguments: code, text, rule, would. */
static const struct {
	const char *action, *ours, *of_postfix;
} verdicts[] = {
	{ "accept", N_("mailguard let it pass"), N_("mailguard let it pass") },
	{ "reject", N_("mailguard refused it for good with \"%1 %2\" (rule %3)"),
		N_("Postfix, not mailguard, refused it for good with \"%1 %2\"") },
	{ "tempfail", N_("mailguard put it off with \"%1 %2\" (rule %3); the other side may try again later"),
		N_("Postfix, not mailguard, put it off with \"%1 %2\"; the other side may try again later") },
	{ "quarantine", N_("mailguard put it into the hold queue (rule %3)"),
		N_("another filter put it into the hold queue: %2") },
	{ "discard", N_("mailguard took it and threw it away (rule %3)"),
		N_("Postfix or another filter took it and threw it away: %2") },
	{ "observe", N_("mailguard only observes and let it pass; the answer would have been %4 (rule %3)"),
		N_("mailguard only observes and let it pass; the answer would have been %4 (rule %3)") },
};

static void tell_verdict(struct story *story)
{
	const json_t *verdict = json_object_get(story->txn, "verdict");
	const char *action = text_of(verdict, "action"), *rule = text_of(verdict, "rule");
	double time = number_of(story->txn, "end_time");

	if (is_word(rule, "log-only")) {
		tell(story, time, "verdict",
			MG_SAY(N_(
				"mailguard's doors did not see this message: the story comes from the mail log alone")));
		return;
	}
	if (is_word(action, "observe") && text_of(verdict, "would")[0] == '\0')
		action = "accept"; /* there was nothing to withhold */
	if (is_word(action, "accept") && rule[0] != '\0' && !mg_str_starts(mg_str_z(rule), MG_STR("postfix:"))) {
		tell(story, time, "verdict", MG_SAY(N_("mailguard let it pass (rule %1)"), rule));
		action = "";
	}
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (is_word(action, verdicts[i].action))
			tell(story, time, "verdict",
				MG_SAY(mg_str_starts(mg_str_z(rule), MG_STR("postfix:")) ? verdicts[i].of_postfix
											 : verdicts[i].ours,
					text_of(verdict, "code"), text_of(verdict, "text"), rule,
					text_of(verdict, "would")));
	if (json_is_true(json_object_get(story->txn, "degraded")))
		tell(story, time, "verdict", MG_SAY(N_("mailguard was overloaded and let it pass without all checks")));
}

static void tell_queue(struct story *story)
{
	const char *queue_id = text_of(story->txn, "queue_id");
	const char *action = text_of(json_object_get(story->txn, "verdict"), "action");

	if (queue_id[0] != '\0' && !is_word(action, "reject") && !is_word(action, "tempfail"))
		tell(story, number_of(story->txn, "end_time"), "queue", MG_SAY(N_("it has the queue id %1"), queue_id));
}

bool mg_trace_story(struct mg_query *query, int64_t seq, const json_t *txn, json_t *events)
{
	struct story story = { .events = events, .txn = txn, .id = text_of(txn, "id") };
	double last = number_of(txn, "end_time");

	tell_client(&story);
	tell_sender(&story);
	tell_recipients(&story);
	tell_data(&story);
	tell_checks(&story);
	tell_verdict(&story);
	tell_queue(&story);
	return mg_trace_log(query, seq, txn, last, events);
}
