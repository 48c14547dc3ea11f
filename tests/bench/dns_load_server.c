/* DNS for the benchmarks: thousands of answers a second, each as late as it is told, for endless domains by pattern.
 *
 *   dns_load_server ADDRESS PORT RSA-RECORD ED25519-RECORD
 *
 *   dN.example                    TXT  v=spf1 ip4:10.0.0.0/8 -all      (the address of N in 10/8 is its mail server's)
 *   _dmarc.dN.example             TXT  v=DMARC1; p=reject
 *   rsa._domainkey.dN.example     TXT  RSA-RECORD; ed25519._domainkey likewise
 *   mail.dN.example               A    10.x.y.z; and that address's PTR
 *   example.org                   TXT  v=spf1 ip4:192.0.2.0/24 -all    (policy_load's sender)
 *
 * Another type at such a name: no data; another name: it does not exist. UDP only; no answer is longer than 512 bytes.
 * A line on stdin is the delay of all answers from now on, in milliseconds; what comes back is one JSON object: the
 * questions since the start, in all and by kind. The end of stdin ends it. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "measure.h"

enum { PACKET = 1232, ANSWER = 1024, PENDING = 65536, LABELS = 12, TTL = 3600, HEAD = 12, ENOUGH = 64 };
enum { A = 1, SOA = 6, PTR = 12, TXT = 16, OPT = 41 };
enum kind { SPF, HELO, DMARC, KEY, NAME, ADDRESS, OTHER, KINDS };

static const char *const kind_names[KINDS] = { "spf", "helo", "dmarc", "key", "ptr", "address", "other" };

struct question {
	struct mg_str labels[LABELS];
	size_t count, wire; /* bytes of the question section */
	unsigned type;
};

struct pending {
	int64_t due_us;
	struct sockaddr_in peer;
	size_t length;
	unsigned char bytes[ANSWER];
};

static struct {
	int socket;
	int64_t delay_us;
	struct mg_str rsa, ed25519;
	unsigned long asked[KINDS];
	size_t first, count; /* of pending, a ring: one delay for all keeps it in order */
	struct pending pending[PENDING];
} server;

/* ---- questions ---- */

static bool read_question(const unsigned char *packet, size_t length, struct question *question_out)
{
	size_t at = HEAD;

	question_out->count = 0;
	while (at < length && packet[at] != 0) {
		if (packet[at] > 63 || at + 1 + packet[at] >= length || question_out->count == LABELS)
			return false;
		question_out->labels[question_out->count++] = mg_str_of(packet + at + 1, packet[at]);
		at += 1 + (size_t)packet[at];
	}
	if (at + 5 > length)
		return false;
	question_out->type = (unsigned)packet[at + 1] << 8 | packet[at + 2];
	question_out->wire = at + 5 - HEAD;
	return true;
}

static bool label_is(const struct question *question, size_t i, const char *text)
{
	return i < question->count && mg_str_eq_nocase(question->labels[i], mg_str_z(text));
}

/* The number of the benchmark's own domain that begins at this label. */
static bool domain_at(const struct question *question, size_t i, uint64_t *number_out)
{
	struct mg_str label = i < question->count ? question->labels[i] : mg_str_z("");

	return i + 2 == question->count && label_is(question, i + 1, "example") && label.n > 1 &&
	       (label.p[0] | 32) == 'd' && mg_str_to_u64(mg_str_from(label, 1), 0xffffff, number_out);
}

static bool reversed_address(const struct question *question, uint64_t *number_out)
{
	uint64_t low, middle, high;

	if (question->count != 6 || !label_is(question, 5, "arpa") || !label_is(question, 3, "10") ||
		!mg_str_to_u64(question->labels[0], 255, &low) || !mg_str_to_u64(question->labels[1], 255, &middle) ||
		!mg_str_to_u64(question->labels[2], 255, &high))
		return false;
	*number_out = high << 16 | middle << 8 | low;
	return true;
}

/* ---- answers ---- */

static void add_u16(struct mg_buf *wire, unsigned value)
{
	mg_buf_addc(wire, (char)(value >> 8));
	mg_buf_addc(wire, (char)value);
}

static void add_u32(struct mg_buf *wire, uint32_t value)
{
	add_u16(wire, value >> 16);
	add_u16(wire, value & 0xffff);
}

static void add_name(struct mg_buf *wire, struct mg_str name)
{
	while (name.n > 0) {
		struct mg_str label = mg_str_cut(&name, '.');

		mg_buf_addc(wire, (char)label.n);
		mg_buf_add(wire, label);
	}
	mg_buf_addc(wire, '\0');
}

static void add_txt(struct mg_buf *data, struct mg_str text)
{
	for (size_t at = 0; at < text.n; at += 255) {
		struct mg_str piece = mg_str_first(mg_str_from(text, at), 255);

		mg_buf_addc(data, (char)piece.n);
		mg_buf_add(data, piece);
	}
}

/* What the name has: its kind, the type of its only record, and that record's data. */
static bool look_up(const struct question *question, enum kind *kind_out, unsigned *type_out, struct mg_buf *data)
{
	uint64_t n;
	char text[64];

	*type_out = TXT;
	if (domain_at(question, 0, &n)) {
		*kind_out = question->type == TXT ? SPF : OTHER;
		add_txt(data, mg_str_z("v=spf1 ip4:10.0.0.0/8 -all"));
	} else if (question->count == 2 && label_is(question, 0, "example") && label_is(question, 1, "org")) {
		*kind_out = question->type == TXT ? SPF : OTHER;
		add_txt(data, mg_str_z("v=spf1 ip4:192.0.2.0/24 -all"));
	} else if (domain_at(question, 1, &n) && label_is(question, 0, "_dmarc")) {
		*kind_out = DMARC;
		add_txt(data, mg_str_z("v=DMARC1; p=reject"));
	} else if (domain_at(question, 2, &n) && label_is(question, 1, "_domainkey")) {
		*kind_out = KEY;
		add_txt(data, label_is(question, 0, "rsa") ? server.rsa : server.ed25519);
	} else if (domain_at(question, 1, &n) && label_is(question, 0, "mail")) {
		*kind_out = question->type == TXT ? HELO : ADDRESS;
		*type_out = A;
		add_u32(data, (uint32_t)(10U << 24 | n));
	} else if (reversed_address(question, &n)) {
		*kind_out = NAME;
		*type_out = PTR;
		snprintf(text, sizeof text, "mail.d%u.example", (unsigned)n);
		add_name(data, mg_str_z(text));
	} else {
		*kind_out = label_is(question, 0, "_dmarc") ? DMARC : OTHER;
		return false;
	}
	return true;
}

static void add_record(struct mg_buf *wire, bool has_name, unsigned type, struct mg_str data)
{
	if (has_name)
		add_u16(wire, 0xc000 | HEAD);
	else
		mg_buf_addc(wire, '\0');
	add_u16(wire, type);
	add_u16(wire, 1);
	add_u32(wire, TTL);
	add_u16(wire, (unsigned)data.n);
	mg_buf_add(wire, data);
}

static void answer(const unsigned char *packet, size_t length, struct pending *pending)
{
	static const unsigned char soa[22] = { [20] = TTL >> 8, [21] = TTL & 255 },
				   opt[] = { 0, 0, OPT, 4, 208, 0, 0, 0, 0, 0, 0 };
	struct question question;
	struct mg_buf data, wire;
	enum kind kind;
	unsigned type;
	bool exists, has_record, has_opt;

	pending->length = 0;
	if (length < HEAD || !read_question(packet, length, &question))
		return;
	mg_buf_init(&data, ANSWER);
	mg_buf_init(&wire, ANSWER);
	exists = look_up(&question, &kind, &type, &data);
	server.asked[kind]++;
	has_record = exists && type == question.type;
	has_opt = packet[10] != 0 || packet[11] != 0;
	mg_buf_add(&wire, mg_str_of(packet, 2));
	add_u16(&wire, 0x8180 | (exists ? 0 : 3));
	add_u16(&wire, 1);
	add_u16(&wire, has_record);
	add_u16(&wire, !has_record);
	add_u16(&wire, has_opt);
	mg_buf_add(&wire, mg_str_of(packet + HEAD, question.wire));
	if (has_record)
		add_record(&wire, true, type, mg_buf_str(&data));
	else
		add_record(&wire, false, SOA, mg_str_of(soa, sizeof soa));
	if (has_opt)
		mg_buf_add(&wire, mg_str_of(opt, sizeof opt));
	if (!mg_buf_ok(&wire) || !mg_buf_ok(&data))
		fail("dns_load_server: no room for an answer");
	pending->length = wire.n;
	memcpy(pending->bytes, wire.p, wire.n);
	mg_buf_fini(&data);
	mg_buf_fini(&wire);
}

/* ---- the loop ---- */

static void receive(void)
{
	unsigned char packet[PACKET];

	for (int i = 0; i < ENOUGH && server.count < PENDING; i++) {
		struct pending *pending = &server.pending[(server.first + server.count) % PENDING];
		socklen_t size = sizeof pending->peer;
		ssize_t n = recvfrom(server.socket, packet, sizeof packet, MSG_DONTWAIT, (void *)&pending->peer, &size);

		if (n < 0)
			return;
		pending->due_us = mg_mono_us() + server.delay_us;
		answer(packet, (size_t)n, pending);
		if (pending->length > 0)
			server.count++;
	}
}

static void send_due(void)
{
	int64_t now_us = mg_mono_us();

	while (server.count > 0 && server.pending[server.first].due_us <= now_us) {
		struct pending *pending = &server.pending[server.first];

		sendto(server.socket, pending->bytes, pending->length, 0, (void *)&pending->peer, sizeof pending->peer);
		server.first = (server.first + 1) % PENDING;
		server.count--;
	}
}

/* False at the end of stdin. */
static bool obey(void)
{
	char line[32];
	unsigned long all = 0;
	uint64_t ms;

	if (fgets(line, sizeof line, stdin) == NULL)
		return false;
	if (!mg_str_to_u64(mg_str_trim(mg_str_z(line)), 10000, &ms))
		fail("dns_load_server: a delay is expected");
	server.delay_us = (int64_t)ms * MG_MS_US;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		printf("%c\"%s\": %lu", kind == 0 ? '{' : ',', kind_names[kind], server.asked[kind]);
		all += server.asked[kind];
	}
	printf(", \"all\": %lu}\n", all);
	fflush(stdout);
	return true;
}

static void serve(void)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = server.socket, .events = POLLIN } };

	for (;;) {
		int64_t left_us =
			server.count == 0 ? MG_MS_US * 1000 : server.pending[server.first].due_us - mg_mono_us();
		struct timespec wait = { .tv_nsec = left_us < 0 ? 0 : (long)(left_us * 999) };

		if (ppoll(fds, 2, &wait, NULL) < 0 && errno != EINTR)
			fail("dns_load_server: poll");
		if (fds[0].revents != 0 && !obey())
			return;
		if (fds[1].revents != 0)
			receive();
		send_due();
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	uint64_t port;
	int room = 8 * 1024 * 1024;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1 ||
		!mg_str_to_u64(mg_str_z(argv[2]), 65535, &port))
		fail("usage: dns_load_server ADDRESS PORT RSA-RECORD ED25519-RECORD");
	address.sin_port = htons((uint16_t)port);
	server.rsa = mg_str_z(argv[3]);
	server.ed25519 = mg_str_z(argv[4]);
	server.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(server.socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (server.socket < 0 || bind(server.socket, (void *)&address, sizeof address) != 0)
		fail("dns_load_server: can't serve %s port %s", argv[1], argv[2]);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll sees what is left to read */
	serve();
	return EXIT_SUCCESS;
}
