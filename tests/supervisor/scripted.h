/* A mock transport behind transport_ops. Its connects and disconnects are answered by the test, or
 * immediately. */
#ifndef SUPERVISOR_SCRIPTED_H
#define SUPERVISOR_SCRIPTED_H

#include "engine/automat.h"
#include "gateway/gateway.h"
#include "gateway/transport_ops.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct scripted {
    struct transport_row row;
    struct transport_ops ops;
    struct transport_start *start; /* pending */
    struct transport_stop *stop;   /* pending */
    struct send_request *send;     /* the last one */
    bool is_at_once;               /* connects and disconnects are answered immediately */
    const char *error;             /* of a failing connect; NULL: it succeeds */
    bool is_rebind_needed;
    unsigned connects, disconnects, settings_pushed;
    uint64_t grace_ms; /* of the last disconnect */
    struct settings settings;
    struct transport_counts counts;
};

static inline void scripted_answer_start(struct scripted *t)
{
    struct transport_start *start = t->start;

    cr_assert_not_null(start);
    t->start = NULL;
    snprintf(start->host, sizeof start->host, "127.0.0.1:7771");
    if (t->error != NULL)
        snprintf(start->error, sizeof start->error, "%s", t->error);
    request_answer(&start->request, t->error == NULL ? ERR_OK : ERR_BUSY);
}

static inline void scripted_answer_stop(struct scripted *t)
{
    struct transport_stop *stop = t->stop;

    cr_assert_not_null(stop);
    t->stop = NULL;
    request_answer(&stop->request, ERR_OK);
}

static inline void scripted_connect(void *self, struct transport_start *start)
{
    struct scripted *t = self;

    cr_assert(t->start == NULL && t->stop == NULL, "one request at a time");
    t->connects++;
    t->start = start;
    if (t->is_at_once)
        scripted_answer_start(t);
}

static inline void scripted_disconnect(void *self, struct transport_stop *stop)
{
    struct scripted *t = self;

    cr_assert(t->start == NULL && t->stop == NULL, "one request at a time");
    t->disconnects++;
    t->grace_ms = stop->grace_ms;
    t->stop = stop;
    if (t->is_at_once)
        scripted_answer_stop(t);
}

static inline void scripted_settings_changed(void *self, const struct settings *settings)
{
    struct scripted *t = self;

    t->settings_pushed++;
    t->settings = *settings;
}

static inline bool scripted_verify_contacts(void *self, const struct contact *contact)
{
    (void)self;
    return strcmp(contact->host, "10.0.0.2") == 0 && contact->port == 7771;
}

static inline bool scripted_is_rebind_needed(void *self)
{
    return ((struct scripted *)self)->is_rebind_needed;
}

static inline void scripted_send_file(void *self, struct send_request *r)
{
    ((struct scripted *)self)->send = r;
    r->status = GATEWAY_TRANSFER_FINISHED;
    request_answer(&r->request, ERR_OK);
}

static inline void scripted_count(void *self, struct counts_request *r)
{
    r->counts = ((struct scripted *)self)->counts;
    request_answer(&r->request, ERR_OK);
}

static inline bool scripted_is_enabled(const struct settings *s)
{
    return s->tcp_transport.is_enabled;
}

static inline bool scripted_is_need_enabled(const struct settings *s)
{
    return s->tcp_connections.is_enabled;
}

static const struct service scripted_need = {.name = "tcp_connections",
                                             .section = "services/tcp-connections",
                                             .is_enabled = scripted_is_need_enabled};
static const struct service scripted_service = {.name = "tcp_transport",
                                                .section = "services/tcp-transport",
                                                .is_enabled = scripted_is_enabled,
                                                .needs = {&scripted_need, &gateway_service}};

static inline struct transport_preferences scripted_preferences(const struct settings *s)
{
    return (struct transport_preferences){.priority = s->tcp_transport.priority,
                                          .is_sending_enabled = s->tcp_transport.is_sending_enabled,
                                          .is_receiving_enabled =
                                              s->tcp_transport.is_receiving_enabled};
}

static inline void scripted_init(struct scripted *t, const char *proto)
{
    *t = (struct scripted){.ops = {.proto = proto,
                                   .connect = scripted_connect,
                                   .disconnect = scripted_disconnect,
                                   .settings_changed = scripted_settings_changed,
                                   .is_rebind_needed = scripted_is_rebind_needed,
                                   .verify_contacts = scripted_verify_contacts,
                                   .send_file = scripted_send_file,
                                   .count = scripted_count}};
    t->row = (struct transport_row){.ops = &t->ops,
                                    .self = t,
                                    .service = &scripted_service,
                                    .preferences = scripted_preferences};
}

/* A row of docs/automata.md; "A / B" is written as two. */
struct spec_row {
    const char *from, *event, *guard, *to;
    const char *actions[AUTOMAT_ACTIONS_MAX];
};

/* do_set_up -> doSetUp; other texts are unchanged. */
static inline void spec_word(char *out, size_t room, const char *name)
{
    size_t used = 0;

    for (const char *at = name; *at != '\0' && used + 1 < room; at++) {
        if (*at == '_' && at[1] != '\0') {
            at++;
            out[used++] = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
        } else {
            out[used++] = *at;
        }
    }
    out[used] = '\0';
}

static inline void spec_check_row(const struct automat_kind *kind, const struct automat_row *row,
                                  const struct spec_row *spec)
{
    char word[64];

    cr_assert_str_eq(kind->state_names[row->from], spec->from);
    cr_assert_str_eq(kind->event_names[row->event], spec->event);
    cr_assert_str_eq(kind->state_names[row->to], spec->to);
    cr_assert_str_eq(row->guard.holds == NULL ? "" : row->guard.name, spec->guard,
                     "condition of %s, %s", spec->from, spec->event);
    for (unsigned i = 0; i < AUTOMAT_ACTIONS_MAX; i++) {
        cr_assert_eq(row->actions[i].run == NULL, spec->actions[i] == NULL, "action %u of %s, %s",
                     i, spec->from, spec->event);
        if (row->actions[i].run == NULL)
            break;
        spec_word(word, sizeof word, row->actions[i].name);
        cr_assert_str_eq(word, spec->actions[i], "action %u of %s, %s", i, spec->from, spec->event);
    }
}

static inline bool spec_has_row(const struct automat_kind *kind, unsigned state, unsigned event)
{
    for (size_t i = 0; i < kind->row_count; i++)
        if (kind->rows[i].from == state && kind->rows[i].event == event)
            return true;
    return false;
}

static inline bool spec_has_action(const struct spec_row *spec, const char *word)
{
    for (unsigned i = 0; i < AUTOMAT_ACTIONS_MAX && spec->actions[i] != NULL; i++)
        if (strcmp(spec->actions[i], word) == 0)
            return true;
    return false;
}

#endif
