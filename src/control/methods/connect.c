/* connect_to, disconnect_from and send_keep_alive go straight to the transport of the contact's
 * proto. A cancel must not overtake the sends, which go by way of the supervisor: the supervisor is
 * asked first, and when its answer is there, one transport after the other, until one knows the
 * file. */
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

struct host_asked {
    struct host_request request; /* first: comes back */
    struct control_asked asked;
    enum host_call which;
};

typedef void cancel_fn(void *self, struct cancel_request *r);
typedef cancel_fn *cancel_choice(const struct transport_ops *ops);

struct cancel_asked {
    struct cancel_request request; /* first: comes back */
    struct control_asked asked;
    cancel_choice *choose;
    unsigned transport; /* the one that has it now */
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

        control_reply_fault(call, FAULT_PARAMETERS, "'%.200s' is no contact: %s", text,
                            advice != NULL ? advice : "write host:port, or proto://host:port");
        return false;
    }
    if (transport_table_find(control->config.transports, contact->proto) == NULL) {
        control_reply_fault(call, FAULT_NOT_FOUND,
                            "there is no transport '%s' here: write host:port", contact->proto);
        return false;
    }
    return true;
}

static void answer_bool(struct http_call *call, bool answer)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    control_reply_answer(call, &env, rpc_bool(&env, answer));
}

static void answer_host(struct host_asked *h)
{
    struct http_call *call = h->asked.call;
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
    control_reply_answer(call, &env, value);
}

static void host_is_back(struct message *m, void *owner)
{
    struct host_asked *h = (struct host_asked *)(void *)m;

    (void)owner;
    if (h->asked.call != NULL)
        answer_host(h);
    control_asked_end(&h->asked);
    free(h);
}

static void post_host(struct control *control, struct host_asked *h)
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

static void ask_host(struct control *control, struct http_call *call, struct rpc_args *args,
                     enum host_call which)
{
    struct host_asked *h = calloc(1, sizeof *h);
    char *text = NULL;

    if (h == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon has no memory for a request");
        return;
    }
    rpc_args_host(args, "host", true, &text);
    rpc_args_end(args);
    h->which = which;
    if (!read_contact(control, call, args, text, &h->request.route.contact) ||
        !control_asked_has_room(control, call, CONTROL_ASKED_ABOUT_PEERS)) {
        free(h);
    } else {
        h->request.request =
            (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = host_is_back};
        control_asked_begin(&h->asked, control, call, CONTROL_ASKED_ABOUT_PEERS);
        post_host(control, h);
    }
    free(text);
}

void method_connect_to(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask_host(control, call, args, HOST_CONNECT_TO);
}

void method_disconnect_from(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask_host(control, call, args, HOST_DISCONNECT_FROM);
}

void method_send_keep_alive(struct control *control, struct http_call *call, struct rpc_args *args)
{
    ask_host(control, call, args, HOST_SEND_KEEP_ALIVE);
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

static void end_cancel(struct cancel_asked *c, enum err e)
{
    struct http_call *call = c->asked.call;

    if (call != NULL && e == ERR_OK)
        answer_bool(call, c->request.answer);
    else if (call != NULL && e == ERR_CLOSED)
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping");
    else if (call != NULL)
        control_reply_fault(call, FAULT_FULL, "nothing was cancelled: %s; try again", err_text(e));
    control_asked_end(&c->asked);
    free(c);
}

static void cancel_is_back(struct message *m, void *owner);

static void ask_transport(struct cancel_asked *c)
{
    struct control *control = c->asked.control;
    const struct transport_row *row = &control->config.transports->rows[c->transport];
    cancel_fn *cancel = c->choose(row->ops);

    CONTRACT(cancel != NULL);
    c->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = cancel_is_back};
    c->request.at = 0;
    cancel(row->self, &c->request);
}

static void cancel_is_back(struct message *m, void *owner)
{
    struct cancel_asked *c = (struct cancel_asked *)(void *)m;
    struct control *control = c->asked.control;

    (void)owner;
    if (c->request.answer || control->is_stopping ||
        c->transport + 1 >= control->config.transports->count) {
        end_cancel(c, ERR_OK);
        return;
    }
    c->transport++;
    ask_transport(c);
}

/* What was given to be sent before the cancel is with its transport by now. */
static void sends_are_handed_on(struct message *m, void *owner)
{
    struct cancel_asked *c = (struct cancel_asked *)(void *)m;
    struct control *control = owner;

    if (control->is_stopping)
        end_cancel(c, ERR_CLOSED); /* the transports may have ended */
    else
        ask_transport(c);
}

static struct cancel_asked *cancel_new(struct http_call *call, cancel_choice *choose)
{
    struct cancel_asked *c = calloc(1, sizeof *c);

    if (c == NULL)
        control_reply_fault(call, FAULT_INTERNAL, "the daemon has no memory for a request");
    else
        c->choose = choose;
    return c;
}

static void begin_cancel(struct control *control, struct http_call *call, struct cancel_asked *c)
{
    enum err e;

    if (control->config.transports->count == 0) {
        answer_bool(call, false);
        free(c);
        return;
    }
    if (!control_asked_has_room(control, call, CONTROL_ASKED_ABOUT_PEERS)) {
        free(c);
        return;
    }
    control_asked_begin(&c->asked, control, call, CONTROL_ASKED_ABOUT_PEERS);
    c->request.request = (struct request){.answer_to = loop_mailbox(control->loop),
                                          .on_answer = sends_are_handed_on};
    if ((e = supervisor_ask_behind_sends(control->config.supervisor, &c->request.request)) !=
        ERR_OK)
        end_cancel(c, e);
}

static void cancel_by_transfer(struct control *control, struct http_call *call,
                               struct rpc_args *args, cancel_choice *choose)
{
    struct cancel_asked *c = cancel_new(call, choose);
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
    struct cancel_asked *c = cancel_new(call, choose_sending);
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
    struct cancel_asked *c = cancel_new(call, choose_outbox);
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
