/* echobot: logs in and answers every chat message with its own text. */
#include "common.h"

#include <stdio.h>
#include <string.h>
#include <xmpp/ext/ping.h>

static int exit_status;

static int on_message(xmpp_client *client, const xmpp_elem *msg, void *user_data)
{
    const char *type = xmpp_elem_get_attr(msg, "type");
    const xmpp_elem *body = xmpp_elem_first_child(msg, "jabber:client", "body");
    const xmpp_jid *from = xmpp_elem_get_from(msg);
    xmpp_elem *answer;
    int r;

    (void)user_data;
    /* Two bots must not answer each other's errors for ever, and a room is not ours to echo. */
    if (!from || (type && strcmp(type, "chat") != 0 && strcmp(type, "normal") != 0))
        return XMPP_PASS;
    printf("  message     from %s: %s\n", xmpp_jid_get_str(from), xmpp_elem_get_text(body));

    r = xmpp_elem_create_stanza(&answer, XMPP_MESSAGE, "chat", from);
    if (r < 0)
        return r;
    xmpp_elem_add_child_text(answer, NULL, "body", xmpp_elem_get_text(body));
    r = xmpp_client_send(client, answer); /* reports any error of the building, too */
    xmpp_elem_unref(answer);
    if (r < 0)
        fprintf(stderr, "echobot: cannot answer: %s\n", xmpp_err_text(r));
    return XMPP_DONE;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    xmpp_elem *presence;

    print_step(client, old_state, new_state, error, user_data);
    if (new_state == XMPP_STATE_READY &&
        xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL, NULL) == XMPP_OK) {
        xmpp_client_send(client,
                         presence); /* available: the server delivers messages from now on */
        xmpp_elem_unref(presence);
        printf("  echobot     is waiting for messages\n");
    }
    if (new_state == XMPP_STATE_IDLE && error)
        exit_status = explain("echobot", error);
}

int main(int argc, char **argv)
{
    struct options options;
    xmpp_loop *loop = NULL;
    xmpp_client *client = NULL;
    xmpp_ping *ping = NULL;
    int r;

    options_parse(&options, argc, argv, "echobot [options] JID",
                  "Logs in as JID and answers each message with its own text. Ctrl-C ends it.");
    r = xmpp_loop_create(&loop);
    if (r >= 0)
        r = client_from_options(&client, loop, &options);
    if (r >= 0)
        r = xmpp_client_on_state(client, NULL, on_state, NULL, NULL);
    if (r >= 0)
        r = xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, "jabber:client", "body", on_message,
                                    NULL, NULL);
    if (r >= 0)
        r = xmpp_ping_attach(&ping, client); /* answers pings of others */
    if (r >= 0)
        r = xmpp_client_connect(client);
    if (r >= 0)
        r = run(loop, client);
    if (r < 0) {
        fprintf(stderr, "echobot: %s\n", xmpp_err_text(r));
        exit_status = EXIT_OTHER;
    }
    xmpp_ping_unref(ping);
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    options_clear(&options);
    return exit_status;
}
