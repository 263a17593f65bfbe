/* The parsed command line. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_client;

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

struct cli {
    const char *socket;
    const char *url;        /* NULL: the socket */
    const char *token_file; /* NULL: no token */
    bool is_json;
    unsigned given; /* set of enum cli_option */
    const char *idurl;
    const char *description;
    int64_t after;
    int64_t count;
    int64_t since_us;
    int64_t jobs;
    int64_t timeout_s;    /* 0: depends on the method */
    const char *on;       /* comma-separated words */
    char *const *program; /* of --exec, with its arguments, NULL-terminated */
    int argument_count;
    char **arguments;
    struct cli_client *client;
};

#endif
