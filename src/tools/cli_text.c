#include "tools/cli_text.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1000000, BAR_MOST = 30, BAR_LEAST = 10 };

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

static enum err duration_before(int64_t *out_us, const char *text, int64_t now_us)
{
    size_t length = strlen(text);
    char digits[16];
    int64_t unit, seconds;
    uint64_t amount;

    if (length < 2 || length > sizeof digits || (unit = unit_seconds(text[length - 1])) == 0)
        return ERR_INVALID;
    memcpy(digits, text, length - 1);
    digits[length - 1] = '\0';
    if (text_to_u64(&amount, digits, INT32_MAX) != ERR_OK)
        return ERR_INVALID;
    seconds = (int64_t)amount * unit;
    *out_us = seconds > now_us / US_PER_S ? 0 : now_us - seconds * US_PER_S;
    return ERR_OK;
}

enum err cli_since(int64_t *out_us, const char *text, int64_t now_us)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

    if (duration_before(out_us, text, now_us) == ERR_OK)
        return ERR_OK;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm when = {.tm_isdst = 0};
        const char *end = strptime(text, forms[i], &when);

        if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0))
            continue;
        *out_us = (int64_t)timegm(&when) * US_PER_S;
        return *out_us < 0 ? ERR_INVALID : ERR_OK;
    }
    return ERR_INVALID;
}

const char *cli_duration(char out[CLI_DURATION_ROOM], double seconds)
{
    unsigned long long whole =
        seconds < 0 || seconds > 1e9 ? 0 : (unsigned long long)(seconds + 0.5);

    if (whole < 60)
        snprintf(out, CLI_DURATION_ROOM, "%llu s", whole);
    else if (whole < 3600)
        snprintf(out, CLI_DURATION_ROOM, "%llu:%02llu", whole / 60, whole % 60);
    else
        snprintf(out, CLI_DURATION_ROOM, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60,
                 whole % 60);
    return out;
}

static unsigned percent(const struct cli_progress *p)
{
    if (p->total_bytes == 0)
        return p->total_files == 0 || p->done_files < p->total_files ? 0 : 100;
    if (p->done_bytes >= p->total_bytes)
        return 100;
    return (unsigned)((double)p->done_bytes * 100.0 / (double)p->total_bytes);
}

static void progress_words(char *out, size_t room, const struct cli_progress *p)
{
    char done[TEXT_SIZE_ROOM], total[TEXT_SIZE_ROOM], speed[TEXT_SIZE_ROOM];
    char left[CLI_DURATION_ROOM] = "", files[48] = "";

    if (p->bytes_per_second >= 1 && p->done_bytes < p->total_bytes)
        cli_duration(left, (double)(p->total_bytes - p->done_bytes) / p->bytes_per_second);
    if (p->total_files > 1)
        snprintf(files, sizeof files, "  %u/%u files", p->done_files, p->total_files);
    snprintf(out, room, "%3u%%  %s of %s  %s/s%s%s%s%s", percent(p), text_size(done, p->done_bytes),
             text_size(total, p->total_bytes), text_size(speed, (uint64_t)p->bytes_per_second),
             left[0] == '\0' ? "" : "  ", left, left[0] == '\0' ? "" : " left", files);
}

void cli_progress_line(char *out, size_t room, unsigned columns, const struct cli_progress *p)
{
    char words[192], bar[BAR_MOST + 1];
    size_t width, length, filled;

    if (columns + 1 < room)
        room = columns + 1;
    progress_words(words, sizeof words, p);
    length = strlen(words);
    if (length + BAR_LEAST + 3 >= room) {
        snprintf(out, room, "%s", words);
        return;
    }
    width = room - 1 - length - 3;
    if (width > BAR_MOST)
        width = BAR_MOST;
    filled = width * percent(p) / 100;
    memset(bar, '#', filled);
    memset(bar + filled, '.', width - filled);
    bar[width] = '\0';
    snprintf(out, room, "[%s] %s", bar, words);
}

void cli_print_one_line(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool is_c1 = at[0] == 0xC2 && at[1] >= 0x80 && at[1] <= 0x9F;

        if (is_c1) {
            fprintf(out, "%%%02X%%%02X", at[0], at[1]);
            at++;
        } else if (*at < 0x20 || *at == 0x7F) {
            fprintf(out, "%%%02X", *at);
        } else {
            fputc(*at, out);
        }
    }
}

void cli_table_init(struct cli_table *table, const char *const *headers, size_t columns)
{
    *table = (struct cli_table){.headers = headers, .columns = columns};
}

void cli_table_add(struct cli_table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list list;

    if (table->count == table->room) {
        size_t room = table->room == 0 ? 64 : table->room * 2;
        char **cells = realloc(table->cells, room * sizeof *cells);

        if (cells == NULL) {
            table->is_broken = 1;
            return;
        }
        table->cells = cells;
        table->room = room;
    }
    va_start(list, format);
    if (vasprintf(&cell, format, list) < 0)
        cell = NULL;
    va_end(list);
    if (cell == NULL)
        table->is_broken = 1;
    else
        table->cells[table->count++] = cell;
}

static bool is_right(const struct cli_table *table, size_t column)
{
    return table->headers[column][0] == '>';
}

static const char *header(const struct cli_table *table, size_t column)
{
    return table->headers[column] + is_right(table, column);
}

/* Characters, not bytes: the ones that begin a UTF-8 sequence. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int column_width(const struct cli_table *table, size_t column)
{
    int width = width_of(header(table, column));

    for (size_t i = column; i < table->count; i += table->columns)
        if (width_of(table->cells[i]) > width)
            width = width_of(table->cells[i]);
    return width;
}

static void print_cell(const struct cli_table *table, size_t column, const char *text, int width,
                       FILE *out)
{
    int space = width - width_of(text);
    bool is_last = column + 1 == table->columns;

    if (is_right(table, column))
        fprintf(out, "%*s%s", space, "", text);
    else
        fprintf(out, "%s%*s", text, is_last ? 0 : space, "");
    fputs(is_last ? "\n" : "  ", out);
}

void cli_table_print(const struct cli_table *table, FILE *out)
{
    int *widths = calloc(table->columns, sizeof *widths);

    if (widths == NULL || table->is_broken) {
        fputs("dustwire: not enough memory for the table\n", stderr);
        free(widths);
        return;
    }
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, i, header(table, i), widths[i], out);
    for (size_t i = 0; i < table->count; i++)
        print_cell(table, i % table->columns, table->cells[i], widths[i % table->columns], out);
    free(widths);
}

void cli_table_fini(struct cli_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->count = table->room = 0;
}
