#include "tst.h"

#include <gnutls/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5802 and RFC 7677 from the server's side. It shares nothing with the client's. */

struct hash {
    gnutls_mac_algorithm_t mac;
    gnutls_digest_algorithm_t digest;
    size_t len;
};

static struct hash hash_of(const struct tst_scram *scram)
{
    if (strcmp(scram->hash, "1") == 0)
        return (struct hash){GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1, 20};
    if (strcmp(scram->hash, "256") == 0)
        return (struct hash){GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256, 32};
    return (struct hash){GNUTLS_MAC_SHA512, GNUTLS_DIG_SHA512, 64};
}

void tst_scram_clear(struct tst_scram *scram)
{
    tst_buf_clear(&scram->gs2);
    tst_buf_clear(&scram->bare);
    tst_buf_clear(&scram->first);
    tst_buf_clear(&scram->nonce);
    free(scram->user);
    memset(scram, 0, sizeof *scram);
}

/* "=2C" and "=3D" (5.1); NULL: something else behind '=', or no memory */
static char *decode_name(const char *in, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; out && i < len; i++) {
        if (in[i] != '=') {
            out[n++] = in[i];
            continue;
        }
        if (len - i < 3 || (memcmp(in + i, "=2C", 3) != 0 && memcmp(in + i, "=3D", 3) != 0)) {
            free(out);
            return NULL;
        }
        out[n++] = in[i + 2] == 'C' ? ',' : '=';
        i += 2;
    }
    if (out)
        out[n] = '\0';
    return out;
}

/* The flag in front: is it what this mechanism and our offer allow (6)? */
static const char *check_flag(const xmpp_test_conn *conn, const char *flag)
{
    gnutls_datum_t data;
    char type[64];
    size_t len;

    if (!conn->scram.plus)
        return flag[0] == 'n'                        ? NULL
               : flag[0] == 'y' && !conn->cb_offered ? NULL
                                                     : "not-authorized";
    if (flag[0] != 'p' || flag[1] != '=')
        return "malformed-request";
    len = strcspn(flag + 2, ",");
    if (len >= sizeof type)
        return "malformed-request";
    memcpy(type, flag + 2, len);
    type[len] = '\0';
    if (conn->server->bindings && conn->server->bindings[0] &&
        !tst_has_word(conn->server->bindings, type, len))
        return "not-authorized";
    if (!tst_tls_binding(conn, type, &data))
        return "not-authorized";
    gnutls_free(data.data);
    return NULL;
}

/* a= must be the account itself */
static const char *check_authzid(const xmpp_test_conn *conn, const char *begin, const char *end)
{
    struct tst_buf jid = {0};
    char *name;
    bool good;

    if (begin == end)
        return NULL;
    if (end - begin < 2 || memcmp(begin, "a=", 2) != 0)
        return "malformed-request";
    name = decode_name(begin + 2, (size_t)(end - begin) - 2);
    tst_buf_printf(&jid, "%s@%s", conn->scram.user, conn->server->domain);
    good = name && !jid.failed && strcmp(name, jid.data) == 0;
    free(name);
    tst_buf_clear(&jid);
    return good ? NULL : "invalid-authzid";
}

static const char *client_first(xmpp_test_conn *conn, const char *message, struct tst_buf *reply)
{
    struct tst_scram *scram = &conn->scram;
    const char *authzid = strchr(message, ',');
    const char *bare = authzid ? strchr(authzid + 1, ',') : NULL;
    const char *nonce = bare ? strstr(bare + 1, ",r=") : NULL;
    const char *condition = check_flag(conn, message);
    const struct tst_account *account;
    unsigned char random[12];

    if (condition)
        return condition;
    if (!nonce || strncmp(bare + 1, "n=", 2) != 0 || strchr(nonce + 3, ','))
        return "malformed-request";
    scram->user = decode_name(bare + 3, (size_t)(nonce - bare) - 3);
    if (!scram->user)
        return "malformed-request";
    condition = check_authzid(conn, authzid + 1, bare);
    if (condition)
        return condition;
    tst_buf_add(&scram->gs2, message, (size_t)(bare + 1 - message));
    tst_buf_str(&scram->bare, bare + 1);

    if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof random) < 0)
        return "temporary-auth-failure";
    account = tst_server_account(conn->server, scram->user);
    if (account) /* who is not known gets any */
        memcpy(scram->salt, account->salt, sizeof scram->salt);
    if (!tst_has_fault(conn, XMPP_TEST_FAULT_WRONG_NONCE))
        tst_buf_str(&scram->nonce, nonce + 3);
    tst_buf_base64(&scram->nonce, random, sizeof random);
    scram->iterations = conn->faults[XMPP_TEST_FAULT_ITERATIONS] >= 0
                            ? conn->faults[XMPP_TEST_FAULT_ITERATIONS]
                            : 4096;
    if (!scram->nonce.failed)
        tst_buf_printf(&scram->first, "r=%s,s=", scram->nonce.data);
    tst_buf_base64(&scram->first, scram->salt, sizeof scram->salt);
    tst_buf_printf(&scram->first, ",i=%lld", (long long)scram->iterations);
    tst_buf_add(reply, scram->first.data, scram->first.len);
    return scram->bare.failed || scram->first.failed ? "temporary-auth-failure" : NULL;
}

/* c= must be the header, and the data of the binding that it names */
static bool check_binding(const xmpp_test_conn *conn, const char *c, size_t len)
{
    const struct tst_scram *scram = &conn->scram;
    struct tst_buf plain = {0};
    struct tst_buf expected = {0};
    bool good;

    tst_buf_add(&plain, scram->gs2.data, scram->gs2.len);
    if (scram->plus) {
        gnutls_datum_t data = {NULL, 0};
        char type[64] = "";

        (void)sscanf(scram->gs2.data, "p=%63[^,]", type);
        if (tst_tls_binding(conn, type, &data))
            tst_buf_add(&plain, data.data, data.size);
        gnutls_free(data.data);
    }
    if (!plain.failed)
        tst_buf_base64(&expected, plain.data, plain.len);
    good = !expected.failed && expected.data && expected.len == len &&
           memcmp(expected.data, c, len) == 0;
    tst_buf_clear(&plain);
    tst_buf_clear(&expected);
    return good;
}

/* ClientProof as it ought to be, and ServerSignature (3) */
static bool compute(const struct tst_scram *scram, const char *password, const char *message,
                    unsigned char proof[64], unsigned char signature[64])
{
    struct hash hash = hash_of(scram);
    gnutls_datum_t key = {(unsigned char *)(uintptr_t)password, (unsigned)strlen(password)};
    gnutls_datum_t salt = {(unsigned char *)(uintptr_t)scram->salt, sizeof scram->salt};
    unsigned char salted[64];
    unsigned char stored[64];
    unsigned char client[64];
    unsigned iterations = scram->iterations > 0 ? (unsigned)scram->iterations : 1;

    if (gnutls_pbkdf2(hash.mac, &key, &salt, iterations, salted, hash.len) < 0 ||
        gnutls_hmac_fast(hash.mac, salted, hash.len, "Client Key", 10, proof) < 0 ||
        gnutls_hash_fast(hash.digest, proof, hash.len, stored) < 0 ||
        gnutls_hmac_fast(hash.mac, stored, hash.len, message, strlen(message), client) < 0)
        return false;
    for (size_t i = 0; i < hash.len; i++)
        proof[i] ^= client[i];
    return gnutls_hmac_fast(hash.mac, salted, hash.len, "Server Key", 10, stored) >= 0 &&
           gnutls_hmac_fast(hash.mac, stored, hash.len, message, strlen(message), signature) >= 0;
}

static const char *verify(const xmpp_test_conn *conn, const char *without_proof, const char *given,
                          struct tst_buf *reply)
{
    const struct tst_scram *scram = &conn->scram;
    const char *password = tst_server_password(conn->server, scram->user);
    size_t len = hash_of(scram).len;
    unsigned char proof[64];
    unsigned char signature[64];
    struct tst_buf message = {0};
    struct tst_buf expected = {0};
    bool good;

    if (!password)
        return "not-authorized";
    tst_buf_printf(&message, "%s,%s,%s", scram->bare.data, scram->first.data, without_proof);
    good = !message.failed && compute(scram, password, message.data, proof, signature);
    if (good)
        tst_buf_base64(&expected, proof, len);
    good = good && !expected.failed && strcmp(expected.data, given) == 0;
    tst_buf_clear(&message);
    tst_buf_clear(&expected);
    if (!good)
        return "not-authorized";
    if (tst_has_fault(conn, XMPP_TEST_FAULT_WRONG_SIGNATURE))
        signature[0] ^= 1;
    tst_buf_str(reply, "v=");
    tst_buf_base64(reply, signature, len);
    return NULL;
}

static const char *client_final(xmpp_test_conn *conn, char *message, struct tst_buf *reply)
{
    const struct tst_scram *scram = &conn->scram;
    char *proof = strstr(message, ",p=");
    const char *nonce = strstr(message, ",r=");

    if (!proof || !nonce || strncmp(message, "c=", 2) != 0)
        return "malformed-request";
    *proof = '\0';
    if (!check_binding(conn, message + 2, (size_t)(nonce - message) - 2) ||
        strcmp(nonce + 3, scram->nonce.data) != 0)
        return "not-authorized";
    return verify(conn, message, proof + 3, reply);
}

const char *tst_scram_answer(xmpp_test_conn *conn, const struct tst_buf *in, struct tst_buf *reply,
                             bool *ret_done)
{
    if (in->failed)
        return "temporary-auth-failure";
    if (in->len == 0 || strlen(in->data) != in->len)
        return "malformed-request";
    *ret_done = conn->scram.step > 0;
    return conn->scram.step++ == 0 ? client_first(conn, in->data, reply)
                                   : client_final(conn, in->data, reply);
}
