/* send: delivers one message, and if asked to, waits for the answer. It ends by itself, whatever the network does. */
#include "common.h"

#include <stdio.h>
#include <string.h>
#include <xmpp/ext/ping.h>

struct job {
    xmpp_loop *loop;
    xmpp_client *client;
    xmpp_ping *ping;
    xmpp_jid *to;
    char *text;
    int wait;
    int done;
    int exit_status;
};

static void finish(struct job *job, int exit_status)
{
    job->done = 1;
    job->exit_status = exit_status;
    xmpp_client_disconnect(job->client);
}

/* The server handles stanzas in order: when it answers a ping, it has taken the message before it. */
static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    struct job *job = user_data;

    (void)ping;
    (void)rtt_us;
    if (error && xmpp_error_get_code(error) != XMPP_ERR_STANZA)
        return; /* the connection ended: on_state tells */
    printf("  delivered   to the server\n");
    if (!job->wait)
        finish(job, EXIT_OK);
}

static int on_message(xmpp_client *client, const xmpp_elem *msg, void *user_data)
{
    struct job *job = user_data;
    const char *type = xmpp_elem_get_attr(msg, "type");
    const xmpp_jid *from = xmpp_elem_get_from(msg);

    (void)client;
    if (!from || !xmpp_jid_equal_bare(from, job->to))
        return XMPP_PASS;
    if (type && strcmp(type, "error") == 0) {
        fprintf(stderr, "send: the message came back as undeliverable\n");
        finish(job, EXIT_OTHER);
    } else if (job->wait && xmpp_elem_first_child(msg, "jabber:client", "body")) {
        printf("  answer      from %s: %s\n", xmpp_jid_get_str(from),
               xmpp_elem_get_text(xmpp_elem_first_child(msg, "jabber:client", "body")));
        finish(job, EXIT_OK);
    }
    return XMPP_DONE;
}

static int send_message(struct job *job)
{
    xmpp_elem *msg;
    int r = xmpp_elem_create_stanza(&msg, XMPP_MESSAGE, "chat", job->to);

    if (r < 0)
        return r;
    xmpp_elem_add_child_text(msg, NULL, "body", job->text);
    r = xmpp_client_send(job->client, msg);
    xmpp_elem_unref(msg);
    if (r >= 0)
        r = xmpp_ping_send(job->ping, NULL, NULL, on_pong, job, NULL);
    return r;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct job *job = user_data;
    int r;

    print_step(client, old_state, new_state, error, NULL);
    if (new_state == XMPP_STATE_READY) {
        r = send_message(job);
        if (r < 0) {
            fprintf(stderr, "send: %s\n", xmpp_err_text(r));
            finish(job, EXIT_OTHER);
        }
    }
    if (new_state == XMPP_STATE_IDLE && error && !job->done)
        job->exit_status = explain("send", error);
}

/* The total deadline: over everything, from the first DNS query to the answer. */
static void on_deadline(xmpp_loop *loop, void *user_data)
{
    struct job *job = user_data;

    (void)loop;
    if (job->done && job->exit_status == EXIT_OK) {
        xmpp_client_abort(job->client); /* delivered; the server is only slow to say good-bye */
        return;
    }
    fprintf(stderr, "send: time-out while %s\n",
            xmpp_state_name(xmpp_client_get_state(job->client)));
    job->done = 1;
    job->exit_status = EXIT_TIMEOUT;
    xmpp_client_abort(job->client);
}

int main(int argc, char **argv)
{
    struct options options;
    struct job job = {.exit_status = EXIT_OTHER};
    int r;

    options_parse(
        &options, argc, argv, "send [options] JID TO TEXT",
        "Logs in as JID, sends TEXT to TO and logs out; with --wait, waits for an answer.");
    if (options.argc != 3) {
        fprintf(stderr, "send: give JID, TO and TEXT; try --help\n");
        return EXIT_USAGE;
    }
    job.text = options.argv[2];
    job.wait = options.wait;
    r = xmpp_jid_parse(&job.to, options.argv[1]);
    if (r >= 0)
        r = xmpp_loop_create(&job.loop);
    if (r >= 0)
        r = client_from_options(&job.client, job.loop, &options);
    if (r >= 0)
        r = xmpp_ping_attach(&job.ping, job.client);
    if (r >= 0)
        r = xmpp_client_on_state(job.client, NULL, on_state, &job, NULL);
    if (r >= 0)
        r = xmpp_client_add_handler(job.client, NULL, XMPP_MESSAGE, NULL, NULL, on_message, &job,
                                    NULL);
    if (r >= 0)
        r = xmpp_loop_add_timer(job.loop, NULL, options.timeout_us, 0, on_deadline, &job, NULL);
    if (r >= 0)
        r = xmpp_client_connect(job.client);
    if (r >= 0)
        r = run(job.loop, job.client);
    if (r < 0) {
        fprintf(stderr, "send: %s\n", xmpp_err_text(r));
        job.exit_status = EXIT_OTHER;
    }
    xmpp_ping_unref(job.ping);
    xmpp_client_unref(job.client);
    xmpp_jid_unref(job.to);
    xmpp_loop_unref(job.loop);
    options_clear(&options);
    return job.exit_status;
}
