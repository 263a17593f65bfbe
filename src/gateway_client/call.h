/* The calls to a remote gateway, named as in docs/gateway.md. */
#ifndef GATEWAY_CLIENT_CALL_H
#define GATEWAY_CLIENT_CALL_H

/* name, method */
#define GATEWAY_CLIENT_CALL_LIST(X)                                          \
    X(GATEWAY_CLIENT_CALL_TRANSPORT_INITIALIZED, "transport_initialized")    \
    X(GATEWAY_CLIENT_CALL_RECEIVING_STARTED, "receiving_started")            \
    X(GATEWAY_CLIENT_CALL_RECEIVING_FAILED, "receiving_failed")              \
    X(GATEWAY_CLIENT_CALL_DISCONNECTED, "disconnected")                      \
    X(GATEWAY_CLIENT_CALL_REGISTER_SENDING, "register_file_sending")         \
    X(GATEWAY_CLIENT_CALL_REGISTER_RECEIVING, "register_file_receiving")     \
    X(GATEWAY_CLIENT_CALL_UNREGISTER_SENDING, "unregister_file_sending")     \
    X(GATEWAY_CLIENT_CALL_UNREGISTER_RECEIVING, "unregister_file_receiving") \
    X(GATEWAY_CLIENT_CALL_CANCELLED_SENDING, "cancelled_file_sending")       \
    X(GATEWAY_CLIENT_CALL_FILE_RESULT, "file_result")

enum gateway_client_call {
#define X(name, method) name,
    GATEWAY_CLIENT_CALL_LIST(X)
#undef X
        GATEWAY_CLIENT_CALL_NONE
};

/* Any thread. The XML-RPC method; not for GATEWAY_CLIENT_CALL_NONE. */
const char *gateway_client_call_method(enum gateway_client_call call);

#endif
