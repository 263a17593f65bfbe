/* The sources of inbound sessions, for all transports: for each source the number of sessions and
 * half-open handshakes, the rates of its connects and files, and its protocol violations. A session
 * counts for two sources: its address, and the network around it (/24 for IPv4, /64 for IPv6). An
 * IPv6 host usually owns its whole /64, so for IPv6 rates, half-open limits and penalties apply to
 * the network.
 *
 * Bounded: at most two sources for each session, and SOURCES_KEPT without sessions (kept for their
 * rates and penalties); beyond that one without a session is evicted, preferably one without a
 * penalty. Pure data: `now_ms` is an argument. Calls from one thread at a time; the owner
 * serialises them. */
#ifndef PEERS_SOURCE_TABLE_H
#define PEERS_SOURCE_TABLE_H

#include "base/address.h"
#include "base/err.h"
#include "base/metrics.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* name, metric, text for log and status */
#define ADMISSION_LIST(X)                                                                          \
    X(ADMITTED, METRIC_SESSIONS_ACCEPTED, "admitted")                                              \
    X(ADMISSION_FULL, METRIC_REFUSED_LIMIT, "[sessions] limit is reached")                         \
    X(ADMISSION_PENALTY, METRIC_REFUSED_PENALTY,                                                   \
      "the address is blocked after protocol violations ([access] penalty-s)")                     \
    X(ADMISSION_RATE, METRIC_REFUSED_RATE,                                                         \
      "the address connects too often ([sessions] accepts-per-s)")                                 \
    X(ADMISSION_ADDRESS_FULL, METRIC_REFUSED_ADDRESS, "[sessions] limit-per-address is reached")   \
    X(ADMISSION_NETWORK_FULL, METRIC_REFUSED_NETWORK, "[sessions] limit-per-network is reached")   \
    X(ADMISSION_HALF_OPEN_FULL, METRIC_REFUSED_HALF_OPEN, "[sessions] half-open-limit is reached") \
    X(ADMISSION_HALF_OPEN_ADDRESS_FULL, METRIC_REFUSED_HALF_OPEN,                                  \
      "[sessions] half-open-per-address is reached")                                               \
    X(ADMISSION_NO_MEMORY, METRIC_REFUSED_LIMIT, "out of memory")

enum peers_admission {
#define X(name, metric, text) name,
    ADMISSION_LIST(X)
#undef X
};

const char *peers_source_table_text(enum peers_admission a);
enum metric peers_source_table_metric(enum peers_admission a);

enum { SOURCES_KEPT = 16384 };

struct peers_source_limits {
    unsigned sessions; /* of the whole node */
    unsigned per_address, per_network;
    unsigned half_open, half_open_per_address;
    unsigned accepts_per_s, accepts_burst;
    unsigned violations_allowed, penalty_s, penalty_longest_s; /* penalty_s 0: none */
    unsigned files_per_s;                                      /* 0: no limit */
    bool is_exempt; /* only the limits of the whole node apply */
};
/* Returns the limits that apply to `peer`. */
struct peers_source_limits peers_source_table_limits_of(const struct settings *s,
                                                        const struct address *peer);

/* The two sources of a session. */
struct peers_source_place {
    uint32_t address, network;
};

struct peers_source_table;

enum err peers_source_table_open(struct peers_source_table **out);
void peers_source_table_close(struct peers_source_table **table);

/* Admits a session that `peer` opens, or returns why not. ADMITTED: it counts as a half-open
 * handshake of `*out`. ADMISSION_HALF_OPEN_FULL: no other limit is reached. */
enum peers_admission peers_source_table_enter(struct peers_source_table *t,
                                              const struct address *peer,
                                              const struct peers_source_limits *limits,
                                              uint64_t now_ms, struct peers_source_place *out);
/* The handshake is complete. */
void peers_source_table_identified(struct peers_source_table *t,
                                   const struct peers_source_place *place);
void peers_source_table_leave(struct peers_source_table *t, const struct peers_source_place *place,
                              bool is_half_open);

/* Records a protocol violation of `peer`. Returns for how many milliseconds its sessions are
 * refused: 0 for the first `violations_allowed`, then `penalty_s`, doubled with each, at most
 * `penalty_longest_s`. One violation is forgiven after each minute without one. */
uint64_t peers_source_table_record_violation(struct peers_source_table *t,
                                             const struct address *peer,
                                             const struct peers_source_limits *limits,
                                             uint64_t now_ms);

/* Returns how many files `peer` may start now, at most `wanted`, and counts them as started. All of
 * them if the source is exempt or its rate unlimited. */
unsigned peers_source_table_take_files(struct peers_source_table *t, const struct address *peer,
                                       const struct peers_source_limits *limits, unsigned wanted,
                                       uint64_t now_ms);

/* Half-open handshakes of the session's network; 0 if it is exempt. */
unsigned peers_source_table_network_half_open(const struct peers_source_table *t,
                                              const struct peers_source_place *place);

/* Half-open handshakes; sources in the table. */
unsigned peers_source_table_half_open(const struct peers_source_table *t);
unsigned peers_source_table_count(const struct peers_source_table *t);

#endif
