/* spool_begin, spool_write: upload of a file that the daemon cannot read but the client can;
 * send_spooled (methods/send.c) sends it. */
#include "control/methods/spool.h"

#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "http/call.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "store/outbox/spool.h"

#include <stdlib.h>

static const char *reason(enum err e)
{
    switch (e) {
    case ERR_DISABLED:
        return "spooling is disabled ([outbox] spool-limit-mib is 0): make the file readable for "
               "the daemon's user";
    case ERR_TOO_LARGE:
        return "larger than [outbox] spool-limit-mib or than the announced size: make the file "
               "readable for the daemon's user, or raise the limit";
    case ERR_FULL:
        return "[outbox] spool-limit-mib is used up by other files: retry when they are sent";
    case ERR_NO_SPACE:
    case ERR_QUOTA:
        return "no space left on the inbox's disk: free some";
    case ERR_INVALID:
        return "invalid file name";
    case ERR_NOT_FOUND:
        return "unknown or expired spool id: start again with spool_begin";
    case ERR_SHRUNK:
        return "upload incomplete";
    default:
        return NULL;
    }
}

void method_spool_refuse(struct http_call *call, enum err e)
{
    const char *why = reason(e);
    enum fault fault = e == ERR_FULL        ? FAULT_FULL
                       : e == ERR_NOT_FOUND ? FAULT_NOT_FOUND
                                            : FAULT_FILE;

    control_reply_fault(call, fault, "cannot spool the file: %s", why == NULL ? err_text(e) : why);
}

static void answer_number(struct http_call *call, int64_t number)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_reply_value(call, &env, rpc_integer(&env, number));
}

void method_spool_begin(struct control *control, struct http_call *call, struct rpc_args *args)
{
    int64_t size_bytes = 0;
    uint64_t id = 0;
    char *name = NULL;
    enum err e;

    rpc_args_text(args, "name", true, &name);
    rpc_args_integer(args, "size", true, 0, INT64_MAX, &size_bytes);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
    } else {
        e = outbox_spool_begin(control->spool, name, (uint64_t)size_bytes, http_call_uid(call),
                               loop_now_ms(control->loop), &id);
        if (e == ERR_OK)
            answer_number(call, (int64_t)id);
        else
            method_spool_refuse(call, e);
    }
    free(name);
}

void method_spool_write(struct control *control, struct http_call *call, struct rpc_args *args)
{
    unsigned char *bytes = NULL;
    size_t length = 0;
    int64_t id = 0;
    enum err e;

    rpc_args_integer(args, "id", true, 1, INT64_MAX, &id);
    rpc_args_bytes(args, "bytes", &bytes, &length);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
    } else {
        e = outbox_spool_write(control->spool, (uint64_t)id, http_call_uid(call), bytes, length,
                               loop_now_ms(control->loop));
        if (e == ERR_OK)
            answer_number(call, (int64_t)length);
        else
            method_spool_refuse(call, e);
    }
    free(bytes);
}
