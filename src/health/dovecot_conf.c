#include "health/dovecot_conf.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/i18n.h"
#include "base/run.h"

enum { TIMEOUT_MS = 5000, OUT_MAX = 1024 * 1024, DEPTH_MAX = 8 };

/* ---- what doveconf printed ---- */

struct reader {
	struct mg_dovecot *dovecot;
	unsigned depth;
	struct mg_str service; /* of depth 1, "": another block */
	struct mg_str block;   /* of depth 1: its kind, "protocol", "userdb" */
	bool is_listener;      /* of depth 2 */
	struct mg_dovecot_listener now;
	char listen[MG_DOVECOT_TEXT], protocols[MG_DOVECOT_TEXT];
};

static bool is_yes(struct mg_str value)
{
	return mg_str_eq(value, MG_STR("yes"));
}

static void keep_path(char *place, struct mg_str value)
{
	(void)mg_read_token(&value, MG_STR("<"));
	value = mg_str_trim(value);
	if (value.n == 0 || value.p[0] != '/' || !mg_str_copy(place, MG_DOVECOT_TEXT, value))
		place[0] = '\0';
}

static void keep(char *place, size_t size, struct mg_str value)
{
	(void)mg_str_copy(place, size, value);
	mg_escape_in_place(place);
}

static bool holds_word(struct mg_str text, const char *wanted)
{
	struct mg_str word;

	while (mg_read_word(&text, " ,\"", &word))
		if (mg_str_eq(word, mg_str_z(wanted)))
			return true;
	return false;
}

/* Texts that are kept as they are. */
static bool keep_text(struct mg_dovecot *dovecot, struct mg_str key, struct mg_str value)
{
	const struct {
		const char *key;
		char *place;
		size_t size;
	} texts[] = {
		{ "ssl_min_protocol", dovecot->ssl_min_protocol, sizeof dovecot->ssl_min_protocol },
		{ "auth_mechanisms", dovecot->mechanisms, sizeof dovecot->mechanisms },
		{ "mail_location", dovecot->mail_location, sizeof dovecot->mail_location },
		{ "mail_path", dovecot->mail_location, sizeof dovecot->mail_location },
		{ "mail_inbox_path", dovecot->mail_inbox, sizeof dovecot->mail_inbox },
		{ "mail_home", dovecot->mail_home, sizeof dovecot->mail_home },
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (mg_str_eq(key, mg_str_z(texts[i].key)) && value.n > 0) {
			keep(texts[i].place, texts[i].size, value);
			return true;
		}
	return false;
}

static void global(struct reader *reader, struct mg_str key, struct mg_str value)
{
	struct mg_dovecot *dovecot = reader->dovecot;

	if (keep_text(dovecot, key, value))
		return;
	if (mg_str_eq(key, MG_STR("mail_plugins")))
		dovecot->has_quota = dovecot->has_quota || holds_word(value, "quota");
	if (mg_str_eq(key, MG_STR("dovecot_config_version")) || mg_str_eq(key, MG_STR("auth_allow_cleartext")))
		dovecot->is_24 = true;
	if (mg_str_eq(key, MG_STR("ssl_cert")) || mg_str_eq(key, MG_STR("ssl_server_cert_file")))
		keep_path(dovecot->certificate, value);
	else if (mg_str_eq(key, MG_STR("ssl_key")) || mg_str_eq(key, MG_STR("ssl_server_key_file")))
		keep_path(dovecot->key, value);
	else if (mg_str_eq(key, MG_STR("base_dir")))
		keep_path(dovecot->base_dir, value);
	else if (mg_str_eq(key, MG_STR("ssl")))
		(void)mg_str_copy(dovecot->ssl, sizeof dovecot->ssl, value);
	else if (mg_str_eq(key, MG_STR("disable_plaintext_auth")))
		dovecot->allows_plaintext = !is_yes(value);
	else if (mg_str_eq(key, MG_STR("auth_allow_cleartext")))
		dovecot->allows_plaintext = is_yes(value);
	else if (mg_str_eq(key, MG_STR("listen")))
		(void)mg_str_copy(reader->listen, sizeof reader->listen, value);
	else if (mg_str_eq(key, MG_STR("protocols")))
		(void)mg_str_copy(reader->protocols, sizeof reader->protocols, value);
}

static void of_listener(struct reader *reader, struct mg_str key, struct mg_str value)
{
	uint64_t port = 0;

	if (mg_str_eq(key, MG_STR("port")) && mg_str_to_u64(value, 65535, &port))
		reader->now.port = (unsigned)port;
	else if (mg_str_eq(key, MG_STR("ssl")))
		reader->now.is_tls = is_yes(value);
	else if (mg_str_eq(key, MG_STR("haproxy")))
		reader->now.has_proxy = is_yes(value);
	else if (mg_str_eq(key, MG_STR("address")) || mg_str_eq(key, MG_STR("listen")))
		(void)mg_str_copy(reader->now.hosts, sizeof reader->now.hosts, value);
}

/* What stands in a block of the first depth: plugins of a protocol, home directories of a user database. */
static void of_block(struct reader *reader, struct mg_str key, struct mg_str value)
{
	struct mg_dovecot *dovecot = reader->dovecot;
	struct mg_str word;

	if (mg_str_eq(reader->block, MG_STR("protocol")) && mg_str_eq(key, MG_STR("mail_plugins")))
		dovecot->has_quota = dovecot->has_quota || holds_word(value, "quota");
	else if (mg_str_eq(reader->block, MG_STR("mail_plugins")) && mg_str_eq(key, MG_STR("quota")))
		dovecot->has_quota = is_yes(value);
	else if (mg_str_eq(reader->block, MG_STR("userdb")) && dovecot->mail_home[0] == '\0')
		while (mg_read_word(&value, " ", &word))
			if (mg_read_token(&word, MG_STR("home=")))
				keep(dovecot->mail_home, sizeof dovecot->mail_home, word);
}

static void add_socket(struct reader *reader, struct mg_str path)
{
	struct mg_dovecot *dovecot = reader->dovecot;
	struct mg_dovecot_socket *socket;

	if (dovecot->socket_count == MG_DOVECOT_SOCKETS)
		return;
	socket = &dovecot->socket[dovecot->socket_count++];
	keep(socket->service, sizeof socket->service, reader->service);
	keep(socket->path, sizeof socket->path, path);
}

static void open_block(struct reader *reader, struct mg_str line)
{
	struct mg_str kind, name = { "", 0 };

	reader->depth++;
	if (!mg_read_word(&line, " {", &kind))
		return;
	(void)mg_read_word(&line, " {", &name);
	if (reader->depth == 1) {
		reader->block = kind;
		reader->service = mg_str_eq(kind, MG_STR("service")) ? name : MG_STR("");
		if (mg_str_eq(kind, MG_STR("local_name")) || mg_str_eq(kind, MG_STR("local")))
			reader->dovecot->has_local_names = true;
		return;
	}
	if (reader->depth == 2 && reader->service.n > 0 && mg_str_eq(kind, MG_STR("unix_listener")))
		add_socket(reader, name);
	if (reader->depth != 2 || !mg_str_eq(kind, MG_STR("inet_listener")))
		return;
	if (!mg_str_eq(reader->service, MG_STR("imap-login")) && !mg_str_eq(reader->service, MG_STR("pop3-login")))
		return;
	reader->is_listener = true;
	reader->now = (struct mg_dovecot_listener){ .is_pop3 = mg_str_eq(reader->service, MG_STR("pop3-login")) };
	snprintf(reader->now.name, sizeof reader->now.name, "%.*s/%.*s", MG_STR_ARGS(reader->service),
		MG_STR_ARGS(name));
}

static void close_block(struct reader *reader)
{
	struct mg_dovecot *dovecot = reader->dovecot;

	if (reader->depth == 2 && reader->is_listener) {
		reader->is_listener = false;
		if (reader->now.port != 0 && dovecot->count < MG_DOVECOT_LISTENERS)
			dovecot->listener[dovecot->count++] = reader->now;
	}
	if (reader->depth > 0)
		reader->depth--;
	if (reader->depth == 0)
		reader->service = MG_STR("");
}

/* "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf" */
static void read_head(struct reader *reader, struct mg_str line)
{
	size_t at = mg_str_find_str(line, MG_STR("): /"));

	if (at == SIZE_MAX || reader->dovecot->file[0] != '\0')
		return;
	keep_path(reader->dovecot->file, mg_str_from(line, at + 3));
	mg_escape_in_place(reader->dovecot->file);
	reader->dovecot->is_24 = mg_str_starts(line, MG_STR("# 2.4"));
}

static void read_line(struct reader *reader, struct mg_str line)
{
	struct mg_str rest = mg_str_trim(line), key;

	if (rest.n > 0 && rest.p[0] == '#')
		read_head(reader, rest);
	if (rest.n == 0 || rest.p[0] == '#')
		return;
	if (mg_str_eq(rest, MG_STR("}"))) {
		close_block(reader);
	} else if (rest.p[rest.n - 1] == '{') {
		open_block(reader, rest);
	} else {
		key = mg_str_trim(mg_str_cut(&rest, '='));
		if (reader->depth == 0)
			global(reader, key, mg_str_trim(rest));
		else if (reader->depth == 1)
			of_block(reader, key, mg_str_trim(rest));
		else if (reader->depth == 2 && reader->is_listener)
			of_listener(reader, key, mg_str_trim(rest));
	}
}

/* Takes out what Dovecot does not open: a protocol that is off, TLS where there is none; fills in the common addresses. */
static void settle(struct reader *reader)
{
	struct mg_dovecot *dovecot = reader->dovecot;
	size_t kept = 0;

	for (size_t i = 0; i < dovecot->count; i++) {
		struct mg_dovecot_listener *listener = &dovecot->listener[i];

		if (!holds_word(mg_str_z(reader->protocols), listener->is_pop3 ? "pop3" : "imap") ||
			(listener->is_tls && strcmp(dovecot->ssl, "no") == 0))
			continue;
		if (listener->hosts[0] == '\0')
			(void)mg_str_copy(listener->hosts, sizeof listener->hosts, mg_str_z(reader->listen));
		dovecot->listener[kept++] = *listener;
	}
	dovecot->count = kept;
}

void mg_dovecot_parse(struct mg_str text, struct mg_dovecot *dovecot_out)
{
	struct reader reader = {
		.dovecot = dovecot_out, .service = MG_STR(""), .block = MG_STR(""), .listen = "*, ::"
	};

	*dovecot_out = (struct mg_dovecot){ .is_used = true };
	while (text.n > 0)
		read_line(&reader, mg_str_cut(&text, '\n'));
	settle(&reader);
}

/* ---- is it used here? ---- */

static bool exists(const char *directory, const char *name)
{
	char path[MG_DOVECOT_TEXT + 64];
	struct stat info;

	snprintf(path, sizeof path, "%s%s%s", directory, name[0] == '\0' ? "" : "/", name);
	return lstat(path, &info) == 0;
}

static bool mentions(const struct mg_postfix *postfix, const char *parameter, const char *word)
{
	const char *raw =
		mg_postfix_is_set(postfix, parameter) ? mg_postfix_raw(postfix, NULL, mg_str_z(parameter)) : NULL;

	return raw != NULL && mg_str_find_str(mg_str_z(raw), mg_str_z(word)) != SIZE_MAX;
}

static bool does_postfix_rely_on_it(const struct mg_postfix *postfix)
{
	static const char *const transports[] = { "virtual_transport", "mailbox_transport", "local_transport",
		"mailbox_command", "transport_maps" };

	if (postfix == NULL)
		return false;
	for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++)
		if (mentions(postfix, transports[i], "dovecot"))
			return true;
	if (mentions(postfix, "smtpd_sasl_type", "dovecot"))
		return true;
	for (size_t i = 0; i < postfix->service_count; i++) {
		const struct mg_postfix_parameter *type =
			mg_postfix_override(&postfix->services[i], MG_STR("smtpd_sasl_type"));

		if (type != NULL && strcmp(type->value, "dovecot") == 0)
			return true;
	}
	return false;
}

static bool is_used(const struct mg_check_env *env, const struct mg_dovecot *dovecot)
{
	static const char unit[] = "/etc/systemd/system/multi-user.target.wants/dovecot.service";

	if (env->conf->dovecot.config[0] != '\0' || does_postfix_rely_on_it(env->postfix))
		return true;
	if (dovecot->base_dir[0] != '\0' &&
		(exists(dovecot->base_dir, "master.pid") || exists(dovecot->base_dir, "dovecot.conf") ||
			exists(dovecot->base_dir, "login")))
		return true;
	return exists("/run/systemd/system", "") && exists(unit, "");
}

/* ---- the look ---- */

enum mg_rc mg_dovecot_look(const struct mg_check_env *env, struct mg_dovecot *dovecot_out, struct mg_err *err)
{
	const char *file = env->conf->dovecot.config;
	const char *const argv[] = { "doveconf", "-P", "-a", file[0] == '\0' ? NULL : "-c", file, NULL };
	int64_t left_ms = (env->deadline_us - mg_mono_us()) / MG_MS_US;
	struct mg_run run = { .argv = argv,
		.timeout_ms = left_ms < 1            ? 1
			      : left_ms < TIMEOUT_MS ? (int)left_ms
						     : TIMEOUT_MS,
		.out_max = OUT_MAX,
		.err_max = 4096 };
	struct mg_run_result result;
	enum mg_rc rc = mg_run(&run, &result, err);
	char said[256];

	*dovecot_out = (struct mg_dovecot){ 0 };
	if (rc == MG_ENOENT && file[0] == '\0') {
		rc = MG_OK; /* not installed */
	} else if (rc == MG_OK && result.status != 0) {
		(void)mg_str_copy(dovecot_out->base_dir, sizeof dovecot_out->base_dir, MG_STR("/run/dovecot"));
		if (is_used(env, dovecot_out))
			rc = mg_err_set(err, MG_EIO, "doveconf: %s", mg_run_said(&result, said, sizeof said));
		*dovecot_out = (struct mg_dovecot){ 0 };
	} else if (rc == MG_OK) {
		mg_dovecot_parse(mg_buf_str(&result.out), dovecot_out);
		if (!is_used(env, dovecot_out))
			*dovecot_out = (struct mg_dovecot){ 0 };
	}
	mg_run_fini(&result);
	return rc;
}

const char *mg_dovecot_program(const struct mg_check_env *env, struct mg_finding *finding, const char *program)
{
	struct mg_buf text;
	const char *kept;

	if (env->conf->dovecot.config[0] == '\0')
		return program;
	mg_buf_init(&text, 4096);
	mg_buf_addf(&text, "%s -c %s", program, env->conf->dovecot.config);
	kept = mg_arena_text(&finding->arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return kept;
}

bool mg_dovecot_is_here(const struct mg_check_env *env, struct mg_finding *finding, struct mg_dovecot *dovecot_out)
{
	struct mg_err err = { "" };

	if (mg_dovecot_look(env, dovecot_out, &err) != MG_OK) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Dovecot's configuration can't be read"), NULL);
		mg_finding_cause(finding, "%1", err.text, NULL);
		mg_finding_fix(finding, "%1 -n", mg_dovecot_program(env, finding, "doveconf"), NULL);
		return false;
	}
	if (!dovecot_out->is_used)
		mg_finding_not_applicable(finding, N_("not applicable: Dovecot is not used here"));
	return dovecot_out->is_used;
}

/* ---- where the mailboxes are ---- */

/* "/var/vmail/%d/%n:INDEX=..." to "/var/vmail"; "" when it does not begin with a directory. */
static struct mg_str fixed_part(struct mg_str path)
{
	size_t variable;

	path = mg_str_cut(&path, ':');
	if ((variable = mg_str_find(path, '%')) != SIZE_MAX)
		path = mg_str_first(mg_str_first(path, variable), mg_str_rfind(mg_str_first(path, variable), '/'));
	return path.n > 1 && path.p[0] == '/' ? path : MG_STR("");
}

static void add_place(struct mg_str path, const struct mg_dovecot *dovecot,
	char places[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT], size_t *count)
{
	if (path.n == 0)
		return;
	if (mg_str_starts(path, MG_STR("~")) || mg_str_starts(path, MG_STR("%h")) ||
		mg_str_starts(path, MG_STR("%{home}")) || path.p[0] != '/')
		path = dovecot->mail_home[0] == '\0' ? MG_STR("/home") : mg_str_z(dovecot->mail_home);
	path = fixed_part(path);
	for (size_t i = 0; i < *count; i++)
		if (mg_str_eq(path, mg_str_z(places[i])))
			return;
	if (path.n > 0 && *count < MG_DOVECOT_PLACES)
		(void)mg_str_copy(places[(*count)++], MG_DOVECOT_TEXT, path);
}

size_t mg_dovecot_mailboxes(const struct mg_dovecot *dovecot, char places[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT])
{
	struct mg_str location = mg_str_z(dovecot->mail_location), rest = location;
	size_t inbox = mg_str_find_str(location, MG_STR(":INBOX=")), count = 0;
	size_t colon = mg_str_find(location, ':');

	if (colon != SIZE_MAX && location.n > 0 && location.p[0] != '/' && location.p[0] != '~') /* "maildir:" */
		rest = mg_str_from(location, colon + 1);
	add_place(rest, dovecot, places, &count);
	if (inbox != SIZE_MAX)
		add_place(mg_str_from(location, inbox + sizeof ":INBOX=" - 1), dovecot, places, &count);
	add_place(mg_str_z(dovecot->mail_inbox), dovecot, places, &count);
	return count;
}
