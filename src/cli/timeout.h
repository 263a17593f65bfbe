/* Timeout for an answer that counts only the time during which this process ran: a pause (SIGSTOP,
 * suspend) is not the daemon's delay. Pure: `now_ms` is from a clock that runs during a pause. */
#ifndef CLI_TIMEOUT_H
#define CLI_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

/* The caller checks at least once a second: a gap longer than this is a pause. */
enum { CLI_PAUSE_MS = 2500 };

struct cli_timeout {
    uint64_t idle_limit_ms; /* without a byte sent or received */
    uint64_t total_limit_ms;
    uint64_t checked_ms, idle_ms, total_ms, bytes;
    bool was_paused;
};

void cli_timeout_start(struct cli_timeout *p, uint64_t idle_limit_ms, uint64_t total_limit_ms,
                       uint64_t now_ms);

/* `bytes` is the total sent and received so far. True once a limit is reached. */
bool cli_timeout_is_expired(struct cli_timeout *p, uint64_t now_ms, uint64_t bytes);

#endif
