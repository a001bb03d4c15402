#ifndef SASL_DERIVE_H
#define SASL_DERIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The computing of SCRAM (RFC 5802 section 3), cut into slices. */
#define DERIVE_HASH_MAX 64

struct derive_hash {
    const char *name; /* "SHA-256", as in the mechanism's name */
    int mac; /* gnutls_mac_algorithm_t */
    int digest; /* gnutls_digest_algorithm_t */
    size_t len; /* bytes of a digest */
};

/* The hash of "SCRAM-<hash>" or "SCRAM-<hash>-PLUS"; NULL: not one of our six mechanisms. */
const struct derive_hash *derive_hash_of(const char *mechanism, bool *ret_plus);
/* Plain digest, for h= of XEP-0474; dst has hash->len bytes. */
int derive_digest(const struct derive_hash *hash, const void *data, size_t len, uint8_t *dst);

/* All that SCRAM needs of a password. Secret: with it anybody can log in. */
struct derive_keys {
    uint8_t client[DERIVE_HASH_MAX]; /* ClientKey */
    uint8_t server[DERIVE_HASH_MAX]; /* ServerKey */
};

/* PBKDF2 under way. derive_clear() is allowed at any time after derive_init(), and wipes. */
struct derive {
    const struct derive_hash *hash;
    void *hmac; /* gnutls_hmac_hd_t keyed with the password */
    unsigned left; /* iterations still to do */
    uint8_t last[DERIVE_HASH_MAX]; /* U(i) */
    uint8_t sum[DERIVE_HASH_MAX]; /* U(1) xor ... xor U(i); SaltedPassword at the end */
};

void derive_init(struct derive *derive);
void derive_clear(struct derive *derive);
/* password: prepared; may be freed afterwards. iterations > 0. XMPP_ERR_NOMEM, XMPP_ERR_AUTH. */
int derive_begin(struct derive *derive, const struct derive_hash *hash, const char *password,
                 size_t password_len, const void *salt, size_t salt_len, unsigned iterations);
/* One slice. *ret_done: nothing is left, derive_finish() may be called. */
int derive_slice(struct derive *derive, bool *ret_done);
/* SaltedPassword; hash->len bytes, valid until derive_clear(). For derive_finish() and tests. */
const uint8_t *derive_get_salted(const struct derive *derive);
int derive_finish(const struct derive *derive, struct derive_keys *ret);

/* ClientProof and ServerSignature for an AuthMessage; both have hash->len bytes. */
int derive_prove(const struct derive_hash *hash, const struct derive_keys *keys, const void *auth,
                 size_t auth_len, uint8_t *ret_proof, uint8_t *ret_signature);

#endif
