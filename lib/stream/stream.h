#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sasl/select.h"
#include "stream/engine.h"
#include "xml/ns.h"
#include "xml/parse.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>
#include <xmpp/stream.h>

/* What the stream waits for. */
enum stream_state {
    STREAM_IDLE = 0, /* being configured */
    STREAM_HEADER = 1, /* the peer's header */
    STREAM_FEATURES = 2,
    STREAM_PROCEED = 3, /* the answer to <starttls/> */
    STREAM_HANDSHAKE = 4, /* xmpp_stream_secured(): not one byte may come in, none goes out */
    STREAM_SECRET = 5, /* xmpp_stream_set_secret() */
    STREAM_WORK = 6, /* xmpp_stream_tick(): the mechanism computes */
    STREAM_AUTH = 7, /* challenge, success or failure */
    STREAM_BIND = 8,
    STREAM_SESSION = 9,
    STREAM_READY = 10,
    STREAM_CLOSING = 11, /* our end tag is out, the peer's is not in */
    STREAM_ENDED = 12 /* the last event is queued, or was taken */
};
#define STREAM_STATES 13

struct stream_event {
    int kind; /* enum xmpp_stream_event */
    xmpp_elem *elem;
};

/* Events in order; a ring. The last event of a stream has a place of its own, so that it needs no memory. */
struct stream_queue {
    struct stream_event *slots;
    size_t cap;
    size_t head;
    size_t count;
};

/* How far the current mechanism has come, to know what to repeat when a secret was missing. */
enum auth_at { AUTH_START = 0, AUTH_STEP = 1 };

struct auth {
    struct sasl *sasl;
    struct sasl_params params;
    struct sasl_choice choice; /* its name: borrowed from the features */
    char *ssdp;
    struct buf in; /* a challenge that waits for the secret */
    enum auth_at at;
    bool has_initial; /* an initial response exists, though it may be empty */
    bool sent; /* <auth/> is out */
    bool final; /* <success/> is in */
    unsigned steps;
    const char *tried[LIMIT_SASL_ATTEMPTS]; /* borrowed from the features, or static */
    size_t tried_count;
    xmpp_error *failure; /* of the last mechanism that the peer rejected */
};

struct xmpp_stream {
    /* configuration */
    xmpp_jid *jid;
    char *authcid;
    xmpp_jid *authzid;
    char *wanted_mechanisms;
    char *lang;
    struct secret *secret;
    struct sasl_keys *keys;
    bool tls_required;
    bool external;
    bool no_plain;
    size_t max_stanza_bytes;
    size_t max_queue_bytes;
    uint64_t step_us;
    uint64_t idle_us; /* 0: no keepalive */
    engine_trace_fn trace;
    void *trace_data;

    /* what was reached */
    enum stream_state state;
    bool secured;
    bool authenticated;
    bool was_ready;
    bool close_sent;
    bool used_strong;
    int tls_version;
    struct sasl_binding *bindings; /* their members are owned */
    size_t binding_count;
    char *mechanism;
    const char *cb_type; /* borrowed from bindings */
    xmpp_jid *bound;

    /* of the stream since its last header (CORE-12) */
    struct parse *parse;
    bool fresh; /* nothing but white space was fed to parse */
    char *id;
    bool foreign; /* the peer's from is not our domain */
    xmpp_elem *features;
    uint64_t peer_max_bytes; /* XEP-0478; UINT64_MAX: none */
    uint64_t peer_idle_us;
    struct auth auth;
    char iq_id[17]; /* of the request that is out: bind or session */
    bool resource_sent;
    bool resource_refused;
    bool session_done;

    struct buf out;
    struct stream_queue queue;
    int terminal; /* XMPP_EV_CLOSED, XMPP_EV_FAILED, or 0 */
    xmpp_error *failure; /* of XMPP_EV_FAILED */

    uint64_t now;
    uint64_t deadline; /* of the state */
    bool unarmed; /* the deadline starts at the next call that knows the time */
    uint64_t last_sent;
    uint64_t received;
    uint64_t sent;
};

DEFINE_CLEANUP(xmpp_elem, xmpp_elem_unref)
DEFINE_CLEANUP(xmpp_jid, xmpp_jid_unref)

/* Internal functions return XMPP_OK also when they ended the stream: the state tells. A negative result (out of
 * memory, a failing random generator) makes the public entry end the stream with that code. */

/* --- stream.c --- */
/* Every public call that may move the stream begins and ends with these. */
void stream_set_clock(xmpp_stream *stream, uint64_t now_us);
void stream_settle(xmpp_stream *stream, int r);
int stream_phase(const xmpp_stream *stream); /* enum xmpp_phase */
void stream_wait(xmpp_stream *stream, enum stream_state state); /* new state, new deadline */
int stream_push(xmpp_stream *stream, int kind, xmpp_elem *elem /* taken over on success */);
/* The last event; takes error over. Drops what only a living stream needs. */
void stream_end(xmpp_stream *stream, int kind, xmpp_error *error);
int stream_put(xmpp_stream *stream, const char *text, size_t len); /* appends and traces */
int stream_put_elem(xmpp_stream *stream, xmpp_elem *elem); /* the same; seals */
void stream_trace(const xmpp_stream *stream, bool outgoing, const char *text, size_t len);
void stream_trace_elem(const xmpp_stream *stream, bool outgoing, const xmpp_elem *elem);
void stream_unexpected(xmpp_stream *stream, const xmpp_elem *elem);
void stream_ready(xmpp_stream *stream);

/* --- open.c: headers --- */
int open_start(xmpp_stream *stream); /* a new parser, our header */
void open_forget(xmpp_stream *stream); /* what the last header brought */
int open_receive(xmpp_stream *stream, const xmpp_elem *header);
bool open_check(xmpp_stream *stream); /* what may wait for the features; false: the stream ended */
/* Why what came instead of a stream header is none, with its beginning: other protocols are known by it. */
xmpp_error *open_explain(const xmpp_stream *stream, int code, const char *reason, const char *data,
                         size_t len);

/* --- features.c --- */
int features_receive(xmpp_stream *stream, const xmpp_elem *elem);
int features_next(xmpp_stream *stream); /* the next step, or READY */

/* --- the steps --- */
int starttls_begin(xmpp_stream *stream, const xmpp_elem *feature);
int starttls_receive(xmpp_stream *stream, const xmpp_elem *elem);
int auth_begin(xmpp_stream *stream, const xmpp_elem *feature);
int auth_receive(xmpp_stream *stream, const xmpp_elem *elem);
int auth_continue(xmpp_stream *stream); /* the secret is there */
int auth_work(xmpp_stream *stream);
void auth_refuse(xmpp_stream *stream);
void auth_drop(xmpp_stream *stream); /* the mechanism and what belongs to it */
void auth_clear(xmpp_stream *stream); /* everything, the tried names too */
int bind_begin(xmpp_stream *stream, const xmpp_elem *feature);
int bind_begin_session(xmpp_stream *stream, const xmpp_elem *feature);
int bind_receive(xmpp_stream *stream, const xmpp_elem *elem);

/* --- serror.c: all take error over --- */
/* Ends the stream, politely where the peer can still read us. */
void serror_fail(xmpp_stream *stream, xmpp_error *error);
/* The same after telling the peer why. condition: one of RFC 6120 4.9.3, static. */
void serror_send(xmpp_stream *stream, xmpp_error *error, const char *condition);
void serror_receive(xmpp_stream *stream, const xmpp_elem *elem);
/* The name of the condition element in ns below elem; NULL: none. Borrowed from elem. */
const char *serror_find_condition(const xmpp_elem *elem, const char *ns);
bool serror_is_known(const char *condition);
/* The answering or first end tag; without memory for it the peer has to do without. */
void serror_close_tag(xmpp_stream *stream);

#endif
