/* The command meets the daemon only at its control socket, or at its TCP address. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/end.h"
#include "rpc/document.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A question being built, and its answer as JSON. */
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

struct cli_client;
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

/* Ctrl-C and SIGTERM: asked for instead of ending the program at once. */
void cli_catch_interrupts(void);
bool cli_is_interrupted(void);

#endif
