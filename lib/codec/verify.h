#ifndef CODEC_VERIFY_H
#define CODEC_VERIFY_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* CERT-01..08, 12. */
struct verify_name {
    const char *ascii; /* A-label form */
    const char *unicode; /* U-label form */
    bool is_ip; /* ascii is an address literal, without brackets */
};

#define VERIFY_VERDICT_SIZE 256 /* enough for what is usual; longer verdicts are cut */

/* bits of enum xmpp_cert_problem; *verdict (size bytes) says why in words. Negative: XMPP_ERR_NOMEM, _TLS. */
int verify_session(gnutls_session_t session, const struct verify_name *name, char *verdict,
                   size_t size);
/* does the certificate speak for the name? what matched goes to *matched ("DNS name a.example"); NULL: not wanted.
 * 1: yes, 0: no, XMPP_ERR_NOMEM */
int verify_name_matches(gnutls_x509_crt_t crt, const struct verify_name *name, char *matched,
                        size_t size);
/* subject, issuer, validity, names and fingerprint of the peer's certificate, lines of UTF-8: new string */
int verify_describe(gnutls_session_t session, char **ret);

#endif
