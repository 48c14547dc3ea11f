/* Replies are only noted down while c-ares runs, and judged when it has returned: nothing of c-ares is called from within
 * its callbacks. */
#include "dns/resolver_state.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "dns/parse.h"

enum { QUERY_BYTES = 512, HEADER_BYTES = 12 };

static uint16_t draw(struct mg_resolver *resolver)
{
	if (resolver->drawn_left == 0) {
		mg_assert(getrandom(resolver->drawn, sizeof resolver->drawn, 0) == (ssize_t)sizeof resolver->drawn);
		resolver->drawn_left = sizeof resolver->drawn / sizeof resolver->drawn[0];
	}
	return resolver->drawn[--resolver->drawn_left];
}

/* Random, and of no attempt under way: these are an eighth of all ids at most. */
static uint16_t take_id(struct mg_resolver *resolver)
{
	uint16_t id;

	do
		id = draw(resolver);
	while ((resolver->ids[id / 8] >> id % 8 & 1) != 0);
	resolver->ids[id / 8] |= (unsigned char)(1 << id % 8);
	return id;
}

static void give_id(struct mg_resolver *resolver, uint16_t id)
{
	resolver->ids[id / 8] &= (unsigned char)~(1 << id % 8);
}

/* c-ares has a reply, or none: note it down. */
void mg_attempt_take(void *context, void *ticket, enum mg_reply reply, struct mg_str message)
{
	struct mg_resolver *resolver = context;
	struct mg_attempt *attempt = ticket;

	if (reply == MG_REPLY_MESSAGE && message.n < HEADER_BYTES)
		reply = MG_REPLY_SILENCE;
	attempt->reply = reply;
	if (reply == MG_REPLY_MESSAGE) {
		attempt->is_truncated = (message.p[2] & 2) != 0;
		attempt->rcode = message.p[3] & 15;
		attempt->answer = mg_dns_parse(message, &attempt->question);
	}
	attempt->next = NULL;
	*resolver->replies_end = attempt;
	resolver->replies_end = &attempt->next;
}

struct mg_attempt *mg_attempt_new(
	struct mg_resolver *resolver, const struct mg_dns_question *question, struct mg_server *server, enum mg_way way)
{
	struct mg_attempt *attempt = resolver->attempts < MG_RESOLVER_ATTEMPTS ? calloc(1, sizeof *attempt) : NULL;

	if (attempt == NULL)
		return NULL;
	attempt->server = server;
	attempt->way = way;
	attempt->question = *question;
	attempt->sent_us = mg_mono_us();
	attempt->id = take_id(resolver);
	resolver->attempts++;
	server->pending++;
	return attempt;
}

void mg_attempt_free(struct mg_resolver *resolver, struct mg_attempt *attempt)
{
	give_id(resolver, attempt->id);
	resolver->attempts--;
	attempt->server->pending--;
	mg_dns_answer_unref(&attempt->answer);
	free(attempt);
}

static bool is_plain(const struct mg_attempt *attempt)
{
	return attempt->way == MG_WAY_PLAIN ||
	       (attempt->way == MG_WAY_TCP && mg_server_is_plain(attempt->server, attempt->sent_us));
}

void mg_attempt_send(struct mg_resolver *resolver, struct mg_attempt *attempt)
{
	struct mg_buf query;

	mg_buf_init(&query, QUERY_BYTES);
	mg_dns_query(&query, &attempt->question, attempt->id, is_plain(attempt));
	pthread_mutex_lock(&resolver->lock);
	attempt->server->stats.asked++;
	pthread_mutex_unlock(&resolver->lock);
	if (mg_buf_ok(&query))
		mg_server_send(attempt->server, attempt->way, mg_buf_str(&query), attempt);
	else
		mg_attempt_take(resolver, attempt, MG_REPLY_UNREACHABLE, mg_buf_str(&query));
	mg_buf_fini(&query);
}

struct mg_attempt *mg_attempt_next_reply(struct mg_resolver *resolver)
{
	struct mg_attempt *attempt = resolver->replies;

	if (attempt == NULL)
		return NULL;
	resolver->replies = attempt->next;
	if (resolver->replies == NULL)
		resolver->replies_end = &resolver->replies;
	return attempt;
}
