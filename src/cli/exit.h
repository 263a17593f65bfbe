/* Exit statuses, the same for all commands. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_SERVING = 3, /* daemon unreachable, node not serving, outcome unknown */
    CLI_INTERRUPTED = 130,
    CLI_OUTPUT_CLOSED = 141, /* the reader has exited: as of a program terminated by SIGPIPE */
};

#endif
