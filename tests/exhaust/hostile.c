#include "exhaust/hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                   \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define FLOOD_BYTES (64u * 1024)

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "hostile server: %s: %s\n", what, strerror(errno));
    _exit(1);
}

/* --- the process --- */

static bool open_port(int *ret_fd, int type, uint16_t *port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(*port),
    };
    socklen_t len = sizeof addr;

    *ret_fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    must(*ret_fd, "socket");
    if (bind(*ret_fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        close(*ret_fd);
        return false;
    }
    must(getsockname(*ret_fd, (struct sockaddr *)&addr, &len), "getsockname");
    *port = ntohs(addr.sin_port);
    return true;
}

/* The same port for UDP and TCP, and another one. */
static void open_ports(struct hostile *hostile)
{
    while (open_port(&hostile->udp, SOCK_DGRAM, &hostile->port) &&
           !open_port(&hostile->listener, SOCK_STREAM, &hostile->port)) {
        close(hostile->udp);
        hostile->port = 0;
    }
    must(listen(hostile->listener, 64), "listen");
    if (!open_port(&hostile->other, SOCK_STREAM, &hostile->other_port))
        must(-1, "bind");
}

static void run(struct hostile *hostile, hostile_fn attack)
{
    signal(SIGPIPE, SIG_IGN);
    attack(hostile);
    _exit(0);
}

void hostile_start(struct hostile_proc *proc, hostile_fn attack)
{
    struct hostile hostile = {.fd = -1};
    pid_t parent = getpid();
    int pair[2];

    open_ports(&hostile);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    hostile.control = pair[1];
    proc->port = hostile.port;
    proc->control = pair[0];
    proc->pid = fork();
    must(proc->pid, "fork");
    if (proc->pid == 0) {
        must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        if (getppid() != parent)
            _exit(1);
        close(pair[0]);
        run(&hostile, attack);
    }
    close(hostile.listener);
    close(hostile.udp);
    close(hostile.other);
    close(pair[1]);
}

void hostile_stop(struct hostile_proc *proc)
{
    if (proc->pid <= 0)
        return;
    kill(proc->pid, SIGKILL);
    waitpid(proc->pid, NULL, 0);
    close(proc->control);
    *proc = (struct hostile_proc){.pid = 0};
}

void hostile_order(struct hostile_proc *proc)
{
    must((int)write(proc->control, "", 1), "order");
}

void hostile_wait(struct hostile *hostile)
{
    char byte;

    if (read(hostile->control, &byte, 1) != 1)
        _exit(0);
}

void hostile_accept(struct hostile *hostile)
{
    if (hostile->tls)
        gnutls_deinit(hostile->tls);
    hostile->tls = NULL;
    hostile->heard_len = 0;
    if (hostile->fd >= 0)
        close(hostile->fd);
    hostile->fd = accept(hostile->listener, NULL, NULL);
    must(hostile->fd, "accept");
}

/* --- bytes --- */

static ssize_t send_some(struct hostile *hostile, const void *data, size_t len)
{
    ssize_t n =
        hostile->tls ? gnutls_record_send(hostile->tls, data, len) : write(hostile->fd, data, len);

    if (n < 0 && !(hostile->tls ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED
                                : errno == EAGAIN || errno == EINTR))
        _exit(0); /* the client has gone */
    return n < 0 ? 0 : n;
}

static ssize_t receive_some(struct hostile *hostile, void *dst, size_t size)
{
    ssize_t n =
        hostile->tls ? gnutls_record_recv(hostile->tls, dst, size) : read(hostile->fd, dst, size);

    if (n < 0 && (hostile->tls ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED
                               : errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        _exit(0);
    return n;
}

void hostile_write(struct hostile *hostile, const void *data, size_t len)
{
    const char *pos = data;

    while (len > 0) {
        ssize_t n = send_some(hostile, pos, len);

        pos += n;
        len -= (size_t)n;
    }
}

void hostile_say(struct hostile *hostile, const char *text)
{
    hostile_write(hostile, text, strlen(text));
}

/* The text as often as it fits; the number of bytes. */
static size_t repeat(char *block, const char *text)
{
    size_t len = strlen(text);
    size_t used = 0;

    if (len > FLOOD_BYTES)
        abort();
    for (; used + len <= FLOOD_BYTES; used += len)
        memcpy(block + used, text, len);
    return used;
}

void hostile_flood(struct hostile *hostile, const char *text, size_t bytes)
{
    static char block[FLOOD_BYTES];
    size_t len = repeat(block, text);

    for (size_t sent = 0; sent < bytes; sent += len)
        hostile_write(hostile, block, len);
}

void hostile_take(struct hostile *hostile, const char *text, char *dst, size_t size)
{
    for (;;) {
        char *found;

        hostile->heard[hostile->heard_len] = '\0';
        found = strstr(hostile->heard, text);
        if (found) {
            if (size > 0)
                snprintf(dst, size, "%.*s", (int)(found - hostile->heard), hostile->heard);
            found += strlen(text);
            hostile->heard_len -= (size_t)(found - hostile->heard);
            memmove(hostile->heard, found, hostile->heard_len + 1);
            return;
        }
        if (hostile->heard_len == sizeof hostile->heard - 1)
            abort();
        hostile->heard_len += (size_t)receive_some(hostile, hostile->heard + hostile->heard_len,
                                                   sizeof hostile->heard - 1 - hostile->heard_len);
    }
}

void hostile_hear(struct hostile *hostile, const char *text)
{
    hostile_take(hostile, text, NULL, 0);
}

static void set_blocking(const struct hostile *hostile, bool blocking)
{
    int flags = fcntl(hostile->fd, F_GETFL);

    must(flags, "F_GETFL");
    must(fcntl(hostile->fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK),
         "F_SETFL");
}

void hostile_exchange(struct hostile *hostile, const char *text)
{
    static char block[FLOOD_BYTES];
    size_t len = strlen(text);

    set_blocking(hostile, false);
    while (len > 0) {
        struct pollfd poll_fd = {.fd = hostile->fd, .events = POLLIN | POLLOUT};
        ssize_t n;

        must(poll(&poll_fd, 1, -1), "poll");
        if (poll_fd.revents & POLLIN)
            receive_some(hostile, block, sizeof block);
        n = poll_fd.revents & POLLOUT ? send_some(hostile, text, len) : 0;
        text += n;
        len -= (size_t)n;
    }
    set_blocking(hostile, true);
}

void hostile_clog(struct hostile *hostile, const char *text)
{
    static char block[FLOOD_BYTES + 1];
    size_t len = repeat(block, text);
    size_t at = 0;

    block[len] = '\0';
    set_blocking(hostile, false);
    for (;;) {
        struct pollfd fds[2] = {{.fd = hostile->control, .events = POLLIN},
                                {.fd = hostile->fd, .events = POLLOUT}};

        must(poll(fds, 2, -1), "poll");
        if (fds[0].revents)
            break;
        at = (at + (size_t)send_some(hostile, block + at, len - at)) % len;
    }
    hostile_wait(hostile);
    set_blocking(hostile, true);
    hostile_exchange(hostile, block + at); /* no text is cut */
}

void hostile_linger(struct hostile *hostile)
{
    static char block[FLOOD_BYTES];

    for (;;)
        receive_some(hostile, block, sizeof block);
}

/* --- XMPP --- */

void hostile_starttls(struct hostile *hostile)
{
    hostile_hear(hostile, "<stream:stream");
    hostile_say(hostile, HEADER "<stream:features><starttls "
                                "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    hostile_hear(hostile, "<starttls");
    hostile_say(hostile, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    hostile->heard_len = 0;
}

void hostile_tls(struct hostile *hostile, gnutls_certificate_credentials_t creds)
{
    static gnutls_datum_t key;
    int r;

    if (gnutls_init(&hostile->tls, GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET) < 0 ||
        (!key.data && gnutls_session_ticket_key_generate(&key) < 0) ||
        gnutls_session_ticket_enable_server(hostile->tls, &key) < 0 ||
        gnutls_set_default_priority(hostile->tls) < 0 ||
        gnutls_credentials_set(hostile->tls, GNUTLS_CRD_CERTIFICATE, creds) < 0)
        abort();
    gnutls_transport_set_int(hostile->tls, hostile->fd);
    do
        r = gnutls_handshake(hostile->tls);
    while (r < 0 && !gnutls_error_is_fatal(r));
    if (r < 0)
        _exit(0);
}

void hostile_header(struct hostile *hostile)
{
    hostile_hear(hostile, "<stream:stream");
    hostile_hear(hostile, ">");
    hostile_say(hostile, HEADER);
}

void hostile_offer(struct hostile *hostile, const char *mechanisms)
{
    hostile_header(hostile);
    hostile_say(hostile, "<stream:features>"
                         "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
    hostile_say(hostile, mechanisms);
    hostile_say(hostile, "</mechanisms></stream:features>");
}

void hostile_bind(struct hostile *hostile)
{
    char answer[256];
    char id[64];

    hostile_say(hostile, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    hostile_header(hostile);
    hostile_say(hostile, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                         "</stream:features>");
    hostile_hear(hostile, "<iq");
    hostile_hear(hostile, "id='");
    hostile_take(hostile, "'", id, sizeof id);
    hostile_hear(hostile, "</iq>");
    snprintf(answer, sizeof answer,
             "<iq type='result' id='%s'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
             "<jid>alice@a.example/r</jid></bind></iq>",
             id);
    hostile_say(hostile, answer);
}

void hostile_login(struct hostile *hostile)
{
    hostile_offer(hostile, "<mechanism>ANONYMOUS</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_hear(hostile, ">");
    hostile_bind(hostile);
}

void hostile_end(struct hostile *hostile)
{
    hostile_exchange(hostile, "<message type='chat'><body>end</body></message>");
    hostile_linger(hostile);
}
