#ifndef CODEC_CREDS_H
#define CODEC_CREDS_H

#include "codec/tls.h"

#include <gnutls/gnutls.h>

/* Gives a new client session its priorities, trust and client certificate. The caller keeps a reference to creds
 * as long as the session lives. 0, or GnuTLS' error number. */
int creds_attach(struct tls_creds *creds, gnutls_session_t session);

#endif
