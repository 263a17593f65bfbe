/* libmicrohttpd has its own epoll descriptor, which stands in our poller as one level-triggered
 * watch. It keeps lists of connections that are ready beyond what epoll tells (it works
 * edge-triggered inside), so after each MHD_run its timeout is asked for, and 0 means "run again".
 */
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
    char token[SETTINGS_TOKEN_SIZE];                /* "": nobody has to show one */
    struct http_reject_log without_token, too_many; /* at TCP */
    struct http_peers clients;                      /* the same */
    struct http_bind socket;
    char group[SETTINGS_TEXT_SIZE]; /* of the Unix socket */
    unsigned mode;
    struct http_listener door;
    struct MHD_Daemon *daemon;
    struct watch epoll;
    struct timer again;
    bool is_stopping; /* nothing is called any more */
};

static bool is_full(const struct http_server *http)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info != NULL && info->num_connections >= HTTP_SERVER_CONNECTIONS_MAX;
}

static void see_to_door(struct http_server *http)
{
    if (http->is_stopping || is_full(http))
        http_listener_shut(&http->door);
    else
        http_listener_open(&http->door);
}

static void run(struct http_server *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    bool is_waiting;

    MHD_run(http->daemon);
    see_to_door(http);
    is_waiting = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES;
    if (is_waiting)
        loop_set_timer(http->loop, &http->again, timeout_ms);
    else
        loop_cancel_timer(http->loop, &http->again);
    if (!is_waiting || timeout_ms > 0)
        http_peers_cut_off(&http->clients);
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

static void tell(struct http_server *http, struct http_reject_log *refusals,
                 const struct sockaddr *from, const char *why)
{
    struct address client;

    if (from == NULL || address_from_sockaddr(&client, from) != ERR_OK)
        client = (struct address){.family = ADDRESS_NONE};
    http_reject_log_tell(refusals, &client, why, loop_now_ms(http->loop));
}

static void tell_too_many(struct http_server *http, const struct sockaddr *from)
{
    char why[80];

    snprintf(why, sizeof why, "its address has %d connections, the most that one may have",
             HTTP_SERVER_CONNECTIONS_PER_IP_MAX);
    tell(http, &http->too_many, from, why);
}

/* MHD closes what it does not take. ENFILE is its word for a limit, and at that of all addresses
 * the door is shut. */
static void came(void *ctx, int fd, const struct sockaddr *from, socklen_t length)
{
    struct http_server *http = ctx;

    if (MHD_add_connection(http->daemon, fd, from, length) == MHD_NO && errno == ENFILE)
        tell_too_many(http, from);
    see_to_door(http);
    loop_set_timer(http->loop, &http->again, 0);
}

static void tell_without_token(struct http_server *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    tell(http, &http->without_token, info == NULL ? NULL : info->client_addr,
         "a request without the right token");
}

/* NULL at the Unix socket, and without memory. */
static struct http_peer *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

/* A refused request is answered before its body is read: MHD closes the connection then. */
static enum MHD_Result begin(struct http_server *http, struct MHD_Connection *connection,
                             const char *url, const char *method, void **request)
{
    struct http_head head = {.connection = connection, .method = method, .target = url};
    enum http_refusal refused =
        http_head_check(&head, &http->routes, http->calls.is_tcp ? http->token : NULL);

    if (refused == HTTP_REFUSAL_TOKEN)
        tell_without_token(http, connection);
    if (refused != HTTP_REFUSAL_NONE)
        return http_refusal_queue(connection, refused, head.right);
    http_peer_is_known(client_of(connection));
    *request = http_call_new(&http->calls, connection, head.route);
    return *request == NULL ? MHD_NO : MHD_YES;
}

/* The call is made when MHD asks for the answer once more. A connection suspended while MHD still
 * wants to read is read first when it is resumed, and if the client has closed its half by then,
 * MHD takes it for gone and throws the answer away. Asked once more it wants to read no longer. */
static enum MHD_Result take_whole(struct http_call *call)
{
    call->is_whole = true;
    http_peer_asked(client_of(call->connection));
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
        http_call_take_body(call, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    if (call->refused != HTTP_REFUSAL_NONE)
        return http_refusal_queue(connection, call->refused, NULL);
    if (!call->is_whole)
        return take_whole(call);
    if (!call->is_called && http->is_stopping)
        return http_refusal_queue(connection, HTTP_REFUSAL_STOPPING, NULL);
    if (!call->is_called)
        http_call_run(call, http->routes.ctx);
    if (call->is_answered)
        return http_call_queue_answer(call);
    http_call_suspend(call);
    return MHD_YES;
}

/* Of a connection, not of a request. */
static void noticed(void *cls, struct MHD_Connection *connection, void **context,
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
        *context = http_peer_new(&http->clients, info->connect_fd);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *request;

    (void)cls, (void)code;
    if (call == NULL)
        return;
    http_peer_answered(client_of(connection));
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
    http_peers_init(&http->clients, config->loop, &http->again);
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

static enum err serve(struct http_server *http)
{
    const union MHD_DaemonInfo *info;
    enum err e;

    errno = 0;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, noticed, http, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
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
    http_listener_init(&http->door, http->loop, http->socket.fd, came, http);
    http_listener_open(&http->door);
    return ERR_OK;
}

enum err http_server_start(struct http_server *http)
{
    enum err e = serve(http);

    if (e != ERR_OK)
        http_bind_close(&http->socket); /* else a command would wait there for ever */
    return e;
}

enum err http_server_keep_reachable(struct http_server *http, bool *is_new, char *problem,
                                    size_t problem_room)
{
    struct http_bind fresh;
    enum err e;

    *is_new = false;
    if (http->calls.is_tcp || http->daemon == NULL || http_bind_is_there(&http->socket))
        return ERR_OK;
    e = http_bind_open(&fresh, http->socket.path, http->group, http->mode, problem, problem_room);
    if (e != ERR_OK)
        return e;
    http_listener_shut(&http->door);
    close(http->socket.fd);
    http->socket = fresh;
    http_listener_init(&http->door, http->loop, http->socket.fd, came, http);
    see_to_door(http);
    *is_new = true;
    return ERR_OK;
}

void http_server_stop(struct http_server *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (http->daemon == NULL)
        return;
    CONTRACT(http->calls.suspended == 0);
    http->is_stopping = true;
    http_listener_shut(&http->door);
    MHD_run(http->daemon);
    for (int i = 0; i < STOP_RUNS; i++)
        if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
            MHD_run(http->daemon);
    loop_remove(http->loop, &http->epoll);
    loop_cancel_timer(http->loop, &http->again);
    MHD_stop_daemon(http->daemon);
    http_peers_fini(&http->clients);
    http->daemon = NULL;
    /* A connection in the backlog ends here instead of waiting for the process to end. */
    http_bind_close(&http->socket);
}
