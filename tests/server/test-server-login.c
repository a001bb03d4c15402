/* Logins and failures of logins at a real Prosody, through the public API. */
#include "server/peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xmpp/ext/ping.h>

#include <cmocka.h>

static const char *tls_version(void)
{
    return strcmp(test_env("XMPP_TEST_TLS"), "1.2") == 0 ? "TLS1.2" : "TLS1.3";
}

/* SASL-21, 23: tls-unique is bound on TLS 1.2; on 1.3 this server offers no -PLUS */
static void check_login(struct peer *peer)
{
    xmpp_client *client = peer->client;
    bool old_tls = strcmp(tls_version(), "TLS1.2") == 0;

    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_TLS_VERSION), tls_version());
    assert_non_null(xmpp_client_get_info(client, XMPP_INFO_TLS_SUITE));
    assert_non_null(strstr(xmpp_client_get_info(client, XMPP_INFO_CERT), "a.example"));
    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_SASL_MECHANISM),
                        old_tls ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256");
    if (old_tls)
        assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_CHANNEL_BINDING), "tls-unique");
    else
        assert_null(xmpp_client_get_info(client, XMPP_INFO_CHANNEL_BINDING));
    assert_non_null(xmpp_jid_get_resource(xmpp_client_get_jid(client)));
    assert_true(xmpp_client_get_stat(client, XMPP_STAT_LOGIN_US) > 0);
}

static void log_in_and_out(enum peer_way way, uint64_t round_trips)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    peer_init(&peer, loop, "alice", "secret", way);
    peer_login(&peer);
    check_login(&peer);
    if (strcmp(tls_version(), "TLS1.3") == 0)
        assert_int_equal(xmpp_client_get_stat(peer.client, XMPP_STAT_ROUND_TRIPS), round_trips);
    peer_logout(&peer);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* DNS-01, 06, 09: the SRV target has another name than the domain */
static void test_login_found_by_srv(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;
    const char *host;
    uint16_t port;
    int direct_tls;
    int priority;
    int weight;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_SRV);
    peer_login(&peer);
    check_login(&peer);
    assert_int_equal(
        xmpp_client_get_endpoint(peer.client, 0, &host, &port, &direct_tls, &priority, &weight),
        XMPP_OK);
    assert_string_equal(host, "xmpp.a.example");
    assert_int_equal(direct_tls, 1); /* the record of better priority */
    assert_int_equal(priority, 5);
    assert_int_equal(port, atoi(test_env("XMPP_TEST_TLS_PORT")));
    assert_int_equal(
        xmpp_client_get_endpoint(peer.client, 1, &host, &port, &direct_tls, &priority, &weight),
        XMPP_OK);
    assert_int_equal(direct_tls, 0);
    assert_int_equal(
        xmpp_client_get_endpoint(peer.client, 2, &host, &port, &direct_tls, &priority, &weight),
        XMPP_ERR_NOTFOUND);
    peer_logout(&peer);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

static void test_login_starttls_by_address(void **state)
{
    (void)state;
    log_in_and_out(BY_STARTTLS, 9);
}

static void test_login_direct_tls_by_address(void **state)
{
    (void)state;
    log_in_and_out(BY_DIRECT_TLS, 7);
}

/* The second login of the same client; state, statistics and JID begin anew */
static void test_login_twice(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_STARTTLS);
    for (int i = 0; i < 3; i++) {
        peer_login(&peer);
        check_login(&peer);
        assert_int_equal(xmpp_client_connect(peer.client), XMPP_ERR_STATE);
        assert_int_equal(xmpp_client_set_password(peer.client, "other"), XMPP_ERR_STATE);
        peer_logout(&peer);
        assert_null(xmpp_jid_get_resource(xmpp_client_get_jid(peer.client)));
    }
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

static void test_login_with_resource(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_STARTTLS);
    {
        xmpp_jid *jid;
        assert_int_equal(xmpp_jid_parse(&jid, "alice@a.example/b\xc3\xbcro & <1>"), XMPP_OK);
        assert_int_equal(xmpp_client_set_jid(peer.client, jid), XMPP_OK);
        peer_login(&peer);
        assert_int_equal(xmpp_jid_compare(jid, xmpp_client_get_jid(peer.client)), 0);
        xmpp_jid_unref(jid);
    }
    peer_logout(&peer);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

static void expect_failure(struct peer *peer, int code, int phase)
{
    peer_connect(peer);
    peer_run(peer->loop, peer_is_idle, peer);
    assert_int_equal(peer->ready, 0);
    assert_int_equal(peer->idle, 1);
    assert_non_null(peer->error);
    print_message("%s: %s\n", xmpp_phase_name(xmpp_error_get_phase(peer->error)),
                  xmpp_error_get_text(peer->error));
    for (size_t i = 0; i < xmpp_error_count_attempts(peer->error); i++) {
        const char *target;
        const xmpp_error *attempt = xmpp_error_get_attempt(peer->error, i, &target);
        print_message("  %s: %s\n", target, xmpp_error_get_text(attempt));
    }
    assert_int_equal(xmpp_error_get_code(peer->error), code);
    assert_int_equal(xmpp_error_get_phase(peer->error), phase);
}

/* SASL-11, 12: a strong mechanism that failed is not followed by PLAIN */
static void test_wrong_password(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "wrong", BY_STARTTLS);
    expect_failure(&peer, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING);
    assert_string_equal(xmpp_error_get_condition(peer.error), "not-authorized");
    /* the right one on the same client */
    assert_int_equal(xmpp_client_set_password(peer.client, "secret"), XMPP_OK);
    peer_login(&peer);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* SASL-25: who has proved itself by SCRAM is not asked to take the password as it is */
static void test_plain_after_scram(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_STARTTLS);
    assert_int_equal(xmpp_client_set_mechanisms(peer.client, "PLAIN"), XMPP_OK);
    peer_login(&peer);
    peer_logout(&peer);
    peer_login(&peer);
    peer_logout(&peer);
    assert_int_equal(xmpp_client_set_mechanisms(peer.client, NULL), XMPP_OK);
    peer_login(&peer);
    check_login(&peer);
    peer_logout(&peer);
    assert_int_equal(xmpp_client_set_mechanisms(peer.client, "PLAIN"), XMPP_OK);
    expect_failure(&peer, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING);
    assert_non_null(strstr(xmpp_error_get_text(peer.error), "stronger"));
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

static void test_unknown_user(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "nobody", "secret", BY_STARTTLS);
    expect_failure(&peer, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* CERT-01: the system's store does not know the test's CA */
static void test_untrusted_certificate(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_STARTTLS);
    assert_int_equal(xmpp_client_set_trust_file(peer.client, NULL), XMPP_OK);
    expect_failure(&peer, XMPP_ERR_CERT, XMPP_PHASE_SECURING);
    assert_int_equal(xmpp_error_get_cert_problems(peer.error), XMPP_CERT_BAD_CHAIN);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

struct question {
    xmpp_loop *loop;
    xmpp_cert *cert;
    int asked;
    int verdict;
};

static void answer_later(xmpp_loop *loop, void *user_data)
{
    struct question *question = user_data;

    (void)loop;
    assert_int_equal(xmpp_cert_answer(question->cert, question->verdict), XMPP_OK);
}

static int on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    struct question *question = user_data;
    const uint8_t *der;
    size_t len;

    (void)client;
    question->asked++;
    assert_int_equal(xmpp_cert_get_problems(cert), XMPP_CERT_BAD_CHAIN);
    assert_int_equal(xmpp_cert_get_der(cert, 0, &der, &len), XMPP_OK);
    assert_true(len > 100);
    assert_non_null(strstr(xmpp_cert_get_text(cert), "a.example"));
    question->cert = xmpp_cert_ref(cert);
    assert_int_equal(
        xmpp_loop_add_timer(question->loop, NULL, 20000, 0, answer_later, question, NULL), XMPP_OK);
    return XMPP_CERT_LATER;
}

/* CERT-09: the application decides, later */
static void test_certificate_question(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct question question = {.loop = loop, .verdict = XMPP_CERT_ACCEPT};
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_DIRECT_TLS);
    assert_int_equal(xmpp_client_set_trust_file(peer.client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_cert_fn(peer.client, on_cert, &question, NULL), XMPP_OK);
    peer_login(&peer);
    assert_int_equal(question.asked, 1);
    peer_logout(&peer);
    xmpp_cert_unref(question.cert);
    question.verdict = XMPP_CERT_REJECT;
    expect_failure(&peer, XMPP_ERR_CERT, XMPP_PHASE_SECURING);
    assert_int_equal(question.asked, 2);
    peer_clear(&peer);
    xmpp_cert_unref(question.cert);
    xmpp_loop_unref(loop);
}

struct password {
    xmpp_loop *loop;
    xmpp_ask *ask;
    const char *answer;
};

static void give_password(xmpp_loop *loop, void *user_data)
{
    struct password *password = user_data;

    (void)loop;
    if (password->answer)
        assert_int_equal(xmpp_ask_answer(password->ask, password->answer, strlen(password->answer)),
                         XMPP_OK);
    password->ask = xmpp_ask_unref(password->ask); /* unanswered: refused */
}

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    struct password *password = user_data;

    (void)client;
    assert_int_equal(xmpp_ask_get_kind(ask), XMPP_ASK_PASSWORD);
    assert_non_null(strstr(xmpp_ask_get_mechanism(ask), "SCRAM-SHA-256"));
    password->ask = xmpp_ask_ref(ask);
    assert_int_equal(
        xmpp_loop_add_timer(password->loop, NULL, 20000, 0, give_password, password, NULL),
        XMPP_OK);
}

static void test_password_question(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct password password = {.loop = loop, .answer = "secret"};
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", NULL, BY_STARTTLS);
    assert_int_equal(xmpp_client_set_ask_fn(peer.client, on_ask, &password, NULL), XMPP_OK);
    peer_login(&peer);
    peer_logout(&peer);
    peer_clear(&peer);

    peer_init(&peer, loop, "alice", NULL, BY_STARTTLS);
    password.answer = NULL;
    assert_int_equal(xmpp_client_set_ask_fn(peer.client, on_ask, &password, NULL), XMPP_OK);
    expect_failure(&peer, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

static void set_jid(struct peer *peer, const char *text)
{
    xmpp_jid *jid;

    assert_int_equal(xmpp_jid_parse(&jid, text), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(peer->client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
}

static void test_unknown_host(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_SRV);
    set_jid(&peer, "alice@unknown.example");
    expect_failure(&peer, XMPP_ERR_DNS, XMPP_PHASE_RESOLVING);
    set_jid(&peer, "alice@off.example"); /* DNS-03: target "." */
    expect_failure(&peer, XMPP_ERR_DNS, XMPP_PHASE_RESOLVING);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* DNS-04: each address is tried, and told with its own failure */
static void test_connection_refused(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;
    const char *target;

    (void)state;
    peer_init(&peer, loop, "alice", "secret", BY_SRV);
    set_jid(&peer, "alice@refused.example");
    expect_failure(&peer, XMPP_ERR_SYSTEM, XMPP_PHASE_CONNECTING);
    assert_true(xmpp_error_count_attempts(peer.error) >= 1);
    assert_non_null(xmpp_error_get_attempt(peer.error, 0, &target));
    assert_non_null(strstr(target, "xmpp.a.example"));
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* CORE-14: the server chooses the name */
static void test_anonymous(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer peer;

    (void)state;
    peer_init(&peer, loop, "alice", NULL, BY_SRV);
    set_jid(&peer, "anon.example");
    peer_login(&peer);
    assert_string_equal(xmpp_client_get_info(peer.client, XMPP_INFO_SASL_MECHANISM), "ANONYMOUS");
    assert_string_equal(xmpp_jid_get_domain(xmpp_client_get_jid(peer.client)), "anon.example");
    assert_non_null(xmpp_jid_get_local(xmpp_client_get_jid(peer.client)));
    peer_logout(&peer);
    peer_clear(&peer);
    xmpp_loop_unref(loop);
}

/* A listening socket that is no XMPP server; port is told. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

struct stranger {
    int listener;
    int fd;
    const char *says;
};

static void serve_stranger(xmpp_loop *loop, void *user_data)
{
    struct stranger *stranger = user_data;

    (void)loop;
    if (stranger->fd < 0)
        stranger->fd = accept4(stranger->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (stranger->fd >= 0 && stranger->says) {
        char scratch[512];
        if (read(stranger->fd, scratch, sizeof scratch) <= 0)
            return;
        assert_true(write(stranger->fd, stranger->says, strlen(stranger->says)) > 0);
        stranger->says = NULL;
    }
}

static void meet_stranger(const char *says, int direct_tls, int code, int phase)
{
    xmpp_loop *loop = peer_loop();
    struct stranger stranger = {.fd = -1, .says = says};
    struct peer peer;
    xmpp_slot *slot;
    uint16_t port;

    stranger.listener = listen_somewhere(&port);
    assert_int_equal(xmpp_loop_add_timer(loop, &slot, 5000, 5000, serve_stranger, &stranger, NULL),
                     XMPP_OK);
    peer_init(&peer, loop, "alice", "secret", BY_STARTTLS);
    assert_int_equal(xmpp_client_set_endpoint(peer.client, "127.0.0.1", port, direct_tls), XMPP_OK);
    assert_int_equal(xmpp_client_set_timeout(peer.client, 500000, 500000), XMPP_OK);
    expect_failure(&peer, code, phase);
    xmpp_slot_unref(slot);
    peer_clear(&peer);
    close(stranger.listener);
    if (stranger.fd >= 0)
        close(stranger.fd);
    xmpp_loop_unref(loop);
}

static void test_not_xmpp(void **state)
{
    (void)state;
    meet_stranger("HTTP/1.1 400 Bad Request\r\n\r\n", 0, XMPP_ERR_XML, XMPP_PHASE_SECURING);
    meet_stranger("HTTP/1.1 400 Bad Request\r\n\r\n", 1, XMPP_ERR_TLS, XMPP_PHASE_SECURING);
}

/* CORE-29 */
static void test_silent_server(void **state)
{
    (void)state;
    meet_stranger(NULL, 0, XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING);
    meet_stranger(NULL, 1, XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_found_by_srv),
        cmocka_unit_test(test_login_starttls_by_address),
        cmocka_unit_test(test_login_direct_tls_by_address),
        cmocka_unit_test(test_login_twice),
        cmocka_unit_test(test_login_with_resource),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_plain_after_scram),
        cmocka_unit_test(test_unknown_user),
        cmocka_unit_test(test_untrusted_certificate),
        cmocka_unit_test(test_certificate_question),
        cmocka_unit_test(test_password_question),
        cmocka_unit_test(test_unknown_host),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_anonymous),
        cmocka_unit_test(test_not_xmpp),
        cmocka_unit_test(test_silent_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
