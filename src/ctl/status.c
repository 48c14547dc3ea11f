/* mailguardctl status: what a person at 3 a.m. must know, from top to bottom. */
#include <inttypes.h>
#include <stdio.h>

#include "base/i18n.h"
#include "base/say.h"
#include "ctl/findings.h"

static void print_headline(const struct mg_ctl *ctl, const json_t *status)
{
	const char *state = mg_ctl_text(status, "state");
	bool is_crit = mg_str_eq(mg_str_z(state), MG_STR("crit")), is_warn = mg_str_eq(mg_str_z(state), MG_STR("warn"));
	char version[64];

	snprintf(version, sizeof version, "mailguard %s: ", mg_ctl_text(status, "version"));
	mg_ctl_print(ctl, MG_INK_STRONG, 0, version);
	mg_ctl_print(ctl,
		is_crit   ? MG_INK_BAD
		: is_warn ? MG_INK_WARN
			  : MG_INK_GOOD,
		0,
		is_crit   ? _("something is wrong")
		: is_warn ? _("working, with warnings")
			  : _("everything is fine"));
	putchar('\n');
}

static void print_state(const struct mg_ctl *ctl, const json_t *status)
{
	const json_t *wiring = json_object_get(status, "wiring");
	bool is_observing = mg_str_eq(mg_str_z(mg_ctl_text(status, "mode")), MG_STR("observe"));
	char up[32], line[256];

	mg_ctl_duration(up, sizeof up, mg_ctl_number(status, "uptime_s"));
	snprintf(line, sizeof line, _("up %s; %s; milter %s, policy check %s"), up,
		is_observing ? _("only observing (mode \"observe\")") : _("enforcing"),
		json_is_true(json_object_get(wiring, "milter")) ? _("wired") : _("NOT wired"),
		json_is_true(json_object_get(wiring, "policy")) ? _("wired") : _("NOT wired"));
	mg_ctl_paragraph(ctl, 2, "", line);
}

/* `format` is the whole phrase, so that a language may bend the word to the number. */
static void print_count(const struct mg_ctl *ctl, const json_t *counts, const char *key, const char *format)
{
	char text[64];

	snprintf(text, sizeof text, format, mg_ctl_number(counts, key));
	mg_ctl_print(ctl, MG_INK_PLAIN, 16, text);
}

static void print_traffic(const struct mg_ctl *ctl, const json_t *status)
{
	const json_t *counts = json_object_get(status, "transactions"), *figures = json_object_get(status, "figures");
	char text[160];

	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, _("Mail since the start"));
	printf("\n  ");
	print_count(ctl, counts, "accepted", _("%" PRId64 " accepted"));
	print_count(ctl, counts, "rejected", _("%" PRId64 " refused"));
	print_count(ctl, counts, "tempfailed", _("%" PRId64 " put off"));
	print_count(ctl, counts, "quarantined", _("%" PRId64 " held"));
	print_count(ctl, counts, "discarded", _("%" PRId64 " discarded"));
	putchar('\n');
	if (mg_ctl_number(counts, "total") == 0)
		return;
	snprintf(text, sizeof text,
		_("mail waits for mailguard: half of it less than %.2f ms, 99 of 100 less than %.2f ms"),
		(double)mg_ctl_number(figures, "latency_p50_us") / 1000,
		(double)mg_ctl_number(figures, "latency_p99_us") / 1000);
	mg_ctl_paragraph(ctl, 2, "", text);
}

/* "spf    12 pass, 3 fail, 1 none": the words that occurred. */
static void print_method(const struct mg_ctl *ctl, const char *method, const json_t *words)
{
	struct mg_buf line;
	const char *word;
	json_t *count;

	mg_buf_init(&line, 512);
	json_object_foreach((json_t *)words, word, count) if (json_integer_value(count) > 0) mg_buf_addf(
		&line, "%s%" JSON_INTEGER_FORMAT " %s", line.n > 0 ? ", " : "", json_integer_value(count), word);
	if (line.n > 0) {
		char label[16];

		snprintf(label, sizeof label, "  %s", method);
		mg_ctl_paragraph(ctl, 10, label, mg_buf_z(&line));
	}
	mg_buf_fini(&line);
}

static void print_broken_zones(const struct mg_ctl *ctl, const json_t *zones)
{
	size_t i;
	json_t *zone;
	char text[512];

	json_array_foreach((json_t *)zones, i, zone)
	{
		if (json_is_true(json_object_get(zone, "counts")))
			continue;
		snprintf(text, sizeof text,
			_("the DNS list %s is broken (%s) and does not count until its next test passes"),
			mg_ctl_text(zone, "zone"), mg_ctl_text(zone, "state"));
		mg_ctl_paragraph(ctl, 2, "", text);
	}
}

static void print_checks(const struct mg_ctl *ctl, const json_t *status)
{
	const json_t *auth = json_object_get(status, "auth"), *dns = json_object_get(status, "dns");
	const char *method;
	json_t *words;
	char text[256];

	if (mg_ctl_number(json_object_get(status, "transactions"), "total") == 0)
		return;
	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, _("Where it said it came from"));
	putchar('\n');
	json_object_foreach((json_t *)auth, method, words) if (json_is_object(words)) print_method(ctl, method, words);
	snprintf(text, sizeof text,
		_("DNS: %" PRId64 " questions asked, %" PRId64 " answered from the cache, %" PRId64
		  " without an answer"),
		mg_ctl_number(dns, "questions"), mg_ctl_number(dns, "cache_hits"),
		mg_ctl_number(json_object_get(dns, "by_status"), "trouble"));
	mg_ctl_paragraph(ctl, 2, "", text);
	print_broken_zones(ctl, json_object_get(status, "dnsbl"));
	if (mg_ctl_number(auth, "dmarc_rfc7489") > 0) {
		snprintf(text, sizeof text,
			_("%" PRId64 " messages would have been treated otherwise by the DMARC of old (RFC 7489)"),
			mg_ctl_number(auth, "dmarc_rfc7489"));
		mg_ctl_paragraph(ctl, 2, "", text);
	}
}

/* What the guards did, as far as they did anything. */
static void print_guards(const struct mg_ctl *ctl, const json_t *guards)
{
	static const struct {
		const char *key, *text;
	} rows[] = {
		{ "relay_proofs", N_("%" PRId64 " recipients for which Postfix would have relayed for strangers") },
		{ "over_limit", N_("%" PRId64 " times somebody was over a limit (mailguardctl limits)") },
		{ "suspicious", N_("%" PRId64 " recipients of accounts that look compromised") },
		{ "banned", N_("%" PRId64 " recipients of banned senders (mailguardctl ban)") },
		{ "greylisted", N_("%" PRId64 " messages were asked to come back later") },
	};
	bool has_title = false;
	char text[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (mg_ctl_number(guards, rows[i].key) == 0)
			continue;
		if (!has_title) {
			putchar('\n');
			mg_ctl_print(ctl, MG_INK_STRONG, 0, _("What was guarded against"));
			putchar('\n');
		}
		has_title = true;
		snprintf(text, sizeof text, _(rows[i].text), mg_ctl_number(guards, rows[i].key));
		mg_ctl_paragraph(ctl, 2, "", text);
	}
}

/* The queue, as far as mail waits in it. */
static void print_queue(const struct mg_ctl *ctl, const json_t *queue)
{
	const json_t *reasons = json_object_get(queue, "reasons");
	size_t i;
	json_t *reason;
	char text[160];

	if (mg_ctl_number(queue, "deferred") == 0 && mg_ctl_number(queue, "hold") == 0 &&
		mg_ctl_number(queue, "active") == 0)
		return;
	putchar('\n');
	mg_ctl_print(ctl, MG_INK_STRONG, 0, _("Mail that waits"));
	putchar('\n');
	snprintf(text, sizeof text, _("%" PRId64 " deferred, %" PRId64 " being delivered, %" PRId64 " on hold"),
		mg_ctl_number(queue, "deferred"), mg_ctl_number(queue, "active"), mg_ctl_number(queue, "hold"));
	mg_ctl_paragraph(ctl, 2, "", text);
	json_array_foreach((json_t *)reasons, i, reason)
	{
		struct mg_buf line;

		mg_buf_init(&line, 2 * MG_SAY_TEXT);
		mg_buf_addf(&line, "%s: %" PRId64 ", ", mg_ctl_text(reason, "domain"), mg_ctl_number(reason, "count"));
		mg_say_local_json(&line, json_object_get(reason, "say"));
		mg_ctl_paragraph(ctl, 4, "  ", mg_buf_z(&line));
		mg_buf_fini(&line);
	}
}

int mg_ctl_status(struct mg_ctl *ctl, int argc, char **argv)
{
	json_t *status = NULL, *checks;
	int exit_status = mg_ctl_options(ctl, argc, argv, NULL);

	if (exit_status != MG_EXIT_GO_ON)
		return exit_status;
	if (optind < argc)
		return mg_ctl_fail(MG_EXIT_USAGE, _("status takes no arguments"));
	exit_status = mg_ctl_call(ctl, "status", NULL, &status);
	if (exit_status != MG_EXIT_GO_ON)
		return exit_status;
	checks = json_object_get(status, "checks");
	exit_status = mg_str_eq(mg_str_z(mg_ctl_text(status, "state")), MG_STR("crit"))   ? MG_EXIT_CRIT
		      : mg_str_eq(mg_str_z(mg_ctl_text(status, "state")), MG_STR("warn")) ? MG_EXIT_WARN
											  : MG_EXIT_OK;
	if (ctl->json) {
		mg_ctl_print_json(status);
		return exit_status;
	}
	print_headline(ctl, status);
	print_state(ctl, status);
	putchar('\n');
	if (mg_ctl_print_findings(ctl, checks, false) == 0) {
		char text[96];

		snprintf(text, sizeof text, _("  %zu checks, all fine"), json_array_size(checks));
		puts(text);
	}
	print_queue(ctl, json_object_get(status, "queue"));
	print_traffic(ctl, status);
	print_checks(ctl, status);
	print_guards(ctl, json_object_get(status, "guards"));
	json_decref(status);
	return exit_status;
}
