/* The command send. */
#ifndef TOOLS_CLI_SEND_H
#define TOOLS_CLI_SEND_H

#include "tools/cli_end.h"

struct cli;

enum cli_end cli_send(struct cli *cli);

#endif
