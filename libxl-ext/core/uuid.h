/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The UUIDs of guests, as text.
 */
#ifndef XLX_CORE_UUID_H
#define XLX_CORE_UUID_H

#include <stdbool.h>

/* Whether it is one in lower case, as libxl writes them: fit for a file name.
 */
bool xlx__uuid_valid(const char *text);

/* Whether both are the same one, in whatever case. */
bool xlx__uuid_same(const char *a, const char *b);

#endif
