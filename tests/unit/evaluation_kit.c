#include "evaluation_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mail/message.h"

enum { NOW = 1700000000 };

const struct mg_conf *conf_of(const char *text)
{
	char path[] = "/tmp/mailguard-test-XXXXXX";
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };
	int fd = mkstemp(path);

	if (fd < 0 || (text != NULL && write(fd, text, strlen(text)) < 0) || mg_conf_load(path, &conf, &err) != MG_OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	close(fd);
	unlink(path);
	return conf;
}

void evaluation_open(struct evaluation_run *run, struct zone *zone, const char *conf, const char *ip)
{
	struct mg_evaluation_options options = {
		.source = &zone->source, .receiver = MG_STR("mx.example"), .now_s = NOW
	};

	run->conf = conf_of(conf);
	options.conf = run->conf;
	if (!mg_ip_parse(mg_str_z(ip), &options.client))
		abort();
	run->evaluation = mg_evaluation_new(&options);
	mg_evaluation_step(run->evaluation);
}

static void take_body(void *context, struct mg_str piece)
{
	mg_evaluation_body(context, piece);
}

static void finish(struct mg_evaluation *evaluation, struct zone *zone)
{
	while (mg_evaluation_step(evaluation) == MG_STEP_WAIT)
		if (!zone_deliver(zone))
			abort();
}

void evaluation_message(struct evaluation_run *run, struct zone *zone, struct mg_str message)
{
	struct mg_str name, value;

	while (mg_message_field(&message, &name, &value))
		mg_evaluation_field(run->evaluation, name, value);
	mg_evaluation_header_end(run->evaluation);
	mg_message_body(message, take_body, run->evaluation);
	mg_evaluation_body_end(run->evaluation);
	finish(run->evaluation, zone);
}

void evaluation_begin(struct evaluation_run *run, struct zone *zone, const struct evaluation_case *c)
{
	evaluation_open(run, zone, c->conf, c->ip == NULL ? "192.0.2.1" : c->ip);
	mg_evaluation_helo(run->evaluation, mg_str_z(c->helo == NULL ? "h.example" : c->helo));
	mg_evaluation_step(run->evaluation);
	if (c->message == NULL)
		mg_evaluation_no_message(run->evaluation);
	mg_evaluation_mail(run->evaluation, mg_str_z(c->from == NULL ? "" : c->from));
	mg_evaluation_step(run->evaluation);
	if (c->message == NULL)
		finish(run->evaluation, zone);
	else
		evaluation_message(
			run, zone, mg_str_of(c->message, c->message_bytes > 0 ? c->message_bytes : strlen(c->message)));
}

void evaluation_end(struct evaluation_run *run)
{
	mg_evaluation_free(&run->evaluation);
	mg_conf_unref(&run->conf);
}
