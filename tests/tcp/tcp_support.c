#include "tcp/tcp_support.h"

#include "base/file_state.h"
#include "support/folders.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct tcp_context context;
char scratch_folder[64];
static char inbox_folder[96];

struct session *conn;
bool is_conn_closed;
unsigned connects_done, reroutes;

/* The sessions' worker. */

STAILQ_HEAD(session_list, session);
static struct session_list woken = STAILQ_HEAD_INITIALIZER(woken);
static struct session_list reap_list = STAILQ_HEAD_INITIALIZER(reap_list);

static struct peers_bandwidth_pool bandwidth;

static void on_run_again(void *worker, struct session *c)
{
    (void)worker;
    c->is_scheduled = true;
    STAILQ_INSERT_TAIL(&woken, c, turn_link);
    loop_skip_wait(context.loop);
}

static void on_throttled(void *worker, struct session *c, bool has_moved)
{
    (void)has_moved;
    on_run_again(worker, c); /* without waiting for a tick */
}

static void on_closed(void *worker, struct session *c)
{
    (void)worker;
    STAILQ_INSERT_TAIL(&reap_list, c, reap_link);
    is_conn_closed = true;
    loop_skip_wait(context.loop);
}

static void on_route_next(void *worker, struct send_request *send, const char *host,
                          const char *reason)
{
    (void)worker;
    reroutes++;
    transfer_outgoing_fail_send(context.transfer.gateway, context.transfer.events, send, host,
                                reason);
}

static void on_route_host_next(void *worker, struct host_request *r)
{
    (void)worker;
    reroutes++;
    request_answer(&r->request, ERR_CLOSED);
}

static void on_connection_done(void *worker)
{
    (void)worker;
    connects_done++;
}

static const struct session_callbacks callbacks = {
    .run_again = on_run_again,
    .throttled = on_throttled,
    .closed = on_closed,
    .route_next = on_route_next,
    .route_host_next = on_route_host_next,
    .connection_done = on_connection_done,
};

static void reap(void)
{
    struct session_list now = STAILQ_HEAD_INITIALIZER(now);
    struct session *c;

    STAILQ_CONCAT(&now, &reap_list);
    while ((c = STAILQ_FIRST(&now)) != NULL) {
        STAILQ_REMOVE_HEAD(&now, reap_link);
        if (c->is_scheduled) {
            STAILQ_INSERT_TAIL(&reap_list, c, reap_link);
            continue;
        }
        if (c == conn)
            conn = NULL;
        session_free(&c);
    }
    if (!STAILQ_EMPTY(&reap_list))
        loop_skip_wait(context.loop);
}

static void run_turns(void)
{
    struct session_list now = STAILQ_HEAD_INITIALIZER(now);
    struct session *c;

    STAILQ_CONCAT(&now, &woken);
    while ((c = STAILQ_FIRST(&now)) != NULL) {
        STAILQ_REMOVE_HEAD(&now, turn_link);
        c->is_scheduled = false;
        session_turn(c);
    }
}

static void after_turn(void *owner)
{
    (void)owner;
    run_turns();
    if (committer_turn_end(&context.transfer.commits, context.transfer.committer)) {
        run_turns();
        committer_turn_end(&context.transfer.commits, context.transfer.committer);
    }
    reap();
    if (!STAILQ_EMPTY(&woken))
        loop_skip_wait(context.loop);
}

void turn(void)
{
    loop_turn(context.loop, 10);
}

/* The gateway. */

struct played_gateway played;
enum { IDS_MAX = 4 * TRANSFER_IDS_BLOCK, PENDING_MAX = 512 };
static uint8_t times_registered[IDS_MAX], times_unregistered[IDS_MAX];
static struct {
    struct gateway_transfer *transfer;
    bool is_registration;
} pending[PENDING_MAX];

static enum err registration(struct gateway_transfer *t)
{
    t->registration = (struct gateway_registration){.transfer_id = t->transfer_id};
    if (played.register_result != ERR_OK || played.is_unregistered_ok)
        return played.register_result;
    cr_assert_lt(t->transfer_id, IDS_MAX);
    cr_assert_eq(times_registered[t->transfer_id], 0, "registered twice");
    times_registered[t->transfer_id]++;
    t->registration.is_registered = true;
    played.registered++;
    return ERR_OK;
}

static enum err later(struct gateway_transfer *t, bool is_registration)
{
    cr_assert_lt(played.pending, PENDING_MAX);
    pending[played.pending].transfer = t;
    pending[played.pending++].is_registration = is_registration;
    return ERR_PENDING;
}

static enum err do_register(void *self, struct gateway_transfer *t)
{
    enum err e;

    (void)self;
    if (played.is_late)
        return later(t, true);
    e = registration(t);
    gateway_registered(t);
    return e;
}

static void unregistration(const struct gateway_transfer *t)
{
    cr_assert(t->is_registered);
    cr_assert_eq(times_registered[t->transfer_id], 1);
    cr_assert_eq(times_unregistered[t->transfer_id], 0, "unregistered twice");
    times_unregistered[t->transfer_id]++;
    played.unregistered++;
    played.last_id = t->transfer_id;
    played.last_bytes = t->done_bytes;
    if (t->status == GATEWAY_TRANSFER_FINISHED)
        played.finished++;
    else
        played.failed++;
    snprintf(played.last_error, sizeof played.last_error, "%s", t->error);
    snprintf(played.last_path, sizeof played.last_path, "%s", t->filename);
}

static enum err do_receiving_ended(void *self, struct gateway_transfer *t)
{
    (void)self;
    unregistration(t);
    return played.is_late ? later(t, false) : ERR_OK;
}

static void do_sending_ended(void *self, const struct gateway_transfer *t)
{
    (void)self;
    if (t->is_registered)
        unregistration(t);
    else if (t->status == GATEWAY_TRANSFER_FAILED)
        played.cancelled++;
    snprintf(played.last_error, sizeof played.last_error, "%s", t->error);
}

static bool do_is_full(void *self)
{
    (void)self;
    return played.is_full;
}

void gateway_answer(void)
{
    unsigned count = played.pending;

    played.pending = 0;
    for (unsigned i = 0; i < count; i++) {
        struct gateway_transfer *t = pending[i].transfer;

        request_answer(&t->request, pending[i].is_registration ? registration(t) : ERR_OK);
    }
}

static const struct gateway_ops played_ops = {
    .name = "played",
    .register_file_sending = do_register,
    .register_file_receiving = do_register,
    .receiving_ended = do_receiving_ended,
    .sending_ended = do_sending_ended,
    .is_full = do_is_full,
};

/* The context. */

static void open_inbox(void)
{
    char problem[256];

    snprintf(scratch_folder, sizeof scratch_folder, "/tmp/dustwire-tcp-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch_folder));
    snprintf(inbox_folder, sizeof inbox_folder, "%s/inbox", scratch_folder);
    cr_assert_eq(inbox_open(&context.transfer.inbox, inbox_folder, DURABILITY_NONE, 1 << 20,
                            problem, sizeof problem),
                 ERR_OK, "%s", problem);
    cr_assert_eq(committer_open(&context.transfer.committer, context.transfer.inbox), ERR_OK);
    cr_assert_eq(committer_start(context.transfer.committer), ERR_OK);
    committer_turn_init(&context.transfer.commits, NULL);
    cr_assert_eq(transfer_ids_init(&context.transfer.ids, context.loop, context.transfer.inbox,
                                   context.transfer.committer),
                 ERR_OK);
}

void context_open(void)
{
    struct loop_config config = {
        .name = "worker-0", .mailbox_limit = 1000, .after_turn = after_turn};

    log_set_level(LOG_LEVEL_ERROR);
    settings_default(&context.settings);
    context.bandwidth = (struct peers_bandwidth){.pool = &bandwidth, .sharers = 1};
    context.is_serving = true;
    context.callbacks = &callbacks;
    context.scratch_size = (size_t)context.settings.workers.read_buffer_kib * 1024;
    context.scratch = malloc(context.scratch_size);
    cr_assert_not_null(context.scratch);
    cr_assert_eq(loop_open(&context.loop, &config), ERR_OK);
    context.transfer.proto = "tcp";
    context.transfer.loop = context.loop;
    context.transfer.settings = &context.settings;
    cr_assert_eq(event_sink_open(&context.transfer.events), ERR_OK);
    cr_assert_eq(gateway_open(&context.transfer.gateway, context.transfer.events), ERR_OK);
    gateway_set(context.transfer.gateway, &played_ops, NULL);
    cr_assert_eq(tcp_directory_open(&context.directory, 1, 1000), ERR_OK);
    open_inbox();
}

static void check_ends(void)
{
    for (unsigned i = 0; i < sent_count; i++)
        cr_expect_eq(sent[i].answers, 1, "send %u was answered %u times", i, sent[i].answers);
    for (unsigned i = 0; i < IDS_MAX; i++)
        cr_expect_eq(times_registered[i], times_unregistered[i], "transfer %u", i);
    cr_expect_eq(tcp_directory_count(context.directory), 0);
    cr_expect_eq(inbox_partials(), 0);
}

void context_close(void)
{
    if (context.loop == NULL)
        return;
    if (conn != NULL && !is_conn_closed)
        session_core_drop(conn, "the test ends");
    while (conn != NULL || !transfer_is_idle(&context.transfer) || !STAILQ_EMPTY(&reap_list) ||
           mailbox_waiting(loop_mailbox(context.loop)) > 0) {
        gateway_answer();
        turn();
    }
    committer_stop(context.transfer.committer);
    check_ends();
    for (unsigned i = 0; i < sent_count; i++)
        gateway_send_request_free(&sent[i].r);
    if (peer_fd >= 0)
        close(peer_fd);
    committer_close(&context.transfer.committer);
    inbox_close(&context.transfer.inbox);
    tcp_directory_close(&context.directory);
    gateway_close(&context.transfer.gateway);
    event_sink_close(&context.transfer.events);
    loop_close(&context.loop);
    transfer_ids_fini(&context.transfer.ids);
    free(context.scratch);
    folders_remove(scratch_folder);
}

/* Files. */

unsigned inbox_files(void)
{
    return folders_count(inbox_folder, ".in");
}

unsigned inbox_partials(void)
{
    char first[128], second[128];

    snprintf(first, sizeof first, "%s/.dustwire", inbox_folder);
    snprintf(second, sizeof second, "%s/.dustwire/partial", inbox_folder);
    return folders_count(first, ".in") + folders_count(second, ".in");
}

bool is_file(const char *path, const void *bytes, size_t length)
{
    uint8_t *there = malloc(length + 1);
    int fd = open(path, O_RDONLY);
    ssize_t n = 0, got = 0;
    bool is_same;

    cr_assert_not_null(there);
    while (fd >= 0 && (n = read(fd, there + got, length + 1 - (size_t)got)) > 0)
        got += n;
    is_same = fd >= 0 && (size_t)got == length && memcmp(there, bytes, length) == 0;
    if (fd >= 0)
        close(fd);
    free(there);
    return is_same;
}

uint8_t byte_at(size_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 8) * 7 + 1);
}

const char *make_file(const char *name, size_t size)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", scratch_folder, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    for (size_t i = 0; i < size; i++)
        fputc(byte_at(i), file);
    fclose(file);
    return path;
}

/* Sends. */

struct sent_file sent[SENT_MAX];
unsigned sent_count;

static void send_answered(struct message *m, void *owner)
{
    struct send_request *r = (struct send_request *)(void *)m;
    struct sent_file *s = r->cookie;

    (void)owner;
    s->answers++;
    s->status = r->status;
    s->sent_bytes = r->sent_bytes;
    snprintf(s->error, sizeof s->error, "%s", r->error);
}

struct sent_file *send_path(const char *path, bool is_single)
{
    struct sent_file *s = &sent[sent_count];
    struct send_request *r = calloc(1, sizeof *r);

    cr_assert_lt(sent_count, SENT_MAX);
    cr_assert_not_null(r);
    *r = (struct send_request){
        .request = {.answer_to = loop_mailbox(context.loop), .on_answer = send_answered},
        .id = ++sent_count,
        .filename = strdup(path),
        .is_single = is_single,
        .cookie = s};
    snprintf(r->route.contact.host, sizeof r->route.contact.host, "127.0.0.1");
    r->route.contact.port = conn->peer.port;
    r->route.address_count = 1;
    r->route.addresses[0] = conn->peer;
    s->r = r;
    session_files_send(conn, r);
    return s;
}

/* Waits for the end of the clock tick in which the file was created: it can be read at once. */
static void wait_for_settled(const char *path)
{
    struct stat state;

    cr_assert_eq(stat(path, &state), 0);
    while (file_state_settles_in_ms(&state, file_state_clock()) > 0)
        sched_yield();
}

struct sent_file *send_made(size_t size)
{
    const char *path;
    char name[32];

    snprintf(name, sizeof name, "out-%u", sent_count);
    path = make_file(name, size);
    wait_for_settled(path);
    return send_path(path, false);
}

unsigned answered(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < sent_count; i++)
        count += sent[i].answers;
    return count;
}

/* Sessions. */

int peer_fd = -1;

enum session_state state(void)
{
    return conn == NULL || is_conn_closed ? ST_CLOSED : session_core_state(conn);
}

static int listener(struct sockaddr_in *at)
{
    socklen_t length = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    cr_assert_eq(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
    cr_assert_eq(listen(fd, 4), 0);
    getsockname(fd, (struct sockaddr *)at, &length);
    return fd;
}

static void set_nodelay(void)
{
    int on = 1;

    setsockopt(peer_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void accept_as(const char *peer_ip)
{
    struct sockaddr_in at;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int listening = listener(&at), fd;
    struct tcp_place place, evicted;
    struct peers_source_limits limits;
    struct address peer;

    peer_fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(peer_fd, (struct sockaddr *)&at, sizeof at), 0);
    fd = accept4(listening, (struct sockaddr *)&from, &length, SOCK_NONBLOCK);
    cr_assert_geq(fd, 0);
    close(listening);
    set_nodelay();
    cr_assert_eq(address_from_sockaddr(&peer, (struct sockaddr *)&from), ERR_OK);
    if (peer_ip != NULL)
        cr_assert_eq(address_from_ip_text(&peer, peer_ip, peer.port), ERR_OK);
    limits = peers_source_table_limits_of(&context.settings, &peer);
    cr_assert_eq(tcp_directory_accept(context.directory, &peer, &limits, loop_now_ms(context.loop),
                                      &place, &evicted),
                 ADMITTED);
    cr_assert_eq(session_accept(&conn, &context, place.session, fd, &peer), ERR_OK);
}

void session_accepted(void)
{
    accept_as(NULL);
}

void session_announcing(const char *host, const char *peer_ip)
{
    char hello[300];

    accept_as(peer_ip);
    snprintf(hello, sizeof hello, "%s http://id.example/peer.xml", host);
    peer_send('h', hello, strlen(hello));
    cr_assert_eq(peer_receive().command, 'w');
}

void session_to(uint64_t id, const struct address *peer)
{
    is_conn_closed = false;
    cr_assert_eq(session_dial(&conn, &context, id, peer), ERR_OK);
}

void session_dialled(void)
{
    struct sockaddr_in at;
    int listening = listener(&at);
    struct tcp_place place;
    struct address peer;

    cr_assert_eq(address_from_sockaddr(&peer, (struct sockaddr *)&at), ERR_OK);
    cr_assert_eq(tcp_directory_find_or_reserve(context.directory, &peer, &place), ERR_OK);
    cr_assert(tcp_directory_claim(context.directory, place.session));
    session_to(place.session, &peer);
    peer_fd = accept(listening, NULL, NULL);
    cr_assert_geq(peer_fd, 0);
    close(listening);
    set_nodelay();
}

void session_connected(bool is_outgoing)
{
    if (is_outgoing) {
        session_dialled();
        cr_assert_eq(peer_receive().command, 'h');
        peer_send('w', "None", 4);
    } else {
        session_accepted();
        peer_hello();
        cr_assert_eq(peer_receive().command, 'w');
    }
    UNTIL(state() == ST_CONNECTED);
}

struct address peer_address(void)
{
    return conn->peer;
}
