/* The calls by which a remote gateway takes over and owns the life of the transports: init,
 * connect, disconnect, shutdown. */
#include "control/control_priv.h"

#include "control/gate.h"

#include <stdio.h>
#include <stdlib.h>

static void answer_done(struct network_asked *n)
{
    enum err e = n->request.request.result;
    xmlrpc_env env;

    if (e != ERR_OK) {
        control_fault(n->asked.call, e == ERR_DISABLED ? FAULT_DISABLED : FAULT_PARAMETERS, "%s",
                      n->request.text);
        return;
    }
    xmlrpc_env_init(&env);
    control_answer(n->asked.call, &env, xmlrpc_bool_new(&env, true));
}

/* The gate hears of the new instance before anybody posts to it as the gateway in charge. */
static bool take_over(struct control *control, struct http_call *call, const char *url,
                      bool has_file_result)
{
    char why[SETTINGS_WHY_SIZE];

    if (!settings_gateway_url_check(url, why)) {
        control_fault(call, FAULT_PARAMETERS, "parameter 1, url, '%.200s': %s", url, why);
        return false;
    }
    if (gate_init(control->config.gate, url, has_file_result) != ERR_OK) {
        control_fault(call, FAULT_INTERNAL, "the daemon has no memory for a gateway");
        return false;
    }
    snprintf(control->gateway_url, sizeof control->gateway_url, "%s", url);
    gateway_set(control->config.gateway, &gate_ops, control->config.gate);
    return true;
}

void call_init(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct network_asked *n = network_new(control, call, SUPERVISOR_GATEWAY_INIT, answer_done);
    bool has_file_result = false;
    char *url = NULL;

    if (n == NULL)
        return;
    rpc_args_text(args, "url", true, &url);
    rpc_args_flag(args, "options", "file_result", &has_file_result);
    if (!rpc_args_end(args) || take_over(control, call, url, has_file_result))
        network_post(control, call, n, args);
    else
        network_free(n);
    free(url);
}

void call_connect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct network_asked *n = network_new(control, call, SUPERVISOR_CONNECT, answer_done);

    if (n == NULL)
        return;
    rpc_args_text(args, "idurl", false, &n->request.idurl);
    rpc_args_host(args, "host", false, &n->request.host);
    rpc_args_word(args, "tcp_port", false, &n->request.tcp_port);
    rpc_args_ignore_rest(args);
    network_post(control, call, n, args);
}

static void disconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct network_asked *n = network_new(control, call, SUPERVISOR_DISCONNECT, answer_done);

    if (n != NULL)
        network_post(control, call, n, args);
}

void call_disconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    disconnect(control, call, args);
}

void call_shutdown(struct control *control, struct http_call *call, struct rpc_args *args)
{
    disconnect(control, call, args);
}
