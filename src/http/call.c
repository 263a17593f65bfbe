/* MHD ignores a suspended connection until it is resumed, and aborts the process if it is stopped
 * while one is suspended. Therefore a watch of our own detects clients that close while suspended
 * (EPOLLHUP: both directions closed), and http_server_stop requires every call to be responded to.
 */
#include "http/call.h"

#include "base/contract.h"
#include "http/call_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t call_magic = 0x68747063; /* "htpc" */

struct http_call *http_call_new(struct http_calls *all, struct MHD_Connection *connection,
                                const struct http_route *route)
{
    struct http_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->magic = call_magic;
    call->all = all;
    call->connection = connection;
    call->route = route;
    return call;
}

void http_call_check(const struct http_call *call)
{
    MAGIC_CHECK(call, call_magic);
}

static void drop_body(struct http_call *call)
{
    call->all->body_bytes -= buf_length(&call->body);
    buf_clear(&call->body);
}

void http_call_free(struct http_call *call)
{
    MAGIC_CHECK(call, call_magic);
    CONTRACT(!call->is_suspended && !call->is_watched);
    if (call->response != NULL)
        MHD_destroy_response(call->response);
    drop_body(call);
    call->magic = 0;
    free(call);
}

static enum http_refusal append_body(struct http_call *call, const char *bytes, size_t length)
{
    if (buf_length(&call->body) + length > HTTP_CALL_BODY_LIMIT)
        return HTTP_REFUSAL_LENGTH;
    if (call->all->body_bytes + length > HTTP_CALL_BODIES_LIMIT)
        return HTTP_REFUSAL_BUSY;
    if (buf_add(&call->body, bytes, length) != ERR_OK)
        return HTTP_REFUSAL_MEMORY;
    call->all->body_bytes += length;
    return HTTP_REFUSAL_NONE;
}

void http_call_append_body(struct http_call *call, const char *bytes, size_t length)
{
    if (call->refused == HTTP_REFUSAL_NONE)
        call->refused = append_body(call, bytes, length);
    if (call->refused != HTTP_REFUSAL_NONE)
        drop_body(call);
}

void http_call_run(struct http_call *call, void *ctx)
{
    call->is_called = true;
    call->route->handle(ctx, call, (const char *)buf_bytes(&call->body), buf_length(&call->body));
    drop_body(call);
}

static void client_closed(struct watch *w, uint32_t events)
{
    struct http_call *call = w->ctx;

    (void)events;
    MAGIC_CHECK(call, call_magic);
    call->on_close(call->on_close_ctx);
    http_call_respond(call, &(struct http_response){.body = NULL});
}

void http_call_suspend(struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    MHD_suspend_connection(call->connection);
    call->is_suspended = true;
    call->all->suspended++;
    if (call->on_close == NULL || info == NULL)
        return;
    call->hup = (struct watch){.fd = info->connect_fd, .ready = client_closed, .ctx = call};
    call->is_watched = loop_add(call->all->loop, &call->hup, POLLER_LEVEL) == ERR_OK;
}

enum MHD_Result http_call_queue_response(struct http_call *call)
{
    if (call->response == NULL)
        return http_refusal_queue(call->connection, HTTP_REFUSAL_MEMORY, NULL);
    return MHD_queue_response(call->connection, call->status, call->response);
}

void http_call_on_close(struct http_call *call, http_call_closed_fn *on_close, void *ctx)
{
    call->on_close = on_close;
    call->on_close_ctx = ctx;
}

uid_t http_call_uid(struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof peer;

    if (call->all->is_tcp)
        return geteuid();
    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return (uid_t)-1;
    return peer.uid;
}

static void create_response(struct http_call *call, const struct http_response *answer)
{
    call->status = answer->status;
    if (answer->body != NULL)
        call->response =
            MHD_create_response_from_buffer(answer->length, answer->body, MHD_RESPMEM_MUST_FREE);
    if (call->response != NULL)
        MHD_add_response_header(call->response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    else
        free(answer->body);
}

void http_call_respond(struct http_call *call, const struct http_response *answer)
{
    struct http_calls *all = call->all;

    MAGIC_CHECK(call, call_magic);
    CONTRACT(!call->is_responded);
    loop_assert_here(all->loop);
    call->is_responded = true;
    create_response(call, answer);
    if (!call->is_suspended)
        return;
    if (call->is_watched)
        loop_remove(all->loop, &call->hup);
    call->is_watched = call->is_suspended = false;
    all->suspended--;
    MHD_resume_connection(call->connection);
    all->has_resumed = true;
    loop_set_timer(all->loop, all->again, 0);
}
