#ifndef XMPP_LOOP_H
#define XMPP_LOOP_H

/**
 * @file
 * The event loop: sockets, timers, and work from other threads, behind one file descriptor.
 *
 * A loop runs by itself (xmpp_loop_run(), xmpp_loop_step()), or inside another event loop: that one watches the
 * descriptor of xmpp_loop_get_fd() for being readable, and then calls xmpp_loop_dispatch(). There is no other
 * time-out to take care of. `xmpp/adapter/` has this for GLib, libuv and libevent.
 *
 * Callbacks run only inside run, step and dispatch. Inside a callback everything is allowed but these three, also
 * dropping the last reference to the loop: it is freed when the dispatch ends.
 *
 * A loop belongs to one thread at a time: the one that created it, then the one that last entered run, step or
 * dispatch. Functions marked "loop thread" are called from there; debug builds of the library check it and return
 * #XMPP_ERR_THREAD, if they return errors. Who cleans up in another thread than the one that ran the loop last calls
 * xmpp_loop_step(loop, 0) first, so that the loop is its own: else what it drops waits for a thread that does not come
 * back. In the child of a fork() only dropping references works, and does not disturb the parent; the others return
 * #XMPP_ERR_THREAD.
 *
 * @code
 * #include <xmpp/xmpp.h>
 *
 * static void tick(xmpp_loop *loop, void *user_data)
 * {
 *     int *left = user_data;
 *
 *     if (--*left == 0)
 *         xmpp_loop_quit(loop);
 * }
 *
 * int main(void)
 * {
 *     xmpp_loop *loop = NULL;
 *     int left = 3;
 *     int r = xmpp_loop_create(&loop);
 *
 *     if (r >= 0)
 *         r = xmpp_loop_add_timer(loop, NULL, 0, 1000000, tick, &left, NULL);
 *     if (r >= 0)
 *         r = xmpp_loop_run(loop);
 *     xmpp_loop_unref(loop);
 *     return r < 0;
 * }
 * @endcode
 */

#include <xmpp/base.h>

XMPP_BEGIN_DECLS

/**
 * Create a loop.
 *
 * @param ret  [out] new reference
 *
 * @retval XMPP_OK          created
 * @retval XMPP_ERR_INVAL   ret is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_SYSTEM  no descriptor is left
 * @since 0.1
 */
XMPP_API int xmpp_loop_create(xmpp_loop **ret);

/**
 * Take another reference.
 *
 * @param loop  any thread; NULL allowed
 * @return loop
 * @since 0.1
 */
XMPP_API xmpp_loop *xmpp_loop_ref(xmpp_loop *loop);

/**
 * Drop a reference. With the last one the loop is freed; what was posted and timers without a slot do not run any
 * more, their destroy functions do, in the calling thread. Clients and slots hold a reference to their loop.
 *
 * @param loop  any thread; NULL allowed
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_loop *xmpp_loop_unref(xmpp_loop *loop);

/**
 * Set the function that gets the log of this loop and of its clients; it replaces the one before.
 *
 * @param loop       loop thread only
 * @param max_level  highest level of enum xmpp_log_level that is reported; 0: none
 * @param fn         [optional] NULL: no log. Must not call back into the library
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   no loop, or not a level
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_set_log(xmpp_loop *loop, int max_level, xmpp_log_fn fn, void *user_data,
                               xmpp_destroy_fn destroy);

/**
 * Wait for events and dispatch them, until xmpp_loop_quit() is called.
 *
 * A quit that came before is not lost: then run returns at once, without dispatching.
 *
 * @param loop  the calling thread becomes the loop's; not from a callback
 *
 * @retval XMPP_OK          ended by xmpp_loop_quit()
 * @retval XMPP_ERR_INVAL   loop is NULL
 * @retval XMPP_ERR_BUSY    called from a callback
 * @retval XMPP_ERR_THREAD  another thread is inside run, step or dispatch; or after fork()
 * @retval XMPP_ERR_SYSTEM  waiting failed
 * @since 0.1
 */
XMPP_API int xmpp_loop_run(xmpp_loop *loop);

/**
 * Wait for events, and dispatch what has come once.
 *
 * May return before the time is over with nothing done: when a signal was handled, or when xmpp_loop_quit() woke
 * it. It does not use up the quit, which is for xmpp_loop_run().
 *
 * @param loop         the calling thread becomes the loop's; not from a callback
 * @param max_wait_us  microseconds; 0: do not wait; -1: no limit
 *
 * @return a positive number when something was done, 0 when nothing was
 * @retval XMPP_ERR_INVAL   loop is NULL, or a time below -1
 * @retval XMPP_ERR_BUSY    called from a callback
 * @retval XMPP_ERR_THREAD  another thread is inside run, step or dispatch; or after fork()
 * @retval XMPP_ERR_SYSTEM  waiting failed
 * @since 0.1
 */
XMPP_API int xmpp_loop_step(xmpp_loop *loop, int64_t max_wait_us);

/**
 * Make xmpp_loop_run() return when the callback that is running has returned; or, if it does not run, as soon as it
 * is called. One quit ends one run.
 *
 * @param loop  any thread; also from a signal handler
 *
 * @retval XMPP_OK          it will
 * @retval XMPP_ERR_INVAL   loop is NULL
 * @retval XMPP_ERR_THREAD  after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_quit(xmpp_loop *loop);

/**
 * Get the descriptor for a foreign event loop. When it is readable there is something to do: call
 * xmpp_loop_dispatch(). It works in poll(), select(), epoll and everything built on them.
 *
 * @param loop  any thread
 *
 * @return the descriptor, the same for the whole life of the loop. It must not be read, changed or closed
 * @retval XMPP_ERR_INVAL   loop is NULL
 * @retval XMPP_ERR_THREAD  after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_get_fd(const xmpp_loop *loop);

/**
 * Handle what there is, without waiting. The work of one call is bounded: what is left keeps the descriptor
 * readable. Trouble with a connection is told by that client, it is no error here.
 *
 * @param loop  the calling thread becomes the loop's; not from a callback
 *
 * @return a positive number when something was done, 0 when nothing was
 * @retval XMPP_ERR_INVAL   loop is NULL
 * @retval XMPP_ERR_BUSY    called from a callback
 * @retval XMPP_ERR_THREAD  another thread is inside run, step or dispatch; or after fork()
 * @retval XMPP_ERR_SYSTEM  asking for events failed
 * @since 0.1
 */
XMPP_API int xmpp_loop_dispatch(xmpp_loop *loop);

/**
 * A piece of work: posted, or of a timer.
 *
 * @param loop       the loop that runs it
 * @param user_data  as given when it was registered
 */
typedef void (*xmpp_task_fn)(xmpp_loop *loop, void *user_data);

/**
 * Run a function in the loop's thread, soon. Functions posted by one thread run in their order.
 *
 * @param loop       any thread
 * @param fn         runs once, from the loop; not at all if the loop is freed before
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once: after fn, or when the loop is freed
 *
 * @retval XMPP_OK          queued
 * @retval XMPP_ERR_INVAL   loop or fn is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_post(xmpp_loop *loop, xmpp_task_fn fn, void *user_data,
                            xmpp_destroy_fn destroy);

/**
 * Add a timer.
 *
 * An interval keeps to the grid of its first time. When it is late by more than one interval the missed times are
 * left out.
 *
 * @param loop         loop thread only
 * @param ret_slot     [out, optional] new reference; the timer lives until it is cancelled or the slot is dropped.
 *                     NULL: it lives with the loop
 * @param first_us     microseconds from now; 0: in the next dispatch
 * @param interval_us  microseconds between later times; 0: only once
 * @param fn           runs from the loop, never before its time
 * @param user_data    passed to fn
 * @param destroy      [optional] runs once after the last use of user_data
 *
 * @retval XMPP_OK          added
 * @retval XMPP_ERR_INVAL   loop or fn is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_add_timer(xmpp_loop *loop, xmpp_slot **ret_slot, uint64_t first_us,
                                 uint64_t interval_us, xmpp_task_fn fn, void *user_data,
                                 xmpp_destroy_fn destroy);

/** What a descriptor is ready for. Bits. */
enum xmpp_io {
    XMPP_IO_READ = 1, /**< reading does not block: data, a connection to accept, the end */
    XMPP_IO_WRITE = 2, /**< writing does not block */
    XMPP_IO_HANGUP = 4 /**< the peer is gone, or an error waits; reported without being asked for */
};

/**
 * A descriptor is ready.
 *
 * With #XMPP_IO_HANGUP come all events that were asked for: reading and writing tell what happened.
 *
 * @param loop       the loop that watches it
 * @param fd         the descriptor
 * @param events     bits of enum xmpp_io; expect unknown ones
 * @param user_data  as registered
 */
typedef void (*xmpp_io_fn)(xmpp_loop *loop, int fd, int events, void *user_data);

/**
 * Watch a descriptor of the application: a socket, a pipe, a terminal.
 *
 * The function is called in every dispatch as long as the descriptor stays ready (level-triggered): it reads or
 * writes, or changes what it waits for with xmpp_loop_set_io_events(). After a hang-up it cancels.
 *
 * The descriptor stays the application's, and is to be closed only after the registration has ended. One that was
 * closed before is not reported any more; should its number be in use again by then, the end of this registration
 * can end that of the new descriptor. A descriptor can be watched once: dup() makes a second one.
 *
 * @param loop       loop thread only
 * @param ret_slot   [out, optional] new reference; cancelling it ends the registration. NULL: it lives with the loop
 * @param fd         open, should be non-blocking; not a regular file
 * @param events     #XMPP_IO_READ, #XMPP_IO_WRITE or both
 * @param fn         runs from the loop; not NULL
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; not when this call fails
 *
 * @retval XMPP_OK          watched
 * @retval XMPP_ERR_INVAL   loop or fn is NULL; fd is negative; no event, or one that cannot be asked for
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_SYSTEM  not open, cannot be watched, or is watched already; see errno (EBADF, EPERM, EEXIST)
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_add_io(xmpp_loop *loop, xmpp_slot **ret_slot, int fd, int events,
                              xmpp_io_fn fn, void *user_data, xmpp_destroy_fn destroy);

/**
 * Change what a watched descriptor is waited for.
 *
 * @param loop    loop thread only
 * @param slot    of xmpp_loop_add_io() on this loop; may be the one whose function is running
 * @param events  #XMPP_IO_READ, #XMPP_IO_WRITE, both, or 0: nothing is reported, hang-ups neither
 *
 * @retval XMPP_OK          changed
 * @retval XMPP_ERR_INVAL   an argument is NULL; the slot is another loop's or of another kind; unknown events
 * @retval XMPP_ERR_STATE   the registration has ended
 * @retval XMPP_ERR_SYSTEM  the descriptor was closed, see errno
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_set_io_events(xmpp_loop *loop, xmpp_slot *slot, int events);

/**
 * Get the loop's time: CLOCK_MONOTONIC. In a callback it is the time at which the dispatch began.
 *
 * @param loop  loop thread only; NULL gives 0
 * @return microseconds
 * @since 0.1
 */
XMPP_API uint64_t xmpp_loop_get_time(const xmpp_loop *loop);

/**
 * Set the name servers for all lookups of this loop that begin from now on. The file of host names is looked at
 * first in any case.
 *
 * @param loop     loop thread only
 * @param servers  [optional] up to 16 addresses with or without a port, asked in this order, separated by commas
 *                 without blanks: "127.0.0.1:5353,[::1]:53,2001:db8::1". NULL: the system's name servers
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   loop is NULL, or not such a list
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_loop_set_dns_servers(xmpp_loop *loop, const char *servers);

XMPP_END_DECLS

#endif
