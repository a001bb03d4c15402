#include "client/link.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "jid/domain.h"
#include "jid/jid.h"
#include "xml/ns.h"

#include <string.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

#define REDIRECTS_MAX 5 /* CORE-21 */
#define TARGET_MAX    400

static void begin_find(struct link *link);

static void on_turn(struct net_task *task);
static void on_timer(struct net_timer *timer);
static void on_overall(struct net_timer *timer);

static void on_socket(void *user_data)
{
    link_wake(user_data);
}

int link_create(struct link **ret, xmpp_client *client)
{
    const struct config *config = &client->config;
    struct link *link = mem_zalloc(sizeof *link);

    if (!link)
        return XMPP_ERR_NOMEM;
    link->client = client;
    link->loop = client->loop;
    link->request = (struct find_request){
        .domain = jid_get_ascii_domain(config->jid),
        .is_ip = jid_is_ip(config->jid),
        .host = config->host,
        .port = config->port,
        .direct_tls = config->direct_tls,
    };
    link->timer_at = UINT64_MAX;
    link->relax_at = UINT64_MAX;
    net_task_init(&link->turn, on_turn);
    net_timer_init(&link->timer, on_timer);
    net_timer_init(&link->overall, on_overall);
    socket_init(&link->socket, link->loop, client->stats, on_socket, link);
    int r = states_reserve(&link->last);
    uint64_t now = net_now(link->loop);
    if (r >= 0 && config->connect_us < UINT64_MAX - now)
        r = net_timer_set(link->loop, &link->overall, now + config->connect_us);
    if (r < 0) {
        states_unreserve(link->last);
        mem_free(link);
        return r;
    }
    net_task_schedule(link->loop, &link->turn);
    *ret = link;
    return XMPP_OK;
}

void link_hold(struct link *link)
{
    link->holds++;
}

void link_release(struct link *link)
{
    if (--link->holds == 0 && link->dead)
        mem_free(link);
}

/* Everything that the link has; its memory goes when nobody on the stack uses it any more. */
static void shut(struct link *link)
{
    link->dead = true;
    link->client->link = NULL;
    session_close(link);
    link->find = find_free(link->find);
    net_race_free(link->race);
    link->race = NULL;
    link->creds = tls_creds_unref(link->creds);
    link->last = states_unreserve(link->last);
    for (size_t i = 0; i < link->attempt_count; i++) {
        mem_free(link->attempts[i].target);
        xmpp_error_unref(link->attempts[i].failure);
    }
    mem_free(link->attempts);
    mem_free(link->redirect_host);
    net_task_cancel(link->loop, &link->turn);
    net_timer_clear(link->loop, &link->timer);
    net_timer_clear(link->loop, &link->overall);
    if (link->holds == 0)
        mem_free(link);
}

void link_drop(struct link *link)
{
    shut(link);
}

static void add_attempt(struct link *link, size_t target, const char *address,
                        const xmpp_error *failure);

/* Where it happened: the endpoint in use is the last of the attempts. It is told in the error itself what happened, so
 * a copy of its main parts will do. */
static void add_endpoint(struct link *link, const xmpp_error *error)
{
    xmpp_error *failure = error_create(xmpp_error_get_code(error), xmpp_error_get_phase(error),
                                       "%s", xmpp_error_get_text(error));

    error_set_number(failure, xmpp_error_get_number(error));
    if (xmpp_error_get_condition(error))
        error_set_condition(failure, xmpp_error_get_type(error), xmpp_error_get_condition(error));
    add_attempt(link, link->target, link->client->info[XMPP_INFO_ADDRESS], failure);
    xmpp_error_unref(failure);
}

void link_end(struct link *link, xmpp_error *error)
{
    xmpp_client *client = link->client;
    struct notice *last = STEAL(link->last);

    if (error) {
        error_set_phase(error, client->state);
        if (link->socket.tcp)
            add_endpoint(link, error);
        for (size_t i = 0; i < link->attempt_count; i++)
            error_add_attempt(error, link->attempts[i].target, link->attempts[i].failure);
        log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "connection of %s ended: %s",
                  xmpp_jid_get_bare_str(client->config.jid), xmpp_error_get_text(error));
    } else {
        log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "connection of %s ended",
                  xmpp_jid_get_bare_str(client->config.jid));
    }
    shut(link);
    client->jid = xmpp_jid_unref(client->jid);
    states_end(client, last, error);
}

void link_wake(struct link *link)
{
    net_task_schedule(link->loop, &link->turn);
}

static void on_turn(struct net_task *task)
{
    struct link *link = CONTAINER_OF(task, struct link, turn);
    xmpp_client *client = link->client;

    client_hold(client);
    link_hold(link);
    if (!link->started) {
        link->started = true;
        begin_find(link);
    } else if (link->socket.tcp) {
        session_run(link);
    }
    link_release(link);
    client_release(client);
}

static void on_timer(struct net_timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, timer);

    link->timer_at = UINT64_MAX;
    link_wake(link);
}

/* What was awaited when the time was up */
static xmpp_error *explain_timeout(struct link *link)
{
    int state = link->client->state;
    uint64_t tenths = link->client->config.connect_us / 100000;
    char after[64];

    (void)str_format(after, sizeof after, "timed out after %llu.%u s while %s",
                     (unsigned long long)(tenths / 10), (unsigned)(tenths % 10),
                     xmpp_state_name(state)); /* fits */
    if (state == XMPP_STATE_RESOLVING)
        return error_create(XMPP_ERR_TIMEOUT, state, "%s: the name servers did not answer for %s",
                            after, link->request.domain);
    if (!link->socket.tcp) {
        if (link->race)
            net_race_report_open(link->race);
        return error_create(XMPP_ERR_TIMEOUT, state, "%s: no server of %s was reached", after,
                            link->request.domain);
    }
    return error_create(XMPP_ERR_TIMEOUT, state, "%s: waiting for %s", after,
                        link->cert  ? "the decision about the certificate"
                        : link->ask ? "the password"
                                    : pipe_get_awaited(link->socket.pipe));
}

static void on_overall(struct net_timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, overall);

    if (link->wanted) {
        link_end(link, NULL); /* CORE-15: the server had its time */
        return;
    }
    link_end(link, explain_timeout(link));
}

void link_disconnect(struct link *link)
{
    xmpp_client *client = link->client;
    uint64_t now = net_now(link->loop);

    if (client->state == XMPP_STATE_CLOSING)
        return;
    link->wanted = true;
    if (client->state != XMPP_STATE_READY ||
        net_timer_set(link->loop, &link->overall, now + DEFAULT_CLOSE_US) < 0 ||
        xmpp_stream_close(pipe_get_stream(link->socket.pipe), now) < 0 ||
        states_set(client, XMPP_STATE_CLOSING) < 0) {
        link_end(link, NULL); /* nothing to close politely, or no memory for it */
        return;
    }
    link_wake(link);
}

/* --- endpoints --- */

/* "host [address]:port (direct TLS)"; address as net gives it, with the port, or NULL. A host that is its own address
 * is shown once. */
static bool format_target(char *dst, size_t size, const struct find_endpoint *endpoint,
                          const char *address)
{
    const char *suffix = endpoint->direct_tls ? " (direct TLS)" : "";
    const char *colon = address ? strrchr(address, ':') : NULL;

    if (!colon)
        return str_format(dst, size, "%s:%u%s", endpoint->host, endpoint->port, suffix);

    const char *whole = address;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[') {
        address++;
        len -= 2;
    }
    if (strlen(endpoint->host) == len && memcmp(endpoint->host, address, len) == 0)
        return str_format(dst, size, "%s%s", whole, suffix);
    return str_format(dst, size, "%s [%.*s]:%u%s", endpoint->host, (int)len, address,
                      endpoint->port, suffix);
}

/* Few connections have one at all. */
static bool make_room_for_attempt(struct link *link)
{
    struct link_attempt *attempts;

    if (link->attempt_count >= LIMIT_SRV_RECORDS)
        return false;
    attempts = mem_realloc(link->attempts, (link->attempt_count + 1) * sizeof *attempts);
    if (attempts)
        link->attempts = attempts;
    return attempts != NULL;
}

/* An attempt that finds no memory or no room is missing in the final error; nothing depends on it. */
static void add_attempt(struct link *link, size_t target, const char *address,
                        const xmpp_error *failure)
{
    char text[TARGET_MAX];

    (void)format_target(text, sizeof text, &link->client->endpoints.items[target], address);
    log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "%s: %s", text,
              xmpp_error_get_text(failure));
    if (!make_room_for_attempt(link))
        return;
    char *copy = mem_strdup(text);
    if (!copy)
        return;
    link->attempts[link->attempt_count++] =
        (struct link_attempt){.target = copy, .failure = xmpp_error_ref(failure)};
}

static void on_connected(void *user_data, struct net_tcp *tcp, size_t target, const char *address)
{
    struct link *link = user_data;
    xmpp_client *client = link->client;
    const struct find_endpoint *endpoint = &client->endpoints.items[target];

    log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "connected to %s at %s%s",
              endpoint->host, address, endpoint->direct_tls ? ", direct TLS" : "");
    link->target = target;
    client->stats[XMPP_STAT_ROUND_TRIPS]++;
    client_set_info(client, XMPP_INFO_HOST, endpoint->host);
    client_set_info(client, XMPP_INFO_ADDRESS, address);
    xmpp_error *error = endpoint->direct_tls ? link_load_creds(link) : NULL;
    if (error) {
        net_tcp_close(tcp);
        link_end(link, error);
        return;
    }
    int r = states_set(client, XMPP_STATE_SECURING);
    if (r < 0)
        net_tcp_close(tcp);
    else
        r = session_open(link, tcp, endpoint);
    if (r < 0)
        link_end(link, r == XMPP_ERR_NOMEM
                           ? error_nomem()
                           : error_create(r, XMPP_PHASE_SECURING, "cannot begin the stream: %s",
                                          xmpp_err_text(r)));
}

static void on_attempt_failed(void *user_data, size_t target, const char *address,
                              const xmpp_error *error)
{
    add_attempt(user_data, target, address, error);
}

static void copy_details(xmpp_error *error, const xmpp_error *from)
{
    const xmpp_elem *elem = xmpp_error_get_elem(from);

    error_set_number(error, xmpp_error_get_number(from));
    if (xmpp_error_get_condition(from))
        error_set_condition(error, xmpp_error_get_type(from), xmpp_error_get_condition(from));
    if (xmpp_error_get_peer_text(from))
        error_set_peer_text(error, xmpp_error_get_peer_text(from));
    if (elem)
        error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
}

/* What is told is the failure that came furthest; all are in the attempts. */
static void on_exhausted(void *user_data)
{
    struct link *link = user_data;
    const struct link_attempt *last = NULL;
    const xmpp_error *best = NULL;

    for (size_t i = 0; i < link->attempt_count; i++) {
        const xmpp_error *failure = link->attempts[i].failure;
        if (!best || xmpp_error_get_phase(failure) >= xmpp_error_get_phase(best)) {
            last = &link->attempts[i];
            best = failure;
        }
    }
    if (!best) {
        link_end(link, error_create(XMPP_ERR_DNS, XMPP_PHASE_CONNECTING,
                                    "no server of %s was found", link->request.domain));
        return;
    }
    /* who does not exist has no address */
    bool is_placed = xmpp_error_get_phase(best) > XMPP_PHASE_RESOLVING;
    xmpp_error *error = error_create(
        xmpp_error_get_code(best), xmpp_error_get_phase(best),
        "no server of %s could be used: %s%s%s", xmpp_jid_get_domain(link->client->config.jid),
        is_placed ? last->target : "", is_placed ? ": " : "", xmpp_error_get_text(best));
    copy_details(error, best);
    link_end(link, error);
}

static const struct net_race_ops race_ops = {
    .connected = on_connected,
    .attempt_failed = on_attempt_failed,
    .exhausted = on_exhausted,
};

static int start_race(struct link *link)
{
    const struct find_list *endpoints = &link->client->endpoints;
    struct net_target targets[LIMIT_SRV_RECORDS];

    for (size_t i = 0; i < endpoints->count; i++) {
        const struct find_endpoint *endpoint = &endpoints->items[i];
        targets[i] = (struct net_target){
            .host = endpoint->host,
            .port = endpoint->port,
            .group = endpoint->group,
            .tag = endpoint->direct_tls,
        };
        log_write(net_log(link->loop), XMPP_LOG_DEBUG, "client", "endpoint %s:%u%s, priority %d",
                  endpoint->host, endpoint->port, endpoint->direct_tls ? ", direct TLS" : "",
                  endpoint->priority);
    }
    int r = states_set(link->client, XMPP_STATE_CONNECTING);
    if (r < 0)
        return r;
    return net_race_start(link->loop, &link->race, targets, endpoints->count, &race_ops, link);
}

static void fail_code(struct link *link, int r)
{
    link_end(link, r == XMPP_ERR_NOMEM
                       ? error_nomem()
                       : error_create(r, link->client->state, "cannot connect to %s: %s",
                                      link->request.domain, xmpp_err_text(r)));
}

static void take_endpoints(struct link *link, struct find_list *list)
{
    find_list_clear(&link->client->endpoints);
    link->client->endpoints = *list;
    find_list_init(list);
    int r = start_race(link);
    if (r < 0)
        fail_code(link, r);
}

static void on_found(void *user_data, struct find_list *list, const xmpp_error *error)
{
    struct link *link = user_data;

    if (error) {
        link_end(link, xmpp_error_ref(error));
        return;
    }

    struct find_list found = *list;
    find_list_init(list);
    link->find = find_free(link->find);
    take_endpoints(link, &found);
}

xmpp_error *link_load_creds(struct link *link)
{
    struct config *config = &link->client->config;
    xmpp_error *error = NULL;

    if (link->creds)
        return NULL;
    if (tls_creds_get(&link->creds, config->trust_path, config->cert_path, config->key_path,
                      &error) < 0)
        return error;
    /* Kept for the next login, which finds what was read, unless the files have changed. */
    tls_creds_unref(config->creds);
    config->creds = tls_creds_ref(link->creds);
    return NULL;
}

static void begin_find(struct link *link)
{
    struct find_list list;
    xmpp_error *error = NULL;
    int r;

    /* Where plain text may do, it is not known yet whether they are needed. */
    if (link->client->config.tls_mode != XMPP_TLS_LOCAL_ONLY)
        error = link_load_creds(link);
    if (error) {
        link_end(link, error);
        return;
    }
    if (find_needs_srv(&link->request)) {
        r = find_start(&link->find, link->loop, link->request.domain, on_found, link);
        if (r < 0)
            fail_code(link, r);
        return;
    }
    r = find_without_srv(&link->request, &list);
    if (r < 0)
        fail_code(link, r);
    else
        take_endpoints(link, &list);
}

/* Another server of the same domain may do better when this one is broken, but not when it has judged us, or we its
 * certificate. */
static bool is_curable(const struct link *link, const xmpp_error *error)
{
    if (!link->race || link->client->state >= XMPP_STATE_BINDING)
        return false;
    switch (xmpp_error_get_code(error)) {
    case XMPP_ERR_CLOSED:
    case XMPP_ERR_SYSTEM:
    case XMPP_ERR_TIMEOUT:
    case XMPP_ERR_TLS:
    case XMPP_ERR_XML:
    case XMPP_ERR_PROTOCOL:
    case XMPP_ERR_LIMIT:
        return true;
    default:
        return false;
    }
}

/* Is this a redirection that we might follow? CORE-21: not from somebody whom TLS has not identified */
static bool is_redirect(const struct link *link, const xmpp_error *error)
{
    return str_eq(xmpp_error_get_condition(error), "see-other-host") && !link->reached &&
           link->socket.pipe && pipe_is_secured(link->socket.pipe);
}

/* Takes error over. */
static xmpp_error *explain_redirects(xmpp_error *error)
{
    xmpp_error *limit =
        error_create(xmpp_error_get_code(error), xmpp_error_get_phase(error),
                     "more than %d redirections: %s", REDIRECTS_MAX, xmpp_error_get_text(error));

    copy_details(limit, error);
    xmpp_error_unref(error);
    return limit;
}

void link_endpoint_failed(struct link *link, xmpp_error *error)
{
    xmpp_client *client = link->client;

    if (link->redirects == REDIRECTS_MAX && is_redirect(link, error))
        error = explain_redirects(error);
    error_set_phase(error, client->state);
    if (!is_curable(link, error)) {
        link_end(link, error);
        return;
    }
    session_close(link);
    add_attempt(link, link->target, client->info[XMPP_INFO_ADDRESS], error);
    xmpp_error_unref(error);
    int r = states_set(client, XMPP_STATE_CONNECTING);
    if (r >= 0)
        r = net_race_resume(link->race);
    if (r < 0)
        fail_code(link, r);
}

/* --- redirection --- */

/* "host", "host:port", "[v6]" or "[v6]:port" */
static int parse_other_host(const char *text, char **ret_host, uint16_t *ret_port, bool *ret_is_ip)
{
    CLEANUP(mem_freep) char *domain = NULL;
    const char *start = text;
    size_t len = strlen(text);
    enum domain_kind kind;
    uint64_t port = 0;

    while (len > 0 && str_is_space(*start)) {
        start++;
        len--;
    }
    while (len > 0 && str_is_space(start[len - 1]))
        len--;
    size_t colon = len;
    while (colon > 0 && start[colon - 1] >= '0' && start[colon - 1] <= '9')
        colon--;
    if (colon > 1 && colon < len && start[colon - 1] == ':') {
        if (!str_parse_uint(start + colon, len - colon, UINT16_MAX, &port) || port == 0)
            return XMPP_ERR_PROTOCOL;
        len = colon - 1;
    }
    int r = domain_enforce(start, len, false, &domain);
    if (r >= 0)
        r = domain_to_ascii(domain, ret_host, &kind);
    if (r < 0)
        return r;
    *ret_port = (uint16_t)port;
    *ret_is_ip = kind != DOMAIN_NAME;
    return XMPP_OK;
}

bool link_redirect(struct link *link, const xmpp_error *error)
{
    const xmpp_elem *other = NULL;
    char *host;
    uint16_t port;
    bool is_ip;

    if (link->redirects == REDIRECTS_MAX || !is_redirect(link, error))
        return false;
    if (xmpp_error_get_elem(error))
        other = xmpp_elem_first_child(xmpp_error_get_elem(error), NS_STREAMS, "see-other-host");
    if (!other || parse_other_host(xmpp_elem_get_text(other), &host, &port, &is_ip) < 0)
        return false;

    log_write(net_log(link->loop), XMPP_LOG_INFO, "client", "redirected to %s", host);
    link->redirects++;
    session_close(link);
    net_race_free(link->race);
    link->race = NULL;
    mem_free(link->redirect_host);
    link->redirect_host = host;
    /* CORE-20: with a port there is nothing to look up; JID, policy and reference identity stay */
    link->request = (struct find_request){
        .domain = host,
        .is_ip = is_ip,
        .host = port ? host : NULL,
        .port = port,
    };
    int r = states_set(link->client, XMPP_STATE_RESOLVING);
    if (r < 0)
        fail_code(link, r);
    else
        begin_find(link);
    return true;
}
