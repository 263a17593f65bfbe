#include "engine/automat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A door: a small machine that uses every feature. */
enum { ST_OPEN, ST_SHUT, ST_LOCKED, ST_BROKEN, ST_COUNT };
enum { EV_PUSH, EV_TURN_KEY, EV_SLAM, EV_KICK, EV_COUNT };

static const char *const state_names[] = {"OPEN?", "SHUT", "LOCKED", "BROKEN"};
static const char *const event_names[] = {"push", "turn-key", "slam", "kick"};

struct door {
    struct automat automat;
    bool has_key;
    char diary[1024];
};

static struct door door;

static void write_down(const char *what)
{
    strncat(door.diary, what, sizeof door.diary - strlen(door.diary) - 1);
    strncat(door.diary, " ", sizeof door.diary - strlen(door.diary) - 1);
}

static bool is_key_there(const void *self, const void *arg)
{
    (void)arg;
    return ((const struct door *)self)->has_key;
}

static bool is_strong(const void *self, const void *arg)
{
    (void)self;
    return arg != NULL && *(const int *)arg > 9;
}

static void do_creak(void *self, const void *arg)
{
    (void)self;
    (void)arg;
    write_down("creak");
}

static void do_click(void *self, const void *arg)
{
    (void)self;
    write_down(arg == NULL ? "click" : "click-with-arg");
}

/* Feeds two events into its own machine: both are queued until do_creak has returned. */
static void do_slam_and_lock(void *self, const void *arg)
{
    struct door *d = self;
    int strength = 10;

    (void)arg;
    cr_assert(automat_feed(&d->automat, EV_PUSH, &strength));
    cr_assert(automat_feed(&d->automat, EV_TURN_KEY, &strength));
    write_down(automat_state_name(&d->automat));
}

static void do_feed_too_much(void *self, const void *arg)
{
    struct door *d = self;

    (void)arg;
    for (unsigned i = 0; i <= AUTOMAT_WAITING_MAX; i++)
        automat_feed(&d->automat, EV_PUSH, NULL);
}

static void stepped(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    char line[64];

    (void)self;
    snprintf(line, sizeof line, "%s:%s:%s", state_names[from], event_names[event], state_names[to]);
    write_down(line);
}

static const struct automat_row rows[] = {
    {ST_OPEN, EV_PUSH, AUTOMAT_ALWAYS, ST_SHUT, {AUTOMAT_DO(do_creak)}},
    {ST_OPEN,
     EV_SLAM,
     AUTOMAT_ALWAYS,
     ST_OPEN,
     {AUTOMAT_DO(do_slam_and_lock), AUTOMAT_DO(do_creak)}},
    {ST_OPEN, EV_KICK, AUTOMAT_ALWAYS, ST_BROKEN, {AUTOMAT_DO(do_feed_too_much)}},
    {ST_SHUT, EV_TURN_KEY, AUTOMAT_IF(is_key_there), ST_LOCKED, {AUTOMAT_DO(do_click)}},
    {ST_SHUT, EV_KICK, AUTOMAT_IF(is_strong), ST_BROKEN, {{0}}},
    {ST_SHUT, EV_KICK, AUTOMAT_IF(is_key_there), ST_OPEN, {AUTOMAT_DO(do_click)}},
    {ST_SHUT, EV_KICK, AUTOMAT_ALWAYS, ST_SHUT, {AUTOMAT_DO(do_creak)}},
};

static const struct automat_kind kind = {.name = "door",
                                         .state_names = state_names,
                                         .event_names = event_names,
                                         .state_count = ST_COUNT,
                                         .event_count = EV_COUNT,
                                         .first = ST_OPEN,
                                         .last = ST_BROKEN,
                                         .rows = rows,
                                         .row_count = sizeof rows / sizeof *rows,
                                         .stepped = stepped};

static void a_door(void)
{
    memset(&door, 0, sizeof door);
    automat_init(&door.automat, &kind, &door);
}

Test(automat, starts_in_its_first_state, .init = a_door, .timeout = 5)
{
    cr_assert_eq(door.automat.state, ST_OPEN);
    cr_assert_str_eq(automat_state_name(&door.automat), "OPEN?");
    cr_assert_str_empty(door.diary);
}

Test(automat, reports_the_step_before_its_actions, .init = a_door, .timeout = 5)
{
    cr_assert(automat_feed(&door.automat, EV_PUSH, NULL));
    cr_assert_str_eq(door.diary, "OPEN?:push:SHUT creak ");
    cr_assert_eq(door.automat.state, ST_SHUT);
}

Test(automat, uses_the_first_matching_row, .init = a_door, .timeout = 5)
{
    int strong = 10, weak = 1;

    door.automat.state = ST_SHUT;
    door.has_key = true;
    cr_assert(automat_feed(&door.automat, EV_KICK, &strong));
    cr_assert_eq(door.automat.state, ST_BROKEN, "two conditions hold, the first row wins");
    door.automat.state = ST_SHUT;
    cr_assert(automat_feed(&door.automat, EV_KICK, &weak));
    cr_assert_eq(door.automat.state, ST_OPEN);
    door.automat.state = ST_SHUT;
    door.has_key = false;
    cr_assert(automat_feed(&door.automat, EV_KICK, &weak));
    cr_assert_eq(door.automat.state, ST_SHUT);
    cr_assert_str_eq(door.diary, "SHUT:kick:BROKEN SHUT:kick:OPEN? click-with-arg SHUT:kick:SHUT "
                                 "creak ");
}

Test(automat, ignores_an_event_without_a_row, .init = a_door, .timeout = 5)
{
    struct automat before;

    for (unsigned state = 0; state < ST_COUNT; state++) {
        for (unsigned event = 0; event < EV_COUNT; event++) {
            bool has_row = state == ST_OPEN && event != EV_TURN_KEY;

            has_row = has_row || (state == ST_SHUT && event == EV_KICK);
            if (has_row)
                continue;
            a_door(); /* without the key: SHUT and turn-key has a row whose condition fails */
            door.automat.state = (uint8_t)state;
            memcpy(&before, &door.automat, sizeof before);
            cr_assert_not(automat_feed(&door.automat, (uint8_t)event, NULL));
            cr_assert_eq(memcmp(&before, &door.automat, sizeof before), 0);
            cr_assert_str_empty(door.diary);
        }
    }
}

Test(automat, queues_events_of_actions_until_the_row_ends, .init = a_door, .timeout = 5)
{
    door.has_key = true;
    cr_assert(automat_feed(&door.automat, EV_SLAM, NULL));
    cr_assert_str_eq(door.diary, "OPEN?:slam:OPEN? OPEN? creak OPEN?:push:SHUT creak "
                                 "SHUT:turn-key:LOCKED click ");
    cr_assert_eq(door.automat.state, ST_LOCKED);
    cr_assert_not(automat_feed(&door.automat, EV_PUSH, NULL), "the queue is empty again");
}

Test(automat, overflowing_the_event_queue_aborts, .init = a_door, .signal = SIGABRT, .timeout = 5)
{
    automat_feed(&door.automat, EV_KICK, NULL);
}

Test(automat, an_unknown_event_aborts, .init = a_door, .signal = SIGABRT, .timeout = 5)
{
    automat_feed(&door.automat, EV_COUNT, NULL);
}

Test(automat, prints_its_table_as_a_graph, .init = a_door, .timeout = 5)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    cr_assert_not_null(out);
    automat_print_dot(&kind, out);
    fclose(out);
    cr_assert_eq(strncmp(text, "digraph door {\n", 15), 0);
    cr_assert_str_eq(text + length - 2, "}\n");
    cr_assert_not_null(strstr(text, "\"OPEN?\" [style=bold];"));
    cr_assert_not_null(strstr(text, "\"BROKEN\" [peripheries=2];"));
    cr_assert_not_null(strstr(text, "\"SHUT\" -> \"LOCKED\" "
                                    "[label=\"turn-key\\n[isKeyThere]\\n/ doClick\"];"));
    cr_assert_not_null(strstr(text, "\"OPEN?\" -> \"OPEN?\" "
                                    "[label=\"slam\\n/ doSlamAndLock,\\ndoCreak\"];"));
    cr_assert_not_null(strstr(text, "\"SHUT\" -> \"BROKEN\" [label=\"kick\\n[isStrong]\"];"));
    free(text);
}
