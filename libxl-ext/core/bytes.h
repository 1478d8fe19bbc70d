/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes, such as a file's name, as text that is UTF-8, and back. What is
 * UTF-8 stays as it is; each other byte becomes \xHH. So does the backslash of
 * a \xHH that was there before, so that nothing is lost or changed.
 */
#ifndef XLX_CORE_BYTES_H
#define XLX_CORE_BYTES_H

#include <stddef.h>

/* Most characters that a byte becomes. */
#define XLX__BYTES_GROW 4

/* `to` has room for XLX__BYTES_GROW times the length of `from`, and a NUL. */
void xlx__bytes_to_text(const char *from, char *to);

/* In place. */
void xlx__text_to_bytes(char *text);

/* Cuts to at most `max` bytes, and no character of UTF-8 in its middle. */
void xlx__cut_text(char *text, size_t max);

#endif
