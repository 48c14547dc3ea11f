/* mailguardctl explain: what a code, a bounce or a log line means, and who has to do what. */
#include <stdio.h>
#include <unistd.h>

#include "base/i18n.h"
#include "ctl/explanations.h"

enum { INDENT = 12 };

/* The words of the command line, joined by blanks; without any, or with "-", standard input. What is beyond MG_EXPLAIN_TEXT is
 * read and dropped. */
static bool read_text(int count, char **words, struct mg_buf *text)
{
	char piece[4096];
	ssize_t n;

	if (count > 0 && !(count == 1 && mg_str_eq(mg_str_z(words[0]), MG_STR("-")))) {
		for (int i = 0; i < count; i++) {
			mg_buf_addz(text, i > 0 ? " " : "");
			mg_buf_add(text, mg_str_first(mg_str_z(words[i]), text->max - text->n));
		}
		return true;
	}
	while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
		mg_buf_add(text, mg_str_first(mg_str_of(piece, (size_t)n), text->max - text->n));
	return n == 0;
}

/* What the words of the contract are called. */
static const char *permanence_text(enum mg_permanence permanence)
{
	static const char *const texts[MG_PERMANENCES] = { "", N_("success"), N_("the dialogue goes on"),
		N_("temporary: it may still arrive"), N_("permanent: it will not arrive") };

	return texts[permanence];
}

static enum mg_ink ink_of(enum mg_permanence permanence)
{
	if (permanence == MG_PERMANENCE_PERMANENT)
		return MG_INK_BAD;
	return permanence == MG_PERMANENCE_TEMPORARY ? MG_INK_WARN : MG_INK_GOOD;
}

static void print_report(const struct mg_ctl *ctl, const struct mg_explanation *explanation)
{
	char codes[32];

	snprintf(codes, sizeof codes, "%s%s%s", explanation->code,
		explanation->code[0] != '\0' && explanation->enhanced[0] != '\0' ? " " : "", explanation->enhanced);
	mg_ctl_print(ctl, MG_INK_STRONG, 0, codes);
	if (codes[0] != '\0')
		fputs("  ", stdout);
	if (explanation->permanence != MG_PERMANENCE_NONE)
		mg_ctl_print(ctl, ink_of(explanation->permanence), 0, _(permanence_text(explanation->permanence)));
	putchar('\n');
	mg_ctl_print_say(ctl, INDENT, _("  meaning"), &explanation->meaning);
	mg_ctl_print_say(ctl, INDENT, _("  cause"), &explanation->cause);
	mg_ctl_print_say(
		ctl, INDENT, _("  who acts"), &(struct mg_say){ mg_ctl_actor_text(explanation->actor), { NULL } });
	mg_ctl_print_say(ctl, INDENT, _("  do"), &explanation->fix);
	mg_ctl_print_say(ctl, INDENT, _("  retry"), &explanation->retry);
	if (explanation->check[0] != '\0')
		mg_ctl_print_say(ctl, INDENT, _("  see also"), &MG_SAY("mailguardctl check %1", explanation->check));
}

int mg_ctl_explain(struct mg_ctl *ctl, int argc, char **argv)
{
	struct mg_explanation explanation;
	struct mg_buf text;
	int status = mg_ctl_options(ctl, argc, argv, NULL);
	bool is_read, is_explained;

	if (status != MG_EXIT_GO_ON)
		return status;
	mg_buf_init(&text, MG_EXPLAIN_TEXT);
	is_read = read_text(argc - optind, argv + optind, &text);
	is_explained = is_read && mg_explain(mg_buf_str(&text), &explanation);
	mg_buf_fini(&text);
	if (!is_read)
		return mg_ctl_fail(MG_EXIT_DATA, _("can't read standard input"));
	if (!is_explained)
		return mg_ctl_fail(MG_EXIT_DATA,
			_("no SMTP code and no known message in this text; give a code like \"550 5.1.1\", a bounce or a log line"));
	if (ctl->json)
		mg_ctl_print_json(mg_ctl_explanation_json(&explanation));
	else
		print_report(ctl, &explanation);
	return MG_EXIT_OK;
}
