#include "net/tcp.h"

#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A dead peer is noticed after two minutes without traffic, and after one with unsent data. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 20
#define KEEPALIVE_PROBES     3
#define UNACKNOWLEDGED_MS    60000

#define QUICK_READS 64 /* about as many as a login has, that of EAGAIN included */

struct net_tcp {
    xmpp_loop *loop; /* a reference */
    struct loop_watch watch;
    struct net_task broken; /* set_ops() could not watch the socket */
    int fd;
    int errno_kept; /* what the next read reports */
    unsigned quick_reads; /* reads left that acknowledge at once */
    bool want_read;
    bool want_write;
    bool loopback;
    bool delivering; /* ops are on the stack: the memory stays until they return */
    bool closed;
    const struct net_tcp_ops *ops;
    void *user_data;
};

/* --- making one --- */

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value); /* the connection works without */
}

int tcp_open(const struct net_addr *addr, uint16_t port)
{
    struct sockaddr_storage storage;
    socklen_t len = addr_to_sockaddr(addr, port, &storage);
    int fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

    if (fd < 0)
        return -1;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
    /* interrupted: it goes on by itself */
    if (connect(fd, (const struct sockaddr *)&storage, len) < 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        int number = errno;

        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

/* An error is reported as readable, so that the read tells what it is; to who only writes, as writable. */
static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct net_tcp *tcp = CONTAINER_OF(watch, struct net_tcp, watch);
    bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;

    tcp->delivering = true;
    if (tcp->want_read && (failed || (events & EPOLLIN)))
        tcp->ops->readable(tcp->user_data);
    else if (tcp->want_write && failed)
        events |= EPOLLOUT;
    if (!tcp->closed && tcp->want_write && (events & EPOLLOUT))
        tcp->ops->writable(tcp->user_data);
    tcp->delivering = false;
    if (tcp->closed)
        mem_free(tcp);
}

static void on_broken(struct net_task *task)
{
    struct net_tcp *tcp = CONTAINER_OF(task, struct net_tcp, broken);

    tcp->ops->readable(tcp->user_data);
}

int tcp_create(struct net_tcp **ret, xmpp_loop *loop, int fd, const struct net_addr *peer)
{
    struct net_tcp *tcp = mem_zalloc(sizeof *tcp);

    if (!tcp)
        return XMPP_ERR_NOMEM;
    tcp->loop = xmpp_loop_ref(loop);
    tcp->fd = fd;
    tcp->quick_reads = QUICK_READS;
    tcp->loopback = addr_is_loopback(peer);
    loop_watch_init(&tcp->watch, on_ready);
    net_task_init(&tcp->broken, on_broken);
    *ret = tcp;
    return XMPP_OK;
}

/* --- events --- */

static int update_watch(struct net_tcp *tcp)
{
    return loop_watch_set(tcp->loop, &tcp->watch, tcp->fd,
                          (tcp->want_read ? EPOLLIN : 0u) | (tcp->want_write ? EPOLLOUT : 0u));
}

void net_tcp_set_ops(struct net_tcp *tcp, const struct net_tcp_ops *ops, void *user_data)
{
    tcp->ops = ops;
    tcp->user_data = user_data;
    tcp->want_read = true;
    if (update_watch(tcp) < 0) {
        tcp->errno_kept = errno;
        net_task_schedule(tcp->loop, &tcp->broken);
    }
}

static int want(struct net_tcp *tcp, bool *flag, bool on)
{
    bool before = *flag;
    int r;

    *flag = on;
    r = update_watch(tcp);
    if (r < 0)
        *flag = before;
    return r;
}

int net_tcp_want_read(struct net_tcp *tcp, bool on)
{
    return want(tcp, &tcp->want_read, on);
}

int net_tcp_want_write(struct net_tcp *tcp, bool on)
{
    return want(tcp, &tcp->want_write, on);
}

/* --- bytes --- */

/* A login is a dialogue of small messages. A server that leaves Nagle's algorithm on holds its next one back until we
 * acknowledge the last, which the kernel would do 40 ms later. The option does not last, so it is set again. */
static void acknowledge(struct net_tcp *tcp)
{
    if (tcp->quick_reads == 0)
        return;
    tcp->quick_reads--;
    set_option(tcp->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

int net_tcp_read(struct net_tcp *tcp, void *buf, size_t size, size_t *ret_len, int *ret_errno)
{
    ssize_t len;

    if (tcp->errno_kept || loop_is_forked(tcp->loop)) {
        *ret_errno = tcp->errno_kept ? tcp->errno_kept : EBADF; /* the parent's bytes stay there */
        return XMPP_ERR_SYSTEM;
    }
    if (size == 0) {
        *ret_len = 0;
        return XMPP_OK;
    }
    do
        len = recv(tcp->fd, buf, size, 0);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        *ret_errno = errno;
        return XMPP_ERR_SYSTEM;
    }
    if (len == 0)
        return XMPP_ERR_CLOSED;
    *ret_len = len > 0 ? (size_t)len : 0;
    acknowledge(tcp);
    return XMPP_OK;
}

int net_tcp_write(struct net_tcp *tcp, const void *data, size_t len, size_t *ret_len,
                  int *ret_errno)
{
    ssize_t sent;

    if (loop_is_forked(tcp->loop)) {
        *ret_errno = EBADF;
        return XMPP_ERR_SYSTEM;
    }
    do
        sent = send(tcp->fd, data, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        *ret_errno = errno;
        return XMPP_ERR_SYSTEM;
    }
    *ret_len = sent > 0 ? (size_t)sent : 0;
    return XMPP_OK;
}

void net_tcp_shutdown(struct net_tcp *tcp)
{
    if (!loop_is_forked(tcp->loop))
        (void)shutdown(tcp->fd, SHUT_WR); /* not connected any more: nothing to end */
}

void net_tcp_close(struct net_tcp *tcp)
{
    if (!tcp)
        return;
    net_task_cancel(tcp->loop, &tcp->broken);
    loop_watch_clear(tcp->loop, &tcp->watch);
    (void)close(tcp->fd);
    tcp->loop = xmpp_loop_unref(tcp->loop);
    tcp->closed = true;
    if (!tcp->delivering)
        mem_free(tcp);
}

bool net_tcp_is_loopback(const struct net_tcp *tcp)
{
    return tcp->loopback;
}
