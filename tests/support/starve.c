#include "support/starve.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below: the C library's allocator, or that of a sanitizer, which may ask for memory before it is set up itself. */
#define EARLY __attribute__((no_sanitize("address", "undefined", "thread")))
#define HOOK  EARLY __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *ptr, size_t size) __attribute__((weak));
extern void *__interceptor_memalign(size_t align, size_t size) __attribute__((weak));

/* Two dependencies cannot do without memory, and those above them have no say in it; so their own allocations never
 * fail. GMP ends the process (its manual, "Custom Allocation"), and so do the functions that GnuTLS gives it in place of
 * its own. libtasn1 4.19 writes through what it did not get (in asn1_create_element(), asn1_der_decoding2() and
 * asn1_der_coding()). */
static const char *const exempt_modules[] = {"/libgmp.", "/libtasn1."};
#define MAX_RANGES    4
#define GMP_FUNCTIONS 3
#define FUNCTION_SIZE 256 /* more than those of GnuTLS have */

struct range {
    uintptr_t from;
    uintptr_t to;
};

static struct range exempt[MAX_RANGES];
static size_t exempt_count;
static void (*get_gmp_functions)(void **alloc, void **realloc, void **free);

/* of the thread; in the static block, so that reading it takes no memory */
#define OWN static _Thread_local __attribute__((tls_model("initial-exec")))
OWN bool is_on;
OWN bool is_persistent;
OWN bool has_failed;
OWN unsigned fail_at;
OWN unsigned count;
OWN void *stack[STARVE_STACK];
OWN int stack_depth;

static bool wants_stack;

static bool is_exempt_module(const char *path)
{
    for (size_t i = 0; i < sizeof exempt_modules / sizeof *exempt_modules; i++)
        if (strstr(path, exempt_modules[i]))
            return true;
    return false;
}

static int find_exempt(struct dl_phdr_info *info, size_t size, void *user_data)
{
    (void)size;
    (void)user_data;
    if (!info->dlpi_name || !is_exempt_module(info->dlpi_name))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && exempt_count < MAX_RANGES)
            exempt[exempt_count++] =
                (struct range){.from = info->dlpi_addr + part->p_vaddr,
                               .to = info->dlpi_addr + part->p_vaddr + part->p_memsz};
    }
    return 0;
}

EARLY static bool is_exempt(uintptr_t caller)
{
    void *functions[GMP_FUNCTIONS] = {NULL};

    for (size_t i = 0; i < exempt_count; i++)
        if (caller >= exempt[i].from && caller < exempt[i].to)
            return true;
    if (get_gmp_functions) /* set by GnuTLS when it initialises itself, which may be later than starve_begin() */
        get_gmp_functions(&functions[0], &functions[1], &functions[2]);
    for (size_t i = 0; i < GMP_FUNCTIONS; i++)
        if (caller >= (uintptr_t)functions[i] && caller < (uintptr_t)functions[i] + FUNCTION_SIZE)
            return true;
    return false;
}

void starve_begin(unsigned n, bool persistent)
{
    void *symbol = dlsym(RTLD_DEFAULT, "__gmp_get_memory_functions");

    memcpy(&get_gmp_functions, &symbol, sizeof symbol);
    exempt_count = 0;
    dl_iterate_phdr(find_exempt, NULL);
    if (n > 0 && wants_stack)
        (void)backtrace(stack, 1); /* loads what it needs now */
    if (n > 0)
        stack_depth = 0;
    fail_at = n;
    is_persistent = persistent;
    has_failed = false;
    count = 0;
    is_on = true;
}

void starve_end(void)
{
    is_on = false;
}

bool starve_pause(void)
{
    bool was_on = is_on;

    is_on = false;
    return was_on;
}

void starve_resume(bool was_on)
{
    is_on = was_on;
}

bool starve_has_failed(void)
{
    return has_failed;
}

unsigned starve_count(void)
{
    return count;
}

int starve_get_stack(void *const **ret)
{
    *ret = stack;
    return stack_depth;
}

EARLY static bool must_fail(const void *caller)
{
    if (!is_on || is_exempt((uintptr_t)caller))
        return false;
    count++;
    if (!fail_at || (is_persistent ? count < fail_at : count != fail_at))
        return false;
    if (!has_failed && wants_stack) {
        is_on = false;
        stack_depth = backtrace(stack, STARVE_STACK);
        is_on = true;
    }
    has_failed = true;
    errno = ENOMEM;
    return true;
}

/* --- what the process calls --- */

HOOK void *malloc(size_t size)
{
    if (must_fail(__builtin_return_address(0)))
        return NULL;
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

HOOK void *calloc(size_t n, size_t size)
{
    if (must_fail(__builtin_return_address(0)))
        return NULL;
    return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

HOOK void *realloc(void *ptr, size_t size)
{
    if ((size > 0 || !ptr) && must_fail(__builtin_return_address(0)))
        return NULL;
    return __interceptor_realloc ? __interceptor_realloc(ptr, size) : __libc_realloc(ptr, size);
}

EARLY static void *align(size_t alignment, size_t size)
{
    return __interceptor_memalign ? __interceptor_memalign(alignment, size)
                                  : __libc_memalign(alignment, size);
}

HOOK void *memalign(size_t alignment, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : align(alignment, size);
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : align(alignment, size);
}

HOOK int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *ptr = must_fail(__builtin_return_address(0)) ? NULL : align(alignment, size);

    if (!ptr)
        return ENOMEM;
    *ret = ptr;
    return 0;
}

#ifdef STARVE_PRELOAD

#include <ares.h>

/* STARVE_AT=7: the seventh allocation of the main thread fails; 7+: and all behind it. With STARVE_COUNT=FILE the
 * number of allocations is written there at the end. A crash writes its stack to standard error. It is linked so that
 * this comes before every other initialisation. */
static void on_crash(int number)
{
    void *own[2 * STARVE_STACK];

    starve_end();
    backtrace_symbols_fd(own, backtrace(own, 2 * STARVE_STACK), STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

__attribute__((constructor)) static void begin(int argc, char **argv, char **env)
{
    static const char name[] = "STARVE_AT=";
    char *end;
    unsigned long n;

    (void)argc;
    (void)argv;
    while (*env && strncmp(*env, name, strlen(name)) != 0) /* getenv() does not work that early */
        env++;
    if (!*env)
        return;
    signal(SIGSEGV, on_crash);
    signal(SIGABRT, on_crash);
    n = strtoul(*env + strlen(name), &end, 10);
    starve_begin((unsigned)n, *end == '+');
}

/* See STARVE_TRY_MS. */
HOOK int ares_init_options(ares_channel *ret, struct ares_options *options, int mask)
{
    int (*next)(ares_channel *, struct ares_options *, int) = NULL;
    bool was_on = starve_pause();
    void *symbol = dlsym(RTLD_NEXT, "ares_init_options");

    starve_resume(was_on);
    memcpy(&next, &symbol, sizeof symbol);
    if (mask & ARES_OPT_TIMEOUTMS)
        options->timeout = STARVE_TRY_MS;
    return next(ret, options, mask);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("STARVE_COUNT");
    int fd;

    starve_end();
    fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        dprintf(fd, "%u\n", starve_count());
        close(fd);
    }
}

#else

__attribute__((constructor)) static void want_stack(void)
{
    wants_stack = true;
}

#endif
