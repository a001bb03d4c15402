#include "client/socket.h"

#include "base/error.h"
#include "base/limits.h"

#include <errno.h>
#include <xmpp/client.h>

#define READ_BYTES (16u * 1024)

static bool wants_read(const struct socket *socket)
{
    return !socket->ended && pipe_wants_input(socket->pipe) &&
           (socket->write_errno || pipe_queued(socket->pipe) <= socket->max_unsent);
}

static void on_readable(void *user_data)
{
    struct socket *socket = user_data;
    uint8_t bytes[READ_BYTES];
    size_t len;
    int number;

    if (!wants_read(socket)) {
        socket->wake(socket->user_data); /* watches less then */
        return;
    }
    socket->stats[XMPP_STAT_READS]++;
    int r = net_tcp_read(socket->tcp, bytes, sizeof bytes, &len, &number);
    if (r == XMPP_OK && len == 0 && !socket->write_errno)
        return;
    if (r == XMPP_OK && len > 0) {
        socket->stats[XMPP_STAT_BYTES_IN] += len;
        if (socket->asked)
            socket->stats[XMPP_STAT_ROUND_TRIPS]++;
        socket->asked = false;
        (void)pipe_feed(socket->pipe, bytes, len, net_now(socket->loop)); /* fails by an event */
    } else {
        socket->ended = true;
        if (r != XMPP_ERR_CLOSED)
            pipe_break(socket->pipe, r == XMPP_OK ? socket->write_errno : number);
        else
            pipe_feed_eof(socket->pipe);
    }
    socket->wake(socket->user_data);
}

static void on_writable(void *user_data)
{
    struct socket *socket = user_data;

    socket->write_blocked = false;
    socket->wake(socket->user_data);
}

static const struct net_tcp_ops tcp_ops = {.readable = on_readable, .writable = on_writable};

void socket_init(struct socket *socket, xmpp_loop *loop, uint64_t *stats,
                 void (*wake)(void *user_data), void *user_data)
{
    *socket = (struct socket){
        .loop = loop,
        .stats = stats,
        .wake = wake,
        .user_data = user_data,
    };
}

void socket_open(struct socket *socket, struct net_tcp *tcp, struct pipe *pipe, size_t max_unsent)
{
    socket->tcp = tcp;
    socket->pipe = pipe;
    socket->max_unsent = max_unsent;
    socket->reading = true;
    socket->write_blocked = false;
    socket->asked = false;
    socket->write_errno = 0;
    socket->ended = false;
    net_tcp_set_ops(tcp, &tcp_ops, socket);
}

void socket_close(struct socket *socket)
{
    if (!socket->tcp)
        return;
    net_tcp_shutdown(socket->tcp);
    net_tcp_close(socket->tcp);
    socket->tcp = NULL;
    socket->pipe = pipe_free(socket->pipe);
}

void socket_flush(struct socket *socket)
{
    const void *data;
    size_t len;

    while (!socket->write_blocked && !socket->write_errno &&
           (len = pipe_peek(socket->pipe, &data)) > 0) {
        size_t written;
        int number;

        socket->stats[XMPP_STAT_WRITES]++;
        int r = net_tcp_write(socket->tcp, data, len, &written, &number);
        if (r < 0) {
            socket->write_errno = r == XMPP_ERR_SYSTEM ? number : EPIPE;
            return;
        }
        if (written > 0) {
            socket->stats[XMPP_STAT_BYTES_OUT] += written;
            socket->asked = true;
            pipe_consume(socket->pipe, written);
        }
        socket->write_blocked = written < len;
    }
}

int socket_watch(struct socket *socket)
{
    bool reading = wants_read(socket);

    if (reading != socket->reading) {
        int r = net_tcp_want_read(socket->tcp, reading);
        if (r < 0)
            return r;
        socket->reading = reading;
    }
    return net_tcp_want_write(socket->tcp, socket->write_blocked);
}
