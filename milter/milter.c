/* A connection's state hangs on libmilter's private pointer from the negotiation on: callbacks of one connection may
 * change threads but never overlap. close may be the first callback, with no state at all. */
#include "milter/milter.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "base/fd.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/fields.h"
#include "milter/reply.h"

enum { SESSION_TIMEOUT_S = 7210 }; /* longer than Postfix keeps a session open */

static struct {
	struct mg_milter_options options;
	pthread_t thread;
	_Atomic unsigned max_sessions, sessions, capped, messages;
} door;

struct connection {
	struct mg_session *session; /* NULL: passes unrecorded */
	unsigned long steps;        /* SMFIP_* in force */
	bool is_capped, has_message;
	bool is_connected;
	struct mg_ip first; /* the client of the first connect */
};

static struct connection *of(SMFICTX *ctx)
{
	return smfi_getpriv(ctx);
}

static struct mg_str macro(SMFICTX *ctx, char *name)
{
	const char *value = smfi_getsymval(ctx, name);

	return mg_str_z(value == NULL ? "" : value);
}

/* What an event without an answer of its own returns. */
static sfsistat go_on(SMFICTX *ctx, unsigned long no_reply_step)
{
	const struct connection *connection = of(ctx);

	return connection != NULL && (connection->steps & no_reply_step) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static void set_message(struct connection *connection, bool on)
{
	if (connection->has_message == on)
		return;
	connection->has_message = on;
	if (on)
		atomic_fetch_add(&door.messages, 1);
	else
		atomic_fetch_sub(&door.messages, 1);
}

static void ask_for_macros(SMFICTX *ctx)
{
	static const struct {
		int stage;
		char *names;
	} wanted[] = {
		{ SMFIM_CONNECT, "j {client_addr} {client_port} {client_name} {daemon_port}" },
		{ SMFIM_HELO, "{tls_version} {cert_subject} {cert_issuer}" },
		{ SMFIM_ENVFROM, "i {auth_type} {auth_authen}" },
		{ SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}" },
		{ SMFIM_DATA, "i" },
		{ SMFIM_EOH, "i" },
		{ SMFIM_EOM, "i j" },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (smfi_setsymlist(ctx, wanted[i].stage, wanted[i].names) == MI_FAILURE)
			mg_log(MG_LOG_WARNING, "milter-macros: stage=%d, refused by libmilter", wanted[i].stage);
}

static unsigned long wanted_steps(bool is_capped)
{
	const unsigned long nothing = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT | SMFIP_NODATA |
				      SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN;
	const unsigned long silence = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_DATA | SMFIP_NR_HDR |
				      SMFIP_NR_EOH | SMFIP_NR_BODY;

	return is_capped ? nothing : silence | SMFIP_NOUNKNOWN | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused2,
	unsigned long unused3, unsigned long *actions_out, unsigned long *steps_out, unsigned long *out2,
	unsigned long *out3)
{
	unsigned before = atomic_fetch_add(&door.sessions, 1);
	struct connection *connection = calloc(1, sizeof *connection);

	(void)unused2;
	(void)unused3;
	if (connection == NULL || before >= door.max_sessions * MG_MILTER_HARD ||
		smfi_setpriv(ctx, connection) == MI_FAILURE) {
		mg_log(MG_LOG_WARNING, "milter-refused: sessions=%u", before);
		free(connection);
		atomic_fetch_sub(&door.sessions, 1);
		return SMFIS_REJECT;
	}
	connection->is_capped = before >= door.max_sessions;
	if (connection->is_capped) {
		atomic_fetch_add(&door.capped, 1);
		mg_log(MG_LOG_WARNING, "milter-capped: sessions=%u, max_sessions=%u", before + 1, door.max_sessions);
	} else {
		ask_for_macros(ctx);
	}
	connection->steps = wanted_steps(connection->is_capped) & steps;
	*actions_out = (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST) & actions;
	*steps_out = connection->steps;
	*out2 = *out3 = 0;
	return SMFIS_CONTINUE;
}

static void read_client(SMFICTX *ctx, const char *hostname, const struct sockaddr *address, struct mg_client *client)
{
	uint64_t port = 0;
	unsigned socket_port = 0;

	*client = (struct mg_client){ .name = macro(ctx, "{client_name}"), .server_port = macro(ctx, "{daemon_port}") };
	if (client->name.n == 0)
		client->name = mg_str_z(hostname);
	if (!mg_ip_from_sockaddr(address, &client->ip, &socket_port))
		mg_ip_parse(macro(ctx, "{client_addr}"), &client->ip);
	client->port = mg_str_to_u64(macro(ctx, "{client_port}"), 65535, &port) ? (unsigned)port : socket_port;
}

/* A second connect is an XCLIENT: the first client says that he is this one. */
static void note_speaker(struct connection *connection, struct mg_client *client)
{
	if (connection->is_connected)
		client->speaker = connection->first;
	if (!connection->is_connected)
		connection->first = client->ip;
	connection->is_connected = true;
}

static sfsistat on_connect(SMFICTX *ctx, char *hostname, struct sockaddr *address)
{
	struct connection *connection = of(ctx);
	struct mg_client client;

	if (connection != NULL) {
		mg_session_close(&connection->session);
		read_client(ctx, hostname, address, &client);
		note_speaker(connection, &client);
		connection->session = mg_session_open(door.options.engine, &client);
		atomic_fetch_add(&door.options.counters->milter_sessions, 1);
	}
	return go_on(ctx, SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *ctx, char *helo)
{
	struct connection *connection = of(ctx);

	if (connection != NULL && connection->session != NULL) {
		mg_session_helo(connection->session, mg_str_z(helo));
		mg_session_tls(connection->session, macro(ctx, "{tls_version}"),
			macro(ctx, "{cert_subject}").n > 0 || macro(ctx, "{cert_issuer}").n > 0);
	}
	return go_on(ctx, SMFIP_NR_HELO);
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
	struct connection *connection = of(ctx);

	if (connection != NULL && connection->session != NULL) {
		mg_session_mail(connection->session, mg_address_bare(mg_str_z(args[0])), macro(ctx, "{auth_authen}"),
			macro(ctx, "{auth_type}"));
		set_message(connection, true);
	}
	return go_on(ctx, SMFIP_NR_MAIL);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
	struct connection *connection = of(ctx);
	struct mg_verdict verdict;

	if (connection == NULL || connection->session == NULL)
		return SMFIS_CONTINUE;
	verdict = mg_session_rcpt(connection->session, &(struct mg_rcpt_facts){
							       .address = mg_address_bare(mg_str_z(args[0])),
							       .mailer = macro(ctx, "{rcpt_mailer}"),
							       .host = macro(ctx, "{rcpt_host}"),
							       .resolved = macro(ctx, "{rcpt_addr}"),
							       .queue_id = macro(ctx, "i"),
						       });
	return mg_milter_reply(ctx, &verdict, false, false);
}

static sfsistat on_data(SMFICTX *ctx)
{
	return go_on(ctx, SMFIP_NR_DATA);
}

/* An MTA that does not know SMFIP_HDR_LEADSPC has taken one space off, which signatures need. */
static void take_field_without_space(struct mg_session *session, const char *name, const char *value)
{
	struct mg_buf whole;

	mg_buf_init(&whole, MG_FIELDS_BYTES);
	mg_buf_addc(&whole, ' ');
	mg_buf_addz(&whole, value);
	mg_session_header(session, mg_str_z(name), mg_buf_str(&whole));
	mg_buf_fini(&whole);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct connection *connection = of(ctx);

	if (connection == NULL || connection->session == NULL)
		return go_on(ctx, SMFIP_NR_HDR);
	if ((connection->steps & SMFIP_HDR_LEADSPC) != 0)
		mg_session_header(connection->session, mg_str_z(name), mg_str_z(value));
	else
		take_field_without_space(connection->session, name, value);
	return go_on(ctx, SMFIP_NR_HDR);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct connection *connection = of(ctx);

	if (connection != NULL && connection->session != NULL)
		mg_session_header_end(connection->session);
	return go_on(ctx, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t bytes)
{
	struct connection *connection = of(ctx);

	if (connection != NULL && connection->session != NULL)
		mg_session_body(connection->session, mg_str_of(chunk, bytes));
	return go_on(ctx, SMFIP_NR_BODY);
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct connection *connection = of(ctx);
	struct mg_verdict verdict;
	sfsistat answer;

	if (connection == NULL || connection->session == NULL) {
		atomic_fetch_add(&door.options.counters->degraded[MG_DEGRADED_SESSIONS], 1);
		return SMFIS_ACCEPT;
	}
	mg_session_verdict(connection->session, macro(ctx, "i"), &verdict);
	answer = mg_milter_reply(ctx, &verdict, (connection->steps & SMFIP_HDR_LEADSPC) != 0, true);
	mg_session_end(connection->session);
	set_message(connection, false);
	return answer;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct connection *connection = of(ctx);

	if (connection != NULL && connection->session != NULL) {
		mg_session_abort(connection->session);
		set_message(connection, false);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct connection *connection = of(ctx);

	if (connection == NULL)
		return SMFIS_CONTINUE;
	smfi_setpriv(ctx, NULL);
	mg_session_close(&connection->session);
	set_message(connection, false);
	if (connection->is_capped)
		atomic_fetch_sub(&door.capped, 1);
	atomic_fetch_sub(&door.sessions, 1);
	free(connection);
	return SMFIS_CONTINUE;
}

static void *run(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "mg-milter");
	if (smfi_main() != MI_SUCCESS)
		mg_log(MG_LOG_ERROR, "milter-ended: libmilter returned an error");
	return NULL;
}

enum mg_rc mg_milter_start(const struct mg_milter_options *options, struct mg_err *err)
{
	static struct smfiDesc filter = {
		.xxfi_name = "mailguard",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};
	char where[32];
	int failure;

	door.options = *options;
	door.max_sessions = options->max_sessions;
	snprintf(where, sizeof where, "fd:%d", options->listen_fd);
	if (smfi_setconn(where) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS ||
		smfi_settimeout(SESSION_TIMEOUT_S) != MI_SUCCESS)
		return mg_err_set(err, MG_EIO, "libmilter does not take our listening socket");
	failure = pthread_create(&door.thread, NULL, run, NULL);
	if (failure != 0)
		return mg_err_sys(err, MG_EIO, failure, "no thread for libmilter");
	return MG_OK;
}

enum mg_rc mg_milter_stop_accepting(struct mg_err *err)
{
	struct sockaddr_un nowhere = { .sun_family = AF_UNIX }; /* autobind: a name nobody knows */
	int idle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (idle < 0 || bind(idle, (void *)&nowhere, sizeof(sa_family_t)) != 0 || listen(idle, 1) != 0 ||
		dup2(idle, door.options.listen_fd) < 0) {
		mg_fd_close(&idle);
		return mg_err_sys(err, MG_EIO, errno, "can't put an idle socket in libmilter's place");
	}
	mg_fd_close(&idle);
	return MG_OK;
}

void mg_milter_set_max_sessions(unsigned max_sessions)
{
	door.max_sessions = max_sessions;
}

void mg_milter_stats(struct mg_milter_stats *stats_out)
{
	*stats_out = (struct mg_milter_stats){ door.sessions, door.capped, door.messages };
}
