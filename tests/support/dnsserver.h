#ifndef SUPPORT_DNSSERVER_H
#define SUPPORT_DNSSERVER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* tests/support/dns.py as a child of the test: it ends with the test, whatever becomes of that. */
struct dns_proc {
    pid_t pid;
    int stdin_fd;
    FILE *out; /* with log: a line "NAME TYPE udp|tcp" for each question */
    char servers[32]; /* for xmpp_loop_set_dns_servers(): "127.0.0.1:PORT" */
};

/* zone: JSON or a file name. The script is found through DNS_PY in the environment, or from tests/unit. */
bool dns_proc_start(struct dns_proc *proc, const char *zone, bool log);
void dns_proc_stop(struct dns_proc *proc);

#endif
