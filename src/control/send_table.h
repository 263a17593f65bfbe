/* Pending sends and results of completed ones. At most CONTROL_SEND_TABLE_COMPLETED_MAX results are
 * kept, for CONTROL_SEND_TABLE_COMPLETED_MS, or for CONTROL_SEND_TABLE_REPORTED_MS after a client
 * has got them. Belongs to the control thread. */
#ifndef CONTROL_SEND_TABLE_H
#define CONTROL_SEND_TABLE_H

#include "base/err.h"
#include "gateway/transport_ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    CONTROL_SENDS_MAX = 100000,               /* pending sends */
    CONTROL_SEND_TABLE_COMPLETED_MAX = 10000, /* completed sends */
    CONTROL_SEND_TABLE_COMPLETED_MS = 600000,
    CONTROL_SEND_TABLE_REPORTED_MS = 60000, /* results that a client has got */
};

struct control_send_table_result {
    uint64_t id;
    bool is_done;
    enum gateway_transfer_status status;
    uint32_t transfer_id;
    uint64_t size_bytes, sent_bytes;
    double seconds; /* from the request until completion, or until now */
    char error[GATEWAY_TRANSFER_ERROR_SIZE];
};
struct control_send_table;
enum err control_send_table_open(struct control_send_table **out);
void control_send_table_close(struct control_send_table **sends);
/* Adds a pending send. Returns its id; 0: out of memory. */
uint64_t control_send_table_begin(struct control_send_table *sends, uint64_t size_bytes,
                                  uint64_t now_ms);
/* Removes a send that could not be queued. */
void control_send_table_remove(struct control_send_table *sends, uint64_t id);
/* Records the result; once for each send. */
void control_send_table_finish(struct control_send_table *sends, const struct send_request *outcome,
                               uint64_t now_ms);
/* False: unknown or expired id. */
bool control_send_table_lookup(const struct control_send_table *sends, uint64_t id, uint64_t now_ms,
                               struct control_send_table_result *out);
/* Watches a pending send: `done` is called once, at completion, after the watch has been removed.
 * False: it is completed or unknown; not watched. */
struct control_send_table_watch {
    LIST_ENTRY(control_send_table_watch) link;
    bool is_linked;
    void (*done)(void *ctx);
    void *ctx;
};
bool control_send_table_watch(struct control_send_table *sends, uint64_t id,
                              struct control_send_table_watch *watch);
/* A no-op if it is not watched. */
void control_send_table_unwatch(struct control_send_table_watch *watch);
void control_send_table_mark_reported(struct control_send_table *sends, uint64_t id,
                                      uint64_t now_ms);
void control_send_table_expire(struct control_send_table *sends, uint64_t now_ms);
size_t control_send_table_pending(const struct control_send_table *sends);
size_t control_send_table_completed(const struct control_send_table *sends);

#endif
