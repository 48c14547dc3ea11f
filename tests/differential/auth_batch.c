/* Evaluates cases that come as JSON lines on standard input, one answer line for each, over zones of their own: for the
 * comparison with other verifiers (tests/e2e/test_auth_differential.py).
 *   {"zone": TEXT, "ip": S, "helo": S, "from": S}   SPF: {"result": S, "reason": S, "lookups": N, "voids": N, "explanation": S}
 *   {"zone": TEXT, "message": BASE64, "now": N}     DKIM: {"results": [S...], "reasons": [S...]}
 * TEXT is as in tests/unit/zone_kit.h. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64.h"
#include "tests/unit/message_kit.h"
#include "tests/unit/spf_kit.h"

enum { MESSAGE = 4 * 1024 * 1024 };

static const char *word(const json_t *c, const char *key)
{
	const char *text = json_string_value(json_object_get(c, key));

	return text == NULL ? "" : text;
}

static json_t *judge_spf(const json_t *c, struct zone *zone)
{
	struct mg_spf_input input = { .scope = MG_SPF_MFROM,
		.helo = mg_str_z(word(c, "helo")),
		.mail_from = mg_str_z(word(c, "from")),
		.receiver = MG_STR("mx.test"),
		.wants_explanation = true };
	struct spf_run run;
	const char *broken;
	json_t *answer;

	if (!mg_ip_parse(mg_str_z(word(c, "ip")), &input.ip))
		return json_pack("{ss}", "result", "no address");
	broken = spf_run_begin(&run, zone, &input);
	answer = json_pack("{ss, ss, si, si, ss}", "result",
		broken != NULL ? broken : mg_result_name(run.output.result), "reason", run.output.reason, "lookups",
		(int)run.output.lookups, "voids", (int)run.output.voids, "explanation", run.output.explanation);
	spf_run_end(&run);
	return answer;
}

static json_t *judge_dkim(const json_t *c, struct zone *zone)
{
	static unsigned char text[MESSAGE];
	const struct mg_dkim_options options = { .max_signatures = 64,
		.now_s = json_integer_value(json_object_get(c, "now")) };
	json_t *results = json_array(), *reasons = json_array();
	const struct mg_dkim_signature *told;
	struct message message;
	size_t n = 0, count;

	if (!mg_base64_decode(mg_str_z(word(c, "message")), text, sizeof text, &n))
		abort();
	message_verify(&message, zone, (const char *)text, n, &options, 0);
	told = mg_dkim_signatures(message.dkim, &count);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(results, json_string(mg_result_name(told[i].result)));
		json_array_append_new(reasons, json_string(told[i].reason));
	}
	message_end(&message);
	return json_pack("{so, so}", "results", results, "reasons", reasons);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		json_t *c = json_loads(line, 0, NULL), *answer;
		struct zone zone;
		char *text;

		if (c == NULL)
			return EXIT_FAILURE;
		zone_begin(&zone, word(c, "zone"));
		answer = json_object_get(c, "message") != NULL ? judge_dkim(c, &zone) : judge_spf(c, &zone);
		text = json_dumps(answer, JSON_COMPACT);
		puts(text);
		free(text);
		json_decref(answer);
		json_decref(c);
		zone_end(&zone);
	}
	free(line);
	return EXIT_SUCCESS;
}
