#include "http/routes.h"

#include <criterion/criterion.h>

static const char *const xml[] = {"text/xml", "application/xml", NULL};
static const struct http_route rows[] = {
    {.method = "POST", .path = "/RPC2", .types = xml},
    {.method = "GET", .path = "/page"},
    {.method = "POST", .path = "/page"},
    {.method = "PUT", .path = "/RPC"},
};
static const struct http_routes routes = {.rows = rows, .count = sizeof rows / sizeof *rows};

Test(http_routes, a_route_is_found_by_method_and_path, .timeout = 10)
{
    static const struct {
        const char *method, *target;
        enum http_routes_found found;
        int row;
    } cases[] = {
        {"POST", "/RPC2", HTTP_ROUTES_FOUND, 0},
        {"GET", "/page", HTTP_ROUTES_FOUND, 1},
        {"POST", "/page", HTTP_ROUTES_FOUND, 2},
        {"POST", "http://node/RPC2", HTTP_ROUTES_FOUND, 0},
        {"POST", "HTTP://127.0.0.1:7780/RPC2", HTTP_ROUTES_FOUND, 0},
        {"GET", "/RPC2", HTTP_ROUTES_NO_METHOD, -1},
        {"post", "/RPC2", HTTP_ROUTES_NO_METHOD, -1},
        {"PUT", "/page", HTTP_ROUTES_NO_METHOD, -1},
        {"OPTIONS", "*", HTTP_ROUTES_NO_METHOD, -1},
        {"GET", "*", HTTP_ROUTES_NO_PATH, -1},
        {"GET", "/", HTTP_ROUTES_NO_PATH, -1},
        {"POST", "/rpc2", HTTP_ROUTES_NO_PATH, -1},
        {"POST", "/RPC2/", HTTP_ROUTES_NO_PATH, -1},
        {"POST", "http://node", HTTP_ROUTES_NO_PATH, -1},
        {"POST", "http:///RPC2", HTTP_ROUTES_NO_PATH, -1},
        {"DELETE", "/none", HTTP_ROUTES_NO_PATH, -1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_route *row;

        cr_expect_eq(http_routes_find(&routes, cases[i].method, cases[i].target, &row),
                     cases[i].found, "%s %s", cases[i].method, cases[i].target);
        cr_expect_eq(row, cases[i].row < 0 ? NULL : &rows[cases[i].row], "%s %s", cases[i].method,
                     cases[i].target);
    }
}

Test(http_routes, valid_values_are_listed_once, .timeout = 10)
{
    char text[HTTP_ROUTES_TEXT_SIZE];

    cr_expect_str_eq(http_routes_methods(&routes, "/page", text), "GET, POST");
    cr_expect_str_eq(http_routes_methods(&routes, "http://node/RPC2", text), "POST");
    cr_expect_str_eq(http_routes_methods(&routes, "*", text), "POST, GET, PUT");
    cr_expect_str_eq(http_routes_methods(&routes, "/none", text), "");
    cr_expect_str_eq(http_routes_paths(&routes, text), "/RPC2, /page, /RPC");
}

Test(http_routes, parameters_of_a_type_are_ignored, .timeout = 10)
{
    const char *parameters;

    cr_expect(http_route_accepts(&rows[0], "text/xml", &parameters));
    cr_expect(http_route_accepts(&rows[0], "Application/XML", &parameters));
    cr_expect(http_route_accepts(&rows[0], "text/xml; charset=utf-8", &parameters));
    cr_expect_str_eq(parameters, "; charset=utf-8");
    cr_expect_not(http_route_accepts(&rows[0], "text/xmlish", &parameters));
    cr_expect_not(http_route_accepts(&rows[0], "text/plain", &parameters));
    cr_expect_not(http_route_accepts(&rows[0], NULL, &parameters));
}

Test(http_routes, a_route_without_types_accepts_any, .timeout = 10)
{
    const char *parameters;

    cr_expect(http_route_accepts(&rows[1], NULL, &parameters));
    cr_expect_str_eq(parameters, "");
    cr_expect(http_route_accepts(&rows[1], "text/plain; charset=latin1", &parameters));
    cr_expect_str_eq(parameters, "");
}
