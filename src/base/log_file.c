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

/* Written once, before there are other threads. */
static int sink = -1;
static char path[PATH_MAX]; /* where the file is, links followed */
static char path_old[PATH_MAX + 2];
static bool is_regular;     /* else nothing is turned and nothing looked after */
static bool is_stderr_here; /* stderr is the same file: it goes with it */
static log_file_trouble_fn *tell_trouble;

/* Read and written by whoever writes a line. Relaxed: a line more or less in a file, or a look a
 * little later, does no harm, and nothing else hangs on them. */
static _Atomic uint64_t limit, size, look_s;
static atomic_bool is_torn; /* the last line did not fit whole: the next begins a new one */
static _Atomic int
    reopen_errno; /* why the file could not be opened anew, as last told; 0: it was */

/* Only tried, never waited for: one thread turns or reopens, the others go on writing. */
static pthread_mutex_t turning = PTHREAD_MUTEX_INITIALIZER;

static int open_path(const char *name)
{
    return open(name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
}

static enum err refuse(char *problem, size_t room, const char *name, int error_number)
{
    snprintf(
        problem, room,
        "the log file %.900s cannot be opened: %s; see to it and its folder, or set [log] file "
        "to another path or to nothing",
        name, error_number == ENXIO ? "nobody reads this FIFO or socket" : strerror(error_number));
    return err_from_errno(error_number);
}

static void take_size(int fd)
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

/* Nobody moves what is no file, and what /dev/stdout leads to, a pipe, has no path. */
static bool keep_path(const char *name, bool is_file)
{
    if (is_file)
        return realpath(name, path) != NULL;
    errno = ENAMETOOLONG;
    return text_copy(path, sizeof path, name) == ERR_OK;
}

enum err log_file_open(const char *name, log_file_trouble_fn *trouble, char *problem, size_t room)
{
    struct stat st;
    int fd = open_path(name);

    if (fd < 0)
        return refuse(problem, room, name, errno);
    if (fstat(fd, &st) != 0 || !keep_path(name, S_ISREG(st.st_mode))) {
        int error_number = errno;

        close(fd);
        return refuse(problem, room, name, error_number);
    }
    snprintf(path_old, sizeof path_old, "%s.1", path);
    is_regular = S_ISREG(st.st_mode);
    is_stderr_here = is_same_file(fd, STDERR_FILENO);
    tell_trouble = trouble;
    take_size(fd);
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

/* 0, or an errno: then all is as it was. A new file has the mode of the one before. */
static int open_anew(void)
{
    struct stat before;
    int fd = open_path(path);

    if (fd < 0)
        return errno;
    if (fstat(sink, &before) == 0 && !is_same_file(fd, sink))
        (void)fchmod(fd, before.st_mode & 0777);
    take_size(fd);
    if (is_stderr_here)
        (void)dup2(fd, STDERR_FILENO);
    (void)dup3(fd, sink, O_CLOEXEC);
    close(fd);
    return 0;
}

/* Told once for each reason, in the file that is still there. The caller holds no lock. */
static void tell_reopened(int error_number)
{
    int before = atomic_exchange_explicit(&reopen_errno, error_number, memory_order_relaxed);

    if (error_number != 0 && error_number != before)
        tell_trouble(path, error_number);
}

void log_file_reopen(void)
{
    int error_number;

    if (!log_file_is_open() || pthread_mutex_trylock(&turning) != 0)
        return; /* it is being opened anew just now */
    error_number = open_anew();
    pthread_mutex_unlock(&turning);
    tell_reopened(error_number);
}

static bool has_turned(void)
{
    if (rename(path, path_old) != 0)
        return false;
    if (open_anew() == 0)
        return true;
    (void)rename(path_old, path); /* no descriptor is free, perhaps: later */
    return false;
}

/* Once more its limit, and a file that cannot be turned is emptied: a log without a bound would
 * take the whole disk. */
static bool is_far_beyond_limit(void)
{
    return atomic_load_explicit(&size, memory_order_relaxed) / 2 >=
           atomic_load_explicit(&limit, memory_order_relaxed);
}

static void turn(void)
{
    if (pthread_mutex_trylock(&turning) != 0)
        return;
    if (!has_turned() && is_far_beyond_limit() && ftruncate(sink, 0) == 0)
        take_size(sink);
    pthread_mutex_unlock(&turning);
}

static bool is_moved(void)
{
    struct stat here, open_one;

    return fstat(sink, &open_one) != 0 || stat(path, &here) != 0 ||
           here.st_dev != open_one.st_dev || here.st_ino != open_one.st_ino;
}

/* Once a second: somebody may have renamed it, removed it or cut it short. */
static void look_after(void)
{
    uint64_t now_s = clock_mono_ms() / 1000;

    if (atomic_exchange_explicit(&look_s, now_s, memory_order_relaxed) == now_s)
        return;
    if (is_moved())
        log_file_reopen();
    else
        take_size(sink);
}

static ssize_t append(const char *line, size_t length)
{
    bool begins_anew = atomic_exchange_explicit(&is_torn, false, memory_order_relaxed);
    const struct iovec parts[] = {{(char *)"\n", begins_anew ? 1 : 0}, {(char *)line, length}};
    ssize_t written = writev(sink, parts, 2);

    if (written != (ssize_t)(parts[0].iov_len + length) && is_regular)
        atomic_store_explicit(&is_torn, begins_anew || written > 0, memory_order_relaxed);
    return written;
}

static bool is_beyond_limit(void)
{
    uint64_t most = atomic_load_explicit(&limit, memory_order_relaxed);

    return most > 0 && atomic_load_explicit(&size, memory_order_relaxed) > most;
}

bool log_file_write(const char *line, size_t length)
{
    ssize_t written;

    if (!is_regular)
        return write(sink, line, length) == (ssize_t)length;
    look_after();
    written = append(line, length);
    if (written < 0 && errno == EFBIG) { /* ulimit -f, or the file system's own limit */
        turn();
        written = append(line, length);
    }
    if (written > 0)
        atomic_fetch_add_explicit(&size, (uint64_t)written, memory_order_relaxed);
    if (is_beyond_limit())
        turn();
    return written >= (ssize_t)length;
}
