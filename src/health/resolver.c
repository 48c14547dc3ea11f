/* dns.resolver - does each nameserver answer, and how fast? Each is asked by itself, so that one that is dead does not hide behind
 * one that is alive. "No such name" is an answer; SERVFAIL or a refusal to everything is none. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "dns/resolver_address.h"
#include "health/dns_said.h"

enum { DEADLINE_MS = 10000, SPARE_MS = 500, SLOW_MS = 500, TRIES = 2, CACHE = 100, QUESTIONS = 2 };

/* Its address is the work of the root servers themselves: whoever resolves anything resolves it. */
static const char fixed_name[] = "a.root-servers.net";

struct probe {
	char address[64];
	struct mg_resolver *resolver;
	struct mg_lookup *lookup;
	const struct mg_dns_answer *answers[QUESTIONS];
	double ms;
};

/* The servers of mailguard.conf, else of resolv.conf. */
static void servers_of(const struct mg_conf *conf, struct mg_server_list *list)
{
	struct mg_resolver_options options = { .servers = (const char *const *)conf->dns.servers.item,
		.server_count = conf->dns.servers.count };
	struct mg_file_mark mark = { 0 };

	*list = (struct mg_server_list){ 0 };
	if (conf->dns.servers.count > 0)
		(void)!mg_server_list_of(&options, list, NULL);
	else
		mg_resolv_conf_follow("/etc/resolv.conf", &mark, list);
}

static bool begin(const struct mg_check_env *env, const struct mg_server_address *address, struct probe *probe)
{
	const char *server = mg_server_address_text(address, probe->address, sizeof probe->address);
	struct mg_resolver_options options = { .servers = &server,
		.server_count = 1,
		.timeout_ms = (unsigned)env->conf->dns.timeout_ms,
		.tries = TRIES,
		.cache_entries = CACHE };
	struct mg_lookup_options questions = { .questions_max = QUESTIONS,
		.deadline_us = env->deadline_us - SPARE_MS * MG_MS_US };

	if (options.timeout_ms > (DEADLINE_MS - 2 * SPARE_MS) / TRIES)
		options.timeout_ms = (DEADLINE_MS - 2 * SPARE_MS) / TRIES;
	if (mg_resolver_start(&options, &probe->resolver, NULL) != MG_OK)
		return false;
	questions.source = mg_resolver_source(probe->resolver);
	return (probe->lookup = mg_lookup_new(&questions)) != NULL;
}

static void ask(const char *hostname, struct probe *probe)
{
	const char *const names[QUESTIONS] = { fixed_name, hostname };

	for (size_t i = 0; i < QUESTIONS && probe->lookup != NULL; i++)
		if (names[i][0] != '\0')
			probe->answers[i] = mg_lookup_get(probe->lookup, mg_str_z(names[i]), MG_DNS_A);
}

static void finish(const struct mg_check_env *env, const char *hostname, struct probe *probe)
{
	struct mg_resolver_stats stats;
	int64_t until_us = env->deadline_us - SPARE_MS * MG_MS_US;

	while (probe->lookup != NULL && mg_lookup_pending(probe->lookup) > 0)
		if (!mg_lookup_wait(probe->lookup, until_us))
			mg_lookup_expire(probe->lookup);
	ask(hostname, probe); /* what came is known now */
	if (probe->resolver == NULL)
		return;
	mg_resolver_stats(probe->resolver, &stats);
	probe->ms = stats.server_count == 0 ? 0 : (double)stats.servers[0].mean_us / 1000;
}

static const char *word_of(const struct mg_dns_answer *answer)
{
	static const char *const words[] = { "answered", "answered (no such record)", "answered (no such name)" };

	if (answer == NULL)
		return "not asked";
	return answer->status == MG_DNS_TROUBLE ? mg_dns_trouble_name(answer->trouble) : words[answer->status];
}

static bool is_alive(const struct probe *probe)
{
	for (size_t i = 0; i < QUESTIONS; i++)
		if (probe->answers[i] != NULL && probe->answers[i]->status != MG_DNS_TROUBLE)
			return true;
	return false;
}

static const char *cause_of(const struct probe *probe)
{
	switch (probe->answers[0] == NULL ? MG_DNS_NO_SERVER : probe->answers[0]->trouble) {
	case MG_DNS_SERVFAIL:
		return N_(
			"it answers, but can resolve nothing (SERVFAIL): it does not reach the Internet, or its validation fails");
	case MG_DNS_REFUSED:
		return N_(
			"it answers, but refuses to work for this machine (REFUSED): its access list does not name it");
	default:
		return N_("nothing comes back: it is down, the address is wrong, or a firewall drops port 53");
	}
}

/* Without its port and brackets. */
static const char *bare_address(struct mg_finding *finding, const struct probe *probe)
{
	struct mg_str address = mg_str_z(probe->address);
	struct mg_ip ip;

	address = mg_str_first(address, mg_str_rfind(address, ':'));
	return mg_ip_parse(address, &ip) ? mg_dns_shown_ip(finding, &ip) : mg_dns_shown(finding, address);
}

/* How to mend it, where these servers are written. */
static void say_fix(const struct mg_check_env *env, struct mg_finding *finding, const struct probe *probe, bool is_last)
{
	if (env->conf->dns.servers.count > 0)
		mg_finding_fix(finding,
			N_("dig @%1 %2; then write a resolver that works into dns.servers of %3 and: mailguardctl reload"),
			bare_address(finding, probe), fixed_name,
			env->conf->path == NULL ? MG_CONF_PATH : env->conf->path, NULL);
	else if (is_last)
		mg_finding_fix(finding,
			N_("apt install unbound && echo 'nameserver 127.0.0.1' > /etc/resolv.conf; or write the addresses of your provider's resolvers into /etc/resolv.conf"),
			NULL);
	else
		mg_finding_fix(finding, N_("take its line out of /etc/resolv.conf: sed -i '/%1/d' /etc/resolv.conf"),
			bare_address(finding, probe), NULL);
}

static void judge(const struct mg_check_env *env, struct mg_finding *finding, const struct probe *probes, size_t count)
{
	const struct probe *dead = probes, *slowest = NULL;
	size_t alive = 0, dead_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct probe *probe = &probes[i];

		mg_finding_evidence(finding, "%s: %s: %s; own name: %s; %.0f ms", probe->address, fixed_name,
			word_of(probe->answers[0]), word_of(probe->answers[1]), probe->ms);
		if (!is_alive(probe)) {
			dead = dead_count++ == 0 ? probe : dead;
			continue;
		}
		alive++;
		if (slowest == NULL || probe->ms > slowest->ms)
			slowest = probe;
	}
	if (alive == 0) {
		mg_finding_is(finding, MG_STATE_CRIT,
			N_("no nameserver answers, so mail finds no way to other servers"), NULL);
		mg_finding_cause(finding, cause_of(dead), NULL);
		say_fix(env, finding, dead, true);
		return;
	}
	mg_finding_value(finding, round(slowest->ms), "ms");
	if (dead_count > 0) {
		mg_finding_is(finding, MG_STATE_WARN, N_("the nameserver %1 does not answer"), dead->address, NULL);
		mg_finding_cause(finding, cause_of(dead), NULL);
		say_fix(env, finding, dead, false);
	}
	if (mg_check_grade(env, "dns.resolver", slowest->ms, SLOW_MS, INFINITY) != MG_STATE_OK) {
		mg_finding_is(finding, mg_check_grade(env, "dns.resolver", slowest->ms, SLOW_MS, INFINITY),
			N_("the nameserver %1 answers slowly: %2"), slowest->address,
			mg_finding_number(finding, round(slowest->ms), "ms"), NULL);
		mg_finding_cause(
			finding, N_("it is far away or overloaded; every message waits for several answers"), NULL);
		mg_finding_fix(finding,
			N_("let a resolver run on this machine: apt install unbound && echo 'nameserver 127.0.0.1' > /etc/resolv.conf"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("every nameserver answers (%1)"),
		mg_finding_number(finding, (double)alive, ""), NULL);
}

static void check_resolver(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct probe probes[MG_RESOLVER_SERVERS] = { 0 };
	struct mg_server_list list;
	const char *hostname = "";

	servers_of(env->conf, &list);
	if (env->postfix != NULL)
		hostname = mg_check_parameter(env, finding, NULL, "myhostname");
	finding->manual = mg_dns_text(finding, "dig %s A; dig %s A; cat /etc/resolv.conf", fixed_name,
		hostname[0] == '\0' ? "$(hostname -f)" : hostname);
	if (list.count == 0) {
		mg_finding_is(finding, MG_STATE_CRIT, N_("no nameserver is configured"), NULL);
		mg_finding_cause(finding, N_("/etc/resolv.conf has no nameserver line that can be read"), NULL);
		mg_finding_fix(finding,
			N_("apt install unbound && echo 'nameserver 127.0.0.1' > /etc/resolv.conf; or write the addresses of your provider's resolvers into /etc/resolv.conf"),
			NULL);
		return;
	}
	for (size_t i = 0; i < list.count; i++)
		if (begin(env, &list.items[i], &probes[i]))
			ask(hostname, &probes[i]);
	for (size_t i = 0; i < list.count; i++)
		finish(env, hostname, &probes[i]);
	judge(env, finding, probes, list.count);
	for (size_t i = 0; i < list.count; i++) {
		mg_lookup_free(&probes[i].lookup);
		mg_resolver_stop(&probes[i].resolver);
	}
}

const struct mg_check mg_checks_resolver[] = {
	{ "dns.resolver", N_("the nameservers answer"), 0, DEADLINE_MS, .run = check_resolver, .steady = 2 },
};
const size_t mg_checks_resolver_count = sizeof mg_checks_resolver / sizeof mg_checks_resolver[0];
