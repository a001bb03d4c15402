/* console: raw XML from the terminal to the server, and everything that comes and goes on the screen. */
#include "common.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct screen {
    const char *in;
    const char *out;
    const char *note;
    const char *end;
};

static struct screen screen = {"< ", "> ", "# ", ""};
static volatile sig_atomic_t interrupted;
static int exit_status;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* The wire log has one call for each unit of XML: "in" and "out" are its modules. */
static void on_log(int level, const char *module, const char *message, size_t len, void *user_data)
{
    const char *prefix = screen.note;

    (void)user_data;
    if (level == XMPP_LOG_WIRE)
        prefix = strcmp(module, "in") == 0 ? screen.in : screen.out;
    fputs(prefix, stdout);
    print_escaped(stdout, message, len, "\n\t");
    printf("%s\n", screen.end);
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    printf("%s%s -> %s%s\n", screen.note, xmpp_state_name(old_state), xmpp_state_name(new_state),
           screen.end);
    print_step(client, old_state, new_state, error, user_data);
    if (new_state == XMPP_STATE_IDLE && error)
        exit_status = explain("console", error);
}

static void send_line(xmpp_client *client, const char *line)
{
    xmpp_elem *elem;
    int r = xmpp_elem_parse(&elem, line, strlen(line));

    if (r < 0) {
        printf("%snot a complete XML element: %s%s\n", screen.note, xmpp_err_text(r), screen.end);
        return;
    }
    r = xmpp_client_send(client, elem);
    if (r == XMPP_ERR_INVAL)
        printf("%snot a stanza: <message/>, <presence/> or <iq/>, xmlns='jabber:client'%s\n",
               screen.note, screen.end);
    else if (r == XMPP_ERR_LIMIT)
        printf("%snot sent: larger than the server takes, or too much is waiting to be sent%s\n",
               screen.note, screen.end);
    else if (r < 0)
        printf("%snot sent: %s%s\n", screen.note, xmpp_err_text(r), screen.end);
    xmpp_elem_unref(elem);
}

/* Stanzas without a namespace are what people type; they mean those of the client. */
static void handle_line(xmpp_client *client, char *line)
{
    static const char *const kinds[] = {"<message", "<presence", "<iq"};

    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = 0;
    if (!*line)
        return;
    if (strcmp(line, "/quit") == 0) {
        xmpp_client_disconnect(client);
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i]);
        char *full;
        if (strncmp(line, kinds[i], len) != 0 || !line[len] || !strchr(" />", line[len]))
            continue;
        if (strstr(line, " xmlns=") && strstr(line, " xmlns=") < strchr(line, '>'))
            break;
        if (asprintf(&full, "%s xmlns='jabber:client'%s", kinds[i], line + len) < 0)
            return;
        send_line(client, full);
        free(full);
        return;
    }
    send_line(client, line);
}

static int converse(xmpp_loop *loop, xmpp_client *client)
{
    struct pollfd fds[2] = {{.fd = xmpp_loop_get_fd(loop), .events = POLLIN},
                            {.fd = STDIN_FILENO, .events = POLLIN}};
    char *line = NULL;
    size_t size = 0;
    int r = XMPP_OK;

    setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() sees what stdio has not */
    while (r >= 0 && xmpp_client_get_state(client) != XMPP_STATE_IDLE) {
        fds[1].fd = xmpp_client_get_state(client) == XMPP_STATE_READY ? STDIN_FILENO : -1;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (interrupted) {
            interrupted = 0;
            xmpp_client_disconnect(client);
        }
        r = xmpp_loop_dispatch(loop);
        if (r >= 0 && (fds[1].revents & (POLLIN | POLLHUP))) {
            if (getline(&line, &size, stdin) < 0)
                xmpp_client_disconnect(client);
            else
                handle_line(client, line);
        }
    }
    free(line);
    if (r >= 0)
        r = xmpp_loop_dispatch(loop);
    return r;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct options options;
    xmpp_loop *loop = NULL;
    xmpp_client *client = NULL;
    int r;

    options_parse(
        &options, argc, argv, "console [options] JID",
        "Sends each line of XML that you type; shows what goes and comes. /quit or Ctrl-D "
        "ends it.");
    if (isatty(STDOUT_FILENO))
        screen = (struct screen){"\033[32m< ", "\033[36m> ", "\033[33m# ", "\033[0m"};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    options.trace = 0; /* our own log function shows the XML */
    r = xmpp_loop_create(&loop);
    if (r >= 0)
        r = xmpp_loop_set_log(loop, XMPP_LOG_WIRE, on_log, NULL, NULL);
    if (r >= 0)
        r = client_from_options(&client, loop, &options);
    if (r >= 0)
        r = xmpp_client_on_state(client, NULL, on_state, NULL, NULL);
    if (r >= 0)
        r = xmpp_client_connect(client);
    if (r >= 0)
        r = converse(loop, client);
    if (r < 0) {
        fprintf(stderr, "console: %s\n", xmpp_err_text(r));
        exit_status = EXIT_OTHER;
    }
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    options_clear(&options);
    return exit_status;
}
