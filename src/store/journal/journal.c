#include "store/journal/journal.h"

#include "base/contract.h"
#include "base/log.h"
#include "store/directory.h"
#include "store/journal/id_blocks.h"
#include "store/journal/ledger.h"
#include "store/journal/reader.h"
#include "store/journal/record.h"
#include "store/journal/sink.h"
#include "store/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Records are buffered and written together; a full buffer is written early, and a failed write
 * undoes everything since the last journal_write, so that a batch is in the journal completely or
 * not at all.
 *
 * A rewrite copies the old file into `journal.new`, which is synced and renamed over it. All
 * unreported records are kept, of the others the newest. A rewrite also recovers from a failed
 * sync: the kernel marks pages clean that it could not write, so the old file cannot be trusted. */

static const char journal_name[] = "journal", new_name[] = "journal.new";

/* Outcome of a file: JOURNAL_RECORD_VOID or JOURNAL_RECORD_REPORTED. It is entered in the ledger at
 * once and not added again by the caller, so if its write fails it is written with the next one. */
struct outcome {
    enum journal_record_kind kind;
    uint32_t transfer_id;
};

struct outcomes {
    struct outcome *list;
    size_t count, room;
    size_t unwritten; /* of them, those whose write failed */
};

struct journal {
    int dir_fd;
    enum durability durability;
    uint64_t limit_bytes, rewrite_at_bytes;
    uint64_t whole_bytes; /* size after the last successful journal_write */
    bool is_broken;
    bool keeps_all_records; /* a rewrite drops no records: until journal_upgrade */
    struct journal_ledger ledger;
    struct journal_id_blocks ids_out;
    struct journal_sink *sink;
    struct outcomes outcomes; /* since the last successful journal_write */
};

/* --- rewriting ---------------------------------------------------------------------------------
 */

/* Reported files before this offset of the old journal are dropped. */
static uint64_t first_kept_offset(const struct journal *j)
{
    uint64_t budget = j->limit_bytes / 2, size = j->whole_bytes;
    struct journal_ledger_unreported *unreported, *next;

    HASH_ITER (hh, j->ledger.unreported, unreported, next)
        budget -= unreported->length < budget ? unreported->length : budget;
    return size > budget ? size - budget : 0;
}

struct copy {
    struct journal_sink *to;
    const struct journal *from;
    uint64_t keep_offset;
    bool is_unsettled; /* an unreported record was copied since the last JOURNAL_RECORD_SETTLED */
};

static enum err copy_file(struct copy *c, const struct journal_entry *entry)
{
    const struct journal_ledger *ledger = &c->from->ledger;
    uint32_t id = entry->record.file.transfer_id;
    const struct journal_ledger_unreported *unreported =
        journal_ledger_find(ledger, id, entry->offset);
    bool is_voided = journal_ledger_is_voided(ledger, entry->offset) ||
                     (unreported != NULL && unreported->is_void);
    bool is_kept = unreported != NULL || c->from->keeps_all_records ||
                   (entry->offset >= c->keep_offset && !is_voided);
    enum err e;

    if (!is_kept)
        return ERR_OK;
    c->is_unsettled = c->is_unsettled || unreported != NULL;
    if ((e = journal_sink_put(c->to, &entry->record)) == ERR_OK && is_voided)
        e = journal_sink_put_number(c->to, JOURNAL_RECORD_VOID, id);
    return e == ERR_OK && unreported == NULL
               ? journal_sink_put_number(c->to, JOURNAL_RECORD_REPORTED, id)
               : e;
}

static enum err copy_entry(void *ctx, const struct journal_entry *entry)
{
    struct copy *c = ctx;

    if (entry->record.kind == JOURNAL_RECORD_FILE)
        return copy_file(c, entry);
    if (entry->record.kind != JOURNAL_RECORD_SETTLED || !c->is_unsettled)
        return ERR_OK;
    c->is_unsettled = false;
    return journal_sink_put(c->to, &entry->record);
}

static enum err copy_records(struct journal_sink *to, const struct journal *j)
{
    struct copy copy = {to, j, first_kept_offset(j), false};

    return j->sink == NULL
               ? ERR_OK
               : journal_reader_each(j->sink->fd, 0, j->whole_bytes, copy_entry, &copy, NULL);
}

static bool is_of(const struct journal *j, uint32_t version)
{
    return j->ledger.has_header && j->ledger.version == version;
}

static enum err write_new(struct journal *j, struct journal_sink *to, struct journal_ledger *ledger)
{
    uint32_t next_id = j->ledger.next_id == 0 ? 1 : j->ledger.next_id;
    uint64_t end;
    enum err e;

    if ((e = journal_sink_put_number(to, JOURNAL_RECORD_HEADER, JOURNAL_VERSION)) != ERR_OK ||
        (e = journal_sink_put_number(to, JOURNAL_RECORD_IDS, next_id)) != ERR_OK ||
        (e = copy_records(to, j)) != ERR_OK)
        return e;
    if (is_of(j, JOURNAL_VERSION_UNSETTLED))
        e = journal_sink_put_number(to, JOURNAL_RECORD_SETTLED, 1);
    if (e != ERR_OK || (e = journal_sink_flush(to)) != ERR_OK)
        return e;
    if (fdatasync(to->fd) != 0)
        return err_from_errno(errno);
    if ((e = journal_ledger_read(ledger, to->fd, 0, to->size, &end)) != ERR_OK)
        return e;
    if (end != to->size || ledger->damaged > 0)
        return ERR_CORRUPT;
    if (renameat(j->dir_fd, new_name, j->dir_fd, journal_name) != 0)
        return err_from_errno(errno);
    return ERR_OK;
}

static void install_file(struct journal *j, struct journal_sink *sink,
                         const struct journal_ledger *ledger)
{
    journal_sink_free(&j->sink);
    journal_ledger_fini(&j->ledger);
    j->sink = sink;
    j->ledger = *ledger;
    j->outcomes.count = j->outcomes.unwritten = 0;
    j->whole_bytes = sink->size;
    j->rewrite_at_bytes =
        2 * sink->size > j->limit_bytes && !j->keeps_all_records ? 2 * sink->size : j->limit_bytes;
    j->is_broken = false;
}

static enum err rewrite(struct journal *j)
{
    int flags = O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(j->dir_fd, new_name, flags, 0600);
    struct journal_ledger ledger = {0};
    struct journal_sink *sink;
    enum err e = ERR_NO_MEMORY;

    if (fd < 0)
        return err_from_errno(errno);
    sink = journal_sink_new(fd, 0);
    if (sink == NULL) {
        close(fd);
        return e;
    }
    if ((e = write_new(j, sink, &ledger)) != ERR_OK) {
        unlinkat(j->dir_fd, new_name, 0);
        journal_sink_free(&sink);
        journal_ledger_fini(&ledger);
        return e;
    }
    install_file(j, sink, &ledger);
    if (fsync(j->dir_fd) == 0)
        return ERR_OK;
    j->is_broken = true; /* unknown which of the two survives a power cut */
    return err_from_errno(errno);
}

bool journal_needs_rewrite(const struct journal *j)
{
    return j->is_broken || j->whole_bytes > j->rewrite_at_bytes;
}

enum err journal_rewrite_if_needed(struct journal *j)
{
    uint64_t before = j->whole_bytes;
    unsigned unreported = HASH_COUNT(j->ledger.unreported);
    enum err e;

    CONTRACT(j->sink != NULL && j->sink->buffered_bytes == 0);
    if (!journal_needs_rewrite(j))
        return ERR_OK;
    e = rewrite(j);
    if (e == ERR_OK) {
        log_info("journal rewritten: %llu bytes reduced to %llu, unreported results: %u",
                 (unsigned long long)before, (unsigned long long)j->whole_bytes,
                 HASH_COUNT(j->ledger.unreported));
        if (HASH_COUNT(j->ledger.unreported) < unreported)
            log_error(
                "journal: %u unreported results could not be read during the rewrite and are lost",
                unreported - HASH_COUNT(j->ledger.unreported));
        return ERR_OK;
    }
    if (j->is_broken) {
        log_error("the journal cannot be rewritten: %s; files are refused until this succeeds",
                  err_text(e));
        return e;
    }
    j->rewrite_at_bytes = j->whole_bytes + j->limit_bytes / 4 + 1;
    log_warning("the journal exceeds its limit and cannot be rewritten: %s; the file keeps growing",
                err_text(e));
    return ERR_OK;
}

enum err journal_rewrite(struct journal *j)
{
    unsigned damaged = j->ledger.damaged;
    enum err e;

    j->is_broken = true;
    e = journal_rewrite_if_needed(j);
    j->ledger.damaged = damaged; /* the start reports them */
    return e;
}

enum err journal_upgrade(struct journal *j)
{
    enum err e = is_of(j, JOURNAL_VERSION) ? ERR_OK : journal_rewrite(j);

    j->keeps_all_records = false;
    return e;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static enum err truncate_torn_end(struct journal *j, uint64_t end)
{
    struct stat status;

    if (fstat(j->sink->fd, &status) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_REGULAR;
    if ((uint64_t)status.st_size == end)
        return ERR_OK;
    log_warning("journal: removed an incomplete last record (%llu bytes)",
                (unsigned long long)((uint64_t)status.st_size - end));
    return ftruncate(j->sink->fd, (off_t)end) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err read_existing(struct journal *j)
{
    uint64_t end;
    enum err e;

    if ((e = journal_ledger_read(&j->ledger, j->sink->fd, 0, UINT64_MAX, &end)) != ERR_OK)
        return e;
    if (j->ledger.has_header && j->ledger.version > JOURNAL_VERSION)
        return ERR_CORRUPT;
    if ((e = truncate_torn_end(j, end)) != ERR_OK)
        return e;
    if (j->ledger.damaged > 0)
        log_warning("journal: %u damaged records skipped, the first at byte %llu",
                    j->ledger.damaged, (unsigned long long)j->ledger.first_damaged_offset);
    j->sink->size = j->whole_bytes = end;
    if (j->ledger.has_header)
        j->sink->version = j->ledger.version;
    j->rewrite_at_bytes = j->limit_bytes;
    j->is_broken = !j->ledger.has_header;
    return ERR_OK;
}

static enum err open_existing(struct journal *j)
{
    int fd = openat(j->dir_fd, journal_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_from_errno(errno);
    j->sink = journal_sink_new(fd, 0);
    if (j->sink == NULL) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    return read_existing(j);
}

enum err journal_open(struct journal **out, int dir_fd, enum durability durability,
                      uint64_t limit_bytes)
{
    struct journal *j = calloc(1, sizeof *j);
    enum err e;

    if (j == NULL)
        return ERR_NO_MEMORY;
    j->dir_fd = dir_fd;
    j->durability = durability;
    j->limit_bytes = limit_bytes;
    j->keeps_all_records = true;
    unlinkat(dir_fd, new_name, 0); /* of an interrupted rewrite */
    e = open_existing(j);
    if (e == ERR_NOT_FOUND)
        e = rewrite(j);
    else if (e == ERR_OK && j->is_broken)
        e = journal_rewrite(j);
    if (e != ERR_OK) {
        journal_close(&j);
        return e;
    }
    *out = j;
    return ERR_OK;
}

void journal_close(struct journal **journal)
{
    if (*journal == NULL)
        return;
    if ((*journal)->outcomes.unwritten > 0)
        journal_write(*journal); /* last attempt */
    free((*journal)->outcomes.list);
    journal_sink_free(&(*journal)->sink);
    journal_ledger_fini(&(*journal)->ledger);
    journal_id_blocks_fini(&(*journal)->ids_out);
    free(*journal);
    *journal = NULL;
}

/* --- appending ---------------------------------------------------------------------------------
 */

static void add_outcome(struct outcomes *o, const struct journal_record *record)
{
    size_t room = o->room == 0 ? 64 : 2 * o->room;

    if (record->kind != JOURNAL_RECORD_VOID && record->kind != JOURNAL_RECORD_REPORTED)
        return;
    if (o->count == o->room) {
        struct outcome *list = realloc(o->list, room * sizeof *list);

        if (list == NULL)
            return; /* if its write fails as well, it is reported once more after the next start */
        o->list = list;
        o->room = room;
    }
    o->list[o->count++] = (struct outcome){record->kind, record->number};
}

enum err journal_add(struct journal *j, const struct journal_record *record)
{
    uint64_t offset = journal_sink_end_offset(j->sink);
    enum err e;

    add_outcome(&j->outcomes, record);
    if ((e = journal_sink_put(j->sink, record)) != ERR_OK)
        return e;
    return journal_ledger_apply(&j->ledger, record, offset,
                                (uint32_t)(journal_sink_end_offset(j->sink) - offset));
}

static enum err put_unwritten(struct journal *j)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < j->outcomes.unwritten && e == ERR_OK; i++)
        e = journal_sink_put_number(j->sink, j->outcomes.list[i].kind,
                                    j->outcomes.list[i].transfer_id);
    return e;
}

/* Truncates the file to its last complete write. */
static void truncate_unwritten(struct journal *j)
{
    j->sink->buffered_bytes = 0;
    j->sink->size = j->whole_bytes;
    if (ftruncate(j->sink->fd, (off_t)j->whole_bytes) != 0)
        j->is_broken = true;
}

enum err journal_write(struct journal *j)
{
    enum err e = put_unwritten(j);

    if (e == ERR_OK)
        e = journal_sink_flush(j->sink);
    if (e == ERR_OK) {
        j->whole_bytes = j->sink->size;
        j->outcomes.count = j->outcomes.unwritten = 0;
        return ERR_OK;
    }
    j->outcomes.unwritten = j->outcomes.count;
    truncate_unwritten(j);
    return e;
}

static enum err copy_part_entry(void *ctx, const struct journal_entry *entry)
{
    const struct journal_record *record = &entry->record;

    if (record->kind == JOURNAL_RECORD_HEADER)
        return record->number > JOURNAL_VERSION ? ERR_CORRUPT : ERR_OK;
    return record->kind == JOURNAL_RECORD_IDS ? ERR_OK : journal_sink_put(ctx, record);
}

/* Adds the file records and their outcomes to the file, not yet to the ledger. */
static enum err copy_part(struct journal_sink *to, int fd, uint64_t limit, unsigned *damaged)
{
    struct journal_extent extent;
    enum err e = journal_reader_each(fd, 0, limit, copy_part_entry, to, &extent);

    *damaged += extent.damaged;
    return e == ERR_OK ? journal_sink_put_number(to, JOURNAL_RECORD_SETTLED, 1)
                       : e; /* version 1 has no SETTLED records */
}

enum err journal_append_part(struct journal *j, int fd, uint64_t limit, unsigned *damaged)
{
    uint64_t before = j->whole_bytes, end;
    enum err e;

    CONTRACT(j->sink->buffered_bytes == 0);
    if ((e = copy_part(j->sink, fd, limit, damaged)) != ERR_OK)
        truncate_unwritten(j);
    else if ((e = journal_write(j)) == ERR_OK)
        e = journal_ledger_read(&j->ledger, j->sink->fd, before, j->whole_bytes, &end);
    if (e == ERR_OK || j->whole_bytes == before)
        return e;
    j->whole_bytes = before; /* written to the file, but not entered in the ledger */
    truncate_unwritten(j);
    journal_ledger_cut(&j->ledger, before);
    return e;
}

enum err journal_sync(struct journal *j)
{
    if (j->durability != DURABILITY_FULL || fdatasync(j->sink->fd) == 0)
        return ERR_OK;
    j->is_broken = true;
    return err_from_errno(errno);
}

enum err journal_check_synced(struct journal *j)
{
    enum err e = store_sync_writeback_error(j->sink->fd);

    j->is_broken = j->is_broken || e != ERR_OK;
    return e;
}

void journal_forget(struct journal *j, uint32_t transfer_id)
{
    journal_ledger_forget(&j->ledger, transfer_id);
}

struct journal_ledger *journal_ledger(struct journal *j)
{
    return &j->ledger;
}

struct journal_id_blocks *journal_ids_out(struct journal *j)
{
    return &j->ids_out;
}

bool journal_owes(struct journal *j, uint32_t transfer_id)
{
    return journal_ledger_owes(&j->ledger, transfer_id);
}

bool journal_is_in_place(const struct journal *j)
{
    return store_directory_is_same(j->dir_fd, journal_name, j->sink->fd);
}

int journal_fd(const struct journal *j)
{
    return j->sink->fd;
}

uint64_t journal_size(const struct journal *j)
{
    return j->whole_bytes;
}

struct unreported_visitor {
    const struct journal_ledger *ledger;
    journal_unreported_fn *each;
    void *ctx;
};

static enum err visit_unreported(void *ctx, const struct journal_entry *entry)
{
    const struct unreported_visitor *visitor = ctx;
    const struct journal_file *file = &entry->record.file;
    struct journal_ledger_unreported *unreported =
        entry->record.kind == JOURNAL_RECORD_FILE
            ? journal_ledger_find(visitor->ledger, file->transfer_id, entry->offset)
            : NULL;

    return unreported != NULL ? visitor->each(visitor->ctx, file, unreported) : ERR_OK;
}

enum err journal_each_unreported(struct journal *j, journal_unreported_fn *each, void *ctx)
{
    struct unreported_visitor visitor = {&j->ledger, each, ctx};

    return HASH_COUNT(j->ledger.unreported) == 0
               ? ERR_OK
               : journal_reader_each(j->sink->fd, 0, j->whole_bytes, visit_unreported, &visitor,
                                     NULL);
}

/* The first free id from `id` on, neither unreported nor in a block in use; 0: none. */
static uint32_t next_free(const struct journal *j, uint32_t id)
{
    for (uint64_t passed = 0; passed < TRANSFER_ID_MAX;) {
        uint32_t after = journal_id_blocks_end(&j->ids_out, id);

        if (after == 0 && journal_ledger_owes(&j->ledger, id))
            after = id + 1;
        if (after == 0)
            return id;
        passed += after - id;
        id = after > TRANSFER_ID_MAX ? 1 : after;
    }
    return 0;
}

enum err journal_reserve_ids(struct journal *j, struct transfer_ids *out)
{
    uint32_t start = next_free(j, j->ledger.next_id == 0 ? 1 : j->ledger.next_id);
    uint32_t end = start, limit = journal_id_blocks_next(&j->ids_out, start);
    struct journal_record record = {.kind = JOURNAL_RECORD_IDS};
    enum err e;

    *out = (struct transfer_ids){0};
    if (start == 0)
        return ERR_FULL;
    while (end <= TRANSFER_ID_MAX && end < limit && end - start < TRANSFER_IDS_BLOCK &&
           !journal_ledger_owes(&j->ledger, end))
        end++;
    record.number = end > TRANSFER_ID_MAX ? 1 : end;
    *out = (struct transfer_ids){.next = start, .end = end};
    if ((e = journal_id_blocks_add(&j->ids_out, out)) != ERR_OK)
        return e;
    return journal_add(j, &record);
}
