#include "client/client.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "client/feature.h"
#include "client/link.h"
#include "stream/engine.h"

#include <string.h>
#include <xmpp/jid.h>

const char *xmpp_state_name(int state)
{
    switch (state) {
    case XMPP_STATE_IDLE:
        return "idle";
    case XMPP_STATE_RESOLVING:
        return "resolving";
    case XMPP_STATE_CONNECTING:
        return "connecting";
    case XMPP_STATE_SECURING:
        return "securing";
    case XMPP_STATE_AUTHENTICATING:
        return "authenticating";
    case XMPP_STATE_BINDING:
        return "binding";
    case XMPP_STATE_READY:
        return "ready";
    case XMPP_STATE_CLOSING:
        return "closing";
    default:
        return "unknown";
    }
}

/* --- life --- */

static void forget_connection(xmpp_client *client)
{
    find_list_clear(&client->endpoints);
    for (size_t i = 0; i < ARRAY_LEN(client->info); i++)
        client->info[i] = mem_free(client->info[i]);
    memset(client->stats, 0, sizeof client->stats);
}

static void client_free(xmpp_client *client)
{
    xmpp_loop *loop = client->loop;

    forget_connection(client);
    config_clear(&client->config);
    xmpp_jid_unref(client->jid);
    mem_free(client);
    xmpp_loop_unref(loop);
}

/* A connection that nobody refers to is dropped without a word: there is nobody to tell. */
static void client_destroy(struct bound *bound)
{
    xmpp_client *client = CONTAINER_OF(bound, xmpp_client, bound);

    if (client->link)
        link_drop(client->link);
    states_clear(client);
    dispatch_clear(&client->dispatch);
    requests_clear(&client->requests);
    sendq_clear(client);
    features_clear(client);
    client_free(client);
}

static int init_parts(xmpp_client *client)
{
    int r = config_init(&client->config);
    if (r < 0)
        return r;
    r = dispatch_init(&client->dispatch);
    if (r < 0)
        return r;
    r = requests_init(&client->requests);
    if (r >= 0) {
        r = sendq_init(&client->sendq);
        if (r < 0)
            requests_clear(&client->requests);
    }
    if (r < 0)
        dispatch_clear(&client->dispatch);
    return r;
}

int xmpp_client_create(xmpp_client **ret, xmpp_loop *loop)
{
    if (!ret)
        return XMPP_ERR_INVAL;
    int r = net_check(loop);
    if (r < 0)
        return r;

    xmpp_client *client = mem_zalloc(sizeof *client);
    if (!client)
        return XMPP_ERR_NOMEM;
    client->loop = xmpp_loop_ref(loop);
    bound_init(&client->bound, net_owner(loop), client_destroy);
    list_init(&client->features);
    list_init(&client->modules);
    find_list_init(&client->endpoints);
    states_init(client);
    r = init_parts(client);
    if (r < 0) {
        client_free(client);
        return r;
    }
    client->sendq.max_bytes = client->config.max_queue_bytes;
    *ret = client;
    return XMPP_OK;
}

xmpp_client *xmpp_client_ref(xmpp_client *client)
{
    if (client)
        bound_ref(&client->bound);
    return client;
}

xmpp_client *xmpp_client_unref(xmpp_client *client)
{
    if (client)
        bound_unref(&client->bound);
    return NULL;
}

int client_check(const xmpp_client *client)
{
    return client ? net_check(client->loop) : XMPP_ERR_INVAL;
}

void client_hold(xmpp_client *client)
{
    client->holds++;
    bound_ref(&client->bound);
}

void client_release(xmpp_client *client)
{
    client->holds--;
    bound_unref(&client->bound);
}

bool client_is_abandoned(const xmpp_client *client)
{
    return atomic_load(&client->bound.object.refs) <= client->holds;
}

void client_set_info(xmpp_client *client, int info, const char *value)
{
    mem_free(client->info[info]);
    /* without memory it stays unknown: it is only told, nothing depends on it */
    client->info[info] = value ? mem_strdup(value) : NULL;
}

/* --- run --- */

int xmpp_client_connect(xmpp_client *client)
{
    struct link *link;

    int r = client_check(client);
    if (r < 0)
        return r;
    if (client->state != XMPP_STATE_IDLE || !client->config.jid)
        return XMPP_ERR_STATE;

    r = link_create(&link, client);
    if (r < 0)
        return r;
    uint64_t now = net_now(client->loop);
    uint64_t phase_at = client->phase_at;
    client->phase_at = now;
    r = states_set(client, XMPP_STATE_RESOLVING);
    if (r < 0) {
        client->phase_at = phase_at;
        link_drop(link);
        return r;
    }
    forget_connection(client);
    client->connect_at = now;
    client->link = link;
    return XMPP_OK;
}

int xmpp_client_disconnect(xmpp_client *client)
{
    int r = client_check(client);
    if (r == XMPP_OK && client->link)
        link_disconnect(client->link);
    return r;
}

int xmpp_client_abort(xmpp_client *client)
{
    int r = client_check(client);
    if (r == XMPP_OK && client->link)
        link_end(client->link, NULL);
    return r;
}

int xmpp_client_get_state(const xmpp_client *client)
{
    return client ? client->state : XMPP_STATE_IDLE;
}

const xmpp_jid *xmpp_client_get_jid(const xmpp_client *client)
{
    if (!client)
        return NULL;
    return client->jid ? client->jid : client->config.jid;
}

xmpp_loop *xmpp_client_get_loop(const xmpp_client *client)
{
    return client ? client->loop : NULL;
}

/* --- for dispatch, request and sendq --- */

static struct pipe *get_pipe(const xmpp_client *client)
{
    return client->link ? client->link->socket.pipe : NULL;
}

xmpp_stream *client_get_stream(xmpp_client *client)
{
    if (client->state != XMPP_STATE_READY || !get_pipe(client))
        return NULL;
    return pipe_get_stream(get_pipe(client));
}

size_t client_get_queued(const xmpp_client *client)
{
    return get_pipe(client) ? pipe_queued(get_pipe(client)) : 0;
}

void client_wake(xmpp_client *client)
{
    if (!get_pipe(client))
        return;
    link_wake(client->link);
    if (client_get_queued(client) >= LIMIT_FLUSH_BYTES)
        socket_flush(&client->link->socket);
}

void client_fail(xmpp_client *client, xmpp_error *error)
{
    if (client->link)
        link_end(client->link, error);
    else
        xmpp_error_unref(error);
}

int client_send_internal(xmpp_client *client, xmpp_elem *stanza)
{
    xmpp_stream *stream = client_get_stream(client);

    if (!stream)
        return XMPP_ERR_STATE;
    int r = engine_send_owed(stream, stanza, net_now(client->loop));
    if (r < 0)
        return r;
    client_wake(client);
    return XMPP_OK;
}

/* --- what happened --- */

uint64_t xmpp_client_get_stat(const xmpp_client *client, int stat)
{
    if (!client || stat <= 0 || (size_t)stat >= ARRAY_LEN(client->stats))
        return 0;

    struct pipe *pipe = get_pipe(client);
    uint64_t value = client->stats[stat];
    switch (stat) {
    case XMPP_STAT_STANZAS_IN:
        return pipe ? value + engine_count_received(pipe_get_stream(pipe)) : value;
    case XMPP_STAT_STANZAS_OUT:
        return pipe ? value + engine_count_sent(pipe_get_stream(pipe)) : value;
    case XMPP_STAT_RESOLVING_US:
    case XMPP_STAT_CONNECTING_US:
    case XMPP_STAT_SECURING_US:
    case XMPP_STAT_AUTHENTICATING_US:
    case XMPP_STAT_BINDING_US:
        return states_get_phase_us(client, stat);
    default:
        return value;
    }
}

const char *xmpp_client_get_info(const xmpp_client *client, int info)
{
    if (!client || info <= 0 || (size_t)info >= ARRAY_LEN(client->info))
        return NULL;
    return client->info[info];
}

int xmpp_client_get_endpoint(const xmpp_client *client, size_t index, const char **ret_host,
                             uint16_t *ret_port, int *ret_direct_tls, int *ret_priority,
                             int *ret_weight)
{
    if (!ret_host || !ret_port || !ret_direct_tls || !ret_priority || !ret_weight)
        return XMPP_ERR_INVAL;
    int r = client_check(client);
    if (r < 0)
        return r;
    if (index >= client->endpoints.count)
        return XMPP_ERR_NOTFOUND;

    const struct find_endpoint *endpoint = &client->endpoints.items[index];
    *ret_host = endpoint->host;
    *ret_port = endpoint->port;
    *ret_direct_tls = endpoint->direct_tls;
    *ret_priority = endpoint->priority;
    *ret_weight = endpoint->weight;
    return XMPP_OK;
}
