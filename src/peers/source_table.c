#include "peers/source_table.h"

#include "base/contract.h"
#include "base/random.h"
#include "peers/access.h"
#include "peers/rate.h"

#include <stdlib.h>
#include <string.h>

/* A hash table with chaining by indexes into one array; a source's index does not change while it
 * has sessions. The hash is seeded, because remote peers choose the keys. */

enum {
    FIRST_CAPACITY = 64,
    NONE = UINT32_MAX, /* no index */
    V4_NETWORK_BITS = 24,
    V6_NETWORK_BITS = 64,
    FORGIVE_MS = 60000,       /* time after which one violation is forgiven */
    EVICTION_CHECKS_MAX = 64, /* sources without sessions to check for one without a penalty */
    DOUBLINGS_MAX = 20,
};

struct key {
    uint8_t ip[16];
    uint32_t scope;
    uint16_t family, bits;
};

struct source {
    struct key key;
    uint32_t next; /* in its chain */
    uint32_t sessions, half_open;
    uint32_t violations;
    struct peers_rate accepts, files;
    uint64_t forgiven_ms; /* violations are forgiven up to here; beyond now: end of the penalty */
};

struct peers_source_table {
    struct source *sources;
    uint32_t *chains; /* 2 * capacity entries */
    uint32_t count, capacity;
    uint32_t evict_hand; /* index where the next eviction search continues */
    uint32_t half_open;
    uint64_t seed;
};

const char *peers_source_table_text(enum peers_admission a)
{
    static const char *const list[] = {
#define X(name, metric, text) [name] = text,
        ADMISSION_LIST(X)
#undef X
    };
    return list[a];
}

enum metric peers_source_table_metric(enum peers_admission a)
{
    static const enum metric list[] = {
#define X(name, metric, text) [name] = metric,
        ADMISSION_LIST(X)
#undef X
    };
    return list[a];
}

struct peers_source_limits peers_source_table_limits_of(const struct settings *s,
                                                        const struct address *peer)
{
    return (struct peers_source_limits){.sessions = s->sessions.limit,
                                        .per_address = s->sessions.limit_per_address,
                                        .per_network = s->sessions.limit_per_network,
                                        .half_open = s->sessions.half_open_limit,
                                        .half_open_per_address = s->sessions.half_open_per_address,
                                        .accepts_per_s = s->sessions.accepts_per_s,
                                        .accepts_burst = s->sessions.accepts_burst,
                                        .violations_allowed = s->access.penalty_after,
                                        .penalty_s = s->access.penalty_s,
                                        .penalty_longest_s = s->access.penalty_longest_s,
                                        .files_per_s = s->access.files_per_s,
                                        .is_exempt = peers_access_is_exempt(s, peer)};
}

/* The table. */

enum err peers_source_table_open(struct peers_source_table **out)
{
    struct peers_source_table *t = calloc(1, sizeof *t);

    if (t == NULL)
        return ERR_NO_MEMORY;
    random_fill(&t->seed, sizeof t->seed);
    *out = t;
    return ERR_OK;
}

void peers_source_table_close(struct peers_source_table **table)
{
    if (*table == NULL)
        return;
    free((*table)->sources);
    free((*table)->chains);
    free(*table);
    *table = NULL;
}

static struct key key_of(const struct address *address, unsigned bits)
{
    struct key key = {.scope = address->scope, .family = address->family, .bits = (uint16_t)bits};

    memcpy(key.ip, address->ip, bits / 8);
    return key;
}

static unsigned address_bits(const struct address *a)
{
    return a->family == ADDRESS_V4 ? 32 : 128;
}

static unsigned network_bits(const struct address *a)
{
    return a->family == ADDRESS_V4 ? V4_NETWORK_BITS : V6_NETWORK_BITS;
}

static uint32_t *chain_of(const struct peers_source_table *t, const struct key *key)
{
    uint64_t words[3], hash = t->seed;

    _Static_assert(sizeof *key == sizeof words, "the whole key is hashed");
    memcpy(words, key, sizeof words);
    for (unsigned i = 0; i < 3; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        hash *= t->seed | 1;
        hash ^= hash >> 32;
    }
    return &t->chains[hash & (2 * (uint64_t)t->capacity - 1)];
}

static uint32_t find(const struct peers_source_table *t, const struct key *key)
{
    uint32_t at = t->capacity == 0 ? NONE : *chain_of(t, key);

    while (at != NONE && memcmp(&t->sources[at].key, key, sizeof *key) != 0)
        at = t->sources[at].next;
    return at;
}

static void chain(struct peers_source_table *t, uint32_t index)
{
    uint32_t *first = chain_of(t, &t->sources[index].key);

    t->sources[index].next = *first;
    *first = index;
}

static void unchain(struct peers_source_table *t, uint32_t index)
{
    uint32_t *at = chain_of(t, &t->sources[index].key);

    while (*at != index)
        at = &t->sources[*at].next;
    *at = t->sources[index].next;
}

static bool grow(struct peers_source_table *t)
{
    uint32_t capacity = t->capacity == 0 ? FIRST_CAPACITY : t->capacity * 2;
    struct source *sources = realloc(t->sources, capacity * sizeof *sources);
    uint32_t *chains;

    if (sources == NULL)
        return false;
    t->sources = sources;
    chains = malloc(2 * (size_t)capacity * sizeof *chains);
    if (chains == NULL)
        return false;
    free(t->chains);
    t->chains = chains;
    t->capacity = capacity;
    memset(chains, 0xff, 2 * (size_t)capacity * sizeof *chains); /* NONE */
    for (uint32_t i = 0; i < t->count; i++)
        chain(t, i);
    return true;
}

/* Unlinks a source without sessions, preferably one without a penalty, and returns its index. NONE:
 * all have sessions. */
static uint32_t evict(struct peers_source_table *t, uint64_t now_ms)
{
    uint32_t candidate = NONE;
    unsigned checked = 0;

    for (uint32_t left = t->count; left > 0 && checked < EVICTION_CHECKS_MAX; left--) {
        uint32_t at = t->evict_hand = t->evict_hand + 1 < t->count ? t->evict_hand + 1 : 0;

        if (t->sources[at].sessions > 0)
            continue;
        checked++;
        candidate = at;
        if (t->sources[at].forgiven_ms <= now_ms)
            break;
    }
    if (candidate != NONE)
        unchain(t, candidate);
    return candidate;
}

/* Finds or creates the source of `key`. NONE: no memory. */
static uint32_t find_or_create(struct peers_source_table *t, const struct key *key, uint32_t max,
                               uint64_t now_ms)
{
    uint32_t at = find(t, key);

    if (at != NONE)
        return at;
    if (t->count >= max)
        at = evict(t, now_ms);
    if (at == NONE) {
        if (t->count == t->capacity && !grow(t))
            return NONE;
        at = t->count++;
    }
    t->sources[at] = (struct source){.key = *key, .forgiven_ms = now_ms};
    chain(t, at);
    return at;
}

/* Two for each session, so that sources kept without sessions never displace one in use. */
static uint32_t max_sources(const struct peers_source_limits *limits)
{
    return SOURCES_KEPT + 2 * limits->sessions;
}

/* Finds or creates both sources of `peer`; false: no memory. */
static bool find_or_create_both(struct peers_source_table *t, const struct address *peer,
                                const struct peers_source_limits *limits, uint64_t now_ms,
                                struct peers_source_place *out)
{
    struct key address = key_of(peer, address_bits(peer)),
               network = key_of(peer, network_bits(peer));
    uint32_t max = max_sources(limits);

    out->network = find_or_create(t, &network, max, now_ms);
    if (out->network == NONE)
        return false;
    t->sources[out->network].sessions++; /* protected from eviction by the next call */
    out->address = find_or_create(t, &address, max, now_ms);
    t->sources[out->network].sessions--;
    return out->address != NONE;
}

/* The one of the two sources to which rates, half-open limits and penalties apply. */
static struct source *limited_source(struct peers_source_table *t,
                                     const struct peers_source_place *place)
{
    uint32_t at =
        t->sources[place->address].key.family == ADDRESS_V4 ? place->address : place->network;

    return &t->sources[at];
}

static bool is_penalised(const struct source *s, const struct peers_source_limits *limits,
                         uint64_t now_ms)
{
    return limits->penalty_s > 0 && s->forgiven_ms > now_ms;
}

static enum peers_admission check_limits(struct peers_source_table *t,
                                         const struct peers_source_place *place,
                                         const struct peers_source_limits *limits, uint64_t now_ms)
{
    const struct source *s = limited_source(t, place);

    if (is_penalised(s, limits, now_ms))
        return ADMISSION_PENALTY;
    if (t->sources[place->address].sessions >= limits->per_address)
        return ADMISSION_ADDRESS_FULL;
    if (t->sources[place->network].sessions >= limits->per_network)
        return ADMISSION_NETWORK_FULL;
    if (s->half_open >= limits->half_open_per_address)
        return ADMISSION_HALF_OPEN_ADDRESS_FULL;
    if (peers_rate_allowance(&s->accepts, limits->accepts_per_s, limits->accepts_burst,
                             now_ms * 1000) == 0)
        return ADMISSION_RATE;
    return ADMITTED;
}

static void count_session(struct peers_source_table *t, const struct peers_source_place *place,
                          const struct peers_source_limits *limits, uint64_t now_ms)
{
    struct source *s = limited_source(t, place);

    t->sources[place->address].sessions++;
    t->sources[place->network].sessions++;
    t->sources[place->address].half_open++;
    t->sources[place->network].half_open++;
    peers_rate_take(&s->accepts, limits->accepts_per_s, limits->accepts_burst, 1, now_ms * 1000);
}

enum peers_admission peers_source_table_enter(struct peers_source_table *t,
                                              const struct address *peer,
                                              const struct peers_source_limits *limits,
                                              uint64_t now_ms, struct peers_source_place *out)
{
    enum peers_admission a = ADMITTED;

    *out = (struct peers_source_place){NONE, NONE};
    if (!limits->is_exempt) {
        if (!find_or_create_both(t, peer, limits, now_ms, out))
            return ADMISSION_NO_MEMORY;
        a = check_limits(t, out, limits, now_ms);
    }
    if (a == ADMITTED && t->half_open >= limits->half_open)
        a = ADMISSION_HALF_OPEN_FULL;
    if (a != ADMITTED)
        return a;
    if (!limits->is_exempt)
        count_session(t, out, limits, now_ms);
    t->half_open++;
    return ADMITTED;
}

static bool is_counted(const struct peers_source_place *place)
{
    return place->address != NONE;
}

void peers_source_table_identified(struct peers_source_table *t,
                                   const struct peers_source_place *place)
{
    CONTRACT(t->half_open > 0);
    t->half_open--;
    if (!is_counted(place))
        return;
    t->sources[place->address].half_open--;
    t->sources[place->network].half_open--;
}

void peers_source_table_leave(struct peers_source_table *t, const struct peers_source_place *place,
                              bool is_half_open)
{
    if (is_half_open)
        peers_source_table_identified(t, place);
    if (!is_counted(place))
        return;
    CONTRACT(t->sources[place->address].sessions > 0 && t->sources[place->network].sessions > 0);
    t->sources[place->address].sessions--;
    t->sources[place->network].sessions--;
}

/* Penalties. */

static void forgive(struct source *s, uint64_t now_ms)
{
    uint64_t minutes = now_ms > s->forgiven_ms ? (now_ms - s->forgiven_ms) / FORGIVE_MS : 0;

    s->violations = s->violations > minutes ? s->violations - (uint32_t)minutes : 0;
    s->forgiven_ms += minutes * FORGIVE_MS;
}

static uint64_t penalty_ms(const struct source *s, const struct peers_source_limits *limits)
{
    uint64_t longest_ms = limits->penalty_longest_s * 1000ull, ms = limits->penalty_s * 1000ull;
    uint32_t beyond =
        s->violations > limits->violations_allowed ? s->violations - limits->violations_allowed : 0;

    if (beyond == 0)
        return 0;
    ms <<= beyond - 1 < DOUBLINGS_MAX ? beyond - 1 : DOUBLINGS_MAX;
    return ms < longest_ms ? ms : longest_ms;
}

uint64_t peers_source_table_record_violation(struct peers_source_table *t,
                                             const struct address *peer,
                                             const struct peers_source_limits *limits,
                                             uint64_t now_ms)
{
    struct peers_source_place place;
    struct source *s;
    uint64_t ms;

    if (limits->is_exempt || limits->penalty_s == 0 ||
        !find_or_create_both(t, peer, limits, now_ms, &place))
        return 0;
    s = limited_source(t, &place);
    forgive(s, now_ms);
    s->violations++;
    ms = penalty_ms(s, limits);
    if (now_ms + ms > s->forgiven_ms)
        s->forgiven_ms = now_ms + ms;
    return ms;
}

/* The burst is one second's amount. Without memory for the source the rate is not limited. */
unsigned peers_source_table_take_files(struct peers_source_table *t, const struct address *peer,
                                       const struct peers_source_limits *limits, unsigned wanted,
                                       uint64_t now_ms)
{
    unsigned per_s = limits->files_per_s;
    struct peers_source_place place;
    uint64_t allowed;
    struct source *s;

    if (limits->is_exempt || per_s == 0 || !find_or_create_both(t, peer, limits, now_ms, &place))
        return wanted;
    s = limited_source(t, &place);
    allowed = peers_rate_allowance(&s->files, per_s, per_s, now_ms * 1000);
    if (allowed > wanted)
        allowed = wanted;
    peers_rate_take(&s->files, per_s, per_s, allowed, now_ms * 1000);
    return (unsigned)allowed;
}

unsigned peers_source_table_network_half_open(const struct peers_source_table *t,
                                              const struct peers_source_place *place)
{
    return is_counted(place) ? t->sources[place->network].half_open : 0;
}

unsigned peers_source_table_half_open(const struct peers_source_table *t)
{
    return t->half_open;
}

unsigned peers_source_table_count(const struct peers_source_table *t)
{
    return t->count;
}
