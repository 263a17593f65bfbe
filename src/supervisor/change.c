#include "supervisor/change.h"

#include "base/container_of.h"
#include "base/log.h"
#include "supervisor/gateway_overrides.h"
#include "supervisor/reload.h"
#include "supervisor/state_event.h"
#include "supervisor/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPLIED_LIMIT_MS = 20000,
    QUEUED_MAX = 64, /* changes behind the running one; also reloads merged into a queued one */
};

/* The answer. */

static const char reloaded_text[] = "settings reloaded";
static const char invalid_text[] = "settings invalid: the previous ones stay in force";

static bool is_settled(const struct supervisor *s)
{
    return s->connector.automat.state == NETWORK_CONNECTED ||
           s->connector.automat.state == NETWORK_DISCONNECTED;
}

/* Inserts a line at the start; cuts the end if there is no room. */
static void prepend_line(char text[RELOAD_TEXT_SIZE], const char *line)
{
    size_t length = strlen(line), rest = strlen(text);

    if (rest > RELOAD_TEXT_SIZE - length - 2)
        rest = RELOAD_TEXT_SIZE - length - 2;
    memmove(text + length + 1, text, rest);
    memcpy(text, line, length);
    text[length] = '\n';
    text[length + 1 + rest] = '\0';
}

/* Answers the request, and those merged into it with the same result. */
static void answer(struct supervisor_request *r, enum err result)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&r->merged)) != NULL) {
        struct supervisor_request *merged =
            CONTAINER_OF(m, struct supervisor_request, request.message);

        STAILQ_REMOVE_HEAD(&r->merged, link);
        memcpy(merged->text, r->text, sizeof merged->text);
        merged->in_force = r->in_force;
        request_answer(&merged->request, result);
    }
    request_answer(&r->request, result);
}

static void answer_change(struct supervisor *s, struct supervisor_request *r, enum err result,
                          const char *status)
{
    if (r->type == SUPERVISOR_RELOAD)
        supervisor_core_notify(s, SUPERVISOR_NOTICE_RELOADED, status);
    r->in_force = s->acting;
    answer(r, result);
}

/* The change is in force and on disk; reports whether the transports came up with it. */
static void answer_reconnected(struct supervisor *s, struct supervisor_request *r)
{
    char reason[REASON_SIZE], line[REASON_SIZE + 128];

    if (supervisor_status_is_failing(s, reason)) {
        snprintf(line, sizeof line, "applied, but the node is not connected: %s", reason);
        prepend_line(r->text, line);
        answer_change(s, r, ERR_UNREACHABLE, line);
        return;
    }
    if (!is_settled(s))
        prepend_line(r->text,
                     "applied; the transports are still restarting: see 'dustwire status'");
    answer_change(s, r, ERR_OK, reloaded_text);
}

void supervisor_change_answer_applied(struct supervisor *s)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&s->applied)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->applied, link);
        answer_reconnected(s, CONTAINER_OF(m, struct supervisor_request, request.message));
    }
    loop_cancel_timer(s->loop, &s->applied_limit);
}

static void applied_limit_elapsed(struct timer *timer, void *ctx)
{
    (void)timer;
    supervisor_change_answer_applied(ctx);
}

/* With a reconnect: answers when the transports are up again or have failed. */
static void answer_when_settled(struct supervisor *s, struct supervisor_request *r,
                                bool needs_reconnect)
{
    if (!needs_reconnect) {
        answer_change(s, r, ERR_OK, reloaded_text);
    } else if (is_settled(s)) {
        answer_reconnected(s, r);
    } else {
        if (STAILQ_EMPTY(&s->applied))
            loop_set_timer(s->loop, &s->applied_limit, APPLIED_LIMIT_MS);
        STAILQ_INSERT_TAIL(&s->applied, &r->request.message, link);
    }
}

void supervisor_change_init(struct supervisor *s)
{
    STAILQ_INIT(&s->applied);
    STAILQ_INIT(&s->queued);
    s->applied_limit = (struct timer){.fire = applied_limit_elapsed, .ctx = s};
}

/* The change. */

static void set_in_force(struct supervisor *s, const struct settings_in_force *in_force)
{
    s->in_force = *in_force;
    supervisor_gateway_overrides_update(s);
}

/* Logs each line of the text. */
static void log_text(enum log_level level, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        log_line(level, "settings: %.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Puts a successful change into force and emits its event with `path`, the file that changed.
 * Settings that the gateway overrides take effect after its disconnect. True if the transports
 * restart. */
static bool apply_change(struct supervisor *s, const struct settings_in_force *after,
                         const struct settings_change *change, const char *path, const char *text)
{
    struct settings before = s->acting.settings;
    struct settings_change acting;

    if (change->is_any)
        set_in_force(s, after);
    else
        s->in_force.origins = after->origins;
    settings_compare(&before, &s->acting.settings, &acting);
    if (s->config.events != NULL)
        event_emit(s->config.events, event_new(EVENT_SETTINGS_RELOADED, NULL, path, text));
    if (acting.needs_reconnect)
        network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
    return acting.needs_reconnect;
}

/* Adds a note if options of the gateway's connect override the files. */
static void add_override_note(const struct supervisor *s, char text[RELOAD_TEXT_SIZE])
{
    size_t used = strlen(text);
    struct settings_change overridden;

    settings_compare(&s->in_force.settings, &s->acting.settings, &overridden);
    if (overridden.is_any && s->overrides.is_connected)
        snprintf(text + used, RELOAD_TEXT_SIZE - used,
                 "note: the gateway's connect overrides idurl, host or tcp-port of the files until "
                 "its disconnect\n");
}

/* The access to the files. */

/* The running change. */
struct supervisor_change {
    struct request request; /* first member: returned with the result */
    struct supervisor *supervisor;
    struct supervisor_request *r;
    struct settings_paths paths;
    struct settings_in_force before, after;
    struct settings_change change;
    bool is_written; /* the file of 'dustwire set' */
};

/* In the thread of the settings files. */
static enum err access_files(struct supervisor_change *c)
{
    struct supervisor_request *r = c->r;
    enum err e;

    if (r->type == SUPERVISOR_RELOAD) {
        log_reopen();
        return supervisor_reload_read(&c->paths, &c->before, &c->after, &c->change, r->text,
                                      sizeof r->text);
    }
    e = r->type == SUPERVISOR_SET
            ? supervisor_reload_set(r->name, r->value, &c->before, &c->after, &c->change, r->text,
                                    sizeof r->text)
            : supervisor_reload_unset(r->name, &c->paths, &c->before, &c->after, &c->change,
                                      r->text, sizeof r->text);
    c->is_written = e == ERR_OK;
    return r->type == SUPERVISOR_UNSET && e == ERR_EXISTS ? ERR_OK : e;
}

static void run_change(struct message *m, void *owner)
{
    struct supervisor_change *c = (struct supervisor_change *)(void *)m;

    (void)owner;
    request_answer(&c->request, access_files(c));
}

static void log_result(const struct supervisor_request *r, enum err e)
{
    bool is_reload = r->type == SUPERVISOR_RELOAD;

    if (e == ERR_OK)
        log_text(LOG_LEVEL_INFO, r->text);
    else
        log_text(is_reload ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, r->text);
    if (e != ERR_OK && is_reload)
        log_error("settings: reload failed; the previous settings stay in force");
}

static void end_change(struct supervisor *s, const struct supervisor_change *c)
{
    struct supervisor_request *r = c->r;
    const struct settings_origins *origins = &c->after.origins;
    bool needs_reconnect;

    if (c->request.result != ERR_OK) {
        answer_change(s, r, c->request.result, invalid_text);
        return;
    }
    needs_reconnect =
        apply_change(s, &c->after, &c->change,
                     r->type == SUPERVISOR_RELOAD ? origins->file : origins->persisted, r->text);
    add_override_note(s, r->text);
    answer_when_settled(s, r, needs_reconnect);
}

/* What a SET or UNSET has written stays written; of a RELOAD nothing is applied. */
static void end_while_stopping(struct supervisor *s, const struct supervisor_change *c)
{
    static const char stopping_text[] = "the daemon is stopping";
    struct supervisor_request *r = c->r;

    if (r->type == SUPERVISOR_RELOAD) {
        prepend_line(r->text, stopping_text);
        answer_change(s, r, ERR_CLOSED, stopping_text);
        return;
    }
    if (c->is_written)
        prepend_line(r->text, "written, takes effect at the next start: the daemon is stopping");
    answer_change(s, r, c->request.result, stopping_text);
}

static void begin_next(struct supervisor *s);

static void change_done(struct message *m, void *owner)
{
    struct supervisor_change *c = (struct supervisor_change *)(void *)m;
    struct supervisor *s = c->supervisor;

    (void)owner;
    s->change = NULL;
    log_result(c->r, c->request.result);
    if (s->is_stopping || s->is_ended)
        end_while_stopping(s, c);
    else
        end_change(s, c);
    free(c);
    begin_next(s);
}

/* Answers a change that is not begun, and logs it: a signal's reload has no other reader. */
static void refuse(struct supervisor_request *r, enum err e)
{
    log_result(r, e);
    answer(r, e);
}

static void begin(struct supervisor *s, struct supervisor_request *r)
{
    struct supervisor_change *c = calloc(1, sizeof *c);

    if (c == NULL) {
        snprintf(r->text, sizeof r->text, "out of memory: the settings are unchanged\n");
        refuse(r, ERR_NO_MEMORY);
        return;
    }
    if (r->type == SUPERVISOR_RELOAD)
        supervisor_core_notify(s, SUPERVISOR_NOTICE_RELOADING, "reloading the settings");
    *c = (struct supervisor_change){
        .request = {.answer_to = loop_mailbox(s->loop), .on_answer = change_done},
        .supervisor = s,
        .r = r,
        .paths = s->config.paths,
        .before = s->in_force};
    if (r->type == SUPERVISOR_RELOAD)
        c->paths.persisted = c->before.origins.persisted;
    s->change = c;
    mailbox_answer(loop_mailbox(s->files), &c->request.message, run_change);
}

static void begin_next(struct supervisor *s)
{
    struct message *m;

    while (s->change == NULL && (m = STAILQ_FIRST(&s->queued)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->queued, link);
        s->queued_count--;
        begin(s, CONTAINER_OF(m, struct supervisor_request, request.message));
    }
}

/* Of the queued changes one at most is a RELOAD. NULL: none. */
static struct supervisor_request *find_queued_reload(const struct supervisor *s)
{
    struct message *m;

    STAILQ_FOREACH (m, &s->queued, link) {
        struct supervisor_request *r = CONTAINER_OF(m, struct supervisor_request, request.message);

        if (r->type == SUPERVISOR_RELOAD)
            return r;
    }
    return NULL;
}

/* The queued one has not read the files yet, so it does what `r` asks for. */
static void merge(struct supervisor_request *queued, struct supervisor_request *r)
{
    if (queued->merged_count == QUEUED_MAX) {
        snprintf(r->text, sizeof r->text, "a reload is already queued\n");
        request_answer(&r->request, ERR_FULL);
        return;
    }
    STAILQ_INSERT_TAIL(&queued->merged, &r->request.message, link);
    queued->merged_count++;
}

void supervisor_change_enqueue(struct supervisor *s, struct supervisor_request *r)
{
    struct supervisor_request *queued = r->type == SUPERVISOR_RELOAD ? find_queued_reload(s) : NULL;

    STAILQ_INIT(&r->merged);
    r->merged_count = 0;
    if (queued != NULL) {
        merge(queued, r);
        return;
    }
    if (s->queued_count == QUEUED_MAX) {
        snprintf(r->text, sizeof r->text, "too many queued settings changes (%d): retry later\n",
                 (int)QUEUED_MAX);
        refuse(r, ERR_FULL);
        return;
    }
    STAILQ_INSERT_TAIL(&s->queued, &r->request.message, link);
    s->queued_count++;
    begin_next(s);
}

void supervisor_change_refuse_queued(struct supervisor *s)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&s->queued)) != NULL) {
        struct supervisor_request *r = CONTAINER_OF(m, struct supervisor_request, request.message);

        STAILQ_REMOVE_HEAD(&s->queued, link);
        snprintf(r->text, sizeof r->text, "the daemon is stopping\n");
        answer(r, ERR_CLOSED);
    }
    s->queued_count = 0;
}
