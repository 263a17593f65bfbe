/* status and services: one call, printed as text or JSON. */
#include "cli/cmd_show.h"

#include "base/text.h"
#include "cli/client.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The automaton's state is LISTENING whenever the transport is up, even if receiving is disabled.
 */
static const char *state_word(const json_t *t)
{
    const char *state = cli_text_of(t, "state");

    return strcmp(state, "LISTENING") == 0 && !cli_is_true(t, "is_receiving_enabled") ? "UP"
                                                                                      : state;
}

static void print_switches(const json_t *t)
{
    if (!cli_is_true(t, "is_enabled")) {
        printf("  disabled\n");
        return;
    }
    if (!cli_is_true(t, "is_receiving_enabled"))
        printf("  receiving is disabled: enable it with 'dustwire set receiving-enabled true'\n");
    if (!cli_is_true(t, "is_sending_enabled"))
        printf("  sending is disabled: enable it with 'dustwire set sending-enabled true'\n");
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
    printf("  files: %" PRId64 " incoming, %" PRId64 " outgoing, %" PRId64 " queued\n",
           cli_number_of(t, "files_in"), cli_number_of(t, "files_out"),
           cli_number_of(t, "files_waiting"));
}

static void print_totals(const json_t *metrics)
{
    char sent[TEXT_SIZE_ROOM], received[TEXT_SIZE_ROOM];

    printf("since start: %" PRId64 " files sent (%" PRId64 " failed), %" PRId64
           " received (%" PRId64 " failed); %s out, %s in\n",
           cli_number_of(metrics, "files_sent"), cli_number_of(metrics, "files_send_failed"),
           cli_number_of(metrics, "files_received"), cli_number_of(metrics, "files_receive_failed"),
           cli_size_of(sent, metrics, "bytes_sent"),
           cli_size_of(received, metrics, "bytes_received"));
}

/* Prints nothing if no limit was hit. */
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

/* The built-in gateway has no queue. */
static void print_gateway(const json_t *g)
{
    int64_t waiting = cli_number_of(g, "waiting");

    if (cli_text_of(g, "url")[0] == '\0' && waiting == 0)
        return;
    printf("gateway: %s %s, %" PRId64 " calls queued (limit %" PRId64 ")\n", cli_text_of(g, "name"),
           cli_text_or_dash(g, "url"), waiting, cli_number_of(g, "queue_limit"));
}

/* Files are counted if one of the two limits is set, bytes only with a quota. */
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
        printf(", %s of %s", cli_size_of(bytes, inbox, "bytes"),
               cli_size_of(quota, inbox, "quota_bytes"));
    printf("\n");
    if (cli_text_of(inbox, "trouble")[0] != '\0')
        printf("  not accepting files: %s\n", cli_text_of(inbox, "trouble"));
}

static void print_status(const json_t *s)
{
    const json_t *settings = json_object_get(s, "settings"), *t;
    char up[CLI_DURATION_SIZE];
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
    printf("idurl: %s\n", cli_text_or_dash(settings, "idurl"));
    printf("privileges: %s\n", cli_text_or_dash(s, "privileges"));
    if (cli_text_of(s, "advice")[0] != '\0')
        printf("advice: %s\n", cli_text_of(s, "advice"));
}

/* A node is serving if it is CONNECTED, a transport is LISTENING and the inbox is writable. */
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

static struct cli_reply call_plain(struct cli *cli, const char *method)
{
    struct cli_request request;

    cli_request_init(&request);
    return cli_call(cli->client, method, &request, true);
}

enum cli_exit cli_status(struct cli *cli)
{
    struct cli_reply reply = call_plain(cli, "status");
    bool is_ok;

    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    is_ok = is_serving(reply.answer);
    if (cli->is_json)
        cli_print_json(reply.answer);
    else
        print_status(reply.answer);
    cli_reply_fini(&reply);
    return is_ok ? CLI_OK : CLI_NOT_SERVING;
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
        cli_table_add(&table, "%s", cli_text_or_dash(s, "needs"));
        cli_table_add(&table, "%s", cli_text_of(s, "reason"));
    }
    cli_table_print(&table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&table);
}

enum cli_exit cli_services(struct cli *cli)
{
    struct cli_reply reply = call_plain(cli, "services");

    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    if (cli->is_json)
        cli_print_json(reply.answer);
    else
        print_services(reply.answer);
    cli_reply_fini(&reply);
    return CLI_OK;
}
