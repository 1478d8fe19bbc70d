/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The guest's configuration in xl's header: what libxl wrote of its structure
 * libxl_domain_config, as JSON. Read as a stream, so that it may be nested as
 * deeply as it likes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "core/array.h"
#include "core/clean.h"
#include "image/internal.h"

#define CONFIG_MAX (1u << 20) /* libxl writes some 10 KiB */

/* Where we are: what is wanted is two maps deep, "c_info" or "b_info" first. */
struct parser {
    struct xlx_image_config *config;
    unsigned depth;
    char outer[16], key[16];
};

static bool is_at(const struct parser *p, const char *outer, const char *key)
{
    return p->depth == 2 && !strcmp(p->outer, outer) && !strcmp(p->key, key);
}

/* Cut to fit; a NUL in it ends it. */
static void copy(char *to, size_t size, const unsigned char *from, size_t len)
{
    snprintf(to, size, "%.*s", (int)(len < size ? len : size), from);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
    struct parser *p = arg;
    struct xlx_image_config *config = p->config;
    if (is_at(p, "c_info", "name"))
        copy(config->name, sizeof(config->name), text, len);
    else if (is_at(p, "c_info", "uuid"))
        copy(config->uuid, sizeof(config->uuid), text, len);
    else if (is_at(p, "c_info", "type"))
        copy(config->type, sizeof(config->type), text, len);
    return 1;
}

static int on_integer(void *arg, long long value)
{
    struct parser *p = arg;
    if (value >= 0 && is_at(p, "b_info", "max_memkb"))
        p->config->max_memkb = (uint64_t)value;
    else if (value >= 0 && value <= UINT32_MAX &&
             is_at(p, "b_info", "max_vcpus"))
        p->config->max_vcpus = (uint32_t)value;
    return 1;
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
    struct parser *p = arg;
    if (p->depth == 1)
        copy(p->outer, sizeof(p->outer), text, len);
    else if (p->depth == 2)
        copy(p->key, sizeof(p->key), text, len);
    return 1;
}

static int on_open(void *arg)
{
    struct parser *p = arg;
    p->depth++;
    return 1;
}

static int on_close(void *arg)
{
    struct parser *p = arg;
    p->depth--;
    return 1;
}

static bool parse(const unsigned char *text, size_t len,
                  struct xlx_image_config *config)
{
    static const yajl_callbacks callbacks = {
        .yajl_integer = on_integer,
        .yajl_string = on_string,
        .yajl_map_key = on_key,
        .yajl_start_map = on_open,
        .yajl_end_map = on_close,
        .yajl_start_array = on_open,
        .yajl_end_array = on_close,
    };
    struct parser p = { .config = config };
    yajl_handle handle = yajl_alloc(&callbacks, NULL, &p);
    if (!handle)
        return false;
    bool ok = yajl_parse(handle, text, len) == yajl_status_ok &&
              yajl_complete_parse(handle) == yajl_status_ok;
    yajl_free(handle);
    return ok;
}

int xlx_image_config(xlx_ctx *ctx, const xlx_image *image,
                     struct xlx_image_config *config_r, size_t size)
{
    struct xlx_image_config config = { 0 };
    size_t len = image->config_len;
    if (!len)
        return xlx__fail(ctx, ENOENT,
                         "%s: it contains no configuration of "
                         "the guest",
                         image->name);
    if (len > CONFIG_MAX)
        return xlx__fail(ctx, EBADMSG,
                         "%s: a configuration of %zu bytes is not xl's",
                         image->name, len);
    XLX__AUTO_FREE unsigned char *text = malloc(len);
    if (!text)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    int rc = xlx__image_pread(image, text, len, image->config_at);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "%s: cannot read its configuration",
                               image->name);
    /* Xl writes it with a NUL behind it. */
    while (len && !text[len - 1])
        len--;
    if (!parse(text, len, &config))
        return xlx__fail(ctx, EBADMSG, "%s: its configuration is not JSON",
                         image->name);
    xlx__copy_sized(config_r, size, &config, sizeof(config));
    return 0;
}
