/* What became of the sends. Decided ones are kept for CONTROL_SEND_TABLE_KEPT_MS, at most
 * CONTROL_SEND_TABLE_KEPT_MAX of them, those that somebody was told of for
 * CONTROL_SEND_TABLE_HANDED_MS. Belongs to the control thread. */
#ifndef CONTROL_SEND_TABLE_H
#define CONTROL_SEND_TABLE_H

#include "base/err.h"
#include "gateway/transport_ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    CONTROL_SENDS_MAX = 100000,          /* sends that are not decided yet */
    CONTROL_SEND_TABLE_KEPT_MAX = 10000, /* decided sends */
    CONTROL_SEND_TABLE_KEPT_MS = 600000,
    CONTROL_SEND_TABLE_HANDED_MS = 60000, /* decided and told to somebody who waited */
};

struct control_send_table_result {
    uint64_t id;
    bool is_done;
    enum gateway_transfer_status status;
    uint32_t transfer_id;
    uint64_t size_bytes, sent_bytes;
    double seconds; /* since it was asked for; until it was decided */
    char error[GATEWAY_TRANSFER_ERROR_SIZE];
};
struct control_send_table;
enum err control_send_table_open(struct control_send_table **out);
void control_send_table_close(struct control_send_table **sends);
/* A new one, under way. Its id, or 0 without memory. */
uint64_t control_send_table_begin(struct control_send_table *sends, uint64_t size_bytes,
                                  uint64_t now_ms);
/* It never went out: forget it. */
void control_send_table_forget(struct control_send_table *sends, uint64_t id);
/* The outcome; one for each that began. */
void control_send_table_finish(struct control_send_table *sends, const struct send_request *outcome,
                               uint64_t now_ms);
/* False if there is none of this id (any more). */
bool control_send_table_look(const struct control_send_table *sends, uint64_t id, uint64_t now_ms,
                             struct control_send_table_result *out);
/* Somebody who waits for one: `done` is called once, when it is decided, by then unwatched. False:
 * it is decided or unknown already, and nothing is watched. */
struct control_send_table_watch {
    LIST_ENTRY(control_send_table_watch) link;
    bool is_linked;
    void (*done)(void *ctx);
    void *ctx;
};
bool control_send_table_watch(struct control_send_table *sends, uint64_t id,
                              struct control_send_table_watch *watch);
void control_send_table_unwatch(
    struct control_send_table_watch *watch); /* at ease with one that is not watched */
void control_send_table_mark_handed(struct control_send_table *sends, uint64_t id, uint64_t now_ms);
void control_send_table_expire(struct control_send_table *sends, uint64_t now_ms);
size_t control_send_table_under_way(const struct control_send_table *sends);
size_t control_send_table_kept(const struct control_send_table *sends);

#endif
