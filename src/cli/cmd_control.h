/* The short commands. */
#ifndef CLI_CMD_CONTROL_H
#define CLI_CMD_CONTROL_H

#include "cli/end.h"

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
