#include "daemon/notify.h"

#include "base/log.h"
#include "loop/pulse.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

enum {
    DEFAULT_QUARTER_MS = 45000,
    QUARTER_MIN_MS = 50, /* with less, a thread that waits for a CPU would be reported dead */
};

static uint64_t mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Each assignment is a line, so `text` is cut at its first line break. */
static void send_state(const char *state, const char *text)
{
    sd_notifyf(0, "%sSTATUS=%.*s", state, (int)strcspn(text, "\n"), text);
}

/* systemd 252 has no Type=notify-reload: send its two assignments explicitly, in every version. */
static void send_reloading(const char *text)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=%s", mono_us(), text);
}

void notify_supervisor(void *ctx, enum supervisor_notice notice, const char *text)
{
    struct notify *notify = ctx;

    switch (notice) {
    case SUPERVISOR_NOTICE_SETTLED:
        send_state(notify->is_ready ? "" : "READY=1\n", text);
        notify->is_ready = true;
        break;
    case SUPERVISOR_NOTICE_RELOADING:
        if (notify->is_ready)
            send_reloading(text);
        break;
    case SUPERVISOR_NOTICE_RELOADED:
        send_state(notify->is_ready ? "READY=1\n" : "", text);
        break;
    case SUPERVISOR_NOTICE_STOPPING:
        send_state("STOPPING=1\n", text);
        break;
    }
}

static void ping_threads(struct watchdog *w)
{
    pulse_ping(loop_mailbox(w->loop), loop_now_ms(w->loop));
    w->is_pending = true;
}

static void ping_manager(struct watchdog *w)
{
    w->is_pending = false;
    if (w->is_enabled)
        sd_notify(0, "WATCHDOG=1");
}

static void report_pulse(void *ctx, const char *name, enum pulse_state state, uint64_t ms)
{
    const struct watchdog *w = ctx;

    if (state == PULSE_ALIVE)
        log_info("thread %s is making progress again", name);
    else if (state == PULSE_BLOCKED)
        log_warning("thread %s blocked on file I/O for %" PRIu64
                    " ms: work that needs it is delayed; check the disk",
                    name, ms);
    else
        log_warning("thread %s stalled for %" PRIu64 " ms%s", name, ms,
                    w->is_enabled ? "; withholding watchdog ping" : "");
}

/* Every second tick pings the threads. The tick between two pings checks those that have not
 * answered: late enough for an answer, and early enough to send WATCHDOG=1 before the interval ends
 * when a thread is only blocked on a disk. */
static void timer_due(struct timer *timer, void *ctx)
{
    struct watchdog *w = ctx;
    bool is_alive = pulse_check(loop_now_ms(w->loop), report_pulse, w);

    loop_set_timer(w->loop, timer, w->quarter_ms);
    if (is_alive && w->is_pending)
        ping_manager(w);
    w->is_check_only = !w->is_check_only;
    if (is_alive && !w->is_check_only)
        ping_threads(w);
}

static uint64_t quarter_of(uint64_t interval_us)
{
    uint64_t quarter_ms = interval_us / 4000;

    if (quarter_ms >= QUARTER_MIN_MS)
        return quarter_ms;
    log_warning("watchdog interval of %" PRIu64
                " us (WATCHDOG_USEC) is too short, using %d ms: set WatchdogSec to 1 s or more",
                interval_us, 4 * QUARTER_MIN_MS);
    return QUARTER_MIN_MS;
}

void watchdog_start(struct watchdog *w, struct loop *loop)
{
    uint64_t interval_us = 0;

    *w = (struct watchdog){
        .loop = loop, .timer = {.fire = timer_due, .ctx = w}, .quarter_ms = DEFAULT_QUARTER_MS};
    w->is_enabled = sd_watchdog_enabled(0, &interval_us) > 0;
    if (w->is_enabled)
        w->quarter_ms = quarter_of(interval_us);
    loop_set_timer(loop, &w->timer, w->quarter_ms);
    ping_threads(w);
}

void watchdog_poll(struct watchdog *w)
{
    if (w->is_pending && !pulse_is_pending())
        ping_manager(w);
}

void watchdog_stop(struct watchdog *w)
{
    if (w->quarter_ms > 0)
        loop_cancel_timer(w->loop, &w->timer);
    w->is_pending = false;
}

unsigned notify_passed_sockets(int *first)
{
    int count = sd_listen_fds(1); /* and marks them close-on-exec */

    *first = SD_LISTEN_FDS_START;
    return count > 0 ? (unsigned)count : 0;
}
