#include "postfix/follower.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "postfix/configuration.h"

enum { LOOK_EVERY_S = 1 };

struct mg_follower {
	struct mg_follower_options o;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t wake;
	const struct mg_conf *conf;
	bool is_stopping, must_read;
};

/* Takes a reference to the configuration that counts; NULL: it is time to stop. *must_read_out: it is another than before. */
static const struct mg_conf *pin(struct mg_follower *follower, bool *must_read_out)
{
	const struct mg_conf *conf = NULL;

	pthread_mutex_lock(&follower->lock);
	if (!follower->is_stopping)
		conf = mg_conf_ref(follower->conf);
	*must_read_out = follower->must_read;
	follower->must_read = false;
	pthread_mutex_unlock(&follower->lock);
	return conf;
}

static void wait_a_moment(struct mg_follower *follower)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_EVERY_S;
	pthread_mutex_lock(&follower->lock);
	if (!follower->is_stopping && !follower->must_read)
		pthread_cond_timedwait(&follower->wake, &follower->lock, &until);
	pthread_mutex_unlock(&follower->lock);
}

static void *follow(void *arg)
{
	struct mg_follower *follower = arg;
	struct mg_configuration configuration = { .postfix = NULL };
	const struct mg_conf *conf;
	bool must_read;

	pthread_setname_np(pthread_self(), "mg-postfix");
	while ((conf = pin(follower, &must_read)) != NULL) {
		if (must_read || mg_configuration_has_changed(&configuration, conf) ||
			follower->o.is_stale(follower->o.context)) {
			mg_configuration_read(&configuration, conf);
			if (configuration.postfix != NULL)
				follower->o.postfix_read(follower->o.context, configuration.postfix);
		}
		mg_conf_unref(&conf);
		wait_a_moment(follower);
	}
	mg_configuration_fini(&configuration);
	return NULL;
}

enum mg_rc mg_follower_start(
	const struct mg_follower_options *options, struct mg_follower **follower_out, struct mg_err *err)
{
	struct mg_follower *follower = calloc(1, sizeof *follower);
	pthread_condattr_t monotonic;

	if (follower == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory to follow Postfix's configuration");
	follower->o = *options;
	follower->conf = mg_conf_ref(options->conf);
	pthread_mutex_init(&follower->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&follower->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&follower->thread, NULL, follow, follower) != 0) {
		mg_follower_stop(&follower);
		return mg_err_set(err, MG_EIO, "no thread to follow Postfix's configuration");
	}
	follower->has_thread = true;
	*follower_out = follower;
	return MG_OK;
}

void mg_follower_set_conf(struct mg_follower *follower, const struct mg_conf *conf)
{
	const struct mg_conf *before;

	pthread_mutex_lock(&follower->lock);
	before = follower->conf;
	follower->conf = mg_conf_ref(conf);
	follower->must_read = true;
	pthread_cond_signal(&follower->wake);
	pthread_mutex_unlock(&follower->lock);
	mg_conf_unref(&before);
}

void mg_follower_stop(struct mg_follower **follower)
{
	struct mg_follower *stopping = *follower;

	*follower = NULL;
	if (stopping == NULL)
		return;
	pthread_mutex_lock(&stopping->lock);
	stopping->is_stopping = true;
	pthread_cond_signal(&stopping->wake);
	pthread_mutex_unlock(&stopping->lock);
	if (stopping->has_thread)
		pthread_join(stopping->thread, NULL);
	mg_conf_unref(&stopping->conf);
	pthread_cond_destroy(&stopping->wake);
	pthread_mutex_destroy(&stopping->lock);
	free(stopping);
}
