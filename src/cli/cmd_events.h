/* The command events. */
#ifndef CLI_CMD_EVENTS_H
#define CLI_CMD_EVENTS_H

#include "cli/end.h"

struct cli;

enum cli_end cli_events(struct cli *cli);

#endif
