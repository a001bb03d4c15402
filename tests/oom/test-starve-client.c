/* Whole sessions with a real server, in which the process has no memory: not libxmpp, and not GnuTLS, libxml2 and
 * what else takes part. The server is another process, so it always has. */
#include "oom/known.h"
#include "support/starve-run.h"
#include "support/starve.h"
#include "support/torture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmpp/ext/ping.h>
#include <xmpp/test.h>
#include <xmpp/xmpp.h>

#include <cmocka.h>

#define WAIT_US 10000000 /* nothing takes that long: who meets it was not told */

/* what a test wants */
static struct {
    int transport;
    const char *password;
    bool is_bound; /* the login must not be without channel binding (SASL-12) */
    int expected; /* not XMPP_OK: how it must end */
    int cert;
} setting;

/* --- the server --- */

static const int transports[] = {XMPP_TEST_STARTTLS, XMPP_TEST_DIRECT_TLS, XMPP_TEST_PLAIN};

struct peer {
    pid_t pid;
    uint16_t ports[4]; /* by transport */
    char trust_path[64];
};

static struct peer peer;

static void serve(int out, int tls_version, const char *mechanisms, int cert)
{
    struct peer told = {0};
    xmpp_test_server *server = NULL;
    xmpp_loop *loop = NULL;
    int r = xmpp_loop_create(&loop);

    if (r >= 0)
        r = xmpp_test_server_create(&server, loop);
    if (r >= 0)
        r = xmpp_test_server_add_account(server, "alice", "wonder");
    if (r >= 0)
        r = xmpp_test_server_set_tls_version(server, tls_version);
    if (r >= 0)
        r = xmpp_test_server_set_mechanisms(server, mechanisms);
    if (r >= 0)
        r = xmpp_test_server_set_cert(server, cert);
    for (size_t i = 0; r >= 0 && i < 3; i++)
        r = xmpp_test_server_listen(server, transports[i], &told.ports[transports[i]]);
    if (r < 0)
        return;
    snprintf(told.trust_path, sizeof told.trust_path, "%s",
             xmpp_test_server_get_trust_file(server));
    if (write(out, &told, sizeof told) == sizeof told)
        (void)xmpp_loop_run(loop);
}

static void peer_start(int tls_version, const char *mechanisms)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(ends[1], tls_version, mechanisms, setting.cert);
        _exit(1);
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &peer, sizeof peer), sizeof peer);
    close(ends[0]);
    peer.pid = pid;
}

static void peer_stop(void)
{
    kill(peer.pid, SIGKILL);
    waitpid(peer.pid, NULL, 0);
}

/* --- an application --- */

struct session {
    xmpp_loop *loop;
    xmpp_client *client;
    xmpp_ping *ping;
    int result; /* the first thing that went wrong */
    unsigned messages;
    unsigned answers;
    bool was_ready;
    bool is_weak; /* logged in without the channel binding that server and client have */
    bool has_ended;
};

static void note(struct session *session, int r)
{
    if (r < 0 && session->result == XMPP_OK)
        session->result = r;
}

static void give_up(struct session *session, int r)
{
    note(session, r);
    if (r < 0)
        note(session, xmpp_client_abort(session->client));
}

static void check_done(struct session *session)
{
    if (session->messages == 1 && session->answers == 2)
        give_up(session, xmpp_client_disconnect(session->client));
}

static int on_message(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct session *session = user_data;
    const char *text = xmpp_elem_get_text(xmpp_elem_first_child(stanza, "jabber:client", "body"));

    (void)client;
    if (!text || strcmp(text, "to <myself>") != 0)
        note(session, XMPP_ERR_PROTOCOL);
    session->messages++;
    check_done(session);
    return XMPP_DONE;
}

static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    struct session *session = user_data;

    (void)ping;
    (void)rtt_us;
    session->answers++;
    if (error)
        give_up(session, xmpp_error_get_code(error));
    else
        check_done(session);
}

/* the server knows no such request, and says so */
static void on_answer(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                      void *user_data)
{
    struct session *session = user_data;

    (void)client;
    (void)reply;
    session->answers++;
    if (xmpp_error_get_code(error) != XMPP_ERR_STANZA)
        give_up(session, error ? xmpp_error_get_code(error) : XMPP_ERR_PROTOCOL);
    else
        check_done(session);
}

static int send_message(struct session *session)
{
    xmpp_elem *message;
    int r = xmpp_elem_create_stanza(&message, XMPP_MESSAGE, "chat",
                                    xmpp_client_get_jid(session->client));

    if (r < 0)
        return r;
    xmpp_elem_add_child_text(message, NULL, "body", "to <myself>");
    r = xmpp_client_send(session->client, message);
    xmpp_elem_unref(message);
    return r;
}

static int send_request(struct session *session)
{
    xmpp_elem *iq;
    int r = xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL);

    if (r < 0)
        return r;
    xmpp_elem_add_child(iq, "urn:example:unknown", "query");
    r = xmpp_client_request(session->client, NULL, iq, 0, on_answer, session, NULL);
    xmpp_elem_unref(iq);
    return r;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct session *session = user_data;
    const char *mechanism;
    int r;

    (void)old_state;
    if (new_state == XMPP_STATE_IDLE) {
        session->has_ended = true;
        if (error) /* requests were told only that there is no connection any more */
            session->result = xmpp_error_get_code(error);
    }
    if (new_state != XMPP_STATE_READY)
        return;
    session->was_ready = true;
    /* there may have been no memory to keep the name */
    mechanism = xmpp_client_get_info(client, XMPP_INFO_SASL_MECHANISM);
    session->is_weak = setting.is_bound && mechanism && !strstr(mechanism, "-PLUS");
    r = send_message(session);
    if (r >= 0)
        r = xmpp_ping_send(session->ping, NULL, NULL, on_pong, session, NULL);
    if (r >= 0)
        r = send_request(session);
    give_up(session, r);
}

static int configure(struct session *session)
{
    xmpp_client *client = session->client;
    xmpp_jid *jid = NULL;
    int r = xmpp_jid_parse(&jid, "alice@test.example");

    if (r >= 0)
        r = xmpp_client_set_jid(client, jid);
    if (r >= 0)
        r = xmpp_client_set_password(client, setting.password);
    if (r >= 0)
        r = xmpp_client_set_timeout(client, WAIT_US, WAIT_US);
    if (r >= 0)
        r = xmpp_client_set_trust_file(client, peer.trust_path);
    if (r >= 0 && setting.transport == XMPP_TEST_PLAIN)
        r = xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY);
    if (r >= 0)
        r = xmpp_client_set_endpoint(client, "127.0.0.1", peer.ports[setting.transport],
                                     setting.transport == XMPP_TEST_DIRECT_TLS);
    xmpp_jid_unref(jid);
    return r;
}

static int begin(struct session *session)
{
    int r = xmpp_loop_create(&session->loop);

    if (r >= 0)
        r = xmpp_client_create(&session->client, session->loop);
    if (r >= 0)
        r = configure(session);
    if (r >= 0)
        r = xmpp_ping_attach(&session->ping, session->client);
    if (r >= 0)
        r = xmpp_client_on_state(session->client, NULL, on_state, session, NULL);
    if (r >= 0)
        r = xmpp_client_add_handler(session->client, NULL, XMPP_MESSAGE, "jabber:client", "body",
                                    on_message, session, NULL);
    return r;
}

static int run_session(void)
{
    struct session session = {.result = XMPP_OK};
    int r = begin(&session);

    if (r >= 0)
        r = xmpp_client_connect(session.client);
    while (r >= 0 && !session.has_ended)
        r = xmpp_loop_step(session.loop, -1);
    note(&session, r);
    if (session.was_ready && (setting.expected != XMPP_OK || session.is_weak))
        session.result = 1; /* let in, or without protection */
    else if (session.result == XMPP_OK && (session.messages != 1 || session.answers != 2))
        session.result = 1; /* nobody was told what is missing */
    else if (session.result == setting.expected)
        session.result = XMPP_OK;
    xmpp_ping_unref(session.ping);
    xmpp_client_unref(session.client);
    xmpp_loop_unref(session.loop);
    return session.result;
}

static void expect_survival(struct starve_scenario scenario, int tls_version,
                            const char *mechanisms)
{
    unsigned failures;

    scenario.run = run_session;
    peer_start(tls_version, mechanisms);
    failures = starve_run(&scenario, known);
    peer_stop();
    assert_int_equal(failures, 0);
}

/* --- tests --- */

static void set(int transport)
{
    setting.transport = transport;
    setting.password = "wonder";
    setting.is_bound = false;
    setting.expected = XMPP_OK;
    setting.cert = XMPP_TEST_CERT_GOOD;
}

static void test_plain_text(void **state)
{
    struct starve_scenario scenario = {.name = "plain text", .step = 1};

    (void)state;
    set(XMPP_TEST_PLAIN);
    expect_survival(scenario, 0, "SCRAM-SHA-1");
}

static void test_starttls(void **state)
{
    struct starve_scenario scenario = {.name = "STARTTLS", .step = 3};

    (void)state;
    set(XMPP_TEST_STARTTLS);
    setting.is_bound = true;
    expect_survival(scenario, 0x0304, "SCRAM-SHA-1-PLUS SCRAM-SHA-1");
}

static void test_direct_tls12(void **state)
{
    struct starve_scenario scenario = {.name = "direct TLS 1.2", .step = 3};

    (void)state;
    set(XMPP_TEST_DIRECT_TLS);
    setting.is_bound = true;
    expect_survival(scenario, 0x0303, "SCRAM-SHA-256-PLUS SCRAM-SHA-256");
}

static void test_refused(void **state)
{
    struct starve_scenario scenario = {.name = "wrong password", .step = 3};

    (void)state;
    set(XMPP_TEST_STARTTLS);
    setting.password = "guessed";
    setting.expected = XMPP_ERR_AUTH;
    expect_survival(scenario, 0x0304, "SCRAM-SHA-1-PLUS SCRAM-SHA-1");
}

/* CERT-01, CERT-02: what cannot be verified is not trusted */
static void test_untrusted(void **state)
{
    struct starve_scenario scenario = {.name = "untrusted", .step = 3};

    (void)state;
    set(XMPP_TEST_STARTTLS);
    setting.cert = XMPP_TEST_CERT_UNTRUSTED;
    setting.expected = XMPP_ERR_CERT;
    expect_survival(scenario, 0x0304, "SCRAM-SHA-1");
}

static void test_wrong_name(void **state)
{
    struct starve_scenario scenario = {.name = "wrong name", .step = 3};

    (void)state;
    set(XMPP_TEST_STARTTLS);
    setting.cert = XMPP_TEST_CERT_WRONG_NAME;
    setting.expected = XMPP_ERR_CERT;
    expect_survival(scenario, 0x0304, "SCRAM-SHA-1");
}

/* everything is set up for the first time: the parser, TLS, trust, the list of mechanisms */
static void test_cold(void **state)
{
    struct starve_scenario scenario = {.name = "cold", .step = 3, .is_cold = true};

    (void)state;
    set(XMPP_TEST_STARTTLS);
    expect_survival(scenario, 0x0304, "SCRAM-SHA-1");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text),   cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_direct_tls12), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_untrusted),    cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_cold),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
