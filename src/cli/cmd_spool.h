/* The bytes of a file that the daemon cannot read, over the control socket. */
#ifndef CLI_CMD_SPOOL_H
#define CLI_CMD_SPOOL_H

#include "base/err.h"
#include "cli/client.h"

#include <stdint.h>

/* Streams a file that the daemon cannot read where it is. ERR_OK: `*id` is what
 * send_spooled takes, and `reply` is as it was. ERR_DENIED: neither can we, `reply` still says what
 * the daemon said. Any other: `reply` is why it failed. */
enum err cli_spool(struct cli_client *client, const char *path, int64_t *id,
                   struct cli_reply *reply);

#endif
