#include "dns/answer.h"

#include <stdlib.h>

static const char *const trouble_names[MG_DNS_TROUBLES] = { "", "timeout", "servfail", "refused", "malformed", "budget",
	"no-server" };

const char *mg_dns_trouble_name(enum mg_dns_trouble trouble)
{
	return trouble_names[trouble];
}

struct mg_dns_answer *mg_dns_answer_new(enum mg_dns_status status, size_t count, size_t text_bytes, char **text_out)
{
	size_t head = sizeof(struct mg_dns_answer) + count * sizeof(struct mg_dns_record);
	struct mg_dns_answer *answer = calloc(1, head + text_bytes);

	if (answer == NULL)
		return NULL;
	answer->refs = 1;
	answer->status = status;
	answer->count = count;
	if (text_out != NULL)
		*text_out = (char *)answer + head;
	return answer;
}

/* refs 0: static, never counted. */
#define TROUBLE(why)                                                                                                   \
	{                                                                                                              \
		.status = MG_DNS_TROUBLE, .trouble = why                                                               \
	}

const struct mg_dns_answer *mg_dns_answer_trouble(enum mg_dns_trouble trouble)
{
	static const struct mg_dns_answer timeout = TROUBLE(MG_DNS_TIMEOUT), servfail = TROUBLE(MG_DNS_SERVFAIL),
					  refused = TROUBLE(MG_DNS_REFUSED), malformed = TROUBLE(MG_DNS_MALFORMED),
					  budget = TROUBLE(MG_DNS_BUDGET), no_server = TROUBLE(MG_DNS_NO_SERVER);
	static const struct mg_dns_answer *const troubles[MG_DNS_TROUBLES] = {
		[MG_DNS_FINE] = &servfail, /* nobody asks for it */
		[MG_DNS_TIMEOUT] = &timeout,
		[MG_DNS_SERVFAIL] = &servfail,
		[MG_DNS_REFUSED] = &refused,
		[MG_DNS_MALFORMED] = &malformed,
		[MG_DNS_BUDGET] = &budget,
		[MG_DNS_NO_SERVER] = &no_server,
	};

	return troubles[trouble];
}

const struct mg_dns_answer *mg_dns_answer_ref(const struct mg_dns_answer *answer)
{
	if (answer->refs != 0)
		atomic_fetch_add(&((struct mg_dns_answer *)answer)->refs, 1);
	return answer;
}

void mg_dns_answer_unref(const struct mg_dns_answer **answer)
{
	struct mg_dns_answer *going = (struct mg_dns_answer *)*answer;

	*answer = NULL;
	if (going != NULL && going->refs != 0 && atomic_fetch_sub(&going->refs, 1) == 1)
		free(going);
}
