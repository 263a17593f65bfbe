/* The table of methods. Belongs to the control thread. */
#ifndef CONTROL_METHOD_TABLE_H
#define CONTROL_METHOD_TABLE_H

struct control;
struct http_call;
struct rpc_args;

/* One row of the table of methods. */
struct control_method {
    const char *name;
    const char *parameters; /* as in "offset, limit" */
    const char *help;
    void (*run)(struct control *control, struct http_call *call, struct rpc_args *args);
};
extern const struct control_method control_methods[]; /* ends with a NULL name */

#endif
