#include "cli/patience.h"

void cli_patience_start(struct cli_patience *p, uint64_t silence_limit_ms, uint64_t whole_limit_ms,
                        uint64_t now_ms)
{
    *p = (struct cli_patience){.silence_limit_ms = silence_limit_ms,
                               .whole_limit_ms = whole_limit_ms,
                               .looked_ms = now_ms};
}

/* What passed while we ran; nothing for a stop, after which the answer may stand in the socket. */
static uint64_t ran_since(struct cli_patience *p, uint64_t now_ms)
{
    uint64_t gap_ms = now_ms > p->looked_ms ? now_ms - p->looked_ms : 0;

    p->looked_ms = now_ms;
    if (gap_ms <= CLI_PAUSE_MS)
        return gap_ms;
    p->was_paused = true;
    return 0;
}

bool cli_patience_is_over(struct cli_patience *p, uint64_t now_ms, uint64_t bytes)
{
    uint64_t ran_ms = ran_since(p, now_ms);

    p->whole_ms += ran_ms;
    p->silent_ms = bytes == p->bytes ? p->silent_ms + ran_ms : 0;
    p->bytes = bytes;
    return p->silent_ms >= p->silence_limit_ms || p->whole_ms >= p->whole_limit_ms;
}
