#include "base/mem.h"
#include "base/object.h"
#include "base/str.h"
#include "client/client.h"

#include <string.h>
#include <xmpp/module.h>

struct xmpp_module {
    struct bound bound;
    xmpp_client *client; /* reference: a module pins its client */
    struct list link; /* in client->modules */
    void *data;
    xmpp_destroy_fn destroy;
    bool creating;
    char name[];
};

static void module_destroy(struct bound *bound)
{
    xmpp_module *module = CONTAINER_OF(bound, xmpp_module, bound);
    xmpp_client *client = module->client;

    list_remove(&module->link);
    if (module->destroy)
        module->destroy(module->data);
    mem_free(module);
    xmpp_client_unref(client);
}

static xmpp_module *find_module(const xmpp_client *client, const char *name)
{
    for (struct list *link = client->modules.next; link != &client->modules; link = link->next) {
        xmpp_module *module = CONTAINER_OF(link, xmpp_module, link);
        /* one that lost its last reference in another thread is only waiting to be destroyed */
        if (str_eq(module->name, name) && bound_try_ref(&module->bound))
            return module;
    }
    return NULL;
}

int xmpp_module_attach(xmpp_module **ret, xmpp_client *client, const char *name,
                       xmpp_module_create_fn create, xmpp_destroy_fn destroy)
{
    size_t size;

    if (!ret || !name || !*name || !create)
        return XMPP_ERR_INVAL;
    int r = client_check(client);
    if (r < 0)
        return r;

    xmpp_module *module = find_module(client, name);
    if (module) {
        if (module->creating) {
            bound_unref(&module->bound);
            return XMPP_ERR_BUSY;
        }
        *ret = module;
        return XMPP_OK;
    }
    if (!size_add(sizeof *module, strlen(name) + 1, &size))
        return XMPP_ERR_NOMEM;
    module = mem_zalloc(size);
    if (!module)
        return XMPP_ERR_NOMEM;
    memcpy(module->name, name, strlen(name) + 1);
    bound_init(&module->bound, net_owner(client->loop), module_destroy);
    module->client = xmpp_client_ref(client);
    list_append(&client->modules, &module->link);
    module->creating = true;
    r = create(module, client, &module->data);
    module->creating = false;
    if (r < 0) {
        bound_unref(&module->bound); /* its destroy is not set: there is nothing to destroy */
        return r;
    }
    module->destroy = destroy;
    *ret = module;
    return XMPP_OK;
}

xmpp_module *xmpp_module_ref(xmpp_module *module)
{
    if (module)
        bound_ref(&module->bound);
    return module;
}

xmpp_module *xmpp_module_unref(xmpp_module *module)
{
    if (module)
        bound_unref(&module->bound);
    return NULL;
}

void *xmpp_module_get_data(const xmpp_module *module)
{
    return module ? module->data : NULL;
}

xmpp_client *xmpp_module_get_client(const xmpp_module *module)
{
    return module ? module->client : NULL;
}
