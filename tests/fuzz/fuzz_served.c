/* Whatever a server says, a certificate holds or doveconf prints: no crash, no byte read beyond it, every text of the result ended and
 * printable. The first byte chooses the reader. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/dovecot_conf.h"
#include "served/certificate.h"
#include "served/relaying.h"
#include "served/reply.h"
#include "served/software.h"

static void is_printable(const char *text, size_t size)
{
	if (memchr(text, '\0', size) == NULL)
		abort();
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static void read_replies(unsigned choice, struct mg_str rest)
{
	struct mg_served_words words = { 0 };

	while (rest.n > 0) {
		struct mg_str line = mg_str_cut(&rest, '\n');
		struct mg_reply reply;

		mg_reply_read(choice % 3, line, choice & 8 ? "m1" : "", (choice & 16) != 0, &reply);
		if (reply.text.n > line.n || (reply.code != 0 && (reply.code < 200 || reply.code > 599)))
			abort();
		mg_reply_words(choice % 3, &reply, &words);
	}
	is_printable(words.mechanisms, sizeof words.mechanisms);
}

/* What a server says before it is known who it is. */
static void guess(struct mg_str text)
{
	struct mg_served served = { .tried_count = 1, .tried[0] = { MG_REPLY_GOOD, MG_REPLY_BAD, 550, "" } };
	size_t at = MG_SERVED_TRIES;

	(void)mg_str_copy(served.greeting_text, sizeof served.greeting_text, text);
	(void)mg_str_copy(served.listed, sizeof served.listed, text);
	(void)mg_str_copy(served.tried[0].text, sizeof served.tried[0].text, text);
	if (mg_software_of(&served).name == NULL || mg_relaying_of_look(&served, &at) == MG_RELAYING_UNASKED || at != 0)
		abort();
}

static void read_chain(struct mg_str pem)
{
	struct mg_chain *chain = NULL;
	char why[128];

	if (mg_chain_parse(pem, "x", &chain, NULL) != MG_OK)
		return;
	for (size_t i = 0; i < mg_chain_count(chain); i++) {
		const struct mg_cert_facts *facts = mg_chain_at(chain, i);

		is_printable(facts->subject, sizeof facts->subject);
		is_printable(facts->issuer, sizeof facts->issuer);
		is_printable(facts->common_name, sizeof facts->common_name);
		is_printable(facts->names, sizeof facts->names);
	}
	(void)mg_chain_covers(chain, "mail.example");
	(void)mg_chain_trust(chain, why, sizeof why);
	mg_chain_free(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mg_dovecot dovecot;
	char *copy;

	if (size == 0 || (copy = malloc(size == 1 ? 1 : size - 1)) == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1); /* its own block, so that the sanitizer sees its ends */
	guess(mg_str_of(copy, size - 1));
	if (data[0] < 32)
		read_replies(data[0], mg_str_of(copy, size - 1));
	else if (data[0] < 64)
		read_chain(mg_str_of(copy, size - 1));
	else
		mg_dovecot_parse(mg_str_of(copy, size - 1), &dovecot);
	free(copy);
	return 0;
}
