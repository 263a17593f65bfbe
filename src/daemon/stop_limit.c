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
    struct pollfd bell = {.fd = limit->bell, .events = POLLIN};
    unsigned limit_s;
    uint64_t rings;

    log_name_thread("stop-limit");
    while ((limit_s = atomic_load(&limit->limit_s)) > 0 && poll(&bell, 1, (int)limit_s * 1000) != 0)
        (void)!read(limit->bell, &rings, sizeof rings);
    if (limit_s == 0)
        return NULL;
    alarm(LOG_LIMIT_S);
    log_error("the stop has waited %u s for %s, perhaps because a disk does not answer: ended "
              "without it",
              limit_s, atomic_load(&limit->what));
    _exit(EXIT_FAILED);
}

static bool start_thread(struct stop_limit *limit)
{
    sigset_t all, before;
    bool is_started;

    if ((limit->bell = eventfd(0, EFD_CLOEXEC)) < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    is_started = pthread_create(&limit->thread, NULL, watch, limit) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!is_started)
        close(limit->bell);
    return is_started;
}

static void ring(const struct stop_limit *limit)
{
    const uint64_t one = 1;

    (void)!write(limit->bell, &one, sizeof one); /* refused only while it rings */
}

void stop_limit_step(struct stop_limit *limit, const char *what, unsigned limit_s)
{
    atomic_store(&limit->what, what);
    atomic_store(&limit->limit_s, limit_s);
    if (!limit->is_begun)
        limit->is_watched = start_thread(limit);
    else if (limit->is_watched)
        ring(limit);
    limit->is_begun = true;
    if (!limit->is_watched)
        alarm(limit_s); /* it ends us without a word, then */
}

void stop_limit_end(struct stop_limit *limit)
{
    if (!limit->is_begun)
        return;
    stop_limit_step(limit, "", 0);
    if (!limit->is_watched)
        return;
    pthread_join(limit->thread, NULL);
    close(limit->bell);
}
