/* Communication between threads: a message queue and an eventfd in the owner's event loop. A
 * message is embedded in an object (a request, a notification). Posting it passes the ownership to
 * the receiver; the sender must not access it until it is returned as a response.
 *
 * The limit applies to new requests only. A request contains the memory for its response, so a
 * response is never rejected: accepted work can always be finished. (The queue is an intrusive
 * list; the limit is a count.) */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct message;
struct mailbox;

/* Runs in the receiving thread. `owner` is the argument of mailbox_open. Takes ownership of the
 * message and the object that contains it. */
typedef void message_fn(struct message *m, void *owner);

struct message {
    STAILQ_ENTRY(message) link;
    message_fn *deliver;
};

/* A message that is returned to its sender. Embed it as the first member of the struct with the
 * request's and the response's data. */
struct request {
    struct message message;
    struct mailbox *answer_to; /* NULL: `on_answer` is called directly in the responding thread */
    message_fn *on_answer;     /* called in the requesting thread, with its mailbox's owner */
    enum err result;
};

/* Any thread. Opens a mailbox for at most `limit` queued requests. */
enum err mailbox_open(struct mailbox **out, size_t limit, void *owner);

/* After its thread exited and no thread can post any more. The mailbox must be empty (asserted).
 * NULL is a no-op. */
void mailbox_close(struct mailbox **box);

/* Any thread. Posts a request. On ERR_OK the receiver owns the message, on ERR_FULL and ERR_CLOSED
 * (mailbox_shut) still the caller. Never blocks. */
enum err mailbox_post(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. The same, queued without waking the owner until it drains the mailbox, another
 * message wakes it, or some hundreds are queued: for low-priority notifications. The order of
 * messages is kept. */
enum err mailbox_post_deferred(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. Posts a response, or a message that must not be rejected (a stop, a descriptor
 * counted by another limit). Never fails. */
void mailbox_answer(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. Posts a batch of responses, oldest first, each with its `deliver` set; they are
 * delivered together. Empties `list`. */
STAILQ_HEAD(message_list, message);
void mailbox_answer_list(struct mailbox *box, struct message_list *list, size_t count);

/* Any thread. Returns `r` to its sender, with `result`. The caller must not access it any more. */
void request_answer(struct request *r, enum err result);

/* Any thread. Number of queued messages, for status. */
size_t mailbox_waiting(struct mailbox *box);

/* Any thread. Number of messages delivered so far; increases while the owner makes progress. */
uint64_t mailbox_delivered(const struct mailbox *box);

/* Any thread. Makes mailbox_post return ERR_CLOSED from now on. Responses are still accepted. */
void mailbox_shut(struct mailbox *box);

/* Owner thread. */
int mailbox_fd(const struct mailbox *box); /* readable when messages are queued */

/* Owner thread. True: deferred messages posted from now on wake the owner at once. */
void mailbox_set_immediate(struct mailbox *box, bool is_immediate);

/* Owner thread. Delivers the messages queued at the call, oldest first, with no lock held. Returns
 * their number. */
size_t mailbox_drain(struct mailbox *box);

#endif
