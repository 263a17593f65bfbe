/* The commands status and services. */
#ifndef CLI_CMD_SHOW_H
#define CLI_CMD_SHOW_H

#include "cli/end.h"

struct cli;

enum cli_end cli_status(struct cli *cli);
enum cli_end cli_services(struct cli *cli);

#endif
