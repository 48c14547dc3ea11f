/* mailguardctl probe: any mail server as the rest of the world sees it. Needs neither daemon nor Postfix. */
#include "ctl/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/crypto.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/i18n.h"
#include "ctl/findings.h"
#include "health/fold.h"

enum { TIMEOUT_S = 60, TIMEOUT_MAX_S = 3600, QUESTIONS = 2000, CACHE = 4000, SELECTOR_MAX = 200 };

/* Half of the time is for DNS: the other half must be left to say what was seen. */
static int64_t dns_end(int64_t begin_us, int64_t end_us)
{
	return begin_us + (end_us - begin_us) / 2;
}

static int start_dns(struct mg_probe *probe, int64_t begin_us)
{
	const struct mg_conf *conf = probe->env.conf;
	struct mg_resolver_options options = { .servers = (const char *const *)conf->dns.servers.item,
		.server_count = conf->dns.servers.count,
		.timeout_ms = (unsigned)conf->dns.timeout_ms,
		.tries = (unsigned)conf->dns.tries,
		.cache_entries = CACHE };
	struct mg_lookup_options lookup = { .questions_max = QUESTIONS };
	struct mg_err err = { "" };

	if (probe->dns != NULL) {
		options.servers = &probe->dns;
		options.server_count = 1;
	}
	if (mg_resolver_start(&options, &probe->resolver, &err) != MG_OK)
		return mg_ctl_fail(probe->dns != NULL ? MG_EXIT_USAGE : EXIT_FAILURE, "%s", err.text);
	probe->env.deadline_us = dns_end(begin_us, probe->end_us);
	lookup.deadline_us = probe->end_us;
	lookup.source = mg_resolver_source(probe->resolver);
	probe->env.dns = mg_lookup_new(&lookup);
	return probe->env.dns == NULL ? mg_ctl_fail(EXIT_FAILURE, _("out of memory")) : MG_EXIT_GO_ON;
}

/* A name with a dot is fit for EHLO; this machine may have none. */
static void find_helo(struct mg_probe *probe)
{
	char name[256] = "";

	if (gethostname(name, sizeof name - 1) != 0 || !mg_domain_ascii(mg_str_z(name), probe->helo) ||
		mg_domain_labels(mg_str_z(probe->helo)) < 2)
		probe->helo[0] = '\0';
}

/* "192.0.2", "1.2.3.400": digits alone are a mistyped address, and no name. */
static bool is_numbers(const char *name)
{
	return strspn(name, "0123456789.") == strlen(name);
}

static int read_target(struct mg_probe *probe, const char *target)
{
	probe->target = target;
	if (mg_ip_parse(mg_str_z(target), &probe->ip))
		return MG_EXIT_GO_ON;
	if (mg_domain_ascii(mg_str_z(target), probe->name) && !is_numbers(probe->name))
		return MG_EXIT_GO_ON;
	return mg_ctl_fail(MG_EXIT_DATA, _("\"%s\" is neither a host or domain name nor an IP address"), target);
}

static int read_numbers(struct mg_probe *probe, const char *port, const char *timeout, int64_t begin_us)
{
	uint64_t number = 0, seconds = TIMEOUT_S;

	if (port != NULL && (!mg_str_to_u64(mg_str_z(port), 65535, &number) || number == 0))
		return mg_ctl_fail(MG_EXIT_USAGE, _("\"%s\" is no port; write a number from 1 to 65535"), port);
	if (timeout != NULL && (!mg_str_to_seconds(mg_str_z(timeout), TIMEOUT_MAX_S, &seconds) || seconds == 0))
		return mg_ctl_fail(
			MG_EXIT_USAGE, _("\"%s\" is no time from 1s to 1h; write a number and s, m or h"), timeout);
	probe->only_port = (unsigned)number;
	probe->end_us = begin_us + (int64_t)seconds * MG_S_US;
	return MG_EXIT_GO_ON;
}

static int read_selector(struct mg_probe *probe)
{
	char place[MG_DOMAIN_TEXT];

	if (probe->selector == NULL ||
		(strlen(probe->selector) < SELECTOR_MAX && mg_domain_ascii(mg_str_z(probe->selector), place)))
		return MG_EXIT_GO_ON;
	return mg_ctl_fail(MG_EXIT_USAGE, _("\"%s\" is no DKIM selector"), probe->selector);
}

static int look(struct mg_ctl *ctl, struct mg_probe *probe, int64_t begin_us)
{
	bool is_shown = !ctl->json && isatty(STDERR_FILENO) && isatty(STDOUT_FILENO);
	int status = start_dns(probe, begin_us);

	if (status != MG_EXIT_GO_ON)
		return status;
	find_helo(probe);
	mg_probe_names(probe);
	mg_probe_ports_begin(probe);
	mg_probe_judge(probe, mg_probe_checks_dns); /* while the ports are looked at */
	mg_probe_ports_end(probe, is_shown);
	probe->env.deadline_us = probe->end_us;
	mg_probe_judge(probe, mg_probe_checks_said);
	mg_probe_judge(probe, mg_probe_checks_ports);
	mg_probe_judge(probe, mg_probe_checks_tls);
	mg_health_fold(probe->checks);
	if (ctl->json)
		mg_ctl_print_json(mg_probe_json(probe));
	else
		mg_probe_report(ctl, probe);
	return mg_ctl_findings_status(probe->checks);
}

int mg_ctl_probe(struct mg_ctl *ctl, int argc, char **argv)
{
	struct mg_probe *probe = calloc(1, sizeof *probe);
	int64_t begin_us = mg_mono_us();
	const char *port = NULL, *timeout = NULL;
	int status;

	if (probe == NULL)
		return mg_ctl_fail(EXIT_FAILURE, _("out of memory"));
	const struct mg_ctl_option options[] = {
		{ "dns", &probe->dns, NULL },
		{ "no-relay-test", NULL, &probe->has_no_relay_test },
		{ "port", &port, NULL },
		{ "selector", &probe->selector, NULL },
		{ "timeout", &timeout, NULL },
		{ NULL, NULL, NULL },
	};
	status = mg_ctl_options(ctl, argc, argv, options);
	if (status == MG_EXIT_GO_ON && argc - optind != 1)
		status = mg_ctl_fail(MG_EXIT_USAGE, _("probe takes one host, domain or address"));
	if (status == MG_EXIT_GO_ON)
		status = read_numbers(probe, port, timeout, begin_us);
	if (status == MG_EXIT_GO_ON)
		status = read_selector(probe);
	if (status == MG_EXIT_GO_ON)
		status = read_target(probe, argv[optind]);
	if (status == MG_EXIT_GO_ON && (probe->env.conf = mg_ctl_conf(ctl)) == NULL)
		status = MG_EXIT_DATA;
	if (status == MG_EXIT_GO_ON) {
		mg_hash_init();
		probe->checks = json_array();
		probe->skipped = json_array();
		status = look(ctl, probe, begin_us);
	}
	mg_probe_free(probe);
	free(probe);
	mg_crypto_fini();
	return status;
}
