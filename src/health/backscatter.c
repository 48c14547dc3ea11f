/* relay.backscatter - does this server take mail for users it does not have, and bounce it to whoever was named as sender? */
#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"
#include "postfix/domains.h"
#include "postfix/lookup_table.h"

enum { DOMAINS_MAX = 50, ASK_MS = 2000, KEY_BYTES = 300 };

static bool is_empty(const char *value)
{
	return mg_str_trim(mg_str_z(value)).n == 0;
}

/* A static: table knows every user. */
static bool has_static(const char *value)
{
	return mg_str_find_str(mg_str_z(value), MG_STR("static:")) != SIZE_MAX;
}

static void say(
	struct mg_finding *finding, const char *summary, const char *class, const char *fix, const char *postconf)
{
	mg_finding_is(finding, MG_STATE_WARN, summary, class, NULL);
	mg_finding_cause(finding,
		N_("Postfix accepts such mail and finds out later that there is no such user: the bounce goes to a forged sender, and other servers list this one for it"),
		NULL);
	mg_finding_fix(finding, fix, postconf, NULL);
}

static void judge_local(const struct mg_check_env *env, struct mg_finding *finding, const char *postconf)
{
	const char *maps = mg_check_parameter(env, finding, NULL, "local_recipient_maps");
	const char *relay = mg_check_parameter(env, finding, NULL, "luser_relay");

	if (is_empty(mg_check_parameter(env, finding, NULL, "mydestination")))
		return;
	mg_finding_evidence(finding, "local_recipient_maps = %s", maps);
	if (is_empty(maps) || has_static(maps))
		say(finding, N_("mail to unknown local users is accepted (%1)"), "local_recipient_maps",
			N_("%1 -e 'local_recipient_maps=proxy:unix:passwd.byname $alias_maps'"), postconf);
	if (!is_empty(relay)) {
		mg_finding_evidence(finding, "luser_relay = %s", relay);
		say(finding, N_("mail to unknown local users is accepted and sent on (%1)"), "luser_relay",
			"%1 -e luser_relay=", postconf);
	}
}

static void judge_virtual(const struct mg_check_env *env, struct mg_finding *finding, const char *postconf)
{
	const char *maps = mg_check_parameter(env, finding, NULL, "virtual_mailbox_maps");

	if (is_empty(mg_check_parameter(env, finding, NULL, "virtual_mailbox_domains")))
		return;
	mg_finding_evidence(finding, "virtual_mailbox_maps = %s", maps);
	if (is_empty(maps) || has_static(maps))
		say(finding, N_("mail to unknown virtual users is accepted (%1)"), "virtual_mailbox_maps",
			N_("list the real users: %1 -e virtual_mailbox_maps=hash:/etc/postfix/vmailbox"), postconf);
}

/* The first address a catch-all of `domain` leads to that is not ours. */
static bool leads_away(const struct mg_check_env *env, const struct mg_domains *domains, struct mg_str domain,
	struct mg_str maps, struct mg_buf *target)
{
	char key[KEY_BYTES + 2] = "@";
	struct mg_str table, rest, word;

	if (!mg_str_copy(key + 1, sizeof key - 1, domain))
		return false;
	while (mg_read_word(&maps, ", \t\n", &table)) {
		mg_buf_reset(target);
		if (mg_lookup_table_ask(env->postfix->directory, table, mg_str_z(key), ASK_MS, target) !=
			MG_LOOKUP_FOUND)
			continue;
		rest = mg_buf_str(target);
		while (mg_read_word(&rest, ", \t\n", &word)) {
			size_t at = mg_str_rfind(word, '@');

			if (at != SIZE_MAX && mg_domains_class(domains, mg_str_from(word, at + 1)) == MG_DOMAIN_FOREIGN)
				return true;
		}
	}
	return false;
}

static void judge_catch_all(const struct mg_check_env *env, struct mg_finding *finding)
{
	static const char *const lists[] = { "virtual_alias_domains", "virtual_mailbox_domains", "mydestination" };
	struct mg_str maps = mg_str_z(mg_check_parameter(env, finding, NULL, "virtual_alias_maps"));
	const struct mg_domains *domains = NULL;
	struct mg_buf target;
	int asked = 0;

	if (is_empty(maps.p) || mg_domains_load(env->postfix, &env->conf->relay.trusted, &domains, NULL) != MG_OK)
		return;
	mg_buf_init(&target, 4096);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct mg_str rest = mg_str_z(mg_check_parameter(env, finding, NULL, lists[i])), domain;

		while (asked < DOMAINS_MAX && mg_mono_us() < env->deadline_us &&
			mg_read_word(&rest, ", \t\n", &domain)) {
			if (mg_str_find(domain, ':') != SIZE_MAX || mg_str_find(domain, '/') != SIZE_MAX)
				continue;
			asked++;
			if (!leads_away(env, domains, domain, maps, &target))
				continue;
			mg_finding_evidence(finding, "@%.*s -> %s", MG_STR_ARGS(domain), mg_buf_z(&target));
			mg_finding_is(finding, MG_STATE_WARN,
				N_("whatever is sent to @%1 is sent on to another server"),
				mg_arena_text(&finding->arena, domain, domain.n), NULL);
			mg_finding_cause(finding,
				N_("a catch-all alias sends spam on with everything else: the other server refuses it, this one bounces it, and is taken for a spammer"),
				NULL);
			mg_finding_fix(finding,
				N_("name the addresses that are really used instead of @%1 in virtual_alias_maps"),
				mg_arena_text(&finding->arena, domain, domain.n), NULL);
		}
	}
	mg_buf_fini(&target);
	mg_domains_unref(&domains);
}

static void check_backscatter(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *postconf = mg_check_program(env, finding, "postconf");

	finding->manual =
		"postconf local_recipient_maps virtual_mailbox_maps relay_recipient_maps luser_relay virtual_alias_maps";
	if (!mg_check_has_postfix(env, finding))
		return;
	judge_local(env, finding, postconf);
	judge_virtual(env, finding, postconf);
	judge_catch_all(env, finding);
	mg_finding_is(finding, MG_STATE_OK, N_("mail to unknown users is refused at the door"), NULL);
}

const struct mg_check mg_checks_backscatter[] = {
	{ "relay.backscatter", N_("unknown users are refused at once"), 0, 10000, .run = check_backscatter },
};
const size_t mg_checks_backscatter_count = sizeof mg_checks_backscatter / sizeof mg_checks_backscatter[0];
