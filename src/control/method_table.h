/* The table of methods, and the methods. All of it belongs to the control thread. */
#ifndef CONTROL_METHOD_TABLE_H
#define CONTROL_METHOD_TABLE_H

struct control;
struct http_call;
struct rpc_args;

enum {
    CONTROL_PAGE_MAX = 200,      /* sessions, streams, received files in an answer */
    CONTROL_FILTERED_MAX = 4096, /* streams looked through for some requests' */
};

/* One row of the table of methods. */
struct control_method {
    const char *name;
    const char *parameters; /* as in "offset, limit" */
    const char *help;
    void (*run)(struct control *control, struct http_call *call, struct rpc_args *args);
};
extern const struct control_method control_methods[]; /* ends with a NULL name */

/* The methods, by file. */
#define CONTROL_METHOD_FN(name) \
    void name(struct control *control, struct http_call *call, struct rpc_args *args)
CONTROL_METHOD_FN(method_send_file);
CONTROL_METHOD_FN(method_send_file_single);
CONTROL_METHOD_FN(method_send_spooled);
CONTROL_METHOD_FN(method_send_spooled_single);
CONTROL_METHOD_FN(method_spool_begin);
CONTROL_METHOD_FN(method_spool_write);
CONTROL_METHOD_FN(method_send_wait);
CONTROL_METHOD_FN(method_cancel_send);
CONTROL_METHOD_FN(method_events);
CONTROL_METHOD_FN(method_received);
CONTROL_METHOD_FN(method_list_sessions);
CONTROL_METHOD_FN(method_list_streams);
CONTROL_METHOD_FN(method_find_session);
CONTROL_METHOD_FN(method_find_stream);
CONTROL_METHOD_FN(method_connect_to);
CONTROL_METHOD_FN(method_disconnect_from);
CONTROL_METHOD_FN(method_send_keep_alive);
CONTROL_METHOD_FN(method_cancel_file_sending);
CONTROL_METHOD_FN(method_cancel_file_receiving);
CONTROL_METHOD_FN(method_cancel_outbox_file);
CONTROL_METHOD_FN(method_init);
CONTROL_METHOD_FN(method_connect);
CONTROL_METHOD_FN(method_disconnect);
CONTROL_METHOD_FN(method_shutdown);
CONTROL_METHOD_FN(method_status);
CONTROL_METHOD_FN(method_services);
CONTROL_METHOD_FN(method_reload);
CONTROL_METHOD_FN(method_reconnect);
CONTROL_METHOD_FN(method_check_reconnect);
CONTROL_METHOD_FN(method_stop);
CONTROL_METHOD_FN(method_build_contacts);
CONTROL_METHOD_FN(method_verify_contacts);
CONTROL_METHOD_FN(method_settings_dump);
CONTROL_METHOD_FN(method_settings_get);
CONTROL_METHOD_FN(method_settings_set);
CONTROL_METHOD_FN(method_settings_unset);

#endif
