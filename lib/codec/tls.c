#include "codec/tls.h"

#include "codec/creds.h"
#include "codec/explain.h"
#include "codec/verify.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>
#include <xmpp/client.h>

#include <errno.h>
#include <string.h>

#define RECORD_BYTES  16384u /* of data in one record, RFC 8446 5.1 */
#define RECORD_SLACK  64u /* room for a KeyUpdate that GnuTLS puts in front */
#define RECORD_WORTH  1024u /* a full wire_out is no reason for records below this */
#define MAX_BINDINGS  3
#define BINDING_BYTES 64
#define HEAD_BYTES    20

struct tls_binding {
    const char *type;
    size_t len;
    uint8_t data[BINDING_BYTES];
};

struct tls {
    struct codec codec;
    gnutls_session_t session;
    struct tls_creds *creds;
    enum tls_state state;
    char *domain;
    char *display_domain;
    bool is_ip;
    bool is_started;
    bool is_known; /* the handshake is behind us, its parameters are final */
    bool is_closed; /* by us */
    bool is_nomem; /* in the push function */
    bool is_over_limit; /* in the push or pull function */
    struct buf *source; /* during decode(): the wire's bytes */
    struct buf *sink; /* during encode() and close(): where output goes, behind what waits in out */
    struct buf out;
    size_t handshake_bytes; /* received */
    unsigned controls;
    uint8_t head[HEAD_BYTES];
    size_t head_len;
    int problems;
    int failure;
    xmpp_error *error;
    char *cert_text;
    size_t binding_count;
    struct tls_binding bindings[MAX_BINDINGS];
    char verdict[VERIFY_VERDICT_SIZE];
};

static struct tls *tls_of(struct codec *codec)
{
    return CONTAINER_OF(codec, struct tls, codec);
}

static size_t room_in(const struct buf *buf)
{
    size_t len = buf_len(buf);

    return len < buf->limit ? buf->limit - len : 0;
}

/* --- GnuTLS' view of the wire --- */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *dst, size_t size)
{
    struct tls *tls = ptr;
    size_t len = tls->source ? buf_len(tls->source) : 0;

    if (!len) {
        gnutls_transport_set_errno(tls->session, EAGAIN);
        return -1;
    }
    if (size < len)
        len = size;
    if (tls->state == TLS_HANDSHAKE) {
        if (len > LIMIT_TLS_HANDSHAKE_BYTES - tls->handshake_bytes) {
            tls->is_over_limit = true;
            gnutls_transport_set_errno(tls->session, EIO);
            return -1;
        }
        tls->handshake_bytes += len;
    }
    memcpy(dst, buf_peek(tls->source), len);
    buf_consume(tls->source, len);
    return (ssize_t)len;
}

static int emit(struct tls *tls, const void *data, size_t len)
{
    int r = XMPP_ERR_LIMIT;

    /* order: nothing may overtake what waits */
    if (tls->sink && !buf_len(&tls->out))
        r = buf_append(tls->sink, data, len);
    return r == XMPP_ERR_LIMIT ? buf_append(&tls->out, data, len) : r;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
    struct tls *tls = ptr;
    ssize_t sum = 0;

    for (int i = 0; i < count; i++) {
        int r = emit(tls, parts[i].iov_base, parts[i].iov_len);

        if (r < 0) {
            tls->is_nomem = r == XMPP_ERR_NOMEM;
            tls->is_over_limit = r == XMPP_ERR_LIMIT;
            gnutls_transport_set_errno(tls->session, ENOMEM);
            return -1;
        }
        sum += (ssize_t)parts[i].iov_len;
    }
    return sum; /* memory takes everything: GnuTLS never has to send again */
}

/* Counts what comes in the open session and carries no data. */
static int count_control(struct tls *tls)
{
    return ++tls->controls > LIMIT_TLS_CONTROLS ? GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS : 0;
}

static int on_handshake_message(gnutls_session_t session, unsigned type, unsigned when,
                                unsigned is_incoming, const gnutls_datum_t *message)
{
    struct tls *tls = gnutls_transport_get_ptr(session);

    (void)type;
    (void)when;
    (void)message;
    return is_incoming && tls->state == TLS_OPEN ? count_control(tls) : 0;
}

/* --- failure --- */

static int tls_fail(struct tls *tls, int number)
{
    struct explain explain = {
        .number = number,
        .domain = tls->domain,
        .head = tls->head,
        .head_len = tls->head_len,
        .in_handshake = tls->state == TLS_HANDSHAKE,
        .has_unsent = tls->is_over_limit,
        .controls = tls->controls,
    };
    bool was_open = tls->state == TLS_OPEN || tls->state == TLS_CLOSED;
    char text[384];

    if (tls->state == TLS_FAILED)
        return tls->failure;
    tls->failure = XMPP_ERR_TLS;
    if (tls->is_nomem || number == GNUTLS_E_MEMORY_ERROR) {
        tls->failure = XMPP_ERR_NOMEM;
    } else if (tls->is_over_limit) {
        tls->failure = XMPP_ERR_LIMIT;
        explain.number = tls->state == TLS_HANDSHAKE ? GNUTLS_E_HANDSHAKE_TOO_LARGE
                                                     : GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
    } else if (number == GNUTLS_E_HANDSHAKE_TOO_LARGE ||
               number == GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS) {
        tls->failure = XMPP_ERR_LIMIT;
    }
    explain_failure(tls->session, &explain, text, sizeof(text));
    /* tell the peer why, if it is still there; whether that works changes nothing */
    if (tls->failure != XMPP_ERR_NOMEM && number != GNUTLS_E_FATAL_ALERT_RECEIVED &&
        number != GNUTLS_E_PREMATURE_TERMINATION)
        (void)gnutls_alert_send_appropriate(tls->session, explain.number);
    tls->state = TLS_FAILED;
    if (tls->failure == XMPP_ERR_NOMEM) {
        tls->error = error_nomem();
        return tls->failure;
    }
    tls->error =
        error_create(tls->failure, was_open ? XMPP_PHASE_NONE : XMPP_PHASE_SECURING, "%s", text);
    error_set_number(tls->error, explain.number);
    return tls->failure;
}

/* verify_session() could not come to a verdict. */
static int fail_verify(struct tls *tls, int r)
{
    tls->state = TLS_FAILED;
    tls->failure = r;
    tls->error = r == XMPP_ERR_NOMEM ? error_nomem()
                                     : error_create(r, XMPP_PHASE_SECURING, "%s", tls->verdict);
    error_set_number(tls->error, GNUTLS_E_CERTIFICATE_ERROR);
    (void)gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
    return r;
}

/* --- handshake --- */

static int add_binding(struct tls *tls, const char *type, gnutls_channel_binding_t kind)
{
    struct tls_binding *binding = &tls->bindings[tls->binding_count];
    gnutls_datum_t data = {0};
    int r = gnutls_session_channel_binding(tls->session, kind, &data);

    /* A session that does not have this kind is no error. Out of memory is one: the login must not go on without
     * a binding for that. */
    if (r < 0)
        return r == GNUTLS_E_MEMORY_ERROR ? r : 0;
    if (data.size && data.size <= sizeof(binding->data)) {
        binding->type = type;
        binding->len = data.size;
        memcpy(binding->data, data.data, data.size);
        tls->binding_count++;
    }
    gnutls_free(data.data);
    return 0;
}

/* RFC 9266; RFC 5929. Without the extended master secret a man in the middle can make the values of two sessions of
 * TLS 1.2 equal (triple handshake), and tls-unique does not exist in 1.3. */
static int add_bindings(struct tls *tls)
{
    bool is_tls13 = gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3;
    bool has_ems = !is_tls13 && gnutls_session_ext_master_secret_status(tls->session);
    int r = 0;

    if (is_tls13 || has_ems)
        r = add_binding(tls, "tls-exporter", GNUTLS_CB_TLS_EXPORTER);
    if (r >= 0 && has_ems)
        r = add_binding(tls, "tls-unique", GNUTLS_CB_TLS_UNIQUE);
    if (r >= 0)
        r = add_binding(tls, "tls-server-end-point", GNUTLS_CB_TLS_SERVER_END_POINT);
    return r;
}

static int handshake_done(struct tls *tls)
{
    struct verify_name name = {
        .ascii = tls->domain,
        .unicode = tls->display_domain,
        .is_ip = tls->is_ip,
    };
    int r = verify_session(tls->session, &name, tls->verdict, sizeof(tls->verdict));

    if (r < 0)
        return fail_verify(tls, r);
    tls->problems = r;
    r = add_bindings(tls);
    if (r < 0)
        return tls_fail(tls, r);
    tls->is_known = true;
    tls->state = TLS_VERIFY;
    return XMPP_OK;
}

/* Goes as far as the input allows. */
static int handshake(struct tls *tls)
{
    size_t before;
    int r;

    tls->is_started = true;
    do {
        before = tls->source ? buf_len(tls->source) : 0;
        r = gnutls_handshake(tls->session);
        /* AGAIN comes also after a record that was of no use here: go on while something is eaten */
    } while (r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED ||
             (r == GNUTLS_E_AGAIN && tls->source && buf_len(tls->source) &&
              buf_len(tls->source) != before));
    if (r == GNUTLS_E_AGAIN)
        return XMPP_OK;
    return r < 0 ? tls_fail(tls, r) : handshake_done(tls);
}

/* The first bytes are looked at before GnuTLS does: it would wait for a whole record header. */
static int look_at_head(struct tls *tls)
{
    size_t len = HEAD_BYTES - tls->head_len;

    if (buf_len(tls->source) < len)
        len = buf_len(tls->source);
    memcpy(tls->head + tls->head_len, buf_peek(tls->source), len);
    tls->head_len += len;
    if (!explain_is_tls(tls->head, tls->head_len))
        return tls_fail(tls, GNUTLS_E_UNEXPECTED_PACKET);
    return XMPP_OK;
}

/* --- data in --- */

/* After a read that gave no data: 1 go on, 0 wait for input, negative: failed. */
static int receive_event(struct tls *tls, ssize_t number, size_t before)
{
    int r = 0;

    switch (number) {
    case GNUTLS_E_INTERRUPTED:
        return 1;
    case GNUTLS_E_AGAIN:
        /* also the answer to each ticket and KeyUpdate, although data waits behind */
        return buf_len(tls->source) && buf_len(tls->source) != before;
    case GNUTLS_E_WARNING_ALERT_RECEIVED:
        r = count_control(tls);
        break;
    case GNUTLS_E_REHANDSHAKE:
        /* TLS-10: TLS 1.2 lets the server ask; the session goes on as it is */
        r = count_control(tls);
        if (r >= 0)
            r = gnutls_alert_send(tls->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
        break;
    default:
        r = (int)number;
        break;
    }
    return r < 0 ? tls_fail(tls, r) : 1;
}

static int receive(struct tls *tls, struct buf *app_out)
{
    for (;;) {
        size_t before = buf_len(tls->source);
        size_t size = gnutls_record_check_pending(tls->session);
        size_t room = room_in(app_out);
        void *dst;
        ssize_t n;
        int r;

        if (!room || (!size && !before))
            return XMPP_OK;
        if (!size) /* data is shorter than the records that carry it; more would be pending then */
            size = before < RECORD_BYTES ? before : RECORD_BYTES;
        r = buf_reserve(app_out, size < room ? size : room, &dst);
        if (r < 0)
            return tls_fail(tls, GNUTLS_E_MEMORY_ERROR);
        n = gnutls_record_recv(tls->session, dst, size < room ? size : room);
        if (n > 0) {
            buf_commit(app_out, (size_t)n);
            tls->controls = 0;
            continue;
        }
        if (n == 0) {
            tls->state = TLS_CLOSED;
            buf_consume(tls->source, buf_len(tls->source));
            return XMPP_OK;
        }
        r = receive_event(tls, n, before);
        if (r <= 0)
            return r;
    }
}

static int tls_decode(struct codec *codec, struct buf *wire_in, struct buf *app_out)
{
    struct tls *tls = tls_of(codec);
    int r = XMPP_OK;

    tls->source = wire_in;
    switch (tls->state) {
    case TLS_HANDSHAKE:
        if (tls->head_len < HEAD_BYTES)
            r = look_at_head(tls);
        if (r == XMPP_OK)
            r = handshake(tls);
        break;
    case TLS_VERIFY:
        /* CERT-01: nothing of a peer that was not judged is even decrypted */
        break;
    case TLS_OPEN:
        r = receive(tls, app_out);
        break;
    case TLS_CLOSED:
        buf_consume(wire_in, buf_len(wire_in));
        break;
    case TLS_FAILED:
        r = tls->failure;
        break;
    }
    tls->source = NULL;
    return r;
}

/* --- data out --- */

/* Moves what waits to the wire, as far as there is room. */
static int flush(struct tls *tls, struct buf *wire_out)
{
    size_t len = buf_len(&tls->out);
    size_t room = room_in(wire_out);
    int r;

    if (len > room)
        len = room;
    if (len) {
        r = buf_append(wire_out, buf_peek(&tls->out), len);
        if (r < 0)
            return tls_fail(tls, GNUTLS_E_MEMORY_ERROR);
        buf_consume(&tls->out, len);
    }
    buf_shrink(&tls->out, 0);
    return XMPP_OK;
}

/* All that was written since the last turn lies in app_in in one piece, so small stanzas share a record. */
static int send_data(struct tls *tls, struct buf *app_in)
{
    size_t overhead = gnutls_record_overhead_size(tls->session) + RECORD_SLACK;

    while (buf_len(app_in) && !buf_len(&tls->out)) {
        size_t room = room_in(tls->sink);
        size_t len = buf_len(app_in);
        ssize_t n;

        if (len > RECORD_BYTES)
            len = RECORD_BYTES;
        if (room < overhead || (room - overhead < len && room - overhead < RECORD_WORTH))
            return XMPP_OK;
        if (len > room - overhead)
            len = room - overhead;
        n = gnutls_record_send(tls->session, buf_peek(app_in), len);
        if (n < 0)
            return tls_fail(tls, (int)n);
        buf_consume(app_in, (size_t)n);
    }
    return XMPP_OK;
}

static int tls_encode(struct codec *codec, struct buf *app_in, struct buf *wire_out)
{
    struct tls *tls = tls_of(codec);
    int r = flush(tls, wire_out);

    if (r < 0)
        return r;
    tls->sink = wire_out;
    if (tls->state == TLS_FAILED)
        r = tls->failure;
    else if (tls->state == TLS_HANDSHAKE && !tls->is_started)
        r = handshake(tls);
    else if (tls->is_closed)
        r = buf_len(app_in) ? XMPP_ERR_STATE : XMPP_OK;
    else if (tls->state == TLS_OPEN || tls->state == TLS_CLOSED)
        r = send_data(tls, app_in);
    tls->sink = NULL;
    return r < 0 ? r : flush(tls, wire_out);
}

static gnutls_alert_description_t alert_of(int problems)
{
    if (problems & XMPP_CERT_REVOKED)
        return GNUTLS_A_CERTIFICATE_REVOKED;
    if (problems & XMPP_CERT_BAD_CHAIN)
        return GNUTLS_A_UNKNOWN_CA;
    if (problems & (XMPP_CERT_EXPIRED | XMPP_CERT_NOT_YET_VALID))
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    return GNUTLS_A_BAD_CERTIFICATE;
}

static int tls_close(struct codec *codec, struct buf *wire_out)
{
    struct tls *tls = tls_of(codec);
    int r = flush(tls, wire_out);
    int number = 0;

    if (r < 0 || tls->is_closed)
        return r;
    tls->is_closed = true;
    tls->sink = wire_out;
    if (tls->state == TLS_VERIFY && tls->problems)
        number = gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, alert_of(tls->problems));
    else if (tls->state != TLS_HANDSHAKE && tls->state != TLS_FAILED)
        /* our direction only: the other way would wait for the peer */
        number = gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    if (number < 0)
        r = tls_fail(tls, number);
    tls->sink = NULL;
    return r < 0 ? r : flush(tls, wire_out);
}

/* --- life --- */

static void tls_free(struct codec *codec)
{
    struct tls *tls = tls_of(codec);

    if (tls->session)
        gnutls_deinit(tls->session);
    tls_creds_unref(tls->creds);
    buf_clear(&tls->out);
    mem_free(tls->domain);
    mem_free(tls->display_domain);
    mem_free(tls->cert_text);
    xmpp_error_unref(tls->error);
    mem_free(tls);
}

static const struct codec_ops tls_ops = {
    .name = "tls",
    .decode = tls_decode,
    .encode = tls_encode,
    .close = tls_close,
    .free = tls_free,
};

static int session_create(struct tls *tls, const struct tls_options *options)
{
    /* TLS-07, TLS-08. No tickets are asked for: sessions are not resumed, and none is kept (TLS-13). */
    static unsigned char protocol[] = "xmpp-client";
    const gnutls_datum_t alpn = {.data = protocol, .size = sizeof(protocol) - 1};
    int r = gnutls_init(&tls->session,
                        GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);

    if (r < 0) {
        tls->session = NULL;
        return r;
    }
    r = creds_attach(tls->creds, tls->session);
    /* CERT-12. gnutls_init() does it, too, and does not tell when it has no memory for that. */
    if (r >= 0)
        r = gnutls_ocsp_status_request_enable_client(tls->session, NULL, 0, NULL);
    if (r >= 0 && !tls->is_ip)
        r = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->domain, strlen(tls->domain));
    if (r >= 0 && options->direct)
        r = gnutls_alpn_set_protocols(tls->session, &alpn, 1, 0);
    if (r < 0)
        return r;
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_vec_push_function(tls->session, push);
    gnutls_handshake_set_max_packet_length(tls->session, LIMIT_TLS_HANDSHAKE_BYTES);
    gnutls_handshake_set_hook_function(tls->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
                                       on_handshake_message);
    return 0;
}

int tls_create(struct tls **ret, struct tls_creds *creds, const struct tls_options *options)
{
    struct tls *tls;
    int r;

    if (!ret || !creds || !options || !options->domain)
        return XMPP_ERR_INVAL;
    tls = mem_zalloc(sizeof(*tls));
    if (!tls)
        return XMPP_ERR_NOMEM;
    tls->codec.ops = &tls_ops;
    buf_init(&tls->out, LIMIT_TLS_OUT_BYTES);
    (void)str_format(tls->verdict, sizeof(tls->verdict), "not verified");
    tls->is_ip = options->is_ip;
    tls->creds = tls_creds_ref(creds);
    tls->domain = mem_strdup(options->domain);
    tls->display_domain =
        mem_strdup(options->display_domain ? options->display_domain : options->domain);
    if (!tls->domain || !tls->display_domain) {
        tls_free(&tls->codec);
        return XMPP_ERR_NOMEM;
    }
    r = session_create(tls, options);
    if (r < 0) {
        tls_free(&tls->codec);
        return r == GNUTLS_E_MEMORY_ERROR ? XMPP_ERR_NOMEM : XMPP_ERR_TLS;
    }
    *ret = tls;
    return XMPP_OK;
}

struct codec *tls_codec(struct tls *tls)
{
    return &tls->codec;
}

int tls_accept(struct tls *tls)
{
    if (tls->state != TLS_VERIFY || tls->is_closed)
        return XMPP_ERR_STATE;
    tls->state = TLS_OPEN;
    return XMPP_OK;
}

int tls_eof(struct tls *tls)
{
    /* TLS-14: only the peer's close_notify proves that nothing was cut off */
    if (tls->state == TLS_CLOSED)
        return XMPP_OK;
    return tls_fail(tls, GNUTLS_E_PREMATURE_TERMINATION);
}

/* --- what is known --- */

enum tls_state tls_get_state(const struct tls *tls)
{
    return tls->state;
}

int tls_get_problems(const struct tls *tls)
{
    return tls->is_known ? tls->problems : XMPP_ERR_STATE;
}

const char *tls_get_verdict(const struct tls *tls)
{
    return tls->verdict;
}

int tls_get_cert_der(const struct tls *tls, size_t index, const uint8_t **ret, size_t *ret_len)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls->session, &count);

    if (!chain || index >= count)
        return XMPP_ERR_NOTFOUND;
    *ret = chain[index].data;
    *ret_len = chain[index].size;
    return XMPP_OK;
}

const char *tls_get_cert_text(struct tls *tls)
{
    if (!tls->cert_text)
        (void)verify_describe(tls->session, &tls->cert_text); /* NULL tells it */
    return tls->cert_text;
}

const char *tls_get_version_name(const struct tls *tls)
{
    return tls->is_known ? gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session))
                         : NULL;
}

int tls_get_version(const struct tls *tls)
{
    if (!tls->is_known)
        return 0;
    /* the priorities leave these two (TLS-09) */
    return gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3 ? 0x0304 : 0x0303;
}

const char *tls_get_suite(const struct tls *tls)
{
    return tls->is_known ? gnutls_ciphersuite_get(tls->session) : NULL;
}

int tls_get_binding(const struct tls *tls, size_t index, const char **ret_type,
                    const void **ret_data, size_t *ret_len)
{
    if (index >= tls->binding_count)
        return XMPP_ERR_NOTFOUND;
    *ret_type = tls->bindings[index].type;
    *ret_data = tls->bindings[index].data;
    *ret_len = tls->bindings[index].len;
    return XMPP_OK;
}

xmpp_error *tls_get_error(const struct tls *tls)
{
    return tls->error ? xmpp_error_ref(tls->error) : NULL;
}
