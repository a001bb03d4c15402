#ifndef SASL_MECH_H
#define SASL_MECH_H

#include "base/buf.h"
#include "base/secret.h"

#include <stdbool.h>
#include <xmpp/error.h>

/* What every mechanism may need to know. Borrowed for the life of the exchange. */
struct sasl_params {
    const char *authcid; /* as the user has it; the mechanism prepares it */
    const char *authzid; /* bare JID or NULL */
    const char *domain; /* A-label form */
    const struct secret *secret; /* unprepared password or NULL: not known (yet) */
    struct sasl_keys *keys; /* kept salted keys of this account, shared by logins; may be NULL */
    /* the chosen channel binding; cb_type NULL: none */
    const char *cb_type;
    const void *cb_data;
    size_t cb_len;
    char gs2_flag; /* 'n', 'y' or 'p' */
    unsigned tls_bits; /* strength of the TLS layer, 0 without TLS */
    int tls_version; /* 0x0303, 0x0304; 0 without TLS */
    /* SASL-24: sorted "mech\x1emech...[\x1ftype\x1etype]" for XEP-0474; NULL: do not check h= */
    const char *ssdp;
};

enum sasl_result {
    SASL_RESULT_RESPOND = 1, /* *out holds the message for the peer (may be empty) */
    SASL_RESULT_WORK = 2, /* call work() until it says something else */
    SASL_RESULT_NEED_SECRET =
        3, /* set params->secret, then call step() again with the same input, or start() again */
    SASL_RESULT_DONE = 4 /* the mechanism is satisfied; *out is empty */
};

struct sasl;

/* A mechanism. All results are sasl_result or XMPP_ERR_AUTH / NOMEM / PROTOCOL / NOTFOUND. */
struct sasl_ops {
    const char *name; /* as in <auth mechanism=''/>, "SCRAM-SHA-256-PLUS" */
    /* uses params->secret in some way. Nobody has to look: what cannot go on without it answers
     * SASL_RESULT_NEED_SECRET, from start() too, and SCRAM does so only when keys has nothing that fits */
    bool needs_secret;
    int (*create)(struct sasl **ret, const char *name, const struct sasl_params *params);
    /* *ret_has is false when there is no initial response at all (not the same as an empty one) */
    int (*start)(struct sasl *sasl, struct buf *out, bool *ret_has);
    /* a challenge, or the additional data of <success/> (final) */
    int (*step)(struct sasl *sasl, const void *in, size_t len, bool final, struct buf *out);
    /* one slice of computing, about a millisecond; same results as step() */
    int (*work)(struct sasl *sasl, struct buf *out);
    /* may <success/> be believed now? (SASL-17) */
    bool (*is_done)(const struct sasl *sasl);
    const char *(*reason)(const struct sasl *sasl); /* why it failed, for people; never NULL */
    void (*free)(struct sasl *sasl);
};

/* first member of every mechanism's own struct */
struct sasl {
    const struct sasl_ops *ops;
    const struct sasl_params *params;
};

extern const struct sasl_ops sasl_scram_ops; /* all six names */
extern const struct sasl_ops sasl_plain_ops;
extern const struct sasl_ops sasl_external_ops;
extern const struct sasl_ops sasl_anonymous_ops;
extern const struct sasl_ops sasl_cyrus_ops; /* every other name */
/* Has libsasl2 a client plug-in for the mechanism? Always false for what is our own, SCRAM-* and PLAIN. */
bool sasl_cyrus_has(const char *name);

/* Salted keys: ClientKey and ServerKey per (hash, salt, iterations, name). Wiped when freed, replaced when
 * the salt changes; keeps a few entries, one for each hash. Loop thread only. Reference counted. */
int sasl_keys_create(struct sasl_keys **ret);
struct sasl_keys *sasl_keys_ref(struct sasl_keys *keys);
struct sasl_keys *sasl_keys_unref(struct sasl_keys *keys);
void sasl_keys_clear(struct sasl_keys *keys); /* the password changed */
bool sasl_keys_has(
    const struct sasl_keys *keys); /* something is kept: a login may work without the password */

#endif
