#include "machine_kit.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"

enum { LONG_S = 60 };

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "machine: %s\n", what);
	abort();
}

void machine_begin(struct machine *machine, const char *url, const char *password_file, unsigned patience_ms)
{
	struct mg_state_plan plan = { .shape = { [MG_STATE_LIMITS] = &mg_limit_rows },
		.rows = { [MG_STATE_LIMITS] = 4096 } };
	struct mg_redis_options options = { .url = url, .password_file = password_file, .patience_ms = patience_ms };
	struct mg_err err = { "" };

	machine->bytes = mg_state_bytes(&plan);
	machine->memory = mmap(NULL, machine->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (machine->memory == MAP_FAILED ||
		mg_state_open(&plan, machine->memory, machine->bytes, true, &machine->state, &err) != MG_OK)
		give_up(err.text);
	options.state = machine->state;
	if (mg_redis_store_start(&options, &machine->redis, &err) != MG_OK)
		give_up(err.text);
	mg_redis_store(machine->redis, &machine->store);
}

void machine_end(struct machine *machine)
{
	mg_redis_store_stop(&machine->redis);
	mg_state_close(&machine->state);
	munmap(machine->memory, machine->bytes);
}

static void post(void *context)
{
	sem_post(context);
}

static void wait_for(sem_t *ready)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONG_S;
	while (sem_timedwait(ready, &until) != 0)
		if (errno != EINTR)
			give_up("a decision never came");
}

bool machine_decide(struct machine *machine, struct mg_charge *charge)
{
	sem_t ready;

	if (sem_init(&ready, 0, 0) != 0)
		give_up("no semaphore");
	charge->ready = post;
	charge->context = &ready;
	if (!machine->store.decide(machine->store.context, charge))
		wait_for(&ready);
	sem_destroy(&ready);
	if (!charge->is_decided || charge->token != NULL)
		give_up("an answer without a decision");
	return !charge->is_refused;
}

/* Waits for the server, then asks it. */
static void ask(struct machine *machine, const struct mg_charge_item *item, struct mg_charge *charge)
{
	do {
		*charge = (struct mg_charge){ .count = 1, .item = { *item } };
		machine_wait(machine, true);
		(void)machine_decide(machine, charge);
		if (charge->is_local)
			machine->store.refund(machine->store.context, charge->item, charge->item[0].is_charged);
	} while (charge->is_local);
}

bool machine_spend(struct machine *machine, const struct mg_charge_item *item)
{
	struct mg_charge charge;

	ask(machine, item, &charge);
	return !charge.is_refused;
}

uint64_t machine_used(struct machine *machine, const struct mg_charge_item *item)
{
	struct mg_charge_item watched = *item;
	struct mg_charge charge;

	watched.mode = MG_CHARGE_WATCH;
	ask(machine, &watched, &charge);
	return charge.item[0].used;
}

struct mg_charge_item machine_item(const char *name, const char *key, uint64_t limit, uint64_t cost)
{
	struct mg_charge_item item = { .bucket = { limit, limit, 365 * 86400 }, .cost = cost };

	(void)mg_str_copy(item.limit, sizeof item.limit, mg_str_z(name));
	(void)mg_str_copy(item.key, sizeof item.key, mg_str_z(key));
	return item;
}

struct mg_redis_stats machine_stats(struct machine *machine)
{
	struct mg_redis_stats stats;

	mg_redis_stats(machine->redis, &stats);
	return stats;
}

void machine_pause(void)
{
	(void)poll(NULL, 0, 2);
}

bool machine_has_time(int64_t *limit_us, const char *what)
{
	if (*limit_us == 0)
		*limit_us = mg_mono_us() + LONG_S * MG_S_US;
	if (mg_mono_us() > *limit_us)
		give_up(what);
	return true;
}

void machine_wait(struct machine *machine, bool is_open)
{
	MACHINE_UNTIL(machine_stats(machine).is_open == is_open);
}
