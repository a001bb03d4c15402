/* To be preloaded: counts calls of the allocator and system calls of input and output, for programs of one thread. */
#include "counters.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

__attribute__((visibility("default"))) struct counters bench_counters;

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wredundant-decls"
#pragma GCC diagnostic ignored "-Wpedantic"

/* glibc's own names of its allocator: they need no dlsym(), which allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    bench_counters.allocs++;
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    bench_counters.allocs++;
    return __libc_calloc(number, size);
}

void *realloc(void *ptr, size_t size)
{
    bench_counters.allocs++;
    return __libc_realloc(ptr, size);
}

void *memalign(size_t alignment, size_t size)
{
    bench_counters.allocs++;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    *ret = memalign(alignment, size);
    return *ret ? 0 : ENOMEM;
}

/* COUNT(counter, result, name, (parameters), (arguments)) defines a function that counts and passes on. */
#define COUNT(counter, type, name, parameters, arguments)                                          \
    __attribute__((visibility("default"))) type name parameters                                    \
    {                                                                                              \
        static type(*real) parameters;                                                             \
        bench_counters.counter++;                                                                  \
        if (!real)                                                                                 \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                    \
        return real arguments;                                                                     \
    }

#undef read
#undef recv
#undef poll
COUNT(reads, ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len))
COUNT(reads, ssize_t, __read_chk, (int fd, void *buf, size_t len, size_t size),
      (fd, buf, len, size))
COUNT(reads, ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count))
COUNT(reads, ssize_t, recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))
COUNT(reads, ssize_t, __recv_chk, (int fd, void *buf, size_t len, size_t size, int flags),
      (fd, buf, len, size, flags))
COUNT(reads, ssize_t, recvfrom,
      (int fd, void *restrict buf, size_t len, int flags, __SOCKADDR_ARG addr,
       socklen_t *restrict addr_len),
      (fd, buf, len, flags, addr, addr_len))
COUNT(reads, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
COUNT(writes, ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))
COUNT(writes, ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))
COUNT(writes, ssize_t, send, (int fd, const void *buf, size_t len, int flags),
      (fd, buf, len, flags))
COUNT(writes, ssize_t, sendto,
      (int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG addr,
       socklen_t addr_len),
      (fd, buf, len, flags, addr, addr_len))
COUNT(writes, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))
COUNT(waits, int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
COUNT(waits, int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t size),
      (fds, count, timeout, size))
COUNT(waits, int, ppoll,
      (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
      (fds, count, timeout, mask))
COUNT(waits, int, select,
      (int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict err,
       struct timeval *restrict timeout),
      (count, in, out, err, timeout))
COUNT(waits, int, epoll_wait, (int fd, struct epoll_event *events, int count, int timeout),
      (fd, events, count, timeout))
COUNT(waits, int, epoll_pwait2,
      (int fd, struct epoll_event *events, int count, const struct timespec *timeout,
       const sigset_t *mask),
      (fd, events, count, timeout, mask))
COUNT(others, int, epoll_ctl, (int fd, int op, int target, struct epoll_event *event),
      (fd, op, target, event))
COUNT(others, int, timerfd_settime,
      (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
      (fd, flags, value, old))
COUNT(others, int, getsockopt,
      (int fd, int level, int name, void *restrict value, socklen_t *restrict len),
      (fd, level, name, value, len))
COUNT(others, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
      (fd, level, name, value, len))
COUNT(others, ssize_t, getrandom, (void *buf, size_t len, unsigned flags), (buf, len, flags))
