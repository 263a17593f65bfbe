/* The one way from thread to thread: a queue of messages and an eventfd in the owner's poll loop. A
 * message lives inside something that its sender gives away (a request, a notice): posting is
 * giving, and the sender does not look at it again until it comes back as an answer.
 *
 * The bound holds for new work only. A request carries the room for its own answer, so an answer is
 * never refused: what has been taken in can always be finished. (The queue is a list through the
 * messages; the bound is counted, not allocated.) */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct message;
struct mailbox;

/* Runs in the receiving thread. `owner` is what the receiving mailbox was opened with. Takes over
 * the message and what it lives in. */
typedef void message_fn(struct message *m, void *owner);

struct message {
    STAILQ_ENTRY(message) link;
    message_fn *deliver;
};

/* A message that comes back. Embed it, first, in the struct with the question and the answer. */
struct request {
    struct message message;
    struct mailbox
        *answer_to; /* NULL: nobody waits, `on_answer` runs at once in the answering thread */
    message_fn *on_answer; /* runs in the asking thread, with its mailbox's owner */
    enum err result;
};

/* Any thread. Opens a box of at most `limit` messages of new work. */
enum err mailbox_open(struct mailbox **out, size_t limit, void *owner);

/* After its thread ended and nobody can post any more. What still waits in it must be none
 * (asserted). At ease with NULL. */
void mailbox_close(struct mailbox **box);

/* Any thread. New work. The message is the receiver's on ERR_OK, still the caller's on ERR_FULL and
 * ERR_CLOSED (mailbox_shut). Never waits. */
enum err mailbox_post(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. The same, but it may wait in silence until the owner looks (mailbox_drain), something
 * else rings, or some hundreds wait: for news that nobody may want. The order of all mail is kept.
 */
enum err mailbox_post_unhurried(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. For answers and for what must not be refused (a stop, a descriptor already accepted
 * by another bound): always taken. */
void mailbox_answer(struct mailbox *box, struct message *m, message_fn *deliver);

/* Any thread. Many answers at once, oldest first, each with its `deliver` set: the owner finds all
 * of them together. Empties `list`. */
STAILQ_HEAD(message_list, message);
void mailbox_answer_list(struct mailbox *box, struct message_list *list, size_t count);

/* Any thread. Sends `r` back to whoever asked, with `result`. The answering side never looks at it
 * again. */
void request_answer(struct request *r, enum err result);

/* Any thread. Number of messages that wait now, for status. */
size_t mailbox_waiting(struct mailbox *box);

/* Any thread. Messages delivered so far: it grows as long as the owner makes progress. */
uint64_t mailbox_delivered(const struct mailbox *box);

/* Any thread; from then on mailbox_post answers ERR_CLOSED. Answers still pass. */
void mailbox_shut(struct mailbox *box);

/* Owner thread. */
int mailbox_fd(const struct mailbox *box); /* readable when something waits */

/* Owner thread. Whether unhurried mail that comes from now on rings as any other; what waits
 * already does not. */
void mailbox_set_hurried(struct mailbox *box, bool is_hurried);

/* Owner thread. Delivers every message that waited at the call, oldest first, with no lock held.
 * Returns how many. */
size_t mailbox_drain(struct mailbox *box);

#endif
