/* A stack of lists, a position in each: what smtpd does by calling itself. */
#include "postfix/relay_eval.h"

#include "base/i18n.h"
#include "postfix/relay_access.h"
#include "postfix/wiring_door.h"

enum { DEPTH = 100, STEPS_A_LIST = 200000 };

struct frame {
	const struct mg_relay_list *list;
	size_t at;
};

struct walk {
	struct mg_relay_model *model;
	const struct mg_relay_client *client;
	enum mg_relay_stage stage;
	bool has_helo, has_sender, has_recipient; /* smtpd knows it by then */
	struct frame stack[DEPTH];
	size_t depth;
	size_t warn_depth; /* 0: refusals count */
	bool is_deferred;  /* whoever is permitted from here on is put off */
	struct mg_relay_cause *cause;
};

/* What one restriction comes to. */
enum step { GO_ON, PERMIT, REFUSE, STOP /* refuse, even where only warned of */ };

static void doubt(struct walk *walk, struct mg_say why)
{
	if (walk->cause->outcome == MG_RELAY_NO && !walk->is_deferred) {
		walk->cause->outcome = MG_RELAY_PERHAPS;
		walk->cause->doubt = why;
		walk->cause->item = &walk->stack[0].list->items[walk->stack[0].at - 1];
	}
}

static enum step push(struct walk *walk, const struct mg_relay_list *list)
{
	if (list == NULL || list->is_doubtful) {
		doubt(walk, MG_SAY(N_("a restriction list is longer than can be looked at")));
		return list == NULL ? STOP : GO_ON;
	}
	if (walk->depth == DEPTH) {
		doubt(walk, MG_SAY(N_("restriction classes name each other in a circle")));
		return STOP;
	}
	walk->stack[walk->depth++] = (struct frame){ list, 0 };
	return GO_ON;
}

/* ---- tables ---- */

static enum step follow(struct walk *walk, const struct mg_relay_item *item, struct mg_str value)
{
	switch (mg_relay_answer_of(value)) {
	case MG_RELAY_SAYS_OK:
		walk->cause->answer = value;
		return item->op == MG_RELAY_SERVER || item->op == MG_RELAY_REVERSE ? STOP : PERMIT;
	case MG_RELAY_SAYS_NO:
		return REFUSE;
	case MG_RELAY_SAYS_BAD:
		return STOP;
	case MG_RELAY_SAYS_DEFER:
		walk->is_deferred = walk->is_deferred || walk->warn_depth == 0;
		return GO_ON;
	case MG_RELAY_SAYS_DISCARD:
		return walk->model->discards && (walk->has_sender || walk->model->delays) ? STOP : GO_ON;
	case MG_RELAY_SAYS_ELSEWHERE:
		walk->cause->is_elsewhere = true;
		return GO_ON;
	case MG_RELAY_SAYS_LIST:
		walk->cause->answer = value;
		return push(walk, mg_relay_lists_answer(walk->model->lists, value));
	default:
		return GO_ON;
	}
}

static enum mg_relay_choice choice_of(enum mg_relay_op op)
{
	switch (op) {
	case MG_RELAY_HELO:
		return MG_CHOICE_HELO;
	case MG_RELAY_SENDER:
		return MG_CHOICE_SENDER;
	case MG_RELAY_RECIPIENT:
		return MG_CHOICE_RECIPIENT;
	case MG_RELAY_CERT:
		return MG_CHOICE_CERT;
	default:
		return MG_CHOICE_ADDRESS;
	}
}

/* A rule that permits somebody we could not make up. */
static void doubt_rules(struct walk *walk, const struct mg_table *table, enum mg_relay_op op)
{
	enum mg_relay_choice choice = choice_of(op);

	for (size_t i = 0; i < walk->model->doubt_count; i++) {
		const struct mg_relay_doubt *one = &walk->model->doubts[i];
		bool is_client = choice == MG_CHOICE_ADDRESS && one->choice <= MG_CHOICE_NAME;

		if (one->table == table && (one->choice == choice || is_client))
			doubt(walk,
				MG_SAY(N_("whom the rule %1 of %2 permits can't be told"), one->rule.p, table->name));
	}
}

static bool is_asked(const struct walk *walk, enum mg_relay_op op)
{
	switch (op) {
	case MG_RELAY_HELO:
		return walk->has_helo;
	case MG_RELAY_SENDER:
		return walk->has_sender;
	case MG_RELAY_RECIPIENT:
		return walk->has_recipient;
	case MG_RELAY_CERT:
		return walk->model->asks_cert;
	case MG_RELAY_SASL:
		return walk->client->has_login || walk->model->has_anonymous;
	default:
		return true;
	}
}

/* What a table alone in a list is asked about. */
static enum mg_relay_op bare_op(enum mg_relay_stage stage)
{
	static const enum mg_relay_op ops[MG_STAGES] = {
		[MG_STAGE_CLIENT] = MG_RELAY_CLIENT,
		[MG_STAGE_HELO] = MG_RELAY_HELO,
		[MG_STAGE_SENDER] = MG_RELAY_SENDER,
		[MG_STAGE_RELAY] = MG_RELAY_RECIPIENT,
		[MG_STAGE_RECIPIENT] = MG_RELAY_RECIPIENT,
		[MG_STAGE_DATA] = MG_RELAY_BAD,
		[MG_STAGE_END] = MG_RELAY_BAD,
	};

	return ops[stage];
}

static enum step ask_table(struct walk *walk, const struct mg_relay_item *item, enum mg_relay_op op)
{
	struct mg_str value = MG_STR("");
	enum mg_table_found found;

	if (op == MG_RELAY_BAD)
		return STOP;
	if (!is_asked(walk, op))
		return GO_ON;
	if (op == MG_RELAY_SASL ||
		op == MG_RELAY_SERVER) { /* of a login, of a server's name: anything may be looked up */
		if (op == MG_RELAY_SASL)
			doubt(walk, MG_SAY(N_("what %1 says of an anonymous login can't be told"), item->table->name));
		return GO_ON;
	}
	walk->cause->op = op;
	found = mg_relay_access(walk->model, op, item->table, walk->client, &value);
	if (mg_table_unknown_part(item->table) != NULL && found != MG_TABLE_FOUND)
		doubt(walk, MG_SAY(mg_table_trouble(item->table), item->table->name));
	doubt_rules(walk, item->table, op);
	switch (found) {
	case MG_TABLE_FOUND:
		return follow(walk, item, value);
	case MG_TABLE_ERROR:
		return STOP;
	default:
		return GO_ON;
	}
}

/* ---- the other restrictions ---- */

static enum step run_mynetworks(struct walk *walk)
{
	const struct mg_relay_candidate *address = walk->client->is[MG_CHOICE_ADDRESS];
	const struct mg_match_pattern *which = NULL;

	switch (mg_match_client(walk->model->tables, &walk->model->mynetworks, walk->client->is[MG_CHOICE_NAME]->text,
		address->text, &address->ip, &which)) {
	case MG_MATCH_YES:
		walk->cause->op = MG_RELAY_MYNETWORKS;
		walk->cause->network = which;
		return PERMIT;
	case MG_MATCH_ERROR:
		return STOP;
	case MG_MATCH_UNKNOWN:
		doubt(walk,
			MG_SAY(N_("whom %1 in mynetworks trusts can't be told"), which == NULL ? "" : which->text.p));
		return GO_ON;
	default:
		return GO_ON;
	}
}

static bool is_ours(const struct walk *walk)
{
	return walk->client->is[MG_CHOICE_RECIPIENT]->class == MG_RELAY_CLASS_RELAY;
}

/* What the path owes to relay_domains: a doubt, or the domain being in it. */
static void note_destination(struct walk *walk)
{
	const struct mg_relay_candidate *recipient = walk->client->is[MG_CHOICE_RECIPIENT];

	if (recipient->class == MG_RELAY_CLASS_DOUBT)
		doubt(walk, MG_SAY(N_("which domains %1 in relay_domains holds can't be told"),
				    recipient->relay_pattern == NULL ? "" : recipient->relay_pattern->text.p));
	walk->cause->is_relay_domain = walk->cause->is_relay_domain || is_ours(walk);
}

/* reject_unauth_destination and what is like it. */
static enum step run_test(struct walk *walk)
{
	if (!walk->has_recipient)
		return GO_ON;
	note_destination(walk);
	if (is_ours(walk))
		return GO_ON;
	return walk->client->is[MG_CHOICE_RECIPIENT]->class == MG_RELAY_CLASS_BROKEN ? STOP : REFUSE;
}

static enum step run_our_destination(struct walk *walk)
{
	if (!walk->has_recipient)
		return GO_ON;
	note_destination(walk);
	return is_ours(walk) ? PERMIT : GO_ON;
}

/* check_relay_domains: clients by their name, then destinations. */
static enum step run_old_test(struct walk *walk)
{
	const struct mg_match_pattern *which;

	if (!walk->has_recipient)
		return GO_ON;
	if (mg_match_domain(walk->model->tables, &walk->model->destination->relay,
		    walk->client->is[MG_CHOICE_NAME]->text, &which) == MG_MATCH_YES)
		return PERMIT;
	return is_ours(walk) ? PERMIT : run_test(walk);
}

static enum step run_cert(struct walk *walk, bool is_any)
{
	struct mg_str cert = walk->client->is[MG_CHOICE_CERT]->text, value;

	if (!walk->model->asks_cert || cert.n == 0)
		return GO_ON;
	if (is_any && mg_str_eq(cert, MG_STR("signed"))) {
		walk->cause->op = MG_RELAY_ANY_CERT;
		if (walk->model->ca == MG_CA_PUBLIC)
			return PERMIT;
		doubt(walk, MG_SAY(N_("to whom the authority of smtpd_tls_CAfile gives certificates can't be told")));
	}
	for (size_t i = 0; i < walk->model->ccerts.count; i++) {
		enum mg_table_found found = mg_relay_access(
			walk->model, MG_RELAY_CERT, walk->model->ccerts.tables[i], walk->client, &value);

		walk->cause->op = MG_RELAY_LISTED_CERT;
		if (found == MG_TABLE_FOUND)
			return PERMIT;
	}
	return GO_ON;
}

/* Our own check never permits, and refuses only what deserves it; another's may do anything. */
static enum step run_policy(struct walk *walk, const struct mg_relay_item *item)
{
	struct mg_str server = mg_door_server(item->argument);
	struct mg_str action = mg_door_attribute(item->argument, MG_STR("default_action"));
	bool is_own = walk->model->policy_listen[0] != '\0' &&
		      mg_door_match(server, walk->model->policy_listen, walk->model->postfix->queue_directory,
			      walk->model->service->is_chroot) != MG_DOOR_OTHER;

	is_own = is_own || mg_str_ends(server, MG_STR("mailguard/policy.sock"));
	if (action.n == 0)
		action = walk->model->policy_default;
	if (mg_relay_answer_of(action) == MG_RELAY_SAYS_OK)
		doubt(walk,
			MG_SAY(N_("whoever comes while the policy service %1 does not answer is permitted (default_action)"),
				mg_arena_text(walk->model->arena, server, server.n)));
	else if (!is_own)
		doubt(walk, MG_SAY(N_("what the policy service %1 permits can't be told"),
				    mg_arena_text(walk->model->arena, server, server.n)));
	walk->cause->op = walk->cause->outcome == MG_RELAY_PERHAPS ? MG_RELAY_POLICY : walk->cause->op;
	return GO_ON;
}

static bool is_full_name(struct mg_str name)
{
	return (name.n > 0 && name.p[0] == '[') || mg_str_find(name, '.') != SIZE_MAX;
}

static bool is_full_address(struct mg_str address)
{
	size_t at = mg_str_rfind(address, '@');

	return address.n == 0 || (at != SIZE_MAX && is_full_name(mg_str_from(address, at + 1)));
}

/* The sender belongs to a login, and the client has none. */
static bool is_somebodys(struct walk *walk)
{
	struct mg_str sender = walk->client->is[MG_CHOICE_SENDER]->text, value;

	return walk->model->has_sasl && walk->has_sender && sender.n > 0 && !walk->client->has_login &&
	       mg_relay_maps_find_address(walk->model->tables, &walk->model->owners, sender, &value) == MG_TABLE_FOUND;
}

static bool is_refused(struct walk *walk, enum mg_relay_op op)
{
	const struct mg_relay_client *client = walk->client;

	switch (op) {
	case MG_RELAY_KNOWN_CLIENT:
		return mg_str_eq(client->is[MG_CHOICE_NAME]->text, MG_STR("unknown"));
	case MG_RELAY_FULL_HELO:
		return walk->has_helo && !is_full_name(client->is[MG_CHOICE_HELO]->text);
	case MG_RELAY_FULL_SENDER:
		return walk->has_sender && !is_full_address(client->is[MG_CHOICE_SENDER]->text);
	case MG_RELAY_ENCRYPTED:
		return !walk->model->has_tls;
	case MG_RELAY_OWNER:
		return is_somebodys(walk);
	default:
		return false;
	}
}

static enum step run(struct walk *walk, const struct mg_relay_item *item)
{
	switch (item->op) {
	case MG_RELAY_CLASS:
		return push(walk, item->class);
	case MG_RELAY_PERMIT:
		walk->cause->op = MG_RELAY_PERMIT;
		return PERMIT;
	case MG_RELAY_REJECT:
		return REFUSE;
	case MG_RELAY_BAD:
		return STOP;
	case MG_RELAY_DEFERRED:
		walk->is_deferred = walk->is_deferred || walk->warn_depth == 0;
		return GO_ON;
	case MG_RELAY_MYNETWORKS:
		return run_mynetworks(walk);
	case MG_RELAY_TEST:
		return run_test(walk);
	case MG_RELAY_OUR_DESTINATION:
		return run_our_destination(walk);
	case MG_RELAY_OLD_TEST:
		return run_old_test(walk);
	case MG_RELAY_LOGIN:
		walk->cause->op = walk->client->has_login ? MG_RELAY_LOGIN : walk->cause->op;
		return walk->client->has_login && walk->model->has_sasl ? PERMIT : GO_ON;
	case MG_RELAY_CLIENT:
	case MG_RELAY_REVERSE:
	case MG_RELAY_HELO:
	case MG_RELAY_SENDER:
	case MG_RELAY_RECIPIENT:
	case MG_RELAY_CERT:
	case MG_RELAY_SASL:
	case MG_RELAY_SERVER:
		return ask_table(walk, item, item->op);
	case MG_RELAY_BARE:
		return ask_table(walk, item, bare_op(walk->stage));
	case MG_RELAY_LISTED_CERT:
	case MG_RELAY_ANY_CERT:
		return run_cert(walk, item->op == MG_RELAY_ANY_CERT);
	case MG_RELAY_POLICY:
		return run_policy(walk, item);
	default:
		return is_refused(walk, item->op) ? REFUSE : GO_ON;
	}
}

/* ---- the walk ---- */

/* Leaves the lists that are done; what an outer warn_if_reject was about ends with its class. */
static void leave(struct walk *walk)
{
	while (walk->depth > 0 && walk->stack[walk->depth - 1].at >= walk->stack[walk->depth - 1].list->count) {
		walk->depth--;
		if (walk->warn_depth > 0 && walk->warn_depth >= walk->depth)
			walk->warn_depth = 0;
	}
}

/* The end of the list, or a permit: accepted, if nothing puts it off. */
static void let_pass(struct walk *walk, bool is_permit)
{
	if (walk->is_deferred)
		return;
	walk->cause->outcome = MG_RELAY_YES;
	walk->cause->item = is_permit ? &walk->stack[0].list->items[walk->stack[0].at - 1] : NULL;
}

static void walk_list(struct walk *walk)
{
	uint64_t most = walk->model->steps + STEPS_A_LIST;

	leave(walk);
	while (walk->depth > 0) {
		struct frame *frame = &walk->stack[walk->depth - 1];
		const struct mg_relay_item *item = &frame->list->items[frame->at++];
		size_t depth = walk->depth;
		enum step step;

		if (walk->model->steps++ > most) {
			doubt(walk, MG_SAY(N_("the restrictions are too many to be followed")));
			return;
		}
		if (item->op == MG_RELAY_WARN) {
			walk->warn_depth = walk->warn_depth == 0 ? depth : walk->warn_depth;
			leave(walk);
			continue;
		}
		step = run(walk, item);
		if (step == PERMIT)
			let_pass(walk, true);
		if (step == PERMIT || step == STOP || (step == REFUSE && walk->warn_depth == 0))
			return;
		if (walk->depth == depth && walk->warn_depth >= depth)
			walk->warn_depth = 0;
		leave(walk);
	}
	let_pass(walk, false);
}

/* What smtpd knows of the client when it comes to that list. */
static void prepare(struct walk *walk, bool has_recipient)
{
	const struct mg_relay_model *model = walk->model;
	bool is_late = model->delays || walk->stage >= MG_STAGE_RELAY;

	walk->has_helo = walk->client->is[MG_CHOICE_HELO]->text.n > 0 && (is_late || walk->stage >= MG_STAGE_HELO);
	walk->has_sender = is_late || walk->stage >= MG_STAGE_SENDER;
	walk->has_recipient = is_late && has_recipient;
}

static void run_stage(struct mg_relay_model *model, const struct mg_relay_client *client, enum mg_relay_stage stage,
	bool has_recipient, struct mg_relay_cause *cause)
{
	const struct mg_relay_list *list = model->stages[stage];
	struct walk walk = { .model = model, .client = client, .stage = stage, .cause = cause };

	*cause = (struct mg_relay_cause){ .outcome = MG_RELAY_NO, .op = MG_RELAY_NOTHING };
	prepare(&walk, has_recipient);
	if (list->is_doubtful) {
		cause->outcome = MG_RELAY_PERHAPS;
		cause->doubt = MG_SAY(N_("a restriction list is longer than can be looked at"));
		return;
	}
	walk.stack[walk.depth++] = (struct frame){ list, 0 };
	walk_list(&walk);
}

/* With a second recipient DATA and the end of the message know none: whichever suits the client. */
static void run_data_stage(struct mg_relay_model *model, const struct mg_relay_client *client,
	enum mg_relay_stage stage, struct mg_relay_cause *cause)
{
	struct mg_relay_cause several;

	run_stage(model, client, stage, true, cause);
	if (cause->outcome == MG_RELAY_YES)
		return;
	run_stage(model, client, stage, false, &several);
	if (several.outcome > cause->outcome)
		*cause = several;
}

static void lower(struct mg_relay_result *result, enum mg_relay_outcome outcome, struct mg_say doubt)
{
	if (outcome >= result->outcome)
		return;
	result->outcome = outcome;
	result->doubt = doubt;
}

void mg_relay_eval(
	struct mg_relay_model *model, const struct mg_relay_client *client, struct mg_relay_result *result_out)
{
	const struct mg_relay_candidate *recipient = client->is[MG_CHOICE_RECIPIENT];

	*result_out = (struct mg_relay_result){ .outcome = MG_RELAY_YES };
	for (size_t i = 0; i < MG_STAGES && result_out->outcome != MG_RELAY_NO; i++) {
		enum mg_relay_stage stage = (enum mg_relay_stage)i;
		struct mg_relay_cause *cause = &result_out->stage[i];

		if (stage >= MG_STAGE_DATA)
			run_data_stage(model, client, stage, cause);
		else
			run_stage(model, client, stage, true, cause);
		lower(result_out, cause->outcome, cause->doubt);
		if (cause->is_elsewhere)
			lower(result_out, MG_RELAY_PERHAPS,
				MG_SAY(N_("a table holds, filters or redirects such mail on its way")));
	}
	if (recipient->class == MG_RELAY_CLASS_BROKEN || !recipient->is_listed)
		lower(result_out, MG_RELAY_NO, (struct mg_say){ 0 });
	for (size_t i = 0; i < MG_CHOICES; i++)
		if (client->is[i]->is_doubtful)
			lower(result_out, MG_RELAY_PERHAPS,
				MG_SAY(N_("it depends on who is %1"), client->is[i]->text.p));
}
