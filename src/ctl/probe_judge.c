/* What a probe thinks: rows of checks, each over everything that was seen. */
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "ctl/probe.h"

static const char *where_of(struct mg_finding *finding, const struct mg_probe_seen *seen)
{
	char text[MG_PROBE_WHERE];
	bool is_v6 = seen->address->ip.family == MG_IP_V6, has_name = seen->host->name[0] != '\0';

	snprintf(text, sizeof text, "%s%s%s:%u%s%s%s", is_v6 ? "[" : "", seen->address->text, is_v6 ? "]" : "",
		seen->port->number, has_name ? " (" : "", seen->host->name, has_name ? ")" : "");
	return mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
}

void mg_probe_each_port(struct mg_probe *probe, struct mg_finding *finding,
	void (*judge)(const struct mg_probe_seen *seen, void *context), void *context)
{
	struct mg_probe_seen seen = { .probe = probe, .finding = finding };

	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < probe->host[i].address_count; n++)
			for (size_t p = 0; p < probe->host[i].address[n].port_count; p++) {
				seen.host = &probe->host[i];
				seen.address = &probe->host[i].address[n];
				seen.port = &probe->host[i].address[n].port[p];
				seen.where = where_of(finding, &seen);
				judge(&seen, context);
			}
}

static json_t *skipped(const struct mg_finding *finding, const char *id)
{
	json_t *whole = mg_finding_json(finding, id, "", 0);
	json_t *one = json_pack("{s:s, s:O, s:{s:O}}", "id", id, "why", json_object_get(whole, "summary"), "say", "why",
		json_object_get(json_object_get(whole, "say"), "summary"));

	json_decref(whole);
	return one;
}

void mg_probe_judge(struct mg_probe *probe, const struct mg_probe_check *rows)
{
	for (; rows->id != NULL; rows++) {
		struct mg_finding finding;

		mg_finding_init(&finding);
		rows->run(probe, &finding);
		if (finding.is_inapplicable)
			json_array_append_new(probe->skipped, skipped(&finding, rows->id));
		else if (finding.summary.template != NULL)
			json_array_append_new(
				probe->checks, mg_finding_json(&finding, rows->id, rows->title, mg_wall_us()));
		mg_finding_fini(&finding);
	}
}
