#include "store/commit/batch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/commit/sync.h"
#include "store/inbox/partial_file.h"
#include "store/inbox/place.h"
#include "store/inbox/recover.h"
#include "store/inbox/state.h"
#include "store/journal/id_blocks.h"
#include "store/journal/journal.h"
#include "store/journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each step of a commit is done for all files of the batch before the next step: docs/store.md has
 * the order and the reasons. */

void commit_batch_init(struct commit_batch *b, struct inbox *inbox, struct journal *journal)
{
    *b = (struct commit_batch){.inbox = inbox, .journal = journal, .meminfo_fd = -1};
    STAILQ_INIT(&b->files);
    STAILQ_INIT(&b->marks);
    STAILQ_INIT(&b->marks_taken);
    STAILQ_INIT(&b->answers);
}

static struct commit_request *of_message(struct message *m)
{
    return (struct commit_request *)(void *)m; /* request.message is its first member */
}

static bool is_full(const struct commit_batch *b)
{
    return b->inbox->durability == DURABILITY_FULL;
}

static void answer(struct commit_batch *b, struct commit_request *r, enum err e)
{
    struct request *request = &r->request;

    request->result = e;
    request->message.deliver = request->on_answer;
    STAILQ_INSERT_TAIL(&b->answers, &request->message, link);
}

/* Consecutive answers for the same mailbox are sent together: a requester woken by the first one
 * would submit its next file alone. */
void commit_batch_send_answers(struct commit_batch *b)
{
    struct message_list group = STAILQ_HEAD_INITIALIZER(group);
    struct message *m, *next;
    size_t count = 0;

    while ((m = STAILQ_FIRST(&b->answers)) != NULL) {
        struct mailbox *to = of_message(m)->request.answer_to;

        STAILQ_REMOVE_HEAD(&b->answers, link);
        if (to == NULL) {
            m->deliver(m, NULL);
            continue;
        }
        STAILQ_INSERT_TAIL(&group, m, link);
        count++;
        next = STAILQ_FIRST(&b->answers);
        if (next == NULL || of_message(next)->request.answer_to != to) {
            mailbox_answer_list(to, &group, count);
            count = 0;
        }
    }
}

static void fail_all(struct commit_batch *b, enum err e)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->requests[i]->request.result == ERR_OK)
            b->requests[i]->request.result = e;
}

static void fill_batch(struct commit_batch *b)
{
    struct message *m;

    STAILQ_CONCAT(&b->marks_taken, &b->marks);
    b->count = 0;
    while (b->count < COMMIT_BATCH_MAX && (m = STAILQ_FIRST(&b->files)) != NULL) {
        STAILQ_REMOVE_HEAD(&b->files, link);
        b->is_renamed[b->count] = false;
        b->requests[b->count++] = of_message(m);
    }
}

static struct journal_record file_record(const struct commit_batch *b,
                                         const struct commit_request *r)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_FILE, .file = r->record};

    memcpy(record.file.name, r->file.name, sizeof record.file.name);
    if (record.file.committed_us == 0)
        record.file.committed_us = b->now_us;
    return record;
}

static enum err add_files(struct commit_batch *b)
{
    enum err e = ERR_OK;

    b->now_us = clock_real_us();
    for (size_t i = 0; i < b->count && e == ERR_OK; i++) {
        struct journal_record record = file_record(b, b->requests[i]);

        /* An error here: a large file whose sync failed. */
        if (b->requests[i]->request.result == ERR_OK)
            e = journal_add(b->journal, &record);
    }
    return e;
}

static enum err add_mark(struct commit_batch *b, struct commit_request *r)
{
    struct journal_record reported = {.kind = JOURNAL_RECORD_REPORTED,
                                      .number = r->record.transfer_id};

    if (r->kind == COMMIT_IDS) {
        journal_id_blocks_remove(journal_ids_out(b->journal), &r->ids_back);
        return journal_reserve_ids(b->journal, &r->ids);
    }
    return journal_add(b->journal, &reported);
}

static void add_marks(struct commit_batch *b)
{
    struct message *m;

    STAILQ_FOREACH (m, &b->marks_taken, link) {
        struct commit_request *r = of_message(m);

        r->request.result = add_mark(b, r);
        b->has_ids = b->has_ids || r->kind == COMMIT_IDS;
    }
}

/* Logs at most once a second: while the disk fails, every batch fails. */
static void fail_for_journal(struct commit_batch *b, const char *what, enum err e)
{
    uint64_t now_s = clock_mono_ms() / 1000;

    if (now_s != b->logged_s)
        log_error("inbox %s: the journal cannot be %s: %s; %zu files fail", b->inbox->path, what,
                  err_text(e), b->count);
    b->logged_s = now_s;
    b->journal_error = e;
    fail_all(b, e);
}

static void add_settled(struct commit_batch *b)
{
    struct journal_record settled = {.kind = JOURNAL_RECORD_SETTLED, .number = (uint32_t)b->count};

    journal_add(b->journal, &settled);
}

/* Writes all records and marks of the batch at once. Without durability only a kill matters, which
 * leaves each file under one of its names until the journal has recorded its failure: so the files
 * are settled from the beginning. */
static void write_journal(struct commit_batch *b)
{
    struct journal *journal = b->journal;
    enum err added, written;

    add_marks(b);
    added = add_files(b);
    if (b->count > 0 && !is_full(b))
        add_settled(b);
    written = journal_write(journal);
    for (size_t i = 0; i < b->count && written != ERR_OK; i++)
        journal_forget(journal, b->requests[i]->record.transfer_id);
    b->has_records = written == ERR_OK && b->count > 0;
    if (added != ERR_OK || written != ERR_OK)
        fail_for_journal(b, "written", added != ERR_OK ? added : written);
}

/* The files first, then the journal: no record becomes durable before its file, under its partial
 * name. */
static void sync_batch(struct commit_batch *b)
{
    bool is_all_synced =
        commit_sync_batch_data(b->meminfo_fd, b->requests, b->count, b->inbox->dir_fd);
    enum err e = is_all_synced ? journal_check_synced(b->journal) : journal_sync(b->journal);

    if (e != ERR_OK)
        fail_for_journal(b, "synced", e);
}

static void rename_batch(struct commit_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct commit_request *r = b->requests[i];

        inbox_partial_file_close(&r->file);
        if (r->request.result != ERR_OK)
            continue;
        if (renameat2(inbox_partial_file_folder(b->inbox, r->file.name), r->file.name,
                      b->inbox->dir_fd, r->file.name, RENAME_NOREPLACE) == 0)
            b->is_renamed[i] = true;
        else
            r->request.result = errno == ENOENT ? ERR_NO_PARTIAL : err_from_errno(errno);
    }
}

static size_t renamed_files(const struct commit_batch *b)
{
    size_t count = 0;

    for (size_t i = 0; i < b->count; i++)
        count += b->is_renamed[i];
    return count;
}

static void sync_names(struct commit_batch *b)
{
    size_t count = renamed_files(b);
    enum err e;

    if (count == 0 || fsync(b->inbox->dir_fd) == 0)
        return;
    e = err_from_errno(errno);
    log_error("inbox %s: the directory cannot be synced: %s; %zu files fail", b->inbox->path,
              err_text(e), count);
    for (size_t i = 0; i < b->count; i++)
        if (b->is_renamed[i] && b->requests[i]->request.result == ERR_OK)
            b->requests[i]->request.result = e;
}

static void add_reported(struct commit_batch *b, const struct commit_request *r)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_REPORTED,
                                    .number = r->record.transfer_id};

    journal_add(b->journal, &record);
}

/* A failed file is not reported later: its requester is answered. For a file that was renamed into
 * the inbox, REPORTED is written only after its removal: until then a start would remove it. */
static void add_failure(struct commit_batch *b, size_t i)
{
    const struct commit_request *r = b->requests[i];
    struct journal_record record = {.kind = JOURNAL_RECORD_VOID, .number = r->record.transfer_id};

    log_debug("inbox %s: transfer=%u file=%s failed: %s", b->inbox->path,
              (unsigned)r->record.transfer_id, r->file.name, err_text(r->request.result));
    if (!b->has_records)
        return;
    journal_add(b->journal, &record);
    if (!b->is_renamed[i])
        add_reported(b, r);
}

static size_t add_failures(struct commit_batch *b)
{
    size_t failed = 0;

    for (size_t i = 0; i < b->count; i++)
        if (b->requests[i]->request.result != ERR_OK) {
            add_failure(b, i);
            failed++;
        }
    return failed;
}

/* Removes the file from the inbox. If its failure could not be recorded it becomes a partial file
 * again, which the next start fails: a record without a file under either name would count as
 * finished. */
static bool remove_from_inbox(const struct commit_batch *b, const char *name, bool is_recorded)
{
    int dir_fd = b->inbox->dir_fd, partial_fd = inbox_partial_file_folder(b->inbox, name);

    if (is_recorded || !b->has_records)
        return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT;
    return renameat2(dir_fd, name, partial_fd, name, RENAME_NOREPLACE) == 0 || errno == ENOENT;
}

/* Removes a failed file under either name; a foreign file under the final name stays. True: a
 * record of its removal was added to the journal. */
static bool undo_file(struct commit_batch *b, size_t i, bool is_recorded)
{
    const struct commit_request *r = b->requests[i];

    if (!b->is_renamed[i]) {
        if (is_recorded || !b->has_records)
            unlinkat(inbox_partial_file_folder(b->inbox, r->file.name), r->file.name, 0);
        return false;
    }
    if (!remove_from_inbox(b, r->file.name, is_recorded)) {
        log_warning("inbox %s: the failed file %s cannot be removed: %s; will retry",
                    b->inbox->path, r->file.name, strerror(errno));
    } else if (is_recorded) {
        add_reported(b, r);
        return true;
    }
    inbox_recover_defer_removal(b->inbox, r->record.transfer_id, r->file.name);
    return false;
}

static void undo_failed(struct commit_batch *b, bool is_recorded)
{
    bool is_any_removed = false;

    for (size_t i = 0; i < b->count; i++)
        if (b->requests[i]->request.result != ERR_OK)
            is_any_removed = undo_file(b, i, is_recorded) || is_any_removed;
    if (is_any_removed)
        journal_write(b->journal);
}

/* The journal first, then the files. The outcome of each file is in the journal before it is
 * answered, so that a start knows which files were acknowledged. No outcome is added for files
 * without a record: on a full disk these would accumulate in memory. */
static size_t settle(struct commit_batch *b)
{
    size_t failed = add_failures(b);
    bool is_recorded;

    if (b->has_records && is_full(b))
        add_settled(b);
    is_recorded =
        b->has_records && (failed > 0 || is_full(b)) && journal_write(b->journal) == ERR_OK;
    if (failed > 0 && is_recorded && is_full(b))
        journal_sync(b->journal); /* if this fails, the journal is rewritten with them */
    if (failed > 0)
        undo_failed(b, is_recorded);
    return failed;
}

static void answer_files(struct commit_batch *b)
{
    size_t failed = b->count > 0 ? settle(b) : 0;

    metrics_add(METRIC_COMMITS, b->count - failed);
    if (b->count > 0)
        metrics_add(METRIC_COMMIT_BATCHES, 1);
    for (size_t i = 0; i < b->count; i++) {
        struct commit_request *r = b->requests[i];

        inbox_partial_file_release(b->inbox, &r->file, r->request.result == ERR_OK);
        answer(b, r, r->request.result);
    }
    b->count = 0;
}

static void answer_marks(struct commit_batch *b)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&b->marks_taken)) != NULL) {
        struct commit_request *r = of_message(m);
        enum err e = r->request.result != ERR_OK ? r->request.result : b->journal_error;

        STAILQ_REMOVE_HEAD(&b->marks_taken, link);
        answer(b, r, e);
    }
}

/* The journal is broken and will be rewritten from the ledger: apply the marks to the ledger. */
static void apply_marks_to_ledger(struct commit_batch *b)
{
    struct message *m;

    STAILQ_FOREACH (m, &b->marks_taken, link) {
        struct commit_request *r = of_message(m);

        if (r->kind == COMMIT_REPORTED)
            journal_forget(b->journal, r->record.transfer_id);
        else
            journal_id_blocks_remove(journal_ids_out(b->journal), &r->ids_back);
    }
}

/* The renames used descriptors, which can refer to a directory that is no longer at the inbox's
 * path. */
static void check_place(struct commit_batch *b)
{
    enum err e = b->count == 0 ? ERR_OK : inbox_place_check_folders(b->inbox);

    if (e == ERR_OK)
        return;
    for (size_t i = 0; i < b->count; i++)
        b->requests[i]->request.result = e;
    metrics_add(METRIC_FILES_NO_INBOX, b->count);
}

void commit_batch_add(struct commit_batch *b, struct commit_request *r)
{
    struct message_list *list = r->kind == COMMIT_FILE ? &b->files : &b->marks;

    STAILQ_INSERT_TAIL(list, &r->request.message, link);
}

bool commit_batch_has_pending(const struct commit_batch *b)
{
    return !STAILQ_EMPTY(&b->files) || !STAILQ_EMPTY(&b->marks);
}

void commit_batch_run(struct commit_batch *b, enum err journal_state)
{
    fill_batch(b);
    b->journal_error = ERR_OK;
    b->has_ids = b->has_records = false;
    if (journal_state == ERR_OK) {
        write_journal(b);
    } else {
        apply_marks_to_ledger(b);
        fail_for_journal(b, "written", journal_state);
    }
    if (is_full(b) && (b->count > 0 || b->has_ids) && b->journal_error == ERR_OK)
        sync_batch(b);
    rename_batch(b);
    if (is_full(b))
        sync_names(b);
    check_place(b);
    answer_files(b);
    answer_marks(b);
}
