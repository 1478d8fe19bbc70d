/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Sizes, times and rates, as an operator writes them.
 */
#include <errno.h>
#include <string.h>

#include "core/array.h"
#include "core/parse.h"
#include "libxl_ext_lazy.h"

static int in_unit(const char *text, const char *unit, uint64_t times,
                   uint64_t max, uint64_t *value_r)
{
    char number[24];
    size_t len = strlen(text), tail = strlen(unit);
    if (len <= tail || len - tail >= sizeof(number) ||
        strcmp(text + len - tail, unit))
        return -EINVAL;
    memcpy(number, text, len - tail);
    number[len - tail] = '\0';
    uint64_t value;
    if (xlx__parse_u64(number, 0, max / times, &value))
        return -EINVAL;
    *value_r = value * times;
    return 0;
}

static int in_time(const char *text, uint64_t max, uint64_t *ms_r)
{
    int rc = in_unit(text, "ms", 1, max, ms_r);
    return rc ? in_unit(text, "s", 1000, max, ms_r) : 0;
}

int xlx_lazy_parse_record(const char *text, uint64_t *ms_r)
{
    uint64_t ms;
    if (in_time(text, XLX_LAZY_RECORD_MS_MAX, &ms) || !ms)
        return -EINVAL;
    *ms_r = ms;
    return 0;
}

static int in_bytes(const char *text, uint64_t max, uint64_t *bytes_r)
{
    static const struct {
        const char *unit;
        uint64_t times;
    } sizes[] = { { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
    int rc = -EINVAL;
    for (size_t i = 0; rc && i < XLX__NR(sizes); i++)
        rc = in_unit(text, sizes[i].unit, sizes[i].times, max, bytes_r);
    return rc;
}

int xlx_lazy_parse_bwlimit(const char *text, uint64_t *bwlimit_r)
{
    uint64_t rate;
    if (!strcmp(text, "none")) {
        *bwlimit_r = 0;
        return 0;
    }
    int rc = xlx__parse_u64(text, 1, XLX_LAZY_BWLIMIT_MAX, &rate);
    if (rc == -EINVAL)
        rc = in_bytes(text, XLX_LAZY_BWLIMIT_MAX, &rate);
    if (rc || !rate)
        return -EINVAL;
    *bwlimit_r = rate;
    return 0;
}

int xlx_lazy_parse_prefetch(const char *text,
                            struct xlx_lazy_prefetch *prefetch_r, size_t size)
{
    struct xlx_lazy_prefetch p = { .bytes = UINT64_MAX,
                                   .ms = XLX_LAZY_PREFETCH_MS_MAX };
    int rc = 0;

    if (!strcmp(text, "0"))
        p.bytes = 0;
    else
        rc = in_bytes(text, (uint64_t)1 << 50, &p.bytes);
    if (rc)
        rc = in_time(text, XLX_LAZY_PREFETCH_MS_MAX, &p.ms);
    if (!rc)
        xlx__copy_sized(prefetch_r, size, &p, sizeof(p));
    return rc;
}
