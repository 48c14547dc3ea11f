/* probe --json: what was seen as a tree, and what is thought of it as checks. */
#include "ctl/probe.h"

static json_t *text(const char *value)
{
	return mg_json_text(mg_str_z(value));
}

static json_t *lines(const char *value)
{
	struct mg_str rest = mg_str_z(value);
	json_t *list = json_array();

	while (rest.n > 0)
		json_array_append_new(list, mg_json_text(mg_str_cut(&rest, '\n')));
	return list;
}

static json_t *tls_json(const struct mg_probe_port *port)
{
	json_t *versions = json_array();

	for (unsigned version = MG_SSL_3; port->has_offers && version < MG_TLS_VERSIONS; version++)
		if (port->offers.version[version] == MG_OFFER_YES)
			json_array_append_new(versions, json_string(mg_tls_version_name((enum mg_tls_version)version)));
	return json_pack("{s:o, s:s, s:o, s:i, s:o}", "versions", versions, "version", port->served.version, "cipher",
		text(port->served.cipher), "bits", (int)port->served.cipher_bits, "weak_cipher",
		text(port->offers.weak_cipher));
}

static json_t *certificate_json(const struct mg_probe_host *host, const struct mg_chain *chain)
{
	const struct mg_cert_facts *facts = mg_chain_at(chain, 0);
	char why[128];
	enum mg_chain_state trust = mg_chain_trust(chain, why, sizeof why);

	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:b, s:b, s:b, s:o, s:i, s:s, s:i}", "subject",
		text(facts->subject), "issuer", text(facts->issuer), "names", text(facts->names), "not_before",
		(json_int_t)facts->not_before_s, "not_after", (json_int_t)facts->not_after_s, "self_signed",
		facts->is_self_signed, "covers_name", mg_chain_covers(chain, host->name), "trusted",
		trust == MG_CHAIN_TRUSTED, "why", text(why), "chain", (int)mg_chain_count(chain), "key",
		facts->key_kind, "key_bits", (int)facts->key_bits);
}

static json_t *relay_json(const struct mg_probe_port *port)
{
	json_t *tries = json_array();

	for (size_t i = 0; i < port->served.tried_count; i++)
		if (port->served.tried[i].text[0] != '\0')
			json_array_append_new(tries, text(port->served.tried[i].text));
	return json_pack("{s:s, s:o, s:o}", "state", mg_relaying_name(port->relaying), "reply",
		text(port->relaying == MG_RELAYING_UNASKED ? "" : port->served.tried[port->telling].text), "replies",
		tries);
}

static json_t *port_json(const struct mg_probe_host *host, const struct mg_probe_port *port)
{
	const struct mg_served *served = &port->served;
	json_t *json = json_pack("{s:i, s:s, s:o, s:o, s:s, s:s, s:o, s:b, s:b}", "port", (int)port->number, "state",
		mg_probe_port_state(port), "trouble", text(served->trouble), "greeting", text(served->greeting_text),
		"software", port->software.name, "software_from", mg_software_sign_name(port->software.sign),
		"capabilities", lines(served->listed), "starttls", (served->before.has & MG_SERVED_STARTTLS) != 0,
		"auth_before_tls", !port->door->is_implicit && (served->before.has & MG_SERVED_AUTH) != 0);

	if (json == NULL)
		return json_object();
	if (served->is_secured)
		json_object_set_new(json, "tls", tls_json(port));
	if (served->chain != NULL)
		json_object_set_new(json, "certificate", certificate_json(host, served->chain));
	if (port->relaying != MG_RELAYING_UNASKED)
		json_object_set_new(json, "relay", relay_json(port));
	return json;
}

static json_t *address_json(const struct mg_probe_host *host, const struct mg_probe_address *address)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < address->port_count; i++)
		json_array_append_new(ports, port_json(host, &address->port[i]));
	return json_pack("{s:s, s:o, s:b, s:o}", "ip", address->text, "ptr", text(address->ptr), "ptr_confirmed",
		address->is_confirmed, "ports", ports);
}

static json_t *host_json(const struct mg_probe *probe, const struct mg_probe_host *host)
{
	json_t *addresses = json_array();

	for (size_t i = 0; i < host->address_count; i++)
		json_array_append_new(addresses, address_json(host, &host->address[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:i}", "name", text(host->name), "preference",
		probe->has_mx ? json_integer((json_int_t)host->preference) : json_null(), "alias", text(host->alias),
		"addresses", addresses, "addresses_left_out", (int)host->addresses_left_out);
}

/* As the exit status: crit, warn, unknown, ok. */
static const char *worst(const json_t *checks)
{
	static const char *const states[] = { "crit", "warn", "unknown" };
	size_t i;
	json_t *check;

	for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
		json_array_foreach((json_t *)checks, i, check)
		{
			if (mg_str_eq(mg_str_z(mg_ctl_text(check, "state")), mg_str_z(states[s])))
				return states[s];
		}
	}
	return "ok";
}

json_t *mg_probe_json(const struct mg_probe *probe)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < probe->host_count; i++)
		json_array_append_new(hosts, host_json(probe, &probe->host[i]));
	return json_pack("{s:s, s:o, s:o, s:b, s:b, s:o, s:i, s:O, s:O}", "state", worst(probe->checks), "target",
		text(probe->target), "domain", text(probe->domain), "mx", probe->has_mx, "null_mx", probe->is_null_mx,
		"hosts", hosts, "hosts_left_out", (int)probe->hosts_left_out, "checks", probe->checks, "skipped",
		probe->skipped);
}
