#include "tst.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void say_header(xmpp_test_conn *conn)
{
    bool is_secure = conn->tls_open;
    bool is_wrong = tst_is_wrong_at(conn, conn->authenticated ? XMPP_TEST_AT_BIND_HEADER
                                          : is_secure         ? XMPP_TEST_AT_SECURE_HEADER
                                                              : XMPP_TEST_AT_HEADER);

    tst_conn_printf(conn,
                    "<?xml version='1.0'?><stream:stream xmlns='" TST_NS_CLIENT
                    "' xmlns:stream='%s' from='%s' id='test-%u-%u' version='1.0' xml:lang='en'>",
                    is_wrong ? TST_NS_WRONG : TST_NS_STREAM, conn->server->domain, conn->number,
                    ++conn->headers);
    conn->opened = true;
}

static void say_features(xmpp_test_conn *conn)
{
    bool offers_tls = conn->transport == XMPP_TEST_STARTTLS && !conn->tls &&
                      !tst_has_fault(conn, XMPP_TEST_FAULT_NO_STARTTLS);
    struct tst_buf text = {0};

    tst_buf_str(&text, "<stream:features>");
    if (conn->authenticated)
        tst_buf_printf(&text, "<bind xmlns='%s'/>",
                       tst_is_wrong_at(conn, XMPP_TEST_AT_BIND_FEATURES) ? TST_NS_WRONG
                                                                         : TST_NS_BIND);
    else if (offers_tls)
        tst_buf_printf(&text, "<starttls xmlns='%s'><required/></starttls>",
                       tst_is_wrong_at(conn, XMPP_TEST_AT_FEATURES) ? TST_NS_WRONG : TST_NS_TLS);
    else
        tst_auth_offer(conn, &text);
    tst_buf_str(&text, "</stream:features>");
    tst_conn_put(conn, text.data, text.len);
    conn->wire_out.failed |= text.failed;
    tst_buf_clear(&text);
}

void tst_login_header(xmpp_test_conn *conn, const xmpp_elem *header)
{
    const char *to = xmpp_elem_get_attr(header, "to");
    bool is_first = conn->headers == 0;

    conn->opened = false;
    if (conn->authenticated ? tst_plan_at(conn, XMPP_TEST_AT_BIND_HEADER)
                            : (is_first && tst_plan_at(conn, XMPP_TEST_AT_HEADER)) ||
                                  (conn->tls_open && tst_plan_at(conn, XMPP_TEST_AT_SECURE_HEADER)))
        return;
    if (!xmpp_elem_is(header, TST_NS_STREAM, "stream")) {
        tst_stream_error(conn, "invalid-namespace");
        return;
    }
    if (to && strcasecmp(to, conn->server->domain) != 0) {
        tst_stream_error(conn, "host-unknown");
        return;
    }
    say_header(conn);
    if (conn->authenticated
            ? tst_plan_at(conn, XMPP_TEST_AT_BIND_FEATURES)
            : (is_first && tst_plan_at(conn, XMPP_TEST_AT_FEATURES)) ||
                  (conn->tls_open && tst_plan_at(conn, XMPP_TEST_AT_SECURE_FEATURES)))
        return;
    say_features(conn);
}

void tst_login_tls(xmpp_test_conn *conn)
{
    conn->opened = false;
    if (!conn->tls && tst_tls_start(conn) < 0) {
        tst_server_fail(conn->server, "TLS cannot be started");
        tst_wire_reset(conn);
    }
}

static void start_tls(xmpp_test_conn *conn)
{
    if (conn->tls || conn->transport != XMPP_TEST_STARTTLS) {
        tst_conn_say(conn, "<failure xmlns='" TST_NS_TLS "'/>");
        tst_send_end(conn);
        return;
    }
    if (tst_plan_at(conn, XMPP_TEST_AT_STARTTLS))
        return;
    tst_conn_printf(conn, "<proceed xmlns='%s'/>",
                    tst_is_wrong_at(conn, XMPP_TEST_AT_STARTTLS) ? TST_NS_WRONG : TST_NS_TLS);
    if (tst_has_fault(conn, XMPP_TEST_FAULT_BEHIND_PROCEED))
        tst_conn_say(conn,
                     "<message from='mallory@forged.example'><body>injected</body></message>");
    tst_login_tls(conn);
}

static bool is_taken(const xmpp_test_conn *conn, const xmpp_jid *jid)
{
    const xmpp_test_conn *other = tst_conn_find(conn->server, jid);

    return other && other != conn;
}

/* RFC 6120, 7.7.2.2: a resource that is in use is replaced by one of ours. */
static int make_jid(xmpp_test_conn *conn, const char *resource)
{
    const char *domain = conn->server->domain;
    char user[32];
    char own[32];
    xmpp_jid *jid = NULL;
    int r = XMPP_OK;

    (void)snprintf(own, sizeof own, "r%u", conn->number);
    if (!conn->user) {
        (void)snprintf(user, sizeof user, "anonymous-%u", ++conn->server->last_anonymous);
        conn->user = strdup(user);
        if (!conn->user)
            return XMPP_ERR_NOMEM;
    }
    if (resource && *resource)
        r = xmpp_jid_compose(&jid, conn->user, domain, resource);
    if (r >= 0 && (!jid || is_taken(conn, jid))) {
        xmpp_jid_unref(jid);
        r = xmpp_jid_compose(&jid, conn->user, domain, own);
    }
    if (r >= 0)
        conn->jid = jid;
    return r;
}

static void bind_resource(xmpp_test_conn *conn, const xmpp_elem *iq, const xmpp_elem *request)
{
    const xmpp_elem *resource = xmpp_elem_first_child(request, TST_NS_BIND, "resource");
    const char *id = xmpp_elem_get_attr(iq, "id");
    struct tst_buf text = {0};
    int r;

    if (tst_plan_at(conn, XMPP_TEST_AT_BIND))
        return;
    r = make_jid(conn, resource ? xmpp_elem_get_text(resource) : NULL);
    tst_buf_str(&text, "<iq id='");
    tst_buf_escape(&text, id ? id : "");
    tst_buf_str(&text, tst_has_fault(conn, XMPP_TEST_FAULT_WRONG_ID) ? "-wrong'" : "'");
    if (r < 0) {
        tst_buf_str(&text, " type='error'><error type='modify'><bad-request "
                           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
        text.failed |= r == XMPP_ERR_NOMEM;
    } else {
        tst_buf_printf(&text, " type='result'><bind xmlns='%s'><jid>",
                       tst_is_wrong_at(conn, XMPP_TEST_AT_BIND) ? TST_NS_WRONG : TST_NS_BIND);
        tst_buf_escape(&text, xmpp_jid_get_str(conn->jid));
        tst_buf_str(&text, "</jid></bind></iq>");
        conn->ready = true;
    }
    conn->wire_out.failed |= text.failed;
    tst_conn_put(conn, text.data, text.len);
    tst_buf_clear(&text);
    if (!conn->ready)
        return;
    tst_count(conn, XMPP_TEST_STAT_LOGINS, 1);
    tst_server_event(conn->server, conn, XMPP_TEST_EVENT_READY);
    if (!tst_plan_at(conn, XMPP_TEST_AT_READY) && !conn->script)
        tst_script_begin(conn);
}

void tst_login_elem(xmpp_test_conn *conn, const xmpp_elem *elem)
{
    const xmpp_elem *request = xmpp_elem_first_child(elem, TST_NS_BIND, "bind");
    const char *type = xmpp_elem_get_attr(elem, "type");

    if (xmpp_elem_is(elem, TST_NS_TLS, "starttls"))
        start_tls(conn);
    else if (!conn->authenticated && tst_auth_elem(conn, elem))
        return;
    else if (conn->authenticated && request && type && strcmp(type, "set") == 0 &&
             xmpp_elem_get_kind(elem) == XMPP_IQ)
        bind_resource(conn, elem, request);
    else
        tst_stream_error(conn,
                         xmpp_elem_get_kind(elem) ? "not-authorized" : "unsupported-stanza-type");
}
