/* What became of the sends. Decided ones are kept for SENDS_KEPT_MS, at most SENDS_KEPT_MAX of
 * them, those that somebody was told of for SENDS_HANDED_MS. Belongs to the control thread. */
#ifndef CONTROL_SEND_TABLE_H
#define CONTROL_SEND_TABLE_H

#include "base/err.h"
#include "gateway/transport_ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    CONTROL_SENDS_MAX = 100000, /* sends that are not decided yet */
    SENDS_KEPT_MAX = 10000,     /* decided sends */
    SENDS_KEPT_MS = 600000,
    SENDS_HANDED_MS = 60000, /* decided and told to somebody who waited */
};

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

#endif
