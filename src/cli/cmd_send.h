/* The command send. */
#ifndef CLI_CMD_SEND_H
#define CLI_CMD_SEND_H

#include "cli/end.h"

struct cli;

enum cli_end cli_send(struct cli *cli);

#endif
