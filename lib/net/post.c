#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <unistd.h>

struct post {
    struct list link;
    xmpp_task_fn fn;
    void *user_data;
    xmpp_destroy_fn destroy;
};

int post_init(xmpp_loop *loop)
{
    struct post_queue *posts = &loop->posts;

    list_init(&posts->incoming);
    list_init(&posts->taken);
    posts->deferred_end = &posts->deferred;
    return pthread_mutex_init(&posts->lock, NULL) == 0 ? XMPP_OK : XMPP_ERR_NOMEM;
}

static void post_free(struct post *post)
{
    if (post->destroy)
        post->destroy(post->user_data);
    mem_free(post);
}

static void clear_list(struct list *head)
{
    while (!list_is_empty(head)) {
        struct post *post = CONTAINER_OF(head->next, struct post, link);

        list_remove(&post->link);
        post_free(post);
    }
}

static void run_owner_tasks(struct owner_task **head)
{
    while (*head) {
        struct owner_task *task = *head;

        *head = task->next;
        task->next = NULL;
        task->run(task);
    }
}

/* Nobody refers to the loop any more. In the child of fork() another thread may have stood inside the lock: then
 * the queue is in pieces and stays where it is. */
void post_clear(xmpp_loop *loop)
{
    struct post_queue *posts = &loop->posts;

    clear_list(&posts->taken);
    run_owner_tasks(&posts->taken_deferred);
    if (pthread_mutex_trylock(&posts->lock) != 0)
        return;
    (void)pthread_mutex_unlock(&posts->lock);
    clear_list(&posts->incoming);
    run_owner_tasks(&posts->deferred);
    (void)pthread_mutex_destroy(&posts->lock);
}

/* With the lock held: the descriptor must neither stay silent nor be readable without work. */
static void signal_locked(xmpp_loop *loop)
{
    static const uint64_t one = 1;

    if (loop->posts.signalled)
        return;
    loop->posts.signalled = true;
    while (write(loop->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ; /* EAGAIN would take 2^64 writes */
}

void post_wake(xmpp_loop *loop)
{
    if (loop_is_forked(loop))
        return;
    (void)pthread_mutex_lock(&loop->posts.lock);
    signal_locked(loop);
    (void)pthread_mutex_unlock(&loop->posts.lock);
}

static void append_owner_tasks(struct owner_task **head, struct owner_task *tasks)
{
    while (*head)
        head = &(*head)->next;
    *head = tasks;
}

void post_take(xmpp_loop *loop)
{
    struct post_queue *posts = &loop->posts;

    (void)pthread_mutex_lock(&posts->lock);
    posts->signalled = false;
    list_splice(&posts->taken, &posts->incoming);
    append_owner_tasks(&posts->taken_deferred, posts->deferred);
    posts->deferred = NULL;
    posts->deferred_end = &posts->deferred;
    (void)pthread_mutex_unlock(&posts->lock);
}

/* Deferred destructions come last: what was posted before them may still use the object. */
int post_run(xmpp_loop *loop)
{
    struct post_queue *posts = &loop->posts;
    int done = 0;

    while (!list_is_empty(&posts->taken)) {
        struct post *post = CONTAINER_OF(posts->taken.next, struct post, link);

        list_remove(&post->link);
        post->fn(loop, post->user_data);
        post_free(post);
        done++;
        if (!net_has_time(loop))
            return done;
    }
    while (posts->taken_deferred) {
        struct owner_task *task = posts->taken_deferred;

        posts->taken_deferred = task->next;
        task->next = NULL;
        task->run(task);
        done++;
        if (!net_has_time(loop))
            break;
    }
    return done;
}

bool post_is_pending(const xmpp_loop *loop)
{
    return !list_is_empty(&loop->posts.taken) || loop->posts.taken_deferred;
}

void post_run_deferred(xmpp_loop *loop)
{
    struct post_queue *posts = &loop->posts;
    struct owner_task *tasks;

    if (posts->draining)
        return; /* a destructor dropped its reference to the loop */
    (void)pthread_mutex_lock(&posts->lock);
    tasks = posts->deferred;
    posts->deferred = NULL;
    posts->deferred_end = &posts->deferred;
    (void)pthread_mutex_unlock(&posts->lock);
    if (!tasks && !posts->taken_deferred)
        return;
    posts->draining = true;
    append_owner_tasks(&posts->taken_deferred, tasks);
    run_owner_tasks(&posts->taken_deferred);
    posts->draining = false;
}

void post_defer(struct owner *owner, struct owner_task *task)
{
    xmpp_loop *loop = CONTAINER_OF(owner, xmpp_loop, owner);
    struct post_queue *posts = &loop->posts;

    task->next = NULL;
    /* the write stays under the lock: the task may drop the last reference as soon as it is seen */
    (void)pthread_mutex_lock(&posts->lock);
    *posts->deferred_end = task;
    posts->deferred_end = &task->next;
    signal_locked(loop);
    (void)pthread_mutex_unlock(&posts->lock);
}

int xmpp_loop_post(xmpp_loop *loop, xmpp_task_fn fn, void *user_data, xmpp_destroy_fn destroy)
{
    struct post *post;

    if (!loop || !fn)
        return XMPP_ERR_INVAL;
    if (loop_is_forked(loop))
        return XMPP_ERR_THREAD;
    post = mem_alloc(sizeof *post);
    if (!post)
        return XMPP_ERR_NOMEM;
    list_init(&post->link);
    post->fn = fn;
    post->user_data = user_data;
    post->destroy = destroy;

    (void)pthread_mutex_lock(&loop->posts.lock);
    list_append(&loop->posts.incoming, &post->link);
    signal_locked(loop);
    (void)pthread_mutex_unlock(&loop->posts.lock);
    return XMPP_OK;
}
