/* queue.* - does mail move? Counts and ages come from the queue's directories, reasons from the showq service. */
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "health/check.h"
#include "health/queue_reasons.h"
#include "postfix/queue.h"

enum { HOUR_S = 3600, HALF_HOUR_S = 1800, LOOK_MS = 5000, MINUTE_S = 60 };

static const char *duration(struct mg_finding *finding, int64_t seconds)
{
	char text[48];

	if (seconds >= 2 * 24 * HOUR_S)
		snprintf(text, sizeof text, "%lld d", (long long)(seconds / (24 * HOUR_S)));
	else if (seconds >= 2 * HOUR_S)
		snprintf(text, sizeof text, "%lld h", (long long)(seconds / HOUR_S));
	else if (seconds >= 2 * MINUTE_S)
		snprintf(text, sizeof text, "%lld min", (long long)(seconds / MINUTE_S));
	else
		snprintf(text, sizeof text, "%lld s", (long long)seconds);
	return mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
}

static int64_t age_s(int64_t arrival_us)
{
	int64_t age_us = mg_wall_us() - arrival_us;

	return arrival_us == 0 || age_us < 0 ? 0 : age_us / MG_S_US;
}

/* What stands for this Postfix in a command: nothing, or where it is. */
static const char *command_of(const struct mg_check_env *env, struct mg_finding *finding, const char *command)
{
	char text[4096];
	const char *directory = env->conf->postfix.config_directory;

	if (mg_str_eq(mg_str_z(directory), MG_STR("/etc/postfix")))
		snprintf(text, sizeof text, "%s", command);
	else
		snprintf(text, sizeof text, "%s -c %s", command, directory);
	return mg_arena_text(&finding->arena, mg_str_z(text), sizeof text);
}

static void not_counted(struct mg_finding *finding, enum mg_queue queue, enum mg_rc rc, const struct mg_err *err)
{
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("the %1 queue can't be looked at"), mg_queue_name(queue), NULL);
	if (rc == MG_EPERM)
		mg_finding_cause(finding, N_("needs root: %1"), err->text, NULL);
	else
		mg_finding_cause(finding, "%1", err->text, NULL);
	mg_finding_fix(finding, N_("look as root: sudo mailguardctl check queue.%1"), mg_queue_name(queue), NULL);
}

struct counted {
	const char *queue;
	struct mg_queue_count *count;
};

static void see_counted(void *context, const struct mg_queue_entry *entry)
{
	struct counted *counted = context;

	if (!entry->is_first || !mg_str_eq(entry->queue, mg_str_z(counted->queue)))
		return;
	counted->count->messages++;
	if (counted->count->oldest_us != 0 && entry->arrival_us >= counted->count->oldest_us)
		return;
	counted->count->oldest_us = entry->arrival_us;
	mg_str_copy(counted->count->oldest_id, sizeof counted->count->oldest_id, entry->id);
}

/* By the directory, or by showq where that may not be read. False: said why. */
static bool count_queue(
	const struct mg_check_env *env, struct mg_finding *finding, enum mg_queue queue, struct mg_queue_count *count)
{
	struct mg_err err = { "" }, other = { "" };
	struct counted counted = { mg_queue_name(queue), count };
	enum mg_rc rc;
	bool is_cut = false;
	char manual[64];

	snprintf(manual, sizeof manual, "qshape %s; postqueue -p", mg_queue_name(queue));
	finding->manual = mg_arena_text(&finding->arena, mg_str_z(manual), sizeof manual);
	if (!mg_check_has_postfix(env, finding))
		return false;
	rc = mg_queue_scan(env->postfix->queue_directory, queue, env->deadline_us, count, &err);
	if (rc == MG_EPERM && queue != MG_QUEUE_CORRUPT) {
		*count = (struct mg_queue_count){ 0 };
		if (mg_queue_list(env->postfix->queue_directory, env->deadline_us, see_counted, &counted, &is_cut,
			    &other) == MG_OK) {
			count->is_cut = is_cut;
			rc = MG_OK;
		}
	}
	if (rc != MG_OK) {
		not_counted(finding, queue, rc, &err);
		return false;
	}
	mg_finding_evidence(finding, "%s/%s: %llu messages%s%s%s", env->postfix->queue_directory, mg_queue_name(queue),
		(unsigned long long)count->messages, count->is_cut ? " or more" : "",
		count->messages > 0 ? ", oldest " : "", count->oldest_id);
	return true;
}

/* ---- queue.deferred: how many, and whether they double ---- */

enum { RING = 64, RING_STEP_S = 60, DOUBLED_MIN = 50 };

/* What this process has counted, at most one a minute; a short-lived one has no history. */
static struct {
	pthread_mutex_t lock;
	struct {
		int64_t time_us; /* monotonic; 0: empty */
		uint64_t messages;
	} seen[RING];
	size_t next;
} history = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Notes a count, and gives the least of the last half hour. */
static uint64_t least_lately(uint64_t messages)
{
	int64_t now_us = mg_mono_us();
	uint64_t least = messages;
	size_t last;

	pthread_mutex_lock(&history.lock);
	last = (history.next + RING - 1) % RING;
	if (history.seen[last].time_us == 0 || now_us - history.seen[last].time_us >= RING_STEP_S * MG_S_US) {
		history.seen[history.next].time_us = now_us;
		history.seen[history.next].messages = messages;
		history.next = (history.next + 1) % RING;
	}
	for (size_t i = 0; i < RING; i++)
		if (history.seen[i].time_us != 0 && now_us - history.seen[i].time_us <= HALF_HOUR_S * MG_S_US &&
			history.seen[i].messages < least)
			least = history.seen[i].messages;
	pthread_mutex_unlock(&history.lock);
	return least;
}

static void check_deferred(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_queue_count count;
	enum mg_check_state state;
	const char *number;
	uint64_t least;

	if (!count_queue(env, finding, MG_QUEUE_DEFERRED, &count))
		return;
	mg_finding_value(finding, (double)count.messages, "messages");
	number = mg_finding_number(finding, (double)count.messages, "");
	state = mg_check_grade(env, "queue.deferred", (double)count.messages, 100, 500);
	least = least_lately(count.messages);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("%1 messages are deferred"), number, NULL);
		mg_finding_cause(finding,
			N_("Postfix could not deliver them yet: a destination is down, refuses this server, or DNS fails; queue.reasons says which"),
			NULL);
		mg_finding_fix(finding,
			N_("see why: mailguardctl check queue.reasons; mend it, then try at once: %1 -f"),
			command_of(env, finding, "postqueue"), NULL);
	} else if (count.messages > DOUBLED_MIN && count.messages >= 2 * least) {
		mg_finding_is(finding, MG_STATE_WARN,
			N_("the deferred messages have doubled in half an hour: %1, from %2"), number,
			mg_finding_number(finding, (double)least, ""), NULL);
		mg_finding_cause(finding,
			N_("something has just begun to fail: a destination, DNS, or an account that sends in masses"),
			NULL);
		mg_finding_fix(finding,
			N_("see why: mailguardctl check queue.reasons; mend it, then try at once: %1 -f"),
			command_of(env, finding, "postqueue"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("%1 messages are deferred, which is usual"), number, NULL);
}

/* ---- queue.active ---- */

static void check_active(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_queue_count count;
	uint64_t limit = 20000;
	double percent;
	enum mg_check_state state;

	if (!count_queue(env, finding, MG_QUEUE_ACTIVE, &count))
		return;
	mg_str_to_u64(
		mg_str_z(mg_check_parameter(env, finding, NULL, "qmgr_message_active_limit")), UINT32_MAX, &limit);
	percent = limit == 0 ? 0 : 100.0 * (double)count.messages / (double)limit;
	mg_finding_value(finding, (double)count.messages, "messages");
	mg_finding_evidence(finding, "qmgr_message_active_limit=%llu", (unsigned long long)limit);
	state = mg_check_grade(env, "queue.active", percent, 50, 90);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the active queue is %1 % full"),
			mg_finding_number(finding, percent, ""), NULL);
		mg_finding_cause(
			finding, N_("a slow destination takes all places, so mail for everybody else waits"), NULL);
		mg_finding_fix(finding,
			N_("find the destination: qshape active; then give it a transport of its own with few connections: postconf -e slow_destination_concurrency_limit=2; postconf -M slow/unix='slow unix - - n - - smtp'"),
			NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("%1 messages are being delivered"),
		mg_finding_number(finding, (double)count.messages, ""), NULL);
}

/* ---- ages ---- */

static void check_age(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_queue_count count;
	enum mg_check_state state;
	int64_t seconds;

	if (!count_queue(env, finding, MG_QUEUE_DEFERRED, &count))
		return;
	seconds = age_s(count.oldest_us);
	mg_finding_value(finding, (double)seconds, "s");
	state = count.messages == 0 ? MG_STATE_OK
				    : mg_check_grade(env, "queue.age", (double)seconds, 4 * HOUR_S, 24 * HOUR_S);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("the oldest deferred message (%1) waits for %2"), count.oldest_id,
			duration(finding, seconds), NULL);
		mg_finding_cause(finding,
			N_("its destination has failed at every attempt since; after maximal_queue_lifetime (%1) Postfix gives up"),
			mg_check_parameter(env, finding, NULL, "maximal_queue_lifetime"), NULL);
		mg_finding_fix(finding,
			N_("see why: mailguardctl check queue.reasons; read it: %1 -q %2; try at once: %3 -i %2; or give it up: %4 -d %2"),
			command_of(env, finding, "postcat"), count.oldest_id, command_of(env, finding, "postqueue"),
			command_of(env, finding, "postsuper"), NULL);
	}
	if (count.messages == 0)
		mg_finding_is(finding, MG_STATE_OK, N_("no message is deferred"), NULL);
	mg_finding_is(
		finding, MG_STATE_OK, N_("the oldest deferred message waits for %1"), duration(finding, seconds), NULL);
}

/* A queue through which mail only passes: what stays in it shows that somebody does not take it out. */
static void check_passage(const struct mg_check_env *env, struct mg_finding *finding, enum mg_queue queue,
	const char *id, const char *cause)
{
	struct mg_queue_count count;
	enum mg_check_state state;
	int64_t seconds;

	if (!count_queue(env, finding, queue, &count))
		return;
	seconds = age_s(count.oldest_us);
	mg_finding_value(finding, (double)seconds, "s");
	state = count.messages == 0 ? MG_STATE_OK
				    : mg_check_grade(env, id, (double)seconds, 2 * MINUTE_S, 10 * MINUTE_S);
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("%1 messages are stuck in the %2 queue, the oldest for %3"),
			mg_finding_number(finding, (double)count.messages, ""), mg_queue_name(queue),
			duration(finding, seconds), NULL);
		mg_finding_cause(finding, cause, NULL);
		mg_finding_fix(finding,
			N_("let Postfix begin anew: %1 reload; if they stay: %2 -s && %1 stop && %1 start"),
			command_of(env, finding, "postfix"), command_of(env, finding, "postsuper"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("nothing is stuck in the %1 queue"), mg_queue_name(queue), NULL);
}

static void check_incoming(const struct mg_check_env *env, struct mg_finding *finding)
{
	check_passage(env, finding, MG_QUEUE_INCOMING, "queue.incoming",
		N_("the queue manager (qmgr) does not fetch them: it hangs, is stopped, or the active queue is full"));
}

static void check_maildrop(const struct mg_check_env *env, struct mg_finding *finding)
{
	check_passage(env, finding, MG_QUEUE_MAILDROP, "queue.maildrop",
		N_("pickup does not fetch what sendmail(1) handed in: it hangs, is missing in master.cf, or Postfix is stopped"));
}

static void check_hold(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_queue_count count;
	double warn = 1, crit = 1e12;
	int64_t seconds;

	if (!count_queue(env, finding, MG_QUEUE_HOLD, &count))
		return;
	mg_check_threshold(env->conf, "queue.hold", &warn, &crit);
	seconds = age_s(count.oldest_us);
	mg_finding_value(finding, (double)count.messages, "messages");
	if (count.messages > 0)
		mg_finding_evidence(finding, "oldest=%s, held for %lld s", count.oldest_id, (long long)seconds);
	if ((double)count.messages >= crit || ((double)count.messages >= warn && seconds >= 24 * HOUR_S)) {
		mg_finding_is(finding, (double)count.messages >= crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 messages are held, the oldest (%2) for %3"),
			mg_finding_number(finding, (double)count.messages, ""), count.oldest_id,
			duration(finding, seconds), NULL);
		mg_finding_cause(finding,
			N_("a filter put them into quarantine or an administrator held them, and nobody has decided on them"),
			NULL);
		mg_finding_fix(finding, N_("read it: %1 -q %3; then let it go: %2 -H %3, or delete it: %2 -d %3"),
			command_of(env, finding, "postcat"), command_of(env, finding, "postsuper"), count.oldest_id,
			NULL);
	}
	if (count.messages == 0)
		mg_finding_is(finding, MG_STATE_OK, N_("no message is held"), NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("%1 messages are held, none for a day yet"),
		mg_finding_number(finding, (double)count.messages, ""), NULL);
}

static void check_corrupt(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_queue_count count;
	double warn = 1, crit = 1;

	if (!count_queue(env, finding, MG_QUEUE_CORRUPT, &count))
		return;
	finding->manual = "ls -l $(postconf -h queue_directory)/corrupt";
	mg_check_threshold(env->conf, "queue.corrupt", &warn, &crit);
	mg_finding_value(finding, (double)count.messages, "files");
	if (count.messages > 0 && (double)count.messages >= (warn < crit ? warn : crit)) {
		mg_finding_is(finding, (double)count.messages >= crit ? MG_STATE_CRIT : MG_STATE_WARN,
			N_("%1 damaged queue files lie in the corrupt queue"),
			mg_finding_number(finding, (double)count.messages, ""), NULL);
		mg_finding_cause(finding,
			N_("Postfix could not read them and set them aside: a fault of the disk, a full disk, or a crash while writing"),
			NULL);
		mg_finding_fix(finding,
			N_("see what they are: %1 %2/corrupt/%3; look at the disk: dmesg | grep -i error; mend the queue: %4 -s; then take the file away: rm %2/corrupt/%3"),
			command_of(env, finding, "postcat"), env->postfix->queue_directory, count.oldest_id,
			command_of(env, finding, "postsuper"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("no queue file is damaged"), NULL);
}

/* ---- what is in it ---- */

static bool list_reasons(const struct mg_check_env *env, struct mg_finding *finding, struct mg_reasons *reasons)
{
	struct mg_err err = { "" };
	enum mg_rc rc;

	finding->manual = "postqueue -p";
	mg_reasons_init(reasons);
	if (!mg_check_has_postfix(env, finding))
		return false;
	rc = mg_queue_list(
		env->postfix->queue_directory, env->deadline_us, mg_reasons_see, reasons, &reasons->is_cut, &err);
	if (rc == MG_OK)
		return true;
	mg_finding_is(finding, MG_STATE_UNKNOWN, N_("Postfix does not tell what lies in its queue"), NULL);
	if (rc == MG_EPERM)
		mg_finding_cause(finding, N_("needs root: %1"), err.text, NULL);
	else if (rc == MG_ENOENT)
		mg_finding_cause(finding, N_("Postfix is not running: %1"), err.text, NULL);
	else
		mg_finding_cause(finding, "%1", err.text, NULL);
	mg_finding_fix(finding, N_("see by hand, as root: %1 status; %2 -p"), command_of(env, finding, "postfix"),
		command_of(env, finding, "postqueue"), NULL);
	return false;
}

static void show_reason(struct mg_finding *finding, const struct mg_reason_group *group)
{
	struct mg_buf cause;

	mg_buf_init(&cause, MG_SAY_TEXT);
	mg_say_english(&cause, &group->explanation.cause);
	mg_finding_evidence(finding, "%s: %llu messages, %s%s%s%s (oldest %s: %s)", group->domain,
		(unsigned long long)group->messages, group->explanation.code,
		group->explanation.code[0] != '\0' && group->explanation.enhanced[0] != '\0' ? " " : "",
		group->explanation.enhanced, mg_buf_z(&cause), duration(finding, age_s(group->oldest_us)), group->text);
	mg_buf_fini(&cause);
}

static void judge_reasons(const struct mg_check_env *env, struct mg_finding *finding, const struct mg_reasons *reasons)
{
	double warn = 20, crit = 200;
	const struct mg_reason_domain *worst = mg_reasons_worst(reasons);
	const struct mg_reason_group *group = worst == NULL ? NULL : mg_reasons_group_of(reasons, worst->domain);
	enum mg_check_state state = MG_STATE_OK;

	mg_check_threshold(env->conf, "queue.reasons", &warn, &crit);
	mg_finding_value(finding, worst == NULL ? 0 : (double)worst->messages, "messages");
	for (size_t i = 0; i < reasons->group_count && i < MG_EVIDENCE_MAX - 1; i++)
		show_reason(finding, &reasons->groups[i]);
	if (worst != NULL && (double)worst->messages >= crit)
		state = MG_STATE_CRIT;
	else if (worst != NULL && (double)worst->messages >= warn && worst->messages * 2 > reasons->messages)
		state = MG_STATE_WARN;
	if (state != MG_STATE_OK && group != NULL) {
		mg_finding_is(finding, state, N_("%1 of %2 deferred messages are for %3"),
			mg_finding_number(finding, (double)worst->messages, ""),
			mg_finding_number(finding, (double)reasons->messages, ""), worst->domain, NULL);
		mg_finding_because(finding, &group->explanation.cause);
		mg_finding_mend(finding, &group->explanation.fix);
	}
	if (reasons->messages == 0)
		mg_finding_is(finding, MG_STATE_OK, N_("no message is deferred"), NULL);
	mg_finding_is(finding, MG_STATE_OK, N_("%1 messages are deferred, for no destination too many"),
		mg_finding_number(finding, (double)reasons->messages, ""), NULL);
}

static void check_reasons(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_reasons reasons;

	if (list_reasons(env, finding, &reasons)) {
		mg_reasons_sort(&reasons);
		mg_reasons_remember(&reasons);
		judge_reasons(env, finding, &reasons);
	}
	mg_reasons_fini(&reasons);
}

static void check_null_sender(const struct mg_check_env *env, struct mg_finding *finding)
{
	struct mg_reasons reasons;
	double percent;
	enum mg_check_state state = MG_STATE_OK;
	const char *number;

	if (!list_reasons(env, finding, &reasons)) {
		mg_reasons_fini(&reasons);
		return;
	}
	percent = reasons.all_messages == 0 ? 0 : 100.0 * (double)reasons.null_senders / (double)reasons.all_messages;
	mg_finding_value(finding, percent, "%");
	mg_finding_evidence(finding, "from=<>: %llu of %llu messages", (unsigned long long)reasons.null_senders,
		(unsigned long long)reasons.all_messages);
	if (reasons.null_senders > 0)
		state = mg_check_grade(env, "queue.null-sender", percent, 30, 60);
	if (state == MG_STATE_CRIT && reasons.null_senders < 100)
		state = MG_STATE_WARN;
	if (state == MG_STATE_WARN && reasons.null_senders < 10)
		state = MG_STATE_OK; /* a handful of bounces is no backscatter */
	number = mg_finding_number(finding, percent, "");
	if (state != MG_STATE_OK) {
		mg_finding_is(finding, state, N_("%1 % of the queue are bounces (null sender)"), number, NULL);
		mg_finding_cause(finding,
			N_("this server accepts mail for users that don't exist and then sends bounces to forged senders (backscatter), or somebody sends spam through it"),
			NULL);
		mg_finding_fix(finding,
			N_("refuse unknown users at RCPT: postconf local_recipient_maps relay_recipient_maps virtual_mailbox_maps must list them all; then delete the bounces: %1 -p | awk '$7 == \"MAILER-DAEMON\" { print $1 }' | tr -d '*!' | %2 -d -"),
			command_of(env, finding, "postqueue"), command_of(env, finding, "postsuper"), NULL);
	}
	mg_finding_is(finding, MG_STATE_OK, N_("few bounces are in the queue"), NULL);
	mg_reasons_fini(&reasons);
}

const struct mg_check mg_checks_queue[] = {
	{ "queue.deferred", N_("how many messages are deferred"), 0, LOOK_MS, .run = check_deferred, .steady = 2,
		.needs = "service.postfix" },
	{ "queue.active", N_("the active queue has room"), 0, LOOK_MS, .run = check_active, .steady = 2,
		.needs = "service.postfix" },
	{ "queue.age", N_("how long the oldest deferred message waits"), 0, LOOK_MS, .run = check_age, .steady = 2,
		.needs = "service.postfix" },
	{ "queue.incoming", N_("new mail passes the incoming queue"), 0, LOOK_MS, .run = check_incoming, .steady = 2,
		.follows = { "service.postfix" }, .needs = "service.postfix" },
	{ "queue.maildrop", N_("mail handed in by programs is fetched"), 0, LOOK_MS, .run = check_maildrop, .steady = 2,
		.follows = { "service.postfix" }, .needs = "service.postfix" },
	{ "queue.hold", N_("messages on hold"), 0, LOOK_MS, .run = check_hold, .steady = 2,
		.needs = "service.postfix" },
	{ "queue.corrupt", N_("damaged queue files"), 0, LOOK_MS, .run = check_corrupt, .steady = 2,
		.needs = "service.postfix" },
	{ "queue.reasons", N_("why messages are deferred"), 0, LOOK_MS, .run = check_reasons, .steady = 2,
		.follows = { "service.postfix" }, .needs = "service.postfix" },
	{ "queue.null-sender", N_("bounces in the queue"), 0, LOOK_MS, .run = check_null_sender, .steady = 2,
		.follows = { "service.postfix" }, .needs = "service.postfix" },
};
const size_t mg_checks_queue_count = sizeof mg_checks_queue / sizeof mg_checks_queue[0];
