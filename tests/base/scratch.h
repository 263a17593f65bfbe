/* A folder of the test's own, in which it then works. */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

extern char folder[64];

void make_folder(void); /* and goes there */
void remove_folder(void);

#endif
