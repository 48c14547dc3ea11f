/* Every way in, one after the other; then what concerns all of them. */
#include "postfix/relay_prover.h"

#include <stdlib.h>

#include "base/i18n.h"
#include "postfix/relay_report.h"

enum { REPORT_MAX = 4 * 1024 * 1024 };

/* One service's candidates and lists at a time; a second arena holds what lives through the run. */
static const size_t scratch_max = (size_t)512 * 1024 * 1024;

const char *mg_relay_verdict_name(enum mg_relay_verdict verdict)
{
	static const char *const names[] = {
		[MG_RELAY_CLOSED] = "closed", [MG_RELAY_UNKNOWN] = "unknown", [MG_RELAY_OPEN] = "open"
	};

	return names[verdict];
}

const char *mg_relay_path_kind_name(enum mg_relay_path_kind kind)
{
	static const char *const names[] = { [MG_RELAY_PATH_NOTE] = "note",
		[MG_RELAY_PATH_ADVICE] = "advice",
		[MG_RELAY_PATH_UNKNOWN] = "unknown",
		[MG_RELAY_PATH_OPEN] = "open" };

	return names[kind];
}

/* ---- the ways in ---- */

static bool runs(const struct mg_postfix_service *service, const char *program)
{
	const char *slash = strrchr(service->command, '/');

	return strcmp(slash == NULL ? service->command : slash + 1, program) == 0;
}

static bool is_inet(const struct mg_postfix_service *service)
{
	return strcmp(service->type, "inet") == 0;
}

/* The postscreen that strangers reach, if there is one; one that speaks PROXY before the others. */
static const struct mg_postfix_service *find_screen(const struct mg_postfix *postfix, bool with_proxy)
{
	for (size_t i = 0; i < postfix->service_count; i++) {
		const struct mg_postfix_service *service = &postfix->services[i];
		struct mg_buf value;
		bool has_proxy;

		if (!runs(service, "postscreen") || !is_inet(service) || mg_postfix_is_loopback(postfix, service))
			continue;
		mg_buf_init(&value, 1024);
		has_proxy = mg_postfix_value(postfix, service, "postscreen_upstream_proxy_protocol", &value, NULL) !=
				    MG_OK ||
			    mg_str_trim(mg_buf_str(&value)).n > 0;
		mg_buf_fini(&value);
		if (has_proxy || !with_proxy)
			return service;
	}
	return NULL;
}

/* Something that listens and starts a mail program itself: what it lets pass is not in main.cf. */
static void prove_spawned(struct mg_relay_proof *proof, const struct mg_postfix_service *service)
{
	if (mg_str_find_str(mg_str_z(service->entry), MG_STR("sendmail")) == SIZE_MAX &&
		mg_str_find_str(mg_str_z(service->entry), MG_STR("smtpd")) == SIZE_MAX)
		return;
	mg_relay_report_add(proof, MG_RELAY_PATH_UNKNOWN, service, "spawn",
		MG_SAY(N_("this service starts a mail program for whoever connects; what it accepts can't be told")),
		MG_SAY(N_("in master.cf use smtpd instead of spawn")), "");
}

static enum mg_rc prove_service(
	struct mg_relay_proof *proof, const struct mg_postfix_service *service, struct mg_err *err)
{
	bool is_pass = strcmp(service->type, "pass") == 0;

	if (is_inet(service) && mg_postfix_is_loopback(proof->postfix, service))
		return runs(service, "smtpd") ? mg_relay_prove_smtpd(proof, service, false, NULL, err) : MG_OK;
	if (runs(service, "smtpd") && (is_inet(service) || (is_pass && find_screen(proof->postfix, false) != NULL))) {
		proof->report->service_count++;
		return mg_relay_prove_smtpd(
			proof, service, true, is_pass ? find_screen(proof->postfix, true) : NULL, err);
	}
	if (runs(service, "qmqpd") && is_inet(service)) {
		proof->report->service_count++;
		return mg_relay_prove_qmqpd(proof, service, err);
	}
	if (runs(service, "spawn") && is_inet(service))
		prove_spawned(proof, service);
	return MG_OK;
}

/* ---- the report ---- */

/* The worst first; among equals as they were found. */
static void sort(struct mg_relay_report *report)
{
	for (size_t i = 1; i < report->path_count; i++) {
		struct mg_relay_path path = report->paths[i];
		size_t at = i;

		for (; at > 0 && report->paths[at - 1].kind < path.kind; at--)
			report->paths[at] = report->paths[at - 1];
		report->paths[at] = path;
	}
}

static void conclude(struct mg_relay_proof *proof)
{
	struct mg_relay_report *report = proof->report;

	report->verdict = MG_RELAY_CLOSED;
	for (size_t i = 0; i < report->path_count; i++)
		if (report->paths[i].kind == MG_RELAY_PATH_OPEN)
			report->verdict = MG_RELAY_OPEN;
		else if (report->paths[i].kind == MG_RELAY_PATH_UNKNOWN && report->verdict == MG_RELAY_CLOSED)
			report->verdict = MG_RELAY_UNKNOWN;
	sort(report);
	report->file_count = mg_tables_files(proof->tables, report->files, MG_RELAY_FILES);
	for (size_t i = 0; i < report->file_count; i++)
		report->files[i] = mg_arena_text(&report->arena, mg_str_z(report->files[i]), 4096);
}

static enum mg_rc prove_all(struct mg_relay_proof *proof, struct mg_err *err)
{
	const struct mg_postfix *postfix = proof->postfix;
	struct mg_arena lasting;
	enum mg_rc rc = MG_OK;

	mg_arena_init(&lasting, scratch_max);
	mg_relay_destination_load(&proof->destination, proof->tables, &lasting, postfix);
	for (size_t i = 0; rc == MG_OK && i < postfix->service_count; i++) {
		mg_arena_init(&proof->scratch, scratch_max);
		rc = prove_service(proof, &postfix->services[i], err);
		mg_arena_fini(&proof->scratch);
	}
	mg_arena_init(&proof->scratch, scratch_max);
	if (rc == MG_OK && proof->report->service_count > 0) {
		mg_relay_prove_rewriting(proof);
		mg_relay_advise(proof);
	}
	if (rc == MG_OK)
		conclude(proof);
	mg_arena_fini(&proof->scratch);
	mg_arena_fini(&lasting);
	return rc;
}

enum mg_rc mg_relay_prove(const struct mg_postfix *postfix, const char *policy_listen,
	struct mg_relay_report **report_out, struct mg_err *err)
{
	struct mg_relay_proof *proof = calloc(1, sizeof *proof);
	struct mg_relay_report *report = calloc(1, sizeof *report);
	enum mg_rc rc = MG_ENOMEM;

	*report_out = report;
	if (report != NULL)
		mg_arena_init(&report->arena, REPORT_MAX);
	if (proof != NULL && report != NULL && (proof->tables = mg_tables_new(postfix->directory)) != NULL) {
		proof->report = report;
		proof->postfix = postfix;
		proof->policy_listen = policy_listen == NULL ? "" : policy_listen;
		rc = prove_all(proof, err);
		mg_tables_free(&proof->tables);
	} else {
		(void)mg_err_set(err, rc, "no memory for the relay check");
	}
	free(proof);
	if (rc != MG_OK)
		mg_relay_report_free(report_out);
	return rc;
}

void mg_relay_report_free(struct mg_relay_report **report)
{
	if (*report != NULL)
		mg_arena_fini(&(*report)->arena);
	free(*report);
	*report = NULL;
}
