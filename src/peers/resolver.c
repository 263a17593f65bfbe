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
    QUESTIONS_MAX = 65536,
    KEPT_MAX = 1024,            /* names that nobody waits for */
    SLOT_STACK_BYTES = 1 << 20, /* name services bring their own code */
};

/* What the slots' threads and the resolver share. A thread may outlive the resolver: the last one
 * frees this. */
struct returns {
    pthread_mutex_t lock; /* covers both; held for a few writes and for posting a message */
    struct mailbox *box;  /* NULL: the resolver has ended, what comes back is thrown away */
    unsigned users;
};

/* One call of getaddrinfo: its thread's until it is posted back, then the resolver's. */
struct look_up {
    struct message message;
    struct returns *returns;
    peers_resolver_look_up_fn *look_up;
    struct name *name; /* the resolver's, which keeps it until this is back */
    enum err result;
    unsigned count;
    struct address addresses[ROUTE_ADDRESSES_MAX];
    char host[ADDRESS_HOST_SIZE];
};

enum name_state {
    NAME_WAITING, /* for a slot */
    NAME_ASKED,   /* has one */
    NAME_KEPT,    /* the answer, good or bad, is known for a while */
};

struct question {
    struct message message; /* on its way to the resolver */
    TAILQ_ENTRY(question) link;
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
    bool is_late;      /* ASKED, for longer than the limit */
    bool is_forgotten; /* ASKED: what comes back is for those who wait now, and not kept */
    struct peers_resolver *resolver;
    TAILQ_HEAD(, question) questions;
    TAILQ_ENTRY(name) link; /* of the waiting, or of the kept: oldest first */
    struct timer timer;     /* ASKED: late; KEPT: old */
    enum err result;
    unsigned count;
    struct address addresses[ROUTE_ADDRESSES_MAX];
    UT_hash_handle hh;
};

TAILQ_HEAD(name_list, name);

struct peers_resolver {
    struct peers_resolver_config config;
    struct loop *loop;
    struct returns *returns;
    /* The resolver's thread only. */
    struct name *names;
    struct name_list waiting, kept;
    unsigned kept_count;
    unsigned asked, late; /* slots taken; of them, by look-ups over the limit */
    bool is_warned;       /* that all slots are late */
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

/* With the lock held, which goes with the last user. */
static void leave(struct returns *returns)
{
    bool is_last = --returns->users == 0;

    pthread_mutex_unlock(&returns->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&returns->lock);
    free(returns);
}

static void is_back(struct message *m, void *owner);

static void *slot(void *arg)
{
    struct look_up *l = arg;
    struct returns *returns = l->returns;

    log_name_thread("look-up");
    l->result = l->look_up(l->host, l->addresses, &l->count);
    pthread_mutex_lock(&returns->lock);
    if (returns->box != NULL)
        mailbox_answer(returns->box, &l->message, is_back);
    else
        free(l);
    leave(returns);
    return NULL;
}

/* Signals are blocked in it, as in the thread that starts it. */
static enum err start_thread(struct look_up *l)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error_number;

    pthread_mutex_lock(&l->returns->lock);
    l->returns->users++;
    pthread_mutex_unlock(&l->returns->lock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, SLOT_STACK_BYTES);
    error_number = pthread_create(&thread, &attributes, slot, l);
    pthread_attr_destroy(&attributes);
    if (error_number == 0)
        return ERR_OK;
    pthread_mutex_lock(&l->returns->lock);
    leave(l->returns);
    log_warning("cannot make a thread to look up %s: %s", l->host, strerror(error_number));
    return err_from_thread(error_number);
}

/* Names. */

static void remove_name(struct name *name)
{
    struct peers_resolver *r = name->resolver;

    loop_cancel_timer(r->loop, &name->timer);
    if (name->state == NAME_WAITING) {
        TAILQ_REMOVE(&r->waiting, name, link);
    } else if (name->state == NAME_KEPT) {
        TAILQ_REMOVE(&r->kept, name, link);
        r->kept_count--;
    }
    HASH_DEL(r->names, name);
    free(name);
}

static void answer(struct question *q, enum err e)
{
    struct route *route = q->route;

    loop_cancel_timer(q->resolver->loop, &q->limit);
    if (q->name != NULL)
        TAILQ_REMOVE(&q->name->questions, q, link);
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
    while (!TAILQ_EMPTY(&name->questions))        /* each has this name, so answer() takes it out */
        answer(TAILQ_FIRST(&name->questions), e); /* NOLINT(clang-analyzer-unix.Malloc) */
}

static void keep(struct name *name, enum err e)
{
    struct peers_resolver *r = name->resolver;
    unsigned ms = e == ERR_OK ? r->config.kept_ms : r->config.failed_ms;

    name->state = NAME_KEPT;
    name->result = e;
    TAILQ_INSERT_TAIL(&r->kept, name, link);
    r->kept_count++;
    loop_set_timer(r->loop, &name->timer, ms);
    answer_all(name, e);
    if (name->is_forgotten)
        remove_name(name);
    while (r->kept_count > KEPT_MAX)
        remove_name(TAILQ_FIRST(&r->kept));
}

static void tell_all_late(struct peers_resolver *r)
{
    bool is_full = r->late >= r->config.slots;

    if (is_full && !r->is_warned)
        log_warning("no name server has answered %u look-ups for %u ms: further names fail until "
                    "one does; addresses do not need it",
                    r->late, r->config.limit_ms);
    else if (!is_full && r->is_warned)
        log_info("a look-up of a name has come back: names are looked up again");
    r->is_warned = is_full;
}

/* The look-up is over its limit. Those who asked each have their own. */
static void is_late(struct name *name)
{
    struct peers_resolver *r = name->resolver;

    name->is_late = true;
    r->late++;
    metrics_add(METRIC_LOOK_UPS_LATE, 1);
    log_warning("no answer for %s from the name server for %u ms: its look-up goes on", name->host,
                r->config.limit_ms);
    tell_all_late(r);
}

static void name_timer(struct timer *timer, void *ctx)
{
    struct name *name = ctx;

    (void)timer;
    if (name->state == NAME_ASKED)
        is_late(name);
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
    l->returns = r->returns;
    l->look_up = r->config.look_up;
    l->name = name;
    snprintf(l->host, sizeof l->host, "%s", name->host);
    e = start_thread(l);
    if (e != ERR_OK)
        free(l);
    return e;
}

/* One that cannot be started waits for the end of another, if there is one. */
static void ask_waiting(struct peers_resolver *r)
{
    struct name *name;

    while (r->asked < r->config.slots && (name = TAILQ_FIRST(&r->waiting)) != NULL) {
        enum err e = start_look_up(name);

        if (e != ERR_OK && r->asked > 0)
            return;
        TAILQ_REMOVE(&r->waiting, name, link);
        name->state = NAME_ASKED;
        name->is_forgotten = e != ERR_OK;
        if (e != ERR_OK) {
            keep(name, e);
        } else {
            r->asked++;
            loop_set_timer(r->loop, &name->timer, r->config.limit_ms);
        }
    }
}

static void is_back(struct message *m, void *owner)
{
    struct look_up *l = (struct look_up *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name = l->name;

    r->asked--;
    if (name->is_late)
        r->late--;
    name->is_late = false;
    name->count = l->count;
    memcpy(name->addresses, l->addresses, sizeof name->addresses);
    keep(name, l->result);
    free(l);
    tell_all_late(r);
    ask_waiting(r);
}

/* Questions. */

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
    TAILQ_INIT(&name->questions);
    HASH_ADD_STR(r->names, host, name);
    if (name->hh.tbl == NULL) {
        free(name);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&r->waiting, name, link);
    return name;
}

static void too_late(struct timer *timer, void *ctx)
{
    struct question *q = ctx;
    struct name *name = q->name;

    (void)timer;
    answer(q, ERR_NAME_SERVER);
    if (name->state == NAME_WAITING && TAILQ_EMPTY(&name->questions))
        remove_name(name);
}

static void take_question(struct message *m, void *owner)
{
    struct question *q = (struct question *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name = name_of(r, q->route->contact.host);

    if (name == NULL) {
        answer(q, ERR_NO_MEMORY);
        return;
    }
    q->name = name;
    TAILQ_INSERT_TAIL(&name->questions, q, link);
    if (name->state == NAME_KEPT) {
        answer_all(name, name->result);
    } else if (name->state == NAME_WAITING && r->late >= r->config.slots) {
        answer_all(name, ERR_NAME_SERVER);
        remove_name(name);
    } else {
        loop_set_timer(r->loop, &q->limit, r->config.limit_ms);
        ask_waiting(r);
    }
}

enum err peers_resolver_ask(struct peers_resolver *resolver, struct route *route,
                            peers_resolved_fn *then, void *ctx, void *what)
{
    struct question *q = calloc(1, sizeof *q);
    enum err e;

    if (q == NULL)
        return ERR_NO_MEMORY;
    *q = (struct question){.resolver = resolver,
                           .limit = {.fire = too_late, .ctx = q},
                           .route = route,
                           .then = then,
                           .ctx = ctx,
                           .what = what};
    e = mailbox_post(loop_mailbox(resolver->loop), &q->message, take_question);
    if (e != ERR_OK)
        free(q);
    return e;
}

struct forgetting {
    struct message message;
    char host[ADDRESS_HOST_SIZE];
};

static void forget(struct message *m, void *owner)
{
    struct forgetting *f = (struct forgetting *)(void *)m;
    struct peers_resolver *r = owner;
    struct name *name;

    HASH_FIND_STR(r->names, f->host, name);
    free(f);
    if (name != NULL && name->state == NAME_KEPT && name->result == ERR_OK)
        remove_name(name);
    else if (name != NULL && name->state == NAME_ASKED)
        name->is_forgotten = true;
}

void peers_resolver_forget(struct peers_resolver *resolver, const char *host)
{
    struct forgetting *f = calloc(1, sizeof *f);

    if (f == NULL)
        return; /* it is kept for a moment only */
    snprintf(f->host, sizeof f->host, "%s", host);
    if (mailbox_post(loop_mailbox(resolver->loop), &f->message, forget) != ERR_OK)
        free(f);
}

static void take_visit(struct message *m, void *owner)
{
    struct peers_resolver *r = owner;

    r->config.visit(r->config.visit_ctx, m);
}

void peers_resolver_visit(struct peers_resolver *resolver, struct message *m)
{
    mailbox_answer(loop_mailbox(resolver->loop), m, take_visit);
}

static bool cancel_of(struct name *name, peers_resolved_fn *then, peers_resolver_pick_fn *is_it,
                      const void *ctx)
{
    struct question *q, *next;
    bool is_any = false;

    for (q = TAILQ_FIRST(&name->questions); q != NULL; q = next) {
        next = TAILQ_NEXT(q, link);
        if (q->then != then || !is_it(ctx, q->what))
            continue;
        answer(q, ERR_CANCELLED);
        is_any = true;
    }
    return is_any;
}

bool peers_resolver_cancel(struct peers_resolver *resolver, peers_resolved_fn *then,
                           peers_resolver_pick_fn *is_it, const void *ctx)
{
    struct name *name, *next;
    bool is_any = false;

    loop_assert_here(resolver->loop);
    HASH_ITER (hh, resolver->names, name, next) {
        is_any = cancel_of(name, then, is_it, ctx) || is_any;
        if (name->state == NAME_WAITING && TAILQ_EMPTY(&name->questions))
            remove_name(name);
    }
    return is_any;
}

/* Life. */

static void ended(void *owner)
{
    struct peers_resolver *r = owner;
    struct name *name, *next;

    mailbox_shut(loop_mailbox(r->loop)); /* the workers still run */
    pthread_mutex_lock(&r->returns->lock);
    r->returns->box = NULL;
    pthread_mutex_unlock(&r->returns->lock);
    mailbox_drain(loop_mailbox(r->loop)); /* what came just before */
    HASH_ITER (hh, r->names, name, next)
        answer_all(name, ERR_CLOSED);
}

static struct returns *returns_new(void)
{
    struct returns *returns = calloc(1, sizeof *returns);

    if (returns == NULL)
        return NULL;
    pthread_mutex_init(&returns->lock, NULL);
    returns->users = 1;
    return returns;
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
    r->returns = returns_new();
    if (r->returns != NULL)
        e = loop_open(&r->loop, &(struct loop_config){.name = "resolver",
                                                      .mailbox_limit = QUESTIONS_MAX,
                                                      .owner = r,
                                                      .ended = ended});
    if (e != ERR_OK) {
        peers_resolver_close(&r);
        return e;
    }
    r->returns->box = loop_mailbox(r->loop);
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
    if (r->returns != NULL) {
        pthread_mutex_lock(&r->returns->lock);
        leave(r->returns);
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
