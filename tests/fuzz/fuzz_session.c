/* A complete session that receives the input: the automat, its streams, a real inbox in memory and
 * a committer, over a socket. The input's first byte selects the size of the pieces and whether the
 * session also sends a file. At the end every started file must have finished once, without partial
 * files. */
#include "base/log.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

enum { FILE_BYTES = 30000, INPUT_MAX = 150000 };

STAILQ_HEAD(session_list, session);
static struct session_list woken = STAILQ_HEAD_INITIALIZER(woken);
static struct session_list reap_list = STAILQ_HEAD_INITIALIZER(reap_list);
static struct tcp_context context;
static struct session *conn;
static char folder[] = "/dev/shm/dustwire-fuzz-XXXXXX", out_path[64], inbox_path[64];
static unsigned registered, unregistered, answers;

/* --- a fake worker for the session ---------------------------------------------- */

static void on_run_again(void *worker, struct session *c)
{
    (void)worker;
    c->is_scheduled = true;
    STAILQ_INSERT_TAIL(&woken, c, turn_link);
    loop_skip_wait(context.loop);
}

/* No bandwidth limits. */
static void on_throttled(void *worker, struct session *c, bool has_moved)
{
    (void)worker;
    (void)c;
    (void)has_moved;
    abort();
}

static void on_closed(void *worker, struct session *c)
{
    (void)worker;
    STAILQ_INSERT_TAIL(&reap_list, c, reap_link);
    loop_skip_wait(context.loop);
}

static void on_route_next(void *worker, struct send_request *send, const char *host,
                          const char *reason)
{
    (void)worker;
    transfer_outgoing_fail_send(context.transfer.gateway, context.transfer.events, send, host,
                                reason);
}

static void on_connection_done(void *worker)
{
    (void)worker;
}

static const struct session_callbacks callbacks = {.run_again = on_run_again,
                                                   .throttled = on_throttled,
                                                   .closed = on_closed,
                                                   .route_next = on_route_next,
                                                   .connection_done = on_connection_done};

static void run_turns(void)
{
    struct session *c;

    while ((c = STAILQ_FIRST(&woken)) != NULL) {
        STAILQ_REMOVE_HEAD(&woken, turn_link);
        c->is_scheduled = false;
        session_turn(c);
    }
}

static void after_turn(void *owner)
{
    struct session *c;

    (void)owner;
    run_turns();
    if (committer_turn_end(&context.transfer.commits, context.transfer.committer)) {
        run_turns();
        committer_turn_end(&context.transfer.commits, context.transfer.committer);
    }
    while ((c = STAILQ_FIRST(&reap_list)) != NULL) {
        STAILQ_REMOVE_HEAD(&reap_list, reap_link);
        MUST(c == conn && !c->is_scheduled);
        session_free(&conn);
    }
}

/* --- the gateway -------------------------------------------------------------------------------
 */

static enum err do_register(void *self, struct gateway_transfer *t)
{
    (void)self;
    MUST(!t->is_registered);
    t->is_registered = true;
    registered++;
    return ERR_OK;
}

static enum err do_receiving_ended(void *self, struct gateway_transfer *t)
{
    (void)self;
    MUST(t->is_registered);
    unregistered++;
    MUST((unlink(t->filename) == 0) == (t->status == GATEWAY_TRANSFER_FINISHED));
    return ERR_OK;
}

static void do_sending_ended(void *self, const struct gateway_transfer *t)
{
    (void)self;
    unregistered += t->is_registered;
}

static bool is_full(void *self)
{
    (void)self;
    return false;
}

static const struct gateway_ops ops = {
    .name = "fuzzed",
    .register_file_sending = do_register,
    .register_file_receiving = do_register,
    .receiving_ended = do_receiving_ended,
    .sending_ended = do_sending_ended,
    .is_full = is_full,
};

/* --- once --------------------------------------------------------------------------------------
 */

static void remove_folder(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    MUST(system(command) == 0);
}

static void make_file(void)
{
    static char bytes[FILE_BYTES];
    int fd;

    MUST(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    snprintf(inbox_path, sizeof inbox_path, "%s/inbox", folder);
    fd = open(out_path, O_WRONLY | O_CREAT, 0600);
    MUST(fd >= 0 && write(fd, bytes, sizeof bytes) == sizeof bytes);
    close(fd);
}

static void open_context(void)
{
    struct loop_config config = {
        .name = "worker-0", .mailbox_limit = 1000, .after_turn = after_turn};
    char problem[256];

    log_set_level(LOG_LEVEL_ERROR);
    MUST(freopen("/dev/null", "w", stdout) != NULL);
    make_file();
    settings_default(&context.settings);
    context.is_serving = true;
    context.callbacks = &callbacks;
    context.scratch_size = 65536;
    MUST((context.scratch = malloc(context.scratch_size)) != NULL);
    MUST(loop_open(&context.loop, &config) == ERR_OK);
    context.transfer.proto = "tcp";
    context.transfer.loop = context.loop;
    context.transfer.settings = &context.settings;
    MUST(event_sink_open(&context.transfer.events) == ERR_OK);
    MUST(gateway_open(&context.transfer.gateway, context.transfer.events) == ERR_OK);
    gateway_set(context.transfer.gateway, &ops, NULL);
    MUST(tcp_directory_open(&context.directory, 1, 1000) == ERR_OK);
    MUST(inbox_open(&context.transfer.inbox, inbox_path, DURABILITY_NONE, 1 << 20, problem,
                    sizeof problem) == ERR_OK);
    MUST(committer_open(&context.transfer.committer, context.transfer.inbox) == ERR_OK);
    MUST(committer_start(context.transfer.committer) == ERR_OK);
    committer_turn_init(&context.transfer.commits, NULL);
    MUST(transfer_ids_init(&context.transfer.ids, context.loop, context.transfer.inbox,
                           context.transfer.committer) == ERR_OK);
}

/* --- each input --------------------------------------------------------------------------------
 */

static void answered(struct message *m, void *owner)
{
    struct send_request *r = (struct send_request *)(void *)m;

    (void)owner;
    answers++;
    gateway_send_request_free(&r);
}

static void send_a_file(void)
{
    struct send_request *r = calloc(1, sizeof *r);

    MUST(r != NULL);
    *r = (struct send_request){
        .request = {.answer_to = loop_mailbox(context.loop), .on_answer = answered},
        .id = 1,
        .filename = strdup(out_path)};
    snprintf(r->route.contact.host, sizeof r->route.contact.host, "127.0.0.1");
    r->route.address_count = 1;
    r->route.addresses[0] = conn->peer;
    session_files_send(conn, r);
}

/* Reads and discards what the daemon sends, so that it can send more. */
static void drain(int peer)
{
    static char discarded[65536];

    while (recv(peer, discarded, sizeof discarded, MSG_DONTWAIT) > 0)
        ;
}

static void accept_peer(int fd)
{
    struct peers_source_limits limits;
    struct tcp_place place, evicted;
    struct address peer;

    MUST(address_from_ip_text(&peer, "127.0.0.1", 40000) == ERR_OK);
    limits = peers_source_table_limits_of(&context.settings, &peer);
    limits.is_exempt = true;
    MUST(tcp_directory_accept(context.directory, &peer, &limits, loop_now_ms(context.loop), &place,
                              &evicted) == ADMITTED);
    MUST(session_accept(&conn, &context, place.session, fd, &peer) == ERR_OK);
}

static void say(int peer, const uint8_t *bytes, size_t length, size_t step)
{
    for (size_t at = 0; at < length && conn != NULL; at += step) {
        size_t piece = length - at < step ? length - at : step;

        if (send(peer, bytes + at, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            return;
        loop_turn(context.loop, 0);
        drain(peer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    bool is_sending;
    int pair[2];

    if (context.loop == NULL)
        open_context();
    if (length < 2 || length > INPUT_MAX)
        return 0;
    registered = unregistered = answers = 0;
    is_sending = bytes[0] & 1;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    accept_peer(pair[0]);
    if (is_sending)
        send_a_file();
    say(pair[1], bytes + 1, length - 1, bytes[0] < 250 ? 16384 : (size_t)(256 - bytes[0]) * 40);
    shutdown(pair[1], SHUT_WR);
    while (conn != NULL || !transfer_is_idle(&context.transfer) || answers < is_sending) {
        loop_turn(context.loop, 10);
        drain(pair[1]);
    }
    close(pair[1]);
    MUST(registered == unregistered && answers == is_sending);
    MUST(tcp_directory_count(context.directory) == 0);
    return 0;
}
