/* connect_to, disconnect_from and send_keep_alive are posted directly to the transport of the
 * contact's proto. A cancel must not overtake earlier sends, which pass through the supervisor: it
 * is posted to the supervisor first, and after its answer to one transport after the other, until
 * one finds the file. */
#include "base/contract.h"
#include "base/text.h"
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum host_call { HOST_CONNECT_TO, HOST_DISCONNECT_FROM, HOST_SEND_KEEP_ALIVE };

struct host_pending {
    struct host_request request; /* first: the answered message is cast back */
    struct control_pending pending;
    enum host_call which;
};

typedef void cancel_fn(void *self, struct cancel_request *r);
typedef cancel_fn *cancel_choice(const struct transport_ops *ops);

struct cancel_pending {
    struct cancel_request request; /* first: the answered message is cast back */
    struct control_pending pending;
    cancel_choice *choose;
    unsigned transport; /* the one it was posted to last */
};

static bool read_contact(struct control *control, struct http_call *call, struct rpc_args *args,
                         const char *text, struct contact *contact)
{
    if (args->problem[0] != '\0') {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        return false;
    }
    if (contact_parse(contact, text) != ERR_OK) {
        const char *advice = contact_advice(text, strlen(text));

        control_reply_fault(call, FAULT_PARAMETERS, "invalid contact '%.200s': %s", text,
                            advice != NULL ? advice : "expected host:port or proto://host:port");
        return false;
    }
    if (transport_table_find(control->config.transports, contact->proto) == NULL) {
        control_reply_fault(call, FAULT_NOT_FOUND, "unknown transport '%s': use host:port",
                            contact->proto);
        return false;
    }
    return true;
}

static void answer_bool(struct http_call *call, bool answer)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_reply_value(call, &env, rpc_bool(&env, answer));
}

static void answer_host(struct host_pending *h)
{
    struct http_call *call = h->pending.call;
    char contact[CONTACT_TEXT_SIZE];
    xmlrpc_value *value;
    xmlrpc_env env;

    if (h->request.request.result != ERR_OK) {
        if (h->request.error[0] != '\0')
            control_reply_fault(call, FAULT_FAILED, "%s", h->request.error);
        else
            control_reply_fault(call, FAULT_FAILED, "%s: %s",
                                contact_text(contact, &h->request.route.contact),
                                err_text(h->request.request.result));
        return;
    }
    if (h->which != HOST_CONNECT_TO) {
        answer_bool(call, h->request.answer);
        return;
    }
    xmlrpc_env_init(&env);
    value = rpc_struct(&env);
    rpc_put_bool(&env, value, "answer", h->request.answer);
    rpc_put_integer(&env, value, "session", (int64_t)h->request.session);
    control_reply_value(call, &env, value);
}

static void host_answered(struct message *m, void *owner)
{
    struct host_pending *h = (struct host_pending *)(void *)m;

    (void)owner;
    if (h->pending.call != NULL)
        answer_host(h);
    control_pending_end(&h->pending);
    free(h);
}

static void post_host(struct control *control, struct host_pending *h)
{
    const struct transport_row *row =
        transport_table_find(control->config.transports, h->request.route.contact.proto);

    switch (h->which) {
    case HOST_CONNECT_TO:
        row->ops->connect_to(row->self, &h->request);
        break;
    case HOST_DISCONNECT_FROM:
        row->ops->disconnect_from(row->self, &h->request);
        break;
    case HOST_SEND_KEEP_ALIVE:
        row->ops->send_keep_alive(row->self, &h->request);
        break;
    }
}

static void begin_host(struct control *control, struct http_call *call, struct rpc_args *args,
                       enum host_call which)
{
    struct host_pending *h = calloc(1, sizeof *h);
    char *text = NULL;

    if (h == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        return;
    }
    rpc_args_host(args, "host", true, &text);
    rpc_args_end(args);
    h->which = which;
    if (!read_contact(control, call, args, text, &h->request.route.contact) ||
        !control_pending_has_room(control, call, CONTROL_PENDING_PEERS)) {
        free(h);
    } else {
        h->request.request =
            (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = host_answered};
        control_pending_begin(&h->pending, control, call, CONTROL_PENDING_PEERS);
        post_host(control, h);
    }
    free(text);
}

void method_connect_to(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_host(control, call, args, HOST_CONNECT_TO);
}

void method_disconnect_from(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_host(control, call, args, HOST_DISCONNECT_FROM);
}

void method_send_keep_alive(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_host(control, call, args, HOST_SEND_KEEP_ALIVE);
}

static cancel_fn *choose_sending(const struct transport_ops *ops)
{
    return ops->cancel_file_sending;
}

static cancel_fn *choose_receiving(const struct transport_ops *ops)
{
    return ops->cancel_file_receiving;
}

static cancel_fn *choose_outbox(const struct transport_ops *ops)
{
    return ops->cancel_outbox_file;
}

static void end_cancel(struct cancel_pending *c, enum err e)
{
    struct http_call *call = c->pending.call;

    if (call != NULL && e == ERR_OK)
        answer_bool(call, c->request.answer);
    else if (call != NULL && e == ERR_CLOSED)
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping");
    else if (call != NULL)
        control_reply_fault(call, FAULT_FULL, "cannot cancel: %s; retry later", err_text(e));
    control_pending_end(&c->pending);
    free(c);
}

static void cancel_answered(struct message *m, void *owner);

static void post_cancel(struct cancel_pending *c)
{
    struct control *control = c->pending.control;
    const struct transport_row *row = &control->config.transports->rows[c->transport];
    cancel_fn *cancel = c->choose(row->ops);

    CONTRACT(cancel != NULL);
    c->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = cancel_answered};
    c->request.at = 0;
    cancel(row->self, &c->request);
}

static void cancel_answered(struct message *m, void *owner)
{
    struct cancel_pending *c = (struct cancel_pending *)(void *)m;
    struct control *control = c->pending.control;

    (void)owner;
    if (c->request.answer || control->is_stopping ||
        c->transport + 1 >= control->config.transports->count) {
        end_cancel(c, ERR_OK);
        return;
    }
    c->transport++;
    post_cancel(c);
}

/* All sends requested before the cancel have reached their transport. */
static void sends_dispatched(struct message *m, void *owner)
{
    struct cancel_pending *c = (struct cancel_pending *)(void *)m;
    struct control *control = owner;

    if (control->is_stopping)
        end_cancel(c, ERR_CLOSED); /* the transports may have ended */
    else
        post_cancel(c);
}

static struct cancel_pending *cancel_new(struct http_call *call, cancel_choice *choose)
{
    struct cancel_pending *c = calloc(1, sizeof *c);

    if (c == NULL)
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
    else
        c->choose = choose;
    return c;
}

static void begin_cancel(struct control *control, struct http_call *call, struct cancel_pending *c)
{
    enum err e;

    if (control->config.transports->count == 0) {
        answer_bool(call, false);
        free(c);
        return;
    }
    if (!control_pending_has_room(control, call, CONTROL_PENDING_PEERS)) {
        free(c);
        return;
    }
    control_pending_begin(&c->pending, control, call, CONTROL_PENDING_PEERS);
    c->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = sends_dispatched};
    if ((e = supervisor_post_after_sends(control->config.supervisor, &c->request.request)) !=
        ERR_OK)
        end_cancel(c, e);
}

static void cancel_by_transfer(struct control *control, struct http_call *call,
                               struct rpc_args *args, cancel_choice *choose)
{
    struct cancel_pending *c = cancel_new(call, choose);
    int64_t transfer_id = 0;

    if (c == NULL)
        return;
    rpc_args_integer(args, "transfer_id", true, 1, GATEWAY_ID_MAX, &transfer_id);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free(c);
        return;
    }
    c->request.transfer_id = (uint32_t)transfer_id;
    begin_cancel(control, call, c);
}

void method_cancel_file_sending(struct control *control, struct http_call *call,
                                struct rpc_args *args)
{
    cancel_by_transfer(control, call, args, choose_sending);
}

void method_cancel_file_receiving(struct control *control, struct http_call *call,
                                  struct rpc_args *args)
{
    cancel_by_transfer(control, call, args, choose_receiving);
}

void method_cancel_send(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct cancel_pending *c = cancel_new(call, choose_sending);
    int64_t id = 0;

    if (c == NULL)
        return;
    rpc_args_integer(args, "id", true, 1, INT64_MAX, &id);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free(c);
        return;
    }
    c->request.send_id = (uint64_t)id;
    begin_cancel(control, call, c);
}

void method_cancel_outbox_file(struct control *control, struct http_call *call,
                               struct rpc_args *args)
{
    struct cancel_pending *c = cancel_new(call, choose_outbox);
    char *host = NULL, *filename = NULL;

    if (c == NULL)
        return;
    rpc_args_host(args, "host", true, &host);
    rpc_args_text(args, "filename", true, &filename);
    rpc_args_end(args);
    if (!read_contact(control, call, args, host, &c->request.contact)) {
        free(c);
    } else if (text_copy(c->request.filename, sizeof c->request.filename, filename) != ERR_OK) {
        control_reply_fault(call, FAULT_PARAMETERS, "the filename is longer than %zu bytes",
                            sizeof c->request.filename - 1);
        free(c);
    } else {
        begin_cancel(control, call, c);
    }
    free(host);
    free(filename);
}
