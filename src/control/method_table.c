/* The table of methods, and the two methods that answer from it. */
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
    control_reply_answer(call, &env, array);
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
                            "there is no method '%.100s': system.listMethods names them", name);
    } else {
        snprintf(help, sizeof help, "%s(%s): %s", m->name, m->parameters, m->help);
        xmlrpc_env_init(&env);
        control_reply_answer(call, &env, rpc_text(&env, help));
    }
    free(name);
}

const struct control_method control_methods[] = {
    {"init", "url, options=nil",
     "A remote gateway takes over: http://127.0.0.1:PORT/ or unix:/PATH. options: file_result.",
     method_init},
    {"connect", "options: idurl=nil, host=nil, tcp_port=nil",
     "The gateway wants the transports: they start, with these options over the settings.",
     method_connect},
    {"disconnect", "", "The gateway wants no transport until its next connect.", method_disconnect},
    {"shutdown", "", "As disconnect: the sessions are closed in order, the daemon stays.",
     method_shutdown},
    {"status", "", "How the node is: network, transports, counters, settings in force.",
     method_status},
    {"services", "", "Each service, its state, and why it is not ON.", method_services},
    {"list_sessions", "offset=0, limit=200, cursor=nil",
     "An array of sessions in order; fewer than limit: there are no more. cursor: '' for the first "
     "page, then that of the last one told.",
     method_list_sessions},
    {"list_streams", "offset=0, limit=200, ids=nil, cursor=nil",
     "An array of files on their way, as list_sessions; with ids only those of these requests.",
     method_list_streams},
    {"find_session", "host=nil, idurl=nil",
     "An array of the sessions with this address, with this identity.", method_find_session},
    {"find_stream", "stream_id=nil, transfer_id=nil", "The file on its way with this id, or nil.",
     method_find_stream},
    {"build_contacts", "", "An array of the contacts that peers reach us at.",
     method_build_contacts},
    {"verify_contacts", "contacts",
     "True if one of them is ours and the port that is open is that of the settings.",
     method_verify_contacts},
    {"send_file", "remote_idurl, filename, host, description=nil",
     "Queues a file (absolute path of the daemon's machine) for a contact or an array of contacts; "
     "answers the request's id at once.",
     method_send_file},
    {"send_file_single", "remote_idurl, filename, host, description=nil",
     "As send_file, on a session that is closed after the file if it was opened for it.",
     method_send_file_single},
    {"spool_begin", "name, size",
     "Room for a file of this name and size that the daemon cannot read: its bytes come with "
     "spool_write. Answers its id.",
     method_spool_begin},
    {"spool_write", "id, bytes", "The next bytes (base64) of that file; answers how many.",
     method_spool_write},
    {"send_spooled", "remote_idurl, id, host, description=nil",
     "As send_file, for a file whose bytes have all come; it is removed after the send.",
     method_send_spooled},
    {"send_spooled_single", "remote_idurl, id, host, description=nil",
     "As send_file_single, for such a file.", method_send_spooled_single},
    {"send_wait", "ids, timeout_ms=60000",
     "Waits until one of these requests is decided, or for the time; answers all of them: id, "
     "is_done, status, error, bytes, size, transfer_id, seconds.",
     method_send_wait},
    {"cancel_send", "id", "Cancels the send of this request; true if it was still possible.",
     method_cancel_send},
    {"connect_to", "host", "Opens a session, or finds it open: {answer, session}.",
     method_connect_to},
    {"disconnect_from", "host", "Ends the sessions with a contact; true if there was one.",
     method_disconnect_from},
    {"send_keep_alive", "host", "Sends a wazap to a contact; true if one went out.",
     method_send_keep_alive},
    {"cancel_file_sending", "transfer_id", "Cancels a file going out; true if it was found.",
     method_cancel_file_sending},
    {"cancel_file_receiving", "transfer_id", "Refuses the rest of a file coming in.",
     method_cancel_file_receiving},
    {"cancel_outbox_file", "host, filename",
     "Cancels the sends of this file to this contact; true if there was one.",
     method_cancel_outbox_file},
    {"events", "after=-1, limit=500, timeout_ms=0",
     "What happened behind number `after`: {events, last, lost}; waits for the first one. -1 "
     "answers the present number.",
     method_events},
    {"received", "since_us=0, offset=0, limit=200, cursor=nil",
     "What the inbox's journal knows of received files, oldest first. cursor: newest (the last "
     "ones), or after:CURSOR or before:CURSOR of a file that was told.",
     method_received},
    {"reload", "", "Reads the settings file again; answers what changed and what needs a restart.",
     method_reload},
    {"reconnect", "", "Takes the network down and up again.", method_reconnect},
    {"check_reconnect", "", "Looks whether what is bound still fits the settings.",
     method_check_reconnect},
    {"stop", "", "Ends the daemon: files under way may finish for the set time.", method_stop},
    {"automata", "name=''", "The state machines as Graphviz, from the tables that run.",
     method_automata},
    {"settings_dump", "", "The settings in force as a commented file.", method_settings_dump},
    {"settings_get", "name=nil",
     "An array of the settings that can be set while the daemon runs, or of the one named: name, "
     "section, value, from, allowed, meaning.",
     method_settings_get},
    {"settings_set", "name, value",
     "Sets one of them, at once and for the next start; answers what has changed.",
     method_settings_set},
    {"settings_unset", "name",
     "Takes back what was set: the settings file's value, or the default, holds again; answers "
     "what has changed.",
     method_settings_unset},
    {"system.listMethods", "", "The names of all methods.", call_list_methods},
    {"system.methodHelp", "name", "What a method takes and does.", call_method_help},
    {NULL, NULL, NULL, NULL},
};
