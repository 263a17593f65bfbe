/* TO BE REMOVED WITH RELEASE 0.3: replays the redo log of release 0.1, which wrote small files into
 * it before they were durable in the inbox (durability = full).
 *
 * `.dustwire/redo` has two halves. Each begins with a header of 4 KiB: magic `dwhalf1\n` (8 bytes),
 * epoch (8), CRC-32 of these (4). Blocks follow, each at a multiple of 4 KiB: CRC-32 of the rest of
 * the block (4), length of the entries (4), magic `dwredo1\n` (8), epoch (8), sequence (4), zero
 * (4), boot id of the kernel that wrote it (40), then entries: length of the line (4), of the data
 * (4), mode (4), group (4, all ones: the daemon's own), the journal line, the data. Numbers are
 * little-endian. Reading ends at the first block that is incomplete, has another epoch than the
 * half or is out of sequence; a read error is not an end.
 *
 * Readable data is not assumed to be on the disk: after an error the kernel keeps the pages it
 * could not write and marks them clean. So every file in the log is written again. If the kernel
 * has not restarted since (a kill), a file missing from the inbox was removed by its recipient and
 * stays removed; otherwise (a power cut) each file is written. */
#include "store/inbox/upgrade_redo.h"

#include "base/log.h"
#include "store/inbox/partial_file.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/reader.h"
#include "store/journal/record.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <zlib.h>

static const char log_name[] = "redo", new_name[] = "redo.new";
static const char boot_path[] = "/proc/sys/kernel/random/boot_id";
static const char half_magic[8] = {'d', 'w', 'h', 'a', 'l', 'f', '1', '\n'};
static const char block_magic[8] = {'d', 'w', 'r', 'e', 'd', 'o', '1', '\n'};

enum {
    ALIGN = 4096,
    BLOCK_MAX = 256 * 1024, /* with its header */
    DATA_MAX = 16 * 1024,   /* of a file */
    BLOCK_HEADER = 72,
    ENTRY_HEADER = 16,
    BOOT_SIZE = 40,
    AT_LENGTH = 4,
    AT_MAGIC = 8,
    AT_EPOCH = 16,
    AT_SEQUENCE = 24,
    AT_BOOT = 32
};

struct entry {
    struct journal_record record; /* JOURNAL_RECORD_FILE, JOURNAL_RECORD_REPORTED or
                                     JOURNAL_RECORD_VOID; points into the block */
    uint32_t mode, group;
    const char *data;
    size_t length;
};

#define NO_GROUP UINT32_MAX

struct half {
    uint64_t from, epoch; /* epoch 0: no header, so no blocks */
};

/* A file of the log, by its transfer id. */
struct logged {
    uint32_t transfer_id;
    char name[STORE_NAME_SIZE];
    bool is_void;
    bool is_recorded; /* has a record in the journal */
    UT_hash_handle hh;
};

struct replay {
    struct inbox *inbox;
    int fd;
    uint64_t half_bytes;
    struct half halves[2];
    char boot[BOOT_SIZE]; /* boot id of the running kernel; "": unknown */
    char *block;          /* BLOCK_MAX bytes */
    struct logged *files;
    char *blocked; /* receives the name of a file that cannot be written */
    unsigned blocks, seen, written;
    bool is_other_boot; /* some block is of an earlier boot */
    bool is_lost;       /* missing files were lost, not removed */
};

/* --- reading the file --------------------------------------------------------------------------
 */

static uint32_t u32_at(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t u64_at(const char *at)
{
    return u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

/* ERR_NOT_FOUND: the file ends before. */
static enum err read_at(int fd, char *bytes, size_t length, uint64_t at)
{
    while (length > 0) {
        ssize_t count = pread(fd, bytes, length, (off_t)at);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? err_from_errno(errno) : ERR_NOT_FOUND;
        bytes += count;
        at += (uint64_t)count;
        length -= (size_t)count;
    }
    return ERR_OK;
}

static enum err read_half_header(struct replay *p, unsigned number)
{
    struct half *half = &p->halves[number];
    char bytes[20];
    enum err e;

    half->from = number * p->half_bytes;
    if ((e = read_at(p->fd, bytes, sizeof bytes, half->from)) != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (memcmp(bytes, half_magic, sizeof half_magic) == 0 &&
        u32_at(bytes + 16) == (uint32_t)crc32(0, (const Bytef *)bytes, 16))
        half->epoch = u64_at(bytes + 8);
    if (half->epoch == 0)
        log_warning("inbox %s: one half of the redo log is unreadable; after a power cut, files "
                    "received right before it can be missing",
                    p->inbox->path);
    return ERR_OK;
}

/* Length of the block; 0: not a block. */
static size_t block_length(const char *block)
{
    size_t entries = u32_at(block + AT_LENGTH);

    if (memcmp(block + AT_MAGIC, block_magic, sizeof block_magic) != 0 ||
        entries > BLOCK_MAX - BLOCK_HEADER)
        return 0;
    return (BLOCK_HEADER + entries + ALIGN - 1) / ALIGN * ALIGN;
}

static bool is_valid_block(const char *block, const struct half *half, uint32_t sequence)
{
    size_t covered = BLOCK_HEADER + u32_at(block + AT_LENGTH) - AT_LENGTH;

    return u32_at(block) == (uint32_t)crc32(0, (const Bytef *)block + AT_LENGTH, (uInt)covered) &&
           u64_at(block + AT_EPOCH) == half->epoch && u32_at(block + AT_SEQUENCE) == sequence &&
           block[AT_BOOT + BOOT_SIZE - 1] == '\0';
}

/* ERR_NOT_FOUND: no block. */
static enum err read_block(struct replay *p, const struct half *half, uint64_t at,
                           uint32_t sequence, size_t *length)
{
    enum err e;

    if (half->epoch == 0 || at + ALIGN > p->half_bytes)
        return ERR_NOT_FOUND;
    if ((e = read_at(p->fd, p->block, ALIGN, half->from + at)) != ERR_OK)
        return e;
    *length = block_length(p->block);
    if (*length == 0 || *length > p->half_bytes - at)
        return ERR_NOT_FOUND;
    e = read_at(p->fd, p->block + ALIGN, *length - ALIGN, half->from + at + ALIGN);
    if (e != ERR_OK)
        return e;
    return is_valid_block(p->block, half, sequence) ? ERR_OK : ERR_NOT_FOUND;
}

/* The record is of a kind allowed here and matches the data. */
static bool is_valid_entry(const struct entry *entry)
{
    if (entry->record.kind == JOURNAL_RECORD_FILE)
        return entry->length == entry->record.file.size_bytes && entry->length <= DATA_MAX;
    return (entry->record.kind == JOURNAL_RECORD_REPORTED ||
            entry->record.kind == JOURNAL_RECORD_VOID) &&
           entry->length == 0;
}

/* Reads the entry at `*at` and advances. False at the end. */
static bool next_entry(char *block, size_t *at, struct entry *out)
{
    size_t end = BLOCK_HEADER + u32_at(block + AT_LENGTH), line;
    char *entry = block + *at;

    if (end - *at < ENTRY_HEADER)
        return false;
    line = u32_at(entry);
    out->length = u32_at(entry + 4);
    out->mode = u32_at(entry + 8);
    out->group = u32_at(entry + 12);
    if (line == 0 || line > JOURNAL_RECORD_LINE_MAX || line > end - *at - ENTRY_HEADER ||
        out->length > end - *at - ENTRY_HEADER - line)
        return false;
    *at += ENTRY_HEADER + line + out->length;
    entry += ENTRY_HEADER;
    out->data = entry + line;
    return journal_record_read(&out->record, entry, line - 1) && is_valid_entry(out);
}

typedef enum err entry_fn(struct replay *p, const struct entry *entry);

static enum err each_in_half(struct replay *p, const struct half *half, entry_fn *each)
{
    struct entry entry;
    uint32_t sequence = 0;
    uint64_t at = ALIGN;
    size_t length, place;
    enum err e;

    while ((e = read_block(p, half, at, sequence, &length)) == ERR_OK) {
        p->blocks++;
        if (p->boot[0] == '\0' || strcmp(p->block + AT_BOOT, p->boot) != 0)
            p->is_other_boot = true;
        for (place = BLOCK_HEADER; next_entry(p->block, &place, &entry);)
            if ((e = each(p, &entry)) != ERR_OK)
                return e;
        at += length;
        sequence++;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The older half first: outcomes follow their files. */
static enum err each_in_both(struct replay *p, entry_fn *each)
{
    unsigned first = p->halves[0].epoch <= p->halves[1].epoch ? 0 : 1;
    enum err e = each_in_half(p, &p->halves[first], each);

    return e == ERR_OK ? each_in_half(p, &p->halves[1 - first], each) : e;
}

/* --- the files of the log ----------------------------------------------------------------------
 */

static struct logged *find(const struct replay *p, uint32_t transfer_id)
{
    struct logged *file;

    HASH_FIND(hh, p->files, &transfer_id, sizeof transfer_id, file);
    return file;
}

static enum err add_file(struct replay *p, const struct journal_file *record)
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

static enum err collect_entry(struct replay *p, const struct entry *entry)
{
    struct logged *file;

    if (entry->record.kind == JOURNAL_RECORD_FILE) {
        p->seen++;
        return add_file(p, &entry->record.file);
    }
    file = find(p, entry->record.number);
    if (file != NULL && entry->record.kind == JOURNAL_RECORD_VOID)
        file->is_void = true;
    return ERR_OK;
}

/* A failure can be recorded in the journal only. */
static enum err collect_journal_entry(void *ctx, const struct journal_entry *entry)
{
    const struct journal_record *record = &entry->record;
    bool is_file = record->kind == JOURNAL_RECORD_FILE;
    struct logged *file = find(ctx, is_file ? record->file.transfer_id : record->number);

    if (file == NULL)
        return ERR_OK;
    if (is_file && strcmp(file->name, record->file.name) == 0)
        file->is_recorded = true;
    else if (record->kind == JOURNAL_RECORD_VOID && file->is_recorded)
        file->is_void = true;
    return ERR_OK;
}

static enum err read_journal(struct replay *p)
{
    const struct journal *journal = p->inbox->journal;

    return journal_reader_each(journal_fd(journal), 0, journal_size(journal), collect_journal_entry,
                               p, NULL);
}

static void forget_files(struct replay *p)
{
    struct logged *file, *next;

    HASH_ITER (hh, p->files, file, next) {
        HASH_DEL(p->files, file); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(file);
    }
}

/* Every file in the log has a record in the journal, written earlier. If one is missing without a
 * reboot, the file system lost writes: it was shut down or its disk was removed, and it was mounted
 * again. */
static bool has_unrecorded(const struct replay *p)
{
    const struct logged *file, *next;

    HASH_ITER (hh, p->files, file, next)
        if (!file->is_recorded)
            return true;
    return false;
}

/* --- rewriting ---------------------------------------------------------------------------------
 */

/* Restores the original group and mode, independent of the current settings. If the group cannot be
 * set, the mode that was meant for it is not set either. */
static void set_access(int fd, const struct entry *entry)
{
    const char *name = entry->record.file.name;

    if (entry->group != NO_GROUP && fchown(fd, (uid_t)-1, (gid_t)entry->group) != 0)
        log_warning("inbox: cannot set the group of %s: %s; its mode is 0600", name,
                    strerror(errno));
    else if (fchmod(fd, (mode_t)entry->mode & 0777) != 0)
        log_warning("inbox: cannot set the mode of %s: %s", name, strerror(errno));
}

static int64_t us_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

/* So that the copy counts as unmodified too. */
static void set_time(int fd, const struct journal_file *record)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = (time_t)(record->committed_us / 1000000),
                                 .tv_nsec = (long)(record->committed_us % 1000000) * 1000}};

    if (futimens(fd, times) != 0)
        log_debug("inbox: cannot set the time of %s: %s", record->name, strerror(errno));
}

static enum err write_partial(const struct inbox *in, const struct entry *entry)
{
    const char *name = entry->record.file.name;
    struct inbox_partial_file file = {.fd = -1};
    enum err e;

    unlinkat(in->partial_fd, name, 0);
    file.fd =
        openat(in->partial_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file.fd < 0)
        return err_from_errno(errno);
    if ((e = inbox_partial_file_write(&file, entry->data, entry->length)) == ERR_OK) {
        set_access(file.fd, entry);
        set_time(file.fd, &entry->record.file);
    }
    close(file.fd);
    return e;
}

static bool is_void(const struct replay *p, uint32_t transfer_id)
{
    const struct logged *file = find(p, transfer_id);

    return file == NULL || file->is_void;
}

/* Replaces an existing file of that name, but not a directory. */
static enum err restore_file(struct replay *p, const struct entry *entry)
{
    const struct inbox *in = p->inbox;
    const char *name = entry->record.file.name;
    enum err e = write_partial(in, entry);

    if (e == ERR_OK && renameat(in->partial_fd, name, in->dir_fd, name) != 0)
        e = err_from_errno(errno);
    if (e == ERR_OK)
        p->written++;
    else
        memcpy(p->blocked, name, STORE_NAME_SIZE);
    return e;
}

static bool has_content(const struct inbox *in, const struct entry *entry)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(in->dir_fd, entry->record.file.name, flags);
    char is[DATA_MAX + 1];
    ssize_t length = fd < 0 ? -1 : pread(fd, is, sizeof is, 0);

    if (fd >= 0)
        close(fd);
    return length == (ssize_t)entry->length && memcmp(is, entry->data, entry->length) == 0;
}

/* The recipient has neither removed nor modified it: wrong content in an unmodified file is the
 * disk's fault. */
static bool is_as_received(const struct inbox *in, const struct entry *entry)
{
    const struct journal_file *record = &entry->record.file;
    struct stat status;

    if (fstatat(in->dir_fd, record->name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode))
        return false;
    return us_of(&status.st_mtim) <= record->committed_us || has_content(in, entry);
}

/* Replaces the file in the inbox; if it is removed meanwhile it stays removed. */
static enum err rewrite_file(struct replay *p, const struct entry *entry)
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

/* --- replay ------------------------------------------------------------------------------------
 */

static enum err redo_one(struct replay *p, const struct entry *entry)
{
    struct journal *journal = p->inbox->journal;
    struct logged *file;
    enum err e;

    if (entry->record.kind != JOURNAL_RECORD_FILE)
        return journal_owes(journal, entry->record.number) ? journal_add(journal, &entry->record)
                                                           : ERR_OK;
    if (is_void(p, entry->record.file.transfer_id))
        return ERR_OK;
    if ((e = p->is_lost ? restore_file(p, entry) : rewrite_file(p, entry)) != ERR_OK)
        return e;
    file = find(p, entry->record.file.transfer_id);
    return file->is_recorded ? ERR_OK : journal_add(journal, &entry->record);
}

static void log_result(const struct replay *p)
{
    const char *path = p->inbox->path;

    if (p->is_lost && !p->is_other_boot)
        log_warning("inbox %s: the redo log has files that the journal lacks: the file system has "
                    "lost writes, as in a power cut",
                    path);
    if (p->is_lost)
        log_info(
            "inbox %s: %u small files were received right before the power cut, %u are written "
            "again",
            path, p->seen, p->written);
    else
        log_info(
            "inbox %s: %u small files were not confirmed by a sync, %u of them were still in the "
            "inbox and are written again",
            path, p->seen, p->written);
}

static enum err redo_all(struct replay *p)
{
    enum err e;

    for (unsigned i = 0; i < 2; i++)
        if ((e = read_half_header(p, i)) != ERR_OK)
            return e;
    if ((e = each_in_both(p, collect_entry)) != ERR_OK || p->blocks == 0)
        return e;
    if ((e = read_journal(p)) != ERR_OK)
        return e;
    p->is_lost = p->is_other_boot || has_unrecorded(p);
    if ((e = each_in_both(p, redo_one)) != ERR_OK ||
        (e = journal_write(p->inbox->journal)) != ERR_OK)
        return e;
    if (p->is_lost)
        p->inbox->recovery.written_again = p->written;
    log_result(p);
    return journal_rewrite(p->inbox->journal);
}

/* --- the entry point ---------------------------------------------------------------------------
 */

static void find_boot(char boot[BOOT_SIZE])
{
    int fd = open(boot_path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, boot, BOOT_SIZE - 1);

    boot[length > 0 ? length : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static enum err open_log(struct replay *p)
{
    struct stat status;
    int dir_fd = p->inbox->partial_fd;

    if (fstatat(dir_fd, log_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_REGULAR;
    p->fd = openat(dir_fd, log_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (p->fd < 0)
        return err_from_errno(errno);
    p->half_bytes = (uint64_t)status.st_size / 2;
    p->block = malloc(BLOCK_MAX);
    return p->block == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* The first sync collects earlier write errors, which the rewriting below makes up for. */
static enum err replay(struct replay *p)
{
    enum err e;

    if (syncfs(p->inbox->dir_fd) != 0)
        log_warning("inbox %s: the disk reports an earlier write error: %s", p->inbox->path,
                    strerror(errno));
    if ((e = redo_all(p)) == ERR_OK && syncfs(p->inbox->dir_fd) != 0)
        e = err_from_errno(errno);
    return e;
}

enum err inbox_upgrade_redo(struct inbox *in, char blocked[STORE_NAME_SIZE])
{
    struct replay p = {.inbox = in, .fd = -1, .blocked = blocked};
    enum err e;

    find_boot(p.boot);
    unlinkat(in->partial_fd, new_name, 0); /* of an interrupted creation */
    if ((e = open_log(&p)) == ERR_OK)
        e = replay(&p);
    forget_files(&p);
    free(p.block);
    if (p.fd >= 0)
        close(p.fd);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e == ERR_OK && (unlinkat(in->partial_fd, log_name, 0) != 0 || fsync(in->partial_fd) != 0))
        e = err_from_errno(errno);
    return e;
}
