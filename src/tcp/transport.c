#include "tcp/transport.h"

#include "base/text.h"
#include "tcp/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tcp_transport {
    struct tcp_node *node;
};

enum err tcp_transport_open(struct tcp_transport **out, const struct tcp_transport_config *config)
{
    struct tcp_transport *tcp = calloc(1, sizeof *tcp);
    struct tcp_node_config node = {.settings = config->settings,
                                   .gateway = config->gateway,
                                   .events = config->events,
                                   .inbox = config->inbox,
                                   .committer = config->committer,
                                   .passed = config->passed,
                                   .connection_done = config->connection_done,
                                   .connection_done_ctx = config->connection_done_ctx};
    enum err e;

    if (tcp == NULL)
        return ERR_NO_MEMORY;
    e = tcp_node_open(&tcp->node, &node);
    if (e != ERR_OK) {
        free(tcp);
        return e;
    }
    *out = tcp;
    return ERR_OK;
}

enum err tcp_transport_start(struct tcp_transport *tcp)
{
    return tcp_node_start(tcp->node);
}

void tcp_transport_stop(struct tcp_transport *tcp)
{
    tcp_node_stop(tcp->node);
}

void tcp_transport_close(struct tcp_transport **tcp)
{
    if (*tcp == NULL)
        return;
    tcp_node_close(&(*tcp)->node);
    free(*tcp);
    *tcp = NULL;
}

static struct tcp_node *node_of(void *self)
{
    return ((struct tcp_transport *)self)->node;
}

static void op_connect(void *self, struct transport_start *start)
{
    tcp_node_listen(node_of(self), start);
}

static void op_disconnect(void *self, struct transport_stop *stop)
{
    tcp_node_disconnect(node_of(self), stop);
}

static void op_settings_changed(void *self, const struct settings *settings)
{
    tcp_node_settings_changed(node_of(self), settings);
}

static bool op_is_rebind_needed(void *self)
{
    return tcp_node_is_rebind_needed(node_of(self));
}

/* [node] host, else the only listen address. */
static enum err own_contact(struct tcp_node *node, struct contact *out)
{
    const struct settings *s = tcp_node_settings(node);
    char ip[ADDRESS_TEXT_SIZE];

    *out = (struct contact){.proto = "tcp", .port = s->tcp_connections.tcp_port};
    if (s->node.host[0] != '\0')
        return text_copy(out->host, sizeof out->host, s->node.host);
    if (s->tcp_connections.is_listen_any || s->tcp_connections.listen_count != 1 ||
        address_is_wildcard(&s->tcp_connections.listen[0]))
        return ERR_NOT_FOUND;
    return text_copy(out->host, sizeof out->host,
                     address_ip_text(ip, &s->tcp_connections.listen[0]));
}

static enum err op_build_contacts(void *self, char out[CONTACT_TEXT_SIZE])
{
    struct contact contact;
    enum err e = own_contact(node_of(self), &contact);

    if (e == ERR_OK)
        contact_text(out, &contact);
    return e;
}

static bool op_verify_contacts(void *self, const struct contact *contact)
{
    struct contact own;

    return own_contact(node_of(self), &own) == ERR_OK && strcmp(own.host, contact->host) == 0 &&
           strcmp(own.proto, contact->proto) == 0 && own.port == contact->port;
}

static void op_send_file(void *self, struct send_request *r)
{
    tcp_route_send(node_of(self), r);
}

static void op_connect_to(void *self, struct host_request *r)
{
    tcp_route_host_call(node_of(self), TCP_CONNECT_TO, r);
}

static void op_disconnect_from(void *self, struct host_request *r)
{
    tcp_route_host_call(node_of(self), TCP_DISCONNECT_FROM, r);
}

static void op_send_keep_alive(void *self, struct host_request *r)
{
    tcp_route_host_call(node_of(self), TCP_KEEP_ALIVE, r);
}

static void op_cancel_file_sending(void *self, struct cancel_request *r)
{
    tcp_route_cancel_sending(node_of(self), r);
}

static void op_cancel_file_receiving(void *self, struct cancel_request *r)
{
    tcp_worker_queries_cancel_receiving(tcp_node_first_worker(node_of(self)), r);
}

static void op_list_sessions(void *self, struct list_request *r)
{
    tcp_worker_queries_sessions(tcp_node_first_worker(node_of(self)), r);
}

static void op_list_streams(void *self, struct list_request *r)
{
    tcp_worker_queries_streams(tcp_node_first_worker(node_of(self)), r);
}

static void op_count(void *self, struct counts_request *r)
{
    tcp_worker_queries_count(tcp_node_first_worker(node_of(self)), r);
}

const struct transport_ops tcp_transport_ops = {
    .proto = "tcp",
    .connect = op_connect,
    .disconnect = op_disconnect,
    .settings_changed = op_settings_changed,
    .is_rebind_needed = op_is_rebind_needed,
    .build_contacts = op_build_contacts,
    .verify_contacts = op_verify_contacts,
    .send_file = op_send_file,
    .connect_to = op_connect_to,
    .disconnect_from = op_disconnect_from,
    .send_keep_alive = op_send_keep_alive,
    .cancel_file_sending = op_cancel_file_sending,
    .cancel_file_receiving = op_cancel_file_receiving,
    .cancel_outbox_file = op_cancel_file_sending,
    .list_sessions = op_list_sessions,
    .list_streams = op_list_streams,
    .count = op_count,
};

static bool is_connections_enabled(const struct settings *s)
{
    return s->tcp_connections.is_enabled;
}

static bool is_transport_enabled(const struct settings *s)
{
    return s->tcp_transport.is_enabled;
}

static const struct service connections_service = {.name = "tcp_connections",
                                                   .section = "services/tcp-connections",
                                                   .is_enabled = is_connections_enabled};

const struct service tcp_transport_service = {.name = "tcp_transport",
                                              .section = "services/tcp-transport",
                                              .is_enabled = is_transport_enabled,
                                              .needs = {&connections_service, &gateway_service}};

struct transport_preferences tcp_transport_preferences(const struct settings *s)
{
    return (struct transport_preferences){.priority = s->tcp_transport.priority,
                                          .is_sending_enabled = s->tcp_transport.is_sending_enabled,
                                          .is_receiving_enabled =
                                              s->tcp_transport.is_receiving_enabled};
}
