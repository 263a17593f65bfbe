#include "http/routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char any_path[] = "*";

/* The path of a target in absolute form; "" if it has none. */
static const char *path_of(const char *target)
{
    const char *host, *path;

    if (strncasecmp(target, "http://", 7) != 0)
        return target;
    host = target + 7;
    path = host + strcspn(host, "/");
    return path == host ? "" : path;
}

static bool is_at(const struct http_route *row, const char *path)
{
    return strcmp(path, any_path) == 0 || strcmp(row->path, path) == 0;
}

enum http_routes_found http_routes_find(const struct http_routes *routes, const char *method,
                                        const char *target, const struct http_route **out)
{
    const char *path = path_of(target);
    bool is_any = strcmp(path, any_path) == 0, has_path = is_any, has_method = false;

    *out = NULL;
    for (size_t i = 0; i < routes->count; i++) {
        const struct http_route *row = &routes->rows[i];

        if (!is_at(row, path))
            continue;
        has_path = true;
        if (strcmp(row->method, method) != 0)
            continue;
        has_method = true;
        *out = is_any ? NULL : row;
    }
    if (*out != NULL)
        return HTTP_ROUTES_FOUND;
    return has_path && !has_method ? HTTP_ROUTES_NO_METHOD : HTTP_ROUTES_NO_PATH;
}

/* Appends `word` unless the list has it: rows may share a method or a path. */
static void add(char out[HTTP_ROUTES_TEXT_SIZE], const char *word)
{
    size_t end = strlen(out), length = strlen(word);

    for (const char *at = out; (at = strstr(at, word)) != NULL; at += length)
        if ((at == out || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
            return;
    snprintf(out + end, HTTP_ROUTES_TEXT_SIZE - end, "%s%s", end == 0 ? "" : ", ", word);
}

const char *http_routes_methods(const struct http_routes *routes, const char *target,
                                char out[HTTP_ROUTES_TEXT_SIZE])
{
    out[0] = '\0';
    for (size_t i = 0; i < routes->count; i++)
        if (is_at(&routes->rows[i], path_of(target)))
            add(out, routes->rows[i].method);
    return out;
}

const char *http_routes_paths(const struct http_routes *routes, char out[HTTP_ROUTES_TEXT_SIZE])
{
    out[0] = '\0';
    for (size_t i = 0; i < routes->count; i++)
        add(out, routes->rows[i].path);
    return out;
}

bool http_route_accepts(const struct http_route *route, const char *type, const char **parameters)
{
    *parameters = "";
    if (route->types == NULL)
        return true;
    for (size_t i = 0; type != NULL && route->types[i] != NULL; i++) {
        size_t length = strlen(route->types[i]);

        *parameters = type + length;
        if (strncasecmp(type, route->types[i], length) == 0 &&
            (type[length] == '\0' || strchr("; \t", type[length]) != NULL))
            return true;
    }
    return false;
}
