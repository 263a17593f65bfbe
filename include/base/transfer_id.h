/* The range of transfer ids that the daemon assigns: 1 to TRANSFER_ID_MAX. */
#ifndef BASE_TRANSFER_ID_H
#define BASE_TRANSFER_ID_H

enum { TRANSFER_ID_MAX = 99999999 };

#endif
