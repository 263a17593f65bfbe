/* The methods. Each answers `call`, now or later, and reads its parameters from `args`. Belongs to
 * the control thread. */
#ifndef CONTROL_METHODS_METHODS_H
#define CONTROL_METHODS_METHODS_H

struct control;
struct http_call;
struct rpc_args;

enum {
    METHOD_PAGE_MAX = 200,      /* sessions, streams or received files in an answer */
    METHOD_FILTERED_MAX = 4096, /* streams searched when filtering by several request ids */
};

#define METHOD_FN(name) \
    void name(struct control *control, struct http_call *call, struct rpc_args *args)
METHOD_FN(method_send_file);
METHOD_FN(method_send_file_single);
METHOD_FN(method_send_spooled);
METHOD_FN(method_send_spooled_single);
METHOD_FN(method_spool_begin);
METHOD_FN(method_spool_write);
METHOD_FN(method_send_wait);
METHOD_FN(method_cancel_send);
METHOD_FN(method_events);
METHOD_FN(method_received);
METHOD_FN(method_list_sessions);
METHOD_FN(method_list_streams);
METHOD_FN(method_find_session);
METHOD_FN(method_find_stream);
METHOD_FN(method_connect_to);
METHOD_FN(method_disconnect_from);
METHOD_FN(method_send_keep_alive);
METHOD_FN(method_cancel_file_sending);
METHOD_FN(method_cancel_file_receiving);
METHOD_FN(method_cancel_outbox_file);
METHOD_FN(method_init);
METHOD_FN(method_connect);
METHOD_FN(method_disconnect);
METHOD_FN(method_shutdown);
METHOD_FN(method_status);
METHOD_FN(method_services);
METHOD_FN(method_reload);
METHOD_FN(method_reconnect);
METHOD_FN(method_check_reconnect);
METHOD_FN(method_stop);
METHOD_FN(method_build_contacts);
METHOD_FN(method_verify_contacts);
METHOD_FN(method_settings_dump);
METHOD_FN(method_settings_get);
METHOD_FN(method_settings_set);
METHOD_FN(method_settings_unset);
METHOD_FN(method_automata);

#endif
