/* libmicrohttpd has its own epoll descriptor, which stands in our poller as one level-triggered
 * watch. It keeps lists of connections that are ready beyond what epoll tells (it works
 * edge-triggered inside), so after each MHD_run its timeout is asked for, and 0 means "run again".
 *
 * A suspended connection is none of MHD's business until it is resumed, and MHD aborts the process
 * if it is stopped with one. So a suspended connection whose client goes away is seen by a watch of
 * ours (EPOLLHUP: both ends closed), and http_server_stop wants every call answered. */
#include "http/server.h"

#include "base/buf.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "http/auth.h"
#include "http/bind.h"
#include "http/listener.h"
#include "http/peer.h"
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

static const uint32_t call_magic = 0x68747063; /* "htpc" */
enum { STOP_RUNS = 64 };

/* Why a request is refused before anything of it is run. */
enum refusal {
    REFUSED_NOT,
    REFUSED_TOKEN,
    REFUSED_ORIGIN,
    REFUSED_TARGET,
    REFUSED_METHOD,
    REFUSED_TYPE,
    REFUSED_CHARSET,
    REFUSED_ENCODING,
    REFUSED_EXPECTATION,
    REFUSED_LENGTH,
    REFUSED_AMBIGUOUS,
    REFUSED_BUSY,
    REFUSED_STOPPING,
    REFUSED_MEMORY,
};

struct http_call {
    uint32_t magic;
    struct http_server *http;
    struct MHD_Connection *connection;
    struct buf body;
    enum refusal refused; /* it never gets to `called` */
    bool is_whole;
    bool is_called;
    bool is_suspended;
    bool is_answered;
    struct MHD_Response *response; /* NULL with is_answered: no memory */
    struct watch hang_up;
    bool is_watched;
    http_server_gone_fn *gone;
    void *gone_ctx;
};

struct http_server {
    struct loop *loop;
    http_server_called_fn *called;
    void *ctx;
    bool is_tcp;
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
    unsigned suspended;
    size_t body_bytes; /* of requests that are still coming in */
    bool is_stopping;  /* nothing is called any more */
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

static const struct {
    unsigned status;
    const char *text;
} refusals[] = {
    [REFUSED_TOKEN] = {MHD_HTTP_UNAUTHORIZED, "this needs a token: Authorization: Bearer TOKEN\n"},
    [REFUSED_ORIGIN] = {MHD_HTTP_FORBIDDEN, "web pages are not answered here\n"},
    [REFUSED_TARGET] = {MHD_HTTP_NOT_FOUND, "there is only /RPC2 here\n"},
    [REFUSED_METHOD] = {MHD_HTTP_METHOD_NOT_ALLOWED, "only POST is answered here\n"},
    [REFUSED_TYPE] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the Content-Type has to be text/xml\n"},
    [REFUSED_CHARSET] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                         "the charset of the Content-Type has to be utf-8\n"},
    [REFUSED_ENCODING] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                          "a body with a Content-Encoding (gzip, ...) is not taken: send it as it "
                          "is\n"},
    [REFUSED_EXPECTATION] = {MHD_HTTP_EXPECTATION_FAILED,
                             "of Expect only 100-continue is known here\n"},
    [REFUSED_LENGTH] = {MHD_HTTP_CONTENT_TOO_LARGE, "the request is longer than 1 MiB\n"},
    [REFUSED_AMBIGUOUS] = {MHD_HTTP_BAD_REQUEST,
                           "it is not clear where the request ends: give one Content-Length, or "
                           "chunks without one\n"},
    [REFUSED_BUSY] = {MHD_HTTP_SERVICE_UNAVAILABLE,
                      "too many large requests come in at once: try again when some are through\n"},
    [REFUSED_STOPPING] = {MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is stopping\n"},
    [REFUSED_MEMORY] = {MHD_HTTP_INTERNAL_SERVER_ERROR, "the daemon has no memory for an answer\n"},
};

static enum MHD_Result queue_refusal(struct MHD_Connection *connection, enum refusal why)
{
    const char *text = refusals[why].text;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (why == REFUSED_METHOD)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    if (why == REFUSED_TOKEN)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (why == REFUSED_ENCODING)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity");
    result = MHD_queue_response(connection, refusals[why].status, response);
    MHD_destroy_response(response);
    return result;
}

/* `*rest` is what stands behind the type: its parameters. */
static bool is_xml(const char *type, const char **rest)
{
    static const char *const types[] = {"text/xml", "application/xml"};

    for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types; i++) {
        *rest = type + strlen(types[i]);
        if (strncasecmp(type, types[i], strlen(types[i])) == 0 &&
            (**rest == '\0' || strchr("; \t", **rest) != NULL))
            return true;
    }
    return false;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* None, or one of those in which what we take is written the same. */
static bool is_charset_taken(const char *parameters)
{
    const char *at = strcasestr(parameters, "charset");
    size_t length;

    if (at == NULL)
        return true;
    at += strlen("charset");
    at += strspn(at, " \t=\"'");
    length = strcspn(at, " \t;\"'");
    return is_word(at, length, "utf-8") || is_word(at, length, "utf8") ||
           is_word(at, length, "us-ascii") || is_word(at, length, "ascii");
}

/* A client that takes us for a proxy names the host, too; what counts is the path behind it. */
static bool is_our_target(const char *url)
{
    const char *host;

    if (strncasecmp(url, "http://", 7) == 0) {
        host = url + 7;
        url = host + strcspn(host, "/");
        if (url == host)
            return false;
    }
    return strcmp(url, "/RPC2") == 0;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
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

/* Before anything else of a request is looked at. */
static enum refusal look_at_client(struct http_server *http, struct MHD_Connection *connection)
{
    if (!http->is_tcp)
        return REFUSED_NOT;
    if (http->token[0] != '\0' &&
        !http_auth_is_shown(header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION), http->token)) {
        tell_without_token(http, connection);
        return REFUSED_TOKEN;
    }
    return header_of(connection, MHD_HTTP_HEADER_ORIGIN) != NULL ? REFUSED_ORIGIN : REFUSED_NOT;
}

struct lengths {
    unsigned given, chunked;
    bool has_blank; /* a name with a blank in it, which others may read as one without */
};

static enum MHD_Result count_lengths(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct lengths *lengths = cls;

    (void)kind, (void)value;
    lengths->given += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    lengths->chunked += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    lengths->has_blank = lengths->has_blank || strpbrk(name, " \t") != NULL;
    return MHD_YES;
}

/* libmicrohttpd takes one of several words about the length. A proxy before us may take another,
 * and then one client's request would begin in the body of another's. */
static bool is_length_clear(struct MHD_Connection *connection)
{
    struct lengths lengths = {0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_lengths, &lengths);
    return lengths.given + lengths.chunked <= 1 && !lengths.has_blank;
}

static enum refusal look_at_body_headers(struct MHD_Connection *connection)
{
    const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *encoding = header_of(connection, MHD_HTTP_HEADER_CONTENT_ENCODING);
    const char *expect = header_of(connection, MHD_HTTP_HEADER_EXPECT), *parameters;

    if (!is_xml(header_of(connection, MHD_HTTP_HEADER_CONTENT_TYPE), &parameters))
        return REFUSED_TYPE;
    if (!is_charset_taken(parameters))
        return REFUSED_CHARSET;
    if (encoding != NULL && encoding[0] != '\0' && strcasecmp(encoding, "identity") != 0)
        return REFUSED_ENCODING;
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return REFUSED_EXPECTATION;
    if (!is_length_clear(connection))
        return REFUSED_AMBIGUOUS;
    if (length != NULL && strtoull(length, NULL, 10) > HTTP_SERVER_BODY_LIMIT)
        return REFUSED_LENGTH;
    return REFUSED_NOT;
}

static enum refusal look_at_headers(struct MHD_Connection *connection, const char *url,
                                    const char *method)
{
    bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

    if (!is_our_target(url) && (is_post || strcmp(url, "*") != 0))
        return REFUSED_TARGET;
    if (!is_post)
        return REFUSED_METHOD;
    return look_at_body_headers(connection);
}

/* A refused request is answered before its body is read: MHD closes the connection then. */
static enum MHD_Result begin(struct http_server *http, struct MHD_Connection *connection,
                             const char *url, const char *method, void **request)
{
    enum refusal refused = look_at_client(http, connection);
    struct http_call *call;

    if (refused == REFUSED_NOT)
        refused = look_at_headers(connection, url, method);
    if (refused != REFUSED_NOT)
        return queue_refusal(connection, refused);
    http_peer_is_known(client_of(connection));
    if ((call = calloc(1, sizeof *call)) == NULL)
        return MHD_NO;
    call->magic = call_magic;
    call->http = http;
    call->connection = connection;
    *request = call;
    return MHD_YES;
}

static void drop_body(struct http_call *call)
{
    call->http->body_bytes -= buf_length(&call->body);
    buf_clear(&call->body);
}

static enum refusal keep_body(struct http_call *call, const char *bytes, size_t length)
{
    if (buf_length(&call->body) + length > HTTP_SERVER_BODY_LIMIT)
        return REFUSED_LENGTH;
    if (call->http->body_bytes + length > HTTP_SERVER_BODIES_LIMIT)
        return REFUSED_BUSY;
    if (buf_add(&call->body, bytes, length) != ERR_OK)
        return REFUSED_MEMORY;
    call->http->body_bytes += length;
    return REFUSED_NOT;
}

static enum MHD_Result take_body(struct http_call *call, const char *bytes, size_t *length)
{
    if (call->refused == REFUSED_NOT)
        call->refused = keep_body(call, bytes, *length);
    if (call->refused != REFUSED_NOT)
        drop_body(call);
    *length = 0;
    return MHD_YES;
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

static void hung_up(struct watch *w, uint32_t events)
{
    struct http_call *call = w->ctx;

    (void)events;
    MAGIC_CHECK(call, call_magic);
    call->gone(call->gone_ctx);
    http_server_answer(call, NULL, 0);
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
        return queue_refusal(call->connection, REFUSED_MEMORY);
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
    if (call->refused != REFUSED_NOT)
        return queue_refusal(connection, call->refused);
    if (!call->is_whole)
        return take_whole(call);
    if (!call->is_called && call->http->is_stopping)
        return queue_refusal(connection, REFUSED_STOPPING);
    if (!call->is_called) {
        call->is_called = true;
        call->http->called(call->http->ctx, call, (const char *)buf_bytes(&call->body),
                           buf_length(&call->body));
        drop_body(call);
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
    struct http_server *http = cls;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_peer_free(*context);
        *context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (http->is_tcp && info != NULL)
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
    MAGIC_CHECK(call, call_magic);
    CONTRACT(!call->is_suspended && !call->is_watched);
    if (call->response != NULL)
        MHD_destroy_response(call->response);
    drop_body(call);
    call->magic = 0;
    free(call);
    *request = NULL;
}

void http_server_call_watch(struct http_call *call, http_server_gone_fn *gone, void *ctx)
{
    call->gone = gone;
    call->gone_ctx = ctx;
}

uid_t http_server_call_uid(struct http_call *call)
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

void http_server_answer(struct http_call *call, char *body, size_t length)
{
    struct http_server *http = call->http;

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

enum err http_server_open(struct http_server **out, const struct http_server_config *config,
                          char *problem, size_t problem_room)
{
    struct http_server *http = calloc(1, sizeof *http);
    enum err e;

    if (http == NULL)
        return ERR_NO_MEMORY;
    *http = (struct http_server){.loop = config->loop,
                                 .called = config->called,
                                 .ctx = config->ctx,
                                 .is_tcp = config->socket_path == NULL,
                                 .mode = config->mode};
    http->again = (struct timer){.fire = timer_due, .ctx = http};
    http_peers_init(&http->clients, config->loop, &http->again);
    if (http->is_tcp)
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
        http->is_tcp ? (unsigned)HTTP_SERVER_CONNECTIONS_PER_IP_MAX : 0u,
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
    if (http->is_tcp || http->daemon == NULL || http_bind_is_there(&http->socket))
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
    CONTRACT(http->suspended == 0);
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
