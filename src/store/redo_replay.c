/* What the redo log is for: after a power cut the files of its blocks are written again where the
 * disk has them not, and the journal gets the records that it lacks. The same when the file system
 * has told of an error while the log's files were on their way to the disk.
 *
 * Only blocks of another run of the kernel are looked at after a start: as long as the kernel lives
 * it has lost nothing that was written, and what is not in the inbox its owner has taken away. */
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
    unsigned seen, written;
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

/* Those of the run of the kernel `but_boot` are passed over. */
static enum err each_in_half(struct replay *p, const struct redo_half *half, const char *but_boot,
                             entry_fn *each)
{
    struct redo_stamp stamp;
    uint32_t sequence = 0;
    uint64_t at = REDO_ALIGN;
    enum err e = ERR_OK;

    while (e == ERR_OK && redo_read_block(p->redo, half, at, sequence, p->block, &stamp)) {
        if (but_boot[0] == '\0' || strcmp(stamp.boot, but_boot) != 0)
            e = each_in_block(p, each);
        at += p->block->held;
        sequence++;
    }
    return e;
}

/* The half that was begun first comes first. */
static enum err each_lost(struct replay *p, entry_fn *each)
{
    const struct redo_half *halves = p->redo->halves;
    unsigned first = halves[0].epoch <= halves[1].epoch ? 0 : 1;
    enum err e = each_in_half(p, &halves[first], p->inbox->boot, each);

    return e == ERR_OK ? each_in_half(p, &halves[1 - first], p->inbox->boot, each) : e;
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
static void note_journal(struct replay *p, const struct record *record)
{
    bool is_file = record->kind == RECORD_FILE;
    struct logged *file = find(p, is_file ? record->file.transfer_id : record->number);

    if (file == NULL)
        return;
    if (is_file && strcmp(file->name, record->file.name) == 0)
        file->is_recorded = true;
    else if (record->kind == RECORD_VOID && file->is_recorded)
        file->is_void = true;
}

static enum err read_journal(struct replay *p)
{
    struct journal_reader *reader =
        journal_reader_new(journal_fd(p->inbox->journal), 0, journal_size(p->inbox->journal));
    struct record record;
    enum journal_line line;
    enum err e = ERR_OK;

    if (reader == NULL)
        return ERR_NO_MEMORY;
    while (e == ERR_OK && (line = journal_reader_next(reader, &record)) != LINE_END) {
        if (line == LINE_UNREADABLE)
            e = err_from_errno(errno);
        else if (line == LINE_RECORD)
            note_journal(p, &record);
    }
    free(reader);
    return e;
}

static void forget_files(struct replay *p)
{
    struct logged *file, *next;

    HASH_ITER (hh, p->files, file, next) {
        HASH_DEL(p->files, file); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(file);
    }
}

/* --- writing again -----------------------------------------------------------------------------
 */

static bool is_whole(const struct inbox *in, const struct redo_entry *entry)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(in->dir_fd, entry->record.file.name, flags);
    char is[REDO_DATA_MAX + 1];
    ssize_t length = fd < 0 ? -1 : pread(fd, is, sizeof is, 0);

    if (fd >= 0)
        close(fd);
    return length == (ssize_t)entry->length && memcmp(is, entry->data, entry->length) == 0;
}

/* As it was when it was received, whatever the settings say now; a group that cannot be given any
 * more is no reason to lose the file. */
static void give_access(int fd, const struct redo_entry *entry)
{
    if (entry->group != REDO_NO_GROUP && fchown(fd, (uid_t)-1, (gid_t)entry->group) != 0)
        log_warning("inbox: %s cannot have its group: %s", entry->record.file.name,
                    strerror(errno));
    if (fchmod(fd, (mode_t)entry->mode & 0777) != 0)
        log_warning("inbox: %s cannot have its mode: %s", entry->record.file.name, strerror(errno));
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
    if ((e = inbox_write(&file, entry->data, entry->length)) == ERR_OK)
        give_access(file.fd, entry);
    close(file.fd);
    return e;
}

static bool is_void(const struct replay *p, uint32_t transfer_id)
{
    const struct logged *file = find(p, transfer_id);

    return file == NULL || file->is_void;
}

/* Synced with all others at the end: until then the log stays as it is. */
static enum err write_again(struct replay *p, const struct redo_entry *entry)
{
    const struct inbox *in = p->inbox;
    const char *name = entry->record.file.name;
    enum err e;

    if (is_whole(in, entry))
        return ERR_OK;
    if ((e = write_partial(in, entry)) != ERR_OK)
        return e;
    if (renameat(in->partial_fd, name, in->dir_fd, name) != 0)
        return err_from_errno(errno);
    p->written++;
    return ERR_OK;
}

static enum err sync_all(const struct redo *redo)
{
    return syncfs(redo->sync_fd) == 0 ? ERR_OK : err_from_errno(errno);
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
    if ((e = write_again(p, entry)) != ERR_OK)
        return e;
    file = find(p, entry->record.file.transfer_id);
    return file->is_recorded ? ERR_OK : journal_add(journal, &entry->record);
}

static enum err redo_all(struct replay *p)
{
    enum err e;

    if ((e = each_lost(p, note)) != ERR_OK || p->seen == 0)
        return e;
    if ((e = read_journal(p)) != ERR_OK || (e = each_lost(p, redo_one)) != ERR_OK)
        return e;
    p->inbox->recovery.written_again = p->written;
    log_info("inbox %s: of %u small files received right before the power cut %u are written again",
             p->inbox->path, p->seen, p->written);
    return journal_write(p->inbox->journal);
}

static enum err replay(struct inbox *in)
{
    struct replay p = {.inbox = in, .redo = in->redo, .block = malloc(sizeof *p.block)};
    enum err e = p.block == NULL ? ERR_NO_MEMORY : redo_all(&p);

    forget_files(&p);
    free(p.block);
    return e == ERR_OK ? sync_all(in->redo) : e;
}

static enum err clean_halves(struct redo *redo)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < 2 && e == ERR_OK; i++)
        if (redo->halves[i].state == HALF_RETIRED)
            e = redo_clean(redo, &redo->halves[i]);
    return e;
}

enum err redo_recover(struct inbox *in)
{
    enum err e = redo_open(&in->redo, in);

    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e == ERR_CORRUPT) {
        log_error(
            "inbox %s: .dustwire/redo is no redo log, and is removed; if this start follows a "
            "power cut, files received right before it may be missing",
            in->path);
        unlinkat(in->partial_fd, "redo", 0);
        return ERR_OK;
    }
    if (e == ERR_OK && redo_has_blocks(in->redo) && (e = replay(in)) == ERR_OK)
        e = clean_halves(in->redo);
    if (e == ERR_OK && in->durability != DURABILITY_FULL)
        redo_remove(&in->redo);
    return e;
}

/* --- when the file system tells of an error -----------------------------------------------------
 */

/* In the place of the one that stands in the inbox; what its owner has taken away stays away. */
static enum err write_anew(struct replay *p, const struct redo_entry *entry)
{
    const struct inbox *in = p->inbox;
    const char *name = entry->record.file.name;
    enum err e;

    if (entry->record.kind != RECORD_FILE || is_void(p, entry->record.file.transfer_id) ||
        faccessat(in->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return ERR_OK;
    if ((e = write_partial(in, entry)) != ERR_OK)
        return e;
    if (renameat2(in->partial_fd, name, in->dir_fd, name, RENAME_EXCHANGE) != 0 && errno != ENOENT)
        e = err_from_errno(errno);
    unlinkat(in->partial_fd, name, 0);
    p->written++;
    return e;
}

static enum err write_half_anew(const struct redo *redo, const struct redo_half *half)
{
    struct replay p = {.redo = redo, .block = malloc(sizeof *p.block)};
    enum err e = ERR_NO_MEMORY;

    p.inbox = redo->inbox;
    if (p.block != NULL && (e = each_in_half(&p, half, "", note)) == ERR_OK)
        e = each_in_half(&p, half, "", write_anew);
    log_warning("inbox %s: %u small files that are still there are written once more",
                redo->inbox->path, p.written);
    forget_files(&p);
    free(p.block);
    return e == ERR_OK ? sync_all(redo) : e;
}

/* The error may have been that of a file of either half, and is told only once. */
enum err redo_settle(struct redo *redo, const struct redo_half *half)
{
    bool *is_suspect = &redo->is_suspect[half - redo->halves];
    enum err e = sync_all(redo);

    if (e != ERR_OK) {
        log_error("inbox %s: the disk has refused something that was written: %s",
                  redo->inbox->path, err_text(e));
        redo->is_suspect[0] = redo->is_suspect[1] = true;
    }
    if (!*is_suspect)
        return ERR_OK;
    e = write_half_anew(redo, half);
    *is_suspect = e != ERR_OK;
    return e;
}
