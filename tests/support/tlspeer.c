#include "support/tlspeer.h"

#include "support/certs.h"

#include <gnutls/x509.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 16384u
#define EXT_ALPN     16

struct bytes {
    char *data;
    size_t len;
    size_t cap;
};

struct tlspeer {
    gnutls_session_t session;
    struct bytes in;
    struct bytes out;
    struct bytes data;
    size_t dribble;
    bool is_open;
    bool is_closed;
    int error;
    int alert;
    unsigned refusals;
    size_t records;
    char sni[256];
    char alpn[256];
    char address[256];
};

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "tlspeer: %s: %s\n", what, gnutls_strerror(r));
    abort();
}

static void bytes_append(struct bytes *bytes, const void *data, size_t len)
{
    if (!len)
        return;
    if (len > bytes->cap - bytes->len) {
        bytes->cap = (bytes->len + len) * 2;
        bytes->data = realloc(bytes->data, bytes->cap);
        if (!bytes->data)
            abort();
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static void bytes_consume(struct bytes *bytes, size_t len)
{
    if (len > bytes->len)
        abort();
    if (!len)
        return;
    memmove(bytes->data, bytes->data + len, bytes->len - len);
    bytes->len -= len;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *dst, size_t size)
{
    struct tlspeer *peer = ptr;

    if (!peer->in.len) {
        gnutls_transport_set_errno(peer->session, EAGAIN);
        return -1;
    }
    if (size > peer->in.len)
        size = peer->in.len;
    memcpy(dst, peer->in.data, size);
    bytes_consume(&peer->in, size);
    return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
    struct tlspeer *peer = ptr;

    bytes_append(&peer->out, data, len);
    return (ssize_t)len;
}

static int see_extension(void *ctx, unsigned id, const unsigned char *data, unsigned size)
{
    struct tlspeer *peer = ctx;

    /* ProtocolNameList: two bytes of length, then names, each with one byte of length */
    if (id == EXT_ALPN && size > 3 && data[2] + 3u <= size)
        memcpy(peer->alpn, data + 3, data[2]);
    return 0;
}

static int on_client_hello(gnutls_session_t session, unsigned type, unsigned when,
                           unsigned is_incoming, const gnutls_datum_t *message)
{
    struct tlspeer *peer = gnutls_session_get_ptr(session);

    (void)type;
    (void)when;
    (void)is_incoming;
    return gnutls_ext_raw_parse(peer, see_extension, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
}

static void set_priority(gnutls_session_t session, const struct tlspeer_options *options)
{
    static const char *const normal[] = {
        [0] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
        [1] = "NORMAL:-VERS-ALL:+VERS-TLS1.1:%VERIFY_ALLOW_SIGN_WITH_SHA1",
        [2] = "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        [3] = "NORMAL:-VERS-ALL:+VERS-TLS1.3",
    };
    char text[256];

    snprintf(text, sizeof(text), "%s%s",
             options->priority ? options->priority
                               : normal[options->version ? options->version - 10 : 0],
             options->no_ems && !options->priority ? ":%NO_SESSION_HASH" : "");
    must(gnutls_priority_set_direct(session, text, NULL), text);
}

struct tlspeer *tlspeer_create(const struct tlspeer_options *options)
{
    static const struct tlspeer_options defaults;
    struct tlspeer *peer = calloc(1, sizeof(*peer));
    unsigned flags = GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;

    if (!peer)
        abort();
    if (!options)
        options = &defaults;
    peer->alert = -1;
    peer->dribble = options->dribble;
    must(gnutls_init(&peer->session, options->tickets ? flags | GNUTLS_NO_AUTO_SEND_TICKET
                                                      : flags | GNUTLS_NO_TICKETS),
         "init");
    set_priority(peer->session, options);
    must(gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE,
                                certs_server_creds(options->cert ? options->cert : "good")),
         "credentials");
    if (options->tickets) {
        gnutls_datum_t key;

        must(gnutls_session_ticket_key_generate(&key), "ticket key");
        must(gnutls_session_ticket_enable_server(peer->session, &key), "tickets");
        gnutls_memset(key.data, 0, key.size);
        gnutls_free(key.data);
    }
    if (options->alpn) {
        gnutls_datum_t alpn = {(unsigned char *)(size_t)options->alpn,
                               (unsigned)strlen(options->alpn)};

        must(gnutls_alpn_set_protocols(peer->session, &alpn, 1, GNUTLS_ALPN_MANDATORY), "alpn");
    }
    if (options->request_cert || options->require_cert)
        gnutls_certificate_server_set_request(
            peer->session, options->require_cert ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
    gnutls_session_set_ptr(peer->session, peer);
    gnutls_transport_set_ptr(peer->session, peer);
    gnutls_transport_set_pull_function(peer->session, pull);
    gnutls_transport_set_push_function(peer->session, push);
    gnutls_handshake_set_hook_function(peer->session, GNUTLS_HANDSHAKE_CLIENT_HELLO,
                                       GNUTLS_HOOK_PRE, on_client_hello);
    return peer;
}

struct tlspeer *tlspeer_free(struct tlspeer *peer)
{
    if (!peer)
        return NULL;
    gnutls_deinit(peer->session);
    free(peer->in.data);
    free(peer->out.data);
    free(peer->data.data);
    free(peer);
    return NULL;
}

static int peer_fail(struct tlspeer *peer, int number)
{
    peer->error = number;
    if (number == GNUTLS_E_FATAL_ALERT_RECEIVED)
        peer->alert = gnutls_alert_get(peer->session);
    else
        gnutls_alert_send_appropriate(peer->session, number);
    return number;
}

static void see_client_cert(struct tlspeer *peer)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(peer->session, &count);
    gnutls_x509_crt_t crt;

    if (!chain || !count)
        return;
    must(gnutls_x509_crt_init(&crt), "crt");
    must(gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER), "crt");
    for (unsigned i = 0;; i++) {
        char value[200];
        size_t len = sizeof(value) - 1;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, value, &len, NULL);

        if (type < 0)
            break;
        if (type == GNUTLS_SAN_OTHERNAME_XMPP)
            snprintf(peer->address, sizeof(peer->address), "%.*s", (int)len, value);
    }
    gnutls_x509_crt_deinit(crt);
}

static int handshake(struct tlspeer *peer)
{
    size_t len = sizeof(peer->sni) - 1;
    unsigned type;
    int r;

    do
        r = gnutls_handshake(peer->session);
    while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
    if (r == GNUTLS_E_AGAIN)
        return 0;
    if (r < 0)
        return peer_fail(peer, r);
    peer->is_open = true;
    if (gnutls_server_name_get(peer->session, peer->sni, &len, &type, 0) < 0)
        peer->sni[0] = '\0';
    see_client_cert(peer);
    return 0;
}

static int receive(struct tlspeer *peer)
{
    for (;;) {
        char data[RECORD_BYTES];
        size_t before = peer->in.len;
        ssize_t n = gnutls_record_recv(peer->session, data, sizeof(data));

        if (n > 0) {
            bytes_append(&peer->data, data, (size_t)n);
            peer->records++;
        } else if (n == 0) {
            peer->is_closed = true;
            return 0;
        } else if (n == GNUTLS_E_WARNING_ALERT_RECEIVED) {
            peer->alert = gnutls_alert_get(peer->session);
            peer->refusals += peer->alert == GNUTLS_A_NO_RENEGOTIATION;
        } else if (n == GNUTLS_E_AGAIN) {
            if (!peer->in.len || peer->in.len == before)
                return 0;
        } else if (gnutls_error_is_fatal((int)n)) {
            return peer_fail(peer, (int)n);
        }
    }
}

int tlspeer_feed(struct tlspeer *peer, const void *data, size_t len)
{
    if (peer->error || peer->is_closed)
        return peer->error;
    bytes_append(&peer->in, data, len);
    if (!peer->is_open) {
        int r = handshake(peer);

        if (r < 0 || !peer->is_open)
            return r;
    }
    return receive(peer);
}

size_t tlspeer_take(struct tlspeer *peer, void *dst, size_t size)
{
    if (size > peer->out.len)
        size = peer->out.len;
    if (peer->dribble && size > peer->dribble)
        size = peer->dribble;
    if (size)
        memcpy(dst, peer->out.data, size);
    bytes_consume(&peer->out, size);
    return size;
}

size_t tlspeer_queued(const struct tlspeer *peer)
{
    return peer->out.len;
}

int tlspeer_write(struct tlspeer *peer, const void *data, size_t len)
{
    const char *pos = data;

    while (len) {
        ssize_t n = gnutls_record_send(peer->session, pos, len < RECORD_BYTES ? len : RECORD_BYTES);

        if (n < 0)
            return (int)n;
        pos += n;
        len -= (size_t)n;
    }
    return 0;
}

size_t tlspeer_peek(const struct tlspeer *peer, const void **ret_data)
{
    *ret_data = peer->data.data;
    return peer->data.len;
}

void tlspeer_consume(struct tlspeer *peer, size_t len)
{
    bytes_consume(&peer->data, len);
}

int tlspeer_close(struct tlspeer *peer)
{
    return gnutls_bye(peer->session, GNUTLS_SHUT_WR);
}

int tlspeer_send_alert(struct tlspeer *peer, bool is_fatal, gnutls_alert_description_t alert)
{
    return gnutls_alert_send(peer->session, is_fatal ? GNUTLS_AL_FATAL : GNUTLS_AL_WARNING, alert);
}

int tlspeer_send_tickets(struct tlspeer *peer, unsigned count)
{
    int r = 0;

    /* one record each */
    while (count-- && r >= 0)
        r = gnutls_session_ticket_send(peer->session, 1, 0);
    return r;
}

int tlspeer_key_update(struct tlspeer *peer, bool ask_back)
{
    return gnutls_session_key_update(peer->session, ask_back ? GNUTLS_KU_PEER : 0);
}

int tlspeer_hello_request(struct tlspeer *peer)
{
    return gnutls_rehandshake(peer->session);
}

void tlspeer_send_raw(struct tlspeer *peer, const void *data, size_t len)
{
    bytes_append(&peer->out, data, len);
}

bool tlspeer_is_open(const struct tlspeer *peer)
{
    return peer->is_open;
}

bool tlspeer_is_closed(const struct tlspeer *peer)
{
    return peer->is_closed;
}

int tlspeer_error(const struct tlspeer *peer)
{
    return peer->error;
}

int tlspeer_alert(const struct tlspeer *peer)
{
    return peer->alert;
}

unsigned tlspeer_refusals(const struct tlspeer *peer)
{
    return peer->refusals;
}

size_t tlspeer_records(const struct tlspeer *peer)
{
    return peer->records;
}

const char *tlspeer_sni(const struct tlspeer *peer)
{
    return peer->sni[0] ? peer->sni : NULL;
}

const char *tlspeer_alpn(const struct tlspeer *peer)
{
    return peer->alpn[0] ? peer->alpn : NULL;
}

const char *tlspeer_client_address(const struct tlspeer *peer)
{
    return peer->address[0] ? peer->address : NULL;
}

bool tlspeer_binding(const struct tlspeer *peer, const char *type, void *dst, size_t *len)
{
    gnutls_channel_binding_t kind = strcmp(type, "tls-exporter") == 0 ? GNUTLS_CB_TLS_EXPORTER
                                    : strcmp(type, "tls-unique") == 0
                                        ? GNUTLS_CB_TLS_UNIQUE
                                        : GNUTLS_CB_TLS_SERVER_END_POINT;
    gnutls_datum_t data = {0};
    bool is_there = gnutls_session_channel_binding(peer->session, kind, &data) >= 0;

    if (is_there && data.size <= *len) {
        memcpy(dst, data.data, data.size);
        *len = data.size;
    } else {
        is_there = false;
    }
    gnutls_free(data.data);
    return is_there;
}

gnutls_session_t tlspeer_session(struct tlspeer *peer)
{
    return peer->session;
}
