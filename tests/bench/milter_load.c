/* A load of mail as Postfix's smtpd(8) and cleanup(8) tell it to a milter: protocol 6, macros before their event, what
 * needs no reply buffered and written in Postfix's 4096 bytes, one body chunk up to 65535 bytes, an abort behind each
 * end of message. Each connection is an SMTP session of several messages. A reply that is not the expected one ends
 * the run.
 *
 *   milter_load [-c CONNECTIONS] [-m MESSAGES] [-p MESSAGES-PER-CONNECTION] [-r RECIPIENTS] [-b BODY] [-k CHUNK]
 *               unix:/PATH
 *   milter_load -i SESSIONS unix:/PATH    opens idle sessions (HELO done), says so, and holds them until its stdin ends
 *
 * Prints one JSON object: messages, seconds, per_s, and the waits in microseconds, RCPT's and end-of-message's. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include <libmilter/mfdef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "measure.h"

enum { CONNECT_MS = 5000, WAIT_MS = 20000, PIECE = 4096, OUT_MAX = 1024 * 1024, REPLY_MAX = 8192, HEADERS = 12 };

enum step {
	STEP_CONNECT,
	STEP_HELO,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_HEADER,
	STEP_EOH,
	STEP_BODY,
	STEP_EOM,
	STEPS
};

struct connection {
	int fd;
	unsigned number, sessions, messages; /* of this session */
	bool is_negotiating, is_over;
	uint32_t steps; /* SMFIP_* that the filter asked for */
	enum step step; /* the next to send; its reply is awaited when `asked` is set */
	enum step asked_step;
	uint64_t repeat; /* how many of this step have been sent */
	int64_t asked_us;
	char queue_id[20], serial[20];
	struct mg_buf out;
	size_t have;
	unsigned char in[REPLY_MAX];
};

static struct {
	uint64_t connections, messages, per_session, recipients, body, chunk, idle;
	struct mg_endpoint endpoint;
	uint64_t begun, done, idles, edits;
	uint32_t steps;
	char *body_text;
	int queue;
	struct times rcpt, eom;
} load = { .connections = 16, .messages = 20000, .per_session = 5, .recipients = 1, .body = 10240, .chunk = 65535 };

/* ---- packets: length, command, bytes ---- */

static size_t packet(struct connection *c, char command)
{
	size_t at = c->out.n;

	mg_buf_add(&c->out, mg_str_of("\0\0\0\0", 4));
	mg_buf_addc(&c->out, command);
	return at;
}

static void packet_end(struct connection *c, size_t at)
{
	uint32_t length = htonl((uint32_t)(c->out.n - at - 4));

	memcpy(c->out.p + at, &length, sizeof length);
}

static void add_z(struct connection *c, const char *text)
{
	mg_buf_add(&c->out, mg_str_of(text, strlen(text) + 1));
}

/* Names and values by turns, then NULL. */
static void add_macros(struct connection *c, char command, const char *const *pairs)
{
	size_t at = packet(c, SMFIC_MACRO);

	mg_buf_addc(&c->out, command);
	for (; *pairs != NULL; pairs++)
		add_z(c, *pairs);
	packet_end(c, at);
}

static void add_text(struct connection *c, char command, const char *text)
{
	size_t at = packet(c, command);

	add_z(c, text);
	packet_end(c, at);
}

static void add_connect(struct connection *c)
{
	char ip[24], name[32], port[12];
	uint16_t port_number = (uint16_t)(1024 + (c->sessions * 64 + c->number) % 60000), wire = htons(port_number);
	size_t at;

	snprintf(ip, sizeof ip, "192.0.2.%u", c->number % 250 + 1);
	snprintf(name, sizeof name, "mail%u.example.org", c->number);
	snprintf(port, sizeof port, "%u", port_number);
	add_macros(c, SMFIC_CONNECT,
		(const char *const[]){ "j", "mail.local.example", "{client_addr}", ip, "{client_port}", port,
			"{client_name}", name, "{daemon_port}", "25", NULL });
	at = packet(c, SMFIC_CONNECT);
	add_z(c, name);
	mg_buf_addc(&c->out, '4');
	mg_buf_add(&c->out, mg_str_of(&wire, sizeof wire));
	add_z(c, ip);
	packet_end(c, at);
}

static void add_helo(struct connection *c)
{
	char name[32];

	snprintf(name, sizeof name, "mail%u.example.org", c->number);
	add_macros(c, SMFIC_HELO, (const char *const[]){ "{tls_version}", "TLSv1.3", NULL });
	add_text(c, SMFIC_HELO, name);
}

static void add_mail(struct connection *c)
{
	char sender[64];
	uint64_t n = load.begun++;
	size_t at;

	snprintf(c->queue_id, sizeof c->queue_id, "4%05X%06" PRIX64 "z", (unsigned)getpid() & 0xfffff, n);
	snprintf(c->serial, sizeof c->serial, "%u.%" PRIu64, (unsigned)getpid(), n);
	snprintf(sender, sizeof sender, "<sender%" PRIu64 "@example.org>", n * 7919 % 100000);
	add_macros(c, SMFIC_MAIL, (const char *const[]){ NULL });
	at = packet(c, SMFIC_MAIL);
	add_z(c, sender);
	add_z(c, "SIZE=12000");
	packet_end(c, at);
}

static void add_rcpt(struct connection *c)
{
	char address[64], path[80];
	/* Postfix knows no queue id before the first accepted recipient. */
	const char *const macros[] = { "{rcpt_mailer}", "virtual", "{rcpt_host}", "local.example", "{rcpt_addr}",
		address, c->repeat == 0 ? NULL : "i", c->queue_id, NULL };

	snprintf(address, sizeof address, "user%" PRIu64 "@local.example", c->repeat);
	snprintf(path, sizeof path, "<%s>", address);
	add_macros(c, SMFIC_RCPT, macros);
	add_text(c, SMFIC_RCPT, path);
}

static void add_with_id(struct connection *c, char command)
{
	add_macros(c, command, (const char *const[]){ "i", c->queue_id, NULL });
	packet_end(c, packet(c, command));
}

static void add_data(struct connection *c)
{
	add_with_id(c, SMFIC_DATA);
}

/* NULL: the message's own. */
static const char *const header_fields[HEADERS][2] = {
	{ "Received", " from mail.example.org (mail.example.org [192.0.2.1])\n"
		      "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n"
		      "\tby mail.local.example (Postfix) with ESMTPS id 4ABCDEF\n"
		      "\tfor <user0@local.example>; Sat, 21 Nov 2026 19:36:37 +0000 (UTC)" },
	{ "Received", " by mail.example.org (Postfix, from userid 1000)\n"
		      "\tid 4AAAAAAA; Sat, 21 Nov 2026 19:36:36 +0000 (UTC)" },
	{ "DKIM-Signature", " v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2026;\n"
			    "\tt=1795289797; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n"
			    "\th=From:To:Subject:Date:Message-ID;\n"
			    "\tb=dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmcgYXMgb25lIHdvdWxkIGJl\n"
			    "\t dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmcgYXMgb25lIHdvdWxkIGJl" },
	{ "From", " Some Body <somebody@example.org>" },
	{ "To", " Ann <user0@local.example>" },
	{ "Subject", " The quarterly figures, and what they mean" },
	{ "Date", " Sat, 21 Nov 2026 19:36:36 +0000" },
	{ "Message-ID", NULL },
	{ "MIME-Version", " 1.0" },
	{ "Content-Type", " text/plain; charset=utf-8; format=flowed" },
	{ "Content-Transfer-Encoding", " 8bit" },
	{ "User-Agent", " Mutt/2.2.12 (2023-09-09)" },
};

static void add_header(struct connection *c)
{
	const char *const *field = header_fields[c->repeat];
	char id[64];
	size_t at = packet(c, SMFIC_HEADER);

	snprintf(id, sizeof id, " <%s@example.org>", c->serial);
	add_z(c, field[0]);
	add_z(c, field[1] == NULL ? id : field[1]);
	packet_end(c, at);
}

static void add_eoh(struct connection *c)
{
	add_with_id(c, SMFIC_EOH);
}

static void add_body(struct connection *c)
{
	size_t at = packet(c, SMFIC_BODY), sent = (size_t)(c->repeat * load.chunk), left = (size_t)load.body - sent;

	mg_buf_add(&c->out, mg_str_of(load.body_text + sent, left < load.chunk ? left : (size_t)load.chunk));
	packet_end(c, at);
}

static void add_eom(struct connection *c)
{
	add_with_id(c, SMFIC_BODYEOB);
}

/* ---- a session ---- */

static const struct {
	void (*add)(struct connection *);
	uint32_t unsent, unanswered; /* by these negotiated bits */
} steps[STEPS] = {
	[STEP_CONNECT] = { add_connect, SMFIP_NOCONNECT, SMFIP_NR_CONN },
	[STEP_HELO] = { add_helo, SMFIP_NOHELO, SMFIP_NR_HELO },
	[STEP_MAIL] = { add_mail, SMFIP_NOMAIL, SMFIP_NR_MAIL },
	[STEP_RCPT] = { add_rcpt, SMFIP_NORCPT, SMFIP_NR_RCPT },
	[STEP_DATA] = { add_data, SMFIP_NODATA, SMFIP_NR_DATA },
	[STEP_HEADER] = { add_header, SMFIP_NOHDRS, SMFIP_NR_HDR },
	[STEP_EOH] = { add_eoh, SMFIP_NOEOH, SMFIP_NR_EOH },
	[STEP_BODY] = { add_body, SMFIP_NOBODY, SMFIP_NR_BODY },
	[STEP_EOM] = { add_eom, 0, 0 },
};

static uint64_t repeats(enum step step)
{
	switch (step) {
	case STEP_RCPT:
		return load.recipients;
	case STEP_HEADER:
		return HEADERS;
	case STEP_BODY:
		return (load.body + load.chunk - 1) / load.chunk;
	default:
		return 1;
	}
}

static void flush(struct connection *c)
{
	int64_t deadline_us = mg_mono_us() + WAIT_MS * MG_MS_US;

	if (!mg_buf_ok(&c->out))
		fail("milter_load: no memory");
	for (size_t at = 0; at < c->out.n; at += PIECE)
		if (!mg_fd_write_all(c->fd, mg_str_first(mg_str_from(mg_buf_str(&c->out), at), PIECE), deadline_us))
			fail("milter_load: the filter does not take what connection %u writes", c->number);
	mg_buf_reset(&c->out);
}

static int connect_filter(void)
{
	int64_t deadline_us = mg_mono_us() + CONNECT_MS * MG_MS_US;
	int fd;

	while ((fd = mg_endpoint_connect(&load.endpoint, CONNECT_MS)) < 0) {
		if (errno != EAGAIN || mg_mono_us() > deadline_us) /* EAGAIN: its backlog is full */
			fail("milter_load: can't connect to %s", load.endpoint.text);
		usleep(1000);
	}
	return fd;
}

static void open_session(struct connection *c)
{
	const uint32_t offer[3] = { htonl(6), htonl(SMFI_CURR_ACTS), htonl(SMFI_CURR_PROT) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	size_t at;

	c->fd = connect_filter();
	if (epoll_ctl(load.queue, EPOLL_CTL_ADD, c->fd, &event) != 0)
		fail("milter_load: epoll_ctl");
	c->is_negotiating = true;
	c->messages = 0;
	c->sessions++;
	at = packet(c, SMFIC_OPTNEG);
	mg_buf_add(&c->out, mg_str_of(offer, sizeof offer));
	packet_end(c, at);
	flush(c);
}

static void close_session(struct connection *c)
{
	packet_end(c, packet(c, SMFIC_QUIT));
	flush(c);
	close(c->fd);
	c->fd = -1;
}

/* Sends on until a reply is due, or the session rests. */
static void go_on(struct connection *c)
{
	for (;;) {
		enum step step = c->step;

		if (step == STEP_MAIL && (load.idle > 0 || load.begun >= load.messages)) {
			c->is_over = true;
			load.idles++;
			flush(c);
			return;
		}
		if ((c->steps & steps[step].unsent) == 0)
			steps[step].add(c);
		if (++c->repeat >= repeats(step)) {
			c->repeat = 0;
			c->step++;
		}
		if ((c->steps & (steps[step].unsent | steps[step].unanswered)) == 0) {
			c->asked_step = step;
			c->asked_us = mg_mono_us();
			flush(c);
			return;
		}
	}
}

static void message_done(struct connection *c)
{
	load.done++;
	packet_end(c, packet(c, SMFIC_ABORT));
	c->step = STEP_MAIL;
	if (++c->messages < load.per_session || load.begun >= load.messages) {
		go_on(c);
		return;
	}
	close_session(c);
	open_session(c);
}

/* ---- replies ---- */

static void take_offer(struct connection *c, const unsigned char *bytes, size_t length)
{
	uint32_t said[3];

	if (length < sizeof said)
		fail("milter_load: a negotiation of %zu bytes", length);
	memcpy(said, bytes, sizeof said);
	c->steps = ntohl(said[2]);
	if (ntohl(said[0]) > 6 || (c->steps & ~(uint32_t)SMFI_CURR_PROT) != 0)
		fail("milter_load: the filter wants version %u, steps %#x", ntohl(said[0]), c->steps);
	load.steps = c->steps;
	c->is_negotiating = false;
	c->step = STEP_CONNECT;
	c->repeat = 0;
	go_on(c);
}

static void take_reply(struct connection *c, unsigned char command, const unsigned char *bytes, size_t length)
{
	bool is_end = c->asked_step == STEP_EOM;
	int64_t waited_us = mg_mono_us() - c->asked_us;

	if (c->is_negotiating && command == SMFIC_OPTNEG) {
		take_offer(c, bytes, length);
	} else if (!c->is_negotiating && !c->is_over && is_end &&
		   (command == SMFIR_ADDHEADER || command == SMFIR_INSHEADER || command == SMFIR_CHGHEADER)) {
		load.edits++;
	} else if (c->is_negotiating || c->is_over ||
		   (command != SMFIR_CONTINUE && !(is_end && command == SMFIR_ACCEPT))) {
		fail("milter_load: connection %u got reply '%c' at step %d", c->number, command, (int)c->asked_step);
	} else {
		if (is_end || c->asked_step == STEP_RCPT)
			times_add(is_end ? &load.eom : &load.rcpt, waited_us);
		if (is_end)
			message_done(c);
		else
			go_on(c);
	}
}

static void on_readable(struct connection *c)
{
	ssize_t n = read(c->fd, c->in + c->have, sizeof c->in - c->have);
	size_t at = 0;

	if (n <= 0)
		fail("milter_load: the filter closed connection %u", c->number);
	c->have += (size_t)n;
	while (c->have - at >= 5) {
		uint32_t length;
		const unsigned char *reply = c->in + at;

		memcpy(&length, reply, sizeof length);
		length = ntohl(length);
		if (length == 0 || length > sizeof c->in - 4)
			fail("milter_load: a reply of %u bytes", length);
		if (c->have - at < length + 4)
			break;
		at += length + 4;
		take_reply(c, reply[4], reply + 5, length - 1);
	}
	c->have -= at;
	memmove(c->in, c->in + at, c->have);
}

static void run(struct connection *connections, uint64_t count)
{
	struct epoll_event ready[64];

	for (unsigned i = 0; i < count; i++) {
		connections[i].number = i;
		mg_buf_init(&connections[i].out, OUT_MAX);
		open_session(&connections[i]);
	}
	while (load.idle > 0 ? load.idles < load.idle : load.done < load.messages) {
		int n = epoll_wait(load.queue, ready, sizeof ready / sizeof ready[0], WAIT_MS);

		if (n <= 0)
			fail("milter_load: no reply for %d s", WAIT_MS / 1000);
		for (int i = 0; i < n; i++)
			on_readable(ready[i].data.ptr);
	}
}

static void close_all(struct connection *connections, uint64_t count)
{
	for (unsigned i = 0; i < count; i++) {
		close_session(&connections[i]);
		mg_buf_fini(&connections[i].out);
	}
	close(load.queue);
}

static void hold_idle(void)
{
	printf("{\"idle\": %" PRIu64 "}\n", load.idles);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
}

static void print_result(double seconds)
{
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.3f, \"per_s\": %.0f, \"steps\": \"%#x\", \"edits\": %" PRIu64
	       ", ",
		load.done, seconds, (double)load.done / seconds, load.steps, load.edits);
	times_print("rcpt_us", &load.rcpt);
	fputs(", ", stdout);
	times_print("eom_us", &load.eom);
	puts("}");
}

static void read_arguments(int argc, char **argv)
{
	const struct {
		char letter;
		uint64_t *number, max;
	} numbers[] = { { 'c', &load.connections, 1000 }, { 'm', &load.messages, 10000000 },
		{ 'p', &load.per_session, 1000000 }, { 'r', &load.recipients, 1000 }, { 'b', &load.body, 500000 },
		{ 'k', &load.chunk, 65535 }, { 'i', &load.idle, 100000 } };
	struct mg_err err = { "" };
	bool is_good = true;
	int option;

	while (is_good && (option = getopt(argc, argv, "c:m:p:r:b:k:i:")) != -1) {
		size_t i = 0, count = sizeof numbers / sizeof numbers[0];

		while (i < count && numbers[i].letter != option)
			i++;
		is_good = i < count && mg_str_to_u64(mg_str_z(optarg), numbers[i].max, numbers[i].number) &&
			  *numbers[i].number > 0;
	}
	if (!is_good || optind + 1 != argc || mg_endpoint_parse(mg_str_z(argv[optind]), &load.endpoint, &err) != MG_OK)
		fail("usage: milter_load [-c CONNECTIONS] [-m MESSAGES] [-p PER-CONNECTION] [-r RECIPIENTS] [-b BODY] "
		     "[-k CHUNK] [-i IDLE] unix:/PATH %s",
			err.text);
}

static bool make_body(void)
{
	static const char line[] = "It was the best of times, it was the worst of times, it was the age of wisdom.\r\n";

	load.body_text = malloc(load.body);
	for (size_t i = 0; load.body_text != NULL && i < load.body; i++)
		load.body_text[i] = line[i % (sizeof line - 1)];
	return load.body_text != NULL;
}

int main(int argc, char **argv)
{
	struct connection *connections;
	uint64_t count;
	int64_t start_us;
	double seconds;

	read_arguments(argc, argv);
	count = load.idle > 0 ? load.idle : load.connections;
	connections = calloc(count, sizeof *connections);
	load.queue = epoll_create1(EPOLL_CLOEXEC);
	if (connections == NULL || load.queue < 0 || !make_body() || !times_init(&load.eom, load.messages) ||
		!times_init(&load.rcpt, load.messages * load.recipients))
		fail("milter_load: no memory");
	start_us = mg_mono_us();
	run(connections, count);
	seconds = (double)(mg_mono_us() - start_us) / 1e6;
	if (load.idle > 0)
		hold_idle();
	close_all(connections, count);
	if (load.idle == 0)
		print_result(seconds);
	free(connections);
	free(load.body_text);
	free(load.eom.us);
	free(load.rcpt.us);
	return EXIT_SUCCESS;
}
