/* The shared store over a real redis-server, which these tests start themselves. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "machine_kit.h"
#include "redis_server_kit.h"

static struct redis_server server;

static int begin_server(void **state)
{
	(void)state;
	redis_begin(&server, NULL);
	return 0;
}

static int end_server(void **state)
{
	(void)state;
	redis_end(&server);
	return 0;
}

static void begin(struct machine *machine)
{
	char said[64];

	redis_say(&server, "FLUSHALL", said, sizeof said);
	machine_begin(machine, server.url, "", MACHINE_PATIENT_MS);
	machine_wait(machine, true);
}

/* ---- the same answers as this machine's memory ---- */

static unsigned draw(unsigned *seed, unsigned below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static struct mg_charge random_charge(unsigned *seed)
{
	static const enum mg_charge_mode modes[] = { MG_CHARGE_HARD, MG_CHARGE_HARD, MG_CHARGE_SOFT, MG_CHARGE_LOOK,
		MG_CHARGE_FORCED, MG_CHARGE_WATCH };
	struct mg_charge charge = { .count = 1 + draw(seed, 5) };
	char key[16];

	for (size_t i = 0; i < charge.count; i++) {
		unsigned which = draw(seed, 6);

		(void)snprintf(key, sizeof key, "k%u", which);
		charge.item[i] = machine_item("same", key, 5 + 10 * which * which, 1 + draw(seed, 12));
		charge.item[i].bucket.burst = 3 + 9 * which;
		charge.item[i].mode = modes[draw(seed, ROWS(modes))];
	}
	return charge;
}

static void compare(const struct mg_charge *a, const struct mg_charge *b)
{
	assert_int_equal(a->is_refused, b->is_refused);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->item[i].is_charged, b->item[i].is_charged);
		assert_int_equal(a->item[i].is_over, b->item[i].is_over);
		assert_int_equal(a->item[i].used, b->item[i].used);
		assert_int_equal(a->item[i].wait_ns == INT64_MAX, b->item[i].wait_ns == INT64_MAX);
		assert_int_equal(a->item[i].wait_ns / 1000000000000, b->item[i].wait_ns / 1000000000000);
	}
}

/* Levels that drain in months, so that the moment does not matter. */
static void it_answers_as_memory_does(void **state)
{
	struct machine shared, alone;
	struct mg_limit_store memory;
	unsigned seed = 7;

	(void)state;
	begin(&shared);
	machine_begin(&alone, server.url, "", MACHINE_PATIENT_MS); /* only its memory is used */
	mg_memory_store(alone.state, &memory);
	for (int round = 0; round < 1500; round++) {
		struct mg_charge ours = random_charge(&seed), theirs = ours;

		(void)machine_decide(&shared, &ours);
		assert_true(memory.decide(memory.context, &theirs));
		assert_false(ours.is_local);
		compare(&ours, &theirs);
		if (draw(&seed, 4) == 0 && ours.item[0].is_charged) {
			shared.store.refund(shared.store.context, ours.item, 1);
			memory.refund(memory.context, ours.item, 1);
		}
		if (draw(&seed, 40) == 0) {
			shared.store.reset(shared.store.context, ours.item);
			memory.reset(memory.context, ours.item);
		}
	}
	assert_int_equal(machine_stats(&shared).local_decisions, 0);
	machine_end(&alone);
	machine_end(&shared);
}

static void the_largest_numbers_pass(void **state)
{
	struct mg_charge_item item = machine_item("large", "k", 1000000000000, 1000000000000);
	struct machine machine;

	(void)state;
	begin(&machine);
	assert_true(machine_spend(&machine, &item));
	assert_false(machine_spend(&machine, &item));
	item = machine_item("slow", "k", 1000000000000, 1000000000000);
	item.bucket.limit = 1; /* drains in 10^12 years */
	assert_true(machine_spend(&machine, &item));
	assert_int_equal(machine_used(&machine, &item), 1000000000000);
	machine_end(&machine);
}

static void it_drains_by_the_servers_clock(void **state)
{
	struct mg_charge_item item = machine_item("drain", "k", 50, 1);
	struct machine machine;
	int refused = 0;

	(void)state;
	item.bucket = (struct mg_bucket){ .limit = 20, .burst = 5, .per_s = 1 };
	begin(&machine);
	for (int i = 0; i < 5; i++)
		assert_true(machine_spend(&machine, &item));
	while (!machine_spend(&machine, &item))
		refused++;
	assert_true(refused > 0);
	machine_end(&machine);
}

/* A level that is empty is no key of the server's. */
static void what_is_empty_is_gone(void **state)
{
	struct mg_charge_item item = machine_item("gone", "k", 50, 1);
	struct machine machine;
	char said[64];

	(void)state;
	begin(&machine);
	assert_true(machine_spend(&machine, &item));
	redis_say(&server, "EXISTS mailguard:{rate}:gone:k", said, sizeof said);
	assert_string_equal(said, ":1");
	machine.store.refund(machine.store.context, &item, 1);
	assert_int_equal(machine_used(&machine, &item), 0);
	redis_say(&server, "EXISTS mailguard:{rate}:gone:k", said, sizeof said);
	assert_string_equal(said, ":0");
	item.bucket = (struct mg_bucket){ .limit = 1000, .burst = 5, .per_s = 1 };
	assert_true(machine_spend(&machine, &item));
	do
		redis_say(&server, "EXISTS mailguard:{rate}:gone:k", said, sizeof said);
	while (strcmp(said, ":0") != 0);
	machine_end(&machine);
}

static void what_others_put_there_is_emptiness(void **state)
{
	struct mg_charge_item item = machine_item("odd", "k", 5, 5);
	struct machine machine;
	char said[64];

	(void)state;
	begin(&machine);
	redis_say(&server, "SET mailguard:{rate}:odd:k nonsense", said, sizeof said);
	assert_true(machine_spend(&machine, &item));
	redis_say(&server, "DEL mailguard:{rate}:odd:k", said, sizeof said);
	redis_say(&server, "LPUSH mailguard:{rate}:odd:k nonsense", said, sizeof said);
	assert_true(machine_spend(&machine, &item));
	assert_int_equal(machine_used(&machine, &item), 5);
	machine_end(&machine);
}

/* ---- two machines ---- */

enum { THREADS = 8, TRIES = 60, LIMIT = 300 };

struct crowd {
	struct machine *machine;
	struct mg_charge_item item[2];
	_Atomic int granted, local;
};

static void *spend_much(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < TRIES; i++) {
		struct mg_charge charge = { .count = 2, .item = { crowd->item[0], crowd->item[1] } };

		crowd->granted += machine_decide(crowd->machine, &charge);
		crowd->local += charge.is_local;
	}
	return NULL;
}

/* The second item has the smaller limit and is not told apart: both are charged as often as all is granted. */
static void two_machines_hold_one_limit(void **state)
{
	struct machine machines[2];
	struct crowd crowds[2] = { { .machine = &machines[0] }, { .machine = &machines[1] } };
	struct mg_charge_item wide = machine_item("wide", "k", 100000, 1),
			      narrow = machine_item("narrow", "k", LIMIT, 1);
	pthread_t threads[2][THREADS];

	(void)state;
	for (int m = 0; m < 2; m++) {
		begin(&machines[m]);
		crowds[m].item[0] = wide;
		crowds[m].item[1] = narrow;
	}
	for (int m = 0; m < 2; m++)
		for (int t = 0; t < THREADS; t++)
			assert_int_equal(pthread_create(&threads[m][t], NULL, spend_much, &crowds[m]), 0);
	for (int m = 0; m < 2; m++)
		for (int t = 0; t < THREADS; t++)
			pthread_join(threads[m][t], NULL);
	assert_int_equal(crowds[0].local + crowds[1].local, 0);
	assert_int_equal(crowds[0].granted + crowds[1].granted, LIMIT);
	assert_int_equal(machine_used(&machines[0], &wide), LIMIT);
	assert_int_equal(machine_used(&machines[1], &narrow), LIMIT);
	machine_end(&machines[0]);
	machine_end(&machines[1]);
}

static void what_one_gives_back_the_other_may_spend(void **state)
{
	struct mg_charge_item item = machine_item("back", "k", 3, 3);
	struct machine a, b;

	(void)state;
	begin(&a);
	begin(&b);
	assert_true(machine_spend(&a, &item));
	assert_false(machine_spend(&b, &item));
	a.store.refund(a.store.context, &item, 1);
	assert_int_equal(machine_used(&a, &item), 0);
	assert_true(machine_spend(&b, &item));
	b.store.reset(b.store.context, &item);
	assert_int_equal(machine_used(&b, &item), 0);
	assert_true(machine_spend(&a, &item));
	machine_end(&a);
	machine_end(&b);
}

static void what_the_server_says_is_known_here(void **state)
{
	struct mg_charge_item item = machine_item("known", "k", 9, 2), seen = item;
	struct machine a, b;

	(void)state;
	begin(&a);
	begin(&b);
	assert_false(b.store.look(b.store.context, &seen));
	assert_true(machine_spend(&a, &item));
	assert_true(machine_spend(&b, &item));
	assert_true(b.store.look(b.store.context, &seen));
	assert_int_equal(seen.used, 4);
	machine_end(&a);
	machine_end(&b);
}

/* ---- nobody waits any more ---- */

static void never(void *context)
{
	(void)context;
	abort();
}

static void what_is_abandoned_is_given_back(void **state)
{
	struct mg_charge_item item = machine_item("abandoned", "k", 1000, 1);
	struct machine machine;

	(void)state;
	begin(&machine);
	for (int i = 0; i < 300; i++) {
		struct mg_charge charge = { .count = 1, .item = { item } };

		charge.ready = never;
		if (i % 2 == 0) {
			redis_signal(&server, SIGSTOP); /* it can't answer before it is abandoned */
			assert_false(machine.store.decide(machine.store.context, &charge));
			if (i % 4 == 0)
				machine_pause(); /* it is sent by now */
			machine.store.abandon(machine.store.context, &charge);
			redis_signal(&server, SIGCONT);
		} else {
			(void)machine_decide(&machine, &charge);
			machine.store.abandon(machine.store.context, &charge);
		}
	}
	MACHINE_UNTIL(machine_used(&machine, &item) == 0);
	machine_end(&machine);
}

static void nothing(void *context)
{
	(void)context;
}

static void what_is_held_at_the_end_is_decided_here(void **state)
{
	struct mg_charge_item item = machine_item("held", "k", 1000, 1);
	struct mg_charge charges[40];
	struct machine machine;

	(void)state;
	begin(&machine);
	redis_signal(&server, SIGSTOP);
	for (size_t i = 0; i < ROWS(charges); i++) {
		charges[i] = (struct mg_charge){ .count = 1, .item = { item }, .ready = nothing };
		assert_false(machine.store.decide(machine.store.context, &charges[i]));
	}
	machine_end(&machine);
	redis_signal(&server, SIGCONT);
	for (size_t i = 0; i < ROWS(charges); i++)
		assert_true(charges[i].is_decided && charges[i].is_local && charges[i].item[0].is_charged);
}

/* ---- a cluster ---- */

/* All keys of a charge lie in one slot, and no script touches another. */
static void a_cluster_takes_it(void **state)
{
	static char port[8];
	static const char *const words[] = { "--cluster-enabled", "yes", "--port", port, "--bind", "127.0.0.1", NULL };
	struct mg_charge charge = { .count = 2,
		.item = { machine_item("a", "k", 3, 3), machine_item("b", "l", 3, 3) } };
	struct redis_server node = { .directory = "" };
	struct machine machine;
	unsigned number;
	char said[64];

	(void)state;
	do
		number = redis_free_port();
	while (number > 55535); /* the cluster's own port lies 10000 higher */
	(void)snprintf(port, sizeof port, "%u", number);
	redis_begin(&node, words);
	redis_say(&node, "CLUSTER ADDSLOTSRANGE 0 16383", said, sizeof said);
	machine_begin(&machine, node.url, "", MACHINE_PATIENT_MS);
	machine_wait(&machine, true);
	assert_true(machine_decide(&machine, &charge));
	assert_false(charge.is_local);
	machine.store.refund(machine.store.context, charge.item, 2);
	assert_int_equal(machine_used(&machine, &charge.item[1]), 0);
	machine_end(&machine);
	redis_end(&node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_as_memory_does),
		cmocka_unit_test(the_largest_numbers_pass),
		cmocka_unit_test(it_drains_by_the_servers_clock),
		cmocka_unit_test(what_is_empty_is_gone),
		cmocka_unit_test(what_others_put_there_is_emptiness),
		cmocka_unit_test(two_machines_hold_one_limit),
		cmocka_unit_test(what_one_gives_back_the_other_may_spend),
		cmocka_unit_test(what_the_server_says_is_known_here),
		cmocka_unit_test(what_is_abandoned_is_given_back),
		cmocka_unit_test(what_is_held_at_the_end_is_decided_here),
		cmocka_unit_test(a_cluster_takes_it),
	};

	return cmocka_run_group_tests(tests, begin_server, end_server);
}
