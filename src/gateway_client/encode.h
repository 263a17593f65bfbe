/* The calls as XML-RPC documents. */
#ifndef GATEWAY_CLIENT_ENCODE_H
#define GATEWAY_CLIENT_ENCODE_H

#include "base/err.h"

#include <stddef.h>

struct gate_job;

/* The present call as a document in malloc'ed memory. */
enum err gate_job_write(const struct gate_job *job, char **out, size_t *length);

#endif
