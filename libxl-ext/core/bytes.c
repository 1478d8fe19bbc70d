/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/bytes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* RFC 3629, section 4: the range of the second byte depends on the first. */
static size_t utf8_length(const unsigned char *p)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n = 0;
    if (*p < 0x80)
        return 1;
    if (*p >= 0xc2 && *p <= 0xdf)
        n = 2;
    if (*p >= 0xe0 && *p <= 0xef)
        n = 3;
    if (*p >= 0xf0 && *p <= 0xf4)
        n = 4;
    if (*p == 0xe0)
        low = 0xa0;
    if (*p == 0xf0)
        low = 0x90;
    if (*p == 0xed)
        high = 0x9f;
    if (*p == 0xf4)
        high = 0x8f;
    if (n && (p[1] < low || p[1] > high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static int digit(char c)
{
    const char *const digits = "0123456789abcdef", *at = strchr(digits, c);
    return c && at ? (int)(at - digits) : -1;
}

/* The byte that \xHH at `text` stands for; 0 when that is not there. */
static int escaped(const char *text)
{
    if (text[0] != '\\' || text[1] != 'x' || digit(text[2]) < 0 ||
        digit(text[3]) < 0)
        return 0;
    return digit(text[2]) << 4 | digit(text[3]);
}

void xlx__bytes_to_text(const char *from, char *to)
{
    while (*from) {
        const unsigned char *p = (const unsigned char *)from;
        size_t n = escaped(from) ? 0 : utf8_length(p);
        memcpy(to, from, n);
        from += n;
        to += n;
        if (!n) {
            to += sprintf(to, "\\x%02x", *p);
            from++;
        }
    }
    *to = '\0';
}

void xlx__text_to_bytes(char *text)
{
    char *to = text;
    while (*text) {
        int byte = escaped(text);
        *to++ = byte ? (char)byte : *text;
        text += byte ? 4 : 1;
    }
    *to = '\0';
}

void xlx__cut_text(char *text, size_t max)
{
    if (strlen(text) <= max)
        return;
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    text[max] = '\0';
}
