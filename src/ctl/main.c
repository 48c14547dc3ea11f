/* mailguardctl: reads the options before the command and hands over to it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/i18n.h"
#include "ctl/ctl.h"

const struct mg_command mg_commands[] = {
	{ "status", "", N_("the health of it all on one screen"), mg_ctl_status },
	{ "check", "[ID...] [--all] [--list]", N_("run health checks now"), mg_ctl_check },
	{ "doctor", "[--sending | --message QUEUEID|MESSAGE-ID|ADDRESS]",
		N_("look for a fault step by step, to one cause and one remedy"), mg_ctl_doctor },
	{ "relay-check", "[--config-dir DIR]", N_("prove whether a stranger can relay"), mg_ctl_relay_check },
	{ "probe", "HOST|DOMAIN|IP [--dns ADDR:PORT] [--port PORT] [--selector S] [--timeout D] [--no-relay-test]",
		N_("look at any mail server as others see it"), mg_ctl_probe },
	{ "trace", "QUEUEID|MESSAGE-ID|ADDRESS|IP", N_("the story of a message, from connect to delivery"),
		mg_ctl_trace },
	{ "recent", "[--since D] [--verdict V] [--client IP] [--sender A] [--user U] [--limit N]",
		N_("the record of the last transactions"), mg_ctl_recent },
	{ "explain", "CODE|TEXT...", N_("an SMTP code, a bounce or a log line in plain words"), mg_ctl_explain },
	{ "auth",
		"[--dns ADDR:PORT] [--ip IP] [--helo NAME] [--from ADDR] [--hostname ID] [--time EPOCH] [--no-message] [FILE|-]",
		N_("check one message's sender as the milter would"), mg_ctl_auth },
	{ "limits", "[list|show KEY|reset KEY]", N_("what senders have spent of their limits, and giving it back"),
		mg_ctl_limits },
	{ "ban", "[list|add WHAT [--for D] [--reason TEXT]|remove WHAT]",
		N_("who is shut out, and letting them in again"), mg_ctl_ban },
	{ "release", "ID", N_("let a held message go on to delivery"), mg_ctl_release },
	{ "whatif", "[--since D] [--timeout D] --set KEY=VALUE...",
		N_("which verdicts of the record would be others under other settings"), mg_ctl_whatif },
	{ "wire", "[--dry-run|--apply|--undo]", N_("wire mailguard into Postfix, or take it out again"), mg_ctl_wire },
	{ "reload", "", N_("read the configuration again"), mg_ctl_reload },
	{ "version", "", N_("print the versions"), mg_ctl_version },
	{ NULL, NULL, NULL, NULL },
};

int mg_ctl_fail(int status, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	mg_escape_in_place(text);
	fprintf(stderr, "mailguardctl: %s\n", text);
	return status;
}

static void print_help(FILE *to)
{
	fprintf(to,
		_("Usage: mailguardctl [--socket PATH] [-c FILE] [--json] [--no-color] COMMAND ...\n\nCommands:\n"));
	for (const struct mg_command *command = mg_commands; command->name != NULL; command++)
		fprintf(to, "  %-11s %s\n", command->name, _(command->help));
	fprintf(to, _("\nEvery command takes --json and --help. See mailguardctl(8).\n"));
}

static void print_command_help(const struct mg_ctl *ctl)
{
	for (const struct mg_command *command = mg_commands; command->name != NULL; command++)
		if (mg_str_eq(mg_str_z(command->name), mg_str_z(ctl->command)))
			printf(_("Usage: mailguardctl %s %s [--json]\n%s\n"), command->name, command->arguments,
				_(command->help));
}

enum { OPT_SOCKET = 256, OPT_JSON, OPT_NO_COLOR, OPT_HELP, OPT_OWN, OWN_MAX = 16 };

static const struct option common[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
};
enum { COMMON = sizeof common / sizeof common[0] };

static int take_common(struct mg_ctl *ctl, int option)
{
	switch (option) {
	case 'c':
		ctl->conf_path = optarg;
		return MG_EXIT_GO_ON;
	case OPT_SOCKET:
		ctl->socket = optarg;
		return MG_EXIT_GO_ON;
	case OPT_JSON:
		ctl->json = true;
		return MG_EXIT_GO_ON;
	case OPT_NO_COLOR:
		ctl->colour = false;
		return MG_EXIT_GO_ON;
	case 'h':
	case OPT_HELP:
		if (ctl->command == NULL)
			print_help(stdout);
		else
			print_command_help(ctl);
		return MG_EXIT_OK;
	default:
		return MG_EXIT_USAGE; /* getopt has said why */
	}
}

static void take_own(const struct mg_ctl_option *option)
{
	const char **value = option->value;

	if (value == NULL) {
		*option->flag = true;
		return;
	}
	if (option->flag != NULL) {
		while (*value != NULL)
			value++;
		if (value == option->value + MG_CTL_REPEATS) {
			*option->flag = true;
			return;
		}
	}
	*value = optarg;
}

int mg_ctl_options(struct mg_ctl *ctl, int argc, char **argv, const struct mg_ctl_option *options)
{
	struct option all[COMMON + OWN_MAX + 1] = { 0 };
	size_t own = 0;
	int option;

	memcpy(all, common, sizeof common);
	for (; options != NULL && options[own].name != NULL && own < OWN_MAX; own++)
		all[COMMON + own] = (struct option){ options[own].name,
			options[own].value != NULL ? required_argument : no_argument, NULL, OPT_OWN + (int)own };
	optind = 0; /* begin anew with this vector */
	while ((option = getopt_long(argc, argv, ctl->command == NULL ? "+c:h" : "c:h", all, NULL)) != -1) {
		int status = MG_EXIT_GO_ON;

		if (option < OPT_OWN)
			status = take_common(ctl, option);
		else
			take_own(&options[option - OPT_OWN]);
		if (status != MG_EXIT_GO_ON)
			return status;
	}
	return MG_EXIT_GO_ON;
}

static const char *nearest_command(const char *name)
{
	const char *nearest = NULL;
	unsigned least = 3;

	for (const struct mg_command *command = mg_commands; command->name != NULL; command++) {
		unsigned distance = mg_str_distance(mg_str_z(command->name), mg_str_z(name));

		if (distance < least) {
			least = distance;
			nearest = command->name;
		}
	}
	return nearest;
}

static int unknown_command(const char *name)
{
	const char *nearest = nearest_command(name);

	if (nearest != NULL)
		return mg_ctl_fail(MG_EXIT_USAGE, _("there is no command \"%s\"; did you mean \"%s\"?"), name, nearest);
	return mg_ctl_fail(MG_EXIT_USAGE, _("there is no command \"%s\"; see: mailguardctl --help"), name);
}

static void look_at_terminal(struct mg_ctl *ctl)
{
	struct winsize size;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	ctl->columns = 80;
	ctl->colour = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
		      !mg_str_eq(mg_str_z(term), MG_STR("dumb"));
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		ctl->columns = size.ws_col;
}

int main(int argc, char **argv)
{
	struct mg_ctl ctl = { 0 };
	int status;

	mg_i18n_init(NULL);
	look_at_terminal(&ctl);
	status = mg_ctl_options(&ctl, argc, argv, NULL);
	if (status != MG_EXIT_GO_ON)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		print_help(stderr);
		return MG_EXIT_USAGE;
	}
	for (const struct mg_command *command = mg_commands; command->name != NULL; command++) {
		if (!mg_str_eq(mg_str_z(command->name), mg_str_z(argv[0])))
			continue;
		ctl.command = command->name;
		status = command->run(&ctl, argc, argv);
		if (fflush(stdout) != 0 || ferror(stdout))
			return mg_ctl_fail(EXIT_FAILURE, _("can't write the answer"));
		return status;
	}
	return unknown_command(argv[0]);
}
