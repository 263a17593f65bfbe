/* The state machine of a tcp session (docs/automata.md), for `dustwire automata`. */
#ifndef TCP_AUTOMATA_H
#define TCP_AUTOMATA_H

#include "engine/automat.h"

/* Defined in src/tcp/session/session.c. */
extern const struct automat_kind session_kind;

#endif
