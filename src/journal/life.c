/* The lives of a queue id. Ids are reused, so an id alone says nothing: a line belongs to the life that has the id at
 * the line's time. Stamps may be cut to whole seconds: a line may seem up to two seconds older than its life. */
#include "journal/cache.h"
#include "journal/join.h"

#include <stdlib.h>

enum { LIVES = 8 };

static size_t lives_of(struct mg_store *store, struct mg_str queue_id, struct mg_head heads_out[LIVES])
{
	struct mg_bind b = mg_bind(store, MG_STMT_BY_QUEUE_ID);

	mg_bind_text(&b, queue_id);
	return mg_head_read(store, &b, heads_out, LIVES);
}

static int64_t start_of(const struct mg_head *head)
{
	if (head->first_line_us == 0 || ((head->life & MG_LIFE_DOOR) && head->time_us < head->first_line_us))
		return head->time_us;
	return head->first_line_us;
}

static int newest_first(const void *a, const void *b)
{
	int64_t x = start_of(a), y = start_of(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

/* client= and uid= begin a life: they belong to one that has no beginning yet. */
static bool can_start(const struct mg_head *head, int64_t t)
{
	if (head->life & (MG_LIFE_STARTED | MG_LIFE_CLOSED))
		return false;
	if (head->life & MG_LIFE_DOOR)
		return t >= head->time_us - MG_JOIN_BEFORE_US && t <= head->end_us + MG_JOIN_AFTER_US;
	return llabs(head->first_line_us - t) <= MG_JOIN_SLACK_US;
}

static const struct mg_head *find_start(const struct mg_head *heads, size_t n, int64_t t)
{
	const struct mg_head *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (can_start(&heads[i], t) &&
			(best == NULL || llabs(start_of(&heads[i]) - t) < llabs(start_of(best) - t)))
			best = &heads[i];
	return best;
}

/* A record that no line has reached yet yields to an older life that is still open: its queue file would still hold
 * the id. */
static const struct mg_head *find_going(const struct mg_head *heads, size_t n, int64_t t)
{
	for (size_t i = 0; i < n; i++) {
		if (start_of(&heads[i]) - MG_JOIN_SLACK_US > t)
			continue;
		if (heads[i].lines == 0 && t < start_of(&heads[i]) && i + 1 < n && heads[i + 1].lines > 0 &&
			!(heads[i + 1].life & MG_LIFE_CLOSED))
			continue;
		return (heads[i].life & MG_LIFE_CLOSED) ? NULL : &heads[i];
	}
	return NULL;
}

/* The usual case: the line before was of the same life, the youngest of its id. */
static bool find_cached(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	return line->kind != MG_LINE_CLIENT && line->kind != MG_LINE_PICKUP &&
	       mg_cache_find(store, line->queue_id, head_out) && !(head_out->life & MG_LIFE_CLOSED) &&
	       head_out->lines > 0 && start_of(head_out) <= line->time_us;
}

bool mg_life_find(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	struct mg_head heads[LIVES];
	const struct mg_head *found;
	size_t n;

	if (find_cached(store, line, head_out))
		return true;
	n = lives_of(store, line->queue_id, heads);
	if (n > 1)
		qsort(heads, n, sizeof heads[0], newest_first);
	if (line->kind == MG_LINE_CLIENT || line->kind == MG_LINE_PICKUP)
		found = find_start(heads, n, line->time_us);
	else
		found = find_going(heads, n, line->time_us);
	if (found == NULL)
		return false;
	*head_out = *found;
	mg_cache_put(store, head_out);
	mg_cache_name(store, line->queue_id, found == heads ? head_out : NULL);
	return true;
}

bool mg_life_begin(struct mg_store *store, const struct mg_log_line *line, struct mg_head *head_out)
{
	struct mg_log_line facts = { .time_us = line->time_us, .queue_id = line->queue_id };

	*head_out = (struct mg_head){ 0 };
	if (line->kind == MG_LINE_CLIENT || line->kind == MG_LINE_REJECT || line->kind == MG_LINE_MILTER)
		facts = *line; /* what a server says of its client and its sender */
	else if (line->kind == MG_LINE_PICKUP)
		facts.sender = line->sender;
	if (line->kind == MG_LINE_PICKUP || mg_str_eq(line->daemon, MG_STR("smtpd")))
		facts.service = line->service;
	else
		facts.service = (struct mg_str){ 0 }; /* not where the message came in */
	if (!mg_str_eq(line->daemon, MG_STR("smtpd")))
		facts.pid = 0;
	mg_store_log_row(store, &facts, head_out);
	return head_out->seq != 0;
}

void mg_life_showable(struct mg_store *store, struct mg_head *head)
{
	if (head->life & (MG_LIFE_SHOWABLE | MG_LIFE_PROBE))
		return;
	head->life |= MG_LIFE_SHOWABLE;
	if (!head->is_shown)
		mg_head_wait(store, head, store->now_us);
}

static void set_parent(struct mg_store *store, int64_t seq, int64_t parent)
{
	struct mg_bind b = mg_bind(store, MG_STMT_PARENT);

	mg_bind_int(&b, parent);
	mg_bind_int(&b, seq);
	mg_store_run(store, &b);
	mg_cache_set_parent(store, seq, parent);
}

/* The life that was going on at, or shortly before, `t`: a re-injected message may be gone before its parent's line
 * is written. */
static const struct mg_head *life_at(struct mg_head *heads, size_t n, int64_t t)
{
	if (n > 1)
		qsort(heads, n, sizeof heads[0], newest_first);
	for (size_t i = 0; i < n; i++)
		if (start_of(&heads[i]) - MG_JOIN_SLACK_US <= t &&
			(!(heads[i].life & MG_LIFE_CLOSED) || heads[i].last_line_us >= t - MG_JOIN_AFTER_US))
			return &heads[i];
	return NULL;
}

void mg_life_link_child(struct mg_store *store, const struct mg_head *head, const struct mg_log_line *line,
	struct mg_str child, bool is_sure)
{
	struct mg_log_line facts = { .kind = MG_LINE_NOTICE, .time_us = line->time_us, .queue_id = child };
	struct mg_head heads[LIVES], begun;
	const struct mg_head *found;

	if (child.n == 0 || mg_str_eq(child, line->queue_id))
		return;
	found = life_at(heads, lives_of(store, child, heads), line->time_us);
	if (found == NULL && is_sure && mg_life_begin(store, &facts, &begun))
		found = &begun;
	if (found != NULL && found->parent == 0 && found->seq != head->seq && found->seq != head->parent)
		set_parent(store, found->seq, head->seq);
}

void mg_life_link_parent(
	struct mg_store *store, struct mg_head *head, const struct mg_log_line *line, struct mg_str parent)
{
	struct mg_head heads[LIVES];
	const struct mg_head *found;

	if (parent.n == 0 || head->parent != 0)
		return;
	found = life_at(heads, lives_of(store, parent, heads), line->time_us);
	if (found == NULL || found->seq == head->seq || found->parent == head->seq)
		return;
	head->parent = found->seq;
	set_parent(store, head->seq, found->seq);
}
