/* Hello and wazap: actions of the state machine, and the address that the hello announced. */
#ifndef TCP_SESSION_HANDSHAKE_H
#define TCP_SESSION_HANDSHAKE_H

#include "base/address.h"
#include "tcp/session/core.h"

void session_handshake_send_hello(struct session *c);
void session_handshake_send_wazap(struct session *c);
void session_handshake_read_hello(struct session *c, const struct frame_piece *piece);
void session_handshake_read_wazap(struct session *c, const struct frame_piece *piece);

/* The peer's announced address, escaped; "" if none or unusable. */
const char *session_handshake_announced(const struct session *c, char room[ADDRESS_TEXT_SIZE]);

#endif
