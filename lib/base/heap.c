#include "base/heap.h"

#include <xmpp/error.h>

#include "base/mem.h"

#define HEAP_MIN 16

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_clear(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->nodes[i]->index = HEAP_OUT;
    mem_free(heap->nodes);
    heap_init(heap);
}

void heap_node_init(struct heap_node *node)
{
    node->at = 0;
    node->index = HEAP_OUT;
}

static void put(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->index = index;
}

static void move_up(struct heap *heap, struct heap_node *node)
{
    size_t i = node->index;

    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (heap->nodes[parent]->at <= node->at)
            break;
        put(heap, i, heap->nodes[parent]);
        i = parent;
    }
    put(heap, i, node);
}

static void move_down(struct heap *heap, struct heap_node *node)
{
    size_t i = node->index;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->nodes[child + 1]->at < heap->nodes[child]->at)
            child++;
        if (node->at <= heap->nodes[child]->at)
            break;
        put(heap, i, heap->nodes[child]);
        i = child;
    }
    put(heap, i, node);
}

static int make_room(struct heap *heap)
{
    struct heap_node **nodes;
    size_t cap = HEAP_MIN;
    size_t size;

    if (heap->count < heap->cap)
        return XMPP_OK;
    if (heap->cap > 0 && !size_mul(heap->cap, 2, &cap))
        return XMPP_ERR_NOMEM;
    if (!size_mul(cap, sizeof *nodes, &size))
        return XMPP_ERR_NOMEM;
    nodes = mem_realloc(heap->nodes, size);
    if (!nodes)
        return XMPP_ERR_NOMEM;
    heap->nodes = nodes;
    heap->cap = cap;
    return XMPP_OK;
}

int heap_set(struct heap *heap, struct heap_node *node, uint64_t at)
{
    int r;

    if (node->index == HEAP_OUT) {
        r = make_room(heap);
        if (r < 0)
            return r;
        put(heap, heap->count++, node);
    }
    node->at = at;
    move_up(heap, node);
    move_down(heap, node);
    return XMPP_OK;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *last;
    size_t index = node->index;

    if (index == HEAP_OUT)
        return;
    node->index = HEAP_OUT;
    last = heap->nodes[--heap->count];
    if (last == node)
        return;
    put(heap, index, last);
    move_up(heap, last);
    move_down(heap, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}
