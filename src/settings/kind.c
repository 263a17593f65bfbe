/* The kinds of values: how each is parsed strictly, and printed as text that parses to the same. */
#include "settings/kind.h"

#include "base/contract.h"
#include "base/text.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

void *settings_kind_field(const struct settings_row *row, struct settings *s)
{
    return (char *)s + row->offset;
}

const void *settings_kind_const_field(const struct settings_row *row, const struct settings *s)
{
    return (const char *)s + row->offset;
}

enum err settings_kind_reject(char why[SETTINGS_WHY_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, SETTINGS_WHY_SIZE, format, args);
    va_end(args);
    return ERR_INVALID;
}

/* Booleans */

static enum err read_bool(const struct settings_row *row, struct settings *s, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    bool *to = settings_kind_field(row, s);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int value = 0; value < 2; value++) {
            if (strcmp(text, words[i][value]) == 0) {
                *to = value == 1;
                return ERR_OK;
            }
        }
    }
    return settings_kind_reject(why, "must be true or false (or yes/no, on/off, 1/0)");
}

static enum err print_bool(const struct settings_row *row, const struct settings *s, char *to,
                           size_t room)
{
    return text_copy(to, room, *(const bool *)settings_kind_const_field(row, s) ? "true" : "false");
}

const struct settings_kind settings_kind_bool = {
    .read = read_bool, .print = print_bool, .allowed = "true or false"};

/* Numbers */

static enum err number_of(const struct settings_row *row, uint64_t *out, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    uint64_t number;

    if (text_to_u64(&number, text, row->max) != ERR_OK || number < row->min)
        return settings_kind_reject(why, "must be %sa whole number from %llu to %llu%s%s%s",
                                    row->kind == &settings_kind_threads ? "auto or " : "",
                                    (unsigned long long)row->min, (unsigned long long)row->max,
                                    row->unit[0] == '\0' ? "" : " (", row->unit,
                                    row->unit[0] == '\0' ? "" : ")");
    *out = number;
    return ERR_OK;
}

static enum err read_number(const struct settings_row *row, struct settings *s, const char *text,
                            char why[SETTINGS_WHY_SIZE])
{
    uint64_t number = 0;
    enum err e = number_of(row, &number, text, why);

    if (e == ERR_OK)
        *(unsigned *)settings_kind_field(row, s) = (unsigned)number;
    return e;
}

static enum err print_number(const struct settings_row *row, const struct settings *s, char *to,
                             size_t room)
{
    return text_format(to, room, "%u", *(const unsigned *)settings_kind_const_field(row, s));
}

const struct settings_kind settings_kind_number = {.read = read_number, .print = print_number};

static enum err read_port(const struct settings_row *row, struct settings *s, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    uint64_t number = 0;
    enum err e = number_of(row, &number, text, why);

    if (e == ERR_OK)
        *(uint16_t *)settings_kind_field(row, s) = (uint16_t)number;
    return e;
}

static enum err print_port(const struct settings_row *row, const struct settings *s, char *to,
                           size_t room)
{
    return text_format(to, room, "%u",
                       (unsigned)*(const uint16_t *)settings_kind_const_field(row, s));
}

const struct settings_kind settings_kind_port = {.read = read_port, .print = print_port};

static enum err read_threads(const struct settings_row *row, struct settings *s, const char *text,
                             char why[SETTINGS_WHY_SIZE])
{
    if (strcmp(text, "auto") != 0)
        return read_number(row, s, text, why);
    *(unsigned *)settings_kind_field(row, s) = 0;
    return ERR_OK;
}

static enum err print_threads(const struct settings_row *row, const struct settings *s, char *to,
                              size_t room)
{
    if (*(const unsigned *)settings_kind_const_field(row, s) == 0)
        return text_copy(to, room, "auto");
    return print_number(row, s, to, room);
}

const struct settings_kind settings_kind_threads = {.read = read_threads, .print = print_threads};

/* Words */

static enum err read_durability(const struct settings_row *row, struct settings *s,
                                const char *text, char why[SETTINGS_WHY_SIZE])
{
    (void)row;
    if (strcmp(text, "full") == 0)
        s->inbox.durability = DURABILITY_FULL;
    else if (strcmp(text, "none") == 0)
        s->inbox.durability = DURABILITY_NONE;
    else
        return settings_kind_reject(why, "must be full or none");
    return ERR_OK;
}

static enum err print_durability(const struct settings_row *row, const struct settings *s, char *to,
                                 size_t room)
{
    (void)row;
    return text_copy(to, room, s->inbox.durability == DURABILITY_FULL ? "full" : "none");
}

const struct settings_kind settings_kind_durability = {
    .read = read_durability, .print = print_durability, .allowed = "full or none"};

static enum err read_level(const struct settings_row *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE])
{
    (void)row;
    if (!log_level_from_word(&s->log.level, text))
        return settings_kind_reject(why, "must be error, warning, info or debug");
    return ERR_OK;
}

static enum err print_level(const struct settings_row *row, const struct settings *s, char *to,
                            size_t room)
{
    (void)row;
    return text_copy(to, room, log_level_word(s->log.level));
}

const struct settings_kind settings_kind_level = {
    .read = read_level, .print = print_level, .allowed = "error, warning, info or debug"};

/* Texts: the field is a char array of at least row->max + 1 bytes. */

enum err settings_kind_take_text(const struct settings_row *row, struct settings *s,
                                 const char *text, char why[SETTINGS_WHY_SIZE])
{
    size_t length = strlen(text);

    if (length > row->max)
        return settings_kind_reject(why, "is %zu bytes long: must be at most %llu", length,
                                    (unsigned long long)row->max);
    /* The file format has no escape for a quote inside of quotes. */
    if (strchr(text, '"') != NULL)
        return settings_kind_reject(why, "must not contain a double quote");
    memcpy(settings_kind_field(row, s), text, length + 1);
    return ERR_OK;
}

enum err settings_kind_print_text(const struct settings_row *row, const struct settings *s,
                                  char *to, size_t room)
{
    return text_copy(to, room, settings_kind_const_field(row, s));
}

static enum err read_idurl(const struct settings_row *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE])
{
    if (!text_is_printable(text, strlen(text)) || strchr(text, ' ') != NULL)
        return settings_kind_reject(why,
                                    "must be a URL of printable ASCII without spaces, or empty");
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_idurl = {.read = read_idurl,
                                                  .print = settings_kind_print_text,
                                                  .allowed = "a URL or empty",
                                                  .is_quoted = true};

/* Letters, digits, '-', '_' and dots; the last label is not a number, otherwise a mistyped
 * 10.0.0.256 would be accepted as a name. */
static bool is_host_name(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *last = strrchr(text, '.');

    last = last == NULL ? text : last + 1;
    return text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
           text[strspn(text, letters)] == '\0' && strstr(text, "..") == NULL &&
           last[strspn(last, "0123456789")] != '\0';
}

static enum err read_host(const struct settings_row *row, struct settings *s, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    struct address address;
    char ip[ADDRESS_TEXT_SIZE];

    if (text[0] == '\0' || is_host_name(text))
        return settings_kind_take_text(row, s, text, why);
    if (address_from_ip_text(&address, text, 0) != ERR_OK)
        return settings_kind_reject(
            why, "must be a host name or an IPv4 or IPv6 address, without a port");
    if (address_is_wildcard(&address))
        return settings_kind_reject(
            why, "is a wildcard address, which peers cannot connect to: use an address of this "
                 "machine, or leave it empty");
    if (address.scope != 0)
        return settings_kind_reject(
            why, "must not name an interface: it has no meaning on other machines");
    return settings_kind_take_text(row, s, address_ip_text(ip, &address), why);
}

const struct settings_kind settings_kind_host = {.read = read_host,
                                                 .print = settings_kind_print_text,
                                                 .allowed = "a host name, an IP address or empty",
                                                 .is_quoted = true};

static enum err read_path(const struct settings_row *row, struct settings *s, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    if (text[0] != '/')
        return settings_kind_reject(why, "must be an absolute path, starting with '/'");
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_path = {.read = read_path,
                                                 .print = settings_kind_print_text,
                                                 .allowed = "an absolute path",
                                                 .is_quoted = true};

static enum err read_own_path(const struct settings_row *row, struct settings *s, const char *text,
                              char why[SETTINGS_WHY_SIZE])
{
    return text[0] == '\0' ? settings_kind_take_text(row, s, text, why)
                           : read_path(row, s, text, why);
}

const struct settings_kind settings_kind_optional_path = {.read = read_own_path,
                                                          .print = settings_kind_print_text,
                                                          .allowed = "an absolute path or empty",
                                                          .is_quoted = true};

/* The characters allowed after "Bearer " (RFC 6750). */
static enum err read_token(const struct settings_row *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";

    if (text[0] != '\0' && (strlen(text) < row->min || text[strspn(text, letters)] != '\0'))
        return settings_kind_reject(why,
                                    "must be empty or at least %llu letters, digits and -._~+/=",
                                    (unsigned long long)row->min);
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_token = {
    .read = read_token,
    .print = settings_kind_print_text,
    .allowed = "16 to 200 letters, digits and -._~+/=, or empty",
    .is_quoted = true,
    .is_secret = true};

static enum err read_endpoint(const struct settings_row *row, struct settings *s, const char *text,
                              char why[SETTINGS_WHY_SIZE])
{
    char host[ADDRESS_HOST_SIZE];
    struct address address;
    uint16_t port;

    if (text[0] != '\0' && (address_split(text, host, &port) != ERR_OK ||
                            address_from_ip_text(&address, host, port) != ERR_OK))
        return settings_kind_reject(
            why, "must be address:port, numeric (an IPv6 address in brackets), or empty");
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_endpoint = {.read = read_endpoint,
                                                     .print = settings_kind_print_text,
                                                     .allowed = "address:port, numeric, or empty",
                                                     .is_quoted = true};

/* Checks the authority of an http URL: the part between "http://" and the first slash. */
static bool is_loopback_http(const char *url)
{
    char authority[ADDRESS_TEXT_SIZE], host[ADDRESS_HOST_SIZE];
    size_t length = strcspn(url + 7, "/");
    struct address address;
    uint16_t port;

    if (length >= sizeof authority)
        return false;
    memcpy(authority, url + 7, length);
    authority[length] = '\0';
    if (address_split(authority, host, &port) != ERR_OK)
        return false;
    return strcmp(host, "localhost") == 0 ||
           (address_from_ip_text(&address, host, port) == ERR_OK && address_is_loopback(&address));
}

bool settings_gateway_url_check(const char *url, char why[SETTINGS_WHY_SIZE])
{
    bool is_good = text_is_printable(url, strlen(url)) && strchr(url, ' ') == NULL &&
                   strlen(url) < SETTINGS_TEXT_SIZE;

    if (strncmp(url, "unix:/", 6) == 0)
        is_good = is_good && strlen(url + 5) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
    else
        is_good = is_good && strncmp(url, "http://", 7) == 0 && is_loopback_http(url);
    if (!is_good)
        settings_kind_reject(
            why, "must be http://127.0.0.1:PORT/ or another loopback address with its port, or "
                 "unix:/PATH of at most 107 bytes");
    return is_good;
}

static enum err read_gateway_url(const struct settings_row *row, struct settings *s,
                                 const char *text, char why[SETTINGS_WHY_SIZE])
{
    if (text[0] != '\0' && !settings_gateway_url_check(text, why))
        return ERR_INVALID;
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_gateway_url = {
    .read = read_gateway_url,
    .print = settings_kind_print_text,
    .allowed = "an http URL of this machine, unix:/PATH or empty",
    .is_quoted = true};

/* Lists, comma separated */

/* Copies the next item, trimmed, to `item`. False at the end of the list. An item that is too long
 * for an address is truncated, which makes it invalid. */
static bool next_item(const char **at, char item[ADDRESS_TEXT_SIZE])
{
    size_t length;

    if (*at == NULL)
        return false;
    *at += strspn(*at, " \t");
    length = strcspn(*at, ",");
    const char *after = (*at)[length] == ',' ? *at + length + 1 : NULL;

    while (length > 0 && ((*at)[length - 1] == ' ' || (*at)[length - 1] == '\t'))
        length--;
    snprintf(item, ADDRESS_TEXT_SIZE, "%.*s", (int)length, *at);
    *at = after;
    return true;
}

/* A list of identity URLs: stored as text, each item validated. */
static bool is_identity(const char *text, size_t length)
{
    return length > 0 && text_is_printable(text, length) && memchr(text, ' ', length) == NULL;
}

static enum err read_idurls(const struct settings_row *row, struct settings *s, const char *text,
                            char why[SETTINGS_WHY_SIZE])
{
    const char *at = text;
    size_t length;

    while (text[0] != '\0') {
        length = strcspn(at, ",");
        if (!is_identity(at, length))
            return settings_kind_reject(
                why, "must be URLs of printable ASCII, comma separated without spaces, "
                     "or empty");
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_idurls = {.read = read_idurls,
                                                   .print = settings_kind_print_text,
                                                   .allowed =
                                                       "URLs, comma separated without spaces",
                                                   .is_quoted = true};

/* Prints the scope as the interface's name, which unlike its index survives a reboot. */
static void print_ip(char out[ADDRESS_TEXT_SIZE], const struct address *address)
{
    char interface[IF_NAMESIZE];
    struct address bare = *address;

    bare.scope = 0;
    address_ip_text(out, &bare);
    if (address->scope != 0 && if_indextoname(address->scope, interface) != NULL) {
        size_t used = strlen(out);

        snprintf(out + used, ADDRESS_TEXT_SIZE - used, "%%%s", interface);
    }
}

/* 0.0.0.0 and 10.0.0.1 cannot both be bound to one port. */
static bool is_covered(const struct address *a, const struct address *b)
{
    return a->family == b->family && (address_is_wildcard(a) || address_is_wildcard(b));
}

static enum err add_listen(struct settings *s, const char *item, char why[SETTINGS_WHY_SIZE])
{
    struct address address;

    if (strcmp(item, "*") == 0)
        return settings_kind_reject(why, "must be either \"*\" alone or a list of addresses");
    if (address_from_ip_text(&address, item, 0) != ERR_OK)
        return settings_kind_reject(
            why,
            "contains '%s': must be \"*\" or IPv4 and IPv6 addresses of this machine without "
            "a port, comma separated",
            item);
    for (unsigned i = 0; i < s->tcp_connections.listen_count; i++) {
        const struct address *other = &s->tcp_connections.listen[i];

        if (address_is_equal(&address, other))
            return settings_kind_reject(why, "contains %s twice", item);
        if (is_covered(&address, other))
            return settings_kind_reject(
                why, "contains %s and a wildcard that covers the other: keep one of them", item);
    }
    if (s->tcp_connections.listen_count == SETTINGS_LISTEN_MAX)
        return settings_kind_reject(why, "must not contain more than %d addresses",
                                    (int)SETTINGS_LISTEN_MAX);
    s->tcp_connections.listen[s->tcp_connections.listen_count++] = address;
    return ERR_OK;
}

static enum err read_listen(const struct settings_row *row, struct settings *s, const char *text,
                            char why[SETTINGS_WHY_SIZE])
{
    char item[ADDRESS_TEXT_SIZE];
    enum err e = ERR_OK;

    (void)row;
    memset(s->tcp_connections.listen, 0, sizeof s->tcp_connections.listen);
    s->tcp_connections.listen_count = 0;
    s->tcp_connections.is_listen_any = strcmp(text, "*") == 0;
    if (s->tcp_connections.is_listen_any)
        return ERR_OK;
    while (e == ERR_OK && next_item(&text, item))
        e = add_listen(s, item, why);
    return e;
}

static enum err print_listen(const struct settings_row *row, const struct settings *s, char *to,
                             size_t room)
{
    char ip[ADDRESS_TEXT_SIZE];
    enum err e = ERR_OK;

    (void)row;
    if (s->tcp_connections.is_listen_any)
        return text_copy(to, room, "*");
    to[0] = '\0';
    for (unsigned i = 0; i < s->tcp_connections.listen_count && e == ERR_OK; i++) {
        size_t used = strlen(to);

        print_ip(ip, &s->tcp_connections.listen[i]);
        e = text_format(to + used, room - used, "%s%s", i == 0 ? "" : ",", ip);
    }
    return e;
}

const struct settings_kind settings_kind_listen = {.read = read_listen,
                                                   .print = print_listen,
                                                   .allowed =
                                                       "\"*\" or IP addresses, comma separated",
                                                   .is_quoted = true};

static enum err read_networks(const struct settings_row *row, struct settings *s, const char *text,
                              char why[SETTINGS_WHY_SIZE])
{
    struct network_list *list = settings_kind_field(row, s);
    char item[ADDRESS_TEXT_SIZE];

    memset(list, 0, sizeof *list);
    if (text[0] == '\0')
        return ERR_OK;
    while (next_item(&text, item)) {
        struct network network;

        if (network_from_text(&network, item) != ERR_OK || network.base.scope != 0)
            return settings_kind_reject(
                why,
                "contains '%s': must be networks like 10.0.0.0/8 or fd00::/8, comma "
                "separated, or empty",
                item);
        if (list->count == SETTINGS_NETWORKS_MAX)
            return settings_kind_reject(why, "must not contain more than %d networks",
                                        (int)SETTINGS_NETWORKS_MAX);
        list->networks[list->count++] = network;
    }
    return ERR_OK;
}

static enum err print_networks(const struct settings_row *row, const struct settings *s, char *to,
                               size_t room)
{
    const struct network_list *list = settings_kind_const_field(row, s);
    enum err e = ERR_OK;
    char ip[ADDRESS_TEXT_SIZE];

    to[0] = '\0';
    for (unsigned i = 0; i < list->count && e == ERR_OK; i++) {
        const struct network *network = &list->networks[i];
        size_t used = strlen(to);

        e = text_format(to + used, room - used, "%s%s/%u", i == 0 ? "" : ",",
                        address_ip_text(ip, &network->base), (unsigned)network->prefix_bits);
    }
    return e;
}

const struct settings_kind settings_kind_networks = {
    .read = read_networks,
    .print = print_networks,
    .allowed = "networks like 10.0.0.0/8, comma separated, "
               "at most 64",
    .is_quoted = true};

/* All kinds */

/* The bytes that fit on a line between `name = "` and the closing quote. */
static size_t value_room(const struct settings_row *row)
{
    return SETTINGS_LINE_MAX - strlen(row->name) - sizeof " = \"\"" + 1;
}

enum err settings_kind_read(const struct settings_row *row, struct settings *s, const char *text,
                            char why[SETTINGS_WHY_SIZE])
{
    char again[SETTINGS_VALUE_SIZE];
    enum err e = row->kind->read(row, s, text, why);

    if (e == ERR_OK && row->kind->print(row, s, again, value_room(row) + 1) != ERR_OK)
        e = settings_kind_reject(why, "is too long: its canonical form must fit in %zu bytes",
                                 value_room(row));
    return e;
}

const char *settings_kind_text(char to[SETTINGS_VALUE_SIZE], const struct settings_row *row,
                               const struct settings *s)
{
    char bare[SETTINGS_VALUE_SIZE];
    enum err e = row->kind->print(row, s, bare, value_room(row) + 1);

    CONTRACT(e == ERR_OK);
    snprintf(to, SETTINGS_VALUE_SIZE, row->kind->is_quoted ? "\"%.1020s\"" : "%.1020s", bare);
    return to;
}

bool settings_kind_is_same(const struct settings_row *row, const struct settings *a,
                           const struct settings *b)
{
    char text_a[SETTINGS_VALUE_SIZE], text_b[SETTINGS_VALUE_SIZE];

    return strcmp(settings_kind_text(text_a, row, a), settings_kind_text(text_b, row, b)) == 0;
}
