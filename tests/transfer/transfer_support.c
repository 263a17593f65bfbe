#include "transfer/transfer_support.h"

#include "base/log.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transfer_context context;
struct settings settings;
struct told told;
struct heard heard;
const struct transfer_peer peer = {.session = 7, .idurl = "http://id.example/peer.xml"};
static char folder[64], inbox_folder[96];

/* The gateway. */

static enum err do_register(void *self, struct gateway_transfer *t)
{
    (void)self;
    t->registration.transfer_id = t->transfer_id;
    t->registration.is_registered = told.refusal == ERR_OK;
    told.registered += told.refusal == ERR_OK;
    gateway_registered(t);
    return told.refusal;
}

static void note_end(const struct gateway_transfer *t)
{
    if (t->status == GATEWAY_TRANSFER_FINISHED)
        told.finished++;
    else
        told.failed++;
    told.last_bytes = t->done_bytes;
    snprintf(told.last_proto, sizeof told.last_proto, "%s", t->proto);
    snprintf(told.last_path, sizeof told.last_path, "%s", t->filename);
    snprintf(told.last_error, sizeof told.last_error, "%s", t->error);
}

static enum err do_receiving_ended(void *self, struct gateway_transfer *t)
{
    (void)self;
    note_end(t);
    return ERR_OK;
}

static void do_sending_ended(void *self, const struct gateway_transfer *t)
{
    (void)self;
    note_end(t);
}

static bool do_is_full(void *self)
{
    (void)self;
    return told.is_full;
}

static const struct gateway_ops ops = {
    .name = "counting",
    .register_file_sending = do_register,
    .register_file_receiving = do_register,
    .receiving_ended = do_receiving_ended,
    .sending_ended = do_sending_ended,
    .is_full = do_is_full,
};

/* The session. */

static void on_committed(void *session, int32_t file_id)
{
    (void)session;
    heard.committed++;
    heard.last_id = file_id;
}

static void note_reason(int32_t file_id, const char *reason)
{
    heard.last_id = file_id;
    snprintf(heard.last_reason, sizeof heard.last_reason, "%s", reason);
}

static void on_refused(void *session, int32_t file_id, const char *reason)
{
    (void)session;
    heard.refused++;
    note_reason(file_id, reason);
}

static void on_gateway_lost(void *session, int32_t file_id, const char *reason)
{
    (void)session;
    heard.gateway_lost++;
    note_reason(file_id, reason);
}

static void on_sendable(void *session)
{
    (void)session;
    heard.sendable++;
}

static void on_unsendable(void *session)
{
    (void)session;
    heard.unsendable++;
}

static uint64_t on_acknowledged(void *session)
{
    (void)session;
    return heard.acknowledged;
}

const struct transfer_callbacks callbacks = {
    .committed = on_committed,
    .refused = on_refused,
    .gateway_lost = on_gateway_lost,
    .sendable = on_sendable,
    .unsendable = on_unsendable,
    .acknowledged = on_acknowledged,
};

/* The context. */

static void after_turn(void *owner)
{
    (void)owner;
    committer_turn_end(&context.commits, context.committer);
}

void turn(void)
{
    loop_turn(context.loop, 10);
}

static void open_inbox(void)
{
    char problem[256];

    snprintf(folder, sizeof folder, "/tmp/dustwire-transfer-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(inbox_folder, sizeof inbox_folder, "%s/inbox", folder);
    cr_assert_eq(
        inbox_open(&context.inbox, inbox_folder, DURABILITY_NONE, 1 << 20, problem, sizeof problem),
        ERR_OK, "%s", problem);
    cr_assert_eq(committer_open(&context.committer, context.inbox), ERR_OK);
    cr_assert_eq(committer_start(context.committer), ERR_OK);
}

void context_open(void)
{
    struct loop_config config = {
        .name = "worker-0", .mailbox_limit = 1000, .after_turn = after_turn};

    log_set_level(LOG_LEVEL_ERROR);
    settings_default(&settings);
    context.settings = &settings;
    context.proto = "carrier";
    cr_assert_eq(loop_open(&context.loop, &config), ERR_OK);
    cr_assert_eq(event_sink_open(&context.events), ERR_OK);
    cr_assert_eq(gateway_open(&context.gateway, context.events), ERR_OK);
    gateway_set(context.gateway, &ops, NULL);
    open_inbox();
    committer_turn_init(&context.commits, NULL);
    cr_assert_eq(transfer_ids_init(&context.ids, context.loop, context.inbox, context.committer),
                 ERR_OK);
}

void context_close(void)
{
    UNTIL(transfer_is_idle(&context));
    cr_expect_eq(partial_files(), 0);
    committer_stop(context.committer);
    committer_close(&context.committer);
    inbox_close(&context.inbox);
    gateway_close(&context.gateway);
    event_sink_close(&context.events);
    loop_close(&context.loop);
    transfer_ids_fini(&context.ids);
    folders_remove(folder);
}

/* Files. */

unsigned partial_files(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s/.dustwire/partial", inbox_folder);
    return folders_count(path, ".in");
}

const char *make_file(const char *name, const void *bytes, size_t length)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
    return path;
}

bool is_file(const char *path, const void *bytes, size_t length)
{
    char there[4096];
    FILE *file = fopen(path, "r");
    size_t got;

    cr_assert_leq(length, sizeof there - 1);
    if (file == NULL)
        return false;
    got = fread(there, 1, sizeof there, file);
    fclose(file);
    return got == length && memcmp(there, bytes, length) == 0;
}
