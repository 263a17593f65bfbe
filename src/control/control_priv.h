/* What only the control room shares: the socket, the ring of events, the table of sends, and the
 * control thread's own struct. Everything here belongs to the control thread. */
#ifndef CONTROL_PRIV_H
#define CONTROL_PRIV_H

#include "control/control.h"
#include "control/http.h"
#include "control/xmlrpc.h"
#include "loop/loop.h"
#include "store/spool.h"

#include <sys/queue.h>
#include <sys/types.h>

enum {
    CONTROL_WAIT_MAX_MS = 60000,
    CONTROL_PAGE_MAX = 200,      /* sessions, streams, received files in an answer */
    CONTROL_EVENTS_PAGE = 500,   /* events in an answer */
    CONTROL_IDS_MAX = 1000,      /* requests in one send_wait */
    CONTROL_FILTERED_MAX = 4096, /* streams looked through for some requests' */
    CONTROL_SENDS_MAX = 100000,  /* sends that are not decided yet */
    CONTROL_ASKED_MAX = 2048,    /* other calls about hosts and files that are away, whether their
                                    clients are still there or not */
    CONTROL_QUESTIONS_MAX = 512, /* the same of those about the daemon itself */
    SENDS_KEPT_MAX = 10000,      /* decided sends */
    SENDS_KEPT_MS = 600000,
    SENDS_HANDED_MS = 60000, /* decided and told to somebody who waited */
};

/* --- the socket's file */
struct control_socket {
    int fd;
    char path[108];
    dev_t device; /* of the file that we made: another's is not ours to remove */
    ino_t inode;
};
/* The file belongs to `group` ("": our own) and has `mode`; a folder that has to be made for it
 * lets the same people in. */
enum err control_socket_open(struct control_socket *out, const char *path, const char *group,
                             unsigned mode, char *problem, size_t room);
/* A TCP address instead: a socket without a file. */
enum err control_socket_open_tcp(struct control_socket *out, const struct address *address,
                                 char *problem, size_t room);
/* Its file still stands at its path, and is the one that was made. */
bool control_socket_is_there(const struct control_socket *s);
void control_socket_close(struct control_socket *s);

/* --- the last events, numbered from 1. A number that is missing is an event that was lost. */
struct event_ring;
enum err event_ring_open(struct event_ring **out, size_t limit);
void event_ring_close(struct event_ring **ring);
/* Takes over `e`; `lost` events were lost before it. */
void event_ring_add(struct event_ring *ring, struct event *e, uint64_t lost);
uint64_t event_ring_last(const struct event_ring *ring); /* 0: none yet */

struct event_page {
    uint64_t last; /* what to give as `after` next */
    uint64_t lost; /* numbers between `after` and `last` that nobody can be told of */
    size_t count;
};
typedef void event_each_fn(void *ctx, const struct event *e);
/* The events behind `after`, at most `limit`. An `after` that is still to come is of an earlier run
 * of the daemon: whoever brings it has seen none of this run's, and gets them from the first on. */
struct event_page event_ring_read(const struct event_ring *ring, uint64_t after, size_t limit,
                                  event_each_fn *each, void *ctx);

/* --- what became of the sends. Decided ones are kept for SENDS_KEPT_MS, at most SENDS_KEPT_MAX of
 * them, those that somebody was told of for SENDS_HANDED_MS. */
struct send_result {
    uint64_t id;
    bool is_done;
    enum transfer_status status;
    uint32_t transfer_id;
    uint64_t size_bytes, sent_bytes;
    double seconds; /* since it was asked for; until it was decided */
    char error[TRANSFER_ERROR_SIZE];
};
struct sends;
enum err sends_open(struct sends **out);
void sends_close(struct sends **sends);
/* A new one, under way. Its id, or 0 without memory. */
uint64_t sends_begin(struct sends *sends, uint64_t size_bytes, uint64_t now_ms);
/* It never went out: forget it. */
void sends_forget(struct sends *sends, uint64_t id);
/* The outcome; one for each that began. */
void sends_finish(struct sends *sends, const struct send_request *outcome, uint64_t now_ms);
/* False if there is none of this id (any more). */
bool sends_look(const struct sends *sends, uint64_t id, uint64_t now_ms, struct send_result *out);
/* Somebody who waits for one: `done` is called once, when it is decided, by then unwatched. False:
 * it is decided or unknown already, and nothing is watched. */
struct send_watch {
    LIST_ENTRY(send_watch) link;
    bool is_linked;
    void (*done)(void *ctx);
    void *ctx;
};
bool sends_watch(struct sends *sends, uint64_t id, struct send_watch *watch);
void sends_unwatch(struct send_watch *watch); /* at ease with one that is not watched */
void sends_mark_handed(struct sends *sends, uint64_t id, uint64_t now_ms);
void sends_expire(struct sends *sends, uint64_t now_ms);
size_t sends_under_way(const struct sends *sends);
size_t sends_kept(const struct sends *sends);

/* --- held.c: the bytes of text (paths, contacts, descriptions, ...) of the sends that are not
 * decided yet, in all and by who asked for them. */
enum { HELD_MAX = 64 << 20, HELD_MAX_PER_USER = 32 << 20 };
struct held;
enum err held_open(struct held **out);
void held_close(struct held **held);
/* ERR_FULL: it would be too much, nothing is taken. */
enum err held_take(struct held *held, uid_t uid, size_t bytes);
void held_give_back(struct held *held, uid_t uid, size_t bytes);
size_t held_bytes(const struct held *held);

/* --- control_received.c: the thread that reads what was received. Opened, started, stopped and
 * closed by who does so with the control; it is stopped after the control's thread, so that nobody
 * asks any more, and what it still answers waits in the control's mailbox. */
struct received_reader;
enum err received_reader_open(struct received_reader **out, struct inbox *inbox);
void received_reader_close(struct received_reader **reader);
enum err received_reader_start(struct received_reader *reader);
void received_reader_stop(struct received_reader *reader);

/* --- the thread */

/* What a call is about says how long it may be away: a peer, or the daemon, which answers at once
 * as long as none of its threads stands still. */
enum asked_kind { ASKED_ABOUT_PEERS, ASKED_ABOUT_DAEMON, ASKED_KINDS };

/* A call that waits for a request to come back. Lives beside that request, as long as it is away;
 * `call` is NULL once nobody listens any more. */
struct asked {
    LIST_ENTRY(asked) link;
    enum asked_kind kind;
    struct control *control;
    struct http_call *call;
};

/* A long poll: events behind `after`, or one of `ids` decided. */
struct waiter {
    LIST_ENTRY(waiter) link;
    struct control *control;
    struct http_call *call;
    struct timer timeout;
    bool is_for_sends;
    bool is_ready;  /* sends: one is decided */
    uint64_t after; /* events */
    size_t limit;
    uint64_t *ids;              /* sends; malloc */
    struct send_watch *watches; /* one for each; malloc */
    size_t id_count;
};

struct control {
    struct control_config config;
    char gateway_url[SETTINGS_TEXT_SIZE]; /* of the remote gateway; "": there was none */
    struct loop *loop;
    struct http *http;     /* the Unix socket */
    struct http *http_tcp; /* NULL without [control] listen */
    struct event_ring *ring;
    struct sends *sends;
    struct held *held;
    struct received_reader *reader;
    struct spool *spool; /* files that were streamed here */
    struct timer looking;
    bool has_news;       /* events or outcomes that waiters may want, told after the turn */
    bool is_stopping;    /* calls are not taken any more */
    bool is_unreachable; /* the Unix socket's file is gone and could not be made again */
    unsigned event_waiters;
    unsigned away;                      /* requests that have not come back */
    unsigned asked_counts[ASKED_KINDS]; /* of these, the ones in `asked` */
    LIST_HEAD(, asked) asked;
    LIST_HEAD(, waiter) waiters;
};

/* One row of the table of methods. */
struct control_method {
    const char *name;
    const char *parameters; /* as in "offset, limit" */
    const char *help;
    void (*run)(struct control *control, struct http_call *call, struct rpc_args *args);
};
extern const struct control_method control_methods[]; /* ends with a NULL name */

/* Takes over `value`; a fault in `env` (no memory) goes out as a fault. Ends `env`. */
void control_answer(struct http_call *call, xmlrpc_env *env, xmlrpc_value *value);
void control_fault(struct http_call *call, enum fault code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* control_spool.c: the fault for a failure of the spool. */
void control_refuse_spool(struct http_call *call, enum err e);

/* Before a request is made, which is away whether its client stays or not. False: too many are, and
 * `call` has been answered. */
bool asked_has_room(const struct control *control, struct http_call *call, enum asked_kind kind);
void asked_begin(struct asked *asked, struct control *control, struct http_call *call,
                 enum asked_kind kind);
/* The request is back (or never went). */
void asked_end(struct asked *asked);

/* A question to the supervisor. `answer` runs when it is back and somebody still listens. */
struct network_asked;
typedef void network_answer_fn(struct network_asked *n);
struct network_asked {
    struct supervisor_request request; /* first: comes back */
    struct asked asked;
    network_answer_fn *answer;
};
/* NULL without memory or room: `call` has been answered. */
struct network_asked *network_new(struct control *control, struct http_call *call,
                                  enum supervisor_ask what, network_answer_fn *answer);
void network_free(struct network_asked *n);
/* Takes over `n`. A problem with the parameters, or a full mailbox, is the call's answer. */
void network_post(struct control *control, struct http_call *call, struct network_asked *n,
                  struct rpc_args *args);
/* Both, for a call without parameters. */
void network_ask(struct control *control, struct http_call *call, struct rpc_args *args,
                 enum supervisor_ask what, network_answer_fn *answer);

/* Waits are answered after the turn in which there is something to say, or at the timeout. */
void control_wait(struct control *control, struct http_call *call, struct waiter *waiter,
                  uint64_t timeout_ms);
void control_waiters_look(struct control *control);
void control_waiters_end(struct control *control);

/* The methods, by file. */
#define CONTROL_METHOD_FN(name) \
    void name(struct control *control, struct http_call *call, struct rpc_args *args)
CONTROL_METHOD_FN(call_send_file);
CONTROL_METHOD_FN(call_send_file_single);
CONTROL_METHOD_FN(call_send_spooled);
CONTROL_METHOD_FN(call_send_spooled_single);
CONTROL_METHOD_FN(call_spool_begin);
CONTROL_METHOD_FN(call_spool_write);
CONTROL_METHOD_FN(call_send_wait);
CONTROL_METHOD_FN(call_cancel_send);
CONTROL_METHOD_FN(call_events);
CONTROL_METHOD_FN(call_received);
CONTROL_METHOD_FN(call_list_sessions);
CONTROL_METHOD_FN(call_list_streams);
CONTROL_METHOD_FN(call_find_session);
CONTROL_METHOD_FN(call_find_stream);
CONTROL_METHOD_FN(call_connect_to);
CONTROL_METHOD_FN(call_disconnect_from);
CONTROL_METHOD_FN(call_send_keep_alive);
CONTROL_METHOD_FN(call_cancel_file_sending);
CONTROL_METHOD_FN(call_cancel_file_receiving);
CONTROL_METHOD_FN(call_cancel_outbox_file);
CONTROL_METHOD_FN(call_init);
CONTROL_METHOD_FN(call_connect);
CONTROL_METHOD_FN(call_disconnect);
CONTROL_METHOD_FN(call_shutdown);
CONTROL_METHOD_FN(call_status);
CONTROL_METHOD_FN(call_services);
CONTROL_METHOD_FN(call_reload);
CONTROL_METHOD_FN(call_reconnect);
CONTROL_METHOD_FN(call_check_reconnect);
CONTROL_METHOD_FN(call_stop);
CONTROL_METHOD_FN(call_build_contacts);
CONTROL_METHOD_FN(call_verify_contacts);
CONTROL_METHOD_FN(call_settings_dump);
CONTROL_METHOD_FN(call_settings_get);
CONTROL_METHOD_FN(call_settings_set);
CONTROL_METHOD_FN(call_settings_unset);

#endif
