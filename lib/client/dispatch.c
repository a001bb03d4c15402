#include "client/dispatch.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"
#include "xml/ns.h"

#include <xmpp/elem.h>
#include <xmpp/jid.h>

/* The handlers that match one stanza, in the order in which they run. */
struct matches {
    struct handler *first;
    const xmpp_elem *stanza;
    int kind;
    const char *type;
    const xmpp_jid *own; /* who sends what has no 'from' */
};

/* Merges a bucket, which is in order already, into the matches. */
static void add_bucket(struct dispatch *dispatch, struct matches *matches, const char *ns,
                       const char *name)
{
    struct handler **place = &matches->first;
    char key[DISPATCH_KEY_MAX];
    struct bucket *bucket;
    size_t len;

    if (!handler_key(ns, name, key, &len))
        return;
    bucket = map_get(dispatch->index, key, len);
    if (!bucket)
        return;
    for (struct list *node = bucket->handlers.next; node != &bucket->handlers; node = node->next) {
        struct handler *handler = CONTAINER_OF(node, struct handler, link);
        if (handler->round == dispatch->round ||
            !handler_matches(handler, matches->stanza, matches->kind, matches->type, matches->own))
            continue;
        while (*place &&
               ((*place)->priority < handler->priority ||
                ((*place)->priority == handler->priority && (*place)->age < handler->age)))
            place = &(*place)->next;
        handler->round = dispatch->round;
        handler->next = *place;
        *place = handler;
        slot_hold(&handler->slot);
    }
}

static void find_matches(struct dispatch *dispatch, struct matches *matches)
{
    const xmpp_elem *child = xmpp_elem_first_child(matches->stanza, NULL, NULL);

    dispatch->round++;
    for (; child; child = xmpp_elem_next_sibling(child, NULL, NULL)) {
        const char *ns = xmpp_elem_get_ns(child);
        const char *name = xmpp_elem_get_name(child);
        add_bucket(dispatch, matches, ns, name);
        if (dispatch->any_name)
            add_bucket(dispatch, matches, ns, NULL);
        if (dispatch->any_ns)
            add_bucket(dispatch, matches, NULL, name);
    }
    add_bucket(dispatch, matches, NULL, NULL);
}

/* Runs the handlers until one says that it is done, or has answered the question: nobody must answer again.
 * XMPP_DONE, XMPP_PASS or what the last one failed with. */
static int run_matches(xmpp_client *client, struct matches *matches)
{
    const struct dispatch *dispatch = &client->dispatch;
    struct handler *handler = matches->first;
    int r = XMPP_PASS;

    while (handler) {
        struct handler *next = handler->next;
        bool over = dispatch->question && dispatch->answered;
        if (r == XMPP_PASS && !over && handler->slot.active && !client_is_abandoned(client))
            r = handler->fn(client, matches->stanza, handler->slot.user_data);
        slot_release(&handler->slot);
        handler = next;
    }
    return r;
}

/* xmpp_elem_create_error() answers get and set only; here other types get their answer too (STZ-13). Build errors are
 * sticky: sending reports them. */
static int create_error(xmpp_elem **ret, const xmpp_elem *iq, const char *type,
                        const char *condition)
{
    const char *id = xmpp_elem_get_attr(iq, "id");
    const char *from = xmpp_elem_get_attr(iq, "from");
    xmpp_elem *error;
    xmpp_elem *elem;
    int r;

    r = xmpp_elem_create(&elem, NS_CLIENT, "iq");
    if (r < 0)
        return r;
    (void)xmpp_elem_set_attr(elem, "type", "error");
    if (id)
        (void)xmpp_elem_set_attr(elem, "id", id);
    if (from)
        (void)xmpp_elem_set_attr(elem, "to", from);
    error = xmpp_elem_add_child(elem, NULL, "error");
    (void)xmpp_elem_set_attr(error, "type", type);
    (void)xmpp_elem_add_child(error, NS_STANZAS, condition);
    *ret = elem;
    return XMPP_OK;
}

static void answer_error(xmpp_client *client, const xmpp_elem *iq, const char *type,
                         const char *condition)
{
    xmpp_elem *answer;
    int r;

    if (!client_get_stream(client))
        return; /* disconnected meanwhile */
    r = create_error(&answer, iq, type, condition);
    if (r >= 0) {
        r = client_send_internal(client, answer);
        xmpp_elem_unref(answer);
    }
    /* RFC 6120 8.2.3: an answer is owed. Without memory for it the session is no longer what it promises. */
    if (r == XMPP_ERR_NOMEM)
        client_fail(client, error_nomem());
}

static size_t count_children(const xmpp_elem *elem)
{
    const xmpp_elem *child = xmpp_elem_first_child(elem, NULL, NULL);
    size_t count = 0;

    for (; child && count < 2; child = xmpp_elem_next_sibling(child, NULL, NULL))
        count++;
    return count;
}

/* STZ-06, 07, 17: exactly one answer for each get or set. */
static void dispatch_question(xmpp_client *client, struct matches *matches)
{
    struct dispatch *dispatch = &client->dispatch;
    const xmpp_elem *iq = matches->stanza;
    int r;

    if (!xmpp_elem_get_attr(iq, "id") || count_children(iq) != 1) {
        answer_error(client, iq, "modify", "bad-request");
        return;
    }
    dispatch->question = iq;
    dispatch->answered = false;
    find_matches(dispatch, matches);
    r = run_matches(client, matches);
    dispatch->question = NULL;
    if (dispatch->answered || r == XMPP_DONE)
        return;
    if (r < 0)
        answer_error(client, iq, "wait", "internal-server-error");
    else
        answer_error(client, iq, "cancel", "service-unavailable");
}

static void dispatch_iq(xmpp_client *client, struct matches *matches)
{
    if (str_eq(matches->type, "get") || str_eq(matches->type, "set")) {
        dispatch_question(client, matches);
    } else if (str_eq(matches->type, "result") || str_eq(matches->type, "error")) {
        if (requests_match(client, matches->stanza))
            return;
        find_matches(&client->dispatch, matches);
        run_matches(client, matches);
    } else {
        answer_error(client, matches->stanza, "modify", "bad-request"); /* STZ-13 */
    }
}

static bool is_one_of(const char *type, const char *const *types)
{
    while (*types && !str_eq(type, *types))
        types++;
    return *types;
}

/* RFC 6121 4.7.1 */
static bool is_presence_type(const char *type)
{
    static const char *const types[] = {"unavailable",  "subscribe", "subscribed", "unsubscribe",
                                        "unsubscribed", "probe",     "error",      NULL};

    return !type || is_one_of(type, types);
}

/* STZ-13, RFC 6121 5.2.2: none and unknown ones mean "normal". */
static const char *message_type(const char *type)
{
    static const char *const types[] = {"chat", "error", "groupchat", "headline", NULL};

    return is_one_of(type, types) ? type : "normal";
}

void dispatch_stanza(xmpp_client *client, const xmpp_elem *stanza)
{
    struct matches matches = {
        .stanza = stanza,
        .kind = xmpp_elem_get_kind(stanza),
        .type = xmpp_elem_get_attr(stanza, "type"),
        .own = client->jid,
    };

    /* JID-16, SEC-38: a sender that cannot be read must not look like no sender, which means our own account. */
    if (!xmpp_elem_get_from(stanza) && xmpp_elem_get_attr(stanza, "from")) {
        log_write(net_log(client->loop), XMPP_LOG_WARN, "dispatch",
                  "stanza with a malformed 'from' dropped");
        return;
    }
    switch (matches.kind) {
    case XMPP_IQ:
        dispatch_iq(client, &matches);
        break;
    case XMPP_PRESENCE:
        if (!is_presence_type(matches.type))
            return; /* STZ-13 */
        find_matches(&client->dispatch, &matches);
        run_matches(client, &matches);
        break;
    case XMPP_MESSAGE:
        matches.type = message_type(matches.type);
        find_matches(&client->dispatch, &matches);
        run_matches(client, &matches);
        break;
    default:
        break; /* STZ-18: the engine hands out stanzas only */
    }
}

void dispatch_note_sent(struct dispatch *dispatch, const xmpp_elem *stanza)
{
    const char *type;
    const xmpp_jid *to;
    const xmpp_jid *from;

    if (!dispatch->question || xmpp_elem_get_kind(stanza) != XMPP_IQ)
        return;
    type = xmpp_elem_get_attr(stanza, "type");
    if (!str_eq(type, "result") && !str_eq(type, "error"))
        return;
    to = xmpp_elem_get_to(stanza);
    from = xmpp_elem_get_from(dispatch->question);
    if (str_eq(xmpp_elem_get_attr(stanza, "id"), xmpp_elem_get_attr(dispatch->question, "id")) &&
        (to && from ? xmpp_jid_compare(to, from) == 0 : to == from))
        dispatch->answered = true;
}
