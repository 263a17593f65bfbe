#include "gateway/event.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct event_sink {
    struct mailbox *keeper; /* both set before other threads start, then read-only */
    message_fn *on_event;
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

/* Length after truncation of an escaped identity: never inside a %XX. */
static size_t idurl_length(const char *idurl)
{
    size_t length = strnlen(idurl, EVENT_IDURL_MAX);

    if (idurl[length] == '\0')
        return length;
    if (idurl[length - 1] == '%')
        return length - 1;
    return idurl[length - 2] == '%' ? length - 2 : length;
}

/* Appends `length` bytes and a NUL at `*at` and advances it. */
static const char *put(char **at, const char *text, size_t length)
{
    char *start = memcpy(*at, text, length);

    start[length] = '\0';
    *at += length + 1;
    return start;
}

/* One allocation: the strings are stored behind the struct. */
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
    strings += idurl_length(idurl) + strlen(path) + strlen(error);
    e = calloc(1, sizeof *e + strings);
    if (e == NULL)
        return NULL;
    at = (char *)(e + 1);
    e->kind = kind;
    e->idurl = put(&at, idurl, idurl_length(idurl));
    e->path = put(&at, path, strlen(path));
    e->error = put(&at, error, strlen(error));
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

void event_sink_connect(struct event_sink *sink, struct mailbox *keeper, message_fn *on_event)
{
    sink->keeper = keeper;
    sink->on_event = on_event;
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
    if (mailbox_post_deferred(sink->keeper, &e->message, sink->on_event) == ERR_OK)
        return;
    /* Relaxed: a pure counter; a late increment is seen by the next event_sink_take_lost. */
    atomic_fetch_add_explicit(&sink->lost, 1, memory_order_relaxed);
    metrics_add(METRIC_EVENTS_LOST, 1);
    event_free(&e);
}

uint64_t event_sink_take_lost(struct event_sink *sink)
{
    return atomic_exchange_explicit(&sink->lost, 0, memory_order_relaxed);
}
