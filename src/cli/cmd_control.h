/* The short commands. */
#ifndef CLI_CMD_CONTROL_H
#define CLI_CMD_CONTROL_H

#include "cli/exit.h"

struct cli;

enum cli_exit cli_connect(struct cli *cli);
enum cli_exit cli_disconnect(struct cli *cli);
enum cli_exit cli_keep_alive(struct cli *cli);
enum cli_exit cli_cancel(struct cli *cli);
enum cli_exit cli_get(struct cli *cli);
enum cli_exit cli_set(struct cli *cli);
enum cli_exit cli_unset(struct cli *cli);
enum cli_exit cli_reload(struct cli *cli);
enum cli_exit cli_reconnect(struct cli *cli);
enum cli_exit cli_stop(struct cli *cli);
enum cli_exit cli_automata(struct cli *cli);

#endif
