/* A node of real rooms (control, supervisor, gateway, inbox, committer) in a scratch folder, with a
 * transport that the test plays. One at a time: a test is a process of its own. */
#ifndef CONTROL_NODE_H
#define CONTROL_NODE_H

#include "control/control.h"
#include "rpc/document.h"

#include <jansson.h>

enum { NODE_SESSIONS = 600 };

extern char node_folder[64];
extern char node_socket[96];

void node_start(void);
/* Also at a TCP address of loopback, whose port is node_port; "" is no token. */
extern uint16_t node_port;
void node_start_at_tcp(const char *token);
void node_stop(void); /* control_stop and all the others, in the daemon's order */
/* The same in two steps, for what happens in between. */
void node_stop_control(void);
void node_stop_rest(void);

/* A file in the scratch folder; returns its absolute path, valid until the next call. */
const char *node_file(const char *name, size_t size);
void node_emit(enum event_kind kind, const char *path);

/* The played transport. Before the first send: each send keeps the supervisor's thread so long. */
void play_slow_sends(unsigned delay_ms);
/* From now on its connect fails with this, or "" again not. */
void play_refusing_to_listen(const char *error);
/* From now on it keeps every other call, too, until the node stops; waits until it has `count`. */
void play_park(void);
void play_wait_parked(unsigned count);
/* Waits until it has got `count` sends since the start, and answers one. */
void play_wait_sends(unsigned count);
void play_end_send(unsigned index, enum gateway_transfer_status status, const char *error);
const struct send_request *play_send(unsigned index);
void play_wait_connects(unsigned count);
void play_end_connect(unsigned index, enum err result, const char *error);

/* A client of its own connection. `params` as xmlrpc_build_value takes them, "()" for none. */
struct answer {
    long status;
    struct rpc_answer rpc;
};
struct answer ask(const char *method, const char *format, ...);
/* What the daemon's own settings file holds, malloc; NULL: there is none. */
char *node_own_settings(void);

struct answer ask_raw(const char *method, const char *url, const char *type, const char *body,
                      size_t length);
void answer_fini(struct answer *a);
xmlrpc_value *member(const struct answer *a, const char *name); /* counted */
int64_t number_in(xmlrpc_value *of, const char *name);
char *text_in(xmlrpc_value *of, const char *name);
size_t length_of(xmlrpc_value *array);
xmlrpc_value *item(xmlrpc_value *array, size_t index); /* counted */

#endif
