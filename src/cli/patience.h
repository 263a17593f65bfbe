/* How long an answer is waited for, by the time that this process ran: a stop (SIGSTOP, a suspended
 * machine) says nothing about the daemon. Pure: `now_ms` is of a clock that goes on meanwhile. */
#ifndef CLI_PATIENCE_H
#define CLI_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Whoever waits looks at least once a second: a longer gap than this one is a stop. */
enum { CLI_PAUSE_MS = 2500 };

struct cli_patience {
    uint64_t silence_limit_ms; /* without a byte more, to or fro */
    uint64_t whole_limit_ms;
    uint64_t looked_ms, silent_ms, whole_ms, bytes;
    bool was_paused;
};

void cli_patience_start(struct cli_patience *p, uint64_t silence_limit_ms, uint64_t whole_limit_ms,
                        uint64_t now_ms);

/* `bytes` is what went to and fro so far. True once a limit is reached. */
bool cli_patience_is_over(struct cli_patience *p, uint64_t now_ms, uint64_t bytes);

#endif
