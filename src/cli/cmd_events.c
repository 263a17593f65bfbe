/* events: fetches the events after the last number seen, by long polls. */
#include "cli/cmd_events.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/exit.h"
#include "cli/hook.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "gateway/event.h"
#include "gateway/gateway_ops.h"

#include <inttypes.h>
#include <string.h>

enum { POLL_MS = 30000, HOOK_POLL_MS = 1000, PAGE = 500, JOBS = 4 };

static void print_text(const json_t *e, const char *key, const char *label)
{
    const char *text = cli_text_of(e, key);

    if (text[0] == '\0')
        return;
    printf(" %s=", label);
    cli_put(stdout, text);
}

/* A reload's text has one line per setting; an event is printed on one line. */
static void put_sentences(const char *text)
{
    for (;;) {
        size_t length = strcspn(text, "\n");
        char *sentence = strndup(text, length);

        if (sentence != NULL)
            cli_put(stdout, sentence);
        free(sentence);
        text += length + strspn(text + length, "\n");
        if (*text == '\0')
            return;
        fputs("; ", stdout);
    }
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
    print_text(e, "status", "status");
    print_text(e, "from", "from");
    print_text(e, "to", "to");
    print_text(e, "proto", "proto");
    print_number(e, "session", "session");
    print_text(e, "host", "host");
    print_number(e, "transfer_id", "transfer");
    print_number(e, "request_id", "request");
    print_number(e, "bytes", "bytes");
    print_number(e, "size", "size");
    print_number(e, "bytes_sent", "sent");
    print_number(e, "bytes_received", "received");
    print_text(e, "idurl", "idurl");
    print_text(e, "path", "path");
    if (cli_text_of(e, "error")[0] != '\0') {
        fputs(" error=\"", stdout);
        put_sentences(cli_text_of(e, "error"));
        putchar('"');
    }
    putchar('\n');
    fflush(stdout);
}

/* Replaces time_us by a readable time. */
static void make_readable(json_t *e)
{
    char time[CLOCK_TEXT_SIZE];

    json_object_set_new(e, "time", json_string(clock_text(time, cli_number_of(e, "time_us"))));
    json_object_del(e, "time_us");
}

static bool is_word(const char *word, const char *text, size_t length)
{
    return strlen(word) == length && memcmp(word, text, length) == 0;
}

/* The words accepted by --on: event names, then file statuses. NULL after the last. */
static const char *known_word(unsigned index)
{
    if (index < EVENT_KIND_COUNT)
        return event_word((enum event_kind)index);
    index -= EVENT_KIND_COUNT;
    return index <= GATEWAY_TRANSFER_FAILED
               ? gateway_transfer_status_word((enum gateway_transfer_status)index)
               : NULL;
}

static bool is_known(const char *text, size_t length)
{
    const char *word;

    for (unsigned i = 0; (word = known_word(i)) != NULL; i++)
        if (is_word(word, text, length))
            return true;
    return false;
}

/* An unknown word would never match: report it instead of waiting forever. */
static bool check_words(const char *words)
{
    for (size_t length; words != NULL; words = words[length] == ',' ? words + length + 1 : NULL) {
        const char *word;

        length = strcspn(words, ",");
        if (is_known(words, length))
            continue;
        fprintf(stderr, "dustwire: unknown event '%.*s'; --on accepts these, comma-separated:\n",
                (int)length, words);
        for (unsigned i = 0; (word = known_word(i)) != NULL; i++)
            fprintf(stderr, "  %s\n", word);
        return false;
    }
    return true;
}

/* True if one of the words of --on is the event or its status. */
static bool is_selected(const struct cli *cli, const json_t *e)
{
    const char *word = cli->on;

    while (word != NULL && *word != '\0') {
        size_t length = strcspn(word, ",");

        if (is_word(cli_text_of(e, "event"), word, length) ||
            is_word(cli_text_of(e, "status"), word, length))
            return true;
        word += length + (word[length] == ',');
    }
    return cli->on == NULL;
}

static void output_event(const struct cli *cli, struct cli_hook *hook, json_t *e)
{
    if (hook->program == NULL && !cli->is_json) {
        print_event(e);
        return;
    }
    make_readable(e);
    if (hook->program != NULL)
        cli_hook_run(hook, e);
    else
        cli_print_json(e);
}

static void report_lost(const struct cli *cli, int64_t lost)
{
    json_t *object;

    if (!cli->is_json) {
        fprintf(stderr, "dustwire: %" PRId64 " events lost\n", lost);
        return;
    }
    object = json_pack("{s:s, s:I}", "event", "events-lost", "count", (json_int_t)lost);
    cli_print_json(object);
    json_decref(object);
}

/* Outputs a page; false once --count events were output, or on an output error. */
static bool output_page(const struct cli *cli, struct cli_hook *hook, const json_t *page,
                        int64_t *printed)
{
    json_t *e;
    size_t i;

    if (cli_number_of(page, "lost") > 0)
        report_lost(cli, cli_number_of(page, "lost"));
    json_array_foreach(json_object_get(page, "events"), i, e)
    {
        if (!is_selected(cli, e))
            continue;
        output_event(cli, hook, e);
        if ((cli->given & CLI_COUNT) && ++*printed >= cli->count)
            return false;
    }
    return !ferror(stdout);
}

static enum cli_exit follow(struct cli *cli, struct cli_hook *hook)
{
    int64_t after = cli->given & CLI_AFTER ? cli->after : -1, printed = 0;
    bool has_more = true;

    while (has_more) {
        struct cli_reply reply;
        struct cli_request request;

        cli_request_init(&request);
        cli_request_integer(&request, after);
        cli_request_integer(&request, PAGE);
        cli_request_wait(&request, after < 0 ? 0 : hook->running > 0 ? HOOK_POLL_MS : POLL_MS);
        reply = cli_call(cli->client, "events", &request, true);
        if (reply.exit_code != CLI_OK)
            return cli_fail(&reply);
        has_more = output_page(cli, hook, reply.answer, &printed);
        cli_hook_reap(hook);
        after = cli_number_of(reply.answer, "last");
        cli_reply_fini(&reply);
        if (has_more && cli_is_interrupted())
            return CLI_INTERRUPTED;
    }
    return CLI_OK;
}

/* Programs that were started are always waited for. */
enum cli_exit cli_events(struct cli *cli)
{
    struct cli_hook hook = {.program = cli->program,
                            .jobs = cli->given & CLI_JOBS ? (unsigned)cli->jobs : JOBS};
    enum cli_exit exit_code;

    if (!check_words(cli->on))
        return CLI_USAGE;
    cli_catch_interrupts();
    if (hook.program == NULL)
        cli_client_watch_output(cli->client);
    exit_code = follow(cli, &hook);
    cli_hook_wait_all(&hook);
    return exit_code;
}
