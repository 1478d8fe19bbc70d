/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/admission/use.h"

#include <string.h>

const char *xlx__usb_use_part(const char **path, size_t *len_r)
{
    const char *start = *path;
    *len_r = strcspn(start, "/");
    *path = start[*len_r] ? start + *len_r + 1 : NULL;
    return start;
}

bool xlx__usb_use_below(const char *target, const char *busid)
{
    size_t len, busid_len = strlen(busid);
    while (target) {
        const char *name = xlx__usb_use_part(&target, &len);
        if (len == busid_len && !memcmp(name, busid, len))
            return true;
    }
    return false;
}
