#ifndef EXHAUST_HOSTILE_H
#define EXHAUST_HOSTILE_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A server without manners. It is a process of its own, so that its memory is not the client's. */
struct hostile {
    int listener;
    int udp; /* of the same port */
    int other; /* a port of its own; it refuses connections as long as nobody listens */
    int fd; /* the connection */
    int control; /* see hostile_order() */
    uint16_t port;
    uint16_t other_port;
    gnutls_session_t tls; /* NULL: plain text */
    char heard[8192]; /* what the client said last */
    size_t heard_len;
};

typedef void (*hostile_fn)(struct hostile *hostile);

struct hostile_proc {
    pid_t pid;
    int control;
    uint16_t port;
};

/* attack runs in the process; when it returns, that ends. */
void hostile_start(struct hostile_proc *proc, hostile_fn attack);
void hostile_stop(struct hostile_proc *proc); /* whatever it is doing */
void hostile_order(struct hostile_proc *proc); /* lets one hostile_wait() return */

/* --- for attacks. All of them end the process when the client has gone. --- */
void hostile_accept(
    struct hostile *hostile); /* closes the connection, if there is one; takes the next one */
void hostile_wait(struct hostile *hostile);
void hostile_say(struct hostile *hostile, const char *text);
void hostile_write(struct hostile *hostile, const void *data, size_t len);
/* text again and again, at least so many bytes */
void hostile_flood(struct hostile *hostile, const char *text, size_t bytes);
void hostile_hear(struct hostile *hostile, const char *text); /* reads until the client said that */
/* The same; what came before it goes into dst, as far as there is room. */
void hostile_take(struct hostile *hostile, const char *text, char *dst, size_t size);
/* Reads what comes while it writes. */
void hostile_exchange(struct hostile *hostile, const char *text);
/* Writes it again and again without reading, until it is ordered to stop. */
void hostile_clog(struct hostile *hostile, const char *text);
void hostile_linger(struct hostile *hostile); /* reads until the client closes */

void hostile_starttls(struct hostile *hostile); /* from the first byte up to <proceed/> */
void hostile_tls(struct hostile *hostile, gnutls_certificate_credentials_t creds);
void hostile_header(struct hostile *hostile); /* hears the client's header, answers with one */
void hostile_offer(struct hostile *hostile, const char *mechanisms); /* header and features */
void hostile_bind(struct hostile *hostile); /* <success/>, the new stream, the resource */
void hostile_login(struct hostile *hostile); /* all, for an anonymous client */
void hostile_end(struct hostile *hostile); /* the message that victim_is_content() waits for */

/* a lot, where it is meant to have no end: the client has to end it */
#define HOSTILE_ENDLESS ((size_t)256 * 1024 * 1024)

#endif
