#include "rows.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dns/cache.h"

static struct mg_dns_question question(const char *name, enum mg_dns_type type)
{
	struct mg_dns_question made = { 0 };

	assert_true(mg_dns_question_make(mg_str_z(name), type, &made));
	return made;
}

static struct mg_dns_question numbered(unsigned i)
{
	char name[32];

	(void)snprintf(name, sizeof name, "n%u.example", i);
	return question(name, MG_DNS_A);
}

static const struct mg_dns_answer *answer_of(enum mg_dns_status status, uint32_t ttl_s)
{
	struct mg_dns_answer *answer = mg_dns_answer_new(status, 0, 0, NULL);

	answer->ttl_s = ttl_s;
	return answer;
}

/* Puts a new answer of the TTL. */
static void keep(struct mg_dns_cache *cache, const struct mg_dns_question *of, uint32_t ttl_s, int64_t now_us)
{
	const struct mg_dns_answer *answer = answer_of(MG_DNS_FOUND, ttl_s);

	mg_dns_cache_put(cache, of, answer, now_us);
	mg_dns_answer_unref(&answer);
}

static bool knows(struct mg_dns_cache *cache, const struct mg_dns_question *of, int64_t now_us)
{
	const struct mg_dns_answer *answer = mg_dns_cache_get(cache, of, now_us);
	bool is_known = answer != NULL;

	mg_dns_answer_unref(&answer);
	return is_known;
}

struct life_row {
	const char *name;
	enum mg_dns_status status;
	uint32_t ttl_s;
	int64_t life_us;
};
static const struct life_row life_rows[] = {
	{ "its TTL", MG_DNS_FOUND, 60, 60 * MG_S_US },
	{ "a negative one too", MG_DNS_NXDOMAIN, 900, 900 * MG_S_US },
	{ "no data too", MG_DNS_NODATA, 7, 7 * MG_S_US },
	{ "TTL 0: a second", MG_DNS_FOUND, 0, MG_S_US },
	{ "a day", MG_DNS_FOUND, 86400, MG_DAY_US },
	{ "trouble: five seconds", MG_DNS_TROUBLE, 0, 5 * MG_S_US },
};

static void an_answer_lives_for(void **state)
{
	const struct life_row *row = *state;
	struct mg_dns_cache *cache = mg_dns_cache_new(1000);
	struct mg_dns_question of = question("a.example", MG_DNS_A);
	const struct mg_dns_answer *answer = answer_of(row->status, row->ttl_s);
	struct mg_dns_cache_stats stats;

	mg_dns_cache_put(cache, &of, answer, 1000);
	assert_true(knows(cache, &of, 1000));
	assert_true(knows(cache, &of, 1000 + row->life_us - 1));
	assert_false(knows(cache, &of, 1000 + row->life_us));
	mg_dns_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 0); /* it went when it was met */
	assert_int_equal(stats.bytes, 0);
	assert_int_equal(stats.hits, 2);
	assert_int_equal(stats.misses, 1);
	mg_dns_answer_unref(&answer);
	mg_dns_cache_free(&cache);
}

static void questions_are_told_apart(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(1000);
	struct mg_dns_question a = question("a.example", MG_DNS_A), text = question("a.example", MG_DNS_TXT),
			       longer = question("a.example.org", MG_DNS_A);

	(void)state;
	keep(cache, &a, 60, 0);
	assert_true(knows(cache, &a, 0));
	assert_false(knows(cache, &text, 0));
	assert_false(knows(cache, &longer, 0));
	mg_dns_cache_free(&cache);
}

static void a_newer_answer_replaces(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(1000);
	struct mg_dns_question a = question("a.example", MG_DNS_A);
	const struct mg_dns_answer *newer = answer_of(MG_DNS_NXDOMAIN, 60), *found;
	struct mg_dns_cache_stats stats;

	(void)state;
	keep(cache, &a, 5, 0);
	mg_dns_cache_put(cache, &a, newer, 0);
	found = mg_dns_cache_get(cache, &a, 30 * MG_S_US);
	assert_ptr_equal(found, newer);
	mg_dns_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 1);
	mg_dns_answer_unref(&found);
	mg_dns_answer_unref(&newer);
	mg_dns_cache_free(&cache);
}

/* An answer stays whole with who holds it, when the cache has long forgotten it. */
static void a_reference_outlives_the_cache(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(100);
	struct mg_dns_question a = question("a.example", MG_DNS_A);
	const struct mg_dns_answer *found;

	(void)state;
	keep(cache, &a, 60, 0);
	found = mg_dns_cache_get(cache, &a, 0);
	mg_dns_cache_free(&cache);
	assert_null(cache);
	assert_int_equal(found->ttl_s, 60);
	mg_dns_answer_unref(&found);
	mg_dns_cache_free(&cache);
}

struct size_row {
	const char *name;
	size_t entries;
};
static const struct size_row size_rows[] = {
	{ "one part", 100 },
	{ "sixteen parts", 4096 },
};

static void entries_are_bounded(void **state)
{
	const struct size_row *row = *state;
	struct mg_dns_cache *cache = mg_dns_cache_new(row->entries);
	struct mg_dns_cache_stats stats;
	unsigned known = 0, put = 4 * (unsigned)row->entries;

	for (unsigned i = 0; i < put; i++) {
		struct mg_dns_question of = numbered(i);

		keep(cache, &of, 60, 0);
	}
	mg_dns_cache_stats(cache, &stats);
	assert_true(stats.entries <= row->entries && stats.entries >= row->entries * 9 / 10);
	assert_int_equal(stats.entries + stats.evicted, put);
	for (unsigned i = 0; i < put; i++) {
		struct mg_dns_question of = numbered(i);

		known += knows(cache, &of, 0);
	}
	assert_int_equal(known, stats.entries);
	mg_dns_cache_free(&cache);
}

static void bytes_are_bounded(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(100);
	struct mg_dns_cache_stats stats;
	char *text;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct mg_dns_question of = numbered(i);
		struct mg_dns_answer *made = mg_dns_answer_new(MG_DNS_FOUND, 1, 10000, &text);
		const struct mg_dns_answer *answer = made;

		made->ttl_s = 60;
		made->records[0].text = mg_str_of(text, 10000);
		mg_dns_cache_put(cache, &of, answer, 0);
		assert_true(knows(cache, &of, 0));
		mg_dns_answer_unref(&answer);
	}
	mg_dns_cache_stats(cache, &stats);
	assert_true(stats.bytes <= (uint64_t)100 * MG_DNS_CACHE_ENTRY_BYTES && stats.bytes > 60000);
	assert_true(stats.entries >= 6 && stats.entries <= 10);
	mg_dns_cache_free(&cache);
}

static void what_is_larger_than_the_cache_is_not_kept(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(100);
	struct mg_dns_question small = numbered(1), large = numbered(2);
	struct mg_dns_cache_stats stats;
	char *text;
	struct mg_dns_answer *made = mg_dns_answer_new(MG_DNS_FOUND, 1, 200000, &text);
	const struct mg_dns_answer *answer = made;

	(void)state;
	made->ttl_s = 60;
	made->records[0].text = mg_str_of(text, 200000);
	keep(cache, &small, 60, 0);
	mg_dns_cache_put(cache, &large, answer, 0);
	assert_false(knows(cache, &large, 0));
	assert_true(knows(cache, &small, 0)); /* and nothing had to go for it */
	mg_dns_cache_stats(cache, &stats);
	assert_int_equal(stats.evicted, 0);
	mg_dns_answer_unref(&answer);
	mg_dns_cache_free(&cache);
}

/* What is asked for again and again survives any number of others. */
static void the_second_chance(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(100);
	struct mg_dns_question often = question("often.example", MG_DNS_A), once = question("once.example", MG_DNS_A);

	(void)state;
	keep(cache, &often, 60, 0);
	keep(cache, &once, 60, 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct mg_dns_question of = numbered(i);

		keep(cache, &of, 60, 0);
		if (i % 20 == 0)
			assert_true(knows(cache, &often, 0));
	}
	assert_true(knows(cache, &often, 0));
	assert_false(knows(cache, &once, 0));
	mg_dns_cache_free(&cache);
}

static void another_size_keeps_what_has_room(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(4096);
	struct mg_dns_cache_stats stats;
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct mg_dns_question of = numbered(i);

		keep(cache, &of, 60, 0);
	}
	assert_true(mg_dns_cache_resize(cache, 100000));
	for (unsigned i = 0; i < 2000; i++) {
		struct mg_dns_question of = numbered(i);

		known += knows(cache, &of, 0);
	}
	assert_int_equal(known, 2000);
	assert_true(mg_dns_cache_resize(cache, 160));
	mg_dns_cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 160);
	mg_dns_cache_free(&cache);
}

enum { THREADS = 4, ROUNDS = 20000, NAMES = 300 };

static void *get_and_put(void *arg)
{
	struct mg_dns_cache *cache = arg;
	unsigned seed = (unsigned)(uintptr_t)&cache;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct mg_dns_question of;

		seed = seed * 1103515245 + 12345;
		of = numbered((seed >> 16) % NAMES);
		if (!knows(cache, &of, i))
			keep(cache, &of, 1 + seed % 3, i);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct mg_dns_cache *cache = mg_dns_cache_new(100);
	struct mg_dns_cache_stats stats;
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, get_and_put, cache);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	mg_dns_cache_stats(cache, &stats);
	assert_int_equal(stats.hits + stats.misses, THREADS * ROUNDS);
	assert_int_equal(stats.entries, 100);
	mg_dns_cache_free(&cache);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(questions_are_told_apart),
		cmocka_unit_test(a_newer_answer_replaces),
		cmocka_unit_test(a_reference_outlives_the_cache),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(what_is_larger_than_the_cache_is_not_kept),
		cmocka_unit_test(the_second_chance),
		cmocka_unit_test(another_size_keeps_what_has_room),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};
	size_t n = 0;

	mg_hash_init();
	ADD_ROWS(tests, n, life_rows, an_answer_lives_for);
	ADD_ROWS(tests, n, size_rows, entries_are_bounded);
	for (size_t i = 0; i < ROWS(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("dns cache", tests, n, NULL, NULL);
}
