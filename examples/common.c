#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static const char help[] =
    "  -s, --server HOST[:PORT]   connect there instead of asking DNS\n"
    "  -D, --direct-tls           TLS from the first byte (with --server)\n"
    "  -c, --ca-file FILE         trust these PEM certificates instead of the system's\n"
    "  -d, --dns ADDRESS[:PORT]   name server to ask\n"
    "  -p, --password-file FILE   first line is the password; else $XMPP_PASSWORD, else asked for\n"
    "  -t, --timeout SECONDS      total time (default 30)\n"
    "  -w, --wait                 (send) wait for an answer\n"
    "  -x, --xml                  show the XML in and out, credentials masked\n"
    "      --plain                allow plain text, to loopback addresses only\n"
    "  -h, --help\n"
    "Exit codes: 0 done, 2 usage, 3 wrong password, 4 unknown host, 5 bad certificate,\n"
    "6 connection refused, 7 not an XMPP server, 8 time-out, 1 anything else.\n";

static void bad_usage(const char *usage, const char *message, const char *what)
{
    fprintf(stderr, "%s%s\nusage: %s\n", message, what, usage);
    exit(EXIT_USAGE);
}

/* "host", "host:5222", "[::1]:5222" or "::1" */
static void parse_server(struct options *options, const char *arg, const char *usage)
{
    char *host = strdup(arg);
    char *colon;

    if (!host)
        exit(EXIT_OTHER);
    colon = strrchr(host, ':');
    if (host[0] == '[' && strchr(host, ']')) {
        char *end = strchr(host, ']');
        colon = end[1] == ':' ? end + 1 : NULL;
        *end = 0;
        memmove(host, host + 1, strlen(host));
        if (colon)
            colon--;
    } else if (colon && strchr(host, ':') != colon) {
        colon = NULL; /* a bare IPv6 address */
    }
    if (colon) {
        char *end;
        const char *digits = arg + strlen(arg) - strlen(strrchr(arg, ':')) + 1;
        long port = strtol(digits, &end, 10);
        if (*end || port < 1 || port > 65535)
            bad_usage(usage, "bad port: ", arg);
        options->port = (uint16_t)port;
        if (*colon == ':')
            *colon = 0;
    }
    options->server = host;
}

void options_parse(struct options *options, int argc, char **argv, const char *usage,
                   const char *about)
{
    enum { OPT_PLAIN = 256 };
    static const struct option table[] = {{"server", required_argument, NULL, 's'},
                                          {"direct-tls", no_argument, NULL, 'D'},
                                          {"ca-file", required_argument, NULL, 'c'},
                                          {"dns", required_argument, NULL, 'd'},
                                          {"password-file", required_argument, NULL, 'p'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"wait", no_argument, NULL, 'w'},
                                          {"xml", no_argument, NULL, 'x'},
                                          {"plain", no_argument, NULL, OPT_PLAIN},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    char *end;
    double seconds = 30;
    int c;

    memset(options, 0, sizeof *options);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((c = getopt_long(argc, argv, "+s:Dc:d:p:t:wxh", table, NULL)) != -1) {
        switch (c) {
        case 's':
            parse_server(options, optarg, usage);
            break;
        case 'D':
            options->direct_tls = 1;
            break;
        case 'c':
            options->ca_file = optarg;
            break;
        case 'd':
            options->dns = optarg;
            break;
        case 'p':
            options->password_file = optarg;
            break;
        case 't':
            seconds = strtod(optarg, &end);
            if (*end || !(seconds > 0 && seconds < 1e9))
                bad_usage(usage, "bad time-out: ", optarg);
            break;
        case 'w':
            options->wait = 1;
            break;
        case 'x':
            options->trace = 1;
            break;
        case OPT_PLAIN:
            options->plain = 1;
            break;
        case 'h':
            printf("%s\n%s\n%s", usage, about, help);
            exit(EXIT_OK);
        default:
            bad_usage(usage, "", "try --help");
        }
    }
    options->timeout_us = (uint64_t)(seconds * 1e6);
    options->argc = argc - optind;
    options->argv = argv + optind;
    if (options->argc < 1)
        bad_usage(usage, "", "a JID is missing");
    options->jid = options->argv[0];
    if (!options->port)
        options->port = options->direct_tls ? 5223 : 5222;
}

static char *read_line(FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len = getline(&line, &size, file);

    if (len < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static char *ask_terminal(const char *jid)
{
    struct termios old;
    struct termios quiet;
    char *line = NULL;
    FILE *tty = fopen("/dev/tty", "r+e");

    if (!tty || tcgetattr(fileno(tty), &old) < 0) {
        if (tty)
            fclose(tty);
        return NULL;
    }
    fprintf(tty, "Password of %s: ", jid);
    fflush(tty);
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
    line = read_line(tty);
    tcsetattr(fileno(tty), TCSAFLUSH, &old);
    fputc('\n', tty);
    fclose(tty);
    return line;
}

static char *get_password(const struct options *options)
{
    const char *env = getenv("XMPP_PASSWORD");
    char *password = NULL;

    if (options->password_file) {
        FILE *file = fopen(options->password_file, "re");
        if (!file) {
            fprintf(stderr, "%s: %s\n", options->password_file, strerror(errno));
            return NULL;
        }
        password = read_line(file);
        fclose(file);
    } else if (env) {
        password = strdup(env);
    } else {
        password = ask_terminal(options->jid);
    }
    if (!password)
        fprintf(stderr, "no password: give --password-file, $XMPP_PASSWORD or a terminal\n");
    return password;
}

static void log_to_stderr(int level, const char *module, const char *message, size_t len,
                          void *user_data)
{
    (void)level;
    (void)user_data;
    fprintf(stderr, "%s: ", module);
    print_escaped(stderr, message, len, "\n\t");
    fputc('\n', stderr);
}

int client_from_options(xmpp_client **ret, xmpp_loop *loop, struct options *options)
{
    xmpp_client *client = NULL;
    xmpp_jid *jid = NULL;
    int r;

    if (!options->password)
        options->password = get_password(options);
    if (!options->password)
        return XMPP_ERR_INVAL;
    r = xmpp_jid_parse(&jid, options->jid);
    if (r < 0)
        fprintf(stderr, "%s: not a JID\n", options->jid);
    if (r >= 0)
        r = xmpp_client_create(&client, loop);
    if (r >= 0)
        r = xmpp_client_set_jid(client, jid);
    if (r >= 0)
        r = xmpp_client_set_password(client, options->password);
    if (r >= 0)
        r = xmpp_client_set_timeout(client, options->timeout_us, options->timeout_us);
    if (r >= 0 && options->server)
        r = xmpp_client_set_endpoint(client, options->server, options->port, options->direct_tls);
    if (r >= 0 && options->ca_file)
        r = xmpp_client_set_trust_file(client, options->ca_file);
    if (r >= 0 && options->plain)
        r = xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY);
    if (r >= 0 && options->dns)
        r = xmpp_loop_set_dns_servers(loop, options->dns);
    if (r >= 0 && options->trace)
        r = xmpp_loop_set_log(loop, XMPP_LOG_WIRE, log_to_stderr, NULL, NULL);

    xmpp_jid_unref(jid);
    if (r < 0) {
        xmpp_client_unref(client);
        return r;
    }
    *ret = client;
    return XMPP_OK;
}

void options_clear(struct options *options)
{
    if (options->password)
        explicit_bzero(options->password, strlen(options->password));
    free(options->password);
    free(options->server);
}

static const char *or_none(const char *str)
{
    return str ? str : "none";
}

static void print_endpoints(xmpp_client *client)
{
    const char *host;
    uint16_t port;
    int direct_tls;
    int priority;
    int weight;

    for (size_t i = 0; xmpp_client_get_endpoint(client, i, &host, &port, &direct_tls, &priority,
                                                &weight) == XMPP_OK;
         i++) {
        printf("  found       %s:%u %s", host, port, direct_tls ? "direct TLS" : "STARTTLS");
        if (priority >= 0)
            printf(", priority %d, weight %d (SRV)", priority, weight);
        putchar('\n');
    }
}

void print_step(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                void *user_data)
{
    (void)error;
    (void)user_data;
    switch (new_state) {
    case XMPP_STATE_CONNECTING:
        if (old_state == XMPP_STATE_RESOLVING) /* else the next one is tried */
            print_endpoints(client);
        break;
    case XMPP_STATE_SECURING:
        printf("  connected   %s (%s)\n", or_none(xmpp_client_get_info(client, XMPP_INFO_ADDRESS)),
               or_none(xmpp_client_get_info(client, XMPP_INFO_HOST)));
        break;
    case XMPP_STATE_AUTHENTICATING:
        printf("  secured     %s, %s\n",
               or_none(xmpp_client_get_info(client, XMPP_INFO_TLS_VERSION)),
               or_none(xmpp_client_get_info(client, XMPP_INFO_TLS_SUITE)));
        printf("  certificate %s\n", or_none(xmpp_client_get_info(client, XMPP_INFO_CERT)));
        break;
    case XMPP_STATE_BINDING:
        printf("  logged in   %s, channel binding: %s\n",
               or_none(xmpp_client_get_info(client, XMPP_INFO_SASL_MECHANISM)),
               or_none(xmpp_client_get_info(client, XMPP_INFO_CHANNEL_BINDING)));
        break;
    case XMPP_STATE_READY:
        printf("  bound       %s\n", xmpp_jid_get_str(xmpp_client_get_jid(client)));
        printf(
            "  ready       in %.1f ms and %llu round trips (DNS %.1f ms, TCP %.1f, TLS %.1f, SASL "
            "%.1f, bind %.1f)\n",
            (double)xmpp_client_get_stat(client, XMPP_STAT_LOGIN_US) / 1000,
            (unsigned long long)xmpp_client_get_stat(client, XMPP_STAT_ROUND_TRIPS),
            (double)xmpp_client_get_stat(client, XMPP_STAT_RESOLVING_US) / 1000,
            (double)xmpp_client_get_stat(client, XMPP_STAT_CONNECTING_US) / 1000,
            (double)xmpp_client_get_stat(client, XMPP_STAT_SECURING_US) / 1000,
            (double)xmpp_client_get_stat(client, XMPP_STAT_AUTHENTICATING_US) / 1000,
            (double)xmpp_client_get_stat(client, XMPP_STAT_BINDING_US) / 1000);
        break;
    default:
        break;
    }
}

int run(xmpp_loop *loop, xmpp_client *client)
{
    struct pollfd fds[2] = {{.fd = xmpp_loop_get_fd(loop), .events = POLLIN}, {.events = POLLIN}};
    sigset_t signals;
    int r = XMPP_OK;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    fds[1].fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    for (int asked = 0; xmpp_client_get_state(client) != XMPP_STATE_IDLE;) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        r = xmpp_loop_dispatch(loop);
        if (r < 0)
            break;
        if (fds[1].revents && read(fds[1].fd, &info, sizeof info) == sizeof info) {
            if (asked++)
                break;
            xmpp_client_disconnect(client);
        }
    }
    xmpp_loop_dispatch(loop); /* what is still to be told */
    if (fds[1].fd >= 0)
        close(fds[1].fd);
    return r;
}
