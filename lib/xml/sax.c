#include "xml/sax.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "xml/name.h"
#include "xml/ns.h"
#include "xml/write.h"

#include <libxml/parserInternals.h>
#include <pthread.h>
#include <string.h>

#if LIBXML_VERSION >= 21200
typedef const xmlError *error_arg;
#else
typedef xmlErrorPtr error_arg;
#endif

/* The dictionary of libxml2's parser only grows, at the will of remote users, and its counters are
 * 32 bits wide: beyond these it is exchanged. */
#define MAX_DICT  (256u * 1024)
#define MAX_NAMES 4096
#define MAX_FED   (1024u * 1024 * 1024)

#define KEEP_ITEMS   64
#define FIRST_BUFFER 512 /* of libxml2's input */
#define MAX_LANG     255 /* it is copied into every tree */
#define SLACK        4096 /* of the guard against tokens that do not end: what is fed at once */

/* --- failing --- */

void sax_fail(struct sax *sax, int error, const char *condition, const char *reason)
{
    if (sax->error < 0)
        return;
    sax->error = error;
    sax->condition = condition;
    (void)str_format(sax->reason, sizeof sax->reason, "%s", reason); /* may be cut */
    if (sax->ctxt)
        xmlStopParser(sax->ctxt); /* up to 2.12 the running callback's arguments are gone now */
}

void sax_fail_nomem(struct sax *sax)
{
    sax_fail(sax, XMPP_ERR_NOMEM, "resource-constraint", "out of memory");
}

void sax_fail_limit(struct sax *sax, const char *before, size_t limit, const char *behind)
{
    char reason[96];

    (void)str_format(reason, sizeof reason, "%s %zu %s", before, limit, behind); /* fits */
    sax_fail(sax, XMPP_ERR_LIMIT, "policy-violation", reason);
}

/* --- events --- */

static int push(struct sax *sax, enum parse_event event, xmpp_elem *elem)
{
    if (sax->item_count == sax->item_cap) {
        size_t cap = sax->item_cap ? 2 * sax->item_cap : 8;
        struct sax_item *items =
            mem_realloc(sax->items, cap * sizeof *items); /* one slice: no overflow */

        if (!items)
            return XMPP_ERR_NOMEM;
        sax->items = items;
        sax->item_cap = cap;
    }
    sax->items[sax->item_count++] = (struct sax_item){.event = event, .elem = elem};
    return XMPP_OK;
}

enum parse_event sax_next(struct sax *sax, xmpp_elem **ret)
{
    struct sax_item item;

    *ret = NULL;
    if (sax->item_next == sax->item_count) {
        sax->item_next = 0;
        sax->item_count = 0;
        if (sax->item_cap > KEEP_ITEMS) {
            sax->items = mem_free(sax->items);
            sax->item_cap = 0;
        }
        return PARSE_NONE;
    }
    item = sax->items[sax->item_next++];
    *ret = item.elem;
    return item.event;
}

/* --- callbacks of libxml2 --- */

static const char *learn_name(struct sax *sax, const xmlChar *name)
{
    const char *str = (const char *)name;
    size_t len = strlen(str);
    const char *own = name_find(str, len);
    bool known = own != NULL;

    if (!known)
        own = arena_strndup(sax->tree->arena, str, len);
    if (!own || memo_set(&sax->names, name, own, known) < 0)
        return NULL;
    return own;
}

/* A name of libxml2's dictionary, where it lives at one address, as a name of our tree. */
static inline const char *own_name(struct sax *sax, const xmlChar *name)
{
    const char *own = memo_find(&sax->names, name);

    return own ? own : learn_name(sax, name);
}

/* What libxml2 says of an attribute: local name, prefix, namespace, and the two ends of the value. */
enum { ATTR_NAME = 0, ATTR_NS = 2, ATTR_VALUE = 3, ATTR_END = 4, ATTR_WORDS = 5 };

static size_t get_attr_len(const xmlChar **attr)
{
    return (size_t)(attr[ATTR_END] - attr[ATTR_VALUE]);
}

/* Behind the element lie its attributes, and behind them their values. */
static int fill_attrs(struct sax *sax, xmpp_elem *elem, int count, const xmlChar **attrs)
{
    struct elem_attr *attr = (struct elem_attr *)(elem + 1);
    char *value = (char *)(attr + count);

    elem->attrs = attr;
    elem->last_attr = attr + count - 1;
    for (; count > 0; count--, attr++, attrs += ATTR_WORDS) {
        const char *name = own_name(sax, attrs[ATTR_NAME]);
        const char *ns = attrs[ATTR_NS] ? own_name(sax, attrs[ATTR_NS]) : NULL;
        size_t len = get_attr_len(attrs);

        if (!name || (attrs[ATTR_NS] && !ns))
            return XMPP_ERR_NOMEM;
        *attr = (struct elem_attr){
            .ns = ns, .name = name, .value = value, .next = count > 1 ? attr + 1 : NULL};
        memcpy(value, attrs[ATTR_VALUE], len);
        value[len] = '\0';
        value += len + 1;
    }
    return XMPP_OK;
}

static int start_tree(struct sax *sax)
{
    int r;

    memo_next_round(&sax->names);
    r = elem_tree_create(&sax->tree);
    if (r < 0 || !sax->lang)
        return r;
    sax->tree->lang = arena_strndup(sax->tree->arena, sax->lang, strlen(sax->lang)); /* STZ-19 */
    return sax->tree->lang ? XMPP_OK : XMPP_ERR_NOMEM;
}

static int add_elem(struct sax *sax, const xmlChar *local, const xmlChar *uri, int count,
                    const xmlChar **attrs)
{
    const char *name;
    const char *ns;
    xmpp_elem *elem;
    size_t size = sizeof *elem + (size_t)count * sizeof(struct elem_attr);

    if (!sax->tree) {
        int r = start_tree(sax);
        if (r < 0)
            return r;
    }
    name = own_name(sax, local);
    ns = uri ? own_name(sax, uri) : "";
    for (int i = 0; i < count; i++) /* of one tag in memory: no overflow */
        size += get_attr_len(attrs + i * ATTR_WORDS) + 1;
    elem = name && ns ? arena_alloc(sax->tree->arena, size) : NULL;
    if (!elem)
        return XMPP_ERR_NOMEM;
    *elem = (xmpp_elem){.tree = sax->tree, .ns = ns, .name = name};
    if (sax->elem)
        elem_attach(sax->elem, elem);
    else
        sax->tree->root = elem;
    sax->elem = elem;
    return count > 0 ? fill_attrs(sax, elem, count, attrs) : XMPP_OK;
}

static int finish_tree(struct sax *sax, enum parse_event event)
{
    int r;

    r = elem_tree_finish(sax->tree, &sax->jids);
    if (r < 0)
        return r;
    r = push(sax, event, sax->tree->root);
    if (r < 0)
        return r;
    sax->tree = NULL;
    sax->elem = NULL;
    sax->had_text = false;
    sax->old_names = xmlDictSize(sax->ctxt->dict);
    return XMPP_OK;
}

/* Writes the root's start tag down, as far as it matters to what is below: for a fresh parser. */
static int record_header(struct sax *sax, const xmlChar *local, const xmlChar *prefix, int count,
                         const xmlChar **ns)
{
    struct buf *out = &sax->header;
    int r;

    r = buf_append_char(out, '<');
    if (r == XMPP_OK && prefix)
        r = buf_append_str(out, (const char *)prefix);
    if (r == XMPP_OK && prefix)
        r = buf_append_char(out, ':');
    if (r == XMPP_OK)
        r = buf_append_str(out, (const char *)local);
    for (int i = 0; i < count && r == XMPP_OK; i++, ns += 2) {
        const char *uri = ns[1] ? (const char *)ns[1] : "";

        r = buf_append_str(out, ns[0] ? " xmlns:" : " xmlns");
        if (r == XMPP_OK && ns[0])
            r = buf_append_str(out, (const char *)ns[0]);
        if (r == XMPP_OK)
            r = buf_append_str(out, "='");
        if (r == XMPP_OK)
            r = write_escaped(out, uri, strlen(uri));
        if (r == XMPP_OK)
            r = buf_append_char(out, '\'');
    }
    if (r == XMPP_OK)
        r = buf_append_char(out, '>');
    return r;
}

static int finish_header(struct sax *sax)
{
    const char *lang = xmpp_elem_get_lang(sax->elem);

    if (lang && strlen(lang) <= MAX_LANG) {
        sax->lang = mem_strdup(lang);
        if (!sax->lang)
            return XMPP_ERR_NOMEM;
    }
    return finish_tree(sax, PARSE_OPEN);
}

static void on_start_document(void *user_data)
{
    struct sax *sax = user_data;
    const char *encoding = (const char *)sax->ctxt->encoding;
    const char *version = (const char *)sax->ctxt->version;

    sax->silent = 0;
    if (sax->muted)
        return;
    if (encoding && !str_case_eq(encoding, "UTF-8")) /* XML-04 */
        sax_fail(sax, XMPP_ERR_XML, "unsupported-encoding", "the declared encoding is not UTF-8");
    else if (version && !str_eq(version, "1.0")) /* XML-10 */
        sax_fail(sax, XMPP_ERR_XML, "not-well-formed", "the declared version of XML is not 1.0");
}

/* XML-11: "<a/>" takes twenty-five times its size as a tree. */
static bool is_bloated(const struct sax *sax)
{
    size_t size = arena_get_size(sax->tree->arena);

    return size > LIMIT_TREE_SLACK &&
           (size - LIMIT_TREE_SLACK) / LIMIT_TREE_FACTOR > sax->limits.max_elem_bytes;
}

/* SEC-16: what libxml2 does with a name takes the longer the more of them there are, and they stay until the element is
 * finished. */
static bool has_too_many_names(const struct sax *sax)
{
    return xmlDictSize(sax->ctxt->dict) - sax->old_names > LIMIT_NAMES;
}

static void on_start(void *user_data, const xmlChar *local, const xmlChar *prefix,
                     const xmlChar *uri, int ns_count, const xmlChar **ns, int attr_count,
                     int default_count, const xmlChar **attrs)
{
    struct sax *sax = user_data;
    bool is_header = sax->base == 1 && sax->depth == 0;
    int r;

    (void)default_count; /* there is no DTD */
    sax->after_cr = false;
    sax->silent = 0;
    if (sax->error < 0)
        return;
    if (sax->muted) {
        sax->depth++;
        return;
    }
    if (!is_header && sax->depth - sax->base >= sax->limits.max_depth) { /* SEC-15 */
        sax_fail_limit(sax, "element nesting deeper than", sax->limits.max_depth, "levels");
        return;
    }
    if ((size_t)attr_count + (size_t)ns_count > sax->limits.max_attrs) {
        sax_fail_limit(sax, "more than", sax->limits.max_attrs, "attributes in one element");
        return;
    }
    if (sax->tree && is_bloated(sax)) {
        sax_fail_limit(sax, "a stanza needs more memory than befits one of",
                       sax->limits.max_elem_bytes, "bytes");
        return;
    }
    if (has_too_many_names(sax)) {
        sax_fail_limit(sax, "more than", LIMIT_NAMES, "different names in one element");
        return;
    }
    sax->depth++;
    r = add_elem(sax, local, uri, attr_count, attrs);
    if (r == XMPP_OK && is_header)
        r = record_header(sax, local, prefix, ns_count, ns);
    if (r == XMPP_OK && is_header)
        r = finish_header(sax);
    if (r < 0)
        sax_fail_nomem(sax);
}

static void on_end(void *user_data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct sax *sax = user_data;
    int r = XMPP_OK;

    (void)local;
    (void)prefix;
    (void)uri;
    sax->after_cr = false;
    sax->silent = 0;
    if (sax->error < 0)
        return;
    sax->depth--;
    if (sax->depth > sax->base)
        sax->elem = sax->elem->parent;
    else if (sax->tree)
        r = finish_tree(sax, PARSE_ELEM);
    else
        r = push(sax, PARSE_CLOSE, NULL);
    if (r < 0)
        sax_fail_nomem(sax);
}

static bool is_white(const xmlChar *str, int len)
{
    for (int i = 0; i < len; i++)
        if (!str_is_space((char)str[i]))
            return false;
    return true;
}

static void add_text(struct sax *sax, const xmlChar *str, int len)
{
    int r = XMPP_OK;

    sax->silent = 0;
    if (sax->error < 0 || sax->muted)
        return;
    if (sax->elem) {
        r = elem_append_text(sax->elem, (const char *)str, (size_t)len);
    } else if (!sax->had_text && !is_white(str, len)) {
        /* once between two elements, however many pieces it comes in */
        sax->had_text = true;
        r = push(sax, PARSE_TEXT, NULL);
    }
    if (r < 0)
        sax_fail_nomem(sax);
}

static void on_text(void *user_data, const xmlChar *str, int len)
{
    struct sax *sax = user_data;

    sax->after_cr = false;
    add_text(sax, str, len);
}

/* XML 1.0 2.11: CR and CR LF are line ends. libxml2 makes LF of them everywhere but in CDATA that comes in pieces. */
static void on_cdata(void *user_data, const xmlChar *str, int len)
{
    struct sax *sax = user_data;
    const xmlChar *end = str + len;

    if (sax->after_cr && len > 0 && *str == '\n')
        str++;
    for (;;) {
        const xmlChar *cr = memchr(str, '\r', (size_t)(end - str));

        add_text(sax, str, (int)((cr ? cr : end) - str));
        if (!cr)
            break;
        add_text(sax, (const xmlChar *)"\n", 1);
        str = cr + 1;
        if (str < end && *str == '\n')
            str++;
    }
    if (len > 0)
        sax->after_cr = end[-1] == '\r';
}

/* The scanner refuses these before; here is the second lock (XML-02). */
static void fail_restricted(void *user_data)
{
    sax_fail(user_data, XMPP_ERR_XML, "restricted-xml",
             "comment, DTD, processing instruction or unknown entity");
}

static void on_name(void *user_data, const xmlChar *name)
{
    (void)name;
    fail_restricted(user_data);
}

static void on_instruction(void *user_data, const xmlChar *target, const xmlChar *data)
{
    (void)target;
    (void)data;
    fail_restricted(user_data);
}

static void on_subset(void *user_data, const xmlChar *name, const xmlChar *external_id,
                      const xmlChar *system_id)
{
    (void)name;
    (void)external_id;
    (void)system_id;
    fail_restricted(user_data);
}

/* What libxml2 says, on one line and in ASCII: it quotes the peer. */
static void fail_malformed(struct sax *sax, const char *message)
{
    char reason[128];
    size_t len = 0;

    for (; message && message[len] && message[len] != '\n' && len < sizeof reason - 1; len++)
        reason[len] = message[len] >= 0x20 && message[len] < 0x7F ? message[len] : '?';
    reason[len] = '\0';
    sax_fail(sax, XMPP_ERR_XML, "not-well-formed", len > 0 ? reason : "not well-formed");
}

static void on_error(void *user_data, error_arg error)
{
    struct sax *sax = user_data;

    if (error->level < XML_ERR_ERROR)
        return;
    /* has the level of an error, yet only dislikes the spelling of a namespace */
    if (error->code == XML_WAR_NS_URI)
        return;
    if (error->code == XML_ERR_NO_MEMORY)
        sax_fail_nomem(sax);
    else if (error->code == XML_ERR_UNDECLARED_ENTITY || error->code == XML_WAR_UNDECLARED_ENTITY)
        sax_fail(sax, XMPP_ERR_XML, "restricted-xml", "unknown entity");
    else if (error->code == XML_ERR_UNSUPPORTED_ENCODING ||
             error->code == XML_ERR_INVALID_ENCODING || error->code == XML_ERR_ENCODING_NAME)
        sax_fail(sax, XMPP_ERR_XML, "unsupported-encoding", "the declared encoding is not UTF-8");
    else
        fail_malformed(sax, error->message); /* also namespace errors, which libxml2 passes over */
}

/* --- the parser of libxml2 --- */

static void close_ctxt(xmlParserCtxtPtr ctxt)
{
    if (!ctxt)
        return;
    if (ctxt->myDoc)
        xmlFreeDoc(ctxt->myDoc);
    xmlFreeParserCtxt(ctxt);
}

/* The errors that libxml2 has while it makes a context, or in functions that have none, go to a handler of the thread,
 * which writes to stderr. It is the application's, so it is changed for the time of a call only. */
struct handler {
    xmlStructuredErrorFunc fn;
    void *data;
};

static void ignore_error(void *user_data, error_arg error)
{
    (void)user_data;
    (void)error;
}

static struct handler silence(void)
{
    struct handler own = {.fn = xmlStructuredError, .data = xmlStructuredErrorContext};

    xmlSetStructuredErrorFunc(NULL, ignore_error);
    return own;
}

static void restore(struct handler own)
{
    xmlSetStructuredErrorFunc(own.data, own.fn);
}

/* libxml2 makes an input buffer of twice xmlDefaultBufferSize, 8 KiB, and lets it grow. An idle stream does with less.
 * The variable is one of the thread. */
static xmlParserCtxtPtr create_ctxt(xmlSAXHandler *handler, void *data)
{
#if LIBXML_VERSION < 21300
    int size = xmlDefaultBufferSize;

    xmlDefaultBufferSize = FIRST_BUFFER / 2;
#endif
    xmlParserCtxtPtr ctxt = xmlCreatePushParserCtxt(handler, data, NULL, 0, NULL);
#if LIBXML_VERSION < 21300
    xmlDefaultBufferSize = size;
#endif
    return ctxt;
}

static int open_ctxt(struct sax *sax)
{
    xmlSAXHandler handler;
    xmlParserCtxtPtr ctxt;
    struct handler own;

    memset(&handler, 0, sizeof handler);
    handler.initialized = XML_SAX2_MAGIC;
    handler.startDocument = on_start_document;
    handler.startElementNs = on_start;
    handler.endElementNs = on_end;
    handler.characters = on_text;
    handler.ignorableWhitespace = on_text;
    handler.cdataBlock = on_cdata;
    handler.comment = on_name;
    handler.reference = on_name;
    handler.processingInstruction = on_instruction;
    handler.internalSubset = on_subset;
    handler.serror = on_error; /* without it messages go to stderr */
    own = silence();
    ctxt = create_ctxt(&handler, sax); /* copies handler */
    restore(own);
    if (!ctxt)
        return XMPP_ERR_NOMEM;
    /* XML-13: no network. NOENT: "&amp;" in attributes arrives replaced; no other entity can be
     * declared */
    xmlCtxtUseOptions(ctxt, XML_PARSE_NONET | XML_PARSE_NOENT);
    if (xmlSwitchEncoding(ctxt, XML_CHAR_ENCODING_UTF8) < 0) { /* XML-04: nothing is guessed */
        close_ctxt(ctxt);
        return XMPP_ERR_NOMEM;
    }
    sax->ctxt = ctxt;
    sax->fed = 0;
    sax->silent = 0;
    sax->old_names = xmlDictSize(ctxt->dict);
    return XMPP_OK;
}

void sax_feed(struct sax *sax, const void *data, size_t len)
{
    struct handler own;
    int code;

    if (len == 0 || sax->error < 0)
        return;
    sax->silent += len;
    sax->fed += len;
    own = silence();
    code = xmlParseChunk(sax->ctxt, data, (int)len, 0); /* a slice or a tag: fits */
    restore(own);
    if (sax->error < 0)
        return;
    /* up to 2.11 it has no other word for a buffer that cannot grow, and is deaf from then on */
    if (code == XML_ERR_NO_MEMORY || code == (int)XML_PARSER_EOF)
        sax_fail_nomem(sax);
    else if (code != XML_ERR_OK && !sax->ctxt->wellFormed)
        fail_malformed(sax, NULL);
    else if (sax->silent > sax->limits.max_tag_bytes + SLACK)
        /* an entity reference that does not end, for one */
        sax_fail_limit(sax, "more than", sax->limits.max_tag_bytes, "bytes without a token");
}

bool sax_wants_exchange(const struct sax *sax)
{
    return sax->base == 1 && (sax->exchange || sax->fed > MAX_FED || sax->names.count > MAX_NAMES ||
                              xmlDictGetUsage(sax->ctxt->dict) > sax->header_dict + MAX_DICT);
}

/* Goes on with a fresh parser below the same root. Without memory for that, with the old one. */
void sax_exchange(struct sax *sax)
{
    xmlParserCtxtPtr old = sax->ctxt;
    uint64_t fed = sax->fed;

    sax->ctxt = NULL; /* what fails must not stop the old one */
    sax->muted = true;
    sax->depth = 0;
    if (open_ctxt(sax) == XMPP_OK)
        sax_feed(sax, buf_peek(&sax->header), buf_len(&sax->header));
    sax->muted = false;
    if (sax->error < 0 || sax->depth != 1) {
        close_ctxt(sax->ctxt);
        sax->ctxt = old;
        sax->old_names = xmlDictSize(old->dict);
        sax->fed = fed;
        sax->error = XMPP_OK;
        sax->condition = NULL;
        sax->reason[0] = '\0';
        sax->depth = 1;
        return;
    }
    close_ctxt(old);
    sax->header_dict = xmlDictGetUsage(sax->ctxt->dict);
    sax->old_names = xmlDictSize(sax->ctxt->dict);
    memo_clear(&sax->names); /* its keys are addresses in the old dictionary */
    sax->exchange = false;
}

void sax_shrink(struct sax *sax)
{
    elem_jids_trim(&sax->jids);
}

static void init_once(void)
{
    struct handler own = silence();

    xmlInitParser();
    restore(own);
}

int sax_init(struct sax *sax, const struct parse_limits *limits, unsigned base)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, init_once); /* cannot fail with these arguments */
    *sax = (struct sax){.limits = *limits, .base = base};
    memo_init(&sax->names);
    buf_init(&sax->header, SIZE_MAX); /* bounded by the limit of a tag */
    return open_ctxt(sax);
}

void sax_clear(struct sax *sax)
{
    xmpp_elem *elem;

    while (sax_next(sax, &elem) != PARSE_NONE)
        xmpp_elem_unref(elem);
    mem_free(sax->items);
    elem_tree_unref(sax->tree);
    close_ctxt(sax->ctxt);
    elem_jids_clear(&sax->jids);
    memo_clear(&sax->names);
    buf_clear(&sax->header);
    mem_free(sax->lang);
}
