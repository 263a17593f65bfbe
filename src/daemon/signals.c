#include "daemon/signals.h"

#include "daemon/options.h"

#include "base/inherit.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The libraries' initialization takes about ten milliseconds before main is called: a signal then
 * would terminate the process by its default action. This runs before it and so uses no library. */
static void block_signals_early(void)
{
    const uint64_t set =
        UINT64_C(1) << (SIGHUP - 1) | UINT64_C(1) << (SIGTERM - 1) | UINT64_C(1) << (SIGINT - 1);

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof set);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const block_signals_first)(void) = block_signals_early;

/* Acknowledged files are durable at any time, so an immediate exit loses none of them. */
static void exit_now(void)
{
    log_warning("second stop signal: exiting immediately");
    _exit(EXIT_FAILED);
}

static void exit_in_handler(int number)
{
    (void)number;
    _exit(EXIT_FAILED);
}

/* SIGINT stays ignored if it was ignored at the start: a shell ignores it for background jobs. */
static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    if (!inherit_is_ignored(SIGINT))
        sigaddset(set, SIGINT);
}

void signals_block(void)
{
    sigset_t set;

    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    inherit_reset_signals(&set);
}

static void handle_signal(struct signals *s, unsigned number)
{
    if (number == SIGHUP) {
        s->reload(s->ctx);
        return;
    }
    if (s->is_stopping)
        exit_now();
    s->is_stopping = true;
    log_info("%s: stopping", strsignal((int)number));
    s->stop(s->ctx);
}

static void ready(struct watch *w, uint32_t events)
{
    struct signals *s = w->ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(w->fd, &info, sizeof info) == sizeof info)
        handle_signal(s, info.ssi_signo);
}

enum err signals_open(struct signals *s, struct loop *loop)
{
    sigset_t set;

    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    s->watch = (struct watch){
        .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .ready = ready, .ctx = s};
    if (s->watch.fd < 0)
        return err_from_errno(errno);
    return loop_add(loop, &s->watch, EPOLLIN);
}

void signals_exit_in_handler(void)
{
    struct sigaction action = {.sa_handler = exit_in_handler};
    sigset_t set;

    stop_signals(&set);
    sigaction(SIGTERM, &action, NULL);
    if (sigismember(&set, SIGINT))
        sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void signals_close(struct signals *s)
{
    if (s->watch.fd > 0)
        close(s->watch.fd);
}
