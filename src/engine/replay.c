/* One transaction goes the way that session.c, policy_request.c and gate.c take it: each recipient past the guards, then the
 * message past the sender's checks and the guards; the gravest word stands. */
#include "engine/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/replay_limits.h"
#include "engine/replay_sender.h"
#include "engine/replay_words.h"
#include "guard/seen.h"

struct mg_replay {
	const struct mg_conf *conf, *current;
	struct mg_replay_limits *limits;
	bool has_other_sealers, has_other_trust;
	struct mg_net *trusted; /* of conf */
};

/* The transaction at hand. */
struct course {
	struct mg_replay *replay;
	const struct mg_conf *conf;
	struct mg_record *record;
	bool is_soft; /* mode "observe": nothing is refused */
	struct mg_hearing hearing;
	bool is_exempt;
	bool is_old; /* from before it was kept who refused a recipient */
	bool *is_taken;
	size_t taken, refused;       /* by guards and checks */
	struct mg_judgement auth;    /* of the sender's checks */
	struct mg_judgement refusal; /* of a recipient: the one that decides if all are refused */
	struct mg_judgement hold;    /* what guards ask for without refusing a recipient */
	struct mg_judgement withheld;
	enum mg_replay_gap gap;
	struct mg_replay_bill bill;
};

static const struct mg_judgement nothing = { MG_ACTION_ACCEPT, "", "", "", "" };

const char *mg_replay_gap_name(enum mg_replay_gap gap)
{
	static const char *const names[MG_GAPS] = { "", "log-only", "refused-early", "iprev", "spf", "dkim", "arc",
		"dmarc", "dnsbl", "trusted_sealers", "relay.trusted", "relay" };

	return names[gap];
}

enum mg_action mg_replay_recorded(const struct mg_record *record)
{
	return record->action == MG_ACTION_OBSERVE || record->action == MG_ACTION_NONE ? MG_ACTION_ACCEPT
										       : record->action;
}

static bool is_refusal(enum mg_action action)
{
	return action == MG_ACTION_REJECT || action == MG_ACTION_TEMPFAIL;
}

static bool begins(const char *rule, struct mg_str word)
{
	return mg_str_starts(mg_str_z(rule), word);
}

static void keep_gravest(struct mg_judgement *so_far, const struct mg_judgement *judgement)
{
	if (mg_gravity(judgement->action) > mg_gravity(so_far->action))
		*so_far = *judgement;
}

static void miss(struct course *course, enum mg_replay_gap gap)
{
	if (course->gap == MG_GAP_NONE)
		course->gap = gap;
}

/* ---- the client ---- */

static bool is_trusted_now(const struct mg_replay *replay, const struct mg_ip *client)
{
	for (size_t i = 0; i < replay->conf->relay.trusted.count; i++)
		if (mg_net_contains(&replay->trusted[i], client))
			return true;
	return false;
}

static bool was_trusted_by_setting(const struct mg_replay *replay, const struct mg_ip *client)
{
	struct mg_net net;

	for (size_t i = 0; i < replay->current->relay.trusted.count; i++)
		if (mg_net_parse(mg_str_z(replay->current->relay.trusted.item[i]), &net) &&
			mg_net_contains(&net, client))
			return true;
	return false;
}

static void class_client(struct course *course)
{
	const struct mg_record *record = course->record;
	const struct mg_replay *replay = course->replay;

	course->is_exempt = record->relay == MG_RELAY_AUTHENTICATED || record->relay == MG_RELAY_LOCAL ||
			    record->relay == MG_RELAY_TRUSTED;
	if (!replay->has_other_trust)
		return;
	if (is_trusted_now(replay, &record->client_ip))
		course->is_exempt = course->hearing.is_newly_trusted = true;
	else if (record->relay == MG_RELAY_TRUSTED && was_trusted_by_setting(replay, &record->client_ip))
		miss(course, MG_GAP_TRUST);
}

/* ---- recipients ---- */

static bool is_refused_by_us(const struct course *course, const struct mg_recipient *recipient)
{
	if (!is_refusal(recipient->verdict))
		return false;
	return recipient->rule != NULL || (course->is_old && is_refusal(course->record->action) &&
						  !begins(course->record->rule, MG_STR("client:")));
}

static struct mg_heard words_about(struct course *course, const struct mg_recipient *recipient)
{
	struct mg_heard words = mg_hear_list(&course->hearing, recipient->asked);

	if (is_refusal(recipient->verdict))
		mg_hear(&course->hearing, &words, recipient->verdict,
			mg_str_z(recipient->rule != NULL ? recipient->rule : course->record->rule), recipient->code,
			recipient->dsn, recipient->reply);
	return words;
}

static void refuse(struct course *course, const struct mg_judgement *judgement)
{
	if (judgement->action == MG_ACTION_REJECT || course->refusal.action != MG_ACTION_REJECT)
		course->refusal = *judgement;
}

/* What a guard says without refusing: it stands for the message, or is withheld. */
static void note(struct course *course, const struct mg_judgement *judgement)
{
	if (course->is_soft)
		keep_gravest(&course->withheld, judgement);
	else if (mg_gravity(judgement->action) > 0)
		course->hold = *judgement;
}

static void refused_by_postfix(struct course *course, const struct mg_recipient *recipient)
{
	char rule[48];

	snprintf(rule, sizeof rule, "postfix:%.30s", recipient->dsn);
	refuse(course, &(struct mg_judgement){ recipient->verdict, recipient->code, recipient->dsn, recipient->reply,
			       mg_record_text(course->record, mg_str_z(rule)) });
	mg_replay_limits_clock(recipient->time_us);
	mg_replay_limits_failure(course->replay->limits, course->record, recipient);
}

static bool has_relay_gap(const struct course *course)
{
	return course->conf->relay.action == MG_RELAY_ACTION_REJECT &&
	       course->replay->current->relay.action == MG_RELAY_ACTION_OFF &&
	       course->record->relay == MG_RELAY_STRANGER;
}

/* False: refused. */
static bool take_recipient(struct course *course, const struct mg_recipient *recipient)
{
	struct mg_heard words = words_about(course, recipient);
	struct mg_judgement limit = nothing;

	mg_replay_limits_clock(recipient->time_us);
	if (!course->record->by_milter && is_refusal(course->auth.action) && !course->is_soft) {
		refuse(course, &course->auth);
		return false;
	}
	note(course, &words.hold);
	if (words.refusal.action != MG_ACTION_ACCEPT) {
		refuse(course, &words.refusal);
		return false;
	}
	if (has_relay_gap(course))
		miss(course, MG_GAP_RELAY);
	mg_replay_limits_ask(course->replay->limits, course->record, recipient, course->is_soft, &course->bill, &limit);
	if (is_refusal(limit.action) && !course->is_soft) {
		refuse(course, &limit);
		return false;
	}
	note(course, &limit);
	return true;
}

static void take_recipients(struct course *course)
{
	struct mg_record *record = course->record;
	size_t i = 0;

	course->taken = record->recipients_left_out;
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next, i++) {
		if (is_refusal(r->verdict) && !is_refused_by_us(course, r)) {
			refused_by_postfix(course, r);
		} else if (take_recipient(course, r)) {
			course->is_taken[i] = true;
			course->taken++;
		} else {
			course->refused++;
		}
	}
}

/* ---- the message ---- */

static void judge_sender(struct course *course)
{
	enum mg_replay_gap gap;

	if (course->is_exempt)
		return;
	gap = mg_replay_sender(course->record, course->conf, course->replay->has_other_sealers, &course->auth);
	if (gap != MG_GAP_NONE)
		miss(course, gap);
}

/* What the guards say of the message: not asked about one that the checks refuse. */
static struct mg_judgement pass_guards(struct course *course)
{
	const struct mg_record *record = course->record;
	struct mg_heard words = mg_hear_list(&course->hearing, record->asked);
	struct mg_judgement limit = nothing;

	if (course->is_old && !is_refusal(record->action))
		mg_hear(&course->hearing, &words, record->would != MG_ACTION_NONE ? record->would : record->action,
			mg_str_z(record->rule), "550", "5.7.1", record->text);
	note(course, &words.hold);
	if (is_refusal(words.refusal.action))
		return words.refusal;
	mg_replay_limits_clock(record->end_us);
	mg_replay_limits_ask(course->replay->limits, course->record, NULL, course->is_soft, &course->bill, &limit);
	if (is_refusal(limit.action) && !course->is_soft)
		return limit;
	note(course, &limit);
	return nothing;
}

/* The gravest of what the sender's checks, the guards and a hold ask for; of equals the first. */
static struct mg_judgement take_message(struct course *course)
{
	struct mg_judgement verdict = course->is_soft ? nothing : course->auth, guards;

	if (is_refusal(verdict.action))
		return verdict;
	guards = pass_guards(course);
	if (course->is_soft)
		note(course, &course->auth);
	keep_gravest(&verdict, &guards);
	keep_gravest(&verdict, &course->hold);
	return verdict;
}

static void say(struct course *course, const struct mg_judgement *judgement, struct mg_replayed *out)
{
	char code[32];

	out->text = judgement->text;
	out->rule = judgement->rule;
	if (is_refusal(judgement->action)) {
		snprintf(code, sizeof code, "%.8s %.16s", judgement->code, judgement->dsn);
		out->code = mg_record_text(course->record, mg_str_z(code));
	}
}

/* As it is in the record: what Postfix refused, and what the client never finished. */
static void leave(const struct mg_record *record, struct mg_replayed *out)
{
	out->action = mg_replay_recorded(record);
	out->code = record->code;
	out->text = record->text;
	out->rule = record->rule;
}

/* The end of the message never came: RSET, or the connection was gone. */
static bool is_unfinished(const struct mg_record *record)
{
	return begins(record->rule, MG_STR("client:"));
}

static bool is_refused_early(const struct mg_record *record)
{
	for (const struct mg_recipient *r = record->recipients; r != NULL; r = r->next)
		if (!is_refusal(r->verdict))
			return false;
	return record->by_milter && record->recipients_left_out == 0 && record->recipients != NULL;
}

static void conclude(struct course *course, struct mg_replayed *out)
{
	struct mg_record *record = course->record;
	struct mg_judgement verdict;

	*out = (struct mg_replayed){ .action = MG_ACTION_ACCEPT, .code = "", .text = "", .rule = "" };
	if (course->taken == 0 && course->refused == 0 && record->recipients != NULL) {
		leave(record, out);
	} else if (course->taken == 0 && course->refused > 0) {
		out->action = course->refusal.action;
		say(course, &course->refusal, out);
	} else if (is_unfinished(record)) {
		leave(record, out);
	} else if (is_refused_early(record)) {
		miss(course, MG_GAP_EARLY);
	} else {
		verdict = take_message(course);
		out->action = verdict.action;
		if (verdict.action != MG_ACTION_ACCEPT) {
			say(course, &verdict, out);
		} else if (course->withheld.action != MG_ACTION_ACCEPT) {
			out->would = course->withheld.action;
			say(course, &course->withheld, out);
		}
	}
	out->gap = course->is_soft || out->action == MG_ACTION_REJECT ? MG_GAP_NONE : course->gap;
}

/* Postfix's refusal of it all: the limits were asked, and give back what they took. */
static void spend_in_vain(struct course *course)
{
	course->is_soft = course->hearing.is_soft = true;
	take_recipients(course);
	mg_replay_limits_close(course->replay->limits, course->record, false, course->is_taken, &course->bill);
}

/* Ours never withheld what it also did: what was withheld and yet refused, Postfix refused in the end. */
static bool is_postfix_refusal(const struct mg_record *record)
{
	return begins(record->rule, MG_STR("postfix:")) ||
	       (is_refusal(record->action) && record->would != MG_ACTION_NONE);
}

static bool is_simulated(const struct mg_record *record)
{
	return record->client_ip.family == MG_IP_NONE ||
	       (record->client_port == 0 && mg_ip_is_loopback(&record->client_ip));
}

static void run(struct course *course, struct mg_replayed *out)
{
	struct mg_record *record = course->record;
	bool is_accepted;

	class_client(course);
	if (!record->by_milter || !(is_refused_early(record) || is_unfinished(record)))
		judge_sender(course);
	take_recipients(course);
	conclude(course, out);
	is_accepted = !is_refusal(out->gap == MG_GAP_NONE ? out->action : mg_replay_recorded(record));
	mg_replay_limits_clock(record->end_us);
	mg_replay_limits_close(course->replay->limits, record, is_accepted, course->is_taken, &course->bill);
}

void mg_replay_take(struct mg_replay *replay, const struct mg_walked *walked, struct mg_replayed *replayed_out)
{
	struct mg_record *record = walked->record;
	bool has_door = record->by_milter || record->by_policy;
	struct course course = { .replay = replay,
		.conf = replay->conf,
		.record = record,
		.is_soft = replay->conf->mode == MG_MODE_OBSERVE,
		.hearing = { replay->conf, record, replay->conf->mode == MG_MODE_OBSERVE, false },
		.is_old = record->auth_facts[0] == '\0',
		.auth = nothing,
		.refusal = nothing,
		.hold = nothing,
		.withheld = nothing };

	*replayed_out = (struct mg_replayed){ .code = "", .text = "", .rule = "" };
	leave(record, replayed_out);
	course.is_taken = mg_arena_take(&record->arena, record->recipient_count + 1);
	if (course.is_taken == NULL || is_simulated(record))
		return;
	mg_replay_limits_clock(record->time_us);
	if (is_postfix_refusal(record)) {
		if (has_door)
			spend_in_vain(&course);
	} else if (!has_door) {
		replayed_out->gap = MG_GAP_LOG_ONLY;
	} else {
		run(&course, replayed_out);
	}
}

/* ---- life ---- */

static bool is_same_list(const struct mg_strings *a, const struct mg_strings *b)
{
	bool is_same = a->count == b->count;

	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = mg_str_eq_nocase(mg_str_z(a->item[i]), mg_str_z(b->item[i]));
	return is_same;
}

static bool read_trusted(struct mg_replay *replay)
{
	const struct mg_strings *list = &replay->conf->relay.trusted;

	replay->trusted = calloc(list->count + 1, sizeof *replay->trusted);
	for (size_t i = 0; replay->trusted != NULL && i < list->count; i++)
		if (!mg_net_parse(mg_str_z(list->item[i]), &replay->trusted[i]))
			replay->trusted[i] = (struct mg_net){ .bits = 0 }; /* of no family: holds nobody */
	return replay->trusted != NULL;
}

enum mg_rc mg_replay_new(
	const struct mg_conf *conf, const struct mg_conf *current, struct mg_replay **replay_out, struct mg_err *err)
{
	struct mg_replay *replay = calloc(1, sizeof *replay);
	enum mg_rc rc;

	*replay_out = NULL;
	if (replay == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory to replay the record");
	replay->conf = mg_conf_ref(conf);
	replay->current = mg_conf_ref(current);
	replay->has_other_sealers = !is_same_list(&conf->auth.trusted_sealers, &current->auth.trusted_sealers);
	replay->has_other_trust = !is_same_list(&conf->relay.trusted, &current->relay.trusted);
	rc = read_trusted(replay) ? mg_replay_limits_new(conf, &replay->limits, err)
				  : mg_err_set(err, MG_ENOMEM, "no memory to replay the record");
	if (rc == MG_OK)
		*replay_out = replay;
	else
		mg_replay_free(&replay);
	return rc;
}

void mg_replay_free(struct mg_replay **replay)
{
	struct mg_replay *last = *replay;

	*replay = NULL;
	if (last == NULL)
		return;
	mg_replay_limits_free(&last->limits);
	mg_conf_unref(&last->conf);
	mg_conf_unref(&last->current);
	free(last->trusted);
	free(last);
}

uint64_t mg_replay_lead_s(const struct mg_conf *conf)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < conf->rate.limit_count; i++) {
		const struct mg_limit_row *row = &conf->rate.limits[i];
		uint64_t lead = row->count == MG_COUNT_NEW_RECIPIENTS ? (uint64_t)MG_SEEN_DAYS * 86400 : row->per_s;

		longest = lead > longest ? lead : longest;
	}
	return longest;
}
