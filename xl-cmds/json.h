/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * JSON as the listings print it: beautified, straight to a stream.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <yajl/yajl_gen.h>

/* NULL without memory; for yajl_gen_free(). */
yajl_gen json_open(FILE *out);

void json_string(yajl_gen g, const char *text);

/* A key and its value. Text is escaped as cmd_escape() does, an id is printed
 * as four hexadecimal digits. */
void json_number(yajl_gen g, const char *key, uint32_t value);
void json_count(yajl_gen g, const char *key, uint64_t value); /* < 2^63 */
void json_text(yajl_gen g, const char *key, const char *value);
void json_id(yajl_gen g, const char *key, uint16_t value);
void json_bool(yajl_gen g, const char *key, bool value);

#endif
