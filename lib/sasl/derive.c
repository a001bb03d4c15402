#include "sasl/derive.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#include <xmpp/error.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <string.h>

/* Iterations of one slice: below a millisecond with SHA-512, the slowest, on a slow machine of today; a
 * hundred slices or more make no measurable difference to the whole. */
#define SLICE 512u

static const struct derive_hash hashes[] = {
    {"SHA-512", GNUTLS_MAC_SHA512, GNUTLS_DIG_SHA512, 64},
    {"SHA-256", GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32},
    {"SHA-1", GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20},
};

/* HASH_FAILED: of a hash that GnuTLS knows, no state could be allocated. */
static int map_error(int r)
{
    return r == GNUTLS_E_MEMORY_ERROR || r == GNUTLS_E_HASH_FAILED ? XMPP_ERR_NOMEM : XMPP_ERR_AUTH;
}

const struct derive_hash *derive_hash_of(const char *mechanism, bool *ret_plus)
{
    if (!str_starts(mechanism, "SCRAM-"))
        return NULL;
    const char *rest = mechanism + strlen("SCRAM-");
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (!str_starts(rest, hashes[i].name))
            continue;
        const char *tail = rest + strlen(hashes[i].name);
        if (*tail && !str_eq(tail, "-PLUS"))
            continue;
        *ret_plus = *tail != '\0';
        return &hashes[i];
    }
    return NULL;
}

int derive_digest(const struct derive_hash *hash, const void *data, size_t len, uint8_t *dst)
{
    int r = gnutls_hash_fast((gnutls_digest_algorithm_t)hash->digest, data, len, dst);
    return r < 0 ? map_error(r) : XMPP_OK;
}

static int hmac(const struct derive_hash *hash, const uint8_t *key, const void *data, size_t len,
                uint8_t *dst)
{
    int r = gnutls_hmac_fast((gnutls_mac_algorithm_t)hash->mac, key, hash->len, data, len, dst);
    return r < 0 ? map_error(r) : XMPP_OK;
}

void derive_init(struct derive *derive)
{
    *derive = (struct derive){.hash = NULL};
}

void derive_clear(struct derive *derive)
{
    if (derive->hmac)
        gnutls_hmac_deinit(derive->hmac, NULL);
    secret_wipe(derive, sizeof *derive);
}

int derive_begin(struct derive *derive, const struct derive_hash *hash, const char *password,
                 size_t password_len, const void *salt, size_t salt_len, unsigned iterations)
{
    static const uint8_t first_block[4] = {0, 0, 0, 1}; /* RFC 5802 2.2: INT(1), one block only */
    gnutls_hmac_hd_t handle = NULL;
    int r;

    r = gnutls_hmac_init(&handle, (gnutls_mac_algorithm_t)hash->mac, password, password_len);
    if (r < 0)
        return map_error(r);
    derive_clear(derive);
    derive->hash = hash;
    derive->hmac = handle;
    r = gnutls_hmac(handle, salt, salt_len);
    if (r >= 0)
        r = gnutls_hmac(handle, first_block, sizeof first_block);
    if (r < 0) {
        derive_clear(derive);
        return map_error(r);
    }
    gnutls_hmac_output(handle, derive->last); /* and starts anew with the same key */
    memcpy(derive->sum, derive->last, hash->len);
    derive->left = iterations - 1;
    return XMPP_OK;
}

int derive_slice(struct derive *derive, bool *ret_done)
{
    gnutls_hmac_hd_t handle = derive->hmac;
    size_t len = derive->hash->len;
    unsigned count = derive->left < SLICE ? derive->left : SLICE;

    for (unsigned i = 0; i < count; i++) {
        int r = gnutls_hmac(handle, derive->last, len);
        if (r < 0)
            return map_error(r);
        gnutls_hmac_output(handle, derive->last);
        for (size_t k = 0; k < len; k++)
            derive->sum[k] ^= derive->last[k];
    }
    derive->left -= count;
    *ret_done = derive->left == 0;
    return XMPP_OK;
}

const uint8_t *derive_get_salted(const struct derive *derive)
{
    return derive->sum;
}

int derive_finish(const struct derive *derive, struct derive_keys *ret)
{
    struct derive_keys keys = {.client = {0}};
    int r;

    r = hmac(derive->hash, derive->sum, "Client Key", strlen("Client Key"), keys.client);
    if (r == XMPP_OK)
        r = hmac(derive->hash, derive->sum, "Server Key", strlen("Server Key"), keys.server);
    if (r == XMPP_OK)
        *ret = keys;
    secret_wipe(&keys, sizeof keys);
    return r;
}

int derive_prove(const struct derive_hash *hash, const struct derive_keys *keys, const void *auth,
                 size_t auth_len, uint8_t *ret_proof, uint8_t *ret_signature)
{
    uint8_t stored[DERIVE_HASH_MAX];
    uint8_t proof[DERIVE_HASH_MAX];
    uint8_t signature[DERIVE_HASH_MAX];
    int r;

    r = derive_digest(hash, keys->client, hash->len, stored);
    if (r == XMPP_OK)
        r = hmac(hash, stored, auth, auth_len, proof);
    if (r == XMPP_OK)
        r = hmac(hash, keys->server, auth, auth_len, signature);
    if (r == XMPP_OK) {
        for (size_t i = 0; i < hash->len; i++)
            ret_proof[i] = proof[i] ^ keys->client[i];
        memcpy(ret_signature, signature, hash->len);
    }
    secret_wipe(stored, sizeof stored);
    secret_wipe(proof, sizeof proof);
    secret_wipe(signature, sizeof signature);
    return r;
}
