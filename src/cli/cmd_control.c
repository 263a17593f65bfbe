/* The short commands: connect, disconnect, keep-alive, cancel, get, set, reload, reconnect, stop,
 * automata. */
#include "cli/cmd_control.h"

#include "base/text.h"
#include "cli/client.h"
#include "cli/contact.h"
#include "cli/end.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct cli_reply ask_text(struct cli *cli, const char *method, const char *text)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    if (text != NULL)
        cli_ask_text(&ask, text);
    return cli_call(cli->client, method, &ask, true);
}

static void say(const struct cli *cli, const char *key, bool answer, const char *sentence)
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

/* What went wrong with the peer is said with its name, where the daemon has not said it. Ends the
 * reply. */
static enum cli_end fail_at(struct cli_reply *reply, const char *contact)
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

static enum cli_end connect_to(struct cli *cli, const char *contact)
{
    struct cli_reply reply = ask_text(cli, "connect_to", contact);

    if (reply.end != CLI_OK)
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

enum cli_end cli_connect(struct cli *cli)
{
    char *contact = cli_contact_read(cli->arguments[0], false);
    enum cli_end end = contact == NULL ? CLI_USAGE : connect_to(cli, contact);

    free(contact);
    return end;
}

/* For methods that answer whether there was anything to do. */
static enum cli_end ask_host(struct cli *cli, const char *method, const char *done,
                             const char *contact)
{
    struct cli_reply reply = ask_text(cli, method, contact);
    bool is_done;

    if (reply.end != CLI_OK)
        return fail_at(&reply, contact);
    is_done = json_is_true(reply.answer);
    if (is_done || cli->is_json)
        say(cli, "answer", is_done, done);
    else
        fprintf(stderr, "dustwire: no session with %s\n", contact);
    cli_reply_fini(&reply);
    return is_done ? CLI_OK : CLI_FAILED;
}

static enum cli_end do_to_host(struct cli *cli, const char *method, const char *done)
{
    char *contact = cli_contact_read(cli->arguments[0], false);
    enum cli_end end = contact == NULL ? CLI_USAGE : ask_host(cli, method, done, contact);

    free(contact);
    return end;
}

enum cli_end cli_disconnect(struct cli *cli)
{
    return do_to_host(cli, "disconnect_from", "disconnected");
}

enum cli_end cli_keep_alive(struct cli *cli)
{
    return do_to_host(cli, "send_keep_alive", "sent");
}

static struct cli_reply cancel(struct cli *cli, const char *method, uint64_t id)
{
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_integer(&ask, (int64_t)id);
    return cli_call(cli->client, method, &ask, true);
}

enum cli_end cli_cancel(struct cli *cli)
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
    if (reply.end == CLI_OK && !json_is_true(reply.answer)) {
        cli_reply_fini(&reply);
        reply = cancel(cli, "cancel_file_receiving", id);
    }
    if (reply.end != CLI_OK)
        return cli_fail(&reply);
    is_done = json_is_true(reply.answer);
    if (is_done || cli->is_json)
        say(cli, "answer", is_done, "cancelled");
    else
        fprintf(
            stderr,
            "dustwire: transfer %s is not in progress, or can no longer be cancelled: 'dustwire "
            "streams' lists those in progress\n",
            cli->arguments[0]);
    cli_reply_fini(&reply);
    return is_done ? CLI_OK : CLI_FAILED;
}

/* An answer that says in lines what has changed. Ends the reply. */
static enum cli_end say_changes(const struct cli *cli, struct cli_reply *reply)
{
    const char *text;
    json_t *object;

    if (reply->end != CLI_OK)
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

enum cli_end cli_reload(struct cli *cli)
{
    struct cli_reply reply = ask_text(cli, "reload", NULL);

    return say_changes(cli, &reply);
}

enum cli_end cli_set(struct cli *cli)
{
    struct cli_reply reply;
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_text(&ask, cli->arguments[0]);
    cli_ask_text(&ask, cli->arguments[1]);
    reply = cli_call(cli->client, "settings_set", &ask, true);
    return say_changes(cli, &reply);
}

enum cli_end cli_unset(struct cli *cli)
{
    struct cli_reply reply = ask_text(cli, "settings_unset", cli->arguments[0]);

    return say_changes(cli, &reply);
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

/* With a name the bare value, as a script wants it. */
enum cli_end cli_get(struct cli *cli)
{
    bool is_one = cli->argument_count > 0;
    struct cli_reply reply = ask_text(cli, "settings_get", is_one ? cli->arguments[0] : NULL);

    if (reply.end != CLI_OK)
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

enum cli_end cli_reconnect(struct cli *cli)
{
    struct cli_reply reply = ask_text(cli, "reconnect", NULL);

    if (reply.end != CLI_OK)
        return cli_fail(&reply);
    say(cli, "answer", true, "reconnecting: 'dustwire status' shows the progress");
    cli_reply_fini(&reply);
    return CLI_OK;
}

/* The daemon may be gone before its answer is out. */
enum cli_end cli_stop(struct cli *cli)
{
    struct cli_reply reply = ask_text(cli, "stop", NULL);

    if (reply.end != CLI_OK && (!reply.is_cut_off || reply.is_late))
        return cli_fail(&reply);
    cli_reply_fini(&reply);
    say(cli, "answer", true, "stopping: files in progress may complete first");
    return CLI_OK;
}

/* Graphviz without its frame: one transition a line, for people. */
static void print_transitions(const char *dot)
{
    while (*dot != '\0') {
        size_t length = strcspn(dot, "\n");

        if (strncmp(dot, "digraph", 7) == 0 || memmem(dot, length, "->", 2) != NULL)
            printf("%.*s\n", (int)length, dot);
        dot += length + (dot[length] == '\n');
    }
}

enum cli_end cli_automata(struct cli *cli)
{
    struct cli_reply reply =
        ask_text(cli, "automata", cli->argument_count > 0 ? cli->arguments[0] : "");
    const char *dot;
    json_t *object;

    if (reply.end != CLI_OK)
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
