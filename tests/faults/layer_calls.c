/* Replacements of libc's functions: each makes the system call, with the layer around it. */
#include "layer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier) glibc's own names for what is under malloc */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

/* Calls `name` on `fd` with that `result`, unless it is made to fail. */
#define CALL(result, name, fd, call)                      \
    do {                                                  \
        struct layer_hit hit_ = layer_decide(name, fd);   \
        result = hit_.is_failing ? layer_fail() : (call); \
        layer_done(&hit_);                                \
    } while (0)

static bool is_in(const void *caller, const char *library)
{
    Dl_info info;

    return dladdr(caller, &info) != 0 && strstr(info.dli_fname, library) != NULL;
}

/* --- memory ------------------------------------------------------------------------------------
 */

/* xmlrpc-c and iniparser crash if one of their own allocations fails (one uses a lock, the other an
 * array that was not allocated), so these are exempt: docs/reliability.md. */
static bool is_exempt(const void *caller)
{
    return layer_is_armed("alloc") && (is_in(caller, "libxmlrpc") || is_in(caller, "libiniparser"));
}

static bool is_without_memory(const void *caller)
{
    struct layer_hit hit = {0};

    if (is_exempt(caller))
        return false;
    hit = layer_decide("alloc", -1);
    if (hit.is_failing)
        errno = ENOMEM;
    return hit.is_failing;
}

void *malloc(size_t size)
{
    return is_without_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_without_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_without_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

/* --- descriptors -------------------------------------------------------------------------------
 */

static int open_at(const char *call, int dir, const char *path, int flags, mode_t mode)
{
    struct layer_record record;
    bool is_recorded = (flags & O_CREAT) != 0 && layer_record_begin(dir, &record);
    bool is_new = is_recorded && syscall(SYS_faccessat, dir, path, F_OK) != 0;
    int fd;

    CALL(fd, call, dir, (int)syscall(SYS_openat, dir, path, flags, mode));
    if (!is_recorded)
        return fd;
    if (fd >= 0 && (is_new || (flags & O_TRUNC) != 0)) {
        record.kind = is_new ? LAYER_CREATE : LAYER_TRUNCATE;
        record.ino = layer_ino(fd);
        record.dir = layer_ino(dir);
        snprintf(record.name, sizeof record.name, "%s", path);
    }
    layer_record_end(&record, record.ino != 0, NULL, 0);
    return fd;
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at("openat", dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at("open", AT_FDCWD, path, flags, mode);
}

int accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    bool is_control =
        getsockname(fd, (struct sockaddr *)&own, &own_length) == 0 && own.ss_family == AF_UNIX;
    int got;

    CALL(got, is_control ? "accept4-control" : "accept4", fd,
         (int)syscall(SYS_accept4, fd, from, length, flags));
    return got;
}

int socket(int family, int type, int protocol)
{
    int fd;

    CALL(fd, "socket", -1, (int)syscall(SYS_socket, family, type, protocol));
    return fd;
}

int eventfd(unsigned count, int flags)
{
    int fd;

    CALL(fd, "eventfd", -1, (int)syscall(SYS_eventfd2, count, flags));
    return fd;
}

int epoll_create1(int flags)
{
    int fd;

    CALL(fd, "epoll_create1", -1, (int)syscall(SYS_epoll_create1, flags));
    return fd;
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    int done;

    /* Only adding allocates. libmicrohttpd loses a connection that it could not add. */
    if (op != EPOLL_CTL_ADD || is_in(__builtin_return_address(0), "libmicrohttpd"))
        return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
    CALL(done, "epoll_ctl", -1, (int)syscall(SYS_epoll_ctl, epoll, op, fd, event));
    return done;
}

int memfd_create(const char *name, unsigned flags)
{
    int fd;

    CALL(fd, "memfd_create", -1, (int)syscall(SYS_memfd_create, name, flags));
    return fd;
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static ssize_t write_at(const char *call, int fd, const void *bytes, size_t length, off_t offset)
{
    struct layer_hit hit = layer_decide(call, fd);
    size_t most = hit.is_short && length > 1 ? length / 2 : length;
    bool is_here = strcmp(call, "write") == 0; /* at the file offset */
    struct layer_record record;
    bool is_recorded = layer_record_begin(fd, &record);
    ssize_t done;

    if (is_recorded)
        record.offset = (uint64_t)(is_here ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : offset);
    if (hit.is_failing)
        done = layer_fail();
    else if (is_here)
        done = syscall(SYS_write, fd, bytes, most);
    else
        done = syscall(SYS_pwrite64, fd, bytes, most, offset);
    if (is_recorded) {
        record.kind = LAYER_WRITE;
        record.ino = layer_ino(fd);
        layer_record_end(&record, done > 0, bytes, done > 0 ? (size_t)done : 0);
    }
    layer_done(&hit);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return write_at("write", fd, bytes, length, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return write_at("pwrite", fd, bytes, length, offset);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    ssize_t got;

    CALL(got, "pread", fd, syscall(SYS_pread64, fd, bytes, length, offset));
    return got;
}

/* `length`, shortened if hit; socket calls are not recorded. */
static size_t shortened(const struct layer_hit *hit, size_t length)
{
    return hit->is_short && length > 1 ? length / 2 : length;
}

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    struct layer_hit hit = layer_decide("recv", -1);
    ssize_t got = hit.is_failing ? layer_fail()
                                 : syscall(SYS_recvfrom, fd, bytes, shortened(&hit, length), flags,
                                           NULL, NULL);

    layer_done(&hit);
    return got;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    struct layer_hit hit = layer_decide("send", -1);
    ssize_t sent = hit.is_failing
                       ? layer_fail()
                       : syscall(SYS_sendto, fd, bytes, shortened(&hit, length), flags, NULL, 0);

    layer_done(&hit);
    return sent;
}

int ftruncate(int fd, off_t length)
{
    struct layer_record record;
    bool is_recorded = layer_record_begin(fd, &record);
    int done;

    CALL(done, "ftruncate", fd, (int)syscall(SYS_ftruncate, fd, length));
    if (is_recorded) {
        record.kind = LAYER_TRUNCATE;
        record.ino = layer_ino(fd);
        record.offset = (uint64_t)length;
        layer_record_end(&record, done == 0, NULL, 0);
    }
    return done;
}

/* Not a system call: names are resolved in a separate thread (peers/resolver.h). */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(
            RTLD_NEXT, "getaddrinfo");
    struct layer_hit hit = layer_decide("getaddrinfo", -1);

    return hit.is_failing ? EAI_AGAIN : real(host, service, hints, list);
}

/* --- the disk ----------------------------------------------------------------------------------
 */

static int sync_fd(const char *call, long number, int fd)
{
    struct layer_record record;
    bool is_recorded = layer_record_begin(fd, &record);
    int done;

    CALL(done, call, fd, (int)syscall(number, fd));
    if (is_recorded) {
        record.kind = number == SYS_syncfs ? LAYER_SYNC_ALL : LAYER_SYNC;
        record.ino = layer_ino(fd);
        layer_record_end(&record, done == 0, NULL, 0);
    }
    return done;
}

int fsync(int fd)
{
    return sync_fd("fsync", SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_fd("fdatasync", SYS_fdatasync, fd);
}

int syncfs(int fd)
{
    return sync_fd("syncfs", SYS_syncfs, fd);
}

/* Not recorded: guarantees nothing. */
int sync_file_range(int fd, off_t from, off_t length, unsigned flags)
{
    int done;

    CALL(done, "sync_file_range", fd, (int)syscall(SYS_sync_file_range, fd, from, length, flags));
    return done;
}

static void record_names(struct layer_record *record, enum layer_record_kind kind, int dir,
                         const char *name)
{
    record->kind = kind;
    record->dir = layer_ino(dir);
    snprintf(record->name, sizeof record->name, "%s", name);
}

static int rename_at(const char *call, int dir, const char *name, int to_dir, const char *to_name,
                     unsigned flags)
{
    struct layer_record record;
    bool is_recorded = layer_record_begin(dir, &record);
    int done;

    CALL(done, call, dir, (int)syscall(SYS_renameat2, dir, name, to_dir, to_name, flags));
    if (is_recorded) {
        record_names(&record, LAYER_RENAME, dir, name);
        record.to_dir = layer_ino(to_dir);
        snprintf(record.to_name, sizeof record.to_name, "%s", to_name);
        layer_record_end(&record, done == 0, NULL, 0);
    }
    return done;
}

int renameat2(int dir, const char *name, int to_dir, const char *to_name, unsigned flags)
{
    return rename_at("renameat2", dir, name, to_dir, to_name, flags);
}

int renameat(int dir, const char *name, int to_dir, const char *to_name)
{
    return rename_at("renameat", dir, name, to_dir, to_name, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
    struct layer_record record;
    bool is_recorded = layer_record_begin(dir, &record);
    int done;

    CALL(done, "unlinkat", dir, (int)syscall(SYS_unlinkat, dir, name, flags));
    if (is_recorded) {
        record_names(&record, LAYER_UNLINK, dir, name);
        layer_record_end(&record, done == 0, NULL, 0);
    }
    return done;
}

/* --- the clock ---------------------------------------------------------------------------------
 */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int done = (int)syscall(SYS_clock_gettime, clock, now);

    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += (time_t)(layer_clock_offset_us() / 1000000);
    return done;
}

time_t time(time_t *to)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return 0;
}
