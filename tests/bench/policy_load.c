/* A load of policy requests as smtpd(8) sends them: each connection asks, waits for its answer, and asks again. Each
 * request is a message of its own (a new instance, a sender of many) at RCPT. An answer that is not the expected one
 * ends the run.
 *
 *   policy_load [-c CONNECTIONS] [-m REQUESTS] [-s SENDERS] [-a ANSWER | -A BEGINNING-OF-ANSWER] unix:/PATH
 *
 * Prints one JSON object: requests, seconds, per_s, and the wait for the answer in microseconds. */
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "measure.h"

enum { CONNECT_MS = 5000, WAIT_MS = 20000, REQUEST_MAX = 2048, ANSWER_MAX = 1024 };

struct connection {
	int fd;
	unsigned number;
	int64_t asked_us;
	size_t have;
	char answer[ANSWER_MAX];
};

static struct {
	uint64_t connections, requests, senders;
	struct mg_str answer; /* expected, whole, or its beginning */
	bool is_beginning;
	struct mg_endpoint endpoint;
	uint64_t asked, answered;
	struct times waits;
} load = { .connections = 64, .requests = 100000, .senders = 100000, .answer = { "action=dunno\n\n", 14 } };

static const char request_format[] =
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.%u\n"
	"client_name=mail%u.example.org\nclient_port=%u\nreverse_client_name=mail%u.example.org\n"
	"server_address=198.51.100.25\nserver_port=25\nhelo_name=mail%u.example.org\nsender=sender%" PRIu64
	"@example.org\nrecipient=ann@local.example\nrecipient_count=0\nqueue_id=\ninstance=%x.%" PRIx64
	".%05x.0\nsize=10240\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n"
	"ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
	"encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=rcpt\n"
	"compatibility_level=3.6\nmail_version=3.7.11\n\n";

static void ask(struct connection *connection)
{
	unsigned n = connection->number;
	uint64_t serial = load.asked++;
	char text[REQUEST_MAX];
	int length = snprintf(text, sizeof text, request_format, n % 250 + 1, n, 20000 + n, n, n,
		serial * 7919 % load.senders, 0x1000 + n, 0x69200000 + serial / 100000, (unsigned)(serial % 100000));

	if (length < 0 || (size_t)length >= sizeof text)
		fail("policy_load: a request of %d bytes", length);
	connection->have = 0;
	connection->asked_us = mg_mono_us();
	if (write(connection->fd, text, (size_t)length) != length)
		fail("policy_load: a request could not be written");
}

static bool is_expected(struct mg_str got)
{
	return load.is_beginning ? mg_str_starts(got, load.answer) && mg_str_ends_nocase(got, mg_str_z("\n\n"))
				 : mg_str_eq(got, load.answer);
}

static void take(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->answer + connection->have, ANSWER_MAX - connection->have);
	struct mg_str got;

	if (n <= 0)
		fail("policy_load: the server closed connection %u", connection->number);
	connection->have += (size_t)n;
	got = mg_str_of(connection->answer, connection->have);
	if (!is_expected(got)) {
		if (connection->have < ANSWER_MAX && !mg_str_ends_nocase(got, mg_str_z("\n\n")))
			return;
		fail("policy_load: the answer is \"%.*s\"", MG_STR_ARGS(mg_str_trim(got)));
	}
	times_add(&load.waits, mg_mono_us() - connection->asked_us);
	load.answered++;
	if (load.asked < load.requests)
		ask(connection);
}

static void run(void)
{
	struct connection *connections = calloc(load.connections, sizeof *connections);
	struct epoll_event ready[64];
	int queue = epoll_create1(EPOLL_CLOEXEC);

	if (connections == NULL || queue < 0)
		fail("policy_load: no memory");
	for (unsigned i = 0; i < load.connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };

		connections[i].number = i;
		connections[i].fd = mg_endpoint_connect(&load.endpoint, CONNECT_MS);
		if (connections[i].fd < 0 || epoll_ctl(queue, EPOLL_CTL_ADD, connections[i].fd, &event) != 0)
			fail("policy_load: can't connect to %s", load.endpoint.text);
	}
	for (unsigned i = 0; i < load.connections && load.asked < load.requests; i++)
		ask(&connections[i]);
	while (load.answered < load.requests) {
		int n = epoll_wait(queue, ready, sizeof ready / sizeof ready[0], WAIT_MS);

		if (n <= 0)
			fail("policy_load: no answer for %d s", WAIT_MS / 1000);
		for (int i = 0; i < n; i++)
			take(ready[i].data.ptr);
	}
	for (unsigned i = 0; i < load.connections; i++)
		close(connections[i].fd);
	close(queue);
	free(connections);
}

static bool read_number(const char *text, uint64_t max, uint64_t *number_out)
{
	return mg_str_to_u64(mg_str_z(text), max, number_out) && *number_out > 0;
}

static void read_arguments(int argc, char **argv)
{
	static char answer[ANSWER_MAX];
	struct mg_err err = { "" };
	bool is_good = true;
	int option;

	while ((option = getopt(argc, argv, "c:m:s:a:A:")) != -1 && is_good) {
		if (option == 'c')
			is_good = read_number(optarg, 1000, &load.connections);
		else if (option == 'm')
			is_good = read_number(optarg, 10000000, &load.requests);
		else if (option == 's')
			is_good = read_number(optarg, 10000000, &load.senders);
		else if (option == 'a' && snprintf(answer, sizeof answer, "action=%s\n\n", optarg) > 0)
			load.answer = mg_str_z(answer);
		else if (option == 'A' && snprintf(answer, sizeof answer, "action=%s", optarg) > 0)
			load.answer = mg_str_z(answer), load.is_beginning = true;
		else
			is_good = false;
	}
	if (!is_good || optind + 1 != argc || mg_endpoint_parse(mg_str_z(argv[optind]), &load.endpoint, &err) != MG_OK)
		fail("usage: policy_load [-c CONNECTIONS] [-m REQUESTS] [-s SENDERS] [-a ANSWER | -A BEGINNING] unix:/PATH %s",
			err.text);
}

int main(int argc, char **argv)
{
	int64_t start_us;
	double seconds;

	read_arguments(argc, argv);
	if (!times_init(&load.waits, load.requests))
		fail("policy_load: no memory");
	start_us = mg_mono_us();
	run();
	seconds = (double)(mg_mono_us() - start_us) / 1e6;
	printf("{\"requests\": %" PRIu64 ", \"seconds\": %.3f, \"per_s\": %.0f, ", load.answered, seconds,
		(double)load.answered / seconds);
	times_print("wait_us", &load.waits);
	puts("}");
	free(load.waits.us);
	return EXIT_SUCCESS;
}
