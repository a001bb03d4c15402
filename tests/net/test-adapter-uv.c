#include "adapter.h"

#include <xmpp/adapter/uv.h>

static void on_done(void *user_data)
{
    xmpp_uv_detach(user_data);
    xmpp_uv_detach(user_data); /* once more is no harm */
}

int main(void)
{
    struct adapter_test test;
    uv_poll_t handle;
    uv_loop_t uv;

    CHECK(uv_loop_init(&uv) == 0);
    adapter_open(&test, on_done, &handle);
    CHECK(xmpp_uv_attach(test.loop, &uv, &handle) == 0);
    CHECK(uv_run(&uv, UV_RUN_DEFAULT) == 0); /* ends when the handle is closed */
    adapter_close(&test);
    CHECK(uv_loop_close(&uv) == 0);
    return 0;
}
