#ifndef XMPP_EXT_PING_H
#define XMPP_EXT_PING_H

/**
 * @file
 * XMPP Ping (XEP-0199): is the other side there, and how long does it take?
 *
 * While a client has this module, pings of its server and of others are answered (XEP-0199, 4.1 and 4.4), and
 * `urn:xmpp:ping` is among its features. xmpp_ping_send() pings the own server (4.2) or somebody else (4.4).
 *
 * A complete program: it logs in, pings its server once and leaves.
 *
 * @code
 * #include <stdio.h>
 * #include <xmpp/ext/ping.h>
 * #include <xmpp/xmpp.h>
 *
 * static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
 * {
 *     xmpp_client *client = user_data;
 *
 *     (void)ping;
 *     // an error stanza is an answer, too: somebody is there
 *     if (error && xmpp_error_get_code(error) != XMPP_ERR_STANZA)
 *         printf("no answer: %s\n", xmpp_error_get_text(error));
 *     else
 *         printf("%llu us\n", (unsigned long long)rtt_us);
 *     xmpp_client_disconnect(client);
 * }
 *
 * static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
 *                      void *user_data)
 * {
 *     xmpp_ping *ping = user_data;
 *
 *     (void)old_state;
 *     if (new_state == XMPP_STATE_READY &&
 *         xmpp_ping_send(ping, NULL, NULL, on_pong, client, NULL) < 0)
 *         xmpp_client_disconnect(client);
 *     if (new_state == XMPP_STATE_IDLE) {
 *         if (error)
 *             printf("%s\n", xmpp_error_get_text(error));
 *         xmpp_loop_quit(xmpp_client_get_loop(client));
 *     }
 * }
 *
 * int main(int argc, char **argv)
 * {
 *     xmpp_loop *loop = NULL;
 *     xmpp_client *client = NULL;
 *     xmpp_ping *ping = NULL;
 *     xmpp_jid *jid = NULL;
 *     int r;
 *
 *     if (argc != 3)
 *         return 2;
 *     if ((r = xmpp_loop_create(&loop)) < 0 || (r = xmpp_client_create(&client, loop)) < 0 ||
 *         (r = xmpp_ping_attach(&ping, client)) < 0 || (r = xmpp_jid_parse(&jid, argv[1])) < 0 ||
 *         (r = xmpp_client_set_jid(client, jid)) < 0 ||
 *         (r = xmpp_client_set_password(client, argv[2])) < 0 ||
 *         (r = xmpp_client_on_state(client, NULL, on_state, ping, NULL)) < 0 ||
 *         (r = xmpp_client_connect(client)) < 0 || (r = xmpp_loop_run(loop)) < 0)
 *         printf("%s\n", xmpp_err_text(r));
 *
 *     xmpp_jid_unref(jid);
 *     xmpp_ping_unref(ping);
 *     xmpp_client_unref(client);
 *     xmpp_loop_unref(loop);
 *     return r < 0;
 * }
 * @endcode
 */

#include <xmpp/client.h>

XMPP_BEGIN_DECLS

/** The module; one for each client, see xmpp_ping_attach(). It keeps its client. */
typedef struct xmpp_ping xmpp_ping;

/**
 * A ping came to its end.
 *
 * @param ping       the client's module, borrowed during the call; NULL when all references to it were dropped meanwhile
 *                   and there is no memory for another one
 * @param rtt_us     microseconds from xmpp_ping_send() to this call
 * @param error      NULL: it was answered. #XMPP_ERR_STANZA: it was answered with an error, often because the other
 *                   side does not know pings: it is there nevertheless (XEP-0199, 4.2). #XMPP_ERR_TIMEOUT,
 *                   #XMPP_ERR_CLOSED: no answer. Borrowed during the call
 * @param user_data  what was given to xmpp_ping_send()
 */
typedef void (*xmpp_ping_fn)(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error,
                             void *user_data);

/**
 * Get the ping module of a client, or make it.
 *
 * From then on pings are answered, until the last reference goes. XEP-0199, 4.1 and 4.4.
 *
 * @param ret     [out] new reference, xmpp_ping_unref(); untouched on failure
 * @param client  thread of the loop only, in any state; referenced by the module
 *
 * @retval XMPP_OK          *ret is set
 * @retval XMPP_ERR_INVAL   an argument is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_ping_attach(xmpp_ping **ret, xmpp_client *client);

/**
 * Take another reference.
 *
 * Any thread that holds a reference.
 *
 * @param ping  [optional] the module, or NULL: nothing happens
 * @return ping
 * @since 0.1
 */
XMPP_API xmpp_ping *xmpp_ping_ref(xmpp_ping *ping);

/**
 * Drop a reference. With the last one the module goes: pings are not answered any more.
 *
 * Any thread; the module itself goes in the thread of the loop. Pings under way live with the client and still come to
 * their end.
 *
 * @param ping  [optional] the module, or NULL: nothing happens
 * @return always NULL
 * @since 0.1
 */
XMPP_API xmpp_ping *xmpp_ping_unref(xmpp_ping *ping);

/**
 * Send a ping.
 *
 * It waits as long as any request without a time limit of its own: xmpp_client_set_timeout(). XEP-0199, 4.2 and 4.4.
 *
 * @param ping       thread of the loop only
 * @param ret_slot   [out, optional] new reference; cancelling it drops the ping. NULL: it lives with the client
 * @param to         [optional] whom: a server, a full JID, or any other address; NULL: the own server
 * @param fn         runs exactly once, from the loop, unless cancelled or the client goes
 * @param user_data  [optional] passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; not if this call fails
 *
 * @retval XMPP_OK          sent
 * @retval XMPP_ERR_INVAL   ping or fn is NULL
 * @retval XMPP_ERR_STATE   no session
 * @retval XMPP_ERR_LIMIT   the send queue is full, see xmpp_client_on_drain(), or too many requests are pending
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_ping_send(xmpp_ping *ping, xmpp_slot **ret_slot, const xmpp_jid *to,
                            xmpp_ping_fn fn, void *user_data, xmpp_destroy_fn destroy);

XMPP_END_DECLS
#endif
