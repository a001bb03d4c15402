/* The mechanisms of one message: PLAIN (RFC 4616), EXTERNAL (RFC 4422 appendix A), ANONYMOUS (RFC 4505).
 *
 * PLAIN prepares user name and password with SASLprep, which RFC 4616 asks for, so that a password means the
 * same bytes whichever mechanism is chosen.
 */
#include "sasl/mech.h"

#include "base/mem.h"
#include "base/str.h"
#include "sasl/prep.h"

#include <string.h>

struct simple {
    struct sasl base;
    bool sent;
    bool failed;
    const char *reason; /* static */
};

/* base is the first member */
static struct simple *of(struct sasl *sasl)
{
    return (struct simple *)sasl;
}

static int create(struct sasl **ret, const char *name, const struct sasl_params *params,
                  const struct sasl_ops *ops)
{
    if (!str_eq(name, ops->name))
        return XMPP_ERR_NOTFOUND;
    struct simple *simple = mem_zalloc(sizeof *simple);
    if (!simple)
        return XMPP_ERR_NOMEM;
    simple->base = (struct sasl){ops, params};
    simple->reason = "the login was not finished";
    *ret = &simple->base;
    return XMPP_OK;
}

static int plain_create(struct sasl **ret, const char *name, const struct sasl_params *params)
{
    return create(ret, name, params, &sasl_plain_ops);
}

static int external_create(struct sasl **ret, const char *name, const struct sasl_params *params)
{
    return create(ret, name, params, &sasl_external_ops);
}

static int anonymous_create(struct sasl **ret, const char *name, const struct sasl_params *params)
{
    return create(ret, name, params, &sasl_anonymous_ops);
}

static int fail(struct simple *simple, int code, const char *reason)
{
    simple->failed = true;
    simple->reason = code == XMPP_ERR_NOMEM ? "out of memory" : reason;
    return code;
}

static int sent(struct simple *simple, bool *ret_has)
{
    simple->sent = true;
    *ret_has = true;
    return SASL_RESULT_RESPOND;
}

/* [authzid] NUL authcid NUL passwd, written in one go: no copy of the password is left in a smaller block. */
static int append_plain(struct buf *out, const char *authzid, const char *name,
                        const struct secret *password)
{
    size_t authzid_len = authzid ? strlen(authzid) : 0;
    size_t name_len = strlen(name);
    size_t size = 0;
    void *room = NULL;

    if (!size_add(authzid_len, name_len, &size) || !size_add(size, 2, &size) ||
        !size_add(size, secret_len(password), &size))
        return XMPP_ERR_LIMIT;
    int r = buf_reserve(out, size, &room);
    if (r < 0)
        return r;
    char *p = room;
    if (authzid)
        memcpy(p, authzid, authzid_len);
    p += authzid_len;
    *p++ = '\0';
    memcpy(p, name, name_len + 1);
    p += name_len + 1;
    memcpy(p, secret_data(password), secret_len(password));
    buf_commit(out, size);
    return XMPP_OK;
}

static int plain_start(struct sasl *sasl, struct buf *out, bool *ret_has)
{
    struct simple *simple = of(sasl);
    const struct sasl_params *params = sasl->params;
    struct secret *password = NULL;

    if (simple->failed || simple->sent)
        return fail(simple, XMPP_ERR_PROTOCOL, "the login was started twice");
    if (!params->authcid || !*params->authcid)
        return fail(simple, XMPP_ERR_AUTH, "no user name to log in with");
    if (!params->secret)
        return SASL_RESULT_NEED_SECRET;
    CLEANUP(mem_freep) char *name = NULL;
    int r = sasl_prep_name(params->authcid, &name);
    if (r < 0)
        return fail(simple, r, "the user name has characters that SASLprep forbids");
    r = sasl_prep_password(secret_data(params->secret), secret_len(params->secret), &password);
    if (r < 0)
        return fail(simple, r, "the password is empty or has characters that SASLprep forbids");
    r = append_plain(out, params->authzid, name, password);
    secret_free(password);
    if (r < 0)
        return fail(simple, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                    "user name and password are too long");
    return sent(simple, ret_has);
}

static int external_start(struct sasl *sasl, struct buf *out, bool *ret_has)
{
    struct simple *simple = of(sasl);

    if (simple->failed || simple->sent)
        return fail(simple, XMPP_ERR_PROTOCOL, "the login was started twice");
    /* empty: the identity of the certificate; SASL-08 */
    if (sasl->params->authzid) {
        int r = buf_append_str(out, sasl->params->authzid);
        if (r < 0)
            return fail(simple, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                        "the authorization identity is too long");
    }
    return sent(simple, ret_has);
}

/* RFC 4505: the message is trace information, which we have none of, and may be empty. */
static int anonymous_start(struct sasl *sasl, struct buf *out, bool *ret_has)
{
    struct simple *simple = of(sasl);

    (void)out;
    if (simple->failed || simple->sent)
        return fail(simple, XMPP_ERR_PROTOCOL, "the login was started twice");
    return sent(simple, ret_has);
}

/* The server has nothing to say in these mechanisms. */
static int simple_step(struct sasl *sasl, const void *in, size_t len, bool final, struct buf *out)
{
    struct simple *simple = of(sasl);

    (void)in;
    (void)out;
    if (simple->failed)
        return XMPP_ERR_PROTOCOL;
    if (!simple->sent || !final || len > 0)
        return fail(simple, XMPP_ERR_PROTOCOL,
                    "the server sent a challenge that the mechanism does not have");
    return SASL_RESULT_DONE;
}

static int simple_work(struct sasl *sasl, struct buf *out)
{
    (void)out;
    return fail(of(sasl), XMPP_ERR_PROTOCOL, "nothing to compute");
}

static bool simple_is_done(const struct sasl *sasl)
{
    const struct simple *simple = (const struct simple *)sasl;

    return simple->sent && !simple->failed;
}

static const char *simple_reason(const struct sasl *sasl)
{
    return ((const struct simple *)sasl)->reason;
}

static void simple_free(struct sasl *sasl)
{
    mem_free(sasl);
}

const struct sasl_ops sasl_plain_ops = {
    .name = "PLAIN",
    .needs_secret = true,
    .create = plain_create,
    .start = plain_start,
    .step = simple_step,
    .work = simple_work,
    .is_done = simple_is_done,
    .reason = simple_reason,
    .free = simple_free,
};

const struct sasl_ops sasl_external_ops = {
    .name = "EXTERNAL",
    .needs_secret = false,
    .create = external_create,
    .start = external_start,
    .step = simple_step,
    .work = simple_work,
    .is_done = simple_is_done,
    .reason = simple_reason,
    .free = simple_free,
};

const struct sasl_ops sasl_anonymous_ops = {
    .name = "ANONYMOUS",
    .needs_secret = false,
    .create = anonymous_create,
    .start = anonymous_start,
    .step = simple_step,
    .work = simple_work,
    .is_done = simple_is_done,
    .reason = simple_reason,
    .free = simple_free,
};
