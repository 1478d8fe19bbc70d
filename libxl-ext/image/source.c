/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/source.h"

#include <assert.h>

void xlx__source_init(struct xlx__source *src, xlx_ctx *ctx,
                      struct xlx__storage *storage, const char *name)
{
    src->ctx = ctx;
    src->name = name;
    src->storage = storage;
    src->size = storage->size;
    src->start = src->len = 0;
    src->take = XLX__SOURCE_WINDOW;
}

static int truncated(const struct xlx__source *src, uint64_t offset,
                     uint64_t len, uint64_t size, const char *what)
{
    return xlx__fail(src->ctx, ENODATA,
                     "%s: truncated at byte %" PRIu64 ": %s at byte %" PRIu64
                     " needs %" PRIu64 " bytes",
                     src->name, size, what, offset, len);
}

int xlx__source_has(const struct xlx__source *src, uint64_t offset,
                    uint64_t len, const char *what)
{
    if (offset <= src->size && len <= src->size - offset)
        return 0;
    return truncated(src, offset, len, src->size, what);
}

/* How much to read at `offset`. */
static size_t next_take(const struct xlx__source *src, uint64_t offset)
{
    bool goes_on =
        src->len && offset > src->start && offset <= src->start + src->len;
    if (!goes_on)
        return XLX__SOURCE_WINDOW;
    return src->take * 2 < XLX__SOURCE_MAX ? src->take * 2 : XLX__SOURCE_MAX;
}

static int fill_window(struct xlx__source *src, uint64_t offset,
                       const char *what)
{
    size_t len = src->take = next_take(src, offset);
    if (len > src->size - offset)
        len = (size_t)(src->size - offset);
    src->len = 0;
    int rc = src->storage->ops->pread(src->storage, src->window, len, offset);
    if (rc == -ENODATA)
        return xlx__fail(src->ctx, ENODATA,
                         "%s: %s at byte %" PRIu64
                         ": the file became shorter while it was read",
                         src->name, what, offset);
    if (rc)
        return xlx__fail_errno(src->ctx, -rc, "%s: cannot read byte %" PRIu64,
                               src->name, offset);
    src->start = offset;
    src->len = len;
    return 0;
}

int xlx__source_get(struct xlx__source *src, uint64_t offset, size_t len,
                    const char *what, const unsigned char **bytes_r)
{
    assert(len <= XLX__SOURCE_WINDOW);
    int rc = xlx__source_has(src, offset, len, what);
    if (rc)
        return rc;
    if (offset < src->start || offset - src->start > src->len ||
        len > src->len - (offset - src->start)) {
        rc = fill_window(src, offset, what);
        if (rc)
            return rc;
    }
    *bytes_r = src->window + (offset - src->start);
    return 0;
}

int xlx__source_copy(struct xlx__source *src, uint64_t offset, void *to,
                     size_t len, const char *what)
{
    const unsigned char *bytes;
    int rc = xlx__source_get(src, offset, len, what, &bytes);
    if (!rc)
        memcpy(to, bytes, len);
    return rc;
}

void xlx__source_expect(const struct xlx__source *src, uint64_t offset)
{
    if (offset < src->size)
        src->storage->ops->expect(src->storage, offset, XLX__SOURCE_WINDOW);
}
