/* The commands sessions, streams, received. */
#ifndef CLI_CMD_LISTS_H
#define CLI_CMD_LISTS_H

#include "cli/exit.h"

struct cli;

enum cli_exit cli_sessions(struct cli *cli);
enum cli_exit cli_streams(struct cli *cli);
enum cli_exit cli_received(struct cli *cli);

#endif
