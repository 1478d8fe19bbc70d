/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What every unit test starts with: cmocka and the headers it wants before
 * itself.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
