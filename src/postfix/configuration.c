#include "postfix/configuration.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

enum { POSTCONF_DEADLINE_MS = 10000, READ_AGAIN_S = 600 };

static struct timespec changed_at(const char *directory, const char *file)
{
	char path[512];
	struct stat info;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	return stat(path, &info) == 0 ? info.st_mtim : (struct timespec){ 0 };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool mg_configuration_has_changed(const struct mg_configuration *configuration, const struct mg_conf *conf)
{
	const char *directory = conf->postfix.config_directory;

	return configuration->read_us == 0 || mg_mono_us() - configuration->read_us > READ_AGAIN_S * MG_S_US ||
	       !is_same_time(changed_at(directory, "main.cf"), configuration->main_cf) ||
	       !is_same_time(changed_at(directory, "master.cf"), configuration->master_cf);
}

void mg_configuration_read(struct mg_configuration *configuration, const struct mg_conf *conf)
{
	const char *directory = conf->postfix.config_directory;
	struct mg_err err = { "" };

	mg_postfix_free(&configuration->postfix);
	configuration->read_us = mg_mono_us();
	configuration->main_cf = changed_at(directory, "main.cf");
	configuration->master_cf = changed_at(directory, "master.cf");
	configuration->trouble[0] = '\0';
	if (mg_postfix_load(directory, POSTCONF_DEADLINE_MS, &configuration->postfix, &err) != MG_OK)
		mg_str_copy(configuration->trouble, sizeof configuration->trouble, mg_str_z(err.text));
}

void mg_configuration_fini(struct mg_configuration *configuration)
{
	mg_postfix_free(&configuration->postfix);
}
