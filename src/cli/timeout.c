#include "cli/timeout.h"

void cli_timeout_start(struct cli_timeout *p, uint64_t idle_limit_ms, uint64_t total_limit_ms,
                       uint64_t now_ms)
{
    *p = (struct cli_timeout){
        .idle_limit_ms = idle_limit_ms, .total_limit_ms = total_limit_ms, .checked_ms = now_ms};
}

/* The time since the last check; 0 after a pause, when the answer may be waiting in the socket. */
static uint64_t ran_since(struct cli_timeout *p, uint64_t now_ms)
{
    uint64_t gap_ms = now_ms > p->checked_ms ? now_ms - p->checked_ms : 0;

    p->checked_ms = now_ms;
    if (gap_ms <= CLI_PAUSE_MS)
        return gap_ms;
    p->was_paused = true;
    return 0;
}

bool cli_timeout_is_expired(struct cli_timeout *p, uint64_t now_ms, uint64_t bytes)
{
    uint64_t ran_ms = ran_since(p, now_ms);

    p->total_ms += ran_ms;
    p->idle_ms = bytes == p->bytes ? p->idle_ms + ran_ms : 0;
    p->bytes = bytes;
    return p->idle_ms >= p->idle_limit_ms || p->total_ms >= p->total_limit_ms;
}
