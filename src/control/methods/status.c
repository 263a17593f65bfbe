/* The methods that the supervisor answers: status, services, reload, reconnect, stop, contacts. */
#include "base/clock.h"
#include "base/metrics.h"
#include "control/event_ring.h"
#include "control/methods/methods.h"
#include "control/methods/query.h"
#include "control/reply.h"
#include "control/send_table.h"
#include "control/state.h"
#include "gateway_client/client.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "store/inbox/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static xmlrpc_value *counts_into(xmlrpc_env *env, xmlrpc_value *value,
                                 const struct transport_counts *counts)
{
    rpc_put_integer(env, value, "workers", counts->workers);
    rpc_put_integer(env, value, "sessions", counts->sessions);
    rpc_put_integer(env, value, "sessions_connected", counts->sessions_connected);
    rpc_put_integer(env, value, "sessions_half_open", counts->sessions_half_open);
    rpc_put_integer(env, value, "sources_known", counts->sources_known);
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
    rpc_put_bool(env, value, "is_sending_enabled", t->is_sending_enabled);
    rpc_put_bool(env, value, "is_receiving_enabled", t->is_receiving_enabled);
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

/* The limits that have been hit, with their counts. */
static xmlrpc_value *limits_hit_value(xmlrpc_env *env)
{
    xmlrpc_value *value = rpc_struct(env);

    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        uint64_t times = metrics_sum((enum metric)i);

        if (times > 0 && metrics_is_limit((enum metric)i))
            rpc_put_integer(env, value, metrics_word((enum metric)i), (int64_t)times);
    }
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

/* The current gateway, and the calls queued for a remote one, even before it is current. */
static xmlrpc_value *gateway_value(xmlrpc_env *env, const struct control *control)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_text(env, value, "name", gateway_current(control->config.gateway)->ops->name);
    rpc_put_text(env, value, "url", control->gateway_url);
    rpc_put_integer(env, value, "waiting",
                    (int64_t)gateway_client_waiting(control->config.gateway_client));
    rpc_put_integer(env, value, "queue_limit", control->config.settings.gateway.queue_limit);
    return value;
}

struct limits_out {
    xmlrpc_env *env;
    xmlrpc_value *value;
};

static void put_limit(void *ctx, const char *section, const char *name, const char *value)
{
    struct limits_out *out = ctx;
    char key[96];

    snprintf(key, sizeof key, "%s/%s", section, name);
    rpc_put_text(out->env, out->value, key, value);
}

static xmlrpc_value *limits_value(xmlrpc_env *env, const struct settings *s)
{
    struct limits_out out = {env, rpc_struct(env)};

    settings_each_limit(s, put_limit, &out);
    return out.value;
}

static xmlrpc_value *inbox_value(xmlrpc_env *env, const struct inbox *inbox)
{
    struct inbox_usage usage = inbox_usage(inbox);
    xmlrpc_value *value = rpc_struct(env);
    char fault[INBOX_FAULT_SIZE];

    inbox_place_fault(inbox, fault, sizeof fault);
    rpc_put_text(env, value, "trouble", fault);
    rpc_put_integer(env, value, "files", (int64_t)usage.files);
    rpc_put_integer(env, value, "files_limit", (int64_t)usage.files_limit);
    rpc_put_integer(env, value, "bytes", (int64_t)usage.bytes);
    rpc_put_integer(env, value, "quota_bytes", (int64_t)usage.quota_bytes);
    return value;
}

static void answer_status(struct method_query *q)
{
    const struct supervisor_request *r = &q->request;
    struct control *control = q->pending.control;
    xmlrpc_value *value;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    value = rpc_struct(&env);
    rpc_put_text(&env, value, "version", DUSTWIRE_VERSION);
    rpc_put_integer(&env, value, "pid", getpid());
    rpc_put_text(&env, value, "network_state", r->network_state);
    rpc_put_integer(&env, value, "disconnects", r->disconnects);
    rpc_put_bool(&env, value, "is_stopping", r->is_stopping);
    rpc_put_integer(&env, value, "started_at_us", clock_real_us_ago(r->up_us));
    rpc_put_integer(&env, value, "uptime_s", (int64_t)(r->up_us / 1000000));
    rpc_put(&env, value, "transports", transports_value(&env, r));
    rpc_put_text(&env, value, "advice", r->advice);
    rpc_put_integer(&env, value, "commits_waiting",
                    (int64_t)committer_waiting(control->config.committer));
    rpc_put_integer(&env, value, "sends_under_way",
                    (int64_t)control_send_table_pending(control->sends));
    rpc_put_integer(&env, value, "last_event", (int64_t)control_event_ring_last(control->ring));
    rpc_put_text(&env, value, "privileges",
                 control->config.privileges == NULL ? "" : control->config.privileges);
    rpc_put(&env, value, "gateway", gateway_value(&env, control));
    rpc_put(&env, value, "inbox", inbox_value(&env, control->config.inbox));
    rpc_put(&env, value, "metrics", metrics_value(&env));
    rpc_put(&env, value, "limits_hit", limits_hit_value(&env));
    rpc_put(&env, value, "limits", limits_value(&env, &r->in_force.settings));
    rpc_put(&env, value, "settings", settings_value(&env, &r->in_force.settings));
    control_reply_value(q->pending.call, &env, value);
}

void method_status(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_STATUS, answer_status);
}

static void answer_services(struct method_query *q)
{
    const struct supervisor_request *r = &q->request;
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
    control_reply_value(q->pending.call, &env, array);
}

void method_services(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_SERVICES, answer_services);
}

static void answer_reload(struct method_query *q)
{
    xmlrpc_env env;

    if (q->request.request.result != ERR_OK) {
        control_reply_fault(
            q->pending.call,
            q->request.request.result == ERR_INVALID ? FAULT_SETTINGS : FAULT_FAILED, "%s",
            q->request.text[0] != '\0' ? q->request.text : err_text(q->request.request.result));
        return;
    }
    xmlrpc_env_init(&env);
    control_reply_value(q->pending.call, &env, rpc_text(&env, q->request.text));
}

void method_reload(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_RELOAD, answer_reload);
}

static void answer_done(struct method_query *q)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_reply_value(q->pending.call, &env, rpc_bool(&env, true));
}

void method_reconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_RECONNECT, answer_done);
}

void method_check_reconnect(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_CHECK_RECONNECT, answer_done);
}

void method_stop(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_STOP, answer_done);
}

static void answer_contacts(struct method_query *q)
{
    xmlrpc_value *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (unsigned i = 0; i < q->request.contact_count; i++)
        rpc_add(&env, array, rpc_text(&env, q->request.contacts[i]));
    control_reply_value(q->pending.call, &env, array);
}

void method_build_contacts(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_BUILD_CONTACTS, answer_contacts);
}

static void answer_verified(struct method_query *q)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_reply_value(q->pending.call, &env, rpc_bool(&env, q->request.is_verified));
}

void method_verify_contacts(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct method_query *q =
        method_query_new(control, call, SUPERVISOR_VERIFY_CONTACTS, answer_verified);

    if (q == NULL)
        return;
    rpc_args_contacts(args, "contacts", &q->request.wanted);
    method_query_post(control, call, q, args);
}
