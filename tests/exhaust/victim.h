#ifndef EXHAUST_VICTIM_H
#define EXHAUST_VICTIM_H

#include "exhaust/hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <xmpp/xmpp.h>

#include <cmocka.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* A sanitized program is slow: cases that are about a number go on for less. */
#ifdef __SANITIZE_ADDRESS__
#define EXHAUST_SHARE 10
#else
#define EXHAUST_SHARE 1
#endif

/* A client under attack and what it has seen. */
struct victim {
    xmpp_loop *loop;
    xmpp_client *client;
    struct hostile_proc server;
    int ready; /* how often that was told */
    int idle;
    xmpp_error *error; /* of the last change to idle */
    unsigned messages;
    bool ended; /* the message of hostile_end() has come */
    size_t queued; /* the most that was seen */
};

enum case_flags {
    CASE_PASSWORD = 1, /* alice@a.example logs in, with a password; else an anonymous user */
    CASE_TLS = 2, /* TLS from the first byte */
    CASE_STARTTLS = 4,
    CASE_LOOKUP = 8 /* the hostile server is the name server */
};

/* One row of the table in doc/testing.md. */
struct exhaust_case {
    const char *name;
    const char *peer; /* what it does */
    const char *limit; /* what it meets */
    size_t own; /* the most bytes that the library may have allocated for that */
    size_t all; /* and with all libraries below it, the client and the loop included */
    int code; /* enum xmpp_err that ends the connection; XMPP_OK: the session goes on */
    int phase; /* enum xmpp_phase */
    const char *condition; /* NULL: none */
    const char *text; /* part of the error's text */
    int flags;
    /* The server says "before", and then "again" without end: to the header of the client, ... */
    enum { AT_HEADER, AT_READY } at;
    const char *before;
    const char *again;
    hostile_fn attack; /* or it does this */
    /* what the client does, from connecting to its end; NULL: it waits for that, or for hostile_end() */
    void (*run)(struct victim *victim);
};

/* main() of a group of cases. "--table" prints their rows. */
int exhaust_main(int argc, char **argv, const char *group, const struct exhaust_case *cases,
                 size_t count, CMFixtureFunction warm_up);
/* What libraries do once is not the fault of the first case: one login in plain text, one with TLS. */
int exhaust_warm_up(void **state);

/* --- for run --- */
void victim_create(struct victim *victim, int flags);
void victim_connect(struct victim *victim);
/* Runs the loop until done; fails after a minute. */
void victim_run(struct victim *victim, bool (*done)(const struct victim *victim));
bool victim_is_ready(const struct victim *victim);
bool victim_is_idle(const struct victim *victim);
bool victim_is_content(const struct victim *victim); /* the message of hostile_end() has come */

#endif
