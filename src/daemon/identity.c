#include "daemon/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/run.h"

enum { ACCOUNT_TEXT = 4096 };

static bool find_user(const char *name, uid_t *uid_out, gid_t *gid_out)
{
	char text[ACCOUNT_TEXT];
	struct passwd entry, *found = NULL;

	if (getpwnam_r(name, &entry, text, sizeof text, &found) != 0 || found == NULL)
		return false;
	*uid_out = entry.pw_uid;
	*gid_out = entry.pw_gid;
	return true;
}

static bool find_group(const char *name, gid_t *gid_out)
{
	char text[ACCOUNT_TEXT];
	struct group entry, *found = NULL;

	if (getgrnam_r(name, &entry, text, sizeof text, &found) != 0 || found == NULL)
		return false;
	*gid_out = entry.gr_gid;
	return true;
}

/* The group of the user that Postfix runs as. */
static bool find_mail_owner(const char *config_directory, gid_t *gid_out)
{
	const char *argv[] = { "postconf", "-c", config_directory, "-h", "mail_owner", NULL };
	struct mg_run run = { .argv = argv, .timeout_ms = 5000, .out_max = 4096, .err_max = 4096 };
	struct mg_run_result result;
	char name[64];
	uid_t uid;
	bool found = false;

	if (mg_run(&run, &result, NULL) == MG_OK && result.status == 0 &&
		mg_str_copy(name, sizeof name, mg_str_trim(mg_buf_str(&result.out))))
		found = find_user(name, &uid, gid_out);
	mg_run_fini(&result);
	return found;
}

static enum mg_rc find_control_group(const struct mg_conf *conf, struct mg_identity *identity, struct mg_err *err)
{
	const char *name = conf->control.group;

	identity->owner.control_gid = identity->owner.gid;
	/* The default group follows the default user: where the daemon stays who it is, it need not exist. */
	if (name[0] == '\0' || find_group(name, &identity->owner.control_gid))
		return MG_OK;
	if (identity->user[0] == '\0' && mg_str_eq(mg_str_z(name), MG_STR("mailguard")))
		return MG_OK;
	return mg_err_set(err, MG_ENOENT,
		"control.group = \"%s\": there is no such group; make it with: groupadd --system %s", name, name);
}

enum mg_rc mg_identity_find(const struct mg_conf *conf, struct mg_identity *identity_out, struct mg_err *err)
{
	struct mg_owner *owner = &identity_out->owner;
	gid_t ignored;
	enum mg_rc rc;

	*identity_out = (struct mg_identity){ .is_root = geteuid() == 0 };
	*owner = (struct mg_owner){ .uid = geteuid(), .gid = getegid(), .may_chown = identity_out->is_root };
	if (identity_out->is_root && conf->user[0] != '\0') {
		if (!find_user(conf->user, &owner->uid, &owner->gid))
			return mg_err_set(err, MG_ENOENT,
				"user = \"%s\": there is no such user; make it with: adduser --system --group "
				"--no-create-home %s",
				conf->user, conf->user);
		mg_str_copy(identity_out->user, sizeof identity_out->user, mg_str_z(conf->user));
	}
	if (!find_mail_owner(conf->postfix.config_directory, &owner->door_gid)) {
		owner->door_gid = owner->gid;
		mg_log(MG_LOG_WARNING,
			"no-mail-owner: Postfix's mail_owner can't be told from %s, the doors get our group",
			conf->postfix.config_directory);
	}
	rc = find_control_group(conf, identity_out, err);
	if (rc == MG_OK && conf->control.admin_group[0] != '\0' && !find_group(conf->control.admin_group, &ignored))
		return mg_err_set(err, MG_ENOENT,
			"control.admin_group = \"%s\": there is no such group; make it with: "
			"groupadd --system %s",
			conf->control.admin_group, conf->control.admin_group);
	return rc;
}

enum mg_rc mg_identity_assume(const struct mg_identity *identity, struct mg_err *err)
{
	static const char *const wanted[] = { "adm", "systemd-journal", "postdrop" };
	gid_t groups[2 + sizeof wanted / sizeof wanted[0]] = { identity->owner.gid };
	size_t count = 1;

	if (!identity->is_root || identity->user[0] == '\0')
		return MG_OK;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (find_group(wanted[i], &groups[count]))
			count++;
	if (identity->owner.control_gid != identity->owner.gid)
		groups[count++] = identity->owner.control_gid;
	if (setgroups(count, groups) != 0 || setresgid(groups[0], groups[0], groups[0]) != 0 ||
		setresuid(identity->owner.uid, identity->owner.uid, identity->owner.uid) != 0)
		return mg_err_sys(err, MG_EPERM, errno, "can't become user %s", identity->user);
	return MG_OK;
}
