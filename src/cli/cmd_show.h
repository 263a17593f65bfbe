/* The commands status and services. */
#ifndef CLI_CMD_SHOW_H
#define CLI_CMD_SHOW_H

#include "cli/exit.h"

struct cli;

enum cli_exit cli_status(struct cli *cli);
enum cli_exit cli_services(struct cli *cli);

#endif
