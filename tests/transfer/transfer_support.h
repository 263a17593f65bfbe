/* Fixture of the transfer tests: a context in the test's thread (a loop that the test runs, a real
 * inbox and committer in a scratch folder, a gateway that counts calls), and a session that records
 * its callbacks. One per process, as each test is. */
#ifndef TRANSFER_TRANSFER_SUPPORT_H
#define TRANSFER_TRANSFER_SUPPORT_H

#include "gateway/transport_ops.h"
#include "transfer/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern struct transfer_context context;
extern struct settings settings; /* of the context */

void context_open(void);
/* Waits until the context is idle. A test calls it last. */
void context_close(void);

void turn(void);
#define UNTIL(holds)     \
    do {                 \
        while (!(holds)) \
            turn();      \
    } while (0)

/* Calls to the gateway. */
struct told {
    enum err refusal; /* result of a register call; ERR_OK: accepted */
    bool is_full;
    unsigned registered, finished, failed; /* of the ends, registered or not */
    uint64_t last_bytes;
    char last_proto[16];
    char last_path[INBOX_PATH_SIZE];
    char last_error[GATEWAY_TRANSFER_ERROR_SIZE];
};
extern struct told told;

/* Callbacks to the session. */
struct heard {
    unsigned committed, refused, gateway_lost, sendable, unsendable;
    int32_t last_id;
    char last_reason[GATEWAY_TRANSFER_ERROR_SIZE];
    uint64_t acknowledged; /* its answer */
};
extern struct heard heard;
extern const struct transfer_callbacks callbacks; /* with &heard as the session */
extern const struct transfer_peer peer;

const char *make_file(const char *name, const void *bytes, size_t length); /* until the next call */
bool is_file(const char *path, const void *bytes, size_t length);
unsigned partial_files(void);

#endif
