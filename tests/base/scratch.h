/* A folder of the test's own, in which it then works. */
#ifndef TESTS_BASE_SCRATCH_H
#define TESTS_BASE_SCRATCH_H

extern char folder[64];

void make_folder(void); /* and goes there */
void remove_folder(void);

#endif
