#ifndef SUPPORT_CERTS_H
#define SUPPORT_CERTS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>

/* A throw-away authority and what it issued, made in memory by the first call that needs it, once per process. Names:
 *
 * good          DNS a.example                       srv           SRVName _xmpp-client.a.example only
 * expired       the same, until 2020-02-01          srv-server    SRVName _xmpp-server.a.example only
 * future        the same, not yet valid             xmpp-addr     XmppAddr a.example only
 * wrong-name    DNS wrong.example                   idn           DNS xn--bcher-kva.example
 * self-signed   DNS a.example                       idn-xmpp-addr XmppAddr bücher.example only
 * self-expired  the same, and expired               ip            IP 127.0.0.1 and ::1
 * wildcard      DNS *.wild.example                  cn-only       CN a.example, no name
 * wild-partial  DNS b*.wild.example                 nul           DNS a.example NUL .evil.example
 * wild-srv      SRVName _xmpp-client.*.wild.example client-only   DNS a.example, key purpose client
 * chain         DNS a.example, with intermediate    untrusted     DNS a.example, by another authority
 * chain-broken  the same without intermediate       alice         XmppAddr alice@a.example, client
 * not-ca        issued by "good"                    weak          DNS a.example, signed with SHA-1
 * many          1000 DNS names, the last a.example  revoked       DNS a.example, staples "revoked"
 * deceptive     XmppAddr with controls in it        staple        DNS a.example, staples "good"
 * chain-expired DNS a.example, intermediate expired chain-future  the same, intermediate not yet valid
 * odd-issuer    DNS a.example, by "bücher" of nobody
 *
 * Functions abort the test when something fails. Nothing goes through the library's allocator. */

/* The leaf and what lies between it and the authority, as the server sends them; borrowed. */
gnutls_x509_crt_t certs_leaf(const char *name);
/* PEM, borrowed; name "ca": the authority (no key) */
const char *certs_chain_pem(const char *name);
const char *certs_key_pem(const char *name);
/* Stapled OCSP answer, DER; size 0 when there is none. Borrowed. */
gnutls_datum_t certs_staple(const char *name);
/* For a server; trusts the authority's client certificates. Borrowed. */
gnutls_certificate_credentials_t certs_server_creds(const char *name);

/* Temporary directory, made by the first call; certs_free() removes it. */
const char *certs_dir(void);
/* Writes <name>.crt and <name>.key there; the path of the .crt file, borrowed until certs_free(). */
const char *certs_crt_path(const char *name);
const char *certs_key_path(const char *name);
/* Any file there; the path, borrowed until certs_free(). */
const char *certs_write(const char *file_name, const void *data, size_t len);
/* Drops everything; the last thing in main(). */
void certs_free(void);

#endif
