#include "cli/format.h"

#include "base/text.h"
#include "cli/terminal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1000000, BAR_MAX = 30, BAR_MIN = 10 };

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

/* Matches a form such as "dddd-dd-dd": 'd' is a digit, other characters are literal. Returns the
 * text after the match, or NULL. */
static const char *match(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        bool is_digit = *text >= '0' && *text <= '9';

        if (*form == 'd' ? !is_digit : *text != *form)
            return NULL;
    }
    return text;
}

/* timegm normalizes 30 February to 2 March: a valid time is returned unchanged. */
static enum err time_of(int64_t *out_us, struct tm written)
{
    struct tm when = written;
    time_t seconds = timegm(&when);

    if (seconds < 0 || when.tm_year != written.tm_year || when.tm_mon != written.tm_mon ||
        when.tm_mday != written.tm_mday || when.tm_hour != written.tm_hour ||
        when.tm_min != written.tm_min || when.tm_sec != written.tm_sec)
        return ERR_INVALID;
    *out_us = (int64_t)seconds * US_PER_S;
    return ERR_OK;
}

enum err cli_since(int64_t *out_us, const char *text, int64_t now_us)
{
    static const char *const forms[][2] = {{"dddd-dd-ddTdd:dd:dd", "%Y-%m-%dT%H:%M:%S"},
                                           {"dddd-dd-ddTdd:dd", "%Y-%m-%dT%H:%M"},
                                           {"dddd-dd-dd", "%Y-%m-%d"}};

    if (duration_before(out_us, text, now_us) == ERR_OK)
        return ERR_OK;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm when = {.tm_isdst = 0};
        const char *end = match(text, forms[i][0]);

        if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0))
            continue;
        return strptime(text, forms[i][1], &when) == end ? time_of(out_us, when) : ERR_INVALID;
    }
    return ERR_INVALID;
}

const char *cli_duration(char out[CLI_DURATION_SIZE], double seconds)
{
    unsigned long long whole =
        seconds < 0 || seconds > 1e9 ? 0 : (unsigned long long)(seconds + 0.5);

    if (whole < 60)
        snprintf(out, CLI_DURATION_SIZE, "%llu s", whole);
    else if (whole < 3600)
        snprintf(out, CLI_DURATION_SIZE, "%llu:%02llu", whole / 60, whole % 60);
    else
        snprintf(out, CLI_DURATION_SIZE, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60,
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

/* The fields, in the order in which they are added as the line gets wider, and their maximum
 * widths: those decide what fits, so that no field appears or disappears as numbers change. */
enum field { FIELD_PERCENT, FIELD_LEFT, FIELD_BAR, FIELD_SPEED, FIELD_FILES, FIELD_SIZES, FIELDS };
enum { BETWEEN = 2, FIELD_SIZE = 64, LEFT_WIDTH = 14, SPEED_WIDTH = 12, BYTES_WIDTH = 10 };

static void words_left(char out[FIELD_SIZE], const struct cli_progress *p)
{
    char left[CLI_DURATION_SIZE];

    out[0] = '\0';
    if (p->is_waiting) {
        snprintf(out, FIELD_SIZE, "waiting for ok");
    } else if (p->bytes_per_second >= 1 && p->done_bytes < p->total_bytes) {
        cli_duration(left, (double)(p->total_bytes - p->done_bytes) / p->bytes_per_second);
        snprintf(out, FIELD_SIZE, "%s left", left);
    }
}

static void progress_words(char words[FIELDS][FIELD_SIZE], const struct cli_progress *p)
{
    char done[TEXT_SIZE_ROOM], total[TEXT_SIZE_ROOM], speed[TEXT_SIZE_ROOM];

    snprintf(words[FIELD_PERCENT], FIELD_SIZE, "%3u%%", percent(p));
    words_left(words[FIELD_LEFT], p);
    words[FIELD_BAR][0] = '\0';
    snprintf(words[FIELD_SPEED], FIELD_SIZE, "%s/s",
             text_size(speed, p->bytes_per_second < 0 ? 0 : (uint64_t)p->bytes_per_second));
    words[FIELD_FILES][0] = '\0';
    if (p->total_files > 1)
        snprintf(words[FIELD_FILES], FIELD_SIZE, "%u/%u files", p->done_files, p->total_files);
    snprintf(words[FIELD_SIZES], FIELD_SIZE, "%s of %s", text_size(done, p->done_bytes),
             text_size(total, p->total_bytes));
}

static size_t max_width(enum field field, const struct cli_progress *p)
{
    char text[FIELD_SIZE], size[TEXT_SIZE_ROOM];

    switch (field) {
    case FIELD_PERCENT:
        return 4;
    case FIELD_LEFT:
        return LEFT_WIDTH;
    case FIELD_BAR:
        return BAR_MIN + 2;
    case FIELD_SPEED:
        return SPEED_WIDTH;
    case FIELD_FILES:
        return p->total_files <= 1 ? 0
                                   : (size_t)snprintf(text, sizeof text, "%u/%u files",
                                                      p->total_files, p->total_files);
    default:
        return BYTES_WIDTH + strlen(" of ") + strlen(text_size(size, p->total_bytes));
    }
}

/* Chooses the fields that fit; returns their total width. After the first field that does not fit,
 * no further ones are chosen. */
static size_t choose_fields(bool chosen[FIELDS], const struct cli_progress *p, size_t columns)
{
    bool is_full = false;
    size_t used = 0;

    for (enum field f = 0; f < FIELDS; f++) {
        size_t width = max_width(f, p), more = width == 0 ? 0 : width + (used > 0 ? BETWEEN : 0);

        is_full = is_full || used + more > columns;
        chosen[f] = width > 0 && !is_full;
        used += chosen[f] ? more : 0;
    }
    return used;
}

static void draw_bar(char out[FIELD_SIZE], size_t width, const struct cli_progress *p)
{
    size_t filled = width * percent(p) / 100;

    out[0] = '[';
    memset(out + 1, '#', filled);
    memset(out + 1 + filled, '.', width - filled);
    out[1 + width] = ']';
    out[2 + width] = '\0';
}

void cli_progress_line(char *out, size_t size, unsigned columns, const struct cli_progress *p)
{
    static const enum field order[FIELDS] = {FIELD_BAR,   FIELD_PERCENT, FIELD_SIZES,
                                             FIELD_SPEED, FIELD_LEFT,    FIELD_FILES};
    char words[FIELDS][FIELD_SIZE];
    size_t end = 0, used, width;
    bool chosen[FIELDS];

    if (columns + 1 < size)
        size = columns + 1;
    progress_words(words, p);
    used = choose_fields(chosen, p, size - 1);
    if (chosen[FIELD_BAR]) {
        width = BAR_MIN + (size - 1 - used);
        draw_bar(words[FIELD_BAR], width < BAR_MAX ? width : BAR_MAX, p);
    }
    out[0] = '\0';
    for (size_t i = 0; i < FIELDS; i++)
        if (chosen[order[i]] && words[order[i]][0] != '\0')
            end += (size_t)snprintf(out + end, size - end, "%*s%s", end > 0 ? (int)BETWEEN : 0, "",
                                    words[order[i]]);
}

void cli_table_init(struct cli_table *table, const char *const *headers, size_t columns)
{
    *table = (struct cli_table){.headers = headers, .columns = columns};
    table->cells = open_memstream(&table->text, &table->length);
    table->is_broken = table->cells == NULL;
}

void cli_table_add(struct cli_table *table, const char *format, ...)
{
    va_list list;

    if (table->is_broken)
        return;
    va_start(list, format);
    table->is_broken = vfprintf(table->cells, format, list) < 0 || putc('\0', table->cells) == EOF;
    va_end(list);
    table->count++;
}

static bool is_right(const struct cli_table *table, size_t column)
{
    return table->headers[column][0] == '>';
}

static const char *header(const struct cli_table *table, size_t column)
{
    return table->headers[column] + is_right(table, column);
}

/* Counts characters: bytes that begin a UTF-8 sequence. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char *behind(const char *cell)
{
    return cell + strlen(cell) + 1;
}

static void measure_columns(int *widths, const struct cli_table *table, const char *cell)
{
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = width_of(header(table, i));
    for (size_t i = 0; i < table->count; i++, cell = behind(cell)) {
        int width = width_of(cell);

        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
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

static bool write_escaped(FILE *out, const char *cell)
{
    char *line = cli_terminal_line(cell);
    bool is_written = line != NULL && fputs(line, out) != EOF && putc('\0', out) != EOF;

    free(line);
    return is_written;
}

/* malloc; NULL if out of memory. */
static char *escape_cells(const struct cli_table *table)
{
    const char *cell = table->text;
    size_t length = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &length);
    bool is_whole = out != NULL;

    for (size_t i = 0; i < table->count && is_whole; i++, cell = behind(cell))
        is_whole = write_escaped(out, cell);
    if (out != NULL && fclose(out) == 0 && is_whole)
        return text;
    free(text);
    return NULL;
}

static void print_cells(const struct cli_table *table, const int *widths, const char *cell,
                        FILE *out)
{
    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, i, header(table, i), widths[i], out);
    for (size_t i = 0; i < table->count; i++, cell = behind(cell))
        print_cell(table, i % table->columns, cell, widths[i % table->columns], out);
}

void cli_table_print(struct cli_table *table, FILE *out, bool is_terminal)
{
    int *widths = calloc(table->columns, sizeof *widths);
    char *escaped = NULL;

    table->is_broken = table->is_broken || fflush(table->cells) != 0;
    if (is_terminal && !table->is_broken)
        table->is_broken = (escaped = escape_cells(table)) == NULL;
    if (widths == NULL || table->is_broken) {
        fputs("dustwire: out of memory\n", stderr);
    } else {
        const char *cells = escaped == NULL ? table->text : escaped;

        measure_columns(widths, table, cells);
        print_cells(table, widths, cells, out);
    }
    free(escaped);
    free(widths);
}

void cli_table_fini(struct cli_table *table)
{
    if (table->cells != NULL)
        fclose(table->cells);
    free(table->text);
    *table = (struct cli_table){.columns = 0};
}
