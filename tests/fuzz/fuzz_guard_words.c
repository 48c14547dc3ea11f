/* What strangers and administrators write to the guards: bans, keys of limits, logins, lists of patterns. The first byte chooses.
 * Whatever it is: no crash, no sentence missing, no control byte in what is kept. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guard/account.h"
#include "guard/ban.h"
#include "guard/limits.h"
#include "guard/plan.h"
#include "postfix/match_list.h"

static const struct mg_conf *conf;
static struct mg_state *state;

static void begin(void)
{
	struct mg_state_plan plan = mg_guard_plan(256);
	size_t bytes = mg_state_bytes(&plan);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mg_state_open(&plan, memory, bytes, true, &state, NULL) != MG_OK ||
		mg_conf_defaults(&conf, NULL) != MG_OK)
		abort();
}

static void is_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static void ban(struct mg_str text)
{
	struct mg_err err = { "" };
	struct mg_ban ban, found;
	struct mg_ban_facts facts = { .user = text, .sender = text };

	if (mg_ban_parse(text, &ban, &err) == MG_OK) {
		is_clean(ban.what);
		if (mg_ban_add(state, &ban, NULL) == MG_OK && !mg_ban_remove(state, &ban))
			abort();
	} else if (err.text[0] == '\0') {
		abort();
	}
	mg_ban_find(state, &facts, &found);
}

static void limit(struct mg_str text)
{
	static struct mg_charge charge;
	size_t rows[MG_CHARGE_ITEMS];
	struct mg_limit_facts facts = { .user = text, .sender = text, .recipient = text };

	mg_limits_of_key(conf, text, &charge, rows);
	charge = (struct mg_charge){ 0 };
	mg_limits_charge(conf, &facts, MG_SPEND_RCPT, 1, false, NULL, &charge, rows);
	for (size_t i = 0; i < charge.count; i++)
		is_clean(charge.item[i].key);
}

static void account(struct mg_str text)
{
	struct mg_ip client = { .family = MG_IP_V4, .bytes = { 192, 0, 2, 1 } };
	struct mg_account_view view;

	mg_account_login(state, text, &client);
	mg_account_failure(state, text, &client);
	mg_account_message(state, text, true);
	mg_account_recipient(state, text, true, false);
	if (mg_account_look(state, conf, text, &view))
		is_clean(view.login);
	else if (text.n > 0)
		abort();
	mg_account_pardon(state, text);
}

static void take(void *context, struct mg_str pattern, bool is_excluded)
{
	(void)is_excluded;
	if (pattern.n == 0)
		abort();
	*(size_t *)context += mg_match_list_is_table(pattern);
}

static void list(struct mg_str text)
{
	size_t tables = 0;

	if (mg_str_find(text, '/') == SIZE_MAX) /* no files of this machine */
		mg_match_list_each(text, take, &tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct mg_str) = { ban, limit, account, list };
	char *copy;

	if (state == NULL)
		begin();
	if (size == 0 || (copy = malloc(size)) == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	tries[data[0] % 4](mg_str_of(copy, size - 1));
	free(copy);
	return 0;
}
