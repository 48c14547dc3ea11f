/* Whatever a message holds: no crash, no byte read beyond it, and an answer that keeps the promises of answer.h. The first
 * byte chooses the type; the question is the one the message holds, if it holds one, so that what follows it is reached. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "dns/parse.h"

static const enum mg_dns_type types[] = { MG_DNS_A, MG_DNS_NS, MG_DNS_CNAME, MG_DNS_SOA, MG_DNS_PTR, MG_DNS_MX,
	MG_DNS_TXT, MG_DNS_AAAA };

static void insist(bool claim)
{
	if (!claim)
		abort();
}

static struct mg_dns_question question_in(struct mg_str message, enum mg_dns_type type)
{
	struct mg_dns_question question = { 0 };
	struct mg_dns_name name;
	size_t at = 12;

	if (!mg_dns_name_read(message, &at, &name) || !name.is_text ||
		!mg_dns_question_make(mg_str_of(name.text, name.length), type, &question))
		(void)mg_dns_question_make(MG_STR("q.example"), type, &question);
	return question;
}

/* The root, or what can be asked for as it stands. */
static bool is_name(struct mg_str text)
{
	struct mg_dns_question question;

	return text.n == 0 || (mg_dns_question_make(text, MG_DNS_A, &question) && question.length == text.n &&
				      memcmp(question.name, text.p, text.n) == 0);
}

static void check_record(const struct mg_dns_record *record, enum mg_dns_type type)
{
	switch (type) {
	case MG_DNS_A:
		insist(record->ip.family == MG_IP_V4);
		break;
	case MG_DNS_AAAA:
		insist(record->ip.family == MG_IP_V6);
		break;
	case MG_DNS_TXT:
		insist(record->text.n <= MG_DNS_TEXT_MAX);
		break;
	case MG_DNS_SOA:
		break;
	default:
		insist(is_name(record->text));
		break;
	}
	insist(record->preference <= 65535);
	for (size_t i = 0; i < record->text.n; i++) /* every byte is there */
		((volatile const char *)record->text.p)[i];
}

static void check(const struct mg_dns_answer *answer, enum mg_dns_type type)
{
	insist((answer->status == MG_DNS_TROUBLE) == (answer->trouble != MG_DNS_FINE));
	insist(answer->trouble == MG_DNS_FINE || answer->trouble == MG_DNS_SERVFAIL ||
		answer->trouble == MG_DNS_REFUSED || answer->trouble == MG_DNS_MALFORMED);
	insist(answer->count == 0 || answer->status == MG_DNS_FOUND);
	insist(answer->count <= MG_DNS_RECORDS_MAX);
	insist(answer->ttl_s <= (answer->status == MG_DNS_FOUND ? MG_DNS_TTL_MAX_S : MG_DNS_NEGATIVE_MAX_S));
	for (size_t i = 0; i < answer->count; i++)
		check_record(&answer->records[i], type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_dns_question question;
	const struct mg_dns_answer *answer;
	struct mg_str message;
	char *copy;

	if (size == 0)
		return 0;
	copy = malloc(size - 1 == 0 ? 1 : size - 1); /* its own block, so that the sanitizer sees its ends */
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	message = mg_str_of(copy, size - 1);
	question = question_in(message, types[data[0] % (sizeof types / sizeof types[0])]);
	answer = mg_dns_parse(message, &question);
	free(copy); /* the answer holds nothing of the message */
	check(answer, question.type);
	mg_dns_answer_unref(&answer);
	return 0;
}
