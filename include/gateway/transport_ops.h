/* The interface of a transport: BitDust's GateInterface as a struct of functions. Implemented by
 * tcp; udp will use it too.
 *
 * Every call except build_contacts and verify_contacts takes ownership of a request, which is
 * returned exactly once, as a message, to its `answer_to`. The caller then frees the strings of the
 * request.
 */
#ifndef GATEWAY_TRANSPORT_OPS_H
#define GATEWAY_TRANSPORT_OPS_H

#include "base/address.h"
#include "base/err.h"
#include "gateway/contact.h"
#include "gateway/gateway_ops.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uthash.h>

enum { REASON_SIZE = 256, ROUTE_ADDRESSES_MAX = 8 };

/* connect(options): opens the listening sockets (none if receiving is disabled) and serves. Result
 * ERR_OK is `receiving-started`, with the bound addresses in `host`; any other is `failed`, with
 * the address and the reason in `error`. */
struct transport_start {
    struct request request;
    char host[REASON_SIZE];
    char error[REASON_SIZE];
};

/* disconnect: stops listening, lets active files finish for up to `grace_ms`, closes every session.
 * Completes when all are closed: `stopped`. */
struct transport_stop {
    struct request request;
    uint64_t grace_ms;
};

/* A destination: the contact, and the transport's state of resolving and connecting to it. */
struct route {
    struct contact contact;
    unsigned address_count, address_next; /* private to the transport from here on */
    struct address addresses[ROUTE_ADDRESSES_MAX];
    uint64_t session;
    bool was_rerouted;
};

/* send_file, send_file_single. Completes when the send has finished or failed. */
struct send_request {
    struct request request;
    uint64_t id;
    struct route route;
    char *remote_idurl; /* escaped, may be NULL; malloc, freed by gateway_send_request_free */
    char *filename;     /* absolute; malloc */
    char *description;  /* may be NULL; malloc */
    const struct gateway_binding *binding; /* gateway at the request; NULL: the current one */
    char *asked_host; /* the one contact as the requester wrote it; NULL if several; malloc */
    uid_t requester;  /* who has to be able to read the file (outbox_open) */
    bool is_single;
    /* the outcome */
    enum gateway_transfer_status status;
    uint32_t transfer_id; /* 0: none was assigned */
    uint64_t size_bytes;
    uint64_t sent_bytes;
    char error[GATEWAY_TRANSFER_ERROR_SIZE]; /* "" when finished */
    void *cookie;                            /* the requester's */
    /* private to the transport while queued */
    TAILQ_ENTRY(send_request) queue_link;
    UT_hash_handle hh;
};
void gateway_send_request_free(struct send_request **r);

/* connect_to, disconnect_from, send_keep_alive. */
struct host_request {
    struct request request;
    struct route route;
    /* connect_to: a session was open before. disconnect_from, send_keep_alive: a session was found.
     */
    bool answer;
    uint64_t session;        /* connect_to */
    char error[REASON_SIZE]; /* reason, if result is not ERR_OK */
    unsigned at;             /* private to the transport */
    void *cookie;
};

/* cancel_file_sending(transfer_id), cancel_file_receiving(transfer_id), cancel_outbox_file(host,
 * filename), and by the id of a send request (`dustwire send` interrupted). */
struct cancel_request {
    struct request request;
    uint32_t transfer_id;   /* 0: not selected by it */
    uint64_t send_id;       /* 0: not selected by it */
    struct contact contact; /* cancel_outbox_file */
    char filename[SETTINGS_TEXT_SIZE * 4];
    bool answer;
    unsigned at; /* private to the transport */
    void *cookie;
};

/* The position of an item in a list: worker, session (0: before the first one) and file. `file` is
 * defined by the transport. */
struct list_cursor {
    unsigned worker;
    uint64_t session, file;
};

struct session_info {
    uint64_t id;
    struct list_cursor cursor;
    char proto[CONTACT_PROTO_SIZE];
    const char *state; /* "CONNECTED" */
    struct address host;
    char announced[ADDRESS_TEXT_SIZE]; /* as announced, escaped; "" if nothing usable */
    bool is_verified;                  /* files for `announced` use this session */
    bool is_outgoing;
    unsigned worker;
    unsigned files_in, files_out, files_waiting;
    uint64_t bytes_sent, bytes_received;
    uint64_t age_us;      /* since it was opened, by the monotonic clock */
    int64_t opened_at_us; /* real time, computed from age_us */
    int64_t last_activity_us;
    char idurl[256]; /* escaped, cut */
};

struct stream_info {
    uint32_t transfer_id;
    struct list_cursor cursor;
    uint64_t request_id;
    int32_t stream_id; /* file_id on the wire */
    char proto[CONTACT_PROTO_SIZE];
    bool is_outgoing;
    uint64_t session;
    struct address host;
    uint64_t current_bytes, total_bytes;
    uint64_t acknowledged_bytes; /* acknowledged by the peer's TCP; incoming: current_bytes */
    uint64_t bytes_per_second;
    uint64_t age_us;
    int64_t started_at_us; /* as for a session */
    const char *state;     /* "waiting", "sending", "receiving", "committing", "ok awaited" */
    char idurl[256];
    char filename[SETTINGS_TEXT_SIZE];
};

/* list_sessions, list_streams, find_session, find_stream: a page of the items, ordered by session.
 * Filters that are zero or "" match everything. An offset scans all items for each page. With a
 * cursor the page begins after it and the scan ends with the page; if the cursor's session has
 * closed, the page begins at the next younger one. */
struct list_request {
    struct request request;
    size_t offset, limit;
    bool has_cursor; /* then offset is 0 and `total` is meaningless */
    struct list_cursor cursor;
    struct address host;
    char idurl[256];
    int32_t stream_id;
    uint32_t transfer_id;
    uint64_t send_id;
    /* the answer: one of the two arrays; gateway_list_request_fini frees it */
    struct session_info *sessions;
    struct stream_info *streams;
    size_t count, total; /* total: number that match the filters */
    size_t capacity;     /* private to the transport from here on */
    unsigned at;
    void *cookie;
};
void gateway_list_request_fini(struct list_request *r);

/* Totals over all workers, for status. */
struct transport_counts {
    unsigned workers;
    unsigned sessions, sessions_connected;
    unsigned sessions_half_open; /* accepted, no hello yet */
    unsigned sources_known;      /* addresses and networks in the source table */
    unsigned files_in, files_out, files_waiting;
};
struct counts_request {
    struct request request;
    struct transport_counts counts;
    unsigned at;
    void *cookie;
};

struct transport_ops {
    const char *proto; /* "tcp" */

    /* Supervisor thread. */
    void (*connect)(void *self, struct transport_start *start);
    void (*disconnect)(void *self, struct transport_stop *stop);
    void (*settings_changed)(void *self, const struct settings *settings); /* copies */
    /* True if the bound addresses differ from those of the settings. */
    bool (*is_rebind_needed)(void *self);
    /* This node's contact for an identity, e.g. "tcp://host:port". ERR_NOT_FOUND: the host is
     * unknown. */
    enum err (*build_contacts)(void *self, char out[CONTACT_TEXT_SIZE]);
    /* True if `contact` has the host and the port of the settings. */
    bool (*verify_contacts)(void *self, const struct contact *contact);

    /* Any thread. */
    void (*send_file)(void *self, struct send_request *r);
    void (*connect_to)(void *self, struct host_request *r);
    void (*disconnect_from)(void *self, struct host_request *r);
    void (*send_keep_alive)(void *self, struct host_request *r);
    void (*cancel_file_sending)(void *self, struct cancel_request *r);
    void (*cancel_file_receiving)(void *self, struct cancel_request *r);
    void (*cancel_outbox_file)(void *self, struct cancel_request *r);
    void (*list_sessions)(void *self, struct list_request *r);
    void (*list_streams)(void *self, struct list_request *r);
    void (*count)(void *self, struct counts_request *r);
};

#endif
