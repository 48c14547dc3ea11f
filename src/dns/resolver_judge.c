/* Which server a question goes to next, what a reply means, and how a question ends. */
#include "dns/resolver_state.h"

#include <stdlib.h>

#include "base/clock.h"

enum { FORMERR = 1, NOTIMP = 4 };

/* Between two rounds over servers that can't be reached: one that restarts needs a moment. */
#define PAUSE_US (200 * MG_MS_US)

static unsigned latency_bucket(int64_t took_us)
{
	unsigned bucket = 0;

	while (bucket < MG_RESOLVER_LATENCY_BUCKETS - 1 && took_us >= MG_MS_US << bucket)
		bucket++;
	return bucket;
}

/* RFC 9520: failures are kept too, but not what is ours. */
static bool is_kept(const struct mg_dns_answer *answer)
{
	return answer->trouble != MG_DNS_BUDGET && answer->trouble != MG_DNS_NO_SERVER;
}

void mg_asking_finish(struct mg_resolver *resolver, struct mg_asking *asking, const struct mg_dns_answer *answer_take)
{
	int64_t now_us = mg_mono_us();

	if (asking->attempt != NULL)
		asking->attempt->asking = NULL;
	if (is_kept(answer_take))
		mg_dns_cache_put(resolver->cache, &asking->question, answer_take, now_us);
	pthread_mutex_lock(&resolver->lock);
	HASH_DEL(resolver->table, asking);
	resolver->finished++;
	resolver->stats.by_status[answer_take->status]++;
	if (answer_take->status == MG_DNS_TROUBLE)
		resolver->stats.by_trouble[answer_take->trouble]++;
	if (asking->is_begun)
		resolver->stats.latency[latency_bucket(now_us - asking->begun_us)]++;
	mg_waiters_answer(&resolver->waiters, &asking->waiters, answer_take);
	pthread_mutex_unlock(&resolver->lock);
	mg_dns_answer_unref(&answer_take);
	free(asking);
}

void mg_asking_give_up(struct mg_resolver *resolver, struct mg_asking *asking)
{
	enum mg_dns_trouble trouble = asking->trouble == MG_DNS_FINE ? MG_DNS_TIMEOUT : asking->trouble;

	mg_asking_finish(resolver, asking, mg_dns_answer_trouble(trouble));
}

static void put_to(struct mg_resolver *resolver, struct mg_asking *asking, struct mg_server *server, enum mg_way way)
{
	struct mg_attempt *attempt = mg_attempt_new(resolver, &asking->question, server, way);

	if (attempt == NULL) {
		mg_asking_finish(resolver, asking, mg_dns_answer_trouble(MG_DNS_BUDGET));
		return;
	}
	attempt->asking = asking;
	asking->attempt = attempt;
	mg_attempt_send(resolver, attempt);
}

/* ---- which server is next ---- */

/* The first that is up, then the first that is down; SIZE_MAX: all had their turn. */
static size_t pick(const struct mg_resolver *resolver, unsigned taboo)
{
	for (int is_down = 0; is_down <= 1; is_down++)
		for (size_t i = 0; i < resolver->server_count; i++)
			if ((taboo >> i & 1) == 0 && resolver->servers[i]->stats.is_down == (is_down != 0))
				return i;
	return SIZE_MAX;
}

static void know_servers(const struct mg_resolver *resolver, struct mg_asking *asking)
{
	if (asking->generation == resolver->generation)
		return;
	asking->generation = resolver->generation;
	asking->tried = asking->spent = asking->silent = 0;
}

static enum mg_way way_to(const struct mg_resolver *resolver, const struct mg_asking *asking, size_t at, int64_t now_us)
{
	const struct mg_server *server = resolver->servers[at];
	bool is_suspect = (asking->silent >> at & 1) != 0 && !server->knows_edns;

	return is_suspect || mg_server_is_plain(server, now_us) ? MG_WAY_PLAIN : MG_WAY_EDNS;
}

/* Begins a round; false: it begins later, or the question has ended. */
static bool begin_round(struct mg_resolver *resolver, struct mg_asking *asking, int64_t now_us)
{
	if (++asking->round >= resolver->settings.tries || pick(resolver, asking->spent) == SIZE_MAX) {
		mg_asking_give_up(resolver, asking);
		return false;
	}
	asking->tried = 0;
	if (now_us - asking->round_us < PAUSE_US && asking->trouble == MG_DNS_NO_SERVER) {
		asking->again_us = asking->round_us + PAUSE_US;
		return false;
	}
	asking->round_us = now_us;
	return true;
}

/* The next attempt, or the end. */
void mg_asking_advance(struct mg_resolver *resolver, struct mg_asking *asking)
{
	int64_t now_us = mg_mono_us();
	size_t at;

	if (resolver->server_count == 0) {
		mg_asking_finish(resolver, asking, mg_dns_answer_trouble(MG_DNS_NO_SERVER));
		return;
	}
	know_servers(resolver, asking);
	at = pick(resolver, asking->tried | asking->spent);
	if (at == SIZE_MAX) {
		if (!begin_round(resolver, asking, now_us))
			return;
		at = pick(resolver, asking->spent);
	}
	asking->tried |= 1U << at;
	put_to(resolver, asking, resolver->servers[at], way_to(resolver, asking, at, now_us));
}

/* ---- what a reply means ---- */

/* What a server said tells more than its silence, and that more than that it can't be reached. */
static void remember(struct mg_asking *asking, enum mg_dns_trouble trouble)
{
	static const int weights[MG_DNS_TROUBLES] = { [MG_DNS_FINE] = 0,
		[MG_DNS_NO_SERVER] = 1,
		[MG_DNS_TIMEOUT] = 2,
		[MG_DNS_BUDGET] = 3,
		[MG_DNS_MALFORMED] = 3,
		[MG_DNS_REFUSED] = 3,
		[MG_DNS_SERVFAIL] = 3 };

	if (weights[trouble] > weights[asking->trouble])
		asking->trouble = trouble;
}

/* The server's bit in the masks; 0: it is none of ours any more. */
static unsigned bit_of(const struct mg_resolver *resolver, const struct mg_server *server)
{
	for (size_t i = 0; i < resolver->server_count; i++)
		if (resolver->servers[i] == server)
			return 1U << i;
	return 0;
}

static void note_health(struct mg_resolver *resolver, const struct mg_attempt *attempt)
{
	int64_t now_us = mg_mono_us();

	pthread_mutex_lock(&resolver->lock);
	if (attempt->reply != MG_REPLY_MESSAGE) {
		mg_server_failed(attempt->server, attempt->way, attempt->reply, now_us);
	} else {
		mg_server_answered(attempt->server, attempt->way, now_us, now_us - attempt->sent_us);
		resolver->stats.truncated += attempt->is_truncated && attempt->way != MG_WAY_TCP;
		resolver->stats.over_tcp += attempt->way == MG_WAY_TCP;
	}
	if (attempt->reply == MG_REPLY_MESSAGE && attempt->way == MG_WAY_EDNS &&
		(attempt->rcode == FORMERR || attempt->rcode == NOTIMP))
		attempt->server->plain_until_us = now_us + MG_SERVER_PLAIN_US;
	pthread_mutex_unlock(&resolver->lock);
}

static void judge_failure(struct mg_resolver *resolver, struct mg_asking *asking, const struct mg_attempt *attempt)
{
	know_servers(resolver, asking);
	if (attempt->reply == MG_REPLY_SILENCE)
		asking->silent |= bit_of(resolver, attempt->server);
	remember(asking, attempt->reply == MG_REPLY_SILENCE ? MG_DNS_TIMEOUT : MG_DNS_NO_SERVER);
	mg_asking_advance(resolver, asking);
}

/* A message over UDP that can't be read may have been cut on its way: TCP will tell. */
static void judge_message(struct mg_resolver *resolver, struct mg_asking *asking, const struct mg_attempt *attempt)
{
	bool is_unreadable = attempt->answer->trouble == MG_DNS_MALFORMED;

	if (attempt->way != MG_WAY_TCP && (attempt->is_truncated || is_unreadable)) {
		put_to(resolver, asking, attempt->server, MG_WAY_TCP);
	} else if (attempt->way == MG_WAY_EDNS && (attempt->rcode == FORMERR || attempt->rcode == NOTIMP)) {
		put_to(resolver, asking, attempt->server, MG_WAY_PLAIN);
	} else if (attempt->answer->status != MG_DNS_TROUBLE) {
		mg_asking_finish(resolver, asking, mg_dns_answer_ref(attempt->answer));
	} else {
		know_servers(resolver, asking);
		asking->spent |= bit_of(resolver, attempt->server);
		remember(asking, attempt->answer->trouble);
		mg_asking_advance(resolver, asking);
	}
}

static void judge(struct mg_resolver *resolver, struct mg_attempt *attempt)
{
	struct mg_asking *asking = attempt->asking;

	note_health(resolver, attempt);
	if (asking != NULL) {
		asking->attempt = NULL;
		attempt->asking = NULL;
		if (attempt->reply == MG_REPLY_MESSAGE)
			judge_message(resolver, asking, attempt);
		else
			judge_failure(resolver, asking, attempt);
	}
	mg_attempt_free(resolver, attempt);
}

/* Judging may send, and sending may fail at once: then one more is noted down meanwhile. */
void mg_attempt_judge_all(void *context)
{
	struct mg_attempt *attempt;

	while ((attempt = mg_attempt_next_reply(context)) != NULL)
		judge(context, attempt);
}
