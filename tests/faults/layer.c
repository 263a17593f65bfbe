#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Uses raw system calls: libc's functions of these names are replaced in layer_calls.c. */

static struct layer_page *page; /* never unmapped; NULL: none */
static const char *root;
static int log_fd = -1;
static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER; /* serialises the log */

__attribute__((constructor)) static void open_layer(void)
{
    const char *path = getenv("FAULTS_PAGE"), *log = getenv("FAULTS_LOG");
    int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *at = MAP_FAILED;

    if (fd >= 0)
        at = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        page = at;
    if (fd >= 0)
        syscall(SYS_close, fd);
    root = getenv("FAULTS_ROOT");
    if (root != NULL && log != NULL)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
}

bool layer_is_below(int fd, const char *folder)
{
    char link[48], path[512];
    size_t length = strlen(folder);
    ssize_t got;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    got = fd < 0 ? -1 : readlink(link, path, sizeof path);
    return got >= (ssize_t)length && memcmp(path, folder, length) == 0;
}

static bool is_named(const char *names, const char *call)
{
    size_t length = strlen(call);

    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");

        if (word == length && memcmp(at, call, length) == 0)
            return true;
        at += word;
    }
    return false;
}

/* Atomics: several threads count, and the test reads. */
bool layer_is_armed(const char *call)
{
    return page != NULL && __atomic_load_n(&page->is_armed, __ATOMIC_ACQUIRE) &&
           is_named(page->call, call);
}

static bool is_hit(const char *call, int fd)
{
    uint32_t number;

    if (!layer_is_armed(call))
        return false;
    if (page->under[0] != '\0' && !layer_is_below(fd, page->under))
        return false;
    number = __atomic_fetch_add(&page->seen, 1, __ATOMIC_RELAXED);
    if (number < page->at || number - page->at >= page->times)
        return false;
    __atomic_fetch_add(&page->hits, 1, __ATOMIC_RELAXED);
    return true;
}

static void sleep_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static void end_process(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

struct layer_hit layer_decide(const char *call, int fd)
{
    struct layer_hit hit = {0};
    int before = errno;

    if (!is_hit(call, fd)) {
        errno = before;
        return hit;
    }
    switch ((enum layer_mode)page->mode) {
    case LAYER_FAIL:
        hit.is_failing = true;
        break;
    case LAYER_SHORT:
        hit.is_short = true;
        break;
    case LAYER_BLOCK:
        sleep_ms(page->block_ms);
        break;
    case LAYER_KILL_BEFORE:
        end_process();
        break;
    case LAYER_KILL_AFTER:
        hit.is_killing_after = true;
        break;
    }
    errno = before;
    return hit;
}

int layer_fail(void)
{
    errno = page->error;
    return -1;
}

void layer_done(const struct layer_hit *hit)
{
    if (hit->is_killing_after)
        end_process();
}

int64_t layer_clock_offset_us(void)
{
    return page == NULL ? 0 : __atomic_load_n(&page->clock_offset_us, __ATOMIC_RELAXED);
}

/* --- the recorder ------------------------------------------------------------------------------
 */

uint64_t layer_ino(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool layer_record_begin(int fd, struct layer_record *record)
{
    struct timespec now;

    if (log_fd < 0 || !layer_is_below(fd, root))
        return false;
    pthread_mutex_lock(&recording);
    *record = (struct layer_record){0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    record->start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return true;
}

void layer_record_end(struct layer_record *record, bool is_done, const void *bytes, size_t length)
{
    int before = errno;

    record->length = (uint32_t)length;
    if (is_done && (syscall(SYS_write, log_fd, record, sizeof *record) != sizeof *record ||
                    (length > 0 && syscall(SYS_write, log_fd, bytes, length) != (long)length)))
        abort(); /* the test's own disk is full: the record would be lost */
    pthread_mutex_unlock(&recording);
    errno = before;
}
