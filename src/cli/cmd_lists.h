/* The commands sessions, streams, received. */
#ifndef CLI_CMD_LISTS_H
#define CLI_CMD_LISTS_H

#include "cli/end.h"

struct cli;

enum cli_end cli_sessions(struct cli *cli);
enum cli_end cli_streams(struct cli *cli);
enum cli_end cli_received(struct cli *cli);

#endif
