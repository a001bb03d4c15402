#include "base/mem.h"
#include "base/object.h"
#include "client/link.h"

struct xmpp_ask {
    struct bound bound;
    xmpp_loop *loop; /* reference: the question may outlive the client */
    struct link *link; /* NULL: answered, or the connection is gone */
    int kind;
    char *mechanism;
};

static void ask_free(xmpp_ask *ask)
{
    xmpp_loop *loop = ask->loop;

    mem_free(ask->mechanism);
    mem_free(ask);
    xmpp_loop_unref(loop);
}

static void answer(xmpp_ask *ask, const char *secret, size_t len)
{
    struct link *link = ask->link;

    link->ask = NULL;
    ask->link = NULL;
    session_answer_ask(link, secret, len);
}

static void ask_destroy(struct bound *bound)
{
    xmpp_ask *ask = CONTAINER_OF(bound, xmpp_ask, bound);

    if (ask->link)
        answer(ask, NULL, 0);
    ask_free(ask);
}

int ask_ask(struct link *link, int kind, const char *mechanism)
{
    xmpp_client *client = link->client;
    const struct config *config = &client->config;
    xmpp_ask *ask = mem_zalloc(sizeof *ask);

    if (!ask)
        return XMPP_ERR_NOMEM;
    ask->loop = xmpp_loop_ref(link->loop);
    bound_init(&ask->bound, net_owner(link->loop), ask_destroy);
    ask->kind = kind;
    ask->mechanism = mem_strdup(mechanism ? mechanism : "");
    if (!ask->mechanism) {
        ask_free(ask);
        return XMPP_ERR_NOMEM;
    }
    ask->link = link;
    link->ask = ask;
    client->asking++;
    config->ask_fn(client, ask, config->ask_user_data);
    client->asking--;
    bound_unref(&ask->bound); /* the last one and no answer: refused */
    return XMPP_OK;
}

void ask_forget(xmpp_ask *ask)
{
    ask->link = NULL;
}

xmpp_ask *xmpp_ask_ref(xmpp_ask *ask)
{
    if (ask)
        bound_ref(&ask->bound);
    return ask;
}

xmpp_ask *xmpp_ask_unref(xmpp_ask *ask)
{
    if (ask)
        bound_unref(&ask->bound);
    return NULL;
}

int xmpp_ask_get_kind(const xmpp_ask *ask)
{
    return ask ? ask->kind : 0;
}

const char *xmpp_ask_get_mechanism(const xmpp_ask *ask)
{
    return ask ? ask->mechanism : NULL;
}

int xmpp_ask_answer(xmpp_ask *ask, const char *secret, size_t len)
{
    if (!ask || (!secret && len > 0))
        return XMPP_ERR_INVAL;
    int r = net_check(ask->loop);
    if (r < 0)
        return r;
    if (!ask->link)
        return XMPP_ERR_STATE;
    answer(ask, secret, len);
    return XMPP_OK;
}
