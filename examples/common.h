/* What the examples share: options, passwords, signals, and telling a person what happened. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <stdio.h>
#include <xmpp/xmpp.h>

/* Exit codes: scripts can tell the usual failures apart. */
enum {
    EXIT_OK = 0,
    EXIT_OTHER = 1,
    EXIT_USAGE = 2,
    EXIT_PASSWORD = 3, /* wrong password, or another refusal to log in */
    EXIT_HOST = 4, /* unknown host: no such name, no such service */
    EXIT_CERTIFICATE = 5,
    EXIT_REFUSED = 6, /* nobody listens there */
    EXIT_NOT_XMPP = 7, /* somebody listens, but it is no XMPP server */
    EXIT_TIMEOUT = 8
};

struct options {
    const char *jid;
    char *server; /* host name or address, NULL: found by DNS */
    uint16_t port;
    int direct_tls;
    const char *ca_file;
    const char *dns;
    const char *password_file;
    char *password; /* got when first needed */
    uint64_t timeout_us;
    int wait; /* send: wait for an answer */
    int trace; /* wire log */
    int plain; /* plain text to loopback */
    int argc; /* what follows the options */
    char **argv;
};

/* Parses the common options; prints help or an error and exits by itself. usage: "echobot [options] JID" */
void options_parse(struct options *options, int argc, char **argv, const char *usage,
                   const char *about);

/* A client with everything that the options say, the password included (from the file, from XMPP_PASSWORD, or asked
 * for on the terminal; never from the command line, where every user of the machine could read it). */
int client_from_options(xmpp_client **ret, xmpp_loop *loop, struct options *options);

void options_clear(struct options *options); /* wipes the password */

/* A state function that prints each step of the connection. */
void print_step(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                void *user_data);

/* Prints to stderr what went wrong, where, what was tried and what to do about it; returns the exit code. */
int explain(const char *program, const xmpp_error *error);

/* Text of others to a terminal: what moves the cursor or turns the direction of writing is escaped, but not the controls
 * in keep. */
void print_escaped(FILE *file, const char *text, size_t len, const char *keep);

/* Runs the loop until the client is idle again. SIGINT and SIGTERM disconnect the client first; a second one quits. */
int run(xmpp_loop *loop, xmpp_client *client);

#endif
