#include "store/inbox/recover.h"

#include "base/log.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/ledger.h"
#include "store/journal/record.h"
#include "store/name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Recovery is decided by the journal and the file names: docs/store.md, "After a crash", has the
 * table. A record is settled if a JOURNAL_RECORD_SETTLED follows it, which is written after its
 * name is durable and before the file is acknowledged. */

static enum err mark_void(struct inbox *in, uint32_t transfer_id)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_VOID, .number = transfer_id};

    return journal_add(in->journal, &record);
}

/* The file was never acknowledged, or, before a power cut, its recipient had removed it. */
static enum err forget(struct inbox *in, const struct journal_file *record)
{
    struct journal_record reported = {.kind = JOURNAL_RECORD_REPORTED,
                                      .number = record->transfer_id};
    enum err e = mark_void(in, record->transfer_id);

    log_info("inbox: %s has a record but no file: not acknowledged, or removed before a power cut; "
             "nothing is reported",
             record->name);
    return e == ERR_OK ? journal_add(in->journal, &reported) : e;
}

/* Checks both directories: an older daemon used only one. */
static bool has_partial(const struct inbox *in, const char *name)
{
    return faccessat(in->partial_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           faccessat(in->second_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* True if the recipient modified the file. A file truncated by a power cut has the record's time.
 */
static bool is_changed_since(const struct stat *status, const struct journal_file *record)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000 + status->st_mtim.tv_nsec / 1000 >
           record->committed_us;
}

static enum err check_unreported(void *ctx, const struct journal_file *record,
                                 struct journal_ledger_unreported *unreported)
{
    struct inbox *in = ctx;
    struct stat status;

    if (!unreported->is_void &&
        fstatat(in->dir_fd, record->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode)) {
        if ((uint64_t)status.st_size == record->size_bytes || is_changed_since(&status, record)) {
            in->recovery.unreported_finished++;
            return ERR_OK;
        }
        log_warning("inbox: %s has %lld of %llu bytes; removed, reported as failed", record->name,
                    (long long)status.st_size, (unsigned long long)record->size_bytes);
        unlinkat(in->dir_fd, record->name, 0);
    } else if (!unreported->is_void && !has_partial(in, record->name)) {
        if (!journal_ledger_is_settled(journal_ledger(in->journal), unreported->offset))
            return forget(in, record);
        in->recovery.unreported_finished++;
        return ERR_OK;
    }
    if (unreported->is_void &&
        fstatat(in->dir_fd, record->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        !is_changed_since(&status, record))
        unlinkat(in->dir_fd, record->name, 0); /* its removal failed earlier */
    in->recovery.unreported_failed++;
    return unreported->is_void ? ERR_OK : mark_void(in, record->transfer_id);
}

/* If it cannot be removed it is left and logged. */
static enum err remove_partial(void *ctx, int dir_fd, const char *name)
{
    struct inbox *in = ctx;
    struct stat status;

    if (!store_name_is_valid(name) || fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return ERR_OK;
    if (unlinkat(dir_fd, name, 0) != 0) {
        log_warning("inbox: the partial file %s cannot be removed: %s; retried at the next start",
                    name, err_text(err_from_errno(errno)));
        return ERR_OK;
    }
    in->recovery.partial_files++;
    in->recovery.partial_bytes += (uint64_t)status.st_size;
    return ERR_OK;
}

enum err inbox_recover(struct inbox *in)
{
    char size[TEXT_SIZE_ROOM];
    enum err e;

    in->recovery.damaged_records += journal_ledger(in->journal)->damaged;
    if ((e = journal_each_unreported(in->journal, check_unreported, in)) != ERR_OK ||
        (e = journal_write(in->journal)) != ERR_OK || (e = journal_sync(in->journal)) != ERR_OK ||
        (e = store_directory_each(in->partial_fd, ".", remove_partial, in)) != ERR_OK ||
        (e = store_directory_each(in->second_fd, ".", remove_partial, in)) != ERR_OK)
        return e;
    log_info(
        "inbox %s: %u partial files removed (%s), unreported results: %u finished, %u failed; %u "
        "damaged records",
        in->path, in->recovery.partial_files, text_size(size, in->recovery.partial_bytes),
        in->recovery.unreported_finished, in->recovery.unreported_failed,
        in->recovery.damaged_records);
    return ERR_OK;
}

/* --- at run time -------------------------------------------------------------------------------
 */

void inbox_recover_defer_removal(struct inbox *in, uint32_t transfer_id, const char *name)
{
    struct pending_removal *removal = &in->pending_removals[in->pending_removal_count];

    if (in->pending_removal_count == PENDING_REMOVALS_MAX)
        return;
    removal->transfer_id = transfer_id;
    memcpy(removal->name, name, sizeof removal->name);
    in->pending_removal_count++;
}

static bool retry_removal(struct inbox *in, const struct pending_removal *removal)
{
    struct journal_record out = {.kind = JOURNAL_RECORD_REPORTED, .number = removal->transfer_id};

    if (unlinkat(in->dir_fd, removal->name, 0) != 0 && errno != ENOENT)
        return false;
    journal_add(in->journal, &out);
    return true;
}

/* Removes files only once the journal has recorded them as failed. */
void inbox_recover_retry_removals(struct inbox *in)
{
    unsigned left = 0;

    if (in->pending_removal_count == 0 || journal_needs_rewrite(in->journal) ||
        journal_write(in->journal) != ERR_OK)
        return;
    for (unsigned i = 0; i < in->pending_removal_count; i++)
        if (!retry_removal(in, &in->pending_removals[i]))
            in->pending_removals[left++] = in->pending_removals[i];
    in->pending_removal_count = left;
    journal_write(in->journal);
}
