/* Contacts: `proto://host:port`, and plain `host:port`. Parsed, not resolved. */
#ifndef GATEWAY_CONTACT_H
#define GATEWAY_CONTACT_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTACT_PROTO_SIZE = 16, CONTACT_TEXT_SIZE = ADDRESS_HOST_SIZE + CONTACT_PROTO_SIZE + 16 };

/* What a contact without "proto://" means. */
#define CONTACT_PROTO_DEFAULT "tcp"

struct contact {
    char proto[CONTACT_PROTO_SIZE]; /* lower case */
    char host[ADDRESS_HOST_SIZE];   /* a name or an IP address without brackets */
    uint16_t port;
};

/* Any thread. ERR_INVALID with nothing written for what is neither form. */
enum err contact_parse(struct contact *out, const char *text);

/* Any thread. What to write instead of these bytes, which contact_parse refused; NULL: one of the
 * two forms. Host names are not converted: that belongs to whoever shows and types them. */
const char *contact_advice(const char *bytes, size_t length);

/* Any thread. "tcp://host:port", an IPv6 host in brackets; returns `out`. */
const char *contact_text(char out[CONTACT_TEXT_SIZE], const struct contact *contact);

#endif
