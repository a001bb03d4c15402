/* many: N clients on one loop in one thread; each logs in, pings its server, and logs out when all have done so. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <xmpp/ext/ping.h>

enum { AT_ONCE = 50 }; /* logins under way at the same time */

struct crowd {
    xmpp_loop *loop;
    xmpp_client **clients;
    xmpp_ping **pings;
    uint64_t *login_us;
    size_t size;
    size_t started;
    size_t ready;
    size_t answered;
    size_t idle;
    int exit_status;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void report(struct crowd *crowd)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    qsort(crowd->login_us, crowd->ready, sizeof *crowd->login_us, by_value);
    printf("%zu of %zu logged in and answered; login min %.1f ms, median %.1f ms, max %.1f ms; "
           "peak memory %ld KiB\n",
           crowd->answered, crowd->size, (double)crowd->login_us[0] / 1000,
           (double)crowd->login_us[crowd->ready / 2] / 1000,
           (double)crowd->login_us[crowd->ready - 1] / 1000, usage.ru_maxrss);
}

/* One failed: end at once. The first failure is the one that is told. */
static void give_up(struct crowd *crowd, int r)
{
    if (crowd->exit_status == EXIT_OK) {
        fprintf(stderr, "many: %s\n", xmpp_err_text(r));
        crowd->exit_status = EXIT_OTHER;
    }
    xmpp_loop_quit(crowd->loop);
}

static void give_up_for(struct crowd *crowd, const xmpp_error *error)
{
    if (crowd->exit_status == EXIT_OK)
        crowd->exit_status = explain("many", error);
    xmpp_loop_quit(crowd->loop);
}

static int start_more(struct crowd *crowd)
{
    int r = XMPP_OK;

    while (r >= 0 && crowd->started < crowd->size && crowd->started - crowd->ready < AT_ONCE)
        r = xmpp_client_connect(crowd->clients[crowd->started++]);
    return r;
}

static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    struct crowd *crowd = user_data;
    int r = XMPP_OK;

    (void)ping;
    (void)rtt_us;
    if (error && xmpp_error_get_code(error) == XMPP_ERR_CLOSED)
        return; /* on_state() is told why */
    if (error && xmpp_error_get_code(error) != XMPP_ERR_STANZA) {
        give_up_for(crowd, error);
        return;
    }
    if (++crowd->answered < crowd->size)
        return;
    report(crowd);
    for (size_t i = 0; r >= 0 && i < crowd->size; i++)
        r = xmpp_client_disconnect(crowd->clients[i]);
    if (r < 0)
        give_up(crowd, r);
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct crowd *crowd = user_data;
    xmpp_ping *ping;
    int r;

    (void)old_state;
    if (new_state == XMPP_STATE_READY) {
        crowd->login_us[crowd->ready++] = xmpp_client_get_stat(client, XMPP_STAT_LOGIN_US);
        r = xmpp_ping_attach(&ping, client);
        if (r >= 0) {
            r = xmpp_ping_send(ping, NULL, NULL, on_pong, crowd, NULL);
            xmpp_ping_unref(ping);
        }
        if (r >= 0)
            r = start_more(crowd);
        if (r < 0)
            give_up(crowd, r);
    }
    if (new_state == XMPP_STATE_IDLE) {
        if (error)
            give_up_for(crowd, error);
        if (++crowd->idle == crowd->size)
            xmpp_loop_quit(crowd->loop);
    }
}

static int add_client(struct crowd *crowd, size_t index, struct options *options)
{
    int r = client_from_options(&crowd->clients[index], crowd->loop, options);

    if (r >= 0)
        r = xmpp_client_on_state(crowd->clients[index], NULL, on_state, crowd, NULL);
    if (r >= 0)
        r = xmpp_ping_attach(&crowd->pings[index], crowd->clients[index]);
    return r;
}

int main(int argc, char **argv)
{
    struct crowd crowd = {0};
    struct options options;
    long size;
    char *end;
    int r;

    options_parse(&options, argc, argv, "many [options] JID N",
                  "Logs in as JID with N clients on one loop, each with a resource of its own.");
    size = options.argc == 2 ? strtol(options.argv[1], &end, 10) : 0;
    if (size < 1 || size > 100000 || *end) {
        fprintf(stderr, "many: give JID and a number of clients; try --help\n");
        return EXIT_USAGE;
    }
    crowd.size = (size_t)size;
    crowd.clients = calloc(crowd.size, sizeof *crowd.clients);
    crowd.pings = calloc(crowd.size, sizeof *crowd.pings);
    crowd.login_us = calloc(crowd.size, sizeof *crowd.login_us);
    r = crowd.clients && crowd.pings && crowd.login_us ? xmpp_loop_create(&crowd.loop)
                                                       : XMPP_ERR_NOMEM;
    for (size_t i = 0; r >= 0 && i < crowd.size; i++)
        r = add_client(&crowd, i, &options);
    if (r >= 0)
        r = start_more(&crowd);
    if (r >= 0)
        r = xmpp_loop_run(crowd.loop);
    if (r < 0) {
        fprintf(stderr, "many: %s\n", xmpp_err_text(r));
        crowd.exit_status = EXIT_OTHER;
    }
    for (size_t i = 0; crowd.clients && i < crowd.size; i++) {
        if (crowd.pings)
            xmpp_ping_unref(crowd.pings[i]);
        xmpp_client_unref(crowd.clients[i]);
    }
    free(crowd.clients);
    free(crowd.pings);
    free(crowd.login_us);
    xmpp_loop_unref(crowd.loop);
    options_clear(&options);
    return crowd.exit_status;
}
