/* A server that plays just enough of a login, then sends a stream of stanzas, takes one, or keeps still. One thread.
 *
 * bench-server --mode flood|sink|idle|latency --tls plain|starttls|direct --count N --warm N --iterations N
 *     --delay-us N --cert FILE --key FILE
 * It writes its port to stdout and ends with its standard input. */
#include "login.h"
#include "stanzas.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16384, AHEAD = 256 * 1024, MAX_EVENTS = 256, MAX_DELAYED = 64, TIMER_MS = 2 };

struct bytes {
    char *data;
    size_t begin;
    size_t end;
    size_t size;
};

/* Output up to a place in the stream may leave at a time. */
struct release {
    size_t offset;
    double at_us;
};

struct conn {
    int fd;
    int dead;
    gnutls_session_t tls;
    int handshaking;
    int authenticated;
    int announced;
    struct login login;
    struct bytes raw; /* received, encrypted */
    struct bytes in; /* received, plain */
    struct bytes out; /* to be sent, as on the wire */
    size_t out_total;
    size_t out_sent;
    struct release delayed[MAX_DELAYED];
    int delayed_count;
    size_t flood_sent;
    long latency_sent;
    int wants_out;
    /* TLS records received */
    size_t record_left;
    unsigned char record_head[5];
    size_t record_head_len;
    unsigned long records;
    unsigned long records_before; /* when the presence came */
    unsigned long sink_bytes;
};

static struct {
    const char *mode;
    const char *tls;
    long count;
    long warm;
    double delay_us;
    gnutls_certificate_credentials_t credentials;
    struct stanzas stanzas;
    int epoll;
    struct conn **conns; /* by descriptor */
    int conns_size;
    int delayed_conns;
    unsigned serial;
} server = {.mode = "idle", .tls = "plain", .count = 1000};

static void fail(const char *what)
{
    fprintf(stderr, "bench-server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- buffers --- */

static void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (b->begin == b->end)
        b->begin = b->end = 0;
    if (b->end + len + 1 > b->size) {
        memmove(b->data, b->data + b->begin, b->end - b->begin);
        b->end -= b->begin;
        b->begin = 0;
        if (b->end + len + 1 > b->size) {
            b->size = (b->end + len + 1) * 2;
            b->data = realloc(b->data, b->size);
            if (!b->data)
                fail("memory");
        }
    }
    memcpy(b->data + b->end, data, len);
    b->end += len;
    b->data[b->end] = 0;
}

static size_t bytes_len(const struct bytes *b)
{
    return b->end - b->begin;
}

static void bytes_free(struct bytes *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

/* --- output --- */

static void want_out(struct conn *conn, int want)
{
    struct epoll_event event = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.fd = conn->fd};

    if (conn->wants_out == want)
        return;
    conn->wants_out = want;
    if (epoll_ctl(server.epoll, EPOLL_CTL_MOD, conn->fd, &event) < 0)
        fail("epoll_ctl");
}

/* How much of the output may leave now. */
static size_t released(struct conn *conn)
{
    double now;
    size_t offset;

    if (server.delay_us <= 0)
        return bytes_len(&conn->out);
    now = now_us();
    offset = conn->out_sent;
    while (conn->delayed_count && conn->delayed[0].at_us <= now) {
        offset = conn->delayed[0].offset;
        memmove(conn->delayed, conn->delayed + 1,
                (size_t)--conn->delayed_count * sizeof *conn->delayed);
    }
    return offset - conn->out_sent;
}

static void flush_out(struct conn *conn)
{
    size_t len = released(conn);

    while (len > 0 && !conn->dead) {
        ssize_t n = send(conn->fd, conn->out.data + conn->out.begin, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            conn->dead = 1;
            return;
        }
        conn->out.begin += (size_t)n;
        conn->out_sent += (size_t)n;
        len -= (size_t)n;
    }
    if (server.delay_us <= 0)
        want_out(conn, len > 0 || (conn->flood_sent > 0 && conn->flood_sent < server.stanzas.len));
    if (!bytes_len(&conn->out) && conn->out.size > CHUNK && !conn->announced)
        bytes_free(&conn->out);
}

static void wire(struct conn *conn, const void *data, size_t len)
{
    bytes_add(&conn->out, data, len);
    conn->out_total += len;
    if (server.delay_us > 0) {
        if (conn->delayed_count == MAX_DELAYED)
            conn->delayed_count--; /* the last one waits for more */
        conn->delayed[conn->delayed_count++] =
            (struct release){conn->out_total, now_us() + server.delay_us};
    }
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
    wire(ptr, data, len);
    return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
    struct conn *conn = ptr;

    if (!bytes_len(&conn->raw)) {
        gnutls_transport_set_errno(conn->tls, EAGAIN);
        return -1;
    }
    if (len > bytes_len(&conn->raw))
        len = bytes_len(&conn->raw);
    memcpy(data, conn->raw.data + conn->raw.begin, len);
    conn->raw.begin += len;
    return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
    struct conn *conn = ptr;

    (void)ms;
    return bytes_len(&conn->raw) > 0;
}

static void say_len(struct conn *conn, const char *text, size_t len)
{
    if (!conn->tls) {
        wire(conn, text, len);
        return;
    }
    while (len > 0) {
        ssize_t n = gnutls_record_send(conn->tls, text, len > CHUNK ? CHUNK : len);
        if (n < 0) {
            conn->dead = 1;
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void say(struct conn *conn, const char *text)
{
    say_len(conn, text, strlen(text));
}

static void start_tls(struct conn *conn)
{
    if (gnutls_init(&conn->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0 ||
        gnutls_set_default_priority(conn->tls) < 0 ||
        gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, server.credentials) < 0)
        fail("TLS");
    gnutls_transport_set_ptr(conn->tls, conn);
    gnutls_transport_set_push_function(conn->tls, push);
    gnutls_transport_set_pull_function(conn->tls, pull);
    gnutls_transport_set_pull_timeout_function(conn->tls, pull_timeout);
    conn->handshaking = 1;
}

/* --- the stanzas --- */

static void flood(struct conn *conn)
{
    const struct stanzas *all = &server.stanzas;

    while (!conn->dead && conn->flood_sent < all->len && bytes_len(&conn->out) < AHEAD) {
        size_t len = all->len - conn->flood_sent;
        if (len > CHUNK)
            len = CHUNK;
        say_len(conn, all->data + conn->flood_sent, len);
        conn->flood_sent += len;
    }
}

/* One stanza that says when it left. */
static void send_time(struct conn *conn)
{
    char text[512];

    if (conn->latency_sent++ == server.count)
        snprintf(text, sizeof text,
                 "<message from='mark@example.org/x' type='chat'><body>bench-end</body></message>");
    else
        snprintf(text, sizeof text,
                 "<message from='romeo@example.org/orchard' to='bench@localhost/bench' type='chat' "
                 "id='t%06ld'><body>bench-at %.3f</body><request xmlns='urn:xmpp:receipts'/>"
                 "</message>",
                 conn->latency_sent, now_us());
    say(conn, text);
    flush_out(conn);
}

/* --- the login --- */

static void announce(struct conn *conn)
{
    conn->announced = 1;
    conn->records_before = conn->records;
    if (strcmp(server.mode, "flood") == 0)
        flood(conn);
}

static void features(struct conn *conn)
{
    char text[1024];
    const char *what;

    if (!conn->tls && strcmp(server.tls, "starttls") == 0)
        what = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    else if (!conn->authenticated)
        what = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1"
               "</mechanism><mechanism>PLAIN</mechanism></mechanisms>";
    else
        what = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session "
               "xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>";
    snprintf(text, sizeof text,
             "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
             "xmlns:stream='http://etherx.jabber.org/streams' id='s%u' from='localhost' "
             "version='1.0' xml:lang='en'><stream:features>%s</stream:features>",
             ++server.serial, what);
    say(conn, text);
}

static void get_id(const char *elem, char *ret, size_t size)
{
    const char *begin = strstr(elem, " id=");
    size_t len;

    ret[0] = 0;
    if (!begin)
        return;
    begin += 5;
    len = strcspn(begin, begin[-1] == '"' ? "\"" : "'");
    if (len < size) {
        memcpy(ret, begin, len);
        ret[len] = 0;
    }
}

static void answer_iq(struct conn *conn, const char *elem)
{
    char id[128];
    char text[512];

    if (strstr(elem, "result") && !strstr(elem, "xmpp-bind"))
        return;
    get_id(elem, id, sizeof id);
    snprintf(text, sizeof text, "<iq type='result' id='%s'>%s</iq>", id,
             strstr(elem, "urn:ietf:params:xml:ns:xmpp-bind")
                 ? "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>bench@localhost/bench</jid>"
                   "</bind>"
                 : "");
    say(conn, text);
}

static void on_elem(struct conn *conn, const char *elem)
{
    char text[1024];

    if (strncmp(elem, "<starttls", 9) == 0) {
        say(conn, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        start_tls(conn);
    } else if (strncmp(elem, "<auth", 5) == 0) {
        conn->authenticated = login_auth(&conn->login, elem, text, sizeof text);
        say(conn, text);
    } else if (strncmp(elem, "<response", 9) == 0) {
        conn->authenticated = login_response(&conn->login, elem, text, sizeof text);
        say(conn, text);
    } else if (strncmp(elem, "<iq", 3) == 0) {
        answer_iq(conn, elem);
    } else if (strncmp(elem, "<presence", 9) == 0 && !conn->announced) {
        announce(conn);
    }
}

/* The end of the first element, declaration or tag of the stream; NULL: not complete. */
static const char *elem_end(const char *at)
{
    int depth = 0;

    if (strncmp(at, "<?", 2) == 0 || strncmp(at, "<stream:stream", 14) == 0 ||
        strncmp(at, "</", 2) == 0) {
        at = strchr(at, '>');
        return at ? at + 1 : NULL;
    }
    while ((at = strchr(at, '<'))) {
        const char *close = strchr(at, '>');
        if (!close)
            return NULL;
        if (at[1] == '/')
            depth--;
        else if (close[-1] != '/')
            depth++;
        at = close + 1;
        if (depth == 0)
            return at;
    }
    return NULL;
}

/* What a client sends to a sink: looked at for the end only. */
static void sink(struct conn *conn)
{
    static const char mark[] = "bench-end";
    struct bytes *in = &conn->in;
    char text[256];
    size_t keep = sizeof mark + 64;

    if (memmem(in->data + in->begin, bytes_len(in), mark, sizeof mark - 1)) {
        snprintf(text, sizeof text,
                 "<message from='mark@example.org/x' type='chat'><body>bench-end records %lu "
                 "bytes %lu</body></message>",
                 conn->records - conn->records_before, conn->sink_bytes);
        say(conn, text);
        in->begin = in->end;
    } else if (bytes_len(in) > keep) {
        in->begin = in->end - keep;
    }
}

static void on_plain(struct conn *conn)
{
    struct bytes *in = &conn->in;

    while (!conn->dead && bytes_len(in)) {
        char *at = in->data + in->begin;
        const char *end;
        char saved;

        if (conn->announced && strcmp(server.mode, "sink") == 0) {
            sink(conn);
            return;
        }
        if (*at != '<') {
            in->begin++;
            continue;
        }
        end = elem_end(at);
        if (!end)
            return;
        in->begin += (size_t)(end - at);
        saved = *end;
        at[end - at] = 0;
        if (strncmp(at, "<stream:stream", 14) == 0)
            features(conn);
        else if (strncmp(at, "</", 2) == 0)
            say(conn, "</stream:stream>");
        else
            on_elem(conn, at);
        in->data[in->begin] = saved;
    }
}

/* --- input --- */

static void count_records(struct conn *conn, const char *data, size_t len)
{
    while (len > 0) {
        if (conn->record_left) {
            size_t n = len < conn->record_left ? len : conn->record_left;
            conn->record_left -= n;
            data += n;
            len -= n;
            continue;
        }
        conn->record_head[conn->record_head_len++] = (unsigned char)*data++;
        len--;
        if (conn->record_head_len == sizeof conn->record_head) {
            conn->record_left = (size_t)conn->record_head[3] << 8 | conn->record_head[4];
            conn->record_head_len = 0;
            conn->records += conn->record_head[0] == 23;
        }
    }
}

static void decrypt(struct conn *conn)
{
    static char text[CHUNK + 1];
    ssize_t n;

    if (conn->handshaking) {
        int r = gnutls_handshake(conn->tls);
        if (r < 0) {
            if (gnutls_error_is_fatal(r)) {
                fprintf(stderr, "bench-server: TLS: %s\n", gnutls_strerror(r));
                conn->dead = 1;
            }
            return;
        }
        conn->handshaking = 0;
    }
    while ((n = gnutls_record_recv(conn->tls, text, CHUNK)) > 0) {
        bytes_add(&conn->in, text, (size_t)n);
        conn->sink_bytes += (size_t)n;
        on_plain(conn);
    }
    if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n)))
        conn->dead = 1;
}

static void on_readable(struct conn *conn)
{
    static char data[65536];
    ssize_t n = recv(conn->fd, data, sizeof data, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn->dead = 1;
        return;
    }
    if (conn->tls) {
        count_records(conn, data, (size_t)n);
        bytes_add(&conn->raw, data, (size_t)n);
        decrypt(conn);
    } else {
        bytes_add(&conn->in, data, (size_t)n);
        conn->sink_bytes += (size_t)n;
        on_plain(conn);
    }
}

/* --- connections --- */

static void conn_free(struct conn *conn)
{
    server.conns[conn->fd] = NULL;
    close(conn->fd);
    if (conn->tls)
        gnutls_deinit(conn->tls);
    bytes_free(&conn->raw);
    bytes_free(&conn->in);
    bytes_free(&conn->out);
    free(conn);
}

static void accept_one(int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    struct conn *conn;

    if (fd < 0)
        return;
    if (fd >= server.conns_size) {
        int size = fd * 2 + 64;
        server.conns = realloc(server.conns, (size_t)size * sizeof *server.conns);
        if (!server.conns)
            fail("memory");
        memset(server.conns + server.conns_size, 0,
               (size_t)(size - server.conns_size) * sizeof *server.conns);
        server.conns_size = size;
    }
    conn = calloc(1, sizeof *conn);
    if (!conn)
        fail("memory");
    conn->fd = fd;
    server.conns[fd] = conn;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
    if (strcmp(server.tls, "direct") == 0)
        start_tls(conn);
}

static void on_event(int fd, unsigned events)
{
    struct conn *conn = fd < server.conns_size ? server.conns[fd] : NULL;

    if (!conn)
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(conn);
    if (!conn->dead)
        flush_out(conn);
    if (!conn->dead && conn->announced && strcmp(server.mode, "flood") == 0) {
        flood(conn);
        flush_out(conn);
    }
    if (conn->dead)
        conn_free(conn);
}

/* What happens by time: delayed output, and the stanzas whose way is measured. */
static void on_tick(void)
{
    for (int fd = 0; fd < server.conns_size; fd++) {
        struct conn *conn = server.conns[fd];
        if (!conn)
            continue;
        if (conn->delayed_count)
            flush_out(conn);
        if (conn->announced && strcmp(server.mode, "latency") == 0 &&
            conn->latency_sent <= server.count)
            send_time(conn);
        if (conn->dead)
            conn_free(conn);
    }
}

static int listen_loopback(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        fail("listen");
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

static void serve(void)
{
    struct epoll_event events[MAX_EVENTS];
    int timed = server.delay_us > 0 || strcmp(server.mode, "latency") == 0;
    int listener = listen_loopback();

    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = i ? listener : STDIN_FILENO};
        if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
            fail("epoll_ctl");
    }
    for (;;) {
        int n = epoll_wait(server.epoll, events, MAX_EVENTS, timed ? TIMER_MS : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                return;
            if (events[i].data.fd == listener)
                accept_one(listener);
            else
                on_event(events[i].data.fd, events[i].events);
        }
        if (timed)
            on_tick();
    }
}

int main(int argc, char **argv)
{
    const char *cert = NULL;
    const char *key = NULL;
    unsigned iterations = 4096;

    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--mode") == 0)
            server.mode = value;
        else if (strcmp(argv[i], "--tls") == 0)
            server.tls = value;
        else if (strcmp(argv[i], "--count") == 0)
            server.count = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--warm") == 0)
            server.warm = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--iterations") == 0)
            iterations = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--delay-us") == 0)
            server.delay_us = strtod(value, NULL);
        else if (strcmp(argv[i], "--cert") == 0)
            cert = value;
        else if (strcmp(argv[i], "--key") == 0)
            key = value;
        else
            fail(argv[i]);
    }
    login_setup(iterations);
    if (strcmp(server.tls, "plain") != 0 &&
        (gnutls_certificate_allocate_credentials(&server.credentials) < 0 ||
         gnutls_certificate_set_x509_key_file(server.credentials, cert, key, GNUTLS_X509_FMT_PEM) <
             0))
        fail("certificate");
    if (strcmp(server.mode, "flood") == 0)
        stanzas_make(&server.stanzas, (size_t)server.count, (size_t)server.warm);
    serve();
    stanzas_free(&server.stanzas);
    free(server.conns);
    return 0;
}
