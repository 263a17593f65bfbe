/* The fault codes of the control socket (faultCode). The faultString describes the case at hand:
 * what failed, why, and what to do; the texts here describe the code. Published codes do not
 * change.
 */
#ifndef RPC_FAULT_H
#define RPC_FAULT_H

/* name, code, meaning */
#define FAULT_LIST(X)                                                                         \
    X(FAULT_NOT_XMLRPC, -32700, "not an XML-RPC request, or in an unsupported form")          \
    X(FAULT_NO_METHOD, -32601, "unknown method: system.listMethods lists them")               \
    X(FAULT_PARAMETERS, -32602, "missing, unknown or invalid parameter")                      \
    X(FAULT_INTERNAL, -32603, "the daemon could not create the answer: see its log")          \
    X(FAULT_NOT_FOUND, 1, "the requested object does not exist")                              \
    X(FAULT_FULL, 2, "a queue or limit is full: retry later")                                 \
    X(FAULT_FAILED, 3, "the operation failed")                                                \
    X(FAULT_FILE, 4, "the file cannot be sent")                                               \
    X(FAULT_SETTINGS, 5, "invalid setting or settings file: nothing was changed")             \
    X(FAULT_STOPPING, 6, "the daemon is stopping: the operation may or may not be performed") \
    X(FAULT_DISABLED, 7, "disabled in the settings")                                          \
    X(FAULT_BUSY, 8, "in use")

enum fault {
#define X(name, code, meaning) name = (code),
    FAULT_LIST(X)
#undef X
};

#endif
