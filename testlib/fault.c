#include "tst.h"

#include <string.h>

bool tst_has_fault(const xmpp_test_conn *conn, int fault)
{
    return conn->faults[fault] > 0;
}

bool tst_is_wrong_at(const xmpp_test_conn *conn, int point)
{
    return conn->faults[XMPP_TEST_FAULT_WRONG_NAMESPACE] == point;
}

bool tst_plan_at(xmpp_test_conn *conn, int point)
{
    const struct tst_plan *plan = &conn->plans[point];

    if (plan->action == 0 || conn->ended)
        return false;
    tst_act(conn, plan->action, plan->text);
    return true;
}

void tst_send_end(xmpp_test_conn *conn)
{
    if (conn->ended || conn->closing || conn->silent)
        return;
    if (conn->opened)
        tst_conn_say(conn, "</stream:stream>");
    if (conn->tls_open && !tst_has_fault(conn, XMPP_TEST_FAULT_NO_CLOSE_NOTIFY))
        (void)gnutls_bye(conn->tls, GNUTLS_SHUT_WR); /* into memory */
    conn->closing = true;
    tst_conn_update(conn);
}

/* RFC 6120, 4.9.1.2: our header comes first, if need be. */
void tst_stream_error(xmpp_test_conn *conn, const char *condition)
{
    if (!conn->opened)
        tst_conn_printf(conn,
                        "<?xml version='1.0'?><stream:stream xmlns='" TST_NS_CLIENT
                        "' xmlns:stream='" TST_NS_STREAM "' from='%s' id='error-%u' version='1.0'>",
                        conn->server->domain, conn->number);
    conn->opened = true;
    tst_conn_printf(conn, "<stream:error><%s xmlns='" TST_NS_STREAMS "'/></stream:error>",
                    condition);
    tst_send_end(conn);
}

bool tst_is_action(int action, const char *text)
{
    return action >= 0 && action <= XMPP_TEST_START_TLS && (action != XMPP_TEST_SEND || text);
}

void tst_act(xmpp_test_conn *conn, int action, const char *text)
{
    static const char garbage[] =
        "\x01\xff\xfe<<>&\x80]]>\x16\x03\x03 not XML, not TLS <!DOCTYPE \xc0";

    switch (action) {
    case XMPP_TEST_SILENCE:
        conn->silent = true;
        break;
    case XMPP_TEST_CLOSE:
        tst_send_end(conn);
        break;
    case XMPP_TEST_DROP:
        tst_wire_drop(conn);
        break;
    case XMPP_TEST_RESET:
        tst_wire_reset(conn);
        break;
    case XMPP_TEST_GARBAGE:
        if (text)
            tst_conn_raw(conn, text, strlen(text));
        else
            tst_conn_raw(conn, garbage, sizeof garbage - 1);
        conn->silent = true;
        break;
    case XMPP_TEST_STREAM_ERROR:
        tst_stream_error(conn, text ? text : "undefined-condition");
        break;
    case XMPP_TEST_START_TLS:
        tst_login_tls(conn);
        break;
    default:
        tst_conn_raw(conn, text ? text : "", text ? strlen(text) : 0);
    }
}
