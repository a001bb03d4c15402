#include "tst.h"

#include <stdlib.h>
#include <string.h>

#define ALL_MECHANISMS                                                                             \
    "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-256 "          \
    "SCRAM-SHA-1 PLAIN ANONYMOUS"

/* --- the offer --- */

static bool is_plus(const char *name, size_t len)
{
    return len > 5 && memcmp(name + len - 5, "-PLUS", 5) == 0;
}

static bool has_mechanism(const xmpp_test_server *server, const char *name)
{
    const char *names = server->mechanisms ? server->mechanisms : ALL_MECHANISMS;

    return tst_has_word(names, name, strlen(name));
}

bool tst_auth_wants_cert(const xmpp_test_server *server)
{
    return has_mechanism(server, "EXTERNAL");
}

/* Is it of any use on this connection? */
static bool is_possible(const xmpp_test_conn *conn, const char *name, size_t len)
{
    if (len == 8 && memcmp(name, "EXTERNAL", 8) == 0)
        return conn->peer != NULL; /* XEP-0178, 2 */
    return !is_plus(name, len) || conn->tls_open;
}

/* XEP-0440 */
static void offer_bindings(const xmpp_test_conn *conn, struct tst_buf *features)
{
    const char *types = conn->server->bindings;

    if (types && !*types)
        return;
    tst_buf_str(features, "<sasl-channel-binding xmlns='" TST_NS_CB "'>");
    if (!types)
        types = "tls-exporter tls-unique tls-server-end-point";
    while (*types) {
        int n = (int)strcspn(types, " ");
        struct tst_buf type = {0};
        gnutls_datum_t data;

        tst_buf_add(&type, types, (size_t)n);
        if (!type.failed && (conn->server->bindings || tst_tls_binding(conn, type.data, &data))) {
            tst_buf_printf(features, "<channel-binding type='%s'/>", type.data);
            if (!conn->server->bindings)
                gnutls_free(data.data);
        }
        tst_buf_clear(&type);
        types += n;
        types += strspn(types, " ");
    }
    tst_buf_str(features, "</sasl-channel-binding>");
}

void tst_auth_offer(xmpp_test_conn *conn, struct tst_buf *features)
{
    const char *names = conn->server->mechanisms ? conn->server->mechanisms : ALL_MECHANISMS;

    tst_buf_printf(
        features, "<mechanisms xmlns='%s'>",
        tst_is_wrong_at(conn, conn->tls_open ? XMPP_TEST_AT_SECURE_FEATURES : XMPP_TEST_AT_FEATURES)
            ? TST_NS_WRONG
            : TST_NS_SASL);
    conn->cb_offered = false;
    while (*names) {
        size_t n = strcspn(names, " ");

        if (is_possible(conn, names, n)) {
            conn->cb_offered |= is_plus(names, n);
            tst_buf_str(features, "<mechanism>");
            tst_buf_add(features, names, n);
            tst_buf_str(features, "</mechanism>");
        }
        names += n;
        names += strspn(names, " ");
    }
    tst_buf_str(features, "</mechanisms>");
    if (conn->cb_offered)
        offer_bindings(conn, features);
}

/* --- the exchange --- */

static void refuse(xmpp_test_conn *conn, const char *condition)
{
    tst_scram_clear(&conn->scram);
    conn->scram_active = false;
    tst_conn_printf(conn, "<failure xmlns='" TST_NS_SASL "'><%s/></failure>", condition);
}

static void say_base64(xmpp_test_conn *conn, const char *name, const struct tst_buf *data)
{
    const char *ns = tst_is_wrong_at(conn, XMPP_TEST_AT_AUTH) ? TST_NS_WRONG : TST_NS_SASL;
    struct tst_buf text = {0};

    if (data)
        tst_buf_base64(&text, data->data, data->len);
    tst_conn_printf(conn, "<%s xmlns='%s'>%s</%s>", name, ns, text.len > 0 ? text.data : "", name);
    tst_buf_clear(&text);
}

static void succeed(xmpp_test_conn *conn, const char *user, const struct tst_buf *data)
{
    free(conn->user);
    conn->user = user ? strdup(user) : NULL;
    if (user && !conn->user)
        conn->wire_out.failed = true;
    conn->authenticated = true;
    say_base64(conn, "success", data);
    tst_scram_clear(&conn->scram);
    conn->scram_active = false;
}

/* RFC 4616: authzid NUL authcid NUL password */
static void try_plain(xmpp_test_conn *conn, const struct tst_buf *in)
{
    const char *user = in->len > 0 ? memchr(in->data, '\0', in->len) : NULL;
    const char *end = user ? in->data + in->len : NULL;
    const char *password = user ? memchr(user + 1, '\0', (size_t)(end - user - 1)) : NULL;
    const char *known = password ? tst_server_password(conn->server, user + 1) : NULL;

    if (!password)
        refuse(conn, "malformed-request");
    else if (known && strlen(known) == (size_t)(end - password - 1) &&
             memcmp(known, password + 1, (size_t)(end - password - 1)) == 0)
        succeed(conn, user + 1, NULL);
    else
        refuse(conn, "not-authorized");
}

/* RFC 4422, A: the account is that of the certificate; another one cannot be acted for. */
static void try_external(xmpp_test_conn *conn, const struct tst_buf *in)
{
    xmpp_jid *jid = NULL;
    bool is_other = in->len > 0 && conn->peer &&
                    (strlen(in->data) != in->len || strcmp(in->data, conn->peer) != 0);

    if (conn->peer && xmpp_jid_parse(&jid, conn->peer) == XMPP_ERR_NOMEM)
        conn->wire_out.failed = true;
    if (is_other)
        refuse(conn, "invalid-authzid");
    else if (jid && xmpp_jid_get_local(jid) &&
             strcmp(xmpp_jid_get_domain(jid), conn->server->domain) == 0 &&
             tst_server_password(conn->server, xmpp_jid_get_local(jid)))
        succeed(conn, xmpp_jid_get_local(jid), NULL);
    else
        refuse(conn, "not-authorized");
    xmpp_jid_unref(jid);
}

static void try_scram(xmpp_test_conn *conn, const struct tst_buf *in)
{
    struct tst_buf reply = {0};
    bool done = false;
    const char *condition = tst_scram_answer(conn, in, &reply, &done);

    if (condition)
        refuse(conn, condition);
    else if (done)
        succeed(conn, conn->scram.user, &reply);
    else
        say_base64(conn, "challenge", &reply);
    tst_buf_clear(&reply);
}

/* false: not base64 */
static bool decode(const char *text, struct tst_buf *ret)
{
    gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
    gnutls_datum_t out;

    if (in.size == 0 || strcmp(text, "=") == 0)
        return true;
    if (gnutls_base64_decode2(&in, &out) < 0)
        return false;
    tst_buf_add(ret, out.data, out.size);
    gnutls_free(out.data);
    return true;
}

static void begin(xmpp_test_conn *conn, const char *name, const struct tst_buf *in)
{
    size_t len = name ? strlen(name) : 0;

    tst_scram_clear(&conn->scram);
    conn->scram_active = false;
    if (!name || !has_mechanism(conn->server, name)) {
        refuse(conn, "invalid-mechanism");
    } else if (strcmp(name, "PLAIN") == 0) {
        try_plain(conn, in);
    } else if (strcmp(name, "EXTERNAL") == 0) {
        try_external(conn, in);
    } else if (strcmp(name, "ANONYMOUS") == 0) {
        succeed(conn, NULL, NULL);
    } else if (strncmp(name, "SCRAM-SHA-", 10) == 0) {
        conn->scram.plus = is_plus(name, len);
        conn->scram.hash = strncmp(name + 10, "256", 3) == 0   ? "256"
                           : strncmp(name + 10, "512", 3) == 0 ? "512"
                                                               : "1";
        conn->scram_active = true;
        try_scram(conn, in);
    } else {
        refuse(conn, "temporary-auth-failure"); /* offered by the test, but not known here */
    }
}

bool tst_auth_elem(xmpp_test_conn *conn, const xmpp_elem *elem)
{
    bool is_auth = xmpp_elem_is(elem, TST_NS_SASL, "auth");
    struct tst_buf in = {0};

    if (xmpp_elem_is(elem, TST_NS_SASL, "abort")) {
        refuse(conn, "aborted");
        return true;
    }
    if (!is_auth && !xmpp_elem_is(elem, TST_NS_SASL, "response"))
        return false;
    if (tst_plan_at(conn, is_auth ? XMPP_TEST_AT_AUTH : XMPP_TEST_AT_RESPONSE))
        return true;
    if (!decode(xmpp_elem_get_text(elem), &in))
        refuse(conn, "incorrect-encoding");
    else if (is_auth)
        begin(conn, xmpp_elem_get_attr(elem, "mechanism"), &in);
    else if (conn->scram_active)
        try_scram(conn, &in);
    else
        refuse(conn, "malformed-request");
    tst_buf_clear(&in);
    return true;
}
