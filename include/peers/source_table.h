/* Where the sessions that peers opened come from, whichever transport carries them: how many
 * sessions and unfinished handshakes each source has, how fast it and its files come, and how often
 * it broke the protocol. A source is an address, and the network around it: /24 for IPv4, /64 for
 * IPv6. An IPv6 host has its whole /64 to itself, so there the network is what is judged by rate,
 * handshakes and penalties.
 *
 * Bounded: sources with sessions are as many as sessions; of the others (kept for their rates and
 * penalties) SOURCES_KEPT at most, beyond that one without a penalty makes room first. Pure data:
 * `now_ms` is an argument. Owner: whoever opened it, who calls it from one thread at a time. */
#ifndef PEERS_SOURCE_TABLE_H
#define PEERS_SOURCE_TABLE_H

#include "base/address.h"
#include "base/err.h"
#include "base/metrics.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* name, what is counted, the sentence that people read */
#define ADMISSION_LIST(X)                                                                          \
    X(ADMITTED, METRIC_SESSIONS_ACCEPTED, "admitted")                                              \
    X(ADMISSION_FULL, METRIC_REFUSED_LIMIT, "[sessions] limit is reached")                         \
    X(ADMISSION_PENALTY, METRIC_REFUSED_PENALTY,                                                   \
      "the address broke the protocol and serves a penalty ([access] penalty-s)")                  \
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
    unsigned offences_free, penalty_s, penalty_longest_s; /* penalty_s 0: none */
    unsigned files_per_s;                                 /* 0: no limit */
    bool is_exempt; /* this source is held to the limits of the whole node only */
};
/* Those that hold for `peer`. */
struct peers_source_limits peers_source_table_limits_of(const struct settings *s,
                                                        const struct address *peer);

/* What a session occupies in the table. */
struct peers_source_place {
    uint32_t address, network;
};

struct peers_source_table;

enum err peers_source_table_open(struct peers_source_table **out);
void peers_source_table_close(struct peers_source_table **table);

/* A session that `peer` opens. ADMITTED: it counts as an unfinished handshake of `*out`.
 * ADMISSION_HALF_OPEN_FULL is said only to who would be admitted but for that. */
enum peers_admission peers_source_table_enter(struct peers_source_table *t,
                                              const struct address *peer,
                                              const struct peers_source_limits *limits,
                                              uint64_t now_ms, struct peers_source_place *out);
/* The handshake is done. */
void peers_source_table_identified(struct peers_source_table *t,
                                   const struct peers_source_place *place);
void peers_source_table_leave(struct peers_source_table *t, const struct peers_source_place *place,
                              bool is_half_open);

/* `peer` broke the protocol. Returns for how long nothing more is taken from it: 0 for the first
 * offences, then `penalty_s`, doubled with each, at most `penalty_longest_s`. An offence is
 * forgiven after each minute without one. */
uint64_t peers_source_table_blame(struct peers_source_table *t, const struct address *peer,
                                  const struct peers_source_limits *limits, uint64_t now_ms);

/* How many files `peer` may begin now, `wanted` at most: they count as begun. A source that is
 * exempt, or whose rate nobody limits, gets all. */
unsigned peers_source_table_take_files(struct peers_source_table *t, const struct address *peer,
                                       const struct peers_source_limits *limits, unsigned wanted,
                                       uint64_t now_ms);

/* Unfinished handshakes of its network; 0 for one that is exempt. */
unsigned peers_source_table_crowd(const struct peers_source_table *t,
                                  const struct peers_source_place *place);

/* Unfinished handshakes now; sources in the table. */
unsigned peers_source_table_half_open(const struct peers_source_table *t);
unsigned peers_source_table_count(const struct peers_source_table *t);

#endif
