#include "xml/stanza.h"

#include "xml/elem.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/utf8.h"
#include "jid/jid.h"
#include "xml/ns.h"

#include <string.h>

#define ID_LEN 20 /* letters and digits: 119 bits that nobody can guess (STZ-05) */

void elem_jids_clear(struct elem_jids *jids)
{
    for (unsigned i = 0; i < jids->count; i++)
        xmpp_jid_unref(jids->jids[i]);
    *jids = (struct elem_jids){.count = 0};
}

void elem_jids_trim(struct elem_jids *jids)
{
    while (jids->count > ELEM_JIDS_FEW) {
        jids->count--;
        jids->jids[jids->count] = xmpp_jid_unref(jids->jids[jids->count]);
    }
    if (jids->next >= ELEM_JIDS_FEW)
        jids->next = 0;
    if (jids->hit >= ELEM_JIDS_FEW)
        jids->hit = 0;
}

/* Few of the addresses that come together agree in their length and their last characters. */
static uint32_t mark(const char *str, size_t len)
{
    uint32_t tail = 0;

    if (len >= sizeof tail)
        memcpy(&tail, str + len - sizeof tail, sizeof tail);
    return tail ^ (uint32_t)len << 24;
}

/* Where the next new address goes. */
static unsigned take_slot(struct elem_jids *jids)
{
    unsigned slot;

    if (jids->count < ELEM_JIDS_FEW ||
        (jids->count < ELEM_JIDS_MAX && jid_is_shared(jids->jids[jids->next])))
        return jids->count++;
    slot = jids->next;
    if (slot == jids->hit)
        slot = (slot + 1) % jids->count;
    jids->next = (slot + 1) % jids->count;
    return slot;
}

/* Servers send addresses in canonical form, so the string of a parsed one is what will come again. */
static xmpp_jid *recall(struct elem_jids *jids, const char *str, uint32_t wanted)
{
    unsigned i = jids->hit;

    if (jids->marks[i] != wanted)
        for (i = 0; i < jids->count && jids->marks[i] != wanted;)
            i++;
    if (i >= jids->count || !str_eq(xmpp_jid_get_str(jids->jids[i]), str))
        return NULL;
    jids->hit = i;
    return jids->jids[i];
}

/* *ret: a new reference; as it was when the address is invalid */
static int recall_or_parse(struct elem_jids *jids, const char *str, size_t len, xmpp_jid **ret)
{
    uint32_t wanted = mark(str, len);
    xmpp_jid *known = recall(jids, str, wanted);

    if (!known) {
        unsigned slot = take_slot(jids);
        int r = jid_replace_lenient(&jids->jids[slot], str, len);

        if (r < 0)
            return r; /* the slot is empty now */
        jids->marks[slot] = wanted;
        known = jids->jids[slot];
    }
    *ret = xmpp_jid_ref(known);
    return XMPP_OK;
}

static int read_jid(const xmpp_elem *root, const char *name, struct elem_jids *jids, xmpp_jid **jid)
{
    const char *value = xmpp_elem_get_attr(root, name);
    size_t len;
    int r;

    if (*jid && value && strcmp(xmpp_jid_get_str(*jid), value) == 0)
        return XMPP_OK;
    *jid = xmpp_jid_unref(*jid);
    if (!value)
        return XMPP_OK;
    len = strlen(value);
    r = jids ? recall_or_parse(jids, value, len, jid) : jid_parse_lenient(jid, value, len);
    return r == XMPP_ERR_NOMEM ? r : XMPP_OK; /* an invalid address reads as none */
}

int elem_tree_read_jids(struct elem_tree *tree, struct elem_jids *jids)
{
    int r;

    if (xmpp_elem_get_kind(tree->root) == 0)
        return XMPP_OK;
    r = read_jid(tree->root, "from", jids, &tree->from);
    if (r < 0)
        return r;
    return read_jid(tree->root, "to", jids, &tree->to);
}

const xmpp_jid *xmpp_elem_get_from(const xmpp_elem *elem)
{
    return elem && elem == elem->tree->root ? elem->tree->from : NULL;
}

const xmpp_jid *xmpp_elem_get_to(const xmpp_elem *elem)
{
    return elem && elem == elem->tree->root ? elem->tree->to : NULL;
}

int xmpp_elem_get_kind(const xmpp_elem *elem)
{
    if (!xmpp_elem_is(elem, NS_CLIENT, NULL))
        return 0;
    if (str_eq(elem->name, "message"))
        return XMPP_MESSAGE;
    if (str_eq(elem->name, "presence"))
        return XMPP_PRESENCE;
    if (str_eq(elem->name, "iq"))
        return XMPP_IQ;
    return 0;
}

static const char *name_of_kind(int kind)
{
    switch (kind) {
    case XMPP_MESSAGE:
        return "message";
    case XMPP_PRESENCE:
        return "presence";
    case XMPP_IQ:
        return "iq";
    default:
        return NULL;
    }
}

static bool is_one_of(const char *str, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(str, words[i]))
            return true;
    return false;
}

/* RFC 6120 8.2.3. The types of the other kinds may be extended. */
static bool is_iq_type(const char *type)
{
    static const char *const types[] = {"get", "set", "result", "error"};

    return is_one_of(type, types, ARRAY_LEN(types));
}

/* value: NULL for none; name: a constant */
static int add_attr(xmpp_elem *elem, const char *name, const char *value)
{
    size_t len;

    if (!value)
        return XMPP_OK;
    len = strlen(value);
    if (!utf8_is_xml(value, len))
        return XMPP_ERR_INVAL;
    return elem_add_attr(elem, NULL, name, value, len);
}

/* type, to, id: NULL for none */
static int create(xmpp_elem **ret, int kind, const char *type, const char *to, const char *id)
{
    struct elem_tree *tree;
    xmpp_elem *elem;
    int r;

    r = elem_tree_create(&tree);
    if (r < 0)
        return r;
    elem = elem_tree_add(tree, NULL, NS_CLIENT, name_of_kind(kind));
    r = elem ? add_attr(elem, "type", type) : XMPP_ERR_NOMEM;
    if (r == XMPP_OK)
        r = add_attr(elem, "to", to);
    if (r == XMPP_OK)
        r = add_attr(elem, "id", id);
    if (r < 0) {
        elem_tree_unref(tree);
        return r;
    }

    *ret = elem;
    return XMPP_OK;
}

int xmpp_elem_create_stanza(xmpp_elem **ret, int kind, const char *type, const xmpp_jid *to)
{
    char id[ID_LEN + 1];
    xmpp_elem *elem;
    int r;

    if (!ret || !name_of_kind(kind) || (kind == XMPP_IQ && !is_iq_type(type)))
        return XMPP_ERR_INVAL;
    r = rand_id(id, ID_LEN);
    if (r < 0)
        return r;
    r = create(&elem, kind, type, xmpp_jid_get_str(to), id);
    if (r < 0)
        return r;
    if (to)
        elem->tree->to = xmpp_jid_ref(to);

    *ret = elem;
    return XMPP_OK;
}

/* RFC 6120 8.2.3 and 8.3.1: neither results nor errors are answered (STZ-08). */
static bool may_be_answered(const xmpp_elem *request, int kind)
{
    const char *type = xmpp_elem_get_attr(request, "type");

    if (kind == XMPP_IQ)
        return str_eq(type, "get") || str_eq(type, "set");
    return kind != 0 && !str_eq(type, "error");
}

/* What goes to a whole room goes to its bare address (XEP-0045, 7.4). */
static const char *reply_address(const xmpp_elem *request, const char *type)
{
    const xmpp_jid *from = xmpp_elem_get_from(request);

    if (from && str_eq(type, "groupchat"))
        return xmpp_jid_get_bare_str(from);
    return xmpp_elem_get_attr(request, "from");
}

int xmpp_elem_create_reply(xmpp_elem **ret, const xmpp_elem *request)
{
    int kind = xmpp_elem_get_kind(request);
    char fresh_id[ID_LEN + 1];
    const char *type;
    int r;

    if (!ret || kind == XMPP_PRESENCE || !may_be_answered(request, kind))
        return XMPP_ERR_INVAL;
    if (kind == XMPP_IQ)
        return create(ret, kind, "result", xmpp_elem_get_attr(request, "from"),
                      xmpp_elem_get_attr(request, "id"));

    /* STZ-05: ids are unique in the stream, and this is a message of its own */
    r = rand_id(fresh_id, ID_LEN);
    if (r < 0)
        return r;
    type = xmpp_elem_get_attr(request, "type");
    return create(ret, kind, type, reply_address(request, type), fresh_id);
}

/* RFC 6120 8.3.3 */
static const char *const conditions[] = {
    "bad-request",
    "conflict",
    "feature-not-implemented",
    "forbidden",
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "not-acceptable",
    "not-allowed",
    "not-authorized",
    "policy-violation",
    "recipient-unavailable",
    "redirect",
    "registration-required",
    "remote-server-not-found",
    "remote-server-timeout",
    "resource-constraint",
    "service-unavailable",
    "subscription-required",
    "undefined-condition",
    "unexpected-request",
};

static bool is_condition(const char *condition)
{
    return is_one_of(condition, conditions, ARRAY_LEN(conditions));
}

const char *stanza_known_condition(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (str_eq(name, conditions[i]))
            return conditions[i];
    return "undefined-condition";
}

/* RFC 6120 8.3.2 */
static bool is_error_type(const char *type)
{
    static const char *const types[] = {"auth", "cancel", "continue", "modify", "wait"};

    return is_one_of(type, types, ARRAY_LEN(types));
}

int xmpp_elem_create_error(xmpp_elem **ret, const xmpp_elem *request, const char *type,
                           const char *condition, const char *text)
{
    int kind = xmpp_elem_get_kind(request);
    xmpp_elem *elem;
    xmpp_elem *error;
    int r;

    if (!ret || !may_be_answered(request, kind) || !is_error_type(type) || !is_condition(condition))
        return XMPP_ERR_INVAL;
    r = create(&elem, kind, "error", xmpp_elem_get_attr(request, "from"),
               xmpp_elem_get_attr(request, "id"));
    if (r < 0)
        return r;
    error = xmpp_elem_add_child(elem, NULL, "error");
    (void)xmpp_elem_set_attr(error, "type", type); /* errors are sticky */
    (void)xmpp_elem_add_child(error, NS_STANZAS, condition);
    if (text)
        (void)xmpp_elem_add_child_text(error, NS_STANZAS, "text", text);
    r = elem->tree->error;
    if (r < 0) {
        xmpp_elem_unref(elem);
        return r;
    }

    *ret = elem;
    return XMPP_OK;
}
