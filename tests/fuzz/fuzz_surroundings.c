/* Whatever iptables-save, nft, Dovecot's authentication server, fail2ban's files or apt hold: no crash, no byte read beyond it, an end.
 * The first byte chooses the reader. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/apt_plan.h"
#include "health/dovecot_conf.h"
#include "health/firewall_rules.h"
#include "health/jail_conf.h"
#include "health/sasl_answer.h"

static void read_rules(struct mg_str text, bool is_json)
{
	struct mg_newcomer newcomer = { .port = 25, .link = "eth0" };
	json_t *json = is_json ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	struct mg_rules_verdict verdict;
	struct mg_rules rules;

	if (!mg_ip_parse(MG_STR("198.51.100.1"), &newcomer.to) || !mg_rules_init(&rules))
		abort();
	if (json != NULL)
		mg_rules_read_nft(&rules, &newcomer, json);
	else if (!is_json)
		mg_rules_read_iptables(&rules, &newcomer, text);
	mg_rules_judge(&rules, &verdict);
	if ((verdict.fate >= MG_FATE_SOME) != (verdict.by != NULL))
		abort();
	mg_rules_fini(&rules);
	json_decref(json);
}

static void read_small(struct mg_str text)
{
	struct mg_sasl_answer answer = { .has_version = false };
	struct mg_jail jail = { .filter = "" };
	char places[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT], filter[256];
	struct mg_dovecot dovecot;
	struct mg_apt_plan plan;

	mg_apt_plan_read(text, &plan);
	mg_jail_read(text, "postfix", &jail);
	mg_jail_settle(&jail, "postfix", filter, sizeof filter);
	mg_dovecot_parse(text, &dovecot);
	(void)mg_dovecot_mailboxes(&dovecot, places);
	while (text.n > 0)
		mg_sasl_answer_read(mg_str_cut(&text, '\n'), &answer);
	for (const char *c = answer.mechanisms; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size == 0 || (copy = malloc(size == 1 ? 1 : size - 1)) == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1); /* its own block, so that the sanitizer sees its ends */
	if (data[0] % 3 == 0)
		read_rules(mg_str_of(copy, size - 1), false);
	else if (data[0] % 3 == 1)
		read_rules(mg_str_of(copy, size - 1), true);
	else
		read_small(mg_str_of(copy, size - 1));
	free(copy);
	return 0;
}
