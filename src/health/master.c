#include "health/master.h"

#include <errno.h>
#include <sys/stat.h>

struct mg_master mg_master_of(const char *queue_directory)
{
	struct mg_master master = { .state = MG_MASTER_UNKNOWN };
	struct mg_buf path;
	struct stat info;
	pid_t pid;

	mg_buf_init(&path, 4096);
	mg_buf_addf(&path, "%s/pid/master.pid", queue_directory);
	if (stat(mg_buf_z(&path), &info) == 0)
		pid = mg_process_locking(mg_buf_z(&path));
	else
		pid = errno == ENOENT ? 0 : -1; /* never started; or not for our eyes */
	mg_buf_fini(&path);
	if (pid == 0)
		master.state = MG_MASTER_DOWN;
	else if (pid > 0 && mg_process_of(pid, &master.process))
		master.state = MG_MASTER_RUNS;
	return master;
}

struct manager {
	pid_t master;
	int64_t started_s;
};

static bool is_manager(void *context, const struct mg_process *process)
{
	struct manager *manager = context;

	if (process->parent == manager->master &&
		(strcmp(process->name, "qmgr") == 0 || strcmp(process->name, "nqmgr") == 0 ||
			strcmp(process->name, "oqmgr") == 0))
		manager->started_s = process->started_s;
	return manager->started_s == 0;
}

int64_t mg_master_read_s(const struct mg_master *master)
{
	struct manager manager = { .master = master->process.pid };

	if (master->state == MG_MASTER_RUNS)
		mg_process_each(is_manager, &manager);
	return manager.started_s;
}

const char *mg_master_command(const struct mg_check_env *env, struct mg_finding *finding, const char *verb)
{
	bool is_main = strcmp(env->conf->postfix.config_directory, "/etc/postfix") == 0;
	bool by_systemd =
		is_main && mg_process_has_systemd() && (strcmp(verb, "start") == 0 || strcmp(verb, "status") == 0);
	struct mg_buf text;
	const char *command;

	mg_buf_init(&text, 4096);
	if (by_systemd)
		mg_buf_addf(&text, "systemctl %s postfix", verb);
	else
		mg_buf_addf(&text, "%s %s", mg_check_program(env, finding, "postfix"), verb);
	command = mg_arena_text(&finding->arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return command;
}
