#include "ctl/doctor_message.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/i18n.h"
#include "explain/explain.h"
#include "journal/query.h"
#include "postfix/log_reader.h"

enum { TAIL_BYTES = 16 * 1024 * 1024, QUERY_MS = 5000, TRANSACTIONS = 20, LINE_SHOWN = 600 };

static const char *const question = N_("What became of the message?");

/* ---- searching ---- */

/* The record's story: of the daemon, else read here. NULL: no record to read. */
static json_t *search_record(struct mg_walk *walk, const char *what)
{
	const struct mg_conf *conf;
	struct mg_query *query = NULL;
	json_t *story = NULL;

	if (mg_ctl_call_quietly(walk->ctl, "trace",
		    json_pack("{s:o, s:i}", "what", mg_json_text(mg_str_z(what)), "limit", TRANSACTIONS),
		    &story) == MG_EXIT_GO_ON)
		return story;
	if ((conf = mg_ctl_conf(walk->ctl)) == NULL || mg_query_open(conf->journal.path, &query, NULL) != MG_OK)
		return NULL;
	if (mg_query_trace(query, what, TRANSACTIONS, mg_mono_us() + QUERY_MS * MG_MS_US, &story, NULL) != MG_OK)
		story = NULL;
	mg_query_close(&query);
	return story;
}

static bool speaks_of(struct mg_str line, struct mg_str what)
{
	for (size_t i = 0; i + what.n <= line.n; i++)
		if (mg_str_starts_nocase(mg_str_from(line, i), what))
			return true;
	return false;
}

/* The last line of the mail log's end that speaks of it, into `place`. */
static bool search_log(struct mg_walk *walk, const char *what, char place[LINE_SHOWN])
{
	const struct mg_conf *conf = mg_ctl_conf(walk->ctl);
	char source[160] = "";
	struct mg_str rest, line;
	struct mg_buf text;
	bool is_found = false;

	if (conf == NULL)
		return false;
	if (strcmp(conf->postfix.log, "auto") == 0)
		mg_log_source_find("", "", source, sizeof source);
	else
		mg_str_copy(source, sizeof source, mg_str_z(conf->postfix.log));
	rest = mg_str_z(source);
	if (!mg_read_token(&rest, MG_STR("file:")))
		return false;
	if (mg_file_tail(rest.p, TAIL_BYTES, &text, NULL) == MG_OK)
		for (rest = mg_buf_str(&text); rest.n > 0;) {
			line = mg_str_cut(&rest, '\n');
			if (!speaks_of(line, mg_str_z(what)))
				continue;
			is_found = true;
			mg_str_copy(place, LINE_SHOWN, mg_str_first(line, LINE_SHOWN - 1));
		}
	mg_buf_fini(&text);
	return is_found;
}

/* ---- telling ---- */

static void remember_closer(struct mg_walk *walk, const struct mg_explanation *explanation)
{
	if (walk->finding != NULL && explanation->check[0] != '\0')
		json_object_set_new(walk->finding, "look", json_string(explanation->check));
}

static const char *state_of(enum mg_permanence permanence)
{
	return permanence == MG_PERMANENCE_PERMANENT ? "crit" : permanence == MG_PERMANENCE_TEMPORARY ? "warn" : "ok";
}

/* A reply that stands in the way, explained. */
static void tell_reply(struct mg_walk *walk, const char *state, const struct mg_say *found, struct mg_str reply,
	struct mg_str dsn, const char *queue_id)
{
	struct mg_explanation explanation;

	if (!mg_explain_delivery(reply, dsn, MG_STR(""), MG_STR(""), &explanation)) {
		mg_walk_tell(walk, "message", question, state, found, NULL, &MG_SAY("mailguardctl trace %1", queue_id));
		return;
	}
	mg_walk_tell(walk, "message", question, state, found, &explanation.cause, &explanation.fix);
	remember_closer(walk, &explanation);
}

/* The worse a recipient fared, the more it matters. */
static int badness_of(const json_t *recipient)
{
	static const char *const deliveries[] = { "sent", "unknown", "held", "deferred", "expired", "bounced" };
	const char *verdict = mg_ctl_text(recipient, "verdict"), *delivery = mg_ctl_text(recipient, "delivery");

	if (strcmp(verdict, "reject") == 0)
		return 10;
	if (strcmp(verdict, "tempfail") == 0)
		return 9;
	for (int i = 0; i < (int)(sizeof deliveries / sizeof deliveries[0]); i++)
		if (strcmp(delivery, deliveries[i]) == 0)
			return i;
	return 0;
}

static const json_t *worst_recipient(const json_t *txn)
{
	const json_t *worst = NULL;
	size_t i;
	json_t *recipient;

	json_array_foreach(json_object_get(txn, "recipients"), i,
		recipient) if (worst == NULL || badness_of(recipient) > badness_of(worst)) worst = recipient;
	return worst;
}

static void tell_refused(struct mg_walk *walk, const json_t *txn, const json_t *recipient, bool is_permanent)
{
	const json_t *verdict = json_object_get(txn, "verdict");
	const char *reply = mg_ctl_text(recipient, "reply"), *rule = mg_ctl_text(verdict, "rule");
	char text[1200];

	if (reply[0] == '\0') {
		snprintf(text, sizeof text, "%s %s", mg_ctl_text(verdict, "code"), mg_ctl_text(verdict, "text"));
		reply = text;
	}
	tell_reply(walk, is_permanent ? "crit" : "warn",
		&(struct mg_say){ is_permanent ? N_("this server refused it when it came, for %1: %2 (%3)")
					       : N_("this server put it off when it came, for %1: %2 (%3)"),
			{ mg_ctl_text(recipient, "address"), reply, rule } },
		mg_str_z(reply), mg_str_z(mg_ctl_text(recipient, "dsn")), mg_ctl_text(txn, "queue_id"));
}

static void tell_held(struct mg_walk *walk, const json_t *txn)
{
	const char *id = mg_ctl_text(txn, "queue_id");

	mg_walk_tell(walk, "message", question, "warn", &MG_SAY(N_("it waits in Postfix's hold queue: %1"), id),
		&MG_SAY(N_("a check or an administrator has put it there (%1); it stays until somebody lets it go"),
			mg_ctl_text(json_object_get(txn, "verdict"), "rule")),
		&MG_SAY(N_("read it: postcat -q %1; let it go: mailguardctl release %1"), id));
}

static void tell_delivery(struct mg_walk *walk, const json_t *txn, const json_t *recipient)
{
	const char *delivery = mg_ctl_text(recipient, "delivery"), *address = mg_ctl_text(recipient, "address");
	const char *reply = mg_ctl_text(recipient, "reply"), *id = mg_ctl_text(txn, "queue_id");
	struct mg_str text = mg_str_z(reply), dsn = mg_str_z(mg_ctl_text(recipient, "dsn"));

	if (strcmp(delivery, "bounced") == 0 || strcmp(delivery, "expired") == 0)
		tell_reply(walk, "crit",
			&MG_SAY(N_("it could not be delivered to %1 and went back to its sender: %2"), address, reply),
			text, dsn, id);
	else if (strcmp(delivery, "deferred") == 0)
		tell_reply(walk, "warn",
			&MG_SAY(N_("it waits in the queue for %1, and Postfix tries again by itself (at once: postqueue -i %3): %2"),
				address, reply, id),
			text, dsn, id);
	else if (strcmp(delivery, "held") == 0)
		tell_held(walk, txn);
	else if (strcmp(delivery, "sent") == 0)
		mg_walk_tell(walk, "message", question, "ok",
			&MG_SAY(N_("it was delivered to %1: %2. If its reader does not see it, look into the junk folder and the filters there; the whole story: mailguardctl trace %3"),
				address, reply, id),
			NULL, NULL);
	else
		mg_walk_tell(walk, "message", question, "ok",
			&MG_SAY(N_("it is here and on its way to %1; nothing final is known yet: mailguardctl trace %2"),
				address, id),
			NULL, NULL);
}

static void tell_transaction(struct mg_walk *walk, const json_t *txn)
{
	const json_t *recipient = worst_recipient(txn);
	int badness = recipient == NULL ? 0 : badness_of(recipient);

	if (recipient == NULL)
		mg_walk_tell(walk, "message", question, "ok",
			&MG_SAY(N_("it came, but named no recipient: mailguardctl trace %1"),
				mg_ctl_text(txn, "queue_id")),
			NULL, NULL);
	else if (badness >= 9)
		tell_refused(walk, txn, recipient, badness == 10);
	else if (strcmp(mg_ctl_text(json_object_get(txn, "verdict"), "action"), "quarantine") == 0 &&
		 strcmp(mg_ctl_text(recipient, "delivery"), "sent") != 0)
		tell_held(walk, txn);
	else
		tell_delivery(walk, txn, recipient);
}

static void tell_line(struct mg_walk *walk, const char *line)
{
	struct mg_explanation explanation;
	struct mg_say found =
		MG_SAY(N_("the record does not know it; the last line of the mail log about it: %1"), line);

	if (!mg_explain(mg_str_z(line), &explanation)) {
		mg_walk_tell(walk, "message", question, "ok", &found, NULL, NULL);
		return;
	}
	mg_walk_tell(walk, "message", question, state_of(explanation.permanence), &found, &explanation.cause,
		&explanation.fix);
	remember_closer(walk, &explanation);
}

int mg_doctor_message(struct mg_walk *walk, const char *what, bool *is_found_out)
{
	json_t *story = search_record(walk, what);
	const json_t *transactions = json_object_get(story, "transactions");
	char line[LINE_SHOWN] = "";

	*is_found_out = true;
	if (json_array_size(transactions) > 0)
		tell_transaction(walk, json_array_get(transactions, 0));
	else if (search_log(walk, what, line))
		tell_line(walk, line);
	else {
		*is_found_out = false;
		mg_walk_tell(walk, "message", question, "ok",
			&MG_SAY(N_("neither the record nor the mail log knows anything of %1: it did not come this far"),
				what),
			NULL, NULL);
	}
	json_decref(story);
	return MG_EXIT_GO_ON;
}

int mg_doctor_look_closer(struct mg_walk *walk)
{
	const char *id = mg_ctl_text(walk->finding, "look");
	struct mg_walk_step closer = { "closer", N_("What does this server look like there?"), { id } };

	return mg_check_find(id) == NULL ? MG_EXIT_GO_ON : mg_walk_take(walk, &closer);
}
