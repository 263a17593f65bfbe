/* The table of methods. Belongs to the control thread. */
#ifndef CONTROL_METHOD_TABLE_H
#define CONTROL_METHOD_TABLE_H

struct control;
struct http_call;
struct rpc_args;

/* A row of the table. */
struct control_method {
    const char *name;
    const char *parameters; /* "offset=0, limit=200" */
    const char *help;
    void (*run)(struct control *control, struct http_call *call, struct rpc_args *args);
};
extern const struct control_method control_methods[]; /* ends with a NULL name */

#endif
