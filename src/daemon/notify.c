#include "daemon/notify.h"

#include "base/log.h"
#include "loop/pulse.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

enum {
    UNSERVED_QUARTER_MS = 45000,
    QUARTER_LEAST_MS =
        50, /* asked more often, a thread that waits for its CPU would be judged dead */
};

static uint64_t mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A line of its own for each assignment: `text` must not begin another. */
static void tell(const char *state, const char *text)
{
    sd_notifyf(0, "%sSTATUS=%.*s", state, (int)strcspn(text, "\n"), text);
}

/* systemd 252 has no Type=notify-reload: the two words of it are said by hand, in every version. */
static void tell_reloading(const char *text)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=%s", mono_us(), text);
}

void notify_news(void *ctx, enum supervisor_news news, const char *text)
{
    struct notify *notify = ctx;

    switch (news) {
    case SUPERVISOR_NEWS_SETTLED:
        tell(notify->is_ready ? "" : "READY=1\n", text);
        notify->is_ready = true;
        break;
    case SUPERVISOR_NEWS_RELOADING:
        if (notify->is_ready)
            tell_reloading(text);
        break;
    case SUPERVISOR_NEWS_RELOADED:
        tell(notify->is_ready ? "READY=1\n" : "", text);
        break;
    case SUPERVISOR_NEWS_STOPPING:
        tell("STOPPING=1\n", text);
        break;
    }
}

static void ask(struct watchdog *w)
{
    pulse_ask(loop_mailbox(w->loop), loop_now_ms(w->loop));
    w->is_asked = true;
}

static void all_is_well(struct watchdog *w)
{
    w->is_asked = false;
    if (w->is_served)
        sd_notify(0, "WATCHDOG=1");
}

static void tell_pulse(void *ctx, const char *name, enum pulse_state state, uint64_t ms)
{
    const struct watchdog *w = ctx;

    if (state == PULSE_TURNS)
        log_info("the thread %s turns again", name);
    else if (state == PULSE_WAITS)
        log_warning("the thread %s has waited for a file or a disk for %" PRIu64
                    " ms: what needs it waits too",
                    name, ms);
    else
        log_warning(
            "the thread %s has not turned for %" PRIu64 " ms%s", name, ms,
            w->is_served ? ": the service manager is not told that all is well until it does" : "");
}

/* Every other time asks. Between two questions those that have not answered are judged: late
 * enough for an answer, and early enough that the service manager is told in time of one that only
 * waits for a disk. */
static void timer_due(struct timer *timer, void *ctx)
{
    struct watchdog *w = ctx;
    bool is_well = pulse_check(loop_now_ms(w->loop), tell_pulse, w);

    loop_set_timer(w->loop, timer, w->quarter_ms);
    if (is_well && w->is_asked)
        all_is_well(w);
    w->is_between = !w->is_between;
    if (is_well && !w->is_between)
        ask(w);
}

static uint64_t quarter_of(uint64_t interval_us)
{
    uint64_t quarter_ms = interval_us / 4000;

    if (quarter_ms >= QUARTER_LEAST_MS)
        return quarter_ms;
    log_warning("the watchdog interval of %" PRIu64
                " us (WATCHDOG_USEC) is too short: %d ms are used; "
                "set WatchdogSec to a second or more",
                interval_us, 4 * QUARTER_LEAST_MS);
    return QUARTER_LEAST_MS;
}

void watchdog_start(struct watchdog *w, struct loop *loop)
{
    uint64_t interval_us = 0;

    *w = (struct watchdog){
        .loop = loop, .timer = {.fire = timer_due, .ctx = w}, .quarter_ms = UNSERVED_QUARTER_MS};
    w->is_served = sd_watchdog_enabled(0, &interval_us) > 0;
    if (w->is_served)
        w->quarter_ms = quarter_of(interval_us);
    loop_set_timer(loop, &w->timer, w->quarter_ms);
    ask(w);
}

void watchdog_look(struct watchdog *w)
{
    if (w->is_asked && !pulse_is_missing())
        all_is_well(w);
}

void watchdog_stop(struct watchdog *w)
{
    if (w->quarter_ms > 0)
        loop_cancel_timer(w->loop, &w->timer);
    w->is_asked = false;
}

unsigned notify_passed_sockets(int *first)
{
    int count = sd_listen_fds(1); /* and marks them close-on-exec */

    *first = SD_LISTEN_FDS_START;
    return count > 0 ? (unsigned)count : 0;
}
