#ifndef XMPP_CLIENT_H
#define XMPP_CLIENT_H
#include <xmpp/base.h>
#include <xmpp/question.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * The connection of one account: configure, connect, send, receive, disconnect.
 *
 * A client belongs to a loop, and everything on it is called in the thread of that loop, unless a function says
 * otherwise; debug builds of the library notice another one, in functions that return errors. In the child of a fork()
 * only references can be dropped: what would touch the connection returns XMPP_ERR_THREAD.
 *
 * Functions of the application run only from inside xmpp_loop_run(), xmpp_loop_step() or xmpp_loop_dispatch(), never
 * from inside one of the calls below. Inside them everything is allowed that does not run the loop: also dropping the
 * last reference to the client.
 *
 * connect() finds the servers of the domain (RFC 6120, 3.2 and XEP-0368), races their addresses (RFC 8305), and goes
 * on to the next one if a server does not come as far as to judge the account. It ends in XMPP_STATE_READY or in XMPP_STATE_IDLE
 * with an error that lists every attempt. There is no automatic reconnection: call xmpp_client_connect() again.
 */

/**
 * How far a connection has come.
 *
 * The order is the same with STARTTLS and with direct TLS. When one server fails and the next is tried, the state goes
 * back to XMPP_STATE_CONNECTING; when the server redirects (see-other-host), to XMPP_STATE_RESOLVING. Expect unknown
 * values.
 */
enum xmpp_state {
    XMPP_STATE_IDLE = 0, /**< no connection */
    XMPP_STATE_RESOLVING = 1, /**< SRV records are being looked up */
    XMPP_STATE_CONNECTING = 2, /**< addresses are looked up and raced */
    XMPP_STATE_SECURING = 3, /**< TCP is up; TLS, certificate */
    XMPP_STATE_AUTHENTICATING = 4, /**< TLS is up; SASL */
    XMPP_STATE_BINDING = 5, /**< authenticated; resource binding */
    XMPP_STATE_READY = 6, /**< stanzas can be sent */
    XMPP_STATE_CLOSING = 7 /**< xmpp_client_disconnect(): waits for the server's end tag */
};

/**
 * The name of a state: "idle", "resolving", ...
 *
 * @param state  enum xmpp_state; anything else gives "unknown"
 *
 * Any thread.
 *
 * @return static string, never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_state_name(int state);

/** When plain text is acceptable (RFC 7590, 3.1). */
enum xmpp_tls_mode {
    XMPP_TLS_REQUIRED = 0, /**< never; the default */
    XMPP_TLS_LOCAL_ONLY = 1 /**< on connections to loopback addresses whose server offers no TLS */
};

/* --- configure --- */

/**
 * Make a client.
 *
 * @param ret   [out] new reference, xmpp_client_unref(); untouched on failure
 * @param loop  the loop that runs it; referenced by the client
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          *ret is set
 * @retval XMPP_ERR_INVAL   ret or loop is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_create(xmpp_client **ret, xmpp_loop *loop);

/**
 * Add a reference.
 *
 * @param client  NULL allowed
 *
 * Any thread.
 *
 * @return client
 * @since 0.1
 */
XMPP_API xmpp_client *xmpp_client_ref(xmpp_client *client);

/**
 * Drop a reference.
 *
 * With the last one the connection is dropped without a word: nothing is told to the application any more, only the
 * destroy functions run, each once. From another thread that happens a little later in the thread of the loop.
 *
 * @param client  NULL allowed
 *
 * Any thread.
 *
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_client *xmpp_client_unref(xmpp_client *client);

/**
 * Set the account.
 *
 * Without a localpart, the login is anonymous (RFC 4505). A resourcepart is asked for, but the server decides. Another bare
 * JID than before forgets what was learnt from earlier logins: see xmpp_client_set_password().
 *
 * @param client  the client
 * @param jid     referenced; not NULL
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   an argument is NULL, or the JID came from a server and its domain has no DNS form
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_jid(xmpp_client *client, const xmpp_jid *jid);

/**
 * Set the password.
 *
 * The password is kept in memory that is overwritten before it is freed, and never logged. From a successful SCRAM login the
 * client keeps the derived keys, so that the next one needs no computing (RFC 5802, 3), and it refuses PLAIN from then
 * on. Another password than before forgets both.
 *
 * @param client    the client
 * @param password  [optional] UTF-8, not empty; copied. NULL: none, see xmpp_client_set_ask_fn()
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; empty; not UTF-8
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_password(xmpp_client *client, const char *password);

/**
 * Set the server by hand, instead of looking it up.
 *
 * No SRV record is asked for then (RFC 6120, 3.2.3). The certificate must still be for the domain of the JID.
 *
 * @param client      the client
 * @param host        [optional] name or address, IPv6 with or without brackets; UTF-8, copied. NULL: look it up
 * @param port        0: 5222, or 5223 with direct_tls
 * @param direct_tls  not 0: TLS from the first byte (XEP-0368)
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; host is neither a name nor an address
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_endpoint(xmpp_client *client, const char *host, uint16_t port,
                                      int direct_tls);

/**
 * Say when plain text is acceptable.
 *
 * Once a server has offered STARTTLS, a failure of TLS ends the connection in every mode (RFC 6120, 5.4.3.2).
 *
 * @param client  the client
 * @param mode    enum xmpp_tls_mode; the default is XMPP_TLS_REQUIRED
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; unknown mode
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_tls_mode(xmpp_client *client, int mode);

/**
 * Set the certificates that are trusted.
 *
 * The file is read when connecting (with XMPP_TLS_LOCAL_ONLY: when TLS begins). What was read is shared by clients with
 * the same file and kept for the next login; the file is read again when it was changed or replaced.
 *
 * @param client    the client
 * @param pem_path  [optional] file of PEM certificates, in the encoding of the file system; copied.
 *                  NULL: the trust store of the system
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; empty path
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_trust_file(xmpp_client *client, const char *pem_path);

/**
 * Set how long to wait.
 *
 * @param client      the client
 * @param connect_us  microseconds from xmpp_client_connect() to XMPP_STATE_READY, questions to the
 *                    application included; 0: 30 s; UINT64_MAX: no limit
 * @param reply_us    microseconds that xmpp_client_request() waits by default; 0: 60 s; UINT64_MAX: no limit
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_timeout(xmpp_client *client, uint64_t connect_us, uint64_t reply_us);

/**
 * Set the client certificate, for SASL EXTERNAL (XEP-0178).
 *
 * The files are read when connecting.
 *
 * @param client     the client
 * @param cert_path  [optional] PEM file, leaf first; copied. NULL: no certificate
 * @param key_path   [optional] PEM file of the key; copied. NULL: it is in the file of the certificate
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; an empty path; a key without a certificate
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_cert_files(xmpp_client *client, const char *cert_path,
                                        const char *key_path);

/**
 * Set the name to authenticate with, when it is not the localpart of the JID (RFC 6120, 6.3.7).
 *
 * @param client   the client
 * @param authcid  [optional] UTF-8, not empty; copied. NULL: the localpart
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; empty; not UTF-8 of XML characters
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_authcid(xmpp_client *client, const char *authcid);

/**
 * Set the account to act for, when it is not that of the authentication (RFC 6120, 6.3.8).
 *
 * @param client   the client
 * @param authzid  [optional] referenced. NULL: none is sent
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_authzid(xmpp_client *client, const xmpp_jid *authzid);

/**
 * Choose the SASL mechanisms.
 *
 * Nothing else is tried then. It is the only way to have a mechanism of libsasl2 (GSSAPI, DIGEST-MD5, ...) tried.
 *
 * @param client      the client
 * @param mechanisms  [optional] names in order of preference, separated by spaces; copied. NULL: the default, the
 *                    strongest that the server offers (RFC 6120, 6.3.3)
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; no name in it, or one that RFC 4422 does not allow
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_mechanisms(xmpp_client *client, const char *mechanisms);

/**
 * Set the language of the stream (xml:lang; RFC 6120, 4.7.4).
 *
 * @param client  the client
 * @param lang    [optional] BCP 47 tag like "de-CH"; copied. NULL: none
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; not the form of a tag
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_lang(xmpp_client *client, const char *lang);

/**
 * Set when a space is sent to keep a silent connection alive (RFC 6120, 4.6.1).
 *
 * @param client   the client
 * @param idle_us  microseconds of silence of ours; 0: never. Default 5 min. A server may ask for less (XEP-0478)
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_keepalive(xmpp_client *client, uint64_t idle_us);

/**
 * Set how much memory the peer and the application may fill.
 *
 * @param client            the client
 * @param max_stanza_bytes  the longest stanza that is received or sent, as XML; at least 10000 (RFC 6120, 13.12);
 *                          0: 4 MiB. A longer one ends the connection
 * @param max_queue_bytes   unsent output, see xmpp_client_send(); 0: 4 MiB
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL; max_stanza_bytes is below 10000
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_limits(xmpp_client *client, size_t max_stanza_bytes,
                                    size_t max_queue_bytes);

/* --- run --- */

/**
 * Begin to connect.
 *
 * What happens is told by xmpp_client_on_state(). Everything that fails later, files that cannot be read included, comes
 * as the error of XMPP_STATE_IDLE.
 *
 * @param client  idle, with a JID
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          the state is XMPP_STATE_RESOLVING now
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   not idle, or without a JID
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_connect(xmpp_client *client);

/**
 * End the connection politely.
 *
 * From XMPP_STATE_READY: what was sent before is still written, then the stream is closed (RFC 6120, 4.4), TLS and
 * TCP after it; stanzas that come in meanwhile are delivered. A server that does not answer is dropped after 5 s.
 * In an earlier state the connection is dropped at once. XMPP_STATE_IDLE is told without an error in any case.
 *
 * @param client  in any state; no effect when idle or closing
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          the state is XMPP_STATE_CLOSING or XMPP_STATE_IDLE now
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_disconnect(xmpp_client *client);

/**
 * Drop the connection now.
 *
 * What was not written is lost. XMPP_STATE_IDLE is told without an error.
 *
 * @param client  in any state; no effect when idle
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          the state is XMPP_STATE_IDLE now
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_abort(xmpp_client *client);

/**
 * The state now. It may be ahead of what was told.
 *
 * @param client  NULL: XMPP_STATE_IDLE
 *
 * Thread of the loop.
 *
 * @return enum xmpp_state
 * @since 0.1
 */
XMPP_API int xmpp_client_get_state(const xmpp_client *client);

/**
 * The client's address: the bound JID while ready or closing (RFC 6120, 7), else the one that was set.
 *
 * @param client  NULL: NULL
 *
 * Thread of the loop.
 *
 * @return borrowed until the next change of the state; NULL: none was set
 * @since 0.1
 */
XMPP_API const xmpp_jid *xmpp_client_get_jid(const xmpp_client *client);

/**
 * The loop that the client was made with.
 *
 * @param client  NULL: NULL
 *
 * Any thread.
 *
 * @return borrowed of the client
 * @since 0.1
 */
XMPP_API xmpp_loop *xmpp_client_get_loop(const xmpp_client *client);

/**
 * The state has changed.
 *
 * Each change is told, in order. After xmpp_client_connect() XMPP_STATE_IDLE is told exactly once, after every pending
 * request has ended. The first stanza comes after XMPP_STATE_READY was told.
 *
 * @param client     the client
 * @param old_state  enum xmpp_state
 * @param new_state  enum xmpp_state
 * @param error      why; NULL for changes that lead towards XMPP_STATE_READY, and for an end that the
 *                   application asked for. Borrowed during the call
 * @param user_data  as registered
 */
typedef void (*xmpp_state_fn)(xmpp_client *client, int old_state, int new_state,
                              const xmpp_error *error, void *user_data);

/**
 * Be told of changes of the state.
 *
 * @param client     the client
 * @param ret_slot   [out, optional] new reference; cancelling it ends the registration. NULL: it lives with the client
 * @param fn         not NULL
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          registered; changes that were not told yet are told to fn, too
 * @retval XMPP_ERR_INVAL   client or fn is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_on_state(xmpp_client *client, xmpp_slot **ret_slot, xmpp_state_fn fn,
                                  void *user_data, xmpp_destroy_fn destroy);

/* --- send --- */

/**
 * Send a stanza.
 *
 * It is written into the connection's buffer, which leaves at the end of this turn of the loop, or at 16 KiB.
 *
 * @param client  ready
 * @param stanza  message, presence or IQ in the namespace jabber:client; sealed by this call, not consumed: it can be
 *                sent again
 *
 * Thread of the loop; other threads: xmpp_client_post().
 *
 * @retval XMPP_OK          queued
 * @retval XMPP_ERR_INVAL   an argument is NULL, or not a stanza
 * @retval XMPP_ERR_STATE   not ready
 * @retval XMPP_ERR_LIMIT   the queue is full, see xmpp_client_on_drain(); or longer than a stanza may be
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @return also the first error that happened while the stanza was built
 * @since 0.1
 */
XMPP_API int xmpp_client_send(xmpp_client *client, xmpp_elem *stanza);

/**
 * Bytes that were sent by the application or the library and not yet taken by the kernel.
 *
 * @param client  NULL: 0
 *
 * Thread of the loop.
 *
 * @return bytes; 0 without a connection
 * @since 0.1
 */
XMPP_API size_t xmpp_client_get_queued_bytes(const xmpp_client *client);

/**
 * The send queue has shrunk.
 *
 * @param client     the client
 * @param user_data  as registered
 */
typedef void (*xmpp_drain_fn)(xmpp_client *client, void *user_data);

/**
 * Be told when to go on sending.
 *
 * fn runs when, after a XMPP_ERR_LIMIT of xmpp_client_send(), the queue has shrunk to low_bytes; once for each time
 * that it was full.
 *
 * @param client     the client
 * @param ret_slot   [out, optional] new reference; cancelling it ends the registration. NULL: it lives with the client
 * @param low_bytes  bytes; 0: when the queue is empty
 * @param fn         not NULL
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          registered
 * @retval XMPP_ERR_INVAL   client or fn is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_on_drain(xmpp_client *client, xmpp_slot **ret_slot, size_t low_bytes,
                                  xmpp_drain_fn fn, void *user_data, xmpp_destroy_fn destroy);

/**
 * Send a stanza from any thread.
 *
 * It is queued, and the loop is woken to send it. One that cannot be sent then, because there is no session, is dropped
 * and logged.
 *
 * @param client  the caller has a reference
 * @param stanza  as for xmpp_client_send(); sealed by this call and referenced
 *
 * Any thread.
 *
 * @retval XMPP_OK         queued
 * @retval XMPP_ERR_INVAL  an argument is NULL, or not a stanza
 * @retval XMPP_ERR_LIMIT  too much is queued already
 * @retval XMPP_ERR_NOMEM  out of memory
 * @return also the first error that happened while the stanza was built
 * @since 0.1
 */
XMPP_API int xmpp_client_post(xmpp_client *client, xmpp_elem *stanza);

/* --- request --- */

/**
 * A request has ended.
 *
 * @param client     the client
 * @param reply      the answer of type result, sealed, borrowed during the call; NULL on failure
 * @param error      NULL on success, borrowed during the call. XMPP_ERR_STANZA: an answer of type error, see its
 *                   condition; XMPP_ERR_TIMEOUT: none came; XMPP_ERR_CLOSED: the session ended before
 * @param user_data  as registered
 */
typedef void (*xmpp_reply_fn)(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                              void *user_data);

/**
 * Send an IQ request and get its answer.
 *
 * The answer is accepted only from the addressed entity (RFC 6120, 8.1.2.1 and 10.3). An id is added if the element has
 * none.
 *
 * @param client      ready
 * @param ret_slot    [out, optional] new reference; cancelling it drops the request. NULL: the request
 *                    lives with the client
 * @param iq          IQ of type get or set; sealed and referenced by this call
 * @param timeout_us  microseconds; 0: the client's default; UINT64_MAX: none
 * @param fn          runs exactly once, unless cancelled, from the loop; not NULL
 * @param user_data   passed to fn
 * @param destroy     [optional] runs once after the last use of user_data; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          queued
 * @retval XMPP_ERR_INVAL   an argument is NULL; not an IQ of type get or set; its id is in use, or its "to" no JID
 * @retval XMPP_ERR_STATE   not ready
 * @retval XMPP_ERR_LIMIT   the send queue is full, or too many requests are pending
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_request(xmpp_client *client, xmpp_slot **ret_slot, xmpp_elem *iq,
                                 uint64_t timeout_us, xmpp_reply_fn fn, void *user_data,
                                 xmpp_destroy_fn destroy);

/* --- handlers --- */

/** What a handler returns. A negative value counts as XMPP_DONE; an IQ get or set is answered with an error then. */
enum xmpp_handled {
    XMPP_PASS = 0, /**< let the next handler look */
    XMPP_DONE = 1 /**< stop here; for IQ get and set: this handler answers, now or later */
};

/**
 * A stanza came that fits a handler.
 *
 * @param client     the client
 * @param stanza     sealed; borrowed during the call, xmpp_elem_ref() keeps it
 * @param user_data  as registered
 *
 * @return enum xmpp_handled, or negative
 */
typedef int (*xmpp_stanza_fn)(xmpp_client *client, const xmpp_elem *stanza, void *user_data);

/**
 * Register a handler for received stanzas.
 *
 * Answers to requests go to the request only. All else goes to the handlers that fit, by priority
 * (xmpp_slot_set_priority()), then by age, until one returns XMPP_DONE. An IQ get or set that nobody takes is answered
 * service-unavailable (RFC 6120, 8.2.3). Once an IQ was
 * answered, no further handler is asked. A handler that is registered while a stanza is dispatched does not see it.
 *
 * Of IQs a handler sees get and set only: an answer that nobody asked for must not pass for a push. One that is narrowed
 * to "result" or "error" by xmpp_slot_match_type() sees those. Presence of an unknown type, and a stanza whose sender
 * cannot be read, reach no handler.
 *
 * @param client     the client
 * @param ret_slot   [out, optional] new reference; cancelling it ends the registration. NULL: it lives with the client
 * @param kinds      bits of enum xmpp_kind, at least one
 * @param ns         [optional] namespace of a child element of the stanza; copied. NULL: any
 * @param name       [optional] name of that child element; copied. NULL: any
 * @param fn         not NULL
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          registered
 * @retval XMPP_ERR_INVAL   client or fn is NULL; no or an unknown kind; ns or name is too long
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_add_handler(xmpp_client *client, xmpp_slot **ret_slot, int kinds,
                                     const char *ns, const char *name, xmpp_stanza_fn fn,
                                     void *user_data, xmpp_destroy_fn destroy);

/* --- what we advertise --- */

/**
 * Advertise a feature (XEP-0030).
 *
 * A feature that was registered several times is listed once, until the last registration goes.
 *
 * @param client    the client
 * @param ret_slot  [out, optional] new reference; cancelling it ends the registration. NULL: it lives with the client
 * @param var       UTF-8, not empty; copied
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          registered
 * @retval XMPP_ERR_INVAL   client or var is NULL; var is empty or not UTF-8 of XML characters
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_add_feature(xmpp_client *client, xmpp_slot **ret_slot, const char *var);

/**
 * The number of different features that are advertised.
 *
 * @param client  NULL: 0
 *
 * Thread of the loop.
 *
 * @return number
 * @since 0.1
 */
XMPP_API size_t xmpp_client_count_features(const xmpp_client *client);

/**
 * One of the features that are advertised.
 *
 * @param client  NULL: NULL
 * @param index   0 to xmpp_client_count_features() - 1
 *
 * Thread of the loop.
 *
 * @return borrowed until a registration changes; NULL: no such index
 * @since 0.1
 */
XMPP_API const char *xmpp_client_get_feature_at(const xmpp_client *client, size_t index);

/* --- what happened --- */

/** Numbers about a connection. */
enum xmpp_stat {
    XMPP_STAT_BYTES_IN = 1, /**< bytes read from the sockets */
    XMPP_STAT_BYTES_OUT = 2, /**< bytes written to them */
    XMPP_STAT_STANZAS_IN = 3, /**< stanzas received */
    XMPP_STAT_STANZAS_OUT = 4, /**< stanzas sent */
    XMPP_STAT_ROUND_TRIPS =
        5, /**< times that we waited for the peer, TCP connect included, DNS not */
    XMPP_STAT_RESOLVING_US = 6, /**< microseconds in XMPP_STATE_RESOLVING */
    XMPP_STAT_CONNECTING_US = 7, /**< microseconds in XMPP_STATE_CONNECTING */
    XMPP_STAT_SECURING_US = 8, /**< microseconds in XMPP_STATE_SECURING */
    XMPP_STAT_AUTHENTICATING_US = 9, /**< microseconds in XMPP_STATE_AUTHENTICATING */
    XMPP_STAT_BINDING_US = 10, /**< microseconds in XMPP_STATE_BINDING */
    XMPP_STAT_LOGIN_US = 11, /**< microseconds from xmpp_client_connect() to XMPP_STATE_READY */
    XMPP_STAT_WRITES = 12, /**< system calls that wrote */
    XMPP_STAT_READS = 13 /**< system calls that read */
};

/**
 * A number about the current connection, or about the last one.
 *
 * @param client  NULL: 0
 * @param stat    enum xmpp_stat
 *
 * Thread of the loop.
 *
 * @return the number; 0 for an unknown stat
 * @since 0.1
 */
XMPP_API uint64_t xmpp_client_get_stat(const xmpp_client *client, int stat);

/** Facts about a connection. */
enum xmpp_info {
    XMPP_INFO_HOST = 1, /**< target of the SRV record, or the name given by hand */
    XMPP_INFO_ADDRESS = 2, /**< "127.0.0.1:5222" */
    XMPP_INFO_TLS_VERSION = 3, /**< "TLS1.3" */
    XMPP_INFO_TLS_SUITE = 4, /**< "TLS_AES_256_GCM_SHA384" */
    XMPP_INFO_CERT = 5, /**< verdict in words: "trusted, DNS name a.example", ... */
    XMPP_INFO_SASL_MECHANISM = 6, /**< "SCRAM-SHA-256-PLUS" */
    XMPP_INFO_CHANNEL_BINDING = 7, /**< "tls-exporter", ... */
    XMPP_INFO_STREAM_ID = 8 /**< of the last stream header */
};

/**
 * A fact about the current connection, or about the last one.
 *
 * @param client  NULL: NULL
 * @param info    enum xmpp_info
 *
 * Thread of the loop.
 *
 * @return UTF-8, borrowed until the next time that the loop runs, or the next connect; NULL while unknown, and when there
 *         was no memory to keep it
 * @since 0.1
 */
XMPP_API const char *xmpp_client_get_info(const xmpp_client *client, int info);

/**
 * One of the endpoints that were found for the current or the last connection, in the order in which they are tried.
 *
 * @param client          the client
 * @param index           0, 1, ...
 * @param ret_host        [out] A-label name or address, borrowed until the next lookup
 * @param ret_port        [out] port
 * @param ret_direct_tls  [out] 1: TLS from the first byte; 0: STARTTLS
 * @param ret_priority    [out] of the SRV record (RFC 2782); -1: not from one
 * @param ret_weight      [out] of the SRV record; -1: not from one
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK            all are set
 * @retval XMPP_ERR_INVAL     a pointer is NULL
 * @retval XMPP_ERR_NOTFOUND  index is behind the last one, or none are known yet
 * @retval XMPP_ERR_THREAD    wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_get_endpoint(const xmpp_client *client, size_t index,
                                      const char **ret_host, uint16_t *ret_port,
                                      int *ret_direct_tls, int *ret_priority, int *ret_weight);

XMPP_END_DECLS
#endif
