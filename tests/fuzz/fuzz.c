#include "fuzz/fuzz.h"

#include "base/arena.h"
#include "xml/elem.h"

#include <malloc.h>
#include <xmpp/error.h>

static size_t live_bytes;
static size_t live_blocks;
static size_t peak_bytes;
static size_t blocks_before;

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    abort();
}

static void *count_realloc(void *ptr, size_t size, void *user_data)
{
    size_t before = ptr ? malloc_usable_size(ptr) : 0;
    void *ret;

    (void)user_data;
    if (size == 0) {
        live_bytes -= before;
        live_blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    ret = realloc(ptr, size);
    if (!ret)
        return NULL;
    live_bytes += malloc_usable_size(ret) - before;
    live_blocks += ptr == NULL;
    if (live_bytes > peak_bytes)
        peak_bytes = live_bytes;
    return ret;
}

void fuzz_begin(void)
{
    static bool is_installed;

    if (!is_installed)
        CHECK(xmpp_mem_set_allocator(count_realloc, NULL) == XMPP_OK);
    is_installed = true;
    arena_cache_trim();
    blocks_before = live_blocks;
    peak_bytes = live_bytes;
}

size_t fuzz_peak(void)
{
    return peak_bytes;
}

void fuzz_end(void)
{
    arena_cache_trim();
    CHECK(live_blocks == blocks_before);
}

uint8_t input_byte(struct input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->data++;
}

unsigned input_u16(struct input *input)
{
    unsigned high = input_byte(input);

    return high << 8 | input_byte(input);
}

char *fuzz_dup(const void *data, size_t len)
{
    char *copy = malloc(len + 1);

    CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *input_until(struct input *input, int a, int b, size_t *ret_len, int *ret_separator)
{
    size_t len = 0;
    char *copy;

    while (len < input->len && input->data[len] != a && input->data[len] != b)
        len++;
    copy = fuzz_dup(input->data, len);
    *ret_separator = len < input->len ? input->data[len] : 0;
    input->data += len;
    input->len -= len;
    (void)input_byte(input);
    *ret_len = len;
    return copy;
}

char *input_rest(struct input *input, size_t *ret_len)
{
    *ret_len = input->len;
    return fuzz_dup(input->data, input->len);
}

uint32_t fuzz_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static bool same_str(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_elem(const xmpp_elem *a, const xmpp_elem *b)
{
    size_t count = xmpp_elem_count_attrs(a);

    if (!same_str(a->ns, b->ns) || !same_str(a->name, b->name) ||
        !same_str(xmpp_elem_get_text(a), xmpp_elem_get_text(b)) ||
        !same_str(xmpp_elem_get_lang(a), xmpp_elem_get_lang(b)) ||
        count != xmpp_elem_count_attrs(b))
        return false;
    for (const struct elem_attr *x = a->attrs, *y = b->attrs; x; x = x->next, y = y->next)
        if (!same_str(x->ns, y->ns) || !same_str(x->name, y->name) || !same_str(x->value, y->value))
            return false;
    return true;
}

/* Texts are nodes that a reader cannot tell apart when they follow each other; an empty one is none. */
static const struct elem_node *skip_text(const struct elem_node *node, char **ret)
{
    size_t len = 0;
    char *text = fuzz_dup("", 0);

    for (; node && node->is_text; node = node->next) {
        const struct elem_text *part = (const struct elem_text *)node;

        CHECK(strlen(part->str) == part->len);
        text = realloc(text, len + part->len + 1);
        CHECK(text != NULL);
        memcpy(text + len, part->str, part->len + 1);
        len += part->len;
    }
    *ret = text;
    return node;
}

static bool same_text(const struct elem_node **x, const struct elem_node **y)
{
    char *text_x;
    char *text_y;
    bool same;

    *x = skip_text(*x, &text_x);
    *y = skip_text(*y, &text_y);
    same = strcmp(text_x, text_y) == 0;
    free(text_x);
    free(text_y);
    return same;
}

/* Recursive: the depth of trees is limited. */
bool fuzz_same_tree(const xmpp_elem *a, const xmpp_elem *b)
{
    const struct elem_node *x = elem_first_node(a);
    const struct elem_node *y = elem_first_node(b);

    if (!same_elem(a, b))
        return false;
    for (;;) {
        if (!same_text(&x, &y))
            return false;
        if (!x || !y)
            return !x && !y;
        if (!fuzz_same_tree((const xmpp_elem *)x, (const xmpp_elem *)y))
            return false;
        x = x->next;
        y = y->next;
    }
}

void fuzz_round_trip(const xmpp_elem *elem)
{
    xmpp_elem *again = NULL;
    char *xml = NULL;
    char *xml_again = NULL;
    size_t len;
    size_t len_again;
    int r = xmpp_elem_to_xml(elem, &xml, &len);

    CHECK(r == XMPP_OK);
    CHECK(strlen(xml) == len);
    r = xmpp_elem_parse(&again, xml, len);
    /* what fits a limit together with what is around it may go beyond it alone: declarations are written again, and
     * escapes are longer than what they stand for */
    if (r == XMPP_ERR_LIMIT) {
        xmpp_mem_free(xml);
        return;
    }
    if (r != XMPP_OK)
        fprintf(stderr, "%s: %.*s\n", xmpp_err_name(r), (int)len, xml);
    CHECK(r == XMPP_OK);
    CHECK(xmpp_elem_to_xml(again, &xml_again, &len_again) == XMPP_OK);
    if (len != len_again || memcmp(xml, xml_again, len) != 0)
        fprintf(stderr, "%s\n%s\n", xml, xml_again);
    CHECK(len == len_again && memcmp(xml, xml_again, len) == 0);
    xmpp_mem_free(xml);
    xmpp_mem_free(xml_again);
    xmpp_elem_unref(again);
}
