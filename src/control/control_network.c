/* What the supervisor is asked: status, services, reload, reconnect, stop. */
#include "control/control_priv.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct network_asked;
typedef void network_answer_fn(struct network_asked *n);

struct network_asked {
    struct supervisor_request request; /* first: comes back */
    struct asked asked;
    network_answer_fn *answer;
};

/* A reload that failed has more to say than its result. */
static bool is_answerable(struct network_asked *n)
{
    enum err e = n->request.request.result;

    if (e == ERR_OK || n->request.ask == SUPERVISOR_RELOAD)
        return true;
    control_fault(n->asked.call, e == ERR_CLOSED ? FAULT_STOPPING : FAULT_FAILED,
                  "the daemon did not take it: %s",
                  e == ERR_CLOSED ? "it is stopping" : err_text(e));
    return false;
}

static void network_is_back(struct message *m, void *owner)
{
    struct network_asked *n = (struct network_asked *)(void *)m;

    (void)owner;
    if (n->asked.call != NULL && is_answerable(n))
        n->answer(n);
    asked_end(&n->asked);
    free(n);
}

static void ask(struct control *control, struct http_call *call, struct rpc_args *args,
                enum supervisor_ask what, network_answer_fn *answer)
{
    struct network_asked *n;
    enum err e;

    if (!rpc_args_end(args)) {
        control_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        return;
    }
    if ((n = calloc(1, sizeof *n)) == NULL) {
        control_fault(call, FAULT_INTERNAL, "the daemon has no memory for a request");
        return;
    }
    n->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = network_is_back};
    n->request.ask = what;
    n->answer = answer;
    asked_begin(&n->asked, control, call);
    if ((e = supervisor_post(control->config.supervisor, &n->request)) == ERR_OK)
        return;
    if (e == ERR_CLOSED)
        control_fault(call, FAULT_STOPPING, "the daemon is stopping");
    else
        control_fault(call, FAULT_FULL, "the supervisor has too much to do: try again in a moment");
    asked_end(&n->asked);
    free(n);
}

static xmlrpc_value *counts_into(xmlrpc_env *env, xmlrpc_value *value,
                                 const struct transport_counts *counts)
{
    rpc_put_integer(env, value, "workers", counts->workers);
    rpc_put_integer(env, value, "sessions", counts->sessions);
    rpc_put_integer(env, value, "sessions_connected", counts->sessions_connected);
    rpc_put_integer(env, value, "files_in", counts->files_in);
    rpc_put_integer(env, value, "files_out", counts->files_out);
    rpc_put_integer(env, value, "files_waiting", counts->files_waiting);
    return value;
}

static xmlrpc_value *transport_value(xmlrpc_env *env, const struct transport_info *t)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_text(env, value, "proto", t->proto);
    rpc_put_text(env, value, "state", t->state);
    rpc_put_bool(env, value, "is_enabled", t->is_enabled);
    rpc_put_text(env, value, "host", t->host);
    rpc_put_text(env, value, "last_error", t->last_error);
    rpc_put_integer(env, value, "priority", t->priority);
    return counts_into(env, value, &t->counts);
}

static xmlrpc_value *transports_value(xmlrpc_env *env, const struct supervisor_request *r)
{
    xmlrpc_value *array = rpc_array(env);

    for (unsigned i = 0; i < r->transport_count && i < GATEWAY_TRANSPORTS_MAX; i++)
        rpc_add(env, array, transport_value(env, &r->transports[i]));
    return array;
}

static xmlrpc_value *metrics_value(xmlrpc_env *env)
{
    xmlrpc_value *value = rpc_struct(env);

    for (unsigned i = 0; i < METRIC_COUNT; i++)
        rpc_put_integer(env, value, metrics_word((enum metric)i),
                        (int64_t)metrics_sum((enum metric)i));
    return value;
}

static xmlrpc_value *settings_value(xmlrpc_env *env, const struct settings *s)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_text(env, value, "idurl", s->node.idurl);
    rpc_put_integer(env, value, "tcp_port", s->tcp_connections.tcp_port);
    rpc_put_integer(env, value, "threads", settings_worker_count(s));
    rpc_put(env, value, "inbox", rpc_path(env, s->inbox.path));
    rpc_put_text(env, value, "durability",
                 s->inbox.durability == DURABILITY_FULL ? "full" : "none");
    rpc_put(env, value, "socket", rpc_path(env, s->control.socket));
    return value;
}

static void answer_status(struct network_asked *n)
{
    const struct supervisor_request *r = &n->request;
    struct control *control = n->asked.control;
    xmlrpc_value *value;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    value = rpc_struct(&env);
    rpc_put_text(&env, value, "version", DUSTWIRE_VERSION);
    rpc_put_integer(&env, value, "pid", getpid());
    rpc_put_text(&env, value, "network_state", r->network_state);
    rpc_put_integer(&env, value, "disconnects", r->disconnects);
    rpc_put_bool(&env, value, "is_stopping", r->is_stopping);
    rpc_put_integer(&env, value, "started_at_us", r->started_at_us);
    rpc_put_integer(&env, value, "uptime_s", (clock_real_us() - r->started_at_us) / 1000000);
    rpc_put(&env, value, "transports", transports_value(&env, r));
    rpc_put_text(&env, value, "advice", r->advice);
    rpc_put_integer(&env, value, "commits_waiting",
                    (int64_t)committer_waiting(control->config.committer));
    rpc_put_integer(&env, value, "sends_under_way", (int64_t)sends_under_way(control->sends));
    rpc_put_integer(&env, value, "last_event", (int64_t)event_ring_last(control->ring));
    rpc_put(&env, value, "metrics", metrics_value(&env));
    rpc_put(&env, value, "settings", settings_value(&env, &r->settings));
    control_answer(n->asked.call, &env, value);
}

void call_status(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_STATUS, answer_status);
}

static void answer_services(struct network_asked *n)
{
    const struct supervisor_request *r = &n->request;
    xmlrpc_value *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (unsigned i = 0; i < r->service_count && i < SERVICES_MAX; i++) {
        xmlrpc_value *value = rpc_struct(&env);

        rpc_put_text(&env, value, "name", r->services[i].name);
        rpc_put_text(&env, value, "state", r->services[i].state);
        rpc_put_text(&env, value, "reason", r->services[i].reason);
        rpc_put_text(&env, value, "needs", r->services[i].needs);
        rpc_put_bool(&env, value, "is_enabled", r->services[i].is_enabled);
        rpc_add(&env, array, value);
    }
    control_answer(n->asked.call, &env, array);
}

void call_services(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_SERVICES, answer_services);
}

static void answer_reload(struct network_asked *n)
{
    xmlrpc_env env;

    if (n->request.request.result == ERR_CLOSED) {
        control_fault(n->asked.call, FAULT_STOPPING, "the daemon is stopping");
        return;
    }
    if (n->request.request.result != ERR_OK) {
        control_fault(n->asked.call, FAULT_SETTINGS, "%s",
                      n->request.text[0] != '\0' ? n->request.text
                                                 : err_text(n->request.request.result));
        return;
    }
    xmlrpc_env_init(&env);
    control_answer(n->asked.call, &env, rpc_text(&env, n->request.text));
}

void call_reload(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_RELOAD, answer_reload);
}

static void answer_done(struct network_asked *n)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_answer(n->asked.call, &env, rpc_bool(&env, true));
}

void call_reconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_RECONNECT, answer_done);
}

void call_check_reconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_CHECK_RECONNECT, answer_done);
}

void call_stop(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_STOP, answer_done);
}

static void answer_settings(struct network_asked *n)
{
    xmlrpc_value *value = NULL;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    if (out != NULL) {
        settings_print(&n->request.settings, out);
        if (fclose(out) == 0)
            value = rpc_text(&env, text);
    }
    if (value == NULL && !env.fault_occurred)
        xmlrpc_env_set_fault(&env, FAULT_INTERNAL, "out of memory");
    control_answer(n->asked.call, &env, value);
    free(text);
}

void call_settings_dump(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask(control, call, args, SUPERVISOR_STATUS, answer_settings);
}
