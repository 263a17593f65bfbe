/* What the calls that use the spool share. */
#ifndef CONTROL_METHODS_SPOOL_H
#define CONTROL_METHODS_SPOOL_H

#include "base/err.h"

struct http_call;

/* The fault for a failure of the spool. */
void method_spool_refuse(struct http_call *call, enum err e);

#endif
