#include <xmpp/ext/ping.h>

#include "base/mem.h"

#include <xmpp/elem.h>
#include <xmpp/error.h>
#include <xmpp/loop.h>
#include <xmpp/module.h>
#include <xmpp/slot.h>

#define NS_PING "urn:xmpp:ping"

struct xmpp_ping {
    xmpp_module *module; /* counts the references; not a reference of ours */
    xmpp_slot *handler;
    xmpp_slot *feature;
};

/* One ping under way. It lives with the client's request and holds no reference: the module would keep the client. */
struct call {
    uint64_t start_us;
    xmpp_ping_fn fn;
    void *user_data;
    xmpp_destroy_fn destroy;
};

static int on_request(xmpp_client *client, const xmpp_elem *iq, void *user_data)
{
    xmpp_elem *reply;
    int r;

    (void)user_data;
    r = xmpp_elem_create_reply(&reply, iq);
    if (r < 0)
        return r;
    r = xmpp_client_send(client, reply);
    xmpp_elem_unref(reply);
    return r < 0 ? r : XMPP_DONE;
}

static void ping_free(void *data)
{
    xmpp_ping *ping = data;

    if (!ping)
        return;
    xmpp_slot_unref(ping->feature);
    xmpp_slot_unref(ping->handler);
    mem_free(ping);
}
DEFINE_CLEANUP(xmpp_ping, ping_free)

static int ping_create(xmpp_module *module, xmpp_client *client, void **ret_data)
{
    CLEANUP(ping_freep) xmpp_ping *ping = mem_zalloc(sizeof *ping);
    int r;

    if (!ping)
        return XMPP_ERR_NOMEM;
    ping->module = module;
    r = xmpp_client_add_handler(client, &ping->handler, XMPP_IQ, NS_PING, "ping", on_request, NULL,
                                NULL);
    if (r >= 0)
        r = xmpp_slot_match_type(ping->handler, "get");
    if (r >= 0)
        r = xmpp_client_add_feature(client, &ping->feature, NS_PING);
    if (r < 0)
        return r;
    *ret_data = STEAL(ping);
    return XMPP_OK;
}

int xmpp_ping_attach(xmpp_ping **ret, xmpp_client *client)
{
    xmpp_module *module;
    int r;

    if (!ret || !client)
        return XMPP_ERR_INVAL;
    r = xmpp_module_attach(&module, client, NS_PING, ping_create, ping_free);
    if (r < 0)
        return r;
    *ret = xmpp_module_get_data(module);
    return XMPP_OK;
}

xmpp_ping *xmpp_ping_ref(xmpp_ping *ping)
{
    if (ping)
        xmpp_module_ref(ping->module);
    return ping;
}

xmpp_ping *xmpp_ping_unref(xmpp_ping *ping)
{
    if (ping)
        xmpp_module_unref(ping->module);
    return NULL;
}

static void call_free(void *data)
{
    struct call *call = data;

    if (call->destroy)
        call->destroy(call->user_data);
    mem_free(call);
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    struct call *call = user_data;
    uint64_t rtt_us = xmpp_loop_get_time(xmpp_client_get_loop(client)) - call->start_us;
    xmpp_ping *ping = NULL;

    (void)reply;
    (void)xmpp_ping_attach(&ping, client); /* without memory the answer still counts */
    call->fn(ping, rtt_us, error, call->user_data);
    xmpp_ping_unref(ping);
}

int xmpp_ping_send(xmpp_ping *ping, xmpp_slot **ret_slot, const xmpp_jid *to, xmpp_ping_fn fn,
                   void *user_data, xmpp_destroy_fn destroy)
{
    xmpp_client *client;
    struct call *call;
    xmpp_elem *iq;
    int r;

    if (!ping || !fn)
        return XMPP_ERR_INVAL;
    client = xmpp_module_get_client(ping->module);
    r = xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", to);
    if (r < 0)
        return r;
    xmpp_elem_add_child(iq, NS_PING, "ping");
    call = mem_zalloc(sizeof *call);
    if (!call) {
        xmpp_elem_unref(iq);
        return XMPP_ERR_NOMEM;
    }
    call->start_us = xmpp_loop_get_time(xmpp_client_get_loop(client));
    call->fn = fn;
    call->user_data = user_data;
    call->destroy = destroy;
    r = xmpp_client_request(client, ret_slot, iq, 0, on_reply, call, call_free);
    xmpp_elem_unref(iq);
    if (r < 0) {
        call->destroy = NULL; /* never called when registering failed */
        call_free(call);
    }
    return r;
}
