/* Four questions to postconf: all parameters, those that main.cf sets, all services, their overrides. */
#include "postfix/postconf.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/run.h"
#include "postfix/expand.h"

enum {
	ARENA_MAX = 32 * 1024 * 1024,
	OUT_MAX = 8 * 1024 * 1024,
	ERR_MAX = 64 * 1024,
	ENTRY_FIELDS = 8,
	COUNT_MAX = 100000
};

struct loading {
	struct mg_postfix *postfix;
	int64_t deadline_us;
	struct mg_buf warnings;
	struct mg_err *err;
};

static const char *keep(struct mg_postfix *postfix, struct mg_str text)
{
	char *copy = mg_arena_take(&postfix->arena, text.n + 1);

	if (copy != NULL && text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

static enum mg_rc no_memory(struct loading *loading)
{
	return mg_err_set(loading->err, MG_ENOMEM, "no memory for Postfix's configuration");
}

/* What `postconf -c DIR option` prints, kept in the arena. */
static enum mg_rc ask(struct loading *loading, const char *option, struct mg_str *answer_out)
{
	const char *const argv[] = { "postconf", "-c", loading->postfix->directory, option, NULL };
	int64_t left_us = loading->deadline_us - mg_mono_us();
	const struct mg_run run = { .argv = argv,
		.timeout_ms = left_us < 0 ? 0 : (int)(left_us / MG_MS_US),
		.out_max = OUT_MAX,
		.err_max = ERR_MAX };
	struct mg_run_result result;
	char said[200];
	const char *text;
	enum mg_rc rc = mg_run(&run, &result, loading->err);

	if (rc == MG_OK && result.status != 0)
		rc = mg_err_set(loading->err, MG_EIO, "postconf can't read %s: %s", loading->postfix->directory,
			mg_run_said(&result, said, sizeof said));
	else if (rc == MG_OK && !mg_buf_ok(&result.out))
		rc = mg_err_set(
			loading->err, MG_EFULL, "the configuration in %s is too large", loading->postfix->directory);
	if (rc == MG_OK) {
		text = keep(loading->postfix, mg_buf_str(&result.out));
		*answer_out = mg_str_of(text, result.out.n);
		if (text == NULL)
			rc = no_memory(loading);
		if (result.err.n > 0 &&
			mg_str_find_str(mg_buf_str(&loading->warnings), mg_buf_str(&result.err)) == SIZE_MAX)
			mg_buf_add(&loading->warnings, mg_buf_str(&result.err));
	}
	mg_run_fini(&result);
	return rc;
}

/* "name = value", "name =" */
static bool split(struct mg_str line, struct mg_str *name_out, struct mg_str *value_out)
{
	size_t equals = mg_str_find_str(line, MG_STR(" ="));

	if (equals == SIZE_MAX || equals == 0)
		return false;
	*name_out = mg_str_first(line, equals);
	*value_out = mg_str_trim(mg_str_from(line, equals + 2));
	return true;
}

static size_t count_lines(struct mg_str text)
{
	size_t count = 0;

	while (text.n > 0 && count < COUNT_MAX) {
		(void)mg_str_cut(&text, '\n');
		count++;
	}
	return count;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct mg_postfix_parameter *)a)->name, ((const struct mg_postfix_parameter *)b)->name);
}

static struct mg_postfix_parameter *find(const struct mg_postfix *postfix, struct mg_str name)
{
	size_t low = 0, high = postfix->parameter_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *there = postfix->parameters[middle].name;
		int order = strncmp(there, name.p, name.n);

		if (order == 0 && there[name.n] == '\0')
			return &postfix->parameters[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static enum mg_rc load_parameters(struct loading *loading)
{
	struct mg_postfix *postfix = loading->postfix;
	struct mg_str all = { 0 }, set = { 0 }, name, value;
	enum mg_rc rc;

	if ((rc = ask(loading, "-p", &all)) != MG_OK || (rc = ask(loading, "-n", &set)) != MG_OK)
		return rc;
	postfix->parameters = mg_arena_take(&postfix->arena, (count_lines(all) + 1) * sizeof *postfix->parameters);
	if (postfix->parameters == NULL)
		return no_memory(loading);
	for (size_t left = count_lines(all); left > 0; left--) {
		struct mg_postfix_parameter *parameter = &postfix->parameters[postfix->parameter_count];

		if (!split(mg_str_cut(&all, '\n'), &name, &value))
			continue;
		parameter->name = keep(postfix, name);
		parameter->value = keep(postfix, value);
		if (parameter->name == NULL || parameter->value == NULL)
			return no_memory(loading);
		postfix->parameter_count++;
	}
	qsort(postfix->parameters, postfix->parameter_count, sizeof *postfix->parameters, by_name);
	while (set.n > 0) {
		struct mg_postfix_parameter *parameter;

		if (split(mg_str_cut(&set, '\n'), &name, &value) && (parameter = find(postfix, name)) != NULL)
			parameter->is_set = true;
	}
	return MG_OK;
}

static bool flag(struct mg_str field, bool preset)
{
	return field.n == 1 && field.p[0] == '-' ? preset : field.n > 0 && field.p[0] == 'y';
}

/* Whether services without an answer in their chroot column are chrooted: only below compatibility level 1. */
static bool chroot_preset(const struct mg_postfix *postfix)
{
	const char *level = mg_postfix_raw(postfix, NULL, MG_STR("compatibility_level"));

	return level == NULL || mg_postfix_level(mg_str_z(level)) < mg_postfix_level(MG_STR("1"));
}

static bool load_service(struct mg_postfix *postfix, struct mg_postfix_service *service, struct mg_str line)
{
	struct mg_str rest = line, field[ENTRY_FIELDS];
	struct mg_buf id;
	uint64_t processes = 0;

	for (size_t i = 0; i < ENTRY_FIELDS; i++)
		if (!mg_read_word(&rest, " \t", &field[i]))
			return false;
	mg_buf_init(&id, 1024);
	mg_buf_addf(&id, "%.*s/%.*s", MG_STR_ARGS(field[0]), MG_STR_ARGS(field[1]));
	*service = (struct mg_postfix_service){
		.name = keep(postfix, field[0]),
		.type = keep(postfix, field[1]),
		.id = keep(postfix, mg_buf_str(&id)),
		.entry = keep(postfix, line),
		.command = keep(postfix, field[7]),
		.is_private = flag(field[2], true),
		.is_unprivileged = flag(field[3], true),
		.is_chroot = flag(field[4], chroot_preset(postfix)),
		.max_processes = MG_POSTFIX_DEFAULT,
	};
	mg_buf_fini(&id);
	if (mg_str_to_u64(field[6], 1000000, &processes))
		service->max_processes = (int)processes;
	return service->name != NULL && service->type != NULL && service->id != NULL && service->entry != NULL &&
	       service->command != NULL;
}

/* "smtp/inet/name = value" when it is this service's. */
static bool split_override(
	const struct mg_postfix_service *service, struct mg_str line, struct mg_str *name_out, struct mg_str *value_out)
{
	return mg_read_token(&line, mg_str_z(service->id)) && mg_read_token(&line, MG_STR("/")) &&
	       split(line, name_out, value_out) && mg_str_find(*name_out, '/') == SIZE_MAX;
}

static enum mg_rc load_overrides(struct loading *loading, struct mg_postfix_service *service, struct mg_str all)
{
	struct mg_str rest = all, name, value;
	size_t count = 0;

	while (rest.n > 0)
		count += split_override(service, mg_str_cut(&rest, '\n'), &name, &value);
	if (count == 0)
		return MG_OK;
	service->overrides = mg_arena_take(&loading->postfix->arena, count * sizeof *service->overrides);
	if (service->overrides == NULL)
		return no_memory(loading);
	while (all.n > 0) {
		struct mg_postfix_parameter *override = &service->overrides[service->override_count];

		if (!split_override(service, mg_str_cut(&all, '\n'), &name, &value))
			continue;
		override->name = keep(loading->postfix, name);
		override->value = keep(loading->postfix, value);
		override->is_set = true;
		if (override->name == NULL || override->value == NULL)
			return no_memory(loading);
		service->override_count++;
	}
	return MG_OK;
}

static enum mg_rc load_services(struct loading *loading)
{
	struct mg_postfix *postfix = loading->postfix;
	struct mg_str all = { 0 }, overrides = { 0 };
	enum mg_rc rc;

	if ((rc = ask(loading, "-M", &all)) != MG_OK || (rc = ask(loading, "-P", &overrides)) != MG_OK)
		return rc;
	postfix->services = mg_arena_take(&postfix->arena, (count_lines(all) + 1) * sizeof *postfix->services);
	if (postfix->services == NULL)
		return no_memory(loading);
	for (size_t left = count_lines(all); rc == MG_OK && left > 0; left--) {
		struct mg_str line = mg_str_cut(&all, '\n');
		struct mg_postfix_service *service = &postfix->services[postfix->service_count];

		if (mg_str_trim(line).n == 0)
			continue;
		if (!load_service(postfix, service, line))
			return mg_err_set(loading->err, MG_ESYNTAX,
				"master.cf in %s has an entry that can't be understood: %.*s", postfix->directory,
				MG_STR_ARGS(mg_str_first(line, 80)));
		postfix->service_count++;
		rc = load_overrides(loading, service, overrides);
	}
	return rc;
}

static enum mg_rc load_names(struct loading *loading)
{
	struct mg_postfix *postfix = loading->postfix;
	struct mg_buf queue;
	const char *version = mg_postfix_raw(postfix, NULL, MG_STR("mail_version"));
	enum mg_rc rc;

	mg_buf_init(&queue, 4096);
	rc = mg_postfix_value(postfix, NULL, "queue_directory", &queue, loading->err);
	postfix->version = version == NULL ? "" : version;
	postfix->queue_directory = keep(postfix, mg_buf_str(&queue));
	postfix->warnings = keep(postfix, mg_buf_str(&loading->warnings));
	mg_buf_fini(&queue);
	if (rc == MG_OK && (postfix->queue_directory == NULL || postfix->warnings == NULL))
		rc = no_memory(loading);
	return rc;
}

enum mg_rc mg_postfix_load(const char *directory, int timeout_ms, struct mg_postfix **postfix_out, struct mg_err *err)
{
	struct mg_postfix *postfix = calloc(1, sizeof *postfix);
	struct loading loading = { .postfix = postfix, .err = err };
	enum mg_rc rc;

	*postfix_out = NULL;
	if (postfix == NULL)
		return no_memory(&loading);
	loading.deadline_us = mg_mono_us() + timeout_ms * MG_MS_US;
	mg_buf_init(&loading.warnings, ERR_MAX);
	mg_arena_init(&postfix->arena, ARENA_MAX);
	postfix->directory = keep(postfix, mg_str_z(directory));
	if (postfix->directory == NULL)
		rc = no_memory(&loading);
	else if ((rc = load_parameters(&loading)) == MG_OK && (rc = load_services(&loading)) == MG_OK)
		rc = load_names(&loading);
	mg_buf_fini(&loading.warnings);
	if (rc == MG_OK)
		*postfix_out = postfix;
	else
		mg_postfix_free(&postfix);
	return rc;
}

void mg_postfix_free(struct mg_postfix **postfix)
{
	if (*postfix != NULL)
		mg_arena_fini(&(*postfix)->arena);
	free(*postfix);
	*postfix = NULL;
}

const struct mg_postfix_parameter *mg_postfix_override(const struct mg_postfix_service *service, struct mg_str name)
{
	for (size_t i = service->override_count; i > 0; i--) /* the last one counts */
		if (mg_str_eq(mg_str_z(service->overrides[i - 1].name), name))
			return &service->overrides[i - 1];
	return NULL;
}

const char *mg_postfix_raw(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service, struct mg_str name)
{
	const struct mg_postfix_parameter *parameter = service == NULL ? NULL : mg_postfix_override(service, name);

	if (parameter == NULL)
		parameter = name.n == 0 ? NULL : find(postfix, name);
	return parameter == NULL ? NULL : parameter->value;
}

bool mg_postfix_is_set(const struct mg_postfix *postfix, const char *name)
{
	const struct mg_postfix_parameter *parameter = find(postfix, mg_str_z(name));

	return parameter != NULL && parameter->is_set;
}

struct scope {
	const struct mg_postfix *postfix;
	const struct mg_postfix_service *service;
};

static const char *look_up(void *context, struct mg_str name)
{
	const struct scope *scope = context;

	return mg_postfix_raw(scope->postfix, scope->service, name);
}

enum mg_rc mg_postfix_expand(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	struct mg_str text, struct mg_buf *out, struct mg_err *err)
{
	struct scope scope = { postfix, service };

	return mg_expand(text, look_up, &scope, out, err);
}

enum mg_rc mg_postfix_value(const struct mg_postfix *postfix, const struct mg_postfix_service *service,
	const char *name, struct mg_buf *out, struct mg_err *err)
{
	const char *raw = mg_postfix_raw(postfix, service, mg_str_z(name));

	return raw == NULL ? MG_OK : mg_postfix_expand(postfix, service, mg_str_z(raw), out, err);
}

bool mg_postfix_is_yes(const struct mg_postfix *postfix, const struct mg_postfix_service *service, const char *name)
{
	struct mg_buf value;
	bool is_yes;

	mg_buf_init(&value, 1024);
	is_yes = mg_postfix_value(postfix, service, name, &value, NULL) == MG_OK &&
		 mg_str_eq_nocase(mg_str_trim(mg_buf_str(&value)), MG_STR("yes"));
	mg_buf_fini(&value);
	return is_yes;
}

const struct mg_postfix_service *mg_postfix_next_smtpd(
	const struct mg_postfix *postfix, const struct mg_postfix_service *service)
{
	const struct mg_postfix_service *end = postfix->services + postfix->service_count;

	for (service = service == NULL ? postfix->services : service + 1; service < end; service++)
		if (strcmp(service->command, "smtpd") == 0 &&
			(strcmp(service->type, "inet") == 0 || strcmp(service->type, "pass") == 0))
			return service;
	return NULL;
}

static bool is_loopback_host(struct mg_str host)
{
	struct mg_ip ip;

	if (mg_ip_parse(host, &ip))
		return mg_ip_is_loopback(&ip);
	return mg_str_eq_nocase(host, MG_STR("localhost")) || mg_str_eq_nocase(host, MG_STR("ip6-localhost")) ||
	       mg_str_eq_nocase(host, MG_STR("loopback-only"));
}

/* An inet service: HOST:PORT says it, else inet_interfaces does (main.cf's: an override of it moves no listener). */
static bool listens_on_loopback(const struct mg_postfix *postfix, const struct mg_postfix_service *service)
{
	struct mg_str name = mg_str_z(service->name), rest, word;
	size_t colon = mg_str_rfind(name, ':');
	struct mg_buf interfaces;
	bool is_loopback = false;

	if (colon != SIZE_MAX && colon > 0)
		return is_loopback_host(mg_str_first(name, colon));
	mg_buf_init(&interfaces, MG_EXPAND_MAX);
	if (mg_postfix_value(postfix, NULL, "inet_interfaces", &interfaces, NULL) == MG_OK) {
		rest = mg_buf_str(&interfaces);
		for (is_loopback = mg_str_trim(rest).n > 0; mg_read_word(&rest, ", \t", &word);)
			is_loopback = is_loopback && is_loopback_host(word);
	}
	mg_buf_fini(&interfaces);
	return is_loopback;
}

bool mg_postfix_is_loopback(const struct mg_postfix *postfix, const struct mg_postfix_service *service)
{
	bool has_screen = false;

	if (strcmp(service->type, "inet") == 0)
		return listens_on_loopback(postfix, service);
	if (strcmp(service->type, "pass") != 0)
		return true;
	for (size_t i = 0; i < postfix->service_count; i++) {
		const struct mg_postfix_service *screen = &postfix->services[i];

		if (strcmp(screen->command, "postscreen") != 0 || strcmp(screen->type, "inet") != 0)
			continue;
		has_screen = true;
		if (!listens_on_loopback(postfix, screen))
			return false;
	}
	return has_screen;
}

const char *mg_postfix_program(const char *directory, struct mg_arena *arena, const char *program)
{
	struct mg_buf text;
	const char *kept = program;

	if (strcmp(directory, "/etc/postfix") == 0)
		return program;
	mg_buf_init(&text, 4096);
	mg_buf_addf(&text, "%s -c %s", program, directory);
	kept = mg_arena_text(arena, mg_buf_str(&text), text.n);
	mg_buf_fini(&text);
	return kept;
}
