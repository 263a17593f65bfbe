/* Who is connected, and which worker has it: the one structure that threads share. One lock, taken
 * when a session opens, is named or closes and when a send looks for one; never per frame, never
 * across a system call. Routes by address only: IP and port, as dialled or as announced and
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
    uint64_t session; /* never used twice in a run; 0 is none */
    unsigned worker;
    bool is_connected;
};

enum err tcp_directory_open(struct tcp_directory **out, unsigned workers, unsigned session_limit);
void tcp_directory_close(struct tcp_directory **directory);

/* Any thread, as everything below. */
void tcp_directory_set_limit(struct tcp_directory *d, unsigned session_limit);

/* What we listen on ourselves. tcp_directory_is_own: true for an address that leads back to us. */
void tcp_directory_set_own(struct tcp_directory *d, const struct address *own, unsigned count);
bool tcp_directory_is_own(struct tcp_directory *d, const struct address *address);

/* A place for a session that `peer` opened, with the worker that has the fewest, if the limits let
 * it in. When there are too many without a hello, one of the oldest of them, of the network that
 * has the most, gives way: it is `*given_up` (session 0: none), does not count among them any more,
 * and whoever calls tells its worker to drop it. */
enum peers_admission tcp_directory_accept(struct tcp_directory *d, const struct address *peer,
                                          const struct peers_source_limits *limits, uint64_t now_ms,
                                          struct tcp_place *out, struct tcp_place *given_up);

/* `peer` broke the protocol: for how many ms it is refused now. */
uint64_t tcp_directory_blame(struct tcp_directory *d, const struct address *peer,
                             const struct peers_source_limits *limits, uint64_t now_ms);

/* How many files `peer` may begin now, of those wanted: peers_source_table_take_files. */
unsigned tcp_directory_take_files(struct tcp_directory *d, const struct address *peer,
                                  const struct peers_source_limits *limits, unsigned wanted,
                                  uint64_t now_ms);

/* The session for files to `address`: a CONNECTED one (dialled before announced), else one being
 * dialled, else a place is reserved with the worker that has the fewest: the worker that is sent
 * there claims it and dials. So two sends at once start one connect. ERR_FULL at the limit. */
enum err tcp_directory_find_or_reserve(struct tcp_directory *d, const struct address *address,
                                       struct tcp_place *out);

/* The first of these addresses that has a CONNECTED session; false: none has. */
bool tcp_directory_find_connected(struct tcp_directory *d, const struct address *addresses,
                                  unsigned count, struct tcp_place *out);

/* The worker of a reserved place: takes it, once. False if there is no such reservation (any more).
 */
bool tcp_directory_claim(struct tcp_directory *d, uint64_t session);

/* The handshake is done. `announced` (may be NULL) becomes the key of an accepted session; the
 * caller has verified it. */
void tcp_directory_connected(struct tcp_directory *d, uint64_t session,
                             const struct address *announced);

/* No more sends for this session; it keeps its place. */
void tcp_directory_hide(struct tcp_directory *d, uint64_t session);

/* The session is gone, or its reservation is given back. At ease with one unknown. */
void tcp_directory_leave(struct tcp_directory *d, uint64_t session);

unsigned tcp_directory_count(struct tcp_directory *d);

/* Accepted sessions without a hello, and sources that are remembered. */
struct tcp_directory_sources {
    unsigned half_open, known;
};
struct tcp_directory_sources tcp_directory_sources(struct tcp_directory *d);

#endif
