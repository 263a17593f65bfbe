#include "control/node.h"

#include "http/call.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HTTP_TEST(name) Test(http, name, .init = node_start, .fini = node_stop, .timeout = 60)

#define CALL "<methodCall><methodName>system.listMethods</methodName></methodCall>"
enum { CALL_LENGTH = sizeof CALL - 1, ANSWER_SIZE = 1 << 16 };

static int open_client(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", node_socket);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Sends bytes and reads until the daemon closes. */
static void exchange(const char *bytes, char answer[ANSWER_SIZE])
{
    int fd = open_client();
    size_t got = 0;
    ssize_t count;

    cr_assert_eq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    while (got < ANSWER_SIZE - 1 && (count = recv(fd, answer + got, ANSWER_SIZE - 1 - got, 0)) > 0)
        got += (size_t)count;
    answer[got] = '\0';
    close(fd);
}

static int status_in(const char *answer)
{
    int status = 0;

    sscanf(answer, "HTTP/1.%*d %d", &status);
    return status;
}

static void expect(const char *name, const char *request, int status, const char *part)
{
    static char answer[ANSWER_SIZE];

    exchange(request, answer);
    cr_expect_eq(status_in(answer), status, "%s: %.300s", name, answer);
    cr_expect_not_null(strstr(answer, part), "%s: %.300s", name, answer);
}

HTTP_TEST(each_target_type_and_header_is_answered_or_refused)
{
    static const struct {
        const char *target, *type, *headers;
        int status;
        const char *part;
    } rows[] = {
        {"/RPC2", "text/xml", "", 200, "methodHelp"},
        {"/RPC2", "TEXT/XML", "", 200, "methodHelp"},
        {"/RPC2", "application/xml", "", 200, "methodHelp"},
        {"/RPC2", "text/xml; charset=utf-8", "", 200, "methodHelp"},
        {"/RPC2", "text/xml;charset=\"UTF-8\"", "", 200, "methodHelp"},
        {"/RPC2", "text/xml ; Charset = us-ascii", "", 200, "methodHelp"},
        {"/RPC2", "text/xml; charset=iso-8859-1", "", 415, "charset"},
        {"/RPC2", "text/xml; charset=utf-16", "", 415, "charset"},
        {"/RPC2", "text/xmlish", "", 415, "Content-Type"},
        {"/RPC2", "application/json", "", 415, "Content-Type"},
        {"/RPC2?token=x&y", "text/xml", "", 200, "methodHelp"},
        {"http://node/RPC2", "text/xml", "", 200, "methodHelp"},
        {"HTTP://127.0.0.1:7780/RPC2", "text/xml", "", 200, "methodHelp"},
        {"http://node/RPC2?x", "text/xml", "", 200, "methodHelp"},
        {"http://node/", "text/xml", "", 404, "/RPC2"},
        {"http://node", "text/xml", "", 404, "/RPC2"},
        {"http:///RPC2", "text/xml", "", 404, "/RPC2"},
        {"/%52PC2", "text/xml", "", 200, "methodHelp"},
        {"/RPC2/", "text/xml", "", 404, "/RPC2"},
        {"/", "text/xml", "", 404, "/RPC2"},
        {"/rpc2", "text/xml", "", 404, "/RPC2"},
        {"*", "text/xml", "", 404, "/RPC2"},
        {"/RPC2", "text/xml", "Content-Encoding: gzip\r\n", 415, "Content-Encoding"},
        {"/RPC2", "text/xml", "Content-Encoding: deflate\r\n", 415, "Content-Encoding"},
        {"/RPC2", "text/xml", "Content-Encoding: br, gzip\r\n", 415, "Accept-Encoding: identity"},
        {"/RPC2", "text/xml", "Content-Encoding: identity\r\n", 200, "methodHelp"},
        {"/RPC2", "text/xml", "Accept-Encoding: gzip\r\n", 200, "methodHelp"},
        {"/RPC2", "text/xml", "Expect: 100-continue\r\n", 200, "methodHelp"},
        {"/RPC2", "text/xml", "Expect: 100-CONTINUE\r\n", 200, "methodHelp"},
        {"/RPC2", "text/xml", "Expect: a-cake\r\n", 417, "Expect"},
    };
    char request[1024];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* The response to 100-continue comes first. */
        bool is_first = strstr(rows[i].headers, "100-") == NULL;

        snprintf(request, sizeof request,
                 "POST %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: %s\r\n"
                 "%sContent-Length: %d\r\n\r\n%s",
                 rows[i].target, rows[i].type, rows[i].headers, (int)CALL_LENGTH, CALL);
        expect(request, request, is_first ? rows[i].status : 100, rows[i].part);
    }
}

#define POST "POST /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: text/xml\r\n"

HTTP_TEST(each_kind_of_message_is_answered_or_refused)
{
    static const struct {
        const char *name, *request;
        int status;
        const char *part;
    } rows[] = {
        {"chunked",
         POST "Transfer-Encoding: chunked\r\n\r\n"
              "c\r\n<methodCall>\r\n"
              "2b\r\n<methodName>system.listMethods</methodName>\r\n"
              "d\r\n</methodCall>\r\n0\r\n\r\n",
         200, "methodHelp"},
        {"HTTP/1.0",
         "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: 68\r\n\r\n" CALL, 200,
         "methodHelp"},
        {"GET", "GET /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", 405, "POST"},
        {"HEAD", "HEAD /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", 405,
         "Allow: POST"},
        {"OPTIONS", "OPTIONS /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", 405,
         "Allow: POST"},
        {"OPTIONS of the server", "OPTIONS * HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n",
         405, "Allow: POST"},
        {"PUT",
         "PUT /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 405,
         "Allow: POST"},
        {"no body", POST "Content-Length: 0\r\n\r\n", 200, "empty document"},
        {"a byte order mark", POST "Content-Length: 71\r\n\r\n\xef\xbb\xbf" CALL, 200,
         "methodHelp"},
        {"gzip unannounced", POST "Content-Length: 4\r\n\r\n\x1f\x8b\x08\x08", 200,
         "compressed (gzip)"},
        {"UTF-16 with a mark", POST "Content-Length: 4\r\n\r\n\xff\xfe<x", 200, "UTF-16"},
        {"JSON", POST "Content-Length: 19\r\n\r\n{\"method\":\"status\"}", 200, "not XML"},
        {"no type",
         "POST /RPC2 HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 415,
         "Content-Type"},
        {"two lengths", POST "Content-Length: 68\r\nContent-Length: 3\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"two lengths that agree", POST "Content-Length: 68\r\nContent-Length: 68\r\n\r\n" CALL,
         400, "one Content-Length"},
        {"two lengths, the second in small letters",
         POST "Content-Length: 68\r\ncontent-length: 0\r\n\r\n" CALL, 400, "one Content-Length"},
        {"a length and chunks",
         POST "Content-Length: 68\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"chunks and a length",
         POST "Transfer-Encoding: chunked\r\nContent-Length: 68\r\n\r\n0\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"chunks twice",
         POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         "one Content-Length"},
        {"an unknown coding and chunks",
         POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         "one Content-Length"},
        {"a blank behind the name", POST "Content-Length : 68\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"a tab behind the name", POST "Content-Length\t: 68\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"a blank behind the name of chunks",
         POST "Transfer-Encoding : chunked\r\nContent-Length: 68\r\n\r\n" CALL, 400,
         "one Content-Length"},
        {"a length below nothing", POST "Content-Length: -68\r\n\r\n" CALL, 400, ""},
        {"a length with a sign", POST "Content-Length: +68\r\n\r\n" CALL, 400, ""},
        {"too long", POST "Content-Length: 1048577\r\n\r\n", 413, "1 MiB"},
        {"length beyond all numbers", POST "Content-Length: 99999999999999999999999\r\n\r\n", 413,
         ""},
    };

    cr_assert_eq((int)CALL_LENGTH, 68);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].name, rows[i].request, rows[i].status, rows[i].part);
}

/* 256 clients can send at once, so the sum of bodies is limited, too. */
HTTP_TEST(the_sum_of_request_bodies_is_limited)
{
    enum { CLIENTS = 40, PART = HTTP_CALL_BODY_LIMIT - 1 };
    static const char head[] = POST "Content-Length: 1048576\r\n\r\n";
    char *part = malloc(PART);
    int clients[CLIENTS];
    unsigned refused = 0;

    memset(part, ' ', PART);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = open_client();
        cr_assert_eq(send(clients[i], head, sizeof head - 1, MSG_NOSIGNAL),
                     (ssize_t)sizeof head - 1);
        for (size_t sent = 0; sent < PART;) {
            ssize_t count = send(clients[i], part + sent, PART - sent, MSG_NOSIGNAL);

            cr_assert_gt(count, 0);
            sent += (size_t)count;
        }
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        static char answer[ANSWER_SIZE];

        memset(answer, 0, sizeof answer);
        send(clients[i], " ", 1, MSG_NOSIGNAL);
        recv(clients[i], answer, sizeof answer - 1, MSG_WAITALL);
        refused += status_in(answer) == 503;
        close(clients[i]);
    }
    cr_expect_geq(refused, CLIENTS - HTTP_CALL_BODIES_LIMIT / HTTP_CALL_BODY_LIMIT, "%u", refused);
    cr_expect_lt(refused, CLIENTS);
    expect("one that comes later", POST "Content-Length: 68\r\n\r\n" CALL, 200, "methodHelp");
    free(part);
}
