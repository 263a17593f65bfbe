#include "gateway_client/replay.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway_client/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One pending report; frees itself. */
struct report {
    struct gateway_transfer transfer; /* first member: returned as a message */
    struct commit_request mark;
    struct gateway_client_replay replay;
    char *idurl;
    char path[INBOX_PATH_SIZE];
    char proto[JOURNAL_FILE_PROTO_SIZE];
};

static void report_free(struct report *r)
{
    free(r->idurl);
    free(r);
}

static void marked(struct message *m, void *owner)
{
    struct report *r = CONTAINER_OF(m, struct report, mark.request.message);

    (void)owner;
    report_free(r);
}

static void complete(struct report *r, enum err e)
{
    const struct gateway_transfer *t = &r->transfer;

    if (e != ERR_OK) { /* the daemon is stopping: the result stays unreported */
        report_free(r);
        return;
    }
    log_info("unreported result delivered: transfer=%" PRIu32 " %s path=%s", t->transfer_id,
             gateway_transfer_status_word(t->status), r->path);
    event_emit(r->replay.events, gateway_transfer_event(EVENT_RECEIVING_ENDED, t));
    committer_submit(r->replay.committer, &r->mark);
}

static void answered(struct message *m, void *owner)
{
    struct report *r = (struct report *)(void *)m;

    (void)owner;
    complete(r, r->transfer.request.result);
}

static struct report *report_new(const struct gateway_client_replay *replay,
                                 const struct journal_file *record, bool is_finished)
{
    struct report *r = calloc(1, sizeof *r);
    struct gateway_transfer *t;

    if (r == NULL || (r->idurl = text_dup(record->idurl, strlen(record->idurl))) == NULL) {
        free(r);
        return NULL;
    }
    r->replay = *replay;
    r->mark = (struct commit_request){.kind = COMMIT_REPORTED,
                                      .request = {.answer_to = NULL, .on_answer = marked},
                                      .record = {.transfer_id = record->transfer_id, .idurl = ""}};
    inbox_final_path(replay->inbox, record->name, r->path);
    snprintf(r->proto, sizeof r->proto, "%s", record->proto);
    t = &r->transfer;
    *t = (struct gateway_transfer){
        .request = {.answer_to = replay->answer_to, .on_answer = answered},
        .proto = r->proto,
        .idurl = r->idurl,
        .filename = r->path,
        .size_bytes = record->size_bytes,
        .done_bytes = is_finished ? record->size_bytes : 0,
        .status = is_finished ? GATEWAY_TRANSFER_FINISHED : GATEWAY_TRANSFER_FAILED,
        .transfer_id = record->gateway_id != 0 ? record->gateway_id : record->transfer_id,
        .is_registered = true};
    address_text(t->host, &record->peer);
    if (!is_finished)
        snprintf(t->error, sizeof t->error, "the daemon ended before the file was stored");
    return r;
}

static void report_one(void *ctx, const struct journal_file *record, bool is_finished)
{
    const struct gateway_client_replay *replay = ctx;
    struct report *r = report_new(replay, record, is_finished);
    enum err e = ERR_OK;

    if (r == NULL) {
        log_error("transfer=%" PRIu32 ": cannot report it now: %s; retried at the next start",
                  record->transfer_id, err_text(ERR_NO_MEMORY));
        return;
    }
    if (record->gateway_id != 0) {
        r->transfer.binding = &r->replay.remote;
        e = gateway_receiving_ended(replay->gateway, &r->transfer);
    }
    if (e != ERR_PENDING)
        complete(r, e);
}

void gateway_client_replay_report(const struct gateway_client_replay *replay)
{
    inbox_each_unreported(replay->inbox, report_one, (void *)replay);
}
