#ifndef CANNED_H
#define CANNED_H

#include <stddef.h>

/* The server's part of a login whose words never change: plain text to a loopback address, an anonymous account. The
 * programs that run it in a thread count the CPU time of the other thread. */

#define CANNED_DOMAIN "a.example"
#define CANNED_HOST   "127.0.0.1"

extern const char canned_header[]; /* with features: ANONYMOUS */
extern const char canned_success[];
extern const char canned_restart[]; /* header and features: resource binding */
/* The answer to the request of resource binding that is in text; 0: it is not there. */
size_t canned_bind(char *dst, size_t size, const char *text);

int canned_listen(unsigned short *ret_port); /* on a port that the system chose; exits on failure */
int canned_accept(int listener); /* a connection that is logged in; -1: it failed */
int canned_write(int fd, const char *data, size_t len); /* all of it; -1: it failed */

#endif
