/* The table of commands, and the help. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/end.h"
#include "cli/options.h"

#include <stdio.h>

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

void cli_refuse_command(const char *name); /* says so, and what may have been meant */
void cli_print_overview(FILE *out);
void cli_print_help(const struct cli_command *command, FILE *out);

enum cli_end cli_help(struct cli *cli);

#endif
