/* SPDX-License-Identifier: LGPL-2.1-only */
#include "json.h"

#include <string.h>

#include "cmd.h"

#define TEXT_MAX 512 /* longest text of the library, with its NUL */

static void write_out(void *out, const char *text, size_t len)
{
    fwrite(text, 1, len, out);
}

yajl_gen json_open(FILE *out)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    if (g) {
        yajl_gen_config(g, yajl_gen_beautify, 1);
        yajl_gen_config(g, yajl_gen_print_callback, write_out, out);
    }
    return g;
}

void json_string(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

void json_number(yajl_gen g, const char *key, uint32_t value)
{
    json_string(g, key);
    yajl_gen_integer(g, value);
}

void json_count(yajl_gen g, const char *key, uint64_t value)
{
    json_string(g, key);
    yajl_gen_integer(g, (long long)value);
}

void json_text(yajl_gen g, const char *key, const char *value)
{
    char escaped[4 * TEXT_MAX];
    json_string(g, key);
    cmd_escape(value, escaped);
    json_string(g, escaped);
}

void json_id(yajl_gen g, const char *key, uint16_t value)
{
    char text[8];
    snprintf(text, sizeof(text), "%04x", value);
    json_text(g, key, text);
}

void json_bool(yajl_gen g, const char *key, bool value)
{
    json_string(g, key);
    yajl_gen_bool(g, value);
}
