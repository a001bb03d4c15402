#include "client/request.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/slot.h"
#include "base/str.h"
#include "client/client.h"
#include "xml/ns.h"
#include "xml/stanza.h"

#include <string.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

enum { ID_LEN = 20 };

struct request {
    xmpp_slot slot; /* first: slot_ops get it */
    struct list link; /* in requests->pending */
    struct net_timer timer;
    xmpp_loop *loop; /* reference: the slot may outlive the client */
    xmpp_client *client; /* lives longer: it retires its requests when it dies */
    xmpp_reply_fn fn;
    xmpp_jid *to; /* NULL: own account or server */
    char *id;
};

int requests_init(struct requests *requests)
{
    list_init(&requests->pending);
    requests->by_id = NULL;
    return map_create(&requests->by_id);
}

static void request_leave(struct request *request)
{
    if (!list_is_linked(&request->link))
        return;
    list_remove(&request->link);
    map_remove(request->client->requests.by_id, request->id, strlen(request->id));
    net_timer_clear(request->client->loop, &request->timer);
}

static void request_cancel(xmpp_slot *slot)
{
    request_leave((struct request *)slot);
}

static void request_free(xmpp_slot *slot)
{
    struct request *request = (struct request *)slot;
    xmpp_loop *loop = request->loop;

    xmpp_jid_unref(request->to);
    mem_free(request->id);
    mem_free(request);
    xmpp_loop_unref(loop);
}

static const struct slot_ops request_ops = {.cancel = request_cancel, .free = request_free};

/* The one and only call of the reply function. The request is out of the tables before, so that whatever the
 * function does finds a settled state. */
static void request_finish(struct request *request, const xmpp_elem *reply, const xmpp_error *error)
{
    xmpp_client *client = request->client;

    request_leave(request);
    slot_hold(&request->slot);
    slot_retire(&request->slot);
    request->fn(client, reply, error, request->slot.user_data);
    slot_release(&request->slot);
}

static void request_timeout(struct net_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, timer);
    xmpp_client *client = request->client;
    xmpp_error *error =
        error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_READY, "no answer from %s in time",
                     request->to ? xmpp_jid_get_str(request->to) : "the server");

    client_hold(client);
    request_finish(request, NULL, error);
    xmpp_error_unref(error);
    client_release(client);
}

/* STZ-10: four forms in which real servers answer for the account or themselves. */
static bool is_own_answer(const xmpp_client *client, const xmpp_jid *from)
{
    const xmpp_jid *own = client->jid;

    if (!from)
        return true;
    if (!own)
        return false;
    if (xmpp_jid_get_resource(from))
        return xmpp_jid_compare(from, own) == 0;
    return xmpp_jid_equal_bare(from, own) ||
           (!xmpp_jid_get_local(from) &&
            str_eq(xmpp_jid_get_domain(from), xmpp_jid_get_domain(own)));
}

static bool is_from_addressee(const struct request *request, const xmpp_elem *stanza)
{
    const xmpp_client *client = request->client;
    const xmpp_jid *from = xmpp_elem_get_from(stanza);

    if (!request->to)
        return is_own_answer(client, from);
    if (from)
        return xmpp_jid_compare(request->to, from) == 0;
    /* RFC 6120 8.1.2.1: without a sender it is the own account */
    return client->jid && !xmpp_jid_get_resource(request->to) &&
           xmpp_jid_equal_bare(request->to, client->jid);
}

/* STZ-14: unknown or missing condition reads as undefined-condition. */
static xmpp_error *stanza_error(const xmpp_elem *stanza)
{
    const xmpp_elem *elem = xmpp_elem_first_child(stanza, NS_CLIENT, "error");
    const xmpp_elem *child = elem ? xmpp_elem_first_child(elem, NS_STANZAS, NULL) : NULL;
    const xmpp_elem *text = elem ? xmpp_elem_first_child(elem, NS_STANZAS, "text") : NULL;
    const char *condition = "undefined-condition";
    xmpp_error *error;

    while (child && child == text)
        child = xmpp_elem_next_sibling(child, NS_STANZAS, NULL);
    if (child)
        condition = stanza_known_condition(xmpp_elem_get_name(child));
    error = error_create(XMPP_ERR_STANZA, XMPP_PHASE_READY, "the request was refused: %s%s%s%s",
                         condition, text ? ": \"" : "", text ? xmpp_elem_get_text(text) : "",
                         text ? "\"" : "");
    error_set_condition(error, elem ? xmpp_elem_get_attr(elem, "type") : NULL, condition);
    if (text)
        error_set_peer_text(error, xmpp_elem_get_text(text));
    if (elem)
        error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
    return error;
}

bool requests_match(xmpp_client *client, const xmpp_elem *stanza)
{
    const char *id = xmpp_elem_get_attr(stanza, "id");
    struct request *request = id ? map_get(client->requests.by_id, id, strlen(id)) : NULL;

    /* STZ-09: an answer from anybody else is no answer (SEC-04); the request goes on waiting. */
    if (!request || !is_from_addressee(request, stanza))
        return false;
    if (str_eq(xmpp_elem_get_attr(stanza, "type"), "result")) {
        request_finish(request, stanza, NULL);
    } else {
        xmpp_error *error = stanza_error(stanza);
        request_finish(request, NULL, error);
        xmpp_error_unref(error);
    }
    return true;
}

void requests_fail(xmpp_client *client, const xmpp_error *cause)
{
    xmpp_error *error;

    if (list_is_empty(&client->requests.pending))
        return;
    error =
        error_create(XMPP_ERR_CLOSED, XMPP_PHASE_READY, "connection ended before the answer%s%s",
                     cause ? ": " : "", cause ? xmpp_error_get_text(cause) : "");
    while (!list_is_empty(&client->requests.pending) && !client_is_abandoned(client))
        request_finish(CONTAINER_OF(client->requests.pending.next, struct request, link), NULL,
                       error);
    xmpp_error_unref(error);
}

void requests_clear(struct requests *requests)
{
    if (!requests->by_id)
        return;
    while (!list_is_empty(&requests->pending)) {
        struct request *request = CONTAINER_OF(requests->pending.next, struct request, link);
        request_leave(request);
        slot_retire(&request->slot);
    }
    requests->by_id = map_free(requests->by_id);
}

/* STZ-05: every request has an id, unguessable unless the application chose its own. */
static int ensure_id(xmpp_elem *iq)
{
    char id[ID_LEN + 1];
    int r;

    if (xmpp_elem_get_attr(iq, "id"))
        return XMPP_OK;
    if (xmpp_elem_is_sealed(iq))
        return XMPP_ERR_INVAL;
    r = rand_id(id, ID_LEN);
    if (r < 0)
        return r;
    return xmpp_elem_set_attr(iq, "id", id);
}

static int check_question(xmpp_elem *iq)
{
    const char *type = xmpp_elem_get_attr(iq, "type");
    int r;

    if (xmpp_elem_get_kind(iq) != XMPP_IQ || (!str_eq(type, "get") && !str_eq(type, "set")))
        return XMPP_ERR_INVAL;
    r = ensure_id(iq);
    if (r >= 0)
        r = xmpp_elem_seal(iq);
    if (r < 0)
        return r;
    if (!xmpp_elem_get_to(iq) && xmpp_elem_get_attr(iq, "to"))
        return XMPP_ERR_INVAL; /* nobody could be recognised as the one who answers */
    return XMPP_OK;
}

static int request_create(struct request **ret, xmpp_client *client, const xmpp_elem *iq)
{
    struct request *request = mem_zalloc(sizeof *request);
    const xmpp_jid *to = xmpp_elem_get_to(iq);

    if (!request)
        return XMPP_ERR_NOMEM;
    list_init(&request->link);
    net_timer_init(&request->timer, request_timeout);
    request->client = client;
    request->loop = xmpp_loop_ref(client->loop);
    request->to = to ? xmpp_jid_ref(to) : NULL;
    request->id = mem_strdup(xmpp_elem_get_attr(iq, "id"));
    if (!request->id) {
        request_free(&request->slot);
        return XMPP_ERR_NOMEM;
    }
    *ret = request;
    return XMPP_OK;
}

/* Into the table and the timers, then out to the peer; undone when that fails. */
static int request_enter(struct request *request, xmpp_elem *iq, uint64_t timeout_us)
{
    xmpp_client *client = request->client;
    struct requests *requests = &client->requests;
    size_t len = strlen(request->id);
    int r;

    r = map_set(requests->by_id, request->id, len, request, NULL);
    if (r < 0)
        return r;
    list_append(&requests->pending, &request->link);
    if (timeout_us != UINT64_MAX)
        r = net_timer_set(client->loop, &request->timer, net_now(client->loop) + timeout_us);
    if (r >= 0)
        r = xmpp_client_send(client, iq);
    if (r < 0)
        request_leave(request);
    return r;
}

int xmpp_client_request(xmpp_client *client, xmpp_slot **ret_slot, xmpp_elem *iq,
                        uint64_t timeout_us, xmpp_reply_fn fn, void *user_data,
                        xmpp_destroy_fn destroy)
{
    struct request *request = NULL;
    const char *id;
    int r;

    if (!iq || !fn)
        return XMPP_ERR_INVAL;
    r = client_check(client);
    if (r < 0)
        return r;
    if (!client_get_stream(client))
        return XMPP_ERR_STATE;
    if (map_count(client->requests.by_id) >= LIMIT_PENDING_REQUESTS)
        return XMPP_ERR_LIMIT;
    r = check_question(iq);
    if (r < 0)
        return r;
    id = xmpp_elem_get_attr(iq, "id");
    if (map_get(client->requests.by_id, id, strlen(id)))
        return XMPP_ERR_INVAL; /* two answers could not be told apart */
    if (timeout_us == 0)
        timeout_us = client->config.reply_us;
    if (timeout_us > UINT64_MAX / 2)
        timeout_us = UINT64_MAX;
    r = request_create(&request, client, iq);
    if (r < 0)
        return r;
    r = request_enter(request, iq, timeout_us);
    if (r < 0) {
        request_free(&request->slot);
        return r;
    }
    request->fn = fn;
    slot_init(&request->slot, &request_ops, net_owner(client->loop), user_data, destroy,
              ret_slot != NULL);
    if (ret_slot)
        *ret_slot = &request->slot;
    return XMPP_OK;
}
