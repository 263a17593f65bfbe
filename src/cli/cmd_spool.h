/* Streams a file that the daemon cannot read over the control socket. */
#ifndef CLI_CMD_SPOOL_H
#define CLI_CMD_SPOOL_H

#include "base/err.h"
#include "cli/client.h"

#include <stdint.h>

/* ERR_OK: `*id` is the spool ID for send_spooled. ERR_DENIED: this process cannot read the file
 * either, and `reply` is unchanged. Any other error: `reply` has the reason. */
enum err cli_spool(struct cli_client *client, const char *path, int64_t *id,
                   struct cli_reply *reply);

#endif
