#include "codec/verify.h"

#include "base/str.h"
#include "codec/tls.h"
#include "support/certs.h"
#include "support/tlspair.h"
#include "support/torture.h"

#include <xmpp/client.h>

#include <gnutls/abstract.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct verify_name a_example = {"a.example", "a.example", false};

static bool matches(const char *cert, const char *ascii, const char *unicode, bool is_ip,
                    char *matched, size_t size)
{
    struct verify_name name = {ascii, unicode ? unicode : ascii, is_ip};

    matched[0] = '\0';
    return verify_name_matches(certs_leaf(cert), &name, matched, size);
}

static void check_match(const char *cert, const char *ascii, const char *unicode, bool is_ip,
                        const char *want)
{
    char matched[128];

    if (!matches(cert, ascii, unicode, is_ip, matched, sizeof(matched)))
        fail_msg("%s does not match %s", cert, ascii);
    assert_string_equal(matched, want);
}

static void check_mismatch(const char *cert, const char *ascii, const char *unicode, bool is_ip)
{
    char matched[128];

    if (matches(cert, ascii, unicode, is_ip, matched, sizeof(matched)))
        fail_msg("%s matches %s", cert, ascii);
    assert_string_equal(matched, "");
}

static void test_verify_name_matches_dns(void **state)
{
    (void)state;
    check_match("good", "a.example", NULL, false, "DNS name a.example"); /* CERT-02 */
    check_match("good", "A.eXample", NULL, false, "DNS name A.eXample");
    check_match("many", "a.example", NULL, false, "DNS name a.example");
    check_mismatch("good", "b.a.example", NULL, false);
    check_mismatch("good", "a.exampl", NULL, false);
    check_mismatch("good", "a.example2", NULL, false);
    check_mismatch("good", "example", NULL, false);
    check_mismatch("good", "", NULL, false);
    check_mismatch("wrong-name", "a.example", NULL, false);
    assert_true(verify_name_matches(certs_leaf("good"), &a_example, NULL, 0));
}

static void test_verify_name_matches_wildcard(void **state)
{
    (void)state;
    /* CERT-06: the whole left-most label, exactly one */
    check_match("wildcard", "x.wild.example", NULL, false, "DNS name *.wild.example");
    check_match("wildcard", "X.WILD.example", NULL, false, "DNS name *.WILD.example");
    check_mismatch("wildcard", "wild.example", NULL, false);
    check_mismatch("wildcard", ".wild.example", NULL, false);
    check_mismatch("wildcard", "y.x.wild.example", NULL, false);
    check_mismatch("wildcard", "x.example", NULL, false);
    check_mismatch("wild-partial", "bx.wild.example", NULL, false);
    check_mismatch("wild-partial", "b.wild.example", NULL, false);
    check_mismatch("wild-srv", "x.wild.example", NULL, false);
}

static void test_verify_name_matches_srv(void **state)
{
    (void)state;
    check_match("srv", "a.example", NULL, false, "SRV name _xmpp-client.a.example"); /* CERT-03 */
    check_mismatch("srv", "b.example", NULL, false);
    check_mismatch("srv", "example", NULL, false);
    check_mismatch("srv-server", "a.example", NULL, false); /* CERT-05 */
}

static void test_verify_name_matches_xmpp_address(void **state)
{
    static const char unicode[] = "b\xc3\xbc"
                                  "cher.example";

    (void)state;
    /* CERT-04 */
    check_match("xmpp-addr", "a.example", NULL, false, "XMPP address a.example");
    check_match("idn-xmpp-addr", "xn--bcher-kva.example", unicode, false,
                "XMPP address xn--bcher-kva.example");
    check_mismatch("idn-xmpp-addr", "bcher.example", NULL, false);
    check_mismatch("xmpp-addr", "b.example", NULL, false);
    check_mismatch("alice", "a.example", NULL, false);
    check_match("idn", "xn--bcher-kva.example", unicode, false, "DNS name xn--bcher-kva.example");
}

static void test_verify_name_matches_address(void **state)
{
    (void)state;
    check_match("ip", "127.0.0.1", NULL, true, "IP address 127.0.0.1");
    check_match("ip", "::1", NULL, true, "IP address ::1");
    check_match("ip", "0:0:0:0:0:0:0:1", NULL, true, "IP address 0:0:0:0:0:0:0:1");
    check_mismatch("ip", "127.0.0.2", NULL, true);
    check_mismatch("ip", "::2", NULL, true);
    check_mismatch("ip", "127.0.0.1", NULL, false); /* a name that looks like an address */
    check_mismatch("ip", "a.example", NULL, true);
    check_mismatch("good", "a.example", NULL, true);
}

static void test_verify_name_matches_neither_cn_nor_nul(void **state)
{
    (void)state;
    check_mismatch("cn-only", "a.example", NULL, false); /* CERT-07 */
    check_mismatch("nul", "a.example", NULL, false); /* CERT-08 */
    check_mismatch("nul", "a.example.evil.example", NULL, false);
}

/* --- whole sessions --- */

static void check_session(const char *cert, const char *domain, bool is_ip, int problems,
                          const char *words, const char *verdict)
{
    struct tls_options options = {.domain = domain, .is_ip = is_ip};

    for (int version = 12; version <= 13; version++) {
        struct tlspeer_options peer_options = {.cert = cert, .version = version};
        struct tlspair pair;

        assert_int_equal(tlspair_open(&pair, NULL, NULL, &options, &peer_options, CUT_NONE),
                         XMPP_OK);
        assert_int_equal(tlspair_run(&pair), XMPP_OK);
        assert_int_equal(tls_get_state(pair.tls), TLS_VERIFY);
        if (tls_get_problems(pair.tls) != problems)
            fail_msg("%s: problems %d, not %d: %s", cert, tls_get_problems(pair.tls), problems,
                     tls_get_verdict(pair.tls));
        if (words && !strstr(tls_get_verdict(pair.tls), words))
            fail_msg("%s: verdict is \"%s\", no \"%s\"", cert, tls_get_verdict(pair.tls), words);
        if (verdict)
            assert_string_equal(tls_get_verdict(pair.tls), verdict);
        tlspair_free(&pair);
    }
}

static void test_verify_session_trusted(void **state)
{
    (void)state;
    check_session("good", "a.example", false, 0, NULL, "trusted, DNS name a.example");
    check_session("srv", "a.example", false, 0, NULL, "trusted, SRV name _xmpp-client.a.example");
    check_session("xmpp-addr", "a.example", false, 0, NULL, "trusted, XMPP address a.example");
    check_session("wildcard", "x.wild.example", false, 0, NULL, "trusted, DNS name *.wild.example");
    check_session("ip", "127.0.0.1", true, 0, NULL, "trusted, IP address 127.0.0.1");
    check_session("chain", "a.example", false, 0, NULL, "trusted, DNS name a.example");
    check_session("many", "a.example", false, 0, NULL, "trusted, DNS name a.example");
}

static void test_verify_session_dates(void **state)
{
    (void)state;
    check_session("expired", "a.example", false, XMPP_CERT_EXPIRED, NULL, "expired 2020-02-01");
    check_session("future", "a.example", false, XMPP_CERT_NOT_YET_VALID, "not valid before 20",
                  NULL);
    check_session("self-expired", "a.example", false, XMPP_CERT_EXPIRED | XMPP_CERT_BAD_CHAIN, NULL,
                  "self-signed; expired 2020-02-01");
    /* the leaf is fresh, but not who speaks for it */
    check_session("chain-expired", "a.example", false, XMPP_CERT_EXPIRED, NULL,
                  "a certificate of its chain has expired");
    check_session("chain-future", "a.example", false, XMPP_CERT_NOT_YET_VALID, NULL,
                  "a certificate of its chain is not yet valid");
}

static void test_verify_session_chain(void **state)
{
    (void)state;
    /* CERT-01 */
    check_session("self-signed", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL, "self-signed");
    check_session("untrusted", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL,
                  "issuer not trusted: CN=other-ca");
    check_session("chain-broken", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL,
                  "issuer not trusted: CN=middle-ca");
    check_session("odd-issuer", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL,
                  "issuer not trusted: CN=b??cher");
    check_session("not-ca", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL, NULL);
    check_session("client-only", "a.example", false, XMPP_CERT_BAD_CHAIN, NULL,
                  "not meant for TLS servers");
    check_session("weak", "a.example", false, XMPP_CERT_WEAK, "weak", NULL);
}

/* CERT-01: a chain that cannot be read is not verified by leaving out what cannot be read. */
static void test_verify_session_garbage_in_chain(void **state)
{
    static unsigned char garbage[] = "no certificate";
    gnutls_certificate_credentials_t creds;
    gnutls_datum_t pem = {(unsigned char *)(uintptr_t)certs_chain_pem("good"), 0};
    gnutls_datum_t key_pem = {(unsigned char *)(uintptr_t)certs_key_pem("good"), 0};
    gnutls_pcert_st chain[2];
    gnutls_privkey_t key;
    struct tlspair pair;

    (void)state;
    pem.size = (unsigned)strlen((char *)pem.data);
    key_pem.size = (unsigned)strlen((char *)key_pem.data);
    assert_int_equal(gnutls_certificate_allocate_credentials(&creds), 0);
    assert_int_equal(gnutls_pcert_import_x509_raw(&chain[0], &pem, GNUTLS_X509_FMT_PEM, 0), 0);
    chain[1] = (gnutls_pcert_st){.type = GNUTLS_CRT_X509, .cert = {.size = sizeof garbage}};
    chain[1].cert.data = gnutls_malloc(sizeof garbage);
    assert_non_null(chain[1].cert.data);
    memcpy(chain[1].cert.data, garbage, sizeof garbage);
    assert_int_equal(gnutls_privkey_init(&key), 0);
    assert_int_equal(gnutls_privkey_import_x509_raw(key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0),
                     0);
    assert_int_equal(gnutls_certificate_set_key(creds, NULL, 0, chain, 2, key), 0);

    assert_int_equal(tlspair_open(&pair, NULL, NULL, NULL, NULL, CUT_NONE), XMPP_OK);
    assert_int_equal(
        gnutls_credentials_set(tlspeer_session(pair.peer), GNUTLS_CRD_CERTIFICATE, creds), 0);
    assert_int_equal(tlspair_run(&pair), XMPP_ERR_TLS);
    assert_int_equal(tls_get_state(pair.tls), TLS_FAILED);
    assert_int_equal(tls_accept(pair.tls), XMPP_ERR_STATE);
    xmpp_error *error = tls_get_error(pair.tls);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_SECURING);
    assert_non_null(strstr(xmpp_error_get_text(error), "certificate"));
    xmpp_error_unref(error);
    tlspair_free(&pair);
    gnutls_certificate_free_credentials(creds);
}

static void test_verify_session_name(void **state)
{
    (void)state;
    check_session("wrong-name", "a.example", false, XMPP_CERT_WRONG_NAME, NULL,
                  "not for a.example but for DNS name wrong.example");
    check_session("srv-server", "a.example", false, XMPP_CERT_WRONG_NAME, NULL,
                  "not for a.example (it has no DNS name)");
    check_session("cn-only", "a.example", false, XMPP_CERT_WRONG_NAME, NULL, NULL);
    check_session("nul", "a.example", false, XMPP_CERT_WRONG_NAME, NULL, NULL);
    check_session("wildcard", "y.x.wild.example", false, XMPP_CERT_WRONG_NAME, NULL,
                  "not for y.x.wild.example but for DNS name *.wild.example");
    check_session("many", "b.example", false, XMPP_CERT_WRONG_NAME, NULL,
                  "not for b.example but for DNS name n0.example, n1.example, n2.example, "
                  "n3.example");
    check_session("self-signed", "b.example", false, XMPP_CERT_WRONG_NAME | XMPP_CERT_BAD_CHAIN,
                  NULL, "self-signed; not for b.example but for DNS name a.example");
}

static void test_verify_session_staple(void **state)
{
    (void)state;
    /* CERT-12 */
    check_session("staple", "a.example", false, 0, NULL, "trusted, DNS name a.example");
    check_session("revoked", "a.example", false, XMPP_CERT_REVOKED, NULL, "revoked");
}

static void test_verify_session_trusted_self_signed(void **state)
{
    struct tlspeer_options peer_options = {.cert = "self-signed"};
    struct tlspair pair;

    (void)state;
    assert_int_equal(tlspair_open(&pair, "self-signed", NULL, NULL, &peer_options, CUT_NONE),
                     XMPP_OK);
    assert_int_equal(tlspair_secure(&pair, 0), XMPP_OK);
    tlspair_free(&pair);
}

static void test_verify_session_long_verdict(void **state)
{
    struct tlspeer_options peer_options = {.cert = "self-expired"};
    struct verify_name name = {"b.example", "b.example", false};
    struct tlspair pair;
    char verdict[12];
    char tiny[1];

    (void)state;
    assert_int_equal(tlspair_open(&pair, NULL, NULL, NULL, &peer_options, CUT_NONE), XMPP_OK);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    /* the server's session has no certificate of a peer */
    assert_int_equal(verify_session(tlspeer_session(pair.peer), &name, verdict, sizeof(verdict)),
                     XMPP_ERR_TLS);
    assert_string_equal(verdict, "certificate");
    assert_int_equal(verify_session(tlspeer_session(pair.peer), &name, tiny, sizeof(tiny)),
                     XMPP_ERR_TLS);
    tlspair_free(&pair);
}

static void check_text(const char *cert, const char *const *lines)
{
    struct tlspeer_options peer_options = {.cert = cert};
    struct tlspair pair;
    const char *text;

    assert_int_equal(tlspair_open(&pair, NULL, NULL, NULL, &peer_options, CUT_NONE), XMPP_OK);
    assert_null(tls_get_cert_text(pair.tls));
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    text = tls_get_cert_text(pair.tls);
    assert_non_null(text);
    assert_ptr_equal(tls_get_cert_text(pair.tls), text);
    for (; *lines; lines++)
        if (!strstr(text, *lines))
            fail_msg("no \"%s\" in:\n%s", *lines, text);
    tlspair_free(&pair);
}

static void test_verify_describe(void **state)
{
    static const char *const expired[] = {"Subject: CN=expired\n",
                                          "Issuer: CN=ca\n",
                                          "Valid from: 2020-01-01 00:00:00 UTC\n",
                                          "Valid until: 2020-02-01 00:00:00 UTC\n",
                                          "DNS name: a.example\n",
                                          "SHA-256: ",
                                          NULL};
    static const char *const ip[] = {"IP address: 127.0.0.1\n", "IP address: ::1\n", NULL};
    static const char *const srv[] = {"SRV name: _xmpp-client.a.example\n", NULL};
    static const char *const idn[] = {"XMPP address: b\xc3\xbc"
                                      "cher.example\n",
                                      NULL};
    static const char *const nul[] = {"DNS name: a.example?.evil.example\n", NULL};
    static const char *const deceptive[] = {"XMPP address: a?b?c?\xc3\xa9\n", NULL};
    static const char *const many[] = {"DNS name: n0.example\n", "SHA-256: ", NULL};

    (void)state;
    check_text("expired", expired);
    check_text("ip", ip);
    check_text("srv", srv);
    check_text("idn-xmpp-addr", idn);
    check_text("nul", nul);
    check_text("deceptive", deceptive);
    check_text("many", many);
}

static void test_verify_describe_fingerprint(void **state)
{
    struct tlspair pair;
    gnutls_datum_t datum;
    uint8_t digest[32];
    size_t len = sizeof(digest);
    const uint8_t *der;
    char want[128] = "SHA-256: ";

    (void)state;
    assert_int_equal(tlspair_open(&pair, NULL, NULL, NULL, NULL, CUT_NONE), XMPP_OK);
    assert_int_equal(tlspair_run(&pair), XMPP_OK);
    assert_int_equal(tls_get_cert_der(pair.tls, 0, &der, &len), XMPP_OK);
    datum.data = (unsigned char *)(uintptr_t)der;
    datum.size = (unsigned)len;
    len = sizeof(digest);
    assert_int_equal(gnutls_fingerprint(GNUTLS_DIG_SHA256, &datum, digest, &len), 0);
    for (size_t i = 0; i < len; i++)
        snprintf(want + 9 + 3 * i, 4, "%02X%c", digest[i], i < 31 ? ':' : '\n');
    assert_true(str_ends(tls_get_cert_text(pair.tls), want));
    tlspair_free(&pair);
}

/* tls_get_cert_text() keeps what it made, so each run needs a new session. */
static int describe_scenario(void *user_data)
{
    struct tlspair pair;
    int r = tlspair_open(&pair, NULL, NULL, NULL, user_data, CUT_NONE);

    if (r == XMPP_OK)
        r = tlspair_run(&pair);
    if (r == XMPP_OK && !tls_get_cert_text(pair.tls))
        r = XMPP_ERR_NOMEM;
    tlspair_free(&pair);
    return r;
}

static void test_verify_out_of_memory(void **state)
{
    struct tlspeer_options peer_options = {.cert = "ip"};

    (void)state;
    (void)certs_crt_path("ca");
    assert_int_equal(torture_run(describe_scenario, &peer_options), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_name_matches_dns),
        cmocka_unit_test(test_verify_name_matches_wildcard),
        cmocka_unit_test(test_verify_name_matches_srv),
        cmocka_unit_test(test_verify_name_matches_xmpp_address),
        cmocka_unit_test(test_verify_name_matches_address),
        cmocka_unit_test(test_verify_name_matches_neither_cn_nor_nul),
        cmocka_unit_test(test_verify_session_trusted),
        cmocka_unit_test(test_verify_session_dates),
        cmocka_unit_test(test_verify_session_chain),
        cmocka_unit_test(test_verify_session_garbage_in_chain),
        cmocka_unit_test(test_verify_session_name),
        cmocka_unit_test(test_verify_session_staple),
        cmocka_unit_test(test_verify_session_trusted_self_signed),
        cmocka_unit_test(test_verify_session_long_verdict),
        cmocka_unit_test(test_verify_describe),
        cmocka_unit_test(test_verify_describe_fingerprint),
        cmocka_unit_test(test_verify_out_of_memory),
    };
    int r;

    torture_install();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    certs_free();
    return r;
}
