#include "supervisor/change.h"

#include "base/log.h"
#include "supervisor/gateway_overrides.h"
#include "supervisor/reload.h"
#include "supervisor/state_event.h"
#include "supervisor/status.h"

#include <stdio.h>
#include <string.h>

enum { CHANGE_LIMIT_MS = 20000 };

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

static void end_change(struct supervisor *s, struct supervisor_request *r, enum err e,
                       const struct settings_in_force *after, const struct settings_change *change,
                       const char *path)
{
    bool needs_reconnect;

    if (e != ERR_OK) {
        answer_change(s, r, e, settings_are_bad);
        return;
    }
    needs_reconnect = take_in(s, after, change, path, r->text);
    add_covered_note(s, r->text);
    answer_when_settled(s, r, needs_reconnect);
}

void supervisor_change_reload(struct supervisor *s, struct supervisor_request *r)
{
    const struct settings_paths paths = {.file = s->config.paths.file,
                                         .own = s->in_force.origins.own,
                                         .is_own_from_command_line =
                                             s->config.paths.is_own_from_command_line};
    struct settings_in_force after;
    struct settings_change change;
    enum err e;

    supervisor_core_tell_news(s, SUPERVISOR_NEWS_RELOADING, "reading the settings again");
    log_reopen();
    e = supervisor_reload_read(&paths, &s->in_force, &after, &change, r->text, sizeof r->text);
    log_text(e == ERR_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, r->text);
    if (e != ERR_OK)
        log_error("settings: not taken in, the old ones stay in force");
    end_change(s, r, e, &after, &change, after.origins.file);
}

static void end_set(struct supervisor *s, struct supervisor_request *r, enum err e,
                    const struct settings_in_force *after, const struct settings_change *change)
{
    log_text(e == ERR_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, r->text);
    end_change(s, r, e, after, change, after->origins.own);
}

/* Writes to the disk in this thread: it is rare, and what follows has to wait for it anyway. */
void supervisor_change_set(struct supervisor *s, struct supervisor_request *r)
{
    struct settings_in_force after;
    struct settings_change change;
    enum err e = supervisor_reload_set(r->name, r->value, &s->in_force, &after, &change, r->text,
                                       sizeof r->text);

    end_set(s, r, e, &after, &change);
}

void supervisor_change_unset(struct supervisor *s, struct supervisor_request *r)
{
    struct settings_in_force after;
    struct settings_change change;
    enum err e = supervisor_reload_unset(r->name, &s->config.paths, &s->in_force, &after, &change,
                                         r->text, sizeof r->text);

    end_set(s, r, e, &after, &change);
}
