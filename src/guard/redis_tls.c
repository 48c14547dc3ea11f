#include "guard/redis_tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ip.h"

struct mg_redis_tls {
	SSL_CTX *context;
};

enum mg_rc mg_redis_tls_new(struct mg_redis_tls **tls_out, struct mg_err *err)
{
	struct mg_redis_tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL || (tls->context = SSL_CTX_new(TLS_client_method())) == NULL ||
		SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_default_verify_paths(tls->context) != 1) {
		mg_redis_tls_free(&tls);
		ERR_clear_error();
		return mg_err_set(
			err, MG_EIO, "TLS to the store can't be set up: OpenSSL has no memory or no settings");
	}
	SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
	*tls_out = tls;
	return MG_OK;
}

void mg_redis_tls_free(struct mg_redis_tls **tls)
{
	if (*tls == NULL)
		return;
	SSL_CTX_free((*tls)->context);
	free(*tls);
	*tls = NULL;
}

static bool expect(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);
	struct mg_ip ip;

	if (mg_ip_parse(mg_str_z(host), &ip))
		return X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(expected, host, 0) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct bufferevent *mg_redis_tls_bufferevent(struct mg_redis_tls *tls, struct event_base *base, const char *host)
{
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL || !expect(ssl, host)) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	/* It takes the SSL object, even where it fails. */
	return bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
}

void mg_redis_tls_trouble(struct bufferevent *bev, char *place, size_t size)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long code = bufferevent_get_openssl_error(bev);
	long verified = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	place[0] = '\0';
	if (verified != X509_V_OK)
		(void)snprintf(
			place, size, "its certificate is not valid: %s", X509_verify_cert_error_string(verified));
	else if (code != 0)
		(void)snprintf(place, size, "TLS: %s", reason == NULL ? "unknown error" : reason);
}
