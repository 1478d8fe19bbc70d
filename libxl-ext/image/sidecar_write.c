/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Writes a sidecar, section by section into a new file that takes the old one's
 * place at the end.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "core/io.h"
#include "host/new_file.h"
#include "image/sidecar.h"
#include "image/walk.h"

struct writing {
    xlx_ctx *ctx;
    const struct xlx_image *image;
    struct xlx__new_file file;
    struct lzx_header header;
    uint64_t at;                /* where the file ends so far */
    uint64_t section_at;        /* the open section's header */
    struct lzx_section section; /* the open one */
};

static int fail_writing(const struct writing *w, int rc)
{
    return rc ? xlx__fail_errno(w->ctx, -rc, "%s: cannot write", w->file.path)
              : 0;
}

/* --- the file, by sections ------------------------------------------------ */

static int add_bytes(struct writing *w, const void *bytes, size_t len)
{
    w->section.crc = xlx__crc32c(w->section.crc, bytes, len);
    w->section.length += len;
    w->at += len;
    return fail_writing(w, xlx__write_all(w->file.fd, bytes, len));
}

/* The header of what follows is not known yet: room is left for it. */
static int put_blank(struct writing *w, size_t len)
{
    static const unsigned char blank[sizeof(struct lzx_header)];
    w->at += len;
    return fail_writing(w, xlx__write_all(w->file.fd, blank, len));
}

static int put_at(struct writing *w, const void *bytes, size_t len, uint64_t at)
{
    ssize_t n = pwrite(w->file.fd, bytes, len, (off_t)at);
    if (n < 0)
        return fail_writing(w, -errno);
    return fail_writing(w, n == (ssize_t)len ? 0 : -ENOSPC);
}

static int begin_section(struct writing *w, enum lzx_type type)
{
    w->section_at = w->at;
    w->section = (struct lzx_section){ .type = type };
    w->header.sections++;
    return put_blank(w, sizeof(w->section));
}

static int end_section(struct writing *w)
{
    uint64_t length = w->section.length;
    w->section.crc = lzx_section_crc(w->section.crc, &w->section);
    int rc = put_blank(w, (size_t)(lzx_padded(length) - length));
    if (!rc)
        rc = put_at(w, &w->section, sizeof(w->section), w->section_at);
    return rc;
}

static int put_section(struct writing *w, enum lzx_type type, const void *bytes,
                       size_t len)
{
    int rc = begin_section(w, type);
    if (!rc)
        rc = add_bytes(w, bytes, len);
    return rc ? rc : end_section(w);
}

/* As in the file, offsets count from where libxc's stream begins. */
static int put_runs(struct writing *w)
{
    const struct xlx_image *image = w->image;
    int rc = begin_section(w, LZX_RUNS);
    for (size_t i = 0; !rc && i < image->nr_runs; i++) {
        struct xlx_image_run run = image->runs[i];
        run.offset -= image->info.libxc_start;
        rc = add_bytes(w, &run, sizeof(run));
    }
    return rc ? rc : end_section(w);
}

/* Readable by whoever may read the image: it tells what is in its pages. */
static int begin_sidecar(struct writing *w, const char *path)
{
    struct xlx__storage *storage = w->image->storage;
    struct timespec mtime;
    mode_t mode;
    char name[PATH_MAX];
    int rc = xlx__sidecar_path(w->ctx, w->image, path, name);
    if (rc)
        return rc;
    if (!path && !storage->has_folder)
        return xlx__fail(w->ctx, EINVAL,
                         "%s: no file can lie beside it: give the path of "
                         "its sidecar",
                         w->image->name);
    rc = storage->ops->examine(storage, &mtime, &mode);
    if (rc)
        return xlx__fail_errno(w->ctx, -rc, "%s: cannot examine it",
                               w->image->name);
    rc = xlx__new_file_open(w->ctx, name, mode & 0644, &w->file);
    if (rc)
        return rc;
    w->header.magic = LZX_MAGIC;
    w->header.version = LZX_VERSION;
    w->header.identity = xlx__sidecar_identity(w->image);
    rc = put_blank(w, sizeof(w->header));
    return rc ? rc : put_runs(w);
}

/* Gives the file its name, or with an error drops it. */
static int end(struct writing *w, int rc)
{
    w->header.crc =
        xlx__crc32c(0, &w->header, offsetof(struct lzx_header, crc));
    if (!rc)
        rc = put_at(w, &w->header, sizeof(w->header), 0);
    if (!rc)
        return xlx__new_file_commit(w->ctx, &w->file);
    xlx__new_file_drop(&w->file);
    return rc;
}

/* --- what another sidecar has --------------------------------------------- */

/*
 * The sidecar that is there, or NULL; one that cannot be used is as good as
 * none, and that has been reported. What is no sidecar is not ours to replace:
 * -EINVAL.
 */
static int open_old(xlx_ctx *ctx, const xlx_image *image, const char *path,
                    xlx_sidecar **old_r)
{
    int rc = xlx_sidecar_open(ctx, image, path, old_r);
    if (!rc || rc == -ENOMEM || rc == -EINVAL)
        return rc;
    *old_r = NULL;
    return 0;
}

static int copy_crc(struct writing *w, const xlx_sidecar *old)
{
    unsigned char chunk[16 << 10];
    uint64_t length = w->image->info.pages * sizeof(uint32_t);
    int rc = begin_section(w, LZX_CRC);
    for (uint64_t done = 0, n; !rc && done < length; done += n) {
        n = length - done < sizeof(chunk) ? length - done : sizeof(chunk);
        rc = xlx__pread_all(old->fd, chunk, (size_t)n, old->crc_at + done);
        if (rc)
            return xlx__fail_errno(w->ctx, -rc, "%s: cannot read", old->name);
        rc = add_bytes(w, chunk, (size_t)n);
    }
    return rc ? rc : end_section(w);
}

/* What it says of pages, with the time at which that was so. */
static int copy_pages(struct writing *w, const xlx_sidecar *old)
{
    int rc = 0;
    w->header.mtime_s = old->header.mtime_s;
    w->header.mtime_ns = old->header.mtime_ns;
    if (old->crc_at)
        rc = copy_crc(w, old);
    if (!rc && old->zero)
        rc = put_section(w, LZX_ZERO, old->zero,
                         xlx__zero_words(w->image->info.pages) *
                             sizeof(*old->zero));
    return rc;
}

static int put_working_set(struct writing *w,
                           const struct xlx_image_range *ranges, size_t nr)
{
    if (!nr)
        return 0;
    return put_section(w, LZX_WORKING_SET, ranges, nr * sizeof(*ranges));
}

static int replace_working_set(xlx_ctx *ctx, const xlx_image *image,
                               const char *path, const xlx_sidecar *old,
                               const struct xlx_image_range *ranges, size_t nr)
{
    struct writing w = { .ctx = ctx, .image = image, .file.fd = -1 };
    XLX__AUTO_FREE struct xlx_image_range *tidy = NULL;
    size_t nr_tidy;
    int rc = xlx__working_set_tidy(ctx, image, ranges, nr, &tidy, &nr_tidy);
    if (!rc)
        rc = begin_sidecar(&w, path);
    if (w.file.fd < 0)
        return rc;
    if (!rc && old)
        rc = copy_pages(&w, old);
    if (!rc)
        rc = put_working_set(&w, tidy, nr_tidy);
    return end(&w, rc);
}

int xlx_sidecar_working_set_write(xlx_ctx *ctx, const xlx_image *image,
                                  const char *path,
                                  const struct xlx_image_range *ranges,
                                  size_t nr)
{
    xlx_sidecar *old;
    int rc = open_old(ctx, image, path, &old);
    if (rc)
        return rc;
    rc = replace_working_set(ctx, image, path, old, ranges, nr);
    xlx_sidecar_close(old);
    return rc;
}

int xlx_sidecar_working_set_add(xlx_ctx *ctx, const xlx_image *image,
                                const char *path,
                                const struct xlx_image_range *ranges, size_t nr)
{
    xlx_sidecar *old;
    int rc = open_old(ctx, image, path, &old);
    if (rc)
        return rc;
    size_t known = old ? old->nr_working_set : 0;
    XLX__AUTO_FREE struct xlx_image_range *all =
        calloc(known + nr + 1, sizeof(*all));
    if (!all) {
        rc = xlx__fail(ctx, ENOMEM, "%s: no memory for its working set",
                       image->name);
    } else {
        if (known)
            memcpy(all, old->working_set, known * sizeof(*all));
        if (nr)
            memcpy(all + known, ranges, nr * sizeof(*all));
        rc = replace_working_set(ctx, image, path, old, all, known + nr);
    }
    xlx_sidecar_close(old);
    return rc;
}

/* --- reading all pages ---------------------------------------------------- */

struct pages {
    struct writing *w;
    uint64_t *zero;
    uint64_t done;
};

static int put_page_crcs(void *arg, uint64_t gfn, size_t nr,
                         const unsigned char *bytes)
{
    struct pages *p = arg;
    uint32_t crc[XLX__WALK_PAGES];
    (void)gfn;
    xlx__crc32c_each(bytes, XLX_PAGE_SIZE, nr, crc);
    for (size_t i = 0; i < nr; i++, p->done++)
        if (xlx__page_is_zero(bytes + i * XLX_PAGE_SIZE))
            p->zero[p->done / 64] |= 1ull << p->done % 64;
    return add_bytes(p->w, crc, nr * sizeof(crc[0]));
}

static int add_pages(struct writing *w, struct xlx__walk *walk)
{
    const struct xlx_image *image = w->image;
    size_t words = xlx__zero_words(image->info.pages);
    XLX__AUTO_FREE uint64_t *zero = calloc(words + 1, sizeof(*zero));
    struct pages p = { .w = w, .zero = zero };
    if (!zero)
        return xlx__fail(w->ctx, ENOMEM, "%s: no memory", image->name);
    walk->pages = put_page_crcs;
    walk->arg = &p;
    int rc = begin_section(w, LZX_CRC);
    if (!rc)
        rc = xlx__walk_pages(walk);
    if (!rc)
        rc = end_section(w);
    if (!rc)
        rc = put_section(w, LZX_ZERO, zero, words * sizeof(*zero));
    return rc;
}

static int check_unchanged(const struct writing *w)
{
    int64_t s;
    uint32_t ns;
    int rc = xlx__sidecar_mtime(w->ctx, w->image, &s, &ns);
    if (!rc && (s != w->header.mtime_s || ns != w->header.mtime_ns))
        rc = xlx__fail(w->ctx, ESTALE, "%s: was modified while it was read",
                       w->image->name);
    return rc;
}

static int write_all(struct writing *w, const char *path,
                     struct xlx__walk *walk, const xlx_sidecar *old)
{
    int rc = xlx__sidecar_mtime(w->ctx, w->image, &w->header.mtime_s,
                                &w->header.mtime_ns);
    if (!rc)
        rc = begin_sidecar(w, path);
    if (w->file.fd < 0)
        return rc;
    if (!rc)
        rc = add_pages(w, walk);
    if (!rc && old)
        rc = put_working_set(w, old->working_set, old->nr_working_set);
    if (!rc)
        rc = check_unchanged(w);
    return end(w, rc);
}

int xlx_sidecar_write(xlx_ctx *ctx, const xlx_image *image, const char *path,
                      xlx_image_progress_fn *progress, void *user)
{
    struct writing w = { .ctx = ctx, .image = image, .file.fd = -1 };
    struct xlx__walk walk = {
        .ctx = ctx, .image = image, .progress = progress, .progress_user = user
    };
    xlx_sidecar *old;
    int rc = open_old(ctx, image, path, &old);
    if (rc)
        return rc;
    rc = write_all(&w, path, &walk, old);
    xlx_sidecar_close(old);
    return rc;
}

/* --- beforehand ----------------------------------------------------------- */

int xlx_sidecar_can_write(xlx_ctx *ctx, const xlx_image *image,
                          const char *path)
{
    struct writing w = { .ctx = ctx, .image = image, .file.fd = -1 };
    xlx_sidecar *old;
    int rc = open_old(ctx, image, path, &old);
    if (rc)
        return rc;
    xlx_sidecar_close(old);
    rc = begin_sidecar(&w, path);
    if (w.file.fd >= 0)
        xlx__new_file_drop(&w.file);
    return rc;
}
