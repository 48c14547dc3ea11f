/* mailguardd: reads its arguments and its configuration, finds out who it shall be, opens the doors as root where it is
 * root, gives that up, and becomes the supervisor. */
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/i18n.h"
#include "base/log.h"
#include "daemon/identity.h"
#include "daemon/supervisor.h"

struct arguments {
	const char *conf_path;
	bool is_test, is_foreground;
	int level;
};

static void usage(FILE *to)
{
	fprintf(to,
		_("Usage: mailguardd [-c FILE] [-t] [-f] [-d LEVEL]\n"
		  "The mailguard daemon: Postfix's milter and policy server.\n\n"
		  "  -c FILE   the configuration (default %s)\n"
		  "  -t        check the configuration and exit\n"
		  "  -f        stay in the foreground and log to stderr\n"
		  "  -d LEVEL  log from this level on: error, warning, notice, info, debug\n"
		  "  -V        print the version\n"),
		MG_CONF_PATH);
}

/* -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	*arguments = (struct arguments){ MG_CONF_PATH, false, false, MG_LOG_NOTICE };
	while ((option = getopt_long(argc, argv, "c:tfd:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->conf_path = optarg;
			break;
		case 't':
			arguments->is_test = true;
			break;
		case 'f':
			arguments->is_foreground = true;
			break;
		case 'd':
			arguments->level = mg_log_level_of(optarg);
			if (arguments->level < 0) {
				fprintf(stderr,
					_("mailguardd: -d %s: the levels are error, warning, notice, info, debug\n"),
					optarg);
				return EX_USAGE;
			}
			break;
		case 'V':
			puts("mailguardd " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, _("mailguardd: %s: no such argument\n"), argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

/* Without -f and without systemd a daemon leaves its terminal, once it stands. */
static void leave_terminal(void)
{
	if (getenv("NOTIFY_SOCKET") == NULL && daemon(0, 0) != 0)
		mg_log(MG_LOG_WARNING, "still-in-foreground: daemon() failed");
}

static enum mg_rc make_directories(const struct mg_conf *conf, const struct mg_owner *owner, struct mg_err *err)
{
	enum mg_rc rc = mg_make_directory_of(conf->journal.path, 0750, owner->uid, owner->gid, owner->may_chown, err);

	if (rc == MG_OK && conf->state.snapshot[0] == '/')
		rc = mg_make_directory_of(conf->state.snapshot, 0750, owner->uid, owner->gid, owner->may_chown, err);
	return rc;
}

static int fail(const struct mg_err *err, int status)
{
	fprintf(stderr, "mailguardd: %s\n", err->text);
	return status;
}

static int serve(const struct mg_conf *conf, const struct arguments *arguments, char **argv)
{
	struct mg_supervisor_options options = { .conf = conf, .argv = argv };
	struct mg_doors kept, doors;
	struct mg_identity identity;
	struct mg_err err = { "" };
	char binary[PATH_MAX];
	bool is_upgrade = mg_supervisor_kept(&kept, &options.hot_fd, &options.old_worker, &options.old_channel);
	ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);

	binary[n > 0 ? n : 0] = '\0';
	options.binary = binary;
	if (mg_identity_find(conf, &identity, &err) != MG_OK || make_directories(conf, &identity.owner, &err) != MG_OK)
		return fail(&err, EX_CONFIG);
	if (mg_doors_open(conf, &identity.owner, is_upgrade ? &kept : NULL, &doors, &err) != MG_OK)
		return fail(&err, EX_UNAVAILABLE);
	if (!arguments->is_foreground && !is_upgrade)
		leave_terminal();
	mg_log_open(arguments->is_foreground, (enum mg_log_level)arguments->level);
	if (mg_identity_assume(&identity, &err) != MG_OK ||
		mg_hot_open(&options.hot_fd, conf->state.max_keys, conf->state.snapshot, &options.hot, &err) != MG_OK) {
		mg_doors_close(&doors);
		return fail(&err, EX_OSERR);
	}
	options.doors = &doors;
	int status = mg_supervisor_run(&options);

	mg_doors_close(&doors);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	const struct mg_conf *conf;
	struct mg_err err = { "" };
	int status;

	mg_i18n_init(NULL);
	status = read_arguments(argc, argv, &arguments);
	if (status >= 0)
		return status;
	mg_log_open(1, (enum mg_log_level)arguments.level);
	if (mg_conf_load(arguments.conf_path, &conf, &err) != MG_OK)
		return fail(&err, EX_CONFIG);
	if (arguments.is_test) {
		printf(_("%s: the configuration is fine\n"), arguments.conf_path);
		mg_conf_unref(&conf);
		return EXIT_SUCCESS;
	}
	mg_hash_init();
	setlocale(LC_MESSAGES, "C"); /* from here on others read: the log, JSON; each reader translates for himself */
	return serve(conf, &arguments, argv);
}
