#ifndef XML_WRITE_H
#define XML_WRITE_H

#include "base/buf.h"

#include <stdbool.h>
#include <xmpp/elem.h>

/* Appends the element. context_ns: the default namespace at that place (NS_CLIENT inside a stream,
 * NULL: none), so xmlns is written only where it changes. Elements in NS_STREAM are written with
 * the prefix "stream" when in_stream is set. XMPP_ERR_NOMEM or XMPP_ERR_LIMIT: nothing was
 * appended. Iterative: depth costs no stack. */
int write_elem(struct buf *out, const xmpp_elem *elem, const char *context_ns, bool in_stream);
/* The same for a log: the text of SASL elements, of passwords and tokens is replaced by "***". */
int write_elem_masked(struct buf *out, const xmpp_elem *elem, const char *context_ns,
                      bool in_stream);
/* For an attribute's value: escapes & < > ' " and TAB, LF, CR; input is valid XML text. On failure
 * nothing was appended. */
int write_escaped(struct buf *out, const char *str, size_t len);

#endif
