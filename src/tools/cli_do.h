/* The short commands. */
#ifndef TOOLS_CLI_DO_H
#define TOOLS_CLI_DO_H

#include "tools/cli_end.h"

struct cli;

enum cli_end cli_connect(struct cli *cli);
enum cli_end cli_disconnect(struct cli *cli);
enum cli_end cli_keep_alive(struct cli *cli);
enum cli_end cli_cancel(struct cli *cli);
enum cli_end cli_get(struct cli *cli);
enum cli_end cli_set(struct cli *cli);
enum cli_end cli_unset(struct cli *cli);
enum cli_end cli_reload(struct cli *cli);
enum cli_end cli_reconnect(struct cli *cli);
enum cli_end cli_stop(struct cli *cli);
enum cli_end cli_automata(struct cli *cli);

#endif
