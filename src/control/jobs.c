#include "control/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

struct list {
	struct mg_job *first, **last;
	unsigned count;
};

struct mg_jobs {
	pthread_t thread;
	struct event *told;
	int told_fd;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t wake;
	struct list waiting, finished;
};

static void list_init(struct list *list)
{
	*list = (struct list){ .last = &list->first };
}

static void append(struct list *list, struct mg_job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
	list->count++;
}

static struct mg_job *take_first(struct list *list)
{
	struct mg_job *job = list->first;

	if (job == NULL)
		return NULL;
	list->first = job->next;
	if (list->first == NULL)
		list->last = &list->first;
	list->count--;
	return job;
}

static _Noreturn void *work(void *arg)
{
	struct mg_jobs *jobs = arg;
	uint64_t one = 1;

	pthread_setname_np(pthread_self(), "mg-jobs");
	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		struct mg_job *job = take_first(&jobs->waiting);

		if (job == NULL) {
			pthread_cond_wait(&jobs->wake, &jobs->lock);
			continue;
		}
		pthread_mutex_unlock(&jobs->lock);
		job->run(job);
		pthread_mutex_lock(&jobs->lock);
		append(&jobs->finished, job);
		if (write(jobs->told_fd, &one, sizeof one) < 0)
			mg_bug("an eventfd of ours takes a one", __FILE__, __LINE__);
	}
}

static void on_told(evutil_socket_t fd, short what, void *arg)
{
	struct mg_jobs *jobs = arg;
	uint64_t count;
	struct mg_job *job;

	(void)what;
	if (read(fd, &count, sizeof count) < 0)
		return;
	for (;;) {
		pthread_mutex_lock(&jobs->lock);
		job = take_first(&jobs->finished);
		pthread_mutex_unlock(&jobs->lock);
		if (job == NULL)
			return;
		job->done(job);
	}
}

enum mg_rc mg_jobs_start(struct event_base *base, struct mg_jobs **jobs_out, struct mg_err *err)
{
	struct mg_jobs *jobs = calloc(1, sizeof *jobs);
	int failure;

	if (jobs == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for the job queue");
	list_init(&jobs->waiting);
	list_init(&jobs->finished);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->wake, NULL);
	jobs->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	jobs->told = event_new(base, jobs->told_fd, EV_READ | EV_PERSIST, on_told, jobs);
	failure = jobs->told == NULL ? ENOMEM : pthread_create(&jobs->thread, NULL, work, jobs);
	if (failure != 0) {
		if (jobs->told != NULL)
			event_free(jobs->told);
		mg_fd_close(&jobs->told_fd);
		free(jobs);
		return mg_err_sys(err, MG_EIO, failure, "no thread for jobs");
	}
	event_add(jobs->told, NULL);
	*jobs_out = jobs;
	return MG_OK;
}

bool mg_jobs_add(struct mg_jobs *jobs, struct mg_job *job)
{
	bool has_room;

	pthread_mutex_lock(&jobs->lock);
	has_room = jobs->waiting.count < MG_JOBS_MAX;
	if (has_room)
		append(&jobs->waiting, job);
	pthread_cond_signal(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
	return has_room;
}
