/* One slot per question, found by walking: there are few. A slot's answer is written once, by the
 * source's thread, under the lock; who walks the slots owns the rest. */
#include "dns/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct slot {
	struct mg_dns_question question;
	const struct mg_dns_answer *answer; /* lock; NULL: under way */
	void *token;                        /* of the source, while under way */
};

struct mg_lookup {
	struct mg_lookup_options o;
	struct slot *slots;
	unsigned count, room, kept;
	bool is_over;

	pthread_mutex_t lock;
	pthread_cond_t came;
	unsigned arrived, seen; /* answers that came from outside; at the last wait */
	unsigned pending;
};

enum { SLOTS_FIRST = 4 }; /* an idle session has asked for its name and its addresses */

struct mg_lookup *mg_lookup_new(const struct mg_lookup_options *options)
{
	struct mg_lookup *lookup = calloc(1, sizeof *lookup);
	pthread_condattr_t monotonic;

	if (lookup == NULL)
		return NULL;
	lookup->o = *options;
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->came, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return lookup;
}

static const struct mg_dns_answer *answer_of(struct mg_lookup *lookup, unsigned at)
{
	const struct mg_dns_answer *answer;

	pthread_mutex_lock(&lookup->lock);
	answer = lookup->slots[at].answer;
	pthread_mutex_unlock(&lookup->lock);
	return answer;
}

static void cancel_all(struct mg_lookup *lookup)
{
	for (unsigned i = 0; i < lookup->count; i++)
		if (lookup->slots[i].token != NULL && answer_of(lookup, i) == NULL)
			lookup->o.source->cancel(lookup->o.source->context, lookup->slots[i].token);
}

void mg_lookup_free(struct mg_lookup **lookup)
{
	struct mg_lookup *ending = *lookup;

	if (ending == NULL)
		return;
	*lookup = NULL;
	cancel_all(ending);
	for (unsigned i = 0; i < ending->count; i++)
		mg_dns_answer_unref(&ending->slots[i].answer);
	pthread_cond_destroy(&ending->came);
	pthread_mutex_destroy(&ending->lock);
	free(ending->slots);
	free(ending);
}

/* The slots move when they grow; the source names them by number only. */
static bool make_room(struct mg_lookup *lookup)
{
	unsigned room = lookup->room == 0 ? SLOTS_FIRST : 2 * lookup->room;
	struct slot *slots;

	if (lookup->count < lookup->room)
		return true;
	if (room > lookup->o.questions_max)
		room = lookup->o.questions_max;
	if (lookup->count >= room)
		return false;
	pthread_mutex_lock(&lookup->lock);
	slots = realloc(lookup->slots, room * sizeof *slots);
	if (slots != NULL) {
		lookup->slots = slots;
		lookup->room = room;
	}
	pthread_mutex_unlock(&lookup->lock);
	return slots != NULL;
}

static const struct mg_dns_answer *ask(struct mg_lookup *lookup, const struct mg_dns_question *question)
{
	const struct mg_lookup_source *source = lookup->o.source;
	const struct mg_dns_answer *answer;
	unsigned at = lookup->count;

	if (lookup->is_over || lookup->count + lookup->kept >= lookup->o.questions_max ||
		mg_mono_us() >= lookup->o.deadline_us || !make_room(lookup))
		return mg_dns_answer_trouble(MG_DNS_BUDGET);
	pthread_mutex_lock(&lookup->lock);
	lookup->slots[at] = (struct slot){ .question = *question };
	lookup->count++;
	lookup->pending++;
	pthread_mutex_unlock(&lookup->lock);
	answer = source->ask(source->context, question, lookup->o.deadline_us, lookup, at, &lookup->slots[at].token);
	pthread_mutex_lock(&lookup->lock);
	if (answer != NULL) {
		lookup->slots[at].answer = answer;
		lookup->pending--;
	}
	pthread_mutex_unlock(&lookup->lock);
	return answer;
}

const struct mg_dns_answer *mg_lookup_get(struct mg_lookup *lookup, struct mg_str name, enum mg_dns_type type)
{
	static const struct mg_dns_answer no_such_name = { .status = MG_DNS_NXDOMAIN };
	struct mg_dns_question question;

	if (!mg_dns_question_make(name, type, &question))
		return &no_such_name;
	for (unsigned i = 0; i < lookup->count; i++)
		if (mg_dns_question_eq(&lookup->slots[i].question, &question))
			return answer_of(lookup, i);
	return ask(lookup, &question);
}

void mg_lookup_keep(struct mg_lookup *lookup, unsigned questions)
{
	lookup->kept = questions;
}

/* All of it under the lock: whoever then finds the answer there may free the lookup at once, without asking the source to
 * cancel. */
void mg_lookup_answer(struct mg_lookup *lookup, unsigned slot, const struct mg_dns_answer *answer_take)
{
	pthread_mutex_lock(&lookup->lock);
	lookup->slots[slot].answer = answer_take;
	lookup->pending--;
	lookup->arrived++;
	pthread_cond_signal(&lookup->came);
	if (lookup->o.ready != NULL)
		lookup->o.ready(lookup->o.context);
	pthread_mutex_unlock(&lookup->lock);
}

bool mg_lookup_wait(struct mg_lookup *lookup, int64_t until_us)
{
	struct timespec until = { until_us / MG_S_US, until_us % MG_S_US * 1000 };
	bool has_come = true;

	pthread_mutex_lock(&lookup->lock);
	while (lookup->arrived == lookup->seen && lookup->pending > 0 && has_come)
		has_come = pthread_cond_timedwait(&lookup->came, &lookup->lock, &until) != ETIMEDOUT;
	has_come = lookup->arrived != lookup->seen || lookup->pending == 0;
	lookup->seen = lookup->arrived;
	pthread_mutex_unlock(&lookup->lock);
	return has_come;
}

void mg_lookup_expire(struct mg_lookup *lookup)
{
	lookup->is_over = true;
	cancel_all(lookup);
	pthread_mutex_lock(&lookup->lock);
	for (unsigned i = 0; i < lookup->count; i++)
		if (lookup->slots[i].answer == NULL)
			lookup->slots[i].answer = mg_dns_answer_trouble(MG_DNS_BUDGET);
	lookup->pending = 0;
	pthread_mutex_unlock(&lookup->lock);
}

unsigned mg_lookup_asked(const struct mg_lookup *lookup)
{
	return lookup->count;
}

unsigned mg_lookup_pending(struct mg_lookup *lookup)
{
	unsigned pending;

	pthread_mutex_lock(&lookup->lock);
	pending = lookup->pending;
	pthread_mutex_unlock(&lookup->lock);
	return pending;
}
