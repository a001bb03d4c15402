#ifndef FUZZ_TALK_H
#define FUZZ_TALK_H

#include "fuzz/fuzz.h"

#include <xmpp/error.h>

/* What a client says and what it tells the application, with the rules that always hold. */
struct talk {
    char *out;
    size_t out_len;
    size_t out_cap;
    bool ended; /* CLOSED or FAILED was told */
    bool was_ready;
    unsigned stanzas;
    char events[256]; /* the first ones: a digit each, enum xmpp_stream_event */
    size_t event_count;
    int code; /* of FAILED */
    char condition[64];
};

void talk_out(struct talk *talk, const void *data, size_t len);
/* kind: enum xmpp_stream_event. Takes both references. */
void talk_event(struct talk *talk, int kind, xmpp_elem *elem, xmpp_error *error);
/* All that was said is XML, header by header. cut: the last bytes may be missing. */
void talk_check(const struct talk *talk, bool cut);
/* The same was said and told. */
bool talk_equal(const struct talk *a, const struct talk *b);
void talk_clear(struct talk *talk);

/* Something to send; not all of it is acceptable. */
xmpp_elem *talk_make_stanza(unsigned which);

/* Orders between the bytes of the peer: characters that XML does not allow anyway. */
enum talk_order {
    TALK_CUT = 0x01, /* what came so far is one piece */
    TALK_SECURED = 0x02, /* fuzz-stream: TLS is up. fuzz-pipe: accept the certificate */
    TALK_SECRET = 0x03,
    TALK_REFUSE = 0x04, /* the secret, or the certificate */
    TALK_SEND = 0x05, /* talk_make_stanza() of the next byte */
    TALK_CLOSE = 0x06,
    TALK_EOF = 0x07,
    TALK_WAIT = 0x08, /* 2 to the power of the next byte, in us */
    TALK_DEADLINE = 0x0b,
    TALK_CONSUME = 0x0c, /* as many bytes of the output as the next byte says; 255: all */
    TALK_DRAIN = 0x0e, /* take the events */
    TALK_RAW = 0x0f, /* the next byte is no order */
    TALK_TLS = 0x10 /* fuzz-pipe: something of TLS, by the next byte */
};

#endif
