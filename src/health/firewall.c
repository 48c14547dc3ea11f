/* firewall.inbound - does the firewall let strangers reach the mail ports that Postfix and Dovecot open to them? Only read, never changed. */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/i18n.h"
#include "base/run.h"
#include "health/firewall_rules.h"
#include "health/mail_ports.h"

enum { PROGRAM_MS = 5000, TEXT_BYTES = 8 * 1024 * 1024, COMMANDS_BYTES = 900, CHAIN_SHOWN = 220 };

enum source { SOURCE_NFT, SOURCE_IPTABLES, SOURCE_LEGACY, SOURCES };

/* The rules of this machine, as text and as JSON. */
struct ruleset {
	json_t *nft;                    /* NULL: there is no nft */
	struct mg_buf text[SOURCES][2]; /* iptables', of IPv4 and IPv6 */
	bool has_tool;
	char trouble[600]; /* why something could not be read, "" */
};

struct blocked {
	bool is_ufw, is_firewalld;
	enum source source;
	struct mg_chain_of_rules chain;
};

struct look {
	const struct mg_check_env *env;
	struct mg_finding *finding;
	struct mg_mail_ports ports;
	struct ruleset ruleset;
	struct mg_buf commands, some_commands, names, some_names;
	bool has_rules, has_public;
};

/* ---- what the tools say ---- */

static int time_left_ms(const struct mg_check_env *env)
{
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US;

	return left_ms < 1 ? 1 : left_ms > PROGRAM_MS ? PROGRAM_MS : (int)left_ms;
}

/* False: there is no such program. What it could not do is the ruleset's trouble. `out` is the caller's in any case. */
static bool ask(const struct mg_check_env *env, struct ruleset *ruleset, const char *const argv[], struct mg_buf *out)
{
	const struct mg_run run = {
		.argv = argv, .timeout_ms = time_left_ms(env), .out_max = TEXT_BYTES, .err_max = 4096
	};
	struct mg_run_result result;
	struct mg_err err = { "" };
	enum mg_rc rc = mg_run(&run, &result, &err);
	char said[200];

	mg_buf_init(out, TEXT_BYTES);
	if (rc == MG_OK && result.status == 0 && mg_buf_ok(&result.out)) {
		mg_buf_fini(out);
		*out = result.out;
		mg_buf_init(&result.out, 0);
	} else if (rc == MG_OK && result.status != 0) {
		snprintf(ruleset->trouble, sizeof ruleset->trouble, "%s: %s", argv[0],
			mg_run_said(&result, said, sizeof said));
	} else if (rc == MG_OK) {
		snprintf(ruleset->trouble, sizeof ruleset->trouble, "%s: more than %d MiB", argv[0],
			TEXT_BYTES / 1024 / 1024);
	} else if (rc != MG_ENOENT) {
		snprintf(ruleset->trouble, sizeof ruleset->trouble, "%s", err.text);
	}
	mg_run_fini(&result);
	return rc != MG_ENOENT;
}

static bool has_iptables(const json_t *ruleset)
{
	const json_t *items = json_object_get(ruleset, "nftables");

	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *statements = json_object_get(json_object_get(json_array_get(items, i), "rule"), "expr");

		for (size_t j = 0; j < json_array_size(statements); j++)
			if (json_object_get(json_array_get(statements, j), "xt") != NULL)
				return true;
	}
	return false;
}

/* Large sets of addresses are left out when the whole is too long. */
static void read_nft(const struct mg_check_env *env, struct ruleset *ruleset)
{
	static const char *const whole[] = { "nft", "-j", "list", "ruleset", NULL };
	static const char *const terse[] = { "nft", "-j", "-t", "list", "ruleset", NULL };
	struct mg_buf text;

	ruleset->has_tool = ask(env, ruleset, whole, &text);
	if (ruleset->has_tool && text.n == 0 &&
		mg_str_find_str(mg_str_z(ruleset->trouble), MG_STR("MiB")) != SIZE_MAX) {
		mg_buf_fini(&text);
		ruleset->trouble[0] = '\0';
		(void)ask(env, ruleset, terse, &text);
	}
	if (text.n > 0 && (ruleset->nft = json_loadb(text.p, text.n, 0, NULL)) == NULL)
		snprintf(ruleset->trouble, sizeof ruleset->trouble, "nft: no JSON");
	mg_buf_fini(&text);
}

static void read_text(const struct mg_check_env *env, struct ruleset *ruleset, enum source source,
	const char *const programs[2], const char *const instead[2])
{
	for (int six = 0; six < 2; six++) {
		const char *const argv[] = { programs[six], NULL }, *const other[] = { instead[six], NULL };

		mg_buf_fini(&ruleset->text[source][six]);
		if (ask(env, ruleset, argv, &ruleset->text[source][six])) {
			ruleset->has_tool = true;
			continue;
		}
		mg_buf_fini(&ruleset->text[source][six]);
		if (ask(env, ruleset, other, &ruleset->text[source][six]))
			ruleset->has_tool = true;
	}
}

/* The kernel has tables of the old iptables. */
static bool has_legacy(void)
{
	static const char *const names[] = { "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names" };
	bool has = false;

	for (int i = 0; i < 2; i++) {
		struct mg_buf text;

		has = (mg_file_read(names[i], 4096, &text, NULL) == MG_OK && text.n > 0) || has;
		mg_buf_fini(&text);
	}
	return has;
}

static void read_ruleset(const struct mg_check_env *env, struct ruleset *ruleset)
{
	static const char *const plain[] = { "iptables-save", "ip6tables-save" };
	static const char *const by_nft[] = { "iptables-nft-save", "ip6tables-nft-save" };
	static const char *const legacy[] = { "iptables-legacy-save", "ip6tables-legacy-save" };

	for (int source = 0; source < SOURCES; source++)
		for (int six = 0; six < 2; six++)
			mg_buf_init(&ruleset->text[source][six], TEXT_BYTES);
	read_nft(env, ruleset);
	if (ruleset->nft == NULL ? ruleset->trouble[0] == '\0' : has_iptables(ruleset->nft))
		read_text(env, ruleset, SOURCE_IPTABLES, by_nft, plain);
	if (has_legacy())
		read_text(env, ruleset, SOURCE_LEGACY, legacy, plain);
}

static void free_ruleset(struct ruleset *ruleset)
{
	json_decref(ruleset->nft);
	for (int source = 0; source < SOURCES; source++)
		for (int six = 0; six < 2; six++)
			mg_buf_fini(&ruleset->text[source][six]);
}

/* ---- one port ---- */

static void find_link(struct mg_newcomer *newcomer)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		struct mg_ip ip;

		if (mg_ip_from_sockaddr(one->ifa_addr, &ip, NULL) && mg_ip_eq(&ip, &newcomer->to))
			(void)mg_str_copy(newcomer->link, sizeof newcomer->link, mg_str_z(one->ifa_name));
	}
	freeifaddrs(all);
}

static void keep_worst(struct look *look, const struct mg_rules *rules, enum source source,
	struct mg_rules_verdict *worst, struct blocked *blocked)
{
	struct mg_rules_verdict verdict;
	bool is_first;

	mg_rules_judge(rules, &verdict);
	look->has_rules = look->has_rules || verdict.has_rules;
	is_first = verdict.fate > worst->fate;
	if (is_first)
		*worst = verdict;
	if (is_first && verdict.by != NULL) {
		const char *in = verdict.in == NULL ? "" : verdict.in->name;

		blocked->chain = verdict.in == NULL ? *verdict.by : *verdict.in;
		blocked->source = source;
		blocked->is_ufw = rules->has_ufw && (in[0] == '\0' || mg_str_starts(mg_str_z(in), MG_STR("ufw")));
		blocked->is_firewalld = rules->has_firewalld;
		if (verdict.in != NULL && !blocked->is_ufw) /* to mend it, before everything: in the base chain */
			blocked->chain = *verdict.by;
	}
	worst->by = worst->in = NULL; /* the rules' own, which end here */
}

static enum mg_fate judge_newcomer(struct look *look, const struct mg_newcomer *newcomer, struct blocked *blocked)
{
	struct mg_rules_verdict worst = { .fate = MG_FATE_OPEN };
	int six = newcomer->to.family == MG_IP_V6;

	for (int source = 0; source < SOURCES; source++) {
		struct mg_rules rules;

		if (!mg_rules_init(&rules))
			worst.fate = worst.fate < MG_FATE_PERHAPS ? MG_FATE_PERHAPS : worst.fate;
		else if (source == SOURCE_NFT && look->ruleset.nft != NULL)
			mg_rules_read_nft(&rules, newcomer, look->ruleset.nft);
		else if (source != SOURCE_NFT)
			mg_rules_read_iptables(&rules, newcomer, mg_buf_str(&look->ruleset.text[source][six]));
		if (rules.chain != NULL)
			keep_worst(look, &rules, (enum source)source, &worst, blocked);
		mg_rules_fini(&rules);
	}
	return worst.fate;
}

/* ---- what opens it ---- */

static bool is_iptables_table(const struct mg_chain_of_rules *chain)
{
	return (strcmp(chain->family, "ip") == 0 || strcmp(chain->family, "ip6") == 0) &&
	       (strcmp(chain->name, "INPUT") == 0 || strcmp(chain->name, "PREROUTING") == 0);
}

static void add_command(struct mg_buf *commands, const struct blocked *blocked, const struct mg_newcomer *newcomer)
{
	const struct mg_chain_of_rules *chain = &blocked->chain;
	bool is_six = newcomer->to.family == MG_IP_V6;
	char text[CHAIN_SHOWN + 100];

	if (blocked->is_ufw)
		snprintf(text, sizeof text, "ufw allow %u/tcp", newcomer->port);
	else if (blocked->is_firewalld)
		snprintf(text, sizeof text,
			"firewall-cmd --add-port=%u/tcp && firewall-cmd --permanent --add-port=%u/tcp", newcomer->port,
			newcomer->port);
	else if (blocked->source == SOURCE_NFT && !is_iptables_table(chain))
		snprintf(text, sizeof text, "nft insert rule %s %s %s tcp dport %u accept", chain->family, chain->table,
			chain->name, newcomer->port);
	else
		snprintf(text, sizeof text, "%s%s%s%s -I %s -p tcp --dport %u -j ACCEPT",
			is_six ? "ip6tables" : "iptables", blocked->source == SOURCE_LEGACY ? "-legacy" : "",
			strcmp(chain->table, "filter") == 0 ? "" : " -t ",
			strcmp(chain->table, "filter") == 0 ? "" : chain->table, chain->name, newcomer->port);
	if (commands->n + strlen(text) > COMMANDS_BYTES ||
		mg_str_find_str(mg_buf_str(commands), mg_str_z(text)) != SIZE_MAX)
		return;
	mg_buf_addf(commands, "%s%s", commands->n == 0 ? "" : " && ", text);
}

static void add_name(struct mg_buf *names, const struct mg_newcomer *newcomer)
{
	if (names->n < COMMANDS_BYTES)
		mg_buf_addf(names, "%s%u (IPv%d)", names->n == 0 ? "" : ", ", newcomer->port, (int)newcomer->to.family);
}

static void judge_port(struct look *look, const struct mg_mail_port *port)
{
	static const char *const words[] = { [MG_FATE_OPEN] = "open to strangers",
		[MG_FATE_PERHAPS] = "it can't be told for sure whether strangers pass",
		[MG_FATE_SOME] = "open to some addresses alone",
		[MG_FATE_BLOCKED] = "closed to strangers" };
	struct mg_newcomer newcomer = { .to = port->ip, .port = port->port };
	struct blocked blocked = { .is_ufw = false };
	enum mg_fate fate;

	find_link(&newcomer);
	fate = judge_newcomer(look, &newcomer, &blocked);
	look->has_public = look->has_public || !mg_ip_is_private(&port->ip);
	mg_finding_evidence(look->finding, "%s (%s): %s%s%s%s%s", port->text, port->name, words[fate],
		fate >= MG_FATE_SOME ? " in " : "", fate >= MG_FATE_SOME ? blocked.chain.table : "",
		fate >= MG_FATE_SOME ? " " : "", fate >= MG_FATE_SOME ? blocked.chain.name : "");
	if (fate == MG_FATE_BLOCKED) {
		add_name(&look->names, &newcomer);
		add_command(&look->commands, &blocked, &newcomer);
	} else if (fate == MG_FATE_SOME) {
		add_name(&look->some_names, &newcomer);
		add_command(&look->some_commands, &blocked, &newcomer);
	}
}

static bool was_before(const struct mg_mail_ports *ports, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (ports->port[before].port == ports->port[i].port &&
			mg_ip_eq(&ports->port[before].ip, &ports->port[i].ip))
			return true;
	return false;
}

/* ---- the whole ---- */

static void say_none(struct look *look)
{
	struct mg_buf ports;

	mg_buf_init(&ports, COMMANDS_BYTES);
	for (size_t i = 0; i < look->ports.count; i++) {
		char text[32];

		snprintf(text, sizeof text, "ufw allow %u/tcp && ", look->ports.port[i].port);
		if (!look->ports.port[i].is_loopback &&
			mg_str_find_str(mg_buf_str(&ports), mg_str_z(text)) == SIZE_MAX && ports.n < COMMANDS_BYTES / 2)
			mg_buf_addz(&ports, text);
	}
	mg_finding_is(look->finding, MG_STATE_WARN, N_("this machine has no firewall at all"), NULL);
	mg_finding_cause(look->finding,
		N_("no rule of nftables or iptables stops anybody: whatever program listens here, strangers reach it"),
		NULL);
	mg_finding_fix(look->finding,
		N_("keep your own way in first, then switch it on: ufw allow 22/tcp && %1ufw enable"), mg_buf_z(&ports),
		NULL);
	mg_buf_fini(&ports);
}

static void judge_ports(struct look *look)
{
	for (size_t i = 0; i < look->ports.count; i++)
		if (!look->ports.port[i].is_loopback && !mg_ip_is_loopback(&look->ports.port[i].ip) &&
			!was_before(&look->ports, i))
			judge_port(look, &look->ports.port[i]);
	if (look->names.n > 0) {
		mg_finding_is(look->finding, MG_STATE_CRIT,
			N_("the firewall of this machine keeps strangers from the mail ports %1"),
			mg_buf_z(&look->names), NULL);
		mg_finding_cause(look->finding,
			N_("a rule or the policy drops or rejects new connections to them, and no rule before it accepts them"),
			NULL);
		mg_finding_fix(look->finding, "%1", mg_buf_z(&look->commands), NULL);
	} else if (look->some_names.n > 0) {
		mg_finding_is(look->finding, MG_STATE_WARN,
			N_("the firewall of this machine lets only some addresses reach the mail ports %1"),
			mg_buf_z(&look->some_names), NULL);
		mg_finding_cause(look->finding,
			N_("rules accept single networks, and all others are stopped; fine behind a gateway that takes the mail"),
			NULL);
		mg_finding_fix(look->finding, N_("if everybody may come: %1"), mg_buf_z(&look->some_commands), NULL);
	} else if (!look->has_rules && look->has_public) {
		say_none(look);
	}
	mg_finding_is(look->finding, MG_STATE_OK,
		N_("the firewall of this machine lets strangers reach the mail ports"), NULL);
}

static bool has_outside(const struct mg_mail_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		if (!ports->port[i].is_loopback && !mg_ip_is_loopback(&ports->port[i].ip))
			return true;
	return false;
}

static void judge(struct look *look)
{
	read_ruleset(look->env, &look->ruleset);
	if (!look->ruleset.has_tool) {
		mg_finding_not_applicable(look->finding, N_("not applicable: no program for firewalls is installed"));
	} else if (look->ruleset.trouble[0] != '\0') {
		mg_finding_is(look->finding, MG_STATE_UNKNOWN, N_("the firewall's rules can't be read"), NULL);
		mg_finding_cause(look->finding, "%1", look->ruleset.trouble, NULL);
		mg_finding_fix(look->finding, "nft list ruleset; iptables-save", NULL);
	} else {
		judge_ports(look);
	}
	free_ruleset(&look->ruleset);
}

static void check_inbound(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct look look = { .env = env, .finding = finding };

	finding->manual = "nft list ruleset; iptables-save; ip6tables-save; ufw status";
	mg_mail_ports_look(env, &look.ports);
	if (!has_outside(&look.ports)) {
		mg_finding_not_applicable(finding, N_("not applicable: no mail port is open to others"));
		return;
	}
	if (geteuid() != 0) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the firewall's rules can't be read"), NULL);
		mg_finding_cause(finding, N_("needs root: only root may read the firewall's rules"), NULL);
		mg_finding_fix(finding, "sudo mailguardctl check firewall.inbound", NULL);
		return;
	}
	mg_buf_init(&look.commands, COMMANDS_BYTES + 400);
	mg_buf_init(&look.some_commands, COMMANDS_BYTES + 400);
	mg_buf_init(&look.names, COMMANDS_BYTES + 400);
	mg_buf_init(&look.some_names, COMMANDS_BYTES + 400);
	judge(&look);
	mg_buf_fini(&look.commands);
	mg_buf_fini(&look.some_commands);
	mg_buf_fini(&look.names);
	mg_buf_fini(&look.some_names);
}

const struct mg_check mg_checks_firewall[] = {
	{ "firewall.inbound", N_("the firewall and the mail ports"), 300, 30000, .run = check_inbound },
};
const size_t mg_checks_firewall_count = sizeof mg_checks_firewall / sizeof mg_checks_firewall[0];
