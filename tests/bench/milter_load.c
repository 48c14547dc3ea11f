/* A load of mail as Postfix's smtpd(8) and cleanup(8) tell it to a milter: protocol 6, macros before their event, what
 * needs no reply buffered and written in Postfix's 4096 bytes, one body chunk up to 65535 bytes, an abort behind each
 * end of message. Each connection is an SMTP session of several messages. Given more filters, each gets the envelope's
 * events in turn, and then, one after another, the whole message with the fields that those before it added. A reply that
 * is not the expected one ends the run.
 *
 *   milter_load [-c CONNECTIONS] [-m MESSAGES] [-p MESSAGES-PER-CONNECTION] [-r RECIPIENTS] [-b BODY] [-k CHUNK]
 *               [-f FILE [-s SKIP]] [-w MS [-a]] [-x TEXT]... unix:/PATH...
 *   milter_load -i SESSIONS unix:/PATH    opens idle sessions (HELO done), says so, and holds them until its stdin ends
 *
 * -f: the messages of sign_messages, by turns, each session's from one client; the first SKIP of them are left out
 * -w: the time between the SMTP commands (connect, HELO, MAIL, RCPT, DATA, the dot); sessions begin one after another,
 *     evenly over a message's time, or with -a all at once
 * -x: what the fields added to each message must contain; given twice with the same text: twice
 *
 * Prints one JSON object: messages, seconds, per_s, and the waits in microseconds: RCPT's, end-of-message's (of the last
 * filter), and dot's: from the first header field to the last filter's verdict, as Postfix sends no field before the dot. */
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
#include "letters.h"
#include "measure.h"

enum { CONNECT_MS = 5000, WAIT_MS = 20000, PIECE = 4096, OUT_MAX = 1024 * 1024, REPLY_MAX = 8192 };
enum { FILTERS = 4, EXPECTED = 8, ADDED_MAX = 65536, COMMANDS = 5 };

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

/* One filter's end of a session. */
struct link {
	int fd;
	unsigned filter;
	bool is_negotiating;
	uint32_t steps; /* SMFIP_* that the filter asked for */
	struct connection *owner;
	size_t have;
	unsigned char in[REPLY_MAX];
	struct mg_buf out;
};

struct connection {
	unsigned number, sessions, messages; /* of this session */
	bool is_over;
	const struct letter *letter;
	struct link links[FILTERS], *link; /* the one that is talked to */
	enum step step;                    /* the next to send; its reply is awaited when `asked` is set */
	enum step asked_step;
	uint64_t repeat; /* how many of this step have been sent */
	int64_t asked_us, dot_us, due_us;
	struct connection *next; /* of those that pause */
	char queue_id[20], serial[20];
	struct mg_buf added; /* names and values of the fields that filters added to this message */
	uint64_t added_count;
	const char *field; /* the next to send */
};

static struct {
	uint64_t connections, messages, per_session, recipients, body, chunk, idle, skipped, pause_ms;
	struct mg_endpoint endpoints[FILTERS];
	unsigned filters;
	const char *path;
	struct mg_str expected[EXPECTED];
	size_t expected_count;
	struct letters letters;
	uint64_t begun, done, idles, edits, opened;
	bool is_crowd;
	uint32_t steps;
	int queue;
	struct connection *first_paused; /* the first to go on */
	struct times rcpt, eom, dot;
} load = { .connections = 16, .messages = 20000, .per_session = 5, .recipients = 1, .body = 10240, .chunk = 65535 };

/* ---- packets: length, command, bytes ---- */

static size_t packet(struct connection *c, char command)
{
	size_t at = c->link->out.n;

	mg_buf_add(&c->link->out, mg_str_of("\0\0\0\0", 4));
	mg_buf_addc(&c->link->out, command);
	return at;
}

static void packet_end(struct connection *c, size_t at)
{
	uint32_t length = htonl((uint32_t)(c->link->out.n - at - 4));

	memcpy(c->link->out.p + at, &length, sizeof length);
}

static void add_z(struct connection *c, const char *text)
{
	mg_buf_add(&c->link->out, mg_str_of(text, strlen(text) + 1));
}

/* Names and values by turns, then NULL. */
static void add_macros(struct connection *c, char command, const char *const *pairs)
{
	size_t at = packet(c, SMFIC_MACRO);

	mg_buf_addc(&c->link->out, command);
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
	char name[64], port[12];
	const char *ip = c->letter->address;
	uint16_t port_number = (uint16_t)(1024 + (c->sessions * 64 + c->number) % 60000), wire = htons(port_number);
	size_t at;

	snprintf(name, sizeof name, "%s", c->letter->helo);
	snprintf(port, sizeof port, "%u", port_number);
	add_macros(c, SMFIC_CONNECT,
		(const char *const[]){ "j", "mail.local.example", "{client_addr}", ip, "{client_port}", port,
			"{client_name}", name, "{daemon_port}", "25", NULL });
	at = packet(c, SMFIC_CONNECT);
	add_z(c, name);
	mg_buf_addc(&c->link->out, '4');
	mg_buf_add(&c->link->out, mg_str_of(&wire, sizeof wire));
	add_z(c, ip);
	packet_end(c, at);
}

static void add_helo(struct connection *c)
{
	add_macros(c, SMFIC_HELO, (const char *const[]){ "{tls_version}", "TLSv1.3", NULL });
	add_text(c, SMFIC_HELO, c->letter->helo);
}

static void begin_message(struct connection *c)
{
	uint64_t n = load.begun++;

	snprintf(c->queue_id, sizeof c->queue_id, "4%05X%06" PRIX64 "z", (unsigned)getpid() & 0xfffff, n);
	snprintf(c->serial, sizeof c->serial, "%u.%" PRIu64, (unsigned)getpid(), n);
	mg_buf_reset(&c->added);
	c->added_count = 0;
}

static void add_mail(struct connection *c)
{
	char sender[128];
	size_t at;

	if (c->link == c->links)
		begin_message(c);
	if (c->letter->sender != NULL)
		snprintf(sender, sizeof sender, "<%s>", c->letter->sender);
	else
		snprintf(sender, sizeof sender, "<sender%" PRIu64 "@example.org>", load.begun * 7919 % 100000);
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

/* The plain message; an empty value is the message's own. */
static const char plain_fields[] = "Received\0 from mail.example.org (mail.example.org [192.0.2.1])\n"
				   "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n"
				   "\tby mail.local.example (Postfix) with ESMTPS id 4ABCDEF\n"
				   "\tfor <user0@local.example>; Sat, 21 Nov 2026 19:36:37 +0000 (UTC)\0"
				   "Received\0 by mail.example.org (Postfix, from userid 1000)\n"
				   "\tid 4AAAAAAA; Sat, 21 Nov 2026 19:36:36 +0000 (UTC)\0"
				   "DKIM-Signature\0 v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2026;\n"
				   "\tt=1795289797; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n"
				   "\th=From:To:Subject:Date:Message-ID;\n"
				   "\tb=dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmcgYXMgb25lIHdvdWxkIGJl\n"
				   "\t dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmcgYXMgb25lIHdvdWxkIGJl\0"
				   "From\0 Some Body <somebody@example.org>\0"
				   "To\0 Ann <user0@local.example>\0"
				   "Subject\0 The quarterly figures, and what they mean\0"
				   "Date\0 Sat, 21 Nov 2026 19:36:36 +0000\0"
				   "Message-ID\0\0"
				   "MIME-Version\0 1.0\0"
				   "Content-Type\0 text/plain; charset=utf-8; format=flowed\0"
				   "Content-Transfer-Encoding\0 8bit\0"
				   "User-Agent\0 Mutt/2.2.12 (2023-09-09)";

static const char *next_text(struct connection *c)
{
	const char *text = c->field;

	c->field += strlen(text) + 1;
	return text;
}

/* Those that filters added come first. */
static void add_header(struct connection *c)
{
	const char *name, *value;
	char id[64];
	size_t at = packet(c, SMFIC_HEADER);

	if (c->repeat == 0)
		c->field = mg_buf_z(&c->added);
	if (c->repeat == c->added_count)
		c->field = c->letter->fields;
	name = next_text(c);
	value = next_text(c);
	if (value[0] == '\0') {
		snprintf(id, sizeof id, " <%s@example.org>", c->serial);
		value = id;
	}
	add_z(c, name);
	add_z(c, value + (value[0] == ' ' && (c->link->steps & SMFIP_HDR_LEADSPC) == 0));
	packet_end(c, at);
}

static void add_eoh(struct connection *c)
{
	add_with_id(c, SMFIC_EOH);
}

static void add_body(struct connection *c)
{
	size_t at = packet(c, SMFIC_BODY);

	mg_buf_add(&c->link->out,
		mg_str_first(mg_str_from(c->letter->body, (size_t)(c->repeat * load.chunk)), load.chunk));
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

static uint64_t repeats(const struct connection *c, enum step step)
{
	switch (step) {
	case STEP_RCPT:
		return load.recipients;
	case STEP_HEADER:
		return c->added_count + c->letter->field_count;
	case STEP_BODY:
		return (c->letter->body.n + load.chunk - 1) / load.chunk;
	default:
		return 1;
	}
}

static void flush(struct link *link)
{
	int64_t deadline_us = mg_mono_us() + WAIT_MS * MG_MS_US;

	if (!mg_buf_ok(&link->out))
		fail("milter_load: no memory");
	for (size_t at = 0; at < link->out.n; at += PIECE)
		if (!mg_fd_write_all(
			    link->fd, mg_str_first(mg_str_from(mg_buf_str(&link->out), at), PIECE), deadline_us))
			fail("milter_load: the filter does not take what connection %u writes", link->owner->number);
	mg_buf_reset(&link->out);
}

static int connect_filter(const struct mg_endpoint *endpoint)
{
	int64_t deadline_us = mg_mono_us() + CONNECT_MS * MG_MS_US;
	int fd;

	while ((fd = mg_endpoint_connect(endpoint, CONNECT_MS)) < 0) {
		if (errno != EAGAIN || mg_mono_us() > deadline_us) /* EAGAIN: its backlog is full */
			fail("milter_load: can't connect to %s", endpoint->text);
		usleep(1000);
	}
	return fd;
}

static void open_link(struct connection *c, unsigned filter)
{
	const uint32_t offer[3] = { htonl(6), htonl(SMFI_CURR_ACTS), htonl(SMFI_CURR_PROT) };
	struct link *link = c->link = &c->links[filter];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
	size_t at;

	link->owner = c;
	link->filter = filter;
	link->fd = connect_filter(&load.endpoints[filter]);
	if (epoll_ctl(load.queue, EPOLL_CTL_ADD, link->fd, &event) != 0)
		fail("milter_load: epoll_ctl");
	link->is_negotiating = true;
	at = packet(c, SMFIC_OPTNEG);
	mg_buf_add(&link->out, mg_str_of(offer, sizeof offer));
	packet_end(c, at);
	flush(link);
}

static void open_session(struct connection *c)
{
	c->messages = 0;
	c->sessions++;
	c->letter = &load.letters.all[load.opened++ % load.letters.count];
	open_link(c, 0);
}

static void close_session(struct connection *c)
{
	for (unsigned i = 0; i < load.filters; i++) {
		c->link = &c->links[i];
		packet_end(c, packet(c, SMFIC_QUIT));
		flush(c->link);
		close(c->link->fd);
		c->link->fd = -1;
	}
}

/* Sends one step, all of it or up to where its reply is due; true: it is. */
static bool send_step(struct connection *c)
{
	enum step step = c->step;
	bool is_sent = (c->link->steps & steps[step].unsent) == 0;
	bool is_answered = is_sent && (c->link->steps & steps[step].unanswered) == 0;

	for (uint64_t count = repeats(c, step); c->repeat < count;) {
		if (is_sent)
			steps[step].add(c);
		c->repeat++;
		if (is_answered) {
			c->asked_step = step;
			c->asked_us = mg_mono_us();
			flush(c->link);
			return true;
		}
	}
	return false;
}

static void pause_until(struct connection *c, int64_t due_us)
{
	struct connection **at = &load.first_paused;

	while (*at != NULL && (*at)->due_us <= due_us)
		at = &(*at)->next;
	c->due_us = due_us;
	c->next = *at;
	*at = c;
}

static void pause_before(struct connection *c)
{
	pause_until(c, mg_mono_us() + (int64_t)load.pause_ms * MG_MS_US);
}

/* The envelope's steps go to each filter in turn; from the header on each filter gets all of the rest. True: a new SMTP
 * command begins. */
static bool next_step(struct connection *c)
{
	bool is_last = c->link == &c->links[load.filters - 1];

	c->repeat = 0;
	if (c->step < STEP_HEADER && !is_last) {
		c->link++;
		return false;
	}
	c->step++;
	if (c->step > STEP_HEADER)
		return false;
	c->link = c->links;
	return true;
}

/* What has to be known before a command is sent. False: the session rests. */
static bool begin_command(struct connection *c)
{
	bool is_last = load.idle > 0 || load.begun >= load.messages || c->messages >= load.per_session;

	if (c->step == STEP_MAIL && is_last) {
		c->is_over = true;
		load.idles++;
		for (unsigned i = 0; i < load.filters; i++)
			flush(&c->links[i]);
		return false;
	}
	if (c->step == STEP_HEADER)
		c->dot_us = mg_mono_us();
	return true;
}

/* Sends on until a reply is due, a pause, or the session rests. */
static void go_on(struct connection *c)
{
	while (!send_step(c)) {
		if (!next_step(c))
			continue;
		if (load.pause_ms > 0) {
			pause_before(c);
			return;
		}
		if (!begin_command(c))
			return;
	}
}

static void end_pauses(void)
{
	int64_t now_us = mg_mono_us();

	while (load.first_paused != NULL && load.first_paused->due_us <= now_us) {
		struct connection *c = load.first_paused;

		load.first_paused = c->next;
		if (c->sessions == 0) {
			open_session(c);
			continue;
		}
		if (begin_command(c)) /* what needs no reply stays in the buffer, as in Postfix's */
			go_on(c);
	}
}

static int until_next_ms(void)
{
	int64_t left_us;

	if (load.first_paused == NULL)
		return WAIT_MS;
	left_us = load.first_paused->due_us - mg_mono_us();
	return left_us <= 0 ? 0 : (int)((left_us + MG_MS_US - 1) / MG_MS_US);
}

/* Whether the text is there as often as -x was given with it up to this one. */
static bool is_added(struct mg_str added, size_t expected)
{
	for (size_t i = 0; i <= expected; i++) {
		size_t at;

		if (!mg_str_eq(load.expected[i], load.expected[expected]))
			continue;
		if ((at = mg_str_find_str(added, load.expected[i])) == SIZE_MAX)
			return false;
		added = mg_str_from(added, at + load.expected[i].n);
	}
	return true;
}

static void check_added(struct connection *c)
{
	struct mg_str added = mg_buf_str(&c->added);

	for (size_t i = 0; i < load.expected_count; i++) {
		if (is_added(added, i))
			continue;
		for (size_t at = 0; at < c->added.n; at++)
			if (c->added.p[at] == '\0')
				c->added.p[at] = '|';
		fail("milter_load: \"%.*s\" is not in the fields added to a message of %s: %.*s",
			MG_STR_ARGS(load.expected[i]), c->letter->helo, MG_STR_ARGS(added));
	}
}

static void message_done(struct connection *c)
{
	check_added(c);
	times_add(&load.dot, mg_mono_us() - c->dot_us);
	load.done++;
	for (unsigned i = 0; i < load.filters; i++) {
		c->link = &c->links[i];
		packet_end(c, packet(c, SMFIC_ABORT));
	}
	c->link = c->links;
	c->step = STEP_MAIL;
	c->repeat = 0;
	if (++c->messages >= load.per_session && load.opened * load.per_session < load.messages) {
		close_session(c);
		open_session(c);
	} else if (load.pause_ms > 0) {
		pause_before(c);
	} else if (begin_command(c)) {
		go_on(c);
	}
}

/* The next filter gets the message, or it is done. */
static void filter_done(struct connection *c)
{
	if (c->link == &c->links[load.filters - 1]) {
		message_done(c);
		return;
	}
	c->link++;
	c->step = STEP_HEADER;
	c->repeat = 0;
	go_on(c);
}

/* ---- replies ---- */

static void take_offer(struct connection *c, const unsigned char *bytes, size_t length)
{
	struct link *link = c->link;
	uint32_t said[3];

	if (length < sizeof said)
		fail("milter_load: a negotiation of %zu bytes", length);
	memcpy(said, bytes, sizeof said);
	link->steps = ntohl(said[2]);
	if (ntohl(said[0]) > 6 || (link->steps & ~(uint32_t)SMFI_CURR_PROT) != 0)
		fail("milter_load: the filter wants version %u, steps %#x", ntohl(said[0]), link->steps);
	load.steps = link->steps;
	link->is_negotiating = false;
	if (link->filter + 1 < load.filters) {
		open_link(c, link->filter + 1);
		return;
	}
	c->link = c->links;
	c->step = STEP_CONNECT;
	c->repeat = 0;
	go_on(c);
}

/* A field added: its name and value, behind an index when it is inserted. */
static void take_edit(struct connection *c, unsigned char command, const unsigned char *bytes, size_t length)
{
	struct mg_str field = mg_str_of(bytes, length);

	load.edits++;
	if (command == SMFIR_CHGHEADER)
		return;
	mg_buf_add(&c->added, command == SMFIR_INSHEADER ? mg_str_from(field, 4) : field);
	if (!mg_buf_ok(&c->added))
		fail("milter_load: too many fields are added");
	c->added_count++;
}

static void take_reply(struct connection *c, unsigned char command, const unsigned char *bytes, size_t length)
{
	bool is_end = c->asked_step == STEP_EOM, is_negotiating = c->link->is_negotiating;
	int64_t waited_us = mg_mono_us() - c->asked_us;

	if (is_negotiating && command == SMFIC_OPTNEG) {
		take_offer(c, bytes, length);
	} else if (!is_negotiating && !c->is_over && is_end &&
		   (command == SMFIR_ADDHEADER || command == SMFIR_INSHEADER || command == SMFIR_CHGHEADER)) {
		take_edit(c, command, bytes, length);
	} else if (!is_negotiating && !c->is_over && is_end && command == SMFIR_PROGRESS) {
		return;
	} else if (is_negotiating || c->is_over ||
		   (command != SMFIR_CONTINUE && !(is_end && command == SMFIR_ACCEPT))) {
		fail("milter_load: connection %u got reply '%c' of filter %u at step %d", c->number, command,
			c->link->filter + 1, (int)c->asked_step);
	} else {
		if (is_end || c->asked_step == STEP_RCPT)
			times_add(is_end ? &load.eom : &load.rcpt, waited_us);
		if (is_end)
			filter_done(c);
		else
			go_on(c);
	}
}

static void on_readable(struct link *link)
{
	ssize_t n = read(link->fd, link->in + link->have, sizeof link->in - link->have);
	size_t at = 0;

	if (n <= 0 || link->owner->link != link)
		fail("milter_load: filter %u of connection %u ends, or speaks out of turn", link->filter + 1,
			link->owner->number);
	link->have += (size_t)n;
	while (link->have - at >= 5) {
		uint32_t length;
		const unsigned char *reply = link->in + at;

		memcpy(&length, reply, sizeof length);
		length = ntohl(length);
		if (length == 0 || length > sizeof link->in - 4)
			fail("milter_load: a reply of %u bytes", length);
		if (link->have - at < length + 4)
			break;
		at += length + 4;
		take_reply(link->owner, reply[4], reply + 5, length - 1);
	}
	link->have -= at;
	memmove(link->in, link->in + at, link->have);
}

static void init(struct connection *c, unsigned number)
{
	c->number = number;
	mg_buf_init(&c->added, ADDED_MAX);
	for (unsigned i = 0; i < load.filters; i++)
		mg_buf_init(&c->links[i].out, OUT_MAX);
	if (load.is_crowd || load.pause_ms == 0)
		open_session(c);
	else
		pause_until(
			c, mg_mono_us() + (int64_t)(load.pause_ms * COMMANDS * number / load.connections) * MG_MS_US);
}

static void run(struct connection *connections, uint64_t count)
{
	struct epoll_event ready[64];

	for (unsigned i = 0; i < count; i++)
		init(&connections[i], i);
	while (load.idle > 0 ? load.idles < load.idle : load.done < load.messages) {
		int n = epoll_wait(load.queue, ready, sizeof ready / sizeof ready[0], until_next_ms());

		if (n < 0 || (n == 0 && load.first_paused == NULL))
			fail("milter_load: no reply for %d s", WAIT_MS / 1000);
		for (int i = 0; i < n; i++)
			on_readable(ready[i].data.ptr);
		end_pauses();
	}
}

static void close_all(struct connection *connections, uint64_t count)
{
	for (unsigned i = 0; i < count; i++) {
		close_session(&connections[i]);
		mg_buf_fini(&connections[i].added);
		for (unsigned j = 0; j < load.filters; j++)
			mg_buf_fini(&connections[i].links[j].out);
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
	fputs(", ", stdout);
	times_print("dot_us", &load.dot);
	puts("}");
}

static bool read_number(int option, const char *text)
{
	const struct {
		char letter;
		uint64_t *number, max;
	} numbers[] = { { 'c', &load.connections, 1000 }, { 'm', &load.messages, 10000000 },
		{ 'p', &load.per_session, 1000000 }, { 'r', &load.recipients, 1000 }, { 'b', &load.body, 500000 },
		{ 'k', &load.chunk, 65535 }, { 'i', &load.idle, 100000 }, { 's', &load.skipped, 1000000 },
		{ 'w', &load.pause_ms, 10000 } };
	size_t i = 0, count = sizeof numbers / sizeof numbers[0];

	while (i < count && numbers[i].letter != option)
		i++;
	return i < count && mg_str_to_u64(mg_str_z(text), numbers[i].max, numbers[i].number) && *numbers[i].number > 0;
}

static void read_arguments(int argc, char **argv)
{
	struct mg_err err = { "" };
	bool is_good = true;
	int option;

	while (is_good && (option = getopt(argc, argv, "c:m:p:r:b:k:i:f:s:w:ax:")) != -1) {
		if (option == 'f')
			load.path = optarg;
		else if (option == 'a')
			load.is_crowd = true;
		else if (option == 'x' && load.expected_count < EXPECTED)
			load.expected[load.expected_count++] = mg_str_z(optarg);
		else
			is_good = read_number(option, optarg);
	}
	while (is_good && optind < argc && load.filters < FILTERS)
		is_good = mg_endpoint_parse(mg_str_z(argv[optind++]), &load.endpoints[load.filters++], &err) == MG_OK;
	if (!is_good || optind != argc || load.filters == 0)
		fail("usage: milter_load [-c CONNECTIONS] [-m MESSAGES] [-p PER-CONNECTION] [-r RECIPIENTS] [-b BODY] "
		     "[-k CHUNK] [-i IDLE] [-f FILE [-s SKIP]] [-w MS [-a]] [-x TEXT]... unix:/PATH... %s",
			err.text);
}

static struct mg_str plain_body(void)
{
	static const char line[] = "It was the best of times, it was the worst of times, it was the age of wisdom.\r\n";
	char *text = malloc(load.body);

	if (text == NULL)
		fail("milter_load: no memory");
	for (size_t i = 0; i < load.body; i++)
		text[i] = line[i % (sizeof line - 1)];
	return mg_str_of(text, load.body);
}

/* The plain message, from each of many clients. */
static void make_letters(struct letters *letters, uint64_t count)
{
	static char names[250][2][32];
	struct mg_str body = plain_body();
	uint64_t texts = 1;

	for (size_t i = 0; i < sizeof plain_fields - 1; i++)
		texts += plain_fields[i] == '\0';
	letters->all = calloc(count, sizeof *letters->all);
	if (letters->all == NULL)
		fail("milter_load: no memory");
	letters->count = count;
	for (size_t i = 0; i < count; i++) {
		char(*name)[32] = names[i % 250];

		snprintf(name[0], sizeof name[0], "192.0.2.%zu", i % 250 + 1);
		snprintf(name[1], sizeof name[1], "mail%zu.example.org", i % 250);
		letters->all[i] = (struct letter){ name[0], name[1], NULL, plain_fields, texts / 2, body };
	}
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
	if (connections == NULL || load.queue < 0 || !times_init(&load.eom, load.messages * load.filters) ||
		!times_init(&load.dot, load.messages) || !times_init(&load.rcpt, load.messages * load.recipients))
		fail("milter_load: no memory");
	if (load.path != NULL)
		letters_read(&load.letters, load.path, load.skipped);
	else
		make_letters(&load.letters, count);
	start_us = mg_mono_us();
	run(connections, count);
	seconds = (double)(mg_mono_us() - start_us) / 1e6;
	if (load.idle > 0)
		hold_idle();
	close_all(connections, count);
	if (load.idle == 0)
		print_result(seconds);
	free(connections);
	if (load.path == NULL)
		free((void *)(uintptr_t)load.letters.all[0].body.p);
	free(load.letters.all);
	free(load.eom.us);
	free(load.rcpt.us);
	free(load.dot.us);
	return EXIT_SUCCESS;
}
