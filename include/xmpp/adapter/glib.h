#ifndef XMPP_ADAPTER_GLIB_H
#define XMPP_ADAPTER_GLIB_H
#include <glib-unix.h>
#include <xmpp/loop.h>
static inline gboolean xmpp_glib_ready_(gint fd, GIOCondition cond, gpointer data)
{
    (void)fd;
    (void)cond;
    return xmpp_loop_dispatch((xmpp_loop *)data) >= 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}
static inline void xmpp_glib_gone_(gpointer data)
{
    xmpp_loop_unref((xmpp_loop *)data);
}
/* Attach loop to context (NULL: default). Remove with g_source_destroy(). */
static inline GSource *xmpp_glib_attach(xmpp_loop *loop, GMainContext *context)
{
    GSource *source = g_unix_fd_source_new(xmpp_loop_get_fd(loop), G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(xmpp_glib_ready_), xmpp_loop_ref(loop),
                          xmpp_glib_gone_);
    g_source_attach(source, context);
    return source;
}
#endif
