#include "support/starve-run.h"

#include "base/arena.h"
#include "support/starve.h"
#include "support/torture.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmpp/error.h>

#define HANG_SECONDS 30 /* a scenario takes milliseconds; under a sanitizer tens of them */
#define MAX_PRINTED  12
#define MAX_RESULTS  64
#define MAX_STACK    48
#define LIBC         "/libc.so"
#define CRASH        "  it ended at\n"
#define END          0 /* exit code of a child: it has run to the end of the allocations */
#define NEXT         1 /* one run is done, and was good */
#define BAD          2 /* and was not */

/* Shared by the child, which runs, and the parent, which goes on when the child does not. */
struct progress {
    unsigned n;
    unsigned total;
    unsigned results[MAX_RESULTS]; /* by the negated code */
    char text[256];
};

static struct progress *progress;
static FILE *report; /* stacks; truncated for each child */
static FILE *words; /* what was written to standard error */

/* --- in the child --- */

static void write_stacks(void *const *own, int own_depth)
{
    void *const *failed;
    int depth = starve_get_stack(&failed);
    int fd = fileno(report);

    dprintf(fd, "  no memory was given at\n");
    backtrace_symbols_fd(failed, depth, fd);
    if (own_depth > 0) {
        dprintf(fd, CRASH);
        backtrace_symbols_fd(own, own_depth, fd);
    }
}

static void on_crash(int number)
{
    void *own[MAX_STACK];

    starve_end();
    write_stacks(own, backtrace(own, MAX_STACK));
    signal(number, SIG_DFL);
    raise(number);
}

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(progress->text, sizeof progress->text, format, args);
    va_end(args);
    write_stacks(NULL, 0);
    _exit(BAD);
}

static unsigned count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

/* Returns whether the n-th allocation was reached. */
static bool run_once(const struct starve_scenario *scenario, unsigned n, bool persistent)
{
    unsigned descriptors = count_descriptors();
    size_t blocks = torture_live_blocks();
    bool has_failed;
    int r;

    alarm(HANG_SECONDS);
    starve_begin(n, persistent);
    r = scenario->run();
    starve_end();
    has_failed = starve_has_failed();
    alarm(0);
    arena_cache_trim();
    if (!has_failed && r != XMPP_OK)
        complain("untouched it comes to %s", xmpp_err_name(r));
    if (r > XMPP_OK || r <= -MAX_RESULTS)
        complain("it came to what must not be: %d", r);
    if (r == XMPP_ERR_TIMEOUT)
        complain("nobody was told: it came to a time-out");
    if (r < 0 && r != XMPP_ERR_NOMEM && getenv("STARVE_STRICT"))
        complain("it came to %s", xmpp_err_name(r));
    if (torture_live_blocks() != blocks && !scenario->is_cold)
        complain("%s, blocks %zu before, %zu after", xmpp_err_name(r), blocks,
                 torture_live_blocks());
    if (count_descriptors() != descriptors && !scenario->is_cold)
        complain("%s, descriptors %u before, %u after", xmpp_err_name(r), descriptors,
                 count_descriptors());
    if (lseek(STDERR_FILENO, 0, SEEK_END) > 0)
        complain("%s, and something was written", xmpp_err_name(r));
    if (n > 0) {
        progress->total = starve_count();
        progress->results[-r]++;
    }
    return has_failed;
}

static void run_child(const struct starve_scenario *scenario, unsigned step, bool persistent)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fileno(words), STDERR_FILENO);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], on_crash);
    if (!scenario->is_cold)
        (void)run_once(scenario, 0, false);
    for (;; progress->n += step) {
        bool was_hit = run_once(scenario, progress->n, persistent);

        if (scenario->is_cold && !scenario->is_lasting)
            (void)run_once(scenario, 0, false); /* nothing is broken for good */
        if (!was_hit || scenario->is_cold)
            _exit(was_hit ? NEXT : END);
    }
}

/* --- in the parent --- */

static bool has_function(const char *stack, const char *name)
{
    char part[64];

    snprintf(part, sizeof part, "(%s+", name);
    return strstr(stack, part) != NULL;
}

/* A frame of the C library, or of a sanitizer in its place. */
static bool is_below(const char *line, size_t len)
{
    return memmem(line, len, LIBC, strlen(LIBC)) ||
           memmem(line, len, "/libasan.so", strlen("/libasan.so"));
}

static bool is_known(const struct starve_known *known)
{
    static char text[32768];
    char *stack;
    char *end = NULL;
    size_t len;

    rewind(report);
    len = fread(text, 1, sizeof text - 1, report);
    text[len] = '\0';
    stack = strstr(text, CRASH);
    /* the handler, then the C library that called it, then what crashed, perhaps in the C library */
    stack = stack ? strstr(stack, LIBC) : NULL;
    stack = stack ? strchr(stack, '\n') : NULL;
    while (stack && (end = strchr(++stack, '\n')) && is_below(stack, (size_t)(end - stack)))
        stack = end;
    for (; stack && end && known->library; known++)
        if (memmem(stack, (size_t)(end - stack), known->library, strlen(known->library)) &&
            has_function(stack, known->function) &&
            (!known->caller || has_function(stack, known->caller)))
            return true;
    return false;
}

static void copy(FILE *file)
{
    char line[1024];

    rewind(file);
    while (fgets(line, sizeof line, file))
        printf("    %s", line);
}

/* Returns whether it counts as a failure. */
static bool judge(const struct starve_scenario *scenario, const struct starve_known *known,
                  int status, bool persistent, unsigned before)
{
    if (is_known(known))
        return false;
    if (before >= MAX_PRINTED && !getenv("STARVE_VERBOSE"))
        return true;
    printf("%s: allocation %u failing %s: %s\n", scenario->name, progress->n,
           persistent ? "from then on" : "once",
           WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : progress->text);
    copy(report);
    copy(words);
    return true;
}

static void truncate_files(void)
{
    fflush(report);
    if (ftruncate(fileno(report), 0) < 0 || ftruncate(fileno(words), 0) < 0)
        abort();
    rewind(report);
    rewind(words);
}

static unsigned run_all(const struct starve_scenario *scenario, const struct starve_known *known,
                        unsigned step, bool persistent)
{
    const char *asked = getenv("STARVE_STEP");
    unsigned failures = 0;
    unsigned excused = 0;
    int status;

    if (asked)
        step = (unsigned)strtoul(asked, NULL, 10);
    if (step == 0)
        abort();
    memset(progress, 0, sizeof *progress);
    progress->n = 1;
    do {
        pid_t pid;

        truncate_files();
        fflush(stdout);
        progress->text[0] = '\0';
        pid = fork();
        if (pid == 0)
            run_child(scenario, step, persistent);
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            abort();
        if (status && WEXITSTATUS(status) != NEXT) {
            if (judge(scenario, known, status, persistent, failures))
                failures++;
            else
                excused++;
        }
        progress->n += step;
    } while (status);
    printf("%s %s: %u allocations, every %u., %u failures, %u known;", scenario->name,
           persistent ? "from then on" : "once", progress->total, step, failures, excused);
    for (int i = 0; i < MAX_RESULTS; i++)
        if (progress->results[i])
            printf(" %u %s", progress->results[i], xmpp_err_name(-i));
    putchar('\n');
    return failures;
}

unsigned starve_run(const struct starve_scenario *scenario, const struct starve_known *known)
{
    unsigned failures;

    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    report = tmpfile();
    words = tmpfile();
    if (progress == MAP_FAILED || !report || !words)
        abort();
    failures = run_all(scenario, known, scenario->step, false);
    failures +=
        run_all(scenario, known, scenario->step_on ? scenario->step_on : scenario->step, true);
    fclose(report);
    fclose(words);
    munmap(progress, sizeof *progress);
    return failures;
}
