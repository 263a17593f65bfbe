#include "control/node.h"

#include "base/address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char token[] = "0123456789abcdef";
static const char status_call[] = "<?xml version='1.0'?><methodCall><methodName>status</methodName>"
                                  "</methodCall>";

static void with_a_token(void)
{
    node_start_at_tcp(token);
}

static void without_a_token(void)
{
    node_start_at_tcp("");
}

#define TOKEN_TEST(name) \
    Test(control_tcp, name, .init = with_a_token, .fini = node_stop, .timeout = 30)
#define OPEN_TEST(name) \
    Test(control_tcp, name, .init = without_a_token, .fini = node_stop, .timeout = 30)

/* Sends bytes to the TCP address and returns the HTTP status of the response. */
static int status_of(const char *bytes)
{
    struct address address;
    struct sockaddr_storage at;
    char answer[4096] = "";
    size_t got = 0;
    ssize_t count;
    int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(address_from_ip_text(&address, "127.0.0.1", node_port), ERR_OK);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, address_to_sockaddr(&address, &at)), 0);
    cr_assert_eq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    while (strchr(answer, '\n') == NULL &&
           (count = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
        got += (size_t)count;
    close(fd);
    cr_assert_eq(sscanf(answer, "HTTP/1.1 %d", &status), 1, "'%s'", answer);
    return status;
}

static int ask_status(const char *path, const char *headers)
{
    char request[1024];

    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
             "Content-Length: %zu\r\n%s\r\n%s",
             path, sizeof status_call - 1, headers, status_call);
    return status_of(request);
}

TOKEN_TEST(a_valid_token_is_accepted)
{
    cr_assert_eq(ask_status("/RPC2", "Authorization: Bearer 0123456789abcdef\r\n"), 200);
}

TOKEN_TEST(without_a_token_every_path_is_401)
{
    cr_assert_eq(ask_status("/RPC2", ""), 401);
    cr_assert_eq(ask_status("/", ""), 401);
    cr_assert_eq(ask_status("/RPC2", "Authorization: Bearer 0123456789abcdeX\r\n"), 401);
    cr_assert_eq(status_of("GET /status HTTP/1.1\r\nHost: x\r\n\r\n"), 401);
}

TOKEN_TEST(an_unauthorized_request_is_refused_before_its_body)
{
    cr_assert_eq(status_of("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                           "Content-Length: 1000000\r\n\r\n"),
                 401);
}

TOKEN_TEST(the_unix_socket_needs_no_token)
{
    struct answer a = ask("status", "()");

    cr_assert_not_null(a.rpc.value);
    answer_fini(&a);
}

OPEN_TEST(without_a_configured_token_loopback_is_open)
{
    cr_assert_eq(ask_status("/RPC2", ""), 200);
}

OPEN_TEST(a_request_of_a_web_page_is_refused)
{
    cr_assert_eq(ask_status("/RPC2", "Origin: http://example.com\r\n"), 403);
}
