#include "control/reply.h"

#include "base/log.h"
#include "http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Takes ownership of `document`; NULL: out of memory. */
static void respond_xml(struct http_call *call, char *document, size_t length)
{
    http_call_respond(call,
                      &(struct http_response){
                          .status = 200, .type = "text/xml", .body = document, .length = length});
}

void control_reply_fault(struct http_call *call, enum fault code, const char *format, ...)
{
    char *sentence = NULL, *document = NULL;
    size_t length = 0;
    va_list list;

    va_start(list, format);
    if (vasprintf(&sentence, format, list) < 0)
        sentence = NULL;
    va_end(list);
    if (sentence == NULL ||
        rpc_answer_write_fault(&document, &length, (int)code, sentence) != ERR_OK)
        document = NULL;
    free(sentence);
    respond_xml(call, document, length);
}

void control_reply_value(struct http_call *call, xmlrpc_env *env, xmlrpc_value *value)
{
    char *document = NULL;
    size_t length = 0;
    bool is_encoded = !env->fault_occurred && rpc_answer_write(&document, &length, value) == ERR_OK;

    if (!is_encoded)
        log_error("cannot encode control response: %s",
                  env->fault_occurred ? env->fault_string : "invalid XML");
    rpc_release(&value);
    xmlrpc_env_clean(env);
    if (is_encoded)
        respond_xml(call, document, length);
    else
        control_reply_fault(call, FAULT_INTERNAL,
                            "the daemon could not create the answer: see its log; request fewer "
                            "items");
}

static void client_closed(void *ctx)
{
    struct control_pending *pending = ctx;

    pending->call = NULL;
}

void control_pending_begin(struct control_pending *pending, struct control *control,
                           struct http_call *call, enum control_pending_kind kind)
{
    pending->kind = kind;
    pending->control = control;
    pending->call = call;
    http_call_on_close(call, client_closed, pending);
    LIST_INSERT_HEAD(&control->pending, pending, link);
    control->outstanding++;
    control->pending_counts[kind]++;
}

bool control_pending_has_room(const struct control *control, struct http_call *call,
                              enum control_pending_kind kind)
{
    static const unsigned limits[CONTROL_PENDING_KINDS] = {
        [CONTROL_PENDING_PEERS] = CONTROL_PENDING_PEERS_MAX,
        [CONTROL_PENDING_DAEMON] = CONTROL_PENDING_DAEMON_MAX};

    if (control->pending_counts[kind] < limits[kind])
        return true;
    control_reply_fault(call, FAULT_FULL, "limit of %u pending calls reached: retry later",
                        limits[kind]);
    return false;
}

void control_pending_end(struct control_pending *pending)
{
    LIST_REMOVE(pending, link);
    pending->control->outstanding--;
    pending->control->pending_counts[pending->kind]--;
}
