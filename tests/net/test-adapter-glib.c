#include "adapter.h"

#include <xmpp/adapter/glib.h>

static void on_done(void *user_data)
{
    g_main_loop_quit(user_data);
}

int main(void)
{
    GMainContext *context = g_main_context_new();
    GMainLoop *main_loop = g_main_loop_new(context, FALSE);
    struct adapter_test test;
    GSource *source;

    adapter_open(&test, on_done, main_loop);
    source = xmpp_glib_attach(test.loop, context);
    g_main_loop_run(main_loop);
    CHECK(!g_main_context_iteration(context, FALSE)); /* nothing to do: it is quiet */
    g_source_destroy(source);
    g_source_unref(source);
    adapter_close(&test);
    g_main_loop_unref(main_loop);
    g_main_context_unref(context);
    return 0;
}
