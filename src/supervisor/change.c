#include "supervisor/change.h"

#include "base/log.h"
#include "supervisor/gateway_overrides.h"
#include "supervisor/reload.h"
#include "supervisor/state_event.h"
#include "supervisor/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANGE_LIMIT_MS = 20000,
    WAITING_MAX = 64, /* changes behind the one that is under way */
};

/* The answer. */

static const char settings_read_again[] = "the settings have been read again";
static const char settings_are_bad[] = "the settings are bad: the old ones stay in force";

static bool is_settled(const struct supervisor *s)
{
    return s->connector.automat.state == NETWORK_CONNECTED ||
           s->connector.automat.state == NETWORK_DISCONNECTED;
}

/* Puts a line before the others; those at the end may be cut for it. */
static void put_line_first(char text[RELOAD_TEXT_SIZE], const char *line)
{
    size_t length = strlen(line), rest = strlen(text);

    if (rest > RELOAD_TEXT_SIZE - length - 2)
        rest = RELOAD_TEXT_SIZE - length - 2;
    memmove(text + length + 1, text, rest);
    memcpy(text, line, length);
    text[length] = '\n';
    text[length + 1 + rest] = '\0';
}

static void answer_change(struct supervisor *s, struct supervisor_request *r, enum err result,
                          const char *news)
{
    if (r->ask == SUPERVISOR_RELOAD)
        supervisor_core_tell_news(s, SUPERVISOR_NEWS_RELOADED, news);
    r->in_force = s->acting;
    request_answer(&r->request, result);
}

/* What was asked for is in force and written down; whether it works is known only now. */
static void answer_reconnected(struct supervisor *s, struct supervisor_request *r)
{
    char reason[REASON_SIZE], line[REASON_SIZE + 128];

    if (supervisor_status_is_failing(s, reason)) {
        snprintf(line, sizeof line, "in force, but the node is not connected now: %s", reason);
        put_line_first(r->text, line);
        answer_change(s, r, ERR_UNREACHABLE, line);
        return;
    }
    if (!is_settled(s))
        put_line_first(r->text, "in force; the transports are still being taken down and up: see "
                                "'dustwire status'");
    answer_change(s, r, ERR_OK, settings_read_again);
}

void supervisor_change_answer_all(struct supervisor *s)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&s->changing)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->changing, link);
        answer_reconnected(s, CONTAINER_OF(m, struct supervisor_request, request.message));
    }
    loop_cancel_timer(s->loop, &s->change_limit);
}

static void limit_is_over(struct timer *timer, void *ctx)
{
    (void)timer;
    supervisor_change_answer_all(ctx);
}

/* With a reconnect only when the transports are up again, or have failed to come up. */
static void answer_when_settled(struct supervisor *s, struct supervisor_request *r,
                                bool needs_reconnect)
{
    if (!needs_reconnect) {
        answer_change(s, r, ERR_OK, settings_read_again);
    } else if (is_settled(s)) {
        answer_reconnected(s, r);
    } else {
        if (STAILQ_EMPTY(&s->changing))
            loop_set_timer(s->loop, &s->change_limit, CHANGE_LIMIT_MS);
        STAILQ_INSERT_TAIL(&s->changing, &r->request.message, link);
    }
}

void supervisor_change_init(struct supervisor *s)
{
    STAILQ_INIT(&s->changing);
    STAILQ_INIT(&s->waiting);
    s->change_limit = (struct timer){.fire = limit_is_over, .ctx = s};
}

/* The change. */

static void put_in_force(struct supervisor *s, const struct settings_in_force *in_force)
{
    s->in_force = *in_force;
    supervisor_gateway_overrides_act(s);
}

/* One line of the log for each of the text. */
static void log_text(enum log_level level, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        log_line(level, "settings: %.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Puts a successful change into force and emits its event. `path` is the file that it was about.
 * What the gateway's connect covers changes nothing for now. True if the transports go down and up
 * for it. */
static bool take_in(struct supervisor *s, const struct settings_in_force *after,
                    const struct settings_change *change, const char *path, const char *text)
{
    struct settings before = s->acting.settings;
    struct settings_change acting;

    if (change->is_any)
        put_in_force(s, after);
    else
        s->in_force.origins = after->origins;
    settings_compare(&before, &s->acting.settings, &acting);
    if (s->config.events != NULL)
        event_emit(s->config.events, event_new(EVENT_SETTINGS_RELOADED, NULL, path, text));
    if (acting.needs_reconnect)
        network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
    return acting.needs_reconnect;
}

/* A note if options of the gateway's connect hide what was set or read. */
static void add_covered_note(const struct supervisor *s, char text[RELOAD_TEXT_SIZE])
{
    size_t used = strlen(text);
    struct settings_change covered;

    settings_compare(&s->in_force.settings, &s->acting.settings, &covered);
    if (covered.is_any && s->wish.is_connected)
        snprintf(text + used, RELOAD_TEXT_SIZE - used,
                 "note: until its disconnect the gateway's connect goes over what the files say of "
                 "idurl, host or tcp-port\n");
}

/* The work on the files. */

/* One change under way. */
struct supervisor_change {
    struct request request; /* first: comes back, with what came of it */
    struct supervisor *supervisor;
    struct supervisor_request *asked;
    struct settings_paths paths;
    struct settings_in_force before, after;
    struct settings_change change;
};

/* In the thread of the settings' files. */
static enum err work_on_files(struct supervisor_change *c)
{
    struct supervisor_request *r = c->asked;

    if (r->ask == SUPERVISOR_SET)
        return supervisor_reload_set(r->name, r->value, &c->before, &c->after, &c->change, r->text,
                                     sizeof r->text);
    if (r->ask == SUPERVISOR_UNSET)
        return supervisor_reload_unset(r->name, &c->paths, &c->before, &c->after, &c->change,
                                       r->text, sizeof r->text);
    log_reopen();
    return supervisor_reload_read(&c->paths, &c->before, &c->after, &c->change, r->text,
                                  sizeof r->text);
}

static void take_work(struct message *m, void *owner)
{
    struct supervisor_change *c = (struct supervisor_change *)(void *)m;

    (void)owner;
    request_answer(&c->request, work_on_files(c));
}

static void log_result(const struct supervisor_request *r, enum err e)
{
    bool is_reload = r->ask == SUPERVISOR_RELOAD;

    if (e == ERR_OK)
        log_text(LOG_LEVEL_INFO, r->text);
    else
        log_text(is_reload ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, r->text);
    if (e != ERR_OK && is_reload)
        log_error("settings: not taken in, the old ones stay in force");
}

static void end_change(struct supervisor *s, const struct supervisor_change *c)
{
    struct supervisor_request *r = c->asked;
    const struct settings_origins *origins = &c->after.origins;
    bool needs_reconnect;

    if (c->request.result != ERR_OK) {
        answer_change(s, r, c->request.result, settings_are_bad);
        return;
    }
    needs_reconnect =
        take_in(s, &c->after, &c->change,
                r->ask == SUPERVISOR_RELOAD ? origins->file : origins->persisted, r->text);
    add_covered_note(s, r->text);
    answer_when_settled(s, r, needs_reconnect);
}

/* What a SET has written meanwhile stays written. */
static void end_while_stopping(struct supervisor *s, const struct supervisor_change *c)
{
    struct supervisor_request *r = c->asked;
    bool is_written = c->request.result == ERR_OK && r->ask != SUPERVISOR_RELOAD;

    put_line_first(r->text, is_written ? "written, and in force from the next start: the daemon is "
                                         "stopping"
                                       : "the daemon is stopping");
    answer_change(s, r, is_written ? ERR_OK : ERR_CLOSED, "the daemon is stopping");
}

static void begin_next(struct supervisor *s);

static void work_is_done(struct message *m, void *owner)
{
    struct supervisor_change *c = (struct supervisor_change *)(void *)m;
    struct supervisor *s = c->supervisor;

    (void)owner;
    s->change = NULL;
    log_result(c->asked, c->request.result);
    if (s->is_stopping || s->is_over)
        end_while_stopping(s, c);
    else
        end_change(s, c);
    free(c);
    begin_next(s);
}

static void begin(struct supervisor *s, struct supervisor_request *r)
{
    struct supervisor_change *c = calloc(1, sizeof *c);

    if (c == NULL) {
        snprintf(r->text, sizeof r->text,
                 "the daemon has no memory for a change of the settings\n");
        request_answer(&r->request, ERR_NO_MEMORY);
        return;
    }
    if (r->ask == SUPERVISOR_RELOAD)
        supervisor_core_tell_news(s, SUPERVISOR_NEWS_RELOADING, "reading the settings again");
    *c = (struct supervisor_change){
        .request = {.answer_to = loop_mailbox(s->loop), .on_answer = work_is_done},
        .supervisor = s,
        .asked = r,
        .paths = s->config.paths,
        .before = s->in_force};
    if (r->ask == SUPERVISOR_RELOAD)
        c->paths.persisted = c->before.origins.persisted;
    s->change = c;
    mailbox_answer(loop_mailbox(s->files), &c->request.message, take_work);
}

static void begin_next(struct supervisor *s)
{
    struct message *m;

    while (s->change == NULL && (m = STAILQ_FIRST(&s->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->waiting, link);
        s->waiting_count--;
        begin(s, CONTAINER_OF(m, struct supervisor_request, request.message));
    }
}

void supervisor_change_ask(struct supervisor *s, struct supervisor_request *r)
{
    if (s->waiting_count == WAITING_MAX) {
        snprintf(r->text, sizeof r->text,
                 "%d changes of the settings wait for their files: try again later\n",
                 (int)WAITING_MAX);
        request_answer(&r->request, ERR_FULL);
        return;
    }
    STAILQ_INSERT_TAIL(&s->waiting, &r->request.message, link);
    s->waiting_count++;
    begin_next(s);
}

void supervisor_change_refuse_waiting(struct supervisor *s)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&s->waiting)) != NULL) {
        struct supervisor_request *r = CONTAINER_OF(m, struct supervisor_request, request.message);

        STAILQ_REMOVE_HEAD(&s->waiting, link);
        snprintf(r->text, sizeof r->text, "the daemon is stopping\n");
        request_answer(&r->request, ERR_CLOSED);
    }
    s->waiting_count = 0;
}
