/* libmicrohttpd has its own epoll descriptor, which is one level-triggered watch in our poller. It
 * is edge-triggered inside and keeps lists of connections that are still ready, so its timeout is
 * checked after each MHD_run: 0 means "run again". */
#include "http/server.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"
#include "http/bind.h"
#include "http/call_internal.h"
#include "http/head.h"
#include "http/listener.h"
#include "http/peer.h"
#include "http/refusal.h"
#include "http/reject_log.h"
#include "settings/settings.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STOP_RUNS = 64 };

struct http_server {
    struct loop *loop;
    struct http_routes routes;
    struct http_calls calls;
    char token[SETTINGS_TOKEN_SIZE];                /* "": not required */
    struct http_reject_log without_token, too_many; /* TCP only */
    struct http_peers peers;                        /* TCP only */
    struct http_bind socket;
    char group[SETTINGS_TEXT_SIZE]; /* of the Unix socket */
    unsigned mode;
    struct http_listener listener;
    struct MHD_Daemon *daemon;
    struct watch epoll;
    struct timer again;
    bool is_stopping; /* handlers are no longer called */
};

static bool is_full(const struct http_server *http)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info != NULL && info->num_connections >= HTTP_SERVER_CONNECTIONS_MAX;
}

static void update_listener(struct http_server *http)
{
    if (http->is_stopping || is_full(http))
        http_listener_disable(&http->listener);
    else
        http_listener_enable(&http->listener);
}

static void run(struct http_server *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    bool is_waiting;

    http->calls.has_resumed = false;
    MHD_run(http->daemon);
    update_listener(http);
    is_waiting = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES;
    if (http->calls.has_resumed) { /* a handler responded to another call */
        is_waiting = true;
        timeout_ms = 0;
    }
    if (is_waiting)
        loop_set_timer(http->loop, &http->again, timeout_ms);
    else
        loop_cancel_timer(http->loop, &http->again);
    if (!is_waiting || timeout_ms > 0)
        http_peers_close_half_closed(&http->peers);
}

static void epoll_ready(struct watch *w, uint32_t events)
{
    (void)events;
    run(w->ctx);
}

static void timer_due(struct timer *timer, void *ctx)
{
    (void)timer;
    run(ctx);
}

static void log_rejected(struct http_server *http, struct http_reject_log *log,
                         const struct sockaddr *from, const char *why)
{
    struct address client;

    if (from == NULL || address_from_sockaddr(&client, from) != ERR_OK)
        client = (struct address){.family = ADDRESS_NONE};
    http_reject_log_add(log, &client, why, loop_now_ms(http->loop));
}

static void log_too_many(struct http_server *http, const struct sockaddr *from)
{
    char why[80];

    snprintf(why, sizeof why, "limit of %d connections per address reached",
             HTTP_SERVER_CONNECTIONS_PER_IP_MAX);
    log_rejected(http, &http->too_many, from, why);
}

/* MHD closes a connection that it does not accept. ENFILE means that one of its limits is reached:
 * the one per address, since the listener is disabled at the other. */
static void connection_accepted(void *ctx, int fd, const struct sockaddr *from, socklen_t length)
{
    struct http_server *http = ctx;

    if (MHD_add_connection(http->daemon, fd, from, length) == MHD_NO && errno == ENFILE)
        log_too_many(http, from);
    update_listener(http);
    loop_set_timer(http->loop, &http->again, 0);
}

static void log_without_token(struct http_server *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    log_rejected(http, &http->without_token, info == NULL ? NULL : info->client_addr,
                 "missing or invalid token");
}

/* NULL on the Unix socket, or if it could not be allocated. */
static struct http_peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

/* A refusal is sent before the body is read: MHD closes the connection then. */
static enum MHD_Result begin(struct http_server *http, struct MHD_Connection *connection,
                             const char *url, const char *method, void **request)
{
    struct http_head head = {.connection = connection, .method = method, .target = url};
    enum http_refusal refused =
        http_head_check(&head, &http->routes, http->calls.is_tcp ? http->token : NULL);

    if (refused == HTTP_REFUSAL_TOKEN)
        log_without_token(http, connection);
    if (refused != HTTP_REFUSAL_NONE)
        return http_refusal_queue(connection, refused, head.expected);
    http_peer_head_received(peer_of(connection));
    *request = http_call_new(&http->calls, connection, head.route);
    return *request == NULL ? MHD_NO : MHD_YES;
}

/* The handler runs at MHD's next callback. If a connection is suspended while MHD still expects
 * input, MHD reads first on resume, and if the client has closed its half by then, it drops the
 * response. At the next callback it no longer expects input. */
static enum MHD_Result complete_body(struct http_call *call)
{
    call->is_complete = true;
    http_peer_request_received(peer_of(call->connection));
    return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request)
{
    struct http_server *http = cls;
    struct http_call *call = *request;

    (void)version;
    if (call == NULL)
        return begin(http, connection, url, method, request);
    http_call_check(call);
    if (*upload_data_size > 0) {
        http_call_append_body(call, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    if (call->refused != HTTP_REFUSAL_NONE)
        return http_refusal_queue(connection, call->refused, NULL);
    if (!call->is_complete)
        return complete_body(call);
    if (!call->is_called && http->is_stopping)
        return http_refusal_queue(connection, HTTP_REFUSAL_STOPPING, NULL);
    if (!call->is_called)
        http_call_run(call, http->routes.ctx);
    if (call->is_responded)
        return http_call_queue_response(call);
    http_call_suspend(call);
    return MHD_YES;
}

/* Notification about a connection, not a request. */
static void connection_changed(void *cls, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http_server *http = cls;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_peer_free(*context);
        *context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (http->calls.is_tcp && info != NULL)
        *context = http_peer_new(&http->peers, info->connect_fd);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *request;

    (void)cls, (void)code;
    if (call == NULL)
        return;
    http_peer_request_completed(peer_of(connection));
    http_call_free(call);
    *request = NULL;
}

static void log_mhd(void *cls, const char *format, va_list args)
{
    char line[512];
    size_t length;

    (void)cls;
    vsnprintf(line, sizeof line, format, args);
    length = strcspn(line, "\n");
    line[length] = '\0';
    log_debug("control: %s", line);
}

enum err http_server_open(struct http_server **out, const struct http_server_config *config,
                          char *problem, size_t problem_room)
{
    struct http_server *http = calloc(1, sizeof *http);
    enum err e;

    if (http == NULL)
        return ERR_NO_MEMORY;
    *http =
        (struct http_server){.loop = config->loop, .routes = config->routes, .mode = config->mode};
    http->calls = (struct http_calls){
        .loop = config->loop, .again = &http->again, .is_tcp = config->socket_path == NULL};
    http->again = (struct timer){.fire = timer_due, .ctx = http};
    http_peers_init(&http->peers, config->loop, &http->again);
    if (http->calls.is_tcp)
        e = http_bind_open_tcp(&http->socket, &config->address, problem, problem_room);
    else
        e = http_bind_open(&http->socket, config->socket_path, config->group, config->mode, problem,
                           problem_room);
    if (e == ERR_OK)
        e = text_copy(http->group, sizeof http->group, config->group == NULL ? "" : config->group);
    if (e == ERR_OK)
        e = text_copy(http->token, sizeof http->token, config->token == NULL ? "" : config->token);
    if (e != ERR_OK) {
        http_bind_close(&http->socket);
        free(http);
        return e;
    }
    *out = http;
    return ERR_OK;
}

void http_server_close(struct http_server **http)
{
    if (*http == NULL)
        return;
    CONTRACT((*http)->daemon == NULL);
    http_bind_close(&(*http)->socket);
    free(*http);
    *http = NULL;
}

static enum err start_mhd(struct http_server *http)
{
    const union MHD_DaemonInfo *info;
    enum err e;

    errno = 0;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, http, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        http->calls.is_tcp ? (unsigned)HTTP_SERVER_CONNECTIONS_PER_IP_MAX : 0u,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_SERVER_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_SERVER_IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    if (http->daemon == NULL)
        return errno == EMFILE || errno == ENFILE ? ERR_DESCRIPTORS : ERR_SYSTEM;
    http->is_stopping = false;
    info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CONTRACT(info != NULL);
    http->epoll = (struct watch){.fd = info->epoll_fd, .ready = epoll_ready, .ctx = http};
    if ((e = loop_add(http->loop, &http->epoll, EPOLLIN | POLLER_LEVEL)) != ERR_OK) {
        MHD_stop_daemon(http->daemon);
        http->daemon = NULL;
        return e;
    }
    http_listener_init(&http->listener, http->loop, http->socket.fd, connection_accepted, http);
    http_listener_enable(&http->listener);
    return ERR_OK;
}

enum err http_server_start(struct http_server *http)
{
    enum err e = start_mhd(http);

    if (e != ERR_OK)
        http_bind_close(&http->socket); /* otherwise a client would wait in the backlog forever */
    return e;
}

enum err http_server_check_socket(struct http_server *http, bool *is_recreated, char *problem,
                                  size_t problem_room)
{
    struct http_bind fresh;
    enum err e;

    *is_recreated = false;
    if (http->calls.is_tcp || http->daemon == NULL || http_bind_exists(&http->socket))
        return ERR_OK;
    e = http_bind_open(&fresh, http->socket.path, http->group, http->mode, problem, problem_room);
    if (e != ERR_OK)
        return e;
    http_listener_disable(&http->listener);
    close(http->socket.fd);
    http->socket = fresh;
    http_listener_init(&http->listener, http->loop, http->socket.fd, connection_accepted, http);
    update_listener(http);
    *is_recreated = true;
    return ERR_OK;
}

void http_server_stop(struct http_server *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (http->daemon == NULL)
        return;
    CONTRACT(http->calls.suspended == 0);
    http->is_stopping = true;
    http_listener_disable(&http->listener);
    MHD_run(http->daemon);
    for (int i = 0; i < STOP_RUNS; i++)
        if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
            MHD_run(http->daemon);
    loop_remove(http->loop, &http->epoll);
    loop_cancel_timer(http->loop, &http->again);
    MHD_stop_daemon(http->daemon);
    http_peers_fini(&http->peers);
    http->daemon = NULL;
    /* Resets connections in the backlog at once instead of at process exit. */
    http_bind_close(&http->socket);
}
