/* The floor of the milter door: libmilter, the negotiation and the macros of milter/milter.c, and callbacks that do
 * nothing.
 *
 *   null_milter unix:/PATH */
#include <stdio.h>
#include <stdlib.h>

#include <libmilter/mfapi.h>

enum { SESSION_TIMEOUT_S = 7210 };

static const unsigned long silence =
	SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused2,
	unsigned long unused3, unsigned long *actions_out, unsigned long *steps_out, unsigned long *out2,
	unsigned long *out3)
{
	static const struct {
		int stage;
		char *names;
	} wanted[] = {
		{ SMFIM_CONNECT, "j {client_addr} {client_port} {client_name} {daemon_port}" },
		{ SMFIM_HELO, "{tls_version}" },
		{ SMFIM_ENVFROM, "i {auth_type} {auth_authen}" },
		{ SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}" },
		{ SMFIM_DATA, "i" },
		{ SMFIM_EOH, "i" },
		{ SMFIM_EOM, "i j" },
	};

	(void)unused2;
	(void)unused3;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (smfi_setsymlist(ctx, wanted[i].stage, wanted[i].names) == MI_FAILURE)
			return SMFIS_REJECT;
	if ((steps & silence) != silence)
		return SMFIS_REJECT; /* the callbacks below never reply there */
	*actions_out = (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST) & actions;
	*steps_out = (silence | SMFIP_NOUNKNOWN | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC) & steps;
	*out2 = *out3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *hostname, struct sockaddr *address)
{
	(void)ctx;
	(void)hostname;
	(void)address;
	return SMFIS_NOREPLY;
}

static sfsistat on_text(SMFICTX *ctx, char *text)
{
	(void)ctx;
	(void)text;
	return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
	(void)ctx;
	(void)args;
	return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
	(void)ctx;
	(void)args;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat on_silent(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t bytes)
{
	(void)ctx;
	(void)chunk;
	(void)bytes;
	return SMFIS_NOREPLY;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_ACCEPT;
}

static sfsistat on_end(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "null",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_text,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_silent,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_end,
		.xxfi_close = on_end,
		.xxfi_data = on_silent,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS ||
		smfi_settimeout(SESSION_TIMEOUT_S) != MI_SUCCESS) {
		fprintf(stderr, "usage: null_milter unix:/PATH\n");
		return EXIT_FAILURE;
	}
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
