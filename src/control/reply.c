#include "control/reply.h"

#include "base/log.h"
#include "http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Takes over `document`; NULL: there is no memory for one. */
static void answer_xml(struct http_call *call, char *document, size_t length)
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
    answer_xml(call, document, length);
}

void control_reply_answer(struct http_call *call, xmlrpc_env *env, xmlrpc_value *value)
{
    char *document = NULL;
    size_t length = 0;
    bool is_made = !env->fault_occurred && rpc_answer_write(&document, &length, value) == ERR_OK;

    if (!is_made)
        log_error("an answer for the control socket could not be made: %s",
                  env->fault_occurred ? env->fault_string : "it is no valid XML");
    rpc_release(&value);
    xmlrpc_env_clean(env);
    if (is_made)
        answer_xml(call, document, length);
    else
        control_reply_fault(call, FAULT_INTERNAL,
                            "the daemon could not make the answer: see its log, and ask for less");
}

static void asked_gone(void *ctx)
{
    struct control_asked *asked = ctx;

    asked->call = NULL;
}

void control_asked_begin(struct control_asked *asked, struct control *control,
                         struct http_call *call, enum control_asked_kind kind)
{
    asked->kind = kind;
    asked->control = control;
    asked->call = call;
    http_call_on_close(call, asked_gone, asked);
    LIST_INSERT_HEAD(&control->asked, asked, link);
    control->away++;
    control->asked_counts[kind]++;
}

bool control_asked_has_room(const struct control *control, struct http_call *call,
                            enum control_asked_kind kind)
{
    static const unsigned most[CONTROL_ASKED_KINDS] = {
        [CONTROL_ASKED_ABOUT_PEERS] = CONTROL_ASKED_MAX,
        [CONTROL_ASKED_ABOUT_DAEMON] = CONTROL_QUESTIONS_MAX};

    if (control->asked_counts[kind] < most[kind])
        return true;
    control_reply_fault(call, FAULT_FULL,
                        "%u calls wait for their answers: try again when some have got them",
                        most[kind]);
    return false;
}

void control_asked_end(struct control_asked *asked)
{
    LIST_REMOVE(asked, link);
    asked->control->away--;
    asked->control->asked_counts[asked->kind]--;
}
