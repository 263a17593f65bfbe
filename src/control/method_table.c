/* The table of methods, system.listMethods and system.methodHelp. */
#include "control/method_table.h"

#include "control/methods/methods.h"
#include "control/reply.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void call_list_methods(struct control *control, struct http_call *call,
                              struct rpc_args *args)
{
    xmlrpc_value *array;
    xmlrpc_env env;

    (void)control;
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        return;
    }
    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (const struct control_method *m = control_methods; m->name != NULL; m++)
        rpc_add(&env, array, rpc_text(&env, m->name));
    control_reply_value(call, &env, array);
}

static void call_method_help(struct control *control, struct http_call *call, struct rpc_args *args)
{
    const struct control_method *m = control_methods;
    char *name = NULL, help[RPC_REASON_SIZE * 4];
    xmlrpc_env env;

    (void)control;
    rpc_args_text(args, "name", true, &name);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free(name);
        return;
    }
    while (m->name != NULL && strcmp(m->name, name) != 0)
        m++;
    if (m->name == NULL) {
        control_reply_fault(call, FAULT_NOT_FOUND,
                            "unknown method '%.100s': system.listMethods lists them", name);
    } else {
        snprintf(help, sizeof help, "%s(%s): %s", m->name, m->parameters, m->help);
        xmlrpc_env_init(&env);
        control_reply_value(call, &env, rpc_text(&env, help));
    }
    free(name);
}

const struct control_method control_methods[] = {
    {"init", "url, options=nil",
     "Switches to a remote gateway at http://127.0.0.1:PORT/ or unix:/PATH. options: file_result.",
     method_init},
    {"connect", "options: idurl=nil, host=nil, tcp_port=nil",
     "Starts the transports for the gateway; the options override the settings.", method_connect},
    {"disconnect", "", "Stops the transports until the next connect.", method_disconnect},
    {"shutdown", "", "Same as disconnect: closes the sessions in order; the daemon keeps running.",
     method_shutdown},
    {"status", "", "Node status: network, transports, counters, settings in force.", method_status},
    {"services", "", "Services with their states, and the reason if one is not ON.",
     method_services},
    {"list_sessions", "offset=0, limit=200, cursor=nil",
     "A page of the sessions, in order; the last page has fewer than limit. cursor: '' for the "
     "first page, then the cursor of the last item.",
     method_list_sessions},
    {"list_streams", "offset=0, limit=200, ids=nil, cursor=nil",
     "A page of the files in transfer, as list_sessions; with ids only those of these requests.",
     method_list_streams},
    {"find_session", "host=nil, idurl=nil", "The sessions with this address and this identity.",
     method_find_session},
    {"find_stream", "stream_id=nil, transfer_id=nil", "The file in transfer with this id, or nil.",
     method_find_stream},
    {"build_contacts", "", "The contacts at which peers reach this node.", method_build_contacts},
    {"verify_contacts", "contacts",
     "True if one of them is this node's and the open port is the one in the settings.",
     method_verify_contacts},
    {"send_file", "remote_idurl, filename, host, description=nil",
     "Queues a file (absolute path on the daemon's machine) for a contact or an array of contacts; "
     "returns the request id at once.",
     method_send_file},
    {"send_file_single", "remote_idurl, filename, host, description=nil",
     "As send_file; a session opened for the file is closed after it.", method_send_file_single},
    {"spool_begin", "name, size",
     "Reserves spool space for a file that the daemon cannot read, to be uploaded with "
     "spool_write. Returns its id.",
     method_spool_begin},
    {"spool_write", "id, bytes", "Appends bytes (base64) to that file; returns their count.",
     method_spool_write},
    {"send_spooled", "remote_idurl, id, host, description=nil",
     "As send_file, for a completely uploaded file; it is removed after the send.",
     method_send_spooled},
    {"send_spooled_single", "remote_idurl, id, host, description=nil",
     "As send_file_single, for an uploaded file.", method_send_spooled_single},
    {"send_wait", "ids, timeout_ms=60000",
     "Waits until one of these requests completes, or for the timeout; returns all of them: id, "
     "is_done, status, error, bytes, size, transfer_id, seconds.",
     method_send_wait},
    {"cancel_send", "id", "Cancels a send request; true unless it was too late.",
     method_cancel_send},
    {"connect_to", "host", "Opens a session, unless it is open: {answer, session}.",
     method_connect_to},
    {"disconnect_from", "host", "Closes the sessions with a contact; true if there was one.",
     method_disconnect_from},
    {"send_keep_alive", "host", "Sends a wazap to a contact; true if it was sent.",
     method_send_keep_alive},
    {"cancel_file_sending", "transfer_id", "Cancels an outgoing file; true if it was found.",
     method_cancel_file_sending},
    {"cancel_file_receiving", "transfer_id", "Refuses the rest of an incoming file.",
     method_cancel_file_receiving},
    {"cancel_outbox_file", "host, filename",
     "Cancels the sends of this file to this contact; true if there was one.",
     method_cancel_outbox_file},
    {"events", "after=-1, limit=500, timeout_ms=0",
     "The events after number `after`: {events, last, lost}; waits for the first one. -1 returns "
     "the current number.",
     method_events},
    {"received", "since_us=0, offset=0, limit=200, cursor=nil",
     "Received files from the inbox's journal, oldest first. cursor: newest (the last ones), or "
     "after:CURSOR or before:CURSOR with the cursor of a returned file.",
     method_received},
    {"reload", "", "Rereads the settings file; returns what changed and what needs a restart.",
     method_reload},
    {"reconnect", "", "Restarts the network.", method_reconnect},
    {"check_reconnect", "", "Restarts the network if the bound addresses differ from the settings.",
     method_check_reconnect},
    {"stop", "", "Stops the daemon; files in transfer can finish until the stop timeout.",
     method_stop},
    {"automata", "name=''", "The state machines as Graphviz, from the tables in use.",
     method_automata},
    {"settings_dump", "", "The settings in force as a commented file.", method_settings_dump},
    {"settings_get", "name=nil",
     "The settings that can be changed at run time, or the one named: name, section, value, from, "
     "allowed, meaning.",
     method_settings_get},
    {"settings_set", "name, value", "Changes one of them, persistently; returns what has changed.",
     method_settings_set},
    {"settings_unset", "name",
     "Reverts one of them to the settings file's value or the default; returns what has changed.",
     method_settings_unset},
    {"system.listMethods", "", "The names of all methods.", call_list_methods},
    {"system.methodHelp", "name", "The signature and description of a method.", call_method_help},
    {NULL, NULL, NULL, NULL},
};
