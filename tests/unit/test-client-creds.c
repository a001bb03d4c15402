/* When the client reads the trust store, and when it does not. */
#include "fake/talk.h"
#include "support/certs.h"
#include "support/miniserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MISSING "/nonexistent/trust.pem"

enum { PADDING = 1024 * 1024 };

/* Reading a trust file takes one allocation of its size, and nothing else here is as large. */
static unsigned readings;

static void *watching_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    readings += size > PADDING;
    return realloc(ptr, size);
}

static struct talk talk;
static char trust_path[4096];

static int setup(void **state)
{
    (void)state;
    if (talk_create(&talk) < 0 || xmpp_client_set_tls_mode(talk.client, XMPP_TLS_REQUIRED) < 0)
        return -1;
    readings = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    (void)unlink(trust_path); /* if there is one */
    return 0;
}

/* A large file that trusts this authority. Like those who take care, it replaces an old one whole. */
static const char *write_trust(const char *authority)
{
    static char text[PADDING + 16384];

    memset(text, '#', PADDING);
    text[PADDING - 1] = '\n';
    snprintf(text + PADDING, sizeof text - PADDING, "%s", certs_chain_pem(authority));
    const char *fresh = certs_write("trust.new", text, strlen(text));
    snprintf(trust_path, sizeof trust_path, "%s/trust.pem", certs_dir());
    assert_int_equal(rename(fresh, trust_path), 0);
    return trust_path;
}

/* From connect() to READY or IDLE. */
static void log_in(const struct miniserver_options *options)
{
    struct miniserver_options with = *options;
    char wire[4096];
    bool moved = true;

    with.mechanisms = "<mechanism>ANONYMOUS</mechanism>";
    struct miniserver *server = miniserver_create(&with);
    talk.error = xmpp_error_unref(talk.error);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    talk.socket = fake_last();
    while (moved && talk.socket) {
        const char *said;
        size_t len = fake_peek(talk.socket, &said);

        miniserver_feed(server, said, len);
        fake_consume(talk.socket, len);
        moved = len > 0;
        while ((len = miniserver_take(server, wire, sizeof wire)) > 0) {
            fake_feed(talk.socket, wire, len);
            moved = true;
        }
        fake_run(talk.loop);
    }
    miniserver_free(server);
}

static void log_out(void)
{
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
}

static const struct miniserver_options starttls;
static const struct miniserver_options direct = {.direct = true};
static const struct miniserver_options plain = {.no_tls = true};

static void test_second_login_reads_nothing(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_trust_file(talk.client, write_trust("ca")), XMPP_OK);
    for (int i = 0; i < 3; i++) {
        log_in(&starttls);
        log_out();
        assert_int_equal(readings, 1);
    }
}

/* Nothing is kept of what the application does not want any more. */
static void test_setting_files_forgets(void **state)
{
    const char *path = write_trust("ca");

    (void)state;
    assert_int_equal(xmpp_client_set_trust_file(talk.client, path), XMPP_OK);
    log_in(&starttls);
    log_out();
    assert_int_equal(xmpp_client_set_trust_file(talk.client, path), XMPP_OK);
    log_in(&starttls);
    log_out();
    assert_int_equal(readings, 2);
    assert_int_equal(
        xmpp_client_set_cert_files(talk.client, certs_crt_path("alice"), certs_key_path("alice")),
        XMPP_OK);
    log_in(&starttls);
    log_out();
    assert_int_equal(readings, 3);
    assert_int_equal(xmpp_client_set_cert_files(talk.client, NULL, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(talk.client, certs_crt_path("ca")), XMPP_OK);
    log_in(&starttls);
    log_out();
    assert_int_equal(readings, 3);
}

/* CERT-01: what was trusted once is not trusted for ever */
static void test_changed_trust_file_is_seen(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_trust_file(talk.client, write_trust("ca")), XMPP_OK);
    log_in(&starttls);
    log_out();
    (void)write_trust("other-ca");
    log_in(&starttls);
    assert_int_equal(readings, 2);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_CERT);
    (void)write_trust("ca");
    log_in(&starttls);
    log_out();
    assert_int_equal(readings, 3);
}

static void test_removed_trust_file_is_an_error(void **state)
{
    const char *path = write_trust("ca");

    (void)state;
    assert_int_equal(xmpp_client_set_trust_file(talk.client, path), XMPP_OK);
    log_in(&starttls);
    log_out();
    assert_int_equal(unlink(path), 0);
    log_in(&starttls);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_SYSTEM);
    assert_int_equal(fake_count(), 1); /* it did not even connect */
}

/* TLS-01: where plain text is allowed, the trust store is read when the server offers TLS, and then it counts */
static void test_plain_text_reads_nothing(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_tls_mode(talk.client, XMPP_TLS_LOCAL_ONLY), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(talk.client, write_trust("ca")), XMPP_OK);
    log_in(&plain);
    log_out();
    assert_int_equal(readings, 0);

    log_in(&starttls);
    assert_non_null(xmpp_client_get_info(talk.client, XMPP_INFO_TLS_VERSION));
    log_out();
    assert_int_equal(readings, 1);

    assert_int_equal(xmpp_client_set_endpoint(talk.client, "127.0.0.1", 5222, 1), XMPP_OK);
    log_in(&direct);
    log_out();
    assert_int_equal(readings, 1);
}

static void test_missing_trust_file_matters_with_tls_only(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_tls_mode(talk.client, XMPP_TLS_LOCAL_ONLY), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(talk.client, MISSING), XMPP_OK);
    log_in(&plain);
    log_out();
    for (int is_direct = 0; is_direct < 2; is_direct++) {
        assert_int_equal(xmpp_client_set_endpoint(talk.client, "127.0.0.1", 5222, is_direct),
                         XMPP_OK);
        log_in(is_direct ? &direct : &starttls);
        assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
        assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_SYSTEM);
        assert_non_null(strstr(xmpp_error_get_text(talk.error), MISSING));
        assert_true(fake_is_closed(talk.socket));
    }
}

int main(void)
{
    if (xmpp_mem_set_allocator(watching_realloc, NULL) != XMPP_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_login_reads_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_setting_files_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_trust_file_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_trust_file_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_text_reads_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_trust_file_matters_with_tls_only, setup,
                                        teardown),
    };

    int r = cmocka_run_group_tests(tests, NULL, NULL);

    certs_free();
    return r;
}
