/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "core/array.h"

static const char *const fill_names[] = {
    [XLX_LAZY_FILL_AS_IS] = "",
    [XLX_LAZY_FILL_PAUSE] = "pause",
    [XLX_LAZY_FILL_RESUME] = "resume",
    [XLX_LAZY_FILL_FINISH] = "finish",
};
#define NR_FILLS XLX__NR(fill_names)

/* --- writing -------------------------------------------------------------- */

static void gen_text(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static char *as_line(yajl_gen g)
{
    const unsigned char *text;
    size_t len;
    char *line = NULL;
    if (yajl_gen_get_buf(g, &text, &len) == yajl_gen_status_ok && len)
        line = malloc(len + 2);
    if (line) {
        memcpy(line, text, len);
        memcpy(line + len, "\n", 2);
    }
    yajl_gen_free(g);
    return line;
}

char *xlx__request_text(const struct xlx_lazy_change *change, bool watch)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    if (!g)
        return NULL;
    yajl_gen_map_open(g);
    if (change->set_bwlimit) {
        gen_text(g, "bwlimit");
        yajl_gen_integer(g, (long long)change->bwlimit);
    }
    if (change->fill && (size_t)change->fill < NR_FILLS) {
        gen_text(g, "fill");
        gen_text(g, fill_names[change->fill]);
    }
    if (change->retry) {
        gen_text(g, "retry");
        yajl_gen_bool(g, 1);
    }
    if (watch) {
        gen_text(g, "watch");
        yajl_gen_bool(g, 1);
    }
    yajl_gen_map_close(g);
    return as_line(g);
}

char *xlx__error_text(const char *why)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    if (!g)
        return NULL;
    yajl_gen_map_open(g);
    gen_text(g, "error");
    gen_text(g, why);
    yajl_gen_map_close(g);
    return as_line(g);
}

/* --- reading -------------------------------------------------------------- */

static const char *read_bwlimit(yajl_val v, struct xlx_lazy_change *change)
{
    if (!YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0 ||
        (uint64_t)YAJL_GET_INTEGER(v) > XLX_LAZY_BWLIMIT_MAX)
        return "bwlimit is not a number of bytes a second";
    change->set_bwlimit = true;
    change->bwlimit = (uint64_t)YAJL_GET_INTEGER(v);
    return NULL;
}

static const char *read_fill(yajl_val v, struct xlx_lazy_change *change)
{
    const char *name = YAJL_GET_STRING(v);
    for (size_t i = 1; name && i < NR_FILLS; i++) {
        if (!strcmp(name, fill_names[i])) {
            change->fill = (enum xlx_lazy_fill)i;
            return NULL;
        }
    }
    return "fill is not pause, resume or finish";
}

static const char *read_bool(yajl_val v, bool *value)
{
    if (!YAJL_IS_TRUE(v) && !YAJL_IS_FALSE(v))
        return "retry and watch are true or false";
    *value = YAJL_IS_TRUE(v);
    return NULL;
}

static const char *read_key(const char *key, yajl_val v,
                            struct xlx_lazy_change *change, bool *watch)
{
    if (!strcmp(key, "bwlimit"))
        return read_bwlimit(v, change);
    if (!strcmp(key, "fill"))
        return read_fill(v, change);
    if (!strcmp(key, "retry"))
        return read_bool(v, &change->retry);
    if (!strcmp(key, "watch"))
        return read_bool(v, watch);
    return "unknown key";
}

int xlx__request_parse(const char *line, struct xlx_lazy_change *change_r,
                       bool *watch_r, const char **why_r)
{
    struct xlx_lazy_change change = { 0 };
    bool watch = false;
    const char *why = NULL;
    yajl_val tree = yajl_tree_parse(line, NULL, 0);
    if (!YAJL_IS_OBJECT(tree))
        why = "not a JSON object";
    for (size_t i = 0; !why && i < YAJL_GET_OBJECT(tree)->len; i++)
        why = read_key(YAJL_GET_OBJECT(tree)->keys[i],
                       YAJL_GET_OBJECT(tree)->values[i], &change, &watch);
    yajl_tree_free(tree);
    if (why) {
        *why_r = why;
        return -EBADMSG;
    }
    *change_r = change;
    *watch_r = watch;
    return 0;
}
