#include "control/node.h"

#include "control/quota.h"
#include "control/reply.h"
#include "rpc/document.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NODE_TEST(name) Test(control, name, .init = node_start, .fini = node_stop, .timeout = 30)

static void expect_fault(struct answer a, int code, const char *part)
{
    cr_assert_null(a.rpc.value);
    cr_assert_eq(a.rpc.fault_code, code, "%d %s", a.rpc.fault_code, a.rpc.text);
    cr_assert_not_null(strstr(a.rpc.text, part), "%s", a.rpc.text);
    answer_fini(&a);
}

NODE_TEST(only_the_owner_can_use_the_socket)
{
    struct stat st;

    cr_assert_eq(stat(node_socket, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    *strrchr(node_socket, '/') = '\0';
    cr_assert_eq(stat(node_socket, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
}

NODE_TEST(status_has_network_and_transports)
{
    struct answer a = ask("status", "()");
    xmlrpc_value *transports = member(&a, "transports"), *tcp = item(transports, 0);
    char *host = text_in(tcp, "host");

    cr_assert_str_eq(host, "127.0.0.1:7771");
    cr_assert_eq(number_in(tcp, "sessions"), NODE_SESSIONS);
    free(host);
    rpc_release(&tcp);
    rpc_release(&transports);
    answer_fini(&a);
}

NODE_TEST(every_listed_method_has_help)
{
    struct answer all = ask("system.listMethods", "()");
    size_t count = length_of(all.rpc.value);

    cr_assert_geq(count, 24);
    for (size_t i = 0; i < count; i++) {
        xmlrpc_value *name = item(all.rpc.value, i);
        struct answer help = ask("system.methodHelp", "(V)", name);

        cr_assert_not_null(help.rpc.value);
        answer_fini(&help);
        rpc_release(&name);
    }
    answer_fini(&all);
    expect_fault(ask("system.methodHelp", "(s)", "nonsense"), FAULT_NOT_FOUND, "nonsense");
}

NODE_TEST(invalid_requests_are_refused_with_a_reason)
{
    static const char entity[] = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><x/>";
    struct answer a;

    expect_fault(ask("no.such", "()"), FAULT_NO_METHOD, "no.such");
    expect_fault(ask("list_sessions", "(s)", "x"), FAULT_PARAMETERS, "offset");
    expect_fault(ask("status", "(i)", 1), FAULT_PARAMETERS, "too many");
    expect_fault(ask("events", "({s:i})", "aftr", 1), FAULT_PARAMETERS, "names");
    a = ask_raw("POST", "http://node/RPC2", "Content-Type: text/xml", entity, strlen(entity));
    expect_fault(a, FAULT_NOT_XMLRPC, "<!");
    a = ask_raw("POST", "http://node/RPC2", "Content-Type: text/xml", "hello", 5);
    expect_fault(a, FAULT_NOT_XMLRPC, "");
}

NODE_TEST(invalid_http_requests_get_their_status)
{
    size_t length = (1 << 20) + 1;
    char *huge = malloc(length);
    const char *url = "http://node/RPC2", *xml = "Content-Type: text/xml";

    memset(huge, 'x', length);
    cr_assert_eq(ask_raw("POST", "http://node/", xml, "", 0).status, 404);
    cr_assert_eq(ask_raw("PUT", url, xml, "x", 1).status, 405);
    cr_assert_eq(ask_raw("POST", url, "Content-Type: text/plain", "x", 1).status, 415);
    cr_assert_eq(ask_raw("POST", url, xml, huge, length).status, 413);
    free(huge);
}

NODE_TEST(sessions_are_listed_in_pages)
{
    size_t seen = 0;

    for (int offset = 0;; offset += 200) {
        struct answer a = ask("list_sessions", "(ii)", offset, 200);
        xmlrpc_value *sessions = a.rpc.value;
        size_t count = length_of(sessions);

        for (size_t i = 0; i < count; i++) {
            xmlrpc_value *s = item(sessions, i);

            cr_assert_eq(number_in(s, "id"), (int64_t)++seen);
            rpc_release(&s);
        }
        answer_fini(&a);
        if (count == 0)
            break;
    }
    cr_assert_eq(seen, NODE_SESSIONS);
}

NODE_TEST(streams_are_filtered_by_request_and_odd_paths_are_base64)
{
    struct answer a = ask("list_streams", "(ii(ii))", 0, 10, 1, 3);
    xmlrpc_value *streams = a.rpc.value, *first = item(streams, 0), *path = NULL;
    xmlrpc_env env;

    cr_assert_eq(length_of(streams), 2);
    xmlrpc_env_init(&env);
    xmlrpc_struct_find_value(&env, first, "filename", &path);
    cr_assert_eq(xmlrpc_value_type(path), XMLRPC_TYPE_BASE64);
    xmlrpc_env_clean(&env);
    rpc_release(&path);
    rpc_release(&first);
    answer_fini(&a);
}

static int64_t send_one(const char *path)
{
    struct answer a = ask("send_file", "(nss)", path, "127.0.0.1:7");
    int64_t id;

    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    id = number_in(a.rpc.value, NULL);
    answer_fini(&a);
    return id;
}

static void expect_outcome(int64_t id, bool is_done, const char *status, const char *error)
{
    struct answer a = ask("send_wait", "((i)i)", (int)id, is_done ? 20000 : 0);
    xmlrpc_value *result = item(a.rpc.value, 0);
    char *got_status = text_in(result, "status"), *got_error = text_in(result, "error");

    cr_assert_eq(number_in(result, "is_done"), is_done);
    cr_assert_str_eq(got_status, status);
    cr_assert_str_eq(got_error, error);
    free(got_status);
    free(got_error);
    rpc_release(&result);
    answer_fini(&a);
}

NODE_TEST(a_send_returns_at_once_and_is_awaited_separately)
{
    int64_t id = send_one(node_file("a", 10));

    fake_wait_sends(1);
    cr_assert_eq((int64_t)fake_send(0)->id, id);
    cr_assert_eq(fake_send(0)->route.contact.port, 7);
    expect_outcome(id, false, "under way", "");
    fake_end_send(0, GATEWAY_TRANSFER_FINISHED, "");
    expect_outcome(id, true, "finished", "");
    expect_outcome(id, true, "finished", ""); /* still known */
    expect_outcome(id + 1, true, "unknown", "unknown or expired send id");
}

NODE_TEST(a_cancelled_send_ends_as_cancelled)
{
    int64_t id = send_one(node_file("a", 10));
    struct answer a;

    fake_wait_sends(1);
    a = ask("cancel_send", "(i)", (int)id);
    cr_assert_eq(number_in(a.rpc.value, NULL), 1);
    answer_fini(&a);
    expect_outcome(id, true, "failed", "cancelled");
    a = ask("cancel_send", "(i)", (int)id);
    cr_assert_eq(number_in(a.rpc.value, NULL), 0);
    answer_fini(&a);
}

NODE_TEST(a_cancel_does_not_overtake_the_send_before_it)
{
    struct answer a;
    int64_t id;

    fake_slow_sends(200);
    send_one(node_file("a", 10));
    id = send_one(node_file("b", 10));
    a = ask("cancel_send", "(i)", (int)id);
    cr_expect_eq(number_in(a.rpc.value, NULL), 1);
    answer_fini(&a);
    expect_outcome(id, true, "failed", "cancelled");
}

NODE_TEST(a_bad_file_is_refused_before_anything_is_queued)
{
    expect_fault(ask("send_file", "(nss)", "/no/such/file", "h:1"), FAULT_FILE, "/no/such/file");
    expect_fault(ask("send_file", "(nss)", "relative", "h:1"), FAULT_FILE, "relative");
    expect_fault(ask("send_file", "(nss)", node_folder, "h:1"), FAULT_FILE, node_folder);
    expect_fault(ask("send_file", "(nsn)", "/etc/passwd"), FAULT_PARAMETERS, "host");
    expect_fault(ask("send_file", "(ns(i))", "/etc/passwd", 1), FAULT_PARAMETERS, "host");
}

NODE_TEST(base64_and_named_parameters_are_accepted)
{
    const char *path = node_file("a", 1);
    struct answer a = ask("send_file", "(n6(ss))", path, strlen(path), "udp://x:1", "127.0.0.1:9");

    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    answer_fini(&a);
    fake_wait_sends(1);
    cr_assert_eq(fake_send(0)->route.contact.port, 9);
    a = ask("send_file_single", "({s:s,s:s,s:n})", "filename", path, "host", "127.0.0.1:9",
            "description");
    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    answer_fini(&a);
    fake_wait_sends(2);
    cr_assert(fake_send(1)->is_single);
}

NODE_TEST(a_send_without_a_common_transport_fails_with_the_reason)
{
    struct answer a = ask("send_file", "(nss)", node_file("a", 1), "udp://x:1"), w;
    xmlrpc_value *result;
    char *error;

    w = ask("send_wait", "((i)i)", (int)number_in(a.rpc.value, NULL), 20000);
    result = item(w.rpc.value, 0);
    error = text_in(result, "error");
    cr_assert_not_null(strstr(error, "transport"), "%s", error);
    free(error);
    rpc_release(&result);
    answer_fini(&a);
    answer_fini(&w);
}

static void *connect_in_thread(void *arg)
{
    struct answer *a = arg;

    *a = ask("connect_to", "(s)", "127.0.0.1:1");
    return NULL;
}

NODE_TEST(connect_to_answers_on_completion)
{
    struct answer a;
    pthread_t thread;

    pthread_create(&thread, NULL, connect_in_thread, &a);
    fake_wait_connects(1);
    fake_end_connect(0, ERR_OK, "");
    pthread_join(thread, NULL);
    cr_assert_eq(number_in(a.rpc.value, "session"), 7);
    answer_fini(&a);
    pthread_create(&thread, NULL, connect_in_thread, &a);
    fake_wait_connects(2);
    fake_end_connect(1, ERR_REFUSED, "127.0.0.1:1 refused the connection");
    pthread_join(thread, NULL);
    expect_fault(a, FAULT_FAILED, "127.0.0.1:1 refused");
}

NODE_TEST(invalid_contacts_are_refused)
{
    expect_fault(ask("connect_to", "(s)", "nothing"), FAULT_PARAMETERS, "nothing");
    expect_fault(ask("connect_to", "(s)", "udp://h:1"), FAULT_NOT_FOUND, "udp");
    expect_fault(ask("cancel_file_sending", "(i)", 0), FAULT_PARAMETERS, "transfer_id");
}

static int raw_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", node_socket);
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void raw_call(int fd, const char *body)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "POST /RPC2 HTTP/1.1\r\nHost: n\r\nContent-Type: text/xml\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          strlen(body));

    cr_assert_eq(write(fd, head, (size_t)length), length);
    cr_assert_eq(write(fd, body, strlen(body)), (ssize_t)strlen(body));
}

NODE_TEST(clients_can_close_while_they_wait)
{
    static const char *const bodies[] = {
        "<methodCall><methodName>connect_to</methodName><params><param><value>127.0.0.1:1"
        "</value></param></params></methodCall>",
        "<methodCall><methodName>events</methodName><params><param><value><int>90</int></value>"
        "</param><param><value><int>1</int></value></param><param><value><int>60000</int></value>"
        "</param></params></methodCall>",
        "<methodCall><methodName>send_wait</methodName><params><param><value><array><data>"
        "<value><int>1</int></value></data></array></value></param></params></methodCall>",
    };
    struct answer a;

    for (unsigned i = 0; i < 200; i++)
        node_emit(EVENT_SESSION_OPENED, "");
    send_one(node_file("a", 1));
    /* More than the connection limit: closed connections free their slots. */
    for (unsigned i = 0; i < 600; i++) {
        int fd = raw_connect();

        raw_call(fd, bodies[i < 150 ? i % 3 : 1 + i % 2]);
        if (i % 7 == 0)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    /* At the connection limit a connection is closed at once; retry until a slot is free. */
    for (unsigned i = 0; i < 10000; i++) {
        a = ask("status", "()");
        if (a.rpc.value != NULL)
            break;
        answer_fini(&a);
    }
    cr_assert_not_null(a.rpc.value);
    answer_fini(&a);
}

static void *wait_in_thread(void *arg)
{
    struct answer *a = arg;

    *a = ask("events", "(iii)", 1000000, 10, 0);
    answer_fini(a);
    *a = ask("send_wait", "((i)i)", 1, 60000);
    return NULL;
}

NODE_TEST(events_are_numbered_and_can_be_waited_for)
{
    struct answer now = ask("events", "()"), a;
    int64_t last = number_in(now.rpc.value, "last");
    xmlrpc_value *events, *first;
    char *path;

    answer_fini(&now);
    node_emit(EVENT_RECEIVING_ENDED, "/inbox/one");
    a = ask("events", "(iii)", (int)last, 10, 20000);
    events = member(&a, "events");
    first = item(events, 0);
    path = text_in(first, "path");
    cr_assert_str_eq(path, "/inbox/one");
    cr_assert_eq(number_in(first, "number"), last + 1);
    free(path);
    rpc_release(&first);
    rpc_release(&events);
    answer_fini(&a);
}

NODE_TEST(a_late_reader_gets_the_number_of_lost_events)
{
    struct answer a;

    for (unsigned i = 0; i < 300; i++)
        node_emit(EVENT_SESSION_OPENED, "");
    do {
        a = ask("events", "()");
        if (number_in(a.rpc.value, "last") >= 300)
            break;
        answer_fini(&a);
    } while (true);
    int64_t last = number_in(a.rpc.value, "last");
    answer_fini(&a);
    a = ask("events", "(iii)", 0, 500, 0);
    xmlrpc_value *events = member(&a, "events");
    cr_assert_eq(length_of(events), 100);
    cr_assert_eq(number_in(a.rpc.value, "lost"), last - 100);
    cr_assert_eq(number_in(a.rpc.value, "last"), last);
    rpc_release(&events);
    answer_fini(&a);
}

Test(control, a_stop_answers_waiting_calls_and_keeps_outstanding_requests, .init = node_start,
     .timeout = 30)
{
    struct answer waited, connected;
    pthread_t waiting, connecting;

    cr_assert_eq(send_one(node_file("a", 1)), 1);
    fake_wait_sends(1);
    pthread_create(&waiting, NULL, wait_in_thread, &waited);
    pthread_create(&connecting, NULL, connect_in_thread, &connected);
    fake_wait_connects(1);
    node_stop_control();
    pthread_join(waiting, NULL);
    pthread_join(connecting, NULL);
    /* The wait may have come too late to be taken at all: then it got no answer. */
    if (waited.status == 200)
        expect_fault(waited, FAULT_STOPPING, "stopping");
    expect_fault(connected, FAULT_STOPPING, "stopped");
    cr_assert_neq(access(node_folder, F_OK), -1);
    node_stop_rest();
    cr_assert_eq(access(node_socket, F_OK), -1);
}

struct away {
    const char *method, *params;
    unsigned parked; /* of its kind, what the transport keeps */
    struct answer answer;
    pthread_t thread;
};

static void *ask_in_thread(void *arg)
{
    struct away *away = arg;
    char body[1024];
    int length = snprintf(body, sizeof body,
                          "<methodCall><methodName>%s</methodName><params>%s</params></methodCall>",
                          away->method, away->params);

    away->answer =
        ask_raw("POST", "http://node/RPC2", "Content-Type: text/xml", body, (size_t)length);
    return NULL;
}

#define HOST     "<param><value>127.0.0.1:1</value></param>"
#define NUMBER   "<param><value><int>1</int></value></param>"
#define NOTHING  "<param><value><nil/></value></param>"
#define FILENAME "<param><value>/a</value></param>"

static struct away everything[] = {
    {.method = "status", .params = "", .parked = 1},
    {.method = "list_sessions", .params = "", .parked = 1},
    {.method = "list_streams", .params = "", .parked = 1},
    {.method = "find_session", .params = HOST, .parked = 1},
    {.method = "find_stream", .params = NUMBER, .parked = 1},
    {.method = "disconnect_from", .params = HOST, .parked = 1},
    {.method = "send_keep_alive", .params = HOST, .parked = 1},
    {.method = "cancel_send", .params = NUMBER, .parked = 1},
    {.method = "cancel_file_sending", .params = NUMBER, .parked = 1},
    {.method = "cancel_file_receiving", .params = NUMBER, .parked = 1},
    {.method = "cancel_outbox_file", .params = HOST FILENAME, .parked = 1},
    {.method = "connect_to", .params = HOST},
    {.method = "send_wait",
     .params = "<param><value><array><data><value><int>1</int></value></data></array></value>"
               "</param>"},
};
enum { EVERYTHING = sizeof everything / sizeof *everything };

/* Each request is with another thread at the stop, and is answered after these threads have ended.
 */
Test(control, a_stop_answers_every_kind_of_pending_call, .init = node_start, .timeout = 60)
{
    unsigned parked = 0;

    cr_assert_eq(send_one(node_file("a", 1)), 1);
    fake_wait_sends(1);
    fake_park();
    for (unsigned i = 0; i < EVERYTHING; i++) {
        cr_assert_eq(pthread_create(&everything[i].thread, NULL, ask_in_thread, &everything[i]), 0);
        parked += everything[i].parked;
    }
    fake_wait_parked(parked);
    fake_wait_connects(1);
    node_stop_control();
    for (unsigned i = 0; i < EVERYTHING; i++) {
        struct answer *a = &everything[i].answer;

        pthread_join(everything[i].thread, NULL);
        /* The wait may have come too late to be taken at all: then it got no answer. */
        if (everything[i].parked == 0 && a->status != 200)
            continue;
        cr_expect_eq(a->rpc.fault_code, FAULT_STOPPING, "%s: %ld %d %s", everything[i].method,
                     a->status, a->rpc.fault_code, a->rpc.text);
        answer_fini(a);
    }
    node_stop_rest();
}

/* The quota covers every kind of text. */
NODE_TEST(the_text_of_pending_sends_is_limited)
{
    enum { LONG = 60000, MOST = CONTROL_QUOTA_MAX_PER_USER / LONG };
    static char text[LONG + 1];
    const char *path = node_file("a", 1);
    struct answer a;
    unsigned taken = 0;

    memset(text, 'x', LONG);
    for (; taken <= MOST; taken++) {
        a = taken % 2 == 0 ? ask("send_file", "(nsss)", path, "127.0.0.1:7", text)
                           : ask("send_file", "(sss)", text, path, "127.0.0.1:7");
        if (a.rpc.value == NULL)
            break;
        answer_fini(&a);
    }
    cr_expect_leq(taken, MOST);
    cr_expect_geq(taken, MOST * 9 / 10, "%u", taken);
    expect_fault(a, FAULT_FULL, "too much text");
    a = ask("send_file", "(nss)", path, "127.0.0.1:7"); /* a short one still fits */
    cr_expect_not_null(a.rpc.value, "%s", a.rpc.text);
    answer_fini(&a);
    fake_wait_sends(taken + 1);
    fake_end_send(0, GATEWAY_TRANSFER_FINISHED, "");
    expect_outcome(1, true, "finished", "");
    a = ask("send_file", "(nsss)", path, "127.0.0.1:7", text);
    cr_expect_not_null(a.rpc.value, "a completed send frees its quota: %s", a.rpc.text);
    answer_fini(&a);
}

NODE_TEST(pending_calls_to_peers_are_limited_even_if_their_clients_close)
{
    static const char body[] =
        "<methodCall><methodName>connect_to</methodName><params>" HOST "</params></methodCall>";
    enum { BATCH = 128 };
    int clients[BATCH];
    struct answer a;

    for (unsigned i = 0; i < CONTROL_PENDING_PEERS_MAX / BATCH; i++) {
        for (unsigned n = 0; n < BATCH; n++) {
            clients[n] = raw_connect();
            raw_call(clients[n], body);
        }
        fake_wait_connects((i + 1) * BATCH);
        for (unsigned n = 0; n < BATCH; n++)
            close(clients[n]);
    }
    a = ask("send_keep_alive", "(s)", "127.0.0.1:1");
    expect_fault(a, FAULT_FULL, "pending calls reached");
    a = ask("status", "()");
    cr_assert_not_null(a.rpc.value, "others are still answered");
    answer_fini(&a);
}

NODE_TEST(pending_calls_to_the_daemon_are_limited_even_if_their_clients_close)
{
    static const char *const methods[] = {"list_sessions", "list_streams", "status"};
    enum { BATCH = 128 };
    int clients[BATCH];
    char body[256];

    fake_park();
    for (unsigned i = 0; i < CONTROL_PENDING_DAEMON_MAX / BATCH; i++) {
        snprintf(body, sizeof body,
                 "<methodCall><methodName>%s</methodName><params></params></methodCall>",
                 methods[i % 3]);
        for (unsigned n = 0; n < BATCH; n++) {
            clients[n] = raw_connect();
            raw_call(clients[n], body);
        }
        fake_wait_parked((i + 1) * BATCH);
        for (unsigned n = 0; n < BATCH; n++)
            close(clients[n]);
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        expect_fault(ask(methods[i], "()"), FAULT_FULL, "pending calls reached");
    expect_fault(ask("received", "()"), FAULT_FULL, "pending calls reached");
    expect_fault(ask("find_stream", "(i)", 1), FAULT_FULL, "pending calls reached");
    expect_fault(ask("settings_set", "(si)", "priority", 3), FAULT_FULL, "pending calls reached");
    expect_fault(ask("automata", "(s)", "clock"), FAULT_NOT_FOUND, "network_connector");
}

NODE_TEST(automata_are_printed_from_the_tables)
{
    struct answer a = ask("automata", "(s)", "network_transport");
    const char *dot = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_read_string(&env, a.rpc.value, &dot);
    cr_assert_not_null(strstr(dot, "LISTENING"));
    cr_assert_null(strstr(dot, "INTERNET?"));
    free((void *)(uintptr_t)dot);
    xmlrpc_env_clean(&env);
    answer_fini(&a);
    expect_fault(ask("automata", "(s)", "clock"), FAULT_NOT_FOUND, "network_connector");
}

NODE_TEST(the_short_calls_answer)
{
    static const char *const methods[] = {"services",      "reconnect", "check_reconnect",
                                          "settings_dump", "received",  "stop"};
    struct answer a;

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        a = ask(methods[i], "()");
        cr_assert_not_null(a.rpc.value, "%s: %s", methods[i], a.rpc.text);
        answer_fini(&a);
    }
    a = ask("disconnect_from", "(s)", "127.0.0.1:7771");
    cr_assert_eq(number_in(a.rpc.value, NULL), 1);
    answer_fini(&a);
    a = ask("send_keep_alive", "(s)", "127.0.0.1:1");
    cr_assert_eq(number_in(a.rpc.value, NULL), 0);
    answer_fini(&a);
    a = ask("cancel_outbox_file", "(ss)", "127.0.0.1:1", "/x");
    cr_assert_eq(number_in(a.rpc.value, NULL), 0);
    answer_fini(&a);
    expect_fault(ask("reload", "()"), FAULT_STOPPING, "stopping");
}
