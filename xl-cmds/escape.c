/* SPDX-License-Identifier: LGPL-2.1-only */
#include <string.h>

#include "cmd.h"

/* How many bytes a letter has that begins with this one; 0: none does. */
static size_t length_by(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return 2;
    return first < 0xf0 ? 3 : 4;
}

/* Printable ASCII and whole UTF-8 is shown, every other byte as \xHH. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = length_by(*p);
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
