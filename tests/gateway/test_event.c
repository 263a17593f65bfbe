#include "base/clock.h"
#include "base/metrics.h"
#include "gateway/event.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { QUEUE_LIMIT = 2 };

static struct event_sink *sink;
static struct mailbox *box;
static struct event *received[QUEUE_LIMIT];
static unsigned received_count;

static void record_event(struct message *m, void *owner)
{
    cr_assert_eq(owner, &received_count);
    received[received_count++] = (struct event *)m;
}

static void set_up(void)
{
    cr_assert_eq(event_sink_open(&sink), ERR_OK);
    cr_assert_eq(mailbox_open(&box, QUEUE_LIMIT, &received_count), ERR_OK);
    event_sink_connect(sink, box, record_event);
}

static void clean_up(void)
{
    for (unsigned i = 0; i < received_count; i++)
        event_free(&received[i]);
    mailbox_close(&box);
    event_sink_close(&sink);
}

Test(event, keeps_copies_of_its_strings, .timeout = 5)
{
    char idurl[] = "http://a/b.xml", path[] = "/tmp/file";
    struct event *e = event_new(EVENT_SENDING_ENDED, idurl, path, NULL);

    memset(idurl, 'x', sizeof idurl - 1);
    memset(path, 'x', sizeof path - 1);
    cr_assert_str_eq(e->idurl, "http://a/b.xml");
    cr_assert_str_eq(e->path, "/tmp/file");
    cr_assert_str_eq(e->error, "");
    cr_assert_eq(e->kind, EVENT_SENDING_ENDED);
    cr_assert_eq(e->transfer_id, 0);
    cr_assert_eq(e->status[0], '\0');
    event_free(&e);
    cr_assert_null(e);
    event_free(&e);
}

Test(event, truncates_a_long_identity_but_never_inside_an_escape, .timeout = 5)
{
    static const char *const ends[] = {"xxx%FF", "xx%FFx", "x%FFxx"};
    char idurl[3 * EVENT_IDURL_MAX];

    for (unsigned i = 0; i < 3; i++) {
        struct event *e;
        size_t length;

        memset(idurl, 'x', sizeof idurl - 1);
        idurl[sizeof idurl - 1] = '\0';
        memcpy(idurl + EVENT_IDURL_MAX - 5, ends[i], strlen(ends[i]));
        e = event_new(EVENT_RECEIVING_ENDED, idurl, "/tmp/file", "why");
        length = strlen(e->idurl);
        cr_assert(length <= EVENT_IDURL_MAX && length + 2 >= EVENT_IDURL_MAX, "%zu", length);
        cr_assert_arr_eq(e->idurl, idurl, length);
        cr_assert(e->idurl[length - 1] != '%' && e->idurl[length - 2] != '%');
        cr_assert_str_eq(e->path, "/tmp/file");
        cr_assert_str_eq(e->error, "why");
        event_free(&e);
    }
}

Test(event, has_a_word_for_each_kind, .timeout = 5)
{
    cr_assert_str_eq(event_word(EVENT_RECEIVING_ENDED), "file-received");
    cr_assert_str_eq(event_word(EVENT_NETWORK_STATE), "network-connector-state-changed");
    for (int i = 0; i < EVENT_KIND_COUNT; i++)
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(event_word((enum event_kind)i), event_word((enum event_kind)j));
}

Test(event, is_delivered_to_the_keeper_with_its_time, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    int64_t before = clock_real_us();

    event_emit(sink, event_new(EVENT_SESSION_OPENED, "a", NULL, NULL));
    event_emit(sink, event_new(EVENT_SESSION_CLOSED, "b", NULL, NULL));
    cr_assert_eq(mailbox_drain(box), 2);
    cr_assert_eq(received_count, 2);
    cr_assert_eq(received[0]->kind, EVENT_SESSION_OPENED);
    cr_assert_str_eq(received[1]->idurl, "b");
    cr_assert_geq(received[0]->at_us, before);
    cr_assert_eq(event_sink_take_lost(sink), 0);
}

Test(event, is_dropped_and_counted_when_the_queue_is_full, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    uint64_t metric = metrics_sum(METRIC_EVENTS_LOST);

    for (int i = 0; i < QUEUE_LIMIT + 3; i++)
        event_emit(sink, event_new(EVENT_SESSION_OPENED, NULL, NULL, NULL));
    cr_assert_eq(mailbox_drain(box), QUEUE_LIMIT);
    cr_assert_eq(event_sink_take_lost(sink), 3);
    cr_assert_eq(event_sink_take_lost(sink), 0);
    cr_assert_eq(metrics_sum(METRIC_EVENTS_LOST), metric + 3);
}

Test(event, is_dropped_without_a_keeper_and_without_memory, .timeout = 5)
{
    cr_assert_eq(event_sink_open(&sink), ERR_OK);
    event_emit(sink, event_new(EVENT_SESSION_OPENED, "a", "b", "c"));
    event_emit(sink, NULL);
    cr_assert_eq(event_sink_take_lost(sink), 0);
    event_sink_close(&sink);
    cr_assert_null(sink);
}

enum { EMITTERS = 3, EVENTS_EACH = 2000 };

static atomic_uint emitters_done;
static unsigned counted;

static void count(struct message *m, void *owner)
{
    struct event *e = (struct event *)m;

    (void)owner;
    cr_assert_str_eq(e->path, "/tmp/x");
    counted++;
    event_free(&e);
}

static void *emit_many(void *ctx)
{
    for (int i = 0; i < EVENTS_EACH; i++)
        event_emit(sink, event_new(EVENT_SENDING_PROGRESS, NULL, "/tmp/x", NULL));
    atomic_fetch_add(&emitters_done, 1);
    return ctx;
}

Test(event, is_delivered_or_counted_from_any_thread, .init = set_up, .fini = clean_up,
     .timeout = 20)
{
    pthread_t threads[EMITTERS];
    uint64_t lost = 0;

    event_sink_connect(sink, box, count);
    for (int i = 0; i < EMITTERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, emit_many, NULL), 0);
    while (atomic_load(&emitters_done) < EMITTERS) {
        mailbox_drain(box);
        lost += event_sink_take_lost(sink);
    }
    for (int i = 0; i < EMITTERS; i++)
        pthread_join(threads[i], NULL);
    mailbox_drain(box);
    lost += event_sink_take_lost(sink);
    cr_assert_eq(counted + lost, EMITTERS * EVENTS_EACH);
}
