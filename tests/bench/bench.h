#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The small client that every library gets: main() and all measuring are in bench.c, the peer_ functions in a file of
 * each library. */

enum bench_tls { BENCH_PLAIN, BENCH_STARTTLS, BENCH_DIRECT };

struct bench_options {
    const char *mode; /* receive, send, idle, login, latency */
    unsigned short port;
    int tls;
    long count; /* stanzas, connections or logins */
    long warm; /* stanzas before measuring begins */
    long batch; /* stanzas sent in one turn of the loop */
    long slow_us; /* what the handler sleeps */
    long handlers; /* registered handlers */
    int keep; /* login: the same client object again */
    int own; /* count the library's own allocator calls */
    int alone; /* login: no other connection is open meanwhile */
    const char *ca_file; /* trusted certificates: those of the system and the server's */
    const char *ca_dir; /* the same as OpenSSL wants them */
};

extern struct bench_options bench;
extern uint64_t bench_own_allocs; /* calls that gave memory */
extern size_t bench_own_bytes; /* in use now */

#define BENCH_HOST     "127.0.0.1"
#define BENCH_DOMAIN   "localhost"
#define BENCH_JID      "bench@localhost/bench"
#define BENCH_PASSWORD "secret"
#define BENCH_FRIEND   "romeo@example.org/orchard"

/* To be called for each received stanza: its body or NULL, and whether it has the child that was looked for. */
void bench_stanza(const char *body, int has_child);

/* --- what a library has to do --- */
void peer_init(void);
void *peer_open(void); /* begins a login; exits on failure */
int peer_is_ready(void *peer);
void peer_announce(void *peer); /* sends presence */
void *peer_reopen(
    void *peer); /* drops the connection and logs in again with the same object; NULL: cannot */
void peer_step(int wait_ms); /* one turn of the loop */
int peer_send(void *peer, const char *id, const char *body); /* 0: full, come again */
void peer_close(void *peer);
void peer_extra(void *peer, const char *mode); /* prints ', "name": value' */

void bench_fail(const char *what) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
