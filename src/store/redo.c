#include "redo.h"

#include "base/clock.h"
#include "base/log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

static const char log_name[] = "redo", new_name[] = "redo.new";

enum { SHARE_OF_FREE = 10 };

/* --- bytes -------------------------------------------------------------------------------------
 */

static enum err write_at(int fd, const char *bytes, size_t length, uint64_t at)
{
    while (length > 0) {
        ssize_t count = pwrite(fd, bytes, length, (off_t)at);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? err_from_errno(errno) : ERR_IO;
        bytes += count;
        at += (uint64_t)count;
        length -= (size_t)count;
    }
    return ERR_OK;
}

/* ERR_NOT_FOUND: there is less. */
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

/* A half begins with the number of its epoch, in one sector, which a disk writes whole or not. */
struct half_header {
    char magic[8];
    uint64_t epoch; /* little-endian, as the CRC-32 of what is before it */
    uint32_t crc, zero;
};

static const char half_magic[8] = {'d', 'w', 'h', 'a', 'l', 'f', '1', '\n'};

static uint32_t header_crc(const struct half_header *header)
{
    return htole32((uint32_t)crc32(0, (const Bytef *)header, offsetof(struct half_header, crc)));
}

static enum err write_header(int fd, uint64_t from, uint64_t epoch)
{
    char bytes[REDO_ALIGN] = {0};
    struct half_header header = {.epoch = htole64(epoch)};

    memcpy(header.magic, half_magic, sizeof half_magic);
    header.crc = header_crc(&header);
    memcpy(bytes, &header, sizeof header);
    return write_at(fd, bytes, sizeof bytes, from);
}

/* `*epoch` 0: that is no header. */
static enum err read_header(int fd, uint64_t from, uint64_t *epoch)
{
    struct half_header header;
    enum err e = read_at(fd, (char *)&header, sizeof header, from);

    *epoch = 0;
    if (e == ERR_OK && header.crc == header_crc(&header) &&
        memcmp(header.magic, half_magic, sizeof half_magic) == 0)
        *epoch = le64toh(header.epoch);
    return e;
}

enum err redo_read_block(const struct redo *r, const struct redo_half *half, uint64_t at,
                         uint32_t sequence, struct redo_block *block, struct redo_stamp *stamp)
{
    enum err e;

    if (at + REDO_ALIGN > r->half_bytes)
        return ERR_NOT_FOUND;
    if ((e = read_at(r->fd, block->bytes, REDO_ALIGN, half->from + at)) != ERR_OK)
        return e;
    block->held = redo_block_length(block->bytes);
    if (block->held == 0 || block->held > r->half_bytes - at)
        return ERR_NOT_FOUND;
    if ((e = read_at(r->fd, block->bytes + REDO_ALIGN, block->held - REDO_ALIGN,
                     half->from + at + REDO_ALIGN)) != ERR_OK)
        return e;
    if (!redo_block_check(block, stamp) || stamp->epoch != half->epoch ||
        stamp->sequence != sequence)
        return ERR_NOT_FOUND;
    return ERR_OK;
}

/* --- opening and making ------------------------------------------------------------------------
 */

/* A half whose header is none has no blocks. */
static enum err open_half(struct redo *r, unsigned number)
{
    struct redo_half *half = &r->halves[number];
    struct redo_stamp stamp;
    enum err e;

    *half = (struct redo_half){.from = number * r->half_bytes, .used = REDO_ALIGN};
    if ((e = read_header(r->fd, half->from, &half->epoch)) != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    if (half->epoch == 0) {
        r->is_damaged = true;
        log_warning("inbox %s: half of the redo log cannot be read; if this start follows a power "
                    "cut, files received right before it may be missing",
                    r->inbox->path);
        return ERR_OK;
    }
    e = redo_read_block(r, half, REDO_ALIGN, 0, &r->block, &stamp);
    if (e == ERR_OK)
        half->state = HALF_RETIRED;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err open_file(struct redo *r)
{
    int dir_fd = r->inbox->partial_fd;
    struct stat status;

    if (fstatat(dir_fd, log_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_REGULAR;
    r->fd = openat(dir_fd, log_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0)
        return err_from_errno(errno);
    r->sync_fd = openat(r->inbox->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->sync_fd < 0)
        return err_from_errno(errno);
    r->half_bytes = (uint64_t)status.st_size / 2;
    if (r->half_bytes < REDO_HALF_MIN || (uint64_t)status.st_size % ((uint64_t)2 * REDO_ALIGN) != 0)
        return ERR_CORRUPT;
    return ERR_OK;
}

enum err redo_open(struct redo **out, struct inbox *inbox)
{
    struct redo *r = calloc(1, sizeof *r);
    enum err e;

    *out = NULL;
    if (r == NULL)
        return ERR_NO_MEMORY;
    r->inbox = inbox;
    r->fd = r->sync_fd = -1;
    unlinkat(inbox->partial_fd, new_name, 0); /* of a making that was interrupted */
    e = open_file(r);
    for (unsigned i = 0; i < 2 && e == ERR_OK; i++)
        e = open_half(r, i);
    if (e != ERR_OK) {
        redo_close(&r);
        return e;
    }
    redo_block_begin(&r->block);
    *out = r;
    return ERR_OK;
}

void redo_close(struct redo **redo)
{
    struct redo *r = *redo;

    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    if (r->sync_fd >= 0)
        close(r->sync_fd);
    free(r);
    *redo = NULL;
}

void redo_remove(struct redo **redo)
{
    unlinkat((*redo)->inbox->partial_fd, log_name, 0);
    redo_close(redo);
}

uint64_t redo_bytes(const struct redo *r)
{
    return 2 * r->half_bytes;
}

/* Zeros that are written, not only reserved: overwriting them changes nothing of the file system.
 */
static enum err write_zeros(int fd, uint64_t bytes)
{
    static const char zeros[REDO_BLOCK_MAX];
    enum err e = ERR_OK;

    for (uint64_t at = 0; at < bytes && e == ERR_OK; at += sizeof zeros)
        e = write_at(fd, zeros, bytes - at < sizeof zeros ? bytes - at : sizeof zeros, at);
    return e;
}

static enum err write_new(int dir_fd, uint64_t bytes)
{
    int flags = O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, new_name, flags, 0600);
    uint64_t epoch = (uint64_t)clock_real_us();
    enum err e;

    if (fd < 0)
        return err_from_errno(errno);
    if ((e = write_zeros(fd, bytes)) == ERR_OK && (e = write_header(fd, 0, epoch)) == ERR_OK)
        e = write_header(fd, bytes / 2, epoch + 1);
    if (e == ERR_OK && fsync(fd) != 0)
        e = err_from_errno(errno);
    close(fd);
    return e;
}

/* Never so much that files of peers are refused for it. */
static enum err find_room(const struct inbox *inbox, uint64_t bytes)
{
    struct statvfs disk;
    uint64_t free_bytes;

    if (fstatvfs(inbox->partial_fd, &disk) != 0)
        return err_from_errno(errno);
    free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (free_bytes / SHARE_OF_FREE < bytes)
        return ERR_NO_SPACE;
    return free_bytes - bytes < atomic_load(&inbox->space.min_free_bytes) ? ERR_MIN_FREE : ERR_OK;
}

enum err redo_make(struct redo **out, struct inbox *inbox, uint64_t bytes)
{
    int dir_fd = inbox->partial_fd;
    enum err e;

    *out = NULL;
    if ((e = find_room(inbox, bytes)) != ERR_OK)
        return e;
    if ((e = write_new(dir_fd, bytes)) == ERR_OK &&
        (renameat(dir_fd, new_name, dir_fd, log_name) != 0 || fsync(dir_fd) != 0))
        e = err_from_errno(errno);
    if (e == ERR_OK && (e = redo_open(out, inbox)) == ERR_OK)
        (*out)->current = &(*out)->halves[0]; /* whose epoch is the earlier one */
    unlinkat(dir_fd, new_name, 0);
    return e;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void write_block(struct redo *r)
{
    struct redo_half *half = r->current;
    struct redo_stamp stamp = {.epoch = half->epoch, .sequence = half->sequence};

    memcpy(stamp.boot, r->inbox->boot, sizeof stamp.boot);
    redo_block_seal(&r->block, &stamp);
    if (r->error == ERR_OK)
        r->error = write_at(r->fd, r->block.bytes, r->block.held, half->from + half->used);
    if (half->state == HALF_CLEAN)
        half->since_ms = clock_mono_ms();
    half->state = HALF_WRITTEN;
    half->used += r->block.held;
    half->sequence++;
    redo_block_begin(&r->block);
}

/* What is left of the half when the block that is being filled is in it. */
static uint64_t room_left(const struct redo *r)
{
    uint64_t taken = r->current->used + r->block.held + REDO_ALIGN;

    return taken < r->half_bytes ? r->half_bytes - taken : 0;
}

static char *add(struct redo *r, const struct record *record, size_t length)
{
    const struct inbox *in = r->inbox;

    return redo_block_add(&r->block, record, in->mode, in->has_group ? in->group : REDO_NO_GROUP,
                          length);
}

bool redo_takes(const struct redo *r, const struct inbox_file *file)
{
    return r->current != NULL && file->written_bytes <= REDO_DATA_MAX &&
           room_left(r) >= REDO_MARKS_ROOM + RECORD_LINE_MAX + REDO_DATA_MAX;
}

bool redo_put_file(struct redo *r, const struct commit_request *request,
                   const struct record *record)
{
    size_t length = (size_t)request->file.written_bytes, before;
    char *data;

    if (!redo_takes(r, &request->file) || length != record->file.size_bytes)
        return false;
    if (!redo_block_has_room(&r->block, length))
        write_block(r);
    before = r->block.held;
    data = add(r, record, length);
    if (read_at(request->file.fd, data, length, 0) == ERR_OK)
        return true;
    r->block.held = before;
    return false;
}

void redo_put_mark(struct redo *r, enum record_kind kind, uint32_t transfer_id)
{
    struct record record = {.kind = kind, .number = transfer_id};

    bool has_files = redo_has_blocks(r) || !redo_block_is_empty(&r->block);

    if (r->current == NULL || !has_files || room_left(r) < REDO_ALIGN)
        return;
    if (!redo_block_has_room(&r->block, 0))
        write_block(r);
    add(r, &record, 0);
}

void redo_pin(const struct redo *r)
{
    for (unsigned i = 0; i < 2; i++)
        if (r->halves[i].state == HALF_CLEAN)
            journal_pin(r->inbox->journal, i);
}

enum err redo_sync(struct redo *r)
{
    enum err e;

    if (!redo_block_is_empty(&r->block))
        write_block(r);
    if (r->error == ERR_OK && fdatasync(r->fd) != 0)
        r->error = err_from_errno(errno);
    e = r->error;
    r->error = ERR_OK;
    if (e == ERR_OK)
        return e;
    log_error("inbox %s: the redo log cannot be written: %s; files are synced one by one meanwhile",
              r->inbox->path, err_text(e));
    redo_retire(r);
    return e;
}

/* --- halves ------------------------------------------------------------------------------------
 */

bool redo_has_blocks(const struct redo *r)
{
    return r->halves[0].state != HALF_CLEAN || r->halves[1].state != HALF_CLEAN;
}

bool redo_has_clean_half(const struct redo *r)
{
    return r->halves[0].state == HALF_CLEAN || r->halves[1].state == HALF_CLEAN;
}

bool redo_is_nearly_full(const struct redo *r)
{
    return r->current != NULL && room_left(r) < REDO_MARKS_ROOM + r->half_bytes / 8;
}

void redo_retire(struct redo *r)
{
    struct redo_half *other = r->current == &r->halves[0] ? &r->halves[1] : &r->halves[0];

    r->current->state = HALF_RETIRED;
    r->current = other->state == HALF_CLEAN ? other : NULL;
}

/* Later than each before, whatever the clock says: so the half that was begun first is known by its
 * epoch. (A half whose header is none is not begun again: redo_begin_anew.) */
static uint64_t next_epoch(const struct redo *r)
{
    uint64_t next = (uint64_t)clock_real_us();

    for (unsigned i = 0; i < 2; i++)
        if (r->halves[i].epoch >= next)
            next = r->halves[i].epoch + 1;
    return next;
}

enum err redo_clean(struct redo *r, struct redo_half *half)
{
    uint64_t epoch = next_epoch(r);
    enum err e = write_header(r->fd, half->from, epoch);

    if (e == ERR_OK && fdatasync(r->fd) != 0)
        e = err_from_errno(errno);
    if (e != ERR_OK) {
        if (r->current != NULL)
            redo_retire(r); /* the error may be that of a block of marks, on which others follow */
        return e;
    }
    *half = (struct redo_half){.from = half->from, .used = REDO_ALIGN, .epoch = epoch};
    if (r->current == NULL)
        r->current = half;
    return ERR_OK;
}

enum err redo_begin_anew(struct redo *r)
{
    enum err e = ERR_OK;

    r->current = NULL;
    for (unsigned i = 0; i < 2 && e == ERR_OK; i++)
        if (r->halves[i].epoch != 0)
            e = redo_clean(r, &r->halves[i]);
    return e;
}
