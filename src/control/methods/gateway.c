/* The calls by which a remote gateway takes control of the transports: init, connect, disconnect,
 * shutdown. */
#include "control/methods/methods.h"
#include "control/methods/query.h"
#include "control/reply.h"
#include "control/state.h"
#include "gateway_client/client.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdio.h>

static void answer_done(struct method_query *q)
{
    enum err e = q->request.request.result;
    xmlrpc_env env;

    if (e != ERR_OK) {
        control_reply_fault(q->pending.call, e == ERR_DISABLED ? FAULT_DISABLED : FAULT_PARAMETERS,
                            "%s", q->request.text);
        return;
    }
    xmlrpc_env_init(&env);
    control_reply_value(q->pending.call, &env, rpc_bool(&env, true));
}

static void answer_init(struct method_query *q)
{
    struct control *control = q->pending.control;

    snprintf(control->gateway_url, sizeof control->gateway_url, "%s", q->request.url);
    answer_done(q);
}

/* In the supervisor's thread. The client gets the new instance before it becomes the current
 * gateway, so no call is posted to the old one. */
static enum err switch_gateway(const struct supervisor_request *r)
{
    struct control *control = r->cookie;
    enum err e = gateway_client_init(control->config.gateway_client, r->url, r->has_file_result);

    if (e == ERR_OK)
        gateway_set(control->config.gateway, &gateway_client_ops, control->config.gateway_client);
    return e;
}

void method_init(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct method_query *q = method_query_new(control, call, SUPERVISOR_GATEWAY_INIT, answer_init);
    struct supervisor_request *r;
    char why[SETTINGS_WHY_SIZE];

    if (q == NULL)
        return;
    r = &q->request;
    r->cookie = control;
    r->switch_gateway = switch_gateway;
    rpc_args_text(args, "url", true, &r->url);
    rpc_args_flag(args, "options", "file_result", &r->has_file_result);
    if (r->url != NULL && !settings_gateway_url_check(r->url, why)) {
        control_reply_fault(call, FAULT_PARAMETERS, "parameter 1, url, '%.200s': %s", r->url, why);
        method_query_free(q);
    } else {
        method_query_post(control, call, q, args);
    }
}

static void answer_connect(struct method_query *q)
{
    if (q->request.request.result == ERR_OK)
        gateway_client_confirm(q->pending.control->config.gateway_client);
    answer_done(q);
}

void method_connect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct method_query *q = method_query_new(control, call, SUPERVISOR_CONNECT, answer_connect);

    if (q == NULL)
        return;
    rpc_args_text(args, "idurl", false, &q->request.idurl);
    rpc_args_host(args, "host", false, &q->request.host);
    rpc_args_scalar(args, "tcp_port", false, &q->request.tcp_port);
    rpc_args_ignore_rest(args);
    method_query_post(control, call, q, args);
}

void method_disconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_DISCONNECT, answer_done);
}

void method_shutdown(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_DISCONNECT, answer_done);
}
