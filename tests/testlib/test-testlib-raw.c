#include "user.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* The test sees each byte, and may be the server. */

#define STREAM "http://etherx.jabber.org/streams"
#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='test.example' id='raw' version='1.0' "              \
    "xmlns='jabber:client' xmlns:stream='" STREAM "'>"

static struct user alice;

static char heard[65536];
static size_t heard_len;
static unsigned events[9];

static void hear(const void *data, size_t len)
{
    assert_true(len > 0 && heard_len + len < sizeof heard);
    memcpy(heard + heard_len, data, len);
    heard_len += len;
    heard[heard_len] = '\0';
}

static bool ends_with(const char *end)
{
    size_t len = strlen(end);

    return heard_len >= len && strcmp(heard + heard_len - len, end) == 0;
}

static void on_event(xmpp_test_server *from, xmpp_test_conn *conn, int event, void *user_data)
{
    (void)user_data;
    assert_ptr_equal(from, server);
    if (event != XMPP_TEST_EVENT_FAILED && event != XMPP_TEST_EVENT_FINISHED)
        assert_ptr_equal(conn, xmpp_test_server_get_conn(server, 0));
    assert_in_range(event, 1, 8);
    events[event]++;
}

static void set_data_fn(xmpp_test_data_fn fn)
{
    heard_len = 0;
    heard[0] = '\0';
    memset(events, 0, sizeof events);
    assert_int_equal(xmpp_test_server_set_data_fn(server, fn, &alice, NULL), XMPP_OK);
    assert_int_equal(xmpp_test_server_set_event_fn(server, on_event, NULL, NULL), XMPP_OK);
}

static int pass(xmpp_test_server *from, xmpp_test_conn *conn, const void *data, size_t len,
                void *user_data)
{
    assert_ptr_equal(from, server);
    assert_ptr_equal(conn, xmpp_test_server_get_conn(server, 0));
    assert_ptr_equal(user_data, &alice);
    hear(data, len);
    return XMPP_PASS;
}

static int swallow(xmpp_test_server *from, xmpp_test_conn *conn, const void *data, size_t len,
                   void *user_data)
{
    (void)from;
    (void)conn;
    (void)user_data;
    hear(data, len);
    return XMPP_DONE;
}

static void check_heard_login(bool with_starttls)
{
    assert_int_equal(strstr(heard, "<starttls") != NULL, with_starttls);
    assert_non_null(strstr(heard, "mechanism='SCRAM-SHA-512-PLUS'"));
    assert_non_null(strstr(heard, "<bind"));
    assert_non_null(strstr(heard, "</stream:stream>"));
    assert_null(memchr(heard, 0x16, heard_len)); /* nothing of TLS */
}

static void test_data_fn_passes_everything(void **state)
{
    (void)state;
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_DIRECT_TLS; transport++) {
        user_teardown(NULL);
        user_setup(NULL);
        set_data_fn(pass);
        user_open(&alice);
        user_login(&alice, transport, "alice");
        assert_int_equal(events[XMPP_TEST_EVENT_SECURED], 1);
        assert_int_equal(events[XMPP_TEST_EVENT_TLS_END], 0);
        assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
        user_wait_idle(&alice);
        while (events[XMPP_TEST_EVENT_TCP_END] == 0)
            user_step();
        assert_int_equal(events[XMPP_TEST_EVENT_TLS_END], 1);
        assert_int_equal(events[XMPP_TEST_EVENT_CLOSED], 1);
        check_heard_login(transport == XMPP_TEST_STARTTLS);
        user_close(&alice);
    }
}

/* What is not passed did not come: the server waits for a header. */
static void test_data_fn_swallows(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    set_data_fn(swallow);
    user_open(&alice);
    user_connect(&alice, XMPP_TEST_PLAIN, "alice");
    while (!ends_with("'>"))
        user_step();
    conn = xmpp_test_server_get_conn(server, 0);
    assert_int_equal(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_IN), heard_len);
    assert_int_equal(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_OUT), 0);
    user_close(&alice);
}

/* --- the test is the server --- */

static const struct {
    const char *await; /* at the end of what was heard */
    const char *say;
    int action;
} talk[] = {
    {"'>",
     HEADER "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"
            "</starttls></stream:features>",
     0},
    {"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
     "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", XMPP_TEST_START_TLS},
    {"'>",
     HEADER "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
            "<mechanism>PLAIN</mechanism></mechanisms></stream:features>",
     0},
    {"</auth>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", 0},
    {"'>",
     HEADER "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
     0},
    {"</iq>", NULL, 0},
    {"</stream:stream>", "</stream:stream>", XMPP_TEST_CLOSE},
};
static size_t said;

static void answer_bind(xmpp_test_conn *conn)
{
    char text[512];
    char id[64];

    assert_int_equal(sscanf(strstr(heard, " id='"), " id='%63[^']", id), 1);
    snprintf(text, sizeof text,
             "<iq type='result' id='%s'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
             "<jid>alice@test.example/raw</jid></bind></iq>",
             id);
    assert_int_equal(xmpp_test_conn_send_bytes(conn, text, strlen(text)), XMPP_OK);
}

static int be_the_server(xmpp_test_server *from, xmpp_test_conn *conn, const void *data, size_t len,
                         void *user_data)
{
    (void)from;
    (void)user_data;
    hear(data, len);
    if (said == sizeof talk / sizeof *talk || !ends_with(talk[said].await))
        return XMPP_DONE;
    if (talk[said].say)
        assert_int_equal(xmpp_test_conn_send_bytes(conn, talk[said].say, strlen(talk[said].say)),
                         XMPP_OK);
    else
        answer_bind(conn);
    if (talk[said].action)
        assert_int_equal(xmpp_test_conn_act(conn, talk[said].action, NULL), XMPP_OK);
    said++;
    heard_len = 0;
    return XMPP_DONE;
}

static void test_data_fn_is_the_server(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    said = 0;
    set_data_fn(be_the_server);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice"); /* the transport is what the test makes of it */
    assert_string_equal(xmpp_jid_get_resource(xmpp_client_get_jid(alice.client)), "raw");
    assert_string_equal(xmpp_client_get_info(alice.client, XMPP_INFO_SASL_MECHANISM), "PLAIN");
    conn = xmpp_test_server_get_conn(server, 0);
    assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_START_TLS, NULL), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    assert_null(alice.error);
    while (events[XMPP_TEST_EVENT_TCP_END] == 0)
        user_step();
    assert_int_equal(said, sizeof talk / sizeof *talk);
    assert_int_equal(events[XMPP_TEST_EVENT_SECURED], 1);
    assert_int_equal(events[XMPP_TEST_EVENT_READY], 0); /* the server knows nothing */
    assert_int_equal(xmpp_test_conn_count_received(conn), 0);
    assert_null(xmpp_test_server_get_error(server));
    user_close(&alice);
}

/* Begun by the first bytes of the handshake, which are passed. */
static int start_tls_when_it_comes(xmpp_test_server *from, xmpp_test_conn *conn, const void *data,
                                   size_t len, void *user_data)
{
    (void)from;
    (void)user_data;
    if (*(const unsigned char *)data == 0x16)
        assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_START_TLS, NULL), XMPP_OK);
    else
        hear(data, len);
    return XMPP_PASS;
}

static void connect_with_tls_to_plain_port(void)
{
    uint16_t port;

    user_open(&alice);
    assert_int_equal(
        xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_DIRECT_TLS, "alice"),
        XMPP_OK);
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &port), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(alice.client, "127.0.0.1", port, 1), XMPP_OK);
    assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
}

static void test_start_tls_by_first_bytes(void **state)
{
    (void)state;
    set_data_fn(start_tls_when_it_comes);
    connect_with_tls_to_plain_port();
    user_wait_ready(&alice);
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    check_heard_login(false);
    user_close(&alice);
}

static void test_start_tls_at_accept(void **state)
{
    (void)state;
    assert_int_equal(
        xmpp_test_server_fail_at(server, XMPP_TEST_AT_ACCEPT, XMPP_TEST_START_TLS, NULL), XMPP_OK);
    connect_with_tls_to_plain_port();
    user_wait_ready(&alice);
    assert_string_equal(xmpp_client_get_info(alice.client, XMPP_INFO_CHANNEL_BINDING),
                        "tls-exporter");
    user_close(&alice);
}

/* It does nothing. */
static void test_start_tls_where_tls_is(void **state)
{
    (void)state;
    assert_int_equal(
        xmpp_test_server_fail_at(server, XMPP_TEST_AT_READY, XMPP_TEST_START_TLS, NULL), XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_DIRECT_TLS, "alice");
    assert_null(xmpp_test_server_get_error(server));
    assert_true(xmpp_test_conn_is_open(xmpp_test_server_get_conn(server, 0)));
    user_close(&alice);
}

/* --- bytes over a pair of sockets --- */

static xmpp_test_conn *open_pair(int *ret_fd)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(xmpp_test_server_accept(server, XMPP_TEST_PLAIN, fds[0]), XMPP_OK);
    *ret_fd = fds[1];
    return xmpp_test_server_get_conn(server, 0);
}

static void test_send_bytes_with_nul(void **state)
{
    static const char bytes[] = "a\0b\0\0\xff";
    char got[64];
    xmpp_test_conn *conn;
    int fd;

    (void)state;
    conn = open_pair(&fd);
    assert_int_equal(xmpp_test_conn_send_bytes(conn, NULL, 0), XMPP_OK);
    assert_int_equal(xmpp_test_conn_send_bytes(conn, bytes, sizeof bytes), XMPP_OK);
    while (xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_OUT) < sizeof bytes)
        user_step();
    assert_int_equal(recv(fd, got, sizeof got, 0), sizeof bytes);
    assert_memory_equal(got, bytes, sizeof bytes);
    assert_int_equal(xmpp_test_conn_send_bytes(NULL, bytes, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_conn_send_bytes(conn, NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_DROP, NULL), XMPP_OK);
    assert_int_equal(xmpp_test_conn_send_bytes(conn, bytes, 1), XMPP_ERR_STATE);
    close(fd);
}

/* The client goes on talking when the server has ended the connection. */
static void test_data_fn_after_the_end(void **state)
{
    xmpp_test_conn *conn;
    int fd;

    (void)state;
    set_data_fn(swallow);
    conn = open_pair(&fd);
    assert_int_equal(xmpp_test_conn_act(conn, XMPP_TEST_CLOSE, NULL), XMPP_OK);
    while (xmpp_test_conn_is_open(conn))
        user_step();
    assert_int_equal(send(fd, "late", 4, MSG_NOSIGNAL), 4);
    while (heard_len < 4)
        user_step();
    assert_string_equal(heard, "late");
    assert_int_equal(events[XMPP_TEST_EVENT_CLOSED], 1);
    assert_int_equal(events[XMPP_TEST_EVENT_TCP_END], 0);
    close(fd);
    while (events[XMPP_TEST_EVENT_TCP_END] == 0)
        user_step();
    assert_int_equal(events[XMPP_TEST_EVENT_CLOSED], 1);
}

/* --- life of the function --- */

static unsigned destroyed;

static void count_destroyed(void *user_data)
{
    assert_ptr_equal(user_data, &destroyed);
    destroyed++;
}

static int drop_server(xmpp_test_server *from, xmpp_test_conn *conn, const void *data, size_t len,
                       void *user_data)
{
    (void)conn;
    (void)data;
    (void)len;
    (void)user_data;
    assert_int_equal(xmpp_test_server_set_data_fn(from, NULL, NULL, NULL), XMPP_OK);
    server = xmpp_test_server_unref(from);
    return XMPP_PASS;
}

static void test_data_fn_is_replaced_and_drops_the_server(void **state)
{
    int fd;

    (void)state;
    destroyed = 0;
    assert_int_equal(xmpp_test_server_set_data_fn(NULL, NULL, NULL, NULL), XMPP_ERR_INVAL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            xmpp_test_server_set_data_fn(server, drop_server, &destroyed, count_destroyed),
            XMPP_OK);
    assert_int_equal(destroyed, 1);
    (void)open_pair(&fd);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    while (server)
        user_step();
    assert_int_equal(destroyed, 2);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_fn_passes_everything),
        TEST(test_data_fn_swallows),
        TEST(test_data_fn_is_the_server),
        TEST(test_start_tls_by_first_bytes),
        TEST(test_start_tls_at_accept),
        TEST(test_start_tls_where_tls_is),
        TEST(test_send_bytes_with_nul),
        TEST(test_data_fn_after_the_end),
        TEST(test_data_fn_is_replaced_and_drops_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
