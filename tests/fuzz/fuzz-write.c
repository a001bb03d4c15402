/* Building and writing. The input is a program: each byte is an order, followed by what it needs. A string is a byte n
 * and n bytes, or one of the table (n above 200). What the library accepts must be well-formed, and mean the same when
 * it is read. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "xml/elem.h"
#include "xml/ns.h"
#include "xml/parse.h"
#include "xml/write.h"

#include <xmpp/error.h>
#include <xmpp/jid.h>

#define MAX_ORDERS 4000
#define MAX_COPIES 6 /* each may double the tree */

static const char *const words[] = {
    "",
    "a",
    "message",
    "presence",
    "iq",
    "body",
    "type",
    "to",
    "from",
    "id",
    "xml:lang",
    "lang",
    "xmlns",
    "xml",
    "error",
    "stream",
    "stanza",
    NS_CLIENT,
    NS_STREAM,
    NS_XML,
    NS_XMLNS,
    NS_STANZAS,
    NS_SASL,
    "auth",
    "response",
    "get",
    "set",
    "result",
    "urn:x",
    "urn:y",
    "]]>",
    "a@b.example/c",
    "x:y",
    "cancel",
    "item-not-found",
    " ",
    "\r\n\t",
    "&<>'\"",
    "b\xc3\xbc",
    "\xf0\x9f\x98\x80",
    "password",
    "jabber:iq:auth",
};

struct program {
    struct input input;
    xmpp_elem *root;
    xmpp_elem *here;
    unsigned copies;
    char *strings[8]; /* of one order */
    size_t string_count;
};

static const char *string(struct program *program, size_t *ret_len)
{
    size_t n = input_byte(&program->input);
    char *copy;

    if (n > 200) {
        const char *word = words[(n - 201) % (sizeof words / sizeof *words)];

        n = strlen(word);
        copy = fuzz_dup(word, n);
    } else {
        if (n > program->input.len)
            n = program->input.len;
        copy = fuzz_dup(program->input.data, n);
        program->input.data += n;
        program->input.len -= n;
    }
    program->strings[program->string_count++] = copy;
    if (ret_len)
        *ret_len = n;
    return copy;
}

/* NULL now and then */
static const char *optional(struct program *program)
{
    return input_byte(&program->input) % 4 ? string(program, NULL) : NULL;
}

static void drop_strings(struct program *program)
{
    while (program->string_count > 0)
        free(program->strings[--program->string_count]);
}

static int create(struct program *program)
{
    static const int kinds[] = {XMPP_MESSAGE, XMPP_PRESENCE, XMPP_IQ, 3};
    unsigned order = input_byte(&program->input);
    const char *a = optional(program);
    const char *b = string(program, NULL);
    xmpp_jid *to = NULL;
    int r;

    if (order % 4 != 0)
        return xmpp_elem_create(&program->root, a, b);
    (void)xmpp_jid_parse(&to, b);
    r = xmpp_elem_create_stanza(&program->root, kinds[order / 4 % 4], a, to);
    xmpp_jid_unref(to);
    return r;
}

static void down(struct program *program, xmpp_elem *child)
{
    if (child)
        program->here = child;
}

static void up(struct program *program)
{
    if (program->here->parent)
        program->here = program->here->parent;
}

static void copy(struct program *program)
{
    xmpp_elem *src = program->here;

    for (unsigned n = input_byte(&program->input) % 8; n > 0 && src->parent; n--)
        src = src->parent;
    if (program->copies++ < MAX_COPIES)
        (void)xmpp_elem_add_copy(program->here, src);
}

/* false: the end of the program */
static bool obey(struct program *program)
{
    xmpp_elem *here = program->here;
    const char *a;
    const char *b;
    size_t len;

    if (program->input.len == 0)
        return false;
    switch (input_byte(&program->input) % 9) {
    case 0:
        return false;
    case 1:
        a = optional(program);
        down(program, xmpp_elem_add_child(here, a, string(program, NULL)));
        break;
    case 2:
        up(program);
        break;
    case 3:
        a = string(program, NULL);
        (void)xmpp_elem_set_attr(here, a, string(program, NULL));
        break;
    case 4:
        a = optional(program);
        b = string(program, NULL);
        (void)xmpp_elem_set_attr_ns(here, a, b, string(program, NULL));
        break;
    case 5:
        (void)xmpp_elem_add_text(here, string(program, NULL));
        break;
    case 6:
        a = string(program, &len);
        (void)xmpp_elem_add_text_len(here, a, len);
        break;
    case 7:
        a = optional(program);
        b = string(program, NULL);
        (void)xmpp_elem_add_child_text(here, a, b, string(program, NULL));
        break;
    default:
        copy(program);
        break;
    }
    return true;
}

/* Inside a stream, as the engine writes it. */
static void check_in_stream(const xmpp_elem *elem)
{
    static const struct parse_limits limits = {64u << 20, 64u << 20, LIMIT_DEPTH, 100000};
    static const char header[] =
        "<stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "'>";
    struct parse *parse = NULL;
    xmpp_elem *again = NULL;
    struct buf out;
    size_t len;
    size_t used;

    buf_init(&out, SIZE_MAX);
    CHECK(buf_append_str(&out, header) == XMPP_OK);
    CHECK(write_elem(&out, elem, NS_CLIENT, true) == XMPP_OK);
    CHECK(buf_append_str(&out, "</stream:stream>") == XMPP_OK);
    CHECK(utf8_is_xml((const char *)buf_peek(&out), buf_len(&out)));
    CHECK(parse_create(&parse, &limits) == XMPP_OK);
    while ((len = buf_len(&out)) > 0) {
        int r = parse_feed(parse, buf_peek(&out), len, false, &used);

        if (r < 0)
            fprintf(stderr, "%s: %.*s\n", parse_get_reason(parse), (int)len, buf_peek(&out));
        CHECK(r == XMPP_OK);
        buf_consume(&out, used);
    }
    CHECK(parse_next(parse, &again) == PARSE_OPEN);
    xmpp_elem_unref(again);
    CHECK(parse_next(parse, &again) == PARSE_ELEM);
    CHECK(fuzz_same_tree(elem, again));
    xmpp_elem_unref(again);
    CHECK(parse_next(parse, &again) == PARSE_CLOSE);
    CHECK(parse_next(parse, &again) == PARSE_NONE);
    parse_free(parse);
    buf_clear(&out);
}

static void check_masked(const xmpp_elem *elem)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    CHECK(write_elem_masked(&out, elem, NULL, false) == XMPP_OK);
    CHECK(utf8_is_xml((const char *)buf_peek(&out), buf_len(&out)));
    buf_clear(&out);
}

static void check_answers(const xmpp_elem *elem)
{
    xmpp_elem *reply = NULL;

    if (xmpp_elem_create_reply(&reply, elem) == XMPP_OK) {
        CHECK(xmpp_elem_seal(reply) == XMPP_OK);
        CHECK(xmpp_elem_get_kind(reply) == xmpp_elem_get_kind(elem));
        check_in_stream(reply);
        reply = xmpp_elem_unref(reply);
    }
    if (xmpp_elem_create_error(&reply, elem, "cancel", "item-not-found", "x") == XMPP_OK) {
        CHECK(xmpp_elem_seal(reply) == XMPP_OK);
        check_in_stream(reply);
        xmpp_elem_unref(reply);
    }
}

static void check(const xmpp_elem *elem)
{
    xmpp_elem *again = NULL;

    fuzz_round_trip(elem);
    check_in_stream(elem);
    check_masked(elem);
    check_answers(elem);
    CHECK(xmpp_elem_copy(elem, &again) == XMPP_OK);
    CHECK(xmpp_elem_seal(again) == XMPP_OK);
    CHECK(fuzz_same_tree(elem, again));
    xmpp_elem_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {.input = {data, size}};
    int r;

    fuzz_begin();
    r = create(&program);
    drop_strings(&program);
    CHECK((r == XMPP_OK) == (program.root != NULL));
    program.here = program.root;
    for (unsigned i = 0; program.root && i < MAX_ORDERS && obey(&program); i++)
        drop_strings(&program);
    drop_strings(&program);
    if (program.root) {
        int sticky = program.root->tree->error;

        r = xmpp_elem_seal(program.root);
        CHECK(r == sticky);
        CHECK(r == XMPP_OK || r == XMPP_ERR_INVAL || r == XMPP_ERR_LIMIT);
        if (r == XMPP_OK)
            check(program.root);
        CHECK(xmpp_elem_add_text(program.root, "x") == (r < 0 ? r : XMPP_ERR_SEALED));
        xmpp_elem_unref(program.root);
    }
    fuzz_end();
    return 0;
}
