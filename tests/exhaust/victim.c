#include "exhaust/victim.h"

#include "exhaust/meter.h"
#include "support/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_US (60u * 1000 * 1000)
#define LEFT_BYTES  (96 * KIB) /* kept for the next time, by the library and those below it */

/* --- the client --- */

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct victim *victim = user_data;

    (void)client;
    (void)old_state;
    if (new_state == XMPP_STATE_READY)
        victim->ready++;
    if (new_state != XMPP_STATE_IDLE)
        return;
    victim->idle++;
    xmpp_error_unref(victim->error);
    victim->error = error ? xmpp_error_ref(error) : NULL;
}

static int on_message(xmpp_client *client, const xmpp_elem *message, void *user_data)
{
    struct victim *victim = user_data;
    const xmpp_elem *body = xmpp_elem_first_child(message, NULL, "body");

    (void)client;
    victim->messages++;
    if (body && strcmp(xmpp_elem_get_text(body), "end") == 0)
        victim->ended = true;
    return XMPP_DONE;
}

void victim_create(struct victim *victim, int flags)
{
    xmpp_jid *jid;

    assert_int_equal(xmpp_loop_create(&victim->loop), XMPP_OK);
    assert_int_equal(xmpp_client_create(&victim->client, victim->loop), XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&jid, flags & CASE_PASSWORD ? "alice@a.example" : "a.example"),
                     XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(victim->client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    if (flags & CASE_PASSWORD)
        assert_int_equal(xmpp_client_set_password(victim->client, "secret"), XMPP_OK);
    if (flags & (CASE_TLS | CASE_STARTTLS))
        assert_int_equal(xmpp_client_set_trust_file(victim->client, certs_crt_path("ca")), XMPP_OK);
    else
        assert_int_equal(xmpp_client_set_tls_mode(victim->client, XMPP_TLS_LOCAL_ONLY), XMPP_OK);
    if (!(flags & CASE_LOOKUP))
        assert_int_equal(xmpp_client_set_endpoint(victim->client, "127.0.0.1", victim->server.port,
                                                  !!(flags & CASE_TLS)),
                         XMPP_OK);
    assert_int_equal(xmpp_client_on_state(victim->client, NULL, on_state, victim, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_add_handler(victim->client, NULL, XMPP_MESSAGE, NULL, NULL,
                                             on_message, victim, NULL),
                     XMPP_OK);
}

static void victim_destroy(struct victim *victim)
{
    victim->client = xmpp_client_unref(victim->client);
    victim->error = xmpp_error_unref(victim->error);
    victim->loop = xmpp_loop_unref(victim->loop);
}

void victim_connect(struct victim *victim)
{
    assert_int_equal(xmpp_client_connect(victim->client), XMPP_OK);
}

static void on_deadline(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    *(bool *)user_data = true;
}

void victim_run(struct victim *victim, bool (*done)(const struct victim *victim))
{
    bool late = false;
    xmpp_slot *slot;

    assert_int_equal(
        xmpp_loop_add_timer(victim->loop, &slot, PATIENCE_US, 0, on_deadline, &late, NULL),
        XMPP_OK);
    while (!done(victim) && !late) {
        size_t queued = xmpp_client_get_queued_bytes(victim->client);

        if (queued > victim->queued)
            victim->queued = queued;
        assert_true(xmpp_loop_step(victim->loop, -1) >= 0);
    }
    xmpp_slot_cancel(slot);
    xmpp_slot_unref(slot);
    if (late)
        fail_msg("nothing happened for a minute");
}

/* An end that was not meant to come is told here. */
static bool has_failed(const struct victim *victim, const char *awaited)
{
    if (victim->idle && !victim->error)
        fail_msg("%s: the connection ended", awaited);
    if (victim->idle)
        fail_msg("%s: %s", awaited, xmpp_error_get_text(victim->error));
    return false;
}

bool victim_is_ready(const struct victim *victim)
{
    return victim->ready > 0 || has_failed(victim, "login");
}

bool victim_is_idle(const struct victim *victim)
{
    return victim->idle > 0;
}

bool victim_is_content(const struct victim *victim)
{
    return victim->ended || has_failed(victim, "session");
}

/* --- cases --- */

static const struct exhaust_case *running; /* for the process that attacks */

static void attack_once(struct hostile *hostile)
{
    if (!(running->flags & CASE_LOOKUP))
        hostile_accept(hostile);
    running->attack(hostile);
}

static void attack_again(struct hostile *hostile)
{
    hostile_accept(hostile);
    if (running->at == AT_READY)
        hostile_login(hostile);
    else
        hostile_hear(hostile, "<stream:stream");
    hostile_say(hostile, running->before);
    hostile_flood(hostile, running->again, HOSTILE_ENDLESS);
}

static void check_error(const struct exhaust_case *c, const xmpp_error *error)
{
    const char *condition;

    if (!error)
        fail_msg("%s: the connection did not end with an error", c->name);
    condition = xmpp_error_get_condition(error);
    if (xmpp_error_get_code(error) != c->code || xmpp_error_get_phase(error) != c->phase ||
        strcmp(condition ? condition : "", c->condition ? c->condition : "") != 0 ||
        !strstr(xmpp_error_get_text(error), c->text))
        fail_msg("%s: ended with %s, %s, %s, %s", c->name,
                 xmpp_err_name(xmpp_error_get_code(error)),
                 xmpp_phase_name(xmpp_error_get_phase(error)), condition ? condition : "none",
                 xmpp_error_get_text(error));
}

static void check_memory(const struct exhaust_case *c)
{
    struct meter_use peak = meter_peak();

    print_message("%s: %zu KiB, with libraries %zu KiB\n", c->name, peak.own / KIB, peak.all / KIB);
    if (peak.own > c->own || peak.all > c->all)
        fail_msg("%s: %zu bytes, with libraries %zu; allowed are %zu and %zu", c->name, peak.own,
                 peak.all, c->own, c->all);
}

/* Nothing that the peer sent outlives the client. */
static void check_left(const struct exhaust_case *c, const struct meter_use *before)
{
    struct meter_use after = meter_live();

    if (after.own > before->own + LEFT_BYTES || after.all > before->all + LEFT_BYTES)
        fail_msg("%s: %zu bytes are left, with libraries %zu", c->name, after.own - before->own,
                 after.all - before->all);
}

static void run_ordinary(const struct exhaust_case *c, struct victim *victim)
{
    victim_connect(victim);
    victim_run(victim, c->code == XMPP_OK ? victim_is_content : victim_is_idle);
}

static struct victim
    victim; /* of the case that runs; a failed assertion leaves it to the teardown */

static void test_case(void **state)
{
    const struct exhaust_case *c = *state;
    struct meter_use before;

    running = c;
    if (c->attack || c->again)
        hostile_start(&victim.server, c->attack ? attack_once : attack_again);
    before = meter_live();
    meter_mark();
    victim_create(&victim, c->flags);
    if (c->run)
        c->run(&victim);
    else
        run_ordinary(c, &victim);
    if (c->code != XMPP_OK)
        check_error(c, victim.error);
    check_memory(c);
    victim_destroy(&victim);
    check_left(c, &before);
}

static int teardown(void **state)
{
    (void)state;
    victim_destroy(&victim);
    hostile_stop(&victim.server);
    memset(&victim, 0, sizeof victim);
    return 0;
}

/* What libraries do once is not the fault of the first case. */
static void warm_up_attack(struct hostile *hostile)
{
    hostile_accept(hostile);
    if (running->flags & CASE_TLS)
        hostile_tls(hostile, certs_server_creds("good"));
    hostile_login(hostile);
    hostile_end(hostile);
}

int exhaust_warm_up(void **state)
{
    static const struct exhaust_case warm_cases[] = {{.flags = 0}, {.flags = CASE_TLS}};

    (void)state;
    certs_server_creds("good");
    for (size_t i = 0; i < sizeof warm_cases / sizeof *warm_cases; i++) {
        running = &warm_cases[i];
        hostile_start(&victim.server, warm_up_attack);
        victim_create(&victim, running->flags);
        victim_connect(&victim);
        victim_run(&victim, victim_is_content);
        teardown(NULL);
    }
    return 0;
}

/* --- the table --- */

static void print_size(size_t bytes)
{
    if (bytes % MIB == 0)
        printf(" %zu MiB |", bytes / MIB);
    else
        printf(" %zu KiB |", bytes / KIB);
}

static void print_table(const struct exhaust_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct exhaust_case *c = &cases[i];

        printf("| %s | %s | %s |", c->name, c->peer, c->limit);
        print_size(c->own);
        print_size(c->all);
        if (c->code == XMPP_OK)
            printf(" goes on |\n");
        else
            printf(" %s, %s%s%s: \"%s\" |\n", xmpp_err_name(c->code) + strlen("XMPP_ERR_"),
                   xmpp_phase_name(c->phase), c->condition ? ", " : "",
                   c->condition ? c->condition : "", c->text);
    }
}

int exhaust_main(int argc, char **argv, const char *group, const struct exhaust_case *cases,
                 size_t count, CMFixtureFunction warm_up)
{
    struct CMUnitTest *tests;
    int r;

    meter_init();
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        print_table(cases, count);
        return 0;
    }
    tests = calloc(count, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = cases[i].name,
                                       .test_func = test_case,
                                       .teardown_func = teardown,
                                       .initial_state = (void *)(uintptr_t)&cases[i]};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    r = _cmocka_run_group_tests(group, tests, count, warm_up, NULL);
    free(tests);
    certs_free();
    return r;
}
