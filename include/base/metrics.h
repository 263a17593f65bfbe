/* Counters, one block per thread, summed when read. A thread writes its own block only. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* name, printed word, description */
#define METRIC_TRAFFIC_LIST(X)                                                                \
    X(METRIC_SESSIONS_ACCEPTED, "sessions_accepted", "accepted sessions")                     \
    X(METRIC_SESSIONS_DIALLED, "sessions_dialled", "outgoing sessions")                       \
    X(METRIC_SESSIONS_CLOSED, "sessions_closed", "closed sessions")                           \
    X(METRIC_SESSIONS_REFUSED, "sessions_refused", "connections rejected by a limit")         \
    X(METRIC_HANDSHAKES_FAILED, "handshakes_failed", "sessions that never reached CONNECTED") \
    X(METRIC_BAD_FRAMES, "bad_frames", "sessions closed because of an invalid frame")         \
    X(METRIC_BYTES_RECEIVED, "bytes_received", "bytes read from sessions")                    \
    X(METRIC_BYTES_SENT, "bytes_sent", "bytes written to sessions")                           \
    X(METRIC_FILES_RECEIVED, "files_received", "incoming files completed")                    \
    X(METRIC_FILES_RECEIVE_FAILED, "files_receive_failed", "incoming files failed")           \
    X(METRIC_FILES_SENT, "files_sent", "outgoing files completed")                            \
    X(METRIC_FILES_SEND_FAILED, "files_send_failed", "outgoing files failed")                 \
    X(METRIC_COMMITS, "commits", "files synced and renamed")                                  \
    X(METRIC_COMMIT_BATCHES, "commit_batches", "batches of commits")                          \
    X(METRIC_GATEWAY_CALLS, "gateway_calls", "calls to a remote gateway")                     \
    X(METRIC_GATEWAY_REPEATS, "gateway_repeats", "of these, retried after no response")       \
    X(METRIC_GATEWAY_FAULTS, "gateway_faults", "of these, failed with a fault")               \
    X(METRIC_GATEWAY_UNDELIVERED, "gateway_undelivered",                                      \
      "notifications dropped after too many faults")

/* How often each limit was hit (docs/limits.md). */
#define METRIC_LIMITS_LIST(X)                                                                     \
    X(METRIC_REFUSED_LIMIT, "refused_limit", "connections over the limit of sessions")            \
    X(METRIC_REFUSED_ADDRESS, "refused_address", "connections over the limit per address")        \
    X(METRIC_REFUSED_NETWORK, "refused_network", "connections over the limit per network")        \
    X(METRIC_REFUSED_HALF_OPEN, "refused_half_open", "connections over a limit of handshakes")    \
    X(METRIC_HANDSHAKES_GIVEN_UP, "handshakes_given_up",                                          \
      "half-open sessions evicted at the limit")                                                  \
    X(METRIC_REFUSED_RATE, "refused_rate", "connections over the accept rate")                    \
    X(METRIC_REFUSED_PENALTY, "refused_penalty", "connections of penalized addresses")            \
    X(METRIC_REFUSED_ACCESS, "refused_access", "sessions rejected by a list of [access]")         \
    X(METRIC_PENALTIES, "penalties", "penalties for protocol violations")                         \
    X(METRIC_ACCEPT_PAUSES, "accept_pauses", "pauses after a failed accept")                      \
    X(METRIC_HANDSHAKES_LATE, "handshakes_late", "handshake timeouts")                            \
    X(METRIC_IDURLS_TOO_LONG, "idurls_too_long", "peers rejected for a too long identity URL")    \
    X(METRIC_FRAMES_TOO_LONG, "frames_too_long", "sessions closed for a too long control frame")  \
    X(METRIC_REASONS_CUT, "reasons_cut", "truncated abort reasons")                               \
    X(METRIC_SESSIONS_IDLE, "sessions_idle", "sessions closed by the idle timeout")               \
    X(METRIC_PEERS_SILENT, "peers_silent", "sessions closed by TCP_USER_TIMEOUT")                 \
    X(METRIC_PEERS_NOT_READING, "peers_not_reading",                                              \
      "sessions closed because the peer did not read")                                            \
    X(METRIC_FILES_STALLED, "files_stalled", "incoming files aborted below the minimum rate")     \
    X(METRIC_OKS_LATE, "oks_late", "outgoing files aborted by the ok timeout")                    \
    X(METRIC_LOOK_UPS_LATE, "look_ups_late", "name lookup timeouts")                              \
    X(METRIC_SENDS_OVER_QUEUE, "sends_over_queue", "files rejected because the queue was full")   \
    X(METRIC_FILES_OVER_COUNT, "files_over_count",                                                \
      "sessions closed for too many concurrent files")                                            \
    X(METRIC_FILES_OVER_BYTES, "files_over_bytes", "files rejected for the total announced size") \
    X(METRIC_FILES_TOO_LARGE, "files_too_large", "files rejected for their size")                 \
    X(METRIC_FILES_OVER_QUOTA, "files_over_quota", "files rejected by the inbox quota")           \
    X(METRIC_FILES_OVER_LIMIT, "files_over_limit", "files rejected by the inbox file limit")      \
    X(METRIC_FILES_NO_ROOM, "files_no_room", "files rejected for lack of free disk space")        \
    X(METRIC_FILES_NO_INODES, "files_no_inodes", "files rejected for lack of free inodes")        \
    X(METRIC_FILES_NO_INBOX, "files_no_inbox", "files rejected because the inbox is not usable")  \
    X(METRIC_WAITS_FILES, "files_rate_waits", "reads delayed by files-per-s")                     \
    X(METRIC_WAITS_IN, "bandwidth_waits_in", "reads delayed by a rate limit")                     \
    X(METRIC_WAITS_OUT, "bandwidth_waits_out", "writes delayed by a rate limit")                  \
    X(METRIC_LOG_LINES_LIMITED, "log_lines_limited", "log lines over the limit per peer")         \
    X(METRIC_LOG_LINES_LOST, "log_lines_lost", "log lines lost because the output was blocked")   \
    X(METRIC_EVENTS_LOST, "events_lost", "events dropped because the queue was full")

#define METRIC_LIST(X) METRIC_TRAFFIC_LIST(X) METRIC_LIMITS_LIST(X)

enum metric {
#define X(name, word, meaning) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT
};

/* Any thread. Adds to the calling thread's own counter; never blocks. */
void metrics_add(enum metric metric, uint64_t amount);

/* Any thread. The sum over all threads, including those that exited. */
uint64_t metrics_sum(enum metric metric);

/* True for one of METRIC_LIMITS_LIST. */
bool metrics_is_limit(enum metric metric);

const char *metrics_word(enum metric metric);

#endif
