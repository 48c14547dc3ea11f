#include "rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/resolver.h"
#include "dns/resolver_address.h"
#include "dns_server_kit.h"

enum { PATIENCE_S = 20 };

static int64_t patience(void)
{
	return mg_mono_us() + PATIENCE_S * MG_S_US;
}

/* ---- one resolver over servers that behave as told ---- */

struct world {
	struct server servers[2];
	size_t count;
	struct mg_resolver *resolver;
};

static struct mg_resolver *start(const struct world *world, unsigned timeout_ms, unsigned tries)
{
	const char *addresses[2] = { world->servers[0].address, world->servers[1].address };
	struct mg_resolver_options options = { .servers = addresses,
		.server_count = world->count,
		.resolv_conf = "/nonexistent/resolv.conf",
		.timeout_ms = timeout_ms,
		.tries = tries,
		.cache_entries = 10000 };
	struct mg_resolver *resolver = NULL;

	assert_int_equal(mg_resolver_start(&options, &resolver, NULL), MG_OK);
	return resolver;
}

static void world_begin(struct world *world, size_t count, const enum server_act acts[2], unsigned timeout_ms)
{
	world->count = count;
	for (size_t i = 0; i < count; i++)
		server_begin(&world->servers[i], acts[i], (unsigned char)(i + 1));
	world->resolver = start(world, timeout_ms, 2);
}

static void world_end(struct world *world)
{
	mg_resolver_stop(&world->resolver);
	for (size_t i = 0; i < world->count; i++)
		server_end(&world->servers[i]);
}

static struct mg_lookup *lookup_until(struct mg_resolver *resolver, int64_t deadline_us)
{
	struct mg_lookup_options options = {
		.source = mg_resolver_source(resolver), .questions_max = MG_LOOKUP_QUESTIONS, .deadline_us = deadline_us
	};

	return mg_lookup_new(&options);
}

static const struct mg_dns_answer *wait_for(struct mg_lookup *lookup, const char *name, enum mg_dns_type type)
{
	const struct mg_dns_answer *answer;

	while ((answer = mg_lookup_get(lookup, mg_str_z(name), type)) == NULL)
		assert_true(mg_lookup_wait(lookup, patience()));
	return answer;
}

/* What became of a question: the status, the trouble, the last byte of the address or the length of the text. */
struct outcome {
	enum mg_dns_status status;
	enum mg_dns_trouble trouble;
	size_t value;
};

static struct outcome ask(struct mg_resolver *resolver, const char *name, enum mg_dns_type type)
{
	struct mg_lookup *lookup = lookup_until(resolver, patience());
	const struct mg_dns_answer *answer = wait_for(lookup, name, type);
	struct outcome outcome = { answer->status, answer->trouble, 0 };

	if (answer->count > 0)
		outcome.value = type == MG_DNS_A ? answer->records[0].ip.bytes[3] : answer->records[0].text.n;
	mg_lookup_free(&lookup);
	return outcome;
}

/* Asks, and goes away before the answer comes: it is kept for others all the same. */
static void ask_alone(struct mg_resolver *resolver, const char *name)
{
	struct mg_lookup *lookup = lookup_until(resolver, patience());

	mg_lookup_get(lookup, mg_str_z(name), MG_DNS_A);
	mg_lookup_free(&lookup);
}

/* ---- behaviour of servers ---- */

struct act_row {
	const char *name;
	size_t count;
	enum server_act acts[2];
	struct outcome expected;
	int udp[2], tcp; /* questions each server saw; -1: any number */
};
#define FOUND(mark)                                                                                                    \
	{                                                                                                              \
		MG_DNS_FOUND, MG_DNS_FINE, mark                                                                        \
	}
#define TROUBLE(why)                                                                                                   \
	{                                                                                                              \
		MG_DNS_TROUBLE, why, 0                                                                                 \
	}
static const struct act_row act_rows[] = {
	{ "an answer", 1, { ACT_ANSWER }, FOUND(1), { 1, 0 }, 0 },
	{ "the first of two is asked", 2, { ACT_ANSWER, ACT_ANSWER }, FOUND(1), { 1, 0 }, 0 },
	{ "a name that does not exist", 1, { ACT_NXDOMAIN }, { MG_DNS_NXDOMAIN, MG_DNS_FINE, 0 }, { 1, 0 }, 0 },
	{ "a lost datagram is asked again", 1, { ACT_DROP_FIRST }, FOUND(1), { 2, 0 }, 0 },
	{ "servfail, the next is asked", 2, { ACT_SERVFAIL, ACT_ANSWER }, FOUND(2), { 1, 1 }, 0 },
	{ "refused, the next is asked", 2, { ACT_REFUSED, ACT_ANSWER }, FOUND(2), { 1, 1 }, 0 },
	{ "silence, the next is asked", 2, { ACT_SILENT, ACT_ANSWER }, FOUND(2), { 1, 1 }, 0 },
	{ "nonsense, the next is asked", 2, { ACT_GARBAGE, ACT_ANSWER }, FOUND(2), { 1, 1 }, 1 },
	{ "servfail everywhere, each asked once", 2, { ACT_SERVFAIL, ACT_SERVFAIL }, TROUBLE(MG_DNS_SERVFAIL), { 1, 1 },
		0 },
	{ "refused everywhere", 2, { ACT_REFUSED, ACT_REFUSED }, TROUBLE(MG_DNS_REFUSED), { 1, 1 }, 0 },
	{ "silence everywhere, each asked twice", 2, { ACT_SILENT, ACT_SILENT }, TROUBLE(MG_DNS_TIMEOUT), { 2, -1 },
		0 },
	{ "silence and servfail", 2, { ACT_SILENT, ACT_SERVFAIL }, TROUBLE(MG_DNS_SERVFAIL), { -1, 1 }, 0 },
	{ "nonsense", 1, { ACT_GARBAGE }, TROUBLE(MG_DNS_MALFORMED), { 1, 0 }, 1 },
	{ "truncated, TCP tells", 1, { ACT_TRUNCATE }, FOUND(1), { 1, 0 }, 1 },
	{ "cut without a word, TCP tells", 1, { ACT_CUT }, FOUND(1), { 1, 0 }, 1 },
	{ "truncated, TCP closes, the next is asked", 2, { ACT_HANG_UP, ACT_ANSWER }, FOUND(2), { 1, 1 }, 1 },
	{ "a lie with another id is passed over", 1, { ACT_LIE_ID }, FOUND(1), { 1, 0 }, 0 },
	{ "a lie with another question is passed over", 1, { ACT_LIE_QUESTION }, FOUND(1), { 1, 0 }, 0 },
	{ "a lie from another address is passed over", 1, { ACT_LIE_ADDRESS }, FOUND(1), { 1, 0 }, 0 },
	{ "an empty datagram is passed over", 1, { ACT_EMPTY }, FOUND(1), { -1, 0 }, 0 },
	{ "FORMERR to EDNS, asked without", 1, { ACT_NO_EDNS }, FOUND(1), { 2, 0 }, 0 },
	{ "FORMERR without the question, asked without EDNS", 1, { ACT_NO_EDNS_BARE }, FOUND(1), { 2, 0 }, 0 },
	{ "NOTIMP to EDNS, asked without", 1, { ACT_NOTIMP_EDNS }, FOUND(1), { 2, 0 }, 0 },
	{ "silence to EDNS, asked without", 1, { ACT_DEAF_EDNS }, FOUND(1), { 2, 0 }, 0 },
};

/* Short where silence is part of the play, long where only a busy machine could be silent. */
static unsigned timeout_for(const struct act_row *row)
{
	static const enum server_act quiet[] = { ACT_SILENT, ACT_DROP_FIRST, ACT_NO_EDNS_BARE, ACT_DEAF_EDNS };

	for (size_t i = 0; i < row->count * ROWS(quiet); i++)
		if (row->acts[i / ROWS(quiet)] == quiet[i % ROWS(quiet)])
			return 150;
	return 5000;
}

static void the_outcome_is_right_whatever_servers_do(void **state)
{
	const struct act_row *row = *state;
	struct world world = { 0 };
	struct outcome outcome;

	world_begin(&world, row->count, row->acts, timeout_for(row));
	outcome = ask(world.resolver, "name.example", MG_DNS_A);
	assert_int_equal(outcome.status, row->expected.status);
	assert_int_equal(outcome.trouble, row->expected.trouble);
	assert_int_equal(outcome.value, row->expected.value);
	for (size_t i = 0; i < row->count; i++)
		if (row->udp[i] >= 0)
			assert_int_equal(world.servers[i].udp, row->udp[i]);
	assert_int_equal(world.servers[0].tcp, row->tcp);
	world_end(&world);
}

struct size_row {
	const char *name;
	enum server_act act;
	unsigned text_bytes;
	unsigned tcp;
	struct outcome expected;
};
static const struct size_row size_rows[] = {
	{ "1000 bytes fit into a datagram", ACT_ANSWER, 1000, 0, { MG_DNS_FOUND, MG_DNS_FINE, 1000 } },
	{ "2000 bytes too, if the server sends so many", ACT_ANSWER, 2000, 0, { MG_DNS_FOUND, MG_DNS_FINE, 2000 } },
	{ "16000 bytes over TCP", ACT_TRUNCATE, 16000, 1, { MG_DNS_FOUND, MG_DNS_FINE, 16000 } },
	{ "16384 bytes are the most", ACT_TRUNCATE, 16384, 1, { MG_DNS_FOUND, MG_DNS_FINE, 16384 } },
	{ "16385 bytes are too many", ACT_TRUNCATE, 16385, 1, TROUBLE(MG_DNS_MALFORMED) },
	{ "60000 bytes are too many", ACT_TRUNCATE, 60000, 1, TROUBLE(MG_DNS_MALFORMED) },
};

static void long_answers_come_whole_or_not_at_all(void **state)
{
	const struct size_row *row = *state;
	struct world world = { 0 };
	struct outcome outcome;

	world_begin(&world, 1, (const enum server_act[]){ row->act, 0 }, 2000);
	world.servers[0].text_bytes = row->text_bytes;
	outcome = ask(world.resolver, "long.example", MG_DNS_TXT);
	assert_int_equal(outcome.status, row->expected.status);
	assert_int_equal(outcome.trouble, row->expected.trouble);
	assert_int_equal(outcome.value, row->expected.value);
	assert_int_equal(world.servers[0].tcp, row->tcp);
	world_end(&world);
}

static void a_server_without_edns_is_remembered(void **state)
{
	struct world world = { 0 };
	char name[32];

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_NOTIMP_EDNS, 0 }, 2000);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof name, "n%d.example", i);
		assert_int_equal(ask(world.resolver, name, MG_DNS_A).value, 1);
	}
	assert_int_equal(world.servers[0].with_edns, 1);
	world_end(&world);
}

/* ---- time ---- */

static void silence_ends_at_the_deadline(void **state)
{
	struct world world = { 0 };
	struct mg_lookup *lookup;
	int64_t begun_us, took_us;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_SILENT, 0 }, 30000);
	begun_us = mg_mono_us();
	lookup = lookup_until(world.resolver, begun_us + 150 * MG_MS_US);
	assert_int_equal(wait_for(lookup, "late.example", MG_DNS_A)->trouble, MG_DNS_TIMEOUT);
	took_us = mg_mono_us() - begun_us;
	assert_true(took_us >= 150 * MG_MS_US && took_us < 5 * MG_S_US);
	mg_lookup_free(&lookup);
	world_end(&world);
}

static void the_own_limit_is_all_tries(void **state)
{
	struct world world = { 0 };
	int64_t begun_us = mg_mono_us(), took_us;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_SILENT, 0 }, 100);
	assert_int_equal(ask(world.resolver, "late.example", MG_DNS_A).trouble, MG_DNS_TIMEOUT);
	took_us = mg_mono_us() - begun_us;
	assert_true(took_us >= 200 * MG_MS_US && took_us < 5 * MG_S_US);
	world_end(&world);
}

/* The pauses between ten rounds over a server that refuses would last longer than ten timeouts. */
static void the_limit_ends_pauses_too(void **state)
{
	struct world world = { .count = 1 };
	int64_t begun_us = mg_mono_us(), took_us;

	(void)state;
	server_begin(&world.servers[0], ACT_ANSWER, 1);
	server_end(&world.servers[0]);
	world.resolver = start(&world, 50, 10);
	assert_int_equal(ask(world.resolver, "name.example", MG_DNS_A).trouble, MG_DNS_NO_SERVER);
	took_us = mg_mono_us() - begun_us;
	assert_true(took_us >= 500 * MG_MS_US && took_us < 1500 * MG_MS_US);
	mg_resolver_stop(&world.resolver);
}

/* The attempt over TCP has time left when the question's is over. */
static void the_limit_ends_attempts_too(void **state)
{
	struct world world = { 0 };
	const char *only = NULL;
	struct mg_resolver_options options = {
		.servers = &only, .server_count = 1, .timeout_ms = 400, .tries = 1, .cache_entries = 100
	};
	struct mg_resolver_stats stats;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_MUTE_TCP, 0 }, 400);
	world.servers[0].delay_ms = 300;
	only = world.servers[0].address;
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, NULL), MG_OK);
	assert_int_equal(ask(world.resolver, "name.example", MG_DNS_A).trouble, MG_DNS_TIMEOUT);
	mg_resolver_stats(world.resolver, &stats);
	assert_int_equal(stats.truncated, 1);
	assert_int_equal(stats.servers[0].asked, 2);
	assert_int_equal(stats.servers[0].timeouts, 0);
	world_end(&world);
}

/* A joiner with more time gets the answer that came too late for the first. */
static void each_who_waits_has_a_deadline(void **state)
{
	struct world world = { 0 };
	struct mg_lookup *hasty, *patient;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 5000);
	world.servers[0].delay_ms = 300;
	hasty = lookup_until(world.resolver, mg_mono_us() + 50 * MG_MS_US);
	patient = lookup_until(world.resolver, patience());
	assert_null(mg_lookup_get(hasty, MG_STR("slow.example"), MG_DNS_A));
	assert_null(mg_lookup_get(patient, MG_STR("slow.example"), MG_DNS_A));
	assert_int_equal(wait_for(hasty, "slow.example", MG_DNS_A)->trouble, MG_DNS_TIMEOUT);
	assert_int_equal(wait_for(patient, "slow.example", MG_DNS_A)->status, MG_DNS_FOUND);
	assert_int_equal(world.servers[0].udp, 1);
	mg_lookup_free(&hasty);
	mg_lookup_free(&patient);
	world_end(&world);
}

/* ---- cache, joining, bounds ---- */

static void a_known_answer_is_not_asked_for(void **state)
{
	struct world world = { 0 };
	struct mg_lookup *lookup;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 2000);
	assert_int_equal(ask(world.resolver, "Known.example.", MG_DNS_A).status, MG_DNS_FOUND);
	lookup = lookup_until(world.resolver, patience());
	assert_non_null(mg_lookup_get(lookup, MG_STR("known.EXAMPLE"), MG_DNS_A));
	assert_int_equal(mg_lookup_pending(lookup), 0);
	assert_int_equal(world.servers[0].udp, 1);
	mg_lookup_free(&lookup);
	world_end(&world);
}

static void wait_until_answered(struct mg_resolver *resolver, uint64_t count)
{
	struct mg_resolver_stats stats;
	int64_t until_us = patience();

	do {
		assert_true(mg_mono_us() < until_us);
		mg_resolver_stats(resolver, &stats);
	} while (stats.by_status[MG_DNS_FOUND] < count);
}

static void wait_until_asked(const struct server *server)
{
	int64_t until_us = patience();

	while (server->udp == 0)
		assert_true(mg_mono_us() < until_us);
}

static void what_nobody_waits_for_fills_the_cache(void **state)
{
	struct world world = { 0 };

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 2000);
	ask_alone(world.resolver, "soon.example");
	ask_alone(world.resolver, "no..name");
	wait_until_answered(world.resolver, 1);
	assert_int_equal(ask(world.resolver, "soon.example", MG_DNS_A).value, 1);
	ask_alone(world.resolver, "soon.example");
	assert_int_equal(world.servers[0].udp, 1);
	world_end(&world);
}

static void *ask_the_same(void *resolver)
{
	return (void *)(uintptr_t)ask(resolver, "same.example", MG_DNS_A).value;
}

static void identical_questions_are_one(void **state)
{
	struct world world = { 0 };
	struct mg_resolver_stats stats;
	pthread_t threads[64];
	void *value;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 5000);
	world.servers[0].delay_ms = 100;
	for (size_t i = 0; i < ROWS(threads); i++)
		pthread_create(&threads[i], NULL, ask_the_same, world.resolver);
	for (size_t i = 0; i < ROWS(threads); i++) {
		pthread_join(threads[i], &value);
		assert_int_equal((uintptr_t)value, 1);
	}
	mg_resolver_stats(world.resolver, &stats);
	assert_int_equal(world.servers[0].udp, 1);
	assert_int_equal(stats.questions, 1);
	assert_int_equal(stats.joined + stats.cache.hits, 63);
	world_end(&world);
}

static void questions_under_way_are_bounded(void **state)
{
	struct world world = { 0 };
	struct mg_resolver_stats stats;
	char name[32];

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_SILENT, 0 }, 30000);
	for (int i = 0; i < MG_RESOLVER_INFLIGHT; i++) {
		(void)snprintf(name, sizeof name, "n%d.example", i);
		ask_alone(world.resolver, name);
	}
	assert_int_equal(ask(world.resolver, "one-more.example", MG_DNS_A).trouble, MG_DNS_BUDGET);
	mg_resolver_stats(world.resolver, &stats);
	assert_int_equal(stats.inflight, MG_RESOLVER_INFLIGHT);
	assert_int_equal(stats.by_trouble[MG_DNS_BUDGET], 1);
	world_end(&world);
}

/* More than one channel's turn, so that channels are replaced meanwhile. */
static void many_questions_are_all_answered(void **state)
{
	enum { MANY = 3000 };
	struct world world = { 0 };
	struct mg_resolver_stats stats;
	char name[32];

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 2000);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof name, "n%d.example", i);
		ask_alone(world.resolver, name);
		if (i % 100 == 99)
			wait_until_answered(world.resolver, (uint64_t)i + 1);
	}
	mg_resolver_stats(world.resolver, &stats);
	assert_int_equal(stats.questions, MANY);
	assert_int_equal(stats.by_type[0], MANY);
	assert_int_equal(stats.by_status[MG_DNS_FOUND], MANY);
	assert_int_equal(stats.inflight, 0);
	assert_int_equal(stats.cache.entries, MANY);
	assert_true(stats.servers[0].answered >= MANY && stats.servers[0].asked >= MANY);
	assert_true(world.servers[0].ids_repeated < 20);
	world_end(&world);
}

/* ---- servers that come and go ---- */

static void nobody_listens_is_no_server(void **state)
{
	struct world world = { 0 };
	struct mg_resolver_stats stats;

	(void)state;
	server_begin(&world.servers[0], ACT_ANSWER, 1);
	server_end(&world.servers[0]);
	world.count = 1;
	world.resolver = start(&world, 1000, 2);
	assert_int_equal(ask(world.resolver, "name.example", MG_DNS_A).trouble, MG_DNS_NO_SERVER);
	mg_resolver_stats(world.resolver, &stats);
	assert_true(stats.servers[0].is_down);
	server_begin_at(&world.servers[0], ACT_ANSWER, 1, world.servers[0].port);
	assert_int_equal(ask(world.resolver, "name.example", MG_DNS_A).status, MG_DNS_FOUND);
	mg_resolver_stats(world.resolver, &stats);
	assert_false(stats.servers[0].is_down);
	world_end(&world);
}

static void no_server_at_all_is_said_at_once(void **state)
{
	struct world world = { 0 };

	(void)state;
	world_begin(&world, 0, (const enum server_act[]){ 0, 0 }, 30000);
	assert_int_equal(ask(world.resolver, "name.example", MG_DNS_A).trouble, MG_DNS_NO_SERVER);
	world_end(&world);
}

/* The silent first server is put last; when it answers again it is the first. */
static void a_silent_server_is_tried_last_until_it_answers(void **state)
{
	struct world world = { 0 };
	struct mg_resolver_stats stats;
	int64_t until_us = patience();
	char name[32];
	unsigned i = 0, silent;

	(void)state;
	world_begin(&world, 2, (const enum server_act[]){ ACT_SILENT, ACT_ANSWER }, 100);
	do {
		(void)snprintf(name, sizeof name, "n%u.example", i++);
		assert_int_equal(ask(world.resolver, name, MG_DNS_A).value, 2);
		mg_resolver_stats(world.resolver, &stats);
	} while (!stats.servers[0].is_down);
	assert_true(i <= 2);
	silent = world.servers[0].udp;
	assert_int_equal(ask(world.resolver, "second.example", MG_DNS_A).value, 2);
	assert_int_equal(world.servers[0].udp, silent);
	world.servers[0].act = ACT_ANSWER;
	do {
		(void)snprintf(name, sizeof name, "n%u.example", i++);
		assert_true(mg_mono_us() < until_us);
	} while (ask(world.resolver, name, MG_DNS_A).value != 1);
	mg_resolver_stats(world.resolver, &stats);
	assert_false(stats.servers[0].is_down);
	assert_true(stats.servers[0].timeouts >= 2);
	world_end(&world);
}

static void other_servers_can_be_set(void **state)
{
	struct world world = { 0 };
	const char *second[] = { NULL }, *wrong[] = { "resolver.example" };
	struct mg_resolver_options options = {
		.server_count = 1, .timeout_ms = 2000, .tries = 1, .cache_entries = 100
	};
	struct mg_err err = { { 0 } };

	(void)state;
	world_begin(&world, 2, (const enum server_act[]){ ACT_ANSWER, ACT_ANSWER }, 2000);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_A).value, 1);
	second[0] = world.servers[1].address;
	options.servers = second;
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, &err), MG_OK);
	assert_int_equal(ask(world.resolver, "b.example", MG_DNS_A).value, 2);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_A).value, 1); /* the cache stays */
	options.servers = wrong;
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, "resolver.example"));
	assert_int_equal(ask(world.resolver, "c.example", MG_DNS_A).value, 2);
	world_end(&world);
}

/* A question whose server is taken away, and then fails, goes on to the new one, though it has but one try. */
static void a_question_under_way_follows_to_new_servers(void **state)
{
	struct world world = { 0 };
	const char *only = NULL;
	struct mg_resolver_options options = {
		.servers = &only, .server_count = 1, .timeout_ms = 5000, .tries = 1, .cache_entries = 100
	};
	struct mg_lookup *lookup;

	(void)state;
	world_begin(&world, 2, (const enum server_act[]){ ACT_SERVFAIL, ACT_ANSWER }, 5000);
	world.servers[0].delay_ms = 300;
	only = world.servers[0].address;
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, NULL), MG_OK);
	lookup = lookup_until(world.resolver, patience());
	assert_null(mg_lookup_get(lookup, MG_STR("moved.example"), MG_DNS_A));
	wait_until_asked(&world.servers[0]);
	only = world.servers[1].address;
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, NULL), MG_OK);
	assert_int_equal(wait_for(lookup, "moved.example", MG_DNS_A)->status, MG_DNS_FOUND);
	assert_int_equal(world.servers[1].udp, 1);
	mg_lookup_free(&lookup);
	world_end(&world);
}

/* ---- resolv.conf ---- */

static void write_conf(const char *path, const char *text)
{
	char other[64];
	FILE *file;

	(void)snprintf(other, sizeof other, "%s.new", path);
	file = fopen(other, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(other, path), 0);
}

/* Asks on, until the only server is `address`, or until there is none. */
static void wait_for_server(struct mg_resolver *resolver, const char *address)
{
	struct mg_resolver_stats stats;
	int64_t until_us = patience();
	char name[32];
	unsigned i = 0;

	do {
		assert_true(mg_mono_us() < until_us);
		(void)snprintf(name, sizeof name, "n%u.example", i++);
		(void)ask(resolver, name, MG_DNS_A);
		mg_resolver_stats(resolver, &stats);
	} while (address == NULL ? stats.server_count != 0
				 : stats.server_count != 1 || strcmp(stats.servers[0].address, address) != 0);
}

static void resolv_conf_is_followed(void **state)
{
	char path[] = "/tmp/mg-resolv-XXXXXX";
	struct mg_resolver_options options = {
		.resolv_conf = path, .timeout_ms = 50, .tries = 1, .cache_entries = 100
	};
	struct mg_resolver *resolver = NULL;
	struct mg_resolver_stats stats;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	write_conf(path, "nameserver 127.0.0.1\n");
	assert_int_equal(mg_resolver_start(&options, &resolver, NULL), MG_OK);
	mg_resolver_stats(resolver, &stats);
	assert_int_equal(stats.server_count, 1);
	assert_string_equal(stats.servers[0].address, "127.0.0.1:53");
	write_conf(path, "nameserver ::1\n");
	wait_for_server(resolver, "[::1]:53");
	unlink(path);
	wait_for_server(resolver, NULL);
	mg_resolver_stop(&resolver);
}

struct conf_row {
	const char *name, *text;
	size_t count;
	const char *first;
};
static const struct conf_row conf_rows[] = {
	{ "one", "nameserver 192.0.2.1\n", 1, "192.0.2.1:53" },
	{ "comments and other lines", "# x\nsearch example\n;y\n\nnameserver\t192.0.2.1 # z\noptions edns0", 1,
		"192.0.2.1:53" },
	{ "a zone is ignored", "nameserver fe80::1%eth0\n", 1, "[fe80::1]:53" },
	{ "no final newline", "nameserver 192.0.2.1", 1, "192.0.2.1:53" },
	{ "CRLF", "nameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n", 2, "192.0.2.1:53" },
	{ "what is none", "nameserver dns.example\nnameserver\nnameservers 192.0.2.1\n", 0, NULL },
	{ "more than eight",
		"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver "
		"192.0.2.5\nnameserver 192.0.2.6\nnameserver 192.0.2.7\nnameserver 192.0.2.8\nnameserver 192.0.2.9\n",
		8, "192.0.2.1:53" },
	{ "empty", "", 0, NULL },
};

static void resolv_conf_is_read(void **state)
{
	const struct conf_row *row = *state;
	struct mg_server_list list;
	char text[64];

	mg_resolv_conf_parse(mg_str_z(row->text), &list);
	assert_int_equal(list.count, row->count);
	if (row->count > 0)
		assert_string_equal(mg_server_address_text(&list.items[0], text, sizeof text), row->first);
}

struct address_row {
	const char *name, *text, *expected; /* NULL: none */
};
static const struct address_row address_rows[] = {
	{ "IPv4", "192.0.2.1", "192.0.2.1:53" },
	{ "IPv4 and port", "192.0.2.1:5353", "192.0.2.1:5353" },
	{ "IPv6", "2001:db8::1", "[2001:db8::1]:53" },
	{ "IPv6 in brackets", "[2001:db8::1]", "[2001:db8::1]:53" },
	{ "IPv6 and port", "[2001:db8::1]:5353", "[2001:db8::1]:5353" },
	{ "port 0", "192.0.2.1:0", NULL },
	{ "port too large", "192.0.2.1:65536", NULL },
	{ "no port after the colon", "192.0.2.1:", NULL },
	{ "a name", "dns.example", NULL },
	{ "open bracket", "[2001:db8::1", NULL },
	{ "empty", "", NULL },
};

static void a_server_address_is_read(void **state)
{
	const struct address_row *row = *state;
	struct mg_server_address address;
	char text[64];

	assert_int_equal(mg_server_address_parse(mg_str_z(row->text), &address), row->expected != NULL);
	if (row->expected != NULL)
		assert_string_equal(mg_server_address_text(&address, text, sizeof text), row->expected);
}

static void a_wrong_server_is_named(void **state)
{
	const char *servers[] = { "192.0.2.1", "192.0.2.256" };
	struct mg_resolver_options options = {
		.servers = servers, .server_count = 2, .timeout_ms = 50, .tries = 1, .cache_entries = 100
	};
	struct mg_resolver *resolver = NULL;
	struct mg_err err = { { 0 } };

	(void)state;
	assert_int_equal(mg_resolver_start(&options, &resolver, &err), MG_ESYNTAX);
	assert_null(resolver);
	assert_non_null(strstr(err.text, "192.0.2.256"));
}

/* ---- cancelling and stopping ---- */

static void *stop(void *world)
{
	mg_resolver_stop(&((struct world *)world)->resolver);
	return NULL;
}

static void stopping_answers_what_is_under_way(void **state)
{
	struct world world = { 0 };
	struct mg_lookup *lookup;
	pthread_t thread;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_SILENT, 0 }, 30000);
	lookup = lookup_until(world.resolver, patience());
	assert_null(mg_lookup_get(lookup, MG_STR("never.example"), MG_DNS_A));
	assert_null(mg_lookup_get(lookup, MG_STR("never.example"), MG_DNS_TXT));
	pthread_create(&thread, NULL, stop, &world);
	assert_int_equal(wait_for(lookup, "never.example", MG_DNS_A)->trouble, MG_DNS_NO_SERVER);
	assert_int_equal(wait_for(lookup, "never.example", MG_DNS_TXT)->trouble, MG_DNS_NO_SERVER);
	pthread_join(thread, NULL);
	mg_lookup_free(&lookup);
	world_end(&world);
}

struct shooter {
	struct mg_resolver *resolver;
	unsigned seed;
	unsigned answered;
};

/* Asks for some names of few, and leaves: at once, after one answer, or after all. */
static void *ask_and_leave(void *arg)
{
	struct shooter *shooter = arg;
	int64_t until_us = mg_mono_us() + 500 * MG_MS_US;
	char name[32];

	while (mg_mono_us() < until_us) {
		struct mg_lookup *lookup = lookup_until(shooter->resolver, mg_mono_us() + 500 * MG_MS_US);

		for (unsigned i = 0; i < 8; i++) {
			shooter->seed = shooter->seed * 1103515245 + 12345;
			(void)snprintf(name, sizeof name, "n%u.example", shooter->seed >> 16 & 4095);
			(void)mg_lookup_get(lookup, mg_str_z(name), MG_DNS_A);
		}
		for (unsigned waits = shooter->seed >> 28 & 3; waits > 0 && mg_lookup_pending(lookup) > 0; waits--)
			shooter->answered += mg_lookup_wait(lookup, mg_mono_us() + 5 * MG_MS_US);
		if ((shooter->seed >> 20 & 1) != 0)
			mg_lookup_expire(lookup);
		mg_lookup_free(&lookup);
	}
	return NULL;
}

static void leaving_is_safe_while_answers_come(void **state)
{
	struct world world = { 0 };
	struct shooter shooters[8];
	pthread_t threads[8];
	struct mg_resolver_options options = { .server_count = 1, .timeout_ms = 500, .tries = 2, .cache_entries = 100 };
	const char *address;
	unsigned answered = 0;

	(void)state;
	world_begin(&world, 1, (const enum server_act[]){ ACT_ANSWER, 0 }, 500);
	address = world.servers[0].address;
	options.servers = &address; /* and a cache so small that nearly all is asked */
	assert_int_equal(mg_resolver_set_options(world.resolver, &options, NULL), MG_OK);
	for (size_t i = 0; i < ROWS(threads); i++) {
		shooters[i] = (struct shooter){ world.resolver, (unsigned)i + 1, 0 };
		pthread_create(&threads[i], NULL, ask_and_leave, &shooters[i]);
	}
	for (size_t i = 0; i < ROWS(threads); i++) {
		pthread_join(threads[i], NULL);
		answered += shooters[i].answered;
	}
	assert_true(answered > 100);
	world_end(&world);
}

static void what_happens_is_counted(void **state)
{
	struct world world = { 0 };
	struct mg_resolver_stats stats;
	uint64_t latency = 0;

	(void)state;
	world_begin(&world, 2, (const enum server_act[]){ ACT_TRUNCATE, ACT_SILENT }, 2000);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_A).status, MG_DNS_FOUND);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_TXT).status, MG_DNS_FOUND);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_MX).status, MG_DNS_NODATA);
	assert_int_equal(ask(world.resolver, "a.example", MG_DNS_MX).status, MG_DNS_NODATA);
	mg_resolver_stats(world.resolver, &stats);
	assert_int_equal(stats.questions, 3);
	assert_int_equal(stats.by_type[0], 1);
	assert_int_equal(stats.by_type[3], 1);
	assert_int_equal(stats.by_type[4], 1);
	assert_int_equal(stats.by_status[MG_DNS_FOUND], 2);
	assert_int_equal(stats.by_status[MG_DNS_NODATA], 1);
	assert_int_equal(stats.truncated, 3);
	assert_int_equal(stats.over_tcp, 3);
	assert_int_equal(stats.cache.hits, 1);
	assert_int_equal(stats.server_count, 2);
	assert_string_equal(stats.servers[0].address, world.servers[0].address);
	assert_int_equal(stats.servers[0].asked, 6);
	assert_int_equal(stats.servers[0].answered, 6);
	assert_true(stats.servers[0].mean_us > 0);
	assert_int_equal(stats.servers[1].asked, 0);
	for (size_t i = 0; i < MG_RESOLVER_LATENCY_BUCKETS; i++)
		latency += stats.latency[i];
	assert_int_equal(latency, 3);
	world_end(&world);
}

int main(void)
{
	static struct CMUnitTest tests[128];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_server_without_edns_is_remembered),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(the_own_limit_is_all_tries),
		cmocka_unit_test(the_limit_ends_pauses_too),
		cmocka_unit_test(the_limit_ends_attempts_too),
		cmocka_unit_test(each_who_waits_has_a_deadline),
		cmocka_unit_test(a_known_answer_is_not_asked_for),
		cmocka_unit_test(what_nobody_waits_for_fills_the_cache),
		cmocka_unit_test(identical_questions_are_one),
		cmocka_unit_test(questions_under_way_are_bounded),
		cmocka_unit_test(many_questions_are_all_answered),
		cmocka_unit_test(nobody_listens_is_no_server),
		cmocka_unit_test(no_server_at_all_is_said_at_once),
		cmocka_unit_test(a_silent_server_is_tried_last_until_it_answers),
		cmocka_unit_test(other_servers_can_be_set),
		cmocka_unit_test(a_question_under_way_follows_to_new_servers),
		cmocka_unit_test(resolv_conf_is_followed),
		cmocka_unit_test(a_wrong_server_is_named),
		cmocka_unit_test(stopping_answers_what_is_under_way),
		cmocka_unit_test(leaving_is_safe_while_answers_come),
		cmocka_unit_test(what_happens_is_counted),
	};
	size_t n = 0;

	ADD_ROWS(tests, n, act_rows, the_outcome_is_right_whatever_servers_do);
	ADD_ROWS(tests, n, size_rows, long_answers_come_whole_or_not_at_all);
	ADD_ROWS(tests, n, conf_rows, resolv_conf_is_read);
	ADD_ROWS(tests, n, address_rows, a_server_address_is_read);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("resolver", tests, n, NULL, NULL);
}
