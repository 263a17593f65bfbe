/* epoll(7), edge-triggered: a watch is told once when its descriptor becomes ready and must go on
 * until EAGAIN, or remember that it did not. Owner thread only. Owns the epoll descriptor, never
 * the watched ones. */
#ifndef LOOP_POLLER_H
#define LOOP_POLLER_H

#include "base/err.h"

#include <stdint.h>

struct poller;
struct watch;

/* `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR, EPOLLHUP as they came. */
typedef void watch_fn(struct watch *w, uint32_t events);

/* Lives in the struct that is woken. */
struct watch {
    uint32_t magic;
    int fd;
    watch_fn *ready;
    void *ctx;
};

enum err poller_open(struct poller **out);
void poller_close(struct poller **p);

/* Watches w->fd for `events` (EPOLLET is added unless `events` holds POLLER_LEVEL). The watch stays
 * the caller's and must outlive the adding. */
#define POLLER_LEVEL (1u << 27)
enum err poller_add(struct poller *p, struct watch *w, uint32_t events);

/* After this the watch gets no call any more, not even for an event of the present batch. Call it
 * before closing the descriptor. */
void poller_remove(struct poller *p, struct watch *w);

/* Waits at most `timeout_ms` (-1: without end) and calls the watches that are ready. */
void poller_wait(struct poller *p, int timeout_ms);

/* The same in two steps, for who has something to do between the wait and the calls. */
void poller_gather(struct poller *p, int timeout_ms);
void poller_deliver(struct poller *p);

#endif
