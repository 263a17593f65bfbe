/* Follows what happens: asks for what is behind the last number, waits in the daemon for more. */
#include "tools/cli.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum { POLL_MS = 30000, PAGE = 500 };

static void print_word(const json_t *e, const char *key, const char *label)
{
    const char *text = cli_text_of(e, key);

    if (text[0] != '\0')
        printf(" %s=%s", label, text);
}

static void print_number(const json_t *e, const char *key, const char *label)
{
    if (json_object_get(e, key) != NULL)
        printf(" %s=%" PRId64, label, cli_number_of(e, key));
}

static void print_event(const json_t *e)
{
    char time[CLOCK_TEXT_SIZE];

    printf("%s %s", clock_text(time, cli_number_of(e, "time_us")), cli_text_of(e, "event"));
    print_word(e, "status", "status");
    print_word(e, "from", "from");
    print_word(e, "to", "to");
    print_word(e, "proto", "proto");
    print_number(e, "session", "session");
    print_word(e, "host", "host");
    print_number(e, "transfer_id", "transfer");
    print_number(e, "request_id", "request");
    print_number(e, "bytes", "bytes");
    print_number(e, "size", "size");
    print_number(e, "bytes_sent", "sent");
    print_number(e, "bytes_received", "received");
    print_word(e, "idurl", "idurl");
    print_word(e, "path", "path");
    if (cli_text_of(e, "error")[0] != '\0')
        printf(" error=\"%s\"", cli_text_of(e, "error"));
    putchar('\n');
    fflush(stdout);
}

static void print_event_json(json_t *e)
{
    char time[CLOCK_TEXT_SIZE];

    json_object_set_new(e, "time", json_string(clock_text(time, cli_number_of(e, "time_us"))));
    json_object_del(e, "time_us");
    cli_print_json(e);
}

static void say_lost(const struct cli *cli, int64_t lost)
{
    json_t *object;

    if (!cli->is_json) {
        fprintf(stderr, "dustwire: %" PRId64 " events were lost here\n", lost);
        return;
    }
    object = json_pack("{s:s, s:I}", "event", "events-lost", "count", (json_int_t)lost);
    cli_print_json(object);
    json_decref(object);
}

/* Prints a page; false once as many as asked for are printed. */
static bool print_page(const struct cli *cli, const json_t *page, int64_t *printed)
{
    json_t *e;
    size_t i;

    if (cli_number_of(page, "lost") > 0)
        say_lost(cli, cli_number_of(page, "lost"));
    json_array_foreach(json_object_get(page, "events"), i, e)
    {
        if (cli->is_json)
            print_event_json(e);
        else
            print_event(e);
        if ((cli->given & CLI_COUNT) && ++*printed >= cli->count)
            return false;
    }
    return !ferror(stdout);
}

enum cli_end cli_events(struct cli *cli)
{
    int64_t after = cli->given & CLI_AFTER ? cli->after : -1, printed = 0;
    bool goes_on = true;

    cli_catch_interrupts();
    while (goes_on) {
        struct cli_reply reply;
        struct cli_ask ask;

        cli_ask_init(&ask);
        cli_ask_integer(&ask, after);
        cli_ask_integer(&ask, PAGE);
        cli_ask_integer(&ask, POLL_MS);
        reply = cli_call(cli->client, "events", &ask, true);
        if (reply.end != CLI_OK)
            return cli_fail(&reply);
        goes_on = print_page(cli, reply.answer, &printed);
        after = cli_number_of(reply.answer, "last");
        cli_reply_fini(&reply);
        if (goes_on && cli_is_interrupted())
            return CLI_INTERRUPTED;
    }
    return CLI_OK;
}
