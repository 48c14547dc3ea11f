#include "served/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/ip.h"
#include "served/tls_chain.h"

#define ALL_CIPHERS  "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
#define WEAK_CIPHERS "eNULL:EXPORT:LOW:DES:3DES:RC4:RC2:IDEA:SEED:!aNULL:@SECLEVEL=0"

struct mg_tls {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
};

static const struct {
	const char *name;
	int wire;
} versions[MG_TLS_VERSIONS] = {
	[MG_TLS_ANY] = { "", 0 },
	[MG_SSL_3] = { "SSLv3", SSL3_VERSION },
	[MG_TLS_1_0] = { "TLSv1", TLS1_VERSION },
	[MG_TLS_1_1] = { "TLSv1.1", TLS1_1_VERSION },
	[MG_TLS_1_2] = { "TLSv1.2", TLS1_2_VERSION },
	[MG_TLS_1_3] = { "TLSv1.3", TLS1_3_VERSION },
};

const char *mg_tls_version_name(enum mg_tls_version version)
{
	return versions[version].name;
}

/* ---- the socket: OpenSSL's own would raise SIGPIPE ---- */

static int socket_write(BIO *bio, const char *bytes, int n)
{
	int fd = -1;
	ssize_t sent;

	(void)BIO_get_fd(bio, &fd);
	BIO_clear_retry_flags(bio);
	sent = send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static BIO_METHOD *quiet_socket; /* NULL: no memory for it */

static void make_quiet_socket(void)
{
	const BIO_METHOD *usual = BIO_s_socket();

	if ((quiet_socket = BIO_meth_new(BIO_TYPE_SOCKET, "quiet socket")) == NULL)
		return;
	(void)BIO_meth_set_write(quiet_socket, socket_write);
	(void)BIO_meth_set_read(quiet_socket, BIO_meth_get_read(usual));
	(void)BIO_meth_set_ctrl(quiet_socket, BIO_meth_get_ctrl(usual));
	(void)BIO_meth_set_create(quiet_socket, BIO_meth_get_create(usual));
	(void)BIO_meth_set_destroy(quiet_socket, BIO_meth_get_destroy(usual));
}

/* ---- handshake ---- */

static bool is_configured(SSL_CTX *context, const struct mg_tls_wish *wish)
{
	int wire = wish->version == MG_TLS_ANY ? 0 : versions[wish->version].wire;

	/* a limit of 0 is the library's widest: the system's policy is not ours here */
	if (SSL_CTX_set_min_proto_version(context, wire) != 1 || SSL_CTX_set_max_proto_version(context, wire) != 1)
		return false;
	if (wish->is_weak && SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) != 1)
		return false;
	if (SSL_CTX_set_cipher_list(context, wish->is_weak ? WEAK_CIPHERS : ALL_CIPHERS) != 1)
		return false;
	(void)SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	return true;
}

static void set_server_name(SSL *ssl, const char *name)
{
	struct mg_ip ip;

	if (name != NULL && name[0] != '\0' && !mg_ip_parse(mg_str_z(name), &ip))
		(void)SSL_set_tlsext_host_name(ssl, name);
}

/* What to wait for after a call that did not succeed; 0: it has failed. */
static short wanted(struct mg_tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	default:
		return 0;
	}
}

static enum mg_rc failed(const char *what, struct mg_err *err)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	ERR_clear_error();
	return mg_err_set(err, MG_EIO, "%s: %s", what, reason == NULL ? "the server closed the connection" : reason);
}

static enum mg_rc shake_hands(struct mg_tls *tls, int64_t deadline_us, struct mg_err *err)
{
	for (;;) {
		int result;
		short events;

		ERR_clear_error();
		if ((result = SSL_connect(tls->ssl)) == 1)
			return MG_OK;
		if ((events = wanted(tls, result)) == 0)
			return failed("TLS handshake", err);
		if (mg_mono_us() >= deadline_us || mg_fd_wait(tls->fd, events, deadline_us) == 0)
			return mg_err_set(err, MG_ETIME, "TLS handshake: no answer in time");
	}
}

/* False: the library here has no cipher for what is wished. */
static bool has_ciphers(SSL *ssl)
{
	STACK_OF(SSL_CIPHER) *supported = SSL_get1_supported_ciphers(ssl);
	bool has = sk_SSL_CIPHER_num(supported) > 0;

	sk_SSL_CIPHER_free(supported);
	return has;
}

static enum mg_rc set_up(struct mg_tls *tls, const struct mg_tls_wish *wish, struct mg_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_quiet_socket);
	bio = quiet_socket == NULL ? NULL : BIO_new(quiet_socket);
	if (bio == NULL || (tls->context = SSL_CTX_new(TLS_client_method())) == NULL) {
		BIO_free(bio);
		return mg_err_set(err, MG_ENOMEM, "no memory for TLS");
	}
	(void)BIO_set_fd(bio, tls->fd, BIO_NOCLOSE);
	if (!is_configured(tls->context, wish)) {
		BIO_free(bio);
		return mg_err_set(err, MG_ERANGE, "the OpenSSL library of this machine can't speak this");
	}
	if ((tls->ssl = SSL_new(tls->context)) == NULL) {
		BIO_free(bio);
		return mg_err_set(err, MG_ENOMEM, "no memory for TLS");
	}
	SSL_set_bio(tls->ssl, bio, bio);
	set_server_name(tls->ssl, wish->server_name);
	return has_ciphers(tls->ssl)
		       ? MG_OK
		       : mg_err_set(err, MG_ERANGE, "the OpenSSL library of this machine can't speak this");
}

enum mg_rc mg_tls_start(
	int fd, const struct mg_tls_wish *wish, int64_t deadline_us, struct mg_tls **tls_out, struct mg_err *err)
{
	struct mg_tls *tls = calloc(1, sizeof *tls);
	enum mg_rc rc;

	if (tls == NULL)
		return mg_err_set(err, MG_ENOMEM, "no memory for TLS");
	tls->fd = fd;
	rc = set_up(tls, wish, err);
	if (rc == MG_OK)
		rc = shake_hands(tls, deadline_us, err);
	ERR_clear_error();
	if (rc == MG_OK)
		*tls_out = tls;
	else
		mg_tls_free(&tls);
	return rc;
}

void mg_tls_free(struct mg_tls **tls)
{
	if (*tls == NULL)
		return;
	SSL_free((*tls)->ssl);
	SSL_CTX_free((*tls)->context);
	free(*tls);
	*tls = NULL;
}

/* ---- bytes ---- */

ssize_t mg_tls_read(struct mg_tls *tls, void *place, size_t size, int64_t deadline_us)
{
	for (;;) {
		size_t n = 0;
		short events;

		ERR_clear_error();
		if (SSL_read_ex(tls->ssl, place, size, &n) == 1)
			return (ssize_t)n;
		if ((events = wanted(tls, 0)) == 0) {
			ERR_clear_error();
			return 0; /* whatever it was, nothing more comes */
		}
		if (mg_mono_us() >= deadline_us || mg_fd_wait(tls->fd, events, deadline_us) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

bool mg_tls_write(struct mg_tls *tls, struct mg_str bytes, int64_t deadline_us)
{
	for (;;) {
		size_t n = 0;
		short events;

		ERR_clear_error();
		if (SSL_write_ex(tls->ssl, bytes.p, bytes.n, &n) == 1)
			return true;
		events = wanted(tls, 0);
		ERR_clear_error();
		if (events == 0 || mg_mono_us() >= deadline_us || mg_fd_wait(tls->fd, events, deadline_us) == 0)
			return false;
	}
}

const char *mg_tls_protocol(const struct mg_tls *tls)
{
	return SSL_get_version(tls->ssl);
}

const char *mg_tls_cipher(const struct mg_tls *tls, unsigned *bits_out)
{
	int bits = 0;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

	if (cipher != NULL)
		bits = SSL_CIPHER_get_bits(cipher, NULL);
	*bits_out = bits < 0 ? 0 : (unsigned)bits;
	return SSL_CIPHER_get_name(cipher);
}

struct mg_chain *mg_tls_chain(const struct mg_tls *tls)
{
	STACK_OF(X509) *stack = SSL_get_peer_cert_chain(tls->ssl);

	return stack == NULL ? NULL : mg_chain_of_stack(stack);
}
