/* The other side of the diagnostic socket: one connection, one call, one answer, with a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/i18n.h"
#include "ctl/ctl.h"

enum { CONNECT_MS = 3000, ANSWER_S = 60, ANSWER_BYTES = 256 * 1024 * 1024 };

const struct mg_conf *mg_ctl_conf(struct mg_ctl *ctl)
{
	static const struct mg_conf *conf;
	struct mg_err err = { "" };
	const char *path = ctl->conf_path != NULL ? ctl->conf_path : MG_CONF_PATH;
	enum mg_rc rc;

	if (conf != NULL)
		return conf;
	if (ctl->conf_path == NULL && access(path, F_OK) != 0)
		rc = mg_conf_defaults(&conf, &err);
	else
		rc = mg_conf_load(path, &conf, &err);
	if (rc != MG_OK)
		mg_ctl_fail(MG_EXIT_DATA, "%s", err.text);
	return conf;
}

static int connect_daemon(struct mg_ctl *ctl, bool is_quiet)
{
	struct mg_endpoint endpoint;
	struct mg_err err = { "" };
	char listen[200] = "";
	int fd;

	if (ctl->socket != NULL) {
		snprintf(listen, sizeof listen, "%s%s", ctl->socket[0] == '/' ? "unix:" : "", ctl->socket);
	} else {
		mg_conf_control_listen(ctl->conf_path != NULL ? ctl->conf_path : MG_CONF_PATH, listen, sizeof listen);
	}
	if (mg_endpoint_parse(mg_str_z(listen), &endpoint, &err) != MG_OK) {
		mg_ctl_fail(0, _("the diagnostic socket \"%s\": %s"), listen, err.text);
		return -2;
	}
	fd = mg_endpoint_connect(&endpoint, CONNECT_MS);
	if (fd >= 0 || is_quiet)
		return fd;
	if (errno == EACCES || errno == EPERM)
		mg_ctl_fail(0, _("not permitted to ask mailguardd on %s: be root, or a member of the group mailguard"),
			listen);
	else
		mg_ctl_fail(0, _("mailguardd does not answer on %s: %s; start it with: systemctl start mailguard"),
			listen, strerrordesc_np(errno));
	return errno == EACCES || errno == EPERM ? -3 : -1;
}

static json_t *read_answer(int fd)
{
	int64_t deadline_us = mg_mono_us() + ANSWER_S * MG_S_US;
	struct mg_buf answer;
	char chunk[65536];
	json_t *json = NULL;

	mg_buf_init(&answer, ANSWER_BYTES);
	while (mg_fd_wait(fd, POLLIN, deadline_us) != 0) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);

		if (n <= 0)
			break;
		mg_buf_add(&answer, mg_str_of(chunk, (size_t)n));
		if (!mg_buf_ok(&answer))
			break;
		if (chunk[n - 1] == '\n') {
			json = json_loadb(answer.p, answer.n, 0, NULL);
			break;
		}
	}
	mg_buf_fini(&answer);
	return json;
}

static json_t *ask(int fd, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method, "params",
		params == NULL ? json_object() : params);
	char *text = json_dumps(request, JSON_COMPACT);
	struct mg_buf line;
	json_t *answer = NULL;

	mg_buf_init(&line, 1024 * 1024);
	mg_buf_addz(&line, text);
	mg_buf_addc(&line, '\n');
	free(text);
	json_decref(request);
	if (mg_fd_write_all(fd, mg_buf_str(&line), mg_mono_us() + CONNECT_MS * MG_MS_US))
		answer = read_answer(fd);
	mg_buf_fini(&line);
	return answer;
}

static int judge_error(const json_t *error)
{
	const char *message = mg_ctl_text(error, "message");

	switch (mg_ctl_number(error, "code")) {
	case -32001:
		return mg_ctl_fail(MG_EXIT_NOT_PERMITTED, "%s", message);
	case -32602:
		return mg_ctl_fail(MG_EXIT_DATA, "%s", message);
	case -32000:
		return mg_ctl_fail(MG_EXIT_NEGATIVE, "%s", message);
	default:
		return mg_ctl_fail(MG_EXIT_UNREACHABLE, "%s", message);
	}
}

static int call(struct mg_ctl *ctl, const char *method, json_t *params, json_t **result_out, bool is_quiet)
{
	int fd = connect_daemon(ctl, is_quiet), status = MG_EXIT_GO_ON;
	json_t *answer, *error;

	if (fd < 0) {
		json_decref(params);
		return fd == -2 ? MG_EXIT_DATA : fd == -3 ? MG_EXIT_NOT_PERMITTED : MG_EXIT_UNREACHABLE;
	}
	answer = ask(fd, method, params);
	mg_fd_close(&fd);
	error = json_object_get(answer, "error");
	*result_out = json_incref(json_object_get(answer, "result"));
	if (error != NULL)
		status = judge_error(error);
	else if (*result_out == NULL)
		status = is_quiet ? MG_EXIT_UNREACHABLE
				  : mg_ctl_fail(
					    MG_EXIT_UNREACHABLE, _("mailguardd took the question and gave no answer"));
	json_decref(answer);
	return status;
}

int mg_ctl_call(struct mg_ctl *ctl, const char *method, json_t *params, json_t **result_out)
{
	return call(ctl, method, params, result_out, false);
}

int mg_ctl_call_quietly(struct mg_ctl *ctl, const char *method, json_t *params, json_t **result_out)
{
	return call(ctl, method, params, result_out, true);
}
