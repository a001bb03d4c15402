#include "canned.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPEN                                                                                       \
    "<?xml version='1.0'?><stream:stream from='" CANNED_DOMAIN "' id='s1' version='1.0'"           \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define BIND "urn:ietf:params:xml:ns:xmpp-bind"

const char canned_header[] = OPEN "<stream:features><mechanisms xmlns='" SASL
                                  "'><mechanism>ANONYMOUS</mechanism></mechanisms>"
                                  "</stream:features>";
const char canned_success[] = "<success xmlns='" SASL "'/>";
const char canned_restart[] = OPEN "<stream:features><bind xmlns='" BIND "'/></stream:features>";

size_t canned_bind(char *dst, size_t size, const char *text)
{
    const char *id = strstr(text, " id='");
    int len;

    if (!id || !strstr(id, "</iq>"))
        return 0;
    id += strlen(" id='");
    len = snprintf(dst, size,
                   "<iq type='result' id='%.*s'><bind xmlns='" BIND "'><jid>user@" CANNED_DOMAIN
                   "/r</jid></bind></iq>",
                   (int)strcspn(id, "'"), id);
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

int canned_listen(unsigned short *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        perror("bench: listen");
        exit(1);
    }
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

int canned_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* Reads until the client has said this. */
static int hear(int fd, char *text, size_t size, const char *what)
{
    size_t len = 0;

    text[0] = '\0';
    while (!strstr(text, what)) {
        ssize_t got = recv(fd, text + len, size - len - 1, 0);
        if (got <= 0)
            return -1;
        len += (size_t)got;
        text[len] = '\0';
    }
    return 0;
}

static int log_in(int fd)
{
    static const struct {
        const char *hears;
        const char *says;
    } steps[] = {{"<stream:stream", canned_header},
                 {"<auth", canned_success},
                 {"<stream:stream", canned_restart}};
    char text[2048];
    char answer[512];
    size_t len;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (hear(fd, text, sizeof text, steps[i].hears) < 0 ||
            canned_write(fd, steps[i].says, strlen(steps[i].says)) < 0)
            return -1;
    }
    if (hear(fd, text, sizeof text, "</iq>") < 0)
        return -1;
    len = canned_bind(answer, sizeof answer, text);
    return len > 0 ? canned_write(fd, answer, len) : -1;
}

int canned_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (log_in(fd) == 0)
        return fd;
    close(fd);
    return -1;
}
