#include "support/dnsserver.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_script(const int in[2], const int out[2], const char *zone, bool log)
{
    const char *script = getenv("DNS_PY");

    dup2(in[0], 0);
    dup2(out[1], 1);
    execl("/usr/bin/python3", "/usr/bin/python3", script ? script : "../support/dns.py", zone,
          log ? "--log" : NULL, (char *)NULL);
    _exit(127);
}

bool dns_proc_start(struct dns_proc *proc, const char *zone, bool log)
{
    int in[2];
    int out[2];
    int port = 0;

    if (pipe2(in, O_CLOEXEC) < 0)
        return false;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    proc->pid = fork();
    if (proc->pid == 0)
        run_script(in, out, zone, log);
    close(in[0]);
    close(out[1]);
    proc->stdin_fd = in[1];
    proc->out = fdopen(out[0], "r");
    if (proc->pid < 0 || !proc->out || fscanf(proc->out, "%d", &port) != 1 ||
        fgetc(proc->out) != '\n') {
        dns_proc_stop(proc);
        return false;
    }
    snprintf(proc->servers, sizeof proc->servers, "127.0.0.1:%d", port);
    return true;
}

void dns_proc_stop(struct dns_proc *proc)
{
    if (proc->stdin_fd > 0)
        close(proc->stdin_fd);
    if (proc->out)
        fclose(proc->out);
    if (proc->pid > 0)
        waitpid(proc->pid, NULL, 0);
    memset(proc, 0, sizeof *proc);
}
