/* The commands sessions, streams, received. */
#ifndef TOOLS_CLI_LISTS_H
#define TOOLS_CLI_LISTS_H

#include "tools/cli_end.h"

struct cli;

enum cli_end cli_sessions(struct cli *cli);
enum cli_end cli_streams(struct cli *cli);
enum cli_end cli_received(struct cli *cli);

#endif
