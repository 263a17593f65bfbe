/* Fixture of the tcp tests: a worker's context in the test's thread (a loop that the test runs, a
 * real inbox and committer in a scratch folder, a gateway that counts calls), and a peer that
 * encodes its frames itself, over loopback TCP. One per process, as each test is. */
#ifndef TCP_TCP_SUPPORT_H
#define TCP_TCP_SUPPORT_H

#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/session.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The context. Tests can change its settings. `context_close` ends every session and checks that
 * each send was answered once, each registered transfer unregistered once, and no transfer, place
 * in the directory or partial file is left. A test calls it last, because Criterion ignores failed
 * checks in `.fini`; the second call from there is a no-op. */
extern struct tcp_context context;
extern char scratch_folder[64];

void context_open(void);
void context_close(void);

/* One turn of the loop, at most 10 ms. */
void turn(void);
#define UNTIL(holds)     \
    do {                 \
        while (!(holds)) \
            turn();      \
    } while (0)

/* The gateway that the transfers report to. */
struct played_gateway {
    bool is_full;
    bool is_late;             /* calls return ERR_PENDING and are answered by gateway_answer */
    enum err register_result; /* result of a register call; ERR_OK: accepted */
    bool is_unregistered_ok;  /* accepts a send without registering it: is_registered stays false */
    unsigned pending;
    unsigned registered, unregistered, cancelled;
    unsigned finished, failed; /* of the unregistered */
    uint64_t last_bytes;
    uint32_t last_id;
    char last_error[GATEWAY_TRANSFER_ERROR_SIZE];
    char last_path[INBOX_PATH_SIZE];
};
extern struct played_gateway played;
void gateway_answer(void); /* all pending calls */

/* A session, and the peer at the other end of its socket. */
extern struct session *conn;
extern bool is_conn_closed;
extern unsigned connects_done, reroutes;
void session_accepted(void); /* incoming */
void session_dialled(void);  /* outgoing */
void session_to(uint64_t id,
                const struct address *peer); /* outgoing to any address, for a claimed place */
void session_announcing(const char *host, const char *peer_ip); /* hello HOST from this source */
void session_connected(bool is_outgoing);                       /* after the handshake */
struct address peer_address(void);
enum session_state state(void);

/* Sends through the session. */
struct sent_file {
    struct send_request *r;
    unsigned answers;
    enum gateway_transfer_status status;
    uint64_t sent_bytes;
    char error[GATEWAY_TRANSFER_ERROR_SIZE];
};
enum { SENT_MAX = 256 };
extern struct sent_file sent[SENT_MAX];
extern unsigned sent_count;
const char *make_file(const char *name, size_t size); /* absolute path, until the next call */
uint8_t byte_at(size_t offset);                       /* of a file made */
struct sent_file *send_path(const char *path, bool is_single);
struct sent_file *send_made(size_t size);
unsigned answered(void);

/* What the peer sends. */
void peer_write(const void *bytes, size_t length);
void peer_send(uint8_t command, const void *payload, size_t length);
void peer_hello(void);
void peer_data(int32_t file_id, int32_t size, const void *bytes, size_t length);
void peer_file(int32_t file_id, const char *text); /* complete, in one frame */
void peer_ok(int32_t file_id);
void peer_abort(int32_t file_id, const char *text);
void peer_end(void);   /* end of file */
void peer_close(void); /* closes */
extern int peer_fd;

/* Gathers the peer's frames, to send them in one segment. */
void gather_frames(void);
void send_gathered(void);

/* What the peer receives. */
struct received_frame {
    uint8_t command;
    int32_t file_id, size; /* of d, o and a */
    char text[300];        /* of h, w and a */
    const uint8_t *bytes;  /* of d, valid until the next call */
    size_t length;
};
struct received_frame peer_receive(void); /* the next frame; runs the loop meanwhile */
bool peer_receives_end(void);             /* true: end of file without a frame before it */
bool peer_receives_nothing(void);         /* after some turns of the loop */

/* Files in the inbox: finished ones, and partial ones. */
unsigned inbox_files(void);
unsigned inbox_partials(void);
bool is_file(const char *path, const void *bytes, size_t length);

#endif
