/* The commands status and services. */
#ifndef TOOLS_CLI_SHOW_H
#define TOOLS_CLI_SHOW_H

#include "tools/cli_end.h"

struct cli;

enum cli_end cli_status(struct cli *cli);
enum cli_end cli_services(struct cli *cli);

#endif
