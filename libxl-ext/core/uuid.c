/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/uuid.h"

#include <string.h>
#include <uuid.h>

bool xlx__uuid_valid(const char *text)
{
    uuid_t uuid;
    char again[UUID_STR_LEN];
    if (uuid_parse(text, uuid))
        return false;
    uuid_unparse_lower(uuid, again);
    return !strcmp(text, again);
}

bool xlx__uuid_same(const char *a, const char *b)
{
    uuid_t x, y;
    return !uuid_parse(a, x) && !uuid_parse(b, y) && !uuid_compare(x, y);
}
