#include "tst.h"

#include <errno.h>
#include <string.h>

#define RECORD_BYTES 16384u

static ssize_t pull(gnutls_transport_ptr_t ptr, void *dst, size_t size)
{
    xmpp_test_conn *conn = ptr;

    if (conn->wire_in.len == 0) {
        gnutls_transport_set_errno(conn->tls, EAGAIN);
        return -1;
    }
    if (size > conn->wire_in.len)
        size = conn->wire_in.len;
    memcpy(dst, conn->wire_in.data, size);
    tst_buf_consume(&conn->wire_in, size);
    return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
    xmpp_test_conn *conn = ptr;

    tst_buf_add(&conn->wire_out, data, len);
    return (ssize_t)len;
}

int tst_tls_start(xmpp_test_conn *conn)
{
    gnutls_datum_t alpn = {(unsigned char *)(uintptr_t) "xmpp-client", 11};
    const char *priority = conn->tls_version == 0x0303   ? "NORMAL:-VERS-ALL:+VERS-TLS1.2"
                           : conn->tls_version == 0x0304 ? "NORMAL:-VERS-ALL:+VERS-TLS1.3"
                                                         : "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                                                           "+VERS-TLS1.2";
    gnutls_certificate_credentials_t creds =
        tst_certs_get(&conn->server->certs, conn->cert, conn->server->domain);

    if (!creds || gnutls_init(&conn->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
                                              GNUTLS_NO_TICKETS) < 0)
        return XMPP_ERR_TLS;
    if (gnutls_priority_set_direct(conn->tls, priority, NULL) < 0 ||
        gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, creds) < 0 ||
        gnutls_alpn_set_protocols(conn->tls, &alpn, 1, 0) < 0)
        return XMPP_ERR_TLS;
    if (tst_auth_wants_cert(conn->server))
        gnutls_certificate_server_set_request(conn->tls, GNUTLS_CERT_REQUEST);
    gnutls_transport_set_ptr(conn->tls, conn);
    gnutls_transport_set_pull_function(conn->tls, pull);
    gnutls_transport_set_push_function(conn->tls, push);

    /* what the client sent behind <starttls/> without waiting */
    tst_buf_consume(&conn->reader.in, conn->reader.taken);
    tst_buf_add(&conn->wire_in, conn->reader.in.data, conn->reader.in.len);
    tst_buf_clear(&conn->reader.in);
    conn->reader.pos = conn->reader.taken = conn->reader.depth = 0;
    return XMPP_OK;
}

static int handshake(xmpp_test_conn *conn)
{
    int r;

    do
        r = gnutls_handshake(conn->tls);
    while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
    if (r == GNUTLS_E_AGAIN)
        return XMPP_OK;
    if (r < 0) {
        (void)gnutls_alert_send_appropriate(conn->tls, r);
        return XMPP_ERR_TLS;
    }
    conn->tls_open = true;
    conn->peer = tst_certs_read_peer(conn->tls);
    r = tst_tls_write(conn, conn->plain_out.data, conn->plain_out.len);
    tst_buf_clear(&conn->plain_out);
    tst_server_event(conn->server, conn, XMPP_TEST_EVENT_SECURED);
    return r;
}

/* close_notify; the end of the socket follows */
static void end_tls(xmpp_test_conn *conn)
{
    conn->tls_ended = true;
    tst_server_event(conn->server, conn, XMPP_TEST_EVENT_TLS_END);
}

int tst_tls_run(xmpp_test_conn *conn)
{
    char data[RECORD_BYTES];

    if (!conn->tls_open) {
        int r = handshake(conn);

        if (r < 0 || !conn->tls_open)
            return r;
    }
    for (;;) {
        ssize_t n = gnutls_record_recv(conn->tls, data, sizeof data);

        if (n > 0)
            tst_conn_take(conn, data, (size_t)n);
        else if (n == 0 && !conn->tls_ended)
            end_tls(conn);
        else if (n == GNUTLS_E_AGAIN || n == 0)
            return XMPP_OK;
        else if (n < 0 && gnutls_error_is_fatal((int)n))
            return XMPP_ERR_TLS;
    }
}

int tst_tls_write(xmpp_test_conn *conn, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = gnutls_record_send(conn->tls, at, len < RECORD_BYTES ? len : RECORD_BYTES);

        if (n < 0)
            return XMPP_ERR_TLS;
        at += n;
        len -= (size_t)n;
    }
    return XMPP_OK;
}

bool tst_tls_binding(const xmpp_test_conn *conn, const char *type, gnutls_datum_t *ret)
{
    static const struct {
        const char *type;
        gnutls_channel_binding_t kind;
    } kinds[] = {
        {"tls-exporter", GNUTLS_CB_TLS_EXPORTER},
        {"tls-unique", GNUTLS_CB_TLS_UNIQUE},
        {"tls-server-end-point", GNUTLS_CB_TLS_SERVER_END_POINT},
    };

    if (!conn->tls_open)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        /* RFC 9266, 4.2: tls-unique is not defined for TLS 1.3 */
        if (kinds[i].kind == GNUTLS_CB_TLS_UNIQUE &&
            gnutls_protocol_get_version(conn->tls) == GNUTLS_TLS1_3)
            return false;
        return gnutls_session_channel_binding(conn->tls, kinds[i].kind, ret) >= 0;
    }
    return false;
}
