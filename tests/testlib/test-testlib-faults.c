#include "user.h"

#include <errno.h>

/* Each misbehaviour ends a client of libxmpp with the error that it should. */

#define SHORT_US 1000000

static struct user alice;

struct expected {
    int code;
    int phase;
    const char *condition;
};

static void try_login(int transport, uint64_t connect_us, struct expected expected)
{
    user_open(&alice);
    assert_int_equal(xmpp_client_set_timeout(alice.client, connect_us, SHORT_US), XMPP_OK);
    user_connect(&alice, transport, "alice");
    user_wait_idle(&alice);
    user_check_error(&alice, expected.code, expected.phase, expected.condition);
    user_close(&alice);
    assert_null(xmpp_test_server_get_error(server));
}

static void check_login(int transport)
{
    user_open(&alice);
    user_login(&alice, transport, "alice");
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    assert_null(alice.error);
    user_close(&alice);
}

static void set(int fault, int64_t value)
{
    assert_int_equal(xmpp_test_server_clear_faults(server), XMPP_OK);
    assert_int_equal(xmpp_test_server_set_fault(server, fault, value), XMPP_OK);
}

static void at(int point, int action, const char *text)
{
    assert_int_equal(xmpp_test_server_clear_faults(server), XMPP_OK);
    assert_int_equal(xmpp_test_server_fail_at(server, point, action, text), XMPP_OK);
}

/* --- certificates --- */

static void test_certificates(void **state)
{
    static const struct {
        int cert;
        int problems;
    } certs[] = {
        {XMPP_TEST_CERT_EXPIRED, XMPP_CERT_EXPIRED},
        {XMPP_TEST_CERT_FUTURE, XMPP_CERT_NOT_YET_VALID},
        {XMPP_TEST_CERT_WRONG_NAME, XMPP_CERT_WRONG_NAME},
        {XMPP_TEST_CERT_UNTRUSTED, XMPP_CERT_BAD_CHAIN},
        {XMPP_TEST_CERT_SELF_SIGNED, XMPP_CERT_BAD_CHAIN},
    };

    (void)state;
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_DIRECT_TLS; transport++) {
        for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
            assert_int_equal(xmpp_test_server_set_cert(server, certs[i].cert), XMPP_OK);
            user_open(&alice);
            user_connect(&alice, transport, "alice");
            user_wait_idle(&alice);
            user_check_error(&alice, XMPP_ERR_CERT, XMPP_PHASE_SECURING, NULL);
            assert_int_equal(xmpp_error_get_cert_problems(alice.error), certs[i].problems);
            user_close(&alice);
        }
        assert_int_equal(xmpp_test_server_set_cert(server, XMPP_TEST_CERT_GOOD), XMPP_OK);
        check_login(transport);
    }
}

/* --- bytes --- */

static void test_cut(void **state)
{
    (void)state;
    set(XMPP_TEST_FAULT_CUT, 1);
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_PLAIN; transport++)
        check_login(transport);
    set(XMPP_TEST_FAULT_CUT, 7);
    check_login(XMPP_TEST_STARTTLS);
    for (int seed = 0; seed < 10; seed++) {
        set(XMPP_TEST_FAULT_CUT_RANDOM, seed);
        check_login(seed % 3);
    }
}

static void test_delay(void **state)
{
    uint64_t begin = xmpp_loop_get_time(loop);

    (void)state;
    set(XMPP_TEST_FAULT_DELAY, 5000);
    check_login(XMPP_TEST_STARTTLS);
    assert_true(xmpp_loop_get_time(loop) - begin > 6 * 5000);
}

/* Wherever the server's bytes end, so does the client, with an error. */
static void test_end_after_each_byte(void **state)
{
    static const int faults[] = {XMPP_TEST_FAULT_DROP_AFTER, XMPP_TEST_FAULT_RESET_AFTER,
                                 XMPP_TEST_FAULT_GARBAGE_AFTER};

    (void)state;
    assert_int_equal(xmpp_test_server_set_mechanisms(server, "PLAIN"), XMPP_OK);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        unsigned logins = 0;

        for (int64_t n = 0; logins == 0; n += 13) {
            set(faults[i], n);
            user_open(&alice);
            user_connect(&alice, XMPP_TEST_STARTTLS, "alice");
            while (alice.idles == 0 && alice.state != XMPP_STATE_READY)
                user_step();
            if (alice.idles > 0)
                assert_non_null(alice.error);
            else
                logins++;
            user_close(&alice);
            assert_true(n < 10000);
        }
    }
    assert_null(xmpp_test_server_get_error(server));
}

static void test_end_after_bytes(void **state)
{
    (void)state;
    set(XMPP_TEST_FAULT_DROP_AFTER, 0);
    try_login(XMPP_TEST_STARTTLS, 0, (struct expected){XMPP_ERR_CLOSED, XMPP_PHASE_SECURING, NULL});
    set(XMPP_TEST_FAULT_RESET_AFTER, 20);
    try_login(XMPP_TEST_STARTTLS, 0, (struct expected){XMPP_ERR_SYSTEM, XMPP_PHASE_SECURING, NULL});
    set(XMPP_TEST_FAULT_GARBAGE_AFTER, 30);
    try_login(XMPP_TEST_STARTTLS, 0, (struct expected){XMPP_ERR_XML, XMPP_PHASE_SECURING, NULL});
    set(XMPP_TEST_FAULT_GARBAGE_AFTER, 100);
    try_login(XMPP_TEST_DIRECT_TLS, 0, (struct expected){XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL});
    set(XMPP_TEST_FAULT_DROP_AFTER, 100);
    try_login(XMPP_TEST_DIRECT_TLS, 0, (struct expected){XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL});
    set(XMPP_TEST_FAULT_STOP_AFTER, 10);
    try_login(XMPP_TEST_STARTTLS, SHORT_US,
              (struct expected){XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING, NULL});
}

static void test_never_read(void **state)
{
    (void)state;
    set(XMPP_TEST_FAULT_NEVER_READ, 0);
    try_login(XMPP_TEST_DIRECT_TLS, SHORT_US,
              (struct expected){XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING, NULL});
    assert_int_equal(xmpp_test_server_get_stat(server, XMPP_TEST_STAT_BYTES_IN), 0);
}

static void test_no_close_notify(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    for (int flag = 0; flag <= 1; flag++) {
        set(XMPP_TEST_FAULT_NO_CLOSE_NOTIFY, flag);
        user_open(&alice);
        user_login(&alice, XMPP_TEST_STARTTLS, "alice");
        conn = xmpp_test_server_find_conn(server, xmpp_client_get_jid(alice.client));
        assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_DROP, NULL), XMPP_OK);
        assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_DROP, NULL), XMPP_ERR_STATE);
        user_wait_idle(&alice);
        user_check_error(&alice, XMPP_ERR_TLS, XMPP_PHASE_READY, NULL);

        user_login(&alice, XMPP_TEST_STARTTLS, "alice");
        conn = xmpp_test_server_find_conn(server, xmpp_client_get_jid(alice.client));
        assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_CLOSE, NULL), XMPP_OK);
        user_wait_idle(&alice);
        user_check_error(&alice, XMPP_ERR_CLOSED, XMPP_PHASE_READY, NULL);
        user_close(&alice);
    }
}

/* --- the login --- */

struct row {
    int transport;
    int point;
    int action;
    const char *text;
    struct expected expected;
};

#define FAILURE(condition)                                                                         \
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" condition "/></failure>"

static void test_login_ends(void **state)
{
    static const struct row rows[] = {
        {0,
         XMPP_TEST_AT_ACCEPT,
         XMPP_TEST_DROP,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_SECURING, NULL}},
        {1,
         XMPP_TEST_AT_ACCEPT,
         XMPP_TEST_GARBAGE,
         NULL,
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HEADER,
         XMPP_TEST_DROP,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HEADER,
         XMPP_TEST_CLOSE,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HEADER,
         XMPP_TEST_GARBAGE,
         NULL,
         {XMPP_ERR_XML, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HEADER,
         XMPP_TEST_SEND,
         "<html/>",
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HEADER,
         XMPP_TEST_STREAM_ERROR,
         "host-gone",
         {XMPP_ERR_STREAM, XMPP_PHASE_SECURING, "host-gone"}},
        {0,
         XMPP_TEST_AT_FEATURES,
         XMPP_TEST_STREAM_ERROR,
         "policy-violation",
         {XMPP_ERR_STREAM, XMPP_PHASE_SECURING, "policy-violation"}},
        {0,
         XMPP_TEST_AT_FEATURES,
         XMPP_TEST_CLOSE,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_STARTTLS,
         XMPP_TEST_SEND,
         "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_HANDSHAKE,
         XMPP_TEST_GARBAGE,
         NULL,
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {1,
         XMPP_TEST_AT_HANDSHAKE,
         XMPP_TEST_DROP,
         NULL,
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {1,
         XMPP_TEST_AT_HANDSHAKE,
         XMPP_TEST_RESET,
         NULL,
         {XMPP_ERR_SYSTEM, XMPP_PHASE_SECURING, NULL}},
        {1,
         XMPP_TEST_AT_HANDSHAKE,
         XMPP_TEST_SEND,
         "HTTP/1.1 400 Bad Request\r\n\r\n",
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_SECURE_HEADER,
         XMPP_TEST_DROP,
         NULL,
         {XMPP_ERR_TLS, XMPP_PHASE_AUTHENTICATING, NULL}},
        {1,
         XMPP_TEST_AT_SECURE_HEADER,
         XMPP_TEST_STREAM_ERROR,
         "reset",
         {XMPP_ERR_STREAM, XMPP_PHASE_AUTHENTICATING, "reset"}},
        {0,
         XMPP_TEST_AT_SECURE_FEATURES,
         XMPP_TEST_SEND,
         "<stream:features/>",
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_AT_AUTH,
         XMPP_TEST_SEND,
         FAILURE("account-disabled"),
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, "account-disabled"}},
        {0,
         XMPP_TEST_AT_AUTH,
         XMPP_TEST_CLOSE,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_AT_AUTH,
         XMPP_TEST_SEND,
         "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_AT_RESPONSE,
         XMPP_TEST_SEND,
         FAILURE("temporary-auth-failure"),
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, "temporary-auth-failure"}},
        {2,
         XMPP_TEST_AT_BIND_HEADER,
         XMPP_TEST_DROP,
         NULL,
         {XMPP_ERR_CLOSED, XMPP_PHASE_BINDING, NULL}},
        {0,
         XMPP_TEST_AT_BIND_FEATURES,
         XMPP_TEST_STREAM_ERROR,
         "resource-constraint",
         {XMPP_ERR_STREAM, XMPP_PHASE_BINDING, "resource-constraint"}},
        {0, XMPP_TEST_AT_BIND, XMPP_TEST_RESET, NULL, {XMPP_ERR_SYSTEM, XMPP_PHASE_BINDING, NULL}},
        {0, XMPP_TEST_AT_BIND, XMPP_TEST_GARBAGE, "<<<", {XMPP_ERR_XML, XMPP_PHASE_BINDING, NULL}},
        {0,
         XMPP_TEST_AT_READY,
         XMPP_TEST_STREAM_ERROR,
         "conflict",
         {XMPP_ERR_STREAM, XMPP_PHASE_READY, "conflict"}},
        {2, XMPP_TEST_AT_READY, XMPP_TEST_GARBAGE, NULL, {XMPP_ERR_XML, XMPP_PHASE_READY, NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at(rows[i].point, rows[i].action, rows[i].text);
        try_login(rows[i].transport, 0, rows[i].expected);
    }
}

/* The client may see that it is connected before that it is not any more. */
static void test_reset_at_accept(void **state)
{
    (void)state;
    at(XMPP_TEST_AT_ACCEPT, XMPP_TEST_RESET, NULL);
    user_open(&alice);
    user_connect(&alice, XMPP_TEST_STARTTLS, "alice");
    user_wait_idle(&alice);
    assert_int_equal(xmpp_error_get_code(alice.error), XMPP_ERR_SYSTEM);
    assert_int_equal(xmpp_error_get_number(alice.error), ECONNRESET);
    user_close(&alice);
}

static void test_silence(void **state)
{
    static const struct row rows[] = {
        {0, XMPP_TEST_AT_ACCEPT, 0, NULL, {XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING, NULL}},
        {0, XMPP_TEST_AT_FEATURES, 0, NULL, {XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING, NULL}},
        {1, XMPP_TEST_AT_HANDSHAKE, 0, NULL, {XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_AT_SECURE_FEATURES,
         0,
         NULL,
         {XMPP_ERR_TIMEOUT, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_AT_RESPONSE, 0, NULL, {XMPP_ERR_TIMEOUT, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_AT_BIND, 0, NULL, {XMPP_ERR_TIMEOUT, XMPP_PHASE_BINDING, NULL}},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    static struct user users[ROWS];

    (void)state;
    /* a connection keeps what was said of it when it was accepted, so all can wait at the same time */
    for (size_t i = 0; i < ROWS; i++) {
        at(rows[i].point, XMPP_TEST_SILENCE, NULL);
        user_open(&users[i]);
        assert_int_equal(xmpp_client_set_timeout(users[i].client, SHORT_US, SHORT_US), XMPP_OK);
        user_connect(&users[i], rows[i].transport, "alice");
        while (xmpp_test_server_get_stat(server, XMPP_TEST_STAT_CONNECTIONS) <= i)
            user_step();
    }
    for (size_t i = 0; i < ROWS; i++) {
        const struct expected *expected = &rows[i].expected;

        user_wait_idle(&users[i]);
        user_check_error(&users[i], expected->code, expected->phase, expected->condition);
        user_close(&users[i]);
    }
    assert_null(xmpp_test_server_get_error(server));
}

static void test_flags(void **state)
{
    static const struct {
        int transport;
        int fault;
        int64_t value;
        struct expected expected;
    } rows[] = {
        {0, XMPP_TEST_FAULT_NO_STARTTLS, 1, {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0, XMPP_TEST_FAULT_BEHIND_PROCEED, 1, {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0, XMPP_TEST_FAULT_WRONG_SIGNATURE, 1, {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_FAULT_WRONG_NONCE, 1, {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_FAULT_ITERATIONS, 0, {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_FAULT_ITERATIONS, 4095, {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_FAULT_ITERATIONS,
         2000000000,
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0, XMPP_TEST_FAULT_WRONG_ID, 1, {XMPP_ERR_PROTOCOL, XMPP_PHASE_BINDING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_HEADER,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_FEATURES,
         {XMPP_ERR_TLS, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_STARTTLS,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_SECURING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_SECURE_HEADER,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_SECURE_FEATURES,
         {XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_AUTH,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_AUTHENTICATING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_BIND_HEADER,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_BINDING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_BIND_FEATURES,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_BINDING, NULL}},
        {0,
         XMPP_TEST_FAULT_WRONG_NAMESPACE,
         XMPP_TEST_AT_BIND,
         {XMPP_ERR_PROTOCOL, XMPP_PHASE_BINDING, NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set(rows[i].fault, rows[i].value);
        try_login(rows[i].transport, 5 * SHORT_US, rows[i].expected);
    }
    /* taken back, nothing is left of it */
    assert_int_equal(xmpp_test_server_clear_faults(server), XMPP_OK);
    check_login(XMPP_TEST_STARTTLS);
}

static void test_iterations(void **state)
{
    (void)state;
    set(XMPP_TEST_FAULT_ITERATIONS, 5000);
    check_login(XMPP_TEST_STARTTLS);
}

/* --- answers --- */

static void test_wrong_answers(void **state)
{
    static const int faults[] = {XMPP_TEST_FAULT_FORGED_FROM, XMPP_TEST_FAULT_WRONG_ID};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        user_open(&alice);
        set(faults[i], 1);
        if (faults[i] == XMPP_TEST_FAULT_WRONG_ID) /* the client would not come as far */
            assert_int_equal(
                xmpp_test_server_fail_at(
                    server, XMPP_TEST_AT_BIND, XMPP_TEST_SEND,
                    "<iq type='result' id='x'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                    "<jid>alice@test.example/x</jid></bind></iq>"),
                XMPP_OK);
        if (faults[i] == XMPP_TEST_FAULT_FORGED_FROM) {
            user_login(&alice, XMPP_TEST_PLAIN, "alice");
            user_request(&alice,
                         "<iq type='get' to='test.example'><ping xmlns='urn:xmpp:ping'/></iq>",
                         200000);
            user_wait_replies(&alice, 1);
            assert_int_equal(alice.reply_code, XMPP_ERR_TIMEOUT);
        } else {
            user_connect(&alice, XMPP_TEST_PLAIN, "alice");
            user_wait_idle(&alice);
            user_check_error(&alice, XMPP_ERR_PROTOCOL, XMPP_PHASE_BINDING, NULL);
        }
        user_close(&alice);
    }
}

static void test_at_stanza(void **state)
{
    (void)state;
    at(XMPP_TEST_AT_STANZA, XMPP_TEST_STREAM_ERROR, "internal-server-error");
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_send(&alice, "<presence/>");
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_STREAM, XMPP_PHASE_READY, "internal-server-error");
    user_close(&alice);
}

static void test_silence_after_login(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    user_open(&alice);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    conn = xmpp_test_server_find_conn(server, xmpp_client_get_jid(alice.client));
    assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_SILENCE, NULL), XMPP_OK);
    user_request(&alice, "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", 100000);
    user_wait_replies(&alice, 1);
    assert_int_equal(alice.reply_code, XMPP_ERR_TIMEOUT);
    /* it was heard all the same */
    assert_int_equal(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_STANZAS_IN), 1);
    assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_RESET, NULL), XMPP_OK);
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_SYSTEM, XMPP_PHASE_READY, NULL);
    user_close(&alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_certificates),
        TEST(test_cut),
        TEST(test_delay),
        TEST(test_end_after_each_byte),
        TEST(test_end_after_bytes),
        TEST(test_never_read),
        TEST(test_no_close_notify),
        TEST(test_login_ends),
        TEST(test_reset_at_accept),
        TEST(test_silence),
        TEST(test_flags),
        TEST(test_iterations),
        TEST(test_wrong_answers),
        TEST(test_at_stanza),
        TEST(test_silence_after_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
