/* Detects that the inbox is no longer where it was opened. The daemon works by descriptor, so a
 * directory that is moved away or mounted over would continue to receive files, and the paths
 * reported to users and gateways would not lead to them.
 *
 * There are two checks. After each batch, before it is answered, the two directories are compared
 * (inbox_place_check_folders); a mismatch fails the batch. The committer's second thread
 * periodically checks everything (inbox_place_check); only this check clears a fault. */
#include "store/inbox/place.h"

#include "base/log.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/inbox/lock.h"
#include "store/inbox/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fault is a place and an errno, packed into one number so that both change atomically. 0: no
 * fault. errno 0: the name exists but is not what was opened. */
enum place { PLACE_NONE, PLACE_PATH, PLACE_FOLDER, PLACE_SECOND, PLACE_LOCK, PLACE_WRITE };
enum { ERRNO_BITS = 16, ERRNO_MASK = (1 << ERRNO_BITS) - 1 };

static uint32_t make_fault(enum place place, int error_number)
{
    return (uint32_t)place << ERRNO_BITS | (uint32_t)(error_number & ERRNO_MASK);
}

static enum place place_of(uint32_t fault)
{
    return (enum place)(fault >> ERRNO_BITS);
}

static int errno_of(uint32_t fault)
{
    return (int)(fault & ERRNO_MASK);
}

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Faulty if `name` is not the file that `fd` has open. Both are queried now, because inode numbers
 * change on some file systems (overlayfs, FUSE). A match with the stat at open is sufficient: while
 * `fd` is open no other file gets its inode number. */
static uint32_t compare_inode(enum place place, int dir_fd, const char *name, int flags, int fd,
                              const struct stat *opened)
{
    struct stat named, ours;

    if (fstatat(dir_fd, name, &named, flags) != 0)
        return make_fault(place, errno);
    if (opened != NULL && is_same_inode(&named, opened))
        return 0;
    if (fstat(fd, &ours) != 0)
        return make_fault(place, errno);
    return is_same_inode(&named, &ours) ? 0 : make_fault(place, 0);
}

/* A directory that we can no longer enter has not been moved: report it as not writable. */
static uint32_t compare_folders(const struct inbox *in)
{
    uint32_t fault = compare_inode(PLACE_PATH, AT_FDCWD, in->path, 0, in->dir_fd, &in->dir);

    if (fault == 0)
        fault = compare_inode(PLACE_FOLDER, in->dir_fd, INBOX_FOLDER, AT_SYMLINK_NOFOLLOW,
                              in->partial_fd, &in->partial);
    return fault == make_fault(PLACE_FOLDER, EACCES) ? make_fault(PLACE_WRITE, EACCES) : fault;
}

/* --- reporting ---------------------------------------------------------------------------------
 */

static const char *part_name(enum place place)
{
    switch (place) {
    case PLACE_FOLDER:
        return "/" INBOX_FOLDER;
    case PLACE_SECOND:
        return "/" INBOX_FOLDER "/" INBOX_SECOND;
    case PLACE_LOCK:
        return "/" INBOX_FOLDER "/" INBOX_LOCK;
    default:
        return "";
    }
}

static void describe(const struct inbox *in, uint32_t fault, char *to, size_t room)
{
    enum place place = place_of(fault);
    int error_number = errno_of(fault);
    const char *path = strcmp(in->path, "/") == 0 && place != PLACE_PATH ? "" : in->path;

    if (place == PLACE_WRITE)
        snprintf(to, room, "inbox %s is not writable: %s; %s", in->path, strerror(error_number),
                 err_advice(err_from_errno(error_number), "let the daemon's user write to it"));
    else if (place == PLACE_LOCK && (error_number == EAGAIN || error_number == EACCES))
        snprintf(to, room,
                 "inbox %s: its lock file was removed, and another dustwired uses it now; stop "
                 "one of them, or give each an [inbox] path of its own",
                 in->path);
    else
        snprintf(to, room, "inbox %s%s is not the %s that was opened: %s; put %s back, or %s", path,
                 part_name(place), place == PLACE_LOCK ? "file" : "folder",
                 error_number != 0 ? strerror(error_number) : "it was replaced",
                 error_number != 0 ? "it" : "the original",
                 error_number != 0 ? "restart dustwired" : "restart dustwired to use this one");
}

static enum err fault_err(uint32_t fault)
{
    if (fault == 0)
        return ERR_OK;
    return place_of(fault) == PLACE_WRITE ? err_from_errno(errno_of(fault)) : ERR_NO_INBOX;
}

enum err inbox_place_fault(const struct inbox *in, char *to, size_t room)
{
    uint32_t fault = atomic_load(&in->fault);

    if (room > 0)
        to[0] = '\0';
    if (fault == 0)
        return ERR_OK;
    describe(in, fault, to, room);
    return fault_err(fault);
}

enum err inbox_place_refusal(const struct inbox *in)
{
    uint32_t fault = atomic_load(&in->fault);

    return fault == make_fault(PLACE_WRITE, EROFS) ? ERR_OK : fault_err(fault);
}

/* Logged once, by the thread that changes the fault; a thread that loses the race does nothing. */
static void set_fault(struct inbox *in, uint32_t from, uint32_t to)
{
    char text[INBOX_FAULT_SIZE];

    if (from == to || !atomic_compare_exchange_strong(&in->fault, &from, to))
        return;
    if (to == 0) {
        log_warning("inbox %s: the fault is cleared; files are accepted again", in->path);
        return;
    }
    describe(in, to, text, sizeof text);
    log_error("%s; files are refused until then", text);
}

/* --- checking ----------------------------------------------------------------------------------
 */

enum err inbox_place_check_folders(struct inbox *in)
{
    uint32_t known = atomic_load(&in->fault), fault = compare_folders(in);

    if (fault == 0)
        return ERR_OK; /* other faults are left to inbox_place_check */
    if (known == 0)
        set_fault(in, known, fault);
    return fault_err(fault);
}

static int access_error(int dir_fd)
{
    return faccessat(dir_fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static uint32_t check_access(const struct inbox *in)
{
    int error_number = access_error(in->dir_fd);

    if (error_number == 0)
        error_number = access_error(in->partial_fd);
    return error_number == 0 || !in->can_check_access ? 0 : make_fault(PLACE_WRITE, error_number);
}

/* Files have just been created there, so if access(2) denies that, a sandbox is the cause and not
 * the file system. */
void inbox_place_open(struct inbox *in)
{
    if (fstat(in->dir_fd, &in->dir) != 0 || fstat(in->partial_fd, &in->partial) != 0)
        in->dir = in->partial = (struct stat){0}; /* then compare_inode calls fstat each time */
    in->can_check_access = access_error(in->dir_fd) == 0 && access_error(in->partial_fd) == 0;
}

/* After an error the kernel can make a file system read-only without access(2) reporting it: only
 * creating a file shows it. */
static uint32_t check_create(const struct inbox *in)
{
    static const char name[] = "try-make";
    int fd = openat(in->partial_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EROFS ? make_fault(PLACE_WRITE, EROFS) : 0;
    close(fd);
    unlinkat(in->partial_fd, name, 0);
    return 0;
}

void inbox_place_note_error(struct inbox *in, enum err e)
{
    uint32_t known = atomic_load(&in->fault);

    if (e == ERR_READ_ONLY && known == 0)
        set_fault(in, known, make_fault(PLACE_WRITE, EROFS));
}

/* If the locked file has no name any more, another daemon can create and lock a new one. */
static uint32_t check_lock(struct inbox *in)
{
    uint32_t fault = compare_inode(PLACE_LOCK, in->partial_fd, INBOX_LOCK, AT_SYMLINK_NOFOLLOW,
                                   in->lock_fd, NULL);
    int fd;

    if (fault == 0)
        return 0;
    if (inbox_lock_take(in->partial_fd, &fd) != 0) {
        int error_number = errno;

        if (fd >= 0)
            close(fd);
        return make_fault(PLACE_LOCK, error_number);
    }
    close(in->lock_fd);
    in->lock_fd = fd;
    log_warning("inbox %s: its lock file was removed; recreated", in->path);
    return 0;
}

static uint32_t check_second(const struct inbox *in)
{
    int error_number;

    if (store_directory_is_same(in->partial_fd, INBOX_SECOND, in->second_fd))
        return 0;
    error_number = store_directory_recreate(in->partial_fd, INBOX_SECOND, in->second_fd);
    if (error_number != 0)
        return make_fault(PLACE_SECOND, error_number);
    log_warning("inbox %s: its folder " INBOX_FOLDER "/" INBOX_SECOND
                " was removed; recreated; files being received in it fail",
                in->path);
    return 0;
}

enum err inbox_place_check(struct inbox *in)
{
    uint32_t known = atomic_load(&in->fault), fault = compare_folders(in);

    if (fault == 0)
        fault = check_second(in);
    if (fault == 0)
        fault = check_access(in);
    if (fault == 0 && known == make_fault(PLACE_WRITE, EROFS))
        fault = check_create(in);
    if (fault == 0)
        fault = check_lock(in);
    set_fault(in, known, fault);
    return fault_err(fault);
}
