/* The reply is found, its speaker known, and the first row that fits speaks; see explain.h for the order. */
#include "explain/explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "explain/codes.h"
#include "explain/rows.h"
#include "explain/speaker.h"

#define TABLE_OF(name) { mg_rows_##name, &mg_rows_##name##_count },
static const struct {
	const struct mg_code_row *rows;
	const size_t *count;
} tables[] = { MG_CODE_TABLES(TABLE_OF) };

const char *mg_actor_name(enum mg_actor actor)
{
	static const char *const names[MG_ACTORS] = { "", "we", "recipient", "provider", "sender", "nobody" };

	return names[actor];
}

/* What is being explained. */
struct subject {
	struct mg_reply reply;
	enum mg_speaker speaker;
	struct mg_str words; /* lower case, on one line, without the codes that begin each line of a reply */
};

static bool fits_enhanced(const char *pattern, const char *enhanced)
{
	if (enhanced[0] == '\0')
		return false;
	for (; *pattern != '\0' && *pattern != '*'; pattern++, enhanced++)
		if (*enhanced == '\0' || (*pattern != 'X' && *pattern != *enhanced))
			return false;
	return *pattern == '*' || *enhanced == '\0';
}

static bool is_fine(enum mg_permanence permanence)
{
	return permanence == MG_PERMANENCE_SUCCESS || permanence == MG_PERMANENCE_INTERMEDIATE;
}

static bool fits(const struct mg_code_row *row, const struct subject *subject)
{
	const struct mg_reply *reply = &subject->reply;

	if (row->speaker != MG_SPEAKER_ANY && row->speaker != subject->speaker)
		return false;
	if (is_fine(reply->permanence) && row->actor != MG_ACTOR_NOBODY)
		return false; /* words about troubles in a reply that reports none */
	if (reply->permanence == MG_PERMANENCE_NONE && row->permanence == MG_PERMANENCE_NONE)
		return false; /* words alone must be unmistakable */
	if (row->side != MG_SIDE_ANY && row->side != reply->side)
		return false;
	if (row->code != NULL && !mg_str_starts(mg_str_z(reply->code), mg_str_z(row->code)))
		return false;
	if (row->enhanced != NULL && !fits_enhanced(row->enhanced, reply->enhanced))
		return false;
	return row->text == NULL || mg_words_match(subject->words, row->text);
}

/* The steps of the look-up, in their order. */
enum step { PROVIDERS_TEXT, PROVIDERS_CODE, TEXT, ENHANCED, BASIC, STEPS };

static bool is_of_step(const struct mg_code_row *row, enum step step)
{
	bool is_providers = row->speaker != MG_SPEAKER_ANY;

	switch (step) {
	case PROVIDERS_TEXT:
		return is_providers && row->text != NULL;
	case PROVIDERS_CODE:
		return is_providers && row->text == NULL;
	case TEXT:
		return !is_providers && row->text != NULL;
	case ENHANCED:
		return !is_providers && row->text == NULL && row->enhanced != NULL;
	default:
		return !is_providers && row->text == NULL && row->enhanced == NULL;
	}
}

static const struct mg_code_row *look_up(const struct subject *subject, enum step step)
{
	for (size_t i = 0; i < MG_ROWS_COUNT(tables); i++)
		for (size_t k = 0; k < *tables[i].count; k++)
			if (is_of_step(&tables[i].rows[k], step) && fits(&tables[i].rows[k], subject))
				return &tables[i].rows[k];
	return NULL;
}

/* X.Y.0 says of X.Y.Z what is common to all of them. */
static const struct mg_code_row *look_up_subject(struct subject *subject)
{
	struct mg_reply *reply = &subject->reply;
	const struct mg_code_row *row;
	size_t dot = mg_str_rfind(mg_str_z(reply->enhanced), '.');
	char kept[sizeof reply->enhanced];

	if (dot == SIZE_MAX)
		return NULL;
	memcpy(kept, reply->enhanced, sizeof kept);
	mg_str_copy(reply->enhanced + dot + 1, sizeof reply->enhanced - dot - 1, MG_STR("0"));
	row = look_up(subject, ENHANCED);
	memcpy(reply->enhanced, kept, sizeof kept);
	return row;
}

static const struct mg_code_row *best(struct subject *subject)
{
	const struct mg_code_row *row = NULL;

	for (int step = 0; step < STEPS && row == NULL; step++) {
		row = look_up(subject, (enum step)step);
		if (row == NULL && step == ENHANCED && subject->reply.permanence != MG_PERMANENCE_SUCCESS)
			row = look_up_subject(subject);
	}
	return row;
}

/* ---- sentences ---- */

static const char *name_of(const struct mg_code_name *names, size_t count, const char *code)
{
	for (size_t i = 0; i < count; i++)
		if (code[0] != '\0' && fits_enhanced(names[i].code, code))
			return names[i].meaning;
	return NULL;
}

static const char *of_class(enum mg_permanence permanence)
{
	static const char *const texts[MG_PERMANENCES] = {
		[MG_PERMANENCE_NONE] = N_("this text has no code"),
		[MG_PERMANENCE_SUCCESS] = N_("an unknown code of the class 2: done, all is well"),
		[MG_PERMANENCE_INTERMEDIATE] = N_("an unknown code of the class 3: the server waits for more"),
		[MG_PERMANENCE_TEMPORARY] = N_("an unknown code of the class 4: not now, try again later"),
		[MG_PERMANENCE_PERMANENT] = N_("an unknown code of the class 5: refused for good"),
	};

	return texts[permanence];
}

static const char *plain_meaning(enum mg_permanence permanence)
{
	static const char *const texts[MG_PERMANENCES] = {
		[MG_PERMANENCE_NONE] = N_("no reply code: a message of the log"),
		[MG_PERMANENCE_SUCCESS] = N_("the message was handed over"),
		[MG_PERMANENCE_INTERMEDIATE] = N_("the dialogue goes on"),
		[MG_PERMANENCE_TEMPORARY] = N_("not delivered yet"),
		[MG_PERMANENCE_PERMANENT] = N_("not delivered, and given up"),
	};

	return texts[permanence];
}

static bool is_greeting(const struct mg_reply *reply)
{
	return mg_str_starts(mg_str_z(reply->code), MG_STR("22"));
}

static void say_meaning(const struct mg_code_row *row, const struct mg_reply *reply, struct mg_explanation *out)
{
	const char *meaning = row != NULL ? row->meaning : NULL;

	if (meaning == NULL && !is_greeting(reply))
		meaning = name_of(mg_enhanced_names, mg_enhanced_names_count, reply->enhanced);
	if (meaning == NULL && (reply->enhanced[0] == '\0' || is_greeting(reply)))
		meaning = name_of(mg_basic_names, mg_basic_names_count, reply->code);
	if (meaning == NULL)
		meaning = reply->code[0] == '\0' && reply->enhanced[0] == '\0' ? plain_meaning(out->permanence)
									       : of_class(out->permanence);
	out->meaning.template = meaning;
}

static void say_retry(const struct mg_reply *reply, struct mg_explanation *out)
{
	static const char *const texts[MG_PERMANENCES][2] = {
		/* of ours, of a client of ours */
		[MG_PERMANENCE_NONE] = { "", "" },
		[MG_PERMANENCE_SUCCESS] = { N_("none needed: it was accepted"), N_("none needed: it was accepted") },
		[MG_PERMANENCE_INTERMEDIATE] = { N_("none needed: the dialogue goes on"),
			N_("none needed: the dialogue goes on") },
		[MG_PERMANENCE_TEMPORARY] = { N_("Postfix keeps the message in the queue and tries again by itself, after 5 minutes at first and then at "
						 "longer and longer intervals up to 67 minutes, for 5 days (minimal_backoff_time, "
						 "maximal_backoff_time, maximal_queue_lifetime); then it goes back to the sender"),
			N_("the message stays with the sending server, which tries again later by itself; Postfix does nothing more") },
		[MG_PERMANENCE_PERMANENT] = { N_("none: Postfix never tries again and returns the message to its sender at once; when the cause is "
						 "mended, it has to be sent again"),
			N_("none: the sending server does not try again and tells its user; Postfix does nothing more") },
	};

	out->retry.template = texts[out->permanence][reply->is_inbound ? 1 : 0];
}

static const char *fallback_cause(enum mg_permanence permanence)
{
	switch (permanence) {
	case MG_PERMANENCE_SUCCESS:
		return N_("nothing is wrong: the server accepted it");
	case MG_PERMANENCE_INTERMEDIATE:
		return N_("nothing is wrong: the server waits for the rest");
	case MG_PERMANENCE_TEMPORARY:
		return N_(
			"this code is in no table; its class says that the other side can't take it now, and the words behind the code say why");
	default:
		return N_(
			"this code is in no table; its class says that the other side refuses it for good, and the words behind the code say why");
	}
}

static void say_fallback(struct mg_explanation *out)
{
	out->cause.template = fallback_cause(out->permanence);
	if (is_fine(out->permanence)) {
		out->fix.template = N_("nothing to do");
		out->actor = MG_ACTOR_NOBODY;
	} else if (out->permanence == MG_PERMANENCE_TEMPORARY) {
		out->fix.template = N_("wait; if it stays so for hours, read the server's words: postqueue -p");
		out->actor = MG_ACTOR_NOBODY;
	} else {
		out->fix.template = N_("read the server's words and ask its postmaster, quoting them whole");
		out->actor = MG_ACTOR_SENDER;
	}
}

/* ---- the words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Over a code that begins a line of the reply, with its enhanced code: of a reply that a log has put on one line too. */
static size_t repeated_code(struct mg_str text, size_t at, const char *code)
{
	size_t end = at + 3;

	if (code[0] == '\0' || !mg_is_basic(text, at) || memcmp(text.p + at, code, 3) != 0)
		return 0;
	if (end < text.n && (text.p[end] == '-' || text.p[end] == ' '))
		end++;
	return end - at + mg_enhanced_length(text, end);
}

static char lower_of(char c)
{
	if (is_blank(c))
		return ' ';
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* `place` has room for all of `text`. */
static struct mg_str plain_words(struct mg_str text, const char *code, char *place)
{
	size_t n = 0;

	for (size_t at = 0; at < text.n;) {
		size_t skipped = repeated_code(text, at, code);
		char c = lower_of(text.p[at]);

		at += skipped > 0 ? skipped : 1;
		if (skipped == 0 && !(c == ' ' && n > 0 && place[n - 1] == ' '))
			place[n++] = c;
	}
	return mg_str_of(place, n);
}

static bool is_address_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '.' || c == ':';
}

/* The address that a server names as ours: no server's own, as in "host mx.example[192.0.2.1] said". */
static void find_address(struct mg_str words, char place[MG_IP_TEXT])
{
	for (size_t at = 0; at < words.n; at++) {
		size_t from = at, end;
		struct mg_ip ip;

		if (!is_address_char(words.p[at]))
			continue;
		for (end = at; end < words.n && is_address_char(words.p[end]); end++)
			;
		at = end;
		while (end > from && (words.p[end - 1] == '.' || words.p[end - 1] == ':'))
			end--;
		if (from >= 2 && words.p[from - 1] == '[' && !is_blank(words.p[from - 2]) && words.p[from - 2] != '(')
			continue;
		if (end - from < 7 || end - from > 45 || !mg_ip_parse(mg_str_of(words.p + from, end - from), &ip) ||
			mg_ip_is_loopback(&ip))
			continue;
		mg_ip_text(&ip, place, MG_IP_TEXT);
		return;
	}
	mg_str_copy(place, MG_IP_TEXT, MG_STR("ADDRESS"));
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
	       c == '_';
}

/* The name at the start of `text`: it may be typed into a shell. Empty: none. */
static struct mg_str name_at(struct mg_str text)
{
	size_t n = 0;

	while (n < text.n && is_name_char(text.p[n]))
		n++;
	return n == 0 || n >= MG_EXPLAIN_NAME || text.p[0] == '-' ? mg_str_of(text.p, 0) : mg_str_first(text, n);
}

/* NAME[ADDRESS]:PORT behind "connect to ", or of the host that spoke. */
static void find_host(const struct mg_reply *reply, struct mg_str host, struct mg_explanation_names *names)
{
	static const struct mg_str connect = { "connect to ", 11 };
	size_t at = mg_str_find_str(reply->words, connect), bracket;
	struct mg_str place = at == SIZE_MAX ? host : mg_str_from(reply->words, at + connect.n), name = name_at(place);
	uint64_t port = 25;

	bracket = mg_str_find_str(mg_str_first(place, MG_EXPLAIN_NAME + 64), MG_STR("]:"));
	if (bracket != SIZE_MAX) {
		struct mg_str rest = mg_str_from(place, bracket + 2);

		if (!mg_read_u64(&rest, 65535, &port))
			port = 25;
	}
	if (name.n == 0)
		name = MG_STR("HOST");
	snprintf(names->host, sizeof names->host, "%.*s %u", MG_STR_ARGS(name), (unsigned)port);
	snprintf(names->endpoint, sizeof names->endpoint, "%.*s:%u", MG_STR_ARGS(name), (unsigned)port);
}

/* The domain that DNS was asked for, or of the address that the reply begins with. */
static void find_domain(struct mg_str words, struct mg_explanation_names *names)
{
	static const struct mg_str asked = { "service error for name=", 23 };
	size_t at = mg_str_find_str(words, asked), open;
	struct mg_str name = { "", 0 };

	if (at != SIZE_MAX) {
		name = name_at(mg_str_from(words, at + asked.n));
	} else if ((open = mg_str_find(words, '<')) != SIZE_MAX) {
		struct mg_str address = mg_str_from(words, open + 1);

		address = mg_str_first(address, mg_str_find(address, '>'));
		at = mg_str_rfind(address, '@');
		if (at != SIZE_MAX)
			name = name_at(mg_str_from(address, at + 1));
	}
	mg_str_copy(names->domain, sizeof names->domain, name.n == 0 ? MG_STR("DOMAIN") : name);
}

void mg_explanation_moved(struct mg_explanation *explanation)
{
	struct mg_explanation_names *names = &explanation->names;
	const char *const args[] = { names->address, names->host, names->endpoint, names->domain };

	for (size_t i = 0; i < MG_ROWS_COUNT(args); i++)
		explanation->cause.arg[i] = explanation->fix.arg[i] = args[i];
}

static struct mg_str host_of(const struct mg_reply *reply)
{
	struct mg_str host = reply->host;
	size_t at = mg_str_find_str(reply->words, MG_STR("host "));

	if (host.n > 0 && !mg_str_eq(host, MG_STR("none")))
		return host;
	if (at == SIZE_MAX)
		return mg_str_of("", 0);
	host = mg_str_from(reply->words, at + 5);
	for (size_t i = 0; i < host.n; i++)
		if (is_blank(host.p[i]))
			return mg_str_first(host, i);
	return host;
}

/* Codes that only one of them gives out: Microsoft's details have three digits, and both use some beyond the registry. */
static enum mg_speaker speaker_of_code(const char *enhanced)
{
	static const struct {
		const char *code;
		enum mg_speaker speaker;
	} codes[] = { { "X.7.31", MG_SPEAKER_GMAIL }, { "X.7.32", MG_SPEAKER_GMAIL }, { "X.7.40", MG_SPEAKER_GMAIL },
		{ "5.7.57", MG_SPEAKER_MICROSOFT }, { "5.7.64", MG_SPEAKER_MICROSOFT },
		{ "5.1.90", MG_SPEAKER_MICROSOFT }, { "X.X.XXX", MG_SPEAKER_MICROSOFT } };

	for (size_t i = 0; i < MG_ROWS_COUNT(codes); i++)
		if (fits_enhanced(codes[i].code, enhanced))
			return codes[i].speaker;
	return MG_SPEAKER_ANY;
}

static bool explain(struct subject *subject, struct mg_explanation *out)
{
	const struct mg_reply *reply = &subject->reply;
	const struct mg_code_row *row;

	*out = (struct mg_explanation){ .permanence = reply->permanence };
	memcpy(out->code, reply->code, sizeof out->code);
	memcpy(out->enhanced, reply->enhanced, sizeof out->enhanced);
	subject->speaker = reply->is_inbound ? MG_SPEAKER_ANY : mg_speaker_of(host_of(reply), subject->words);
	if (subject->speaker == MG_SPEAKER_ANY && !reply->is_inbound)
		subject->speaker = speaker_of_code(reply->enhanced);
	out->provider = mg_speaker_name(subject->speaker);
	row = best(subject);
	if (row != NULL && out->permanence == MG_PERMANENCE_NONE)
		out->permanence = row->permanence;
	if (row == NULL && reply->permanence == MG_PERMANENCE_NONE)
		return false;
	find_address(subject->words, out->names.address);
	find_host(reply, host_of(reply), &out->names);
	find_domain(subject->words, &out->names);
	say_meaning(row, reply, out);
	say_retry(reply, out);
	out->check = "";
	out->is_known = row != NULL;
	if (row == NULL) {
		say_fallback(out);
		return true;
	}
	out->actor = row->actor;
	out->cause.template = row->cause;
	out->fix.template = row->fix;
	mg_explanation_moved(out);
	out->check = row->check != NULL ? row->check : "";
	out->is_rate_limit = row->is_rate_limit;
	return true;
}

static bool explain_words(struct subject *subject, struct mg_explanation *out)
{
	struct mg_str words = mg_str_first(subject->reply.words, MG_EXPLAIN_TEXT);
	char *place = malloc(words.n + 1);
	bool is_explained;

	if (place == NULL)
		return false;
	subject->words = plain_words(words, subject->reply.code, place);
	is_explained = explain(subject, out);
	free(place);
	return is_explained;
}

bool mg_explain(struct mg_str text, struct mg_explanation *explanation_out)
{
	struct subject subject = { 0 };

	text = mg_str_trim(mg_str_first(text, MG_EXPLAIN_TEXT));
	mg_reply_find(text, &subject.reply);
	return explain_words(&subject, explanation_out);
}

bool mg_explain_delivery(
	struct mg_str reply, struct mg_str dsn, struct mg_str status, struct mg_str relay, struct mg_explanation *out)
{
	struct subject subject = { 0 };

	mg_reply_of_delivery(mg_str_first(reply, MG_EXPLAIN_TEXT), dsn, status, relay, &subject.reply);
	return explain_words(&subject, out);
}
