/* A whole message through all checks. The input's lines are the client's address, HELO, MAIL FROM, then what DNS says (each
 * question gets one of these lines, chosen by the hash of its name), an empty line, and the message. It ends within its
 * bounds; the field that tells of it is printable and whole; without exactly one sound author nothing passes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/results_field.h"
#include "base/hash.h"
#include "mail/message.h"

enum { LINES = 16 };

struct world {
	struct mg_str lines[LINES];
	size_t count;
};

static const struct mg_dns_answer *ask(void *context, const struct mg_dns_question *question, int64_t deadline_us,
	struct mg_lookup *lookup, unsigned slot, void **token_out)
{
	const struct world *world = context;
	uint64_t choice = mg_hash_keyed(mg_str_of(question->name, question->length)) + question->type;
	struct mg_str line = world->count == 0 ? MG_STR("") : world->lines[choice / 64 % world->count];
	struct mg_dns_answer *answer;
	char *text;

	(void)deadline_us, (void)lookup, (void)slot, (void)token_out;
	if (choice % 8 == 0)
		return mg_dns_answer_new(choice % 16 == 0 ? MG_DNS_NODATA : MG_DNS_NXDOMAIN, 0, 0, NULL);
	if (choice % 32 == 1)
		return mg_dns_answer_trouble(MG_DNS_SERVFAIL);
	answer = mg_dns_answer_new(MG_DNS_FOUND, 1, line.n + 1, &text);
	if (answer == NULL)
		return mg_dns_answer_trouble(MG_DNS_TIMEOUT);
	if (line.n > 0)
		memcpy(text, line.p, line.n);
	answer->records[0].text = mg_str_of(text, line.n);
	if (question->type != MG_DNS_TXT)
		answer->records[0].text = mg_str_first(answer->records[0].text, 253);
	answer->records[0].ip.family = question->type == MG_DNS_AAAA ? MG_IP_V6 : MG_IP_V4;
	if (line.n > 0)
		memcpy(answer->records[0].ip.bytes, line.p, line.n < 4 ? line.n : 4);
	return answer;
}

static void cancel(void *context, void *token)
{
	(void)context, (void)token;
}

static void take_body(void *context, struct mg_str piece)
{
	mg_evaluation_body(context, piece);
}

static void feed(struct mg_evaluation *evaluation, struct mg_str message)
{
	struct mg_str name, value;

	while (mg_message_field(&message, &name, &value))
		mg_evaluation_field(evaluation, name, value);
	mg_evaluation_header_end(evaluation);
	mg_message_body(message, take_body, evaluation);
	mg_evaluation_body_end(evaluation);
	if (mg_evaluation_step(evaluation) != MG_STEP_DONE)
		abort();
}

static void check(struct mg_evaluation *evaluation, const struct mg_author *author)
{
	const struct mg_dmarc_output *dmarc = mg_evaluation_dmarc(evaluation);
	struct mg_buf field;

	mg_buf_init(&field, MG_RESULTS_FIELD);
	mg_results_field(&field, evaluation, "mx.example", " ");
	for (size_t i = 0; i < field.n; i++)
		if (field.p[i] < ' ' || field.p[i] > '~')
			abort();
	if (!mg_buf_ok(&field) || dmarc == NULL ||
		mg_lookup_asked(mg_evaluation_lookup(evaluation)) > MG_LOOKUP_QUESTIONS ||
		(author->state != MG_AUTHOR_SOUND && dmarc->result == MG_RESULT_PASS))
		abort();
	mg_buf_fini(&field);
}

static void find_author(struct mg_author *author, struct mg_str message)
{
	struct mg_str name, value;

	*author = (struct mg_author){ 0 };
	while (mg_message_field(&message, &name, &value))
		if (mg_str_eq_nocase(mg_str_trim(name), MG_STR("From")))
			mg_author_field(author, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mg_conf *conf;
	struct mg_str rest = mg_str_of(data, size), ip = mg_str_cut(&rest, '\n'), helo = mg_str_cut(&rest, '\n'),
		      from = mg_str_cut(&rest, '\n');
	struct world world = { 0 };
	const struct mg_lookup_source source = { &world, ask, cancel };
	struct mg_evaluation_options options = {
		.source = &source, .receiver = MG_STR("mx.example"), .now_s = 1700000000
	};
	struct mg_evaluation *evaluation;
	struct mg_author author;
	struct mg_err err;

	if (conf == NULL && mg_conf_defaults(&conf, &err) != MG_OK)
		abort();
	for (struct mg_str line; rest.n > 0 && (line = mg_str_cut(&rest, '\n')).n > 0;)
		if (world.count < LINES)
			world.lines[world.count++] = line;
	options.conf = conf;
	if (!mg_ip_parse(ip, &options.client))
		mg_ip_parse(MG_STR("192.0.2.1"), &options.client);
	if ((evaluation = mg_evaluation_new(&options)) == NULL)
		abort();
	mg_evaluation_helo(evaluation, helo);
	mg_evaluation_mail(evaluation, from);
	mg_evaluation_step(evaluation);
	feed(evaluation, rest);
	find_author(&author, rest);
	check(evaluation, &author);
	mg_evaluation_free(&evaluation);
	return 0;
}
