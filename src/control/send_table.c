#include "control/send_table.h"

#include "base/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct control_send_table_entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(control_send_table_entry) link;    /* completed ones, oldest first */
    LIST_HEAD(, control_send_table_watch) watches; /* pending ones */
    struct control_send_table_result result;
    uint64_t began_ms;
    uint64_t expires_ms; /* completed ones */
};
TAILQ_HEAD(send_list, control_send_table_entry);

struct control_send_table {
    struct control_send_table_entry *by_id;
    struct send_list completed;
    size_t completed_count;
    uint64_t last_id;
};

enum err control_send_table_open(struct control_send_table **out)
{
    struct control_send_table *sends = calloc(1, sizeof *sends);

    if (sends == NULL)
        return ERR_NO_MEMORY;
    TAILQ_INIT(&sends->completed);
    *out = sends;
    return ERR_OK;
}

static void drop(struct control_send_table *sends, struct control_send_table_entry *entry)
{
    CONTRACT(LIST_EMPTY(&entry->watches));
    if (entry->result.is_done) {
        TAILQ_REMOVE(&sends->completed, entry, link);
        sends->completed_count--;
    }
    /* The head is not NULL while the table has an entry. */
    HASH_DEL(sends->by_id, entry); /* NOLINT(clang-analyzer-core.NullDereference) */
    free(entry);
}

void control_send_table_close(struct control_send_table **sends)
{
    struct control_send_table_entry *entry, *next;

    if (*sends == NULL)
        return;
    HASH_ITER (hh, (*sends)->by_id, entry, next)
        drop(*sends, entry);
    free(*sends);
    *sends = NULL;
}

static struct control_send_table_entry *find(const struct control_send_table *sends, uint64_t id)
{
    struct control_send_table_entry *entry;

    HASH_FIND(hh, sends->by_id, &id, sizeof id, entry);
    return entry;
}

uint64_t control_send_table_begin(struct control_send_table *sends, uint64_t size_bytes,
                                  uint64_t now_ms)
{
    struct control_send_table_entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return 0;
    entry->result =
        (struct control_send_table_result){.id = ++sends->last_id, .size_bytes = size_bytes};
    entry->began_ms = now_ms;
    LIST_INIT(&entry->watches);
    HASH_ADD(hh, sends->by_id, result.id, sizeof entry->result.id, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return 0;
    }
    return entry->result.id;
}

void control_send_table_remove(struct control_send_table *sends, uint64_t id)
{
    struct control_send_table_entry *entry = find(sends, id);

    CONTRACT(entry != NULL && !entry->result.is_done);
    drop(sends, entry);
}

static double seconds(uint64_t from_ms, uint64_t to_ms)
{
    return (double)(to_ms - from_ms) / 1000.0;
}

bool control_send_table_watch(struct control_send_table *sends, uint64_t id,
                              struct control_send_table_watch *watch)
{
    struct control_send_table_entry *entry = find(sends, id);

    if (entry == NULL || entry->result.is_done)
        return false;
    LIST_INSERT_HEAD(&entry->watches, watch, link);
    watch->is_linked = true;
    return true;
}

void control_send_table_unwatch(struct control_send_table_watch *watch)
{
    if (watch->is_linked)
        LIST_REMOVE(watch, link);
    watch->is_linked = false;
}

static void notify_watches(struct control_send_table_entry *entry)
{
    struct control_send_table_watch *watch;

    while ((watch = LIST_FIRST(&entry->watches)) != NULL) {
        control_send_table_unwatch(watch);
        watch->done(watch->ctx);
    }
}

void control_send_table_finish(struct control_send_table *sends, const struct send_request *outcome,
                               uint64_t now_ms)
{
    struct control_send_table_entry *entry = find(sends, outcome->id);
    struct control_send_table_result *result;

    CONTRACT(entry != NULL && !entry->result.is_done);
    result = &entry->result;
    result->is_done = true;
    result->status = outcome->status;
    result->transfer_id = outcome->transfer_id;
    result->sent_bytes = outcome->sent_bytes;
    if (outcome->size_bytes > 0)
        result->size_bytes = outcome->size_bytes;
    result->seconds = seconds(entry->began_ms, now_ms);
    snprintf(result->error, sizeof result->error, "%s", outcome->error);
    entry->expires_ms = now_ms + CONTROL_SEND_TABLE_COMPLETED_MS;
    notify_watches(entry);
    TAILQ_INSERT_TAIL(&sends->completed, entry, link);
    if (++sends->completed_count > CONTROL_SEND_TABLE_COMPLETED_MAX)
        drop(sends, TAILQ_FIRST(&sends->completed));
}

bool control_send_table_lookup(const struct control_send_table *sends, uint64_t id, uint64_t now_ms,
                               struct control_send_table_result *out)
{
    const struct control_send_table_entry *entry = find(sends, id);

    if (entry == NULL)
        return false;
    *out = entry->result;
    if (!out->is_done)
        out->seconds = seconds(entry->began_ms, now_ms);
    return true;
}

void control_send_table_mark_reported(struct control_send_table *sends, uint64_t id,
                                      uint64_t now_ms)
{
    struct control_send_table_entry *entry = find(sends, id);

    if (entry != NULL && entry->result.is_done &&
        entry->expires_ms > now_ms + CONTROL_SEND_TABLE_REPORTED_MS)
        entry->expires_ms = now_ms + CONTROL_SEND_TABLE_REPORTED_MS;
}

void control_send_table_expire(struct control_send_table *sends, uint64_t now_ms)
{
    struct control_send_table_entry *entry = TAILQ_FIRST(&sends->completed);

    while (entry != NULL) {
        struct control_send_table_entry *next = TAILQ_NEXT(entry, link);

        if (entry->expires_ms <= now_ms)
            drop(sends, entry);
        entry = next;
    }
}

size_t control_send_table_pending(const struct control_send_table *sends)
{
    return HASH_COUNT(sends->by_id) - sends->completed_count;
}

size_t control_send_table_completed(const struct control_send_table *sends)
{
    return sends->completed_count;
}
