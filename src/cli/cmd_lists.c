/* sessions, streams, received: paged lists. Each page is printed (JSON) or added to the table as it
 * arrives, so only the cells of the table are held in memory. */
#include "cli/cmd_lists.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 200, CURSOR_SIZE = 64, IDURL_WIDTH = 60 /* in a table; --json prints it in full */ };

struct list_kind {
    const char *none; /* what is printed instead of an empty table */
    const char *const *headers;
    size_t columns;
    /* Fetches the page after the item with this cursor; "": the first page. */
    struct cli_reply (*fetch)(struct cli *cli, const char *cursor);
    void (*add)(struct cli_table *table, const json_t *item);
    void (*print)(json_t *item); /* a line of JSON; NULL: all items are one array */
};

struct list {
    struct cli *cli;
    const struct list_kind *kind;
    struct cli_table table;
    size_t count; /* items so far */
};

static const char *age_of(char out[CLI_DURATION_SIZE], const json_t *object)
{
    return cli_duration(out, (double)cli_number_of(object, "age_s"));
}

static void add_item(struct list *list, json_t *item)
{
    json_object_del(item, "cursor"); /* internal to paging */
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

static void add_page(struct list *list, const json_t *page)
{
    json_t *item;
    size_t i;

    json_array_foreach(page, i, item) add_item(list, item);
    fflush(stdout);
}

/* A page with fewer than PAGE items is the last one. */
static enum cli_exit fetch_all(struct list *list)
{
    char cursor[CURSOR_SIZE] = "";
    size_t count;

    do {
        struct cli_reply reply = list->kind->fetch(list->cli, cursor);

        if (reply.exit_code != CLI_OK)
            return cli_fail(&reply);
        count = json_array_size(reply.answer);
        snprintf(cursor, sizeof cursor, "%s",
                 cli_text_of(json_array_get(reply.answer, count - 1), "cursor"));
        add_page(list, reply.answer);
        cli_reply_fini(&reply);
    } while (count == PAGE && !ferror(stdout));
    return CLI_OK;
}

static void list_init(struct list *list, struct cli *cli, const struct list_kind *kind)
{
    *list = (struct list){.cli = cli, .kind = kind};
    cli_table_init(&list->table, kind->headers, kind->columns);
}

/* After a failure nothing is added: a JSON array that was partly printed stays unterminated. */
static enum cli_exit list_finish(struct list *list, enum cli_exit exit_code)
{
    const struct list_kind *kind = list->kind;

    if (exit_code == CLI_OK && !list->cli->is_json) {
        if (list->count == 0)
            printf("%s%s\n", kind->none, list->cli->given & CLI_SINCE ? " since then" : "");
        else
            cli_table_print(&list->table, stdout, cli_output_is_terminal(stdout));
    } else if (exit_code == CLI_OK && kind->print == NULL) {
        puts(list->count == 0 ? "[]" : "]");
    }
    cli_table_fini(&list->table);
    return exit_code;
}

static enum cli_exit show_all(struct cli *cli, const struct list_kind *kind)
{
    struct list list;

    list_init(&list, cli, kind);
    return list_finish(&list, fetch_all(&list));
}

static struct cli_reply fetch_sessions(struct cli *cli, const char *cursor)
{
    struct cli_request request;

    cli_request_init(&request);
    cli_request_integer(&request, 0);
    cli_request_integer(&request, PAGE);
    cli_request_text(&request, cursor);
    return cli_call(cli->client, "list_sessions", &request, true);
}

static void add_session(struct cli_table *table, const json_t *s)
{
    bool is_unverified = cli_text_of(s, "announced")[0] != '\0' && !cli_is_true(s, "verified");
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_SIZE];

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

enum cli_exit cli_sessions(struct cli *cli)
{
    static const char *const headers[] = {">ID",       "STATE", "DIR",  "HOST",
                                          "ANNOUNCED", ">IN",   ">OUT", ">QUEUED",
                                          ">RECEIVED", ">SENT", ">AGE", "IDURL"};
    static const struct list_kind sessions = {.none = "no sessions",
                                              .headers = headers,
                                              .columns = sizeof headers / sizeof *headers,
                                              .fetch = fetch_sessions,
                                              .add = add_session};

    return show_all(cli, &sessions);
}

static struct cli_reply fetch_streams(struct cli *cli, const char *cursor)
{
    struct cli_request request;

    cli_request_init(&request);
    cli_request_integer(&request, 0);
    cli_request_integer(&request, PAGE);
    cli_request_text(&request, NULL); /* of every request */
    cli_request_text(&request, cursor);
    return cli_call(cli->client, "list_streams", &request, true);
}

static void add_stream(struct cli_table *table, const json_t *s)
{
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_SIZE];

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

enum cli_exit cli_streams(struct cli *cli)
{
    static const char *const headers[] = {">TRANSFER", "DIR",    "STATE",    "HOST", ">DONE",
                                          ">SIZE",     ">SPEED", ">SESSION", ">AGE", "FILE"};
    static const struct list_kind streams = {.none = "no streams",
                                             .headers = headers,
                                             .columns = sizeof headers / sizeof *headers,
                                             .fetch = fetch_streams,
                                             .add = add_stream};

    return show_all(cli, &streams);
}

static struct cli_reply fetch_received(struct cli *cli, const char *cursor, size_t limit)
{
    struct cli_request request;

    cli_request_init(&request);
    cli_request_integer(&request, cli->since_us);
    cli_request_integer(&request, 0);
    cli_request_integer(&request, (int64_t)limit);
    cli_request_text(&request, cursor);
    return cli_call(cli->client, "received", &request, true);
}

/* Oldest first. */
static struct cli_reply fetch_received_after(struct cli *cli, const char *cursor)
{
    char after[CURSOR_SIZE + sizeof "after:"];

    snprintf(after, sizeof after, "%s%s", cursor[0] == '\0' ? "" : "after:", cursor);
    return fetch_received(cli, after, PAGE);
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

/* Appends the newest `wanted` items to `newest_first`, reading pages backwards from the end. */
static enum cli_exit read_newest(struct cli *cli, size_t wanted, json_t *newest_first)
{
    char cursor[CURSOR_SIZE + sizeof "before:"] = "newest";
    size_t count, page_size;

    do {
        struct cli_reply reply;

        page_size = wanted < PAGE ? wanted : PAGE;
        reply = fetch_received(cli, cursor, page_size);
        if (reply.exit_code != CLI_OK)
            return cli_fail(&reply);
        count = json_array_size(reply.answer);
        snprintf(cursor, sizeof cursor, "before:%s",
                 cli_text_of(json_array_get(reply.answer, 0), "cursor"));
        append_backwards(newest_first, reply.answer);
        cli_reply_fini(&reply);
        wanted -= count;
    } while (count == page_size && wanted > 0);
    return CLI_OK;
}

static enum cli_exit add_newest(struct list *list, size_t wanted)
{
    json_t *newest_first = json_array();
    enum cli_exit exit_code = read_newest(list->cli, wanted, newest_first);

    for (size_t i = json_array_size(newest_first); i > 0 && exit_code == CLI_OK; i--)
        add_item(list, json_array_get(newest_first, i - 1));
    json_decref(newest_first);
    return exit_code;
}

enum cli_exit cli_received(struct cli *cli)
{
    static const char *const headers[] = {"RECEIVED", ">TRANSFER", ">SIZE",
                                          "FROM",     "IDURL",     "PATH"};
    static const struct list_kind received = {.none = "no files received",
                                              .headers = headers,
                                              .columns = sizeof headers / sizeof *headers,
                                              .fetch = fetch_received_after,
                                              .add = add_received,
                                              .print = print_received};
    struct list list;

    if ((cli->given & CLI_COUNT) == 0)
        return show_all(cli, &received);
    list_init(&list, cli, &received);
    return list_finish(&list, add_newest(&list, (size_t)cli->count));
}
