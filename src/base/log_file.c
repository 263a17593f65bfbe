#include "base/log_file.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Written once, before other threads exist. */
static int sink = -1;
static char path[PATH_MAX]; /* with symbolic links resolved */
static char path_old[PATH_MAX + 2];
static bool is_regular;     /* otherwise no rotation and no check of the path */
static bool is_stderr_here; /* stderr is the same file: it is reopened too */
static log_file_error_fn *report_error;

/* Read and written by every thread that logs. Relaxed: no other data depends on them, and a line
 * more or less in a file, or a later check, is harmless. */
static _Atomic uint64_t limit, size, checked_s;
static atomic_bool is_truncated; /* the last write was short: begin the next with a newline */
static _Atomic int reopen_errno; /* of the last reopen, as reported; 0: it succeeded */

/* Taken with trylock only: one thread rotates or reopens, the others continue writing. */
static pthread_mutex_t rotation_lock = PTHREAD_MUTEX_INITIALIZER;

static int open_path(const char *name)
{
    return open(name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
}

static enum err fail_open(char *problem, size_t room, const char *name, int error_number)
{
    snprintf(
        problem, room,
        "cannot open log file %.900s: %s; check it and its directory, or set [log] file to another "
        "path or to nothing",
        name, error_number == ENXIO ? "no reader on this FIFO or socket" : strerror(error_number));
    return err_from_errno(error_number);
}

static void update_size(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0)
        atomic_store_explicit(&size, (uint64_t)st.st_size, memory_order_relaxed);
}

static bool is_same_file(int a, int b)
{
    struct stat st_a, st_b;

    return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
           st_a.st_ino == st_b.st_ino;
}

/* Only a regular file can be moved away; the target of /dev/stdout, a pipe, has no path. */
static bool store_path(const char *name, bool is_file)
{
    if (is_file)
        return realpath(name, path) != NULL;
    errno = ENAMETOOLONG;
    return text_copy(path, sizeof path, name) == ERR_OK;
}

enum err log_file_open(const char *name, log_file_error_fn *on_error, char *problem, size_t room)
{
    struct stat st;
    int fd = open_path(name);

    if (fd < 0)
        return fail_open(problem, room, name, errno);
    if (fstat(fd, &st) != 0 || !store_path(name, S_ISREG(st.st_mode))) {
        int error_number = errno;

        close(fd);
        return fail_open(problem, room, name, error_number);
    }
    snprintf(path_old, sizeof path_old, "%s.1", path);
    is_regular = S_ISREG(st.st_mode);
    is_stderr_here = is_same_file(fd, STDERR_FILENO);
    report_error = on_error;
    update_size(fd);
    sink = fd;
    return ERR_OK;
}

bool log_file_is_open(void)
{
    return sink >= 0;
}

void log_file_set_limit(uint64_t bytes)
{
    atomic_store_explicit(&limit, bytes, memory_order_relaxed);
}

/* Returns 0 or an errno, and then nothing has changed. A new file gets the mode of the old one. */
static int reopen(void)
{
    struct stat before;
    int fd = open_path(path);

    if (fd < 0)
        return errno;
    if (fstat(sink, &before) == 0 && !is_same_file(fd, sink))
        (void)fchmod(fd, before.st_mode & 0777);
    update_size(fd);
    if (is_stderr_here)
        (void)dup2(fd, STDERR_FILENO);
    (void)dup3(fd, sink, O_CLOEXEC);
    close(fd);
    return 0;
}

/* Reports each errno once, in the old file. The caller holds no lock. */
static void report_reopen(int error_number)
{
    int before = atomic_exchange_explicit(&reopen_errno, error_number, memory_order_relaxed);

    if (error_number != 0 && error_number != before)
        report_error(path, error_number);
}

void log_file_reopen(void)
{
    int error_number;

    if (!log_file_is_open() || pthread_mutex_trylock(&rotation_lock) != 0)
        return; /* another thread is reopening it */
    error_number = reopen();
    pthread_mutex_unlock(&rotation_lock);
    report_reopen(error_number);
}

static bool has_rotated(void)
{
    if (rename(path, path_old) != 0)
        return false;
    if (reopen() == 0)
        return true;
    (void)rename(path_old, path); /* out of descriptors, perhaps: retry later */
    return false;
}

/* A file that cannot be rotated is emptied at twice its limit: an unlimited log would fill the
 * disk.
 */
static bool is_far_beyond_limit(void)
{
    return atomic_load_explicit(&size, memory_order_relaxed) / 2 >=
           atomic_load_explicit(&limit, memory_order_relaxed);
}

static void rotate(void)
{
    if (pthread_mutex_trylock(&rotation_lock) != 0)
        return;
    if (!has_rotated() && is_far_beyond_limit() && ftruncate(sink, 0) == 0)
        update_size(sink);
    pthread_mutex_unlock(&rotation_lock);
}

static bool is_moved(void)
{
    struct stat here, open_one;

    return fstat(sink, &open_one) != 0 || stat(path, &here) != 0 ||
           here.st_dev != open_one.st_dev || here.st_ino != open_one.st_ino;
}

/* Once per second: another program may have renamed, removed or truncated it. */
static void check_path(void)
{
    uint64_t now_s = clock_mono_ms() / 1000;

    if (atomic_exchange_explicit(&checked_s, now_s, memory_order_relaxed) == now_s)
        return;
    if (is_moved())
        log_file_reopen();
    else
        update_size(sink);
}

static ssize_t append(const char *line, size_t length)
{
    bool needs_newline = atomic_exchange_explicit(&is_truncated, false, memory_order_relaxed);
    const struct iovec parts[] = {{(char *)"\n", needs_newline ? 1 : 0}, {(char *)line, length}};
    ssize_t written = writev(sink, parts, 2);

    if (written != (ssize_t)(parts[0].iov_len + length) && is_regular)
        atomic_store_explicit(&is_truncated, needs_newline || written > 0, memory_order_relaxed);
    return written;
}

static bool is_beyond_limit(void)
{
    uint64_t max = atomic_load_explicit(&limit, memory_order_relaxed);

    return max > 0 && atomic_load_explicit(&size, memory_order_relaxed) > max;
}

bool log_file_write(const char *line, size_t length)
{
    ssize_t written;

    if (!is_regular)
        return write(sink, line, length) == (ssize_t)length;
    check_path();
    written = append(line, length);
    if (written < 0 && errno == EFBIG) { /* ulimit -f, or the file system's own limit */
        rotate();
        written = append(line, length);
    }
    if (written > 0)
        atomic_fetch_add_explicit(&size, (uint64_t)written, memory_order_relaxed);
    if (is_beyond_limit())
        rotate();
    return written >= (ssize_t)length;
}
