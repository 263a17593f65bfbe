/* The table-driven machine that tcp_connection, network_transport and network_connector are. The
 * table is the program: rows from top to bottom, the first whose state, event and condition fit
 * wins, the state changes, the actions run from left to right. Not for bytes: frames are plain
 * code.
 *
 * One event at a time. An action never calls automat_feed on its own machine to go deeper: an event
 * fed from inside an action waits until all actions of the present row are through. A condition
 * only looks. An event without a row changes nothing (a debug line). Only the engine writes
 * `state`. Pure: no descriptors, no threads. A machine is its owner thread's. */
#ifndef ENGINE_AUTOMAT_H
#define ENGINE_AUTOMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* `self` is what automat_init got; `arg` is what came with the event, valid during the step only,
 * and NULL for an event that was fed from inside an action. */
typedef bool automat_condition_fn(const void *self, const void *arg);
typedef void automat_action_fn(void *self, const void *arg);

enum { AUTOMAT_ACTIONS_MAX = 6, AUTOMAT_WAITING_MAX = 6 };

/* The names are for diagrams: AUTOMAT_IF and AUTOMAT_DO make them from the functions' own names. */
struct automat_condition {
    automat_condition_fn *holds;
    const char *name;
};
struct automat_action {
    automat_action_fn *run;
    const char *name;
};
#define AUTOMAT_IF(function)  \
    {                         \
        (function), #function \
    }
#define AUTOMAT_ALWAYS \
    {                  \
        NULL, NULL     \
    }
#define AUTOMAT_DO(function)  \
    {                         \
        (function), #function \
    }

struct automat_row {
    uint8_t in;
    uint8_t when;
    struct automat_condition only_if;
    uint8_t go_to;
    struct automat_action then[AUTOMAT_ACTIONS_MAX]; /* ends at the first without a function */
};

struct automat_kind {
    const char *name;               /* "tcp_connection" */
    const char *const *state_names; /* as printed: "SERVER?" */
    const char *const *event_names; /* as printed: "timer-10sec" */
    uint8_t state_count;
    uint8_t event_count;
    uint8_t first;
    uint8_t last; /* == state_count if the machine never ends */
    const struct automat_row *rows;
    size_t row_count;
    /* May be NULL. Called after each step that had a row, before its actions, e.g. to tell others
     * of a new state. `self` is the machine's. */
    void (*stepped)(void *self, uint8_t from, uint8_t event, uint8_t to);
};

struct automat {
    const struct automat_kind *kind;
    void *self;
    uint8_t state;
    bool is_running;
    uint8_t waiting_count;
    uint8_t waiting[AUTOMAT_WAITING_MAX];
};

/* Puts the machine into its first state. */
void automat_init(struct automat *a, const struct automat_kind *kind, void *self);

/* Takes one event, and those that its actions feed. Returns true if the event had a row. From
 * inside an action: keeps the event for later (more than AUTOMAT_WAITING_MAX at once is a bug) and
 * returns true. */
bool automat_feed(struct automat *a, uint8_t event, const void *arg);

const char *automat_state_name(const struct automat *a);

/* Prints the table as a Graphviz digraph. A row's label is event, [condition], / actions, in the
 * words of AUTOMATA: is_hello prints as isHello, do_send_wazap as doSendWazap. */
void automat_print_dot(const struct automat_kind *kind, FILE *out);

#endif
