#include "codec/creds.h"

#include "codec/tls.h"
#include "support/certs.h"
#include "support/torture.h"

#include <gnutls/gnutls.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* What two users share is seen in what they do not allocate: a second user needs the handle alone. */
static unsigned count_get(const char *trust, const char *cert, const char *key,
                          struct tls_creds **ret)
{
    torture_fail_at(0, false);
    assert_int_equal(tls_creds_get(ret, trust, cert, key, NULL), XMPP_OK);
    return torture_count();
}

static void check_fail(const char *trust, const char *cert, const char *key, int code, int number,
                       const char *words)
{
    struct tls_creds *creds = NULL;
    xmpp_error *error = NULL;
    size_t before = torture_live_blocks();

    assert_int_equal(tls_creds_get(&creds, trust, cert, key, &error), code);
    assert_null(creds);
    assert_non_null(error);
    assert_int_equal(xmpp_error_get_code(error), code);
    if (number)
        assert_int_equal(xmpp_error_get_number(error), number);
    if (!strstr(xmpp_error_get_text(error), words))
        fail_msg("\"%s\" does not say \"%s\"", xmpp_error_get_text(error), words);
    xmpp_error_unref(error);
    /* without anybody who wants to know */
    assert_int_equal(tls_creds_get(&creds, trust, cert, key, NULL), code);
    assert_null(creds);
    assert_int_equal(torture_live_blocks(), before);
}

static void test_tls_creds_get_shares(void **state)
{
    struct tls_creds *first;
    struct tls_creds *second;
    struct tls_creds *third;
    size_t before = torture_live_blocks();

    (void)state;
    assert_true(count_get(certs_crt_path("ca"), NULL, NULL, &first) > 1);
    assert_int_equal(count_get(certs_crt_path("ca"), NULL, NULL, &second), 1);
    /* the trust is shared between identities, too */
    assert_true(count_get(certs_crt_path("ca"), certs_crt_path("alice"), certs_key_path("alice"),
                          &third) > 1);
    tls_creds_unref(first);
    assert_int_equal(
        count_get(certs_crt_path("ca"), certs_crt_path("alice"), certs_key_path("alice"), &first),
        1);
    tls_creds_unref(first);
    tls_creds_unref(second);
    tls_creds_unref(third);
    assert_int_equal(torture_live_blocks(), before); /* the last user frees */
    assert_true(count_get(certs_crt_path("ca"), NULL, NULL, &first) > 1);
    assert_ptr_equal(tls_creds_ref(first), first);
    assert_null(tls_creds_unref(first));
    assert_null(tls_creds_unref(first));
    assert_null(tls_creds_unref(NULL));
    assert_int_equal(torture_live_blocks(), before);
}

static void test_tls_creds_get_system_stays(void **state)
{
    struct tls_creds *first;
    struct tls_creds *second;
    size_t before;

    (void)state;
    assert_int_equal(tls_creds_get(&first, NULL, NULL, NULL, NULL), XMPP_OK);
    tls_creds_unref(first);
    before = torture_live_blocks();
    assert_int_equal(count_get(NULL, NULL, NULL, &second), 1);
    tls_creds_unref(second);
    assert_int_equal(torture_live_blocks(), before);
}

static void test_tls_creds_get_changed_file(void **state)
{
    const char *pem = certs_chain_pem("ca");
    const char *other = certs_chain_pem("other-ca");
    const char *path = certs_write("changes.crt", pem, strlen(pem));
    struct tls_creds *first;
    struct tls_creds *second;
    struct tls_creds *third;
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    (void)state;
    assert_int_equal(tls_creds_get(&first, path, NULL, NULL, NULL), XMPP_OK);
    certs_write("changes.crt", other, strlen(other));
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(count_get(path, NULL, NULL, &second) > 1);
    assert_int_equal(count_get(path, NULL, NULL, &third), 1);
    tls_creds_unref(second);
    tls_creds_unref(first);
    tls_creds_unref(third);
}

static void test_tls_creds_get_key_in_cert_file(void **state)
{
    char both[8192];
    const char *path;
    struct tls_creds *creds;

    (void)state;
    snprintf(both, sizeof(both), "%s%s", certs_chain_pem("alice"), certs_key_pem("alice"));
    path = certs_write("both.pem", both, strlen(both));
    assert_int_equal(tls_creds_get(&creds, certs_crt_path("ca"), path, NULL, NULL), XMPP_OK);
    tls_creds_unref(creds);
}

static void test_tls_creds_get_bad_trust(void **state)
{
    const char *empty = certs_write("empty.crt", "", 0);
    const char *text = certs_write("text.crt", "hello\n", 6);
    const char *broken = certs_write(
        "broken.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 58);

    (void)state;
    check_fail("/nonexistent/ca.crt", NULL, NULL, XMPP_ERR_SYSTEM, ENOENT,
               "trust file /nonexistent/ca.crt: No such file or directory");
    check_fail(certs_dir(), NULL, NULL, XMPP_ERR_SYSTEM, EISDIR, "Is a directory");
    check_fail("", NULL, NULL, XMPP_ERR_SYSTEM, ENOENT, "No such file");
    check_fail("/dev/null", NULL, NULL, XMPP_ERR_SYSTEM, EINVAL, "/dev/null");
    check_fail(empty, NULL, NULL, XMPP_ERR_TLS, 0, "contains no certificate");
    check_fail(text, NULL, NULL, XMPP_ERR_TLS, 0, "contains no certificate");
    check_fail(certs_key_path("good"), NULL, NULL, XMPP_ERR_TLS, 0, "contains no certificate");
    check_fail(broken, NULL, NULL, XMPP_ERR_TLS, 0, "broken.crt: ");
}

static void test_tls_creds_get_bad_identity(void **state)
{
    const char *ca = certs_crt_path("ca");
    const char *alice = certs_crt_path("alice");
    const char *empty = certs_write("empty.key", "", 0);
    static const char sealed[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    static char many[64 * 1024];
    size_t len = 0;

    (void)state;
    for (int i = 0; i < 17; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "%s", certs_chain_pem("alice"));
    check_fail(ca, "/nonexistent/a.crt", certs_key_path("alice"), XMPP_ERR_SYSTEM, ENOENT,
               "certificate file /nonexistent/a.crt: ");
    check_fail(ca, alice, "/nonexistent/a.key", XMPP_ERR_SYSTEM, ENOENT,
               "private key file /nonexistent/a.key: ");
    check_fail(ca, empty, certs_key_path("alice"), XMPP_ERR_TLS, 0, "contains no certificate");
    check_fail(ca, alice, empty, XMPP_ERR_TLS, 0, "contains no private key");
    check_fail(ca, alice, NULL, XMPP_ERR_TLS, 0, "contains no private key");
    check_fail(ca, alice, alice, XMPP_ERR_TLS, 0, "contains no private key");
    check_fail(ca, alice, certs_key_path("good"), XMPP_ERR_TLS, GNUTLS_E_CERTIFICATE_KEY_MISMATCH,
               "the key does not belong to the certificate");
    check_fail(ca, alice, certs_write("sealed.key", sealed, sizeof(sealed) - 1), XMPP_ERR_TLS, 0,
               "private key file ");
    check_fail(ca, certs_write("many.crt", many, len), certs_key_path("alice"), XMPP_ERR_TLS, 0,
               "certificate file ");
}

static void test_tls_creds_get_invalid(void **state)
{
    struct tls_creds *creds = NULL;

    (void)state;
    assert_int_equal(tls_creds_get(NULL, NULL, NULL, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(tls_creds_get(&creds, NULL, NULL, certs_key_path("alice"), NULL),
                     XMPP_ERR_INVAL);
    assert_null(creds);
}

static void test_creds_attach_twice(void **state)
{
    struct tls_creds *creds;
    gnutls_session_t session;

    (void)state;
    assert_int_equal(tls_creds_get(&creds, certs_crt_path("ca"), NULL, NULL, NULL), XMPP_OK);
    assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT), 0);
    assert_int_equal(creds_attach(creds, session), 0);
    assert_ptr_equal(gnutls_session_get_ptr(session), creds);
    gnutls_deinit(session);
    /* twice: parsed once */
    assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT), 0);
    assert_int_equal(creds_attach(creds, session), 0);
    gnutls_deinit(session);
    tls_creds_unref(creds);
}

#define THREADS 8
#define ROUNDS  200

static void *use_creds(void *ptr)
{
    (void)ptr;
    for (int i = 0; i < ROUNDS; i++) {
        struct tls_creds *creds = NULL;

        if (tls_creds_get(&creds, certs_crt_path("ca"), certs_crt_path("alice"),
                          certs_key_path("alice"), NULL) < 0)
            return ptr;
        tls_creds_ref(creds);
        tls_creds_unref(creds);
        tls_creds_unref(creds);
    }
    return NULL;
}

static void test_tls_creds_get_threads(void **state)
{
    pthread_t threads[THREADS];
    size_t before;

    (void)state;
    (void)certs_crt_path("ca");
    (void)certs_crt_path("alice");
    (void)certs_key_path("alice");
    before = torture_live_blocks();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_creds, threads), 0);
    for (int i = 0; i < THREADS; i++) {
        void *ret;

        assert_int_equal(pthread_join(threads[i], &ret), 0);
        assert_null(ret);
    }
    assert_int_equal(torture_live_blocks(), before);
}

static int get_scenario(void *user_data)
{
    struct tls_creds *creds = NULL;
    xmpp_error *error = NULL;
    int r = tls_creds_get(&creds, certs_crt_path("ca"), certs_crt_path("alice"),
                          certs_key_path("alice"), &error);

    (void)user_data;
    if (r < 0)
        assert_non_null(error);
    xmpp_error_unref(error);
    tls_creds_unref(creds);
    return r;
}

static int fail_scenario(void *user_data)
{
    struct tls_creds *creds = NULL;
    xmpp_error *error = NULL;
    int r = tls_creds_get(&creds, certs_crt_path("ca"), certs_crt_path("alice"),
                          certs_key_path("good"), &error);

    (void)user_data;
    assert_null(creds);
    assert_non_null(error);
    xmpp_error_unref(error);
    return r == XMPP_ERR_TLS ? XMPP_OK : r;
}

static void test_tls_creds_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(get_scenario, NULL), XMPP_OK);
    assert_int_equal(torture_run(fail_scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_creds_get_shares),
        cmocka_unit_test(test_tls_creds_get_system_stays),
        cmocka_unit_test(test_tls_creds_get_changed_file),
        cmocka_unit_test(test_tls_creds_get_key_in_cert_file),
        cmocka_unit_test(test_tls_creds_get_bad_trust),
        cmocka_unit_test(test_tls_creds_get_bad_identity),
        cmocka_unit_test(test_tls_creds_get_invalid),
        cmocka_unit_test(test_creds_attach_twice),
        cmocka_unit_test(test_tls_creds_get_threads),
        cmocka_unit_test(test_tls_creds_out_of_memory),
    };
    int r;

    torture_install();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    certs_free();
    return r;
}
