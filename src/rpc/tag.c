#include "rpc/tag.h"

#include <stddef.h>
#include <string.h>

/* A tag with a quote counts as an opening tag even if it ends with "/>", so that "<a b='/>'>"
 * cannot hide its depth. XML-RPC has no attributes, so no valid document is affected. */
bool rpc_tag_read(struct rpc_tag *out, const char *at, const char *end)
{
    const char *close = memchr(at, '>', (size_t)(end - at));
    size_t length;

    if (close == NULL)
        return false;
    length = (size_t)(close - at);
    out->begin = at;
    out->end = close + 1;
    out->is_closing = length > 1 && at[1] == '/';
    out->is_empty = close[-1] == '/' && memchr(at, '"', length) == NULL &&
                    memchr(at, '\'', length) == NULL && length > 2;
    return true;
}

bool rpc_tag_is_named(const struct rpc_tag *tag, const char *name)
{
    size_t length = strlen(name);

    return !tag->is_closing && (size_t)(tag->end - tag->begin) > length + 1 &&
           memcmp(tag->begin + 1, name, length) == 0 &&
           strchr(" \t\r\n/>", tag->begin[1 + length]) != NULL;
}
