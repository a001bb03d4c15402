/* A name server that means harm. The client looks up a.example, and all addresses are loopback. */
#include "exhaust/victim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TYPE_SRV = 33 };

#define MESSAGE_MAX 65535
#define UDP_MAX     512
#define POINTER_MAX 0x3fff
#define HEADER_LEN  12
#define CONNS_MAX   64
#define TIMEOUT_US  1000000
#define NAME        0xc00c /* the name of the question */

struct message {
    const struct hostile *hostile;
    int type;
    size_t question_end;
    size_t len;
    unsigned count;
    unsigned char data[2 + MESSAGE_MAX]; /* behind the length that TCP wants */
};

typedef void (*answer_fn)(struct message *message);

/* --- messages (RFC 1035, 4) --- */

static void put16(unsigned char *dst, unsigned value)
{
    dst[0] = (unsigned char)(value >> 8);
    dst[1] = (unsigned char)value;
}

/* false: there is no room. The position of the data is in *ret_at. */
static bool add(struct message *message, unsigned name, unsigned type, const void *data, size_t len,
                size_t *ret_at)
{
    unsigned char *pos = message->data + 2 + message->len;

    if (message->len + 12 + len > MESSAGE_MAX)
        return false;
    put16(pos, name);
    put16(pos + 2, type);
    put16(pos + 4, 1);
    memset(pos + 6, 0, 4);
    put16(pos + 10, (unsigned)len);
    memcpy(pos + 12, data, len);
    if (ret_at)
        *ret_at = message->len + 12;
    message->len += 12 + len;
    message->count++;
    return true;
}

/* Into message->data: the header, the question; false for what is no question. */
static bool begin_answer(struct message *message, const unsigned char *query, size_t len)
{
    size_t at = HEADER_LEN;

    while (at < len && query[at] != 0)
        at += 1u + query[at];
    at += 5;
    if (len < HEADER_LEN || at > len)
        return false;
    memcpy(message->data + 2, query, at);
    memset(message->data + 2 + 2, 0, HEADER_LEN - 2);
    put16(message->data + 2 + 2, 0x8180);
    put16(message->data + 2 + 4, 1);
    message->type = query[at - 4] << 8 | query[at - 3];
    message->question_end = at;
    message->len = at;
    message->count = 0;
    return true;
}

static void end_answer(struct message *message, bool udp)
{
    if (udp && message->len > UDP_MAX) {
        message->len = message->question_end;
        message->count = 0;
        put16(message->data + 2 + 2, 0x8380); /* truncated: ask by TCP */
    }
    put16(message->data, (unsigned)message->len);
    put16(message->data + 2 + 6, message->count);
}

/* --- the server --- */

static void serve_udp(struct message *message, answer_fn answer)
{
    unsigned char query[UDP_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    int fd = message->hostile->udp;
    ssize_t n = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from, &from_len);

    if (n <= 0 || !begin_answer(message, query, (size_t)n))
        return;
    answer(message);
    end_answer(message, true);
    (void)sendto(fd, message->data + 2, message->len, 0, (struct sockaddr *)&from, from_len);
}

/* false: the client has gone. A question comes in one piece. */
static bool serve_tcp(struct message *message, int fd, answer_fn answer)
{
    unsigned char query[2 + UDP_MAX];
    size_t len;

    if (read(fd, query, 2) != 2)
        return false;
    len = (size_t)query[0] << 8 | query[1];
    if (len > UDP_MAX || read(fd, query + 2, len) != (ssize_t)len ||
        !begin_answer(message, query + 2, len))
        return false;
    answer(message);
    end_answer(message, false);
    return write(fd, message->data, 2 + message->len) == (ssize_t)(2 + message->len);
}

/* Answers questions; returns when somebody connects to the other port, if that listens. */
static void serve(struct hostile *hostile, answer_fn answer)
{
    static struct message message;
    static struct pollfd fds[3 + CONNS_MAX];
    static nfds_t count;

    message.hostile = hostile;
    if (count == 0) {
        fds[0] = (struct pollfd){.fd = hostile->udp, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = hostile->listener, .events = POLLIN};
        fds[2] = (struct pollfd){.fd = hostile->other, .events = POLLIN};
        count = 3;
    }
    for (;;) {
        if (poll(fds, count, -1) < 0)
            abort();
        if (fds[0].revents)
            serve_udp(&message, answer);
        for (nfds_t i = 3; i < count; i++)
            if (fds[i].revents && !serve_tcp(&message, fds[i].fd, answer)) {
                close(fds[i].fd);
                fds[i--] = fds[--count];
            }
        if (fds[1].revents && count < 3 + CONNS_MAX)
            fds[count++] =
                (struct pollfd){.fd = accept(hostile->listener, NULL, NULL), .events = POLLIN};
        if (fds[2].revents & POLLIN)
            return;
        if (fds[2].revents)
            fds[2].fd = -1; /* nobody listens there */
    }
}

/* --- answers --- */

/* Target "hI" below the name of the question; of STARTTLS servers only, that there are not twice as many */
static bool add_srv(struct message *message, unsigned i)
{
    static const char label[] = "\14_xmpp-client";
    unsigned char data[6 + 8] = {[1] = 1};
    size_t len = 6;

    if (memcmp(message->data + 2 + HEADER_LEN, label, sizeof label - 1) != 0)
        return false;
    put16(data, i);
    put16(data + 4, message->hostile->other_port);
    data[len++] = 5;
    data[len++] = 'h';
    for (unsigned digit = 1000; digit > 0; digit /= 10)
        data[len++] = (unsigned char)('0' + i / digit % 10);
    put16(data + len, NAME);
    return add(message, NAME, TYPE_SRV, data, len + 2, NULL);
}

static void add_loopback(struct message *message)
{
    static const unsigned char loopback[4] = {127, 0, 0, 1};

    add(message, NAME, TYPE_A, loopback, sizeof loopback, NULL);
}

static void answer_srv_records(struct message *message)
{
    unsigned i = 0;

    while (message->type == TYPE_SRV && add_srv(message, i))
        i++;
    if (message->type == TYPE_A)
        add_loopback(message);
}

static void answer_addresses(struct message *message)
{
    unsigned char v4[4] = {127, 0, 0, 2};
    unsigned char v6[16] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    unsigned i = 0;

    if (message->type == TYPE_SRV)
        add_srv(message, 0);
    for (bool room = true; room && message->type != TYPE_SRV; i++) {
        put16(v4 + 2, i + 2);
        put16(v6 + 14, i + 2);
        room = message->type == TYPE_A ? add(message, NAME, TYPE_A, v4, sizeof v4, NULL)
                                       : add(message, NAME, TYPE_AAAA, v6, sizeof v6, NULL);
    }
}

/* Each points to the one before, as far as pointers reach. */
static void add_cnames(struct message *message, bool loop)
{
    unsigned char data[4] = {1, 'c', 0xc0, HEADER_LEN};
    unsigned name = NAME;
    size_t at;

    while (message->len < POINTER_MAX - 12 && add(message, name, TYPE_CNAME, data, 4, &at)) {
        name = 0xc000 | (unsigned)at;
        if (loop)
            data[1] = data[1] == 'c' ? 'd' : 'c';
        else
            put16(data + 2, name);
        if (!loop && message->count % 40 == 0)
            put16(data + 2, NAME); /* a name is not followed over more than 50 pointers */
    }
}

static void answer_chain(struct message *message)
{
    if (message->type == TYPE_SRV)
        add_srv(message, 0);
    else
        add_cnames(message, false);
}

static void answer_loop(struct message *message)
{
    if (message->type == TYPE_SRV)
        add_srv(message, 0);
    else
        add_cnames(message, true);
}

static void answer_garbage(struct message *message)
{
    memset(message->data + 2 + HEADER_LEN, 0xff, 300);
    message->len = HEADER_LEN + 300;
    message->count = 0xffff;
}

static void answer_truncated(struct message *message)
{
    message->len = UDP_MAX + 1;
}

/* --- attacks --- */

static void attack_srv_records(struct hostile *hostile)
{
    serve(hostile, answer_srv_records);
}

static void attack_addresses(struct hostile *hostile)
{
    serve(hostile, answer_addresses);
}

static void attack_chain(struct hostile *hostile)
{
    serve(hostile, answer_chain);
}

static void attack_loop(struct hostile *hostile)
{
    serve(hostile, answer_loop);
}

static void attack_garbage(struct hostile *hostile)
{
    serve(hostile, answer_garbage);
}

static void attack_silence(struct hostile *hostile)
{
    hostile_wait(hostile);
}

/* Answers to questions that nobody asked, to each question. */
static void attack_datagrams(struct hostile *hostile)
{
    unsigned char query[UDP_MAX];
    struct sockaddr_storage from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(hostile->udp, query, sizeof query, 0, (struct sockaddr *)&from, &len);
        unsigned char id = query[0];

        query[2] |= 0x80;
        for (unsigned i = 1; n > 2 && i < 10000; i++) {
            query[0] = (unsigned char)(id + 1 + i % 255); /* never the right one */
            query[1] = (unsigned char)(i / 255);
            (void)sendto(hostile->udp, query, (size_t)n, 0, (struct sockaddr *)&from, len);
        }
    }
}

/* "Ask by TCP"; false: nobody did yet. */
static void truncate_until_tcp(struct hostile *hostile)
{
    static struct message message;

    message.hostile = hostile;
    for (;;) {
        struct pollfd fds[2] = {{.fd = hostile->udp, .events = POLLIN},
                                {.fd = hostile->listener, .events = POLLIN}};

        if (poll(fds, 2, -1) < 0)
            abort();
        if (fds[0].revents)
            serve_udp(&message, answer_truncated);
        if (fds[1].revents)
            break;
    }
    hostile_accept(hostile);
}

static void attack_tcp_silence(struct hostile *hostile)
{
    truncate_until_tcp(hostile);
    hostile_write(hostile, "\xff\xff", 2); /* a long answer, which does not come */
    hostile_wait(hostile);
}

static void attack_tcp_flood(struct hostile *hostile)
{
    truncate_until_tcp(hostile);
    hostile_flood(hostile, "\x01\x01\x01\x01\x01\x01\x01\x01", HOSTILE_ENDLESS);
}

/* 64 servers, and each of them says as much as it may before it breaks the stream. */
static void attack_broken(struct hostile *hostile)
{
    static char text[60 * 1024];
    int listener = hostile->listener;

    memset(text, 'x', sizeof text);
    if (listen(hostile->other, 64) < 0)
        abort();
    for (;;) {
        hostile->listener = listener;
        serve(hostile, answer_srv_records);
        hostile->listener = hostile->other;
        hostile_accept(hostile);
        hostile_header(hostile);
        hostile_say(hostile, "<stream:features><x xmlns='urn:x'>");
        hostile_write(hostile, text, sizeof text);
        hostile_say(hostile, "<!-- -->");
    }
}

/* --- clients --- */

static void connect_through(struct victim *victim)
{
    char servers[32];

    snprintf(servers, sizeof servers, "127.0.0.1:%u", victim->server.port);
    assert_int_equal(xmpp_loop_set_dns_servers(victim->loop, servers), XMPP_OK);
    victim_connect(victim);
    victim_run(victim, victim_is_idle);
}

static void run_srv_records(struct victim *victim)
{
    connect_through(victim);
    assert_int_equal(xmpp_error_count_attempts(victim->error), 64);
}

static void run_addresses(struct victim *victim)
{
    connect_through(victim);
    assert_int_equal(xmpp_error_count_attempts(victim->error), 32);
}

static void run_timeout(struct victim *victim)
{
    assert_int_equal(xmpp_client_set_timeout(victim->client, TIMEOUT_US, 0), XMPP_OK);
    connect_through(victim);
}

#define LOOKUP_FAILS .code = XMPP_ERR_DNS, .phase = XMPP_PHASE_RESOLVING, .flags = CASE_LOOKUP
#define LOOKUP_ENDS                                                                                \
    .code = XMPP_ERR_TIMEOUT, .phase = XMPP_PHASE_RESOLVING, .flags = CASE_LOOKUP,                 \
    .run = run_timeout, .text = "the name servers did not answer for a.example"
#define CONNECT_FAILS .code = XMPP_ERR_SYSTEM, .phase = XMPP_PHASE_CONNECTING, .flags = CASE_LOOKUP

/* DNS-10, SEC-16 */
static const struct exhaust_case cases[] = {
    {"srv-records", "as many SRV records as an answer holds (about 2500)", "64 records", MIB,
     2 * MIB, CONNECT_FAILS, .text = "refused", .run = run_srv_records,
     .attack = attack_srv_records},
    {"addresses", "as many addresses as an answer holds (about 4000)", "32 addresses", MIB, 2 * MIB,
     CONNECT_FAILS, .text = "refused", .run = run_addresses, .attack = attack_addresses},
    {"cname-chain", "a chain of about 1000 aliases", "the message", MIB, 2 * MIB, LOOKUP_FAILS,
     .text = "the name has no address", .run = connect_through, .attack = attack_chain},
    {"cname-loop", "aliases that lead to each other", "the message", MIB, 2 * MIB, LOOKUP_FAILS,
     .text = "the name has no address", .run = connect_through, .attack = attack_loop},
    {"dns-garbage", "answers that are none", "the time for connecting", MIB, 2 * MIB, LOOKUP_ENDS,
     .attack = attack_garbage},
    {"dns-silence", "never answers", "the time for connecting", MIB, 2 * MIB, LOOKUP_ENDS,
     .attack = attack_silence},
    {"dns-datagrams", "10 000 answers that nobody asked for, to each question",
     "the time for connecting", MIB, 2 * MIB, LOOKUP_ENDS, .attack = attack_datagrams},
    {"dns-tcp-silence", "asks for TCP, and is silent there", "the time for connecting", MIB,
     2 * MIB, LOOKUP_ENDS, .attack = attack_tcp_silence},
    {"dns-tcp-flood", "asks for TCP, and sends without end", "the time for connecting", MIB,
     2 * MIB, LOOKUP_ENDS, .attack = attack_tcp_flood},
    {"srv-broken", "64 servers that break the stream behind 60 KiB", "64 records", MIB, 2 * MIB,
     .code = XMPP_ERR_XML, .phase = XMPP_PHASE_SECURING, .condition = "restricted-xml",
     .flags = CASE_LOOKUP, .text = "comment, DTD or processing instruction", .run = run_srv_records,
     .attack = attack_broken},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "dns", cases, sizeof cases / sizeof *cases, exhaust_warm_up);
}
