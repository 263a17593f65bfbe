#include "engine/automat.h"

#include "base/contract.h"
#include "base/log.h"

#include <string.h>

void automat_init(struct automat *a, const struct automat_kind *kind, void *self)
{
    *a = (struct automat){.kind = kind, .self = self, .state = kind->first};
}

const char *automat_state_name(const struct automat *a)
{
    return a->kind->state_names[a->state];
}

static const struct automat_row *find_row(const struct automat *a, uint8_t event, const void *arg)
{
    const struct automat_kind *kind = a->kind;

    for (size_t i = 0; i < kind->row_count; i++) {
        const struct automat_row *row = &kind->rows[i];

        if (row->from == a->state && row->event == event &&
            (row->guard.holds == NULL || row->guard.holds(a->self, arg)))
            return row;
    }
    return NULL;
}

static bool step(struct automat *a, uint8_t event, const void *arg)
{
    const struct automat_kind *kind = a->kind;
    const struct automat_row *row = find_row(a, event, arg);
    uint8_t from = a->state;

    if (row == NULL) {
        log_debug("%s: %s ignored in %s", kind->name, kind->event_names[event],
                  kind->state_names[from]);
        return false;
    }
    a->state = row->to;
    log_debug("%s: %s, %s -> %s", kind->name, kind->state_names[from], kind->event_names[event],
              kind->state_names[row->to]);
    if (kind->stepped != NULL)
        kind->stepped(a->self, from, event, row->to);
    for (unsigned i = 0; i < AUTOMAT_ACTIONS_MAX && row->actions[i].run != NULL; i++)
        row->actions[i].run(a->self, arg);
    return true;
}

bool automat_feed(struct automat *a, uint8_t event, const void *arg)
{
    bool had_row;

    CONTRACT(event < a->kind->event_count);
    if (a->is_running) {
        CONTRACT(a->waiting_count < AUTOMAT_WAITING_MAX);
        a->waiting[a->waiting_count++] = event;
        return true;
    }
    a->is_running = true;
    had_row = step(a, event, arg);
    while (a->waiting_count > 0) {
        uint8_t next = a->waiting[0];

        a->waiting_count--;
        memmove(a->waiting, a->waiting + 1, a->waiting_count);
        step(a, next, NULL);
    }
    a->is_running = false;
    return had_row;
}

/* do_send_wazap -> doSendWazap */
static void print_camel(const char *name, FILE *out)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '_' && at[1] >= 'a' && at[1] <= 'z') {
            at++;
            fputc(*at - 'a' + 'A', out);
        } else if (*at == '_') {
            continue;
        } else {
            fputc(*at, out);
        }
    }
}

void automat_print_dot(const struct automat_kind *kind, FILE *out)
{
    fprintf(out, "digraph %s {\n    rankdir=LR;\n    node [shape=ellipse, fontname=\"sans\"];\n",
            kind->name);
    fprintf(out, "    edge [fontname=\"sans\", fontsize=10];\n");
    for (unsigned i = 0; i < kind->state_count; i++)
        fprintf(out, "    \"%s\"%s;\n", kind->state_names[i],
                i == kind->first  ? " [style=bold]"
                : i == kind->last ? " [peripheries=2]"
                                  : "");
    for (size_t i = 0; i < kind->row_count; i++) {
        const struct automat_row *row = &kind->rows[i];

        fprintf(out, "    \"%s\" -> \"%s\" [label=\"%s", kind->state_names[row->from],
                kind->state_names[row->to], kind->event_names[row->event]);
        if (row->guard.holds != NULL) {
            fputs("\\n[", out);
            print_camel(row->guard.name, out);
            fputc(']', out);
        }
        for (unsigned j = 0; j < AUTOMAT_ACTIONS_MAX && row->actions[j].run != NULL; j++) {
            fputs(j == 0 ? "\\n/ " : ",\\n", out);
            print_camel(row->actions[j].name, out);
        }
        fputs("\"];\n", out);
    }
    fputs("}\n", out);
}
