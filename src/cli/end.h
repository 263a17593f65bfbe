/* How the command ends. */
#ifndef CLI_END_H
#define CLI_END_H

/* Exit statuses, the same for every command. */
enum cli_end {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_SERVING = 3, /* no daemon, not connected, outcome unknown */
    CLI_INTERRUPTED = 130,
    CLI_OUTPUT_GONE = 141, /* nobody reads it any more: as of a program that SIGPIPE ends */
};

#endif
