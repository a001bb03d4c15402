#ifndef XMPP_BASE_H
#define XMPP_BASE_H

/**
 * @file
 * Types that all headers share, version, allocator, log levels.
 *
 * Strings are UTF-8 and end with NUL, in and out. Strings and buffers that are passed in are copied. A `const`
 * result is borrowed: it lives as long as the object that it was asked of. What is handed out through `char **`
 * belongs to the caller and is freed with xmpp_mem_free().
 */

#include <stddef.h>
#include <stdint.h>

/** @cond */
/* clang-format off */
#ifdef __cplusplus
#define XMPP_BEGIN_DECLS extern "C" {
#define XMPP_END_DECLS }
#else
#define XMPP_BEGIN_DECLS
#define XMPP_END_DECLS
#endif
/* clang-format on */
/** @endcond */

/** @cond */
#if defined(XMPP_BUILDING)
#define XMPP_API __attribute__((visibility("default")))
#else
#define XMPP_API
#endif
/** @endcond */
/** Marks a function that will go with the next major version, and names its successor. */
#define XMPP_DEPRECATED_FOR(f) __attribute__((deprecated("use " #f)))

XMPP_BEGIN_DECLS

/** Event loop: descriptors, timers, work of other threads. See xmpp/loop.h. */
typedef struct xmpp_loop xmpp_loop;
/** One account's connection to its server. See xmpp/client.h. */
typedef struct xmpp_client xmpp_client;
/** The protocol engine without input and output. See xmpp/stream.h. */
typedef struct xmpp_stream xmpp_stream;
/** An XML element, part of a tree. See xmpp/elem.h. */
typedef struct xmpp_elem xmpp_elem;
/** An XMPP address (RFC 7622). See xmpp/jid.h. */
typedef struct xmpp_jid xmpp_jid;
/** One registration: a handler, a timer, a pending request. See xmpp/slot.h. */
typedef struct xmpp_slot xmpp_slot;
/** Details of a failure. See xmpp/error.h. */
typedef struct xmpp_error xmpp_error;
/** What an extension keeps with a client. See xmpp/module.h. */
typedef struct xmpp_module xmpp_module;

/**
 * Tells that the library does not need user_data any more.
 *
 * Runs exactly once, after the last use of user_data, in the thread of the loop; never if the call that took it
 * failed. It may call everything that other callbacks may call.
 *
 * @param user_data  what was given together with this function
 */
typedef void (*xmpp_destroy_fn)(void *user_data);

/**
 * The version of the library that was loaded, as a number.
 *
 * Any thread.
 *
 * @return 0xMMmmpp: major, minor, patch; 0x000100 is 0.1.0
 * @since 0.1
 */
XMPP_API uint32_t xmpp_version_number(void);

/**
 * The version of the library that was loaded, as text.
 *
 * Any thread.
 *
 * @return static string like "0.1.0", never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_version_string(void);

/**
 * An allocator: one function that allocates, resizes and frees.
 *
 * Called from any thread that uses the library; it must not call the library itself. A result must be aligned for
 * every type (`max_align_t`).
 *
 * @param ptr        NULL: allocate; else a block from an earlier call
 * @param size       bytes; 0: free ptr (the result is ignored)
 * @param user_data  what was given to xmpp_mem_set_allocator()
 * @return the block; NULL: out of memory, and ptr is still valid and unchanged
 */
typedef void *(*xmpp_realloc_fn)(void *ptr, size_t size, void *user_data);

/**
 * Choose the allocator of the whole process.
 *
 * To be called before any other function and before there is a second thread. The libraries below have allocators
 * of their own, which this does not touch. Without a call the C library's is used.
 *
 * @param fn         the allocator; not NULL; must work as long as the process uses the library
 * @param user_data  [optional] passed to fn
 *
 * @retval XMPP_OK         chosen
 * @retval XMPP_ERR_INVAL  fn is NULL
 * @retval XMPP_ERR_STATE  the library has already allocated something
 * @since 0.1
 */
XMPP_API int xmpp_mem_set_allocator(xmpp_realloc_fn fn, void *user_data);

/**
 * Free a string or buffer that the library handed out to own.
 *
 * Any thread.
 *
 * @param ptr  [optional] the block, or NULL: nothing happens
 * @return always NULL
 * @since 0.1
 */
XMPP_API void *xmpp_mem_free(void *ptr);

/** How much a message matters; a loop passes on its maximal level and what is below (xmpp_loop_set_log()). */
enum xmpp_log_level {
    XMPP_LOG_ERROR = 1, /**< something failed */
    XMPP_LOG_WARN = 2, /**< something looks wrong, work goes on */
    XMPP_LOG_INFO = 3, /**< what happens to a connection */
    XMPP_LOG_DEBUG = 4, /**< each step */
    XMPP_LOG_WIRE = 5 /**< XML in and out; credentials are masked */
};

/**
 * Takes a log message.
 *
 * Runs inside any call on the loop and its objects; it must not call the library.
 *
 * @param level      enum xmpp_log_level; expect unknown values
 * @param module     part of the library, like "tls"; static string
 * @param message    UTF-8 without a newline at its end, NUL-terminated only by chance; valid during the call
 * @param len        bytes of message
 * @param user_data  what was given to xmpp_loop_set_log()
 */
typedef void (*xmpp_log_fn)(int level, const char *module, const char *message, size_t len,
                            void *user_data);

XMPP_END_DECLS
#endif
