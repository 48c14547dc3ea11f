/* The frame of a line, "STAMP HOST TAG[PID]: TEXT", and who understands the text: one row per daemon. */
#include "postfix/logline.h"

#include "postfix/logline_parse.h"

static enum mg_line_kind quiet(struct mg_str text, struct mg_log_line *line)
{
	(void)text;
	(void)line;
	return MG_LINE_NOISE;
}

struct daemon {
	struct mg_str name;
	enum mg_line_kind (*understand)(struct mg_str text, struct mg_log_line *line);
};

static const struct daemon daemons[] = {
	{ MG_LINE_LIT("smtpd"), mg_line_smtpd },
	{ MG_LINE_LIT("smtp"), mg_line_agent },
	{ MG_LINE_LIT("qmgr"), mg_line_qmgr },
	{ MG_LINE_LIT("cleanup"), mg_line_cleanup },
	{ MG_LINE_LIT("local"), mg_line_agent },
	{ MG_LINE_LIT("lmtp"), mg_line_agent },
	{ MG_LINE_LIT("virtual"), mg_line_agent },
	{ MG_LINE_LIT("pipe"), mg_line_agent },
	{ MG_LINE_LIT("error"), mg_line_agent },
	{ MG_LINE_LIT("retry"), mg_line_agent },
	{ MG_LINE_LIT("discard"), mg_line_agent },
	{ MG_LINE_LIT("pickup"), mg_line_pickup },
	{ MG_LINE_LIT("bounce"), mg_line_bounce },
	{ MG_LINE_LIT("postscreen"), mg_line_postscreen },
	{ MG_LINE_LIT("postsuper"), mg_line_postsuper },
	{ MG_LINE_LIT("nqmgr"), mg_line_qmgr },
	{ MG_LINE_LIT("oqmgr"), mg_line_qmgr },
	{ MG_LINE_LIT("qmqpd"), mg_line_smtpd },
	/* these have nothing to say about a message */
	{ MG_LINE_LIT("anvil"), quiet },
	{ MG_LINE_LIT("dnsblog"), quiet },
	{ MG_LINE_LIT("flush"), quiet },
	{ MG_LINE_LIT("mailq"), quiet },
	{ MG_LINE_LIT("master"), quiet },
	{ MG_LINE_LIT("newaliases"), quiet },
	{ MG_LINE_LIT("postalias"), quiet },
	{ MG_LINE_LIT("postcat"), quiet },
	{ MG_LINE_LIT("postconf"), quiet },
	{ MG_LINE_LIT("postdrop"), quiet },
	{ MG_LINE_LIT("postfix"), quiet },
	{ MG_LINE_LIT("postfix-script"), quiet },
	{ MG_LINE_LIT("postfix-tls-script"), quiet },
	{ MG_LINE_LIT("postfix-wrapper"), quiet },
	{ MG_LINE_LIT("postkick"), quiet },
	{ MG_LINE_LIT("postlock"), quiet },
	{ MG_LINE_LIT("postlog"), quiet },
	{ MG_LINE_LIT("postlogd"), quiet },
	{ MG_LINE_LIT("postmap"), quiet },
	{ MG_LINE_LIT("postmulti"), quiet },
	{ MG_LINE_LIT("postmulti-script"), quiet },
	{ MG_LINE_LIT("postqueue"), quiet },
	{ MG_LINE_LIT("proxymap"), quiet },
	{ MG_LINE_LIT("scache"), quiet },
	{ MG_LINE_LIT("sendmail"), quiet },
	{ MG_LINE_LIT("showq"), quiet },
	{ MG_LINE_LIT("spawn"), quiet },
	{ MG_LINE_LIT("tlsmgr"), quiet },
	{ MG_LINE_LIT("tlsproxy"), quiet },
	{ MG_LINE_LIT("trivial-rewrite"), quiet },
	{ MG_LINE_LIT("verify"), quiet },
};

static const char *const kind_names[MG_LINE_KINDS] = {
	[MG_LINE_UNKNOWN] = "unknown",
	[MG_LINE_FOREIGN] = "foreign",
	[MG_LINE_NOISE] = "noise",
	[MG_LINE_CONNECT] = "connect",
	[MG_LINE_DISCONNECT] = "disconnect",
	[MG_LINE_CLIENT] = "client",
	[MG_LINE_PICKUP] = "pickup",
	[MG_LINE_MESSAGE_ID] = "message_id",
	[MG_LINE_QUEUED] = "queued",
	[MG_LINE_DELIVERY] = "delivery",
	[MG_LINE_EXPIRED] = "expired",
	[MG_LINE_REMOVED] = "removed",
	[MG_LINE_NOTICE] = "notice",
	[MG_LINE_REJECT] = "reject",
	[MG_LINE_MILTER] = "milter",
	[MG_LINE_HOLD] = "hold",
	[MG_LINE_RELEASE] = "release",
	[MG_LINE_DISCARD] = "discard",
	[MG_LINE_POSTSCREEN] = "postscreen",
	[MG_LINE_DOVECOT] = "dovecot",
	[MG_LINE_SASL_FAIL] = "sasl_fail",
};

const char *mg_line_kind_name(enum mg_line_kind kind)
{
	return (unsigned)kind < MG_LINE_KINDS ? kind_names[kind] : "unknown";
}

bool mg_line_is_general(struct mg_str text)
{
	static const struct mg_str prefixes[] = { MG_LINE_LIT("warning: "), MG_LINE_LIT("error: "),
		MG_LINE_LIT("fatal: "), MG_LINE_LIT("panic: "), MG_LINE_LIT("statistics: "),
		MG_LINE_LIT("daemon started "), MG_LINE_LIT("reload "), MG_LINE_LIT("table "),
		MG_LINE_LIT("terminating on signal "), MG_LINE_LIT("using backwards-compatible "),
		MG_LINE_LIT("connect to "), MG_LINE_LIT("cache "), MG_LINE_LIT("initializing "),
		MG_LINE_LIT("auto_clnt_"), MG_LINE_LIT("name_mask: ") };

	return mg_line_starts_any(text, prefixes, sizeof prefixes / sizeof prefixes[0]);
}

static const struct daemon *daemon_of(struct mg_str name)
{
	static const struct daemon dovecot = { MG_LINE_LIT("dovecot"), mg_line_dovecot };

	if (mg_str_eq(name, dovecot.name))
		return &dovecot;
	for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++)
		if (mg_str_eq(name, daemons[i].name))
			return &daemons[i];
	return NULL;
}

/* A Postfix tag is syslog_name "/" daemon; Dovecot's has no slash. */
static const struct daemon *daemon_of_tag(struct mg_str tag, struct mg_str *name_out)
{
	size_t slash = mg_str_rfind(tag, '/');
	struct mg_str name = slash == SIZE_MAX ? tag : mg_str_from(tag, slash + 1);
	const struct daemon *daemon = daemon_of(name);

	if (daemon == NULL || (slash == SIZE_MAX) != (daemon->understand == mg_line_dovecot))
		return NULL;
	*name_out = name;
	return daemon;
}

static void clear(struct mg_log_line *line, struct mg_str tag, unsigned pid, int64_t time_us)
{
	*line = (struct mg_log_line){
		.kind = MG_LINE_FOREIGN,
		.service = tag,
		.pid = pid,
		.time_us = time_us,
		.delay_s = -1,
		.delays_s = { -1, -1, -1, -1 },
	};
}

enum mg_line_kind mg_log_message_parse(
	struct mg_str tag, unsigned pid, int64_t time_us, struct mg_str message, struct mg_log_line *line_out)
{
	struct mg_str name = { 0 };
	const struct daemon *daemon = daemon_of_tag(tag, &name);

	clear(line_out, tag, pid, time_us);
	if (daemon == NULL)
		return MG_LINE_FOREIGN;
	line_out->daemon = name;
	line_out->kind = daemon->understand(mg_str_first(message, MG_LOG_LINE_MAX), line_out);
	if (line_out->kind == MG_LINE_UNKNOWN || line_out->kind == MG_LINE_NOISE) {
		enum mg_line_kind kind = line_out->kind; /* what was half understood is nobody's */

		clear(line_out, tag, pid, time_us);
		line_out->daemon = name;
		line_out->kind = kind;
	}
	line_out->text = mg_str_first(message, MG_LOG_LINE_MAX);
	return line_out->kind;
}

/* "TAG[PID]: " or "TAG: ". */
static bool read_tag(struct mg_str *rest, struct mg_str *tag_out, unsigned *pid_out)
{
	struct mg_str at = *rest;
	uint64_t pid = 0;
	size_t n = 0;

	while (n < at.n && (unsigned char)at.p[n] > ' ' && at.p[n] != '[' && at.p[n] != ':')
		n++;
	*tag_out = mg_str_first(at, n);
	at = mg_str_from(at, n);
	if (mg_read_token(&at, MG_STR("[")) && (!mg_read_u64(&at, INT32_MAX, &pid) || !mg_read_token(&at, MG_STR("]"))))
		return false;
	if (n == 0 || !mg_read_token(&at, MG_STR(":")))
		return false;
	(void)mg_read_token(&at, MG_STR(" "));
	*pid_out = (unsigned)pid;
	*rest = at;
	return true;
}

enum mg_line_kind mg_log_line_parse(struct mg_str line, int64_t now_wall_us, struct mg_log_line *line_out)
{
	struct mg_str rest = mg_str_first(line, MG_LOG_LINE_MAX), tag;
	int64_t time_us = 0;
	unsigned pid = 0;

	clear(line_out, (struct mg_str){ 0 }, 0, 0);
	if (!mg_line_stamp(&rest, now_wall_us, &time_us))
		return MG_LINE_FOREIGN;
	line_out->time_us = time_us;
	if (mg_str_cut(&rest, ' ').n == 0 || !read_tag(&rest, &tag, &pid))
		return MG_LINE_FOREIGN;
	return mg_log_message_parse(tag, pid, time_us, rest, line_out);
}
