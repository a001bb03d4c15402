#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/certs.h"
#include "support/dnsserver.h"
#include "support/miniserver.h"
#include "support/torture.h"

#include <xmpp/xmpp.h>

/* Clients on loopback connections to servers in the same thread. This shows link, session, socket, states, cert and
 * ask together. */

struct host {
    int listen_fd;
    uint16_t port;
    int fd; /* the connection, -1: none */
    bool closes; /* every connection, at once */
    bool is_silent;
    unsigned accepted;
    struct miniserver_options options;
    struct miniserver *server;
};

struct seen {
    xmpp_client *client;
    char states[64]; /* first letters of the new states */
    int code; /* of the error that IDLE brought */
    xmpp_error *error;
    unsigned idles;
    unsigned stanzas;
    bool stanza_before_ready;
    unsigned destroyed;
    int unref_at; /* drops the client in this state; -1: never */
    int abort_at;
    int disconnect_at;
    xmpp_cert *cert;
    xmpp_ask *ask;
    unsigned asked;
    int verdict;
    const char *password; /* answered at once; NULL: later */
};

static struct host hosts[2];
static xmpp_loop *loop;
static struct seen seen;

static void host_open(struct host *host)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    memset(host, 0, sizeof *host);
    host->fd = -1;
    host->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(host->listen_fd, 8), 0);
    assert_int_equal(getsockname(host->listen_fd, (struct sockaddr *)&address, &len), 0);
    host->port = ntohs(address.sin_port);
}

static void host_hang_up(struct host *host)
{
    if (host->fd >= 0)
        close(host->fd);
    host->fd = -1;
    host->server = miniserver_free(host->server);
}

static void host_close(struct host *host)
{
    host_hang_up(host);
    if (host->listen_fd >= 0)
        close(host->listen_fd);
    host->listen_fd = -1;
}

static void host_step(struct host *host)
{
    char bytes[16384];
    int fd = host->listen_fd >= 0
                 ? accept4(host->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
                 : -1;

    if (fd >= 0) {
        host->accepted++;
        host_hang_up(host);
        host->fd = fd;
        host->server = miniserver_create(&host->options);
        if (host->closes)
            host_hang_up(host);
    }
    if (host->fd < 0 || host->is_silent)
        return;
    for (ssize_t n; (n = recv(host->fd, bytes, sizeof bytes, 0)) >= 0;) {
        if (n == 0) {
            host_hang_up(host);
            return;
        }
        miniserver_feed(host->server, bytes, (size_t)n);
    }
    for (size_t n; (n = miniserver_take(host->server, bytes, sizeof bytes)) > 0;)
        if (send(host->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
}

static int step(void)
{
    int r = xmpp_loop_step(loop, 1000);

    host_step(&hosts[0]);
    host_step(&hosts[1]);
    return r;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct seen *s = user_data;
    size_t len = strlen(s->states);

    assert_ptr_equal(client, s->client);
    assert_int_not_equal(old_state, new_state);
    if (len < sizeof s->states - 1)
        s->states[len] = "ircsabRC"[new_state];
    if (new_state == XMPP_STATE_IDLE) {
        s->idles++;
        s->code = xmpp_error_get_code(error);
        xmpp_error_unref(s->error);
        s->error = error ? xmpp_error_ref(error) : NULL;
    } else {
        assert_null(error);
    }
    if (new_state == s->abort_at)
        assert_int_equal(xmpp_client_abort(client), XMPP_OK);
    if (new_state == s->disconnect_at)
        assert_int_equal(xmpp_client_disconnect(client), XMPP_OK);
    if (new_state == s->unref_at)
        s->client = xmpp_client_unref(client);
}

static int on_message(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct seen *s = user_data;

    (void)client;
    (void)stanza;
    s->stanzas++;
    if (!strchr(s->states, 'R'))
        s->stanza_before_ready = true;
    return XMPP_DONE;
}

static void on_destroy(void *user_data)
{
    ((struct seen *)user_data)->destroyed++;
}

static int on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    struct seen *s = user_data;

    assert_ptr_equal(client, s->client);
    s->asked++;
    if (s->verdict == XMPP_CERT_LATER)
        s->cert = xmpp_cert_ref(cert);
    return s->verdict;
}

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    struct seen *s = user_data;

    assert_ptr_equal(client, s->client);
    assert_int_equal(xmpp_ask_get_kind(ask), XMPP_ASK_PASSWORD);
    assert_string_equal(xmpp_ask_get_mechanism(ask), "PLAIN");
    s->asked++;
    if (s->password)
        assert_int_equal(xmpp_ask_answer(ask, s->password, strlen(s->password)), XMPP_OK);
    else
        s->ask = xmpp_ask_ref(ask);
}

static int make_client(bool with_endpoint)
{
    xmpp_client *client = NULL;
    xmpp_jid *jid = NULL;
    int r = xmpp_jid_parse(&jid, "alice@a.example");

    if (r >= 0)
        r = xmpp_client_create(&client, loop);
    if (r >= 0)
        r = xmpp_client_set_jid(client, jid);
    if (r >= 0)
        r = xmpp_client_set_password(client, "secret");
    if (r >= 0)
        r = xmpp_client_set_trust_file(client, certs_crt_path("ca"));
    if (r >= 0 && with_endpoint)
        r = xmpp_client_set_endpoint(client, "127.0.0.1", hosts[0].port, hosts[0].options.direct);
    if (r >= 0)
        r = xmpp_client_on_state(client, NULL, on_state, &seen, NULL);
    if (r >= 0)
        r = xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, NULL, NULL, on_message, &seen,
                                    on_destroy);
    xmpp_jid_unref(jid);
    if (r < 0)
        client = xmpp_client_unref(client);
    seen.client = client;
    return r;
}

static int setup(void **state)
{
    (void)state;
    host_open(&hosts[0]);
    host_open(&hosts[1]);
    memset(&seen, 0, sizeof seen);
    seen.unref_at = seen.abort_at = seen.disconnect_at = -1;
    return xmpp_loop_create(&loop);
}

static int teardown(void **state)
{
    (void)state;
    xmpp_error_unref(seen.error);
    xmpp_cert_unref(seen.cert);
    xmpp_ask_unref(seen.ask);
    xmpp_client_unref(seen.client);
    xmpp_loop_unref(loop);
    host_close(&hosts[0]);
    host_close(&hosts[1]);
    return 0;
}

static void run_until_idle(void)
{
    unsigned before = seen.idles;

    while (seen.idles == before)
        assert_true(step() >= 0);
}

static void run_until_ready(void)
{
    while (!strchr(seen.states, 'R'))
        assert_true(step() >= 0);
}

static void run_turns(unsigned count)
{
    while (count-- > 0)
        assert_true(step() >= 0);
}

/* --- the ordinary course --- */

static void check_facts(void)
{
    const xmpp_client *client = seen.client;
    const char *host;
    uint16_t port;
    int direct;
    int priority;
    int weight;
    char address[64];

    snprintf(address, sizeof address, "127.0.0.1:%u", hosts[0].port);
    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_HOST), "127.0.0.1");
    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_ADDRESS), address);
    assert_non_null(strstr(xmpp_client_get_info(client, XMPP_INFO_TLS_VERSION), "TLS1."));
    assert_non_null(strstr(xmpp_client_get_info(client, XMPP_INFO_CERT), "a.example"));
    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_SASL_MECHANISM), "PLAIN");
    assert_string_equal(xmpp_client_get_info(client, XMPP_INFO_STREAM_ID), "s1");
    assert_null(xmpp_client_get_info(client, 99));
    assert_int_equal(xmpp_client_get_endpoint(client, 0, &host, &port, &direct, &priority, &weight),
                     XMPP_OK);
    assert_int_equal(port, hosts[0].port);
    assert_int_equal(priority, -1);
    assert_int_equal(xmpp_client_get_endpoint(client, 1, &host, &port, &direct, &priority, &weight),
                     XMPP_ERR_NOTFOUND);
    assert_true(xmpp_client_get_stat(client, XMPP_STAT_BYTES_IN) > 1000);
    assert_true(xmpp_client_get_stat(client, XMPP_STAT_BYTES_OUT) > 500);
    assert_true(xmpp_client_get_stat(client, XMPP_STAT_LOGIN_US) > 0);
    assert_int_equal(xmpp_client_get_stat(client, XMPP_STAT_STANZAS_IN), 2);
    assert_int_equal(xmpp_client_get_stat(client, 0), 0);
}

static void test_login(void **state)
{
    (void)state;
    hosts[0].options.at_ready = "<message/><message/>";
    assert_int_equal(make_client(true), XMPP_OK);
    for (unsigned round = 0; round < 2; round++) {
        hosts[0].options.direct = round > 0;
        assert_int_equal(xmpp_client_set_endpoint(seen.client, "127.0.0.1", hosts[0].port,
                                                  hosts[0].options.direct),
                         XMPP_OK);
        memset(seen.states, 0, sizeof seen.states);
        seen.stanzas = 0;
        assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
        assert_int_equal(xmpp_client_get_state(seen.client), XMPP_STATE_RESOLVING);
        assert_string_equal(seen.states, ""); /* told later */
        while (seen.stanzas < 2)
            assert_true(step() >= 0);
        assert_string_equal(seen.states, "rcsabR");
        assert_false(seen.stanza_before_ready);
        assert_string_equal(xmpp_jid_get_str(xmpp_client_get_jid(seen.client)),
                            "alice@a.example/r");
        /* TCP, header, proceed, TLS (1 or 2), header, success, header, bind */
        assert_in_range(xmpp_client_get_stat(seen.client, XMPP_STAT_ROUND_TRIPS), 5, 10);
        assert_int_equal(xmpp_client_disconnect(seen.client), XMPP_OK);
        assert_int_equal(xmpp_client_get_state(seen.client), XMPP_STATE_CLOSING);
        assert_int_equal(xmpp_client_disconnect(seen.client), XMPP_OK);
        run_until_idle();
        assert_string_equal(seen.states, "rcsabRCi");
        assert_int_equal(seen.code, XMPP_OK);
        assert_string_equal(xmpp_jid_get_str(xmpp_client_get_jid(seen.client)), "alice@a.example");
        check_facts();
        run_turns(3);
    }
    assert_int_equal(seen.idles, 2);
    assert_int_equal(xmpp_client_disconnect(seen.client), XMPP_OK);
    assert_int_equal(xmpp_client_abort(seen.client), XMPP_OK);
    run_turns(3);
    assert_int_equal(seen.idles, 2);
}

static void test_login_plain_text_on_loopback(void **state)
{
    (void)state;
    hosts[0].options = (struct miniserver_options){
        .no_tls = true, .mechanisms = "<mechanism>ANONYMOUS</mechanism>"};
    assert_int_equal(make_client(true), XMPP_OK);
    xmpp_jid *jid;
    assert_int_equal(xmpp_jid_parse(&jid, "a.example"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(seen.client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    /* TLS-01, TLS-02 */
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_not_equal(seen.code, XMPP_OK);
    memset(seen.states, 0, sizeof seen.states);
    assert_int_equal(xmpp_client_set_tls_mode(seen.client, XMPP_TLS_LOCAL_ONLY), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    assert_null(xmpp_client_get_info(seen.client, XMPP_INFO_TLS_VERSION));
}

static void test_stanzas_beyond_a_turn(void **state)
{
    char many[2000];

    (void)state;
    many[0] = '\0';
    for (int i = 0; i < 180; i++)
        strcat(many, "<message/>");
    hosts[0].options.at_ready = many;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    while (seen.stanzas < 180)
        assert_true(step() >= 0);
    assert_false(seen.stanza_before_ready);
}

static void test_large_output(void **state)
{
    static char body[300001];
    xmpp_elem *message;

    (void)state;
    memset(body, 'y', sizeof body - 1);
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(xmpp_elem_create_stanza(&message, XMPP_MESSAGE, NULL, NULL), XMPP_OK);
        xmpp_elem_add_child_text(message, NULL, "body", body);
        assert_int_equal(xmpp_client_send(seen.client, message), XMPP_OK);
        xmpp_elem_unref(message);
    }
    /* CORE-15: what was sent before disconnect() arrives */
    assert_int_equal(xmpp_client_disconnect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_OK);
    assert_true(xmpp_client_get_stat(seen.client, XMPP_STAT_BYTES_OUT) > 1500000);
    assert_int_equal(xmpp_client_get_queued_bytes(seen.client), 0);
}

/* --- ends --- */

static void test_refused(void **state)
{
    char target[80];
    const char *seen_target;

    (void)state;
    snprintf(target, sizeof target, "127.0.0.1:%u", hosts[0].port);
    assert_int_equal(make_client(true), XMPP_OK);
    host_close(&hosts[0]);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_string_equal(seen.states, "rci");
    assert_int_equal(seen.code, XMPP_ERR_SYSTEM);
    assert_int_equal(xmpp_error_get_number(seen.error), ECONNREFUSED);
    assert_int_equal(xmpp_error_get_phase(seen.error), XMPP_PHASE_CONNECTING);
    assert_int_equal(xmpp_error_count_attempts(seen.error), 1);
    assert_non_null(xmpp_error_get_attempt(seen.error, 0, &seen_target));
    assert_string_equal(seen_target, target);
}

static void test_server_closes(void **state)
{
    (void)state;
    hosts[0].options.at_ready = "<message/></stream:stream>";
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_string_equal(seen.states, "rcsabRi");
    assert_int_equal(seen.stanzas, 1);
    assert_int_equal(seen.code, XMPP_ERR_CLOSED);
    assert_int_equal(xmpp_error_get_phase(seen.error), XMPP_PHASE_READY);
    assert_non_null(strstr(xmpp_error_get_text(seen.error), "closed the stream"));
}

static void test_server_vanishes(void **state)
{
    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    host_hang_up(&hosts[0]);
    run_until_idle();
    /* TLS-14 */
    assert_int_equal(seen.code, XMPP_ERR_TLS);
    assert_int_equal(xmpp_error_get_phase(seen.error), XMPP_PHASE_READY);
    assert_int_equal(seen.idles, 1);
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    struct seen *s = user_data;

    (void)client;
    assert_null(reply);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_CLOSED);
    assert_int_equal(s->idles, 0); /* before IDLE is told */
    s->stanzas++;
}

static void test_requests_end_before_idle(void **state)
{
    xmpp_elem *iq;

    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    assert_int_equal(xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL), XMPP_OK);
    xmpp_elem_add_child(iq, "urn:xmpp:ping", "ping");
    assert_int_equal(xmpp_client_request(seen.client, NULL, iq, 0, on_reply, &seen, NULL), XMPP_OK);
    xmpp_elem_unref(iq);
    assert_int_equal(xmpp_client_abort(seen.client), XMPP_OK);
    assert_int_equal(xmpp_client_get_state(seen.client), XMPP_STATE_IDLE);
    assert_int_equal(seen.stanzas, 0); /* never from inside a call */
    run_until_idle();
    assert_int_equal(seen.stanzas, 1);
    assert_int_equal(seen.code, XMPP_OK);
}

static void test_connect_times_out(void **state)
{
    (void)state;
    hosts[0].is_silent = true;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_set_timeout(seen.client, 50000, 0), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    /* CORE-29 */
    assert_string_equal(seen.states, "rcsi");
    assert_int_equal(seen.code, XMPP_ERR_TIMEOUT);
    assert_int_equal(xmpp_error_get_phase(seen.error), XMPP_PHASE_SECURING);
    assert_non_null(strstr(xmpp_error_get_text(seen.error), "securing"));
}

static void test_wrong_password(void **state)
{
    (void)state;
    hosts[0].options.at_auth =
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_AUTH);
    assert_int_equal(hosts[0].accepted, 1); /* no other endpoint cures that */
}

static void test_abort_and_disconnect_in_every_state(void **state)
{
    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    for (int at = XMPP_STATE_RESOLVING; at <= XMPP_STATE_READY; at++) {
        for (int how = 0; how < 2; how++) {
            memset(seen.states, 0, sizeof seen.states);
            seen.abort_at = how ? -1 : at;
            seen.disconnect_at = how ? at : -1;
            assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
            run_until_idle();
            assert_int_equal(seen.code, XMPP_OK);
            assert_null(seen.error);
            run_turns(3);
        }
    }
    assert_int_equal(seen.idles, 12);
}

static void test_unref_in_every_state(void **state)
{
    (void)state;
    /* SEC-33 */
    for (int at = XMPP_STATE_RESOLVING; at <= XMPP_STATE_READY; at++) {
        memset(seen.states, 0, sizeof seen.states);
        seen.destroyed = 0;
        seen.unref_at = at;
        assert_int_equal(make_client(true), XMPP_OK);
        assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
        while (seen.destroyed == 0)
            assert_true(step() >= 0);
        assert_int_equal(strlen(seen.states), at);
        run_turns(5);
        assert_int_equal(seen.destroyed, 1);
        assert_int_equal(seen.idles, 0);
        assert_int_equal(strlen(seen.states), at); /* no more callbacks */
    }
}

static void on_state_late(xmpp_client *client, int old_state, int new_state,
                          const xmpp_error *error, void *user_data)
{
    (void)client;
    (void)old_state;
    (void)new_state;
    (void)error;
    ++*(unsigned *)user_data;
}

static void test_unref_silences_later_functions(void **state)
{
    unsigned calls = 0;

    (void)state;
    seen.unref_at = XMPP_STATE_RESOLVING;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_on_state(seen.client, NULL, on_state_late, &calls, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    /* a second change waits to be told when the first one ends the client */
    assert_int_equal(xmpp_client_abort(seen.client), XMPP_OK);
    while (seen.destroyed == 0)
        assert_true(step() >= 0);
    run_turns(3);
    assert_string_equal(seen.states, "r");
    assert_int_equal(calls, 0);
}

static void test_state_slots_come_and_go(void **state)
{
    xmpp_slot *slot;
    unsigned calls = 0;

    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_on_state(seen.client, NULL, NULL, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_on_state(seen.client, &slot, on_state_late, &calls, NULL),
                     XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    while (calls == 0)
        assert_true(step() >= 0);
    assert_int_equal(xmpp_slot_cancel(slot), XMPP_OK);
    unsigned before = calls;
    run_until_ready();
    assert_int_equal(calls, before);
    /* the slot outlives its client */
    seen.client = xmpp_client_unref(seen.client);
    xmpp_slot_unref(slot);
}

static void test_unref_outside(void **state)
{
    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    seen.client = xmpp_client_unref(seen.client);
    assert_int_equal(seen.destroyed, 1);
    run_turns(5);
    assert_int_equal(seen.idles, 0);
}

/* --- certificates --- */

static void test_cert_without_function(void **state)
{
    (void)state;
    hosts[0].options.cert = "wrong-name";
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    /* SEC-09 */
    assert_string_equal(seen.states, "rcsi");
    assert_int_equal(seen.code, XMPP_ERR_CERT);
    assert_true(xmpp_error_get_cert_problems(seen.error) & XMPP_CERT_WRONG_NAME);
    assert_non_null(strstr(xmpp_error_get_text(seen.error), "a.example"));
    assert_int_equal(hosts[0].accepted, 1);
}

static void ask_cert(int verdict)
{
    const char *name = "expired";

    hosts[0].options.cert = name;
    seen.verdict = verdict;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_set_cert_fn(seen.client, on_cert, &seen, on_destroy), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
}

static void test_cert_accept(void **state)
{
    (void)state;
    ask_cert(XMPP_CERT_ACCEPT);
    run_until_ready();
    assert_int_equal(seen.asked, 1);
    /* CERT-09: the answer is for this connection only */
    xmpp_client_abort(seen.client);
    run_until_idle();
    memset(seen.states, 0, sizeof seen.states);
    seen.verdict = XMPP_CERT_REJECT;
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.asked, 2);
    assert_int_equal(seen.code, XMPP_ERR_CERT);
    assert_null(strchr(seen.states, 'a'));
}

static void wait_for_cert(void)
{
    while (!seen.cert)
        assert_true(step() >= 0);
    run_turns(3);
    assert_string_equal(seen.states, "rcs");
}

static void test_cert_later(void **state)
{
    const uint8_t *der;
    size_t len;

    (void)state;
    ask_cert(XMPP_CERT_LATER);
    wait_for_cert();
    assert_int_equal(xmpp_cert_get_problems(seen.cert), XMPP_CERT_EXPIRED);
    assert_non_null(strstr(xmpp_cert_get_text(seen.cert), "a.example"));
    assert_int_equal(xmpp_cert_get_der(seen.cert, 0, &der, &len), XMPP_OK);
    assert_true(len > 100 && der[0] == 0x30);
    assert_int_equal(xmpp_cert_get_der(seen.cert, 99, &der, &len), XMPP_ERR_NOTFOUND);
    assert_int_equal(xmpp_cert_answer(seen.cert, XMPP_CERT_LATER), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_cert_answer(seen.cert, XMPP_CERT_ACCEPT), XMPP_OK);
    assert_int_equal(xmpp_cert_answer(seen.cert, XMPP_CERT_ACCEPT), XMPP_ERR_STATE);
    run_until_ready();
    assert_int_equal(xmpp_cert_get_der(seen.cert, 0, &der, &len), XMPP_OK);
}

static void test_cert_later_never_answered(void **state)
{
    (void)state;
    ask_cert(XMPP_CERT_LATER);
    wait_for_cert();
    seen.cert = xmpp_cert_unref(seen.cert);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_CERT);
}

static void test_cert_answer_too_late(void **state)
{
    (void)state;
    ask_cert(XMPP_CERT_LATER);
    wait_for_cert();
    assert_int_equal(xmpp_client_abort(seen.client), XMPP_OK);
    assert_int_equal(xmpp_cert_answer(seen.cert, XMPP_CERT_ACCEPT), XMPP_ERR_STATE);
    run_until_idle();
    /* the question outlives the client */
    seen.client = xmpp_client_unref(seen.client);
    assert_int_equal(xmpp_cert_answer(seen.cert, XMPP_CERT_REJECT), XMPP_ERR_STATE);
    assert_non_null(xmpp_cert_get_text(seen.cert));
}

static int on_cert_destructive(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    struct seen *s = user_data;

    assert_int_equal(xmpp_cert_answer(cert, XMPP_CERT_ACCEPT), XMPP_OK);
    assert_int_equal(xmpp_client_set_cert_fn(client, NULL, NULL, NULL), XMPP_ERR_STATE);
    if (s->verdict == 0)
        xmpp_client_abort(client);
    else
        s->client = xmpp_client_unref(client);
    return XMPP_CERT_LATER;
}

static void test_cert_function_ends_everything(void **state)
{
    (void)state;
    hosts[0].options.cert = "expired";
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_set_cert_fn(seen.client, on_cert_destructive, &seen, on_destroy),
                     XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_OK);
    seen.verdict = 1;
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    while (seen.destroyed < 2) /* the handler's and the question's */
        assert_true(step() >= 0);
    run_turns(3);
    assert_int_equal(seen.idles, 1);
}

/* --- passwords --- */

static void ask_password(const char *password)
{
    seen.password = password;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_set_password(seen.client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_ask_fn(seen.client, on_ask, &seen, on_destroy), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
}

static void test_ask_at_once(void **state)
{
    (void)state;
    ask_password("secret");
    run_until_ready();
    assert_int_equal(seen.asked, 1);
    /* "\0alice\0secret" */
    assert_non_null(strstr(miniserver_heard(hosts[0].server), "AGFsaWNlAHNlY3JldA=="));
}

static void wait_for_ask(void)
{
    while (!seen.ask)
        assert_true(step() >= 0);
    run_turns(3);
    assert_null(strchr(seen.states, 'b'));
}

static void test_ask_later(void **state)
{
    (void)state;
    ask_password(NULL);
    wait_for_ask();
    assert_int_equal(xmpp_ask_answer(seen.ask, NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_ask_answer(seen.ask, "secret", 6), XMPP_OK);
    assert_int_equal(xmpp_ask_answer(seen.ask, "secret", 6), XMPP_ERR_STATE);
    run_until_ready();
}

static void test_ask_refused(void **state)
{
    (void)state;
    ask_password(NULL);
    wait_for_ask();
    seen.ask = xmpp_ask_unref(seen.ask); /* unanswered and last */
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_AUTH);
}

static void test_ask_too_late(void **state)
{
    (void)state;
    ask_password(NULL);
    wait_for_ask();
    seen.client = xmpp_client_unref(seen.client);
    assert_int_equal(xmpp_ask_answer(seen.ask, "secret", 6), XMPP_ERR_STATE);
}

static void test_ask_nobody(void **state)
{
    (void)state;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_set_password(seen.client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_AUTH);
    assert_non_null(strstr(xmpp_error_get_text(seen.error), "password"));
}

/* --- several endpoints --- */

static void with_dns(struct dns_proc *dns, unsigned first_weight_priority)
{
    char zone[512];

    snprintf(
        zone, sizeof zone,
        "{\"_xmpp-client._tcp.a.example\": {\"SRV\": [[%u, 0, %u, \"x1.example\"], [20, 0, %u, "
        "\"x2.example\"]]}, \"x1.example\": {\"A\": [\"127.0.0.1\"]}, \"x2.example\": {\"A\": "
        "[\"127.0.0.1\"]}}",
        first_weight_priority, hosts[0].port, hosts[1].port);
    assert_true(dns_proc_start(dns, zone, false));
    assert_int_equal(xmpp_loop_set_dns_servers(loop, dns->servers), XMPP_OK);
}

static void test_next_endpoint(void **state)
{
    struct dns_proc dns;
    const char *host;
    uint16_t port;
    int direct;
    int priority;
    int weight;

    (void)state;
    with_dns(&dns, 10);
    assert_int_equal(make_client(false), XMPP_OK);
    hosts[0].closes = true; /* DNS-04: TCP connects, and then nothing */
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    assert_string_equal(seen.states, "rcscsabR");
    assert_int_equal(hosts[0].accepted, 1);
    assert_string_equal(xmpp_client_get_info(seen.client, XMPP_INFO_HOST), "x2.example");
    assert_int_equal(
        xmpp_client_get_endpoint(seen.client, 1, &host, &port, &direct, &priority, &weight),
        XMPP_OK);
    assert_string_equal(host, "x2.example");
    assert_int_equal(priority, 20);
    xmpp_client_abort(seen.client);
    run_until_idle();

    /* all fail: each is told */
    hosts[1].options.at_header = "<html></html>";
    memset(seen.states, 0, sizeof seen.states);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_not_equal(seen.code, XMPP_OK);
    assert_int_equal(xmpp_error_count_attempts(seen.error), 2);
    assert_non_null(xmpp_error_get_attempt(seen.error, 0, &host));
    assert_non_null(strstr(host, "x1.example [127.0.0.1]:"));
    assert_non_null(xmpp_error_get_attempt(seen.error, 1, &host));
    assert_non_null(strstr(host, "x2.example [127.0.0.1]:"));
    dns_proc_stop(&dns);
}

static void test_redirect(void **state)
{
    char redirect[400];

    (void)state;
    /* CORE-20: JID and reference identity stay */
    snprintf(redirect, sizeof redirect,
             "<?xml version='1.0'?><stream:stream from='a.example' id='s0' version='1.0' "
             "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:error>"
             "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:%u"
             "</see-other-host></stream:error></stream:stream>",
             hosts[1].port);
    hosts[0].options.at_header = redirect;
    assert_int_equal(make_client(true), XMPP_OK);
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_ready();
    assert_string_equal(seen.states, "rcsarcsabR");
    assert_non_null(strstr(miniserver_heard(hosts[1].server), "to='a.example'"));
    xmpp_client_abort(seen.client);
    run_until_idle();

    /* CORE-21: a loop ends */
    hosts[0].accepted = hosts[1].accepted = 0;
    hosts[1].options.at_header = redirect;
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_STREAM);
    assert_string_equal(xmpp_error_get_condition(seen.error), "see-other-host");
    assert_non_null(
        strstr(xmpp_error_get_text(seen.error), "more than 5 redirections: the server "));
    assert_non_null(xmpp_error_get_elem(seen.error));
    assert_int_equal(hosts[0].accepted + hosts[1].accepted, 6);

    /* CORE-21: not before TLS */
    hosts[0].accepted = hosts[1].accepted = 0;
    hosts[0].options.no_tls = true;
    assert_int_equal(xmpp_client_connect(seen.client), XMPP_OK);
    run_until_idle();
    assert_int_equal(seen.code, XMPP_ERR_STREAM);
    assert_null(strstr(xmpp_error_get_text(seen.error), "redirections"));
    assert_int_equal(hosts[0].accepted, 1);
    assert_int_equal(hosts[1].accepted, 0);
}

/* --- out of memory --- */

static int scenario(void *user_data)
{
    int r;

    (void)user_data;
    memset(&seen, 0, sizeof seen);
    seen.unref_at = seen.abort_at = -1;
    seen.disconnect_at = XMPP_STATE_READY;
    seen.verdict = XMPP_CERT_ACCEPT;
    seen.password = NULL;
    loop = NULL;
    r = xmpp_loop_create(&loop);
    if (r < 0)
        return r;
    r = make_client(true);
    if (r >= 0)
        r = xmpp_client_set_cert_fn(seen.client, on_cert, &seen, NULL);
    if (r >= 0)
        r = xmpp_client_connect(seen.client);
    while (r >= 0 && seen.idles == 0)
        r = step();
    if (r >= 0)
        r = seen.code;
    seen.error = xmpp_error_unref(seen.error);
    seen.client = xmpp_client_unref(seen.client);
    xmpp_loop_unref(loop);
    host_hang_up(&hosts[0]);
    return r < 0 ? r : XMPP_OK;
}

static void test_torture(void **state)
{
    (void)state;
    xmpp_loop_unref(loop);
    hosts[0].options.cert = "expired";
    hosts[0].options.at_ready = "<message/><iq type='get' id='1'><x xmlns='y'/></iq>";
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
}

static int forget_certs(void **state)
{
    (void)state;
    certs_free();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_login),
        TEST(test_login_plain_text_on_loopback),
        TEST(test_stanzas_beyond_a_turn),
        TEST(test_large_output),
        TEST(test_refused),
        TEST(test_server_closes),
        TEST(test_server_vanishes),
        TEST(test_requests_end_before_idle),
        TEST(test_connect_times_out),
        TEST(test_wrong_password),
        TEST(test_abort_and_disconnect_in_every_state),
        TEST(test_unref_in_every_state),
        TEST(test_unref_silences_later_functions),
        TEST(test_state_slots_come_and_go),
        TEST(test_unref_outside),
        TEST(test_cert_without_function),
        TEST(test_cert_accept),
        TEST(test_cert_later),
        TEST(test_cert_later_never_answered),
        TEST(test_cert_answer_too_late),
        TEST(test_cert_function_ends_everything),
        TEST(test_ask_at_once),
        TEST(test_ask_later),
        TEST(test_ask_refused),
        TEST(test_ask_too_late),
        TEST(test_ask_nobody),
        TEST(test_next_endpoint),
        TEST(test_redirect),
        TEST(test_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, forget_certs);
}
