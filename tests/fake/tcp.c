#include "base/mem.h"
#include "fake/fake.h"
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define MAX_SOCKETS 128

/* What the client holds. It is never in the epoll set: fake_tcp_ready() does what epoll_wait() would. */
struct net_tcp {
    xmpp_loop *loop; /* a reference */
    struct loop_watch watch;
    struct fake_socket *peer;
    bool want_read;
    bool want_write;
    bool loopback;
    bool delivering; /* ops are on the stack */
    bool closed;
    const struct net_tcp_ops *ops;
    void *user_data;
};

struct fake_socket {
    struct net_tcp *tcp; /* NULL: closed by the client */
    char *host;
    char *in; /* for the client */
    size_t in_len;
    char *out; /* of the client */
    size_t out_len;
    size_t room;
    unsigned writes;
    int broken;
    bool ended;
    bool shut;
};

static struct fake_socket *sockets[MAX_SOCKETS];
static size_t socket_count;
static bool peers_are_local = true;

/* --- the test's side --- */

void fake_tcp_reset(void)
{
    for (size_t i = 0; i < socket_count; i++) {
        fake_require(!sockets[i]->tcp, "a socket was left open");
        free(sockets[i]->host);
        free(sockets[i]->in);
        free(sockets[i]->out);
        free(sockets[i]);
    }
    socket_count = 0;
    peers_are_local = true;
}

struct fake_socket *fake_accept(const char *host)
{
    struct fake_socket *socket = calloc(1, sizeof *socket);

    fake_require(socket && socket_count < MAX_SOCKETS, "too many sockets");
    socket->host = strdup(host);
    socket->room = SIZE_MAX;
    sockets[socket_count++] = socket;
    return socket;
}

void fake_set_loopback(bool loopback)
{
    peers_are_local = loopback;
}

size_t fake_count(void)
{
    return socket_count;
}

struct fake_socket *fake_socket(size_t index)
{
    fake_require(index < socket_count, "no such socket");
    return sockets[index];
}

struct fake_socket *fake_last(void)
{
    return socket_count > 0 ? sockets[socket_count - 1] : NULL;
}

const char *fake_host_of(const struct fake_socket *socket)
{
    return socket->host;
}

static void append(char **data, size_t *len, const void *more, size_t more_len)
{
    *data = realloc(*data, *len + more_len + 1);
    fake_require(*data, "out of memory");
    memcpy(*data + *len, more, more_len);
    *len += more_len;
    (*data)[*len] = '\0';
}

static void take(char *data, size_t *len, size_t taken)
{
    *len -= taken;
    memmove(data, data + taken, *len + 1);
}

void fake_feed(struct fake_socket *socket, const void *data, size_t len)
{
    if (len > 0)
        append(&socket->in, &socket->in_len, data, len);
}

size_t fake_unread(const struct fake_socket *socket)
{
    return socket->in_len;
}

size_t fake_peek(const struct fake_socket *socket, const char **ret_data)
{
    *ret_data = socket->out ? socket->out : "";
    return socket->out_len;
}

void fake_consume(struct fake_socket *socket, size_t len)
{
    fake_require(len <= socket->out_len, "consuming more than there is");
    if (len > 0)
        take(socket->out, &socket->out_len, len);
}

void fake_eof(struct fake_socket *socket)
{
    socket->ended = true;
}

void fake_break(struct fake_socket *socket, int number)
{
    socket->broken = number;
}

void fake_set_room(struct fake_socket *socket, size_t bytes)
{
    socket->room = bytes;
}

bool fake_is_shut(const struct fake_socket *socket)
{
    return socket->shut;
}

bool fake_is_closed(const struct fake_socket *socket)
{
    return !socket->tcp;
}

unsigned fake_writes(const struct fake_socket *socket)
{
    return socket->writes;
}

/* --- events --- */

static uint32_t pending_events(const struct net_tcp *tcp)
{
    const struct fake_socket *peer = tcp->peer;
    uint32_t events = 0;

    if (tcp->want_read && (peer->in_len > 0 || peer->ended || peer->broken))
        events |= EPOLLIN;
    if (tcp->want_write && (peer->room > 0 || peer->broken))
        events |= EPOLLOUT;
    return events;
}

void fake_tcp_ready(xmpp_loop *loop)
{
    for (size_t i = 0; i < socket_count; i++) {
        struct net_tcp *tcp = sockets[i]->tcp;
        uint32_t events = tcp && tcp->ops && tcp->loop == loop ? pending_events(tcp) : 0;

        if (events == 0)
            continue;
        tcp->watch.events = EPOLLIN | EPOLLOUT;
        tcp->watch.ready = events;
        if (!list_is_linked(&tcp->watch.link))
            list_append(&loop->ready, &tcp->watch.link);
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct net_tcp *tcp = CONTAINER_OF(watch, struct net_tcp, watch);

    fake_require(net_is_dispatching(tcp->loop), "socket events outside a dispatch");
    tcp->delivering = true;
    if (tcp->want_read && (events & EPOLLIN))
        tcp->ops->readable(tcp->user_data);
    if (!tcp->closed && tcp->want_write && (events & EPOLLOUT))
        tcp->ops->writable(tcp->user_data);
    tcp->delivering = false;
    if (tcp->closed)
        mem_free(tcp);
}

/* --- the client's side --- */

int fake_tcp_create(struct net_tcp **ret, xmpp_loop *loop, struct fake_socket *socket)
{
    struct net_tcp *tcp = mem_zalloc(sizeof *tcp);

    if (!tcp)
        return XMPP_ERR_NOMEM;
    tcp->loop = xmpp_loop_ref(loop);
    tcp->loopback = peers_are_local;
    tcp->peer = socket;
    socket->tcp = tcp;
    loop_watch_init(&tcp->watch, on_ready);
    *ret = tcp;
    return XMPP_OK;
}

void net_tcp_set_ops(struct net_tcp *tcp, const struct net_tcp_ops *ops, void *user_data)
{
    tcp->ops = ops;
    tcp->user_data = user_data;
    tcp->want_read = true;
}

int net_tcp_read(struct net_tcp *tcp, void *buf, size_t size, size_t *ret_len, int *ret_errno)
{
    struct fake_socket *peer = tcp->peer;
    size_t len = peer->in_len < size ? peer->in_len : size;

    if (peer->broken) {
        *ret_errno = peer->broken;
        return XMPP_ERR_SYSTEM;
    }
    if (len == 0 && size > 0 && peer->ended)
        return XMPP_ERR_CLOSED;
    if (len > 0) {
        memcpy(buf, peer->in, len);
        take(peer->in, &peer->in_len, len);
    }
    *ret_len = len;
    return XMPP_OK;
}

int net_tcp_write(struct net_tcp *tcp, const void *data, size_t len, size_t *ret_len,
                  int *ret_errno)
{
    struct fake_socket *peer = tcp->peer;

    fake_require(!peer->shut, "writing after a shutdown");
    peer->writes++;
    if (peer->broken) {
        *ret_errno = peer->broken;
        return XMPP_ERR_SYSTEM;
    }
    if (len > peer->room)
        len = peer->room;
    if (peer->room != SIZE_MAX)
        peer->room -= len;
    if (len > 0)
        append(&peer->out, &peer->out_len, data, len);
    *ret_len = len;
    return XMPP_OK;
}

int net_tcp_want_read(struct net_tcp *tcp, bool on)
{
    tcp->want_read = on;
    return XMPP_OK;
}

int net_tcp_want_write(struct net_tcp *tcp, bool on)
{
    tcp->want_write = on;
    return XMPP_OK;
}

void net_tcp_shutdown(struct net_tcp *tcp)
{
    tcp->peer->shut = true;
}

void net_tcp_close(struct net_tcp *tcp)
{
    if (!tcp)
        return;
    loop_watch_clear(tcp->loop, &tcp->watch);
    tcp->peer->tcp = NULL;
    tcp->loop = xmpp_loop_unref(tcp->loop);
    tcp->closed = true;
    if (!tcp->delivering)
        mem_free(tcp);
}

bool net_tcp_is_loopback(const struct net_tcp *tcp)
{
    return tcp->loopback;
}
