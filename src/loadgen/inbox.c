#include "loadgen/inbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVERY_MS = 200, LARGE_BYTES = 1 << 20 };

struct loadgen_inbox {
    DIR *folder; /* used by the thread only */
    int stop_fd; /* an eventfd: written once, to stop */
    pthread_t id;
};

/* The suffix of received files (docs/design.md, the inbox). */
static bool is_received(const char *name)
{
    size_t length = strlen(name);

    return name[0] != '.' && length > 3 && strcmp(name + length - 3, ".in") == 0;
}

/* Freeing the memory of a large file in a tmpfs takes 12 ms of CPU time, so it runs at idle
 * priority. Unlinking does not, since it locks the folder and the daemon would wait for it. A
 * failure only affects the measurement. */
static void set_policy(int policy)
{
    const struct sched_param none = {0};

    sched_setscheduler(0, policy, &none);
}

static void empty_if_large(int folder, const char *name)
{
    struct stat file;
    int fd;

    if (fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) != 0 || file.st_size < LARGE_BYTES)
        return;
    fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    set_policy(SCHED_IDLE);
    if (ftruncate(fd, 0) != 0) /* then unlinking frees the memory */
        errno = 0;
    set_policy(SCHED_OTHER);
    close(fd);
}

static void sweep(DIR *folder)
{
    const struct dirent *entry;

    rewinddir(folder);
    while ((entry = readdir(folder)) != NULL)
        if (is_received(entry->d_name)) {
            empty_if_large(dirfd(folder), entry->d_name);
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
}

static void *run(void *ctx)
{
    struct loadgen_inbox *inbox = ctx;
    struct pollfd stop = {.fd = inbox->stop_fd, .events = POLLIN};

    while (poll(&stop, 1, EVERY_MS) == 0)
        sweep(inbox->folder);
    sweep(inbox->folder);
    return NULL;
}

static void free_inbox(struct loadgen_inbox **inbox)
{
    if ((*inbox)->folder != NULL)
        closedir((*inbox)->folder);
    if ((*inbox)->stop_fd >= 0)
        close((*inbox)->stop_fd);
    free(*inbox);
    *inbox = NULL;
}

enum err loadgen_inbox_start(struct loadgen_inbox **out, const char *folder)
{
    struct loadgen_inbox *inbox = calloc(1, sizeof *inbox);
    enum err e = ERR_OK;

    if (inbox == NULL)
        return ERR_NO_MEMORY;
    inbox->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (inbox->stop_fd < 0 || (inbox->folder = opendir(folder)) == NULL)
        e = err_from_errno(errno);
    else
        e = err_from_errno(pthread_create(&inbox->id, NULL, run, inbox));
    if (e == ERR_OK)
        *out = inbox;
    else
        free_inbox(&inbox);
    return e;
}

void loadgen_inbox_stop(struct loadgen_inbox **inbox)
{
    const uint64_t one = 1;

    if (*inbox == NULL)
        return;
    if (write((*inbox)->stop_fd, &one, sizeof one) == (ssize_t)sizeof one)
        pthread_join((*inbox)->id, NULL);
    free_inbox(inbox);
}
