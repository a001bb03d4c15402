#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <xmpp/base.h>

struct log {
    int max_level; /* 0: off */
    xmpp_log_fn fn;
    void *user_data;
    xmpp_destroy_fn destroy;
};

void log_init(struct log *log);
void log_clear(struct log *log);
bool log_wants(const struct log *log, int level); /* log may be NULL */
void log_write(const struct log *log, int level, const char *module, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* a message of any length, as it is */
void log_write_raw(const struct log *log, int level, const char *module, const char *text,
                   size_t len);

#endif
