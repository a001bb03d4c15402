#ifndef MISUSE_CALLS_H
#define MISUSE_CALLS_H

#include "fix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/ext/ping.h>
#include <xmpp/stream.h>
#include <xmpp/test.h>
#include <xmpp/xmpp.h>

/* Every public function, made callable by calls.py: with good arguments, or with one of them exchanged. */

enum vary_kind { VARY_NOTHING, VARY_NULL, VARY_TEXT, VARY_NUMBER };

struct vary {
    enum vary_kind kind;
    unsigned param;
    const char *text;
    uint64_t number;
};

struct result {
    int64_t value;
    const void *pointer;
    bool touched; /* an output parameter was written to */
};

enum param_kind {
    PARAM_POINTER,
    PARAM_OUTPUT,
    PARAM_TEXT,
    PARAM_NUMBER,
    PARAM_FIXED, /* must be true: not exchanged */
    PARAM_WAIT /* waits so long: not exchanged by anything that waits */
};

struct param {
    const char *name;
    const char *type; /* of pointers, "xmpp_client" */
    enum param_kind kind;
    int is_pointer;
    int is_optional; /* by the documentation NULL is allowed */
};

/* by the documentation */
enum call_flags {
    CALL_LOOP_THREAD = 1, /* only there, and the result can tell */
    CALL_WHILE_IDLE = 2, /* else XMPP_ERR_STATE */
    CALL_WHILE_READY = 4, /* else XMPP_ERR_STATE */
    CALL_OTHER_ERRORS = 8, /* returns errors of others, too */
    CALL_NEVER_NULL = 16,
    CALL_HAS_ERRORS = 32
};

struct call {
    const char *name;
    const char *header;
    void (*run)(struct fix *fix, const struct vary *vary, struct result *result);
    enum { RETURNS_NUMBER, RETURNS_POINTER } returns;
    int flags;
    int errors[10]; /* documented ones, up to 0 */
    unsigned count;
    struct param params[10];
};

extern const struct call calls[];
extern const size_t calls_count;

bool vary_is_null(const struct vary *vary, unsigned param);
const char *vary_text(const struct vary *vary, unsigned param, const char *text);
uint64_t vary_number(const struct vary *vary, unsigned param, uint64_t number);

/* what a call needs of the fixture: FIX_READY, or what the documentation or a parameter says */
enum fix_stage call_stage(const struct call *call);
bool call_has_param(const struct call *call, const char *type);
bool call_is_documented(const struct call *call, int64_t value);
/* Runs it. A failure must have had no effect: else, and when it is not documented, there is a complaint. */
void call_run(const struct call *call, struct fix *fix, const struct vary *vary,
              struct result *result);
/* A complaint is printed; call_end() at the end of a test fails when there was one. */
void call_fail(const struct call *call, const struct vary *vary, const struct result *result,
               const char *what);
void call_end(void);

#endif
