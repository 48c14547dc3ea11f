#include "redis_server_kit.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/run.h"

enum { START_S = 30 };

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "redis-server: %s (apt install redis-server)\n", what);
	abort();
}

void redis_directory(struct redis_server *server)
{
	*server = (struct redis_server){ .pid = -1, .out = -1 };
	(void)snprintf(server->directory, sizeof server->directory, "/tmp/mailguard-redis-XXXXXX");
	if (mkdtemp(server->directory) == NULL)
		give_up("no directory");
	(void)snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->directory);
	(void)snprintf(server->url, sizeof server->url, "redis+unix://%s", server->socket);
}

static void become_server(const struct redis_server *server, int out)
{
	const char *words[REDIS_SERVER_WORDS + 20] = { "redis-server", "--port", "0", "--unixsocket", server->socket,
		"--save", "", "--appendonly", "no", "--dir", server->directory, "--daemonize", "no", "--databases",
		"16" };
	size_t n = 15;

	for (size_t i = 0; server->words != NULL && server->words[i] != NULL && i < REDIS_SERVER_WORDS; i++)
		words[n++] = server->words[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(words[0], (char *const *)(uintptr_t)words);
	_exit(127);
}

static void wait_until_ready(struct redis_server *server)
{
	char said[16384];
	size_t n = 0;
	ssize_t got;

	while (n + 1 < sizeof said && mg_fd_wait(server->out, POLLIN, mg_mono_us() + START_S * MG_S_US) != 0) {
		got = read(server->out, said + n, sizeof said - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		said[n] = '\0';
		if (strstr(said, "eady to accept connections") != NULL)
			return;
	}
	fprintf(stderr, "%.*s\n", (int)n, said);
	give_up("it does not start");
}

static void start(struct redis_server *server)
{
	int ends[2];

	if (pipe(ends) != 0)
		give_up("no pipe");
	server->pid = fork();
	if (server->pid < 0)
		give_up("no process");
	if (server->pid == 0) {
		close(ends[0]);
		become_server(server, ends[1]);
	}
	close(ends[1]);
	server->out = ends[0];
	(void)mg_fd_cloexec(server->out, true);
	wait_until_ready(server);
}

void redis_begin(struct redis_server *server, const char *const *words)
{
	if (server->directory[0] == '\0')
		redis_directory(server);
	server->words = words;
	start(server);
}

void redis_signal(const struct redis_server *server, int signal)
{
	kill(server->pid, signal);
}

void redis_kill(struct redis_server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	server->pid = -1;
	mg_fd_close(&server->out);
	unlink(server->socket);
}

void redis_restart(struct redis_server *server)
{
	redis_kill(server);
	start(server);
}

void redis_end(struct redis_server *server)
{
	const char *argv[] = { "rm", "-rf", server->directory, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = 10000, .out_max = 1000, .err_max = 1000 };
	struct mg_run_result result;

	redis_kill(server);
	if (mg_run(&run, &result, NULL) != MG_OK)
		fprintf(stderr, "%s stays\n", server->directory);
	mg_run_fini(&result);
	server->directory[0] = '\0';
}

void redis_say(const struct redis_server *server, const char *command, char *place, size_t size)
{
	struct mg_endpoint endpoint;
	char text[128];
	ssize_t n = 0;
	int fd = -1;

	(void)snprintf(text, sizeof text, "unix:%s", server->socket);
	if (mg_endpoint_parse(mg_str_z(text), &endpoint, NULL) != MG_OK ||
		(fd = mg_endpoint_connect(&endpoint, 10000)) < 0)
		give_up("can't be connected to");
	if (!mg_fd_write_all(fd, mg_str_z(command), mg_mono_us() + START_S * MG_S_US) ||
		!mg_fd_write_all(fd, MG_STR("\r\n"), mg_mono_us() + START_S * MG_S_US) ||
		mg_fd_wait(fd, POLLIN, mg_mono_us() + START_S * MG_S_US) == 0 || (n = read(fd, place, size - 1)) <= 0)
		give_up("does not answer");
	place[n] = '\0';
	place[strcspn(place, "\r\n")] = '\0';
	close(fd);
}

unsigned redis_free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (void *)&in, sizeof in) != 0 || getsockname(fd, (void *)&in, &length) != 0)
		give_up("no port");
	close(fd);
	return ntohs(in.sin_port);
}
