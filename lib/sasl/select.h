#ifndef SASL_SELECT_H
#define SASL_SELECT_H

#include "sasl/mech.h"

/* One channel binding type that the TLS session has. */
struct sasl_binding {
    const char *type;
    const void *data;
    size_t len;
};

struct sasl_offer {
    const char *const *mechanisms; /* as offered */
    size_t mechanism_count;
    const char *const *cb_types; /* XEP-0440; NULL: not announced */
    size_t cb_type_count;
    const struct sasl_binding *bindings; /* what our TLS session has */
    size_t binding_count;
    /* the application's list, names and white space between; NULL: default order. It says what may be used
     * and in which order, and nothing else leads to a mechanism of libsasl2 */
    const char *wanted;
    bool secured; /* TLS is up and the peer is verified */
    bool external; /* a client certificate is there */
    bool anonymous; /* the JID has no localpart */
    bool no_plain; /* SASL-25: SCRAM or EXTERNAL worked before for this account */
    const char *const *tried; /* names that failed on this stream: not again */
    size_t tried_count;
};

struct sasl_choice {
    const struct sasl_ops *ops;
    const char *name; /* static for our own mechanisms, else borrowed from the offer */
    char gs2_flag;
    const struct sasl_binding *binding; /* NULL unless gs2_flag is 'p' */
};

/* SASL-01..03, 21, 23, 25; XEP-0440 3. XMPP_ERR_AUTH when nothing fits; *ret_reason says why, in words
 * ("server offers only PLAIN without TLS", "no usable mechanism: is libsasl2-modules installed?"). */
int sasl_select(const struct sasl_offer *offer, struct sasl_choice *ret, const char **ret_reason);
/* XEP-0474 6.1: the string whose hash is h=; new string */
int sasl_ssdp_string(const struct sasl_offer *offer, char **ret);

#endif
