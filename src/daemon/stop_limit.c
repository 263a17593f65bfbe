#include "daemon/stop_limit.h"

#include "daemon/options.h"

#include "base/log.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOG_LIMIT_S = 5 /* the log may be on the same disk */ };

static void *watch(void *arg)
{
    struct stop_limit *limit = arg;
    struct pollfd changed = {.fd = limit->event_fd, .events = POLLIN};
    unsigned limit_s;
    uint64_t count;

    log_name_thread("stop-limit");
    while ((limit_s = atomic_load(&limit->limit_s)) > 0 &&
           poll(&changed, 1, (int)limit_s * 1000) != 0)
        (void)!read(limit->event_fd, &count, sizeof count);
    if (limit_s == 0)
        return NULL;
    alarm(LOG_LIMIT_S);
    log_error("shutdown timeout: %s did not stop within %u s, possibly blocked by a hung disk; "
              "exiting anyway",
              atomic_load(&limit->what), limit_s);
    _exit(EXIT_FAILED);
}

static bool start_thread(struct stop_limit *limit)
{
    sigset_t all, before;
    bool is_started;

    if ((limit->event_fd = eventfd(0, EFD_CLOEXEC)) < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    is_started = pthread_create(&limit->thread, NULL, watch, limit) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!is_started)
        close(limit->event_fd);
    return is_started;
}

static void wake_thread(const struct stop_limit *limit)
{
    const uint64_t one = 1;

    (void)!write(limit->event_fd, &one, sizeof one); /* fails only while it is signalled */
}

void stop_limit_step(struct stop_limit *limit, const char *what, unsigned limit_s)
{
    atomic_store(&limit->what, what);
    atomic_store(&limit->limit_s, limit_s);
    if (!limit->is_started)
        limit->has_thread = start_thread(limit);
    else if (limit->has_thread)
        wake_thread(limit);
    limit->is_started = true;
    if (!limit->has_thread)
        alarm(limit_s); /* SIGALRM then terminates the process without a log line */
}

void stop_limit_end(struct stop_limit *limit)
{
    if (!limit->is_started)
        return;
    stop_limit_step(limit, "", 0);
    if (!limit->has_thread)
        return;
    pthread_join(limit->thread, NULL);
    close(limit->event_fd);
}
