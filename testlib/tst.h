#ifndef TESTLIB_TST_H
#define TESTLIB_TST_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/client.h>
#include <xmpp/elem.h>
#include <xmpp/error.h>
#include <xmpp/jid.h>
#include <xmpp/loop.h>
#include <xmpp/slot.h>
#include <xmpp/test.h>

/* What the files of this library share. Everything stands on the public headers of libxmpp; names begin with tst_, so
 * that the static libraries can be linked together. Memory comes from the C library and not from the allocator of
 * libxmpp: a test that makes that one fail means the client. Running out of it ends the connection (tst_buf.failed). */

#define TST_NS_CLIENT  "jabber:client"
#define TST_NS_STREAM  "http://etherx.jabber.org/streams"
#define TST_NS_STREAMS "urn:ietf:params:xml:ns:xmpp-streams"
#define TST_NS_TLS     "urn:ietf:params:xml:ns:xmpp-tls"
#define TST_NS_SASL    "urn:ietf:params:xml:ns:xmpp-sasl"
#define TST_NS_CB      "urn:xmpp:sasl-cb:0"
#define TST_NS_BIND    "urn:ietf:params:xml:ns:xmpp-bind"
#define TST_NS_SESSION "urn:ietf:params:xml:ns:xmpp-session"
#define TST_NS_PING    "urn:xmpp:ping"
#define TST_NS_WRONG   "urn:example:wrong"

#define TST_MAX_ELEM     (16u * 1024 * 1024) /* bytes of one element of the client */
#define TST_MAX_QUEUE    (256u * 1024 * 1024) /* unsent bytes of one connection */
#define TST_MAX_RECEIVED 10000u /* elements that one connection keeps */
#define TST_FAULTS       18 /* one more than the largest enum xmpp_test_fault */
#define TST_POINTS       15 /* one more than the largest enum xmpp_test_point */
#define TST_CERTS        7
#define TST_CERT_CLIENT  7 /* and TST_CERT_CA: for make_crt() alone */
#define TST_TRANSPORTS   3
#define TST_STATS        7
#define TST_SALT         16

/* --- buf.c: bytes, with a NUL behind them; running out of memory sticks --- */
struct tst_buf {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};
void tst_buf_add(struct tst_buf *buf, const void *data, size_t len);
void tst_buf_str(struct tst_buf *buf, const char *str);
void tst_buf_printf(struct tst_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tst_buf_escape(struct tst_buf *buf, const char *str); /* as XML text or attribute value */
void tst_buf_base64(struct tst_buf *buf, const void *data, size_t len);
void tst_buf_consume(struct tst_buf *buf, size_t len);
void tst_buf_clear(struct tst_buf *buf);
bool tst_has_word(const char *words, const char *word, size_t len); /* separated by spaces */

/* --- certs.c --- */
struct tst_file { /* memory that looks like a file */
    int fd; /* -1: none */
    char path[64];
};
void tst_file_clear(struct tst_file *file);
struct tst_certs {
    gnutls_x509_privkey_t key; /* of the leaves, and of the authority */
    gnutls_x509_crt_t ca;
    gnutls_certificate_credentials_t creds[TST_CERTS]; /* made when first used */
    struct tst_file file; /* the authority as PEM */
};
int tst_certs_init(struct tst_certs *certs);
void tst_certs_clear(struct tst_certs *certs);
void tst_certs_forget(struct tst_certs *certs); /* the leaves */
gnutls_certificate_credentials_t tst_certs_get(struct tst_certs *certs, int kind,
                                               const char *domain);
/* the certificate of a client and its key, as PEM */
int tst_certs_make_client(struct tst_certs *certs, const char *address, struct tst_file *cert,
                          struct tst_file *key);
/* The address in the certificate that the client has shown, if that is one of ours. malloc(). */
char *tst_certs_read_peer(gnutls_session_t tls);

/* --- reader.c: cuts what the client says into pieces --- */
enum tst_piece { TST_NOTHING, TST_HEADER, TST_ELEM, TST_END, TST_BAD };
struct tst_reader {
    struct tst_buf in;
    size_t pos; /* scanned */
    size_t taken; /* the last piece, dropped by the next call */
    size_t depth; /* 1: inside the stream */
    struct tst_buf header; /* start tag of the stream */
    char name[32]; /* of the stream, with prefix */
};
/* ret_text is borrowed until the next call */
enum tst_piece tst_reader_next(struct tst_reader *reader, const char **ret_text, size_t *ret_len);
/* the piece as a sealed tree of its own; a header without children */
int tst_reader_parse(const struct tst_reader *reader, enum tst_piece piece, const char *text,
                     size_t len, xmpp_elem **ret);
void tst_reader_clear(struct tst_reader *reader);

/* --- match.c --- */
/* *ret_pattern pins its tree; XMPP_ERR_* of xmpp_elem_parse() */
int tst_pattern_parse(const char *text, const xmpp_elem **ret_pattern);
bool tst_match(const xmpp_elem *pattern, const xmpp_elem *elem, char *captures[10]);
void tst_captures_clear(char *captures[10]);

/* --- script.c --- */
enum tst_step_kind {
    TST_STEP_CLIENT,
    TST_STEP_CLIENT_END,
    TST_STEP_SERVER,
    TST_STEP_IGNORE,
    TST_STEP_WAIT,
    TST_STEP_TLS,
    TST_STEP_ACTION
};
struct tst_step {
    enum tst_step_kind kind;
    unsigned line;
    char *text;
    const xmpp_elem *pattern;
    uint64_t us;
    int action;
};
struct tst_script {
    struct tst_script *next; /* in the server's queue */
    int from;
    struct tst_step *steps;
    size_t count;
    size_t at;
    char *captures[10];
    bool begun;
};
/* XMPP_ERR_INVAL: the reason was noted in the server */
int tst_script_parse(xmpp_test_server *server, const char *text, struct tst_script **ret);
struct tst_script *tst_script_free(struct tst_script *script);
void tst_script_begin(xmpp_test_conn *conn); /* takes the next one of the queue, if it is for now */
void tst_script_go_on(xmpp_test_conn *conn); /* runs all steps up to the next that waits */
/* does the script deal with it? */
bool tst_script_take(xmpp_test_conn *conn, enum tst_piece piece, const xmpp_elem *elem);
void tst_script_lost(xmpp_test_conn *conn); /* the connection has ended */

/* --- scram.c --- */
struct tst_scram {
    const char *hash; /* "1", "256", "512" */
    bool plus;
    struct tst_buf gs2; /* header of the client's first message */
    struct tst_buf bare; /* the rest of it */
    struct tst_buf first; /* the server's first message */
    struct tst_buf nonce;
    char *user;
    int64_t iterations;
    unsigned char salt[TST_SALT];
    unsigned step;
};
/* The answer to one message of the client. Returns a condition of RFC 6120, 6.5, or NULL: reply is the next message,
 * and *ret_done says whether it ends the exchange. */
const char *tst_scram_answer(xmpp_test_conn *conn, const struct tst_buf *in, struct tst_buf *reply,
                             bool *ret_done);
void tst_scram_clear(struct tst_scram *scram);

/* --- the objects --- */
struct tst_plan {
    int action; /* 0: none */
    char *text;
};

struct tst_account {
    struct tst_account *next;
    char *user;
    char *password;
    unsigned char salt[TST_SALT]; /* of this password */
    struct tst_file cert; /* made when first asked for */
    struct tst_file key;
};

struct xmpp_test_conn {
    xmpp_test_server *server;
    unsigned number; /* from 1 */
    int transport;
    int fd; /* -1: closed */
    xmpp_slot *io;
    int events;
    xmpp_slot *delay;
    bool delayed; /* the delay of the next write is over */
    xmpp_slot *wait; /* of a script */
    bool waiting;
    uint64_t random;

    int64_t faults[TST_FAULTS];
    struct tst_plan plans[TST_POINTS];
    int cert;
    int tls_version;

    gnutls_session_t tls;
    bool tls_open;
    bool tls_ended; /* by the client */
    char *peer; /* address in the client's certificate; NULL: it has shown none */
    struct tst_buf wire_in; /* for TLS */
    struct tst_buf plain_out; /* for TLS, before the handshake is done */
    struct tst_buf wire_out;
    struct tst_reader reader;

    unsigned headers; /* sent */
    bool opened; /* our header of the current stream was sent */
    bool silent;
    bool stopped; /* not one more byte */
    bool closing; /* when wire_out is empty, no more is sent */
    bool ended; /* no session any more; what comes in is dropped */
    bool told; /* XMPP_TEST_EVENT_CLOSED */
    bool cb_offered;
    bool authenticated;
    bool ready;
    bool available; /* presence was sent */
    char *user; /* NULL: anonymous */
    struct tst_scram scram;
    bool scram_active;
    xmpp_jid *jid;

    struct tst_script *script;
    bool scripted; /* from the first byte: the server itself does nothing */
    xmpp_elem **received;
    size_t received_count;
    size_t received_cap;
    uint64_t stats[TST_STATS];
};

struct tst_listener {
    int fd; /* -1: none */
    uint16_t port;
    xmpp_slot *io;
};

struct xmpp_test_server {
    xmpp_slot *life; /* its references are those of the server */
    xmpp_loop *loop;
    char *domain;
    char *mechanisms; /* NULL: all */
    char *bindings; /* NULL: those of the session */
    int tls_version;
    int cert;
    struct tst_account *accounts;
    struct tst_certs certs;
    struct tst_listener listeners[2][TST_TRANSPORTS]; /* of IPv4 and IPv6 */
    bool ipv6; /* those are meant */
    int64_t faults[TST_FAULTS];
    struct tst_plan plans[TST_POINTS];
    xmpp_test_conn **conns;
    size_t conn_count;
    size_t conn_cap;
    uint64_t stats[TST_STATS];
    unsigned last_anonymous;

    unsigned entered; /* callbacks of the loop that run */
    bool dirty; /* a connection has ended, or failed for memory */
    struct tst_script *scripts; /* waiting for a connection */
    size_t running; /* scripts of connections */
    bool finished_told;
    bool failed;
    bool failed_told;
    struct tst_buf error;

    xmpp_test_stanza_fn stanza_fn;
    void *stanza_data;
    xmpp_destroy_fn stanza_destroy;
    xmpp_test_event_fn event_fn;
    void *event_data;
    xmpp_destroy_fn event_destroy;
    xmpp_test_data_fn data_fn;
    void *data_data;
    xmpp_destroy_fn data_destroy;
};

/* --- server.c --- */
void tst_server_fail(xmpp_test_server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* the first one is kept */
void tst_server_event(xmpp_test_server *server, xmpp_test_conn *conn, int event);
/* Around each callback of the loop: what the application is to be told is told at its end. */
void tst_server_enter(xmpp_test_server *server);
void tst_server_leave(xmpp_test_server *server);
void tst_count(xmpp_test_conn *conn, int stat, uint64_t n);
const struct tst_account *tst_server_account(const xmpp_test_server *server,
                                             const char *user); /* NULL: none */
const char *tst_server_password(const xmpp_test_server *server, const char *user); /* NULL: none */

/* --- listen.c --- */
void tst_listen_init(xmpp_test_server *server);
void tst_listen_clear(xmpp_test_server *server);

/* --- conn.c --- */
int tst_conn_create(xmpp_test_server *server, int transport, int fd);
void tst_conn_free(xmpp_test_conn *conn);
void tst_conn_put(xmpp_test_conn *conn, const void *data, size_t len); /* plain text */
void tst_conn_say(xmpp_test_conn *conn, const char *text);
void tst_conn_printf(xmpp_test_conn *conn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tst_conn_raw(xmpp_test_conn *conn, const void *data,
                  size_t len); /* below TLS that is not up yet */
/* plain text of the client; what the test passes goes to the reader, or to TLS if the test has begun that */
void tst_conn_take(xmpp_test_conn *conn, const void *data, size_t len);
void tst_conn_process(xmpp_test_conn *conn); /* pieces that are complete */
void tst_conn_settle(xmpp_test_conn *conn);
void tst_conn_over(xmpp_test_conn *conn); /* no session any more */
void tst_conn_update(xmpp_test_conn *conn); /* what the descriptor is waited for */
bool tst_conn_has_failed(const xmpp_test_conn *conn); /* memory */
int tst_conn_hand_over(xmpp_test_conn *conn, const xmpp_elem *elem); /* as XML, counted */
xmpp_test_conn *tst_conn_find(const xmpp_test_server *server, const xmpp_jid *jid);

/* --- wire.c: from wire_out to the socket, and the end of it --- */
void tst_wire_flush(xmpp_test_conn *conn);
void tst_wire_lost(xmpp_test_conn *conn); /* the client has ended it */
void tst_wire_drop(xmpp_test_conn *conn); /* FIN now */
void tst_wire_reset(xmpp_test_conn *conn); /* RST now */
void tst_wire_close_fd(xmpp_test_conn *conn);

/* --- tls.c --- */
int tst_tls_start(xmpp_test_conn *conn);
/* wire_in to the reader; XMPP_ERR_TLS: over */
int tst_tls_run(xmpp_test_conn *conn);
int tst_tls_write(xmpp_test_conn *conn, const void *data, size_t len);
/* false: the session has no such binding */
bool tst_tls_binding(const xmpp_test_conn *conn, const char *type, gnutls_datum_t *ret);

/* --- fault.c --- */
bool tst_has_fault(const xmpp_test_conn *conn, int fault); /* a flag */
bool tst_is_wrong_at(const xmpp_test_conn *conn, int point); /* XMPP_TEST_FAULT_WRONG_NAMESPACE */
/* true: something else happened instead */
bool tst_plan_at(xmpp_test_conn *conn, int point);
bool tst_is_action(int action, const char *text); /* 0 too */
void tst_act(xmpp_test_conn *conn, int action, const char *text);
void tst_stream_error(xmpp_test_conn *conn, const char *condition);
void tst_send_end(xmpp_test_conn *conn); /* stream, TLS, TCP */

/* --- login.c, auth.c, route.c --- */
void tst_login_header(xmpp_test_conn *conn, const xmpp_elem *header);
void tst_login_tls(xmpp_test_conn *conn); /* what follows is TLS */
void tst_login_elem(xmpp_test_conn *conn, const xmpp_elem *elem);
bool tst_auth_elem(xmpp_test_conn *conn, const xmpp_elem *elem); /* false: not of SASL */
bool tst_auth_wants_cert(const xmpp_test_server *server);
void tst_auth_offer(xmpp_test_conn *conn, struct tst_buf *features);
void tst_route(xmpp_test_conn *conn, const xmpp_elem *stanza);
void tst_route_gone(xmpp_test_conn *conn); /* presence for the others */

#endif
