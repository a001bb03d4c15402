#ifndef XMPP_ELEM_H
#define XMPP_ELEM_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * The tree: elements of XML, as they are received and sent.
 *
 * A tree is built by one thread, then sealed; a sealed tree never changes and may be read by any
 * number of threads at once. Received trees are sealed. A reference to any element keeps its whole
 * tree. Namespaces are resolved: prefixes are no part of this interface, and the writer declares
 * what is needed.
 *
 * While a tree is being built the first error sticks to it: later calls fail too, and
 * xmpp_elem_seal() and xmpp_client_send() report it. So the results of the building functions may
 * be ignored one by one. XMPP_ERR_SEALED, and an error of a call with no element at all, do not
 * stick.
 *
 * All strings are UTF-8, terminated, and copied when they are passed in. Names are NCNames
 * (Namespaces in XML 1.0); values and text are characters of XML 1.0: anything else is refused,
 * never sent (RFC 6120, 11.3).
 */

/**
 * Make a tree with one element, its root.
 *
 * @param ret   [out] new reference
 * @param ns    namespace; "": none; not NULL
 * @param name  local name, no prefix
 *
 * Thread: any.
 *
 * @retval XMPP_OK         made
 * @retval XMPP_ERR_INVAL  ret, ns or name is NULL; the name is no NCName; the namespace holds a
 *                         character that XML does not allow, or is that of "xml" or "xmlns"
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_elem_create(xmpp_elem **ret, const char *ns, const char *name);

/**
 * Read a tree from text: exactly one element, with nothing but white space around it (an XML
 * declaration may come first).
 *
 * The guards are those of a stream: no comment, processing instruction, DTD or entity of its own
 * (RFC 6120, 11.1), and the default limits of size, depth and attributes. The tree is sealed; use
 * xmpp_elem_copy() to change it.
 *
 * @param ret  [out] new reference to the root
 * @param xml  UTF-8, need not be terminated; NULL allowed only with len 0
 * @param len  bytes
 *
 * Thread: any.
 *
 * @retval XMPP_OK         read
 * @retval XMPP_ERR_INVAL  ret is NULL, or xml is
 * @retval XMPP_ERR_XML    not well-formed, not allowed in XMPP, not complete, or more than one root
 * @retval XMPP_ERR_LIMIT  too large, too deep, or too many attributes
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_elem_parse(xmpp_elem **ret, const char *xml, size_t len);

/**
 * Copy an element with everything below it into a tree of its own, which can be changed.
 *
 * Namespaces are kept. A language that the element only inherits becomes an xml:lang attribute of
 * the copy (RFC 6120, 8.1.5).
 *
 * @param elem  not changed
 * @param ret   [out] new reference to the root of the copy, not sealed
 *
 * Thread: any for a sealed tree, else the one that builds it.
 *
 * @retval XMPP_OK         copied
 * @retval XMPP_ERR_INVAL  elem or ret is NULL
 * @retval XMPP_ERR_NOMEM  out of memory
 * @return or the error that sticks to the tree of elem
 * @since 0.1
 */
XMPP_API int xmpp_elem_copy(const xmpp_elem *elem, xmpp_elem **ret);

/**
 * Take a reference to an element, and so to its whole tree.
 *
 * @param elem  [optional] any element of a tree
 *
 * Thread: any.
 *
 * @return elem
 * @since 0.1
 */
XMPP_API xmpp_elem *xmpp_elem_ref(const xmpp_elem *elem);

/**
 * Give a reference back. With the last reference to any of its elements the tree is freed.
 *
 * @param elem  [optional] any element of a tree, also another one than the reference was taken to
 *
 * Thread: any.
 *
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_elem *xmpp_elem_unref(xmpp_elem *elem);

/**
 * Seal the whole tree: from now on it cannot be changed and may be shared between threads.
 *
 * Texts are joined, and from and to of a stanza are parsed, here. Sealing a sealed tree does
 * nothing. After XMPP_ERR_NOMEM from sealing itself it may be tried again.
 *
 * @param elem  any element of the tree
 *
 * Thread: the one that builds the tree; any when it is sealed.
 *
 * @retval XMPP_OK         sealed
 * @retval XMPP_ERR_INVAL  elem is NULL, or a building call was wrong
 * @retval XMPP_ERR_LIMIT  a building call went beyond a limit
 * @retval XMPP_ERR_NOMEM  out of memory, now or in a building call
 * @since 0.1
 */
XMPP_API int xmpp_elem_seal(xmpp_elem *elem);

/**
 * Is the tree sealed?
 *
 * @param elem  [optional] any element of the tree
 *
 * Thread: any for a sealed tree, else the one that builds it.
 *
 * @return 1 or 0; 0 for NULL
 * @since 0.1
 */
XMPP_API int xmpp_elem_is_sealed(const xmpp_elem *elem);

/**
 * Set an attribute that is in no namespace, which is the usual kind; one that is there is replaced.
 *
 * "xml:lang" is understood as xmpp_elem_set_attr_ns() with the namespace of XML and "lang". No
 * other prefix is, and namespaces are not declared with this ("xmlns" is refused).
 *
 * @param elem   not sealed
 * @param name   NCName, or "xml:lang"
 * @param value  text; not NULL
 *
 * Thread: the one that builds the tree.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   an argument is NULL or not allowed in XML; sticky unless elem is NULL
 * @retval XMPP_ERR_LIMIT   the element has 256 attributes already; sticky
 * @retval XMPP_ERR_SEALED  the tree is sealed
 * @retval XMPP_ERR_NOMEM   out of memory; sticky
 * @return or the error that sticks to the tree
 * @since 0.1
 */
XMPP_API int xmpp_elem_set_attr(xmpp_elem *elem, const char *name, const char *value);

/**
 * Set an attribute that is in a namespace; one that is there is replaced.
 *
 * @param elem   not sealed
 * @param ns     [optional] namespace; NULL or "": none
 * @param name   NCName
 * @param value  text; not NULL
 *
 * Thread: the one that builds the tree.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   an argument is NULL or not allowed in XML; sticky unless elem is NULL
 * @retval XMPP_ERR_LIMIT   the element has 256 attributes already; sticky
 * @retval XMPP_ERR_SEALED  the tree is sealed
 * @retval XMPP_ERR_NOMEM   out of memory; sticky
 * @return or the error that sticks to the tree
 * @since 0.1
 */
XMPP_API int xmpp_elem_set_attr_ns(xmpp_elem *elem, const char *ns, const char *name,
                                   const char *value);

/**
 * Append text behind what the element contains.
 *
 * @param elem  not sealed
 * @param text  not NULL; escaping is the writer's work
 *
 * Thread: the one that builds the tree.
 *
 * @retval XMPP_OK          appended
 * @retval XMPP_ERR_INVAL   an argument is NULL, or the text holds what XML does not allow; sticky
 *                          unless elem is NULL
 * @retval XMPP_ERR_SEALED  the tree is sealed
 * @retval XMPP_ERR_NOMEM   out of memory; sticky
 * @return or the error that sticks to the tree
 * @since 0.1
 */
XMPP_API int xmpp_elem_add_text(xmpp_elem *elem, const char *text);

/**
 * Append text of a given length.
 *
 * @param elem  not sealed
 * @param text  valid UTF-8 by itself (no character may be cut), need not be terminated; NULL
 *              allowed only with len 0
 * @param len   bytes
 *
 * Thread: the one that builds the tree.
 *
 * @retval XMPP_OK          appended
 * @retval XMPP_ERR_INVAL   an argument is NULL, or the text holds what XML does not allow; sticky
 *                          unless elem is NULL
 * @retval XMPP_ERR_SEALED  the tree is sealed
 * @retval XMPP_ERR_NOMEM   out of memory; sticky
 * @return or the error that sticks to the tree
 * @since 0.1
 */
XMPP_API int xmpp_elem_add_text_len(xmpp_elem *elem, const char *text, size_t len);

/**
 * Append a child element.
 *
 * On failure the error sticks to the tree, unless the tree is sealed or parent is NULL:
 * XMPP_ERR_INVAL for names as in xmpp_elem_create(), XMPP_ERR_LIMIT below 128 levels,
 * XMPP_ERR_NOMEM.
 *
 * @param parent  not sealed; NULL gives NULL, so calls can be nested
 * @param ns      [optional] namespace; NULL: that of the parent; "": none
 * @param name    NCName
 *
 * Thread: the one that builds the tree.
 *
 * @return the child, borrowed: it lives as long as the tree; or NULL
 * @since 0.1
 */
XMPP_API xmpp_elem *xmpp_elem_add_child(xmpp_elem *parent, const char *ns, const char *name);

/**
 * Append a child element that contains a text.
 *
 * Fails as xmpp_elem_add_child() and xmpp_elem_add_text() do.
 *
 * @param parent  not sealed; NULL gives NULL
 * @param ns      [optional] namespace; NULL: that of the parent; "": none
 * @param name    NCName
 * @param text    not NULL
 *
 * Thread: the one that builds the tree.
 *
 * @return the child, borrowed: it lives as long as the tree; or NULL
 * @since 0.1
 */
XMPP_API xmpp_elem *xmpp_elem_add_child_text(xmpp_elem *parent, const char *ns, const char *name,
                                             const char *text);

/**
 * Append a copy of an element with everything below it.
 *
 * Namespaces are kept, and so is the language: where it would change by the new place, the copy
 * gets an xml:lang attribute (RFC 6120, 8.1.5; XEP-0297, 3.2). The source may be in the same tree.
 * On failure the error sticks to the tree of parent, unless that is sealed or parent is NULL.
 *
 * @param parent  not sealed; NULL gives NULL
 * @param src     not changed; not NULL
 *
 * Thread: the one that builds the tree.
 *
 * @return the copy, borrowed: it lives as long as the tree of parent; or NULL
 * @since 0.1
 */
XMPP_API xmpp_elem *xmpp_elem_add_copy(xmpp_elem *parent, const xmpp_elem *src);

/**
 * The local name. Reading functions, this one and those below, may be called from any thread for a
 * sealed tree, else from the one that builds it; they allocate nothing, and what they return lives
 * as long as the tree.
 *
 * @param elem  [optional]
 *
 * @return the name, without prefix; NULL for NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_name(const xmpp_elem *elem);

/**
 * The namespace.
 *
 * @param elem  [optional]
 *
 * @return "" when the element is in none; NULL for NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_ns(const xmpp_elem *elem);

/**
 * Does the element have this namespace and name?
 *
 * @param elem  [optional]
 * @param ns    [optional] "": none; NULL matches any
 * @param name  [optional] NULL matches any
 *
 * @return 1 or 0; 0 when elem is NULL
 * @since 0.1
 */
XMPP_API int xmpp_elem_is(const xmpp_elem *elem, const char *ns, const char *name);

/**
 * The value of an attribute that is in no namespace.
 *
 * @param elem  [optional]
 * @param name  [optional] local name, or "xml:lang" for the element's own language
 *
 * @return the value; NULL when there is none, or an argument is NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_attr(const xmpp_elem *elem, const char *name);

/**
 * The value of an attribute that is in a namespace.
 *
 * @param elem  [optional]
 * @param ns    [optional] NULL or "": none
 * @param name  [optional] local name
 *
 * @return the value; NULL when there is none, or elem or name is NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_attr_ns(const xmpp_elem *elem, const char *ns, const char *name);

/**
 * The text that is directly in the element, joined; the text of children is not part of it.
 *
 * Joined once, when the tree is parsed or sealed. While it is being built, only the text before the
 * first child that follows a text is seen.
 *
 * @param elem  [optional]
 *
 * @return "" when there is none; NULL for NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_text(const xmpp_elem *elem);

/**
 * The language of the element: its own xml:lang, else that of the nearest element around it, else
 * that of the stream it was received on (RFC 6120, 8.1.5).
 *
 * @param elem  [optional]
 *
 * @return the language tag as it was written; NULL when there is none, it was emptied, or elem is
 * NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_elem_get_lang(const xmpp_elem *elem);

/**
 * The element around this one.
 *
 * @param elem  [optional]
 *
 * @return borrowed; NULL for the root and for NULL
 * @since 0.1
 */
XMPP_API const xmpp_elem *xmpp_elem_get_parent(const xmpp_elem *elem);

/**
 * The first child element that fits.
 *
 * @param elem  [optional]
 * @param ns    [optional] "": none; NULL matches any
 * @param name  [optional] NULL matches any
 *
 * @return borrowed; NULL when there is none
 * @since 0.1
 */
XMPP_API const xmpp_elem *xmpp_elem_first_child(const xmpp_elem *elem, const char *ns,
                                                const char *name);

/**
 * The next element that fits behind this one, with the same parent.
 *
 * @param elem  [optional]
 * @param ns    [optional] "": none; NULL matches any
 * @param name  [optional] NULL matches any
 *
 * @return borrowed; NULL when there is none
 * @since 0.1
 */
XMPP_API const xmpp_elem *xmpp_elem_next_sibling(const xmpp_elem *elem, const char *ns,
                                                 const char *name);

/**
 * How many attributes the element has; declarations of namespaces are none.
 *
 * @param elem  [optional]
 *
 * @return the number; 0 for NULL
 * @since 0.1
 */
XMPP_API size_t xmpp_elem_count_attrs(const xmpp_elem *elem);

/**
 * One attribute, by its place: they are kept in order.
 *
 * @param elem       not NULL
 * @param index      from 0
 * @param ret_ns     [out, optional] namespace; NULL: none
 * @param ret_name   [out, optional] local name
 * @param ret_value  [out, optional] value
 *
 * @retval XMPP_OK            found
 * @retval XMPP_ERR_INVAL     elem is NULL
 * @retval XMPP_ERR_NOTFOUND  there are not so many
 * @since 0.1
 */
XMPP_API int xmpp_elem_get_attr_at(const xmpp_elem *elem, size_t index, const char **ret_ns,
                                   const char **ret_name, const char **ret_value);

/**
 * Write the element as text that can be read alone: with all declarations of namespaces that it
 * needs.
 *
 * Credentials are written as they are: this is not for logs.
 *
 * @param elem     not NULL
 * @param ret_xml  [out] UTF-8, terminated; for xmpp_mem_free()
 * @param ret_len  [out, optional] bytes without the terminator
 *
 * Thread: any for a sealed tree, else the one that builds it.
 *
 * @retval XMPP_OK         written
 * @retval XMPP_ERR_INVAL  elem or ret_xml is NULL
 * @retval XMPP_ERR_LIMIT  longer than 32 MiB, which is more than can be sent
 * @retval XMPP_ERR_NOMEM  out of memory
 * @return or the error that sticks to the tree
 * @since 0.1
 */
XMPP_API int xmpp_elem_to_xml(const xmpp_elem *elem, char **ret_xml, size_t *ret_len);

/** The three kinds of stanza (RFC 6120, 8.2). Bits, so that a handler can be for several. */
enum xmpp_kind {
    XMPP_MESSAGE = 1, /**< one way */
    XMPP_PRESENCE = 2, /**< to whom it may concern */
    XMPP_IQ = 4 /**< a request or its answer */
};

/**
 * Make a stanza, with an id that nobody can guess (RFC 6120, 8.1.3); set another one to replace it.
 *
 * No from is written: the server knows it.
 *
 * @param ret   [out] new reference, not sealed
 * @param kind  one of enum xmpp_kind
 * @param type  [optional] for an IQ one of "get", "set", "result", "error" and not NULL; for others
 *              any; NULL: none
 * @param to    [optional] NULL: the own account or its server
 *
 * Thread: any.
 *
 * @retval XMPP_OK          made
 * @retval XMPP_ERR_INVAL   ret is NULL, no such kind, or a type that is not allowed
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_SYSTEM  the kernel gave no random bytes
 * @since 0.1
 */
XMPP_API int xmpp_elem_create_stanza(xmpp_elem **ret, int kind, const char *type,
                                     const xmpp_jid *to);

/**
 * Make the answer to a stanza, addressed to its sender.
 *
 * For an IQ: type "result" and the same id (RFC 6120, 8.2.3). For a message: the same type and an
 * id of its own; the answer to a "groupchat" message goes to the room. Presence has no answer.
 *
 * @param ret      [out] new reference, not sealed
 * @param request  not changed; an IQ of type "get" or "set", or a message that is no error
 *
 * Thread: any for a sealed request.
 *
 * @retval XMPP_OK          made
 * @retval XMPP_ERR_INVAL   ret is NULL, or the request is NULL or nothing that may be answered
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_SYSTEM  the kernel gave no random bytes
 * @since 0.1
 */
XMPP_API int xmpp_elem_create_reply(xmpp_elem **ret, const xmpp_elem *request);

/**
 * Make an error as the answer to a stanza: same kind and id, addressed to its sender (RFC
 * 6120, 8.3).
 *
 * @param ret        [out] new reference, not sealed
 * @param request    not changed; an IQ of type "get" or "set", or a message or presence that is no
 *                   error itself
 * @param type       "auth", "cancel", "continue", "modify" or "wait" (RFC 6120, 8.3.2)
 * @param condition  one of the 22 names of RFC 6120, 8.3.3, such as "item-not-found"
 * @param text       [optional] for people
 *
 * Thread: any for a sealed request.
 *
 * @retval XMPP_OK         made
 * @retval XMPP_ERR_INVAL  an argument is NULL or not one of those above, or the request may not be
 *                         answered
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_elem_create_error(xmpp_elem **ret, const xmpp_elem *request, const char *type,
                                    const char *condition, const char *text);

/**
 * Which kind of stanza is this?
 *
 * @param elem  [optional] need not be a root: what was forwarded has a kind too
 *
 * @return one of enum xmpp_kind; 0 for anything else, and for NULL
 * @since 0.1
 */
XMPP_API int xmpp_elem_get_kind(const xmpp_elem *elem);

/**
 * The sender of a stanza.
 *
 * Parsed once, when the stanza is received or sealed. Only the root of a tree has it; for a stanza
 * inside another one parse the attribute.
 *
 * @param elem  [optional]
 *
 * @return borrowed; NULL when there is none, it is no valid address, the tree is not sealed, or
 * elem is NULL
 * @since 0.1
 */
XMPP_API const xmpp_jid *xmpp_elem_get_from(const xmpp_elem *elem);

/**
 * The addressee of a stanza.
 *
 * As xmpp_elem_get_from(); known before sealing only as far as xmpp_elem_create_stanza() was given
 * it.
 *
 * @param elem  [optional]
 *
 * @return borrowed; NULL when there is none, it is no valid address, or elem is NULL
 * @since 0.1
 */
XMPP_API const xmpp_jid *xmpp_elem_get_to(const xmpp_elem *elem);

XMPP_END_DECLS
#endif
