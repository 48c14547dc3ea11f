/* mailguardctl explain: what a code, a bounce or a log line means, and who has to do what. */
#include <stdio.h>
#include <unistd.h>

#include "base/i18n.h"
#include "ctl/ctl.h"
#include "explain/explain.h"

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

static json_t *local_text(const struct mg_say *say)
{
	struct mg_buf text;
	json_t *json;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local(&text, say);
	json = mg_json_text(mg_buf_str(&text));
	mg_buf_fini(&text);
	return json;
}

static void print_json(const struct mg_explanation *explanation)
{
	mg_ctl_print_json(json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "code", explanation->code,
		"enhanced", explanation->enhanced, "permanence", mg_permanence_name(explanation->permanence), "actor",
		mg_actor_name(explanation->actor), "meaning", local_text(&explanation->meaning), "cause",
		local_text(&explanation->cause), "fix", local_text(&explanation->fix), "retry",
		local_text(&explanation->retry), "provider", explanation->provider, "check", explanation->check));
}

/* What the words of the contract are called. */
static const char *permanence_text(enum mg_permanence permanence)
{
	static const char *const texts[MG_PERMANENCES] = { "", N_("success"), N_("the dialogue goes on"),
		N_("temporary: it may still arrive"), N_("permanent: it will not arrive") };

	return texts[permanence];
}

static const char *actor_text(enum mg_actor actor)
{
	static const char *const texts[MG_ACTORS] = { "", N_("we, the administrators of this server"),
		N_("the recipient's side"), N_("the provider"), N_("the person who writes"), N_("nobody") };

	return texts[actor];
}

static enum mg_ink ink_of(enum mg_permanence permanence)
{
	if (permanence == MG_PERMANENCE_PERMANENT)
		return MG_INK_BAD;
	return permanence == MG_PERMANENCE_TEMPORARY ? MG_INK_WARN : MG_INK_GOOD;
}

static void print_line(const struct mg_ctl *ctl, const char *label, const struct mg_say *say)
{
	struct mg_buf text;

	mg_buf_init(&text, 4 * MG_SAY_TEXT);
	mg_say_local(&text, say);
	if (text.n > 0)
		mg_ctl_paragraph(ctl, INDENT, label, mg_buf_z(&text));
	mg_buf_fini(&text);
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
	print_line(ctl, _("  meaning"), &explanation->meaning);
	print_line(ctl, _("  cause"), &explanation->cause);
	print_line(ctl, _("  who acts"), &(struct mg_say){ actor_text(explanation->actor), { NULL } });
	print_line(ctl, _("  do"), &explanation->fix);
	print_line(ctl, _("  retry"), &explanation->retry);
	if (explanation->check[0] != '\0')
		print_line(ctl, _("  see also"), &MG_SAY("mailguardctl check %1", explanation->check));
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
		print_json(&explanation);
	else
		print_report(ctl, &explanation);
	return MG_EXIT_OK;
}
