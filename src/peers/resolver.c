#include "peers/resolver.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/loop.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    QUERIES_MAX = 65536,
    CACHED_MAX = 1024,          /* cached names */
    SLOT_STACK_BYTES = 1 << 20, /* name service modules run on it */
};

/* Shared by the slots' threads and the resolver. A thread can outlive the resolver, so it is
 * reference counted. */
struct completion {
    pthread_mutex_t lock; /* protects both fields; held for a few writes and to post a message */
    struct mailbox *box;  /* NULL: the resolver has stopped, results are discarded */
    unsigned users;
};

/* One call of getaddrinfo. Owned by its thread until posted back, then by the resolver. */
struct look_up {
    struct message message;
    struct completion *completion;
    peers_resolver_look_up_fn *look_up;
    struct name *name; /* owned by the resolver, which keeps it until this completes */
    enum err result;
    unsigned count;
    struct address addresses[ROUTE_ADDRESSES_MAX];
    char host[ADDRESS_HOST_SIZE];
};

enum name_state {
    NAME_WAITING, /* for a free slot */
    NAME_PENDING, /* its look-up runs */
    NAME_CACHED,  /* the answer or failure is cached */
};

struct query {
    struct message message; /* to the resolver */
    TAILQ_ENTRY(query) link;
    struct timer limit;
    struct name *name;
    struct peers_resolver *resolver;
    struct route *route;
    peers_resolved_fn *then;
    void *ctx, *what;
};

struct name {
    char host[ADDRESS_HOST_SIZE];
    enum name_state state;
    bool is_late;      /* PENDING for longer than limit_ms */
    bool is_forgotten; /* PENDING: the result is not cached, only passed to the waiting queries */
    struct peers_resolver *resolver;
    TAILQ_HEAD(, query) queries;
    TAILQ_ENTRY(name) link; /* of `waiting` or `kept`: oldest first */
    struct timer timer;     /* PENDING: late; CACHED: expired */
    enum err result;
    unsigned count;
    struct address addresses[ROUTE_ADDRESSES_MAX];
    UT_hash_handle hh;
};

TAILQ_HEAD(name_list, name);

struct peers_resolver {
    struct peers_resolver_config config;
    struct loop *loop;
    struct completion *completion;
    /* Accessed by the resolver's thread only. */
    struct name *names;
    struct name_list waiting, kept;
    unsigned kept_count;
    unsigned pending, late; /* slots in use; of them, by look-ups over limit_ms */
    bool is_full_reported;  /* a warning that all slots are late was logged */
};

/* A slot. */

enum err peers_resolver_look_up(const char *host, struct address *addresses, unsigned *count)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list, *at;
    int status = getaddrinfo(host, NULL, &hints, &list);

    *count = 0;
    if (status != 0) {
        log_info("cannot resolve %s: %s", host, gai_strerror(status));
        if (status == EAI_MEMORY)
            return ERR_NO_MEMORY;
        return status == EAI_AGAIN ? ERR_NAME_SERVER : ERR_UNRESOLVED;
    }
    for (at = list; at != NULL && *count < ROUTE_ADDRESSES_MAX; at = at->ai_next)
        if (address_from_sockaddr(&addresses[*count], at->ai_addr) == ERR_OK)
            ++*count;
    freeaddrinfo(list);
    return *count == 0 ? ERR_UNRESOLVED : ERR_OK;
}

/* Called with the lock held; unlocks it, and frees the struct with the last user. */
static void release(struct completion *completion)
{
    bool is_last = --completion->users == 0;

    pthread_mutex_unlock(&completion->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&completion->lock);
    free(completion);
}

static void look_up_done(struct message *m, void *owner);

static void *slot(void *arg)
{
    struct look_up *l = arg;
    struct completion *completion = l->completion;

    log_name_thread("look-up");
    l->result = l->look_up(l->host, l->addresses, &l->count);
    pthread_mutex_lock(&completion->lock);
    if (completion->box != NULL)
        mailbox_answer(completion->box, &l->message, look_up_done);
    else
        free(l);
    release(completion);
    return NULL;
}

/* The new thread inherits the blocked signals of the thread that starts it. */
static enum err start_thread(struct look_up *l)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error_number;

    pthread_mutex_lock(&l->completion->lock);
    l->completion->users++;
    pthread_mutex_unlock(&l->completion->lock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, SLOT_STACK_BYTES);
    error_number = pthread_create(&thread, &attributes, slot, l);
    pthread_attr_destroy(&attributes);
    if (error_number == 0)
        return ERR_OK;
    pthread_mutex_lock(&l->completion->lock);
    release(l->completion);
    log_warning("cannot create a thread to look up %s: %s", l->host, strerror(error_number));
    return err_from_thread(error_number);
}

/* Names. */

static void remove_name(struct name *name)
{
    struct peers_resolver *r = name->resolver;

    loop_cancel_timer(r->loop, &name->timer);
    if (name->state == NAME_WAITING) {
        TAILQ_REMOVE(&r->waiting, name, link);
    } else if (name->state == NAME_CACHED) {
        TAILQ_REMOVE(&r->kept, name, link);
        r->kept_count--;
    }
    HASH_DEL(r->names, name);
    free(name);
}

static void answer(struct query *q, enum err e)
{
    struct route *route = q->route;

    loop_cancel_timer(q->resolver->loop, &q->limit);
    if (q->name != NULL)
        TAILQ_REMOVE(&q->name->queries, q, link);
    route->address_count = e == ERR_OK ? q->name->count : 0;
    for (unsigned i = 0; i < route->address_count; i++) {
        route->addresses[i] = q->name->addresses[i];
        route->addresses[i].port = route->contact.port;
    }
    q->then(q->ctx, q->what, e);
    free(q);
}

static void answer_all(struct name *name, enum err e)
{
    while (!TAILQ_EMPTY(&name->queries))        /* answer() removes it from this list */
        answer(TAILQ_FIRST(&name->queries), e); /* NOLINT(clang-analyzer-unix.Malloc) */
}

static void keep(struct name *name, enum err e)
{
    struct peers_resolver *r = name->resolver;
    unsigned ms = e == ERR_OK ? r->config.kept_ms : r->config.failed_ms;

    name->state = NAME_CACHED;
    name->result = e;
    TAILQ_INSERT_TAIL(&r->kept, name, link);
    r->kept_count++;
    loop_set_timer(r->loop, &name->timer, ms);
    answer_all(name, e);
    if (name->is_forgotten)
        remove_name(name);
    while (r->kept_count > CACHED_MAX)
        remove_name(TAILQ_FIRST(&r->kept));
}

static void report_all_late(struct peers_resolver *r)
{
    bool is_full = r->late >= r->config.slots;

    if (is_full && !r->is_full_reported)
        log_warning("all %u look-ups of names wait for more than %u ms: further names fail until "
                    "one completes; check the name server, or use addresses",
                    r->late, r->config.limit_ms);
    else if (!is_full && r->is_full_reported)
        log_info("a look-up of a name has completed: names are looked up again");
    r->is_full_reported = is_full;
}

/* The look-up has exceeded its limit. Its queries have their own timers. */
static void mark_late(struct name *name)
{
    struct peers_resolver *r = name->resolver;

    name->is_late = true;
    r->late++;
    metrics_add(METRIC_LOOK_UPS_LATE, 1);
    log_warning("no answer from the name server for %s within %u ms: its look-up continues",
                name->host, r->config.limit_ms);
    report_all_late(r);
}

static void name_timer(struct timer *timer, void *ctx)
{
    struct name *name = ctx;

    (void)timer;
    if (name->state == NAME_PENDING)
        mark_late(name);
    else
        remove_name(name);
}

static enum err start_look_up(struct name *name)
{
    struct peers_resolver *r = name->resolver;
    struct look_up *l = calloc(1, sizeof *l);
    enum err e;

    if (l == NULL)
        return ERR_NO_MEMORY;
    l->completion = r->completion;
    l->look_up = r->config.look_up;
    l->name = name;
    snprintf(l->host, sizeof l->host, "%s", name->host);
    e = start_thread(l);
    if (e != ERR_OK)
        free(l);
    return e;
}

/* Starts waiting look-ups while slots are free. If a thread cannot be created, the name waits for a
 * running look-up to finish, and fails if none runs. */
static void start_waiting(struct peers_resolver *r)
{
    struct name *name;

    while (r->pending < r->config.slots && (name = TAILQ_FIRST(&r->waiting)) != NULL) {
        enum err e = start_look_up(name);

        if (e != ERR_OK && r->pending > 0)
            return;
        TAILQ_REMOVE(&r->waiting, name, link);
        name->state = NAME_PENDING;
        name->is_forgotten = e != ERR_OK;
        if (e != ERR_OK) {
            keep(name, e);
        } else {
            r->pending++;
            loop_set_timer(r->loop, &name->timer, r->config.limit_ms);
        }
    }
}

static void look_up_done(struct message *m, void *owner)
{
    struct look_up *l = (struct look_up *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name = l->name;

    r->pending--;
    if (name->is_late)
        r->late--;
    name->is_late = false;
    name->count = l->count;
    memcpy(name->addresses, l->addresses, sizeof name->addresses);
    keep(name, l->result);
    free(l);
    report_all_late(r);
    start_waiting(r);
}

/* Queries. */

static struct name *name_of(struct peers_resolver *r, const char *host)
{
    struct name *name;

    HASH_FIND_STR(r->names, host, name);
    if (name != NULL)
        return name;
    name = calloc(1, sizeof *name);
    if (name == NULL)
        return NULL;
    snprintf(name->host, sizeof name->host, "%s", host);
    name->resolver = r;
    name->timer = (struct timer){.fire = name_timer, .ctx = name};
    TAILQ_INIT(&name->queries);
    HASH_ADD_STR(r->names, host, name);
    if (name->hh.tbl == NULL) {
        free(name);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&r->waiting, name, link);
    return name;
}

static void query_expired(struct timer *timer, void *ctx)
{
    struct query *q = ctx;
    struct name *name = q->name;

    (void)timer;
    answer(q, ERR_NAME_SERVER);
    if (name->state == NAME_WAITING && TAILQ_EMPTY(&name->queries))
        remove_name(name);
}

static void handle_query(struct message *m, void *owner)
{
    struct query *q = (struct query *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name = name_of(r, q->route->contact.host);

    if (name == NULL) {
        answer(q, ERR_NO_MEMORY);
        return;
    }
    q->name = name;
    TAILQ_INSERT_TAIL(&name->queries, q, link);
    if (name->state == NAME_CACHED) {
        answer_all(name, name->result);
    } else if (name->state == NAME_WAITING && r->late >= r->config.slots) {
        answer_all(name, ERR_NAME_SERVER);
        remove_name(name);
    } else {
        loop_set_timer(r->loop, &q->limit, r->config.limit_ms);
        start_waiting(r);
    }
}

enum err peers_resolver_resolve(struct peers_resolver *resolver, struct route *route,
                                peers_resolved_fn *then, void *ctx, void *what)
{
    struct query *q = calloc(1, sizeof *q);
    enum err e;

    if (q == NULL)
        return ERR_NO_MEMORY;
    *q = (struct query){.resolver = resolver,
                        .limit = {.fire = query_expired, .ctx = q},
                        .route = route,
                        .then = then,
                        .ctx = ctx,
                        .what = what};
    e = mailbox_post(loop_mailbox(resolver->loop), &q->message, handle_query);
    if (e != ERR_OK)
        free(q);
    return e;
}

struct forget_request {
    struct message message;
    char host[ADDRESS_HOST_SIZE];
};

static void forget(struct message *m, void *owner)
{
    struct forget_request *f = (struct forget_request *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name;

    HASH_FIND_STR(r->names, f->host, name);
    free(f);
    if (name != NULL && name->state == NAME_CACHED && name->result == ERR_OK)
        remove_name(name);
    else if (name != NULL && name->state == NAME_PENDING)
        name->is_forgotten = true;
}

void peers_resolver_forget(struct peers_resolver *resolver, const char *host)
{
    struct forget_request *f = calloc(1, sizeof *f);

    if (f == NULL)
        return; /* the cached answer expires by itself */
    snprintf(f->host, sizeof f->host, "%s", host);
    if (mailbox_post(loop_mailbox(resolver->loop), &f->message, forget) != ERR_OK)
        free(f);
}

static void handle_message(struct message *m, void *owner)
{
    struct peers_resolver *r = owner;

    r->config.on_message(r->config.message_ctx, m);
}

void peers_resolver_post(struct peers_resolver *resolver, struct message *m)
{
    mailbox_answer(loop_mailbox(resolver->loop), m, handle_message);
}

static bool cancel_of(struct name *name, peers_resolved_fn *then, peers_resolver_match_fn *matches,
                      const void *ctx)
{
    struct query *q, *next;
    bool is_found = false;

    for (q = TAILQ_FIRST(&name->queries); q != NULL; q = next) {
        next = TAILQ_NEXT(q, link);
        if (q->then != then || !matches(ctx, q->what))
            continue;
        answer(q, ERR_CANCELLED);
        is_found = true;
    }
    return is_found;
}

bool peers_resolver_cancel(struct peers_resolver *resolver, peers_resolved_fn *then,
                           peers_resolver_match_fn *matches, const void *ctx)
{
    struct name *name, *next;
    bool is_found = false;

    loop_assert_here(resolver->loop);
    HASH_ITER (hh, resolver->names, name, next) {
        is_found = cancel_of(name, then, matches, ctx) || is_found;
        if (name->state == NAME_WAITING && TAILQ_EMPTY(&name->queries))
            remove_name(name);
    }
    return is_found;
}

/* Open and close. */

static void ended(void *owner)
{
    struct peers_resolver *r = owner;
    struct name *name, *next;

    mailbox_shut(loop_mailbox(r->loop)); /* the workers still post */
    pthread_mutex_lock(&r->completion->lock);
    r->completion->box = NULL;
    pthread_mutex_unlock(&r->completion->lock);
    mailbox_drain(loop_mailbox(r->loop)); /* what was posted just before */
    HASH_ITER (hh, r->names, name, next)
        answer_all(name, ERR_CLOSED);
}

static struct completion *completion_new(void)
{
    struct completion *completion = calloc(1, sizeof *completion);

    if (completion == NULL)
        return NULL;
    pthread_mutex_init(&completion->lock, NULL);
    completion->users = 1;
    return completion;
}

enum err peers_resolver_open(struct peers_resolver **out,
                             const struct peers_resolver_config *config)
{
    struct peers_resolver *r = calloc(1, sizeof *r);
    enum err e = ERR_NO_MEMORY;

    if (r == NULL)
        return ERR_NO_MEMORY;
    r->config = *config;
    TAILQ_INIT(&r->waiting);
    TAILQ_INIT(&r->kept);
    r->completion = completion_new();
    if (r->completion != NULL)
        e = loop_open(&r->loop, &(struct loop_config){.name = "resolver",
                                                      .mailbox_limit = QUERIES_MAX,
                                                      .owner = r,
                                                      .ended = ended});
    if (e != ERR_OK) {
        peers_resolver_close(&r);
        return e;
    }
    r->completion->box = loop_mailbox(r->loop);
    *out = r;
    return ERR_OK;
}

void peers_resolver_close(struct peers_resolver **resolver)
{
    struct peers_resolver *r = *resolver;
    struct name *name, *next;

    if (r == NULL)
        return;
    HASH_ITER (hh, r->names, name, next)
        remove_name(name);
    if (r->completion != NULL) {
        pthread_mutex_lock(&r->completion->lock);
        release(r->completion);
    }
    loop_close(&r->loop);
    free(r);
    *resolver = NULL;
}

enum err peers_resolver_start(struct peers_resolver *resolver)
{
    return loop_start(resolver->loop);
}

void peers_resolver_stop(struct peers_resolver *resolver)
{
    loop_stop(resolver->loop);
}
