/* SPDX-License-Identifier: LGPL-2.1-only */
#include <string.h>

#include "cmd.h"

/* Printable ASCII and whole UTF-8 is shown, every other byte as \xHH. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = *p < 0x80                  ? 1
               : *p >= 0xc2 && *p <= 0xdf ? 2
               : *p >= 0xe0 && *p <= 0xef ? 3
               : *p >= 0xf0 && *p <= 0xf4 ? 4
                                          : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* C1 control characters, which terminals obey too. */
    return n == 2 && *p == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

void cmd_escape(const char *from, char *to)
{
    const unsigned char *p = (const unsigned char *)from;
    while (*p) {
        size_t n = *p < ' ' || *p == 0x7f ? 0 : utf8_length(p);
        if (n) {
            memcpy(to, p, n);
            to += n;
            p += n;
        } else
            to += sprintf(to, "\\x%02x", *p++);
    }
    *to = '\0';
}
