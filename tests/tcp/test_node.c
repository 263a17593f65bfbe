/* The node with all its threads: acceptor, workers, resolver. The test acts as supervisor; the
 * peers are blocking sockets. */
#include "tcp/node.h"

#include "support/folders.h"
#include "support/names.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static struct settings settings;
static struct tcp_node *node;
static struct mailbox *box;
static struct gateway *gateway;
static struct event_sink *events;
static struct inbox *inbox;
static struct committer *committer;
static bool is_started;

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* A socket bound to a free port. */
static int bound_socket(uint16_t *port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, length), 0);
    getsockname(fd, (struct sockaddr *)&at, &length);
    *port = ntohs(at.sin_port);
    return fd;
}

/* Name resolution: `localhost`, names that do not exist, one without an answer until the test
 * ends, and any `name.example` with addresses set by the test. */
static sem_t may_answer;
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static char name_ips[ROUTE_ADDRESSES_MAX][16];
static unsigned name_count;

static void name_has(unsigned count, const char *const ips[])
{
    pthread_mutex_lock(&names_lock);
    name_count = count;
    for (unsigned i = 0; i < count; i++)
        snprintf(name_ips[i], sizeof name_ips[i], "%s", ips[i]);
    pthread_mutex_unlock(&names_lock);
}

static enum err look_up(const char *host, struct address *addresses, unsigned *count)
{
    *count = 0;
    if (strcmp(host, "mute.example") == 0) {
        sem_wait(&may_answer);
        return ERR_NAME_SERVER;
    }
    if (strcmp(host, "localhost") == 0) {
        *count = 1;
        return address_from_ip_text(&addresses[0], "127.0.0.1", 0);
    }
    if (strstr(host, "name.example") == NULL)
        return ERR_UNRESOLVED;
    pthread_mutex_lock(&names_lock);
    *count = name_count;
    for (unsigned i = 0; i < name_count; i++)
        address_from_ip_text(&addresses[i], name_ips[i], 0);
    pthread_mutex_unlock(&names_lock);
    return ERR_OK;
}

static void open_store(void)
{
    char path[96], problem[256];

    snprintf(folder, sizeof folder, "/tmp/dustwire-node-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/inbox", folder);
    cr_assert_eq(inbox_open(&inbox, path, DURABILITY_NONE, 1 << 20, problem, sizeof problem),
                 ERR_OK);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    cr_assert_eq(committer_start(committer), ERR_OK);
}

static void open_with_mailboxes_of(unsigned limit)
{
    struct tcp_node_config config;
    uint16_t port;

    log_set_level(LOG_LEVEL_ERROR);
    settings_default(&settings);
    settings.workers.threads = 3;
    settings.workers.mailbox_limit = limit;
    settings.tcp_connections.is_listen_any = false;
    settings.tcp_connections.listen_count = 1;
    address_from_ip_text(&settings.tcp_connections.listen[0], "127.0.0.1", 0);
    close(bound_socket(&port));
    settings.tcp_connections.tcp_port = port;
    open_store();
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    cr_assert_eq(gateway_open(&gateway, events), ERR_OK);
    cr_assert_eq(mailbox_open(&box, 1000, NULL), ERR_OK);
    config = (struct tcp_node_config){.settings = &settings,
                                      .gateway = gateway,
                                      .events = events,
                                      .inbox = inbox,
                                      .committer = committer,
                                      .look_up = look_up};
    sem_init(&may_answer, 0, 0);
    cr_assert_eq(tcp_node_open(&node, &config), ERR_OK);
}

static void open_node(void)
{
    open_with_mailboxes_of(1024);
}

static void open_with_little_mailboxes(void)
{
    open_with_mailboxes_of(1);
}

static void start_node(void)
{
    cr_assert_eq(tcp_node_start(node), ERR_OK);
    is_started = true;
}

/* tcp_node_close asserts that no session and no reservation is left. */
static void close_node(void)
{
    if (node == NULL)
        return;
    if (!is_started)
        start_node();
    tcp_node_stop(node);
    while (mailbox_drain(box) > 0)
        ;
    committer_stop(committer);
    tcp_node_close(&node);
    mailbox_close(&box);
    gateway_close(&gateway);
    event_sink_close(&events);
    committer_close(&committer);
    inbox_close(&inbox);
    folders_remove(folder);
}

TestSuite(tcp_node, .init = open_node, .fini = close_node, .timeout = 20);
TestSuite(tcp_node_full, .init = open_with_little_mailboxes, .fini = close_node, .timeout = 20);

/* Requests: counts their answers. */

static unsigned answers;

static void came_back(struct message *m, void *owner)
{
    (void)m;
    (void)owner;
    answers++;
}

static struct request asked(void)
{
    return (struct request){.answer_to = box, .on_answer = came_back};
}

static void wait_answers(unsigned count)
{
    while (answers < count) {
        struct pollfd wakeup = {.fd = mailbox_fd(box), .events = POLLIN};

        poll(&wakeup, 1, -1);
        mailbox_drain(box);
    }
    answers = 0;
}

static struct transport_start start;

static enum err listen_now(void)
{
    start = (struct transport_start){.request = asked()};
    tcp_node_listen(node, &start);
    wait_answers(1);
    return start.request.result;
}

static void serve(void)
{
    start_node();
    cr_assert_eq(listen_now(), ERR_OK, "%s", start.error);
}

static struct transport_counts counts(void)
{
    struct counts_request r = {.request = asked()};

    tcp_worker_queries_count(tcp_node_first_worker(node), &r);
    wait_answers(1);
    return r.counts;
}

static struct route route_to(const char *host, uint16_t port)
{
    struct route route = {.contact = {.proto = "tcp", .port = port}};

    snprintf(route.contact.host, sizeof route.contact.host, "%s", host);
    return route;
}

static struct host_request call(enum tcp_host_call what, const char *host, uint16_t port)
{
    struct host_request r = {.request = asked(), .route = route_to(host, port)};

    tcp_route_host_call(node, what, &r);
    wait_answers(1);
    return r;
}

static void send_along(struct send_request *r, const struct route *route, const char *path)
{
    static uint64_t ids;

    *r = (struct send_request){
        .request = asked(), .route = *route, .id = ++ids, .filename = (char *)path};
    tcp_route_send(node, r);
}

static void send_now(struct send_request *r, const char *host, uint16_t port, const char *path)
{
    struct route route = route_to(host, port);

    send_along(r, &route, path);
}

/* To a name that has two addresses. */
static void send_to_either(struct send_request *r, uint16_t first_port, uint16_t second_port,
                           const char *path)
{
    struct route route = route_to("two.example", first_port);

    route.address_count = 2;
    address_from_ip_text(&route.addresses[0], "127.0.0.1", first_port);
    address_from_ip_text(&route.addresses[1], "127.0.0.1", second_port);
    send_along(r, &route, path);
}

/* Peers. */

static int dialled_peer(void)
{
    struct sockaddr_in at = loopback(settings.tcp_connections.tcp_port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Receives one frame; returns its command, 0 at the end. */
static int hears(int fd)
{
    uint8_t head[4], body[1000];
    size_t length;

    if (recv(fd, head, sizeof head, MSG_WAITALL) != 4)
        return 0;
    length = (size_t)head[2] << 8 | head[3];
    cr_assert_leq(length, sizeof body);
    cr_assert_eq(recv(fd, body, length, MSG_WAITALL), (ssize_t)length);
    return body[1];
}

static const char hello[] = "\0\0\0\x0c"
                            "1h:7771 None";
static const char wazap[] = "\0\0\0\x06"
                            "1wNone";

static void says(int fd, const char *frame, size_t length)
{
    cr_assert_eq(send(fd, frame, length, MSG_NOSIGNAL), (ssize_t)length);
}

static int connected_peer(void)
{
    int fd = dialled_peer();

    says(fd, hello, sizeof hello - 1);
    cr_assert_eq(hears(fd), 'w');
    return fd;
}

static void hears_end(int fd)
{
    char byte;

    cr_expect_eq(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static struct transport_stop stop;

/* Returns when the stop was posted to the workers. */
static void stop_begins(uint64_t grace_ms)
{
    struct pollfd wakeup = {.fd = mailbox_fd(box), .events = POLLIN};

    stop = (struct transport_stop){.request = asked(), .grace_ms = grace_ms};
    tcp_node_disconnect(node, &stop);
    while (mailbox_drain(box) == 0)
        poll(&wakeup, 1, -1);
}

/* Start and stop. */

Test(tcp_node, listens_reports_its_address_and_serves)
{
    char where[ADDRESS_TEXT_SIZE];
    int peers[7];

    serve();
    snprintf(where, sizeof where, "127.0.0.1:%u", settings.tcp_connections.tcp_port);
    cr_expect_str_eq(start.host, where);
    for (int i = 0; i < 7; i++)
        peers[i] = connected_peer();
    cr_expect_eq(counts().workers, 3);
    cr_expect_eq(counts().sessions_connected, 7);
    stop_begins(0);
    for (int i = 0; i < 7; i++)
        hears_end(peers[i]);
    wait_answers(1);
    cr_expect_eq(counts().sessions, 0);
}

Test(tcp_node, listens_again_on_the_same_port_after_a_stop)
{
    serve();
    for (int i = 0; i < 5; i++) {
        int peer = connected_peer();

        stop_begins(0);
        hears_end(peer);
        wait_answers(1);
        cr_assert_eq(listen_now(), ERR_OK, "%s", start.error);
    }
}

Test(tcp_node, stops_that_join_a_stop_are_answered_with_it)
{
    struct transport_stop second;

    serve();
    stop_begins(0);
    second = (struct transport_stop){.request = asked()};
    tcp_node_disconnect(node, &second);
    wait_answers(2);
}

Test(tcp_node, the_error_of_a_busy_port_has_address_and_remedy)
{
    int fd;
    char expected[200];

    fd = bound_socket(&settings.tcp_connections.tcp_port);
    cr_assert_eq(listen(fd, 1), 0);
    start_node();
    tcp_node_settings_changed(node, &settings);
    cr_expect_eq(listen_now(), ERR_BUSY);
    snprintf(expected, sizeof expected,
             "cannot listen on 127.0.0.1:%u: port is busy; stop the program that uses it or set "
             "another tcp-port",
             settings.tcp_connections.tcp_port);
    cr_expect_str_eq(start.error, expected);
    close(fd);
    cr_expect_eq(listen_now(), ERR_OK);
}

Test(tcp_node, an_address_of_another_machine_is_named)
{
    address_from_ip_text(&settings.tcp_connections.listen[0], "192.0.2.1", 0);
    start_node();
    tcp_node_settings_changed(node, &settings);
    cr_expect_eq(listen_now(), ERR_ADDRESS);
    cr_expect_not_null(strstr(start.error, "no such address on this machine"));
}

Test(tcp_node, a_changed_port_needs_a_rebind)
{
    serve();
    cr_expect_not(tcp_node_is_rebind_needed(node));
    settings.tcp_connections.tcp_port++;
    tcp_node_settings_changed(node, &settings);
    cr_expect(tcp_node_is_rebind_needed(node));
}

Test(tcp_node, with_receiving_switched_off_it_serves_without_listening)
{
    struct sockaddr_in at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    settings.tcp_transport.is_receiving_enabled = false;
    start_node();
    tcp_node_settings_changed(node, &settings);
    cr_expect_eq(listen_now(), ERR_OK);
    at = loopback(settings.tcp_connections.tcp_port);
    cr_expect_neq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
}

/* Half of a file of six bytes; sent again, it is the other half. */
static const char half[] = "\0\0\0\x0d"
                           "1d\1\0\0\0\6\0\0\0abc";

static int peer_that_sent_half(void)
{
    int peer;

    serve();
    peer = connected_peer();
    says(peer, half, sizeof half - 1);
    while (counts().files_in == 0)
        ;
    return peer;
}

Test(tcp_node, a_stop_lets_a_file_under_way_finish)
{
    int peer = peer_that_sent_half();

    stop_begins(60000);
    says(peer, half, sizeof half - 1);
    cr_expect_eq(hears(peer), 'o');
    hears_end(peer);
    wait_answers(1);
}

Test(tcp_node, a_stop_sends_aborts_when_its_grace_expires)
{
    int peer = peer_that_sent_half();

    stop_begins(20);
    cr_expect_eq(hears(peer), 'a');
    hears_end(peer);
    wait_answers(1);
}

Test(tcp_node, the_final_stop_ends_a_graceful_stop)
{
    int peer = peer_that_sent_half();

    stop_begins(60000);
    close_node();
    cr_expect_eq(answers, 1, "the patient stop is answered too");
    close(peer);
}

Test(tcp_node, a_session_over_the_limit_is_refused)
{
    int one, two;

    settings.sessions.limit = 1;
    start_node();
    tcp_node_settings_changed(node, &settings);
    cr_assert_eq(listen_now(), ERR_OK);
    one = connected_peer();
    two = dialled_peer();
    hears_end(two);
    cr_expect_eq(counts().sessions, 1);
    close(one);
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

Test(tcp_node, without_descriptors_it_waits_without_spinning_and_goes_on_later)
{
    struct rlimit before, low;
    struct pollfd ready = {.events = POLLIN};
    struct sockaddr_in at = loopback(settings.tcp_connections.tcp_port);
    double used;
    int peer, next;

    serve();
    peer = socket(AF_INET, SOCK_STREAM, 0);
    next = dup(peer);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = (rlim_t)next;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    cr_assert_eq(connect(peer, (struct sockaddr *)&at, sizeof at), 0);
    says(peer, hello, sizeof hello - 1);
    ready.fd = peer;
    used = cpu_seconds();
    cr_expect_eq(poll(&ready, 1, 500), 0, "there is no descriptor for it");
    cr_expect_lt(cpu_seconds() - used, 0.25);
    setrlimit(RLIMIT_NOFILE, &before);
    cr_expect_eq(hears(peer), 'w');
    close(peer);
}

/* Sends and calls. */

static const char *small_file(void)
{
    static char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/small", folder);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs("small", file);
    fclose(file);
    return path;
}

Test(tcp_node, two_concurrent_sends_share_one_connect)
{
    struct send_request one, two;
    const char *file;
    uint16_t port;
    int listening = bound_socket(&port), peer;
    uint8_t data[38];

    if (!names_has_localhost())
        cr_skip_test("/etc/hosts does not have the name localhost");
    listen(listening, 4);
    serve();
    file = small_file();
    send_now(&one, "127.0.0.1", port, file);
    send_now(&two, "localhost", port, file);
    peer = accept(listening, NULL, NULL);
    cr_assert_eq(hears(peer), 'h');
    says(peer, wazap, sizeof wazap - 1);
    cr_assert_eq(recv(peer, data, sizeof data, MSG_WAITALL), sizeof data);
    for (int i = 0; i < 2; i++) {
        char ok[] = "\0\0\0\6"
                    "1oXXXX";

        memcpy(ok + 6, data + 19 * i + 6, 4);
        says(peer, ok, 10);
    }
    wait_answers(2);
    cr_expect_eq(one.status, GATEWAY_TRANSFER_FINISHED);
    cr_expect_eq(two.status, GATEWAY_TRANSFER_FINISHED);
    cr_expect_eq(counts().sessions, 1);
    close(peer);
    close(listening);
}

Test(tcp_node, a_send_tries_the_next_address_of_a_name)
{
    struct send_request r;
    uint16_t shut_port, port;
    int shut = bound_socket(&shut_port), listening = bound_socket(&port), peer;
    uint8_t data[19];
    char ok[] = "\0\0\0\6"
                "1oXXXX";

    listen(listening, 4);
    serve();
    send_to_either(&r, shut_port, port, small_file());
    peer = accept(listening, NULL, NULL);
    cr_assert_eq(hears(peer), 'h');
    says(peer, wazap, sizeof wazap - 1);
    cr_assert_eq(recv(peer, data, sizeof data, MSG_WAITALL), sizeof data);
    memcpy(ok + 6, data + 6, 4);
    says(peer, ok, 10);
    wait_answers(1);
    cr_expect_eq(r.status, GATEWAY_TRANSFER_FINISHED);
    close(peer);
    close(listening);
    close(shut);
}

Test(tcp_node, a_send_that_no_address_of_a_name_takes_fails_with_the_reason)
{
    struct send_request r;
    uint16_t one_port, other_port;
    int one = bound_socket(&one_port), other = bound_socket(&other_port);

    serve();
    send_to_either(&r, one_port, other_port, small_file());
    wait_answers(1);
    cr_expect_eq(r.status, GATEWAY_TRANSFER_FAILED);
    cr_expect_str_eq(r.error, "connection failed: connection refused");
    close(one);
    close(other);
}

/* Names with several addresses, for every call with a host name. 127.0.0.2 to 9 have no listener.
 */

static int serve_at(const char *ip, uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    inet_pton(AF_INET, ip, &at.sin_addr);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&at, &length);
    *port = ntohs(at.sin_port);
    return fd;
}

static int greeted_peer(int listening)
{
    int peer = accept(listening, NULL, NULL);

    cr_assert_eq(hears(peer), 'h');
    says(peer, wazap, sizeof wazap - 1);
    return peer;
}

static void takes_small_file(int peer)
{
    uint8_t data[19];
    char ok[] = "\0\0\0\6"
                "1oXXXX";

    cr_assert_eq(recv(peer, data, sizeof data, MSG_WAITALL), sizeof data);
    memcpy(ok + 6, data + 6, 4);
    says(peer, ok, 10);
}

struct addresses_of {
    unsigned count;
    const char *ips[ROUTE_ADDRESSES_MAX];
};

static const struct addresses_of names[] = {
    {1, {"127.0.0.1"}},
    {2, {"127.0.0.1", "127.0.0.2"}},
    {2, {"127.0.0.2", "127.0.0.1"}},
    {3, {"127.0.0.2", "127.0.0.3", "127.0.0.1"}},
    {3, {"127.0.0.2", "127.0.0.1", "127.0.0.3"}},
    {4, {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"}},
    {5, {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.1"}},
    {3, {"::1", "127.0.0.2", "127.0.0.1"}},
    {2, {"fe80::1", "127.0.0.1"}},
    {8,
     {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8",
      "127.0.0.1"}},
};
enum { NAMES = sizeof names / sizeof *names };

static void every_call(const struct addresses_of *name, size_t row)
{
    struct host_request connect, again;
    struct send_request send;
    uint16_t port = 0;
    int listening = serve_at("127.0.0.1", &port), peer;
    char host[32];

    snprintf(host, sizeof host, "%zu.name.example", row);
    name_has(name->count, name->ips);
    connect = (struct host_request){.request = asked(), .route = route_to(host, port)};
    tcp_route_host_call(node, TCP_CONNECT_TO, &connect);
    peer = greeted_peer(listening);
    wait_answers(1);
    cr_assert_eq(connect.request.result, ERR_OK, "row %zu: %s", row, connect.error);
    again = call(TCP_CONNECT_TO, host, port);
    cr_expect(again.answer && again.session == connect.session, "row %zu: it is there", row);
    send_now(&send, host, port, small_file());
    takes_small_file(peer);
    wait_answers(1);
    cr_expect_eq(send.status, GATEWAY_TRANSFER_FINISHED, "row %zu: %s", row, send.error);
    cr_expect(call(TCP_KEEP_ALIVE, host, port).answer, "row %zu", row);
    cr_expect_eq(hears(peer), 'w');
    cr_expect(call(TCP_DISCONNECT_FROM, host, port).answer, "row %zu", row);
    hears_end(peer);
    send_now(&send, host, port, small_file());
    peer = greeted_peer(listening);
    takes_small_file(peer);
    wait_answers(1);
    cr_expect_eq(send.status, GATEWAY_TRANSFER_FINISHED, "row %zu: %s", row, send.error);
    close(peer);
    close(listening);
}

Test(tcp_node, every_call_tries_all_addresses_of_a_name, .timeout = 60)
{
    serve();
    for (size_t i = 0; i < NAMES; i++)
        every_call(&names[i], i);
}

Test(tcp_node, a_connect_that_no_address_takes_says_why)
{
    static const char *const ips[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
    struct host_request r;

    serve();
    name_has(3, ips);
    r = call(TCP_CONNECT_TO, "name.example", 1);
    cr_expect_eq(r.request.result, ERR_CLOSED);
    cr_expect_str_eq(r.error, "connection refused");
}

Test(tcp_node, an_address_of_a_name_that_is_our_own_is_left_out)
{
    static const char *const ips[] = {"127.0.0.1", "127.0.0.9"};
    struct send_request send;
    uint16_t port;
    int listening, peer;

    serve();
    port = settings.tcp_connections.tcp_port;
    listening = serve_at("127.0.0.9", &port);
    name_has(2, ips);
    send_now(&send, "name.example", port, small_file());
    peer = greeted_peer(listening);
    takes_small_file(peer);
    wait_answers(1);
    cr_expect_eq(send.status, GATEWAY_TRANSFER_FINISHED, "%s", send.error);
    name_has(1, ips);
    cr_expect(call(TCP_DISCONNECT_FROM, "name.example", port).answer);
    hears_end(peer);
    close(listening);
}

/* After a failed connect the next request uses the host's current addresses. */
Test(tcp_node, a_changed_address_is_taken_right_after_a_failure, .timeout = 60)
{
    static const struct {
        const char *before, *after;
        bool is_connect; /* what failed: a connect_to, else a send */
    } rows[] = {
        {"127.0.0.2", "127.0.0.1", false}, {"127.0.0.2", "127.0.0.1", true},
        {"127.0.0.3", "127.0.0.4", false}, {"127.0.0.1", "127.0.0.2", true},
        {"fe80::1", "127.0.0.1", false},   {"fe80::1", "127.0.0.5", true},
        {"::1", "127.0.0.1", false},       {"127.0.0.9", "127.0.0.8", false},
        {"127.0.0.8", "127.0.0.9", true},  {"127.0.0.10", "127.0.0.11", false},
    };

    serve();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct send_request send;
        uint16_t port = 0;
        int listening = serve_at(rows[i].after, &port), peer;
        char host[32];

        snprintf(host, sizeof host, "%zu.name.example", i); /* not in the resolver's cache */
        name_has(1, &rows[i].before);
        if (rows[i].is_connect) {
            cr_expect_eq(call(TCP_CONNECT_TO, host, port).request.result, ERR_CLOSED);
        } else {
            send_now(&send, host, port, small_file());
            wait_answers(1);
            cr_expect_eq(send.status, GATEWAY_TRANSFER_FAILED);
        }
        name_has(1, &rows[i].after);
        send_now(&send, host, port, small_file());
        peer = greeted_peer(listening);
        takes_small_file(peer);
        wait_answers(1);
        cr_expect_eq(send.status, GATEWAY_TRANSFER_FINISHED, "row %zu: %s", i, send.error);
        close(peer);
        close(listening);
    }
}

/* While the address of its host is looked up. */

Test(tcp_node, a_send_that_waits_for_its_address_can_be_cancelled)
{
    struct send_request sends[3];
    struct cancel_request r = {.contact = {.proto = "tcp", .host = "mute.example", .port = 3}};

    serve();
    for (uint16_t i = 0; i < 3; i++)
        send_now(&sends[i], "mute.example", i + 1, small_file());
    snprintf(r.filename, sizeof r.filename, "%s", small_file());
    r.request = asked();
    tcp_route_cancel_sending(node, &r);
    wait_answers(2); /* the cancel, and the send */
    cr_expect(r.answer);
    cr_expect_str_eq(sends[2].error, "cancelled");
    for (unsigned i = 0; i < 2; i++) {
        r = (struct cancel_request){.request = asked(), .send_id = sends[i].id};
        tcp_route_cancel_sending(node, &r);
        wait_answers(2);
        cr_expect(r.answer);
        cr_expect_str_eq(sends[i].error, "cancelled");
    }
    r = (struct cancel_request){.request = asked(), .send_id = sends[0].id};
    tcp_route_cancel_sending(node, &r);
    wait_answers(1);
    cr_expect_not(r.answer, "it is over");
    sem_post(&may_answer);
}

Test(tcp_node, a_silent_name_server_blocks_neither_other_names_nor_a_stop)
{
    struct send_request mute, send;
    uint16_t port = 0;
    int listening = serve_at("127.0.0.1", &port), peer;

    serve();
    send_now(&mute, "mute.example", port, small_file());
    send_now(&send, "localhost", port, small_file());
    peer = greeted_peer(listening);
    takes_small_file(peer);
    wait_answers(1);
    cr_expect_eq(send.status, GATEWAY_TRANSFER_FINISHED);
    close_node();
    cr_expect_eq(answers, 1);
    cr_expect_eq(mute.status, GATEWAY_TRANSFER_FAILED);
    sem_post(&may_answer);
    close(peer);
    close(listening);
}

/* Link-local addresses need an interface. */
Test(tcp_node, a_link_local_address_without_an_interface_is_an_error)
{
    static const struct {
        const char *host;
        bool is_missing;
    } rows[] = {
        {"fe80::1", true},     {"fe80::", true},       {"fe80::ffff:ffff", true},
        {"febf::1", true},     {"fe90::abcd:1", true}, {"fea0::1", true},
        {"fe80:1::2:3", true}, {"fec0::1", false},     {"fe7f::1", false},
        {"fe80::1%lo", false}, {"fe80::1%1", false},   {"::1", false},
        {"ff02::1", false},
    };
    const char *told = "missing scope, as in fe80::1%eth0";

    serve();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host_request r;
        struct send_request send;

        r = call(TCP_CONNECT_TO, rows[i].host, 1);
        cr_expect_eq(r.request.result, ERR_CLOSED, "%s", rows[i].host);
        cr_expect_eq(strcmp(r.error, told) == 0, rows[i].is_missing, "%s: %s", rows[i].host,
                     r.error);
        send_now(&send, rows[i].host, 1, small_file());
        wait_answers(1);
        cr_expect_eq(strstr(send.error, told) != NULL, rows[i].is_missing, "%s: %s", rows[i].host,
                     send.error);
    }
}

Test(tcp_node, listening_on_a_link_local_address_without_an_interface_is_an_error)
{
    address_from_ip_text(&settings.tcp_connections.listen[0], "fe80::1", 0);
    start_node();
    tcp_node_settings_changed(node, &settings);
    cr_expect_eq(listen_now(), ERR_SCOPE);
    cr_expect_not_null(strstr(start.error, "missing scope"));
}

Test(tcp_node, a_send_to_ourselves_is_refused)
{
    struct send_request r;

    serve();
    send_now(&r, "127.0.0.1", settings.tcp_connections.tcp_port, small_file());
    wait_answers(1);
    cr_expect_str_eq(r.error, "the address is this node's own");
}

Test(tcp_node, a_send_to_a_name_that_does_not_exist_fails_with_the_reason)
{
    struct send_request r;

    serve();
    send_now(&r, "nobody.invalid", 7771, small_file());
    wait_answers(1);
    cr_expect_str_eq(r.error, "connection failed: the name could not be resolved");
}

Test(tcp_node, a_send_while_the_transport_is_down_fails_and_leaves_no_place_taken)
{
    struct send_request r;

    start_node();
    send_now(&r, "192.0.2.1", 7771, small_file());
    wait_answers(1);
    cr_expect_str_eq(r.error, "disconnected");
    close_node();
}

Test(tcp_node_full, calls_that_a_full_mailbox_refuses_leave_no_place_taken)
{
    struct host_request calls[6];
    struct send_request send;
    unsigned refused = 0;

    for (uint16_t i = 0; i < 6; i++) { /* not started yet: each worker's mailbox holds one */
        calls[i] = (struct host_request){.request = asked(), .route = route_to("192.0.2.1", i + 1)};
        tcp_route_host_call(node, TCP_CONNECT_TO, &calls[i]);
    }
    send_now(&send, "192.0.2.1", 9, small_file());
    start_node();
    wait_answers(7);
    for (int i = 0; i < 6; i++)
        refused += calls[i].request.result == ERR_FULL &&
                   strcmp(calls[i].error, "the worker's mailbox is full; try again") == 0;
    cr_expect_eq(refused, 3);
    cr_expect_str_eq(send.error, "the worker's mailbox is full; send later");
    close_node();
}

Test(tcp_node, connect_to_reports_an_existing_session_or_the_reason_of_a_failure)
{
    struct host_request r = {.request = asked()};
    uint16_t port;
    int listening = bound_socket(&port), peer;

    serve();
    r = call(TCP_CONNECT_TO, "127.0.0.1", port);
    cr_expect_eq(r.request.result, ERR_CLOSED);
    cr_expect_neq(r.error[0], '\0');
    listen(listening, 4);
    r = (struct host_request){.request = asked(), .route = route_to("127.0.0.1", port)};
    tcp_route_host_call(node, TCP_CONNECT_TO, &r);
    peer = accept(listening, NULL, NULL);
    cr_assert_eq(hears(peer), 'h');
    says(peer, wazap, sizeof wazap - 1);
    wait_answers(1);
    cr_expect_eq(r.request.result, ERR_OK);
    cr_expect_not(r.answer);
    cr_expect(call(TCP_CONNECT_TO, "127.0.0.1", port).answer);
    cr_expect(call(TCP_KEEP_ALIVE, "127.0.0.1", port).answer);
    cr_expect_eq(hears(peer), 'w');
    cr_expect(call(TCP_DISCONNECT_FROM, "127.0.0.1", port).answer);
    hears_end(peer);
    cr_expect_not(call(TCP_KEEP_ALIVE, "127.0.0.1", port).answer);
    close(listening);
}

/* Requests to all workers. */

Test(tcp_node, sessions_are_listed_in_pages)
{
    int peers[10];
    size_t seen = 0;

    serve();
    for (int i = 0; i < 10; i++)
        peers[i] = connected_peer();
    for (size_t offset = 0; offset < 12; offset += 4) {
        struct list_request r = {.request = asked(), .offset = offset, .limit = 4};

        tcp_worker_queries_sessions(tcp_node_first_worker(node), &r);
        wait_answers(1);
        cr_expect_eq(r.total, 10);
        for (size_t i = 0; i < r.count; i++)
            cr_expect_str_eq(r.sessions[i].state, "CONNECTED");
        seen += r.count;
        gateway_list_request_fini(&r);
    }
    cr_expect_eq(seen, 10);
    for (int i = 0; i < 10; i++)
        close(peers[i]);
}

Test(tcp_node, a_stream_is_listed_and_cancelled)
{
    static const char first[] = "\0\0\0\x0d"
                                "1d\1\0\0\0\6\0\0\0abc";
    struct list_request list = {.request = asked(), .limit = 10};
    struct cancel_request cancel = {.request = asked(), .transfer_id = 99999999};
    int peer;

    serve();
    peer = connected_peer();
    says(peer, first, sizeof first - 1);
    while (counts().files_in == 0)
        ;
    tcp_worker_queries_streams(tcp_node_first_worker(node), &list);
    wait_answers(1);
    cr_assert_eq(list.count, 1);
    cr_expect_str_eq(list.streams[0].state, "receiving");
    cr_expect_eq(list.streams[0].total_bytes, 6);
    cr_expect_eq(list.streams[0].stream_id, 1);
    tcp_worker_queries_cancel_receiving(tcp_node_first_worker(node), &cancel);
    wait_answers(1);
    cr_expect_not(cancel.answer);
    cancel =
        (struct cancel_request){.request = asked(), .transfer_id = list.streams[0].transfer_id};
    tcp_worker_queries_cancel_receiving(tcp_node_first_worker(node), &cancel);
    wait_answers(1);
    cr_expect(cancel.answer);
    cr_expect_eq(hears(peer), 'a');
    gateway_list_request_fini(&list);
    close(peer);
}
