/* Shared by the methods that use the spool. */
#ifndef CONTROL_METHODS_SPOOL_H
#define CONTROL_METHODS_SPOOL_H

#include "base/err.h"

struct http_call;

/* Answers with the fault for a spool error. */
void method_spool_refuse(struct http_call *call, enum err e);

#endif
