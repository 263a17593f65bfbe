/* The faults of the control socket: what an XML-RPC client gets as faultCode. The faultString is
 * always a sentence about the very case that names the thing, the reason and what to do; the
 * sentences here say what a code means in general. Codes stay what they are once published. */
#ifndef RPC_FAULT_H
#define RPC_FAULT_H

/* name, code, what it means */
#define FAULT_LIST(X)                                                                        \
    X(FAULT_NOT_XMLRPC, -32700, "the request is not XML-RPC, or not of a kind taken here")   \
    X(FAULT_NO_METHOD, -32601, "there is no such method: system.listMethods names them")     \
    X(FAULT_PARAMETERS, -32602, "a parameter is missing, unknown or not what it has to be")  \
    X(FAULT_INTERNAL, -32603, "the daemon could not make an answer: see its log")            \
    X(FAULT_NOT_FOUND, 1, "what was asked for does not exist")                               \
    X(FAULT_FULL, 2, "too much is waiting already: try again when some of it is done")       \
    X(FAULT_FAILED, 3, "it was tried and failed")                                            \
    X(FAULT_FILE, 4, "the file cannot be sent")                                              \
    X(FAULT_SETTINGS, 5, "a setting or the settings file is bad: nothing was changed")       \
    X(FAULT_STOPPING, 6, "the daemon is stopping: what was asked for may or may not happen") \
    X(FAULT_DISABLED, 7, "that is switched off in the settings")                             \
    X(FAULT_BUSY, 8, "that is in use")

enum fault {
#define X(name, code, meaning) name = (code),
    FAULT_LIST(X)
#undef X
};

#endif
