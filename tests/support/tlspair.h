#ifndef SUPPORT_TLSPAIR_H
#define SUPPORT_TLSPAIR_H

#include "codec/tls.h"
#include "support/tlspeer.h"

/* A TLS codec and a server, wired together. Belongs to the tests that link lib/codec. */
enum tlspair_cut { CUT_NONE = 0, CUT_BYTES = 1, CUT_RANDOM = 2 };

struct tlspair {
    struct tls *tls;
    struct codec *codec;
    struct tlspeer *peer;
    enum tlspair_cut cut; /* how the server's bytes arrive */
    unsigned seed;
    struct buf wire_in;
    struct buf wire_out;
    struct buf app_in;
    struct buf app_out;
};

/* trust: name of support/certs.h whose file is trusted, NULL: "ca". options NULL: domain a.example, direct TLS.
 * XMPP_OK or the library's error; then everything has been freed. */
int tlspair_open(struct tlspair *pair, const char *trust, const char *client_cert,
                 const struct tls_options *options, const struct tlspeer_options *peer_options,
                 enum tlspair_cut cut);
/* Moves bytes in both directions until nothing moves any more; the first negative result of the codec. */
int tlspair_run(struct tlspair *pair);
/* run, accept (the problems must be as expected), run. XMPP_OK, the codec's failure; XMPP_ERR_CERT: other problems */
int tlspair_secure(struct tlspair *pair, int problems);
void tlspair_free(struct tlspair *pair);

#endif
