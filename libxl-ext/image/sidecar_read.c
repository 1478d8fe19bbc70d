/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Opens a sidecar: all of it is checked against its checksums, and everything
 * it says against the image.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"
#include "image/runs.h"
#include "image/sidecar.h"

#define CHUNK (16u << 10)

struct reading {
    xlx_ctx *ctx;
    struct xlx_sidecar *sidecar;
    uint64_t size; /* of the file */
    bool seen[LZX_TYPES];
};

static int damaged(const struct reading *r, const char *why)
{
    return xlx__fail(r->ctx, EBADMSG,
                     "%s: damaged (%s), so it is ignored: write it again "
                     "with image-index",
                     r->sidecar->name, why);
}

static int read_at(const struct reading *r, void *to, size_t len, uint64_t at)
{
    int rc = xlx__pread_all(r->sidecar->fd, to, len, at);
    if (rc == -ENODATA)
        return damaged(r, "cut short");
    if (rc)
        return xlx__fail_errno(r->ctx, -rc, "%s: cannot read",
                               r->sidecar->name);
    return 0;
}

static int no_memory(const struct reading *r)
{
    return xlx__fail(r->ctx, ENOMEM, "%s: no memory", r->sidecar->name);
}

/* --- sections ------------------------------------------------------------- */

/* The image's runs, which the numbers of its pages rest on. */
static int check_runs(struct reading *r, uint64_t at)
{
    const struct xlx_image *image = r->sidecar->image;
    struct xlx_image_run run[CHUNK / sizeof(struct xlx_image_run)];
    size_t max = XLX__NR(run);
    for (size_t i = 0, n; i < image->nr_runs; i += n) {
        n = image->nr_runs - i < max ? image->nr_runs - i : max;
        int rc = read_at(r, run, n * sizeof(run[0]), at + i * sizeof(run[0]));
        if (rc)
            return rc;
        for (size_t k = 0; k < n; k++) {
            const struct xlx_image_run *have = &image->runs[i + k];
            if (run[k].gfn != have->gfn || run[k].nr != have->nr ||
                run[k].offset != have->offset - image->info.libxc_start)
                return damaged(r, "runs that are not the save file's");
        }
    }
    return 0;
}

static int read_crc(struct reading *r, uint64_t at)
{
    r->sidecar->crc_at = at;
    r->sidecar->info.has_crc = true;
    return 0;
}

static int read_zero(struct reading *r, uint64_t at)
{
    struct xlx_sidecar *sidecar = r->sidecar;
    uint64_t pages = sidecar->image->info.pages;
    size_t words = xlx__zero_words(pages);
    sidecar->zero = calloc(words + 1, sizeof(*sidecar->zero));
    if (!sidecar->zero)
        return no_memory(r);
    int rc = read_at(r, sidecar->zero, words * sizeof(*sidecar->zero), at);
    if (rc)
        return rc;
    if (pages % 64 && sidecar->zero[words - 1] >> pages % 64)
        return damaged(r, "zero pages that the save file does not have");
    for (size_t i = 0; i < words; i++)
        sidecar->info.zero_pages +=
            (uint64_t)__builtin_popcountll(sidecar->zero[i]);
    sidecar->info.has_zero = true;
    return 0;
}

/* Whether its pages are at most those of the image, so that a check ends. */
static bool bounded(const struct xlx_sidecar *sidecar)
{
    uint64_t left = sidecar->image->info.pages;
    for (size_t i = 0; i < sidecar->nr_working_set; i++) {
        if (sidecar->working_set[i].nr > left)
            return false;
        left -= sidecar->working_set[i].nr;
    }
    return true;
}

static int check_working_set(struct reading *r)
{
    struct xlx_sidecar *sidecar = r->sidecar;
    size_t size = sidecar->nr_working_set * sizeof(*sidecar->working_set);
    if (!bounded(sidecar))
        return damaged(r, "a working set larger than the save file");
    XLX__AUTO_FREE struct xlx_image_range *tidy = NULL;
    size_t nr;
    int rc = xlx__working_set_tidy(r->ctx, sidecar->image, sidecar->working_set,
                                   sidecar->nr_working_set, &tidy, &nr);
    if (rc)
        return rc;
    if (nr != sidecar->nr_working_set ||
        (nr && memcmp(tidy, sidecar->working_set, size)))
        return damaged(r, "a working set that is not in the save file");
    for (size_t i = 0; i < nr; i++)
        sidecar->info.working_set_pages += tidy[i].nr;
    return 0;
}

static int read_working_set(struct reading *r, uint64_t at, uint64_t length)
{
    struct xlx_sidecar *sidecar = r->sidecar;
    sidecar->working_set = malloc(length + 1);
    if (!sidecar->working_set)
        return no_memory(r);
    sidecar->nr_working_set = length / sizeof(*sidecar->working_set);
    int rc = read_at(r, sidecar->working_set, length, at);
    return rc ? rc : check_working_set(r);
}

/* The length that a section of the type has; the most for a working set. */
static uint64_t expected_length(const struct xlx_image *image, uint32_t type)
{
    switch (type) {
    case LZX_RUNS:
        return image->nr_runs * sizeof(struct xlx_image_run);
    case LZX_CRC:
        return image->info.pages * sizeof(uint32_t);
    case LZX_ZERO:
        return xlx__zero_words(image->info.pages) * sizeof(uint64_t);
    default:
        return (uint64_t)XLX_WORKING_SET_MAX * sizeof(struct xlx_image_range);
    }
}

static int check_length(struct reading *r, const struct lzx_section *section)
{
    uint64_t most = expected_length(r->sidecar->image, section->type);
    bool right = section->type == LZX_WORKING_SET
                     ? section->length <= most &&
                           !(section->length % sizeof(struct xlx_image_range))
                     : section->length == most;
    if (!right)
        return damaged(r, "a section of a wrong length");
    if (r->seen[section->type])
        return damaged(r, "a section twice");
    r->seen[section->type] = true;
    return 0;
}

static int read_known(struct reading *r, const struct lzx_section *section,
                      uint64_t at)
{
    switch (section->type) {
    case LZX_RUNS:
        return check_runs(r, at);
    case LZX_CRC:
        return read_crc(r, at);
    case LZX_ZERO:
        return read_zero(r, at);
    default:
        return read_working_set(r, at, section->length);
    }
}

static int check_crc(struct reading *r, const struct lzx_section *section,
                     uint64_t at)
{
    unsigned char chunk[CHUNK];
    uint32_t crc = 0;
    for (uint64_t done = 0, n; done < section->length; done += n) {
        n = section->length - done < CHUNK ? section->length - done : CHUNK;
        int rc = read_at(r, chunk, (size_t)n, at + done);
        if (rc)
            return rc;
        crc = xlx__crc32c(crc, chunk, (size_t)n);
    }
    if (lzx_section_crc(crc, section) != section->crc)
        return damaged(r, "checksum of a section");
    return 0;
}

/* Sections of a type that we do not know are left alone. */
static int read_section(struct reading *r, uint64_t *at)
{
    struct lzx_section section;
    if (*at > r->size || sizeof(section) > r->size - *at)
        return damaged(r, "cut short");
    int rc = read_at(r, &section, sizeof(section), *at);
    if (rc)
        return rc;
    *at += sizeof(section);
    if (section.length > r->size - *at ||
        lzx_padded(section.length) > r->size - *at)
        return damaged(r, "cut short");
    bool known = section.type && section.type < LZX_TYPES;
    if (known)
        rc = check_length(r, &section);
    if (!rc)
        rc = check_crc(r, &section, *at);
    if (!rc && known)
        rc = read_known(r, &section, *at);
    *at += lzx_padded(section.length);
    return rc;
}

/* --- header --------------------------------------------------------------- */

static int check_header(struct reading *r, const struct lzx_header *header)
{
    const char *name = r->sidecar->name;
    if (header->version != LZX_VERSION)
        return xlx__fail(r->ctx, ENOTSUP,
                         "%s: version %" PRIu32 " of the format, known is %u",
                         name, header->version, LZX_VERSION);
    if (header->crc != xlx__crc32c(0, header, offsetof(struct lzx_header, crc)))
        return damaged(r, "checksum of the header");
    struct lzx_identity want = xlx__sidecar_identity(r->sidecar->image);
    if (memcmp(&want, &header->identity, sizeof(want)))
        return xlx__fail(r->ctx, ESTALE,
                         "%s: does not match %s as it is now, so it is "
                         "ignored: write it again with image-index",
                         name, r->sidecar->image->name);
    if (header->sections > LZX_SECTIONS_MAX)
        return damaged(r, "number of sections");
    return 0;
}

/* A copy may have a time of whole seconds, as some file systems have them. */
static bool same_time(const struct lzx_header *header, int64_t s, uint32_t ns)
{
    return s == header->mtime_s && (ns == header->mtime_ns || !ns);
}

/* Forgets what the image's pages held if it was written to since. */
static int forget_if_changed(struct reading *r)
{
    struct xlx_sidecar *sidecar = r->sidecar;
    int64_t s;
    uint32_t ns;
    int rc = xlx__sidecar_mtime(r->ctx, sidecar->image, &s, &ns);
    if (rc || !sidecar->zero || same_time(&sidecar->header, s, ns))
        return rc;
    sidecar->info.time_differs = true;
    free(sidecar->zero);
    sidecar->zero = NULL;
    sidecar->info.has_zero = false;
    sidecar->info.zero_pages = 0;
    return 0;
}

/* Another file, which somebody named by mistake; an empty one is anybody's. */
static int check_magic(const struct reading *r)
{
    uint64_t magic = 0;
    int rc = xlx__pread_all(r->sidecar->fd, &magic, sizeof(magic), 0);
    if (rc && rc != -ENODATA)
        return xlx__fail_errno(r->ctx, -rc, "%s: cannot read",
                               r->sidecar->name);
    if (magic == LZX_MAGIC || !r->size)
        return 0;
    return xlx__fail(r->ctx, EINVAL,
                     "%s: not a sidecar: neither used nor overwritten",
                     r->sidecar->name);
}

static int read_sidecar(struct reading *r)
{
    uint64_t at = sizeof(struct lzx_header);
    int rc = check_magic(r);
    if (!rc)
        rc = read_at(r, &r->sidecar->header, sizeof(struct lzx_header), 0);
    if (!rc)
        rc = check_header(r, &r->sidecar->header);
    for (uint32_t i = 0; !rc && i < r->sidecar->header.sections; i++)
        rc = read_section(r, &at);
    if (!rc && !r->seen[LZX_RUNS])
        rc = damaged(r, "no runs");
    if (!rc && at != r->size)
        rc = damaged(r, "data after its sections");
    return rc ? rc : forget_if_changed(r);
}

/* --- the whole ------------------------------------------------------------ */

/* O_NONBLOCK: a named pipe in its place is refused, not waited for. */
static int open_file(xlx_ctx *ctx, const char *path, uint64_t *size_r)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return xlx__fail_unlogged(ctx, ENOENT, "%s: no such sidecar", path);
    if (fd < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot open", path);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return xlx__fail(ctx, EINVAL,
                         "%s: not an ordinary file: neither used nor "
                         "overwritten",
                         path);
    }
    *size_r = (uint64_t)st.st_size;
    return fd;
}

int xlx_sidecar_open(xlx_ctx *ctx, const xlx_image *image, const char *path,
                     xlx_sidecar **sidecar_r)
{
    char name[PATH_MAX];
    struct reading r = { .ctx = ctx };
    if (!path && !image->storage->has_folder)
        return xlx__fail_unlogged(ctx, ENOENT, "%s: no sidecar was named",
                                  image->name);
    int rc = xlx__sidecar_path(ctx, image, path, name);
    if (rc)
        return rc;
    int fd = open_file(ctx, name, &r.size);
    if (fd < 0)
        return fd;
    struct xlx_sidecar *sidecar = calloc(1, sizeof(*sidecar));
    if (!sidecar) {
        close(fd);
        return xlx__fail(ctx, ENOMEM, "%s: no memory", name);
    }
    sidecar->image = image;
    sidecar->fd = fd;
    sidecar->name = strdup(name);
    sidecar->ordinal = xlx__ordinals(image);
    r.sidecar = sidecar;
    if (!sidecar->name || !sidecar->ordinal)
        rc = xlx__fail(ctx, ENOMEM, "%s: no memory", name);
    else
        rc = read_sidecar(&r);
    if (rc)
        xlx_sidecar_close(sidecar);
    else
        *sidecar_r = sidecar;
    return rc;
}

void xlx_sidecar_close(xlx_sidecar *sidecar)
{
    if (!sidecar)
        return;
    close(sidecar->fd);
    free(sidecar->name);
    free(sidecar->ordinal);
    free(sidecar->zero);
    free(sidecar->working_set);
    free(sidecar);
}
