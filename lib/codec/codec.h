#ifndef CODEC_CODEC_H
#define CODEC_CODEC_H

#include "base/buf.h"

/* A codec turns wire bytes into application bytes and back, in memory. Results: XMPP_OK or XMPP_ERR_*.
 *
 * decode() may produce output of the codec's own (handshake, alerts, answers); it is kept inside, and the next
 * encode() or close() emits it. So the rule for a driver is: after every decode() call encode(), also with an empty
 * app_in; and call encode() once at the start, which begins the handshake.
 *
 * A buf that is full is not an error but a pause: decode() stops when app_out has reached its limit, encode() when
 * wire_out has; both leave the rest where it is. Call them again when there is room: decode() also with an empty
 * wire_in, since decoded bytes may wait inside the codec.
 *
 * A negative result is final: every later decode() and encode() returns it again. What the codec had to say about
 * it (an alert) still comes out of encode() and close(). */
struct codec;

struct codec_ops {
    const char *name;
    /* takes all of wire_in that it can, appends to app_out */
    int (*decode)(struct codec *codec, struct buf *wire_in, struct buf *app_out);
    /* takes all of app_in, appends to wire_out; also emits what the codec itself has to say (handshake) */
    int (*encode)(struct codec *codec, struct buf *app_in, struct buf *wire_out);
    int (*close)(struct codec *codec, struct buf *wire_out); /* says good-bye: TLS close_notify */
    void (*free)(struct codec *codec);
};

struct codec {
    const struct codec_ops *ops;
};

#endif
