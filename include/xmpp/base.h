#ifndef XMPP_BASE_H
#define XMPP_BASE_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#ifdef __cplusplus
#define XMPP_BEGIN_DECLS extern "C" {
#define XMPP_END_DECLS }
#else
#define XMPP_BEGIN_DECLS
#define XMPP_END_DECLS
#endif
/* clang-format on */

#if defined(XMPP_BUILDING)
#define XMPP_API __attribute__((visibility("default")))
#else
#define XMPP_API
#endif
#define XMPP_DEPRECATED_FOR(f) __attribute__((deprecated("use " #f)))

XMPP_BEGIN_DECLS

typedef struct xmpp_loop xmpp_loop;
typedef struct xmpp_client xmpp_client;
typedef struct xmpp_stream xmpp_stream;
typedef struct xmpp_elem xmpp_elem;
typedef struct xmpp_jid xmpp_jid;
typedef struct xmpp_slot xmpp_slot;
typedef struct xmpp_error xmpp_error;
typedef struct xmpp_module xmpp_module;

/* Called exactly once when the library no longer needs user_data. */
typedef void (*xmpp_destroy_fn)(void *user_data);

/* --- version --- */
XMPP_API uint32_t xmpp_version_number(void); /* 0xMMmmpp of the loaded library */
XMPP_API const char *xmpp_version_string(void); /* "0.1.0", static */

/* --- memory --- */
typedef void *(*xmpp_realloc_fn)(void *ptr, size_t size, void *user_data);

/* One function does it all: ptr == NULL allocates, size == 0 frees.
 * Must be called before any other function; returns XMPP_ERR_STATE later. */
XMPP_API int xmpp_mem_set_allocator(xmpp_realloc_fn fn, void *user_data);
XMPP_API void *xmpp_mem_free(void *ptr); /* frees strings the library handed out; returns NULL */

/* --- logging --- */
enum xmpp_log_level {
    XMPP_LOG_ERROR = 1,
    XMPP_LOG_WARN = 2,
    XMPP_LOG_INFO = 3,
    XMPP_LOG_DEBUG = 4,
    XMPP_LOG_WIRE = 5 /* XML in and out; credentials are masked */
};
/* message: UTF-8, no trailing newline, valid only during the call. */
typedef void (*xmpp_log_fn)(int level, const char *module, const char *message, size_t len,
                            void *user_data);

XMPP_END_DECLS
#endif
