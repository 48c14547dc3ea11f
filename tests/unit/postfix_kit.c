#include "postfix_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/run.h"

enum { TEXT = 64 * 1024 };

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "postfix kit: %s\n", what);
	abort();
}

void postfix_kit_begin(struct postfix_kit *kit)
{
	mg_str_copy(kit->directory, sizeof kit->directory, MG_STR("/tmp/mailguard-guards-XXXXXX"));
	if (mkdtemp(kit->directory) == NULL)
		give_up("no directory");
}

void postfix_kit_end(struct postfix_kit *kit)
{
	DIR *directory = opendir(kit->directory);
	const struct dirent *entry;
	char path[512];

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(postfix_kit_path(kit, entry->d_name, path, sizeof path));
	if (directory != NULL)
		closedir(directory);
	rmdir(kit->directory);
}

const char *postfix_kit_path(const struct postfix_kit *kit, const char *name, char *place, size_t size)
{
	snprintf(place, size, "%s/%s", kit->directory, name);
	return place;
}

const char *postfix_kit_text(const struct postfix_kit *kit, const char *text, char *place, size_t size)
{
	struct mg_str rest = mg_str_z(text);
	struct mg_buf out;
	size_t at;

	mg_buf_init(&out, TEXT);
	while ((at = mg_str_find_str(rest, MG_STR("@D@"))) != SIZE_MAX) {
		mg_buf_add(&out, mg_str_first(rest, at));
		mg_buf_addz(&out, kit->directory);
		rest = mg_str_from(rest, at + 3);
	}
	mg_buf_add(&out, rest);
	if (!mg_buf_ok(&out) || !mg_str_copy(place, size, mg_buf_str(&out)))
		give_up("a text too long");
	mg_buf_fini(&out);
	return place;
}

void postfix_kit_write(const struct postfix_kit *kit, const char *name, const char *text)
{
	static const struct timespec long_ago[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	char path[512], *whole = malloc(TEXT);
	FILE *file = fopen(postfix_kit_path(kit, name, path, sizeof path), "w");

	if (file == NULL || whole == NULL)
		give_up(path);
	fputs(postfix_kit_text(kit, text, whole, TEXT), file);
	fflush(file);
	futimens(fileno(file), long_ago); /* Postfix waits for a file that has just changed to come to rest */
	fclose(file);
	free(whole);
}

void postfix_kit_postmap(const struct postfix_kit *kit, const char *type, const char *name)
{
	char table[512];
	const char *argv[] = { "postmap", "-c", kit->directory, table, NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = 20000, .out_max = 4096, .err_max = 4096 };
	struct mg_run_result result;

	snprintf(table, sizeof table, "%s:%s/%s", type, kit->directory, name);
	if (mg_run(&run, &result, NULL) != MG_OK || result.status != 0)
		give_up("postmap");
	mg_run_fini(&result);
}

struct mg_postfix *postfix_kit_load(const struct postfix_kit *kit, const char *main, const char *master)
{
	char *text = malloc(TEXT);
	struct mg_postfix *postfix = NULL;
	struct mg_err err = { "" };
	enum mg_rc rc;

	if (text == NULL)
		give_up("no memory");
	snprintf(text, TEXT, "%s%s", POSTFIX_KIT_MAIN, main);
	postfix_kit_write(kit, "main.cf", text);
	postfix_kit_write(kit, "master.cf", master == NULL ? POSTFIX_KIT_MASTER : master);
	free(text);
	rc = mg_postfix_load(kit->directory, 20000, &postfix, &err);
	if (rc != MG_OK && rc != MG_ENOENT)
		give_up(err.text);
	return postfix;
}

const struct mg_domains *postfix_kit_domains(const struct postfix_kit *kit, const char *main, const char *master)
{
	struct mg_postfix *postfix = postfix_kit_load(kit, main, master);
	const struct mg_domains *domains = NULL;
	struct mg_strings none = { 0 };

	if (postfix != NULL && mg_domains_load(postfix, &none, &domains, NULL) != MG_OK)
		give_up("no domains");
	mg_postfix_free(&postfix);
	return domains;
}

const struct mg_conf *postfix_kit_conf(const struct postfix_kit *kit, const char *text)
{
	const struct mg_conf *conf = NULL;
	struct mg_err err = { "" };
	char path[512];

	postfix_kit_write(kit, "mailguard.conf", text);
	if (mg_conf_load(postfix_kit_path(kit, "mailguard.conf", path, sizeof path), &conf, &err) != MG_OK)
		give_up(err.text);
	return conf;
}

struct mg_ip kit_ip(const char *text)
{
	struct mg_ip ip = { 0 };

	if (text[0] != '\0' && !mg_ip_parse(mg_str_z(text), &ip))
		give_up(text);
	return ip;
}
