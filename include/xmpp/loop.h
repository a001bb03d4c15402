#ifndef XMPP_LOOP_H
#define XMPP_LOOP_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS
XMPP_API int xmpp_loop_create(xmpp_loop **ret);
XMPP_API xmpp_loop *xmpp_loop_ref(xmpp_loop *loop);
XMPP_API xmpp_loop *xmpp_loop_unref(xmpp_loop *loop);
XMPP_API int xmpp_loop_set_log(xmpp_loop *loop, int max_level, xmpp_log_fn fn, void *user_data,
                               xmpp_destroy_fn destroy);

/* --- own loop --- */
XMPP_API int xmpp_loop_run(xmpp_loop *loop); /* until xmpp_loop_quit() */
XMPP_API int xmpp_loop_step(xmpp_loop *loop, int64_t max_wait_us); /* -1: no limit */
XMPP_API int xmpp_loop_quit(xmpp_loop *loop); /* any thread */

/* --- foreign loop: watch the fd for POLLIN, then dispatch --- */
XMPP_API int xmpp_loop_get_fd(const xmpp_loop *loop); /* same fd for the loop's whole life */
XMPP_API int xmpp_loop_dispatch(xmpp_loop *loop); /* never blocks */

/* --- any thread: run fn in the loop's thread --- */
typedef void (*xmpp_task_fn)(xmpp_loop *loop, void *user_data);
XMPP_API int xmpp_loop_post(xmpp_loop *loop, xmpp_task_fn fn, void *user_data,
                            xmpp_destroy_fn destroy);

/* --- timer; interval_us 0: once --- */
XMPP_API int xmpp_loop_add_timer(xmpp_loop *loop, xmpp_slot **ret_slot, uint64_t first_us,
                                 uint64_t interval_us, xmpp_task_fn fn, void *user_data,
                                 xmpp_destroy_fn destroy);
XMPP_API uint64_t xmpp_loop_get_time(const xmpp_loop *loop); /* CLOCK_MONOTONIC, us */

/* --- name servers for all lookups of this loop: "127.0.0.1:5353,[::1]:53"; NULL: the system's --- */
XMPP_API int xmpp_loop_set_dns_servers(xmpp_loop *loop, const char *servers);

XMPP_END_DECLS
#endif
