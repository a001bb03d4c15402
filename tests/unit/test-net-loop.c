#include "net/loop.h"

#include "base/mem.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmpp/slot.h>

#include <cmocka.h>

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_non_null(loop);
    return loop;
}

static bool is_readable(const xmpp_loop *loop, int wait_ms)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

/* Until the descriptor is quiet: on a busy machine one turn may not be enough. */
static int dispatch_all(xmpp_loop *loop)
{
    int done = 0;

    while (is_readable(loop, 0)) {
        int r = xmpp_loop_dispatch(loop);

        assert_true(r >= 0);
        done += r;
    }
    return done;
}

/* a watched end of a socket pair */
struct end {
    struct loop_watch watch;
    xmpp_loop *loop;
    int fd;
    int peer;
    int calls;
    uint32_t events;
    struct end *victim; /* closed in the callback */
};

static void end_close(struct end *end)
{
    loop_watch_clear(end->loop, &end->watch);
    close(end->fd);
    end->fd = -1;
}

static void on_end(struct loop_watch *watch, uint32_t events)
{
    struct end *end = CONTAINER_OF(watch, struct end, watch);
    char c[16];

    end->calls++;
    end->events = events;
    (void)!recv(end->fd, c, sizeof c, MSG_DONTWAIT);
    if (end->victim && end->victim->fd >= 0)
        end_close(end->victim);
}

static void end_open(struct end *end, xmpp_loop *loop)
{
    int fds[2];

    memset(end, 0, sizeof *end);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    end->loop = loop;
    end->fd = fds[0];
    end->peer = fds[1];
    loop_watch_init(&end->watch, on_end);
    assert_int_equal(loop_watch_set(loop, &end->watch, end->fd, EPOLLIN), XMPP_OK);
}

static void end_free(struct end *end)
{
    if (end->fd >= 0)
        end_close(end);
    close(end->peer);
}

static void test_loop_create_wrong_arguments(void **state)
{
    (void)state;
    assert_int_equal(xmpp_loop_create(NULL), XMPP_ERR_INVAL);
    assert_null(xmpp_loop_unref(NULL));
    assert_null(xmpp_loop_ref(NULL));
    assert_int_equal(xmpp_loop_run(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_step(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_dispatch(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_quit(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_get_fd(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_get_time(NULL), 0);
    assert_int_equal(xmpp_loop_set_log(NULL, 1, NULL, NULL, NULL), XMPP_ERR_INVAL);
}

static void test_loop_create_without_descriptors(void **state)
{
    int next = dup(0);
    xmpp_loop *loop = NULL;
    struct rlimit old;

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (int left = 0; left <= 3; left++) {
        struct rlimit few = {.rlim_cur = (rlim_t)(next + left), .rlim_max = old.rlim_max};

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(xmpp_loop_create(&loop), left < 3 ? XMPP_ERR_SYSTEM : XMPP_OK);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    }
    xmpp_loop_unref(loop);
}

static void on_signal(int number)
{
    (void)number;
}

/* step comes back, so that a language binding can look at its own flags; run goes on. */
static void test_loop_step_interrupted(void **state)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(xmpp_loop_step(loop, -1), 0);
    xmpp_loop_unref(loop);
}

static void test_loop_step_wrong_wait(void **state)
{
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(xmpp_loop_step(loop, -2), XMPP_ERR_INVAL);
    xmpp_loop_unref(loop);
}

static void test_loop_fd_idle_is_not_readable(void **state)
{
    xmpp_loop *loop = make_loop();
    int fd = xmpp_loop_get_fd(loop);

    (void)state;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(is_readable(loop, 20));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(xmpp_loop_step(loop, 0), 0);
    assert_int_equal(xmpp_loop_step(loop, 1000), 0);
    assert_false(is_readable(loop, 0));
    assert_int_equal(xmpp_loop_get_fd(loop), fd);
    xmpp_loop_unref(loop);
}

static void test_loop_fd_follows_a_socket(void **state)
{
    xmpp_loop *loop = make_loop();
    struct end end;

    (void)state;
    end_open(&end, loop);
    assert_false(is_readable(loop, 0));
    assert_int_equal(write(end.peer, "x", 1), 1);
    assert_true(is_readable(loop, 0));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(end.calls, 1);
    assert_int_equal(end.events, EPOLLIN);
    assert_false(is_readable(loop, 0)); /* no spinning */
    end_free(&end);
    xmpp_loop_unref(loop);
}

static void test_loop_watch_changes_and_errors(void **state)
{
    xmpp_loop *loop = make_loop();
    struct end end;
    struct loop_watch bad;

    (void)state;
    end_open(&end, loop);
    assert_int_equal(loop_watch_set(loop, &end.watch, end.fd, EPOLLIN | EPOLLOUT), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(end.events, EPOLLOUT);
    assert_int_equal(loop_watch_set(loop, &end.watch, end.fd, 0), XMPP_OK);
    close(end.peer); /* a hang-up is not reported to who wants nothing */
    end.peer = -1;
    assert_false(is_readable(loop, 0));
    assert_int_equal(loop_watch_set(loop, &end.watch, end.fd, EPOLLOUT), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_true(end.events & EPOLLHUP);
    loop_watch_init(&bad, on_end);
    assert_int_equal(loop_watch_set(loop, &bad, 1 << 20, EPOLLIN), XMPP_ERR_SYSTEM);
    assert_int_equal(errno, EBADF);
    end_close(&end);
    xmpp_loop_unref(loop);
}

/* Both sockets are ready in one batch: the first to be told closes the other, which hears nothing. */
static void test_loop_closed_socket_gets_no_event(void **state)
{
    xmpp_loop *loop = make_loop();
    struct end a;
    struct end b;

    (void)state;
    end_open(&a, loop);
    end_open(&b, loop);
    a.victim = &b;
    b.victim = &a;
    assert_int_equal(write(a.peer, "x", 1), 1);
    assert_int_equal(write(b.peer, "x", 1), 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(a.calls + b.calls, 1);
    end_free(&a);
    end_free(&b);
    xmpp_loop_unref(loop);
}

static void test_loop_more_sockets_than_a_batch(void **state)
{
    static struct end ends[150];
    xmpp_loop *loop = make_loop();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        end_open(&ends[i], loop);
        assert_int_equal(write(ends[i].peer, "x", 1), 1);
    }
    assert_int_equal(dispatch_all(loop), ARRAY_LEN(ends));
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        assert_int_equal(ends[i].calls, 1);
        end_free(&ends[i]);
    }
    xmpp_loop_unref(loop);
}

/* --- tasks --- */

struct job {
    struct net_task task;
    xmpp_loop *loop;
    int calls;
    int order;
    struct job *then;
    uint64_t busy_us;
    bool again;
};
static int order;

static void on_job(struct net_task *task)
{
    struct job *job = CONTAINER_OF(task, struct job, task);
    uint64_t start = loop_clock_us();

    assert_true(net_is_dispatching(job->loop));
    job->calls++;
    job->order = ++order;
    while (loop_clock_us() - start < job->busy_us)
        ;
    if (job->then)
        net_task_schedule(job->loop, &job->then->task);
    if (job->again)
        net_task_schedule(job->loop, &job->task);
}

static void job_init(struct job *job, xmpp_loop *loop)
{
    memset(job, 0, sizeof *job);
    job->loop = loop;
    net_task_init(&job->task, on_job);
}

static void test_task_outside_runs_in_next_dispatch(void **state)
{
    xmpp_loop *loop = make_loop();
    struct job a;
    struct job b;
    struct job c;

    (void)state;
    order = 0;
    job_init(&a, loop);
    job_init(&b, loop);
    job_init(&c, loop);
    net_task_schedule(loop, &b.task);
    net_task_schedule(loop, &a.task);
    net_task_schedule(loop, &b.task); /* no effect */
    net_task_schedule(loop, &c.task);
    net_task_cancel(loop, &c.task);
    net_task_cancel(loop, &c.task);
    assert_int_equal(a.calls, 0);
    assert_true(is_readable(loop, 0));
    assert_int_equal(dispatch_all(loop), 2);
    assert_int_equal(b.order, 1);
    assert_int_equal(a.order, 2);
    assert_int_equal(c.calls, 0);
    assert_false(is_readable(loop, 0));
    assert_false(net_is_dispatching(loop));
    xmpp_loop_unref(loop);
}

static void test_task_inside_runs_in_same_turn(void **state)
{
    xmpp_loop *loop = make_loop();
    struct job a;
    struct job b;

    (void)state;
    for (int tries = 0; tries < 20; tries++) { /* unless the turn's time was over */
        job_init(&a, loop);
        job_init(&b, loop);
        a.then = &b;
        net_task_schedule(loop, &a.task);
        assert_true(xmpp_loop_dispatch(loop) > 0);
        if (b.calls == 1)
            break;
        (void)dispatch_all(loop);
    }
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_false(is_readable(loop, 0));
    xmpp_loop_unref(loop);
}

static void count_call(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    ++*(int *)user_data;
}

/* A task that goes on for ever leaves the turn after LIMIT_TURN_US; timers, posts and sockets get through. */
static void test_task_endless_starves_nobody(void **state)
{
    xmpp_loop *loop = make_loop();
    struct end end;
    struct job job;
    int timers = 0;
    int posts = 0;

    (void)state;
    end_open(&end, loop);
    job_init(&job, loop);
    job.busy_us = 1000;
    job.again = true;
    net_task_schedule(loop, &job.task);
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 0, 0, count_call, &timers, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_post(loop, count_call, &posts, NULL), XMPP_OK);
    assert_int_equal(write(end.peer, "x", 1), 1);
    assert_true(xmpp_loop_dispatch(loop) > 0);
    assert_in_range(job.calls, 1, 4);
    assert_int_equal(timers, 1);
    assert_int_equal(posts, 1);
    assert_int_equal(end.calls, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(is_readable(loop, 0));
        assert_true(xmpp_loop_dispatch(loop) > 0);
    }
    net_task_cancel(loop, &job.task);
    (void)xmpp_loop_dispatch(loop);
    assert_false(is_readable(loop, 0));
    end_free(&end);
    xmpp_loop_unref(loop);
}

/* Slow sockets: what does not fit into one turn is delivered in the next ones, each socket once. */
static void on_slow_end(struct loop_watch *watch, uint32_t events)
{
    uint64_t start = loop_clock_us();

    on_end(watch, events);
    while (loop_clock_us() - start < 3000)
        ;
}

static void test_loop_slow_sockets_take_turns(void **state)
{
    static struct end ends[5];
    xmpp_loop *loop = make_loop();
    int turns = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        end_open(&ends[i], loop);
        ends[i].watch.fn = on_slow_end;
        assert_int_equal(write(ends[i].peer, "x", 1), 1);
    }
    for (; is_readable(loop, 0); turns++)
        assert_true(xmpp_loop_dispatch(loop) <= 2);
    assert_in_range(turns, 3, 6);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        assert_int_equal(ends[i].calls, 1);
        end_free(&ends[i]);
    }
    xmpp_loop_unref(loop);
}

/* --- quit, busy, threads, fork --- */

static void test_loop_quit_before_run_is_kept(void **state)
{
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(xmpp_loop_quit(loop), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 0); /* not run: the wish is kept */
    assert_int_equal(xmpp_loop_run(loop), XMPP_OK);
    xmpp_loop_unref(loop);
}

static void quit_in_task(xmpp_loop *loop, void *user_data)
{
    ++*(int *)user_data;
    assert_int_equal(xmpp_loop_quit(loop), XMPP_OK);
}

static void test_loop_quit_from_callback_ends_one_run(void **state)
{
    xmpp_loop *loop = make_loop();
    int calls = 0;

    (void)state;
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(xmpp_loop_post(loop, quit_in_task, &calls, NULL), XMPP_OK);
        assert_int_equal(xmpp_loop_run(loop), XMPP_OK);
        assert_int_equal(calls, i);
    }
    xmpp_loop_unref(loop);
}

static void *quit_thread(void *arg)
{
    assert_int_equal(xmpp_loop_quit(arg), XMPP_OK);
    return NULL;
}

static void test_loop_quit_from_thread(void **state)
{
    xmpp_loop *loop = make_loop();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, quit_thread, loop), 0);
    assert_int_equal(xmpp_loop_run(loop), XMPP_OK);
    pthread_join(thread, NULL);
    xmpp_loop_unref(loop);
}

static void reenter(xmpp_loop *loop, void *user_data)
{
    ++*(int *)user_data;
    assert_int_equal(xmpp_loop_run(loop), XMPP_ERR_BUSY);
    assert_int_equal(xmpp_loop_step(loop, 0), XMPP_ERR_BUSY);
    assert_int_equal(xmpp_loop_dispatch(loop), XMPP_ERR_BUSY);
    assert_true(net_is_dispatching(loop));
    assert_true(xmpp_loop_get_fd(loop) >= 0);
}

static void test_loop_reentered_is_busy(void **state)
{
    xmpp_loop *loop = make_loop();
    int calls = 0;

    (void)state;
    assert_int_equal(xmpp_loop_post(loop, reenter, &calls, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(calls, 1);
    xmpp_loop_unref(loop);
}

static void drop_loop(xmpp_loop *loop, void *user_data)
{
    ++*(int *)user_data;
    xmpp_loop_unref(loop);
}

static void test_loop_unref_in_callback(void **state)
{
    xmpp_loop *loop = make_loop();
    int calls = 0;

    (void)state;
    assert_int_equal(xmpp_loop_post(loop, drop_loop, &calls, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(calls, 1);
}

static void *other_thread(void *arg)
{
    xmpp_loop *loop = arg;
    int calls = 0;

#ifdef XMPP_DEBUG
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 0, 0, count_call, &calls, NULL),
                     XMPP_ERR_THREAD);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, NULL), XMPP_ERR_THREAD);
#endif
    assert_false(loop_is_current(loop));
    assert_int_equal(xmpp_loop_step(loop, 0), 0); /* from now on it is this thread's */
    assert_true(loop_is_current(loop));
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 0, 0, count_call, &calls, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(calls, 1);
    return NULL;
}

static void test_loop_owner_may_change(void **state)
{
    xmpp_loop *loop = make_loop();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, loop), 0);
    pthread_join(thread, NULL);
    xmpp_loop_unref(loop);
}

static int child_checks(xmpp_loop *loop, struct end *end, xmpp_slot *slot)
{
    xmpp_slot *none = NULL;

    if (xmpp_loop_run(loop) != XMPP_ERR_THREAD || xmpp_loop_step(loop, 0) != XMPP_ERR_THREAD ||
        xmpp_loop_dispatch(loop) != XMPP_ERR_THREAD || xmpp_loop_quit(loop) != XMPP_ERR_THREAD ||
        xmpp_loop_get_fd(loop) != XMPP_ERR_THREAD)
        return 1;
    if (xmpp_loop_post(loop, count_call, NULL, NULL) != XMPP_ERR_THREAD ||
        xmpp_loop_add_timer(loop, &none, 0, 0, count_call, NULL, NULL) != XMPP_ERR_THREAD ||
        xmpp_loop_set_log(loop, 0, NULL, NULL, NULL) != XMPP_ERR_THREAD ||
        xmpp_loop_set_dns_servers(loop, NULL) != XMPP_ERR_THREAD)
        return 2;
    xmpp_slot_unref(slot);
    end_close(end);
    xmpp_loop_unref(loop);
    return 0;
}

static void test_loop_fork_child_cannot_disturb(void **state)
{
    xmpp_loop *loop = make_loop();
    xmpp_slot *slot;
    struct end end;
    int status = 0;
    int calls = 0;
    pid_t pid;

    (void)state;
    end_open(&end, loop);
    assert_int_equal(xmpp_loop_add_timer(loop, &slot, 20000, 0, count_call, &calls, NULL), XMPP_OK);
    pid = fork();
    if (pid == 0)
        _exit(child_checks(loop, &end, slot));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);

    assert_int_equal(write(end.peer, "x", 1), 1); /* the parent's set still holds the socket */
    assert_true(is_readable(loop, 0));
    while (calls == 0 || end.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(end.calls, 1);
    xmpp_slot_unref(slot);
    end_free(&end);
    xmpp_loop_unref(loop);
}

/* --- the rest --- */

static void count_destroy(void *user_data)
{
    ++*(int *)user_data;
}

static void count_log(int level, const char *module, const char *message, size_t len,
                      void *user_data)
{
    (void)level;
    (void)module;
    (void)message;
    (void)len;
    ++*(int *)user_data;
}

static void test_loop_set_log_destroys_the_old(void **state)
{
    xmpp_loop *loop = make_loop();
    const struct log *log = net_log(loop);
    int first = 0;
    int second = 0;

    (void)state;
    assert_non_null(log);
    assert_false(log_wants(log, XMPP_LOG_ERROR));
    assert_int_equal(xmpp_loop_set_log(loop, 6, count_log, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_log(loop, -1, count_log, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_log(loop, XMPP_LOG_INFO, count_log, &first, count_destroy),
                     XMPP_OK);
    log_write(net_log(loop), XMPP_LOG_INFO, "test", "x");
    log_write(net_log(loop), XMPP_LOG_DEBUG, "test", "x");
    assert_int_equal(first, 1);
    assert_int_equal(xmpp_loop_set_log(loop, XMPP_LOG_INFO, count_log, &second, count_destroy),
                     XMPP_OK);
    assert_int_equal(first, 2);
    assert_int_equal(second, 0);
    assert_ptr_equal(net_log(loop), log);
    xmpp_loop_unref(loop);
    assert_int_equal(second, 1);
}

static void test_loop_time_stands_during_a_turn(void **state)
{
    xmpp_loop *loop = make_loop();
    uint64_t before = xmpp_loop_get_time(loop);

    (void)state;
    assert_true(before > 0);
    while (xmpp_loop_get_time(loop) == before)
        ;
    assert_true(xmpp_loop_get_time(loop) > before);
    xmpp_loop_unref(loop);
}

static void test_loop_freed_with_everything_pending(void **state)
{
    xmpp_loop *loop = make_loop();
    struct job job;
    int destroyed = 0;

    (void)state;
    job_init(&job, loop);
    net_task_schedule(loop, &job.task);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(
            xmpp_loop_add_timer(loop, NULL, i, i, count_call, &destroyed, count_destroy), XMPP_OK);
        assert_int_equal(xmpp_loop_post(loop, count_call, &destroyed, count_destroy), XMPP_OK);
    }
    assert_null(xmpp_loop_unref(loop));
    assert_int_equal(destroyed, 6);
    assert_int_equal(job.calls, 0);
    assert_false(list_is_linked(&job.task.link));
}

static int create_scenario(void *user_data)
{
    xmpp_loop *loop = NULL;
    int r;

    (void)user_data;
    r = xmpp_loop_create(&loop);
    if (r < 0) {
        assert_null(loop);
        return r;
    }
    r = xmpp_loop_set_dns_servers(loop, "127.0.0.1:53,[::1]");
    xmpp_loop_unref(loop);
    return r;
}

static void test_loop_create_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(create_scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_create_wrong_arguments),
        cmocka_unit_test(test_loop_create_without_descriptors),
        cmocka_unit_test(test_loop_step_interrupted),
        cmocka_unit_test(test_loop_step_wrong_wait),
        cmocka_unit_test(test_loop_fd_idle_is_not_readable),
        cmocka_unit_test(test_loop_fd_follows_a_socket),
        cmocka_unit_test(test_loop_watch_changes_and_errors),
        cmocka_unit_test(test_loop_closed_socket_gets_no_event),
        cmocka_unit_test(test_loop_more_sockets_than_a_batch),
        cmocka_unit_test(test_task_outside_runs_in_next_dispatch),
        cmocka_unit_test(test_task_inside_runs_in_same_turn),
        cmocka_unit_test(test_task_endless_starves_nobody),
        cmocka_unit_test(test_loop_slow_sockets_take_turns),
        cmocka_unit_test(test_loop_quit_before_run_is_kept),
        cmocka_unit_test(test_loop_quit_from_callback_ends_one_run),
        cmocka_unit_test(test_loop_quit_from_thread),
        cmocka_unit_test(test_loop_reentered_is_busy),
        cmocka_unit_test(test_loop_unref_in_callback),
        cmocka_unit_test(test_loop_owner_may_change),
        cmocka_unit_test(test_loop_fork_child_cannot_disturb),
        cmocka_unit_test(test_loop_set_log_destroys_the_old),
        cmocka_unit_test(test_loop_time_stands_during_a_turn),
        cmocka_unit_test(test_loop_freed_with_everything_pending),
        cmocka_unit_test(test_loop_create_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
