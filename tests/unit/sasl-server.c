#include "sasl-server.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *user_name = "user";
static const char *user_password = "pencil";

static int lookup(void *context, sasl_server_params_t *params, unsigned flags, const char *user,
                  unsigned len)
{
    const struct propval *wanted = params->utils->prop_get(params->propctx);

    (void)context;
    (void)flags;
    /* a realm may have been added */
    const char *at = memchr(user, '@', len);
    size_t name_len = at ? (size_t)(at - user) : len;
    if (name_len == strlen("anonymous") && memcmp(user, "anonymous", name_len) == 0)
        return SASL_OK; /* needs no password */
    if (name_len != strlen(user_name) || memcmp(user, user_name, name_len) != 0)
        return SASL_NOUSER;
    for (; wanted && wanted->name; wanted++)
        if (strcmp(wanted->name, "*userPassword") == 0 || strcmp(wanted->name, "userPassword") == 0)
            params->utils->prop_set(params->propctx, wanted->name, user_password, -1);
    return SASL_OK;
}

static char plugin_name[] = "unit";
static sasl_auxprop_plug_t plugin = {.auxprop_lookup = lookup, .name = plugin_name};

static int plugin_init(const sasl_utils_t *utils, int max_version, int *version,
                       sasl_auxprop_plug_t **plug, const char *name)
{
    (void)utils;
    (void)max_version;
    (void)name;
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plug = &plugin;
    return SASL_OK;
}

static int on_option(void *context, const char *plugin_of, const char *option, const char **ret,
                     unsigned *len)
{
    static const char *const options[][2] = {
        {"auxprop_plugin", plugin_name},
        {"pwcheck_method", "auxprop"},
    };

    (void)context;
    (void)plugin_of;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(option, options[i][0]) == 0) {
            *ret = options[i][1];
            if (len)
                *len = (unsigned)strlen(*ret);
            return SASL_OK;
        }
    return SASL_FAIL;
}

static int on_log(void *context, int level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
    return SASL_OK;
}

#define CALLBACK(fn) ((int (*)(void))(void (*)(void))(fn))

static const sasl_callback_t callbacks[] = {
    {SASL_CB_GETOPT, CALLBACK(on_option), NULL},
    {SASL_CB_LOG, CALLBACK(on_log), NULL},
    {SASL_CB_LIST_END, NULL, NULL},
};

static void must(int r)
{
    if (r != SASL_OK)
        abort();
}

void server_init(void)
{
    must(sasl_server_init(callbacks, "libxmpp-unit"));
    must(sasl_auxprop_add_plugin(plugin_name, plugin_init));
}

void server_set_user(const char *name, const char *password)
{
    user_name = name;
    user_password = password;
}

void server_open(struct server *server, const struct server_options *options)
{
    sasl_conn_t *conn = NULL;
    sasl_ssf_t bits = 256;

    _Static_assert(sizeof(sasl_channel_binding_t) <= sizeof server->binding, "room");
    must(sasl_server_new("xmpp", "example.org", "example.org", NULL, NULL, NULL, SASL_SUCCESS_DATA,
                         &conn));
    must(sasl_setprop(conn, SASL_SSF_EXTERNAL, &bits));
    if (options->external)
        must(sasl_setprop(conn, SASL_AUTH_EXTERNAL, options->external));
    if (options->cb_type) {
        sasl_channel_binding_t binding = {.name = options->cb_type,
                                          .critical = 0,
                                          .data = options->cb_data,
                                          .len = (unsigned long)options->cb_len};
        memcpy(server->binding, &binding, sizeof binding);
        must(sasl_setprop(conn, SASL_CHANNEL_BINDING, server->binding));
    }
    server->conn = conn;
}

void server_close(struct server *server)
{
    sasl_conn_t *conn = server->conn;

    sasl_dispose(&conn);
    server->conn = NULL;
}

/* libsasl2 counts on a NUL behind every message. */
static const char *terminate(struct server *server, const void *in, size_t len)
{
    if (len >= sizeof server->in)
        abort();
    if (len > 0)
        memcpy(server->in, in, len);
    server->in[len] = '\0';
    return server->in;
}

int server_start(struct server *server, const char *mechanism, const void *in, size_t len,
                 const char **out, unsigned *out_len)
{
    return sasl_server_start(server->conn, mechanism, in ? terminate(server, in, len) : NULL,
                             (unsigned)len, out, out_len);
}

int server_step(struct server *server, const void *in, size_t len, const char **out,
                unsigned *out_len)
{
    return sasl_server_step(server->conn, terminate(server, in, len), (unsigned)len, out, out_len);
}

const char *server_user(struct server *server)
{
    const void *name = NULL;
    static const char realm[] = "@example.org";

    if (sasl_getprop(server->conn, SASL_USERNAME, &name) != SASL_OK)
        return NULL;
    size_t len = strlen(name);
    size_t tail = strlen(realm);
    if (len > tail && strcmp((const char *)name + len - tail, realm) == 0)
        len -= tail;
    if (len >= sizeof server->user)
        abort();
    memcpy(server->user, name, len);
    server->user[len] = '\0';
    return server->user;
}
