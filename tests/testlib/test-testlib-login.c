#include "user.h"

#include <errno.h>
#include <pthread.h>

/* Logins over each transport, with each mechanism and each channel binding. */

static struct user alice;

static void check_info(int info, const char *want)
{
    const char *have = xmpp_client_get_info(alice.client, info);

    if (!want)
        assert_null(have);
    else
        assert_string_equal(have ? have : "none", want);
}

static void logout(void)
{
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    assert_null(alice.error);
}

static void test_default(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    user_open(&alice);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    check_info(XMPP_INFO_SASL_MECHANISM, "SCRAM-SHA-512-PLUS");
    check_info(XMPP_INFO_CHANNEL_BINDING, "tls-exporter");
    check_info(XMPP_INFO_TLS_VERSION, "TLS1.3");
    assert_string_equal(xmpp_jid_get_bare_str(xmpp_client_get_jid(alice.client)),
                        "alice@test.example");
    conn = xmpp_test_server_find_conn(server, xmpp_client_get_jid(alice.client));
    assert_non_null(conn);
    assert_ptr_equal(conn, xmpp_test_server_get_conn(server, 0));
    assert_true(xmpp_test_conn_is_open(conn));
    assert_int_equal(
        xmpp_jid_compare(xmpp_test_conn_get_jid(conn), xmpp_client_get_jid(alice.client)), 0);
    logout();
    /* the last ones of the client are its end of TLS */
    while (xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_IN) <
           xmpp_client_get_stat(alice.client, XMPP_STAT_BYTES_OUT))
        user_step();
    assert_false(xmpp_test_conn_is_open(conn));
    assert_null(xmpp_test_server_get_error(server));
    /* what the client sent: starttls, auth, response, bind */
    assert_int_equal(xmpp_test_conn_count_received(conn), 4);
    assert_int_equal(xmpp_test_elem_match(xmpp_test_conn_get_received(conn, 0),
                                          "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                     1);
    assert_int_equal(xmpp_test_elem_match(xmpp_test_conn_get_received(conn, 1),
                                          "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
                                          "mechanism='SCRAM-*-PLUS'/>"),
                     1);
    assert_null(xmpp_test_conn_get_received(conn, 4));
    assert_int_equal(xmpp_test_server_get_stat(server, XMPP_TEST_STAT_LOGINS), 1);
    assert_int_equal(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_CONNECTIONS), 1);
    assert_int_equal(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_IN),
                     xmpp_client_get_stat(alice.client, XMPP_STAT_BYTES_OUT));
    assert_true(xmpp_test_conn_get_stat(conn, XMPP_TEST_STAT_BYTES_OUT) >=
                xmpp_client_get_stat(alice.client, XMPP_STAT_BYTES_IN));
    user_close(&alice);
}

static void test_every_transport_and_mechanism(void **state)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
                                             "PLAIN"};

    (void)state;
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_PLAIN; transport++) {
        for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
            if (transport == XMPP_TEST_PLAIN && strcmp(mechanisms[i], "PLAIN") == 0)
                continue; /* the client never does that */
            user_open(&alice);
            assert_int_equal(xmpp_test_server_set_mechanisms(server, mechanisms[i]), XMPP_OK);
            user_login(&alice, transport, "alice");
            check_info(XMPP_INFO_SASL_MECHANISM, mechanisms[i]);
            check_info(XMPP_INFO_CHANNEL_BINDING, NULL);
            if (transport == XMPP_TEST_PLAIN)
                check_info(XMPP_INFO_TLS_VERSION, NULL);
            logout();
            user_close(&alice);
        }
    }
}

static void test_every_binding(void **state)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS",
                                             "SCRAM-SHA-512-PLUS"};
    static const struct {
        int version;
        const char *type;
    } bindings[] = {
        {0x0304, "tls-exporter"}, {0x0304, "tls-server-end-point"}, {0x0303, "tls-exporter"},
        {0x0303, "tls-unique"},   {0x0303, "tls-server-end-point"},
    };

    (void)state;
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_DIRECT_TLS; transport++) {
        for (size_t k = 0; k < 15; k++) {
            size_t b = k / 3;

            user_open(&alice);
            assert_int_equal(xmpp_test_server_set_mechanisms(server, mechanisms[k % 3]), XMPP_OK);
            assert_int_equal(xmpp_test_server_set_tls_version(server, bindings[b].version),
                             XMPP_OK);
            assert_int_equal(xmpp_test_server_set_channel_bindings(server, bindings[b].type),
                             XMPP_OK);
            user_login(&alice, transport, "alice");
            check_info(XMPP_INFO_TLS_VERSION, bindings[b].version == 0x0303 ? "TLS1.2" : "TLS1.3");
            check_info(XMPP_INFO_SASL_MECHANISM, mechanisms[k % 3]);
            check_info(XMPP_INFO_CHANNEL_BINDING, bindings[b].type);
            logout();
            user_close(&alice);
        }
    }
}

/* TLS 1.2 without an announcement: the client takes tls-unique, as all servers have it (RFC 5802, 6) */
static void test_nothing_announced(void **state)
{
    (void)state;
    user_open(&alice);
    assert_int_equal(xmpp_test_server_set_channel_bindings(server, ""), XMPP_OK);
    assert_int_equal(xmpp_test_server_set_tls_version(server, 0x0303), XMPP_OK);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    check_info(XMPP_INFO_CHANNEL_BINDING, "tls-unique");
    user_close(&alice);
}

static void test_announced_type_is_missing(void **state)
{
    (void)state;
    user_open(&alice);
    assert_int_equal(xmpp_test_server_set_channel_bindings(server, "x-other"), XMPP_OK);
    user_connect(&alice, XMPP_TEST_STARTTLS, "alice");
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, NULL);
    user_close(&alice);
}

static void test_anonymous(void **state)
{
    (void)state;
    for (int transport = XMPP_TEST_STARTTLS; transport <= XMPP_TEST_PLAIN; transport++) {
        user_open(&alice);
        user_login(&alice, transport, NULL);
        check_info(XMPP_INFO_SASL_MECHANISM, "ANONYMOUS");
        assert_non_null(xmpp_jid_get_local(xmpp_client_get_jid(alice.client)));
        user_close(&alice);
    }
}

static void test_wrong_password(void **state)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        user_open(&alice);
        assert_int_equal(xmpp_test_server_set_mechanisms(server, mechanisms[i]), XMPP_OK);
        assert_int_equal(
            xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_DIRECT_TLS, "alice"),
            XMPP_OK);
        assert_int_equal(xmpp_client_set_password(alice.client, "builder"), XMPP_OK);
        assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
        user_wait_idle(&alice);
        user_check_error(&alice, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, "not-authorized");
        user_close(&alice);
    }
}

static void test_unknown_account(void **state)
{
    xmpp_jid *jid;

    (void)state;
    user_open(&alice);
    assert_int_equal(
        xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_STARTTLS, "carol"),
        XMPP_ERR_NOTFOUND);
    assert_int_equal(
        xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_STARTTLS, "alice"),
        XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&jid, "carol@test.example"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(alice.client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, "not-authorized");
    user_close(&alice);
}

static void test_name_with_comma_and_equals(void **state)
{
    (void)state;
    assert_int_equal(xmpp_test_server_set_mechanisms(server, "SCRAM-SHA-1"), XMPP_OK);
    assert_int_equal(xmpp_test_server_add_account(server, "a,b=c", "x"), XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "a,b=c");
    assert_string_equal(xmpp_jid_get_local(xmpp_client_get_jid(alice.client)), "a,b=c");
    user_close(&alice);
}

static void test_changed_password(void **state)
{
    (void)state;
    assert_int_equal(xmpp_test_server_add_account(server, "Alice", "changed"), XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_close(&alice);
}

static const char *answer;
static unsigned asked;

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    (void)client;
    (void)user_data;
    asked++;
    assert_int_equal(xmpp_ask_answer(ask, answer, strlen(answer)), XMPP_OK);
}

static void login_and_logout(void)
{
    alice.state = XMPP_STATE_IDLE;
    assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
    user_wait_ready(&alice);
    logout();
}

/* SASL-20: the salt of an account stays, so the keys of the first login do for the next ones */
static void test_salt_stays(void **state)
{
    (void)state;
    asked = 0;
    answer = "wonder";
    user_open(&alice);
    assert_int_equal(
        xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_STARTTLS, "alice"),
        XMPP_OK);
    assert_int_equal(xmpp_client_set_password(alice.client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_ask_fn(alice.client, on_ask, NULL, NULL), XMPP_OK);
    for (int i = 0; i < 3; i++) {
        login_and_logout();
        assert_int_equal(asked, 1);
    }
    /* the keys are of no use any more */
    answer = "changed";
    assert_int_equal(xmpp_test_server_add_account(server, "alice", answer), XMPP_OK);
    for (int i = 0; i < 2; i++) {
        login_and_logout();
        assert_int_equal(asked, 2);
    }
    user_close(&alice);
}

static void test_resource(void **state)
{
    struct user other;
    xmpp_jid *jid;

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "alice@test.example/<&>'desk"), XMPP_OK);
    user_open(&alice);
    user_open(&other);
    for (int i = 0; i < 2; i++) {
        struct user *user = i ? &other : &alice;

        assert_int_equal(
            xmpp_test_server_configure_client(server, user->client, XMPP_TEST_PLAIN, "alice"),
            XMPP_OK);
        assert_int_equal(xmpp_client_set_jid(user->client, jid), XMPP_OK);
        assert_int_equal(xmpp_client_connect(user->client), XMPP_OK);
        user_wait_ready(user);
    }
    assert_int_equal(xmpp_jid_compare(xmpp_client_get_jid(alice.client), jid), 0);
    /* the second one gets another resource */
    assert_int_not_equal(xmpp_jid_compare(xmpp_client_get_jid(other.client), jid), 0);
    assert_true(xmpp_jid_equal_bare(xmpp_client_get_jid(other.client), jid));
    xmpp_jid_unref(jid);
    user_close(&alice);
    user_close(&other);
}

static void test_domain(void **state)
{
    (void)state;
    assert_int_equal(xmpp_test_server_set_domain(server, "other.example"), XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    assert_string_equal(xmpp_jid_get_domain(xmpp_client_get_jid(alice.client)), "other.example");
    assert_int_equal(xmpp_test_server_set_domain(server, "late.example"), XMPP_ERR_STATE);
    user_close(&alice);
}

static void test_host_unknown(void **state)
{
    xmpp_jid *jid;

    (void)state;
    user_open(&alice);
    assert_int_equal(
        xmpp_test_server_configure_client(server, alice.client, XMPP_TEST_PLAIN, "alice"), XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&jid, "alice@elsewhere.example"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(alice.client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_STREAM, XMPP_PHASE_SECURING, "host-unknown");
    user_close(&alice);
}

/* --- EXTERNAL --- */

static void connect_with_cert(int transport, const char *user)
{
    assert_int_equal(xmpp_test_server_set_mechanisms(server, "EXTERNAL"), XMPP_OK);
    user_open(&alice);
    assert_int_equal(xmpp_test_server_configure_client(server, alice.client, transport, user),
                     XMPP_OK);
    assert_int_equal(xmpp_client_set_password(alice.client, NULL), XMPP_OK);
}

static void test_external(void **state)
{
    static const int versions[] = {0x0303, 0x0304};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(xmpp_test_server_set_tls_version(server, versions[i / 2]), XMPP_OK);
        connect_with_cert(i % 2 ? XMPP_TEST_STARTTLS : XMPP_TEST_DIRECT_TLS, i ? "alice" : "bob");
        assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
        user_wait_ready(&alice);
        check_info(XMPP_INFO_SASL_MECHANISM, "EXTERNAL");
        assert_string_equal(xmpp_jid_get_local(xmpp_client_get_jid(alice.client)),
                            i ? "alice" : "bob");
        logout();
        user_close(&alice);
    }
}

/* XEP-0178, 2: to a client with no certificate, or with one of another authority, it is not offered */
static void test_external_without_a_certificate(void **state)
{
    xmpp_test_server *other;
    const char *cert;
    const char *key;

    (void)state;
    assert_int_equal(xmpp_test_server_create(&other, loop), XMPP_OK);
    assert_int_equal(xmpp_test_server_add_account(other, "alice", "x"), XMPP_OK);
    assert_int_equal(xmpp_test_server_get_cert_files(other, "alice", &cert, &key), XMPP_OK);
    for (int i = 0; i < 2; i++) {
        connect_with_cert(XMPP_TEST_STARTTLS, "alice");
        assert_int_equal(xmpp_test_server_set_mechanisms(server, "EXTERNAL PLAIN"), XMPP_OK);
        assert_int_equal(xmpp_client_set_cert_files(alice.client, i ? cert : NULL, i ? key : NULL),
                         XMPP_OK);
        assert_int_equal(xmpp_client_set_password(alice.client, "wonder"), XMPP_OK);
        assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
        user_wait_ready(&alice);
        check_info(XMPP_INFO_SASL_MECHANISM, "PLAIN");
        user_close(&alice);
    }
    xmpp_test_server_unref(other);
}

static void test_external_for_another_account(void **state)
{
    xmpp_jid *jid;

    (void)state;
    for (int i = 0; i < 2; i++) {
        connect_with_cert(XMPP_TEST_DIRECT_TLS, "alice");
        assert_int_equal(xmpp_jid_parse(&jid, i ? "alice@test.example" : "bob@test.example"),
                         XMPP_OK);
        assert_int_equal(xmpp_client_set_authzid(alice.client, jid), XMPP_OK);
        xmpp_jid_unref(jid);
        assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
        if (i) {
            user_wait_ready(&alice);
        } else {
            user_wait_idle(&alice);
            user_check_error(&alice, XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING, "invalid-authzid");
        }
        user_close(&alice);
    }
}

static void test_cert_files(void **state)
{
    const char *certs[2];
    const char *keys[2];
    char line[64];
    FILE *file;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(xmpp_test_server_get_cert_files(server, "alice", &certs[i], &keys[i]),
                         XMPP_OK);
    assert_string_equal(certs[0], certs[1]);
    assert_string_equal(keys[0], keys[1]);
    assert_string_not_equal(certs[0], keys[0]);
    file = fopen(keys[0], "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_non_null(strstr(line, "PRIVATE KEY"));
    assert_int_equal(xmpp_test_server_set_domain(server, "other.example"), XMPP_OK);
    connect_with_cert(XMPP_TEST_STARTTLS, "alice"); /* with new ones */
    assert_int_equal(xmpp_client_connect(alice.client), XMPP_OK);
    user_wait_ready(&alice);
    user_close(&alice);
    assert_int_equal(xmpp_test_server_get_cert_files(server, "carol", certs, keys),
                     XMPP_ERR_NOTFOUND);
    assert_int_equal(xmpp_test_server_get_cert_files(NULL, "alice", certs, keys), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_get_cert_files(server, NULL, certs, keys), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_get_cert_files(server, "alice", NULL, keys), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_get_cert_files(server, "alice", certs, NULL), XMPP_ERR_INVAL);
}

/* --- IPv6 --- */

static void test_ipv6(void **state)
{
    uint16_t v4;
    uint16_t v6;

    (void)state;
    assert_int_equal(xmpp_test_server_set_ipv6(NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &v4), XMPP_OK);
    assert_int_equal(xmpp_test_server_set_ipv6(server, 1), XMPP_OK);
    if (xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &v6) == XMPP_ERR_SYSTEM &&
        (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
        skip(); /* a machine without IPv6 */
    for (int i = 0; i < 4; i++) {
        int transport = i < 3 ? i : XMPP_TEST_PLAIN;

        assert_int_equal(xmpp_test_server_set_ipv6(server, i < 3), XMPP_OK);
        user_open(&alice);
        user_login(&alice, transport, "alice");
        assert_non_null(strstr(xmpp_client_get_info(alice.client, XMPP_INFO_ADDRESS),
                               i < 3 ? "::1" : "127.0.0.1"));
        logout();
        user_close(&alice);
    }
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &v6), XMPP_OK);
    assert_int_equal(v4, v6); /* that of IPv4 stays */
}

/* --- references --- */

static pthread_t main_thread;
static unsigned destroyed;

static void on_destroy(void *user_data)
{
    assert_ptr_equal(user_data, &destroyed);
    assert_true(pthread_equal(main_thread, pthread_self()));
    destroyed++;
}

static void *drop_both(void *user_data)
{
    xmpp_test_server *dropped = user_data;

    (void)xmpp_test_server_ref(dropped);
    (void)xmpp_test_server_unref(dropped);
    (void)xmpp_test_server_unref(dropped);
    return NULL;
}

/* Once the loop goes on, once it is dropped too. */
static void test_unref_in_another_thread(void **state)
{
    pthread_t thread;

    (void)state;
    main_thread = pthread_self();
    destroyed = 0;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(xmpp_test_server_set_event_fn(server, NULL, &destroyed, on_destroy),
                         XMPP_OK);
        user_open(&alice);
        user_login(&alice, XMPP_TEST_DIRECT_TLS, "alice");
        assert_int_equal(pthread_create(&thread, NULL, drop_both, server), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        server = NULL;
        assert_int_equal(destroyed, i);
        if (i == 0)
            user_wait_idle(&alice); /* its connection has ended */
        user_close(&alice);
        loop = xmpp_loop_unref(loop);
        assert_int_equal(destroyed, i + 1);
        user_setup(NULL);
    }
}

static void test_trust_file(void **state)
{
    char line[64];
    FILE *file = fopen(xmpp_test_server_get_trust_file(server), "r");

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_string_equal(line, "-----BEGIN CERTIFICATE-----\n");
    assert_null(xmpp_test_server_get_trust_file(NULL));
}

static void test_wrong_arguments(void **state)
{
    xmpp_test_server *none = NULL;
    uint16_t port = 0;
    uint16_t again = 0;

    (void)state;
    assert_int_equal(xmpp_test_server_create(NULL, loop), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_create(&none, NULL), XMPP_ERR_INVAL);
    assert_null(none);
    assert_null(xmpp_test_server_ref(NULL));
    assert_null(xmpp_test_server_unref(NULL));
    assert_int_equal(xmpp_test_server_set_domain(server, "b\xc3\xbc.example"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_domain(server, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_add_account(server, "a@b", "x"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_add_account(server, "a", ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_mechanisms(server, "A<B"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_channel_bindings(server, "'"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_tls_version(server, 0x0302), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_cert(server, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_cert(server, 7), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_fault(server, 0, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_set_fault(server, 18, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_fail_at(server, 0, XMPP_TEST_DROP, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_fail_at(server, 15, XMPP_TEST_DROP, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_fail_at(server, XMPP_TEST_AT_BIND, XMPP_TEST_SEND, NULL),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_clear_faults(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_listen(server, 3, &port), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &port), XMPP_OK);
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &again), XMPP_OK);
    assert_true(port != 0 && port == again);
    assert_int_equal(xmpp_test_server_listen(server, XMPP_TEST_STARTTLS, &again), XMPP_OK);
    assert_int_not_equal(port, again);
    assert_int_equal(xmpp_test_server_run(NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_count_conns(NULL), 0);
    assert_null(xmpp_test_server_get_conn(server, 0));
    assert_int_equal(xmpp_test_server_get_stat(server, 99), 0);
    assert_int_equal(xmpp_test_conn_get_stat(NULL, 1), 0);
    assert_false(xmpp_test_conn_is_open(NULL));
    assert_null(xmpp_test_conn_get_jid(NULL));
    assert_int_equal(xmpp_test_conn_count_received(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_default),
        TEST(test_every_transport_and_mechanism),
        TEST(test_every_binding),
        TEST(test_nothing_announced),
        TEST(test_announced_type_is_missing),
        TEST(test_anonymous),
        TEST(test_wrong_password),
        TEST(test_unknown_account),
        TEST(test_name_with_comma_and_equals),
        TEST(test_changed_password),
        TEST(test_salt_stays),
        TEST(test_resource),
        TEST(test_domain),
        TEST(test_host_unknown),
        TEST(test_external),
        TEST(test_external_without_a_certificate),
        TEST(test_external_for_another_account),
        TEST(test_cert_files),
        TEST(test_ipv6),
        TEST(test_unref_in_another_thread),
        TEST(test_trust_file),
        TEST(test_wrong_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
