#ifndef XML_SAX_H
#define XML_SAX_H

#include "base/buf.h"
#include "xml/elem.h"
#include "xml/memo.h"
#include "xml/parse.h"

#include <libxml/parser.h>
#include <stdint.h>

/* libxml2's parser and what its callbacks make of the input: trees, and a queue of events. Whole
 * tags and whole characters in; no code of others runs from the callbacks. */
struct sax_item {
    enum parse_event event;
    xmpp_elem *elem;
};

struct sax {
    xmlParserCtxtPtr ctxt;
    struct parse_limits limits;
    int error;
    const char *condition;
    char reason[160];

    unsigned base; /* depth of a top-level element: 1, or 0 when the root itself is wanted */
    unsigned depth;
    struct elem_tree *tree; /* of the element that is being read */
    xmpp_elem *elem; /* the innermost open one */
    bool had_text; /* since the last top-level element */
    bool after_cr; /* the last byte of CDATA was a CR */
    bool muted; /* the root's start tag is fed to a fresh parser */
    bool exchange; /* wanted as soon as nothing is open */
    size_t silent; /* bytes since the last callback */
    uint64_t fed; /* to this ctxt */
    size_t header_dict; /* what the header alone takes in the dictionary */
    int old_names; /* in the dictionary, when the last tree was finished */

    struct memo names; /* of libxml2's dictionary */
    struct elem_jids jids;
    struct buf header; /* the root's start tag, with its namespaces */
    char *lang; /* of the root */

    struct sax_item *items;
    size_t item_cap;
    size_t item_count;
    size_t item_next;
};

int sax_init(struct sax *sax, const struct parse_limits *limits, unsigned base);
void sax_clear(struct sax *sax);
/* What goes wrong is found in sax->error, for good; trees that were finished before stay in the
 * queue. */
void sax_feed(struct sax *sax, const void *data, size_t len);
enum parse_event sax_next(struct sax *sax, xmpp_elem **ret);
/* Is the time come for a fresh parser? For sax_exchange() every byte must be behind the end of a
 * tag, and only the root be open; nobody notices. Without memory it stays with the old parser. */
bool sax_wants_exchange(const struct sax *sax);
void sax_exchange(struct sax *sax);
/* Nothing moves at the moment: gives back what a burst has left. */
void sax_shrink(struct sax *sax);

/* The first failure stays. */
void sax_fail(struct sax *sax, int error, const char *condition, const char *reason);
void sax_fail_nomem(struct sax *sax);
void sax_fail_limit(struct sax *sax, const char *before, size_t limit, const char *behind);

#endif
