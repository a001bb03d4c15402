#ifndef XMPP_ADAPTER_GLIB_H
#define XMPP_ADAPTER_GLIB_H

/**
 * @file
 * Run a loop inside a GLib main loop. Needs glib-2.0.
 *
 * @code
 * GSource *source = xmpp_glib_attach(loop, NULL);
 * g_main_loop_run(main_loop);
 * g_source_destroy(source);
 * g_source_unref(source);
 * @endcode
 */

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

/**
 * Dispatch a loop from a GLib main context.
 *
 * The source holds a reference to the loop until it is destroyed with g_source_destroy(). It removes itself when
 * dispatching fails.
 *
 * @param loop     the loop; the context's thread becomes its thread
 * @param context  [optional] NULL: the default context
 * @return the source; the caller owns a reference: g_source_unref()
 * @since 0.1
 */
static inline GSource *xmpp_glib_attach(xmpp_loop *loop, GMainContext *context)
{
    GSource *source = g_unix_fd_source_new(xmpp_loop_get_fd(loop), G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(xmpp_glib_ready_), xmpp_loop_ref(loop),
                          xmpp_glib_gone_);
    g_source_attach(source, context);
    return source;
}

#endif
