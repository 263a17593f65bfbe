#include "tcp/resolver.h"

#include "base/log.h"
#include "loop/loop.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { KEPT_MS = 60000, KEPT_MAX = 1024, QUESTIONS_MAX = 65536 };

struct answer {
    char host[ADDRESS_HOST_SIZE];
    uint64_t until_ms;
    unsigned count;
    struct address addresses[ROUTE_ADDRESSES_MAX];
    UT_hash_handle hh; /* in order of age: the first is the oldest */
};

struct resolver {
    struct loop *loop;
    struct answer *answers;
    /* Set by whoever stops the thread, read by it before each question: a message would come behind
     * the questions that a dead name server holds up. */
    atomic_bool is_stopping;
};

struct question {
    struct message message;
    struct route *route;
    resolved_fn *then;
    void *ctx, *what;
};

static void forget(struct resolver *r, struct answer *a)
{
    HASH_DEL(r->answers, a);
    free(a);
}

enum err resolver_open(struct resolver **out)
{
    struct resolver *r = calloc(1, sizeof *r);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    e = loop_open(&r->loop, &(struct loop_config){
                                .name = "resolver", .mailbox_limit = QUESTIONS_MAX, .owner = r});
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void resolver_close(struct resolver **resolver)
{
    struct resolver *r = *resolver;
    struct answer *a, *next;

    if (r == NULL)
        return;
    HASH_ITER (hh, r->answers, a, next)
        forget(r, a);
    loop_close(&r->loop);
    free(r);
    *resolver = NULL;
}

enum err resolver_start(struct resolver *resolver)
{
    return loop_start(resolver->loop);
}

void resolver_stop(struct resolver *resolver)
{
    atomic_store(&resolver->is_stopping, true);
    loop_stop(resolver->loop);
}

static void keep(struct resolver *r, const struct answer *found)
{
    struct answer *a = malloc(sizeof *a);

    if (a == NULL)
        return;
    while (HASH_COUNT(r->answers) >= KEPT_MAX)
        forget(r, r->answers);
    *a = *found;
    HASH_ADD_STR(r->answers, host, a);
    if (a->hh.tbl == NULL)
        free(a);
}

static enum err look_up(struct answer *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list, *at;
    int status = getaddrinfo(out->host, NULL, &hints, &list);

    if (status != 0) {
        log_info("cannot resolve %s: %s", out->host, gai_strerror(status));
        return ERR_UNRESOLVED;
    }
    for (at = list; at != NULL && out->count < ROUTE_ADDRESSES_MAX; at = at->ai_next)
        if (address_from_sockaddr(&out->addresses[out->count], at->ai_addr) == ERR_OK)
            out->count++;
    freeaddrinfo(list);
    return out->count == 0 ? ERR_UNRESOLVED : ERR_OK;
}

static enum err find(struct resolver *r, const char *host, struct answer *out)
{
    uint64_t now_ms = loop_now_ms(r->loop);
    struct answer *a;
    enum err e;

    HASH_FIND_STR(r->answers, host, a);
    if (a != NULL && a->until_ms > now_ms) {
        *out = *a;
        return ERR_OK;
    }
    if (a != NULL)
        forget(r, a);
    *out = (struct answer){.until_ms = now_ms + KEPT_MS};
    snprintf(out->host, sizeof out->host, "%s", host);
    e = look_up(out);
    if (e == ERR_OK)
        keep(r, out);
    return e;
}

static void take_question(struct message *m, void *owner)
{
    struct question *q = (struct question *)(void *)m;
    struct route *route = q->route;
    struct resolver *r = owner;
    struct answer answer;
    enum err e = ERR_CLOSED;

    if (!atomic_load(&r->is_stopping))
        e = find(r, route->contact.host, &answer);
    route->address_count = e == ERR_OK ? answer.count : 0;
    for (unsigned i = 0; i < route->address_count; i++) {
        route->addresses[i] = answer.addresses[i];
        route->addresses[i].port = route->contact.port;
    }
    q->then(q->ctx, q->what, e);
    free(q);
}

enum err resolver_ask(struct resolver *resolver, struct route *route, resolved_fn *then, void *ctx,
                      void *what)
{
    struct question *q = calloc(1, sizeof *q);
    enum err e;

    if (q == NULL)
        return ERR_NO_MEMORY;
    *q = (struct question){.route = route, .then = then, .ctx = ctx, .what = what};
    e = mailbox_post(loop_mailbox(resolver->loop), &q->message, take_question);
    if (e != ERR_OK)
        free(q);
    return e;
}
