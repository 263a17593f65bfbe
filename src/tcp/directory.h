/* All sessions and their workers: the only structure that the threads share. One lock, taken when a
 * session opens, completes its handshake or closes and when a send is routed; never per frame,
 * never across a system call. Routes by address only: IP and port, as dialled or as announced and
 * verified. */
#ifndef TCP_DIRECTORY_H
#define TCP_DIRECTORY_H

#include "base/address.h"
#include "base/err.h"
#include "peers/source_table.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_directory;

struct tcp_place {
    uint64_t session; /* unique in a run; 0: none */
    unsigned worker;
    bool is_connected;
};

enum err tcp_directory_open(struct tcp_directory **out, unsigned workers, unsigned session_limit);
void tcp_directory_close(struct tcp_directory **directory);

/* Any thread, as everything below. */
void tcp_directory_set_limit(struct tcp_directory *d, unsigned session_limit);

/* The addresses that this node listens on. tcp_directory_is_own: true if a connect to `address`
 * would reach this node. */
void tcp_directory_set_own(struct tcp_directory *d, const struct address *own, unsigned count);
bool tcp_directory_is_own(struct tcp_directory *d, const struct address *address);

/* Checks the limits for a connection from `peer`, and reserves a place with the worker that has the
 * fewest sessions. At the half-open limit one of the oldest half-open sessions, of the network that
 * has most of them, is evicted: `*evicted` (session 0: none) no longer counts as half-open, and the
 * caller posts the eviction to its worker. */
enum peers_admission tcp_directory_accept(struct tcp_directory *d, const struct address *peer,
                                          const struct peers_source_limits *limits, uint64_t now_ms,
                                          struct tcp_place *out, struct tcp_place *evicted);

/* Records a protocol violation of `peer`; returns for how many ms it is refused now. */
uint64_t tcp_directory_record_violation(struct tcp_directory *d, const struct address *peer,
                                        const struct peers_source_limits *limits, uint64_t now_ms);

/* Takes up to `wanted` files from the rate of `peer`: peers_source_table_take_files. */
unsigned tcp_directory_take_files(struct tcp_directory *d, const struct address *peer,
                                  const struct peers_source_limits *limits, unsigned wanted,
                                  uint64_t now_ms);

/* The session for sends to `address`: a CONNECTED one (a dialled one is preferred), else one being
 * dialled, else a reservation with the worker that has the fewest sessions: with the first request
 * that worker claims it and dials. So concurrent sends start one connect. ERR_FULL at the limit. */
enum err tcp_directory_find_or_reserve(struct tcp_directory *d, const struct address *address,
                                       struct tcp_place *out);

/* A CONNECTED session of the first address that has one; false: none has. */
bool tcp_directory_find_connected(struct tcp_directory *d, const struct address *addresses,
                                  unsigned count, struct tcp_place *out);

/* Turns a reservation into a session. False if it does not exist or was claimed already. */
bool tcp_directory_claim(struct tcp_directory *d, uint64_t session);

/* The handshake is done. `announced` (NULL: none), which the caller has verified, becomes the
 * routing key of an accepted session. */
void tcp_directory_connected(struct tcp_directory *d, uint64_t session,
                             const struct address *announced);

/* Routes no more sends to this session; it still counts. */
void tcp_directory_hide(struct tcp_directory *d, uint64_t session);

/* Removes a session or reservation. An unknown one is a no-op. */
void tcp_directory_leave(struct tcp_directory *d, uint64_t session);

unsigned tcp_directory_count(struct tcp_directory *d);

/* Accepted sessions without a hello, and entries of the source table. */
struct tcp_directory_sources {
    unsigned half_open, known;
};
struct tcp_directory_sources tcp_directory_sources(struct tcp_directory *d);

#endif
