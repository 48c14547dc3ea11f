/* The callers' side: nothing here touches the network. */
#include "dns/resolver_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static void wake(struct mg_resolver *resolver)
{
	uint64_t one = 1;

	if (write(resolver->wake_fd, &one, sizeof one) < 0)
		mg_assert(errno == EAGAIN); /* woken more often than it can count */
}

static size_t key_bytes(const struct mg_dns_question *question)
{
	return offsetof(struct mg_dns_question, name) + question->length;
}

static struct mg_asking *find(struct mg_resolver *resolver, const struct mg_dns_question *question)
{
	struct mg_asking *asking;

	HASH_FIND(hh, resolver->table, question, key_bytes(question), asking);
	return asking;
}

static struct mg_asking *begin(struct mg_resolver *resolver, const struct mg_dns_question *question)
{
	struct mg_asking *asking;

	if (HASH_COUNT(resolver->table) >= MG_RESOLVER_INFLIGHT)
		return NULL;
	asking = calloc(1, sizeof *asking);
	if (asking == NULL)
		return NULL;
	asking->question = *question;
	HASH_ADD(hh, resolver->table, question, (unsigned)key_bytes(question), asking);
	if (asking->hh.tbl == NULL) { /* no memory */
		free(asking);
		return NULL;
	}
	*resolver->inbox_end = asking;
	resolver->inbox_end = &asking->next;
	return asking;
}

/* Under the lock. `finished` is what the counter said before the cache was asked: when it has moved, the answer may have
 * come in between. NULL: it will come. */
static const struct mg_dns_answer *join_or_begin(struct mg_resolver *resolver, const struct mg_dns_question *question,
	uint64_t finished, struct mg_asking **asking_out)
{
	const struct mg_dns_answer *answer = NULL;

	*asking_out = find(resolver, question);
	if (*asking_out != NULL) {
		resolver->stats.joined++;
		return NULL;
	}
	if (resolver->is_stopping)
		return mg_dns_answer_trouble(MG_DNS_NO_SERVER);
	if (resolver->finished != finished)
		answer = mg_dns_cache_get(resolver->cache, question, mg_mono_us());
	if (answer != NULL)
		return answer;
	*asking_out = begin(resolver, question);
	return *asking_out == NULL ? mg_dns_answer_trouble(MG_DNS_BUDGET) : NULL;
}

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	struct mg_resolver *resolver = context;
	uint64_t finished = resolver->finished;
	const struct mg_dns_answer *answer = mg_dns_cache_get(resolver->cache, question, mg_mono_us());
	struct mg_asking *asking;
	bool is_first;

	if (answer != NULL)
		return answer;
	pthread_mutex_lock(&resolver->lock);
	is_first = resolver->inbox == NULL;
	answer = join_or_begin(resolver, question, finished, &asking);
	if (answer == NULL) {
		*token_out = mg_waiters_add(&resolver->waiters, &asking->waiters, lookup, slot, deadline_us);
		if (*token_out == NULL)
			answer = mg_dns_answer_trouble(MG_DNS_BUDGET);
	}
	if (answer != NULL && answer->trouble == MG_DNS_BUDGET)
		resolver->stats.by_trouble[MG_DNS_BUDGET]++;
	is_first &= resolver->inbox != NULL;
	pthread_mutex_unlock(&resolver->lock);
	if (is_first)
		wake(resolver);
	return answer;
}

/* Answers are given under the lock: once it is ours, none is being given. */
static void cancel(void *context, void *token)
{
	struct mg_resolver *resolver = context;

	pthread_mutex_lock(&resolver->lock);
	mg_waiters_cancel(&resolver->waiters, token);
	pthread_mutex_unlock(&resolver->lock);
}

static enum mg_rc settings_of(
	const struct mg_resolver_options *options, struct mg_resolver_settings *settings_out, struct mg_err *err)
{
	const char *path = options->resolv_conf == NULL ? "/etc/resolv.conf" : options->resolv_conf;

	*settings_out = (struct mg_resolver_settings){
		.is_following = options->server_count == 0, .timeout_ms = options->timeout_ms, .tries = options->tries
	};
	if (!mg_str_copy(settings_out->path, sizeof settings_out->path, mg_str_z(path)))
		return mg_err_set(
			err, MG_ERANGE, "the path of resolv.conf has more than %d bytes", MG_RESOLVER_PATH - 1);
	return mg_server_list_of(options, &settings_out->list, err);
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct mg_resolver *resolver)
{
	sigset_t all, before;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(&resolver->thread, NULL, mg_resolver_work, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum;
}

static void destroy(struct mg_resolver *resolver)
{
	mg_resolver_work_fini(resolver);
	mg_waiters_fini(&resolver->waiters);
	mg_dns_cache_free(&resolver->cache);
	mg_fd_close(&resolver->wake_fd);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver->new_settings);
	free(resolver);
}

static enum mg_rc prepare(struct mg_resolver *resolver, const struct mg_resolver_options *options, struct mg_err *err)
{
	enum mg_rc rc = settings_of(options, &resolver->settings, err);
	int errnum;

	if (rc != MG_OK)
		return rc;
	resolver->cache = mg_dns_cache_new(options->cache_entries);
	if (resolver->cache == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the DNS cache");
	resolver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (resolver->wake_fd < 0)
		return mg_err_sys(err, MG_EIO, errno, "no eventfd for the resolver");
	rc = mg_resolver_work_init(resolver, err);
	if (rc != MG_OK)
		return rc;
	errnum = start_thread(resolver);
	return errnum == 0 ? MG_OK : mg_err_sys(err, MG_EIO, errnum, "no thread for the resolver");
}

enum mg_rc mg_resolver_start(
	const struct mg_resolver_options *options, struct mg_resolver **resolver_out, struct mg_err *err)
{
	struct mg_resolver *resolver = calloc(1, sizeof *resolver);
	enum mg_rc rc;

	if (resolver == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the resolver");
	resolver->source = (struct mg_lookup_source){ resolver, ask, cancel };
	resolver->inbox_end = &resolver->inbox;
	resolver->wake_fd = -1;
	pthread_mutex_init(&resolver->lock, NULL);
	rc = prepare(resolver, options, err);
	if (rc != MG_OK)
		destroy(resolver);
	else
		*resolver_out = resolver;
	return rc;
}

void mg_resolver_stop(struct mg_resolver **resolver)
{
	struct mg_resolver *ending = *resolver;

	if (ending == NULL)
		return;
	*resolver = NULL;
	pthread_mutex_lock(&ending->lock);
	ending->is_stopping = true;
	pthread_mutex_unlock(&ending->lock);
	wake(ending);
	pthread_join(ending->thread, NULL);
	destroy(ending);
}

enum mg_rc mg_resolver_set_options(
	struct mg_resolver *resolver, const struct mg_resolver_options *options, struct mg_err *err)
{
	struct mg_resolver_settings *settings = malloc(sizeof *settings);
	enum mg_rc rc;

	if (settings == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the resolver's settings");
	rc = settings_of(options, settings, err);
	if (rc == MG_OK && !mg_dns_cache_resize(resolver->cache, options->cache_entries))
		rc = mg_err_set(err, MG_ENOMEM, "no memory for a DNS cache of %zu entries", options->cache_entries);
	if (rc == MG_OK) {
		struct mg_resolver_settings *older;

		pthread_mutex_lock(&resolver->lock);
		older = resolver->new_settings;
		resolver->new_settings = settings;
		pthread_mutex_unlock(&resolver->lock);
		settings = older;
		wake(resolver);
	}
	free(settings);
	return rc;
}

const struct mg_lookup_source *mg_resolver_source(struct mg_resolver *resolver)
{
	return &resolver->source;
}

void mg_resolver_stats(struct mg_resolver *resolver, struct mg_resolver_stats *stats_out)
{
	pthread_mutex_lock(&resolver->lock);
	*stats_out = resolver->stats;
	stats_out->inflight = HASH_COUNT(resolver->table);
	stats_out->server_count = resolver->server_count;
	for (size_t i = 0; i < resolver->server_count; i++)
		stats_out->servers[i] = resolver->servers[i]->stats;
	pthread_mutex_unlock(&resolver->lock);
	mg_dns_cache_stats(resolver->cache, &stats_out->cache);
}
