/* epoll(7), edge-triggered: one callback per readiness change; the callback must read or write
 * until EAGAIN, or record that it did not. Owner thread only. Owns the epoll descriptor, not the
 * watched ones. */
#ifndef LOOP_POLLER_H
#define LOOP_POLLER_H

#include "base/err.h"

#include <stdint.h>

struct poller;
struct watch;

/* `events` is a combination of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR and EPOLLHUP. */
typedef void watch_fn(struct watch *w, uint32_t events);

/* Embedded in the struct that it belongs to. */
struct watch {
    uint32_t magic;
    int fd;
    watch_fn *ready;
    void *ctx;
};

enum err poller_open(struct poller **out);
void poller_close(struct poller **p);

/* Watches w->fd for `events` (EPOLLET is added unless `events` contains POLLER_LEVEL). The caller
 * keeps the ownership of the watch, which must exist until poller_remove. */
#define POLLER_LEVEL (1u << 27)
enum err poller_add(struct poller *p, struct watch *w, uint32_t events);

/* No callback is made after this, not even for an event of the current batch. Call it before
 * closing the descriptor. */
void poller_remove(struct poller *p, struct watch *w);

/* Waits at most `timeout_ms` (-1: no timeout) and calls the ready watches. */
void poller_wait(struct poller *p, int timeout_ms);

/* The same in two steps, if work must be done between the wait and the callbacks. */
void poller_gather(struct poller *p, int timeout_ms);
void poller_deliver(struct poller *p);

#endif
