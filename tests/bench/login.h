#ifndef BENCH_LOGIN_H
#define BENCH_LOGIN_H

#include <stddef.h>
#include <stdint.h>

/* The server's side of SASL, for one account whose password, salt and iterations are fixed. */

struct login {
    char first[512]; /* client-first-message-bare, ",", server-first-message */
};

void login_setup(unsigned iterations);

/* Answer <auth/> or <response/>. ret: the element to send. Returns 1 when the client is authenticated. */
int login_auth(struct login *login, const char *elem, char *ret, size_t size);
int login_response(struct login *login, const char *elem, char *ret, size_t size);

#endif
