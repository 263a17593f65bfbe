#include "store/journal/record.h"

#include "base/contract.h"
#include "base/text.h"
#include "store/name.h"

#include <string.h>
#include <zlib.h>

/* Numbers are formatted by hand: this runs for every received file, and printf would cost more than
 * the rest of the record. */

/* Fields of a file record. Those added later, gateway id and then proto, can be missing. */
enum { FIELDS_LEAST = 10, FIELDS_WITH_GATEWAY, FIELDS_MAX };
enum { CRC_DIGITS = 8, LINE_TAIL = 1 + CRC_DIGITS + 1 };

static const char header_word[] = "dustwire-journal";
static const char only_proto[] = "tcp"; /* for records without a proto */

static const char kind_letters[] = {
    [JOURNAL_RECORD_HEADER] = 'H', [JOURNAL_RECORD_FILE] = 'F', [JOURNAL_RECORD_REPORTED] = 'R',
    [JOURNAL_RECORD_VOID] = 'V',   [JOURNAL_RECORD_IDS] = 'I',  [JOURNAL_RECORD_SETTLED] = 'S',
};

static bool is_proto_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/* The syntax of protocols in contacts, so it needs no escaping. Unknown protocols are valid:
 * reports of a transport that this daemon does not have stay unreported. */
static bool is_proto(const char *text)
{
    size_t length = 0;

    while (length < JOURNAL_FILE_PROTO_SIZE && is_proto_letter(text[length]))
        length++;
    return length > 0 && length < JOURNAL_FILE_PROTO_SIZE && text[length] == '\0' &&
           text[0] >= 'a' && text[0] <= 'z';
}

static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);

    *at++ = '\t';
    memcpy(at, text, length); /* NOLINT(bugprone-not-null-terminated-result): more fields follow */
    return at + length;
}

static char *put_digits(char *at, uint64_t value)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_number(char *at, uint64_t value)
{
    *at++ = '\t';
    return put_digits(at, value);
}

/* Times are signed: the clock can be wrong. */
static char *put_time(char *at, int64_t us)
{
    if (us >= 0)
        return put_number(at, (uint64_t)us);
    *at++ = '\t';
    *at++ = '-';
    return put_digits(at, 0 - (uint64_t)us);
}

static char *put_crc(char *from, char *at)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)from, (uInt)(at - from));

    *at++ = '\t';
    for (int shift = 28; shift >= 0; shift -= 4)
        *at++ = digits[crc >> shift & 15];
    return at;
}

static char *put_file(char *at, const char *end, const struct journal_file *file, uint32_t version)
{
    char ip[ADDRESS_TEXT_SIZE];
    struct address bare = file->peer;

    bare.scope = 0; /* written as a number: an interface name can change at a restart */
    at = put_number(at, file->transfer_id);
    at = put_text(at, address_ip_text(ip, &bare));
    at = put_number(at, file->peer.port);
    at = put_number(at, file->peer.scope);
    at = put_number(at, file->size_bytes);
    at = put_time(at, file->started_us);
    at = put_time(at, file->committed_us);
    at = put_text(at, file->name);
    at = put_number(at, file->gateway_id);
    CONTRACT(is_proto(file->proto));
    if (version >= JOURNAL_VERSION)
        at = put_text(at, file->proto);
    *at++ = '\t';
    return at + text_escape(at, (size_t)(end - at), file->idurl, strlen(file->idurl), true);
}

size_t journal_record_write(char to[JOURNAL_RECORD_LINE_MAX], const struct journal_record *record,
                            uint32_t version)
{
    char *at = to;

    *at++ = kind_letters[record->kind];
    if (record->kind == JOURNAL_RECORD_HEADER)
        at = put_text(at, header_word);
    if (record->kind == JOURNAL_RECORD_FILE)
        at = put_file(at, to + JOURNAL_RECORD_LINE_MAX - LINE_TAIL, &record->file, version);
    else
        at = put_number(at, record->number);
    at = put_crc(to, at);
    *at++ = '\n';
    return (size_t)(at - to);
}

static bool is_crc_right(const char *line, size_t length)
{
    char right[LINE_TAIL];
    size_t covered;

    if (length < LINE_TAIL)
        return false;
    covered = length - (LINE_TAIL - 1);
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)line, (uInt)covered);
    right[0] = '\t';
    for (int i = 0; i < CRC_DIGITS; i++)
        right[1 + i] = "0123456789abcdef"[crc >> (28 - 4 * i) & 15];
    return memcmp(line + covered, right, LINE_TAIL - 1) == 0;
}

static unsigned split(char *fields[FIELDS_MAX], char *line)
{
    unsigned count = 0;

    for (char *at = line; at != NULL && count < FIELDS_MAX;) {
        fields[count++] = at;
        at = strchr(at, '\t');
        if (at != NULL)
            *at++ = '\0';
        if (count == FIELDS_MAX && at != NULL)
            return 0;
    }
    return count;
}

static bool read_u32(uint32_t *out, const char *text, uint32_t max)
{
    uint64_t value;

    if (text_to_u64(&value, text, max) != ERR_OK)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_time(int64_t *out, const char *text)
{
    bool is_negative = text[0] == '-';
    uint64_t value;

    if (text_to_u64(&value, text + is_negative, INT64_MAX) != ERR_OK)
        return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* Default: built-in gateway, only_proto. */
static bool read_later_fields(struct journal_file *file, char *fields[FIELDS_MAX], unsigned count)
{
    file->proto = count == FIELDS_MAX ? fields[10] : only_proto;
    return is_proto(file->proto) &&
           (count < FIELDS_WITH_GATEWAY || read_u32(&file->gateway_id, fields[9], INT32_MAX));
}

static bool read_file(struct journal_file *file, char *fields[FIELDS_MAX], unsigned count)
{
    char *idurl = fields[count - 1];
    uint32_t port, scope;
    size_t length;

    if (!read_u32(&file->transfer_id, fields[1], TRANSFER_ID_MAX) || file->transfer_id == 0)
        return false;
    if (!read_u32(&port, fields[3], UINT16_MAX) || !read_u32(&scope, fields[4], UINT32_MAX))
        return false;
    file->peer = (struct address){0};
    if (strcmp(fields[2], "-") != 0 &&
        address_from_ip_text(&file->peer, fields[2], (uint16_t)port) != ERR_OK)
        return false;
    file->peer.scope = scope;
    if (text_to_u64(&file->size_bytes, fields[5], UINT64_MAX) != ERR_OK)
        return false;
    if (!read_time(&file->started_us, fields[6]) || !read_time(&file->committed_us, fields[7]))
        return false;
    if (!store_name_is_valid(fields[8]) ||
        text_copy(file->name, sizeof file->name, fields[8]) != ERR_OK)
        return false;
    if (!read_later_fields(file, fields, count))
        return false;
    file->idurl = idurl;
    /* in place: unescaping never produces more bytes than it reads */
    return text_unescape(idurl, strlen(idurl) + 1, &length, idurl) == ERR_OK;
}

bool journal_record_read(struct journal_record *out, char *line, size_t length)
{
    char *fields[FIELDS_MAX];
    unsigned count;

    if (!is_crc_right(line, length) || memchr(line, '\0', length) != NULL)
        return false;
    line[length - (LINE_TAIL - 1)] = '\0';
    count = split(fields, line);
    if (count < 2 || fields[0][0] == '\0' || fields[0][1] != '\0')
        return false;
    *out = (struct journal_record){0};
    switch (fields[0][0]) {
    case 'H':
        out->kind = JOURNAL_RECORD_HEADER;
        return count == 3 && strcmp(fields[1], header_word) == 0 &&
               read_u32(&out->number, fields[2], UINT32_MAX);
    case 'F':
        out->kind = JOURNAL_RECORD_FILE;
        return count >= FIELDS_LEAST && read_file(&out->file, fields, count);
    case 'R':
        out->kind = JOURNAL_RECORD_REPORTED;
        break;
    case 'V':
        out->kind = JOURNAL_RECORD_VOID;
        break;
    case 'I':
        out->kind = JOURNAL_RECORD_IDS;
        break;
    case 'S':
        out->kind = JOURNAL_RECORD_SETTLED;
        break;
    default:
        return false;
    }
    return count == 2 && read_u32(&out->number, fields[1], TRANSFER_ID_MAX) && out->number > 0;
}
