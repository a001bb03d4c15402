#include "support/dialog.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5802 and RFC 7677 from the server's side, for one password. Written for the tests alone: it shares nothing with
 * the library but GnuTLS. */
#define PASSWORD   "pencil"
#define ITERATIONS 4096

static char *decode(const char *in64)
{
    gnutls_datum_t in = {(unsigned char *)(size_t)in64, (unsigned)strlen(in64)};
    gnutls_datum_t out;
    char *str;

    if (gnutls_base64_decode2(&in, &out) < 0)
        return NULL;
    str = strndup((char *)out.data, out.size);
    gnutls_free(out.data);
    return str;
}

static char *encode(const void *data, size_t len)
{
    gnutls_datum_t in = {(unsigned char *)(size_t)data, (unsigned)len};
    gnutls_datum_t out;
    char *str;

    if (gnutls_base64_encode2(&in, &out) < 0)
        return NULL;
    str = strndup((char *)out.data, out.size);
    gnutls_free(out.data);
    return str;
}

void dialog_scram_clear(struct dialog_scram *scram)
{
    free(scram->client_first_bare);
    free(scram->server_first);
    free(scram->salt);
    memset(scram, 0, sizeof *scram);
}

bool dialog_scram_first(struct dialog_scram *scram, const char *salt, const char *in64,
                        char **ret_out64)
{
    char *first = decode(in64);
    char *salt64 = encode(salt, strlen(salt));
    const char *bare = first ? strstr(first, ",,") : NULL;
    const char *nonce = bare ? strstr(bare, ",r=") : NULL;
    char text[512];

    if (nonce) {
        dialog_scram_clear(scram);
        scram->client_first_bare = strdup(bare + 2);
        scram->salt = strdup(salt);
        snprintf(scram->nonce, sizeof scram->nonce, "%.64sSERVER", nonce + 3);
        snprintf(text, sizeof text, "r=%s,s=%s,i=%d", scram->nonce, salt64, ITERATIONS);
        scram->server_first = strdup(text);
        *ret_out64 = encode(text, strlen(text));
    }
    free(first);
    free(salt64);
    return nonce != NULL;
}

bool dialog_scram_final(struct dialog_scram *scram, const char *hash, const char *in64,
                        char **ret_out64)
{
    gnutls_mac_algorithm_t mac = !strcmp(hash, "sha256") ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA1;
    gnutls_digest_algorithm_t digest =
        !strcmp(hash, "sha256") ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA1;
    size_t len = gnutls_hmac_get_len(mac);
    gnutls_datum_t password = {(unsigned char *)(size_t)PASSWORD, strlen(PASSWORD)};
    gnutls_datum_t salt = {NULL, 0};
    unsigned char salted[64], client_key[64], stored[64], signature[64], server_key[64];
    char *final = decode(in64);
    char *proof = final ? strstr(final, ",p=") : NULL;
    char *message = NULL;
    char *expected = NULL;
    bool good = false;

    if (proof && scram->server_first) {
        *proof = '\0';
        salt.data = (unsigned char *)scram->salt;
        salt.size = (unsigned)strlen(scram->salt);
        if (asprintf(&message, "%s,%s,%s", scram->client_first_bare, scram->server_first, final) <
            0)
            abort();
        gnutls_pbkdf2(mac, &password, &salt, ITERATIONS, salted, len);
        gnutls_hmac_fast(mac, salted, len, "Client Key", 10, client_key);
        gnutls_hash_fast(digest, client_key, len, stored);
        gnutls_hmac_fast(mac, stored, len, message, strlen(message), signature);
        for (size_t i = 0; i < len; i++)
            client_key[i] ^= signature[i];
        expected = encode(client_key, len);
        good = !strcmp(expected, proof + 3);
        gnutls_hmac_fast(mac, salted, len, "Server Key", 10, server_key);
        gnutls_hmac_fast(mac, server_key, len, message, strlen(message), signature);
        free(expected);
        expected = encode(signature, len);
        free(message);
        if (asprintf(&message, "v=%s", expected) < 0)
            abort();
        *ret_out64 = encode(message, strlen(message));
    }
    free(expected);
    free(message);
    free(final);
    return good;
}
