/* The resolver's thread: what wakes it, and the one tick that serves all times while anything is under way: those of c-ares,
 * the deadlines of those who wait, the limit of each question, the pause between two rounds. */
#include "dns/resolver_state.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { TICK_US = 10000 };
#define LOOK_US MG_S_US /* at resolv.conf */

static unsigned type_index(enum mg_dns_type type)
{
	static const enum mg_dns_type types[] = { MG_DNS_A, MG_DNS_AAAA, MG_DNS_PTR, MG_DNS_MX, MG_DNS_TXT };
	unsigned i = 0;

	while (i < sizeof types / sizeof types[0] && types[i] != type)
		i++;
	return i;
}

static void start_ticking(struct mg_resolver *resolver)
{
	struct timeval interval = { .tv_usec = TICK_US };

	if (!resolver->is_ticking)
		event_add(resolver->tick, &interval);
	resolver->is_ticking = true;
}

/* Asks the servers that are down the same, for the time when they are up again. */
static void probe(struct mg_resolver *resolver, const struct mg_dns_question *question, int64_t now_us)
{
	for (size_t i = 0; resolver->server_count > 1 && i < resolver->server_count; i++) {
		struct mg_server *server = resolver->servers[i];
		struct mg_attempt *attempt;

		if (!server->stats.is_down || now_us < server->probe_at_us)
			continue;
		server->probe_at_us = now_us + MG_SERVER_PROBE_US;
		attempt = mg_attempt_new(
			resolver, question, server, mg_server_is_plain(server, now_us) ? MG_WAY_PLAIN : MG_WAY_EDNS);
		if (attempt != NULL)
			mg_attempt_send(resolver, attempt);
	}
}

/* ---- servers ---- */

/* The server of this address if there is one already and its times are right, out of the old ones; else a new one. */
static struct mg_server *keep_or_make(struct mg_resolver *resolver, const struct mg_server_address *address)
{
	for (size_t i = 0; i < resolver->server_count; i++) {
		struct mg_server *server = resolver->servers[i];

		if (server != NULL && server->timeout_ms == resolver->settings.timeout_ms &&
			mg_server_address_eq(&server->address, address)) {
			resolver->servers[i] = NULL;
			return server;
		}
	}
	return mg_server_new(resolver->base, address, resolver->settings.timeout_ms, &resolver->owner);
}

static bool is_repeated(const struct mg_server_list *list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (mg_server_address_eq(&list->items[i], &list->items[at]))
			return true;
	return false;
}

static void dismiss(struct mg_resolver *resolver, struct mg_server *server)
{
	if (server == NULL)
		return;
	server->next = resolver->leaving;
	resolver->leaving = server;
}

/* Under the lock: others read the servers. Without memory a server is missing. */
static void replace_servers(struct mg_resolver *resolver, const struct mg_server_list *list)
{
	struct mg_server *servers[MG_RESOLVER_SERVERS], *server;
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++)
		if (!is_repeated(list, i) && (server = keep_or_make(resolver, &list->items[i])) != NULL)
			servers[n++] = server;
	for (size_t i = 0; i < resolver->server_count; i++)
		dismiss(resolver, resolver->servers[i]);
	for (size_t i = 0; i < n; i++)
		resolver->servers[i] = servers[i];
	resolver->server_count = n;
	resolver->generation++;
}

static void use_servers(struct mg_resolver *resolver, const struct mg_server_list *list)
{
	pthread_mutex_lock(&resolver->lock);
	replace_servers(resolver, list);
	pthread_mutex_unlock(&resolver->lock);
	if (resolver->leaving != NULL)
		start_ticking(resolver);
}

static void look_at_file(struct mg_resolver *resolver, int64_t now_us)
{
	struct mg_server_list list;

	if (!resolver->settings.is_following || now_us - resolver->looked_us < LOOK_US)
		return;
	resolver->looked_us = now_us;
	if (mg_resolv_conf_follow(resolver->settings.path, &resolver->mark, &list))
		use_servers(resolver, &list);
}

static void apply_settings(struct mg_resolver *resolver)
{
	struct mg_server_list list = resolver->settings.list;

	if (resolver->settings.is_following) {
		resolver->mark = (struct mg_file_mark){ 0 };
		resolver->looked_us = mg_mono_us();
		if (!mg_resolv_conf_follow(resolver->settings.path, &resolver->mark, &list))
			list.count = 0; /* no such file */
	}
	use_servers(resolver, &list);
}

/* ---- questions ---- */

static void count_question(struct mg_resolver *resolver, const struct mg_asking *asking)
{
	pthread_mutex_lock(&resolver->lock);
	resolver->stats.questions++;
	resolver->stats.by_type[type_index(asking->question.type)]++;
	pthread_mutex_unlock(&resolver->lock);
}

static void begin(struct mg_resolver *resolver, struct mg_asking *asking)
{
	int64_t now_us = mg_mono_us();
	unsigned tries = resolver->settings.tries * (unsigned)resolver->server_count;

	asking->is_begun = true;
	asking->begun_us = asking->round_us = now_us;
	asking->limit_us = now_us + (int64_t)tries * resolver->settings.timeout_ms * MG_MS_US;
	asking->generation = resolver->generation;
	count_question(resolver, asking);
	start_ticking(resolver);
	probe(resolver, &asking->question, now_us);
	mg_asking_advance(resolver, asking);
}

static void begin_all(struct mg_resolver *resolver, struct mg_asking *inbox)
{
	struct mg_asking *next;

	if (inbox != NULL)
		look_at_file(resolver, mg_mono_us());
	for (; inbox != NULL; inbox = next) {
		next = inbox->next;
		begin(resolver, inbox);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct mg_resolver *resolver = arg;
	struct mg_resolver_settings *settings;
	struct mg_asking *inbox;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		return;
	pthread_mutex_lock(&resolver->lock);
	inbox = resolver->inbox;
	resolver->inbox = NULL;
	resolver->inbox_end = &resolver->inbox;
	settings = resolver->new_settings;
	resolver->new_settings = NULL;
	if (resolver->is_stopping)
		event_base_loopbreak(resolver->base);
	pthread_mutex_unlock(&resolver->lock);
	if (settings != NULL) {
		resolver->settings = *settings;
		free(settings);
		apply_settings(resolver);
	}
	begin_all(resolver, inbox);
	mg_attempt_judge_all(resolver);
}

/* ---- time ---- */

static void tick_servers(struct mg_resolver *resolver)
{
	struct mg_server **at = &resolver->leaving;

	for (size_t i = 0; i < resolver->server_count; i++)
		mg_server_tick(resolver->servers[i]);
	while (*at != NULL) {
		struct mg_server *server = *at;

		mg_server_tick(server);
		if (server->pending > 0) {
			at = &server->next;
			continue;
		}
		*at = server->next;
		mg_server_free(&server);
	}
}

static bool is_due(const struct mg_asking *asking, int64_t now_us)
{
	return asking->is_begun &&
	       (asking->limit_us <= now_us || (asking->again_us != 0 && asking->again_us <= now_us));
}

/* Answers those whose time is over; returns the questions that need to be looked at. *is_idle_out: there are none. */
static struct mg_asking *expire(struct mg_resolver *resolver, int64_t now_us, bool *is_idle_out)
{
	struct mg_asking *due = NULL;

	pthread_mutex_lock(&resolver->lock);
	*is_idle_out = resolver->table == NULL;
	for (struct mg_asking *asking = resolver->table; asking != NULL; asking = asking->hh.next) {
		mg_waiters_expire(&resolver->waiters, &asking->waiters, now_us);
		if (is_due(asking, now_us)) {
			asking->next = due;
			due = asking;
		}
	}
	pthread_mutex_unlock(&resolver->lock);
	return due;
}

static void look_again(struct mg_resolver *resolver, struct mg_asking *asking, int64_t now_us)
{
	if (asking->limit_us <= now_us) {
		mg_asking_give_up(resolver, asking);
		return;
	}
	asking->again_us = 0;
	asking->round_us = now_us;
	mg_asking_advance(resolver, asking);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct mg_resolver *resolver = arg;
	int64_t now_us = mg_mono_us();
	struct mg_asking *due, *next;
	bool is_idle;

	(void)fd;
	(void)what;
	tick_servers(resolver);
	mg_attempt_judge_all(resolver);
	for (due = expire(resolver, now_us, &is_idle); due != NULL; due = next) {
		next = due->next;
		look_again(resolver, due, now_us);
	}
	mg_attempt_judge_all(resolver);
	if (is_idle && resolver->attempts == 0 && resolver->leaving == NULL) {
		event_del(resolver->tick);
		resolver->is_ticking = false;
	}
}

/* ---- life ---- */

enum mg_rc mg_resolver_work_init(struct mg_resolver *resolver, struct mg_err *err)
{
	resolver->owner = (struct mg_resolver_channel_owner){ resolver, mg_attempt_take, mg_attempt_judge_all };
	resolver->replies_end = &resolver->replies;
	resolver->base = event_base_new();
	if (resolver->base == NULL)
		return mg_err_set(err, MG_EIO, "no event loop for the resolver");
	resolver->wake = event_new(resolver->base, resolver->wake_fd, EV_READ | EV_PERSIST, on_wake, resolver);
	resolver->tick = event_new(resolver->base, -1, EV_PERSIST, on_tick, resolver);
	if (resolver->wake == NULL || resolver->tick == NULL || event_add(resolver->wake, NULL) != 0)
		return mg_err_set(err, MG_ENOMEM, "no memory for the resolver's events");
	apply_settings(resolver);
	return MG_OK;
}

void *mg_resolver_work(void *arg)
{
	struct mg_resolver *resolver = arg;

	pthread_setname_np(pthread_self(), "mg-dns");
	event_base_loop(resolver->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

/* Servers outlive the attempts that name them, so their channels are closed first. */
static void end_servers(struct mg_resolver *resolver)
{
	struct mg_attempt *attempt;
	struct mg_server *server;

	for (size_t i = 0; i < resolver->server_count; i++)
		dismiss(resolver, resolver->servers[i]);
	resolver->server_count = 0;
	for (server = resolver->leaving; server != NULL; server = server->next)
		mg_server_close(server);
	while ((attempt = mg_attempt_next_reply(resolver)) != NULL)
		mg_attempt_free(resolver, attempt);
	while ((server = resolver->leaving) != NULL) {
		resolver->leaving = server->next;
		mg_server_free(&server);
	}
}

void mg_resolver_work_fini(struct mg_resolver *resolver)
{
	while (resolver->table != NULL)
		mg_asking_finish(resolver, resolver->table, mg_dns_answer_trouble(MG_DNS_NO_SERVER));
	end_servers(resolver);
	if (resolver->tick != NULL)
		event_free(resolver->tick);
	if (resolver->wake != NULL)
		event_free(resolver->wake);
	if (resolver->base != NULL)
		event_base_free(resolver->base);
}
