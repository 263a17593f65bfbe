/* A server with routes of the test. The test's thread runs the loop. */
#include "http/server.h"

#include "http/call.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TOKEN      "0123456789abcdef"
#define WITH_TOKEN "Authorization: Bearer " TOKEN "\r\nConnection: close\r\n\r\n"
#define NOW        "Connection: close\r\n\r\n"

enum { ANSWER_SIZE = 4096 };

static char folder[] = "/tmp/dustwire-http-XXXXXX", path[64];
static struct loop *loop;
static struct http_server *server;
static struct http_call *kept; /* by keep() */
static uint16_t port;

static void answer(struct http_call *call, unsigned status, const char *type, const char *body)
{
    http_call_respond(
        call, &(struct http_response){
                  .status = status, .type = type, .body = strdup(body), .length = strlen(body)});
}

static void echo(void *ctx, struct http_call *call, const char *body, size_t length)
{
    char text[64];

    cr_assert_eq(ctx, &loop);
    snprintf(text, sizeof text, "got %.*s", (int)length, body);
    answer(call, 200, "text/xml", text);
}

static void get_metrics(void *ctx, struct http_call *call, const char *body, size_t length)
{
    (void)ctx, (void)body;
    cr_assert_eq(length, 0);
    answer(call, 200, "text/plain; version=0.0.4", "dustwire_files_in 7\n");
}

static void refuse(void *ctx, struct http_call *call, const char *body, size_t length)
{
    (void)ctx, (void)body, (void)length;
    answer(call, 503, "application/json", "{\"ok\":false}");
}

static void keep(void *ctx, struct http_call *call, const char *body, size_t length)
{
    (void)ctx, (void)body, (void)length;
    kept = call;
}

/* Responds to the call kept before, and keeps its own. */
static void release(void *ctx, struct http_call *call, const char *body, size_t length)
{
    (void)ctx, (void)body, (void)length;
    answer(kept, 200, "text/plain", "released");
    kept = call;
}

static const char *const xml[] = {"text/xml", NULL};
static const struct http_route rows[] = {
    {"POST", "/RPC2", xml, HTTP_ROUTE_TOKEN, echo},
    {"GET", "/metrics", NULL, HTTP_ROUTE_TOKEN, get_metrics},
    {"GET", "/health", NULL, HTTP_ROUTE_PUBLIC, refuse},
    {"GET", "/later", NULL, HTTP_ROUTE_TOKEN, keep},
    {"GET", "/release", NULL, HTTP_ROUTE_TOKEN, release},
};

static void start(struct http_server_config config)
{
    char problem[256] = "";

    config.loop = loop;
    config.routes =
        (struct http_routes){.rows = rows, .count = sizeof rows / sizeof *rows, .ctx = &loop};
    cr_assert_eq(http_server_open(&server, &config, problem, sizeof problem), ERR_OK, "%s",
                 problem);
    cr_assert_eq(http_server_start(server), ERR_OK);
}

static void open_loop(void)
{
    cr_assert_eq(loop_open(&loop, &(struct loop_config){.name = "test", .mailbox_limit = 8}),
                 ERR_OK);
    loop_turn(loop, 0); /* this thread becomes its owner */
}

static void start_at_unix(void)
{
    open_loop();
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    start((struct http_server_config){.socket_path = path, .group = "", .mode = 0600});
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void start_at_tcp(void)
{
    struct http_server_config config = {.token = TOKEN};

    open_loop();
    port = free_port();
    cr_assert_eq(address_from_ip_text(&config.address, "127.0.0.1", port), ERR_OK);
    start(config);
}

static void stop(void)
{
    http_server_stop(server);
    http_server_close(&server);
    loop_close(&loop);
    rmdir(folder);
}

static int client(void)
{
    struct sockaddr_in tcp = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(port == 0 ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(local.sun_path, sizeof local.sun_path, "%s", path);
    if (port == 0)
        cr_assert_eq(connect(fd, (struct sockaddr *)&local, sizeof local), 0);
    else
        cr_assert_eq(connect(fd, (struct sockaddr *)&tcp, sizeof tcp), 0);
    return fd;
}

static int ask(const char *request)
{
    int fd = client();

    cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return fd;
}

/* Runs the loop until the server closes. */
static const char *read_answer(int fd)
{
    static char text[ANSWER_SIZE];
    size_t got = 0;
    ssize_t count;

    while ((count = recv(fd, text + got, sizeof text - 1 - got, MSG_DONTWAIT)) != 0) {
        if (count > 0)
            got += (size_t)count;
        else
            loop_turn(loop, 10);
    }
    text[got] = '\0';
    close(fd);
    return text;
}

static void expect(const char *request, int status, const char *type, const char *body)
{
    const char *text = read_answer(ask(request)), *found = strstr(text, "\r\n\r\n");
    char line[128];

    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    cr_expect_eq(strncmp(text, line, strlen(line)), 0, "%s: %s", request, text);
    snprintf(line, sizeof line, "\r\nContent-Type: %s\r\n", type);
    cr_expect_not_null(strstr(text, line), "%s: %s", request, text);
    cr_assert_not_null(found, "%s", text);
    cr_expect_str_eq(found + 4, body, "%s", request);
}

#define AT_UNIX(name) Test(http_server, name, .init = start_at_unix, .fini = stop, .timeout = 30)
#define AT_TCP(name)  Test(http_server, name, .init = start_at_tcp, .fini = stop, .timeout = 30)

AT_UNIX(each_route_responds_with_its_status_type_and_body)
{
    expect(
        "POST /RPC2 HTTP/1.1\r\nHost: node\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n" NOW
        "<a>",
        200, "text/xml", "got <a>");
    expect("GET /metrics HTTP/1.1\r\nHost: node\r\n" NOW, 200, "text/plain; version=0.0.4",
           "dustwire_files_in 7\n");
    expect("GET /health HTTP/1.1\r\nHost: node\r\n" NOW, 503, "application/json", "{\"ok\":false}");
}

AT_UNIX(unmatched_requests_are_refused_with_the_valid_values)
{
    const char *allow;

    expect("GET / HTTP/1.1\r\nHost: node\r\n" NOW, 404, "text/plain",
           "unknown path: use one of /RPC2, /metrics, /health, /later, /release\n");
    expect("GET /RPC2 HTTP/1.1\r\nHost: node\r\n" NOW, 405, "text/plain",
           "method not allowed: use POST\n");
    expect("POST /RPC2 HTTP/1.1\r\nHost: node\r\nContent-Type: a/b\r\nContent-Length: 0\r\n" NOW,
           415, "text/plain", "unsupported Content-Type: use text/xml\n");
    allow = read_answer(ask("POST /metrics HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n" NOW));
    cr_expect_not_null(strstr(allow, "\r\nAllow: GET\r\n"), "%s", allow);
}

/* No bytes of the bodies are sent: the refusal does not wait for them. */
AT_UNIX(a_body_is_refused_at_the_head_of_a_route_without_types)
{
    static const char refusal[] = "this path takes no request body: send the request without one\n";

    expect("GET /metrics HTTP/1.1\r\nHost: node\r\nContent-Length: 1048576\r\n\r\n", 413,
           "text/plain", refusal);
    expect("GET /health HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n", 413,
           "text/plain", refusal);
    expect("GET /metrics HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n" NOW, 200,
           "text/plain; version=0.0.4", "dustwire_files_in 7\n");
}

AT_UNIX(a_handler_may_respond_later)
{
    int fd = ask("GET /later HTTP/1.1\r\nHost: node\r\n" NOW);
    const char *text;

    while (kept == NULL)
        loop_turn(loop, 10);
    answer(kept, 200, "text/plain", "now");
    text = read_answer(fd);
    cr_expect_eq(strncmp(text, "HTTP/1.1 200 ", 13), 0, "%s", text);
    cr_expect_str_eq(text + strlen(text) - 3, "now");
}

AT_UNIX(a_handler_may_respond_to_another_call)
{
    int first = ask("GET /later HTTP/1.1\r\nHost: node\r\n" NOW), second;
    const char *text;

    while (kept == NULL)
        loop_turn(loop, 10);
    second = ask("GET /release HTTP/1.1\r\nHost: node\r\n" NOW);
    text = read_answer(first); /* with no other event */
    cr_expect_str_eq(text + strlen(text) - 8, "released", "%s", text);
    answer(kept, 200, "text/plain", "now");
    read_answer(second);
}

AT_TCP(each_route_has_its_access)
{
    expect("GET /metrics HTTP/1.1\r\nHost: node\r\n" NOW, 401, "text/plain",
           "missing or invalid token: send Authorization: Bearer TOKEN\n");
    expect("GET /none HTTP/1.1\r\nHost: node\r\n" NOW, 401, "text/plain",
           "missing or invalid token: send Authorization: Bearer TOKEN\n");
    expect("GET /metrics HTTP/1.1\r\nHost: node\r\n" WITH_TOKEN, 200, "text/plain; version=0.0.4",
           "dustwire_files_in 7\n");
    expect("GET /health HTTP/1.1\r\nHost: node\r\n" NOW, 503, "application/json", "{\"ok\":false}");
}
