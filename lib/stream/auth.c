#include "base/base64.h"
#include "base/str.h"
#include "jid/jid.h"
#include "stream/stream.h"
#include "xml/write.h"

#include <string.h>

/* The strength that Cyrus SASL is told; every suite that TLS negotiates here has at least this. */
#define TLS_BITS 128

#define SHOWN_MECHANISMS 200 /* bytes of their names in an error */

/* What the server offers, as arrays of strings borrowed from the features. */
struct offered {
    const char *mechanisms[LIMIT_FEATURES];
    const char *cb_types[LIMIT_FEATURES];
    struct sasl_offer offer;
    bool is_cut; /* there are more mechanisms */
};

static int choose(xmpp_stream *stream);
static int take_outcome(xmpp_stream *stream, int outcome, struct buf *out);

void auth_drop(xmpp_stream *stream)
{
    struct auth *auth = &stream->auth;

    if (auth->sasl)
        auth->sasl->ops->free(auth->sasl);
    auth->sasl = NULL;
    auth->ssdp = mem_free(auth->ssdp);
    buf_wipe(&auth->in);
    memset(&auth->params, 0, sizeof auth->params);
    memset(&auth->choice, 0, sizeof auth->choice);
    auth->at = AUTH_START;
    auth->has_initial = false;
    auth->sent = false;
    auth->final = false;
    auth->steps = 0;
}

void auth_clear(xmpp_stream *stream)
{
    auth_drop(stream);
    stream->auth.tried_count = 0;
    stream->auth.failure = xmpp_error_unref(stream->auth.failure);
}

/* --- output --- */

/* <auth/> and <response/> are written by hand: a tree would keep credentials in memory that is not wiped. */
static int compose(struct buf *text, const char *name, const char *mechanism, const char *payload)
{
    int r;

    r = buf_append_str(text, "<");
    if (r < 0)
        return r;
    r = buf_append_str(text, name);
    if (r < 0)
        return r;
    r = buf_append_str(text, " xmlns='" NS_SASL "'");
    if (r < 0)
        return r;
    if (mechanism) {
        r = buf_append_str(text, " mechanism='");
        if (r < 0)
            return r;
        r = write_escaped(text, mechanism, strlen(mechanism));
        if (r < 0)
            return r;
        r = buf_append_str(text, "'");
        if (r < 0)
            return r;
    }
    if (!*payload)
        return buf_append_str(text, "/>");
    r = buf_append_str(text, ">");
    if (r < 0)
        return r;
    r = buf_append_str(text, payload);
    if (r < 0)
        return r;
    r = buf_append_str(text, "</");
    if (r < 0)
        return r;
    r = buf_append_str(text, name);
    if (r < 0)
        return r;
    return buf_append_str(text, ">");
}

static int put_masked(xmpp_stream *stream, const char *name, const char *mechanism,
                      const char *payload)
{
    CLEANUP(buf_wipe) struct buf text;
    CLEANUP(buf_clear) struct buf masked;
    int r;

    buf_init(&text, SIZE_MAX);
    buf_init(&masked, SIZE_MAX);
    r = compose(&text, name, mechanism, payload);
    if (r < 0)
        return r;
    r = buf_append(&stream->out, buf_peek(&text), buf_len(&text));
    if (r < 0)
        return r;
    /* SEC-31; a log that lacks a line for want of memory is not worth a connection */
    if (stream->trace && compose(&masked, name, mechanism, *payload ? "***" : "") == XMPP_OK)
        stream_trace(stream, true, (const char *)buf_peek(&masked), buf_len(&masked));
    return XMPP_OK;
}

/* SASL-04: nothing, "=" for an empty initial response, or base64 */
static int send_message(xmpp_stream *stream, const struct buf *out)
{
    struct auth *auth = &stream->auth;
    bool initial = auth->at == AUTH_START;
    size_t len = base64_encoded_len(buf_len(out));
    char *payload;
    int r;

    payload = mem_alloc(len + 2);
    if (!payload)
        return XMPP_ERR_NOMEM;
    base64_encode(buf_peek(out), buf_len(out), payload);
    if (buf_len(out) == 0)
        memcpy(payload, initial && auth->has_initial ? "=" : "",
               initial && auth->has_initial ? 2 : 1);
    r = put_masked(stream, initial ? "auth" : "response", initial ? auth->choice.name : NULL,
                   payload);
    secret_wipe(payload, len + 2);
    mem_free(payload);
    if (r < 0)
        return r;
    auth->sent = true;
    auth->at = AUTH_STEP;
    stream_wait(stream, STREAM_AUTH);
    return XMPP_OK;
}

/* RFC 6120 6.4.4: the server may hear why the exchange ends, if it runs. */
static void abort_exchange(xmpp_stream *stream, xmpp_error *error)
{
    static const char request[] = "<abort xmlns='" NS_SASL "'/>";

    if (stream->auth.sent && !stream->auth.final && !stream->close_sent)
        (void)stream_put(stream, request, sizeof request - 1); /* as in serror_close_tag() */
    serror_fail(stream, error);
}

/* --- choosing a mechanism --- */

static void collect(const xmpp_stream *stream, struct offered *offered)
{
    const xmpp_elem *list = xmpp_elem_first_child(stream->features, NS_SASL, "mechanisms");
    const xmpp_elem *types =
        xmpp_elem_first_child(stream->features, NS_SASL_CB, "sasl-channel-binding");
    const xmpp_elem *child;
    struct sasl_offer *offer = &offered->offer;

    memset(offer, 0, sizeof *offer);
    for (child = xmpp_elem_first_child(list, NS_SASL, "mechanism");
         child && offer->mechanism_count < LIMIT_FEATURES;
         child = xmpp_elem_next_sibling(child, NS_SASL, "mechanism"))
        offered->mechanisms[offer->mechanism_count++] = xmpp_elem_get_text(child);
    offered->is_cut = child != NULL;
    for (child = xmpp_elem_first_child(types, NS_SASL_CB, "channel-binding");
         child && offer->cb_type_count < LIMIT_FEATURES;
         child = xmpp_elem_next_sibling(child, NS_SASL_CB, "channel-binding")) {
        const char *type = xmpp_elem_get_attr(child, "type");

        if (type)
            offered->cb_types[offer->cb_type_count++] = type;
    }
    offer->mechanisms = offered->mechanisms;
    offer->cb_types = types ? offered->cb_types : NULL;
    offer->bindings = stream->bindings;
    offer->binding_count = stream->binding_count;
    offer->wanted = stream->wanted_mechanisms;
    offer->secured = stream->secured;
    offer->external = stream->external;
    offer->anonymous = !xmpp_jid_get_local(stream->jid);
    offer->no_plain = stream->no_plain;
    offer->tried = stream->auth.tried;
    offer->tried_count = stream->auth.tried_count;
}

static void fill_params(xmpp_stream *stream)
{
    struct auth *auth = &stream->auth;
    struct sasl_params *params = &auth->params;
    const char *ascii = jid_get_ascii_domain(stream->jid);

    params->authcid = stream->authcid ? stream->authcid : xmpp_jid_get_local(stream->jid);
    params->authzid = xmpp_jid_get_bare_str(stream->authzid); /* SASL-08 */
    params->domain = ascii ? ascii : xmpp_jid_get_domain(stream->jid);
    params->secret = stream->secret;
    params->keys = stream->keys;
    params->gs2_flag = auth->choice.gs2_flag;
    if (auth->choice.binding) {
        params->cb_type = auth->choice.binding->type;
        params->cb_data = auth->choice.binding->data;
        params->cb_len = auth->choice.binding->len;
    }
    params->tls_bits = stream->secured ? TLS_BITS : 0;
    params->tls_version = stream->tls_version;
    params->ssdp = auth->ssdp;
}

/* Is it only by kept keys that we could log in? */
static bool has_only_keys(const xmpp_stream *stream)
{
    return !stream->secret && stream->keys && sasl_keys_has(stream->keys);
}

static int ask_secret(xmpp_stream *stream)
{
    stream_wait(stream, STREAM_SECRET);
    return stream_push(stream, XMPP_EV_NEED_SECRET, NULL);
}

static int start(xmpp_stream *stream)
{
    CLEANUP(buf_wipe) struct buf out;
    struct auth *auth = &stream->auth;

    buf_init(&out, SIZE_MAX);
    return take_outcome(stream, auth->sasl->ops->start(auth->sasl, &out, &auth->has_initial), &out);
}

/* Remembers the mechanism as unusable on this stream and tries another one. failure: taken over; NULL when the
 * peer has not seen the attempt. */
static int choose_next(xmpp_stream *stream, xmpp_error *failure)
{
    struct auth *auth = &stream->auth;

    if (failure) {
        xmpp_error_unref(auth->failure);
        auth->failure = failure;
    }
    auth->tried[auth->tried_count++] = auth->choice.name;
    auth_drop(stream);
    return choose(stream);
}

static int use_choice(xmpp_stream *stream)
{
    struct auth *auth = &stream->auth;
    const struct sasl_ops *ops = auth->choice.ops;
    char *name;
    int r;

    fill_params(stream);
    r = ops->create(&auth->sasl, auth->choice.name, &auth->params);
    if (r == XMPP_ERR_NOTFOUND)
        return choose_next(stream, NULL);
    if (r == XMPP_ERR_NOMEM)
        return r;
    if (r < 0) {
        serror_fail(stream, error_create(r, stream_phase(stream), "%s cannot be used: %s",
                                         auth->choice.name, xmpp_err_text(r)));
        return XMPP_OK;
    }
    name = mem_strdup(auth->choice.name);
    if (!name)
        return XMPP_ERR_NOMEM;
    mem_free(stream->mechanism);
    stream->mechanism = name;
    stream->cb_type = auth->params.cb_type;
    r = stream_push(stream, XMPP_EV_AUTHENTICATING, NULL);
    if (r < 0)
        return r;
    if (ops->needs_secret && !stream->secret && !has_only_keys(stream))
        return ask_secret(stream);
    return start(stream);
}

/* The reason, and what was offered: names of mechanisms are short (SASL-01), and not all need be told. */
static xmpp_error *explain_choice(const xmpp_stream *stream, const struct offered *offered,
                                  const char *reason)
{
    CLEANUP(buf_clear) struct buf names = {.limit = SHOWN_MECHANISMS};
    const struct sasl_offer *offer = &offered->offer;
    char cut[64] = "";
    int r = XMPP_OK;

    if (offered->is_cut)
        (void)str_format(cut, sizeof cut, "; only the first %d are looked at",
                         LIMIT_FEATURES); /* fits */

    for (size_t i = 0; i < offer->mechanism_count && r >= 0; i++) {
        r = buf_append_str(&names, i > 0 ? ", " : " (it offers: ");
        if (r >= 0)
            r = buf_append_str(&names, offer->mechanisms[i]);
    }
    return error_create(XMPP_ERR_AUTH, stream_phase(stream), "%s%.*s%s%s",
                        *reason ? reason : "no usable SASL mechanism", (int)buf_len(&names),
                        buf_len(&names) > 0 ? (const char *)buf_peek(&names) : "",
                        buf_len(&names) == 0 ? ""
                        : r < 0              ? " ...)"
                                             : ")",
                        cut);
}

static int choose(xmpp_stream *stream)
{
    struct auth *auth = &stream->auth;
    struct offered offered = {.offer.mechanism_count = 0};
    const char *reason = "";
    int r = XMPP_ERR_AUTH;

    if (auth->tried_count < LIMIT_SASL_ATTEMPTS) {
        collect(stream, &offered);
        r = sasl_select(&offered.offer, &auth->choice, &reason);
    }
    if (r == XMPP_ERR_NOMEM)
        return r;
    if (r < 0) {
        /* What the server said is worth more than that nothing is left. */
        xmpp_error *error = STEAL(auth->failure);

        serror_fail(stream, error ? error : explain_choice(stream, &offered, reason));
        return XMPP_OK;
    }
    r = sasl_ssdp_string(&offered.offer, &auth->ssdp);
    if (r < 0)
        return r;
    return use_choice(stream);
}

int auth_begin(xmpp_stream *stream, const xmpp_elem *feature)
{
    (void)feature;
    return choose(stream);
}

/* --- the exchange --- */

static int succeed(xmpp_stream *stream)
{
    const struct sasl_ops *ops = stream->auth.choice.ops;
    int r;

    stream->used_strong = ops == &sasl_scram_ops || ops == &sasl_external_ops;
    stream->authenticated = true;
    r = stream_push(stream, XMPP_EV_BINDING, NULL);
    if (r < 0)
        return r;
    r = open_start(stream); /* CORE-12 */
    if (r < 0)
        return r;
    stream->secret = secret_free(stream->secret);
    return XMPP_OK;
}

static void reject_server(xmpp_stream *stream, int code)
{
    struct auth *auth = &stream->auth;

    abort_exchange(stream, error_create(code, stream_phase(stream), "%s: %s", stream->mechanism,
                                        auth->sasl->ops->reason(auth->sasl)));
}

/* What the mechanism answered to start(), step() or work(). */
static int take_outcome(xmpp_stream *stream, int outcome, struct buf *out)
{
    struct auth *auth = &stream->auth;
    bool is_answer = outcome == SASL_RESULT_RESPOND || outcome == SASL_RESULT_DONE;

    if (outcome == XMPP_ERR_NOMEM)
        return outcome;
    if (outcome == XMPP_ERR_NOTFOUND && auth->at == AUTH_START)
        return choose_next(stream, NULL);
    if (outcome < 0) {
        reject_server(stream, outcome);
        return XMPP_OK;
    }
    if (outcome == SASL_RESULT_WORK) {
        stream_wait(stream, STREAM_WORK);
        return XMPP_OK;
    }
    if (outcome == SASL_RESULT_NEED_SECRET)
        return ask_secret(stream);
    buf_wipe(&auth->in);
    if (is_answer && !auth->final)
        /* SASL-07: a mechanism that is satisfied by a challenge still owes an (empty) response */
        return send_message(stream, out);
    /* SASL-17: the server says that all is well; does the mechanism agree? */
    if (buf_len(out) == 0 && auth->sasl->ops->is_done(auth->sasl))
        return succeed(stream);
    reject_server(stream, XMPP_ERR_AUTH);
    return XMPP_OK;
}

static int step(xmpp_stream *stream)
{
    CLEANUP(buf_wipe) struct buf out;
    struct auth *auth = &stream->auth;

    buf_init(&out, SIZE_MAX);
    return take_outcome(stream,
                        auth->sasl->ops->step(auth->sasl, buf_peek(&auth->in), buf_len(&auth->in),
                                              auth->final, &out),
                        &out);
}

int auth_work(xmpp_stream *stream)
{
    CLEANUP(buf_wipe) struct buf out;
    struct auth *auth = &stream->auth;

    buf_init(&out, SIZE_MAX);
    return take_outcome(stream, auth->sasl->ops->work(auth->sasl, &out), &out);
}

int auth_continue(xmpp_stream *stream)
{
    stream->auth.params.secret = stream->secret;
    return stream->auth.at == AUTH_START ? start(stream) : step(stream);
}

void auth_refuse(xmpp_stream *stream)
{
    abort_exchange(stream,
                   error_create(XMPP_ERR_AUTH, stream_phase(stream),
                                "%s needs a password, and none was given", stream->mechanism));
}

/* SASL-05. text: base64, or "=" for nothing. A bad one ends the stream: see the state. */
static int decode(xmpp_stream *stream, const char *text)
{
    struct buf *in = &stream->auth.in;
    size_t len = strlen(text);
    void *room;
    size_t used;
    int r;

    buf_wipe(in);
    if (str_eq(text, "="))
        return XMPP_OK;
    if (base64_decoded_max(len) > LIMIT_SASL_MESSAGE) {
        abort_exchange(stream, error_create(XMPP_ERR_LIMIT, stream_phase(stream),
                                            "the server sent more than %u bytes in one challenge",
                                            LIMIT_SASL_MESSAGE));
        return XMPP_OK;
    }
    r = buf_reserve(in, base64_decoded_max(len) + 1, &room);
    if (r < 0)
        return r;
    if (base64_decode(text, len, room, &used) < 0) {
        xmpp_error *error = error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                         "the server's challenge is not base64");

        error_set_condition(error, NULL, "incorrect-encoding");
        abort_exchange(stream, error);
        return XMPP_OK;
    }
    buf_commit(in, used);
    return XMPP_OK;
}

static int take_challenge(xmpp_stream *stream, const xmpp_elem *elem)
{
    int r;

    if (++stream->auth.steps > LIMIT_SASL_STEPS) {
        abort_exchange(stream,
                       error_create(XMPP_ERR_LIMIT, stream_phase(stream),
                                    "the server sent more than %d challenges", LIMIT_SASL_STEPS));
        return XMPP_OK;
    }
    r = decode(stream, xmpp_elem_get_text(elem));
    if (r < 0 || stream->state == STREAM_ENDED)
        return r;
    return step(stream);
}

static int take_success(xmpp_stream *stream, const xmpp_elem *elem)
{
    struct auth *auth = &stream->auth;
    const char *text = xmpp_elem_get_text(elem);
    int r;

    auth->final = true;
    if (!*text) {
        if (auth->sasl->ops->is_done(auth->sasl))
            return succeed(stream);
        abort_exchange(stream, error_create(XMPP_ERR_AUTH, stream_phase(stream),
                                            "the server ended %s without the proof that it knows "
                                            "the password: do not trust it",
                                            stream->mechanism));
        return XMPP_OK;
    }
    r = decode(stream, text);
    if (r < 0 || stream->state == STREAM_ENDED)
        return r;
    return step(stream);
}

struct sasl_condition {
    const char *name;
    const char *words;
};

/* SASL-11 */
static const struct sasl_condition *find_condition(const xmpp_elem *failure)
{
    static const struct sasl_condition conditions[] = {
        {"not-authorized", "wrong user name or password"},
        {"aborted", "it was given up"},
        {"account-disabled", "the account is disabled"},
        {"credentials-expired", "the password has expired"},
        {"encryption-required", "the mechanism needs encryption"},
        {"incorrect-encoding", "the server could not decode our message"},
        {"invalid-authzid", "this user may not act for that account"},
        {"invalid-mechanism", "the server does not take this mechanism"},
        {"malformed-request", "the server did not understand our message"},
        {"mechanism-too-weak", "the mechanism is too weak for the server"},
        {"temporary-auth-failure", "the server cannot check it now, try later"},
    };
    const char *name = serror_find_condition(failure, NS_SASL);

    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (str_eq(conditions[i].name, name))
            return &conditions[i];
    /* RFC 6120 6.5: what is not known is a plain refusal; this one makes nobody try again by itself */
    return &conditions[0];
}

/* Is it the mechanism that the server dislikes, and not the user? */
static bool is_about_mechanism(const xmpp_stream *stream, const char *condition)
{
    return str_eq(condition, "invalid-mechanism") || str_eq(condition, "mechanism-too-weak") ||
           (str_eq(condition, "malformed-request") && stream->auth.choice.gs2_flag == 'p');
}

static int take_failure(xmpp_stream *stream, const xmpp_elem *elem)
{
    const struct sasl_condition *found = find_condition(elem);
    const char *condition = found->name;
    const xmpp_elem *text = xmpp_elem_first_child(elem, NS_SASL, "text");
    xmpp_error *error =
        error_create(XMPP_ERR_AUTH, stream_phase(stream), "authentication with %s failed: %s (%s)",
                     stream->mechanism, found->words, condition);

    error_set_condition(error, NULL, condition);
    if (text)
        error_set_peer_text(error, xmpp_elem_get_text(text));
    error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
    if (is_about_mechanism(stream, condition))
        return choose_next(stream, error);
    if (str_eq(condition, "not-authorized") && has_only_keys(stream)) {
        /* What was kept from an earlier login is out of date, so this time it is the password. */
        xmpp_error_unref(error);
        sasl_keys_clear(stream->keys);
        auth_drop(stream);
        return choose(stream);
    }
    /* A wrong password is never tried again, least of all in the clear. */
    serror_fail(stream, error);
    return XMPP_OK;
}

int auth_receive(xmpp_stream *stream, const xmpp_elem *elem)
{
    if (xmpp_elem_is(elem, NS_SASL, "challenge"))
        return take_challenge(stream, elem);
    if (xmpp_elem_is(elem, NS_SASL, "success"))
        return take_success(stream, elem);
    if (xmpp_elem_is(elem, NS_SASL, "failure"))
        return take_failure(stream, elem);
    stream_unexpected(stream, elem); /* SASL-26 */
    return XMPP_OK;
}
