/* Every mechanism that is not our own, through the client side of libsasl2 and its plug-ins: GSSAPI, GS2-*,
 * GSS-SPNEGO, DIGEST-MD5 and what else is installed. Only on the application's word (select.c).
 *
 * It can block: sasl_client_new() looks up the local host's name when that has no dot, and Kerberos talks to
 * its servers. So the connection object is made in start(), when the mechanism is chosen, not before.
 */
#include "sasl/mech.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sasl/prep.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <pthread.h>
#include <string.h>

#define CALLBACKS 6

struct cyrus {
    struct sasl base;
    char *mechanism;
    char *name; /* prepared */
    /* libsasl2 keeps pointers to these, so they live as long as conn */
    sasl_secret_t *secret; /* prepared; NULL: not asked for yet */
    size_t secret_size; /* of the block */
    sasl_callback_t callbacks[CALLBACKS];
    sasl_channel_binding_t binding;
    sasl_conn_t *conn;
    sasl_interact_t *prompts; /* not NULL between a question and its answer */
    bool needs_secret; /* the plug-in says so */
    bool started;
    bool answered; /* a challenge was */
    bool done; /* libsasl2 has said SASL_OK (SASL-17) */
    int error;
    char reason[256];
};

/* base is the first member */
static struct cyrus *of(struct sasl *sasl)
{
    return (struct cyrus *)sasl;
}

/* --- the process: initialised once, never torn down (the application may use libsasl2 too) --- */

typedef int (*callback)(void);
/* a function pointer of another type: the kind of cast that libsasl2's table of callbacks needs */
#define CALLBACK(fn) ((callback)(void (*)(void))(fn))

/* Without it libsasl2 writes to the system log. */
static int on_log(void *context, int level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
    return SASL_OK;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int init_result = SASL_NOMEM; /* tried again when that was the reason */

static bool init(void)
{
    /* must stay valid for the life of the process */
    static const sasl_callback_t callbacks[] = {
        {SASL_CB_LOG, CALLBACK(on_log), NULL},
        {SASL_CB_LIST_END, NULL, NULL},
    };

    int r;

    pthread_mutex_lock(&lock);
    if (init_result == SASL_NOMEM)
        init_result = sasl_client_init(callbacks);
    r = init_result;
    pthread_mutex_unlock(&lock);
    return r == SASL_OK;
}

struct query {
    const char *name;
    size_t len; /* without -PLUS */
    bool plus;
    bool found;
    bool needs_secret;
};

static void on_plugin(client_sasl_mechanism_t *mechanism, sasl_info_callback_stage_t stage,
                      void *user_data)
{
    struct query *query = user_data;

    if (stage != SASL_INFO_LIST_MECH || !mechanism || !mechanism->plug)
        return;
    const sasl_client_plug_t *plug = mechanism->plug;
    if (strlen(plug->mech_name) != query->len ||
        memcmp(plug->mech_name, query->name, query->len) != 0)
        return;
    if (query->plus && !(plug->features & SASL_FEAT_CHANNEL_BINDING))
        return;
    query->found = true;
    /* no list stands for a name and a password */
    query->needs_secret = !plug->required_prompts;
    for (const unsigned long *id = plug->required_prompts; id && *id != SASL_CB_LIST_END; id++)
        if (*id == SASL_CB_PASS)
            query->needs_secret = true;
}

static struct query ask_plugins(const char *name)
{
    struct query query = {.name = name, .len = strlen(name), .plus = str_ends(name, "-PLUS")};

    /* SCRAM is ours alone: libsasl2's accepts any iteration count down to one */
    if (str_starts(name, "SCRAM-") || str_eq(name, "PLAIN") || str_eq(name, "EXTERNAL") ||
        str_eq(name, "ANONYMOUS"))
        return query;
    if (query.plus)
        query.len -= strlen("-PLUS");
    if (init())
        (void)sasl_client_plugin_info(NULL, on_plugin, &query); /* nothing loaded: nothing found */
    return query;
}

bool sasl_cyrus_has(const char *name)
{
    return ask_plugins(name).found;
}

/* --- reasons --- */

static int fail(struct cyrus *cyrus, int code, const char *reason)
{
    cyrus->error = code;
    if (code == XMPP_ERR_NOMEM)
        reason = "out of memory";
    /* a text that is too long is cut */
    (void)str_format(cyrus->reason, sizeof cyrus->reason, "%s", reason);
    /* what plug-ins and Kerberos say may be of any encoding */
    for (char *p = cyrus->reason; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    return code;
}

/* The detail text is made by plug-ins, which we do not know: none that contains the password goes on. */
static int fail_code(struct cyrus *cyrus, int code)
{
    /* without memory there is none, and libsasl2 2.1.28 crashes looking for it */
    const char *detail = cyrus->conn && code != SASL_NOMEM ? sasl_errdetail(cyrus->conn) : NULL;
    const struct secret *secret = cyrus->base.params->secret;
    bool unsafe = !detail ||
                  (secret && secret_len(secret) > 0 && strstr(detail, secret_data(secret)) != NULL);

    if (!unsafe && cyrus->secret)
        unsafe = strstr(detail, (const char *)cyrus->secret->data) != NULL;
    const char *text = unsafe ? sasl_errstring(code, NULL, NULL) : detail;
    switch (code) {
    case SASL_NOMEM:
        return fail(cyrus, XMPP_ERR_NOMEM, text);
    case SASL_NOMECH:
        return fail(cyrus, XMPP_ERR_NOTFOUND, text);
    case SASL_BADPROT:
        return fail(cyrus, XMPP_ERR_PROTOCOL, text);
    default:
        return fail(cyrus, XMPP_ERR_AUTH, text);
    }
}

/* --- callbacks of a connection; each only hands out what the object has already --- */

static int on_name(void *context, int id, const char **ret, unsigned *ret_len)
{
    const struct cyrus *cyrus = context;

    if (id == SASL_CB_AUTHNAME)
        *ret = cyrus->name;
    else if (id == SASL_CB_USER) /* SASL-08 */
        *ret = cyrus->base.params->authzid ? cyrus->base.params->authzid : "";
    else
        return SASL_BADPARAM;
    if (ret_len)
        *ret_len = (unsigned)strlen(*ret);
    return SASL_OK;
}

static int on_secret(sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret)
{
    const struct cyrus *cyrus = context;

    (void)conn;
    if (id != SASL_CB_PASS)
        return SASL_BADPARAM;
    if (!cyrus->secret)
        return SASL_INTERACT;
    *ret = cyrus->secret;
    return SASL_OK;
}

/* A realm is a name inside the mechanism and no more (SASL-10): the domain's own one if it is offered, else
 * the first. */
static int on_realm(void *context, int id, const char **available, const char **ret)
{
    const struct cyrus *cyrus = context;
    const char *domain = cyrus->base.params->domain;

    if (id != SASL_CB_GETREALM)
        return SASL_BADPARAM;
    *ret = domain;
    for (const char **realm = available; realm && *realm; realm++)
        if (str_eq(*realm, domain))
            return SASL_OK;
    if (available && *available)
        *ret = *available;
    return SASL_OK;
}

/* --- life --- */

static int cyrus_create(struct sasl **ret, const char *name, const struct sasl_params *params)
{
    struct query query = ask_plugins(name);

    if (!query.found)
        return XMPP_ERR_NOTFOUND;
    struct cyrus *cyrus = mem_zalloc(sizeof *cyrus);
    if (!cyrus)
        return XMPP_ERR_NOMEM;
    cyrus->mechanism = mem_strdup(name);
    if (!cyrus->mechanism) {
        mem_free(cyrus);
        return XMPP_ERR_NOMEM;
    }
    cyrus->base = (struct sasl){&sasl_cyrus_ops, params};
    cyrus->needs_secret = query.needs_secret;
    (void)str_format(cyrus->reason, sizeof cyrus->reason, "the login was not finished");
    *ret = &cyrus->base;
    return XMPP_OK;
}

static void cyrus_free(struct sasl *sasl)
{
    if (!sasl)
        return;
    struct cyrus *cyrus = of(sasl);

    if (cyrus->conn)
        sasl_dispose(&cyrus->conn);
    if (cyrus->secret)
        secret_wipe(cyrus->secret, cyrus->secret_size);
    mem_free(cyrus->secret);
    mem_free(cyrus->name);
    mem_free(cyrus->mechanism);
    mem_free(cyrus);
}

/* The password as libsasl2 wants it. Plug-ins prepare nothing, so it happens here. */
static int take_secret(struct cyrus *cyrus)
{
    const struct secret *secret = cyrus->base.params->secret;
    struct secret *prepared = NULL;
    size_t size = 0;

    if (cyrus->secret)
        return XMPP_OK;
    int r = sasl_prep_password(secret_data(secret), secret_len(secret), &prepared);
    if (r < 0)
        return fail(cyrus, r, "the password is empty or has characters that SASLprep forbids");
    /* the struct has room for one byte of data already: for the NUL */
    size_t len = secret_len(prepared);
    if (size_add(sizeof *cyrus->secret, len, &size))
        cyrus->secret = mem_zalloc(size);
    if (cyrus->secret) {
        cyrus->secret_size = size;
        cyrus->secret->len = len;
        memcpy(cyrus->secret->data, secret_data(prepared), len);
    }
    secret_free(prepared);
    return cyrus->secret ? XMPP_OK : fail(cyrus, XMPP_ERR_NOMEM, "");
}

static int set_properties(struct cyrus *cyrus)
{
    const struct sasl_params *params = cyrus->base.params;
    sasl_ssf_t bits = params->tls_bits;
    /* max_ssf 0: no security layer of the mechanism, ever (RFC 6120 6.3.6 gives TLS that place) */
    sasl_security_properties_t properties = {
        .security_flags = SASL_SEC_NOANONYMOUS | (bits > 0 ? 0 : SASL_SEC_NOPLAINTEXT)};

    int r = sasl_setprop(cyrus->conn, SASL_SEC_PROPS, &properties);
    if (r == SASL_OK)
        r = sasl_setprop(cyrus->conn, SASL_SSF_EXTERNAL, &bits);
    if (r == SASL_OK && params->cb_type) {
        cyrus->binding.name = params->cb_type;
        cyrus->binding.critical = params->gs2_flag == 'p';
        cyrus->binding.data = params->cb_data;
        cyrus->binding.len = (unsigned long)params->cb_len;
        r = sasl_setprop(cyrus->conn, SASL_CHANNEL_BINDING, &cyrus->binding);
    } else if (r == SASL_OK && params->gs2_flag == 'y') {
        /* 'y' is sent only where there is a binding that was not asked for; its bytes go nowhere */
        cyrus->binding.name = "tls-exporter";
        r = sasl_setprop(cyrus->conn, SASL_CHANNEL_BINDING, &cyrus->binding);
    }
    return r;
}

static int open_conn(struct cyrus *cyrus)
{
    const sasl_callback_t callbacks[CALLBACKS] = {
        {SASL_CB_USER, CALLBACK(on_name), cyrus},   {SASL_CB_AUTHNAME, CALLBACK(on_name), cyrus},
        {SASL_CB_PASS, CALLBACK(on_secret), cyrus}, {SASL_CB_GETREALM, CALLBACK(on_realm), cyrus},
        {SASL_CB_LOG, CALLBACK(on_log), cyrus},     {SASL_CB_LIST_END, NULL, NULL},
    };

    memcpy(cyrus->callbacks, callbacks, sizeof callbacks);
    int r = sasl_client_new("xmpp", cyrus->base.params->domain, NULL, NULL, cyrus->callbacks,
                            SASL_SUCCESS_DATA, &cyrus->conn);
    return r == SASL_OK ? set_properties(cyrus) : r;
}

/* The answers to what a plug-in asks: only secrets can be asked for here, all else was given before. */
static int answer(struct cyrus *cyrus)
{
    for (sasl_interact_t *p = cyrus->prompts; p && p->id != SASL_CB_LIST_END; p++) {
        if (p->id != SASL_CB_PASS && p->id != SASL_CB_NOECHOPROMPT)
            return fail(cyrus, XMPP_ERR_AUTH,
                        "the mechanism asks for something other than name and password");
        if (!cyrus->base.params->secret)
            return SASL_RESULT_NEED_SECRET;
        int r = take_secret(cyrus);
        if (r < 0)
            return r;
        p->result = cyrus->secret->data;
        p->len = (unsigned)cyrus->secret->len;
    }
    return XMPP_OK;
}

/* What a call of libsasl2 has given, for start() and step(). */
struct outcome {
    int code;
    const char *data; /* belongs to the connection */
    unsigned len;
};

static struct outcome call_start(struct cyrus *cyrus, const char *list)
{
    struct outcome outcome = {SASL_FAIL, NULL, 0};
    const char *chosen = NULL;
    /* DIGEST-MD5 keeps what it has derived from a password for the life of the process and would begin with
     * it, whatever the password is now. Without a place for a first message it waits for the challenge. */
    bool may_begin = !str_eq(cyrus->mechanism, "DIGEST-MD5");

    outcome.code =
        sasl_client_start(cyrus->conn, list, &cyrus->prompts, may_begin ? &outcome.data : NULL,
                          may_begin ? &outcome.len : NULL, &chosen);
    return outcome;
}

static struct outcome call_step(struct cyrus *cyrus, const char *in, size_t len)
{
    struct outcome outcome = {SASL_FAIL, NULL, 0};

    outcome.code = sasl_client_step(cyrus->conn, in, (unsigned)len, &cyrus->prompts, &outcome.data,
                                    &outcome.len);
    return outcome;
}

/* Asks again as long as there are questions that can be answered; in NULL: start. */
static int run(struct cyrus *cyrus, const char *list, const char *in, size_t len,
               struct outcome *ret)
{
    /* no plug-in asks more often */
    for (int round = 0; round < 4; round++) {
        int r = answer(cyrus);
        if (r != XMPP_OK)
            return r;
        struct outcome outcome = in ? call_step(cyrus, in, len) : call_start(cyrus, list);
        if (outcome.code == SASL_OK || outcome.code == SASL_CONTINUE) {
            cyrus->done = outcome.code == SASL_OK;
            *ret = outcome;
            return XMPP_OK;
        }
        if (outcome.code != SASL_INTERACT)
            return fail_code(cyrus, outcome.code);
    }
    return fail(cyrus, XMPP_ERR_AUTH, "the mechanism asks the same again and again");
}

/* Before libsasl2 is asked at all. */
static int prepare(struct cyrus *cyrus)
{
    const struct sasl_params *params = cyrus->base.params;
    int r;

    if (cyrus->needs_secret && !params->secret)
        return SASL_RESULT_NEED_SECRET;
    if (cyrus->needs_secret) {
        r = take_secret(cyrus);
        if (r < 0)
            return r;
    }
    if (!cyrus->name) {
        r = params->authcid ? sasl_prep_name(params->authcid, &cyrus->name) : XMPP_ERR_AUTH;
        if (r < 0)
            return fail(cyrus, r, "no user name, or one that SASLprep forbids");
    }
    if (!cyrus->conn) {
        r = open_conn(cyrus);
        if (r != SASL_OK)
            return fail_code(cyrus, r);
    }
    return XMPP_OK;
}

static int cyrus_start(struct sasl *sasl, struct buf *out, bool *ret_has)
{
    struct cyrus *cyrus = of(sasl);
    struct outcome outcome = {SASL_FAIL, NULL, 0};
    char list[64];

    if (cyrus->error)
        return cyrus->error;
    if (cyrus->started)
        return fail(cyrus, XMPP_ERR_PROTOCOL, "the login was started twice");
    int r = prepare(cyrus);
    if (r != XMPP_OK)
        return r;
    /* One name alone gives the GS2 flag 'n' (or 'p' with -PLUS), two names give 'y'. */
    if (!str_format(list, sizeof list, "%s%s", cyrus->mechanism,
                    sasl->params->gs2_flag == 'y' ? " X-NONE" : ""))
        return fail(cyrus, XMPP_ERR_NOTFOUND, "the name of the mechanism is too long");
    r = run(cyrus, list, NULL, 0, &outcome);
    if (r != XMPP_OK)
        return r;
    if (outcome.data) {
        r = buf_append(out, outcome.data, outcome.len);
        if (r < 0)
            return fail(cyrus, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                        "the first message is too long");
    }
    cyrus->started = true;
    *ret_has = outcome.data != NULL;
    return SASL_RESULT_RESPOND;
}

/* What the caller may not do, and <success/> without data. XMPP_OK: libsasl2 is to be asked. */
static int check_step(struct cyrus *cyrus, size_t len, bool final)
{
    if (cyrus->error)
        return cyrus->error;
    if (!cyrus->started)
        return fail(cyrus, XMPP_ERR_PROTOCOL, "a message came before its time");
    if (len > LIMIT_SASL_MESSAGE)
        return fail(cyrus, XMPP_ERR_PROTOCOL, "a message of the server is too long");
    if (final && len == 0) {
        if (cyrus->done)
            return SASL_RESULT_DONE;
        return fail(cyrus, XMPP_ERR_AUTH,
                    "the server reported success before the mechanism was satisfied");
    }
    if (cyrus->done)
        return fail(cyrus, XMPP_ERR_PROTOCOL, "the server went on after the last message");
    return XMPP_OK;
}

/* DIGEST-MD5 of libsasl2 2.1.28 compares this with a response that it has not made yet: a null pointer. */
static bool is_early_proof(const struct cyrus *cyrus, const char *message)
{
    static const char proof[] = "rspauth=";

    if (cyrus->answered || !str_eq(cyrus->mechanism, "DIGEST-MD5"))
        return false;
    for (size_t i = 0; proof[i]; i++)
        if (str_lower(message[i]) != proof[i])
            return false;
    return true;
}

static int cyrus_step(struct sasl *sasl, const void *in, size_t len, bool final, struct buf *out)
{
    struct cyrus *cyrus = of(sasl);
    struct outcome outcome = {SASL_FAIL, NULL, 0};

    int r = check_step(cyrus, len, final);
    if (r != XMPP_OK)
        return r;
    /* plug-ins count on a NUL behind the message */
    CLEANUP(mem_freep) char *message = mem_strndup(len > 0 ? in : "", len);
    if (!message)
        return fail(cyrus, XMPP_ERR_NOMEM, "");
    if (is_early_proof(cyrus, message))
        return fail(cyrus, XMPP_ERR_PROTOCOL, "the server proved itself before its challenge");
    r = run(cyrus, NULL, message, len, &outcome);
    if (r != XMPP_OK)
        return r;
    cyrus->answered = true;
    if (final) {
        if (cyrus->done && outcome.len == 0)
            return SASL_RESULT_DONE;
        cyrus->done = false;
        return fail(cyrus, XMPP_ERR_AUTH,
                    "the server reported success before the mechanism was satisfied");
    }
    if (outcome.len > 0) {
        r = buf_append(out, outcome.data, outcome.len);
        if (r < 0)
            return fail(cyrus, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH, "a response is too long");
    }
    return SASL_RESULT_RESPOND;
}

static int cyrus_work(struct sasl *sasl, struct buf *out)
{
    (void)out;
    return fail(of(sasl), XMPP_ERR_PROTOCOL, "nothing to compute");
}

static bool cyrus_is_done(const struct sasl *sasl)
{
    const struct cyrus *cyrus = (const struct cyrus *)sasl;

    return cyrus->done && cyrus->error == XMPP_OK;
}

static const char *cyrus_reason(const struct sasl *sasl)
{
    return ((const struct cyrus *)sasl)->reason;
}

const struct sasl_ops sasl_cyrus_ops = {
    .name = "libsasl2",
    .needs_secret = false,
    .create = cyrus_create,
    .start = cyrus_start,
    .step = cyrus_step,
    .work = cyrus_work,
    .is_done = cyrus_is_done,
    .reason = cyrus_reason,
    .free = cyrus_free,
};
