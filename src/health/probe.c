#include "health/probe.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "engine/engine.h"

/* OPTNEG, version 6, every action, no optional step; QUIT. */
static const char negotiation[] = "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x01Q";
static const char request[] = "request=smtpd_access_policy\nprotocol_state=VRFY\ninstance=" MG_ENGINE_PROBE "\n\n";

static enum mg_probe_state finish(struct mg_probe *probe, enum mg_probe_state state)
{
	mg_fd_close(&probe->fd);
	return probe->state = state;
}

void mg_probe_begin(struct mg_probe *probe, const struct mg_endpoint *endpoint, bool is_milter)
{
	*probe = (struct mg_probe){ .fd = socket(
					    endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.state = MG_PROBE_WAITING,
		.is_milter = is_milter,
		.deadline_us = mg_mono_us() + MG_PROBE_DEADLINE_MS * MG_MS_US };
	if (probe->fd < 0 || (connect(probe->fd, (const void *)&endpoint->address, endpoint->length) != 0 &&
				     errno != EINPROGRESS && errno != EAGAIN))
		finish(probe, MG_PROBE_DEAD);
}

short mg_probe_events(const struct mg_probe *probe)
{
	return probe->is_sent ? POLLIN : POLLOUT;
}

static enum mg_probe_state send_question(struct mg_probe *probe)
{
	struct mg_str question = probe->is_milter ? mg_str_of(negotiation, sizeof negotiation - 1)
						  : mg_str_of(request, sizeof request - 1);

	if (send(probe->fd, question.p, question.n, MSG_NOSIGNAL) != (ssize_t)question.n)
		return finish(probe, errno == EPIPE || errno == ECONNRESET ? MG_PROBE_ALIVE : MG_PROBE_DEAD);
	probe->is_sent = true;
	return probe->state;
}

static enum mg_probe_state read_answer(struct mg_probe *probe)
{
	char answer[64];
	ssize_t n = recv(probe->fd, answer, sizeof answer, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return probe->state;
	return finish(probe, MG_PROBE_ALIVE);
}

enum mg_probe_state mg_probe_step(struct mg_probe *probe, short revents)
{
	if (probe->state != MG_PROBE_WAITING)
		return probe->state;
	if (revents != 0)
		return probe->is_sent ? read_answer(probe) : send_question(probe);
	return mg_mono_us() > probe->deadline_us ? finish(probe, MG_PROBE_DEAD) : probe->state;
}

void mg_probe_cancel(struct mg_probe *probe)
{
	finish(probe, MG_PROBE_IDLE);
}
