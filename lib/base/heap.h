#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* Binary heap of deadlines, intrusive: a node knows its place, so removal is O(log n). Adding can fail for
 * want of memory; moving a node that is already in cannot. */
struct heap_node {
    uint64_t at;
    size_t index; /* HEAP_OUT when not in a heap */
};
#define HEAP_OUT ((size_t)-1)

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t cap;
};

void heap_init(struct heap *heap);
void heap_clear(struct heap *heap);
void heap_node_init(struct heap_node *node);
int heap_set(struct heap *heap, struct heap_node *node, uint64_t at); /* add or move */
void heap_remove(struct heap *heap, struct heap_node *node); /* no effect when not in */
struct heap_node *heap_first(const struct heap *heap); /* NULL when empty */

#endif
