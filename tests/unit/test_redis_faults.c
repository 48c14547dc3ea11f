/* A shared store that fails: every decision comes, limits hold on this machine meanwhile, and all is well again by itself. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine_kit.h"
#include "redis_fake_kit.h"
#include "redis_server_kit.h"

/* ---- mail that goes on ---- */

enum { THREADS = 4, LIMIT = 1000000 };

struct traffic {
	struct machine *machine;
	_Atomic bool is_over;
	_Atomic uint64_t decisions, local, granted;
	pthread_t threads[THREADS];
};

static void *mail(void *arg)
{
	struct traffic *traffic = arg;
	struct mg_charge_item item = machine_item("mail", "k", LIMIT, 1);

	while (!traffic->is_over) {
		struct mg_charge charge = { .count = 1, .item = { item } };

		traffic->granted += machine_decide(traffic->machine, &charge);
		traffic->local += charge.is_local;
		traffic->decisions++;
		if (charge.is_local)
			machine_pause();
	}
	return NULL;
}

static void begin_mail(struct traffic *traffic, struct machine *machine)
{
	*traffic = (struct traffic){ .machine = machine };
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&traffic->threads[i], NULL, mail, traffic), 0);
}

static void end_mail(struct traffic *traffic)
{
	traffic->is_over = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(traffic->threads[i], NULL);
}

static void wait_for_more(_Atomic uint64_t *count, uint64_t more)
{
	uint64_t until = *count + more;

	MACHINE_UNTIL(*count >= until);
}

/* While the server is away, a limit of 3 is a limit of 3 here. */
static void limits_hold_here(struct machine *machine, const char *key)
{
	struct mg_charge_item item = machine_item("here", key, 3, 1);
	int granted = 0;

	for (int i = 0; i < 6; i++) {
		struct mg_charge charge = { .count = 1, .item = { item } };

		granted += machine_decide(machine, &charge);
		assert_true(charge.is_local);
	}
	assert_int_equal(granted, 3);
}

/* ---- a real server ---- */

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

static void kill_it(void)
{
	redis_kill(&server);
}
static void start_it(void)
{
	redis_restart(&server);
}
static void stop_it(void)
{
	redis_signal(&server, SIGSTOP);
}
static void continue_it(void)
{
	redis_signal(&server, SIGCONT);
}
static void tell(const char *command)
{
	char said[128];

	redis_say(&server, command, said, sizeof said);
	assert_string_equal(said, "+OK");
}
static void make_replica(void)
{
	tell("REPLICAOF 127.0.0.1 1");
}
static void make_primary(void)
{
	tell("REPLICAOF NO ONE");
}
static void fill_it(void)
{
	tell("CONFIG SET maxmemory 1");
}
static void empty_it(void)
{
	tell("CONFIG SET maxmemory 0");
}

struct fault_row {
	const char *name;
	void (*breaks)(void);
	void (*mends)(void);
	const char *trouble;
};
static const struct fault_row fault_rows[] = {
	{ "killed", kill_it, start_it, "" },
	{ "hung", stop_it, continue_it, "" },
	{ "made a replica", make_replica, make_primary, "READONLY" },
	{ "full", fill_it, empty_it, "OOM" },
};

static void it_comes_back_by_itself(void **state)
{
	const struct fault_row *row = *state;
	struct traffic traffic;
	struct machine machine;

	machine_begin(&machine, server.url, "", 0);
	machine_wait(&machine, true);
	begin_mail(&traffic, &machine);
	wait_for_more(&traffic.decisions, 200);
	row->breaks();
	machine_wait(&machine, false);
	MACHINE_UNTIL(strstr(machine_stats(&machine).trouble, row->trouble) != NULL);
	wait_for_more(&traffic.local, 200);
	limits_hold_here(&machine, row->name);
	assert_true(machine_stats(&machine).trouble[0] != '\0');
	row->mends();
	machine_wait(&machine, true);
	wait_for_more(&traffic.decisions, 200);
	end_mail(&traffic);
	assert_int_equal(traffic.granted, traffic.decisions);
	machine_end(&machine);
}

/* A server that lost its scripts is taught them again, and nobody notices. */
static void scripts_are_taught_again(void **state)
{
	struct mg_charge_item item = machine_item("taught", "k", 5, 1);
	struct machine machine;

	(void)state;
	machine_begin(&machine, server.url, "", MACHINE_PATIENT_MS);
	assert_true(machine_spend(&machine, &item));
	tell("SCRIPT FLUSH");
	assert_true(machine_spend(&machine, &item));
	tell("SCRIPT FLUSH");
	machine.store.refund(machine.store.context, &item, 1);
	assert_int_equal(machine_used(&machine, &item), 1);
	assert_int_equal(machine_stats(&machine).local_decisions, 0);
	assert_int_equal(machine_stats(&machine).reconnects, 0);
	machine_end(&machine);
}

/* Charged there, given back while it is away: it is told when it is back. */
static void refunds_are_remembered(void **state)
{
	struct mg_charge_item item = machine_item("owed", "k", 5, 2), other = machine_item("reset", "k", 5, 5);
	struct machine machine;

	(void)state;
	machine_begin(&machine, server.url, "", 0);
	assert_true(machine_spend(&machine, &item));
	assert_true(machine_spend(&machine, &item));
	assert_true(machine_spend(&machine, &other));
	make_replica();
	while (machine_stats(&machine).is_open) {
		struct mg_charge charge = { .count = 1, .item = { machine_item("else", "k", 100000, 1) } };

		(void)machine_decide(&machine, &charge);
	}
	machine.store.refund(machine.store.context, &item, 1);
	machine.store.reset(machine.store.context, &other);
	make_primary();
	MACHINE_UNTIL(machine_used(&machine, &item) == 2 && machine_used(&machine, &other) == 0);
	machine_end(&machine);
}

/* What was charged here alone is no business of the server's. */
static void local_charges_are_given_back_here(void **state)
{
	struct mg_charge_item item = machine_item("alone", "k", 5, 2), seen = item;
	struct mg_charge charge = { .count = 1, .item = { item } };
	struct machine machine;

	(void)state;
	machine_begin(&machine, server.url, "", 0);
	assert_true(machine_spend(&machine, &item));
	fill_it();
	while (!charge.is_local) {
		charge = (struct mg_charge){ .count = 1, .item = { item } };
		(void)machine_decide(&machine, &charge);
	}
	empty_it();
	machine_wait(&machine, true);
	if (charge.item[0].is_charged)
		machine.store.refund(machine.store.context, charge.item, 1);
	assert_int_equal(machine_used(&machine, &item), 2);
	assert_true(machine.store.look(machine.store.context, &seen));
	assert_int_equal(seen.used, 2);
	machine_end(&machine);
}

static void a_server_that_is_not_there_is_no_error(void **state)
{
	struct machine machine;

	(void)state;
	machine_begin(&machine, "redis+unix:///nonexistent/redis.sock", "", 0);
	limits_hold_here(&machine, "k");
	MACHINE_UNTIL(machine_stats(&machine).trouble[0] != '\0');
	machine_end(&machine);
	machine_begin(&machine, "redis://nobody.invalid:1/0", "", 0);
	limits_hold_here(&machine, "k");
	MACHINE_UNTIL(strstr(machine_stats(&machine).trouble, "nobody.invalid") != NULL);
	machine_end(&machine);
}

/* ---- a server that misbehaves ---- */

struct act_row {
	const char *name;
	enum fake_act act;
	const char *trouble;
};
static const struct act_row act_rows[] = {
	{ "silent", ACT_SILENT, "no answer" },
	{ "deaf", ACT_DEAF, "no answer" },
	{ "always busy", ACT_BUSY, "closed the connection" },
	{ "rude", ACT_RUDE, "not one we asked for" },
	{ "late", ACT_LATE, "no answer in time" },
	{ "a replica", ACT_READONLY, "READONLY" },
	{ "loading", ACT_LOADING, "LOADING" },
	{ "moved", ACT_MOVED, "MOVED" },
	{ "out of memory", ACT_OOM, "OOM" },
	{ "wants a password", ACT_NOAUTH, "NOAUTH" },
	{ "can't learn", ACT_NOSCRIPT_ALWAYS, "NOSCRIPT" },
	{ "garbage", ACT_GARBAGE, "not one we asked for" },
	{ "endless bulk", ACT_ENDLESS_BULK, "too large" },
	{ "endless line", ACT_ENDLESS_LINE, "too large" },
	{ "deep", ACT_DEEP, "not one we asked for" },
	{ "wide", ACT_WIDE, "not one we asked for" },
	{ "answers twice", ACT_TWICE, "more than it was asked" },
	{ "too short", ACT_SHORT, "makes no sense" },
	{ "lies", ACT_LIE, "makes no sense" },
	{ "a number", ACT_NUMBER, "makes no sense" },
	{ "nil", ACT_NIL, "makes no sense" },
	{ "hangs up", ACT_HANG_UP, "closed the connection" },
	{ "half an answer", ACT_HALF, "closed the connection" },
};

static void nonsense_is_borne(void **state)
{
	const struct act_row *row = *state;
	struct traffic traffic;
	struct machine machine;
	struct fake fake;

	fake_begin(&fake, ACT_GRANT);
	machine_begin(&machine, fake.url, "", 0);
	machine_wait(&machine, true);
	begin_mail(&traffic, &machine);
	wait_for_more(&traffic.decisions, 50);
	fake.act = row->act;
	MACHINE_UNTIL(strstr(machine_stats(&machine).trouble, row->trouble) != NULL);
	machine_wait(&machine, false);
	wait_for_more(&traffic.local, 50);
	fake.act = ACT_GRANT;
	machine_wait(&machine, true);
	end_mail(&traffic);
	assert_int_equal(traffic.granted, traffic.decisions);
	machine_end(&machine);
	fake_end(&fake);
}

/* From the first word on. */
static void nonsense_at_first_is_borne(void **state)
{
	const struct act_row *row = *state;
	struct machine machine;
	struct fake fake;

	fake_begin(&fake, row->act);
	machine_begin(&machine, fake.url, "", 0);
	limits_hold_here(&machine, "k");
	if (row->act != ACT_SILENT && row->act != ACT_LATE && row->act != ACT_DEAF)
		MACHINE_UNTIL(strstr(machine_stats(&machine).trouble, row->trouble) != NULL);
	assert_false(machine_stats(&machine).is_open);
	fake.act = ACT_GRANT;
	machine_wait(&machine, true);
	machine_end(&machine);
	fake_end(&fake);
}

/* Redis itself repeats the arguments of commands it does not know. */
static void passwords_are_not_repeated(void **state)
{
	char path[] = "/tmp/mailguard-password-XXXXXX";
	struct machine machine;
	struct fake fake;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hushhush", 8), 8);
	fake_begin(&fake, ACT_GOSSIP);
	machine_begin(&machine, fake.url, path, 0);
	MACHINE_UNTIL(strstr(machine_stats(&machine).trouble, "repeats the password") != NULL);
	assert_null(strstr(machine_stats(&machine).trouble, "hush"));
	machine_end(&machine);
	fake_end(&fake);
	close(fd);
	unlink(path);
}

static void a_server_that_forgets_is_told_each_time(void **state)
{
	struct mg_charge_item item = machine_item("forgets", "k", 5, 1);
	struct machine machine;
	struct fake fake;

	(void)state;
	fake_begin(&fake, ACT_NOSCRIPT);
	machine_begin(&machine, fake.url, "", MACHINE_PATIENT_MS);
	for (int i = 0; i < 20; i++)
		assert_true(machine_spend(&machine, &item));
	assert_true(fake.evals >= 20);
	assert_int_equal(machine_stats(&machine).reconnects, 0);
	machine_end(&machine);
	fake_end(&fake);
}

/* Refused here after the server was late; what it granted late is given back there. */
static void what_is_granted_late_is_given_back(void **state)
{
	struct mg_charge_item item = machine_item("late", "k", 1, 1), other = machine_item("full", "k", 1, 1);
	struct mg_charge charge = { .count = 1, .item = { other } };
	struct mg_limit_store memory;
	struct machine machine;
	struct fake fake;
	unsigned refunds;

	(void)state;
	fake_begin(&fake, ACT_GRANT);
	machine_begin(&machine, fake.url, "", 0);
	machine_wait(&machine, true);
	mg_memory_store(machine.state, &memory);
	assert_true(memory.decide(memory.context, &charge)); /* full here */
	fake.act = ACT_LATE;
	refunds = fake.refunds;
	do {
		machine_wait(&machine, true);
		charge = (struct mg_charge){ .count = 2, .item = { item, other } };
		(void)machine_decide(&machine, &charge);
		if (!charge.is_local)
			fake.act = ACT_LATE;
	} while (!charge.is_refused);
	assert_true(charge.is_local);
	MACHINE_UNTIL(fake.refunds != refunds);
	machine_end(&machine);
	fake_end(&fake);
}

static void nothing(void *context)
{
	(void)context;
}

/* Decisions are held and dropped while the connection comes and goes; the sanitizers look at what is left. */
static void held_and_dropped_at_random(void **state)
{
	static const enum fake_act acts[] = { ACT_GRANT, ACT_HANG_UP, ACT_SILENT, ACT_GRANT, ACT_READONLY, ACT_LATE };
	struct mg_charge_item item = machine_item("random", "k", 1000000, 1);
	struct traffic traffic;
	struct machine machine;
	struct fake fake;

	(void)state;
	fake_begin(&fake, ACT_GRANT);
	machine_begin(&machine, fake.url, "", 0);
	begin_mail(&traffic, &machine);
	for (int i = 0; i < 120; i++) {
		struct mg_charge charge = { .count = 1, .item = { item } };

		if (i % 20 == 0) {
			fake.act = ACT_GRANT;
			machine_wait(&machine, true);
		}
		fake.act = acts[(size_t)i / 4 % ROWS(acts)];
		charge.ready = nothing;
		if (!machine.store.decide(machine.store.context, &charge) && i % 3 == 0)
			machine_pause();
		machine.store.abandon(machine.store.context, &charge);
		machine.store.refund(machine.store.context, &item, 1);
	}
	end_mail(&traffic);
	machine_end(&machine);
	fake_end(&fake);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(fault_rows) + 2 * ROWS(act_rows) + 10];
	size_t n = 0;

	ADD_ROWS(tests, n, fault_rows, it_comes_back_by_itself);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(scripts_are_taught_again);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refunds_are_remembered);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(local_charges_are_given_back_here);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_server_that_is_not_there_is_no_error);
	ADD_ROWS(tests, n, act_rows, nonsense_is_borne);
	ADD_ROWS(tests, n, act_rows, nonsense_at_first_is_borne);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(passwords_are_not_repeated);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_server_that_forgets_is_told_each_time);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_granted_late_is_given_back);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(held_and_dropped_at_random);
	return _cmocka_run_group_tests("redis_faults", tests, n, begin_server, end_server);
}
