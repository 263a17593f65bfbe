/* libmicrohttpd has its own epoll descriptor, which stands in our poller as one level-triggered
 * watch. It keeps lists of connections that are ready beyond what epoll tells (it works
 * edge-triggered inside), so after each MHD_run its timeout is asked for, and 0 means "run again".
 *
 * A suspended connection is none of MHD's business until it is resumed, and MHD aborts the process
 * if it is stopped with one. So a suspended connection whose client goes away is seen by a watch of
 * ours (EPOLLHUP: both ends closed), and http_stop wants every call answered. */
#include "control/http.h"

#include "base/buf.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "control/control_priv.h"
#include "control/http_door.h"
#include "control/http_newcomer.h"
#include "control/http_token.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t call_magic = 0x68747063; /* "htpc" */
enum { STOP_RUNS = 64 };

struct http_call {
    uint32_t magic;
    struct http *http;
    struct MHD_Connection *connection;
    struct buf body;
    unsigned refused; /* HTTP status of a request that never gets to `called`, else 0 */
    bool is_called;
    bool is_suspended;
    bool is_answered;
    struct MHD_Response *response; /* NULL with is_answered: no memory */
    struct watch hang_up;
    bool is_watched;
    http_gone_fn *gone;
    void *gone_ctx;
};

struct http {
    struct loop *loop;
    http_called_fn *called;
    void *ctx;
    bool is_tcp;
    char token[SETTINGS_TOKEN_SIZE]; /* "": nobody has to show one */
    struct http_refusals refusals;
    struct http_newcomers newcomers; /* at TCP */
    struct control_socket socket;
    struct http_door door;
    struct MHD_Daemon *daemon;
    struct watch epoll;
    struct timer again;
    unsigned suspended;
    bool is_stopping; /* nothing is called any more */
};

static bool is_full(const struct http *http)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info != NULL && info->num_connections >= HTTP_CONNECTIONS_MAX;
}

static void see_to_door(struct http *http)
{
    if (http->is_stopping || is_full(http))
        http_door_shut(&http->door);
    else
        http_door_open(&http->door);
}

static void run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(http->daemon);
    see_to_door(http);
    if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES)
        loop_set_timer(http->loop, &http->again, timeout_ms);
    else
        loop_cancel_timer(http->loop, &http->again);
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

/* MHD closes what it does not take. */
static void came(void *ctx, int fd, const struct sockaddr *from, socklen_t length)
{
    struct http *http = ctx;

    MHD_add_connection(http->daemon, fd, from, length);
    see_to_door(http);
    loop_set_timer(http->loop, &http->again, 0);
}

static const char *refusal_text(unsigned status)
{
    switch (status) {
    case MHD_HTTP_UNAUTHORIZED:
        return "this needs a token: Authorization: Bearer TOKEN\n";
    case MHD_HTTP_FORBIDDEN:
        return "web pages are not answered here\n";
    case MHD_HTTP_NOT_FOUND:
        return "there is only /RPC2 here\n";
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return "only POST is answered here\n";
    case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "the Content-Type has to be text/xml\n";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "the request is longer than 1 MiB\n";
    case MHD_HTTP_SERVICE_UNAVAILABLE:
        return "the daemon is stopping\n";
    default:
        return "the daemon has no memory for an answer\n";
    }
}

static enum MHD_Result queue_refusal(struct MHD_Connection *connection, unsigned status)
{
    const char *text = refusal_text(status);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static bool is_xml(const char *type)
{
    return type != NULL &&
           (strncasecmp(type, "text/xml", 8) == 0 || strncasecmp(type, "application/xml", 15) == 0);
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void tell_refused(struct http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct address client = {.family = ADDRESS_NONE};

    if (info != NULL && address_from_sockaddr(&client, info->client_addr) != ERR_OK)
        client = (struct address){.family = ADDRESS_NONE};
    http_refusals_tell(&http->refusals, &client, loop_now_ms(http->loop));
}

/* Before anything else of a request is looked at. */
static unsigned look_at_client(struct http *http, struct MHD_Connection *connection)
{
    if (!http->is_tcp)
        return 0;
    if (http->token[0] != '\0' &&
        !http_token_is_shown(header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION), http->token)) {
        tell_refused(http, connection);
        return MHD_HTTP_UNAUTHORIZED;
    }
    return header_of(connection, MHD_HTTP_HEADER_ORIGIN) != NULL ? MHD_HTTP_FORBIDDEN : 0;
}

static unsigned look_at_headers(struct MHD_Connection *connection, const char *url,
                                const char *method)
{
    const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

    if (strcmp(url, "/RPC2") != 0)
        return MHD_HTTP_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (!is_xml(header_of(connection, MHD_HTTP_HEADER_CONTENT_TYPE)))
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    if (length != NULL && strtoull(length, NULL, 10) > HTTP_BODY_LIMIT)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return 0;
}

/* A refused request is answered before its body is read: MHD closes the connection then. */
static enum MHD_Result begin(struct http *http, struct MHD_Connection *connection, const char *url,
                             const char *method, void **request)
{
    unsigned refused = look_at_client(http, connection);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_call *call;

    if (refused == 0)
        refused = look_at_headers(connection, url, method);
    if (refused != 0)
        return queue_refusal(connection, refused);
    if (info != NULL)
        http_newcomer_is_known(info->socket_context);
    if ((call = calloc(1, sizeof *call)) == NULL)
        return MHD_NO;
    call->magic = call_magic;
    call->http = http;
    call->connection = connection;
    *request = call;
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_call *call, const char *bytes, size_t *length)
{
    if (call->refused == 0 && buf_length(&call->body) + *length > HTTP_BODY_LIMIT)
        call->refused = MHD_HTTP_CONTENT_TOO_LARGE;
    if (call->refused == 0 && buf_add(&call->body, bytes, *length) != ERR_OK)
        call->refused = MHD_HTTP_INTERNAL_SERVER_ERROR;
    if (call->refused != 0)
        buf_clear(&call->body);
    *length = 0;
    return MHD_YES;
}

static void hung_up(struct watch *w, uint32_t events)
{
    struct http_call *call = w->ctx;

    (void)events;
    MAGIC_CHECK(call, call_magic);
    call->gone(call->gone_ctx);
    http_answer(call, NULL, 0);
}

static void suspend(struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    MHD_suspend_connection(call->connection);
    call->is_suspended = true;
    call->http->suspended++;
    if (call->gone == NULL || info == NULL)
        return;
    call->hang_up = (struct watch){.fd = info->connect_fd, .ready = hung_up, .ctx = call};
    call->is_watched = loop_add(call->http->loop, &call->hang_up, POLLER_LEVEL) == ERR_OK;
}

static enum MHD_Result queue_answer(struct http_call *call)
{
    if (call->response == NULL)
        return queue_refusal(call->connection, MHD_HTTP_INTERNAL_SERVER_ERROR);
    return MHD_queue_response(call->connection, MHD_HTTP_OK, call->response);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request)
{
    struct http_call *call = *request;

    (void)version;
    if (call == NULL)
        return begin(cls, connection, url, method, request);
    MAGIC_CHECK(call, call_magic);
    if (*upload_data_size > 0)
        return take_body(call, upload_data, upload_data_size);
    if (call->refused != 0)
        return queue_refusal(connection, call->refused);
    if (!call->is_called && call->http->is_stopping)
        return queue_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    if (!call->is_called) {
        call->is_called = true;
        call->http->called(call->http->ctx, call, (const char *)buf_bytes(&call->body),
                           buf_length(&call->body));
        buf_clear(&call->body);
    }
    if (call->is_answered)
        return queue_answer(call);
    suspend(call);
    return MHD_YES;
}

/* Of a connection, not of a request. */
static void noticed(void *cls, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_newcomer_free(*context);
        *context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (http->is_tcp && info != NULL)
        *context = http_newcomer_new(&http->newcomers, info->connect_fd);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *request;

    (void)cls, (void)connection, (void)code;
    if (call == NULL)
        return;
    MAGIC_CHECK(call, call_magic);
    CONTRACT(!call->is_suspended && !call->is_watched);
    if (call->response != NULL)
        MHD_destroy_response(call->response);
    buf_clear(&call->body);
    call->magic = 0;
    free(call);
    *request = NULL;
}

void http_call_watch(struct http_call *call, http_gone_fn *gone, void *ctx)
{
    call->gone = gone;
    call->gone_ctx = ctx;
}

uid_t http_call_uid(struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof peer;

    if (call->http->is_tcp)
        return geteuid();
    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return (uid_t)-1;
    return peer.uid;
}

void http_answer(struct http_call *call, char *body, size_t length)
{
    struct http *http = call->http;

    MAGIC_CHECK(call, call_magic);
    CONTRACT(!call->is_answered);
    loop_assert_here(http->loop);
    call->is_answered = true;
    if (body != NULL)
        call->response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (call->response != NULL)
        MHD_add_response_header(call->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/xml");
    else
        free(body);
    if (!call->is_suspended)
        return;
    if (call->is_watched)
        loop_remove(http->loop, &call->hang_up);
    call->is_watched = call->is_suspended = false;
    http->suspended--;
    MHD_resume_connection(call->connection);
    loop_set_timer(http->loop, &http->again, 0);
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

enum err http_open(struct http **out, const struct http_config *config, char *problem,
                   size_t problem_room)
{
    struct http *http = calloc(1, sizeof *http);
    enum err e;

    if (http == NULL)
        return ERR_NO_MEMORY;
    *http = (struct http){.loop = config->loop,
                          .called = config->called,
                          .ctx = config->ctx,
                          .is_tcp = config->socket_path == NULL};
    http->again = (struct timer){.fire = timer_due, .ctx = http};
    http_newcomers_init(&http->newcomers, config->loop);
    if (http->is_tcp)
        e = control_socket_open_tcp(&http->socket, &config->address, problem, problem_room);
    else
        e = control_socket_open(&http->socket, config->socket_path, config->group, config->mode,
                                problem, problem_room);
    if (e == ERR_OK)
        e = text_copy(http->token, sizeof http->token, config->token == NULL ? "" : config->token);
    if (e != ERR_OK) {
        control_socket_close(&http->socket);
        free(http);
        return e;
    }
    *out = http;
    return ERR_OK;
}

void http_close(struct http **http)
{
    if (*http == NULL)
        return;
    CONTRACT((*http)->daemon == NULL);
    control_socket_close(&(*http)->socket);
    free(*http);
    *http = NULL;
}

static enum err serve(struct http *http)
{
    const union MHD_DaemonInfo *info;
    enum err e;

    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, noticed, http, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        http->is_tcp ? (unsigned)HTTP_CONNECTIONS_PER_IP_MAX : 0u, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (http->daemon == NULL)
        return ERR_SYSTEM;
    http->is_stopping = false;
    info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CONTRACT(info != NULL);
    http->epoll = (struct watch){.fd = info->epoll_fd, .ready = epoll_ready, .ctx = http};
    if ((e = loop_add(http->loop, &http->epoll, EPOLLIN | POLLER_LEVEL)) != ERR_OK) {
        MHD_stop_daemon(http->daemon);
        http->daemon = NULL;
        return e;
    }
    http_door_init(&http->door, http->loop, http->socket.fd, came, http);
    http_door_open(&http->door);
    return ERR_OK;
}

enum err http_start(struct http *http)
{
    enum err e = serve(http);

    if (e != ERR_OK)
        control_socket_close(&http->socket); /* else a command would wait there for ever */
    return e;
}

void http_stop(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (http->daemon == NULL)
        return;
    CONTRACT(http->suspended == 0);
    http->is_stopping = true;
    http_door_shut(&http->door);
    MHD_run(http->daemon);
    for (int i = 0; i < STOP_RUNS; i++)
        if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
            MHD_run(http->daemon);
    loop_remove(http->loop, &http->epoll);
    loop_cancel_timer(http->loop, &http->again);
    MHD_stop_daemon(http->daemon);
    http_newcomers_fini(&http->newcomers);
    http->daemon = NULL;
    /* A connection in the backlog ends here instead of waiting for the process to end. */
    control_socket_close(&http->socket);
}
