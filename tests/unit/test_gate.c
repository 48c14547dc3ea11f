/* Scripts of what both doors say while limits, bans, accounts and the relay guard judge: what is answered, and what stands in the
 * levels when all is over. Each runs with a store that answers at once and with one that answers later, from a thread. */
#include "rows.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "guard/account.h"
#include "guard/ban.h"
#include "guard/plan.h"
#include "guard_kit.h"
#include "postfix_kit.h"

enum { STEPS = 14, LEVELS = 32, KEYS = 1024 };

/* ---- a store of limits ---- */

enum pace { AT_ONCE, LATER, NEVER };

struct level {
	char name[400]; /* limit, a blank, key */
	uint64_t used;
};

struct fake_store {
	struct mg_limit_store store;
	enum pace pace;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	struct level level[LEVELS];
	size_t levels;
	struct mg_charge *held; /* to be decided */
	bool is_telling, is_over;
	unsigned decided, abandoned;
	bool has_gone_below; /* more was given back than had been charged */
	pthread_t thread;
};

static struct level *level_of(struct fake_store *fake, const struct mg_charge_item *item)
{
	char name[400];
	size_t i;

	snprintf(name, sizeof name, "%s %s", item->limit, item->key);
	for (i = 0; i < fake->levels && strcmp(fake->level[i].name, name) != 0; i++)
		;
	assert_true(i < LEVELS);
	if (i == fake->levels)
		snprintf(fake->level[fake->levels++].name, sizeof name, "%s", name);
	return &fake->level[i];
}

static bool is_hard(const struct mg_charge_item *item)
{
	return item->mode == MG_CHARGE_HARD || item->mode == MG_CHARGE_LOOK;
}

static void decide_now(struct fake_store *fake, struct mg_charge *charge)
{
	charge->is_refused = false;
	for (size_t i = 0; i < charge->count; i++) {
		struct mg_charge_item *item = &charge->item[i];

		item->is_over = level_of(fake, item)->used + item->cost > item->bucket.burst;
		item->wait_ns = item->is_over ? KIT_S * (int64_t)item->bucket.per_s : 0;
		item->is_charged = item->mode == MG_CHARGE_FORCED ||
				   ((item->mode == MG_CHARGE_HARD || item->mode == MG_CHARGE_SOFT) && !item->is_over);
		charge->is_refused = charge->is_refused || (item->is_over && is_hard(item));
	}
	for (size_t i = 0; i < charge->count; i++) {
		struct mg_charge_item *item = &charge->item[i];

		item->is_charged = item->is_charged && !charge->is_refused;
		if (item->is_charged)
			level_of(fake, item)->used += item->cost;
	}
	fake->decided++;
	atomic_store(&charge->is_decided, true);
}

static bool fake_decide(void *context, struct mg_charge *charge)
{
	struct fake_store *fake = context;
	bool is_now;

	pthread_mutex_lock(&fake->lock);
	is_now = fake->pace == AT_ONCE || fake->held != NULL;
	if (is_now)
		decide_now(fake, charge);
	else
		fake->held = charge;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	return is_now;
}

static void give_back(struct fake_store *fake, const struct mg_charge_item *item, uint64_t cost)
{
	struct level *level = level_of(fake, item);

	fake->has_gone_below = fake->has_gone_below || level->used < cost;
	level->used -= level->used < cost ? level->used : cost;
}

static void fake_abandon(void *context, struct mg_charge *charge)
{
	struct fake_store *fake = context;

	pthread_mutex_lock(&fake->lock);
	while (fake->is_telling)
		pthread_cond_wait(&fake->changed, &fake->lock);
	fake->abandoned++;
	if (fake->held == charge) {
		fake->held = NULL;
	} else if (charge->is_decided) {
		for (size_t i = 0; i < charge->count; i++)
			if (charge->item[i].is_charged)
				give_back(fake, &charge->item[i], charge->item[i].cost);
	}
	pthread_mutex_unlock(&fake->lock);
}

static void fake_refund(void *context, const struct mg_charge_item *items, size_t count)
{
	struct fake_store *fake = context;

	pthread_mutex_lock(&fake->lock);
	for (size_t i = 0; i < count; i++)
		give_back(fake, &items[i], items[i].cost);
	pthread_mutex_unlock(&fake->lock);
}

/* Decides what is held, and tells it without the lock, as a real store does. */
static void *work(void *arg)
{
	struct fake_store *fake = arg;

	pthread_mutex_lock(&fake->lock);
	while (!fake->is_over) {
		struct mg_charge *charge = fake->pace == LATER ? fake->held : NULL;

		if (charge == NULL) {
			pthread_cond_wait(&fake->changed, &fake->lock);
			continue;
		}
		fake->held = NULL;
		fake->is_telling = true;
		decide_now(fake, charge);
		pthread_mutex_unlock(&fake->lock);
		charge->ready(charge->context);
		pthread_mutex_lock(&fake->lock);
		fake->is_telling = false;
		pthread_cond_broadcast(&fake->changed);
	}
	pthread_mutex_unlock(&fake->lock);
	return NULL;
}

static struct fake_store *fake_new(enum pace pace)
{
	struct fake_store *fake = malloc(sizeof *fake);

	assert_non_null(fake);
	*fake = (struct fake_store){ .store = { fake, fake_decide, fake_abandon, fake_refund, NULL, NULL },
		.pace = pace };
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->changed, NULL);
	assert_int_equal(pthread_create(&fake->thread, NULL, work, fake), 0);
	return fake;
}

static void fake_end(struct fake_store *fake)
{
	pthread_mutex_lock(&fake->lock);
	fake->is_over = true;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	pthread_join(fake->thread, NULL);
	pthread_mutex_destroy(&fake->lock);
	pthread_cond_destroy(&fake->changed);
	free(fake);
}

/* ---- the world ---- */

static struct postfix_kit postfix;
static const struct mg_domains *domains;

struct world {
	struct mg_engine *engine;
	struct mg_counters counters;
	struct mg_state *state;
	struct mg_seen seen;
	struct mg_guards guards;
	struct fake_store *fake;
	const struct mg_conf *conf;
	struct mg_session *session;
	sem_t awake;
	char records[400]; /* "action rule, ..." */
};

static bool keep(void *context, struct mg_record *record)
{
	struct world *world = context;
	size_t n = strlen(world->records);

	snprintf(world->records + n, sizeof world->records - n, "%s%s%s%s", n == 0 ? "" : ", ",
		mg_action_name(record->action), record->rule[0] == '\0' ? "" : " ", record->rule);
	mg_record_free(&record);
	return true;
}

static void wake(void *context)
{
	struct world *world = context;

	sem_post(&world->awake);
}

static void open_world(struct world *world, const char *conf, enum pace pace)
{
	struct mg_state_plan plan = mg_guard_plan(KEYS);
	struct mg_engine_options options = {
		.counters = &world->counters, .guards = &world->guards, .wake = wake, .put = keep, .context = world
	};

	memset(world, 0, sizeof *world);
	sem_init(&world->awake, 0, 0);
	kit_mono_is(0);
	plan.clock = kit_plan(16).clock;
	world->state = kit_open(&plan);
	world->seen.state = world->state;
	world->fake = fake_new(pace);
	world->guards =
		(struct mg_guards){ .state = world->state, .limits = &world->fake->store, .seen = &world->seen };
	world->conf = options.conf = postfix_kit_conf(&postfix, conf);
	assert_int_equal(mg_engine_new(&options, &world->engine, NULL), MG_OK);
	mg_engine_set_domains(world->engine, domains);
}

static void come_to_rest(struct fake_store *fake)
{
	pthread_mutex_lock(&fake->lock);
	while (fake->is_telling || (fake->pace == LATER && fake->held != NULL))
		pthread_cond_wait(&fake->changed, &fake->lock);
	pthread_mutex_unlock(&fake->lock);
}

static void close_world(struct world *world)
{
	mg_session_close(&world->session);
	mg_engine_free(&world->engine);
	fake_end(world->fake);
	kit_close(&world->state);
	mg_conf_unref(&world->conf);
	sem_destroy(&world->awake);
}

/* ---- steps ---- */

struct step {
	enum {
		NONE,
		CONNECT,
		CONNECT_LOCAL, /* a simulated session */
		CONNECT_SAID,  /* by XCLIENT, of b */
		MAIL,          /* a = sender, b = login */
		RCPT,          /* a = recipient, b = what is answered */
		REFUSED,       /* a = recipient, refused by Postfix with 5.1.1 */
		HEADER,        /* a = a domain in From */
		EOM,           /* b = what is answered */
		ABORT,
		CLOSE,
		ASK,      /* policy at RCPT: a = recipient, b = what is answered */
		TAP,      /* the same at the tap */
		ASK_DATA, /* policy at DATA */
		ASK_END,  /* policy at END-OF-MESSAGE */
		ASK_NEXT, /* policy at RCPT of another message */
		FLUSH,
	} what;
	const char *a, *b;
};

/* The action, the rule's limit or guard in the text where it matters: "tempfail: words of the text". */
static void assert_answer(const struct mg_verdict *verdict, const char *expected)
{
	struct mg_str rest = mg_str_z(expected == NULL ? "accept" : expected), word = mg_str_cut(&rest, ':');

	if (!mg_str_eq(mg_str_z(mg_action_name(verdict->action)), word))
		fail_msg("%s instead of %s: %s", mg_action_name(verdict->action), expected, verdict->text);
	if (verdict->action == MG_ACTION_REJECT || verdict->action == MG_ACTION_TEMPFAIL) {
		assert_int_equal(verdict->code[0], verdict->action == MG_ACTION_REJECT ? '5' : '4');
		assert_int_equal(verdict->dsn[0], verdict->code[0]);
		assert_true(mg_str_find_str(mg_str_z(verdict->text), mg_str_trim(rest)) != SIZE_MAX);
		assert_true(strlen(verdict->text) > 0 && strlen(verdict->text) < 480);
		for (const char *p = verdict->text; *p != '\0'; p++)
			assert_true(*p >= ' ' && *p <= '~' && *p != '%');
	}
}

struct waiter {
	struct mg_policy_waiter waiter;
	bool is_done;
	struct mg_verdict verdict;
	char text[600];
};

static void done(struct mg_policy_waiter *policy, const struct mg_verdict *verdict)
{
	struct waiter *waiter = (struct waiter *)policy;

	waiter->is_done = true;
	waiter->verdict = *verdict;
	snprintf(waiter->text, sizeof waiter->text, "%s", verdict->text == NULL ? "" : verdict->text);
	waiter->verdict.text = waiter->text;
}

static struct mg_policy_request request_of(const char *sender, const char *recipient, enum mg_policy_stage stage)
{
	return (struct mg_policy_request){ .stage = stage,
		.client = { .ip = kit_ip("203.0.113.66"), .port = 4242 },
		.sender = mg_str_z(sender),
		.recipient = mg_str_z(recipient),
		.instance = MG_STR("1f.1") };
}

static void ask(struct world *world, struct mg_policy_request *request, const char *expected)
{
	struct waiter waiter = { .waiter = { .done = done } };
	struct mg_verdict verdict = mg_engine_policy(world->engine, request, &waiter.waiter);
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	if (verdict.action != MG_ACTION_NONE) {
		assert_answer(&verdict, expected);
		return;
	}
	while (!waiter.is_done) {
		assert_int_equal(sem_timedwait(&world->awake, &until), 0);
		mg_engine_pump(world->engine, 0);
	}
	assert_answer(&waiter.verdict, expected);
}

static void connect_as(struct world *world, const char *ip, unsigned port, const char *speaker)
{
	struct mg_client client = { .ip = kit_ip(ip), .port = port, .speaker = kit_ip(speaker) };

	world->session = mg_session_open(world->engine, &client);
	assert_non_null(world->session);
}

static void rcpt(struct world *world, const char *recipient, const char *mailer, const char *host, const char *expected)
{
	struct mg_rcpt_facts facts = { .address = mg_str_z(recipient),
		.mailer = mg_str_z(mailer),
		.host = mg_str_z(host),
		.resolved = mg_str_z(recipient) };
	struct mg_verdict verdict = mg_session_rcpt(world->session, &facts);

	assert_answer(&verdict, expected);
}

static void end_message(struct world *world, const char *expected)
{
	struct mg_verdict verdict;

	mg_session_verdict(world->session, MG_STR("Q"), &verdict);
	assert_answer(&verdict, expected);
	mg_session_end(world->session);
}

static void play(struct world *world, const struct step *step)
{
	struct mg_policy_request request;
	char from[100];

	switch (step->what) {
	case NONE:
		break;
	case CONNECT:
		connect_as(world, "203.0.113.66", 4242, "");
		break;
	case CONNECT_LOCAL:
		connect_as(world, "127.0.0.1", 0, "");
		break;
	case CONNECT_SAID:
		connect_as(world, "10.1.1.1", 4242, step->b);
		break;
	case MAIL:
		mg_session_mail(world->session, mg_str_z(step->a), mg_str_z(step->b == NULL ? "" : step->b),
			step->b == NULL ? MG_STR("") : MG_STR("PLAIN"));
		break;
	case RCPT:
		rcpt(world, step->a, "local", "h", step->b);
		break;
	case REFUSED:
		rcpt(world, step->a, "error", "5.1.1", step->b);
		break;
	case HEADER:
		snprintf(from, sizeof from, "x@%s", step->a);
		mg_session_header(world->session, MG_STR("From"), mg_str_z(from));
		break;
	case EOM:
		end_message(world, step->b);
		break;
	case ABORT:
		mg_session_abort(world->session);
		break;
	case CLOSE:
		mg_session_close(&world->session);
		break;
	case ASK:
	case ASK_NEXT:
		request = request_of("a@x.example", step->a, MG_POLICY_RCPT);
		if (step->what == ASK_NEXT)
			request.instance = MG_STR("1f.2");
		ask(world, &request, step->b);
		break;
	case TAP:
		request = request_of("a@x.example", step->a, MG_POLICY_RCPT);
		request.is_tap = true;
		ask(world, &request, step->b);
		break;
	case ASK_DATA:
		request = request_of("a@x.example", step->a, MG_POLICY_DATA);
		ask(world, &request, step->b);
		break;
	case ASK_END:
		request = request_of("a@x.example", step->a, MG_POLICY_END);
		request.size_bytes = 100;
		ask(world, &request, step->b);
		break;
	case FLUSH:
		mg_engine_flush(world->engine);
		break;
	}
}

/* ---- scripts ---- */

#define LIMIT(name, key, count, limit, action)                                                                         \
	"{ name = \"" name "\"; key = \"" key "\"; count = \"" count "\"; limit = " #limit                             \
	"; per = \"1h\"; action = \"" action "\"; }"
#define RATE(limits) "rate = { limits = ( " limits " ); };\n"
#define SENDER_TWO   RATE(LIMIT("two", "sender", "recipients", 2, "tempfail"))
#define SENDER_COUNTS                                                                                                  \
	RATE(LIMIT("r", "sender", "recipients", 9, "tempfail") "," LIMIT(                                              \
		"m", "sender", "messages", 9, "reject") "," LIMIT("c", "client", "connections", 9,                     \
		"reject") "," LIMIT("f", "client", "failures", 9, "tempfail"))
#define S    "a@x.example"
#define OVER "tempfail: Over the limit two of 2 recipients in 60 minutes, please try again in 61 minutes"

struct script {
	const char *name, *conf;
	struct step step[STEPS];
	const char *levels, *records;
};

static const struct script scripts[] = {
	{ "milter: a recipient over the limit is refused, the others are not", SENDER_TWO,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { RCPT, "r2@example.com", 0 },
			{ RCPT, "r3@example.com", OVER }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"two sender:a@x.example=2", "accept" },
	{ "policy: a recipient over the limit is refused, and DATA is not", SENDER_TWO,
		{ { ASK, "r1@example.com", 0 }, { ASK, "r2@example.com", 0 }, { ASK, "r3@example.com", OVER },
			{ ASK_DATA, "", 0 }, { ASK_END, "", 0 } },
		"two sender:a@x.example=2", "accept" },
	{ "policy: the same recipient asked about twice costs once", SENDER_TWO,
		{ { ASK, "r1@example.com", 0 }, { ASK, "r1@example.com", 0 }, { ASK, "r2@example.com", 0 },
			{ FLUSH, 0, 0 } },
		"two sender:a@x.example=2", "accept" },
	{ "policy then milter: charged once", SENDER_COUNTS,
		{ { ASK, "r1@example.com", 0 }, { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 },
			{ ASK, "r2@example.com", 0 }, { RCPT, "r2@example.com", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"r sender:a@x.example=2, m sender:a@x.example=1, c client:203.0.113.66=1", "accept" },
	{ "Postfix refuses what policy was charged for: it is given back, and counts as a failure", SENDER_COUNTS,
		{ { ASK, "r1@example.com", 0 }, { CONNECT, 0, 0 }, { MAIL, S, 0 }, { REFUSED, "r1@example.com", 0 },
			{ RCPT, "r2@example.com", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"r sender:a@x.example=1, f client:203.0.113.66=1, m sender:a@x.example=1, c client:203.0.113.66=1",
		"accept" },
	{ "aborted: all but the connection is given back", SENDER_COUNTS,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { RCPT, "r2@example.com", 0 },
			{ ABORT, 0, 0 }, { CLOSE, 0, 0 } },
		"c client:203.0.113.66=1", "tempfail client:reset" },
	{ "gone: the same", SENDER_COUNTS,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { CLOSE, 0, 0 } },
		"c client:203.0.113.66=1", "tempfail client:gone" },
	{ "another message of the session costs no connection", SENDER_COUNTS,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { EOM, 0, 0 }, { MAIL, S, 0 },
			{ RCPT, "r1@example.com", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"r sender:a@x.example=2, m sender:a@x.example=2, c client:203.0.113.66=1", "accept, accept" },
	{ "policy alone: another instance ends the message, and it stays paid", SENDER_COUNTS,
		{ { ASK, "r1@example.com", 0 }, { ASK_NEXT, "r1@example.com", 0 }, { FLUSH, 0, 0 } },
		"r sender:a@x.example=2, m sender:a@x.example=2, c client:203.0.113.66=1", "accept, accept" },
	{ "bytes over the limit at the end: refused, and the recipients are given back",
		RATE(LIMIT("r", "sender", "recipients", 9, "tempfail") "," LIMIT("b", "sender", "bytes", 50, "reject")),
		{ { ASK, "r1@example.com", 0 }, { ASK, "r2@example.com", 0 },
			{ ASK_END, "", "reject: Over the limit b" }, { FLUSH, 0, 0 } },
		"", "reject limit:b" },
	{ "observe: nothing is refused, all is counted", "mode = \"observe\";\n" SENDER_TWO,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { RCPT, "r2@example.com", 0 },
			{ RCPT, "r3@example.com", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"two sender:a@x.example=2", "observe limit:two" },
	{ "hold: the message is held at its end", RATE(LIMIT("h", "sender", "recipients", 1, "hold")),
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { RCPT, "r2@example.com", 0 },
			{ EOM, 0, "quarantine" }, { CLOSE, 0, 0 } },
		"h sender:a@x.example=1", "quarantine limit:h" },
	{ "hold speaks before what only watches, however long that takes",
		RATE(LIMIT("h", "sender", "recipients", 1,
			"hold") ","
				"{ name = \"o\"; key = \"sender\"; count = \"recipients\"; limit = 1; per = \"9h\"; action = \"observe\"; }"),
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r1@example.com", 0 }, { RCPT, "r2@example.com", 0 },
			{ EOM, 0, "quarantine" }, { CLOSE, 0, 0 } },
		"h sender:a@x.example=1, o sender:a@x.example=1", "quarantine limit:h" },
	{ "policy alone: hold", RATE(LIMIT("h", "sender", "recipients", 1, "hold")),
		{ { ASK, "r1@example.com", 0 }, { ASK, "r2@example.com", "quarantine" }, { FLUSH, 0, 0 } },
		"h sender:a@x.example=1", "quarantine limit:h" },
	{ "simulated sessions are never limited or refused", RATE(LIMIT("t", "sender", "messages", 1, "reject")),
		{ { CONNECT_LOCAL, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r@example.com", 0 }, { EOM, 0, 0 }, { MAIL, S, 0 },
			{ RCPT, "r@other.example", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"", "accept, accept" },
	{ "a stranger's mail to a foreign domain is refused, and not charged", SENDER_COUNTS,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r@other.example", "reject: Relay access denied" },
			{ RCPT, "r@example.com", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"r sender:a@x.example=1, m sender:a@x.example=1, c client:203.0.113.66=1", "accept" },
	{ "a stranger at the tap; what policy was charged before is given back", SENDER_TWO,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { ASK, "r@other.example", 0 },
			{ TAP, "r@other.example", "reject: Relay access denied" }, { ABORT, 0, 0 }, { CLOSE, 0, 0 } },
		"", "reject relay:stranger" },
	{ "a login may write anywhere", SENDER_TWO,
		{ { CONNECT, 0, 0 }, { MAIL, S, "ann" }, { RCPT, "r@other.example", 0 }, { EOM, 0, 0 },
			{ CLOSE, 0, 0 } },
		"two sender:a@x.example=1", "accept" },
	{ "who speaks for another client and may not: his words do not count",
		RATE(LIMIT("u", "user", "recipients", 9, "reject")),
		{ { CONNECT_SAID, 0, "203.0.113.7" }, { MAIL, S, "ann" },
			{ RCPT, "r@other.example", "reject: Relay access denied" }, { RCPT, "r@example.com", 0 },
			{ EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"", "accept" },
	{ "relay.action = observe: told, not refused", "relay = { action = \"observe\"; };\n" SENDER_TWO,
		{ { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r@other.example", 0 }, { EOM, 0, 0 }, { CLOSE, 0, 0 } },
		"two sender:a@x.example=1", "accept relay:stranger" },
	{ "a tap's refusal of the last recipient is not the message's", SENDER_TWO,
		{ { ASK, "r@example.com", 0 }, { TAP, "r@other.example", "reject: Relay access denied" },
			{ ASK_DATA, "", 0 }, { ASK_END, "", 0 } },
		"two sender:a@x.example=1", "accept" },
};

/* When nothing is under way any more. */
static void say_levels(struct fake_store *fake, char *place, size_t size)
{
	size_t n = 0;

	come_to_rest(fake);
	pthread_mutex_lock(&fake->lock);

	place[0] = '\0';
	for (size_t i = 0; i < fake->levels; i++)
		if (fake->level[i].used > 0)
			n += (size_t)snprintf(place + n, size - n, "%s%s=%llu", n == 0 ? "" : ", ", fake->level[i].name,
				(unsigned long long)fake->level[i].used);
	pthread_mutex_unlock(&fake->lock);
}

static void run_script(const struct script *script, enum pace pace)
{
	struct mg_engine_stats stats;
	struct world world;
	char levels[600];

	open_world(&world, script->conf, pace);
	for (size_t i = 0; i < STEPS; i++)
		play(&world, &script->step[i]);
	mg_session_close(&world.session);
	mg_engine_flush(world.engine);
	mg_engine_stats(world.engine, &stats);
	assert_int_equal(stats.sessions, 0);
	assert_int_equal(stats.transactions, 0);
	say_levels(world.fake, levels, sizeof levels);
	assert_string_equal(levels, script->levels);
	assert_string_equal(world.records, script->records);
	assert_false(world.fake->has_gone_below);
	close_world(&world);
}

static void it_ends_as_it_should(void **state)
{
	run_script(*state, AT_ONCE);
}

static void it_ends_so_with_a_store_that_answers_later(void **state)
{
	run_script(*state, LATER);
}

/* ---- stores that fail ---- */

static void a_store_that_never_answers_refuses_nothing(void **state)
{
	struct world world;
	const struct step steps[] = { { CONNECT, 0, 0 }, { MAIL, S, 0 }, { RCPT, "r@example.com", 0 } };

	(void)state;
	open_world(&world, SENDER_TWO, NEVER);
	for (size_t i = 0; i < ROWS(steps); i++)
		play(&world, &steps[i]);
	assert_int_equal(world.fake->abandoned, 1);
	assert_null(world.fake->held);
	play(&world, &(struct step){ ABORT, 0, 0 });
	close_world(&world);
}

static void policy_waits_no_longer_than_it_may(void **state)
{
	struct waiter waiter = { .waiter = { .done = done } };
	struct mg_policy_request request = request_of(S, "r@example.com", MG_POLICY_RCPT);
	struct world world;

	(void)state;
	open_world(&world, SENDER_TWO, NEVER);
	assert_int_equal(mg_engine_policy(world.engine, &request, &waiter.waiter).action, MG_ACTION_NONE);
	mg_engine_pump(world.engine, mg_mono_us());
	assert_false(waiter.is_done);
	mg_engine_pump(world.engine, mg_mono_us() + (MG_ENGINE_POLICY_WAIT_MS + 1) * MG_MS_US);
	assert_true(waiter.is_done);
	assert_answer(&waiter.verdict, "accept");
	assert_int_equal(world.fake->abandoned, 1);
	close_world(&world);
}

/* The client hangs up, or the milter takes over, while a store still thinks: the charge is given up before its memory goes. */
static void a_transaction_ends_while_a_charge_is_under_way(void **state)
{
	static const enum { CANCEL, ADOPT, END } ways[] = { CANCEL, ADOPT, END };

	(void)state;
	for (size_t i = 0; i < ROWS(ways); i++) {
		struct waiter waiter = { .waiter = { .done = done } };
		struct mg_policy_request request = request_of(S, "r@example.com", MG_POLICY_RCPT);
		struct world world;

		open_world(&world, SENDER_TWO, NEVER);
		assert_int_equal(mg_engine_policy(world.engine, &request, &waiter.waiter).action, MG_ACTION_NONE);
		if (ways[i] == CANCEL)
			mg_engine_policy_cancel(world.engine, &waiter.waiter);
		if (ways[i] == ADOPT) {
			play(&world, &(struct step){ CONNECT, 0, 0 });
			play(&world, &(struct step){ MAIL, S, 0 });
			play(&world, &(struct step){ ABORT, 0, 0 });
		}
		mg_engine_flush(world.engine);
		assert_int_equal(world.fake->abandoned, 1);
		assert_null(world.fake->held);
		mg_engine_pump(world.engine, mg_mono_us());
		assert_int_equal(waiter.is_done, ways[i] != CANCEL);
		close_world(&world);
	}
}

static void a_hundred_messages_race_with_the_store(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, SENDER_COUNTS, LATER);
	for (int i = 0; i < 100; i++) {
		struct waiter waiter = { .waiter = { .done = done } };
		struct mg_policy_request request = request_of(S, "r@example.com", MG_POLICY_RCPT);

		if (mg_engine_policy(world.engine, &request, &waiter.waiter).action == MG_ACTION_NONE && i % 3 == 0)
			mg_engine_policy_cancel(world.engine, &waiter.waiter);
		if (i % 2 == 0) {
			play(&world, &(struct step){ CONNECT, 0, 0 });
			play(&world, &(struct step){ MAIL, i % 4 == 0 ? S : "b@y.example", 0 });
			play(&world, &(struct step){ CLOSE, 0, 0 });
		}
		mg_engine_flush(world.engine);
		mg_engine_pump(world.engine, mg_mono_us());
		mg_engine_policy_cancel(world.engine, &waiter.waiter);
	}
	come_to_rest(world.fake);
	assert_false(world.fake->has_gone_below);
	close_world(&world);
}

/* ---- bans and accounts ---- */

struct ban_row {
	const char *name, *ban;
	const char *login, *sender;
	bool is_local;
	const char *answer;
};
static const struct ban_row ban_rows[] = {
	{ "an address", "203.0.113.66", 0, S, false, "reject: Mail of this client is not accepted here: 100? ?n?" },
	{ "a network", "203.0.113.0/24", 0, S, false, "reject: of this client" },
	{ "another network", "203.0.112.0/24", 0, S, false, "accept" },
	{ "a sender, in another case", "A@X.example", 0, S, false, "reject: of this sender" },
	{ "a parent of the sender's domain", "@example", 0, S, false, "reject: of this domain" },
	{ "a login", "user:ann", "Ann", S, false, "reject: of this user" },
	{ "a login that nobody used", "user:ann", 0, S, false, "accept" },
	{ "a simulated session", "sender:a@x.example", 0, S, true, "accept" },
	{ "the null sender has no domain", "@x.example", 0, "", false, "accept" },
};

static void the_banned_are_refused(void **state)
{
	const struct ban_row *row = *state;
	struct world world;
	struct mg_ban ban;

	open_world(&world, "", AT_ONCE);
	assert_int_equal(mg_ban_parse(mg_str_z(row->ban), &ban, NULL), MG_OK);
	mg_str_copy(ban.reason, sizeof ban.reason, MG_STR("100% \nn\xc3"));
	assert_int_equal(mg_ban_add(world.state, &ban, NULL), MG_OK);
	play(&world, &(struct step){ row->is_local ? CONNECT_LOCAL : CONNECT, 0, 0 });
	play(&world, &(struct step){ MAIL, row->sender, row->login });
	play(&world, &(struct step){ RCPT, "r@example.com", row->answer });
	close_world(&world);
}

static void mail_without_a_recipient_is_no_message_of_its_login(void **state)
{
	struct world world;
	struct mg_account_view view;

	(void)state;
	open_world(&world, "", AT_ONCE);
	play(&world, &(struct step){ CONNECT, 0, 0 });
	play(&world, &(struct step){ MAIL, S, "ann" });
	play(&world, &(struct step){ RCPT, "r@example.com", 0 });
	play(&world, &(struct step){ EOM, 0, 0 });
	play(&world, &(struct step){ MAIL, S, "ann" });
	play(&world, &(struct step){ ABORT, 0, 0 });
	assert_true(mg_account_look(world.state, world.conf, MG_STR("ann"), &view));
	assert_int_equal(view.messages, 1);
	assert_int_equal(view.recipients, 1);
	close_world(&world);
}

struct account_row {
	const char *name, *action, *at_rcpt, *at_end;
};
static const struct account_row account_rows[] = {
	{ "notify", "notify", "accept", "accept" },
	{ "tempfail", "tempfail", "tempfail: This account looks as if somebody else used it (networks)", "accept" },
	{ "hold", "hold", "accept", "quarantine" },
	{ "off", "off", "accept", "accept" },
};

static void compromised_accounts_are_acted_against(void **state)
{
	const struct account_row *row = *state;
	char conf[100], ip[32];
	struct world world;

	snprintf(conf, sizeof conf, "abuse = { action = \"%s\"; score = 1; };", row->action);
	open_world(&world, conf, AT_ONCE);
	for (int i = 0; i < 3; i++) {
		struct mg_ip client;

		snprintf(ip, sizeof ip, "198.%d.100.1", 51 + i);
		client = kit_ip(ip);
		mg_account_login(world.state, MG_STR("ann"), &client);
	}
	play(&world, &(struct step){ CONNECT, 0, 0 });
	play(&world, &(struct step){ MAIL, S, "ann" });
	play(&world, &(struct step){ RCPT, "r@example.com", row->at_rcpt });
	play(&world, &(struct step){ EOM, 0, row->at_end });
	close_world(&world);
}

/* ---- much ---- */

static void ten_thousand_recipients_under_many_limits_cost_little(void **state)
{
	static char conf[6000];
	char address[64];
	struct world world;
	size_t n = (size_t)snprintf(conf, sizeof conf, "rate = { limits = ( ");

	(void)state;
	for (int i = 0; i < 8; i++)
		n += (size_t)snprintf(conf + n, sizeof conf - n,
			"%s{ name = \"l%d\"; key = \"%s\"; count = \"recipients\"; limit = 20000; per = \"1h\"; action = \"reject\"; }",
			i == 0 ? "" : ", ", i, i % 2 == 0 ? "sender" : "client");
	snprintf(conf + n, sizeof conf - n, " ); };");
	open_world(&world, conf, AT_ONCE);
	play(&world, &(struct step){ CONNECT, 0, 0 });
	play(&world, &(struct step){ MAIL, S, 0 });
	for (int i = 0; i < MG_RECORD_RECIPIENTS + 500; i++) {
		snprintf(address, sizeof address, "user%d@example.com", i);
		play(&world, &(struct step){ RCPT, address, 0 });
	}
	play(&world, &(struct step){ RCPT, "r@other.example", "reject: Relay access denied" });
	assert_int_equal(world.fake->level[0].used, MG_RECORD_RECIPIENTS + 500);
	play(&world, &(struct step){ ABORT, 0, 0 });
	for (size_t i = 0; i < world.fake->levels; i++)
		assert_int_equal(world.fake->level[i].used, 0);
	assert_false(world.fake->has_gone_below);
	close_world(&world);
}

static int begin(void **state)
{
	(void)state;
	postfix_kit_begin(&postfix);
	domains = postfix_kit_domains(&postfix, "", NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	mg_domains_unref(&domains);
	postfix_kit_end(&postfix);
	return 0;
}

int main(void)
{
	static struct CMUnitTest tests[100];
	size_t n = 0;

	ADD_ROWS(tests, n, scripts, it_ends_as_it_should);
	ADD_ROWS(tests, n, scripts, it_ends_so_with_a_store_that_answers_later);
	ADD_ROWS(tests, n, ban_rows, the_banned_are_refused);
	ADD_ROWS(tests, n, account_rows, compromised_accounts_are_acted_against);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_store_that_never_answers_refuses_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(policy_waits_no_longer_than_it_may);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_transaction_ends_while_a_charge_is_under_way);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_hundred_messages_race_with_the_store);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mail_without_a_recipient_is_no_message_of_its_login);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(ten_thousand_recipients_under_many_limits_cost_little);
	return _cmocka_run_group_tests("gate", tests, n, begin, end);
}
