/* The table of commands, and the help. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/exit.h"
#include "cli/options.h"

#include <stdio.h>

struct cli_command {
    const char *name;
    const char *usage; /* the arguments, for the help */
    const char *summary;
    unsigned options;
    int min_arguments, max_arguments; /* max_arguments < 0: unlimited */
    enum cli_exit (*run)(struct cli *cli);
    const char *help;
};
extern const struct cli_command cli_commands[]; /* ends with a NULL name */
const struct cli_command *cli_find_command(const char *name);

void cli_reject_command(const char *name); /* prints an error, with a suggestion */
void cli_print_overview(FILE *out);
void cli_print_help(const struct cli_command *command, FILE *out);

enum cli_exit cli_help(struct cli *cli);

#endif
