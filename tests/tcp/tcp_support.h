/* What the tests of the tcp room share: one worker's home in the test's own thread (a loop that the
 * test turns, a real inbox and committer in a scratch folder, a gateway that counts), and a peer
 * that speaks the wire by hand over loopback TCP. One at a time: a test is a process of its own. */
#ifndef TCP_TCP_SUPPORT_H
#define TCP_TCP_SUPPORT_H

#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/session.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The home. Settings may be changed by the test. `home_close` ends every session and checks what
 * must hold at every end: each send answered once, each registered transfer unregistered once, no
 * stream, no place in the directory and no partial file left over. A test calls it last, because
 * under Criterion a check that fails in `.fini` fails no test; once more from there is nothing. */
extern struct tcp_context context;
extern char home_folder[64];

void home_open(void);
void home_close(void);

/* One turn of the loop; waits for a moment at most. */
void turn(void);
#define UNTIL(holds)     \
    do {                 \
        while (!(holds)) \
            turn();      \
    } while (0)

/* The gateway that the streams report to. */
struct played_gateway {
    bool is_full;
    bool is_late;       /* answers are ERR_PENDING and come with gateway_answer */
    enum err no_longer; /* what a register call answers (later or at once), ERR_OK: taken */
    bool is_unknowing;  /* takes a sending without knowing it: is_registered stays false */
    unsigned pending;
    unsigned registered, unregistered, cancelled;
    unsigned finished, failed; /* of the unregistered */
    uint64_t last_bytes;
    uint32_t last_id;
    char last_error[GATEWAY_TRANSFER_ERROR_SIZE];
    char last_path[INBOX_PATH_SIZE];
};
extern struct played_gateway played;
void gateway_answer(void); /* all that is pending */

/* A session, and the peer at the other end of its socket. */
extern struct session *conn;
extern bool is_conn_closed;
extern unsigned connects_done, reroutes;
void session_accepted(void);                              /* the peer dialled us */
void session_dialled(void);                               /* we dialled the peer */
void session_to(uint64_t id, const struct address *peer); /* a claimed place, whoever is there */
void session_of(const char *host, const char *peer_ip);   /* hello HOST from this source */
void session_connected(bool is_outgoing);                 /* with the handshake behind it */
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

/* The peer's mouth. */
void peer_write(const void *bytes, size_t length);
void peer_say(uint8_t command, const void *payload, size_t length);
void peer_hello(void);
void peer_data(int32_t file_id, int32_t size, const void *bytes, size_t length);
void peer_file(int32_t file_id, const char *text); /* whole, in one frame */
void peer_ok(int32_t file_id);
void peer_abort(int32_t file_id, const char *text);
void peer_end(void);   /* end of file */
void peer_leave(void); /* closes */
extern int peer_fd;

/* Frames put together and sent in one segment. */
void together(void);
void at_once(void);

/* The peer's ear. */
struct heard {
    uint8_t command;
    int32_t file_id, size; /* of d, o and a */
    char text[300];        /* of h, w and a */
    const uint8_t *bytes;  /* of d, valid until the next call */
    size_t length;
};
struct heard peer_hears(void); /* waits for a frame, turning the loop */
bool peer_hears_end(void);     /* true: end of file, nothing more before it */
bool peer_hears_nothing(void); /* what is there after some turns */

/* Files in the inbox: finished ones, and partial ones. */
unsigned inbox_files(void);
unsigned inbox_partials(void);
bool is_file(const char *path, const void *bytes, size_t length);

#endif
