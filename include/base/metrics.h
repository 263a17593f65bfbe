/* Counters, one block of them per thread, summed when read. A thread counts only in its own block.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* name, printed word, meaning */
#define METRIC_TRAFFIC_LIST(X)                                                               \
    X(METRIC_SESSIONS_ACCEPTED, "sessions_accepted", "sessions that peers opened")           \
    X(METRIC_SESSIONS_DIALLED, "sessions_dialled", "sessions that we opened")                \
    X(METRIC_SESSIONS_CLOSED, "sessions_closed", "sessions that ended")                      \
    X(METRIC_SESSIONS_REFUSED, "sessions_refused", "connections refused for a limit")        \
    X(METRIC_HANDSHAKES_FAILED, "handshakes_failed", "sessions that never became CONNECTED") \
    X(METRIC_BAD_FRAMES, "bad_frames", "sessions closed for a bad frame")                    \
    X(METRIC_BYTES_RECEIVED, "bytes_received", "bytes read from sessions")                   \
    X(METRIC_BYTES_SENT, "bytes_sent", "bytes written to sessions")                          \
    X(METRIC_FILES_RECEIVED, "files_received", "incoming files finished")                    \
    X(METRIC_FILES_RECEIVE_FAILED, "files_receive_failed", "incoming files failed")          \
    X(METRIC_FILES_SENT, "files_sent", "outgoing files finished")                            \
    X(METRIC_FILES_SEND_FAILED, "files_send_failed", "outgoing files failed")                \
    X(METRIC_COMMITS, "commits", "files made durable and renamed")                           \
    X(METRIC_COMMIT_BATCHES, "commit_batches", "batches of commits")                         \
    X(METRIC_GATEWAY_CALLS, "gateway_calls", "calls to a remote gateway")                    \
    X(METRIC_GATEWAY_REPEATS, "gateway_repeats", "of these, without an answer and repeated") \
    X(METRIC_GATEWAY_FAULTS, "gateway_faults", "of these, answered with a fault")            \
    X(METRIC_GATEWAY_UNDELIVERED, "gateway_undelivered", "news left after too many faults")

/* How often each limit was hit (docs/limits.md). */
#define METRIC_LIMITS_LIST(X)                                                                     \
    X(METRIC_REFUSED_LIMIT, "refused_limit", "connections over the limit of sessions")            \
    X(METRIC_REFUSED_ADDRESS, "refused_address", "connections over the limit per address")        \
    X(METRIC_REFUSED_NETWORK, "refused_network", "connections over the limit per network")        \
    X(METRIC_REFUSED_HALF_OPEN, "refused_half_open", "connections over a limit of handshakes")    \
    X(METRIC_HANDSHAKES_GIVEN_UP, "handshakes_given_up", "handshakes that gave way to newcomers") \
    X(METRIC_REFUSED_RATE, "refused_rate", "connections of addresses that connect too often")     \
    X(METRIC_REFUSED_PENALTY, "refused_penalty", "connections of addresses under a penalty")      \
    X(METRIC_REFUSED_ACCESS, "refused_access", "sessions refused by a list of [access]")          \
    X(METRIC_PENALTIES, "penalties", "penalties for breaking the protocol")                       \
    X(METRIC_ACCEPT_PAUSES, "accept_pauses", "times without descriptors to accept with")          \
    X(METRIC_HANDSHAKES_LATE, "handshakes_late", "peers that took too long for their hello")      \
    X(METRIC_IDURLS_TOO_LONG, "idurls_too_long", "peers refused for a long identity")             \
    X(METRIC_FRAMES_TOO_LONG, "frames_too_long", "sessions closed for a long control frame")      \
    X(METRIC_REASONS_CUT, "reasons_cut", "reasons of aborts that were cut")                       \
    X(METRIC_SESSIONS_IDLE, "sessions_idle", "sessions closed for being idle")                    \
    X(METRIC_PEERS_SILENT, "peers_silent", "sessions whose peer acknowledged nothing")            \
    X(METRIC_PEERS_NOT_READING, "peers_not_reading",                                              \
      "sessions closed because the peer did not read")                                            \
    X(METRIC_FILES_STALLED, "files_stalled", "incoming files given up for being slow")            \
    X(METRIC_OKS_LATE, "oks_late", "outgoing files given up without an ok")                       \
    X(METRIC_LOOK_UPS_LATE, "look_ups_late", "look-ups of names over their time")                 \
    X(METRIC_SENDS_OVER_QUEUE, "sends_over_queue", "files not sent because too many waited")      \
    X(METRIC_FILES_OVER_COUNT, "files_over_count", "sessions closed for too many files at once")  \
    X(METRIC_FILES_OVER_BYTES, "files_over_bytes", "files refused for the bytes under way")       \
    X(METRIC_FILES_TOO_LARGE, "files_too_large", "files refused for their size")                  \
    X(METRIC_FILES_OVER_QUOTA, "files_over_quota", "files refused for the inbox quota")           \
    X(METRIC_FILES_OVER_LIMIT, "files_over_limit", "files refused for the limit of files")        \
    X(METRIC_FILES_NO_ROOM, "files_no_room", "files refused to keep the disk free")               \
    X(METRIC_FILES_NO_INODES, "files_no_inodes", "files refused to keep inodes free")             \
    X(METRIC_FILES_NO_INBOX, "files_no_inbox", "files refused because the inbox is not usable")   \
    X(METRIC_WAITS_FILES, "files_rate_waits", "times that reading waited for files-per-s")        \
    X(METRIC_WAITS_IN, "bandwidth_waits_in", "times that reading waited for bandwidth")           \
    X(METRIC_WAITS_OUT, "bandwidth_waits_out", "times that sending waited for bandwidth")         \
    X(METRIC_LOG_LINES_LIMITED, "log_lines_limited", "log lines over the limit of a peer")        \
    X(METRIC_LOG_LINES_LOST, "log_lines_lost", "log lines that nobody read in time")              \
    X(METRIC_EVENTS_LOST, "events_lost", "events dropped because nobody could keep up")

#define METRIC_LIST(X) METRIC_TRAFFIC_LIST(X) METRIC_LIMITS_LIST(X)

enum metric {
#define X(name, word, meaning) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT
};

/* Any thread. Adds to the calling thread's own counter; never waits. */
void metrics_add(enum metric metric, uint64_t amount);

/* Any thread. The sum over all threads, those that ended included. */
uint64_t metrics_sum(enum metric metric);

/* True for one of METRIC_LIMITS_LIST. */
bool metrics_is_limit(enum metric metric);

const char *metrics_word(enum metric metric);
const char *metrics_meaning(enum metric metric);

#endif
