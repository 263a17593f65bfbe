/* An IP address with a port, and an IP network, as plain values. IPv4-mapped IPv6 addresses are
 * converted to IPv4, so that equal peers compare equal (PROTOCOL: hello). Names are not resolved
 * here. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum address_family { ADDRESS_NONE = 0, ADDRESS_V4 = 4, ADDRESS_V6 = 6 };

/* Has no padding: two equal addresses are equal byte for byte (hash keys rely on it). `scope` is
 * the interface index of a link-local IPv6 address, else 0. */
struct address {
    uint8_t ip[16]; /* network order; an IPv4 address in the first four bytes, the rest 0 */
    uint32_t scope;
    uint16_t port; /* host order */
    uint16_t family;
};

/* [v6%scope]:port and the NUL */
enum { ADDRESS_TEXT_SIZE = 64 };

/* Any thread. ERR_INVALID for a family other than IPv4 and IPv6. */
enum err address_from_sockaddr(struct address *out, const struct sockaddr *from);

/* Any thread. Fills `to` and returns its length for bind(2) and connect(2). */
socklen_t address_to_sockaddr(const struct address *from, struct sockaddr_storage *to);

/* Any thread. Parses "1.2.3.4", "::1", "[::1]". ERR_INVALID if it is not a numeric address. */
enum err address_from_ip_text(struct address *out, const char *ip, uint16_t port);

/* Any thread. "1.2.3.4:7771", "[::1]:7771"; returns `out`. ADDRESS_NONE prints "-". */
const char *address_text(char out[ADDRESS_TEXT_SIZE], const struct address *address);
/* The same without the port and without brackets. */
const char *address_ip_text(char out[ADDRESS_TEXT_SIZE], const struct address *address);

bool address_is_equal(const struct address *a, const struct address *b);
bool address_is_same_ip(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);
bool address_is_wildcard(const struct address *address);
/* True for a link-local IPv6 address without an interface, which the kernel cannot route. */
bool address_lacks_scope(const struct address *address);

/* Any thread. True if the IP belongs to this machine; tests it with bind(2). */
bool address_is_local(const struct address *address);

/* Splits host:port or [v6]:port. */
enum { ADDRESS_HOST_SIZE = 256 };
enum err address_split(const char *text, char host[ADDRESS_HOST_SIZE], uint16_t *port);

struct network {
    struct address base;
    uint8_t prefix_bits;
};

/* Parses "10.0.0.0/8", "fe80::/10"; a bare address is a network of one. */
enum err network_from_text(struct network *out, const char *text);
bool network_contains(const struct network *network, const struct address *address);

#endif
