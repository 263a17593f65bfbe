/* The command's connection to the daemon: its control socket, or its TCP address. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/exit.h"
#include "rpc/document.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A call being built. Errors are kept in `env` and reported by cli_call. */
struct cli_request {
    xmlrpc_env env;
    xmlrpc_value *params;
    int64_t wait_ms; /* how long the daemon may delay the answer (long poll) */
};
void cli_request_init(struct cli_request *request);
void cli_request_text(struct cli_request *request, const char *text); /* any bytes; NULL is nil */
void cli_request_bytes(struct cli_request *request, const void *bytes, size_t count);
void cli_request_integer(struct cli_request *request, int64_t number);
void cli_request_wait(struct cli_request *request,
                      int64_t wait_ms); /* the timeout parameter of long polls */
void cli_request_ids(struct cli_request *request, const uint64_t *ids, size_t count);

struct cli_reply {
    enum cli_exit exit_code;
    bool is_cut_off;   /* the request was sent, but no answer arrived */
    bool is_timed_out; /* the same, because the timeout expired */
    bool was_paused;   /* this process was stopped meanwhile (SIGSTOP, suspend) */
    int fault;         /* 0: no XML-RPC fault */
    char *problem;     /* a sentence; set if exit_code is not CLI_OK */
    json_t *answer;    /* set if exit_code is CLI_OK */
};

struct cli_client;
/* Uses `socket`, or `url` (http://host:port) with the token in `token_file`; each may be NULL.
 * Returns NULL after a message on stderr. */
struct cli_client *cli_client_new(const char *socket, const char *url, const char *token_file);
void cli_client_free(struct cli_client **client);
/* Overrides the timeout that depends on the method. */
void cli_client_wait_for(struct cli_client *client, int64_t seconds);
/* From now on a call returns CLI_OUTPUT_CLOSED when the reader of standard output has exited. */
void cli_client_watch_output(struct cli_client *client);
/* Sends the request, releases it and waits for the answer; time during which this process is
 * stopped does not count. A read-only call is repeated once if the connection was lost meanwhile.
 * With `is_stoppable` Ctrl-C ends the wait (CLI_INTERRUPTED). */
struct cli_reply cli_call(struct cli_client *client, const char *method,
                          struct cli_request *request, bool is_stoppable);
void cli_reply_fini(struct cli_reply *reply);
/* Prints the problem and releases the reply. */
enum cli_exit cli_fail(struct cli_reply *reply);

/* From now on Ctrl-C and SIGTERM set a flag; the second signal exits at once. */
void cli_catch_interrupts(void);
bool cli_is_interrupted(void);

#endif
