#ifndef XMPP_ELEM_H
#define XMPP_ELEM_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/* --- life cycle: a tree is built by one thread, then sealed; sealed trees are
 *     read-only and may be read from any thread. A reference to any element
 *     keeps its whole tree. --- */
XMPP_API int xmpp_elem_create(xmpp_elem **ret, const char *ns, const char *name);
XMPP_API int xmpp_elem_parse(xmpp_elem **ret, const char *xml, size_t len);
XMPP_API int xmpp_elem_copy(const xmpp_elem *elem, xmpp_elem **ret); /* deep, unsealed, own tree */
XMPP_API xmpp_elem *xmpp_elem_ref(const xmpp_elem *elem);
XMPP_API xmpp_elem *xmpp_elem_unref(xmpp_elem *elem);
XMPP_API int xmpp_elem_seal(xmpp_elem *elem); /* returns the first build error, if any */
XMPP_API int xmpp_elem_is_sealed(const xmpp_elem *elem);

/* --- build; errors are sticky: later calls on the tree fail too, and
 *     xmpp_elem_seal() and xmpp_client_send() report the first one --- */
XMPP_API int xmpp_elem_set_attr(xmpp_elem *elem, const char *name, const char *value);
XMPP_API int xmpp_elem_set_attr_ns(xmpp_elem *elem, const char *ns, const char *name,
                                   const char *value);
XMPP_API int xmpp_elem_add_text(xmpp_elem *elem, const char *text);
XMPP_API int xmpp_elem_add_text_len(xmpp_elem *elem, const char *text, size_t len);
/* Returns the new child (borrowed) or NULL; ns NULL means the parent's. */
XMPP_API xmpp_elem *xmpp_elem_add_child(xmpp_elem *parent, const char *ns, const char *name);
XMPP_API xmpp_elem *xmpp_elem_add_child_text(xmpp_elem *parent, const char *ns, const char *name,
                                             const char *text);
XMPP_API xmpp_elem *xmpp_elem_add_copy(xmpp_elem *parent, const xmpp_elem *src);

/* --- read; returned pointers live as long as the tree --- */
XMPP_API const char *xmpp_elem_get_name(const xmpp_elem *elem);
XMPP_API const char *xmpp_elem_get_ns(const xmpp_elem *elem);
XMPP_API int xmpp_elem_is(const xmpp_elem *elem, const char *ns, const char *name);
XMPP_API const char *xmpp_elem_get_attr(const xmpp_elem *elem, const char *name);
XMPP_API const char *xmpp_elem_get_attr_ns(const xmpp_elem *elem, const char *ns, const char *name);
XMPP_API const char *xmpp_elem_get_text(const xmpp_elem *elem); /* direct text, "" if none */
XMPP_API const char *xmpp_elem_get_lang(const xmpp_elem *elem); /* inherited xml:lang or NULL */
XMPP_API const xmpp_elem *xmpp_elem_get_parent(const xmpp_elem *elem);
/* NULL for ns or name matches any. */
XMPP_API const xmpp_elem *xmpp_elem_first_child(const xmpp_elem *elem, const char *ns,
                                                const char *name);
XMPP_API const xmpp_elem *xmpp_elem_next_sibling(const xmpp_elem *elem, const char *ns,
                                                 const char *name);
XMPP_API size_t xmpp_elem_count_attrs(const xmpp_elem *elem);
XMPP_API int xmpp_elem_get_attr_at(const xmpp_elem *elem, size_t index, const char **ret_ns,
                                   const char **ret_name, const char **ret_value);
XMPP_API int xmpp_elem_to_xml(const xmpp_elem *elem, char **ret_xml, size_t *ret_len);

/* --- stanza helpers --- */
enum xmpp_kind { XMPP_MESSAGE = 1, XMPP_PRESENCE = 2, XMPP_IQ = 4 };

XMPP_API int xmpp_elem_create_stanza(xmpp_elem **ret, int kind, const char *type,
                                     const xmpp_jid *to);
XMPP_API int xmpp_elem_create_reply(xmpp_elem **ret, const xmpp_elem *request);
XMPP_API int xmpp_elem_create_error(xmpp_elem **ret, const xmpp_elem *request, const char *type,
                                    const char *condition, const char *text);
XMPP_API int xmpp_elem_get_kind(const xmpp_elem *elem); /* enum xmpp_kind or 0 */
XMPP_API const xmpp_jid *xmpp_elem_get_from(const xmpp_elem *elem);
XMPP_API const xmpp_jid *xmpp_elem_get_to(const xmpp_elem *elem);

XMPP_END_DECLS
#endif
