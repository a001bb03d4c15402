#ifndef XMPP_STREAM_H
#define XMPP_STREAM_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS
/* The protocol engine: no sockets, no clock, no threads, no callbacks. UNSTABLE until 1.0. */
enum xmpp_framing { XMPP_FRAMING_STREAM = 0 };
enum xmpp_stream_event {
    XMPP_EV_NONE = 0,
    XMPP_EV_START_TLS = 1, /* put TLS below, then xmpp_stream_secured() */
    XMPP_EV_NEED_SECRET = 2, /* then xmpp_stream_set_secret() */
    XMPP_EV_READY = 3, /* bound: xmpp_stream_get_jid() */
    XMPP_EV_STANZA = 4, /* *ret_elem is set, caller unrefs */
    XMPP_EV_CLOSED = 5, /* orderly end */
    XMPP_EV_FAILED = 6, /* *ret_error is set, caller unrefs */
    XMPP_EV_AUTHENTICATING = 7, /* progress: a mechanism was chosen */
    XMPP_EV_BINDING = 8 /* progress: authenticated */
};
XMPP_API int xmpp_stream_create(xmpp_stream **ret, const xmpp_jid *jid, int framing);
XMPP_API xmpp_stream *xmpp_stream_free(xmpp_stream *stream);

/* --- configure, before xmpp_stream_open() --- */
/* 0: plain text is acceptable when the server offers no STARTTLS. Default 1. */
XMPP_API int xmpp_stream_set_tls_required(xmpp_stream *stream, int required);
XMPP_API int xmpp_stream_set_authcid(xmpp_stream *stream, const char *authcid);
XMPP_API int xmpp_stream_set_authzid(xmpp_stream *stream, const xmpp_jid *authzid);
XMPP_API int xmpp_stream_set_mechanisms(xmpp_stream *stream, const char *mechanisms);
/* 1: a client certificate was given to TLS, so EXTERNAL may be tried */
XMPP_API int xmpp_stream_set_external(xmpp_stream *stream, int available);
XMPP_API int xmpp_stream_set_lang(xmpp_stream *stream, const char *lang);
XMPP_API int xmpp_stream_set_limits(xmpp_stream *stream, size_t max_stanza_bytes,
                                    size_t max_queue_bytes);
/* the longest wait for the peer in any one step of the negotiation, and in the closing handshake */
XMPP_API int xmpp_stream_set_timeout(xmpp_stream *stream, uint64_t step_us);
XMPP_API int xmpp_stream_set_keepalive(xmpp_stream *stream, uint64_t idle_us);

XMPP_API int xmpp_stream_open(xmpp_stream *stream, uint64_t now_us);
/* bytes in; consumes everything or fails for good */
XMPP_API int xmpp_stream_feed(xmpp_stream *stream, const void *data, size_t len, uint64_t now_us);
XMPP_API int xmpp_stream_feed_eof(xmpp_stream *stream, uint64_t now_us);
/* bytes out; valid until the next call on the stream */
XMPP_API size_t xmpp_stream_peek(const xmpp_stream *stream, const void **ret_data);
XMPP_API int xmpp_stream_consume(xmpp_stream *stream, size_t len);
/* events out; call until XMPP_EV_NONE */
XMPP_API int xmpp_stream_next(xmpp_stream *stream, xmpp_elem **ret_elem, xmpp_error **ret_error);
/* time; a deadline of 0 means that computing (a slice of PBKDF2) is waiting: tick as soon as convenient */
XMPP_API uint64_t xmpp_stream_get_deadline(const xmpp_stream *stream); /* UINT64_MAX: none */
XMPP_API int xmpp_stream_tick(xmpp_stream *stream, uint64_t now_us);
/* commands in */
/* one call for each channel binding type that the TLS session has; before xmpp_stream_secured() */
XMPP_API int xmpp_stream_add_channel_binding(xmpp_stream *stream, const char *type,
                                             const void *data, size_t len);
/* TLS is up and the peer is verified: after XMPP_EV_START_TLS, or before xmpp_stream_open() for direct TLS.
 * tls_version: 0x0303, 0x0304 */
XMPP_API int xmpp_stream_secured(xmpp_stream *stream, int tls_version, uint64_t now_us);
XMPP_API int xmpp_stream_set_secret(xmpp_stream *stream, const char *secret, size_t len);
/* the password is refused by the user: the exchange is aborted */
XMPP_API int xmpp_stream_refuse_secret(xmpp_stream *stream);
XMPP_API int xmpp_stream_send(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us);
XMPP_API int xmpp_stream_close(xmpp_stream *stream, uint64_t now_us);
/* what was negotiated; NULL while unknown, borrowed */
XMPP_API const xmpp_jid *xmpp_stream_get_jid(const xmpp_stream *stream);
XMPP_API const char *xmpp_stream_get_id(const xmpp_stream *stream);
XMPP_API const char *xmpp_stream_get_mechanism(const xmpp_stream *stream);
XMPP_API const char *xmpp_stream_get_channel_binding(const xmpp_stream *stream);
XMPP_END_DECLS
#endif
