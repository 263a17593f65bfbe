/* Whether the inbox is still where it was opened. Everything is done by descriptor, so a folder
 * that is moved away, or that another file system is mounted over, would go on taking files, and
 * the path that is told to people and gateways would not lead to them.
 *
 * Two looks. Each batch compares the two folders before it is answered (inbox_place_look): what it
 * finds wrong fails the batch. The committer's second thread looks at everything, every now and
 * then (inbox_place_check), and it alone takes a trouble back. */
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

/* A trouble is a place and an errno, in one number so that both change together. 0: none. An errno
 * of 0: there is something, but not what was opened. */
enum place { PLACE_GOOD, PLACE_PATH, PLACE_FOLDER, PLACE_SECOND, PLACE_LOCK, PLACE_WRITE };
enum { ERRNO_BITS = 16, ERRNO_MASK = (1 << ERRNO_BITS) - 1 };

static uint32_t trouble_of(enum place place, int error_number)
{
    return (uint32_t)place << ERRNO_BITS | (uint32_t)(error_number & ERRNO_MASK);
}

static enum place place_of(uint32_t trouble)
{
    return (enum place)(trouble >> ERRNO_BITS);
}

static int errno_of(uint32_t trouble)
{
    return (int)(trouble & ERRNO_MASK);
}

static bool is_one(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What stands under `name` is not what `fd` has. Both are asked now: there are file systems whose
 * inode numbers change (overlayfs, FUSE). What `fd` had when it was opened, if it is the same, is
 * enough: while it is open nothing else gets its number. */
static uint32_t compare(enum place place, int dir_fd, const char *name, int flags, int fd,
                        const struct stat *opened)
{
    struct stat named, ours;

    if (fstatat(dir_fd, name, &named, flags) != 0)
        return trouble_of(place, errno);
    if (opened != NULL && is_one(&named, opened))
        return 0;
    if (fstat(fd, &ours) != 0)
        return trouble_of(place, errno);
    return is_one(&named, &ours) ? 0 : trouble_of(place, 0);
}

/* In a folder that we may not enter (any more) everything is still where it was. */
static uint32_t compare_folders(const struct inbox *in)
{
    uint32_t trouble = compare(PLACE_PATH, AT_FDCWD, in->path, 0, in->dir_fd, &in->dir);

    if (trouble == 0)
        trouble = compare(PLACE_FOLDER, in->dir_fd, INBOX_FOLDER, AT_SYMLINK_NOFOLLOW,
                          in->partial_fd, &in->partial);
    return trouble == trouble_of(PLACE_FOLDER, EACCES) ? trouble_of(PLACE_WRITE, EACCES) : trouble;
}

/* --- saying it ---------------------------------------------------------------------------------
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

static void explain(const struct inbox *in, uint32_t trouble, char *to, size_t room)
{
    enum place place = place_of(trouble);
    int error_number = errno_of(trouble);
    const char *path = strcmp(in->path, "/") == 0 && place != PLACE_PATH ? "" : in->path;

    if (place == PLACE_WRITE)
        snprintf(to, room, "inbox %s cannot be written: %s; %s", in->path, strerror(error_number),
                 err_advice(err_from_errno(error_number), "let the daemon's user write it"));
    else if (place == PLACE_LOCK && (error_number == EAGAIN || error_number == EACCES))
        snprintf(to, room,
                 "inbox %s: its lock file was taken away, and another dustwired uses it now; stop "
                 "one of them, or give each an [inbox] path of its own",
                 in->path);
    else
        snprintf(to, room, "inbox %s%s is not the %s that was opened: %s; put %s back, or %s", path,
                 part_name(place), place == PLACE_LOCK ? "file" : "folder",
                 error_number != 0 ? strerror(error_number) : "another stands in its place",
                 error_number != 0 ? "it" : "the first one",
                 error_number != 0 ? "restart dustwired" : "restart dustwired to use this one");
}

static enum err err_of(uint32_t trouble)
{
    if (trouble == 0)
        return ERR_OK;
    return place_of(trouble) == PLACE_WRITE ? err_from_errno(errno_of(trouble)) : ERR_NO_INBOX;
}

enum err inbox_place_trouble(const struct inbox *in, char *to, size_t room)
{
    uint32_t trouble = atomic_load(&in->trouble);

    if (room > 0)
        to[0] = '\0';
    if (trouble == 0)
        return ERR_OK;
    explain(in, trouble, to, room);
    return err_of(trouble);
}

enum err inbox_place_refuses(const struct inbox *in)
{
    uint32_t trouble = atomic_load(&in->trouble);

    return trouble == trouble_of(PLACE_WRITE, EROFS) ? ERR_OK : err_of(trouble);
}

/* Said once, by whoever changes it: a thread that comes too late finds another's word. */
static void change(struct inbox *in, uint32_t from, uint32_t to)
{
    char text[INBOX_TROUBLE_SIZE];

    if (from == to || !atomic_compare_exchange_strong(&in->trouble, &from, to))
        return;
    if (to == 0) {
        log_warning("inbox %s: what was wrong with it is over; files are taken in", in->path);
        return;
    }
    explain(in, to, text, sizeof text);
    log_error("%s; no file is taken in until then", text);
}

/* --- looking -----------------------------------------------------------------------------------
 */

enum err inbox_place_look(struct inbox *in)
{
    uint32_t known = atomic_load(&in->trouble), trouble = compare_folders(in);

    if (trouble == 0)
        return ERR_OK; /* what else may be wrong is the other look's matter */
    if (known == 0)
        change(in, known, trouble);
    return err_of(trouble);
}

static int ask_access(int dir_fd)
{
    return faccessat(dir_fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static uint32_t check_access(const struct inbox *in)
{
    int error_number = ask_access(in->dir_fd);

    if (error_number == 0)
        error_number = ask_access(in->partial_fd);
    return error_number == 0 || !in->can_check_access ? 0 : trouble_of(PLACE_WRITE, error_number);
}

/* Files have just been made there, so an answer that says otherwise is a sandbox's, not the file
 * system's. */
void inbox_place_open(struct inbox *in)
{
    if (fstat(in->dir_fd, &in->dir) != 0 || fstat(in->partial_fd, &in->partial) != 0)
        in->dir = in->partial = (struct stat){0}; /* then they are asked each time */
    in->can_check_access = ask_access(in->dir_fd) == 0 && ask_access(in->partial_fd) == 0;
}

/* A kernel that stops writing to a file system for its errors need not say so to access(2): only
 * who makes a file hears it. */
static uint32_t check_making(const struct inbox *in)
{
    static const char name[] = "try-make";
    int fd = openat(in->partial_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EROFS ? trouble_of(PLACE_WRITE, EROFS) : 0;
    close(fd);
    unlinkat(in->partial_fd, name, 0);
    return 0;
}

void inbox_place_refused(struct inbox *in, enum err e)
{
    uint32_t known = atomic_load(&in->trouble);

    if (e == ERR_READ_ONLY && known == 0)
        change(in, known, trouble_of(PLACE_WRITE, EROFS));
}

/* Without the name of the file that we hold locked another daemon could lock a new one. */
static uint32_t check_lock(struct inbox *in)
{
    uint32_t trouble =
        compare(PLACE_LOCK, in->partial_fd, INBOX_LOCK, AT_SYMLINK_NOFOLLOW, in->lock_fd, NULL);
    int fd;

    if (trouble == 0)
        return 0;
    if (inbox_lock_take(in->partial_fd, &fd) != 0) {
        int error_number = errno;

        if (fd >= 0)
            close(fd);
        return trouble_of(PLACE_LOCK, error_number);
    }
    close(in->lock_fd);
    in->lock_fd = fd;
    log_warning("inbox %s: its lock file was taken away, and has been made again", in->path);
    return 0;
}

static uint32_t check_second(const struct inbox *in)
{
    int error_number;

    if (store_directory_is_same(in->partial_fd, INBOX_SECOND, in->second_fd))
        return 0;
    error_number = store_directory_make_again(in->partial_fd, INBOX_SECOND, in->second_fd);
    if (error_number != 0)
        return trouble_of(PLACE_SECOND, error_number);
    log_warning("inbox %s: its folder " INBOX_FOLDER "/" INBOX_SECOND
                " was taken away, and has been made again; files under way in it fail",
                in->path);
    return 0;
}

enum err inbox_place_check(struct inbox *in)
{
    uint32_t known = atomic_load(&in->trouble), trouble = compare_folders(in);

    if (trouble == 0)
        trouble = check_second(in);
    if (trouble == 0)
        trouble = check_access(in);
    if (trouble == 0 && known == trouble_of(PLACE_WRITE, EROFS))
        trouble = check_making(in);
    if (trouble == 0)
        trouble = check_lock(in);
    change(in, known, trouble);
    return err_of(trouble);
}
