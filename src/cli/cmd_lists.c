/* sessions, streams, received: lists that the daemon gives out in pages. Each page is printed or
 * added to the table as it comes: of a long list only the cells of its table are kept, and of JSON
 * nothing. */
#include "cli/cmd_lists.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/end.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 200, CURSOR_SIZE = 64, IDURL_WIDTH = 60 /* of a table; --json has it whole */ };

struct list_kind {
    const char *none; /* what is printed instead of an empty table */
    const char *const *headers;
    size_t columns;
    /* The page behind the item with this cursor; "": the first. */
    struct cli_reply (*ask)(struct cli *cli, const char *cursor);
    void (*add)(struct cli_table *table, const json_t *item);
    void (*print)(json_t *item); /* a line of JSON; NULL: all items are one array */
};

struct list {
    struct cli *cli;
    const struct list_kind *kind;
    struct cli_table table;
    size_t count; /* items so far */
};

static const char *age_of(char out[CLI_DURATION_ROOM], const json_t *object)
{
    return cli_duration(out, (double)cli_number_of(object, "age_s"));
}

static void take_item(struct list *list, json_t *item)
{
    json_object_del(item, "cursor"); /* of no use to who gets the whole list */
    if (!list->cli->is_json) {
        list->kind->add(&list->table, item);
    } else if (list->kind->print != NULL) {
        list->kind->print(item);
    } else {
        putchar(list->count == 0 ? '[' : ',');
        cli_put_json(item);
    }
    list->count++;
}

static void take_page(struct list *list, const json_t *page)
{
    json_t *item;
    size_t i;

    json_array_foreach(page, i, item) take_item(list, item);
    fflush(stdout);
}

/* A page that is not full is the last one. */
static enum cli_end take_all(struct list *list)
{
    char cursor[CURSOR_SIZE] = "";
    size_t count;

    do {
        struct cli_reply reply = list->kind->ask(list->cli, cursor);

        if (reply.end != CLI_OK)
            return cli_fail(&reply);
        count = json_array_size(reply.answer);
        snprintf(cursor, sizeof cursor, "%s",
                 cli_text_of(json_array_get(reply.answer, count - 1), "cursor"));
        take_page(list, reply.answer);
        cli_reply_fini(&reply);
    } while (count == PAGE && !ferror(stdout));
    return CLI_OK;
}

static void list_init(struct list *list, struct cli *cli, const struct list_kind *kind)
{
    *list = (struct list){.cli = cli, .kind = kind};
    cli_table_init(&list->table, kind->headers, kind->columns);
}

/* Nothing is added to a list that failed: an array of which pages are out stays open. */
static enum cli_end list_end(struct list *list, enum cli_end end)
{
    const struct list_kind *kind = list->kind;

    if (end == CLI_OK && !list->cli->is_json) {
        if (list->count == 0)
            printf("%s%s\n", kind->none, list->cli->given & CLI_SINCE ? " since then" : "");
        else
            cli_table_print(&list->table, stdout, cli_output_is_terminal(stdout));
    } else if (end == CLI_OK && kind->print == NULL) {
        puts(list->count == 0 ? "[]" : "]");
    }
    cli_table_fini(&list->table);
    return end;
}

static enum cli_end show_all(struct cli *cli, const struct list_kind *kind)
{
    struct list list;

    list_init(&list, cli, kind);
    return list_end(&list, take_all(&list));
}

static struct cli_reply ask_sessions(struct cli *cli, const char *cursor)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_integer(&ask, 0);
    cli_ask_integer(&ask, PAGE);
    cli_ask_text(&ask, cursor);
    return cli_call(cli->client, "list_sessions", &ask, true);
}

static void add_session(struct cli_table *table, const json_t *s)
{
    bool is_unverified = cli_text_of(s, "announced")[0] != '\0' && !cli_is_true(s, "verified");
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_ROOM];

    cli_table_add(table, "%" PRId64, cli_number_of(s, "id"));
    cli_table_add(table, "%s", cli_text_of(s, "state"));
    cli_table_add(table, "%s", cli_text_of(s, "direction"));
    cli_table_add(table, "%s", cli_text_of(s, "host"));
    cli_table_add(table, "%s%s", cli_text_or_dash(s, "announced"),
                  is_unverified ? " (unverified)" : "");
    cli_table_add(table, "%" PRId64, cli_number_of(s, "files_in"));
    cli_table_add(table, "%" PRId64, cli_number_of(s, "files_out"));
    cli_table_add(table, "%" PRId64, cli_number_of(s, "files_waiting"));
    cli_table_add(table, "%s", cli_size_of(size, s, "bytes_received"));
    cli_table_add(table, "%s", cli_size_of(size, s, "bytes_sent"));
    cli_table_add(table, "%s", age_of(age, s));
    cli_table_add(table, "%.*s", IDURL_WIDTH, cli_text_or_dash(s, "idurl"));
}

enum cli_end cli_sessions(struct cli *cli)
{
    static const char *const headers[] = {">ID",       "STATE", "DIR",  "HOST",
                                          "ANNOUNCED", ">IN",   ">OUT", ">QUEUED",
                                          ">RECEIVED", ">SENT", ">AGE", "IDURL"};
    static const struct list_kind sessions = {.none = "no sessions",
                                              .headers = headers,
                                              .columns = sizeof headers / sizeof *headers,
                                              .ask = ask_sessions,
                                              .add = add_session};

    return show_all(cli, &sessions);
}

static struct cli_reply ask_streams(struct cli *cli, const char *cursor)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_integer(&ask, 0);
    cli_ask_integer(&ask, PAGE);
    cli_ask_text(&ask, NULL); /* of every request */
    cli_ask_text(&ask, cursor);
    return cli_call(cli->client, "list_streams", &ask, true);
}

static void add_stream(struct cli_table *table, const json_t *s)
{
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_ROOM];

    cli_table_add(table, "%" PRId64, cli_number_of(s, "transfer_id"));
    cli_table_add(table, "%s", cli_text_of(s, "type"));
    cli_table_add(table, "%s", cli_text_of(s, "state"));
    cli_table_add(table, "%s", cli_text_of(s, "host"));
    cli_table_add(table, "%s", cli_size_of(size, s, "bytes_current"));
    cli_table_add(table, "%s", cli_size_of(size, s, "bytes_total"));
    cli_table_add(table, "%s/s", cli_size_of(size, s, "bytes_per_second"));
    cli_table_add(table, "%" PRId64, cli_number_of(s, "session"));
    cli_table_add(table, "%s", age_of(age, s));
    cli_table_add(table, "%s", cli_text_of(s, "filename"));
}

enum cli_end cli_streams(struct cli *cli)
{
    static const char *const headers[] = {">TRANSFER", "DIR",    "STATE",    "HOST", ">DONE",
                                          ">SIZE",     ">SPEED", ">SESSION", ">AGE", "FILE"};
    static const struct list_kind streams = {.none = "no streams",
                                             .headers = headers,
                                             .columns = sizeof headers / sizeof *headers,
                                             .ask = ask_streams,
                                             .add = add_stream};

    return show_all(cli, &streams);
}

static struct cli_reply ask_received(struct cli *cli, const char *cursor, size_t limit)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_integer(&ask, cli->since_us);
    cli_ask_integer(&ask, 0);
    cli_ask_integer(&ask, (int64_t)limit);
    cli_ask_text(&ask, cursor);
    return cli_call(cli->client, "received", &ask, true);
}

/* The oldest first. */
static struct cli_reply ask_received_after(struct cli *cli, const char *cursor)
{
    char after[CURSOR_SIZE + sizeof "after:"];

    snprintf(after, sizeof after, "%s%s", cursor[0] == '\0' ? "" : "after:", cursor);
    return ask_received(cli, after, PAGE);
}

static void add_received(struct cli_table *table, const json_t *r)
{
    char size[TEXT_SIZE_ROOM], time[CLOCK_TEXT_SIZE];

    cli_table_add(table, "%s", clock_text(time, cli_number_of(r, "committed_us")));
    cli_table_add(table, "%" PRId64, cli_number_of(r, "transfer_id"));
    cli_table_add(table, "%s", cli_size_of(size, r, "size"));
    cli_table_add(table, "%s", cli_text_of(r, "host"));
    cli_table_add(table, "%.*s", IDURL_WIDTH, cli_text_or_dash(r, "idurl"));
    cli_table_add(table, "%s%s", cli_text_of(r, "path"),
                  cli_is_true(r, "is_there") ? "" : " (no longer there)");
}

static void print_received(json_t *r)
{
    char time[CLOCK_TEXT_SIZE];

    json_object_set_new(r, "started",
                        json_string(clock_text(time, cli_number_of(r, "started_us"))));
    json_object_set_new(r, "received",
                        json_string(clock_text(time, cli_number_of(r, "committed_us"))));
    json_object_del(r, "started_us");
    json_object_del(r, "committed_us");
    cli_print_json(r);
}

static void append_backwards(json_t *to, const json_t *from)
{
    for (size_t i = json_array_size(from); i > 0; i--)
        json_array_append(to, json_array_get(from, i - 1));
}

/* The newest `wanted` go to the end of `newest_first`, page by page from the end. */
static enum cli_end read_newest(struct cli *cli, size_t wanted, json_t *newest_first)
{
    char cursor[CURSOR_SIZE + sizeof "before:"] = "newest";
    size_t count, asked;

    do {
        struct cli_reply reply;

        asked = wanted < PAGE ? wanted : PAGE;
        reply = ask_received(cli, cursor, asked);
        if (reply.end != CLI_OK)
            return cli_fail(&reply);
        count = json_array_size(reply.answer);
        snprintf(cursor, sizeof cursor, "before:%s",
                 cli_text_of(json_array_get(reply.answer, 0), "cursor"));
        append_backwards(newest_first, reply.answer);
        cli_reply_fini(&reply);
        wanted -= count;
    } while (count == asked && wanted > 0);
    return CLI_OK;
}

static enum cli_end take_newest(struct list *list, size_t wanted)
{
    json_t *newest_first = json_array();
    enum cli_end end = read_newest(list->cli, wanted, newest_first);

    for (size_t i = json_array_size(newest_first); i > 0 && end == CLI_OK; i--)
        take_item(list, json_array_get(newest_first, i - 1));
    json_decref(newest_first);
    return end;
}

enum cli_end cli_received(struct cli *cli)
{
    static const char *const headers[] = {"RECEIVED", ">TRANSFER", ">SIZE",
                                          "FROM",     "IDURL",     "PATH"};
    static const struct list_kind received = {.none = "no files received",
                                              .headers = headers,
                                              .columns = sizeof headers / sizeof *headers,
                                              .ask = ask_received_after,
                                              .add = add_received,
                                              .print = print_received};
    struct list list;

    if ((cli->given & CLI_COUNT) == 0)
        return show_all(cli, &received);
    list_init(&list, cli, &received);
    return list_end(&list, take_newest(&list, (size_t)cli->count));
}
