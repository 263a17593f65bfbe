/* status, sessions, streams, services, received: ask, then a table or JSON. */
#include "tools/cli.h"

#include "base/clock.h"
#include "base/text.h"
#include "tools/cli_output.h"
#include "tools/cli_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 200, CURSOR_SIZE = 64, IDURL_WIDTH = 60 /* of a table; --json has it whole */ };

static const char *or_dash(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

static const char *size_of(char out[TEXT_SIZE_ROOM], const json_t *object, const char *key)
{
    return text_size(out, (uint64_t)cli_number_of(object, key));
}

static const char *age_of(char out[CLI_DURATION_ROOM], const json_t *object)
{
    return cli_duration(out, (double)cli_number_of(object, "age_s"));
}

/* The state's name is that of the automaton, which is LISTENING as soon as it is up. */
static const char *state_word(const json_t *t)
{
    const char *state = cli_text_of(t, "state");

    return strcmp(state, "LISTENING") == 0 && !cli_is_true(t, "is_receiving_enabled") ? "UP"
                                                                                      : state;
}

static void print_switches(const json_t *t)
{
    if (!cli_is_true(t, "is_enabled")) {
        printf("  switched off\n");
        return;
    }
    if (!cli_is_true(t, "is_receiving_enabled"))
        printf("  nothing can be received: receiving is switched off ('dustwire set "
               "receiving-enabled true')\n");
    if (!cli_is_true(t, "is_sending_enabled"))
        printf("  nothing can be sent: sending is switched off ('dustwire set sending-enabled "
               "true')\n");
}

static void print_transport(const json_t *t)
{
    printf("%s: %s%s%s\n", cli_text_of(t, "proto"), state_word(t),
           cli_text_of(t, "host")[0] == '\0' ? "" : " on ", cli_text_of(t, "host"));
    print_switches(t);
    if (cli_text_of(t, "last_error")[0] != '\0')
        printf("  last error: %s\n", cli_text_of(t, "last_error"));
    printf("  %" PRId64 " workers, %" PRId64 " sessions (%" PRId64 " connected)\n",
           cli_number_of(t, "workers"), cli_number_of(t, "sessions"),
           cli_number_of(t, "sessions_connected"));
    printf("  files: %" PRId64 " coming in, %" PRId64 " going out, %" PRId64 " waiting\n",
           cli_number_of(t, "files_in"), cli_number_of(t, "files_out"),
           cli_number_of(t, "files_waiting"));
}

static void print_totals(const json_t *metrics)
{
    char sent[TEXT_SIZE_ROOM], received[TEXT_SIZE_ROOM];

    printf("since the start: %" PRId64 " files sent (%" PRId64 " failed), %" PRId64
           " received (%" PRId64 " failed); %s out, %s in\n",
           cli_number_of(metrics, "files_sent"), cli_number_of(metrics, "files_send_failed"),
           cli_number_of(metrics, "files_received"), cli_number_of(metrics, "files_receive_failed"),
           size_of(sent, metrics, "bytes_sent"), size_of(received, metrics, "bytes_received"));
}

/* Nothing where no limit was ever hit. */
static void print_limits_hit(const json_t *hit)
{
    const char *word, *before = "limits hit: ";
    const json_t *times;
    void *at;

    for (at = json_object_iter((json_t *)hit); at != NULL;
         at = json_object_iter_next((json_t *)hit, at)) {
        word = json_object_iter_key(at);
        times = json_object_iter_value(at);
        printf("%s%s %" JSON_INTEGER_FORMAT, before, word, json_integer_value(times));
        before = ", ";
    }
    if (json_object_size(hit) > 0)
        printf("\n");
}

/* The built-in one has nothing that waits. */
static void print_gateway(const json_t *g)
{
    int64_t waiting = cli_number_of(g, "waiting");

    if (cli_text_of(g, "url")[0] == '\0' && waiting == 0)
        return;
    printf("gateway: %s %s, %" PRId64 " calls wait for it (%" PRId64 " may)\n",
           cli_text_of(g, "name"), or_dash(cli_text_of(g, "url")), waiting,
           cli_number_of(g, "queue_limit"));
}

/* Files are counted where one of the two limits holds, bytes only with a quota. */
static void print_inbox(const json_t *s)
{
    const json_t *settings = json_object_get(s, "settings"), *inbox = json_object_get(s, "inbox");
    int64_t files_limit = cli_number_of(inbox, "files_limit");
    int64_t quota_bytes = cli_number_of(inbox, "quota_bytes");
    char bytes[TEXT_SIZE_ROOM], quota[TEXT_SIZE_ROOM];

    printf("inbox: %s (durability %s)", cli_text_of(settings, "inbox"),
           cli_text_of(settings, "durability"));
    if (files_limit > 0)
        printf(", %" PRId64 " of %" PRId64 " files", cli_number_of(inbox, "files"), files_limit);
    else if (quota_bytes > 0)
        printf(", %" PRId64 " files", cli_number_of(inbox, "files"));
    if (quota_bytes > 0)
        printf(", %s of %s", size_of(bytes, inbox, "bytes"), size_of(quota, inbox, "quota_bytes"));
    printf("\n");
    if (cli_text_of(inbox, "trouble")[0] != '\0')
        printf("  no file is taken in: %s\n", cli_text_of(inbox, "trouble"));
}

static void print_status(const json_t *s)
{
    const json_t *settings = json_object_get(s, "settings"), *t;
    char up[CLI_DURATION_ROOM];
    size_t i;

    printf("dustwired %s, process %" PRId64 ", up %s%s\n", cli_text_of(s, "version"),
           cli_number_of(s, "pid"), cli_duration(up, (double)cli_number_of(s, "uptime_s")),
           cli_is_true(s, "is_stopping") ? ", stopping" : "");
    printf("network: %s\n", cli_text_of(s, "network_state"));
    json_array_foreach(json_object_get(s, "transports"), i, t) print_transport(t);
    print_gateway(json_object_get(s, "gateway"));
    print_totals(json_object_get(s, "metrics"));
    print_limits_hit(json_object_get(s, "limits_hit"));
    print_inbox(s);
    printf("idurl: %s\n", or_dash(cli_text_of(settings, "idurl")));
    printf("privileges: %s\n", or_dash(cli_text_of(s, "privileges")));
    if (cli_text_of(s, "advice")[0] != '\0')
        printf("to do: %s\n", cli_text_of(s, "advice"));
}

/* Served is a node that is CONNECTED with a transport LISTENING and has an inbox to write to. */
static bool is_serving(const json_t *s)
{
    const json_t *t;
    size_t i;

    if (strcmp(cli_text_of(s, "network_state"), "CONNECTED") != 0 ||
        cli_text_of(json_object_get(s, "inbox"), "trouble")[0] != '\0')
        return false;
    json_array_foreach(json_object_get(s, "transports"), i, t)
    {
        if (strcmp(cli_text_of(t, "state"), "LISTENING") == 0)
            return true;
    }
    return false;
}

static struct cli_reply ask_plain(struct cli *cli, const char *method)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    return cli_call(cli->client, method, &ask, true);
}

enum cli_end cli_status(struct cli *cli)
{
    struct cli_reply reply = ask_plain(cli, "status");
    bool is_good;

    if (reply.end != CLI_OK)
        return cli_fail(&reply);
    is_good = is_serving(reply.answer);
    if (cli->is_json)
        cli_print_json(reply.answer);
    else
        print_status(reply.answer);
    cli_reply_fini(&reply);
    return is_good ? CLI_OK : CLI_NOT_SERVING;
}

/* All pages of a list, as one array. A page that is not full is the last one. `has_ids`: the method
 * takes ids before the cursor. */
static enum cli_end all_pages(struct cli *cli, const char *method, bool has_ids, json_t **out)
{
    char cursor[CURSOR_SIZE] = "";
    json_t *all = json_array();
    size_t count;

    do {
        struct cli_reply reply;
        struct cli_ask ask;

        cli_ask_init(&ask);
        cli_ask_integer(&ask, 0);
        cli_ask_integer(&ask, PAGE);
        if (has_ids)
            cli_ask_text(&ask, NULL);
        cli_ask_text(&ask, cursor);
        reply = cli_call(cli->client, method, &ask, true);
        if (reply.end != CLI_OK) {
            json_decref(all);
            return cli_fail(&reply);
        }
        count = json_array_size(reply.answer);
        snprintf(cursor, sizeof cursor, "%s",
                 cli_text_of(json_array_get(reply.answer, count - 1), "cursor"));
        json_array_extend(all, reply.answer);
        cli_reply_fini(&reply);
    } while (count == PAGE);
    *out = all;
    return CLI_OK;
}

/* Of no use to who sees the whole list. */
static void drop_cursors(json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) json_object_del(item, "cursor");
}

static void print_sessions(const json_t *sessions)
{
    static const char *const headers[] = {">ID",       "STATE", "WAY",  "HOST",
                                          "ANNOUNCED", ">IN",   ">OUT", ">WAIT",
                                          ">RECEIVED", ">SENT", ">AGE", "IDURL"};
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_ROOM];
    struct cli_table table;
    const json_t *s;
    size_t i;

    cli_table_init(&table, headers, sizeof headers / sizeof *headers);
    json_array_foreach(sessions, i, s)
    {
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "id"));
        cli_table_add(&table, "%s", cli_text_of(s, "state"));
        cli_table_add(&table, "%s", cli_text_of(s, "direction"));
        cli_table_add(&table, "%s", cli_text_of(s, "host"));
        cli_table_add(&table, "%s%s", or_dash(cli_text_of(s, "announced")),
                      cli_text_of(s, "announced")[0] != '\0' && !cli_is_true(s, "verified")
                          ? " (unverified)"
                          : "");
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "files_in"));
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "files_out"));
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "files_waiting"));
        cli_table_add(&table, "%s", size_of(size, s, "bytes_received"));
        cli_table_add(&table, "%s", size_of(size, s, "bytes_sent"));
        cli_table_add(&table, "%s", age_of(age, s));
        cli_table_add(&table, "%.*s", IDURL_WIDTH, or_dash(cli_text_of(s, "idurl")));
    }
    cli_table_print(&table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&table);
}

static void print_streams(const json_t *streams)
{
    static const char *const headers[] = {">TRANSFER", "WAY",    "STATE",    "HOST", ">DONE",
                                          ">SIZE",     ">SPEED", ">SESSION", ">AGE", "FILE"};
    char size[TEXT_SIZE_ROOM], age[CLI_DURATION_ROOM];
    struct cli_table table;
    const json_t *s;
    size_t i;

    cli_table_init(&table, headers, sizeof headers / sizeof *headers);
    json_array_foreach(streams, i, s)
    {
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "transfer_id"));
        cli_table_add(&table, "%s", cli_text_of(s, "type"));
        cli_table_add(&table, "%s", cli_text_of(s, "state"));
        cli_table_add(&table, "%s", cli_text_of(s, "host"));
        cli_table_add(&table, "%s", size_of(size, s, "bytes_current"));
        cli_table_add(&table, "%s", size_of(size, s, "bytes_total"));
        cli_table_add(&table, "%s/s", size_of(size, s, "bytes_per_second"));
        cli_table_add(&table, "%" PRId64, cli_number_of(s, "session"));
        cli_table_add(&table, "%s", age_of(age, s));
        cli_table_add(&table, "%s", cli_text_of(s, "filename"));
    }
    cli_table_print(&table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&table);
}

static enum cli_end show_list(struct cli *cli, const char *method, bool has_ids, const char *what,
                              void (*print)(const json_t *list))
{
    json_t *list = NULL;
    enum cli_end end = all_pages(cli, method, has_ids, &list);

    if (end != CLI_OK)
        return end;
    drop_cursors(list);
    if (cli->is_json)
        cli_print_json(list);
    else if (json_array_size(list) == 0)
        printf("no %s\n", what);
    else
        print(list);
    json_decref(list);
    return CLI_OK;
}

enum cli_end cli_sessions(struct cli *cli)
{
    return show_list(cli, "list_sessions", false, "sessions", print_sessions);
}

enum cli_end cli_streams(struct cli *cli)
{
    return show_list(cli, "list_streams", true, "streams", print_streams);
}

static void print_services(const json_t *services)
{
    static const char *const headers[] = {"SERVICE", "STATE", "ENABLED", "NEEDS", "REASON"};
    struct cli_table table;
    const json_t *s;
    size_t i;

    cli_table_init(&table, headers, sizeof headers / sizeof *headers);
    json_array_foreach(services, i, s)
    {
        cli_table_add(&table, "%s", cli_text_of(s, "name"));
        cli_table_add(&table, "%s", cli_text_of(s, "state"));
        cli_table_add(&table, "%s", cli_is_true(s, "is_enabled") ? "yes" : "no");
        cli_table_add(&table, "%s", or_dash(cli_text_of(s, "needs")));
        cli_table_add(&table, "%s", cli_text_of(s, "reason"));
    }
    cli_table_print(&table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&table);
}

enum cli_end cli_services(struct cli *cli)
{
    struct cli_reply reply = ask_plain(cli, "services");

    if (reply.end != CLI_OK)
        return cli_fail(&reply);
    if (cli->is_json)
        cli_print_json(reply.answer);
    else
        print_services(reply.answer);
    cli_reply_fini(&reply);
    return CLI_OK;
}

/* As the pages come: of a long list only the cells of the table are kept, and of JSON nothing. */
struct received_list {
    struct cli *cli;
    struct cli_table table;
    size_t count;
};

static void add_received(struct cli_table *table, const json_t *r)
{
    char size[TEXT_SIZE_ROOM], time[CLOCK_TEXT_SIZE];

    cli_table_add(table, "%s", clock_text(time, cli_number_of(r, "committed_us")));
    cli_table_add(table, "%" PRId64, cli_number_of(r, "transfer_id"));
    cli_table_add(table, "%s", size_of(size, r, "size"));
    cli_table_add(table, "%s", cli_text_of(r, "host"));
    cli_table_add(table, "%.*s", IDURL_WIDTH, or_dash(cli_text_of(r, "idurl")));
    cli_table_add(table, "%s%s", cli_text_of(r, "path"),
                  cli_is_true(r, "is_there") ? "" : " (no longer there)");
}

static void print_received_json(json_t *r)
{
    char time[CLOCK_TEXT_SIZE];

    json_object_set_new(r, "started",
                        json_string(clock_text(time, cli_number_of(r, "started_us"))));
    json_object_set_new(r, "received",
                        json_string(clock_text(time, cli_number_of(r, "committed_us"))));
    json_object_del(r, "started_us");
    json_object_del(r, "committed_us");
    json_object_del(r, "cursor");
    cli_print_json(r);
}

static void take_received(struct received_list *list, const json_t *page)
{
    json_t *r;
    size_t i;

    json_array_foreach(page, i, r)
    {
        if (list->cli->is_json)
            print_received_json(r);
        else
            add_received(&list->table, r);
    }
    list->count += json_array_size(page);
}

static enum cli_end ask_received(struct cli *cli, const char *cursor, size_t limit,
                                 struct cli_reply *reply)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_integer(&ask, cli->since_us);
    cli_ask_integer(&ask, 0);
    cli_ask_integer(&ask, (int64_t)limit);
    cli_ask_text(&ask, cursor);
    *reply = cli_call(cli->client, "received", &ask, true);
    return reply->end;
}

static void set_cursor(char cursor[CURSOR_SIZE], const char *word, const json_t *file)
{
    snprintf(cursor, CURSOR_SIZE, "%s:%s", word, cli_text_of(file, "cursor"));
}

/* The oldest first, page by page; one that is not full is the last. */
static enum cli_end all_received(struct received_list *list)
{
    char cursor[CURSOR_SIZE] = "";
    size_t count;

    do {
        struct cli_reply reply;

        if (ask_received(list->cli, cursor, PAGE, &reply) != CLI_OK)
            return cli_fail(&reply);
        count = json_array_size(reply.answer);
        set_cursor(cursor, "after", json_array_get(reply.answer, count - 1));
        take_received(list, reply.answer);
        cli_reply_fini(&reply);
    } while (count == PAGE && !ferror(stdout));
    return CLI_OK;
}

static void append_backwards(json_t *to, const json_t *from)
{
    for (size_t i = json_array_size(from); i > 0; i--)
        json_array_append(to, json_array_get(from, i - 1));
}

/* The newest `wanted`, page by page from the end. */
static enum cli_end newest_received(struct received_list *list, size_t wanted)
{
    char cursor[CURSOR_SIZE] = "newest";
    json_t *newest_first = json_array(), *oldest_first;
    struct cli_reply reply;
    size_t count, asked;

    do {
        asked = wanted < PAGE ? wanted : PAGE;
        if (ask_received(list->cli, cursor, asked, &reply) != CLI_OK) {
            json_decref(newest_first);
            return cli_fail(&reply);
        }
        count = json_array_size(reply.answer);
        append_backwards(newest_first, reply.answer);
        cli_reply_fini(&reply);
        set_cursor(cursor, "before",
                   json_array_get(newest_first, json_array_size(newest_first) - 1));
        wanted -= count;
    } while (count == asked && wanted > 0);
    oldest_first = json_array();
    append_backwards(oldest_first, newest_first);
    json_decref(newest_first);
    take_received(list, oldest_first);
    json_decref(oldest_first);
    return CLI_OK;
}

enum cli_end cli_received(struct cli *cli)
{
    static const char *const headers[] = {"RECEIVED", ">TRANSFER", ">SIZE",
                                          "FROM",     "IDURL",     "PATH"};
    struct received_list list = {.cli = cli};
    enum cli_end end;

    cli_table_init(&list.table, headers, sizeof headers / sizeof *headers);
    end = cli->given & CLI_COUNT ? newest_received(&list, (size_t)cli->count) : all_received(&list);
    if (end == CLI_OK && list.count == 0 && !cli->is_json)
        printf("no files received%s\n", cli->given & CLI_SINCE ? " since then" : "");
    else if (end == CLI_OK && !cli->is_json)
        cli_table_print(&list.table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&list.table);
    return end;
}
