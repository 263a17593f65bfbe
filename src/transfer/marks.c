/* A mark per frame would be thousands: when the array is full, every second mark is removed and the
 * spacing of new ones is doubled. */
#include "transfer/marks.h"

#include <string.h>

static void thin_out(struct transfer_marks *m)
{
    for (unsigned i = 0; i < TRANSFER_MARKS_MAX / 2; i++)
        m->marks[i] = m->marks[2 * i + 1];
    m->count = TRANSFER_MARKS_MAX / 2;
    m->spacing_bytes =
        m->spacing_bytes == 0 ? m->marks[1].bytes - m->marks[0].bytes : 2 * m->spacing_bytes;
}

static uint32_t last_bytes(const struct transfer_marks *m)
{
    return m->count == 0 ? m->passed_bytes : m->marks[m->count - 1].bytes;
}

void transfer_marks_add(struct transfer_marks *m, uint64_t at, uint32_t bytes, bool is_last)
{
    if (!is_last && bytes - last_bytes(m) < m->spacing_bytes)
        return;
    if (m->count == TRANSFER_MARKS_MAX)
        thin_out(m);
    m->marks[m->count++] = (struct transfer_mark){at, bytes};
}

uint32_t transfer_marks_passed(struct transfer_marks *m, uint64_t at)
{
    unsigned passed = 0;

    while (passed < m->count && m->marks[passed].at <= at)
        passed++;
    if (passed == 0)
        return m->passed_bytes;
    m->passed_bytes = m->marks[passed - 1].bytes;
    m->count -= passed;
    memmove(m->marks, m->marks + passed, m->count * sizeof *m->marks);
    if (m->count < TRANSFER_MARKS_MAX / 4)
        m->spacing_bytes = 0;
    return m->passed_bytes;
}
