/* mailguardctl auth: one message's sender checked as the milter would, with neither daemon nor Postfix. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/results_field.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/i18n.h"
#include "ctl/auth_report.h"
#include "ctl/ctl.h"
#include "dns/resolver.h"
#include "mail/message.h"

enum { MESSAGE_MAX = 256 * 1024 * 1024, CHUNK = 64 * 1024 };

struct question {
	const char *dns, *ip, *helo, *from, *hostname, *time;
	bool no_message;
};

static int read_all(int fd, struct mg_buf *message)
{
	char chunk[CHUNK];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR))
		if (got > 0)
			mg_buf_add(message, mg_str_of(chunk, (size_t)got));
	if (got < 0)
		return mg_ctl_fail(MG_EXIT_DATA, _("can't read the message: %s"), strerrordesc_np(errno));
	if (!mg_buf_ok(message))
		return mg_ctl_fail(MG_EXIT_DATA, _("the message is larger than %d MiB"), MESSAGE_MAX / 1024 / 1024);
	return MG_EXIT_GO_ON;
}

static int read_message(const char *path, struct mg_buf *message)
{
	int fd = path == NULL || mg_str_eq(mg_str_z(path), MG_STR("-")) ? STDIN_FILENO
									: open(path, O_RDONLY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return mg_ctl_fail(MG_EXIT_DATA, _("can't open %s: %s"), path, strerrordesc_np(errno));
	status = read_all(fd, message);
	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

static void take_body(void *context, struct mg_str piece)
{
	mg_evaluation_body(context, piece);
}

static void feed_message(struct mg_evaluation *evaluation, struct mg_str message)
{
	struct mg_str name, value;

	if (mg_str_starts(message, MG_STR("From "))) /* an mbox's separator */
		mg_str_cut(&message, '\n');
	while (mg_message_field(&message, &name, &value))
		mg_evaluation_field(evaluation, name, value);
	mg_evaluation_header_end(evaluation);
	mg_message_body(message, take_body, evaluation);
	mg_evaluation_body_end(evaluation);
}

/* Our own name, for the header and for %{r}: as asked, as configured, or this machine's. */
static const char *own_name(const struct question *q, const struct mg_conf *conf, char place[256])
{
	if (q->hostname != NULL)
		return q->hostname;
	if (conf->authserv_id[0] != '\0')
		return conf->authserv_id;
	if (gethostname(place, 256) != 0)
		return "localhost";
	place[255] = '\0';
	return place;
}

static int start_resolver(const struct question *q, const struct mg_conf *conf, struct mg_resolver **resolver_out)
{
	struct mg_resolver_options options = { .servers = (const char *const *)conf->dns.servers.item,
		.server_count = conf->dns.servers.count,
		.timeout_ms = (unsigned)conf->dns.timeout_ms,
		.tries = (unsigned)conf->dns.tries,
		.cache_entries = 1000 };
	struct mg_err err = { "" };

	if (q->dns != NULL) {
		options.servers = &q->dns;
		options.server_count = 1;
	}
	if (mg_resolver_start(&options, resolver_out, &err) == MG_OK)
		return MG_EXIT_GO_ON;
	return mg_ctl_fail(q->dns != NULL ? MG_EXIT_USAGE : EXIT_FAILURE, "%s", err.text);
}

static int check_options(const struct question *q, struct mg_evaluation_options *options)
{
	uint64_t now_s = 0;

	if (q->ip != NULL && !mg_ip_parse(mg_str_z(q->ip), &options->client))
		return mg_ctl_fail(MG_EXIT_USAGE, _("\"%s\" is no IP address"), q->ip);
	if (q->time != NULL && !mg_str_to_u64(mg_str_z(q->time), INT64_MAX / MG_S_US, &now_s))
		return mg_ctl_fail(MG_EXIT_USAGE, _("\"%s\" is no time in seconds since 1970"), q->time);
	options->now_s = q->time != NULL ? (int64_t)now_s : mg_wall_us() / MG_S_US;
	return MG_EXIT_GO_ON;
}

static void print_answer(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation, const char *id)
{
	struct mg_buf field;

	mg_buf_init(&field, MG_RESULTS_FIELD);
	mg_results_field(&field, evaluation, id, " ");
	if (ctl->json)
		mg_ctl_print_json(mg_auth_json(evaluation, mg_buf_z(&field)));
	else
		mg_auth_report(ctl, evaluation, mg_buf_z(&field));
	mg_buf_fini(&field);
}

static int evaluate(struct mg_ctl *ctl, const struct question *q, struct mg_str message)
{
	char place[256];
	const struct mg_conf *conf = mg_ctl_conf(ctl);
	struct mg_evaluation_options options = { .conf = conf };
	struct mg_resolver *resolver = NULL;
	struct mg_evaluation *evaluation;
	const char *id;
	int status = conf == NULL ? MG_EXIT_DATA : check_options(q, &options);

	if (status != MG_EXIT_GO_ON || (status = start_resolver(q, conf, &resolver)) != MG_EXIT_GO_ON)
		return status;
	id = own_name(q, conf, place);
	options.receiver = mg_str_z(id);
	options.source = mg_resolver_source(resolver);
	evaluation = mg_evaluation_new(&options);
	if (evaluation == NULL) {
		mg_resolver_stop(&resolver);
		return mg_ctl_fail(EXIT_FAILURE, _("out of memory"));
	}
	if (q->no_message)
		mg_evaluation_no_message(evaluation);
	mg_evaluation_helo(evaluation, mg_str_z(q->helo));
	mg_evaluation_mail(evaluation, mg_str_z(q->from));
	mg_evaluation_step(evaluation);
	if (!q->no_message)
		feed_message(evaluation, message);
	mg_evaluation_finish(evaluation);
	print_answer(ctl, evaluation, id);
	mg_evaluation_free(&evaluation);
	mg_resolver_stop(&resolver);
	return MG_EXIT_OK;
}

int mg_ctl_auth(struct mg_ctl *ctl, int argc, char **argv)
{
	struct question q = { .helo = "", .from = "" };
	const struct mg_ctl_option options[] = {
		{ "dns", &q.dns, NULL },
		{ "ip", &q.ip, NULL },
		{ "helo", &q.helo, NULL },
		{ "from", &q.from, NULL },
		{ "hostname", &q.hostname, NULL },
		{ "time", &q.time, NULL },
		{ "no-message", NULL, &q.no_message },
		{ NULL, NULL, NULL },
	};
	struct mg_buf message;
	int status = mg_ctl_options(ctl, argc, argv, options);

	if (status != MG_EXIT_GO_ON)
		return status;
	if (argc - optind > (q.no_message ? 0 : 1))
		return mg_ctl_fail(MG_EXIT_USAGE, _("auth takes one message: a file, or - for the standard input"));
	mg_hash_init();
	mg_buf_init(&message, MESSAGE_MAX);
	if (!q.no_message)
		status = read_message(argv[optind], &message);
	if (status == MG_EXIT_GO_ON)
		status = evaluate(ctl, &q, mg_buf_str(&message));
	mg_buf_fini(&message);
	return status;
}
