#include "login.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHA1_BYTES = 20 };

static const char salt[] = "sixteen bytes...";
static unsigned iterations;
static uint8_t server_key[SHA1_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "bench-server: %s\n", what);
    exit(1);
}

void login_setup(unsigned count)
{
    uint8_t salted[SHA1_BYTES];
    gnutls_datum_t key = {(unsigned char *)(uintptr_t) "secret", 6};
    gnutls_datum_t salt_datum = {(unsigned char *)(uintptr_t)salt, sizeof salt - 1};

    iterations = count;
    if (gnutls_pbkdf2(GNUTLS_MAC_SHA1, &key, &salt_datum, count, salted, sizeof salted) < 0 ||
        gnutls_hmac_fast(GNUTLS_MAC_SHA1, salted, sizeof salted, "Server Key", 10, server_key) < 0)
        die("keys");
}

/* The decoded text of an element; terminated. */
static void decode_text(const char *elem, char *ret, size_t size)
{
    const char *begin = strchr(elem, '>');
    const char *end = begin ? strchr(begin, '<') : NULL;
    gnutls_datum_t in;
    gnutls_datum_t out;

    if (!end)
        die("no text");
    in.data = (unsigned char *)(uintptr_t)begin + 1;
    in.size = (unsigned)(end - begin - 1);
    if (gnutls_base64_decode2(&in, &out) < 0 || out.size >= size)
        die("base64");
    memcpy(ret, out.data, out.size);
    ret[out.size] = 0;
    gnutls_free(out.data);
}

static void encode_elem(const char *name, const char *text, char *ret, size_t size)
{
    gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
    gnutls_datum_t out = {NULL, 0};

    if (in.size && gnutls_base64_encode2(&in, &out) < 0)
        die("base64");
    snprintf(ret, size, "<%s xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%.*s</%s>", name,
             (int)out.size, out.data ? (char *)out.data : "", name);
    gnutls_free(out.data);
}

int login_auth(struct login *login, const char *elem, char *ret, size_t size)
{
    char first[256];
    char challenge[256];
    const char *bare;
    const char *nonce;

    if (!strstr(elem, "SCRAM-SHA-1")) {
        encode_elem("success", "", ret, size);
        return 1;
    }
    decode_text(elem, first, sizeof first);
    bare = strstr(first, "n=");
    nonce = strstr(first, ",r=");
    if (!bare || !nonce)
        die("client-first-message");
    snprintf(challenge, sizeof challenge, "r=%sbench,s=c2l4dGVlbiBieXRlcy4uLg==,i=%u", nonce + 3,
             iterations);
    snprintf(login->first, sizeof login->first, "%s,%s", bare, challenge);
    encode_elem("challenge", challenge, ret, size);
    return 0;
}

int login_response(struct login *login, const char *elem, char *ret, size_t size)
{
    char final[512];
    char all[1100];
    char text[64] = "v=";
    uint8_t signature[SHA1_BYTES];
    gnutls_datum_t in = {signature, sizeof signature};
    gnutls_datum_t out;
    char *proof;

    decode_text(elem, final, sizeof final);
    proof = strstr(final, ",p=");
    if (!proof)
        die("client-final-message");
    *proof = 0;
    snprintf(all, sizeof all, "%s,%s", login->first, final);
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA1, server_key, sizeof server_key, all, strlen(all),
                         signature) < 0 ||
        gnutls_base64_encode2(&in, &out) < 0)
        die("signature");
    snprintf(text + 2, sizeof text - 2, "%.*s", (int)out.size, (char *)out.data);
    gnutls_free(out.data);
    encode_elem("success", text, ret, size);
    return 1;
}
