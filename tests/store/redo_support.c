#include "store/redo_support.h"

#include "store/store_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void open_with_log_of_this_run(void)
{
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_neq(inbox->boot[0], '\0');
    inbox_set_redo(inbox, SMALL_LOG);
    cr_assert_eq(redo_make(&inbox->redo, inbox, SMALL_LOG), ERR_OK);
}

void open_with_log(void)
{
    open_with_log_of_this_run();
    snprintf(inbox->boot, sizeof inbox->boot, "before the power cut");
}

static void seen(struct message *m, void *owner)
{
    (void)m, (void)owner;
}

void run_batch(struct commit_request *requests, size_t count)
{
    struct sync_pace pace;
    struct batch *batch = malloc(sizeof *batch);

    sync_pace_open(&pace);
    batch_init(batch, inbox, inbox->journal);
    batch->pace = &pace;
    batch->is_answered_here = true;
    for (size_t i = 0; i < count; i++) {
        requests[i].request.on_answer = seen;
        if (requests[i].kind == COMMIT_FILE)
            STAILQ_INSERT_TAIL(&batch->files, &requests[i].request.message, link);
        else
            STAILQ_INSERT_TAIL(&batch->marks, &requests[i].request.message, link);
    }
    batch_run(batch, journal_mend(inbox->journal));
    sync_pace_close(&pace);
    free(batch);
}

struct commit_request logged_file(uint32_t transfer_id, const void *bytes, size_t length)
{
    struct commit_request r = written_file(transfer_id, bytes, length);

    run_batch(&r, 1);
    cr_assert_eq(r.request.result, ERR_OK);
    return r;
}

void lose_name(const struct commit_request *r)
{
    cr_assert_eq(unlinkat(inbox->dir_fd, r->file.name, 0), 0);
}

/* What a power cut may leave of a file that was renamed and not synced. */
void lose_data(const struct commit_request *r, off_t length)
{
    int fd = openat(inbox->dir_fd, r->file.name, O_WRONLY | O_CLOEXEC);

    cr_assert_eq(ftruncate(fd, length), 0);
    close(fd);
}

void lose_journal(uint64_t from)
{
    cr_assert_eq(ftruncate(journal_fd(inbox->journal), (off_t)from), 0);
}

int open_log(void)
{
    int fd = openat(inbox->partial_fd, "redo", O_RDWR | O_CLOEXEC);

    cr_assert_neq(fd, -1);
    return fd;
}

void damage_log(uint64_t at, const void *bytes, size_t length)
{
    int fd = open_log();

    cr_assert_eq(pwrite(fd, bytes, length, (off_t)at), (ssize_t)length);
    close(fd);
}

ino_t number_of(const struct commit_request *r)
{
    struct stat status;

    cr_assert_eq(fstatat(inbox->dir_fd, r->file.name, &status, 0), 0);
    return status.st_ino;
}

/* --- a disk that refuses -----------------------------------------------------------------------
 * In the place of the C library's: the whole test program calls these. */
struct bad_disk bad_disk;

static bool is_refused(int *number, int *again)
{
    if (*number == 0 || --*number > 0)
        return false;
    *number = *again;
    *again = 0;
    errno = EIO;
    return true;
}

int syncfs(int fd)
{
    if (is_refused(&bad_disk.syncfs_number, &bad_disk.syncfs_again))
        return -1;
    return (int)syscall(SYS_syncfs, fd);
}

int fdatasync(int fd)
{
    if (is_refused(&bad_disk.fdatasync_number, &bad_disk.fdatasync_again))
        return -1;
    return (int)syscall(SYS_fdatasync, fd);
}

int fchown(int fd, uid_t user, gid_t group)
{
    if (!bad_disk.has_no_group)
        return (int)syscall(SYS_fchown, fd, user, group);
    errno = EPERM;
    return -1;
}

static bool is_log(int fd)
{
    char link[64], path[512];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 5 && strcmp(path + length - 5, "/redo") == 0;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t at)
{
    if (bad_disk.log_read_at == 0 || at != bad_disk.log_read_at || !is_log(fd))
        return syscall(SYS_pread64, fd, bytes, length, at);
    bad_disk.log_read_at = 0;
    errno = EIO;
    return -1;
}

ssize_t pread64(int fd, void *bytes, size_t length, off_t at)
{
    return pread(fd, bytes, length, at);
}
