/* disk.* - is there room for mail, in bytes and in inodes? Postfix answers 452 4.3.1 when the queue's disk has less than one and a half
 * times the largest message. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/i18n.h"
#include "health/dovecot_conf.h"

enum { PATH_BYTES = 1024 };

struct room {
	const char *path;
	double free_bytes, bytes_percent, inodes_percent;
};

/* The nearest directory that is there: what is configured may not have been made yet. */
static bool look(const char *path, struct room *room_out)
{
	char place[PATH_BYTES];
	struct statvfs info;

	if (!mg_str_copy(place, sizeof place, mg_str_z(path)))
		return false;
	while (statvfs(place, &info) != 0) {
		char *slash = strrchr(place, '/');

		if (slash == NULL || slash == place)
			return false;
		*slash = '\0';
	}
	if (info.f_blocks == 0)
		return false;
	*room_out = (struct room){ .path = path,
		.free_bytes = (double)info.f_bavail * (double)info.f_frsize,
		.bytes_percent = 100.0 * (double)info.f_bavail / (double)info.f_blocks,
		.inodes_percent = info.f_files == 0 ? 100 : 100.0 * (double)info.f_favail / (double)info.f_files };
	return true;
}

static const char *in_mib(struct mg_finding *finding, double bytes)
{
	return mg_finding_number(finding, bytes / (1024 * 1024), "MiB");
}

static void say_full(struct mg_finding *finding, enum mg_check_state state, const struct room *room, bool by_inodes)
{
	mg_finding_is(finding, state,
		by_inodes ? N_("%1 has only %2 of its inodes free") : N_("%1 has only %2 of its space free (%3)"),
		room->path, mg_finding_number(finding, by_inodes ? room->inodes_percent : room->bytes_percent, "%"),
		in_mib(finding, room->free_bytes), NULL);
}

/* `message_bytes`: of the largest message that must fit, 0 where that does not matter. */
static void judge(const struct mg_check_env *env, struct mg_finding *finding, const char *id, const char *path,
	double message_bytes, const char *cause, const char *fix)
{
	struct room room;
	double least;
	bool by_inodes;
	enum mg_check_state state;

	if (!look(path, &room)) {
		mg_finding_is(finding, MG_STATE_UNKNOWN, N_("how full the disk of %1 is can't be told"), path, NULL);
		mg_finding_cause(finding, N_("needs root, or the directory is not there"), NULL);
		return;
	}
	by_inodes = room.inodes_percent < room.bytes_percent;
	least = by_inodes ? room.inodes_percent : room.bytes_percent;
	if (!finding->has_value || least < finding->value)
		mg_finding_value(finding, least, "%");
	mg_finding_evidence(finding, "%s: %.1f%% of space (%.0f MiB) and %.1f%% of inodes free", path,
		room.bytes_percent, room.free_bytes / (1024 * 1024), room.inodes_percent);
	state = mg_check_grade(env, id, least, 15, 5);
	if (state == MG_STATE_CRIT || state == MG_STATE_WARN) {
		say_full(finding, state, &room, by_inodes);
		mg_finding_cause(finding,
			by_inodes ? N_("very many small files, such as old sessions or mail that was never read")
				  : cause,
			NULL);
		mg_finding_fix(finding,
			by_inodes
				? N_("du --inodes -xh --max-depth=2 %1 | sort -h | tail, and remove what is not needed")
				: fix,
			path, NULL);
	}
	if (message_bytes > 0 && room.free_bytes < 3 * message_bytes) {
		bool is_over = room.free_bytes < 1.5 * message_bytes;

		mg_finding_is(finding, is_over ? MG_STATE_CRIT : MG_STATE_WARN,
			is_over ? N_("%1 has %2 free: Postfix refuses mail with 452 4.3.1 below %3")
				: N_("%1 has %2 free: Postfix will refuse mail with 452 4.3.1 below %3"),
			path, in_mib(finding, room.free_bytes), in_mib(finding, 1.5 * message_bytes), NULL);
		mg_finding_cause(
			finding, N_("one and a half times message_size_limit must be free in the queue"), NULL);
		mg_finding_fix(finding, fix, path, NULL);
	}
}

static void check_queue(const struct mg_check_env *env, struct mg_finding *finding)
{
	uint64_t largest = 0;

	finding->manual = "df -h && df -i";
	if (!mg_check_has_postfix(env, finding))
		return;
	if (!mg_str_to_u64(
		    mg_str_z(mg_check_parameter(env, finding, NULL, "message_size_limit")), UINT64_MAX, &largest))
		largest = 0;
	judge(env, finding, "disk.queue", env->postfix->queue_directory, (double)largest,
		N_("logs, mailboxes or old packages fill the disk that holds the queue"),
		N_("du -xh --max-depth=2 /var | sort -h | tail, then remove what is not needed, old logs first: journalctl --vacuum-size=200M"));
	mg_finding_is(finding, MG_STATE_OK, N_("the queue's disk has room: %1 free"),
		mg_finding_number(finding, finding->value, "%"), NULL);
}

enum { PLACES_MAX = 2 };

/* Where Postfix itself puts mail. */
static size_t mailbox_places(
	const struct mg_check_env *env, struct mg_finding *finding, const char *places_out[PLACES_MAX])
{
	const char *home = mg_check_parameter(env, finding, NULL, "home_mailbox");
	const char *transport = mg_check_parameter(env, finding, NULL, "virtual_transport");
	size_t count = 0;

	if (mg_check_parameter(env, finding, NULL, "virtual_mailbox_domains")[0] != '\0' &&
		mg_str_starts(mg_str_z(transport), MG_STR("virtual")))
		places_out[count] = mg_check_parameter(env, finding, NULL, "virtual_mailbox_base"), count++;
	if (mg_check_parameter(env, finding, NULL, "mydestination")[0] != '\0')
		places_out[count++] =
			home[0] != '\0' ? "/home" : mg_check_parameter(env, finding, NULL, "mail_spool_directory");
	return count;
}

/* ... and Dovecot: what can't be told of it is dovecot.config's to say. */
static size_t add_dovecot(const struct mg_check_env *env, struct mg_finding *finding, const char **places)
{
	char own[MG_DOVECOT_PLACES][MG_DOVECOT_TEXT];
	struct mg_dovecot dovecot;
	size_t count = 0;

	if (mg_dovecot_look(env, &dovecot, NULL) != MG_OK || !dovecot.is_used)
		return 0;
	count = mg_dovecot_mailboxes(&dovecot, own);
	for (size_t i = 0; i < count; i++)
		places[i] = mg_arena_text(&finding->arena, mg_str_z(own[i]), sizeof own[i]);
	return count;
}

static bool was_before(const char *const *places, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (strcmp(places[before], places[i]) == 0)
			return true;
	return false;
}

static void check_mailbox(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *places[PLACES_MAX + MG_DOVECOT_PLACES];
	size_t count;

	finding->manual = "df -h && df -i";
	if (!mg_check_has_postfix(env, finding))
		return;
	count = mailbox_places(env, finding, places);
	count += add_dovecot(env, finding, places + count);
	for (size_t i = 0; i < count; i++)
		if (places[i][0] == '/' && !was_before(places, i))
			judge(env, finding, "disk.mailbox", places[i], 0,
				N_("mailboxes have grown, or something else fills their disk"),
				N_("see who needs most: du -xh --max-depth=2 %1 | sort -h | tail; then enlarge the disk, or: doveadm expunge -A mailbox Trash savedbefore 30d"));
	if (!finding->has_value && finding->summary.template == NULL)
		mg_finding_not_applicable(finding, N_("not applicable: no mailboxes on this machine"));
	mg_finding_is(finding, MG_STATE_OK, N_("the mailboxes' disk has room: %1 free"),
		mg_finding_number(finding, finding->value, "%"), NULL);
}

static void check_log(const struct mg_check_env *env, struct mg_finding *finding)
{
	const char *path = mg_check_log_path(env, finding);
	char directory[PATH_BYTES] = "/var/log";

	finding->manual = "df -h && df -i";
	if (path[0] == '/' && mg_str_rfind(mg_str_z(path), '/') > 0)
		mg_str_copy(
			directory, sizeof directory, mg_str_first(mg_str_z(path), mg_str_rfind(mg_str_z(path), '/')));
	judge(env, finding, "disk.log", mg_arena_text(&finding->arena, mg_str_z(directory), sizeof directory), 0,
		N_("logs that are not rotated, or something else on the same disk"),
		N_("du -xh --max-depth=2 %1 | sort -h | tail; then: journalctl --vacuum-size=200M, logrotate -f /etc/logrotate.conf"));
	mg_finding_is(finding, MG_STATE_OK, N_("the log's disk has room: %1 free"),
		mg_finding_number(finding, finding->value, "%"), NULL);
}

const struct mg_check mg_checks_disk[] = {
	{ "disk.queue", N_("room for the queue"), 0, 5000, .run = check_queue },
	{ "disk.mailbox", N_("room for mailboxes"), 0, 8000, .run = check_mailbox, .follows = { "disk.queue" } },
	{ "disk.log", N_("room for logs"), 0, 5000, .run = check_log, .follows = { "disk.queue" } },
};
const size_t mg_checks_disk_count = sizeof mg_checks_disk / sizeof mg_checks_disk[0];
