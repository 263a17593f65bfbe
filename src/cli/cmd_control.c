/* The short commands: connect, disconnect, keep-alive, cancel, get, set, reload, reconnect, stop,
 * automata. */
#include "cli/cmd_control.h"

#include "base/text.h"
#include "cli/client.h"
#include "cli/contact.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct cli_reply call_text(struct cli *cli, const char *method, const char *text)
{
    struct cli_request request;

    cli_request_init(&request);
    if (text != NULL)
        cli_request_text(&request, text);
    return cli_call(cli->client, method, &request, true);
}

static void print_answer(const struct cli *cli, const char *key, bool answer, const char *sentence)
{
    json_t *object;

    if (!cli->is_json) {
        puts(sentence);
        return;
    }
    object = json_pack("{s:b}", key, answer);
    cli_print_json(object);
    json_decref(object);
}

/* Prefixes the peer's contact to a problem that does not name it. Releases the reply. */
static enum cli_exit fail_at(struct cli_reply *reply, const char *contact)
{
    char *longer = NULL;

    if (reply->fault == FAULT_FAILED && reply->problem != NULL &&
        strstr(reply->problem, contact) == NULL &&
        asprintf(&longer, "%s: %s", contact, reply->problem) >= 0) {
        free(reply->problem);
        reply->problem = longer;
    }
    return cli_fail(reply);
}

static enum cli_exit connect_to(struct cli *cli, const char *contact)
{
    struct cli_reply reply = call_text(cli, "connect_to", contact);

    if (reply.exit_code != CLI_OK)
        return fail_at(&reply, contact);
    if (cli->is_json)
        cli_print_json(reply.answer);
    else
        printf("%s %s, session %" PRId64 "\n",
               cli_is_true(reply.answer, "answer") ? "already connected to" : "connected to",
               contact, cli_number_of(reply.answer, "session"));
    cli_reply_fini(&reply);
    return CLI_OK;
}

enum cli_exit cli_connect(struct cli *cli)
{
    char *contact = cli_contact_read(cli->arguments[0], false);
    enum cli_exit exit_code = contact == NULL ? CLI_USAGE : connect_to(cli, contact);

    free(contact);
    return exit_code;
}

/* For methods whose answer is true if there was a session. */
static enum cli_exit call_for_host(struct cli *cli, const char *method, const char *done,
                                   const char *contact)
{
    struct cli_reply reply = call_text(cli, method, contact);
    bool is_done;

    if (reply.exit_code != CLI_OK)
        return fail_at(&reply, contact);
    is_done = json_is_true(reply.answer);
    if (is_done || cli->is_json)
        print_answer(cli, "answer", is_done, done);
    else
        fprintf(stderr, "dustwire: no session with %s\n", contact);
    cli_reply_fini(&reply);
    return is_done ? CLI_OK : CLI_FAILED;
}

static enum cli_exit run_for_host(struct cli *cli, const char *method, const char *done)
{
    char *contact = cli_contact_read(cli->arguments[0], false);
    enum cli_exit exit_code =
        contact == NULL ? CLI_USAGE : call_for_host(cli, method, done, contact);

    free(contact);
    return exit_code;
}

enum cli_exit cli_disconnect(struct cli *cli)
{
    return run_for_host(cli, "disconnect_from", "disconnected");
}

enum cli_exit cli_keep_alive(struct cli *cli)
{
    return run_for_host(cli, "send_keep_alive", "sent");
}

static struct cli_reply cancel(struct cli *cli, const char *method, uint64_t id)
{
    struct cli_request request;

    cli_request_init(&request);
    cli_request_integer(&request, (int64_t)id);
    return cli_call(cli->client, method, &request, true);
}

enum cli_exit cli_cancel(struct cli *cli)
{
    struct cli_reply reply;
    bool is_done;
    uint64_t id;

    if (text_to_u64(&id, cli->arguments[0], 99999999) != ERR_OK || id == 0) {
        fprintf(stderr, "dustwire: invalid transfer ID '%s': 'dustwire streams' lists them\n",
                cli->arguments[0]);
        return CLI_USAGE;
    }
    reply = cancel(cli, "cancel_file_sending", id);
    if (reply.exit_code == CLI_OK && !json_is_true(reply.answer)) {
        cli_reply_fini(&reply);
        reply = cancel(cli, "cancel_file_receiving", id);
    }
    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    is_done = json_is_true(reply.answer);
    if (is_done || cli->is_json)
        print_answer(cli, "answer", is_done, "cancelled");
    else
        fprintf(
            stderr,
            "dustwire: transfer %s is not in progress, or can no longer be cancelled: 'dustwire "
            "streams' lists those in progress\n",
            cli->arguments[0]);
    cli_reply_fini(&reply);
    return is_done ? CLI_OK : CLI_FAILED;
}

/* Prints an answer that lists the changes, one per line. Releases the reply. */
static enum cli_exit print_changes(const struct cli *cli, struct cli_reply *reply)
{
    const char *text;
    json_t *object;

    if (reply->exit_code != CLI_OK)
        return cli_fail(reply);
    text = json_string_value(reply->answer);
    text = text == NULL ? "" : text;
    if (cli->is_json) {
        object = json_pack("{s:o}", "text", json_string_nocheck(text));
        cli_print_json(object);
        json_decref(object);
    } else {
        printf("%s%s", text, text[0] == '\0' || text[strlen(text) - 1] != '\n' ? "\n" : "");
    }
    cli_reply_fini(reply);
    return CLI_OK;
}

enum cli_exit cli_reload(struct cli *cli)
{
    struct cli_reply reply = call_text(cli, "reload", NULL);

    return print_changes(cli, &reply);
}

enum cli_exit cli_set(struct cli *cli)
{
    struct cli_reply reply;
    struct cli_request request;

    cli_request_init(&request);
    cli_request_text(&request, cli->arguments[0]);
    cli_request_text(&request, cli->arguments[1]);
    reply = cli_call(cli->client, "settings_set", &request, true);
    return print_changes(cli, &reply);
}

enum cli_exit cli_unset(struct cli *cli)
{
    struct cli_reply reply = call_text(cli, "settings_unset", cli->arguments[0]);

    return print_changes(cli, &reply);
}

static void print_settings(const json_t *keys)
{
    static const char *const headers[] = {"NAME", "VALUE", "FROM"};
    struct cli_table table;
    const json_t *key;
    size_t i;

    cli_table_init(&table, headers, sizeof headers / sizeof *headers);
    json_array_foreach(keys, i, key)
    {
        cli_table_add(&table, "%s", cli_text_of(key, "name"));
        cli_table_add(&table, "%s", cli_text_of(key, "value"));
        cli_table_add(&table, "%s", cli_text_of(key, "from"));
    }
    cli_table_print(&table, stdout, cli_output_is_terminal(stdout));
    cli_table_fini(&table);
}

/* With a name, prints only its value, for scripts. */
enum cli_exit cli_get(struct cli *cli)
{
    bool is_one = cli->argument_count > 0;
    struct cli_reply reply = call_text(cli, "settings_get", is_one ? cli->arguments[0] : NULL);

    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    if (cli->is_json)
        cli_print_json(is_one ? json_array_get(reply.answer, 0) : reply.answer);
    else if (is_one)
        puts(cli_text_of(json_array_get(reply.answer, 0), "value"));
    else
        print_settings(reply.answer);
    cli_reply_fini(&reply);
    return CLI_OK;
}

enum cli_exit cli_reconnect(struct cli *cli)
{
    struct cli_reply reply = call_text(cli, "reconnect", NULL);

    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    print_answer(cli, "answer", true, "reconnecting: 'dustwire status' shows the progress");
    cli_reply_fini(&reply);
    return CLI_OK;
}

/* The daemon may exit before its answer is sent. */
enum cli_exit cli_stop(struct cli *cli)
{
    struct cli_reply reply = call_text(cli, "stop", NULL);

    if (reply.exit_code != CLI_OK && (!reply.is_cut_off || reply.is_timed_out))
        return cli_fail(&reply);
    cli_reply_fini(&reply);
    print_answer(cli, "answer", true, "stopping: files in progress may complete first");
    return CLI_OK;
}

/* Graphviz without its frame: one transition per line. */
static void print_transitions(const char *dot)
{
    while (*dot != '\0') {
        size_t length = strcspn(dot, "\n");

        if (strncmp(dot, "digraph", 7) == 0 || memmem(dot, length, "->", 2) != NULL)
            printf("%.*s\n", (int)length, dot);
        dot += length + (dot[length] == '\n');
    }
}

enum cli_exit cli_automata(struct cli *cli)
{
    struct cli_reply reply =
        call_text(cli, "automata", cli->argument_count > 0 ? cli->arguments[0] : "");
    const char *dot;
    json_t *object;

    if (reply.exit_code != CLI_OK)
        return cli_fail(&reply);
    dot = json_string_value(reply.answer);
    dot = dot == NULL ? "" : dot;
    if (cli->is_json) {
        object = json_pack("{s:s}", "dot", dot);
        cli_print_json(object);
        json_decref(object);
    } else if (cli->given & CLI_DOT) {
        fputs(dot, stdout);
    } else {
        print_transitions(dot);
    }
    cli_reply_fini(&reply);
    return CLI_OK;
}
