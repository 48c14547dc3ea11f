/* tls_chain.h - a chain from OpenSSL's own structures; between tls_session.c and tls_certificate.c alone. */
#ifndef MG_SERVED_TLS_CHAIN_H
#define MG_SERVED_TLS_CHAIN_H

#include <openssl/x509.h>

#include "served/certificate.h"

/* Copies references to the first MG_CHAIN_MAX; NULL: none, or no memory. */
struct mg_chain *mg_chain_of_stack(STACK_OF(X509) * certificates);

#endif
