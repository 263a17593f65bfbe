/* Passes the input to settings_load, as a file in memory. */
#include "settings/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void ignore(void *ctx, const char *sentence)
{
    (void)ctx;
    (void)sentence;
}

static enum err read_file(struct settings *out, const char *path)
{
    struct settings_origins origins;

    return settings_load(out, &origins, &(struct settings_paths){.file = path, .persisted = ""},
                         ignore, NULL);
}

/* Accepted settings must be printed in a form that is accepted again. */
static void read_again(const struct settings *s)
{
    struct settings again;
    struct settings_change change;
    char path[64];
    int fd = memfd_create("again", MFD_CLOEXEC);
    FILE *out = fdopen(fd, "w");

    settings_print(s, NULL, out);
    fflush(out);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (read_file(&again, path) != ERR_OK)
        abort();
    settings_compare(s, &again, &change);
    if (change.is_any)
        abort();
    fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct settings s;
    char path[64];
    int fd = memfd_create("settings", MFD_CLOEXEC);

    if (write(fd, bytes, length) != (ssize_t)length)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (read_file(&s, path) == ERR_OK && s.control.token[0] == '\0')
        read_again(&s);
    close(fd);
    return 0;
}
