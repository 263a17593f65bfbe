/* The command events. */
#ifndef CLI_CMD_EVENTS_H
#define CLI_CMD_EVENTS_H

#include "cli/exit.h"

struct cli;

enum cli_exit cli_events(struct cli *cli);

#endif
