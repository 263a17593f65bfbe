/* Events for subscribers: a plain struct that the emitting thread fills and passes to the thread
 * that numbers and stores events (control). An event that does not fit in the queue is dropped and
 * counted, and leaves a gap in the numbers: a subscriber can never slow the daemon. */
#ifndef GATEWAY_EVENT_H
#define GATEWAY_EVENT_H

#include "base/address.h"
#include "loop/mailbox.h"

#include <stdint.h>

/* name, printed word ("event" in JSON) */
#define EVENT_LIST(X)                                           \
    X(EVENT_NETWORK_STATE, "network-connector-state-changed")   \
    X(EVENT_TRANSPORT_STATE, "network-transport-state-changed") \
    X(EVENT_SESSION_OPENED, "session-opened")                   \
    X(EVENT_SESSION_IDENTIFIED, "session-identified")           \
    X(EVENT_SESSION_CLOSED, "session-closed")                   \
    X(EVENT_SENDING_STARTED, "file-sending-started")            \
    X(EVENT_SENDING_PROGRESS, "file-sending-progress")          \
    X(EVENT_SENDING_ENDED, "file-sent")                         \
    X(EVENT_RECEIVING_STARTED, "file-receiving-started")        \
    X(EVENT_RECEIVING_PROGRESS, "file-receiving-progress")      \
    X(EVENT_RECEIVING_ENDED, "file-received")                   \
    X(EVENT_SETTINGS_RELOADED, "settings-reloaded")             \
    X(EVENT_RECEIVING_STATE, "receiving-state-changed")

enum event_kind {
#define X(name, word) name,
    EVENT_LIST(X)
#undef X
        EVENT_KIND_COUNT
};
const char *event_word(enum event_kind kind);

/* Fields that do not apply are zero or "". Text from peers is escaped before it gets here. */
struct event {
    struct message message; /* first */
    enum event_kind kind;
    int64_t at_us;   /* real time; set by event_emit */
    uint64_t number; /* set by the keeper */
    uint64_t session;
    uint64_t request_id;
    uint32_t transfer_id;
    bool is_outgoing; /* session events */
    uint64_t size_bytes;
    uint64_t done_bytes;
    uint64_t acknowledged_bytes;         /* part of done_bytes that the peer's TCP has acknowledged;
                                            outgoing files */
    uint64_t bytes_sent, bytes_received; /* session closed */
    char host[ADDRESS_TEXT_SIZE];
    char status[16]; /* "finished", "failed" */
    char proto[16];
    char from_state[24], to_state[24];
    /* Stored behind the struct by event_new. Never NULL. */
    const char *idurl;
    const char *path;
    const char *error; /* reason, or what changed */
};

/* Longer than the longest identity of this node. A peer's can be ten times that; it is truncated,
 * because thousands of events are kept. */
enum { EVENT_IDURL_MAX = 1024 };

/* Any thread. An event with copies of the three strings (NULL is ""), all else zero. NULL: out of
 * memory; event_emit ignores it. */
struct event *event_new(enum event_kind kind, const char *idurl, const char *path,
                        const char *error);
void event_free(struct event **e);

/* The queue to the keeper, the thread that numbers and stores events. `on_event` runs in that
 * thread and takes ownership of the event. Until event_sink_connect, events are dropped. */
struct event_sink;
enum err event_sink_open(struct event_sink **out);
void event_sink_close(struct event_sink **sink);
/* Call before other threads start. */
void event_sink_connect(struct event_sink *sink, struct mailbox *keeper, message_fn *on_event);

/* Any thread. Takes ownership of `e`; NULL is a no-op. Never blocks; queued without waking the
 * keeper (mailbox_post_deferred) unless that set mailbox_set_immediate. */
void event_emit(struct event_sink *sink, struct event *e);

/* Keeper's thread. Returns and resets the number of dropped events. */
uint64_t event_sink_take_lost(struct event_sink *sink);

#endif
