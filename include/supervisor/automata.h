/* The transition tables of the supervisor's automata, for `dustwire automata`. */
#ifndef SUPERVISOR_AUTOMATA_H
#define SUPERVISOR_AUTOMATA_H

#include "engine/automat.h"

extern const struct automat_kind network_transport_kind;
extern const struct automat_kind network_connector_kind;

#endif
