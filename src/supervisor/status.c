#include "supervisor/status.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "supervisor/services.h"
#include "supervisor/state_event.h"

#include <stdio.h>
#include <stdlib.h>

/* A STATUS in progress: the transports are asked for their counts one after the other. */
struct supervisor_status_job {
    struct counts_request counts;
    struct supervisor *supervisor;
    struct supervisor_request *r;
    unsigned at; /* index of the transport being asked */
};

static void fill_transports(struct supervisor *s, struct supervisor_request *r)
{
    r->transport_count = s->transport_count;
    for (unsigned i = 0; i < s->transport_count; i++) {
        const struct network_transport *t = &s->transports[i];
        struct transport_info *info = &r->transports[i];
        const struct gateway_transport *registered = t->config.registered;

        *info = (struct transport_info){.is_enabled = registered->is_enabled,
                                        .is_sending_enabled = registered->is_sending_enabled,
                                        .is_receiving_enabled = registered->is_receiving_enabled,
                                        .priority = registered->priority};
        snprintf(info->proto, sizeof info->proto, "%s", registered->row->ops->proto);
        snprintf(info->state, sizeof info->state, "%s", automat_state_name(&t->automat));
        snprintf(info->host, sizeof info->host, "%s", t->host);
        snprintf(info->last_error, sizeof info->last_error, "%s", t->last_error);
    }
}

static bool is_any_enabled(const struct supervisor *s)
{
    for (unsigned i = 0; i < s->transport_count; i++)
        if (s->transports[i].config.registered->is_enabled)
            return true;
    return false;
}

/* With no transport enabled the reason of the first one is given. */
static void explain_nothing_enabled(struct supervisor *s, char out[REASON_SIZE])
{
    char reason[REASON_SIZE];

    if (s->transport_count == 0) {
        snprintf(out, REASON_SIZE, "no transport is enabled: this program was built without one");
        return;
    }
    if (!s->overrides.is_connected) {
        snprintf(out, REASON_SIZE, "waiting for the remote gateway to call `connect`");
        return;
    }
    supervisor_services_is_transport_on(&s->acting.settings,
                                        s->transports[0].config.registered->row, reason);
    snprintf(out, REASON_SIZE, "no transport is enabled: %.*s", REASON_SIZE - 32, reason);
}

/* Gives the error of the first enabled transport whose last start failed. */
static void explain_transports(struct supervisor *s, char out[REASON_SIZE])
{
    for (unsigned i = 0; i < s->transport_count; i++) {
        const struct network_transport *t = &s->transports[i];

        if (t->config.registered->is_enabled && t->last_error[0] != '\0') {
            snprintf(out, REASON_SIZE, "%s", t->last_error);
            return;
        }
    }
    snprintf(out, REASON_SIZE, "not every enabled transport has been started");
}

void supervisor_status_reason(struct supervisor *s, char out[REASON_SIZE])
{
    const struct network_connector *n = &s->connector;

    out[0] = '\0';
    if (!is_any_enabled(s))
        explain_nothing_enabled(s, out);
    else if (n->automat.state != NETWORK_DISCONNECTED)
        return;
    else if (!n->is_network_active)
        snprintf(out, REASON_SIZE, "this machine has no network address");
    else if (n->probe_result != ERR_OK)
        snprintf(out, REASON_SIZE, "the probe address %.128s ([network] probe) was not reached: %s",
                 s->acting.settings.network.probe, err_text(n->probe_result));
    else
        explain_transports(s, out);
}

bool supervisor_status_is_failing(struct supervisor *s, char reason[REASON_SIZE])
{
    supervisor_status_reason(s, reason);
    return reason[0] != '\0' && is_any_enabled(s) && !s->is_stopping;
}

void supervisor_status_advice(struct supervisor *s, char out[REASON_SIZE])
{
    char reason[REASON_SIZE];

    supervisor_status_reason(s, reason);
    if (s->is_stopping)
        snprintf(out, REASON_SIZE,
                 "stopping: transfers have %u s to complete; new ones are rejected",
                 s->acting.settings.sessions.stop_timeout_s);
    else if (reason[0] == '\0' || !is_any_enabled(s))
        snprintf(out, REASON_SIZE, "%s", reason); /* no retry: needs the operator */
    else
        snprintf(out, REASON_SIZE, "%.*s; next retry in %u s", REASON_SIZE - 40, reason,
                 network_connector_next_round_s(&s->connector));
}

static void fill(struct supervisor *s, struct supervisor_request *r)
{
    snprintf(r->network_state, sizeof r->network_state, "%s",
             automat_state_name(&s->connector.automat));
    r->disconnects = s->connector.disconnects;
    r->is_stopping = s->is_stopping;
    r->up_us = clock_boot_us() - s->started_us;
    r->in_force = s->acting;
    fill_transports(s, r);
    supervisor_status_advice(s, r->advice);
}

static void counted(struct message *m, void *owner);

/* Asks the next transport, or answers after the last one. */
static void count_next(struct supervisor_status_job *job)
{
    struct supervisor *s = job->supervisor;
    struct supervisor_request *r = job->r;

    if (job->at < s->transport_count && !s->is_ended) {
        const struct transport_row *row = s->transports[job->at].config.registered->row;

        job->counts = (struct counts_request){
            .request = {.answer_to = loop_mailbox(s->loop), .on_answer = counted}};
        row->ops->count(row->self, &job->counts);
        return;
    }
    free(job);
    request_answer(&r->request, ERR_OK);
}

static void counted(struct message *m, void *owner)
{
    struct supervisor_status_job *job =
        CONTAINER_OF(m, struct supervisor_status_job, counts.request.message);

    (void)owner;
    job->r->transports[job->at].counts = job->counts.counts;
    job->at++;
    count_next(job);
}

void supervisor_status_answer(struct supervisor *s, struct supervisor_request *r)
{
    struct supervisor_status_job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        request_answer(&r->request, ERR_NO_MEMORY);
        return;
    }
    fill(s, r);
    job->supervisor = s;
    job->r = r;
    count_next(job);
}

void supervisor_status_answer_services(struct supervisor *s, struct supervisor_request *r)
{
    fill_transports(s, r);
    r->service_count = supervisor_services_list(r->services, &s->acting.settings,
                                                s->config.transports, r->transports);
    request_answer(&r->request, ERR_OK);
}
