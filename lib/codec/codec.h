#ifndef CODEC_CODEC_H
#define CODEC_CODEC_H

#include "base/buf.h"

/* A codec turns wire bytes into application bytes and back, in memory. Results: XMPP_OK or XMPP_ERR_*. */
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
