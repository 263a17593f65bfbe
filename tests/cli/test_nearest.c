#include "cli/nearest.h"

#include <criterion/criterion.h>

static const char *const words[] = {"status",   "sessions",   "streams",    "send",   "connect",
                                    "events",   "disconnect", "keep-alive", "cancel", "received",
                                    "services", "get",        "set",        "reload", "reconnect",
                                    "stop",     "automata",   "help"};

static const char *nearest(const char *word)
{
    struct cli_nearest n = {.word = word};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cli_nearest_try(&n, words[i]);
    return n.nearest;
}

Test(cli_nearest, suggests_the_nearest_word, .timeout = 5)
{
    static const char *const rows[][2] = {
        {"sned", "send"},
        {"sedn", "send"},
        {"sent", "send"},
        {"snd", "send"},
        {"sends", "send"},
        {"staus", "status"},
        {"stauts", "status"},
        {"sesions", "sessions"},
        {"stop ", "stop"},
        {"evnets", "events"},
        {"recieved", "received"},
        {"disconect", "disconnect"},
        {"relod", "reload"},
        {"keepalive", "keep-alive"},
        {"keep_alive", "keep-alive"},
        {"auto", "automata"},
        {"canel", "cancel"},
        {"hlep", "help"},
        {"gte", "get"},
        {"stream", "streams"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = nearest(rows[i][0]);

        cr_assert_not_null(found, "%s", rows[i][0]);
        cr_assert_str_eq(found, rows[i][1], "%s", rows[i][0]);
    }
}

Test(cli_nearest, suggests_nothing_for_unlike_words, .timeout = 5)
{
    static const char *const rows[] = {"",
                                       "x",
                                       "nonsense",
                                       "download",
                                       "list",
                                       "ls",
                                       "--",
                                       "1",
                                       "copy",
                                       "\xff\xfe",
                                       "abcdefghijklmnopqrstuvwxyzabcdefghijkl"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_null(nearest(rows[i]), "%s", rows[i]);
}

Test(cli_nearest, distances, .timeout = 5)
{
    cr_assert_eq(cli_distance("send", "send"), 0);
    cr_assert_eq(cli_distance("sned", "send"), 1);
    cr_assert_eq(cli_distance("", "send"), 4);
    cr_assert_eq(cli_distance("kitten", "sitting"), 3);
}
