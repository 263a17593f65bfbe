/* The command events. */
#ifndef TOOLS_CLI_EVENTS_H
#define TOOLS_CLI_EVENTS_H

#include "tools/cli_end.h"

struct cli;

enum cli_end cli_events(struct cli *cli);

#endif
