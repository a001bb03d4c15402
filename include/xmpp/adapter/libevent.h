#ifndef XMPP_ADAPTER_LIBEVENT_H
#define XMPP_ADAPTER_LIBEVENT_H

/**
 * @file
 * Run a loop inside a libevent event base. Needs libevent 2.
 *
 * @code
 * struct event *event = xmpp_libevent_attach(loop, base);
 * event_base_dispatch(base);
 * xmpp_libevent_detach(event);
 * @endcode
 */

#include <event2/event.h>
#include <xmpp/loop.h>

static inline void xmpp_libevent_ready_(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    (void)xmpp_loop_dispatch((xmpp_loop *)data); /* misuse only: there is nothing to tell it to */
}

/**
 * Stop dispatching and drop the reference to the loop.
 *
 * @param event  [optional] what xmpp_libevent_attach() returned; freed; may be called from callbacks
 * @since 0.1
 */
static inline void xmpp_libevent_detach(struct event *event)
{
    xmpp_loop *loop;

    if (!event)
        return;
    loop = (xmpp_loop *)event_get_callback_arg(event);
    event_free(event);
    xmpp_loop_unref(loop);
}

/**
 * Dispatch a loop from an event base.
 *
 * @param loop  the loop; referenced until xmpp_libevent_detach(). The base's thread becomes its thread
 * @param base  the event base
 * @return the event, to be given to xmpp_libevent_detach(); NULL: out of memory, or the base refuses
 * @since 0.1
 */
static inline struct event *xmpp_libevent_attach(xmpp_loop *loop, struct event_base *base)
{
    struct event *event = event_new(base, xmpp_loop_get_fd(loop), EV_READ | EV_PERSIST,
                                    xmpp_libevent_ready_, xmpp_loop_ref(loop));

    if (!event) {
        xmpp_loop_unref(loop);
        return NULL;
    }
    if (event_add(event, NULL) < 0) {
        xmpp_libevent_detach(event);
        return NULL;
    }
    return event;
}

#endif
