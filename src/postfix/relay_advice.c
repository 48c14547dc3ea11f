/* What is no open relay and yet worth a word: whom the lists trust on purpose. */
#include "base/i18n.h"
#include "postfix/relay_net.h"
#include "postfix/relay_report.h"
#include "postfix/relay_stranger.h"

/* ---- whom the lists trust ---- */

/* mynetworks without that one. */
static struct mg_say fix_without(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, struct mg_str network)
{
	struct mg_match_list others = model->mynetworks;
	size_t kept = 0;

	others.patterns = mg_arena_take(&proof->scratch, (others.count + 1) * sizeof *others.patterns);
	for (size_t i = 0; others.patterns != NULL && i < model->mynetworks.count; i++)
		if (!mg_str_eq(model->mynetworks.patterns[i].text, network))
			others.patterns[kept++] = model->mynetworks.patterns[i];
	others.count = kept;
	return mg_relay_fix_networks(proof, model->service, &others);
}

static void note_trusted(struct mg_relay_proof *proof, const struct mg_relay_model *model,
	const struct mg_relay_trusted *trusted, bool is_by_style)
{
	bool is_networks = strcmp(trusted->where, "mynetworks") == 0;

	if (is_networks && is_by_style && !trusted->is_private && trusted->bits != 32 && trusted->bits != 128)
		mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, trusted->where,
			MG_SAY(N_("mynetworks_style trusts this host's neighbours in %1, whoever they are"),
				trusted->text.p),
			mg_relay_fix_parameter(proof, NULL, "mynetworks_style", (const char *const[]){ "host" }, 1),
			"mynetworks");
	else if (trusted->is_bridge)
		mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, trusted->where,
			MG_SAY(N_("%1 holds the networks of containers (Docker's bridge): if clients come in through a "
				  "proxy or a published port, they all arrive as the bridge's gateway and are trusted"),
				trusted->text.p),
			fix_without(proof, model, trusted->text), "mynetworks");
	else if (trusted->is_private)
		mg_relay_report_add(proof, MG_RELAY_PATH_NOTE, NULL, trusted->where,
			MG_SAY(N_("private networks are trusted, %1 for one: right as long as no proxy, container bridge "
				  "or NAT gateway in them brings strangers along"),
				trusted->text.p),
			(struct mg_say){ 0 }, "mynetworks");
	else
		mg_relay_report_add(proof, MG_RELAY_PATH_NOTE, NULL, trusted->where,
			MG_SAY(N_("%1 may send to any domain by %2: right as long as it is yours or a partner's"),
				trusted->text.p, trusted->where),
			(struct mg_say){ 0 }, is_networks ? "mynetworks" : "");
}

struct mx_backup {
	const struct mg_relay_item *item;
};

static void find_mx_backup(void *context, const struct mg_relay_item *item)
{
	struct mx_backup *found = context;

	if (item->op == MG_RELAY_MX_BACKUP)
		found->item = item;
}

/* Networks that all primary MX hosts must be in: nothing, or all of it, keeps nobody out. */
static bool has_narrow_networks(struct mg_relay_proof *proof, struct mg_relay_model *model)
{
	struct mg_match_list networks;

	mg_match_load(&networks, proof->tables, &proof->scratch,
		mg_relay_model_value(model, "permit_mx_backup_networks"), false);
	for (size_t i = 0; i < networks.count; i++)
		if (networks.patterns[i].kind != MG_MATCH_NET ||
			mg_relay_net_reach(&networks.patterns[i].net) == MG_RELAY_REACH_WORLD)
			return false;
	return networks.count > 0;
}

static void advise_mx_backup(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	struct mg_relay_model own = *model;
	struct mx_backup found = { NULL };

	mg_relay_lists_each(model->lists, find_mx_backup, &found);
	if (found.item == NULL || has_narrow_networks(proof, &own))
		return;
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, model->service, "permit_mx_backup",
		MG_SAY(N_(
			"permit_mx_backup takes mail for every domain whose owner lists this host among its MX records")),
		MG_SAY(N_("list such domains in relay_domains and take permit_mx_backup out of the restrictions")), "");
}

void mg_relay_advise_service(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, const struct mg_relay_strangers *strangers)
{
	bool is_by_style = !mg_postfix_is_set(model->postfix, "mynetworks") &&
			   mg_postfix_override(model->service, MG_STR("mynetworks")) == NULL;

	for (size_t i = 0; i < strangers->trusted_count; i++)
		note_trusted(proof, model, &strangers->trusted[i], is_by_style);
	advise_mx_backup(proof, model);
}

void mg_relay_advise(struct mg_relay_proof *proof)
{
	if (!mg_postfix_is_yes(proof->postfix, NULL, "allow_untrusted_routing") || proof->destination.relay.count == 0)
		return;
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, "allow_untrusted_routing",
		MG_SAY(N_(
			"addresses such as user%%elsewhere@relay-domain are handed on to that domain's own server, which may "
			"trust this one and relay them")),
		mg_relay_fix_parameter(proof, NULL, "allow_untrusted_routing", (const char *const[]){ "no" }, 1), "");
}
