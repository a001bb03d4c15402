#include "base/error.h"
#include "base/mem.h"
#include "client/link.h"
#include "jid/jid.h"
#include "stream/engine.h"

#include <xmpp/elem.h>
#include <xmpp/jid.h>

#define BUSY_BYTES 4096 /* in and out in one turn of the loop */
#define RELAX_US   (1000u * 1000)

static void on_trace(void *user_data, bool outgoing, const char *text, size_t len)
{
    const xmpp_loop *loop = user_data;

    log_write_raw(net_log(loop), XMPP_LOG_WIRE, outgoing ? "out" : "in", text, len);
}

/* --- opening --- */

static int configure(const struct link *link, xmpp_stream *stream, const struct net_tcp *tcp)
{
    const struct config *config = &link->client->config;
    bool plain = config->tls_mode == XMPP_TLS_LOCAL_ONLY && net_tcp_is_loopback(tcp);

    int r = xmpp_stream_set_tls_required(stream, !plain);
    if (r >= 0 && config->authcid)
        r = xmpp_stream_set_authcid(stream, config->authcid);
    if (r >= 0 && config->authzid)
        r = xmpp_stream_set_authzid(stream, config->authzid);
    if (r >= 0 && config->mechanisms)
        r = xmpp_stream_set_mechanisms(stream, config->mechanisms);
    if (r >= 0)
        r = xmpp_stream_set_external(stream, config->cert_path != NULL);
    if (r >= 0 && config->lang)
        r = xmpp_stream_set_lang(stream, config->lang);
    if (r >= 0)
        r = xmpp_stream_set_limits(stream, config->max_stanza_bytes, config->max_queue_bytes);
    if (r >= 0)
        r = xmpp_stream_set_keepalive(stream, config->keepalive_us);
    engine_set_keys(stream, config->keys);
    engine_set_no_plain(stream, config->used_strong); /* SASL-25 */
    if (log_wants(net_log(link->loop), XMPP_LOG_WIRE))
        engine_set_trace(stream, on_trace, link->loop);
    return r;
}

static int create_pipe(struct link *link, const struct net_tcp *tcp,
                       const struct find_endpoint *endpoint, struct pipe **ret)
{
    const xmpp_jid *jid = link->client->config.jid;
    /* DNS-09, CORE-20: the JID's domain, whatever the name of the server is */
    const struct tls_options options = {
        .domain = jid_get_ascii_domain(jid),
        .display_domain = xmpp_jid_get_domain(jid),
        .is_ip = jid_is_ip(jid),
        .direct = endpoint->direct_tls,
    };
    xmpp_stream *stream;

    int r = xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM);
    if (r < 0)
        return r;
    r = configure(link, stream, tcp);
    if (r >= 0)
        r = pipe_create(ret, stream, link->creds, &options);
    if (r < 0)
        xmpp_stream_free(stream);
    return r;
}

int session_open(struct link *link, struct net_tcp *tcp, const struct find_endpoint *endpoint)
{
    size_t max_unsent = link->client->config.max_queue_bytes;
    struct pipe *pipe;

    int r = create_pipe(link, tcp, endpoint, &pipe);
    if (r < 0) {
        net_tcp_close(tcp);
        return r;
    }
    if (!size_mul(max_unsent, 2, &max_unsent))
        max_unsent = SIZE_MAX;
    socket_open(&link->socket, tcp, pipe, max_unsent);
    (void)pipe_open(pipe, net_now(link->loop)); /* a failure is an event */
    link_wake(link);
    return XMPP_OK;
}

/* The counters of the engine are added up: a login may need several endpoints. */
static void keep_counts(struct link *link)
{
    xmpp_stream *stream = pipe_get_stream(link->socket.pipe);

    link->client->stats[XMPP_STAT_STANZAS_IN] += engine_count_received(stream);
    link->client->stats[XMPP_STAT_STANZAS_OUT] += engine_count_sent(stream);
}

void session_close(struct link *link)
{
    if (link->cert)
        cert_forget(link->cert);
    link->cert = NULL;
    if (link->ask)
        ask_forget(link->ask);
    link->ask = NULL;
    if (!link->socket.tcp)
        return;
    keep_counts(link);
    net_timer_clear(link->loop, &link->timer);
    link->timer_at = UINT64_MAX;
    socket_close(&link->socket);
}

/* --- questions --- */

static void reject(struct link *link)
{
    struct tls *tls = pipe_get_tls(link->socket.pipe);
    xmpp_error *error = error_create(
        XMPP_ERR_CERT, XMPP_PHASE_SECURING, "the certificate for %s is not accepted: %s",
        xmpp_jid_get_domain(link->client->config.jid), tls_get_verdict(tls));

    error_set_cert_problems(error, tls_get_problems(tls));
    pipe_reject(link->socket.pipe);
    socket_flush(&link->socket);
    link_end(link, error);
}

void session_answer_cert(struct link *link, bool accept)
{
    if (!accept) {
        reject(link);
        return;
    }
    log_write(net_log(link->loop), XMPP_LOG_WARN, "client", "certificate accepted in spite of: %s",
              tls_get_verdict(pipe_get_tls(link->socket.pipe)));
    (void)pipe_accept(link->socket.pipe, net_now(link->loop)); /* a failure is an event */
    link_wake(link);
}

void session_answer_ask(struct link *link, const char *secret, size_t len)
{
    xmpp_stream *stream = pipe_get_stream(link->socket.pipe);
    int r =
        secret ? xmpp_stream_set_secret(stream, secret, len) : xmpp_stream_refuse_secret(stream);

    if (r == XMPP_ERR_NOMEM)
        link_end(link, error_nomem());
    else if (r < 0)
        link_end(link, error_create(XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING,
                                    "the password cannot be used: %s", xmpp_err_text(r)));
    else
        link_wake(link);
}

static void on_need_creds(struct link *link)
{
    xmpp_error *error = link_load_creds(link);

    if (error)
        link_end(link, error);
    else
        (void)pipe_set_creds(link->socket.pipe, link->creds, net_now(link->loop)); /* by an event */
}

static void on_verify(struct link *link)
{
    struct tls *tls = pipe_get_tls(link->socket.pipe);
    int verdict;

    client_set_info(link->client, XMPP_INFO_TLS_VERSION, tls_get_version_name(tls));
    client_set_info(link->client, XMPP_INFO_TLS_SUITE, tls_get_suite(tls));
    client_set_info(link->client, XMPP_INFO_CERT, tls_get_verdict(tls));
    log_write(net_log(link->loop), XMPP_LOG_WARN, "client", "certificate: %s",
              tls_get_verdict(tls));
    int r = cert_ask(link, tls, &verdict);
    if (link->dead || client_is_abandoned(link->client))
        return;
    if (r < 0)
        link_end(link, error_nomem());
    else if (verdict != XMPP_CERT_LATER)
        session_answer_cert(link, verdict == XMPP_CERT_ACCEPT);
}

static void on_need_secret(struct link *link)
{
    const struct config *config = &link->client->config;
    xmpp_stream *stream = pipe_get_stream(link->socket.pipe);

    if (config->password) {
        session_answer_ask(link, secret_data(config->password), secret_len(config->password));
        return;
    }
    if (!config->ask_fn) {
        link_end(link, error_create(XMPP_ERR_AUTH, XMPP_PHASE_AUTHENTICATING,
                                    "%s needs a password, and none was set",
                                    xmpp_stream_get_mechanism(stream)));
        return;
    }
    int r = ask_ask(link, XMPP_ASK_PASSWORD, xmpp_stream_get_mechanism(stream));
    if (r < 0 && !link->dead)
        link_end(link, error_nomem());
}

/* --- progress --- */

static void set_state(struct link *link, int state)
{
    if (states_set(link->client, state) < 0)
        link_end(link, error_nomem());
}

static void on_secured(struct link *link)
{
    xmpp_client *client = link->client;
    struct tls *tls = pipe_get_tls(link->socket.pipe);

    client_set_info(client, XMPP_INFO_TLS_VERSION, tls_get_version_name(tls));
    client_set_info(client, XMPP_INFO_TLS_SUITE, tls_get_suite(tls));
    client_set_info(client, XMPP_INFO_CERT, tls_get_verdict(tls));
    log_write(net_log(link->loop), XMPP_LOG_DEBUG, "client", "%s, %s, certificate: %s",
              tls_get_version_name(tls), tls_get_suite(tls), tls_get_verdict(tls));
    set_state(link, XMPP_STATE_AUTHENTICATING);
}

static void note_stream(struct link *link)
{
    const xmpp_stream *stream = pipe_get_stream(link->socket.pipe);

    client_set_info(link->client, XMPP_INFO_STREAM_ID, xmpp_stream_get_id(stream));
    client_set_info(link->client, XMPP_INFO_SASL_MECHANISM, xmpp_stream_get_mechanism(stream));
    client_set_info(link->client, XMPP_INFO_CHANNEL_BINDING,
                    xmpp_stream_get_channel_binding(stream));
}

static void on_authenticating(struct link *link)
{
    note_stream(link);
    log_write(net_log(link->loop), XMPP_LOG_DEBUG, "client", "authenticating by %s",
              xmpp_stream_get_mechanism(pipe_get_stream(link->socket.pipe)));
    set_state(link, XMPP_STATE_AUTHENTICATING);
}

static void on_binding(struct link *link)
{
    net_race_free(link->race);
    link->race = NULL;
    set_state(link, XMPP_STATE_BINDING);
}

static void on_ready(struct link *link)
{
    xmpp_client *client = link->client;
    const xmpp_stream *stream = pipe_get_stream(link->socket.pipe);

    net_timer_clear(link->loop, &link->overall);
    link->reached = true;
    if (engine_used_strong(stream))
        client->config.used_strong = true;
    note_stream(link);
    client->jid = xmpp_jid_ref(xmpp_stream_get_jid(stream));
    log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "ready as %s",
              xmpp_jid_get_str(client->jid));
    set_state(link, XMPP_STATE_READY);
}

/* --- the end --- */

static void on_failed(struct link *link, xmpp_error *error)
{
    /* The stream error or end tag, and TLS' good-bye; who does not take it now has gone anyway. */
    socket_flush(&link->socket);
    if (link->wanted) {
        xmpp_error_unref(error);
        link_end(link, NULL);
    } else if (link_redirect(link, error)) {
        xmpp_error_unref(error);
    } else {
        link_endpoint_failed(link, error);
    }
}

static void on_closed(struct link *link)
{
    on_failed(link, link->wanted ? NULL
                                 : error_create(XMPP_ERR_CLOSED, link->client->state,
                                                "the server closed the stream"));
}

static void on_event(struct link *link, enum pipe_event event, xmpp_elem *elem, xmpp_error *error)
{
    switch (event) {
    case PIPE_NEED_CREDS:
        on_need_creds(link);
        break;
    case PIPE_VERIFY:
        on_verify(link);
        break;
    case PIPE_SECURED:
        on_secured(link);
        break;
    case PIPE_NEED_SECRET:
        on_need_secret(link);
        break;
    case PIPE_AUTHENTICATING:
        on_authenticating(link);
        break;
    case PIPE_BINDING:
        on_binding(link);
        break;
    case PIPE_READY:
        on_ready(link);
        break;
    case PIPE_STANZA:
        dispatch_stanza(link->client, elem);
        xmpp_elem_unref(elem);
        break;
    case PIPE_CLOSED:
        on_closed(link);
        break;
    case PIPE_FAILED:
        on_failed(link, error);
        break;
    case PIPE_NONE:
        break;
    }
}

/* Is this still the connection that it was, and does anybody want it? */
static bool goes_on(const struct link *link)
{
    return !link->dead && link->socket.tcp && !client_is_abandoned(link->client);
}

/* Called at the end of a turn. A connection that was busy lately keeps its buffers, so that stanzas cost no allocation;
 * any other gives them back at once. */
static void relax(struct link *link)
{
    const uint64_t *stats = link->client->stats;
    uint64_t moved = stats[XMPP_STAT_BYTES_IN] + stats[XMPP_STAT_BYTES_OUT];
    uint64_t now = net_now(link->loop);

    if (moved - link->moved >= BUSY_BYTES) {
        link->relax_at = now + RELAX_US;
    } else if (link->relax_at == UINT64_MAX || link->relax_at <= now) {
        link->relax_at = UINT64_MAX;
        pipe_shrink(link->socket.pipe);
    }
    link->moved = moved;
}

/* false: the connection is over */
static bool take_events(struct link *link)
{
    const struct pipe *pipe = link->socket.pipe;
    unsigned stanzas = 0;

    for (;;) {
        xmpp_elem *elem;
        xmpp_error *error;

        /* What is told comes in order: READY before the first stanza. And nobody gets more than a share of a turn, also
         * when its handlers are slow. */
        if (!list_is_empty(&link->client->notices) || stanzas == LIMIT_DISPATCH_STANZAS ||
            (stanzas > 0 && !net_has_time(link->loop))) {
            if (pipe_has_events(pipe))
                link_wake(link);
            return true;
        }
        enum pipe_event event = pipe_next(link->socket.pipe, net_now(link->loop), &elem, &error);
        if (event == PIPE_NONE)
            return true;
        if (event == PIPE_STANZA)
            stanzas++;
        on_event(link, event, elem, error);
        if (!goes_on(link) || link->socket.pipe != pipe)
            return false;
    }
}

static int set_timer(struct link *link)
{
    uint64_t at = pipe_get_deadline(link->socket.pipe);

    if (at > link->relax_at)
        at = link->relax_at;
    if (at == UINT64_MAX)
        return XMPP_OK; /* one that is set fires for nothing */
    if (at <= net_now(link->loop)) {
        link_wake(link); /* a slice of computing is waiting: one for each turn */
        return XMPP_OK;
    }
    /* An earlier one stays and looks again: a deadline that moves with each stanza costs nothing so. */
    if (at >= link->timer_at)
        return XMPP_OK;
    int r = net_timer_set(link->loop, &link->timer, at);
    if (r == XMPP_OK)
        link->timer_at = at;
    return r;
}

void session_run(struct link *link)
{
    xmpp_client *client = link->client;
    struct pipe *pipe = link->socket.pipe;
    uint64_t now = net_now(link->loop);

    if (pipe_get_deadline(pipe) <= now)
        (void)pipe_tick(pipe, now); /* a failure is an event */
    if (!take_events(link))
        return;
    socket_flush(&link->socket);
    if (client->state == XMPP_STATE_READY &&
        client->stats[XMPP_STAT_BYTES_OUT] != link->drained_at) {
        link->drained_at = client->stats[XMPP_STAT_BYTES_OUT];
        sendq_drained(client);
        if (!goes_on(link) || link->socket.pipe != pipe)
            return;
    }
    if (pipe_has_events(pipe))
        link_wake(link);
    if (link->reached)
        relax(link);
    int r = socket_watch(&link->socket);
    if (r >= 0)
        r = set_timer(link);
    if (r == XMPP_ERR_NOMEM)
        link_end(link, error_nomem());
    else if (r < 0)
        link_end(link, error_create(r, client->state, "the loop cannot watch the connection: %s",
                                    xmpp_err_text(r)));
}
