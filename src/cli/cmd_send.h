/* The command send. */
#ifndef CLI_CMD_SEND_H
#define CLI_CMD_SEND_H

#include "cli/exit.h"

struct cli;

enum cli_exit cli_send(struct cli *cli);

#endif
