#include "gateway/event.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct event_sink {
    struct mailbox *keeper; /* these two are set before other threads start, then only read */
    message_fn *take;
    atomic_uint_fast64_t lost;
};

static const char *const words[] = {
#define X(name, word) [name] = word,
    EVENT_LIST(X)
#undef X
};

const char *event_word(enum event_kind kind)
{
    return (unsigned)kind < EVENT_KIND_COUNT ? words[kind] : "unknown";
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* Copies `text` with its NUL to `*at` and moves `*at` behind it. */
static const char *put(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    const char *start = memcpy(*at, text, size);

    *at += size;
    return start;
}

/* One allocation: the strings lie behind the struct, so that giving an event away is giving one
 * pointer away and its end is one free. */
struct event *event_new(enum event_kind kind, const char *idurl, const char *path,
                        const char *error)
{
    size_t strings = 3;
    struct event *e;
    char *at;

    CONTRACT((unsigned)kind < EVENT_KIND_COUNT);
    idurl = or_empty(idurl);
    path = or_empty(path);
    error = or_empty(error);
    strings += strlen(idurl) + strlen(path) + strlen(error);
    e = calloc(1, sizeof *e + strings);
    if (e == NULL)
        return NULL;
    at = (char *)(e + 1);
    e->kind = kind;
    e->idurl = put(&at, idurl);
    e->path = put(&at, path);
    e->error = put(&at, error);
    return e;
}

void event_free(struct event **e)
{
    free(*e);
    *e = NULL;
}

enum err event_sink_open(struct event_sink **out)
{
    struct event_sink *sink = calloc(1, sizeof *sink);

    if (sink == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&sink->lost, 0);
    *out = sink;
    return ERR_OK;
}

void event_sink_close(struct event_sink **sink)
{
    free(*sink);
    *sink = NULL;
}

void event_sink_connect(struct event_sink *sink, struct mailbox *keeper, message_fn *take)
{
    sink->keeper = keeper;
    sink->take = take;
}

void event_emit(struct event_sink *sink, struct event *e)
{
    if (e == NULL)
        return;
    e->at_us = clock_real_us();
    if (sink->keeper == NULL) {
        event_free(&e);
        return;
    }
    if (mailbox_post(sink->keeper, &e->message, sink->take) == ERR_OK)
        return;
    /* Relaxed: the number stands for itself. Nothing else is published by it, and the keeper that
     * reads it a moment early sees the rest at its next look. */
    atomic_fetch_add_explicit(&sink->lost, 1, memory_order_relaxed);
    metrics_add(METRIC_EVENTS_LOST, 1);
    event_free(&e);
}

uint64_t event_sink_take_lost(struct event_sink *sink)
{
    return atomic_exchange_explicit(&sink->lost, 0, memory_order_relaxed);
}
