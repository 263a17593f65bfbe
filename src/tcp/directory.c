#include "tcp/directory.h"

#include "base/contract.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <uthash.h>

enum place_state { PLACE_RESERVED, PLACE_OPENING, PLACE_CONNECTED, PLACE_HIDDEN };

struct host;

struct entry {
    uint64_t session;
    uint16_t worker;
    uint8_t state; /* enum place_state */
    bool is_outgoing : 1;
    bool is_half_open : 1;            /* accepted, without a hello */
    struct peers_source_place source; /* of an accepted session */
    struct host *host;                /* NULL: no sends are routed to it */
    union {
        LIST_ENTRY(entry) in_host; /* with a host */
        TAILQ_ENTRY(entry) by_age; /* half open: without */
    };
    UT_hash_handle hh;
};

/* All sessions of one routing key. */
struct host {
    struct address address;
    LIST_HEAD(, entry) entries;
    UT_hash_handle hh;
};

enum {
    OWN_MAX = 32,
    EVICTION_SCAN_MAX = 64, /* oldest half-open sessions examined for an eviction */
};

struct tcp_directory {
    pthread_mutex_t lock; /* covers everything below */
    struct entry *by_session;
    struct host *by_address;
    struct peers_source_table *sources;
    TAILQ_HEAD(, entry) half_open; /* oldest first */
    uint64_t next_session;
    unsigned limit;
    unsigned own_count;
    struct address own[OWN_MAX];
    unsigned worker_count;
    unsigned sessions_of[]; /* by worker */
};

enum err tcp_directory_open(struct tcp_directory **out, unsigned workers, unsigned session_limit)
{
    struct tcp_directory *d = calloc(1, sizeof *d + workers * sizeof d->sessions_of[0]);

    enum err e;

    if (d == NULL)
        return ERR_NO_MEMORY;
    if ((e = peers_source_table_open(&d->sources)) != ERR_OK) {
        free(d);
        return e;
    }
    pthread_mutex_init(&d->lock, NULL);
    TAILQ_INIT(&d->half_open);
    d->worker_count = workers;
    d->limit = session_limit;
    d->next_session = 1;
    *out = d;
    return ERR_OK;
}

void tcp_directory_close(struct tcp_directory **directory)
{
    if (*directory == NULL)
        return;
    CONTRACT((*directory)->by_session == NULL);
    peers_source_table_close(&(*directory)->sources);
    pthread_mutex_destroy(&(*directory)->lock);
    free(*directory);
    *directory = NULL;
}

void tcp_directory_set_limit(struct tcp_directory *d, unsigned session_limit)
{
    pthread_mutex_lock(&d->lock);
    d->limit = session_limit;
    pthread_mutex_unlock(&d->lock);
}

void tcp_directory_set_own(struct tcp_directory *d, const struct address *own, unsigned count)
{
    pthread_mutex_lock(&d->lock);
    d->own_count = count < OWN_MAX ? count : OWN_MAX;
    memcpy(d->own, own, d->own_count * sizeof *own);
    pthread_mutex_unlock(&d->lock);
}

bool tcp_directory_is_own(struct tcp_directory *d, const struct address *address)
{
    bool is_own = false, is_perhaps = false;

    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->own_count && !is_own; i++) {
        if (d->own[i].port != address->port || d->own[i].family != address->family)
            continue;
        /* connect(2) to the wildcard address goes to loopback. */
        is_own = address_is_same_ip(&d->own[i], address) ||
                 (address_is_wildcard(address) && address_is_loopback(&d->own[i]));
        is_perhaps = is_perhaps || address_is_wildcard(&d->own[i]);
    }
    pthread_mutex_unlock(&d->lock);
    return is_own || (is_perhaps && (address_is_wildcard(address) || address_is_local(address)));
}

static unsigned fewest(const struct tcp_directory *d)
{
    unsigned best = 0;

    for (unsigned i = 1; i < d->worker_count; i++)
        if (d->sessions_of[i] < d->sessions_of[best])
            best = i;
    return best;
}

static struct entry *find(struct tcp_directory *d, uint64_t session)
{
    struct entry *e;

    HASH_FIND(hh, d->by_session, &session, sizeof session, e);
    return e;
}

static struct entry *add(struct tcp_directory *d, bool is_outgoing, enum place_state state)
{
    struct entry *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    e->session = d->next_session;
    HASH_ADD(hh, d->by_session, session, sizeof e->session, e);
    if (e->hh.tbl == NULL) {
        free(e);
        return NULL;
    }
    d->next_session++;
    e->worker = (uint16_t)fewest(d);
    e->is_outgoing = is_outgoing;
    e->state = (uint8_t)state;
    d->sessions_of[e->worker]++;
    return e;
}

static void leave_host(struct tcp_directory *d, struct entry *e)
{
    struct host *host = e->host;

    if (host == NULL)
        return;
    LIST_REMOVE(e, in_host);
    e->host = NULL;
    if (LIST_EMPTY(&host->entries)) {
        HASH_DEL(d->by_address, host);
        free(host);
    }
}

static void begin_half_open(struct tcp_directory *d, struct entry *e)
{
    e->is_half_open = true;
    TAILQ_INSERT_TAIL(&d->half_open, e, by_age);
}

static void end_half_open(struct tcp_directory *d, struct entry *e)
{
    if (!e->is_half_open)
        return;
    e->is_half_open = false;
    TAILQ_REMOVE(&d->half_open, e, by_age);
    peers_source_table_identified(d->sources, &e->source);
}

static void remove_entry(struct tcp_directory *d, struct entry *e)
{
    leave_host(d, e);
    end_half_open(d, e);
    if (!e->is_outgoing)
        peers_source_table_leave(d->sources, &e->source, false);
    HASH_DEL(d->by_session, e);
    d->sessions_of[e->worker]--;
    free(e);
}

/* False: out of memory, the session has no routing key. */
static bool join_host(struct tcp_directory *d, struct entry *e, const struct address *address)
{
    struct host *host;

    HASH_FIND(hh, d->by_address, address, sizeof *address, host);
    if (host == NULL) {
        host = calloc(1, sizeof *host);
        if (host == NULL)
            return false;
        host->address = *address;
        LIST_INIT(&host->entries);
        HASH_ADD(hh, d->by_address, address, sizeof host->address, host);
        if (host->hh.tbl == NULL) {
            free(host);
            return false;
        }
    }
    LIST_INSERT_HEAD(&host->entries, e, in_host);
    e->host = host;
    return true;
}

static void describe(const struct entry *e, struct tcp_place *out)
{
    *out = (struct tcp_place){e->session, e->worker, e->state == PLACE_CONNECTED};
}

/* Among the oldest half-open sessions the oldest of the network with most of them: good peers
 * complete the handshake quickly, so an attacker's sessions are among the oldest. NULL: all of
 * those are exempt. */
static struct entry *pick_eviction(struct tcp_directory *d)
{
    struct entry *e, *found = NULL;
    unsigned max = 0, looks = 0;

    TAILQ_FOREACH (e, &d->half_open, by_age) {
        unsigned crowd = peers_source_table_network_half_open(d->sources, &e->source);

        if (crowd > max) {
            max = crowd;
            found = e;
        }
        if (++looks == EVICTION_SCAN_MAX)
            break;
    }
    return found;
}

/* Evicts one half-open session for the new one, also after a reload has lowered the limit below the
 * current number. */
static enum peers_admission evict_half_open(struct tcp_directory *d, const struct address *peer,
                                            const struct peers_source_limits *limits,
                                            uint64_t now_ms, struct peers_source_place *source,
                                            struct tcp_place *evicted)
{
    struct peers_source_limits without_half_open = *limits;
    struct entry *e = pick_eviction(d);

    if (e == NULL)
        return ADMISSION_HALF_OPEN_FULL;
    end_half_open(d, e);
    describe(e, evicted);
    without_half_open.half_open = UINT_MAX;
    return peers_source_table_enter(d->sources, peer, &without_half_open, now_ms, source);
}

static enum peers_admission admit(struct tcp_directory *d, const struct address *peer,
                                  const struct peers_source_limits *limits, uint64_t now_ms,
                                  struct tcp_place *out, struct tcp_place *evicted)
{
    struct peers_source_place source;
    struct entry *e;
    enum peers_admission a;

    if (HASH_COUNT(d->by_session) >= d->limit)
        return ADMISSION_FULL;
    a = peers_source_table_enter(d->sources, peer, limits, now_ms, &source);
    if (a == ADMISSION_HALF_OPEN_FULL)
        a = evict_half_open(d, peer, limits, now_ms, &source, evicted);
    if (a != ADMITTED)
        return a;
    e = add(d, false, PLACE_OPENING);
    if (e == NULL) {
        peers_source_table_leave(d->sources, &source, true);
        return ADMISSION_NO_MEMORY;
    }
    e->source = source;
    begin_half_open(d, e);
    describe(e, out);
    return ADMITTED;
}

enum peers_admission tcp_directory_accept(struct tcp_directory *d, const struct address *peer,
                                          const struct peers_source_limits *limits, uint64_t now_ms,
                                          struct tcp_place *out, struct tcp_place *evicted)
{
    enum peers_admission a;

    *evicted = (struct tcp_place){0};
    pthread_mutex_lock(&d->lock);
    a = admit(d, peer, limits, now_ms, out, evicted);
    pthread_mutex_unlock(&d->lock);
    return a;
}

uint64_t tcp_directory_record_violation(struct tcp_directory *d, const struct address *peer,
                                        const struct peers_source_limits *limits, uint64_t now_ms)
{
    uint64_t ms;

    pthread_mutex_lock(&d->lock);
    ms = peers_source_table_record_violation(d->sources, peer, limits, now_ms);
    pthread_mutex_unlock(&d->lock);
    return ms;
}

unsigned tcp_directory_take_files(struct tcp_directory *d, const struct address *peer,
                                  const struct peers_source_limits *limits, unsigned wanted,
                                  uint64_t now_ms)
{
    unsigned taken;

    pthread_mutex_lock(&d->lock);
    taken = peers_source_table_take_files(d->sources, peer, limits, wanted, now_ms);
    pthread_mutex_unlock(&d->lock);
    return taken;
}

/* Higher is better; 0: unusable. */
static int rank(const struct entry *e)
{
    if (e->state == PLACE_CONNECTED)
        return e->is_outgoing ? 3 : 2;
    return e->state == PLACE_HIDDEN ? 0 : 1;
}

static struct entry *best_of(struct tcp_directory *d, const struct address *address)
{
    struct entry *e, *best = NULL;
    struct host *host;

    HASH_FIND(hh, d->by_address, address, sizeof *address, host);
    if (host == NULL)
        return NULL;
    LIST_FOREACH (e, &host->entries, in_host)
        if (rank(e) > (best == NULL ? 0 : rank(best)))
            best = e;
    return best;
}

static enum err reserve(struct tcp_directory *d, const struct address *address, struct entry **out)
{
    if (HASH_COUNT(d->by_session) >= d->limit)
        return ERR_FULL;
    *out = add(d, true, PLACE_RESERVED);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    if (!join_host(d, *out, address)) {
        remove_entry(d, *out);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

enum err tcp_directory_find_or_reserve(struct tcp_directory *d, const struct address *address,
                                       struct tcp_place *out)
{
    struct entry *e;
    enum err err = ERR_OK;

    pthread_mutex_lock(&d->lock);
    e = best_of(d, address);
    if (e == NULL)
        err = reserve(d, address, &e);
    if (err == ERR_OK)
        describe(e, out);
    pthread_mutex_unlock(&d->lock);
    return err;
}

bool tcp_directory_find_connected(struct tcp_directory *d, const struct address *addresses,
                                  unsigned count, struct tcp_place *out)
{
    bool is_found = false;

    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < count && !is_found; i++) {
        struct entry *e = best_of(d, &addresses[i]);

        is_found = e != NULL && e->state == PLACE_CONNECTED;
        if (is_found)
            describe(e, out);
    }
    pthread_mutex_unlock(&d->lock);
    return is_found;
}

bool tcp_directory_claim(struct tcp_directory *d, uint64_t session)
{
    struct entry *e;
    bool is_claimed;

    pthread_mutex_lock(&d->lock);
    e = find(d, session);
    is_claimed = e != NULL && e->state == PLACE_RESERVED;
    if (is_claimed)
        e->state = PLACE_OPENING;
    pthread_mutex_unlock(&d->lock);
    return is_claimed;
}

void tcp_directory_connected(struct tcp_directory *d, uint64_t session,
                             const struct address *announced)
{
    struct entry *e;

    pthread_mutex_lock(&d->lock);
    e = find(d, session);
    CONTRACT(e != NULL);
    e->state = PLACE_CONNECTED;
    end_half_open(d, e);
    if (announced != NULL && e->host == NULL)
        join_host(d, e, announced);
    pthread_mutex_unlock(&d->lock);
}

void tcp_directory_hide(struct tcp_directory *d, uint64_t session)
{
    struct entry *e;

    pthread_mutex_lock(&d->lock);
    e = find(d, session);
    if (e != NULL) {
        e->state = PLACE_HIDDEN;
        leave_host(d, e);
    }
    pthread_mutex_unlock(&d->lock);
}

void tcp_directory_leave(struct tcp_directory *d, uint64_t session)
{
    struct entry *e;

    pthread_mutex_lock(&d->lock);
    e = find(d, session);
    if (e != NULL)
        remove_entry(d, e);
    pthread_mutex_unlock(&d->lock);
}

unsigned tcp_directory_count(struct tcp_directory *d)
{
    unsigned count;

    pthread_mutex_lock(&d->lock);
    count = HASH_COUNT(d->by_session);
    pthread_mutex_unlock(&d->lock);
    return count;
}

struct tcp_directory_sources tcp_directory_sources(struct tcp_directory *d)
{
    struct tcp_directory_sources sources;

    pthread_mutex_lock(&d->lock);
    sources.half_open = peers_source_table_half_open(d->sources);
    sources.known = peers_source_table_count(d->sources);
    pthread_mutex_unlock(&d->lock);
    return sources;
}
