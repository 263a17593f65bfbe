/* The daemon's command line. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>

enum options_action { OPTIONS_RUN, OPTIONS_CHECK_CONFIG, OPTIONS_DUMP_CONFIG, OPTIONS_END };

struct options {
    enum options_action action;
    const char *config_path;   /* NULL: not given, every setting has its default */
    const char *settings_path; /* NULL: not given, [node] settings-file holds */
    int exit_status;           /* of OPTIONS_END: help, version or a usage error was printed */
};

/* Exit statuses of dustwired. */
enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

void options_read(struct options *out, int argc, char **argv);

#endif
