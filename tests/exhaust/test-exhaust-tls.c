/* A server that means harm inside TLS. */
#include "exhaust/victim.h"
#include "support/certs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22 };

#define CHAIN_LEN 100

/* --- without GnuTLS: what it would not send --- */

static void record(struct hostile *hostile, unsigned char type, const void *data, size_t len)
{
    unsigned char head[5] = {type, 3, 3, (unsigned char)(len >> 8), (unsigned char)len};

    hostile_write(hostile, head, sizeof head);
    hostile_write(hostile, data, len);
}

static unsigned char client_hello[4096];

static void hear_hello(struct hostile *hostile)
{
    size_t len = 0;

    do {
        ssize_t n = read(hostile->fd, client_hello + len, sizeof client_hello - len);

        if (n <= 0)
            _exit(0);
        len += (size_t)n;
    } while (len < 5 || len < 5u + ((size_t)client_hello[3] << 8) + client_hello[4]);
}

/* TLS 1.2, ECDHE with ECDSA and AES-128-GCM, no extensions */
static void say_hello(struct hostile *hostile)
{
    unsigned char hello[4 + 38] = {2, 0, 0, 38, 3, 3};

    memset(hello + 6, 'r', 32);
    hello[39] = 0xc0;
    hello[40] = 0x2b;
    record(hostile, HANDSHAKE, hello, sizeof hello);
}

/* TLS 1.3, X25519 and AES-128-GCM; what follows would be encrypted */
static void say_hello_13(struct hostile *hostile)
{
    static const unsigned char extensions[] = {0x13, 0x01, 0,  0, 46, 0, 43, 0, 2, 3,
                                               4,    0,    51, 0, 36, 0, 29, 0, 32};
    unsigned char hello[256] = {2, 0, 0, 0, 3, 3};
    size_t id_len = client_hello[43];
    size_t len = 6 + 32;

    memset(hello + 6, 'r', 32);
    memcpy(hello + len, client_hello + 43, 1 + id_len); /* the session id comes back */
    len += 1 + id_len;
    memcpy(hello + len, extensions, sizeof extensions);
    len += sizeof extensions;
    memset(hello + len, 9, 32); /* any bytes are a key */
    len += 32;
    hello[3] = (unsigned char)(len - 4);
    record(hostile, HANDSHAKE, hello, len);
}

/* The head of a Certificate message of so many bytes */
static void begin_certificate(struct hostile *hostile, size_t len)
{
    const unsigned char head[4] = {11, (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                                   (unsigned char)len};

    record(hostile, HANDSHAKE, head, sizeof head);
}

static void repeat_record(struct hostile *hostile, unsigned char type, const void *data, size_t len)
{
    for (size_t sent = 0; sent < HOSTILE_ENDLESS; sent += len + 5)
        record(hostile, type, data, len);
}

static void attack_certificate(struct hostile *hostile)
{
    static const unsigned char zeros[16384];

    hear_hello(hostile);
    say_hello(hostile);
    begin_certificate(hostile, 0xffffff);
    repeat_record(hostile, HANDSHAKE, zeros, sizeof zeros);
}

static void attack_fragments(struct hostile *hostile)
{
    hear_hello(hostile);
    say_hello(hostile);
    begin_certificate(hostile, 200 * KIB);
    repeat_record(hostile, HANDSHAKE, "", 1);
}

static void attack_alerts(struct hostile *hostile)
{
    hear_hello(hostile);
    repeat_record(hostile, ALERT, "\1\x70", 2); /* unrecognized_name, a warning */
}

static void attack_hello_requests(struct hostile *hostile)
{
    static const unsigned char hello_request[4];

    hear_hello(hostile);
    repeat_record(hostile, HANDSHAKE, hello_request, sizeof hello_request);
}

static void attack_change_cipher_spec(struct hostile *hostile)
{
    hear_hello(hostile);
    say_hello_13(hostile);
    repeat_record(hostile, CHANGE_CIPHER_SPEC, "\1", 1);
}

static void attack_empty_handshake(struct hostile *hostile)
{
    hear_hello(hostile);
    say_hello(hostile);
    repeat_record(hostile, HANDSHAKE, "", 0);
}

/* --- with GnuTLS --- */

static gnutls_certificate_credentials_t chain_creds(void)
{
    gnutls_certificate_credentials_t creds;
    gnutls_x509_crt_t chain[CHAIN_LEN];
    gnutls_x509_privkey_t key;
    const char *pem = certs_key_pem("good");
    const gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)pem,
                                  .size = (unsigned)strlen(pem)};

    chain[0] = certs_leaf("good");
    for (size_t i = 1; i < CHAIN_LEN; i++)
        chain[i] = certs_leaf("chain");
    if (gnutls_certificate_allocate_credentials(&creds) < 0 || gnutls_x509_privkey_init(&key) < 0 ||
        gnutls_x509_privkey_import(key, &datum, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_certificate_set_x509_key(creds, chain, CHAIN_LEN, key) < 0)
        abort();
    return creds;
}

static void attack_chain(struct hostile *hostile)
{
    hostile_tls(hostile, chain_creds());
    hostile_linger(hostile);
}

static void login(struct hostile *hostile)
{
    hostile_tls(hostile, certs_server_creds("good"));
    hostile_login(hostile);
}

static void must(int r)
{
    if (r < 0)
        _exit(0); /* the client has gone */
}

static void attack_tickets(struct hostile *hostile)
{
    login(hostile);
    for (;;)
        must(gnutls_session_ticket_send(hostile->tls, 1, 0));
}

static void attack_key_updates(struct hostile *hostile)
{
    login(hostile);
    for (;;)
        must(gnutls_session_key_update(hostile->tls, 0));
}

static void attack_empty_records(struct hostile *hostile)
{
    login(hostile);
    for (unsigned i = 0; i < 500000 / EXHAUST_SHARE; i++)
        must((int)gnutls_record_send2(hostile->tls, "", 0, 1, 0));
    hostile_end(hostile);
}

/* Each with something behind it, so that they do not come in a row. */
static void attack_spaced_tickets(struct hostile *hostile)
{
    login(hostile);
    for (unsigned i = 0; i < 20000 / EXHAUST_SHARE; i++) {
        must(gnutls_session_ticket_send(hostile->tls, 1, 0));
        hostile_say(hostile, " ");
    }
    hostile_end(hostile);
}

static void attack_spaced_key_updates(struct hostile *hostile)
{
    login(hostile);
    for (unsigned i = 0; i < 100000; i++) {
        must(gnutls_session_key_update(hostile->tls, GNUTLS_KU_PEER));
        hostile_say(hostile, " ");
    }
    hostile_end(hostile);
}

/* TLS' bytes are many times those of its data. */
static void attack_small_records(struct hostile *hostile)
{
    login(hostile);
    for (unsigned i = 0; i < 500000 / EXHAUST_SHARE; i++)
        hostile_say(hostile, " ");
    hostile_end(hostile);
}

#define HANDSHAKE_LIMIT                                                                            \
    .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_SECURING, .flags = CASE_TLS,                       \
    .text = "TLS handshake exceeds 262144 bytes"
#define CONTROL_LIMIT    .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_READY, .flags = CASE_TLS
#define KEY_UPDATE_LIMIT CONTROL_LIMIT, .text = "control messages faster than GnuTLS allows"

#define HANDSHAKE_FAILS .code = XMPP_ERR_TLS, .phase = XMPP_PHASE_SECURING, .flags = CASE_TLS

/* SEC-16, TLS-13 */
static const struct exhaust_case cases[] = {
    {"tls-certificate", "a TLS handshake message of 16 MiB", "256 KiB", MIB, 2 * MIB,
     HANDSHAKE_LIMIT, .attack = attack_certificate},
    {"tls-fragments", "a TLS handshake message in pieces of one byte", "256 KiB", MIB, 2 * MIB,
     HANDSHAKE_LIMIT, .attack = attack_fragments},
    {"tls-change-cipher-spec", "TLS ChangeCipherSpec without end", "that of GnuTLS", MIB, 2 * MIB,
     HANDSHAKE_FAILS, .text = "Too many empty record packets", .attack = attack_change_cipher_spec},
    {"tls-alerts", "TLS warnings instead of a handshake", "that of GnuTLS", MIB, 2 * MIB,
     HANDSHAKE_FAILS, .text = "TLS handshake failed", .attack = attack_alerts},
    {"tls-hello-requests", "TLS hello requests instead of a handshake", "that of GnuTLS", MIB,
     2 * MIB, HANDSHAKE_FAILS, .text = "TLS handshake failed", .attack = attack_hello_requests},
    {"tls-empty-handshake", "empty TLS handshake records", "that of GnuTLS", MIB, 2 * MIB,
     HANDSHAKE_FAILS, .text = "TLS handshake failed", .attack = attack_empty_handshake},
    {"tls-chain", "a chain of 100 certificates", "16 certificates, by GnuTLS", MIB, 2 * MIB,
     HANDSHAKE_FAILS, .text = "certificate cannot be verified: Some constraint limits were reached",
     .attack = attack_chain},
    {"tls-tickets", "session tickets without end", "64 in a row", MIB, 2 * MIB, CONTROL_LIMIT,
     .text = "more than 64 TLS control messages in a row", .attack = attack_tickets},
    {"tls-key-updates", "key updates without end", "8 in a second, by GnuTLS", MIB, 2 * MIB,
     KEY_UPDATE_LIMIT, .attack = attack_key_updates},
    {"tls-spaced-key-updates", "key updates with white space between them",
     "8 in a second, by GnuTLS", MIB, 2 * MIB, KEY_UPDATE_LIMIT,
     .attack = attack_spaced_key_updates},
    {"tls-spaced-tickets", "20 000 session tickets, white space between them",
     "none: nothing is kept", MIB, 2 * MIB, .flags = CASE_TLS, .attack = attack_spaced_tickets},
    {"tls-empty-records", "500 000 empty records", "none: nothing is kept", MIB, 2 * MIB,
     .flags = CASE_TLS, .attack = attack_empty_records},
    {"tls-small-records", "500 000 records with one byte in each", "none: nothing is kept", MIB,
     2 * MIB, .flags = CASE_TLS, .attack = attack_small_records},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "tls", cases, sizeof cases / sizeof *cases, exhaust_warm_up);
}
