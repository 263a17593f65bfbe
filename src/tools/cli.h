/* The command `dustwire`: meets the daemon only at its control socket, or at its TCP address. */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include "base/text.h"
#include "control/xmlrpc.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit statuses, the same for every command. */
enum cli_end {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_SERVING = 3, /* no daemon, not connected, outcome unknown */
    CLI_INTERRUPTED = 130,
    CLI_OUTPUT_GONE = 141, /* nobody reads it any more: as of a program that SIGPIPE ends */
};

enum cli_option {
    CLI_RECURSIVE = 1 << 0,
    CLI_SINGLE = 1 << 1,
    CLI_IDURL = 1 << 2,
    CLI_DESCRIPTION = 1 << 3,
    CLI_AFTER = 1 << 4,
    CLI_COUNT = 1 << 5,
    CLI_SINCE = 1 << 6,
    CLI_DOT = 1 << 7,
    CLI_ON = 1 << 8,
    CLI_EXEC = 1 << 9,
    CLI_JOBS = 1 << 10,
};

struct cli_client;

struct cli {
    const char *socket;
    const char *url;        /* NULL: the socket */
    const char *token_file; /* NULL: no token */
    bool is_json;
    unsigned given; /* of enum cli_option */
    const char *idurl;
    const char *description;
    int64_t after;
    int64_t count;
    int64_t since_us;
    int64_t jobs;
    int64_t timeout_s;    /* 0: by what is asked */
    const char *on;       /* words, comma separated */
    char *const *program; /* of --exec, with its arguments, ended by NULL */
    int argument_count;
    char **arguments;
    struct cli_client *client;
};

struct cli_command {
    const char *name;
    const char *usage; /* behind the name */
    const char *summary;
    unsigned options;
    int least, most; /* arguments; most < 0: any number */
    enum cli_end (*run)(struct cli *cli);
    const char *help;
};
extern const struct cli_command cli_commands[]; /* ends with a NULL name */
const struct cli_command *cli_find_command(const char *name);

/* cli_commands.c */
void cli_refuse_command(const char *name); /* says so, and what may have been meant */
void cli_print_overview(FILE *out);
void cli_print_help(const struct cli_command *command, FILE *out);

/* cli_client.c: a question being built, and its answer as JSON. */
struct cli_ask {
    xmlrpc_env env;
    xmlrpc_value *params;
    int64_t wait_ms; /* for so long the daemon may keep the answer back */
};
void cli_ask_init(struct cli_ask *ask);
void cli_ask_text(struct cli_ask *ask, const char *text); /* any bytes; NULL is nil */
void cli_ask_bytes(struct cli_ask *ask, const void *bytes, size_t count);
void cli_ask_integer(struct cli_ask *ask, int64_t number);
void cli_ask_wait(struct cli_ask *ask, int64_t wait_ms); /* that parameter of the long polls */
void cli_ask_ids(struct cli_ask *ask, const uint64_t *ids, size_t count);

struct cli_reply {
    enum cli_end end;
    bool is_cut_off; /* the daemon had taken the question, but the answer never came */
    bool is_late;    /* that, because we waited no longer */
    bool was_paused; /* this process stood still meanwhile (SIGSTOP, a suspended machine) */
    int fault;       /* 0: none, or the trouble is not a fault */
    char *problem;   /* a sentence, if end is not CLI_OK */
    json_t *answer;  /* if it is */
};
/* By the socket, or by `url` (http://host:port) with the token that stands in `token_file`; each
 * may be NULL. NULL after a message on stderr. */
struct cli_client *cli_client_new(const char *socket, const char *url, const char *token_file);
void cli_client_free(struct cli_client **client);
/* How long an answer is awaited from now on, instead of what the method deserves. */
void cli_client_wait_for(struct cli_client *client, int64_t seconds);
/* From now on a call ends (CLI_OUTPUT_GONE) when nobody reads standard output any more. */
void cli_client_watch_output(struct cli_client *client);
/* Ends `ask`. Waits for an answer by the time that we run. What only asks is asked again if the
 * connection was lost while we stood still. With `is_stoppable` Ctrl-C ends the waiting
 * (CLI_INTERRUPTED). */
struct cli_reply cli_call(struct cli_client *client, const char *method, struct cli_ask *ask,
                          bool is_stoppable);
void cli_reply_fini(struct cli_reply *reply);
/* Prints the problem and ends the reply. */
enum cli_end cli_fail(struct cli_reply *reply);

/* cli_spool.c: streams a file that the daemon cannot read where it is. ERR_OK: `*id` is what
 * send_spooled takes, and `reply` is as it was. ERR_DENIED: neither can we, `reply` still says what
 * the daemon said. Any other: `reply` is why it failed. */
enum err cli_spool(struct cli_client *client, const char *path, int64_t *id,
                   struct cli_reply *reply);

/* Ctrl-C and SIGTERM: asked for instead of ending the program at once. */
void cli_catch_interrupts(void);
bool cli_is_interrupted(void);

/* cli_json.c: answers as JSON; strings hold the very bytes. Looking into them: "" and 0 for what is
 * missing. */
json_t *cli_json_of(xmlrpc_value *value);
const char *cli_text_of(const json_t *object, const char *key);
const char *cli_text_or_dash(const json_t *object, const char *key);
int64_t cli_number_of(const json_t *object, const char *key);
const char *cli_size_of(char out[TEXT_SIZE_ROOM], const json_t *object, const char *key);
bool cli_is_true(const json_t *object, const char *key);
/* On stdout. A member that is no UTF-8 is printed percent-escaped, and beside it NAME_is_escaped:
 * true; `value` is changed so. */
void cli_put_json(json_t *value);
void cli_print_json(json_t *value); /* one line, flushed */

/* The commands, by file. */
enum cli_end cli_status(struct cli *cli);
enum cli_end cli_sessions(struct cli *cli);
enum cli_end cli_streams(struct cli *cli);
enum cli_end cli_services(struct cli *cli);
enum cli_end cli_received(struct cli *cli);
enum cli_end cli_send(struct cli *cli);
enum cli_end cli_events(struct cli *cli);
enum cli_end cli_connect(struct cli *cli);
enum cli_end cli_disconnect(struct cli *cli);
enum cli_end cli_keep_alive(struct cli *cli);
enum cli_end cli_cancel(struct cli *cli);
enum cli_end cli_get(struct cli *cli);
enum cli_end cli_set(struct cli *cli);
enum cli_end cli_unset(struct cli *cli);
enum cli_end cli_reload(struct cli *cli);
enum cli_end cli_reconnect(struct cli *cli);
enum cli_end cli_stop(struct cli *cli);
enum cli_end cli_automata(struct cli *cli);
enum cli_end cli_help(struct cli *cli);

#endif
