#include "store/committer.h"

#include "store_priv.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two threads. `committer` owns the journal and makes the batches: what came in while the last
 * batch was on its way to the disk is the next one, so the batches grow with the load and a file
 * that comes alone waits for nobody. `bulk` does what takes long for one file alone, the sync of a
 * large file's data and the unlink of a large file, so that the small ones do not wait for it: a
 * large file comes to the batch with its data on the disk and its descriptor closed.
 *
 * Only the directory that a name comes into is synced, not the one it leaves: a name that stands in
 * both after a power cut is a partial file to the next start, which removes it there. */

enum {
    BATCH_MAX = 1024,
    BULK_BYTES = 4 << 20,  /* a file of this size or more is bulk */
    EARLY_BYTES = 8 << 20, /* handed to the disk at a time, while more come in */
    EARLY_WAITING_MAX = 256,
    RECOUNT_MS = 2000, /* and never more than a twentieth of the time */
    RECOUNT_SHARE = 20,
};

STAILQ_HEAD(waiting, message);

struct committer {
    struct inbox *inbox;
    struct loop *loop, *bulk;
    struct sync_pace pace;
    struct timer recount;                  /* of the inbox, in the bulk thread */
    struct waiting files, discards, marks; /* marks: COMMIT_REPORTED and COMMIT_IDS */
    /* The batch under way. A request's result is its state: ERR_OK as long as all went well. */
    size_t count;
    struct commit_request *batch[BATCH_MAX];
    bool is_renamed[BATCH_MAX];
    bool needs_sync;
    enum err journal_error; /* of this batch's records and marks */
};

static struct commit_request *of_message(struct message *m)
{
    return (struct commit_request *)(void *)m; /* request.message comes first in it */
}

static bool is_full(const struct committer *c)
{
    return c->inbox->durability == DURABILITY_FULL;
}

static void close_file(struct inbox_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static enum err discard(struct committer *c, struct inbox_file *file)
{
    enum err e = ERR_OK;

    close_file(file);
    if (unlinkat(c->inbox->partial_fd, file->name, 0) != 0 && errno != ENOENT)
        e = err_from_errno(errno);
    inbox_release(c->inbox, file, false);
    return e;
}

/* --- the batch, step by step -------------------------------------------------------------------
 */

static void fail_all(struct committer *c, enum err e)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->batch[i]->request.result == ERR_OK)
            c->batch[i]->request.result = e;
}

static void take_batch(struct committer *c)
{
    struct message *m;

    c->count = 0;
    while (c->count < BATCH_MAX && (m = STAILQ_FIRST(&c->files)) != NULL) {
        STAILQ_REMOVE_HEAD(&c->files, link);
        c->is_renamed[c->count] = false;
        c->batch[c->count++] = of_message(m);
    }
}

static enum err add_files(struct committer *c)
{
    int64_t now_us = clock_real_us();
    enum err e = ERR_OK;

    for (size_t i = 0; i < c->count && e == ERR_OK; i++) {
        struct commit_request *r = c->batch[i];
        struct record record = {.kind = RECORD_FILE, .file = r->record};

        if (r->request.result != ERR_OK)
            continue; /* a large file whose sync failed */
        memcpy(record.file.name, r->file.name, sizeof record.file.name);
        if (record.file.committed_us == 0)
            record.file.committed_us = now_us;
        e = journal_add(c->inbox->journal, &record);
    }
    return e;
}

static enum err add_mark(struct journal *journal, struct commit_request *r)
{
    struct record reported = {.kind = RECORD_REPORTED, .number = r->record.transfer_id};

    if (r->kind == COMMIT_IDS)
        return journal_reserve_ids(journal, &r->ids);
    return journal_add(journal, &reported);
}

/* True if one of the marks must be on the disk before it is answered. */
static bool add_marks(struct committer *c)
{
    struct message *m;
    bool has_ids = false;

    STAILQ_FOREACH (m, &c->marks, link) {
        struct commit_request *r = of_message(m);

        r->request.result = add_mark(c->inbox->journal, r);
        has_ids = has_ids || r->kind == COMMIT_IDS;
    }
    return has_ids;
}

static void journal_failed(struct committer *c, const char *what, enum err e)
{
    log_error("inbox %s: the journal cannot be %s: %s; %zu files fail", c->inbox->path, what,
              err_text(e), c->count);
    c->journal_error = e;
    fail_all(c, e);
}

/* All of the batch's records and marks in one write. */
static void write_journal(struct committer *c)
{
    struct journal *journal = c->inbox->journal;
    enum err added, written;

    c->needs_sync = add_marks(c) || c->count > 0;
    added = add_files(c);
    written = journal_write(journal);
    for (size_t i = 0; i < c->count && written != ERR_OK; i++)
        journal_forget(journal, c->batch[i]->record.transfer_id);
    if (added != ERR_OK || written != ERR_OK)
        journal_failed(c, "written", added != ERR_OK ? added : written);
}

static void sync_batch(struct committer *c)
{
    enum err e;

    sync_batch_data(&c->pace, c->batch, c->count, c->inbox->dir_fd);
    if ((e = journal_sync(c->inbox->journal)) != ERR_OK)
        journal_failed(c, "synced", e);
}

static void rename_batch(struct committer *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct commit_request *r = c->batch[i];

        close_file(&r->file);
        if (r->request.result != ERR_OK)
            continue;
        if (renameat2(c->inbox->partial_fd, r->file.name, c->inbox->dir_fd, r->file.name,
                      RENAME_NOREPLACE) == 0)
            c->is_renamed[i] = true;
        else
            r->request.result = err_from_errno(errno);
    }
}

static bool has_renamed(const struct committer *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->is_renamed[i])
            return true;
    return false;
}

static void sync_names(struct committer *c)
{
    enum err e;

    if (!has_renamed(c) || fsync(c->inbox->dir_fd) == 0)
        return;
    e = err_from_errno(errno);
    log_error("inbox %s: the directory cannot be synced: %s; %zu files fail", c->inbox->path,
              err_text(e), c->count);
    fail_all(c, e);
}

/* Nothing is owed for a failed file: its asker is told. */
static void add_failure(struct committer *c, const struct commit_request *r)
{
    struct record record = {.kind = RECORD_VOID, .number = r->record.transfer_id};

    log_debug("inbox %s: the file %s of transfer %u fails: %s", c->inbox->path, r->file.name,
              (unsigned)r->record.transfer_id, err_text(r->request.result));
    journal_add(c->inbox->journal, &record);
    record.kind = RECORD_REPORTED;
    journal_add(c->inbox->journal, &record);
}

/* Takes the failed files back, away under either name; a final name that is not of our making
 * stays. The journal first: a record whose file is under neither name counts as finished at a
 * restart. */
static size_t take_back_failed(struct committer *c)
{
    size_t failed = 0;

    for (size_t i = 0; i < c->count; i++)
        if (c->batch[i]->request.result != ERR_OK) {
            add_failure(c, c->batch[i]);
            failed++;
        }
    if (failed == 0)
        return 0;
    if (journal_write(c->inbox->journal) == ERR_OK && is_full(c))
        journal_sync(c->inbox->journal); /* if one fails, a restart reports them once more */
    for (size_t i = 0; i < c->count; i++)
        if (c->batch[i]->request.result != ERR_OK)
            unlinkat(c->is_renamed[i] ? c->inbox->dir_fd : c->inbox->partial_fd,
                     c->batch[i]->file.name, 0);
    return failed;
}

static void answer_files(struct committer *c)
{
    size_t failed = take_back_failed(c);

    metrics_add(METRIC_COMMITS, c->count - failed);
    if (c->count > 0)
        metrics_add(METRIC_COMMIT_BATCHES, 1);
    for (size_t i = 0; i < c->count; i++) {
        struct commit_request *r = c->batch[i];

        inbox_release(c->inbox, &r->file, r->request.result == ERR_OK);
        request_answer(&r->request, r->request.result);
    }
    c->count = 0;
}

static void answer_marks(struct committer *c)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&c->marks)) != NULL) {
        struct commit_request *r = of_message(m);
        enum err e = r->request.result != ERR_OK ? r->request.result : c->journal_error;

        STAILQ_REMOVE_HEAD(&c->marks, link);
        request_answer(&r->request, e);
    }
}

static void run_batch(struct committer *c)
{
    enum err e = journal_mend(c->inbox->journal);

    take_batch(c);
    c->journal_error = ERR_OK;
    c->needs_sync = false;
    if (e == ERR_OK)
        write_journal(c);
    else
        journal_failed(c, "written", e);
    if (is_full(c) && c->needs_sync && c->journal_error == ERR_OK)
        sync_batch(c);
    rename_batch(c);
    if (is_full(c))
        sync_names(c);
    answer_files(c);
    answer_marks(c);
}

static void run_all(void *owner)
{
    struct committer *c = owner;
    struct message *m;

    while (!STAILQ_EMPTY(&c->files) || !STAILQ_EMPTY(&c->marks))
        run_batch(c);
    while ((m = STAILQ_FIRST(&c->discards)) != NULL) {
        struct commit_request *r = of_message(m);

        STAILQ_REMOVE_HEAD(&c->discards, link);
        request_answer(&r->request, discard(c, &r->file));
    }
}

/* --- the threads -------------------------------------------------------------------------------
 */

static void collect(struct message *m, void *owner)
{
    struct committer *c = owner;

    switch (of_message(m)->kind) {
    case COMMIT_FILE:
        STAILQ_INSERT_TAIL(&c->files, m, link);
        return;
    case COMMIT_DISCARD:
        STAILQ_INSERT_TAIL(&c->discards, m, link);
        return;
    case COMMIT_REPORTED:
    case COMMIT_IDS:
        STAILQ_INSERT_TAIL(&c->marks, m, link);
        return;
    }
}

/* In the bulk thread. */
static void handle_bulk(struct message *m, void *owner)
{
    struct committer *c = owner;
    struct commit_request *r = of_message(m);

    if (r->kind == COMMIT_DISCARD) {
        request_answer(&r->request, discard(c, &r->file));
        return;
    }
    r->request.result = sync_data(r->file.fd);
    close_file(&r->file);
    mailbox_answer(loop_mailbox(c->loop), m, collect);
}

/* Files are taken out of the inbox by others: only a look at the directory tells. */
static void recount(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;
    uint64_t before_ms = clock_mono_ms(), next_ms;

    (void)timer;
    if (atomic_load(&c->inbox->space.quota_bytes) > 0)
        space_count(&c->inbox->space, c->inbox->dir_fd);
    next_ms = (clock_mono_ms() - before_ms) * RECOUNT_SHARE;
    loop_set_timer(c->bulk, &c->recount, next_ms > RECOUNT_MS ? next_ms : RECOUNT_MS);
}

static void bulk_started(void *owner)
{
    struct committer *c = owner;

    loop_set_timer(c->bulk, &c->recount, RECOUNT_MS);
}

enum err committer_open(struct committer **out, struct inbox *inbox)
{
    struct committer *c = calloc(1, sizeof *c);
    struct loop_config config = {.name = "committer", .owner = c};
    enum err e = ERR_NO_MEMORY;

    *out = NULL;
    if (c == NULL)
        return e;
    c->inbox = inbox;
    c->recount = (struct timer){.fire = recount, .ctx = c};
    sync_pace_open(&c->pace);
    STAILQ_INIT(&c->files);
    STAILQ_INIT(&c->discards);
    STAILQ_INIT(&c->marks);
    config.after_turn = config.ended = run_all;
    if ((e = loop_open(&c->loop, &config)) != ERR_OK)
        goto fail;
    config = (struct loop_config){.name = "committer-bulk",
                                  .mailbox_limit = EARLY_WAITING_MAX,
                                  .owner = c,
                                  .started = bulk_started};
    if ((e = loop_open(&c->bulk, &config)) != ERR_OK)
        goto fail;
    *out = c;
    return ERR_OK;
fail:
    committer_close(&c);
    return e;
}

void committer_close(struct committer **committer)
{
    if (*committer == NULL)
        return;
    loop_close(&(*committer)->bulk);
    loop_close(&(*committer)->loop);
    sync_pace_close(&(*committer)->pace);
    free(*committer);
    *committer = NULL;
}

enum err committer_start(struct committer *c)
{
    enum err e = loop_start(c->loop);

    if (e == ERR_OK && (e = loop_start(c->bulk)) != ERR_OK)
        loop_stop(c->loop);
    return e;
}

void committer_stop(struct committer *c)
{
    loop_stop(c->bulk); /* hands its last files to the other */
    loop_stop(c->loop);
}

/* Work for the bulk thread: what the file itself makes slow. Without durability there is no sync.
 */
static bool is_bulk(const struct committer *c, const struct commit_request *r)
{
    if (r->kind != COMMIT_DISCARD && !(r->kind == COMMIT_FILE && is_full(c)))
        return false;
    return r->file.written_bytes >= BULK_BYTES;
}

void committer_submit(struct committer *c, struct commit_request *r)
{
    r->request.result = ERR_OK;
    if (is_bulk(c, r))
        mailbox_answer(loop_mailbox(c->bulk), &r->request.message, handle_bulk);
    else
        mailbox_answer(loop_mailbox(c->loop), &r->request.message, collect);
}

/* Bytes that start on their way. The descriptor is open until then: what closes a file of this size
 * comes behind in the same mailbox. */
struct early {
    struct message message;
    int fd;
    uint64_t from, length;
};

static void start_writing(struct message *m, void *owner)
{
    struct early *early = (struct early *)(void *)m;

    (void)owner;
    if (sync_file_range(early->fd, (off_t)early->from, (off_t)early->length,
                        SYNC_FILE_RANGE_WRITE) != 0)
        log_debug("sync_file_range: %s", strerror(errno)); /* the sync at the end says it */
    free(early);
}

void committer_write_early(struct committer *c, struct inbox_file *file)
{
    uint64_t length = file->written_bytes - file->early_bytes;
    struct early *early;

    if (length < EARLY_BYTES || !is_full(c))
        return;
    early = malloc(sizeof *early);
    if (early == NULL)
        return;
    *early = (struct early){.fd = file->fd, .from = file->early_bytes, .length = length};
    file->early_bytes = file->written_bytes;
    if (mailbox_post(loop_mailbox(c->bulk), &early->message, start_writing) != ERR_OK)
        free(early);
}

size_t committer_waiting(struct committer *c)
{
    return mailbox_waiting(loop_mailbox(c->loop)) + mailbox_waiting(loop_mailbox(c->bulk));
}
