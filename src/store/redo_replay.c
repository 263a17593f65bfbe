/* What the redo log is for. After a power cut its files are written again and the journal gets the
 * records that it lacks. When the disk has refused something, the files that are still there are
 * written once more.
 *
 * What can be read is not what is on the disk: after an error the kernel keeps the pages that it
 * could not write, and calls them clean. So whatever the log stands for is written, never compared
 * and left, and nothing of the log goes before a sync has said well.
 *
 * A start finds blocks of an earlier run of the kernel (a power cut), or of this one (a kill, or a
 * stop at which the disk refused). As long as the kernel lives, what is not in the inbox its owner
 * has taken away; only what is there is written once more. */
#include "redo.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the log, by its transfer id. */
struct logged {
    uint32_t transfer_id;
    char name[INBOX_NAME_SIZE];
    bool is_void;
    bool is_recorded; /* in the journal */
    UT_hash_handle hh;
};

struct replay {
    struct inbox *inbox;
    const struct redo *redo;
    struct logged *files;
    struct redo_block *block;
    char *blocked; /* where the name of a file goes that cannot be written */
    unsigned seen, written;
    bool is_of_other_run; /* of the kernel: some block */
    bool is_lost;         /* what is not there was lost, not taken away */
};

/* --- going through the blocks ------------------------------------------------------------------
 */

typedef enum err entry_fn(struct replay *p, const struct redo_entry *entry);

static enum err each_in_block(struct replay *p, entry_fn *each)
{
    struct redo_entry entry;
    size_t at = 0;
    enum err e = ERR_OK;

    while (e == ERR_OK && redo_block_next(p->block, &at, &entry))
        e = each(p, &entry);
    return e;
}

static void note_run(struct replay *p, const struct redo_stamp *stamp)
{
    const char *now = p->inbox->boot;

    if (now[0] == '\0' || strcmp(stamp->boot, now) != 0)
        p->is_of_other_run = true;
}

static enum err each_in_half(struct replay *p, const struct redo_half *half, entry_fn *each)
{
    struct redo_stamp stamp;
    uint32_t sequence = 0;
    uint64_t at = REDO_ALIGN;
    enum err e;

    while ((e = redo_read_block(p->redo, half, at, sequence, p->block, &stamp)) == ERR_OK) {
        note_run(p, &stamp);
        if ((e = each_in_block(p, each)) != ERR_OK)
            return e;
        at += p->block->held;
        sequence++;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The half that was begun first comes first: a mark stands behind its file. */
static enum err each_in_both(struct replay *p, entry_fn *each)
{
    const struct redo_half *halves = p->redo->halves;
    unsigned first = halves[0].epoch <= halves[1].epoch ? 0 : 1;
    enum err e = each_in_half(p, &halves[first], each);

    return e == ERR_OK ? each_in_half(p, &halves[1 - first], each) : e;
}

/* --- what is known of the files ----------------------------------------------------------------
 */

static struct logged *find(const struct replay *p, uint32_t transfer_id)
{
    struct logged *file;

    HASH_FIND(hh, p->files, &transfer_id, sizeof transfer_id, file);
    return file;
}

static enum err add_file(struct replay *p, const struct inbox_record *record)
{
    struct logged *file = find(p, record->transfer_id);

    if (file == NULL) {
        file = calloc(1, sizeof *file);
        if (file == NULL)
            return ERR_NO_MEMORY;
        file->transfer_id = record->transfer_id;
        HASH_ADD(hh, p->files, transfer_id, sizeof file->transfer_id, file);
        if (file->hh.tbl == NULL) {
            free(file);
            return ERR_NO_MEMORY;
        }
    }
    memcpy(file->name, record->name, sizeof file->name);
    file->is_void = file->is_recorded = false;
    return ERR_OK;
}

static enum err note(struct replay *p, const struct redo_entry *entry)
{
    struct logged *file;

    if (entry->record.kind == RECORD_FILE) {
        p->seen++;
        return add_file(p, &entry->record.file);
    }
    file = find(p, entry->record.number);
    if (file != NULL && entry->record.kind == RECORD_VOID)
        file->is_void = true;
    return ERR_OK;
}

/* A failure may be known to the journal alone. */
static enum err note_journal(void *ctx, const struct journal_entry *entry)
{
    const struct record *record = &entry->record;
    bool is_file = record->kind == RECORD_FILE;
    struct logged *file = find(ctx, is_file ? record->file.transfer_id : record->number);

    if (file == NULL)
        return ERR_OK;
    if (is_file && strcmp(file->name, record->file.name) == 0)
        file->is_recorded = true;
    else if (record->kind == RECORD_VOID && file->is_recorded)
        file->is_void = true;
    return ERR_OK;
}

static enum err read_journal(struct replay *p)
{
    const struct journal *journal = p->inbox->journal;

    return journal_reader_each(journal_fd(journal), 0, journal_size(journal), note_journal, p,
                               NULL);
}

static void forget_files(struct replay *p)
{
    struct logged *file, *next;

    HASH_ITER (hh, p->files, file, next) {
        HASH_DEL(p->files, file); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(file);
    }
}

/* Every record of a file in the log is in the journal, written before it and kept with it. If the
 * kernel has lived on and one is missing, the file system has lost writes: it was shut down, or
 * its disk was gone, and it was mounted again. */
static bool has_unrecorded(const struct replay *p)
{
    const struct logged *file, *next;

    HASH_ITER (hh, p->files, file, next)
        if (!file->is_recorded)
            return true;
    return false;
}

/* --- writing again -----------------------------------------------------------------------------
 */

/* As it was when it was received, whatever the settings say now. A group that cannot be given any
 * more is no reason to lose the file; but then its mode, meant for that group, is not given either.
 */
static void give_access(int fd, const struct redo_entry *entry)
{
    const char *name = entry->record.file.name;

    if (entry->group != REDO_NO_GROUP && fchown(fd, (uid_t)-1, (gid_t)entry->group) != 0)
        log_warning("inbox: %s cannot have its group: %s; its mode is 0600", name, strerror(errno));
    else if (fchmod(fd, (mode_t)entry->mode & 0777) != 0)
        log_warning("inbox: %s cannot have its mode: %s", name, strerror(errno));
}

static int64_t us_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

/* So that a copy counts as unchanged, too. */
static void give_time(int fd, const struct inbox_record *record)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = (time_t)(record->committed_us / 1000000),
                                 .tv_nsec = (long)(record->committed_us % 1000000) * 1000}};

    if (futimens(fd, times) != 0)
        log_debug("inbox: %s cannot have its time: %s", record->name, strerror(errno));
}

static enum err write_partial(const struct inbox *in, const struct redo_entry *entry)
{
    const char *name = entry->record.file.name;
    struct inbox_file file = {.fd = -1};
    enum err e;

    unlinkat(in->partial_fd, name, 0);
    file.fd =
        openat(in->partial_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file.fd < 0)
        return err_from_errno(errno);
    if ((e = inbox_write(&file, entry->data, entry->length)) == ERR_OK) {
        give_access(file.fd, entry);
        give_time(file.fd, &entry->record.file);
    }
    close(file.fd);
    return e;
}

static bool is_void(const struct replay *p, uint32_t transfer_id)
{
    const struct logged *file = find(p, transfer_id);

    return file == NULL || file->is_void;
}

/* Whatever stands there under its name: but a directory stays. */
static enum err write_lost(struct replay *p, const struct redo_entry *entry)
{
    const struct inbox *in = p->inbox;
    const char *name = entry->record.file.name;
    enum err e = write_partial(in, entry);

    if (e == ERR_OK && renameat(in->partial_fd, name, in->dir_fd, name) != 0)
        e = err_from_errno(errno);
    if (e == ERR_OK)
        p->written++;
    else
        memcpy(p->blocked, name, INBOX_NAME_SIZE);
    return e;
}

static bool has_content(const struct inbox *in, const struct redo_entry *entry)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(in->dir_fd, entry->record.file.name, flags);
    char is[REDO_DATA_MAX + 1];
    ssize_t length = fd < 0 ? -1 : pread(fd, is, sizeof is, 0);

    if (fd >= 0)
        close(fd);
    return length == (ssize_t)entry->length && memcmp(is, entry->data, entry->length) == 0;
}

/* Its owner has neither taken it away nor changed it: wrong bytes in a file that was not written
 * to since are the disk's. */
static bool is_as_received(const struct inbox *in, const struct redo_entry *entry)
{
    const struct inbox_record *record = &entry->record.file;
    struct stat status;

    if (fstatat(in->dir_fd, record->name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode))
        return false;
    return us_of(&status.st_mtim) <= record->committed_us || has_content(in, entry);
}

/* In the place of the one that stands in the inbox: if it is taken away meanwhile it stays away. */
static enum err write_anew(struct replay *p, const struct redo_entry *entry)
{
    const struct inbox *in = p->inbox;
    const char *name = entry->record.file.name;
    enum err e;

    if (!is_as_received(in, entry))
        return ERR_OK;
    if ((e = write_partial(in, entry)) != ERR_OK)
        return e;
    if (renameat2(in->partial_fd, name, in->dir_fd, name, RENAME_EXCHANGE) != 0 && errno != ENOENT)
        e = err_from_errno(errno);
    unlinkat(in->partial_fd, name, 0);
    p->written++;
    return e;
}

/* An error may have been that of a file of either half, and is told only once. */
static enum err sync_all(struct redo *redo)
{
    enum err e = syncfs(redo->sync_fd) == 0 ? ERR_OK : err_from_errno(errno);

    if (e == ERR_OK)
        return e;
    log_error("inbox %s: the disk has refused something that was written: %s", redo->inbox->path,
              err_text(e));
    redo->is_suspect[0] = redo->is_suspect[1] = true;
    return e;
}

/* --- at a start --------------------------------------------------------------------------------
 */

static enum err redo_one(struct replay *p, const struct redo_entry *entry)
{
    struct journal *journal = p->inbox->journal;
    struct logged *file;
    enum err e;

    if (entry->record.kind != RECORD_FILE)
        return journal_owes(journal, entry->record.number) ? journal_add(journal, &entry->record)
                                                           : ERR_OK;
    if (is_void(p, entry->record.file.transfer_id))
        return ERR_OK;
    if ((e = p->is_lost ? write_lost(p, entry) : write_anew(p, entry)) != ERR_OK)
        return e;
    file = find(p, entry->record.file.transfer_id);
    return file->is_recorded ? ERR_OK : journal_add(journal, &entry->record);
}

static void tell(const struct replay *p)
{
    const char *path = p->inbox->path;

    if (p->is_lost && !p->is_of_other_run)
        log_warning("inbox %s: the journal lacks files that are in the redo log: the file system "
                    "has lost writes, as in a power cut",
                    path);
    if (p->is_lost)
        log_info("inbox %s: of %u small files received right before the power cut %u are written "
                 "again",
                 path, p->seen, p->written);
    else
        log_info("inbox %s: of %u small files that no sync has confirmed yet %u are still there "
                 "and written once more",
                 path, p->seen, p->written);
}

static enum err redo_all(struct replay *p)
{
    enum err e;

    if ((e = each_in_both(p, note)) != ERR_OK || (e = read_journal(p)) != ERR_OK)
        return e;
    p->is_lost = p->is_of_other_run || has_unrecorded(p);
    if ((e = each_in_both(p, redo_one)) != ERR_OK ||
        (e = journal_write(p->inbox->journal)) != ERR_OK)
        return e;
    if (p->is_lost)
        p->inbox->recovery.written_again = p->written;
    tell(p);
    return journal_renew(p->inbox->journal);
}

/* The first sync is for the errors of before, which all that is written here makes up for. */
static enum err replay(struct inbox *in, char *blocked)
{
    struct replay p = {
        .inbox = in, .redo = in->redo, .block = malloc(sizeof *p.block), .blocked = blocked};
    enum err e = ERR_NO_MEMORY;

    sync_all(in->redo);
    if (p.block != NULL && (e = redo_all(&p)) == ERR_OK)
        e = sync_all(in->redo);
    if (e == ERR_OK)
        in->redo->is_suspect[0] = in->redo->is_suspect[1] = false;
    forget_files(&p);
    free(p.block);
    return e;
}

static enum err bring_back(struct inbox *in, char *blocked)
{
    enum err e = redo_has_blocks(in->redo) ? replay(in, blocked) : ERR_OK;

    if (e == ERR_OK)
        e = redo_begin_anew(in->redo);
    if (e == ERR_OK && (in->durability != DURABILITY_FULL || in->redo->is_damaged))
        redo_remove(&in->redo);
    return e;
}

static void remove_foreign(const struct inbox *in)
{
    log_error("inbox %s: .dustwire/redo is no redo log, and is removed; if this start follows a "
              "power cut, files received right before it may be missing",
              in->path);
    unlinkat(in->partial_fd, "redo", 0);
}

enum err redo_recover(struct inbox *in, char blocked[INBOX_NAME_SIZE])
{
    enum err e = redo_open(&in->redo, in);

    blocked[0] = '\0';
    if (e == ERR_CORRUPT)
        remove_foreign(in);
    if (e == ERR_CORRUPT || e == ERR_NOT_FOUND)
        e = ERR_OK;
    else if (e == ERR_OK)
        e = bring_back(in, blocked);
    if (e == ERR_OK)
        journal_unpin(in->journal);
    return e;
}

/* --- when the file system tells of an error -----------------------------------------------------
 */

static enum err write_if_there(struct replay *p, const struct redo_entry *entry)
{
    bool is_file = entry->record.kind == RECORD_FILE;

    return is_file && !is_void(p, entry->record.file.transfer_id) ? write_anew(p, entry) : ERR_OK;
}

static enum err write_half_anew(const struct redo *redo, const struct redo_half *half)
{
    struct replay p = {.redo = redo, .block = malloc(sizeof *p.block)};
    enum err e = ERR_NO_MEMORY;

    p.inbox = redo->inbox;
    if (p.block != NULL && (e = each_in_half(&p, half, note)) == ERR_OK)
        e = each_in_half(&p, half, write_if_there);
    log_warning("inbox %s: %u small files that are still there are written once more",
                redo->inbox->path, p.written);
    forget_files(&p);
    free(p.block);
    return e;
}

enum err redo_settle(struct redo *redo, const struct redo_half *half)
{
    bool *is_suspect = &redo->is_suspect[half - redo->halves];
    enum err e;

    sync_all(redo);
    if (!*is_suspect)
        return ERR_OK;
    if ((e = write_half_anew(redo, half)) != ERR_OK)
        return e;
    *is_suspect = false;
    return sync_all(redo);
}
