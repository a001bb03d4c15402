#ifndef MISUSE_FIX_H
#define MISUSE_FIX_H

#include <stdbool.h>
#include <stddef.h>
#include <xmpp/ext/ping.h>
#include <xmpp/stream.h>
#include <xmpp/test.h>
#include <xmpp/xmpp.h>

/* One object of each kind, around a client that has come so far. */
enum fix_stage {
    FIX_IDLE,
    FIX_RESOLVING,
    FIX_CONNECTING,
    FIX_SECURING,
    FIX_AUTHENTICATING,
    FIX_BINDING,
    FIX_READY,
    FIX_CLOSING,
    FIX_ENDED, /* idle after a session */
    FIX_CERT, /* waits for a verdict */
    FIX_ASK, /* waits for a password */
    FIX_STAGES,
    FIX_BARE = FIX_STAGES /* no client and no server */
};

/* Functions of the application. */
enum fix_place {
    IN_NOTHING,
    IN_STATE,
    IN_MESSAGE,
    IN_PRESENCE,
    IN_QUESTION,
    IN_REPLY,
    IN_TIMEOUT,
    IN_CLOSED,
    IN_DRAIN,
    IN_TIMER,
    IN_IO,
    IN_POST,
    IN_POST_DESTROY,
    IN_SLOT_DESTROY,
    IN_LOG_DESTROY,
    IN_CREATE,
    IN_MODULE_DESTROY,
    IN_PONG,
    IN_ASK,
    IN_CERT,
    IN_TEST_EVENT,
    IN_TEST_STANZA,
    IN_TEST_DATA,
    FIX_PLACES
};

struct fix {
    xmpp_loop *loop;
    xmpp_test_server *server;
    xmpp_test_conn *conn; /* NULL: none */
    xmpp_client *client;
    xmpp_jid *jid;
    xmpp_elem *elem; /* a message, not sealed */
    xmpp_elem *iq; /* a request, not sealed */
    xmpp_elem *sealed; /* a request, as received */
    xmpp_slot *slot; /* a handler */
    xmpp_slot *io_slot;
    xmpp_error *error;
    xmpp_module *module;
    xmpp_ping *ping;
    xmpp_stream *stream;
    xmpp_cert *cert; /* FIX_CERT */
    xmpp_ask *ask; /* FIX_ASK */
    int fds[2]; /* connected with each other */
    unsigned destroyed; /* how often fix_on_destroy() ran */

    /* what is done inside the function of one place, the first time that it runs */
    enum fix_place place;
    void (*act)(struct fix *fix);
    unsigned ran; /* how often that place was entered */
};

void fix_create(struct fix *fix, enum fix_stage stage);
void fix_destroy(struct fix *fix);
void fix_step(struct fix *fix); /* while there is a loop */
void fix_settle(struct fix *fix); /* until nothing more happens for a moment of the loop */

extern char fix_untouched[];
#define FIX_UNTOUCHED        ((void *)fix_untouched)
#define FIX_UNTOUCHED_NUMBER 0x5a5a
void *fix_block(void); /* for xmpp_mem_free() */
xmpp_stream *fix_take_stream(struct fix *fix);
void fix_enter(struct fix *fix, enum fix_place place);

void fix_on_destroy(void *user_data);
void fix_on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                  void *user_data);
void fix_on_drain(xmpp_client *client, void *user_data);
void fix_on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                  void *user_data);
int fix_on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data);
int fix_on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data);
void fix_on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data);
void fix_on_task(xmpp_loop *loop, void *user_data);
void fix_on_io(xmpp_loop *loop, int fd, int events, void *user_data);
void fix_on_log(int level, const char *module, const char *message, size_t len, void *user_data);
void fix_on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data);
int fix_on_create(xmpp_module *module, xmpp_client *client, void **ret_data);
void *fix_realloc(void *ptr, size_t size, void *user_data);
void fix_on_event(xmpp_test_server *server, xmpp_test_conn *conn, int event, void *user_data);
int fix_on_test_data(xmpp_test_server *server, xmpp_test_conn *conn, const void *data, size_t len,
                     void *user_data);
int fix_on_test_stanza(xmpp_test_server *server, xmpp_test_conn *conn, const xmpp_elem *stanza,
                       void *user_data);

#endif
