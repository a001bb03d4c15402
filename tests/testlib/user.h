#ifndef TESTLIB_USER_H
#define TESTLIB_USER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <xmpp/test.h>
#include <xmpp/xmpp.h>

/* A client of libxmpp, and what it was told. */
struct user {
    xmpp_client *client;
    int state; /* as told */
    unsigned idles;
    unsigned idles_seen; /* by user_wait_idle() */
    xmpp_error *error; /* of the last XMPP_STATE_IDLE */
    unsigned stanzas;
    xmpp_elem *last; /* the last stanza that no request took */
    unsigned replies;
    int reply_code;
};

extern xmpp_loop *loop;
extern xmpp_test_server *server;

int user_setup(void **state); /* loop, and a server with alice:wonder and bob:builder */
int user_teardown(void **state);
void user_open(struct user *user);
void user_close(struct user *user);
/* everything that configure_client() gives, and connects */
void user_connect(struct user *user, int transport, const char *name);
void user_wait_ready(struct user *user);
void user_wait_idle(struct user *user);
void user_login(struct user *user, int transport, const char *name);
void user_send(struct user *user, const char *xml);
void user_request(struct user *user, const char *xml, uint64_t timeout_us);
void user_wait_stanzas(struct user *user, unsigned count);
void user_wait_replies(struct user *user, unsigned count);
/* the client is idle because of this; condition may be NULL */
void user_check_error(const struct user *user, int code, int phase, const char *condition);
void user_step(void);

#define TEST(name) cmocka_unit_test_setup_teardown(name, user_setup, user_teardown)

#endif
