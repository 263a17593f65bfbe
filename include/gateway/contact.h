/* Contacts: `proto://host:port` or `host:port`. Parsed, not resolved. */
#ifndef GATEWAY_CONTACT_H
#define GATEWAY_CONTACT_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTACT_PROTO_SIZE = 16, CONTACT_TEXT_SIZE = ADDRESS_HOST_SIZE + CONTACT_PROTO_SIZE + 16 };

/* The protocol of a contact without "proto://". */
#define CONTACT_PROTO_DEFAULT "tcp"

struct contact {
    char proto[CONTACT_PROTO_SIZE]; /* lower case */
    char host[ADDRESS_HOST_SIZE];   /* a name or an IP address without brackets */
    uint16_t port;
};

/* Any thread. ERR_INVALID: not a contact; `*out` is unchanged. */
enum err contact_parse(struct contact *out, const char *text);

/* Any thread. A specific hint for text that contact_parse rejected; NULL: none, show the two forms.
 * Host names are not converted to their ASCII form: this is left to the user interface. */
const char *contact_advice(const char *bytes, size_t length);

/* Any thread. "tcp://host:port", an IPv6 host in brackets; returns `out`. */
const char *contact_text(char out[CONTACT_TEXT_SIZE], const struct contact *contact);

#endif
