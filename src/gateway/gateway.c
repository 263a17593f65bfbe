#include "gateway/gateway.h"

#include "base/contract.h"
#include "base/text.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gateway {
    unsigned count;
    struct gateway_transport transports[GATEWAY_TRANSPORTS_MAX];
    struct gateway_builtin *builtin;
    struct gateway_binding builtin_binding,
        other_binding; /* each written once, before it is published */
    /* Atomic: any thread reads it for each file while `init` can switch to another gateway. The
     * bindings are immutable and outlive the threads. */
    const struct gateway_binding *_Atomic current;
};

enum err gateway_open(struct gateway **out, struct event_sink *events)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    enum err e;

    if (gateway == NULL)
        return ERR_NO_MEMORY;
    e = gateway_builtin_open(&gateway->builtin, events);
    if (e != ERR_OK) {
        gateway_close(&gateway);
        return e;
    }
    gateway->builtin_binding =
        (struct gateway_binding){.ops = &gateway_builtin_ops, .self = gateway->builtin};
    atomic_init(&gateway->current, &gateway->builtin_binding);
    *out = gateway;
    return ERR_OK;
}

void gateway_close(struct gateway **gateway)
{
    if (*gateway == NULL)
        return;
    gateway_builtin_close(&(*gateway)->builtin);
    free(*gateway);
    *gateway = NULL;
}

enum err gateway_add(struct gateway *gateway, const struct transport_row *row)
{
    if (gateway_find(gateway, row->ops->proto) != NULL)
        return ERR_EXISTS;
    if (gateway->count == GATEWAY_TRANSPORTS_MAX)
        return ERR_FULL;
    gateway->transports[gateway->count++] = (struct gateway_transport){.row = row, .priority = 1};
    return ERR_OK;
}

void gateway_set(struct gateway *gateway, const struct gateway_ops *ops, void *self)
{
    struct gateway_binding *binding = &gateway->other_binding;

    if (binding->ops == NULL)
        *binding = (struct gateway_binding){.ops = ops, .self = self};
    CONTRACT(binding->ops == ops && binding->self == self);
    atomic_store(&gateway->current, binding);
}

const struct gateway_binding *gateway_current(struct gateway *gateway)
{
    return atomic_load(&gateway->current);
}

enum err gateway_register(struct gateway *gateway, struct gateway_transfer *t)
{
    const struct gateway_binding *binding =
        t->binding != NULL ? t->binding : gateway_current(gateway);

    t->binding = binding;
    return t->is_sending ? binding->ops->register_file_sending(binding->self, t)
                         : binding->ops->register_file_receiving(binding->self, t);
}

void gateway_registered(struct gateway_transfer *t)
{
    t->transfer_id = t->registration.transfer_id;
    t->is_registered = t->registration.is_registered;
    t->instance = t->registration.instance;
}

static const struct gateway_binding *binding_of(struct gateway *gateway,
                                                const struct gateway_transfer *t)
{
    return t->binding != NULL ? t->binding : gateway_current(gateway);
}

enum err gateway_receiving_ended(struct gateway *gateway, struct gateway_transfer *t)
{
    const struct gateway_binding *binding = binding_of(gateway, t);

    return binding->ops->receiving_ended(binding->self, t);
}

void gateway_sending_ended(struct gateway *gateway, struct gateway_transfer *t)
{
    const struct gateway_binding *binding = binding_of(gateway, t);

    binding->ops->sending_ended(binding->self, t);
}

void gateway_describe_send(struct gateway_transfer *t, const struct send_request *send)
{
    t->is_sending = true;
    t->binding = send->binding;
    t->is_single = send->is_single;
    t->request_id = send->id;
    t->asked_host = send->asked_host;
    t->filename = send->filename;
    t->description = send->description;
}

uint32_t gateway_remote_id(const struct gateway_transfer *t)
{
    return t->is_registered && t->instance != 0 ? t->transfer_id : 0;
}

bool gateway_is_full(struct gateway *gateway)
{
    const struct gateway_binding *binding = gateway_current(gateway);

    return binding->ops->is_full(binding->self);
}

unsigned gateway_count(const struct gateway *gateway)
{
    return gateway->count;
}

struct gateway_transport *gateway_transport_at(struct gateway *gateway, unsigned index)
{
    CONTRACT(index < gateway->count);
    return &gateway->transports[index];
}

struct gateway_transport *gateway_find(struct gateway *gateway, const char *proto)
{
    for (unsigned i = 0; i < gateway->count; i++)
        if (strcmp(gateway->transports[i].row->ops->proto, proto) == 0)
            return &gateway->transports[i];
    return NULL;
}

/* The peer's contacts in the given order. */
struct contact_list {
    unsigned count;
    struct contact contacts[GATEWAY_CONTACTS_MAX];
};

static enum err contact_rejected(const char *text, size_t length, char error[REASON_SIZE])
{
    const char *advice = contact_advice(text, length);
    char shown[100];

    text_escape(shown, sizeof shown, text, length, false);
    snprintf(error, REASON_SIZE, "invalid contact '%s': %s", shown,
             advice != NULL ? advice
                            : "expected [PROTO://]HOST:PORT, an IPv6 address in brackets, the port "
                              "from 1 to 65535");
    return ERR_INVALID;
}

/* One invalid contact rejects the whole list: skipping it could send the file to a host that the
 * caller does not expect. */
static enum err contacts_parse(struct contact_list *list, const char *text, char error[REASON_SIZE])
{
    static const char separators[] = ", \t\r\n";
    char one[CONTACT_TEXT_SIZE];

    list->count = 0;
    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        size_t length = strcspn(text, separators);

        if (list->count == GATEWAY_CONTACTS_MAX) {
            snprintf(error, REASON_SIZE, "too many contacts: the maximum is %d",
                     (int)GATEWAY_CONTACTS_MAX);
            return ERR_INVALID;
        }
        if (length >= sizeof one)
            return contact_rejected(text, length, error);
        memcpy(one, text, length);
        one[length] = '\0';
        if (contact_parse(&list->contacts[list->count], one) != ERR_OK)
            return contact_rejected(text, length, error);
        list->count++;
        text += length;
    }
    if (list->count > 0)
        return ERR_OK;
    snprintf(error, REASON_SIZE, "missing contact: expected [PROTO://]HOST:PORT");
    return ERR_INVALID;
}

static const struct contact *first_of(const struct contact_list *list, const char *proto)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->contacts[i].proto, proto) == 0)
            return &list->contacts[i];
    return NULL;
}

static bool is_ready(const struct gateway_transport *t)
{
    return t->is_enabled && t->is_listening;
}

/* The usable transport with a contact and the best priority (1 is the highest; a tie: the first
 * added). */
static struct gateway_transport *best_of(struct gateway *gateway, const struct contact_list *list,
                                         bool must_send)
{
    struct gateway_transport *best = NULL;

    for (unsigned i = 0; i < gateway->count; i++) {
        struct gateway_transport *t = &gateway->transports[i];

        if (!is_ready(t) || (must_send && !t->is_sending_enabled) ||
            first_of(list, t->row->ops->proto) == NULL)
            continue;
        if (best == NULL || t->priority < best->priority)
            best = t;
    }
    return best;
}

/* The transport with a contact and the best priority, if all of these are disabled; else NULL. */
static const struct gateway_transport *all_off(struct gateway *gateway,
                                               const struct contact_list *list)
{
    const struct gateway_transport *best = NULL;

    for (unsigned i = 0; i < gateway->count; i++) {
        const struct gateway_transport *t = &gateway->transports[i];

        if (first_of(list, t->row->ops->proto) == NULL)
            continue;
        if (t->is_enabled)
            return NULL;
        if (best == NULL || t->priority < best->priority)
            best = t;
    }
    return best;
}

/* Appends ", word" or "word" if it fits; a truncated list ends in "...". */
static void list_add(char *list, size_t size, const char *word)
{
    size_t used = strlen(list), left = size - used;
    size_t need = strlen(word) + (used > 0 ? 2 : 0) + sizeof ", ...";

    if (need <= left)
        snprintf(list + used, left, "%s%s", used > 0 ? ", " : "", word);
    else if (used > 0 && left >= sizeof ", ..." && list[used - 1] != '.')
        snprintf(list + used, left, ", ...");
}

static void explain_nothing_in_common(struct gateway *gateway, const struct contact_list *list,
                                      char error[REASON_SIZE])
{
    char theirs[80] = "", ours[110] = "", word[64];

    for (unsigned i = 0; i < list->count; i++)
        if (first_of(list, list->contacts[i].proto) == &list->contacts[i])
            list_add(theirs, sizeof theirs, list->contacts[i].proto);
    for (unsigned i = 0; i < gateway->count; i++) {
        const struct gateway_transport *t = &gateway->transports[i];

        snprintf(word, sizeof word, "%s (%s)", t->row->ops->proto,
                 !t->is_enabled        ? "switched off"
                 : t->state[0] != '\0' ? t->state
                 : t->is_listening     ? "LISTENING"
                                       : "not listening");
        list_add(ours, sizeof ours, word);
    }
    snprintf(error, REASON_SIZE, "no transport in common: the contacts offer %s, this node has %s",
             theirs, ours[0] == '\0' ? "none" : ours);
}

/* Sets `error` to the reason why no contact can be used. */
static enum err explain_no_transport(struct gateway *gateway, const struct contact_list *list,
                                     char error[REASON_SIZE])
{
    const struct gateway_transport *t = best_of(gateway, list, false);

    if (t != NULL) {
        snprintf(error, REASON_SIZE,
                 "sending over %s is switched off: set sending-enabled = true in "
                 "[services/%s-transport]",
                 t->row->ops->proto, t->row->ops->proto);
        return ERR_DISABLED;
    }
    if ((t = all_off(gateway, list)) != NULL) {
        snprintf(error, REASON_SIZE, "%s is off on this node: %.200s", t->row->ops->proto,
                 t->off_reason);
        return ERR_DISABLED;
    }
    explain_nothing_in_common(gateway, list, error);
    return ERR_NOT_FOUND;
}

enum err gateway_choose(struct gateway *gateway, const char *contacts,
                        struct gateway_transport **chosen, struct contact *contact,
                        char error[REASON_SIZE])
{
    struct contact_list list;
    struct gateway_transport *best;
    enum err e = contacts_parse(&list, contacts, error);

    if (e != ERR_OK)
        return e;
    best = best_of(gateway, &list, true);
    if (best != NULL) {
        *chosen = best;
        *contact = *first_of(&list, best->row->ops->proto);
        error[0] = '\0';
        return ERR_OK;
    }
    return explain_no_transport(gateway, &list, error);
}
