/* One pass over the field by the grammar (mailbox-list, group, angle-addr, addr-spec, the obsolete route), which says
 * whether it is sound. Every domain that stands behind an '@' outside comments and quoted strings is noted on the way,
 * sound or not. */
#include "mail/author.h"

#include "base/i18n.h"
#include "mail/cfws.h"

const char *mg_author_state_text(enum mg_author_state state)
{
	switch (state) {
	case MG_AUTHOR_SOUND:
		return "";
	case MG_AUTHOR_MISSING:
		return N_("the message has no From field");
	case MG_AUTHOR_REPEATED:
		return N_("the message has more than one From field");
	case MG_AUTHOR_SEVERAL:
		return N_("the From field names more than one domain");
	case MG_AUTHOR_MALFORMED:
		return N_("the From field is malformed");
	}
	return "";
}

static void note_domain(struct mg_author *author, struct mg_str text)
{
	char ascii[MG_DOMAIN_TEXT];

	if (!mg_domain_ascii(text, ascii))
		return;
	for (size_t i = 0; i < author->count; i++)
		if (mg_str_eq(mg_str_z(author->domain[i]), mg_str_z(ascii)))
			return;
	if (author->count == MG_AUTHOR_DOMAINS)
		author->is_cut = true;
	else
		mg_str_copy(author->domain[author->count++], MG_DOMAIN_TEXT, mg_str_z(ascii));
}

static bool is_special(char c)
{
	return strchr("()<>[]:;@\\,\"", c) != NULL || (unsigned char)c < ' ' || c == 0x7f;
}

/* A run of atext and dots; '.' may stand anywhere in it: what DNS is asked is checked elsewhere. */
static struct mg_str read_atom(struct mg_str *rest)
{
	struct mg_str atom = mg_str_of(rest->p, 0);

	while (atom.n < rest->n && !is_special(rest->p[atom.n]) && rest->p[atom.n] != ' ' && rest->p[atom.n] != '\t')
		atom.n++;
	*rest = mg_str_from(*rest, atom.n);
	return atom;
}

static void skip_cfws(struct mg_author *author, struct mg_str *rest)
{
	author->has_open_comment |= !mg_skip_cfws(rest);
}

/* Only once is a quote's end looked for in vain. */
static bool read_quoted(struct mg_author *author, struct mg_str *rest)
{
	struct mg_str content;

	if (rest->n == 0 || rest->p[0] != '"' || author->has_open_quote)
		return false;
	if (mg_read_quoted(rest, &content))
		return true;
	author->has_open_quote = true;
	return false;
}

/* Behind the '@': a domain, noted. */
static bool read_domain(struct mg_author *author, struct mg_str *rest)
{
	char ascii[MG_DOMAIN_TEXT];
	struct mg_str domain;

	skip_cfws(author, rest);
	domain = read_atom(rest);
	note_domain(author, domain);
	return mg_domain_ascii(domain, ascii);
}

/* word *("." word), where CFWS may stand between (obsolete, but sent). */
static bool read_local_part(struct mg_author *author, struct mg_str *rest)
{
	bool has_any = false;

	for (;;) {
		skip_cfws(author, rest);
		if (!read_quoted(author, rest) && read_atom(rest).n == 0)
			return has_any;
		has_any = true;
	}
}

/* "<" [route] local "@" domain ">" */
static bool read_angle(struct mg_author *author, struct mg_str *rest)
{
	bool is_sound = true;

	*rest = mg_str_from(*rest, 1);
	skip_cfws(author, rest);
	while (rest->n > 0 && (rest->p[0] == '@' || rest->p[0] == ',')) { /* a route: "@a,@b:" */
		is_sound = false;                                         /* nobody sends it in good faith */
		*rest = mg_str_from(*rest, 1);
		read_domain(author, rest);
		skip_cfws(author, rest);
		mg_read_token(rest, MG_STR(":"));
	}
	is_sound &= read_local_part(author, rest) && mg_read_token(rest, MG_STR("@")) && read_domain(author, rest);
	skip_cfws(author, rest);
	return mg_read_token(rest, MG_STR(">")) && is_sound;
}

/* What people's programs write into a phrase without the quotes it should have. */
static bool is_forgiven(char c)
{
	return strchr("[]:", c) != NULL;
}

/* An angle-addr behind a phrase. The domains of the phrase count only when it is not sound. */
static bool read_phrased(struct mg_author *author, struct mg_author *shown, bool is_phrase_sound, struct mg_str *rest)
{
	struct mg_str again = *rest;
	struct mg_author alone = *author;
	bool is_sound = read_angle(&alone, rest);

	skip_cfws(&alone, rest);
	is_sound &= is_phrase_sound && (rest->n == 0 || rest->p[0] == ',' || rest->p[0] == ';');
	if (!is_sound) {
		*rest = again;
		shown->has_open_quote |= alone.has_open_quote;
		read_angle(shown, rest);
		skip_cfws(shown, rest);
	}
	alone.has_open_quote |= shown->has_open_quote;
	*author = is_sound ? alone : *shown;
	return is_sound;
}

/* One mailbox: an addr-spec, or a phrase and an angle-addr. The phrase may hold what it should not, '@' included: people's
 * programs write addresses there unquoted. */
static bool read_mailbox(struct mg_author *author, struct mg_str *rest)
{
	struct mg_author shown = *author; /* and what the phrase tells */
	bool has_word = false, has_at = false, has_junk = false, is_sound = true;

	for (;;) {
		skip_cfws(&shown, rest);
		if (rest->n == 0 || rest->p[0] == ',' || rest->p[0] == ';')
			break;
		if (rest->p[0] == '<')
			return read_phrased(author, &shown, !has_junk, rest);
		if (read_quoted(&shown, rest) || read_atom(rest).n > 0) {
			is_sound &= !has_at;
			has_word = true;
		} else if (mg_read_token(rest, MG_STR("@"))) {
			is_sound &= read_domain(&shown, rest) && has_word && !has_at;
			has_at = true;
		} else {
			has_junk |= !is_forgiven(rest->p[0]);
			*rest = mg_str_from(*rest, 1);
			is_sound = false;
		}
	}
	*author = shown;
	return is_sound && has_at;
}

/* "Name:" of a group; not the ':' of an address. */
static bool read_group_name(struct mg_author *author, struct mg_str *rest)
{
	struct mg_str ahead = *rest;

	do
		skip_cfws(author, &ahead);
	while (read_quoted(author, &ahead) || read_atom(&ahead).n > 0);
	if (!mg_read_token(&ahead, MG_STR(":")))
		return false;
	*rest = ahead;
	return true;
}

static bool read_list(struct mg_author *author, struct mg_str value)
{
	bool is_sound = true, in_group = false;

	while (skip_cfws(author, &value), value.n > 0) {
		size_t before = value.n;

		if (!in_group && read_group_name(author, &value)) {
			in_group = true;
			continue;
		}
		if (in_group && mg_read_token(&value, MG_STR(";"))) {
			in_group = false;
			continue;
		}
		if (mg_read_token(&value, MG_STR(",")))
			continue;
		is_sound &= read_mailbox(author, &value);
		if (value.n == before) { /* nothing that belongs here */
			value = mg_str_from(value, 1);
			is_sound = false;
		}
	}
	return is_sound && !in_group;
}

static bool has_nul(struct mg_str s)
{
	return mg_str_find(s, '\0') != SIZE_MAX;
}

/* Of a field that can't be understood nobody knows what a reader is shown: whatever stands behind an '@' may be it. */
static void note_all(struct mg_author *author, struct mg_str value)
{
	for (size_t at; (at = mg_str_find(value, '@')) != SIZE_MAX;) {
		value = mg_str_from(value, at + 1);
		note_domain(author, read_atom(&value));
	}
}

void mg_author_field(struct mg_author *author, struct mg_str value)
{
	bool is_first = author->state == MG_AUTHOR_MISSING, is_sound;

	author->bytes += value.n;
	if (author->bytes > MG_AUTHOR_BYTES) { /* bounds our work */
		author->is_cut = true;
		author->state = is_first ? MG_AUTHOR_MALFORMED : MG_AUTHOR_REPEATED;
		return;
	}
	is_sound = read_list(author, value) && !has_nul(value);
	is_sound &= !author->has_open_comment;
	if (!is_sound || author->count == 0)
		note_all(author, value);
	author->has_open_quote = author->has_open_comment = false;
	if (!is_first)
		author->state = MG_AUTHOR_REPEATED;
	else if (author->count > 1)
		author->state = MG_AUTHOR_SEVERAL;
	else
		author->state = is_sound && author->count == 1 ? MG_AUTHOR_SOUND : MG_AUTHOR_MALFORMED;
}
