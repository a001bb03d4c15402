#include "tst.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void tst_listen_init(xmpp_test_server *server)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < TST_TRANSPORTS; k++)
            server->listeners[i][k].fd = -1;
}

void tst_listen_clear(xmpp_test_server *server)
{
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < TST_TRANSPORTS; k++) {
            struct tst_listener *listener = &server->listeners[i][k];

            xmpp_slot_unref(listener->io);
            if (listener->fd >= 0)
                (void)close(listener->fd);
        }
    }
}

static int transport_of(const xmpp_test_server *server, int fd)
{
    for (int k = 0; k < TST_TRANSPORTS; k++)
        if (server->listeners[0][k].fd == fd || server->listeners[1][k].fd == fd)
            return k;
    return XMPP_TEST_PLAIN; /* there is no other listener */
}

static void on_accept(xmpp_loop *loop, int fd, int events, void *user_data)
{
    xmpp_test_server *server = user_data;
    int conn_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)loop;
    (void)events;
    if (conn_fd < 0)
        return;
    tst_server_enter(server);
    if (tst_conn_create(server, transport_of(server, fd), conn_fd) < 0) {
        tst_server_fail(server, "out of memory");
        (void)close(conn_fd);
    }
    tst_server_leave(server);
}

static int open_socket(bool is_ipv6, uint16_t *ret_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *address = is_ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t len = is_ipv6 ? sizeof v6 : sizeof v4;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, address, len) < 0 || listen(fd, 128) < 0 || getsockname(fd, address, &len) < 0) {
        (void)close(fd);
        return -1;
    }
    *ret_port = ntohs(is_ipv6 ? v6.sin6_port : v4.sin_port);
    return fd;
}

int xmpp_test_server_listen(xmpp_test_server *server, int transport, uint16_t *ret_port)
{
    struct tst_listener *listener;
    uint16_t port;
    int fd;
    int r;

    if (!server || transport < 0 || transport >= TST_TRANSPORTS)
        return XMPP_ERR_INVAL;
    listener = &server->listeners[server->ipv6][transport];
    if (listener->fd < 0) {
        fd = open_socket(server->ipv6, &port);
        if (fd < 0)
            return XMPP_ERR_SYSTEM;
        r = xmpp_loop_add_io(server->loop, &listener->io, fd, XMPP_IO_READ, on_accept, server,
                             NULL);
        if (r < 0) {
            (void)close(fd);
            return r;
        }
        listener->fd = fd;
        listener->port = port;
    }
    if (ret_port)
        *ret_port = listener->port;
    return XMPP_OK;
}

int xmpp_test_server_set_ipv6(xmpp_test_server *server, int enabled)
{
    if (!server)
        return XMPP_ERR_INVAL;
    server->ipv6 = enabled != 0;
    return XMPP_OK;
}

static bool is_connected_stream(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int type = 0;
    socklen_t type_len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
           getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

int xmpp_test_server_accept(xmpp_test_server *server, int transport, int fd)
{
    int flags;
    int r;

    if (!server || transport < 0 || transport >= TST_TRANSPORTS || fd < 0 ||
        !is_connected_stream(fd))
        return XMPP_ERR_INVAL;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return XMPP_ERR_SYSTEM;
    tst_server_enter(server);
    r = tst_conn_create(server, transport, fd);
    tst_server_leave(server);
    return r;
}
