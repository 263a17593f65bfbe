/* settings_get, settings_set, settings_unset, settings_dump: the settings in force, and the keys
 * that can be changed at run time. */
#include "control/methods/methods.h"
#include "control/methods/query.h"
#include "control/reply.h"
#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "settings/persisted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer_dump(struct method_query *q)
{
    xmlrpc_value *value = NULL;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    if (out != NULL) {
        settings_print(&q->request.in_force.settings, &q->request.in_force.origins, out);
        if (fclose(out) == 0)
            value = rpc_text(&env, text);
    }
    if (value == NULL && !env.fault_occurred)
        xmlrpc_env_set_fault(&env, FAULT_INTERNAL, "out of memory");
    control_reply_value(q->pending.call, &env, value);
    free(text);
}

void method_settings_dump(struct control *control, struct http_call *call, struct rpc_args *args)
{
    method_query_run(control, call, args, SUPERVISOR_SETTINGS, answer_dump);
}

static void query_key(struct control *control, struct http_call *call, struct rpc_args *args,
                      enum supervisor_request_type what, method_query_answer_fn *answer,
                      bool is_name_needed)
{
    struct method_query *q = method_query_new(control, call, what, answer);

    if (q == NULL)
        return;
    rpc_args_text(args, "name", is_name_needed, &q->request.name);
    method_query_post(control, call, q, args);
}

static xmlrpc_value *key_value(xmlrpc_env *env, const struct settings_persisted_key *key)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_text(env, value, "name", key->name);
    rpc_put_text(env, value, "section", key->section);
    rpc_put_text(env, value, "value", key->value);
    rpc_put_text(env, value, "from", key->origin);
    rpc_put_text(env, value, "allowed", key->allowed);
    rpc_put_text(env, value, "meaning", key->meaning);
    return value;
}

/* An array of all keys, or of the one named. */
static void answer_get(struct method_query *q)
{
    struct settings_persisted_key keys[SETTINGS_PERSISTED_MAX];
    const struct settings_in_force *in_force = &q->request.in_force;
    unsigned count = settings_persisted_list(keys, &in_force->settings, &in_force->origins);
    const char *name = q->request.name;
    char problem[SETTINGS_PERSISTED_TEXT_SIZE];
    xmlrpc_value *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (unsigned i = 0; i < count; i++)
        if (name == NULL || settings_persisted_is_named(keys[i].section, keys[i].name, name))
            rpc_add(&env, array, key_value(&env, &keys[i]));
    if (name != NULL && !env.fault_occurred && xmlrpc_array_size(&env, array) == 0) {
        xmlrpc_env_clean(&env);
        rpc_release(&array);
        settings_persisted_explain_unknown(name, problem);
        control_reply_fault(q->pending.call, FAULT_NOT_FOUND, "%s", problem);
        return;
    }
    control_reply_value(q->pending.call, &env, array);
}

void method_settings_get(struct control *control, struct http_call *call, struct rpc_args *args)
{
    query_key(control, call, args, SUPERVISOR_SETTINGS, answer_get, false);
}

static enum fault fault_of_set(enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        return FAULT_NOT_FOUND;
    case ERR_INVALID:
        return FAULT_SETTINGS;
    default:
        return FAULT_FAILED;
    }
}

static void answer_set(struct method_query *q)
{
    enum err e = q->request.request.result;
    xmlrpc_env env;

    if (e != ERR_OK) {
        control_reply_fault(q->pending.call, fault_of_set(e), "%.*s",
                            (int)strcspn(q->request.text, "\n"), q->request.text);
        return;
    }
    xmlrpc_env_init(&env);
    control_reply_value(q->pending.call, &env, rpc_text(&env, q->request.text));
}

void method_settings_set(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct method_query *q = method_query_new(control, call, SUPERVISOR_SET, answer_set);

    if (q == NULL)
        return;
    rpc_args_text(args, "name", true, &q->request.name);
    rpc_args_scalar(args, "value", true, &q->request.value);
    method_query_post(control, call, q, args);
}

void method_settings_unset(struct control *control, struct http_call *call, struct rpc_args *args)
{
    query_key(control, call, args, SUPERVISOR_UNSET, answer_set, true);
}
