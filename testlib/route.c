#include "tst.h"

#include <string.h>
#include <strings.h>

#define FORGED "mallory@forged.example/x"

static bool is_type(const xmpp_elem *stanza, const char *type)
{
    const char *have = xmpp_elem_get_attr(stanza, "type");

    return have && strcmp(have, type) == 0;
}

/* An answer of the server itself, with the faults for answers. Takes the reference. */
static void answer(xmpp_test_conn *conn, const xmpp_elem *request, xmpp_elem *reply)
{
    const char *id = xmpp_elem_get_attr(request, "id");
    const char *to = xmpp_elem_get_attr(request, "to");
    struct tst_buf wrong = {0};

    if (id && tst_has_fault(conn, XMPP_TEST_FAULT_WRONG_ID)) {
        tst_buf_printf(&wrong, "%s-wrong", id);
        if (!wrong.failed)
            (void)xmpp_elem_set_attr(reply, "id", wrong.data);
        tst_buf_clear(&wrong);
    }
    if (tst_has_fault(conn, XMPP_TEST_FAULT_FORGED_FROM))
        (void)xmpp_elem_set_attr(reply, "from", FORGED);
    else if (to)
        (void)xmpp_elem_set_attr(reply, "from", to);
    if (tst_conn_hand_over(conn, reply) < 0)
        conn->wire_out.failed = true;
    xmpp_elem_unref(reply);
}

static void refuse(xmpp_test_conn *conn, const xmpp_elem *stanza, const char *type,
                   const char *condition)
{
    xmpp_elem *reply;

    if (is_type(stanza, "error") || is_type(stanza, "result") ||
        xmpp_elem_get_kind(stanza) == XMPP_PRESENCE)
        return; /* RFC 6120, 8.3.1 */
    if (xmpp_elem_create_error(&reply, stanza, type, condition, NULL) < 0)
        conn->wire_out.failed = true;
    else
        answer(conn, stanza, reply);
}

static void deliver(xmpp_test_conn *to, const xmpp_elem *stanza)
{
    xmpp_elem *copy;

    if (xmpp_elem_copy(stanza, &copy) < 0) {
        to->wire_out.failed = true;
        return;
    }
    if (tst_has_fault(to, XMPP_TEST_FAULT_FORGED_FROM) &&
        (is_type(stanza, "result") || is_type(stanza, "error")))
        (void)xmpp_elem_set_attr(copy, "from", FORGED);
    if (tst_conn_hand_over(to, copy) < 0)
        to->wire_out.failed = true;
    xmpp_elem_unref(copy);
}

/* Requests to the server or to an account. */
static void serve(xmpp_test_conn *conn, const xmpp_elem *iq)
{
    bool is_known = (is_type(iq, "get") && xmpp_elem_first_child(iq, TST_NS_PING, "ping")) ||
                    (is_type(iq, "set") && xmpp_elem_first_child(iq, TST_NS_SESSION, "session"));
    xmpp_elem *reply;

    if (!is_known)
        refuse(conn, iq, "cancel", "service-unavailable");
    else if (xmpp_elem_create_reply(&reply, iq) < 0)
        conn->wire_out.failed = true;
    else
        answer(conn, iq, reply);
}

/* Everybody who has this bare address and has said to be available. */
static size_t deliver_all(const xmpp_test_conn *from, const xmpp_jid *to, const xmpp_elem *stanza)
{
    const xmpp_test_server *server = from->server;
    size_t count = 0;

    for (size_t i = 0; i < server->conn_count; i++) {
        xmpp_test_conn *conn = server->conns[i];

        if (!conn->ready || conn->ended || !conn->available ||
            !xmpp_jid_equal_bare(conn->jid, to) ||
            (conn == from && xmpp_elem_get_kind(stanza) == XMPP_PRESENCE))
            continue;
        deliver(conn, stanza);
        count++;
    }
    return count;
}

static void route_to(xmpp_test_conn *conn, const xmpp_jid *to, const xmpp_elem *stanza)
{
    int kind = xmpp_elem_get_kind(stanza);
    xmpp_test_conn *peer;

    if (strcasecmp(xmpp_jid_get_domain(to), conn->server->domain) != 0) {
        refuse(conn, stanza, "cancel", "remote-server-not-found");
    } else if (xmpp_jid_get_resource(to)) {
        peer = tst_conn_find(conn->server, to);
        if (peer)
            deliver(peer, stanza);
        else
            refuse(conn, stanza, "cancel", "service-unavailable");
    } else if (kind == XMPP_IQ) {
        serve(conn, stanza);
    } else if (deliver_all(conn, to, stanza) == 0 && !is_type(stanza, "headline")) {
        refuse(conn, stanza, "cancel", "service-unavailable");
    }
}

/* RFC 6120, 8.1.2.1: what the others see is the full address. */
static void route_stamped(xmpp_test_conn *conn, const xmpp_elem *stanza)
{
    const char *to = xmpp_elem_get_attr(stanza, "to");
    const xmpp_jid *jid = to ? xmpp_elem_get_to(stanza) : conn->jid;
    bool is_own = !to;

    if (!jid) {
        refuse(conn, stanza, "modify", "jid-malformed");
        return;
    }
    if (!is_own) {
        route_to(conn, jid, stanza);
        return;
    }
    switch (xmpp_elem_get_kind(stanza)) {
    case XMPP_IQ:
        serve(conn, stanza);
        break;
    case XMPP_PRESENCE:
        conn->available = !is_type(stanza, "unavailable");
        (void)deliver_all(conn, conn->jid, stanza);
        break;
    default:
        (void)deliver_all(conn, conn->jid, stanza);
    }
}

void tst_route(xmpp_test_conn *conn, const xmpp_elem *stanza)
{
    const char *from = xmpp_elem_get_attr(stanza, "from");
    xmpp_elem *copy;

    if (from && strcmp(from, xmpp_jid_get_str(conn->jid)) != 0 &&
        strcmp(from, xmpp_jid_get_bare_str(conn->jid)) != 0) {
        tst_stream_error(conn, "invalid-from");
        return;
    }
    if (xmpp_elem_copy(stanza, &copy) < 0) {
        conn->wire_out.failed = true;
        return;
    }
    (void)xmpp_elem_set_attr(copy, "from", xmpp_jid_get_str(conn->jid));
    if (xmpp_elem_seal(copy) < 0)
        conn->wire_out.failed = true;
    else
        route_stamped(conn, copy);
    xmpp_elem_unref(copy);
}

void tst_route_gone(xmpp_test_conn *conn)
{
    xmpp_elem *presence;

    if (!conn->available)
        return;
    conn->available = false;
    if (xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, "unavailable", NULL) < 0)
        return;
    (void)xmpp_elem_set_attr(presence, "from", xmpp_jid_get_str(conn->jid));
    if (xmpp_elem_seal(presence) >= 0)
        (void)deliver_all(conn, conn->jid, presence);
    xmpp_elem_unref(presence);
}
