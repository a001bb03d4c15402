#ifndef XMPP_STREAM_H
#define XMPP_STREAM_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * The protocol engine without I/O: bytes and time in, bytes and events out.
 *
 * It negotiates one XML stream (RFC 6120): header, STARTTLS, SASL, resource binding; then it passes stanzas. It has no
 * socket, clock, thread or callback, so it serves tests, fuzzers and unusual transports. Applications use
 * xmpp_client.
 *
 * After each xmpp_stream_open(), feed, tick or command: call xmpp_stream_next() until XMPP_EV_NONE, then write out what
 * xmpp_stream_peek() shows, then look at xmpp_stream_get_deadline(). An end is always an event, XMPP_EV_CLOSED or
 * XMPP_EV_FAILED, exactly one, and the last one; output may still be waiting behind it.
 *
 * A stream has one owner and is driven by one thread at a time.
 *
 * This interface is UNSTABLE: it may change in any release before 1.0.
 */

/** How the stream is cut into pieces. */
enum xmpp_framing {
    XMPP_FRAMING_STREAM = 0 /**< one XML document, as on TCP (RFC 6120) */
};

/** What xmpp_stream_next() tells. New kinds may be added: skip what is not known. */
enum xmpp_stream_event {
    XMPP_EV_NONE = 0, /**< nothing more for now */
    XMPP_EV_START_TLS = 1, /**< put TLS below, then xmpp_stream_secured() */
    XMPP_EV_NEED_SECRET = 2, /**< the password: xmpp_stream_set_secret() */
    XMPP_EV_READY = 3, /**< bound: xmpp_stream_get_jid(), xmpp_stream_send() */
    XMPP_EV_STANZA = 4, /**< a message, presence or iq: *ret_elem */
    XMPP_EV_CLOSED = 5, /**< orderly end, perhaps the peer's idea */
    XMPP_EV_FAILED = 6, /**< end for a reason: *ret_error */
    XMPP_EV_AUTHENTICATING = 7, /**< progress: a mechanism was chosen */
    XMPP_EV_BINDING = 8 /**< progress: authenticated */
};

/**
 * Create an engine for one connection.
 *
 * @param ret      [out] new stream; xmpp_stream_free()
 * @param jid      the account; its resource, if any, is asked for when binding. Without localpart: anonymous. Referenced
 * @param framing  enum xmpp_framing
 *
 * @retval XMPP_OK         made
 * @retval XMPP_ERR_INVAL  ret or jid is NULL, or no such framing
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_create(xmpp_stream **ret, const xmpp_jid *jid, int framing);

/**
 * Free an engine, in any state. Nothing is said to the peer.
 *
 * @param stream  [optional] the stream
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_stream *xmpp_stream_free(xmpp_stream *stream);

/**
 * Say whether the stream may go on without TLS.
 *
 * Where STARTTLS is offered it is used all the same, and mechanisms that show the password stay forbidden without TLS
 * (RFC 7590, 3.1; RFC 6120, 13.8.3).
 *
 * @param stream    before xmpp_stream_open()
 * @param required  0: plain text is acceptable when the server offers no STARTTLS; anything else: it is not (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_tls_required(xmpp_stream *stream, int required);

/**
 * Set the user name for authentication (RFC 6120, 6.3.7).
 *
 * @param stream   before xmpp_stream_open()
 * @param authcid  [optional] UTF-8, copied; NULL: the localpart of the JID (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL, or authcid holds what XML cannot
 * @retval XMPP_ERR_STATE  already open
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_authcid(xmpp_stream *stream, const char *authcid);

/**
 * Set the identity to act for (RFC 6120, 6.3.8).
 *
 * @param stream   before xmpp_stream_open()
 * @param authzid  [optional] its bare form is sent; referenced. NULL: none is sent (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_authzid(xmpp_stream *stream, const xmpp_jid *authzid);

/**
 * Restrict and order the SASL mechanisms.
 *
 * @param stream      before xmpp_stream_open()
 * @param mechanisms  [optional] names separated by white space, best first, copied; NULL: the library's own order
 *                    (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL, or the list holds what XML cannot
 * @retval XMPP_ERR_STATE  already open
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_mechanisms(xmpp_stream *stream, const char *mechanisms);

/**
 * Say that TLS has a client certificate to show, so that EXTERNAL may be tried (RFC 6120, 13.8.4; XEP-0178).
 *
 * @param stream     before xmpp_stream_open()
 * @param available  0: there is none (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_external(xmpp_stream *stream, int available);

/**
 * Set the default language of what is sent, for the stream header (RFC 6120, 4.7.4).
 *
 * @param stream  before xmpp_stream_open()
 * @param lang    [optional] language tag, copied; NULL: none (default)
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL, or lang holds what XML cannot
 * @retval XMPP_ERR_STATE  already open
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_lang(xmpp_stream *stream, const char *lang);

/**
 * Set the limits of one element and of unsent output (RFC 6120, 13.12).
 *
 * Before authentication, the peer may not send elements above 64 KiB whatever is set here.
 *
 * @param stream            before xmpp_stream_open()
 * @param max_stanza_bytes  one element, received or sent; not 0. Default 4 MiB
 * @param max_queue_bytes   unsent output that xmpp_stream_send() may pile up; not 0. Default 4 MiB
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL, or a limit is 0
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_limits(xmpp_stream *stream, size_t max_stanza_bytes,
                                    size_t max_queue_bytes);

/**
 * Set the longest wait for the peer in any one step of the negotiation, and in the closing handshake.
 *
 * @param stream   before xmpp_stream_open()
 * @param step_us  microseconds, not 0; UINT64_MAX: no limit. Default 20 s
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL, or step_us is 0
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_timeout(xmpp_stream *stream, uint64_t step_us);

/**
 * Set after how long without output a space is sent (RFC 6120, 4.6.1).
 *
 * A server that announces when it gives up (XEP-0478) gets one at least twice in that time.
 *
 * @param stream   before xmpp_stream_open()
 * @param idle_us  microseconds; 0: never. Default 300 s
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  already open
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_keepalive(xmpp_stream *stream, uint64_t idle_us);

/**
 * Begin: the stream header becomes output (RFC 6120, 4.2).
 *
 * @param stream  configured; for TLS from the start, after xmpp_stream_secured()
 * @param now_us  the time, microseconds of any clock that never goes back
 *
 * @retval XMPP_OK         open
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  was open before
 * @retval XMPP_ERR_NOMEM  out of memory; may be tried again
 * @since 0.1
 */
XMPP_API int xmpp_stream_open(xmpp_stream *stream, uint64_t now_us);

/**
 * Bytes from the peer.
 *
 * All of them are taken. What is wrong with them is told by XMPP_EV_FAILED, behind the stanzas before it; the result
 * speaks of the call only. Behind the end of the stream bytes are ignored (RFC 6120, 4.4). Feed a few KiB at a time and
 * take the events in between: the queue of events grows with the input. Unknown elements between the stanzas are
 * ignored; text there is an error. Before XMPP_EV_READY anything but the awaited answer is an error.
 *
 * @param stream  open
 * @param data    the bytes, decrypted; may be NULL when len is 0
 * @param len     how many
 * @param now_us  the time
 *
 * @retval XMPP_OK         taken
 * @retval XMPP_ERR_INVAL  stream or data is NULL
 * @retval XMPP_ERR_STATE  not open
 * @since 0.1
 */
XMPP_API int xmpp_stream_feed(xmpp_stream *stream, const void *data, size_t len, uint64_t now_us);

/**
 * The connection below has ended.
 *
 * Without an end tag of the peer before, XMPP_EV_FAILED with XMPP_ERR_CLOSED follows, in the closing handshake too
 * (then the phase is XMPP_PHASE_CLOSING). After the end of the stream it means nothing.
 *
 * @param stream  open
 * @param now_us  the time
 *
 * @retval XMPP_OK         taken
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  not open
 * @since 0.1
 */
XMPP_API int xmpp_stream_feed_eof(xmpp_stream *stream, uint64_t now_us);

/**
 * Show the output.
 *
 * @param stream    any state
 * @param ret_data  [out, optional] the bytes, borrowed until the next call on the stream
 *
 * @return how many bytes there are; 0 for NULL
 * @since 0.1
 */
XMPP_API size_t xmpp_stream_peek(const xmpp_stream *stream, const void **ret_data);

/**
 * Drop output that was written.
 *
 * @param stream  any state
 * @param len     bytes, at most what xmpp_stream_peek() returns
 *
 * @retval XMPP_OK         dropped
 * @retval XMPP_ERR_INVAL  stream is NULL, or there are fewer bytes
 * @since 0.1
 */
XMPP_API int xmpp_stream_consume(xmpp_stream *stream, size_t len);

/**
 * Take the next event.
 *
 * @param stream     any state
 * @param ret_elem   [out] for XMPP_EV_STANZA: the stanza, sealed, a reference for the caller; otherwise NULL
 * @param ret_error  [out] for XMPP_EV_FAILED: the reason with phase and, where there is one, condition, a reference for
 *                   the caller; otherwise NULL
 *
 * @return enum xmpp_stream_event
 * @retval XMPP_EV_NONE    no more for now
 * @retval XMPP_ERR_INVAL  a parameter is NULL
 * @since 0.1
 */
XMPP_API int xmpp_stream_next(xmpp_stream *stream, xmpp_elem **ret_elem, xmpp_error **ret_error);

/**
 * When to call xmpp_stream_tick().
 *
 * @param stream  any state
 *
 * @return microseconds on the caller's clock; 0: now, computing is waiting (a slice of about a millisecond);
 *         UINT64_MAX: not at all
 * @since 0.1
 */
XMPP_API uint64_t xmpp_stream_get_deadline(const xmpp_stream *stream);

/**
 * Time has passed.
 *
 * Does one slice of computing, or sends a keepalive, or ends a wait that was too long: XMPP_EV_FAILED with
 * XMPP_ERR_TIMEOUT, or XMPP_EV_CLOSED when it was the closing handshake. Harmless before the deadline.
 *
 * @param stream  open
 * @param now_us  the time
 *
 * @retval XMPP_OK         done
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  not open
 * @since 0.1
 */
XMPP_API int xmpp_stream_tick(xmpp_stream *stream, uint64_t now_us);

/**
 * Give channel binding data of the TLS session (RFC 5929, RFC 9266); once for each type that it has.
 *
 * @param stream  before xmpp_stream_secured()
 * @param type    "tls-exporter", "tls-server-end-point", "tls-unique"; copied
 * @param data    the data; copied
 * @param len     its length; not 0
 *
 * @retval XMPP_OK         kept
 * @retval XMPP_ERR_INVAL  a parameter is NULL, or the length is 0 or absurd
 * @retval XMPP_ERR_STATE  TLS is not being set up
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_add_channel_binding(xmpp_stream *stream, const char *type,
                                             const void *data, size_t len);

/**
 * TLS is up and the peer was verified as the domain of the JID (RFC 6120, 5.4.3.3).
 *
 * Everything learnt before is forgotten, and a new header becomes output.
 *
 * @param stream       after XMPP_EV_START_TLS; or before xmpp_stream_open(), for TLS from the start
 * @param tls_version  0x0303, 0x0304
 * @param now_us       the time
 *
 * @retval XMPP_OK         taken; out of memory is told by XMPP_EV_FAILED
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  TLS is not being set up
 * @since 0.1
 */
XMPP_API int xmpp_stream_secured(xmpp_stream *stream, int tls_version, uint64_t now_us);

/**
 * Give the password, or the token for OAUTHBEARER: before it is needed, or after XMPP_EV_NEED_SECRET.
 *
 * Wiped once the stream is authenticated or has ended. After XMPP_EV_NEED_SECRET output may be waiting at once; the
 * deadline is 0 then, because the stream must learn the time: call xmpp_stream_tick().
 *
 * @param stream  not yet authenticated
 * @param secret  UTF-8 as the user typed it; copied into memory that is wiped
 * @param len     its length in bytes
 *
 * @retval XMPP_OK         taken; what comes of it is told by events
 * @retval XMPP_ERR_INVAL  stream is NULL, secret is NULL while len is not 0, or not UTF-8
 * @retval XMPP_ERR_STATE  authenticated, closing or ended, or a mechanism is computing with another one
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_stream_set_secret(xmpp_stream *stream, const char *secret, size_t len);

/**
 * There is no password: the exchange is aborted, and XMPP_EV_FAILED with XMPP_ERR_AUTH follows (RFC 6120, 6.4.4).
 *
 * @param stream  after XMPP_EV_NEED_SECRET
 *
 * @retval XMPP_OK         ended
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @retval XMPP_ERR_STATE  nobody asks
 * @since 0.1
 */
XMPP_API int xmpp_stream_refuse_secret(xmpp_stream *stream);

/**
 * Send a stanza: it is written behind the output.
 *
 * @param stream  between XMPP_EV_READY and the end
 * @param stanza  message, presence or iq in "jabber:client"; sealed by this call
 * @param now_us  the time
 *
 * @retval XMPP_OK         written to the output
 * @retval XMPP_ERR_INVAL  a parameter is NULL, or it is no stanza
 * @retval XMPP_ERR_STATE  not ready, or closing
 * @retval XMPP_ERR_LIMIT  the output is too full, or the stanza is larger than the limit here or the one that the
 *                         server announced (XEP-0478); nothing was written
 * @retval XMPP_ERR_NOMEM  out of memory; nothing was written
 * @return otherwise the first error that happened while the stanza was built
 * @since 0.1
 */
XMPP_API int xmpp_stream_send(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us);

/**
 * Close in an orderly way (RFC 6120, 4.4).
 *
 * The end tag becomes output, stanzas are still delivered until the peer's end tag or the deadline, then XMPP_EV_CLOSED
 * follows. Before xmpp_stream_open() and between XMPP_EV_START_TLS and xmpp_stream_secured() it follows at once. Again,
 * or after the end: no effect.
 *
 * @param stream  any state
 * @param now_us  the time
 *
 * @retval XMPP_OK         closing or closed
 * @retval XMPP_ERR_INVAL  stream is NULL
 * @since 0.1
 */
XMPP_API int xmpp_stream_close(xmpp_stream *stream, uint64_t now_us);

/**
 * Our full JID, as the server bound it (RFC 6120, 4.3.6).
 *
 * @param stream  any state
 *
 * @return borrowed, lives as long as the stream; NULL: not bound, or stream is NULL
 * @since 0.1
 */
XMPP_API const xmpp_jid *xmpp_stream_get_jid(const xmpp_stream *stream);

/**
 * The id in the peer's last stream header (RFC 6120, 4.7.3).
 *
 * @param stream  any state
 *
 * @return borrowed until the next call that feeds or restarts the stream; NULL: none, or stream is NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_stream_get_id(const xmpp_stream *stream);

/**
 * The SASL mechanism that was chosen last.
 *
 * @param stream  any state
 *
 * @return its name, as "SCRAM-SHA-256-PLUS", borrowed until another one is chosen; NULL: none, or stream is NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_stream_get_mechanism(const xmpp_stream *stream);

/**
 * The channel binding type that the mechanism uses.
 *
 * @param stream  any state
 *
 * @return as "tls-exporter", borrowed, lives as long as the stream; NULL: none, or stream is NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_stream_get_channel_binding(const xmpp_stream *stream);

XMPP_END_DECLS
#endif
