/* automata: the state machines as Graphviz. */
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The diagrams of all machines, or of `name`; NULL: out of memory, or unknown name. */
static char *automata_text(const struct control *control, const char *name)
{
    char *text = NULL;
    size_t length = 0, printed = 0;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < control->config.automat_count; i++) {
        const struct automat_kind *kind = control->config.automata[i];

        if (name[0] != '\0' && strcmp(name, kind->name) != 0)
            continue;
        automat_print_dot(kind, out);
        printed++;
    }
    if (fclose(out) == 0 && printed > 0)
        return text;
    free(text);
    return NULL;
}

static void reply_unknown_automat(struct control *control, struct http_call *call, const char *name)
{
    char known[RPC_REASON_SIZE] = "";
    size_t end = 0;

    for (size_t i = 0; i < control->config.automat_count && end < sizeof known - 1; i++)
        end += (size_t)snprintf(known + end, sizeof known - end, "%s%s", i == 0 ? "" : ", ",
                                control->config.automata[i]->name);
    control_reply_fault(call, FAULT_NOT_FOUND, "unknown automat '%.100s': use one of %s", name,
                        known);
}

void method_automata(struct control *control, struct http_call *call, struct rpc_args *args)
{
    char *name = NULL, *text;
    const char *wanted;
    xmlrpc_env env;

    rpc_args_text(args, "name", false, &name);
    wanted = name == NULL ? "" : name;
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
    } else if ((text = automata_text(control, wanted)) == NULL) {
        reply_unknown_automat(control, call, wanted);
    } else {
        xmlrpc_env_init(&env);
        control_reply_value(call, &env, rpc_text(&env, text));
        free(text);
    }
    free(name);
}
