#include "redis_fake_kit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"

enum { GUESTS = 16, WORDS = 256, IN_MAX = 8 << 20, OUT_MAX = 8 << 20, LATE_MS = 200, LATER = 4096, ENDLESS = 100000 };

/* The shas it claims: 40 times this. */
enum { SHA_DECIDE = 'd', SHA_REFUND = 'f' };

struct guest {
	int fd; /* -1: nobody */
	struct mg_buf in, out;
	bool is_leaving; /* after what is in `out` */
	struct {
		int64_t at_us;
		size_t items;
	} later[LATER]; /* grants to be given, a ring */
	size_t first, count;
};

struct party {
	struct fake *fake;
	struct guest guests[GUESTS];
};

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "fake redis: %s\n", what);
	abort();
}

/* ---- what is said ---- */

static void say_bulk(struct guest *guest, const struct mg_buf *text)
{
	mg_buf_addf(&guest->out, "$%zu\r\n", text->n);
	mg_buf_add(&guest->out, mg_buf_str(text));
	mg_buf_addz(&guest->out, "\r\n");
}

static void say_grant(struct guest *guest, size_t items)
{
	struct mg_buf text;

	mg_buf_init(&text, 4096);
	mg_buf_addz(&text, "0");
	for (size_t i = 0; i < items; i++)
		mg_buf_addz(&text, " 1 0 0 1");
	say_bulk(guest, &text);
	mg_buf_fini(&text);
}

static void say_refund(struct guest *guest, size_t items)
{
	struct mg_buf text;

	mg_buf_init(&text, 4096);
	for (size_t i = 0; i < items; i++)
		mg_buf_addz(&text, i == 0 ? "0" : " 0");
	say_bulk(guest, &text);
	mg_buf_fini(&text);
}

static void say_sha(struct guest *guest, char sha)
{
	mg_buf_addz(&guest->out, "$40\r\n");
	for (int i = 0; i < 40; i++)
		mg_buf_addc(&guest->out, sha);
	mg_buf_addz(&guest->out, "\r\n");
}

static void say_without_end(struct guest *guest, const char *begin)
{
	mg_buf_addz(&guest->out, begin);
	for (int i = 0; i < ENDLESS; i++)
		mg_buf_addc(&guest->out, 'x');
}

static void say_late(struct guest *guest, size_t items)
{
	size_t at = (guest->first + guest->count) % LATER;

	if (guest->count == LATER)
		give_up("too much to be said later");
	guest->later[at].at_us = mg_mono_us() + LATE_MS * MG_MS_US;
	guest->later[at].items = items;
	guest->count++;
}

static const char *fixed_answer(int act)
{
	static const char *const answers[ACT_LAST] = {
		[ACT_READONLY] = "-READONLY You can't write against a read only replica.\r\n",
		[ACT_LOADING] = "-LOADING Redis is loading the dataset in memory\r\n",
		[ACT_MOVED] = "-MOVED 1234 192.0.2.1:6379\r\n",
		[ACT_OOM] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
		[ACT_NOAUTH] = "-NOAUTH Authentication required.\r\n",
		[ACT_NOSCRIPT_ALWAYS] = "-NOSCRIPT No matching script.\r\n",
		[ACT_GARBAGE] = "\x01\x02 HTTP/1.1 400\r\n\r\n",
		[ACT_DEEP] = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		[ACT_WIDE] = "*2147483647\r\n",
		[ACT_TWICE] = "$9\r\n0 1 0 0 1\r\n$9\r\n0 1 0 0 1\r\n",
		[ACT_SHORT] = "$1\r\n0\r\n",
		[ACT_LIE] = "$9\r\n1 0 0 0 1\r\n",
		[ACT_NUMBER] = ":1\r\n",
		[ACT_NIL] = "$-1\r\n",
		[ACT_HALF] = "$9\r\n0 1 0",
		[ACT_HANG_UP] = "",
	};

	return answers[act];
}

static void answer_script(struct fake *fake, struct guest *guest, bool is_eval, bool is_refund, size_t items)
{
	int act = fake->act;
	const char *fixed = fixed_answer(act);

	fake->scripts++;
	fake->refunds += is_refund;
	fake->evals += is_eval;
	if (fixed != NULL) {
		mg_buf_addz(&guest->out, fixed);
		guest->is_leaving = act == ACT_HALF || act == ACT_HANG_UP;
	} else if (act == ACT_ENDLESS_BULK || act == ACT_ENDLESS_LINE) {
		say_without_end(guest, act == ACT_ENDLESS_BULK ? "$2000000000\r\n" : "+");
	} else if (act == ACT_NOSCRIPT && !is_eval) {
		mg_buf_addz(&guest->out, fixed_answer(ACT_NOSCRIPT_ALWAYS));
	} else if (act == ACT_LATE && !is_refund) {
		say_late(guest, items);
	} else if (act == ACT_SILENT) {
		return;
	} else if (is_refund) {
		say_refund(guest, items);
	} else {
		say_grant(guest, items);
	}
}

static void answer(struct fake *fake, struct guest *guest, const struct mg_str *words, size_t count)
{
	bool is_eval = mg_str_eq(words[0], MG_STR("EVAL"));
	uint64_t items = 0;

	if (fake->act == ACT_RUDE) {
		mg_buf_addz(&guest->out, "220 mail.example ESMTP\r\n");
	} else if (fake->act == ACT_GOSSIP) {
		mg_buf_addf(&guest->out, "-ERR unknown command, with args beginning with: '%.*s'\r\n",
			MG_STR_ARGS(mg_str_first(words[count - 1], 20)));
	} else if (fake->act == ACT_BUSY) {
		guest->is_leaving = true;
	} else if (fake->act == ACT_DEAF) {
		return;
	} else if (mg_str_eq(words[0], MG_STR("SCRIPT")) && count == 3) {
		say_sha(guest, mg_str_find_str(words[2], MG_STR("is_refused")) != SIZE_MAX ? SHA_DECIDE : SHA_REFUND);
	} else if ((is_eval || mg_str_eq(words[0], MG_STR("EVALSHA"))) && count > 3 &&
		   mg_str_to_u64(words[2], 32, &items)) {
		bool is_refund = is_eval ? mg_str_find_str(words[1], MG_STR("is_refused")) == SIZE_MAX
					 : words[1].p[0] == SHA_REFUND;

		answer_script(fake, guest, is_eval, is_refund, (size_t)items);
	} else if (mg_str_eq(words[0], MG_STR("DEL"))) {
		mg_buf_addz(&guest->out, ":1\r\n");
	} else {
		mg_buf_addz(&guest->out, "+OK\r\n");
	}
}

/* ---- what is heard ---- */

static bool read_line_number(struct mg_str *rest, struct mg_str mark, uint64_t *number_out)
{
	return mg_read_token(rest, mark) && mg_read_u64(rest, IN_MAX, number_out) &&
	       mg_read_token(rest, MG_STR("\r\n"));
}

/* One whole command at the start of *rest. */
static bool read_command(struct mg_str *rest, struct mg_str words[WORDS], size_t *count_out)
{
	struct mg_str at = *rest;
	uint64_t count, length;

	if (!read_line_number(&at, MG_STR("*"), &count) || count == 0 || count > WORDS)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!read_line_number(&at, MG_STR("$"), &length) || at.n < length + 2)
			return false;
		words[i] = mg_str_first(at, length);
		at = mg_str_from(at, length + 2);
	}
	*count_out = count;
	*rest = at;
	return true;
}

static void hear(struct fake *fake, struct guest *guest)
{
	struct mg_str words[WORDS], rest;
	char chunk[65536];
	ssize_t n = read(guest->fd, chunk, sizeof chunk);
	size_t count;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			mg_fd_close(&guest->fd);
		return;
	}
	mg_buf_add(&guest->in, mg_str_of(chunk, (size_t)n));
	rest = mg_buf_str(&guest->in);
	while (!guest->is_leaving && read_command(&rest, words, &count))
		answer(fake, guest, words, count);
	mg_buf_drop(&guest->in, guest->in.n - rest.n);
}

/* ---- guests ---- */

static void see_off(struct guest *guest)
{
	mg_fd_close(&guest->fd);
	mg_buf_fini(&guest->in);
	mg_buf_fini(&guest->out);
	guest->first = guest->count = 0;
	guest->is_leaving = false;
}

static void speak(struct guest *guest)
{
	while (guest->count > 0 && guest->later[guest->first].at_us <= mg_mono_us()) {
		say_grant(guest, guest->later[guest->first].items);
		guest->first = (guest->first + 1) % LATER;
		guest->count--;
	}
	if (guest->out.n > 0) {
		ssize_t n = send(guest->fd, guest->out.p, guest->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			mg_fd_close(&guest->fd);
		else if (n > 0)
			mg_buf_drop(&guest->out, (size_t)n);
	}
	if (guest->fd < 0 || (guest->is_leaving && guest->out.n == 0))
		see_off(guest);
}

static void welcome(struct party *party)
{
	int fd = accept4(party->fake->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (struct guest *guest = party->guests; fd >= 0 && guest < party->guests + GUESTS; guest++)
		if (guest->fd < 0) {
			guest->fd = fd;
			mg_buf_init(&guest->in, IN_MAX);
			mg_buf_init(&guest->out, OUT_MAX);
			return;
		}
	mg_fd_close(&fd);
}

static int wait_ms(const struct guest *guest)
{
	int64_t left_us =
		guest->fd < 0 || guest->count == 0 ? 60 * MG_S_US : guest->later[guest->first].at_us - mg_mono_us();

	return left_us <= 0 ? 0 : (int)(left_us / MG_MS_US) + 1;
}

static bool turn(struct party *party)
{
	struct pollfd polled[GUESTS + 2] = { { .fd = party->fake->stop_fd, .events = POLLIN },
		{ .fd = party->fake->listen_fd, .events = POLLIN } };
	int timeout_ms = 60000;

	for (size_t i = 0; i < GUESTS; i++) {
		struct guest *guest = &party->guests[i];

		polled[i + 2] = (struct pollfd){ .fd = guest->fd,
			.events = (short)(POLLIN | (guest->fd >= 0 && guest->out.n > 0 ? POLLOUT : 0)) };
		timeout_ms = wait_ms(guest) < timeout_ms ? wait_ms(guest) : timeout_ms;
	}
	if (poll(polled, GUESTS + 2, timeout_ms) < 0 && errno != EINTR)
		give_up("no poll");
	if (polled[1].revents != 0)
		welcome(party);
	for (size_t i = 0; i < GUESTS; i++) {
		if (party->guests[i].fd >= 0 && (polled[i + 2].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			hear(party->fake, &party->guests[i]);
		if (party->guests[i].fd >= 0 || party->guests[i].in.p != NULL)
			speak(&party->guests[i]);
	}
	return polled[0].revents == 0;
}

static void *work(void *arg)
{
	struct party *party = calloc(1, sizeof *party);

	if (party == NULL)
		give_up("no memory");
	party->fake = arg;
	for (size_t i = 0; i < GUESTS; i++)
		party->guests[i].fd = -1;
	while (turn(party))
		;
	for (size_t i = 0; i < GUESTS; i++)
		if (party->guests[i].fd >= 0)
			see_off(&party->guests[i]);
	free(party);
	return NULL;
}

void fake_begin(struct fake *fake, enum fake_act act)
{
	struct mg_endpoint endpoint;
	char text[128];

	*fake = (struct fake){ .act = act };
	(void)snprintf(fake->directory, sizeof fake->directory, "/tmp/mailguard-fake-XXXXXX");
	if (mkdtemp(fake->directory) == NULL)
		give_up("no directory");
	(void)snprintf(fake->socket, sizeof fake->socket, "%s/redis.sock", fake->directory);
	(void)snprintf(fake->url, sizeof fake->url, "redis+unix://%s", fake->socket);
	(void)snprintf(text, sizeof text, "unix:%s", fake->socket);
	fake->stop_fd = eventfd(0, EFD_CLOEXEC);
	fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (mg_endpoint_parse(mg_str_z(text), &endpoint, NULL) != MG_OK ||
		bind(fake->listen_fd, (void *)&endpoint.address, endpoint.length) != 0 ||
		listen(fake->listen_fd, GUESTS) != 0 || pthread_create(&fake->thread, NULL, work, fake) != 0)
		give_up("can't begin");
}

void fake_end(struct fake *fake)
{
	uint64_t one = 1;

	if (write(fake->stop_fd, &one, sizeof one) < 0)
		give_up("can't end");
	pthread_join(fake->thread, NULL);
	mg_fd_close(&fake->listen_fd);
	mg_fd_close(&fake->stop_fd);
	unlink(fake->socket);
	rmdir(fake->directory);
}
