/* The breaker is open (is_up false) until a probe, which is a real decision on a level of its own, was answered in time. A server that
 * is late keeps its connection, so that what it charges late is known and can be given back; it is probed until it is in time
 * again. One that says what can't be used loses the connection. Either way the pause before the next try doubles, from PAUSE_MS
 * up to PAUSE_MAX_MS, and begins anew only after a while that went well. */
#include "guard/redis_state.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"

enum { PAUSE_MS = 50, PAUSE_MAX_MS = 4000, LASTING_S = 10 };

void mg_redis_try_later(struct mg_redis_store *redis)
{
	unsigned doublings = redis->tries < 8 ? redis->tries : 8;
	int64_t pause_us = (int64_t)(PAUSE_MS << doublings) * MG_MS_US;
	uint16_t dice = 0;

	redis->tries++;
	if (pause_us > PAUSE_MAX_MS * MG_MS_US)
		pause_us = PAUSE_MAX_MS * MG_MS_US;
	if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
		dice = 0;
	mg_redis_set_timer(redis->retry, pause_us * 3 / 4 + pause_us / 2 * dice / UINT16_MAX);
}

void mg_redis_note_state(struct mg_redis_store *redis, bool is_up)
{
	pthread_mutex_lock(&redis->lock);
	if (redis->is_up != is_up)
		redis->stats.since_us = mg_wall_us();
	redis->is_up = is_up;
	pthread_mutex_unlock(&redis->lock);
}

static void tell_away(const struct mg_redis_store *redis, const char *trouble)
{
	struct mg_buf quoted;

	mg_buf_init(&quoted, 1000);
	mg_escape_quoted(&quoted, mg_str_z(trouble), 200);
	mg_log(MG_LOG_WARNING, "store-away: server=%s, trouble=\"%s\"", redis->url.shown, mg_buf_z(&quoted));
	mg_buf_fini(&quoted);
}

void mg_redis_go_down(struct mg_redis_store *redis, const char *trouble)
{
	if (redis->is_up && mg_mono_us() - redis->up_since_us > LASTING_S * MG_S_US)
		redis->tries = 0;
	mg_redis_note_state(redis, false);
	pthread_mutex_lock(&redis->lock);
	(void)mg_str_copy(redis->stats.trouble, sizeof redis->stats.trouble, mg_str_z(trouble));
	pthread_mutex_unlock(&redis->lock);
	if (!redis->is_away_told && !redis->is_leaving)
		tell_away(redis, trouble);
	redis->is_away_told = true;
}

static void send_owed(struct mg_redis_store *redis)
{
	struct mg_redis_queue owed = TAILQ_HEAD_INITIALIZER(owed);
	struct mg_redis_request *request;

	pthread_mutex_lock(&redis->lock);
	mg_redis_forget_owed(redis);
	TAILQ_CONCAT(&owed, &redis->owed, place);
	redis->held += redis->owed_count;
	redis->owed_count = 0;
	pthread_mutex_unlock(&redis->lock);
	while ((request = TAILQ_FIRST(&owed)) != NULL) {
		TAILQ_REMOVE(&owed, request, place);
		mg_redis_send(redis, request);
	}
}

void mg_redis_go_up(struct mg_redis_store *redis)
{
	redis->up_since_us = mg_mono_us();
	mg_redis_note_state(redis, true);
	send_owed(redis);
	if (redis->is_away_told)
		mg_log(MG_LOG_NOTICE, "store-back: server=%s", redis->url.shown);
	redis->is_away_told = false;
}

/* What the server says is of no use. */
void mg_redis_lose(struct mg_redis_store *redis, const struct mg_redis_reply *reply)
{
	char trouble[200];

	mg_redis_link_say(redis->link, reply, trouble, sizeof trouble);
	mg_redis_link_end(redis->link, trouble);
	mg_redis_go_down(redis, trouble);
}
