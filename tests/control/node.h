/* A node with the real control, supervisor, gateway, inbox and committer in a scratch folder, and a
 * fake transport driven by the test. One per process: each test is a process of its own. */
#ifndef CONTROL_NODE_H
#define CONTROL_NODE_H

#include "control/control.h"
#include "rpc/document.h"

#include <jansson.h>

enum { NODE_SESSIONS = 600 };

extern char node_folder[64];
extern char node_socket[96];

void node_start(void);
/* Listens on a TCP address of loopback, too, with port node_port; "": no token. */
extern uint16_t node_port;
void node_start_at_tcp(const char *token);
void node_stop(void); /* stops all rooms, in the daemon's order */
/* The same in two steps. */
void node_stop_control(void);
void node_stop_rest(void);

/* A file in the scratch folder; returns its absolute path, valid until the next call. */
const char *node_file(const char *name, size_t size);
void node_emit(enum event_kind kind, const char *path);

/* The fake transport. Before the first send: each send blocks the supervisor's thread this long. */
void fake_slow_sends(unsigned delay_ms);
/* From now on its connect fails with this error; "": succeeds again. */
void fake_refuse_to_listen(const char *error);
/* From now on it answers no other calls either until the node stops; waits until it has `count`. */
void fake_park(void);
void fake_wait_parked(unsigned count);
/* Waits until it has received `count` sends since the start; answers one. */
void fake_wait_sends(unsigned count);
void fake_end_send(unsigned index, enum gateway_transfer_status status, const char *error);
const struct send_request *fake_send(unsigned index);
void fake_wait_connects(unsigned count);
void fake_end_connect(unsigned index, enum err result, const char *error);

/* A call on a new connection. `format` as for xmlrpc_build_value, "()" for no parameters. */
struct answer {
    long status;
    struct rpc_answer rpc;
};
struct answer ask(const char *method, const char *format, ...);
/* The content of the daemon's own settings file, malloc; NULL: no such file. */
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
