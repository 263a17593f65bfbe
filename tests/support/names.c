#include "support/names.h"

#include <stdio.h>
#include <string.h>

bool names_has_localhost(void)
{
    char line[1024];
    bool is_there = false;
    FILE *hosts = fopen("/etc/hosts", "re");

    while (hosts != NULL && !is_there && fgets(line, sizeof line, hosts) != NULL) {
        line[strcspn(line, "#")] = '\0';
        for (char *rest = line, *word; (word = strsep(&rest, " \t\r\n")) != NULL;)
            is_there = is_there || strcmp(word, "localhost") == 0;
    }
    if (hosts != NULL)
        fclose(hosts);
    return is_there;
}
