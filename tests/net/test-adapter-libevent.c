#include "adapter.h"

#include <xmpp/adapter/libevent.h>

static struct event *event;

static void on_done(void *user_data)
{
    (void)user_data;
    xmpp_libevent_detach(event);
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct adapter_test test;

    CHECK(base);
    adapter_open(&test, on_done, NULL);
    event = xmpp_libevent_attach(test.loop, base);
    CHECK(event);
    CHECK(event_base_dispatch(base) == 1); /* ends when no event is left */
    xmpp_libevent_detach(NULL);
    adapter_close(&test);
    event_base_free(base);
    return 0;
}
