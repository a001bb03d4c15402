#ifndef CLIENT_PIPE_H
#define CLIENT_PIPE_H

#include "codec/tls.h"
#include "stream/engine.h"

/* Codecs and engine as one object with the shape of the engine, still without I/O. After a negative result of
 * pipe_feed(), pipe_set_creds(), pipe_accept() (other than XMPP_ERR_STATE) or pipe_tick(), pipe_next() gives PIPE_FAILED. */
struct pipe;

enum pipe_event {
    PIPE_NONE = 0,
    PIPE_VERIFY =
        1, /* the certificate has problems: pipe_get_tls(), then pipe_accept() or free the pipe */
    PIPE_SECURED = 2, /* TLS is up and accepted */
    PIPE_NEED_SECRET = 3,
    PIPE_AUTHENTICATING = 4,
    PIPE_BINDING = 5,
    PIPE_READY = 6,
    PIPE_STANZA = 7,
    PIPE_CLOSED = 8,
    PIPE_FAILED = 9,
    PIPE_NEED_CREDS =
        10 /* TLS begins, and there were no creds: pipe_set_creds() now, or free the pipe */
};

/* Takes the stream over (configured, not opened) and holds a reference to creds. They may be NULL unless
 * options->direct: who never begins with TLS needs none. */
int pipe_create(struct pipe **ret, xmpp_stream *stream, struct tls_creds *creds,
                const struct tls_options *options);
int pipe_set_creds(struct pipe *pipe, struct tls_creds *creds, uint64_t now_us); /* a reference */
struct pipe *pipe_free(struct pipe *pipe);
int pipe_open(struct pipe *pipe,
              uint64_t now_us); /* direct TLS if options->direct, else the stream header */
/* Wire bytes in: consumed whole, but what the engine was fed is bounded: while pipe_wants_input() is false (events
 * or decoded bytes are waiting), call pipe_next() first. */
int pipe_feed(struct pipe *pipe, const void *data, size_t len, uint64_t now_us);
bool pipe_wants_input(const struct pipe *pipe);
void pipe_feed_eof(struct pipe *pipe);
/* The connection broke, with this errno: like the end, but nobody was told. */
void pipe_break(struct pipe *pipe, int number);
/* Wire bytes out. Encodes only up to about LIMIT_FLUSH_BYTES ahead, the rest waits as plain text. */
size_t pipe_peek(struct pipe *pipe, const void **ret_data);
void pipe_consume(struct pipe *pipe, size_t len);
enum pipe_event pipe_next(struct pipe *pipe, uint64_t now_us, xmpp_elem **ret_elem,
                          xmpp_error **ret_error);
bool pipe_has_events(const struct pipe *pipe); /* pipe_next() has something to do */
/* While the certificate is being judged: it is refused, TLS says so, and nothing follows. */
void pipe_reject(struct pipe *pipe);
/* What it waits for, as words after "waiting for" */
const char *pipe_get_awaited(const struct pipe *pipe);
uint64_t pipe_get_deadline(const struct pipe *pipe);
int pipe_tick(struct pipe *pipe, uint64_t now_us);
int pipe_accept(struct pipe *pipe, uint64_t now_us);
size_t pipe_queued(const struct pipe *pipe); /* unsent bytes, plain and encoded */
bool pipe_is_secured(const struct pipe *pipe); /* TLS is up and the certificate accepted */
xmpp_stream *pipe_get_stream(struct pipe *pipe);
struct tls *pipe_get_tls(struct pipe *pipe); /* NULL before TLS */
void pipe_shrink(struct pipe *pipe); /* gives back what is empty: nothing moves at the moment */

#endif
