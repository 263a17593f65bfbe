#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void from_v6(struct address *out, const struct in6_addr *ip, uint32_t scope, uint16_t port)
{
    *out = (struct address){.port = port};
    if (memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
        out->family = ADDRESS_V4;
        memcpy(out->ip, (const uint8_t *)ip + sizeof mapped_prefix, 4);
    } else {
        out->family = ADDRESS_V6;
        memcpy(out->ip, ip, 16);
        out->scope = scope;
    }
}

enum err address_from_sockaddr(struct address *out, const struct sockaddr *from)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, from, sizeof v4);
        *out = (struct address){.family = ADDRESS_V4, .port = ntohs(v4.sin_port)};
        memcpy(out->ip, &v4.sin_addr, 4);
        return ERR_OK;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, from, sizeof v6);
        from_v6(out, &v6.sin6_addr, IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) ? v6.sin6_scope_id : 0,
                ntohs(v6.sin6_port));
        return ERR_OK;
    }
    *out = (struct address){0};
    return ERR_INVALID;
}

socklen_t address_to_sockaddr(const struct address *from, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (from->family == ADDRESS_V4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(from->port)};

        memcpy(&v4.sin_addr, from->ip, 4);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(from->port), .sin6_scope_id = from->scope};

    memcpy(&v6.sin6_addr, from->ip, 16);
    memcpy(to, &v6, sizeof v6);
    return sizeof v6;
}

enum err address_from_ip_text(struct address *out, const char *ip, uint16_t port)
{
    char bare[ADDRESS_TEXT_SIZE], *percent;
    struct in_addr v4;
    struct in6_addr v6;
    uint32_t scope = 0;
    size_t length = strlen(ip);

    *out = (struct address){0};
    if (length >= 2 && ip[0] == '[' && ip[length - 1] == ']') {
        ip++;
        length -= 2;
    }
    if (length >= sizeof bare)
        return ERR_INVALID;
    memcpy(bare, ip, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET, bare, &v4) == 1) {
        *out = (struct address){.family = ADDRESS_V4, .port = port};
        memcpy(out->ip, &v4, 4);
        return ERR_OK;
    }
    percent = strchr(bare, '%');
    if (percent != NULL) {
        uint64_t index; /* a name, or the number that address_text prints */

        *percent = '\0';
        scope = if_nametoindex(percent + 1);
        if (scope == 0 && text_to_u64(&index, percent + 1, UINT32_MAX) == ERR_OK)
            scope = (uint32_t)index;
        if (scope == 0)
            return ERR_INVALID;
    }
    if (inet_pton(AF_INET6, bare, &v6) != 1)
        return ERR_INVALID;
    from_v6(out, &v6, scope, port);
    return ERR_OK;
}

const char *address_ip_text(char out[ADDRESS_TEXT_SIZE], const struct address *address)
{
    char ip[INET6_ADDRSTRLEN];

    if (address->family == ADDRESS_V4 || address->family == ADDRESS_V6) {
        inet_ntop(address->family == ADDRESS_V4 ? AF_INET : AF_INET6, address->ip, ip, sizeof ip);
        if (address->scope != 0)
            snprintf(out, ADDRESS_TEXT_SIZE, "%s%%%u", ip, (unsigned)address->scope);
        else
            snprintf(out, ADDRESS_TEXT_SIZE, "%s", ip);
    } else {
        snprintf(out, ADDRESS_TEXT_SIZE, "-");
    }
    return out;
}

const char *address_text(char out[ADDRESS_TEXT_SIZE], const struct address *address)
{
    char ip[ADDRESS_TEXT_SIZE];

    address_ip_text(ip, address);
    if (address->family == ADDRESS_V4)
        snprintf(out, ADDRESS_TEXT_SIZE, "%.15s:%u", ip, (unsigned)address->port);
    else if (address->family == ADDRESS_V6)
        snprintf(out, ADDRESS_TEXT_SIZE, "[%.55s]:%u", ip, (unsigned)address->port);
    else
        snprintf(out, ADDRESS_TEXT_SIZE, "-");
    return out;
}

bool address_is_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && address_is_same_ip(a, b);
}

bool address_is_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};

    if (address->family == ADDRESS_V4)
        return address->ip[0] == 127;
    return address->family == ADDRESS_V6 && memcmp(address->ip, v6_loopback, 16) == 0;
}

bool address_is_wildcard(const struct address *address)
{
    static const uint8_t zero[16];

    return address->family != ADDRESS_NONE && memcmp(address->ip, zero, 16) == 0;
}

bool address_lacks_scope(const struct address *address)
{
    return address->family == ADDRESS_V6 && address->scope == 0 && address->ip[0] == 0xfe &&
           (address->ip[1] & 0xc0) == 0x80;
}

bool address_is_local(const struct address *address)
{
    struct address any_port = *address;
    struct sockaddr_storage to;
    socklen_t length;
    int fd;
    bool is_ours;

    if (address->family == ADDRESS_NONE)
        return false;
    if (address_is_loopback(address))
        return true;
    any_port.port = 0;
    length = address_to_sockaddr(&any_port, &to);
    fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    is_ours = bind(fd, (const struct sockaddr *)&to, length) == 0;
    close(fd);
    return is_ours;
}

enum err address_split(const char *text, char host[ADDRESS_HOST_SIZE], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t length;
    uint64_t number;

    host[0] = '\0';
    if (colon == NULL || colon == text)
        return ERR_INVALID;
    length = (size_t)(colon - text);
    if (text_to_u64(&number, colon + 1, 65535) != ERR_OK || number == 0)
        return ERR_INVALID;
    if (text[0] == '[') {
        if (length < 3 || text[length - 1] != ']')
            return ERR_INVALID;
        text++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return ERR_INVALID; /* an IPv6 address without its brackets */
    }
    if (length >= ADDRESS_HOST_SIZE || !text_is_printable(text, length) ||
        memchr(text, ' ', length) != NULL)
        return ERR_INVALID;
    memcpy(host, text, length);
    host[length] = '\0';
    *port = (uint16_t)number;
    return ERR_OK;
}

enum err network_from_text(struct network *out, const char *text)
{
    char ip[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t bits, max;

    *out = (struct network){0};
    if (length == 0 || length >= sizeof ip)
        return ERR_INVALID;
    memcpy(ip, text, length);
    ip[length] = '\0';
    if (address_from_ip_text(&out->base, ip, 0) != ERR_OK)
        return ERR_INVALID;
    max = out->base.family == ADDRESS_V4 ? 32 : 128;
    bits = max;
    if (slash != NULL && text_to_u64(&bits, slash + 1, max) != ERR_OK)
        return ERR_INVALID;
    out->prefix_bits = (uint8_t)bits;
    return ERR_OK;
}

bool network_contains(const struct network *network, const struct address *address)
{
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;

    if (network->base.family != address->family || address->family == ADDRESS_NONE)
        return false;
    if (memcmp(network->base.ip, address->ip, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return (network->base.ip[whole] & mask) == (address->ip[whole] & mask);
}
