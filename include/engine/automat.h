/* Table-driven state machines: tcp_connection, network_transport and network_connector. For an
 * event the first row whose state, event and condition match is taken: the state changes, then the
 * row's actions run in order. Not for parsing: frames are plain code.
 *
 * Events are not nested: an event fed from inside an action is queued until all actions of the
 * current row have run. Conditions have no side effects. An event without a matching row is ignored
 * (with a debug line). Only the engine writes `state`. Pure: no descriptors, no threads. Owner
 * thread only. */
#ifndef ENGINE_AUTOMAT_H
#define ENGINE_AUTOMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* `self` is the argument of automat_init; `arg` is the argument of the event, valid during the step
 * only, and NULL for a queued event. */
typedef bool automat_condition_fn(const void *self, const void *arg);
typedef void automat_action_fn(void *self, const void *arg);

enum { AUTOMAT_ACTIONS_MAX = 6, AUTOMAT_WAITING_MAX = 6 };

/* The names are for diagrams: AUTOMAT_IF and AUTOMAT_DO derive them from the functions' names. */
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
    uint8_t from;
    uint8_t event;
    struct automat_condition guard;
    uint8_t to;
    struct automat_action actions[AUTOMAT_ACTIONS_MAX]; /* terminated by one without a function */
};

struct automat_kind {
    const char *name;               /* "tcp_connection" */
    const char *const *state_names; /* as printed: "SERVER?" */
    const char *const *event_names; /* as printed: "timer-10sec" */
    uint8_t state_count;
    uint8_t event_count;
    uint8_t first;
    uint8_t last; /* == state_count if there is no final state */
    const struct automat_row *rows;
    size_t row_count;
    /* Can be NULL. Called after each state transition, before the actions, e.g. to report the new
     * state. `self` is the machine's. */
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

/* Sets the machine to its first state. */
void automat_init(struct automat *a, const struct automat_kind *kind, void *self);

/* Processes one event, and those that its actions feed. Returns true if a row matched. From inside
 * an action: queues the event (at most AUTOMAT_WAITING_MAX, asserted) and returns true. */
bool automat_feed(struct automat *a, uint8_t event, const void *arg);

const char *automat_state_name(const struct automat *a);

/* Prints the table as a Graphviz digraph. A row's label is event, [condition], / actions, with the
 * names of AUTOMATA: is_hello prints as isHello, do_send_wazap as doSendWazap. */
void automat_print_dot(const struct automat_kind *kind, FILE *out);

#endif
