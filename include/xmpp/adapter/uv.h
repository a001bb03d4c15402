#ifndef XMPP_ADAPTER_UV_H
#define XMPP_ADAPTER_UV_H

/**
 * @file
 * Run a loop inside a libuv loop. Needs libuv.
 *
 * @code
 * uv_poll_t handle;
 * xmpp_uv_attach(loop, uv_default_loop(), &handle);
 * uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 * xmpp_uv_detach(&handle);
 * uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 * @endcode
 */

#include <uv.h>
#include <xmpp/loop.h>

static inline void xmpp_uv_ready_(uv_poll_t *handle, int status, int events)
{
    (void)events;
    if (status < 0 || xmpp_loop_dispatch((xmpp_loop *)handle->data) < 0)
        uv_poll_stop(handle);
}

static inline void xmpp_uv_gone_(uv_handle_t *handle)
{
    xmpp_loop_unref((xmpp_loop *)handle->data);
}

/**
 * Stop dispatching. The reference to the loop is dropped, and the handle is free, when libuv has closed it: in the
 * next turn of the libuv loop.
 *
 * @param handle  as given to xmpp_uv_attach(); may be called from callbacks
 * @since 0.1
 */
static inline void xmpp_uv_detach(uv_poll_t *handle)
{
    if (!uv_is_closing((uv_handle_t *)handle))
        uv_close((uv_handle_t *)handle, xmpp_uv_gone_);
}

/**
 * Dispatch a loop from a libuv loop. The handle stops when dispatching fails.
 *
 * @param loop    the loop; referenced until xmpp_uv_detach(). The libuv loop's thread becomes its thread
 * @param uv      the libuv loop
 * @param handle  [out] storage of the caller's, to be kept until it is closed; its data member is taken
 * @return 0, or libuv's error, in which case nothing was attached
 * @since 0.1
 */
static inline int xmpp_uv_attach(xmpp_loop *loop, uv_loop_t *uv, uv_poll_t *handle)
{
    int r = uv_poll_init(uv, handle, xmpp_loop_get_fd(loop));

    if (r < 0)
        return r;
    handle->data = xmpp_loop_ref(loop);
    r = uv_poll_start(handle, UV_READABLE, xmpp_uv_ready_);
    if (r < 0)
        xmpp_uv_detach(handle);
    return r;
}

#endif
