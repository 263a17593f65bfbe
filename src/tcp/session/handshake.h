/* Hello and wazap: actions of the table, in its words, and what hello announced. */
#ifndef TCP_SESSION_HANDSHAKE_H
#define TCP_SESSION_HANDSHAKE_H

#include "base/address.h"
#include "tcp/session/session.h"

void do_send_hello(void *self, const void *arg);
void do_send_wazap(void *self, const void *arg);
void do_read_hello(void *self, const void *arg);
void do_read_wazap(void *self, const void *arg);

/* The address that the peer says it has, escaped; "" if it said nothing usable. */
const char *tcp_connection_announced(const struct tcp_connection *c, char room[ADDRESS_TEXT_SIZE]);

#endif
