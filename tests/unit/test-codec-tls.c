#include "codec/tls.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/certs.h"
#include "support/tlspair.h"
#include "support/torture.h"

#include <xmpp/client.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1024u * 1024)

static const enum tlspair_cut cuts[] = {CUT_NONE, CUT_BYTES, CUT_RANDOM};

static void open_pair(struct tlspair *pair, const struct tlspeer_options *options,
                      enum tlspair_cut cut)
{
    assert_int_equal(tlspair_open(pair, NULL, NULL, NULL, options, cut), XMPP_OK);
}

/* ready for data */
static void secure_pair(struct tlspair *pair, const struct tlspeer_options *options,
                        enum tlspair_cut cut)
{
    open_pair(pair, options, cut);
    assert_int_equal(tlspair_secure(pair, 0), XMPP_OK);
    assert_int_equal(tls_get_state(pair->tls), TLS_OPEN);
    assert_true(tlspeer_is_open(pair->peer));
}

static int decode(struct tlspair *pair)
{
    return pair->codec->ops->decode(pair->codec, &pair->wire_in, &pair->app_out);
}

static int encode(struct tlspair *pair)
{
    return pair->codec->ops->encode(pair->codec, &pair->app_in, &pair->wire_out);
}

static int close_codec(struct tlspair *pair)
{
    return pair->codec->ops->close(pair->codec, &pair->wire_out);
}

/* what the client wrote so far goes to the server, but nothing back */
static void deliver(struct tlspair *pair)
{
    tlspeer_feed(pair->peer, buf_peek(&pair->wire_out), buf_len(&pair->wire_out));
    buf_consume(&pair->wire_out, buf_len(&pair->wire_out));
}

static void put(struct buf *buf, const void *data, size_t len)
{
    assert_int_equal(buf_append(buf, data, len), XMPP_OK);
}

static void check_received(struct tlspair *pair, const void *want, size_t len)
{
    assert_int_equal(buf_len(&pair->app_out), len);
    assert_memory_equal(buf_peek(&pair->app_out), want, len);
    buf_consume(&pair->app_out, len);
}

static void check_sent(struct tlspair *pair, const void *want, size_t len)
{
    const void *data;

    assert_int_equal(tlspeer_peek(pair->peer, &data), len);
    assert_memory_equal(data, want, len);
    tlspeer_consume(pair->peer, len);
}

static void check_error(struct tlspair *pair, int code, int number, int phase, const char *words)
{
    xmpp_error *error = tls_get_error(pair->tls);

    assert_int_equal(tls_get_state(pair->tls), TLS_FAILED);
    assert_non_null(error);
    assert_int_equal(xmpp_error_get_code(error), code);
    if (number)
        assert_int_equal(xmpp_error_get_number(error), number);
    assert_int_equal(xmpp_error_get_phase(error), phase);
    if (!strstr(xmpp_error_get_text(error), words))
        fail_msg("\"%s\" does not say \"%s\"", xmpp_error_get_text(error), words);
    xmpp_error_unref(error);
    /* final */
    assert_int_equal(decode(pair), code);
    assert_int_equal(encode(pair), code);
    assert_int_equal(tls_accept(pair->tls), XMPP_ERR_STATE);
    assert_int_equal(tls_eof(pair->tls), code);
}

/* --- handshake --- */

static void check_session(int version, enum tlspair_cut cut)
{
    struct tlspeer_options options = {.version = version};
    struct tlspair pair;
    const uint8_t *der;
    size_t len;

    open_pair(&pair, &options, cut);
    assert_string_equal(pair.codec->ops->name, "tls");
    assert_int_equal(tls_get_state(pair.tls), TLS_HANDSHAKE);
    assert_int_equal(tls_get_problems(pair.tls), XMPP_ERR_STATE);
    assert_string_equal(tls_get_verdict(pair.tls), "not verified");
    assert_int_equal(tls_get_version(pair.tls), 0);
    assert_null(tls_get_version_name(pair.tls));
    assert_null(tls_get_suite(pair.tls));
    assert_null(tls_get_error(pair.tls));
    assert_int_equal(tls_get_cert_der(pair.tls, 0, &der, &len), XMPP_ERR_NOTFOUND);
    assert_int_equal(tls_accept(pair.tls), XMPP_ERR_STATE);

    assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
    assert_string_equal(tls_get_verdict(pair.tls), "trusted, DNS name a.example");
    /* TLS-15 */
    assert_int_equal(tls_get_version(pair.tls), version == 12 ? 0x0303 : 0x0304);
    assert_string_equal(tls_get_version_name(pair.tls), version == 12 ? "TLS1.2" : "TLS1.3");
    assert_true(str_starts(tls_get_suite(pair.tls), "TLS_"));
    assert_int_equal(tls_get_cert_der(pair.tls, 0, &der, &len), XMPP_OK);
    assert_int_equal(der[0], 0x30);
    assert_int_equal(tls_get_cert_der(pair.tls, 1, &der, &len), XMPP_ERR_NOTFOUND);
    assert_int_equal(tls_accept(pair.tls), XMPP_ERR_STATE);

    put(&pair.app_in, "<a/>", 4);
    assert_int_equal(tlspeer_write(pair.peer, "<b/>", 4), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    check_sent(&pair, "<a/>", 4);
    check_received(&pair, "<b/>", 4);
    tlspair_free(&pair);
}

static void test_tls_session(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++)
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
            check_session(version, cuts[i]);
}

static void test_tls_create_invalid(void **state)
{
    struct tls *tls = NULL;
    struct tls_creds *creds;
    struct tls_options options = {0};

    (void)state;
    assert_int_equal(tls_creds_get(&creds, certs_crt_path("ca"), NULL, NULL, NULL), XMPP_OK);
    assert_int_equal(tls_create(&tls, creds, &options), XMPP_ERR_INVAL);
    assert_int_equal(tls_create(&tls, creds, NULL), XMPP_ERR_INVAL);
    options.domain = "a.example";
    assert_int_equal(tls_create(&tls, NULL, &options), XMPP_ERR_INVAL);
    assert_int_equal(tls_create(NULL, creds, &options), XMPP_ERR_INVAL);
    assert_null(tls);
    tls_creds_unref(creds);
}

/* CERT-01: nothing is sent to, or taken from, a peer that was not judged. */
static void test_tls_accept_gates_data(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++) {
        struct tlspeer_options options = {.version = version};
        struct tlspair pair;
        char wire[512];
        size_t len;

        open_pair(&pair, &options, CUT_NONE);
        put(&pair.app_in, "secret", 6);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        assert_int_equal(tls_get_state(pair.tls), TLS_VERIFY);
        assert_int_equal(buf_len(&pair.app_in), 6);
        check_sent(&pair, "", 0);

        assert_int_equal(tlspeer_write(pair.peer, "early", 5), 0);
        len = tlspeer_take(pair.peer, wire, sizeof(wire));
        put(&pair.wire_in, wire, len);
        assert_int_equal(decode(&pair), XMPP_OK);
        assert_int_equal(encode(&pair), XMPP_OK);
        assert_int_equal(buf_len(&pair.wire_in), len);
        assert_int_equal(buf_len(&pair.wire_out), 0);
        assert_int_equal(buf_len(&pair.app_out), 0);

        assert_int_equal(tls_accept(pair.tls), XMPP_OK);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_received(&pair, "early", 5);
        check_sent(&pair, "secret", 6);
        tlspair_free(&pair);
    }
}

/* TLS-07, TLS-08 */
static void check_names(const struct tls_options *options, const char *alpn, const char *cert,
                        const char *want_sni, const char *want_alpn)
{
    struct tlspeer_options peer_options = {.alpn = alpn, .cert = cert};
    struct tlspair pair;

    assert_int_equal(tlspair_open(&pair, NULL, NULL, options, &peer_options, CUT_NONE), XMPP_OK);
    assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
    if (want_sni)
        assert_string_equal(tlspeer_sni(pair.peer), want_sni);
    else
        assert_null(tlspeer_sni(pair.peer));
    if (want_alpn)
        assert_string_equal(tlspeer_alpn(pair.peer), want_alpn);
    else
        assert_null(tlspeer_alpn(pair.peer));
    tlspair_free(&pair);
}

static void test_tls_sni_and_alpn(void **state)
{
    static const struct tls_options direct = {.domain = "a.example", .direct = true};
    static const struct tls_options starttls = {.domain = "a.example"};
    static const struct tls_options address = {
        .domain = "127.0.0.1", .is_ip = true, .direct = true};
    static const struct tls_options idn = {.domain = "xn--bcher-kva.example",
                                           .display_domain = "b\xc3\xbc"
                                                             "cher.example"};

    (void)state;
    check_names(&direct, NULL, "good", "a.example", "xmpp-client");
    check_names(&direct, "xmpp-client", "good", "a.example", "xmpp-client");
    check_names(&starttls, NULL, "good", "a.example", NULL);
    check_names(&address, NULL, "ip", NULL, "xmpp-client");
    check_names(&idn, NULL, "idn", "xn--bcher-kva.example", NULL);
    check_names(&idn, NULL, "idn-xmpp-addr", "xn--bcher-kva.example", NULL);
}

/* RFC 9266, RFC 5929: what both ends have, best first. */
static void check_bindings(int version, bool no_ems, const char *const *types)
{
    struct tlspeer_options options = {.version = version, .no_ems = no_ems};
    struct tlspair pair;
    const char *type;
    const void *data;
    size_t len;
    size_t i;

    open_pair(&pair, &options, CUT_NONE);
    assert_int_equal(tls_get_binding(pair.tls, 0, &type, &data, &len), XMPP_ERR_NOTFOUND);
    assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
    for (i = 0; types[i]; i++) {
        char theirs[64];
        size_t their_len = sizeof(theirs);

        assert_int_equal(tls_get_binding(pair.tls, i, &type, &data, &len), XMPP_OK);
        assert_string_equal(type, types[i]);
        assert_int_equal(len, str_eq(type, "tls-unique") ? 12 : 32);
        if (str_eq(type, "tls-server-end-point")) {
            /* the server has no way to ask for its own; SHA-256 of a certificate signed with SHA-256 */
            const uint8_t *der;
            size_t der_len;
            gnutls_datum_t datum;

            assert_int_equal(tls_get_cert_der(pair.tls, 0, &der, &der_len), XMPP_OK);
            datum = (gnutls_datum_t){(unsigned char *)(uintptr_t)der, (unsigned)der_len};
            assert_int_equal(gnutls_fingerprint(GNUTLS_DIG_SHA256, &datum, theirs, &their_len), 0);
        } else {
            assert_true(tlspeer_binding(pair.peer, type, theirs, &their_len));
        }
        assert_int_equal(their_len, len);
        assert_memory_equal(data, theirs, len);
    }
    assert_int_equal(tls_get_binding(pair.tls, i, &type, &data, &len), XMPP_ERR_NOTFOUND);
    tlspair_free(&pair);
}

static void test_tls_get_binding(void **state)
{
    static const char *const tls13[] = {"tls-exporter", "tls-server-end-point", NULL};
    static const char *const ems[] = {"tls-exporter", "tls-unique", "tls-server-end-point", NULL};
    static const char *const no_ems[] = {"tls-server-end-point", NULL};

    (void)state;
    check_bindings(13, false, tls13);
    check_bindings(12, false, ems);
    check_bindings(12, true, no_ems);
}

/* CERT-14 */
static void test_tls_client_certificate(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++) {
        struct tlspeer_options options = {.version = version, .require_cert = true};
        struct tlspair pair;

        assert_int_equal(tlspair_open(&pair, NULL, "alice", NULL, &options, CUT_RANDOM), XMPP_OK);
        assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
        assert_string_equal(tlspeer_client_address(pair.peer), "alice@a.example");
        tlspair_free(&pair);

        /* not asked: not told */
        options = (struct tlspeer_options){.version = version};
        assert_int_equal(tlspair_open(&pair, NULL, "alice", NULL, &options, CUT_NONE), XMPP_OK);
        assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
        assert_null(tlspeer_client_address(pair.peer));
        tlspair_free(&pair);

        /* asked, but there is none */
        options.request_cert = true;
        secure_pair(&pair, &options, CUT_NONE);
        assert_null(tlspeer_client_address(pair.peer));
        tlspair_free(&pair);
    }
}

static void test_tls_client_certificate_missing(void **state)
{
    struct tlspeer_options options = {.version = 12, .require_cert = true};
    struct tlspair pair;

    (void)state;
    open_pair(&pair, &options, CUT_NONE);
    assert_int_equal(tlspair_secure(&pair, 0), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_FATAL_ALERT_RECEIVED, XMPP_PHASE_SECURING, "alert");
    tlspair_free(&pair);

    /* 1.3: the server's complaint comes after our handshake is done */
    options.version = 13;
    open_pair(&pair, &options, CUT_NONE);
    assert_int_equal(tlspair_secure(&pair, 0), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_FATAL_ALERT_RECEIVED, XMPP_PHASE_NONE,
                "certificate_required: it demands a client certificate");
    tlspair_free(&pair);
}

/* --- data --- */

static char *random_bytes(size_t len)
{
    char *data = malloc(len);
    unsigned seed = 7;

    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)rand_r(&seed);
    return data;
}

static void test_tls_much_data(void **state)
{
    char *data = random_bytes(MIB);

    (void)state;
    for (int version = 12; version <= 13; version++) {
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
            struct tlspeer_options options = {.version = version};
            size_t len = cuts[i] == CUT_BYTES ? MIB / 16 : MIB;
            struct tlspair pair;

            secure_pair(&pair, &options, cuts[i]);
            put(&pair.app_in, data, len);
            assert_int_equal(tlspeer_write(pair.peer, data, len), 0);
            assert_int_equal(tlspair_run(&pair), XMPP_OK);
            check_sent(&pair, data, len);
            check_received(&pair, data, len);
            tlspair_free(&pair);
        }
    }
    free(data);
}

/* A buffer that is full makes the codec pause, also when decrypted bytes wait inside. */
static void test_tls_full_buffers(void **state)
{
    char *data = random_bytes(MIB);
    struct tlspair pair;
    size_t got = 0;
    size_t sent = 0;

    (void)state;
    secure_pair(&pair, NULL, CUT_NONE);
    pair.app_out.limit = 1000;
    pair.wire_out.limit = 5000;
    put(&pair.app_in, data, MIB);
    assert_int_equal(tlspeer_write(pair.peer, data, MIB), 0);
    while (got < MIB || sent < MIB) {
        const void *theirs;
        size_t before = got + sent;
        size_t n;

        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        n = buf_len(&pair.app_out);
        assert_true(n <= 1000);
        assert_memory_equal(buf_peek(&pair.app_out), data + got, n);
        buf_consume(&pair.app_out, n);
        got += n;
        n = tlspeer_peek(pair.peer, &theirs);
        assert_memory_equal(theirs, data + sent, n);
        tlspeer_consume(pair.peer, n);
        sent += n;
        assert_true(got + sent > before);
    }
    assert_int_equal(buf_len(&pair.app_in), 0);
    assert_int_equal(got, MIB);
    /* no room at all: nothing is lost, nothing fails */
    pair.wire_out.limit = 10;
    put(&pair.app_in, "x", 1);
    assert_int_equal(encode(&pair), XMPP_OK);
    assert_int_equal(buf_len(&pair.app_in), 1);
    pair.wire_out.limit = SIZE_MAX;
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    check_sent(&pair, "x", 1);
    tlspair_free(&pair);
    free(data);
}

/* The handshake fits through a wire of a few bytes. */
static void test_tls_narrow_wire(void **state)
{
    struct tlspair pair;

    (void)state;
    open_pair(&pair, NULL, CUT_NONE);
    pair.wire_out.limit = 7;
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    assert_int_equal(tls_get_state(pair.tls), TLS_VERIFY);
    tlspair_free(&pair);
}

static void test_tls_small_writes_share_a_record(void **state)
{
    struct tlspair pair;

    (void)state;
    secure_pair(&pair, NULL, CUT_NONE);
    for (int i = 0; i < 5; i++)
        put(&pair.app_in, "<r xmlns='urn:xmpp:sm:3'/>", 26);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    assert_int_equal(tlspeer_records(pair.peer), 1);
    tlspair_free(&pair);
}

/* --- the end --- */

static void test_tls_close_notify(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++) {
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
            struct tlspeer_options options = {.version = version};
            struct tlspair pair;

            secure_pair(&pair, &options, cuts[i]);
            assert_int_equal(tlspeer_write(pair.peer, "last", 4), 0);
            assert_int_equal(tlspeer_close(pair.peer), 0);
            tlspeer_send_raw(pair.peer, "garbage", 7); /* RFC 8446 6.1: ignored */
            assert_int_equal(tlspair_run(&pair), XMPP_OK);
            assert_int_equal(tls_get_state(pair.tls), TLS_CLOSED);
            check_received(&pair, "last", 4);
            assert_int_equal(buf_len(&pair.wire_in), 0);
            /* our direction is still open */
            put(&pair.app_in, "bye", 3);
            assert_int_equal(tlspair_run(&pair), XMPP_OK);
            check_sent(&pair, "bye", 3);
            assert_int_equal(close_codec(&pair), XMPP_OK);
            deliver(&pair);
            assert_true(tlspeer_is_closed(pair.peer));
            assert_int_equal(tls_eof(pair.tls), XMPP_OK); /* TLS-14 */
            assert_null(tls_get_error(pair.tls));
            tlspair_free(&pair);
        }
    }
}

static void test_tls_close_first(void **state)
{
    struct tlspair pair;

    (void)state;
    secure_pair(&pair, NULL, CUT_NONE);
    put(&pair.app_in, "bye", 3);
    assert_int_equal(encode(&pair), XMPP_OK);
    assert_int_equal(close_codec(&pair), XMPP_OK);
    assert_int_equal(close_codec(&pair), XMPP_OK); /* twice is once */
    deliver(&pair);
    assert_true(tlspeer_is_closed(pair.peer));
    check_sent(&pair, "bye", 3);
    assert_int_equal(encode(&pair), XMPP_OK);
    put(&pair.app_in, "late", 4);
    assert_int_equal(encode(&pair), XMPP_ERR_STATE);
    buf_consume(&pair.app_in, 4);
    /* what the peer still says is heard */
    assert_int_equal(tlspeer_write(pair.peer, "rest", 4), 0);
    assert_int_equal(tlspeer_close(pair.peer), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    check_received(&pair, "rest", 4);
    assert_int_equal(tls_eof(pair.tls), XMPP_OK);
    tlspair_free(&pair);
}

static void test_tls_close_rejects(void **state)
{
    static const struct {
        const char *cert;
        int alert;
    } table[] = {{"expired", GNUTLS_A_CERTIFICATE_EXPIRED},
                 {"self-signed", GNUTLS_A_UNKNOWN_CA},
                 {"revoked", GNUTLS_A_CERTIFICATE_REVOKED},
                 {"wrong-name", GNUTLS_A_BAD_CERTIFICATE}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tlspeer_options options = {.cert = table[i].cert};
        struct tlspair pair;

        open_pair(&pair, &options, CUT_NONE);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        assert_int_not_equal(tls_get_problems(pair.tls), 0);
        assert_int_equal(close_codec(&pair), XMPP_OK);
        deliver(&pair);
        assert_int_equal(tlspeer_alert(pair.peer), table[i].alert);
        assert_int_equal(tls_accept(pair.tls), XMPP_ERR_STATE); /* too late */
        tlspair_free(&pair);
    }
}

static void test_tls_close_early(void **state)
{
    struct tlspair pair;

    (void)state;
    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(close_codec(&pair), XMPP_OK);
    assert_int_equal(buf_len(&pair.wire_out), 0);
    tlspair_free(&pair);

    /* trusted, but no longer wanted */
    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    assert_int_equal(close_codec(&pair), XMPP_OK);
    deliver(&pair);
    assert_true(tlspeer_is_closed(pair.peer));
    tlspair_free(&pair);
}

/* TLS-14, SEC-34 */
static void test_tls_eof_is_truncation(void **state)
{
    struct tlspair pair;

    (void)state;
    secure_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(tlspeer_write(pair.peer, "half", 4), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    check_received(&pair, "half", 4);
    assert_int_equal(tls_eof(pair.tls), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_PREMATURE_TERMINATION, XMPP_PHASE_NONE,
                "without TLS close_notify");
    tlspair_free(&pair);

    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    assert_int_equal(tls_eof(pair.tls), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_PREMATURE_TERMINATION, XMPP_PHASE_SECURING, "ended");
    tlspair_free(&pair);

    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(encode(&pair), XMPP_OK);
    assert_int_equal(tls_eof(pair.tls), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_PREMATURE_TERMINATION, XMPP_PHASE_SECURING,
                "ended during the TLS handshake");
    tlspair_free(&pair);
}

/* --- peers that misbehave --- */

static void check_answer(const void *data, size_t len, int code, const char *words)
{
    for (size_t i = 0; i < 2; i++) {
        struct tlspair pair;
        int r = XMPP_OK;

        open_pair(&pair, NULL, CUT_NONE);
        assert_int_equal(encode(&pair), XMPP_OK);
        assert_true(buf_len(&pair.wire_out) > 100); /* ClientHello */
        for (size_t pos = 0; pos < len && r == XMPP_OK; pos += i ? 1 : len) {
            put(&pair.wire_in, (const char *)data + pos, i ? 1 : len);
            r = decode(&pair);
        }
        assert_int_equal(r, code);
        check_error(&pair, code, 0, XMPP_PHASE_SECURING, words);
        tlspair_free(&pair);
    }
}

static void test_tls_plain_text(void **state)
{
    static const char xml[] = "<?xml version='1.0'?><stream:stream>";
    static const char garbage[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09";
    static const char bad_record[] = "\x16\x47\xff\xff\xff\xff\xff\xff\xff";
    static const char bad_length[] = "\x16\x03\x03\xff\xff\x02\x00\x00\x00";

    (void)state;
    check_answer(xml, sizeof(xml) - 1, XMPP_ERR_TLS,
                 "peer does not speak TLS: plain text received (\"<");
    check_answer("HTTP/1.1 400 Bad Request\r\n\r\n", 28, XMPP_ERR_TLS, "does not speak TLS");
    check_answer("+", 1, XMPP_ERR_TLS, "plain text received (\"+\")");
    check_answer(garbage, sizeof(garbage) - 1, XMPP_ERR_TLS,
                 "peer does not speak TLS: unknown bytes received");
    check_answer(bad_record, sizeof(bad_record) - 1, XMPP_ERR_TLS, "does not speak TLS");
    check_answer(bad_length, sizeof(bad_length) - 1, XMPP_ERR_TLS, "TLS handshake failed: ");
}

static void test_tls_alerts(void **state)
{
    static const struct {
        unsigned char alert;
        const char *words;
    } table[] = {
        {GNUTLS_A_UNRECOGNIZED_NAME,
         "server a.example sent the TLS alert unrecognized_name: it does not serve this domain"},
        {GNUTLS_A_PROTOCOL_VERSION, "protocol_version: no common TLS version"},
        {GNUTLS_A_HANDSHAKE_FAILURE, "handshake_failure: no common cipher suite"},
        {GNUTLS_A_NO_APPLICATION_PROTOCOL, "no_application_protocol: it does not speak XMPP"},
        {GNUTLS_A_UNKNOWN_CA, "unknown_ca: it does not accept our client certificate"},
        {GNUTLS_A_INTERNAL_ERROR, "internal_error"},
        {199, "alert 199"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char record[] = {0x15, 3, 3, 0, 2, 2, (char)table[i].alert};

        check_answer(record, sizeof(record), XMPP_ERR_TLS, table[i].words);
    }
}

/* TLS-09, TLS-11 */
static void check_refused(const struct tlspeer_options *options, const char *words)
{
    struct tlspair pair;

    open_pair(&pair, options, CUT_NONE);
    assert_int_equal(tlspair_run(&pair), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, 0, XMPP_PHASE_SECURING, words);
    tlspair_free(&pair);
}

static unsigned get16(const uint8_t **pos)
{
    unsigned value = (unsigned)(*pos)[0] << 8 | (*pos)[1];

    *pos += 2;
    return value;
}

/* TLS 1.3; for TLS 1.2 an ephemeral key exchange with GCM, CCM or ChaCha20-Poly1305 */
static bool is_good_suite(unsigned suite)
{
    static const unsigned good[] = {0x009E, 0x009F, 0xC02B, 0xC02C, 0xC02F, 0xC030, 0xC09E, 0xC09F,
                                    0xC0A2, 0xC0A3, 0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xC07C, 0xC07D,
                                    0xC086, 0xC087, 0xC08A, 0xC08B, 0xCCA8, 0xCCA9, 0xCCAA, 0x1301,
                                    0x1302, 0x1303, 0x1304, 0x1305, 0x00FF /* says that we are up to date */};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (good[i] == suite)
            return true;
    return false;
}

static void check_hello_extension(unsigned type, const uint8_t *data, unsigned *versions)
{
    assert_int_not_equal(type, 35); /* TLS-13: session tickets */
    assert_int_not_equal(type, 41); /* TLS-13: a session to resume */
    assert_int_not_equal(type, 42); /* TLS-12: early data */
    if (type != 43)
        return;
    /* TLS-09 */
    for (unsigned left = *data++; left > 0; left -= 2) {
        unsigned version = get16(&data);
        assert_true(version == 0x0304 || version == 0x0303);
        ++*versions;
    }
}

/* What is not offered cannot be negotiated. */
static void test_tls_client_hello(void **state)
{
    struct tlspair pair;
    const uint8_t *pos;
    const uint8_t *end;
    unsigned versions = 0;

    (void)state;
    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(encode(&pair), XMPP_OK);
    pos = buf_peek(&pair.wire_out);
    assert_int_equal(pos[0], 22); /* handshake */
    assert_int_equal(pos[5], 1); /* ClientHello */
    pos += 5 + 4 + 2 + 32;
    pos += 1 + *pos; /* an id that is made up: RFC 8446 D.4 */
    for (unsigned left = get16(&pos); left > 0; left -= 2) {
        unsigned suite = get16(&pos);
        if (!is_good_suite(suite))
            fail_msg("suite %04X", suite); /* TLS-11 */
    }
    assert_int_equal(get16(&pos), 0x0100); /* TLS-10: one method of compression, which is none */
    unsigned len = get16(&pos);
    for (end = pos + len; pos < end;) {
        unsigned type = get16(&pos);
        unsigned size = get16(&pos);
        check_hello_extension(type, pos, &versions);
        pos += size;
    }
    assert_ptr_equal(pos, end);
    assert_int_equal(versions, 2);
    assert_ptr_equal(pos, buf_peek(&pair.wire_out) + buf_len(&pair.wire_out));
    tlspair_free(&pair);
}

static void test_tls_no_common_ground(void **state)
{
    static const struct tlspeer_options tls11 = {.version = 11};
    static const struct tlspeer_options cbc = {
        .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC"};
    static const struct tlspeer_options alpn = {.alpn = "h2"};
    /* a ServerHello of TLS 1.1 in a record of 1.1 */
    static const unsigned char hello[] = {0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2, 1, 2,    3, 4, 5,
                                          6,    7, 8, 9, 1,  2, 3, 4, 5,  6, 7, 8, 9,    1, 2, 3,
                                          4,    5, 6, 7, 8,  9, 1, 2, 3,  4, 0, 0, 0x2f, 0, 0};

    (void)state;
    check_refused(&tls11, "TLS version");
    check_refused(&cbc, "no common cipher suite");
    check_refused(&alpn, "no_application_protocol");
    check_answer(hello, sizeof(hello), XMPP_ERR_TLS,
                 "no common TLS version: server speaks at most TLS 1.1");
}

/* SEC-16: a server that answers every flight with something harmless */
static void test_tls_endless_handshake(void **state)
{
    static const unsigned char hello_request[] = {0x16, 3, 3, 0, 4, 0, 0, 0, 0};
    static const unsigned char warning[] = {0x15, 3, 3, 0, 2, 1, 112};
    static const struct {
        const unsigned char *data;
        size_t len;
    } table[] = {{hello_request, sizeof(hello_request)}, {warning, sizeof(warning)}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tlspair pair;
        size_t total = 0;
        int r = XMPP_OK;

        open_pair(&pair, NULL, CUT_NONE);
        assert_int_equal(encode(&pair), XMPP_OK);
        while (r == XMPP_OK && total < 2 * LIMIT_TLS_HANDSHAKE_BYTES) {
            for (int n = 0; n < 1000; n++, total += table[i].len)
                put(&pair.wire_in, table[i].data, table[i].len);
            r = decode(&pair);
            assert_int_equal(encode(&pair), r);
        }
        assert_true(r < 0);
        assert_true(total <= LIMIT_TLS_HANDSHAKE_BYTES + 20000);
        assert_int_equal(tls_get_state(pair.tls), TLS_FAILED);
        assert_true(buf_len(&pair.wire_out) < 4096);
        tlspair_free(&pair);
    }
}

/* Whatever is changed in the server's messages, the codec fails or waits; it neither breaks nor gives data. */
/* SEC-16: one message of 16 MiB, in good records */
static void test_tls_giant_handshake_message(void **state)
{
    static unsigned char record[5 + 16384] = {0x16, 3, 3, 0x40, 0, 2, 0xFF, 0xFF, 0xFF};
    struct tlspair pair;
    size_t total = 0;
    int r = XMPP_OK;

    (void)state;
    open_pair(&pair, NULL, CUT_NONE);
    assert_int_equal(encode(&pair), XMPP_OK);
    while (r == XMPP_OK && total < 2 * LIMIT_TLS_HANDSHAKE_BYTES) {
        put(&pair.wire_in, record, sizeof(record));
        total += sizeof(record);
        r = decode(&pair);
        memset(record + 5, 0, 4);
    }
    assert_int_equal(r, XMPP_ERR_LIMIT);
    assert_true(total <= LIMIT_TLS_HANDSHAKE_BYTES + sizeof(record));
    tlspair_free(&pair);
}

static void test_tls_altered_handshake(void **state)
{
    unsigned seed = 3;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct tlspeer_options options = {.version = 12 + i % 2};
        struct tlspair pair;
        char wire[8192];
        size_t len;

        open_pair(&pair, &options, CUT_NONE);
        assert_int_equal(encode(&pair), XMPP_OK);
        deliver(&pair);
        len = tlspeer_take(pair.peer, wire, sizeof(wire));
        assert_true(len > 100);
        for (int n = rand_r(&seed) % 3; n >= 0; n--)
            wire[(size_t)rand_r(&seed) % len] ^= (char)(1 << rand_r(&seed) % 8);
        put(&pair.wire_in, wire, len);
        if (decode(&pair) == XMPP_OK && encode(&pair) == XMPP_OK)
            (void)tlspair_run(&pair);
        assert_int_equal(buf_len(&pair.app_out), 0);
        assert_int_not_equal(tls_get_state(pair.tls), TLS_OPEN);
        tlspair_free(&pair);
    }
}

static void test_tls_altered_record(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++) {
        struct tlspeer_options options = {.version = version};
        struct tlspair pair;
        char wire[256];
        size_t len;

        secure_pair(&pair, &options, CUT_NONE);
        assert_int_equal(tlspeer_write(pair.peer, "data", 4), 0);
        len = tlspeer_take(pair.peer, wire, sizeof(wire));
        wire[len - 1] ^= 1;
        put(&pair.wire_in, wire, len);
        assert_int_equal(decode(&pair), XMPP_ERR_TLS);
        assert_int_equal(buf_len(&pair.app_out), 0);
        (void)encode(&pair);
        deliver(&pair);
        assert_int_equal(tlspeer_alert(pair.peer), GNUTLS_A_BAD_RECORD_MAC);
        check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_DECRYPTION_FAILED, XMPP_PHASE_NONE,
                    "altered or is corrupt");
        tlspair_free(&pair);
    }
}

/* An alert in the middle of the session; TLS 1.3 knows no warnings. */
static void test_tls_alert_while_open(void **state)
{
    struct tlspeer_options options = {.version = 12};
    struct tlspair pair;

    (void)state;
    secure_pair(&pair, &options, CUT_NONE);
    assert_int_equal(tlspeer_send_alert(pair.peer, false, GNUTLS_A_USER_CANCELED), 0);
    assert_int_equal(tlspeer_write(pair.peer, "x", 1), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    check_received(&pair, "x", 1);
    assert_int_equal(tlspeer_send_alert(pair.peer, true, GNUTLS_A_INTERNAL_ERROR), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_ERR_TLS);
    check_error(&pair, XMPP_ERR_TLS, GNUTLS_E_FATAL_ALERT_RECEIVED, XMPP_PHASE_NONE,
                "internal_error");
    tlspair_free(&pair);
}

/* --- control messages --- */

/* Tickets and key updates answer GNUTLS_E_AGAIN although data waits behind them. */
static void test_tls_data_behind_tickets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct tlspeer_options options = {.version = 13, .tickets = true};
        struct tlspair pair;

        secure_pair(&pair, &options, cuts[i]);
        assert_int_equal(tlspeer_send_tickets(pair.peer, 4), 0);
        assert_int_equal(tlspeer_key_update(pair.peer, true), 0);
        assert_int_equal(tlspeer_write(pair.peer, "behind", 6), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_received(&pair, "behind", 6);
        put(&pair.app_in, "after", 5);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_sent(&pair, "after", 5);
        tlspair_free(&pair);
    }
}

static void test_tls_endless_tickets(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct tlspeer_options options = {.version = 13, .tickets = true};
        struct tlspair pair;

        (void)state;
        secure_pair(&pair, &options, cuts[i]);
        assert_int_equal(tlspeer_send_tickets(pair.peer, 64), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        /* data begins a new count */
        assert_int_equal(tlspeer_write(pair.peer, "x", 1), 0);
        assert_int_equal(tlspeer_send_tickets(pair.peer, 64), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        assert_int_equal(tlspeer_send_tickets(pair.peer, 1), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_ERR_LIMIT);
        check_error(&pair, XMPP_ERR_LIMIT, 0, XMPP_PHASE_NONE,
                    "more than 64 TLS control messages in a row");
        tlspair_free(&pair);
    }
}

static void test_tls_endless_key_updates(void **state)
{
    struct tlspeer_options options = {.version = 13};
    struct tlspair pair;
    int r = XMPP_OK;
    int count = 0;

    (void)state;
    secure_pair(&pair, &options, CUT_NONE);
    for (; count < 1000 && r == XMPP_OK; count++) {
        if (tlspeer_key_update(pair.peer, true) < 0)
            break;
        r = tlspair_run(&pair);
    }
    assert_int_equal(r, XMPP_ERR_LIMIT);
    assert_true(count < 100);
    check_error(&pair, XMPP_ERR_LIMIT, 0, XMPP_PHASE_NONE, "faster than GnuTLS allows");
    tlspair_free(&pair);
}

/* Records that carry only padding (RFC 8446 5.4) cost their sender more than us; data behind them arrives. */
static void test_tls_empty_records(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct tlspeer_options options = {.version = 13};
        struct tlspair pair;
        size_t before;

        (void)state;
        secure_pair(&pair, &options, cuts[i]);
        buf_clear(&pair.app_out);
        before = torture_live_blocks();
        for (int n = 0; n < 1000; n++)
            assert_int_equal(gnutls_record_send2(tlspeer_session(pair.peer), "", 0, 1, 0), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        assert_int_equal(tls_get_state(pair.tls), TLS_OPEN);
        assert_int_equal(buf_len(&pair.app_out), 0);
        buf_clear(&pair.app_out);
        assert_int_equal(torture_live_blocks(), before);
        assert_int_equal(tlspeer_write(pair.peer, "behind", 6), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_received(&pair, "behind", 6);
        tlspair_free(&pair);
    }
}

/* TLS-10 */
static void test_tls_renegotiation_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct tlspeer_options options = {.version = 12};
        struct tlspair pair;
        int r = XMPP_OK;
        unsigned count = 0;

        secure_pair(&pair, &options, cuts[i]);
        assert_int_equal(tlspeer_hello_request(pair.peer), 0);
        assert_int_equal(tlspeer_write(pair.peer, "on", 2), 0);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_received(&pair, "on", 2);
        assert_int_equal(tlspeer_refusals(pair.peer), 1);
        put(&pair.app_in, "too", 3);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        check_sent(&pair, "too", 3);

        for (; r == XMPP_OK && count < 1000; count++) {
            assert_int_equal(tlspeer_hello_request(pair.peer), 0);
            r = tlspair_run(&pair);
        }
        assert_int_equal(r, XMPP_ERR_LIMIT);
        assert_int_equal(count, 65);
        check_error(&pair, XMPP_ERR_LIMIT, 0, XMPP_PHASE_NONE,
                    "more than 64 TLS control messages in a row");
        tlspair_free(&pair);
    }
}

/* The server asks for answers and does not take them; data in between begins the count anew each time. */
static void test_tls_untaken_answers(void **state)
{
    struct tlspeer_options options = {.version = 12};
    struct tlspair pair;
    int r = XMPP_OK;

    (void)state;
    secure_pair(&pair, &options, CUT_NONE);
    pair.wire_out.limit = 0;
    for (unsigned i = 0; r == XMPP_OK && i < 10000; i++) {
        assert_int_equal(tlspeer_hello_request(pair.peer), 0);
        assert_int_equal(tlspeer_write(pair.peer, "x", 1), 0);
        r = tlspair_run(&pair);
    }
    assert_int_equal(r, XMPP_ERR_LIMIT);
    check_error(&pair, XMPP_ERR_LIMIT, 0, XMPP_PHASE_NONE,
                "more than 65536 bytes of TLS control messages for the peer wait");
    tlspair_free(&pair);
}

/* --- memory --- */

static size_t memory_in_use(void)
{
    return mallinfo2().uordblks;
}

/* A whole idle connection shall take 32 KiB at most; GnuTLS' session is a third of it. */
static void test_tls_idle_memory(void **state)
{
    enum { COUNT = 16 };
    static struct tlspair pairs[COUNT];
    struct tls_creds *creds;
    size_t before;
    size_t after;
    size_t used;

    (void)state;
    assert_int_equal(tls_creds_get(&creds, certs_crt_path("ca"), NULL, NULL, NULL), XMPP_OK);
    for (int i = 0; i < COUNT; i++) {
        open_pair(&pairs[i], NULL, CUT_NONE);
        assert_int_equal(tlspair_secure(&pairs[i], 0), XMPP_OK);
        put(&pairs[i].app_in, "data", 4);
        assert_int_equal(tlspeer_write(pairs[i].peer, "data", 4), 0);
        assert_int_equal(tlspair_run(&pairs[i]), XMPP_OK);
        buf_clear(&pairs[i].wire_in);
        buf_clear(&pairs[i].wire_out);
        buf_clear(&pairs[i].app_in);
        buf_clear(&pairs[i].app_out);
        pairs[i].peer = tlspeer_free(pairs[i].peer);
    }
    before = memory_in_use();
    for (int i = 0; i < COUNT; i++)
        tlspair_free(&pairs[i]);
    after = memory_in_use();
    used = (before - after) / COUNT;
    print_message("an idle TLS session takes %zu bytes\n", used);
    /* sanitizers and valgrind bring their own allocator, which does not count */
    assert_true(before == after || used < 12 * 1024);
    tls_creds_unref(creds);
}

static int session_scenario(void *user_data)
{
    struct tlspair pair;
    xmpp_error *error;
    int r = tlspair_open(&pair, NULL, "alice", NULL, user_data, CUT_RANDOM);

    if (r == XMPP_OK)
        r = tlspair_secure(&pair, 0);
    if (r == XMPP_OK)
        r = buf_append(&pair.app_in, "<a/>", 4);
    if (r == XMPP_OK && (tlspeer_write(pair.peer, "<b/>", 4) < 0 || tlspeer_close(pair.peer) < 0))
        r = XMPP_ERR_TLS;
    if (r == XMPP_OK)
        r = tlspair_run(&pair);
    if (r == XMPP_OK)
        r = close_codec(&pair);
    if (r == XMPP_OK)
        r = tls_eof(pair.tls);
    if (pair.tls && tls_get_state(pair.tls) == TLS_FAILED) {
        error = tls_get_error(pair.tls);
        assert_non_null(error);
        assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_NOMEM);
        xmpp_error_unref(error);
    }
    tlspair_free(&pair);
    return r;
}

static int failing_scenario(void *user_data)
{
    struct tlspair pair;
    int r = tlspair_open(&pair, NULL, NULL, NULL, user_data, CUT_NONE);

    if (r == XMPP_OK)
        r = tlspair_run(&pair);
    tlspair_free(&pair);
    return r == XMPP_ERR_TLS ? XMPP_OK : r;
}

static void test_tls_out_of_memory(void **state)
{
    (void)state;
    for (int version = 12; version <= 13; version++) {
        struct tlspeer_options options = {.version = version, .require_cert = true};

        assert_int_equal(torture_run(session_scenario, &options), XMPP_OK);
    }
    assert_int_equal(torture_run(failing_scenario, &(struct tlspeer_options){.alpn = "h2"}),
                     XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_session),
        cmocka_unit_test(test_tls_create_invalid),
        cmocka_unit_test(test_tls_accept_gates_data),
        cmocka_unit_test(test_tls_sni_and_alpn),
        cmocka_unit_test(test_tls_get_binding),
        cmocka_unit_test(test_tls_client_certificate),
        cmocka_unit_test(test_tls_client_certificate_missing),
        cmocka_unit_test(test_tls_much_data),
        cmocka_unit_test(test_tls_full_buffers),
        cmocka_unit_test(test_tls_narrow_wire),
        cmocka_unit_test(test_tls_small_writes_share_a_record),
        cmocka_unit_test(test_tls_close_notify),
        cmocka_unit_test(test_tls_close_first),
        cmocka_unit_test(test_tls_close_rejects),
        cmocka_unit_test(test_tls_close_early),
        cmocka_unit_test(test_tls_eof_is_truncation),
        cmocka_unit_test(test_tls_plain_text),
        cmocka_unit_test(test_tls_alerts),
        cmocka_unit_test(test_tls_client_hello),
        cmocka_unit_test(test_tls_no_common_ground),
        cmocka_unit_test(test_tls_endless_handshake),
        cmocka_unit_test(test_tls_giant_handshake_message),
        cmocka_unit_test(test_tls_altered_handshake),
        cmocka_unit_test(test_tls_altered_record),
        cmocka_unit_test(test_tls_alert_while_open),
        cmocka_unit_test(test_tls_data_behind_tickets),
        cmocka_unit_test(test_tls_endless_tickets),
        cmocka_unit_test(test_tls_endless_key_updates),
        cmocka_unit_test(test_tls_empty_records),
        cmocka_unit_test(test_tls_renegotiation_refused),
        cmocka_unit_test(test_tls_untaken_answers),
        cmocka_unit_test(test_tls_idle_memory),
        cmocka_unit_test(test_tls_out_of_memory),
    };
    int r;

    torture_install();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    certs_free();
    return r;
}
