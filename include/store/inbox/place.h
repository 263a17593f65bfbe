/* Detects that the inbox was moved, replaced, or became unwritable. */
#ifndef STORE_INBOX_PLACE_H
#define STORE_INBOX_PLACE_H

#include "base/err.h"
#include "settings/settings.h"

#include <stddef.h>

struct inbox;

/* Any thread. Returns the error for which files are refused: the path of the inbox no longer names
 * the directory that was opened, or it cannot be written. `to` receives a sentence with what to do;
 * "" and ERR_OK if there is no fault. State as of the last commit, or at most one second old. */
enum { INBOX_FAULT_SIZE = SETTINGS_TEXT_SIZE + 256 };
enum err inbox_place_fault(const struct inbox *inbox, char *to, size_t room);

/* The functions below are for the store only. */

/* Called at the end of inbox_open. */
void inbox_place_open(struct inbox *inbox);

/* Any thread. Compares the inbox and its .dustwire with what was opened; two stat calls.
 * ERR_NO_INBOX: at least one differs, so new files would not be found under the configured path;
 * ERR_DENIED: they cannot be checked. */
enum err inbox_place_check_folders(struct inbox *inbox);

/* Any thread. Records that creating a file there failed with `e`. */
void inbox_place_note_error(struct inbox *inbox, enum err e);

/* Any thread. The reason to refuse new files, or ERR_OK. A read-only file system is not reported
 * here: each file fails by itself, so that one transient EROFS does not refuse others. */
enum err inbox_place_refusal(const struct inbox *inbox);

/* Committer's second thread. Checks everything, clears a fault that has ended, and recreates the
 * lock file and the second directory of partial files. */
enum err inbox_place_check(struct inbox *inbox);

#endif
