/* send_file, send_file_single, send_spooled, send_spooled_single, and the completion of a send. */
#include "base/text.h"
#include "control/methods/methods.h"
#include "control/methods/spool.h"
#include "control/quota.h"
#include "control/reply.h"
#include "control/send_table.h"
#include "control/state.h"
#include "http/call.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "store/outbox/outbox.h"
#include "store/outbox/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTION_MAX = 65536 }; /* bytes, kept until the send completes */

/* A send request and what control has to release when it completes. */
struct send {
    struct contacts_request request; /* first: the answered message is cast back */
    struct control *control;
    uint64_t spool_id; /* 0: not a spooled file */
    uid_t quota_uid;   /* user charged with `quota_bytes` */
    size_t quota_bytes;
};

/* Releases a completed send, or one that could not be posted. */
static void send_free(struct send *send)
{
    if (send->spool_id != 0)
        outbox_spool_release(send->control->spool, send->spool_id);
    control_quota_release(send->control->quota, send->quota_uid, send->quota_bytes);
    free(send->request.contacts);
    free(send->request.send.asked_host);
    free(send->request.send.remote_idurl);
    free(send->request.send.filename);
    free(send->request.send.description);
    free(send);
}

static void send_completed(struct message *m, void *owner)
{
    struct send *send = (struct send *)(void *)m;
    struct control *control = send->control;

    (void)owner;
    control->outstanding--;
    control_send_table_finish(control->sends, &send->request.send, loop_now_ms(control->loop));
    control->has_updates = true;
    send_free(send);
}

/* Reports an unusable file to the client before anything is queued. */
static bool check_file(struct http_call *call, const char *path, uid_t requester,
                       uint64_t *size_bytes)
{
    char sentence[RPC_REASON_SIZE * 4];
    struct outbox_file file;
    enum err e = outbox_open(&file, path, requester);

    if (e != ERR_OK) {
        outbox_explain(e, path, sentence, sizeof sentence);
        control_reply_fault(call, FAULT_FILE, "%s", sentence);
        return false;
    }
    *size_bytes = file.size_bytes;
    outbox_close(&file);
    return true;
}

/* Identities are stored escaped, ready to be displayed. */
static void escape_idurl(struct send_request *r)
{
    size_t length = r->remote_idurl == NULL ? 0 : strlen(r->remote_idurl);
    char *escaped = length == 0 ? NULL : malloc(3 * length + 1);

    if (escaped != NULL)
        text_escape(escaped, 3 * length + 1, r->remote_idurl, length, true);
    free(r->remote_idurl);
    r->remote_idurl = escaped;
}

static void keep_asked_host(struct send *send)
{
    const char *contacts = send->request.contacts;

    if (strpbrk(contacts, ", ") == NULL)
        send->request.send.asked_host = text_dup(contacts, strlen(contacts));
}

/* Transfers ownership of the spooled file to this send. */
static bool claim_spooled(struct http_call *call, struct send *send, uint64_t id)
{
    char path[OUTBOX_SPOOL_PATH_SIZE];
    enum err e = outbox_spool_take(send->control->spool, id, http_call_uid(call), path);

    if (e == ERR_OK) {
        send->spool_id = id;
        send->request.send.filename = text_dup(path, strlen(path));
        e = send->request.send.filename == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (e != ERR_OK)
        method_spool_refuse(call, e);
    return e == ERR_OK;
}

/* The spool has checked the owner of a spooled file; any other file is sent only if the client's
 * user could read it. */
static bool find_file(struct http_call *call, struct send *send, int64_t spool_id,
                      uint64_t *size_bytes)
{
    struct send_request *r = &send->request.send;

    if (spool_id != 0 && !claim_spooled(call, send, (uint64_t)spool_id))
        return false;
    r->requester = spool_id != 0 ? OUTBOX_DAEMON : http_call_uid(call);
    return check_file(call, r->filename, r->requester, size_bytes);
}

/* Reads the parameters; the file is a path or the id of a spooled file. */
static bool read_send(struct send *send, struct rpc_args *args, bool is_spooled, int64_t *spool_id)
{
    struct send_request *r = &send->request.send;

    rpc_args_text(args, "remote_idurl", false, &r->remote_idurl);
    if (is_spooled)
        rpc_args_integer(args, "id", true, 1, INT64_MAX, spool_id);
    else
        rpc_args_text(args, "filename", true, &r->filename);
    rpc_args_contacts(args, "host", &send->request.contacts);
    rpc_args_text(args, "description", false, &r->description);
    if (r->description != NULL && strlen(r->description) > DESCRIPTION_MAX)
        return rpc_args_error(args, "parameter 4, description, is longer than %d bytes",
                              (int)DESCRIPTION_MAX);
    if (!rpc_args_end(args))
        return false;
    escape_idurl(r);
    keep_asked_host(send);
    return true;
}

static void refuse_send(struct http_call *call, enum err e)
{
    if (e == ERR_CLOSED)
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping: send not accepted");
    else
        control_reply_fault(call, FAULT_FULL,
                            "send not accepted: %s; retry when other sends have completed",
                            err_text(e));
}

static size_t length_of(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* Charges the text that is kept until the send completes. */
static bool acquire_quota(struct http_call *call, struct send *send)
{
    const struct send_request *r = &send->request.send;
    size_t bytes = length_of(send->request.contacts) + length_of(r->asked_host) +
                   length_of(r->remote_idurl) + length_of(r->filename) + length_of(r->description);
    enum err e;

    send->quota_uid = http_call_uid(call);
    e = control_quota_acquire(send->control->quota, send->quota_uid, bytes);
    if (e == ERR_OK) {
        send->quota_bytes = bytes;
        return true;
    }
    if (e == ERR_FULL)
        control_reply_fault(
            call, FAULT_FULL,
            "send not accepted: too much text in pending sends (contacts, paths, descriptions; "
            "limits: %d MiB in total, %d MiB per user); retry when other sends have completed",
            CONTROL_QUOTA_MAX >> 20, CONTROL_QUOTA_MAX_PER_USER >> 20);
    else
        refuse_send(call, e);
    return false;
}

static bool post_send(struct control *control, struct http_call *call, struct send *send,
                      uint64_t size_bytes)
{
    struct send_request *r = &send->request.send;
    uint64_t id = control_send_table_begin(control->sends, size_bytes, loop_now_ms(control->loop));
    xmlrpc_env env;
    enum err e;

    if (id == 0) {
        refuse_send(call, ERR_NO_MEMORY);
        return false;
    }
    r->request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = send_completed};
    r->id = id;
    r->binding = gateway_current(control->config.gateway);
    r->size_bytes = size_bytes;
    if ((e = supervisor_send(control->config.supervisor, &send->request)) != ERR_OK) {
        control_send_table_remove(control->sends, id);
        refuse_send(call, e);
        return false;
    }
    control->outstanding++;
    xmlrpc_env_init(&env);
    control_reply_value(call, &env, rpc_integer(&env, (int64_t)id));
    return true;
}

static void begin_send(struct control *control, struct http_call *call, struct rpc_args *args,
                       bool is_single, bool is_spooled)
{
    struct send *send = calloc(1, sizeof *send);
    uint64_t size_bytes = 0;
    int64_t spool_id = 0;

    if (send == NULL) {
        refuse_send(call, ERR_NO_MEMORY);
        return;
    }
    send->control = control;
    send->request.send.is_single = is_single;
    if (!read_send(send, args, is_spooled, &spool_id))
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
    else if (control_send_table_pending(control->sends) >= CONTROL_SENDS_MAX ||
             gateway_is_full(control->config.gateway))
        refuse_send(call, ERR_FULL);
    else if (find_file(call, send, spool_id, &size_bytes) && acquire_quota(call, send) &&
             post_send(control, call, send, size_bytes))
        return;
    send_free(send);
}

void method_send_file(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_send(control, call, args, false, false);
}

void method_send_file_single(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_send(control, call, args, true, false);
}

void method_send_spooled(struct control *control, struct http_call *call, struct rpc_args *args)
{
    begin_send(control, call, args, false, true);
}

void method_send_spooled_single(struct control *control, struct http_call *call,
                                struct rpc_args *args)
{
    begin_send(control, call, args, true, true);
}
