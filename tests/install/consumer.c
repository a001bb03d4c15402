/* What a program of somebody else sees: only what pkg-config names. Also compiled as C++. */
#include <stdio.h>
#include <string.h>
#include <xmpp/ext/ping.h>
#include <xmpp/stream.h>
#include <xmpp/xmpp.h>

static int on_message(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)client;
    (void)stanza;
    (void)user_data;
    return XMPP_DONE;
}

int main(void)
{
    xmpp_loop *loop = NULL;
    xmpp_client *client = NULL;
    xmpp_ping *ping = NULL;
    xmpp_jid *jid = NULL;
    xmpp_elem *msg = NULL;
    char *xml = NULL;
    size_t len;
    int ok = xmpp_loop_create(&loop) == XMPP_OK && xmpp_client_create(&client, loop) == XMPP_OK &&
             xmpp_ping_attach(&ping, client) == XMPP_OK &&
             xmpp_jid_parse(&jid, "Romeo@Example.ORG/b") == XMPP_OK &&
             xmpp_client_set_jid(client, jid) == XMPP_OK &&
             xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, NULL, NULL, on_message, NULL,
                                     NULL) == XMPP_OK &&
             xmpp_elem_create_stanza(&msg, XMPP_MESSAGE, "chat", jid) == XMPP_OK &&
             xmpp_elem_add_child_text(msg, NULL, "body", "a < b") != NULL &&
             xmpp_elem_to_xml(msg, &xml, &len) == XMPP_OK && strstr(xml, "a &lt; b") != NULL &&
             strcmp(xmpp_jid_get_str(jid), "romeo@example.org/b") == 0 &&
             xmpp_client_send(client, msg) == XMPP_ERR_STATE;

    printf("libxmpp %s: %s\n", xmpp_version_string(), ok ? xml : "failed");
    xmpp_mem_free(xml);
    xmpp_elem_unref(msg);
    xmpp_jid_unref(jid);
    xmpp_ping_unref(ping);
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    return !ok;
}
