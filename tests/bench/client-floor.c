/* What no client can do without: a socket, GnuTLS, and libxml2's SAX2 push parser with a counter behind it. No tree, no
 * checks, no limits, no certificate. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <libxml/parser.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 16384, WRITE_BYTES = 16384 };

struct peer {
    int fd;
    gnutls_session_t tls;
    xmlParserCtxtPtr parser;
    int depth;
    char mark[128];
    size_t mark_len;
    int has_child;
};

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static struct peer *current;
static char out[WRITE_BYTES];
static size_t out_len;

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns,
                     int ns_count, const xmlChar **namespaces, int attr_count, int default_count,
                     const xmlChar **attrs)
{
    struct peer *peer = ctx;

    (void)name;
    (void)prefix;
    (void)ns_count;
    (void)namespaces;
    (void)attr_count;
    (void)default_count;
    (void)attrs;
    if (++peer->depth == 2) {
        peer->mark_len = 0;
        peer->has_child = 0;
    } else if (peer->depth == 3 && ns && strcmp((const char *)ns, "urn:xmpp:receipts") == 0) {
        peer->has_child = 1;
    }
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns)
{
    struct peer *peer = ctx;

    (void)name;
    (void)prefix;
    (void)ns;
    if (--peer->depth == 1) {
        peer->mark[peer->mark_len] = 0;
        bench_stanza(peer->mark_len ? peer->mark : NULL, peer->has_child);
    }
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct peer *peer = ctx;

    if (peer->depth == 3 && len >= 6 && (size_t)len < sizeof peer->mark &&
        memcmp(text, "bench-", 6) == 0) {
        memcpy(peer->mark, text, (size_t)len);
        peer->mark_len = (size_t)len;
    }
}

static xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                            .startElementNs = on_start,
                            .endElementNs = on_end,
                            .characters = on_text};

void peer_init(void)
{
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_priority_init(&priority, NULL, NULL);
}

static void wait_for(struct peer *peer, short events, int wait_ms)
{
    struct pollfd fds = {.fd = peer->fd, .events = events};

    poll(&fds, 1, wait_ms);
}

/* -1: nothing there */
static ssize_t get(struct peer *peer, char *data, size_t len)
{
    ssize_t n = peer->tls ? gnutls_record_recv(peer->tls, data, len) : recv(peer->fd, data, len, 0);

    if (n == 0 || (n < 0 && (peer->tls ? gnutls_error_is_fatal((int)n) : errno != EAGAIN)))
        bench_fail("closed");
    return n < 0 ? -1 : n;
}

static void put(struct peer *peer, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = peer->tls ? gnutls_record_send(peer->tls, data, len)
                              : send(peer->fd, data, len, MSG_NOSIGNAL);
        if (n < 0) {
            if (peer->tls ? gnutls_error_is_fatal((int)n) : errno != EAGAIN)
                bench_fail("cannot send");
            wait_for(peer, POLLOUT, -1);
            continue;
        }
        data += n;
        len -= (size_t)n;
    }
}

static void ask(struct peer *peer, const char *text, const char *until)
{
    char data[4096];
    size_t len = 0;

    put(peer, text, strlen(text));
    do {
        ssize_t n = get(peer, data + len, sizeof data - 1 - len);
        if (n < 0)
            wait_for(peer, POLLIN, -1);
        else
            len += (size_t)n;
        data[len] = 0;
    } while (!strstr(data, until));
}

static void start_tls(struct peer *peer)
{
    int r;

    gnutls_init(&peer->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_priority_set(peer->tls, priority);
    gnutls_credentials_set(peer->tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_server_name_set(peer->tls, GNUTLS_NAME_DNS, BENCH_DOMAIN, strlen(BENCH_DOMAIN));
    gnutls_transport_set_int(peer->tls, peer->fd);
    while ((r = gnutls_handshake(peer->tls)) < 0) {
        if (gnutls_error_is_fatal(r))
            bench_fail(gnutls_strerror(r));
        wait_for(peer, gnutls_record_get_direction(peer->tls) ? POLLOUT : POLLIN, -1);
    }
}

void *peer_open(void)
{
    static const char header[] =
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='localhost' version='1.0' "
        "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(bench.port)};
    struct peer *peer = calloc(1, sizeof *peer);
    int one = 1;

    if (!peer)
        bench_fail("memory");
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        bench_fail("connect");
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bench.tls == BENCH_DIRECT)
        start_tls(peer);
    ask(peer, header, "</stream:features>");
    if (bench.tls == BENCH_STARTTLS) {
        ask(peer, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed");
        start_tls(peer);
        ask(peer, header, "</stream:features>");
    }
    ask(peer,
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGJlbmNoAHNlY3JldA=="
        "</auth>",
        "<success");
    ask(peer, header, "</stream:features>");
    ask(peer, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "</iq>");
    peer->parser = xmlCreatePushParserCtxt(&sax, peer, header, (int)strlen(header), NULL);
    return current = peer;
}

int peer_is_ready(void *peer)
{
    return peer != NULL;
}

void peer_announce(void *peer)
{
    put(peer, "<presence/>", 11);
}

void *peer_reopen(void *peer)
{
    (void)peer;
    return NULL;
}

void peer_step(int wait_ms)
{
    static char data[READ_BYTES];
    ssize_t n;

    put(current, out, out_len);
    out_len = 0;
    if (!current->tls || !gnutls_record_check_pending(current->tls))
        wait_for(current, POLLIN, wait_ms);
    n = current->tls ? gnutls_record_recv(current->tls, data, sizeof data)
                     : recv(current->fd, data, sizeof data, MSG_DONTWAIT);
    if (n == 0)
        bench_fail("closed");
    if (n > 0)
        xmlParseChunk(current->parser, data, (int)n, 0);
}

int peer_send(void *peer, const char *id, const char *body)
{
    if (out_len + 1024 > sizeof out) {
        put(peer, out, out_len);
        out_len = 0;
    }
    out_len += (size_t)snprintf(out + out_len, sizeof out - out_len,
                                "<message type='chat' id='%s' to='" BENCH_FRIEND "'><body>%s</body>"
                                "</message>",
                                id, body);
    return 1;
}

void peer_close(void *peer)
{
    struct peer *p = peer;

    if (p->tls)
        gnutls_deinit(p->tls);
    xmlFreeParserCtxt(p->parser);
    close(p->fd);
    free(p);
}

void peer_extra(void *peer, const char *mode)
{
    (void)peer;
    (void)mode;
}
