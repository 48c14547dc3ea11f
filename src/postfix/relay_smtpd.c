/* One smtpd: everybody who could come is walked through its lists; the worst that happens is told. */
#include "postfix/relay_report.h"

#include "base/i18n.h"
#include "postfix/relay_net.h"
#include "postfix/relay_stranger.h"

enum { TOLD_MAX = 1000, CLIENTS_MAX = 300000, STEPS_MAX = 20000000 };

/* ---- who tries ---- */

/* The next combination of candidates; false after the last. */
static bool next_client(const struct mg_relay_candidates *all, size_t at[MG_CHOICES])
{
	for (size_t i = 0; i < MG_CHOICES; i++) {
		if (++at[i] < all->count[i])
			return true;
		at[i] = 0;
	}
	return false;
}

static bool has_all_choices(const struct mg_relay_candidates *all)
{
	for (size_t i = 0; i < MG_CHOICES; i++)
		if (all->count[i] == 0)
			return false;
	return true;
}

struct trial {
	struct mg_relay_proof *proof;
	struct mg_relay_model *model;
	enum mg_relay_outcome worst;
	size_t told;  /* causes */
	size_t first; /* the first path that is ours */
	bool is_sure;
	void (*tell)(struct trial *trial, const struct mg_relay_client *client, const struct mg_relay_result *result);
};

/* Walks all combinations through the lists; tells of each that gets as far as the worst so far. */
static void try_all(struct trial *trial, const struct mg_relay_candidates *all, bool has_login)
{
	size_t at[MG_CHOICES] = { 0 }, clients = 0;
	uint64_t most = trial->model->steps + STEPS_MAX;

	if (!has_all_choices(all))
		return;
	do {
		struct mg_relay_client client = { .has_login = has_login };
		struct mg_relay_result result;

		for (size_t i = 0; i < MG_CHOICES; i++)
			client.is[i] = &all->is[i][at[i]];
		mg_relay_eval(trial->model, &client, &result);
		if (result.outcome != MG_RELAY_NO && result.outcome >= trial->worst) {
			trial->worst = result.outcome;
			trial->tell(trial, &client, &result);
		}
		if (++clients > CLIENTS_MAX || trial->model->steps > most) {
			trial->model->is_incomplete = true;
			return;
		}
	} while (next_client(all, at));
}

/* ---- which list is to blame ---- */

/* The stage whose permit made the difference: a table's or a network's before a bare end or permit. */
static enum mg_relay_stage blamed(const struct mg_relay_result *result)
{
	const struct mg_relay_cause *relay = &result->stage[MG_STAGE_RELAY], *rcpt = &result->stage[MG_STAGE_RECIPIENT];

	for (size_t i = 0; i < MG_STAGES; i++)
		if (result->outcome == MG_RELAY_PERHAPS && result->stage[i].outcome == MG_RELAY_PERHAPS)
			return (enum mg_relay_stage)i;
	if (relay->item != NULL && relay->op != MG_RELAY_PERMIT)
		return MG_STAGE_RELAY;
	if (rcpt->item != NULL && rcpt->op != MG_RELAY_PERMIT)
		return MG_STAGE_RECIPIENT;
	return relay->item == NULL && rcpt->item != NULL ? MG_STAGE_RECIPIENT : MG_STAGE_RELAY;
}

static struct mg_say why_open(
	const struct mg_relay_model *model, const struct mg_relay_client *client, const struct mg_relay_cause *cause)
{
	const char *table = cause->item != NULL && cause->item->table != NULL ? cause->item->table->name
			    : cause->item != NULL ? mg_arena_text(model->arena, cause->item->name, 200)
						  : "";
	struct mg_str name = client->is[MG_CHOICE_NAME]->text;
	bool has_name = cause->item != NULL && !mg_str_eq(name, MG_STR("unknown"));
	const char *address = client->is[MG_CHOICE_ADDRESS]->text.p;

	switch (cause->op) {
	case MG_RELAY_MYNETWORKS:
		return MG_SAY(N_("%1 in mynetworks trusts strangers: a client such as %2 may send to any domain"),
			cause->network == NULL ? "" : cause->network->text.p, address);
	case MG_RELAY_CLIENT:
		return MG_SAY(N_("%1 permits the client %2 [%3], whoever that is, to send to any domain"), table,
			has_name ? name.p : "unknown", address);
	case MG_RELAY_HELO:
		return MG_SAY(N_("%1 permits whoever says HELO %2, and anybody can say that"), table,
			client->is[MG_CHOICE_HELO]->text.p);
	case MG_RELAY_SENDER:
		return MG_SAY(N_("%1 permits the sender <%2>, and anybody can write that"), table,
			client->is[MG_CHOICE_SENDER]->text.p);
	case MG_RELAY_RECIPIENT:
		return MG_SAY(N_("%1 permits anybody to write to <%2>, which is no address of ours"), table,
			client->is[MG_CHOICE_RECIPIENT]->text.p);
	case MG_RELAY_CERT:
	case MG_RELAY_LISTED_CERT:
		return MG_SAY(N_("a certificate that anybody can make for himself is permitted to send to any domain"));
	case MG_RELAY_ANY_CERT:
		return MG_SAY(N_("every certificate of a public authority is permitted to send to any domain"));
	default:
		return MG_SAY(N_(
			"nothing refuses mail from strangers to strangers: the lists end, or permit, before a test"));
	}
}

/* A relay domain that is everybody's. */
static void tell_domain(struct trial *trial, const struct mg_relay_client *client, enum mg_relay_path_kind kind)
{
	const struct mg_relay_candidate *recipient = client->is[MG_CHOICE_RECIPIENT];
	const struct mg_match_pattern *pattern = recipient->relay_pattern;

	mg_relay_report_add(trial->proof, kind, trial->model->service, "relay_domains",
		MG_SAY(N_("%1 in relay_domains takes strangers' domains for ours: anybody may write to <%2>"),
			pattern == NULL ? "" : pattern->text.p, recipient->text.p),
		mg_relay_fix_domains(trial->proof, pattern), "");
}

static struct mg_say fix_of(struct trial *trial, const struct mg_relay_cause *cause)
{
	if (cause->op == MG_RELAY_MYNETWORKS && cause->outcome == MG_RELAY_YES)
		return mg_relay_fix_networks(trial->proof, trial->model->service, &trial->model->mynetworks);
	return mg_relay_fix_list(trial->proof, trial->model->service);
}

/* Open through a listener that only a private network reaches, unless somebody forwards to it. */
static bool is_private_listener(const struct mg_postfix_service *service)
{
	struct mg_str name = mg_str_z(service->name);
	size_t colon = mg_str_rfind(name, ':');
	struct mg_ip ip;

	return colon != SIZE_MAX && mg_ip_parse(mg_str_first(name, colon), &ip) && mg_ip_is_private(&ip);
}

static enum mg_relay_path_kind kind_of(const struct trial *trial, enum mg_relay_outcome outcome)
{
	return outcome == MG_RELAY_YES && !is_private_listener(trial->model->service) ? MG_RELAY_PATH_OPEN
										      : MG_RELAY_PATH_UNKNOWN;
}

static void tell_lists(struct trial *trial, const struct mg_relay_client *client, const struct mg_relay_result *result)
{
	enum mg_relay_stage stage = blamed(result);
	const struct mg_relay_cause *cause = &result->stage[stage];
	enum mg_relay_path_kind kind = kind_of(trial, result->outcome);
	bool is_sure = result->outcome == MG_RELAY_YES;

	if (is_sure && !trial->is_sure) { /* what was only suspected does not matter any more */
		trial->proof->report->path_count = trial->first;
		trial->is_sure = true;
		trial->told = 0;
	}
	if (trial->told++ >= TOLD_MAX)
		return;
	if (is_sure && client->is[MG_CHOICE_RECIPIENT]->class == MG_RELAY_CLASS_RELAY) {
		tell_domain(trial, client, kind);
		return;
	}
	mg_relay_report_add(trial->proof, kind, trial->model->service,
		mg_relay_report_restriction(trial->proof, trial->model->stages[stage], cause->item),
		is_sure ? why_open(trial->model, client, cause) : result->doubt, fix_of(trial, cause),
		cause->op == MG_RELAY_MYNETWORKS ? "mynetworks" : "");
}

/* ---- forged clients ---- */

static enum mg_match strangers_match(
	const struct mg_relay_model *model, const struct mg_match_list *list, const struct mg_relay_candidates *all)
{
	enum mg_match worst = MG_MATCH_NO;
	const struct mg_match_pattern *which;

	for (size_t i = 0; i < all->count[MG_CHOICE_ADDRESS]; i++)
		for (size_t j = 0; j < all->count[MG_CHOICE_NAME]; j++) {
			const struct mg_relay_candidate *address = &all->is[MG_CHOICE_ADDRESS][i];
			enum mg_match match = mg_match_client(model->tables, list, all->is[MG_CHOICE_NAME][j].text,
				address->text, &address->ip, &which);

			if (match == MG_MATCH_YES && !address->is_doubtful && !all->is[MG_CHOICE_NAME][j].is_doubtful)
				return match;
			if (match == MG_MATCH_UNKNOWN || match == MG_MATCH_YES)
				worst = MG_MATCH_UNKNOWN;
		}
	return worst;
}

static void tell_nothing(
	struct trial *trial, const struct mg_relay_client *client, const struct mg_relay_result *result)
{
	(void)trial;
	(void)client;
	(void)result;
}

/* How far one comes who can claim to be anybody. */
static enum mg_relay_outcome try_forged(struct mg_relay_proof *proof, struct mg_relay_model *model, bool has_login)
{
	struct mg_relay_strangers *forged = mg_arena_take(&proof->scratch, sizeof *forged);
	struct trial trial = { .proof = proof, .model = model, .tell = tell_nothing };
	size_t doubts = model->doubt_count;

	if (forged == NULL)
		return MG_RELAY_PERHAPS;
	mg_relay_strangers_gather(model, true, forged);
	try_all(&trial, &forged->all, has_login);
	model->doubt_count = doubts;
	return trial.worst == MG_RELAY_NO && model->is_incomplete ? MG_RELAY_PERHAPS : trial.worst;
}

static void prove_xclient(
	struct mg_relay_proof *proof, struct mg_relay_model *model, const struct mg_relay_strangers *strangers)
{
	static const char parameter[] = "smtpd_authorized_xclient_hosts";
	enum mg_match match = strangers_match(model, &model->xclient, &strangers->all);
	enum mg_relay_outcome outcome;

	if (match == MG_MATCH_NO || match == MG_MATCH_ERROR ||
		(outcome = try_forged(proof, model, model->has_sasl)) == MG_RELAY_NO)
		return;
	mg_relay_report_add(proof,
		match == MG_MATCH_YES && outcome == MG_RELAY_YES ? MG_RELAY_PATH_OPEN : MG_RELAY_PATH_UNKNOWN,
		model->service, parameter,
		MG_SAY(N_("strangers may use XCLIENT and so claim an address that is permitted to send to any domain")),
		mg_relay_fix_parameter(proof, model->service, parameter, NULL, 0), "spoof");
}

static struct mg_say fix_proxy(struct mg_relay_proof *proof, const struct mg_postfix_service *service)
{
	(void)proof;
	return MG_SAY(N_("in master.cf bind the service to an address that only the proxy reaches: write 127.0.0.1:%1 "
			 "instead of %1"),
		service->name);
}

static void tell_proxy(struct mg_relay_proof *proof, const struct mg_postfix_service *service,
	enum mg_relay_outcome outcome, const char *parameter, const struct mg_postfix_service *listener)
{
	mg_relay_report_add(proof, outcome == MG_RELAY_YES ? MG_RELAY_PATH_OPEN : MG_RELAY_PATH_UNKNOWN, service,
		parameter,
		MG_SAY(N_("whoever reaches %1 may begin with a PROXY line and so claim an address that is permitted to "
			  "send to any domain"),
			listener->name),
		fix_proxy(proof, listener), "spoof");
}

static void prove_proxy(
	struct mg_relay_proof *proof, struct mg_relay_model *model, const struct mg_postfix_service *screen)
{
	bool is_own = strcmp(model->service->type, "inet") == 0 &&
		      mg_relay_model_value(model, "smtpd_upstream_proxy_protocol").n > 0;
	enum mg_relay_outcome outcome;

	if ((!is_own && screen == NULL) || (outcome = try_forged(proof, model, false)) == MG_RELAY_NO)
		return;
	if (is_own)
		tell_proxy(proof, model->service, outcome, "smtpd_upstream_proxy_protocol", model->service);
	if (screen != NULL) {
		tell_proxy(proof, screen, outcome, "postscreen_upstream_proxy_protocol", screen);
		tell_proxy(proof, model->service, outcome, "postscreen_upstream_proxy_protocol", screen);
	}
}

/* ---- a service ---- */

static void prove_lists(
	struct mg_relay_proof *proof, struct mg_relay_model *model, const struct mg_relay_strangers *strangers)
{
	struct trial trial = { .proof = proof, .model = model, .tell = tell_lists, .first = proof->report->path_count };

	try_all(&trial, &strangers->all, false);
	if (model->is_incomplete && trial.worst != MG_RELAY_YES)
		mg_relay_report_add(proof, MG_RELAY_PATH_UNKNOWN, model->service, "smtpd_relay_restrictions",
			MG_SAY(N_("the restrictions and their tables are too many to try every kind of client")),
			mg_relay_fix_list(proof, model->service), "");
}

enum mg_rc mg_relay_prove_smtpd(struct mg_relay_proof *proof, const struct mg_postfix_service *service, bool is_reached,
	const struct mg_postfix_service *forging_screen, struct mg_err *err)
{
	struct mg_relay_model model = { .arena = &proof->scratch,
		.postfix = proof->postfix,
		.service = service,
		.policy_listen = proof->policy_listen,
		.tables = proof->tables,
		.destination = &proof->destination };
	struct mg_relay_strangers *strangers = mg_arena_take(&proof->scratch, sizeof *strangers);
	enum mg_rc rc = strangers == NULL ? mg_err_set(err, MG_ENOMEM, "no memory for the clients of %s", service->id)
					  : mg_relay_model_load(&model, err);

	if (rc == MG_OK && !mg_relay_tell_faults(proof, &model) && is_reached) {
		mg_relay_strangers_gather(&model, false, strangers);
		prove_lists(proof, &model, strangers);
		prove_xclient(proof, &model, strangers);
		prove_proxy(proof, &model, forging_screen);
		mg_relay_advise_service(proof, &model, strangers);
	}
	mg_relay_model_fini(&model);
	return rc;
}

/* qmqpd asks for no recipient restrictions: whoever may speak to it may send anywhere. */
enum mg_rc mg_relay_prove_qmqpd(
	struct mg_relay_proof *proof, const struct mg_postfix_service *service, struct mg_err *err)
{
	static const char parameter[] = "qmqpd_authorized_clients";
	struct mg_relay_model model = { .arena = &proof->scratch,
		.postfix = proof->postfix,
		.service = service,
		.policy_listen = proof->policy_listen,
		.tables = proof->tables,
		.destination = &proof->destination };
	struct mg_relay_strangers *strangers = mg_arena_take(&proof->scratch, sizeof *strangers);
	enum mg_match match = MG_MATCH_NO;
	enum mg_rc rc = strangers == NULL ? mg_err_set(err, MG_ENOMEM, "no memory for the clients of %s", service->id)
					  : mg_relay_model_load(&model, err);

	if (rc == MG_OK) {
		mg_match_load(&model.mynetworks, proof->tables, &proof->scratch,
			mg_relay_model_value(&model, parameter),
			mg_relay_matches_parents(proof->postfix, service, parameter));
		mg_relay_strangers_gather(&model, false, strangers);
		match = strangers_match(&model, &model.mynetworks, &strangers->all);
	}
	if (match == MG_MATCH_YES || match == MG_MATCH_UNKNOWN)
		mg_relay_report_add(proof, match == MG_MATCH_YES ? MG_RELAY_PATH_OPEN : MG_RELAY_PATH_UNKNOWN, service,
			parameter, MG_SAY(N_("strangers may hand qmqpd mail for any domain")),
			mg_relay_fix_parameter(proof, service, parameter, NULL, 0), "spoof");
	mg_relay_model_fini(&model);
	return rc;
}
