/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Compressed save files, which people make by hand: known by their first bytes.
 */
#include "image/packed.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"

static const struct packer {
    const char *program;
    bool frames; /* some of which may be to be skipped */
    size_t len;
    const char *magic;
} packers[] = {
    { "gzip", false, 2, "\x1f\x8b" },
    { "zstd", true, 4, "\x28\xb5\x2f\xfd" },
    { "xz", false, 6,
      "\xfd"
      "7zXZ\0" },
    { "lz4", true, 4, "\x04\x22\x4d\x18" },
    { "lz4", true, 4, "\x02\x21\x4c\x18" }, /* lz4 -l */
    { "bzip2", false, 3, "BZh" },
};

/*
 * A frame that zstd and lz4 skip: any of 16 magic numbers, its length, so many
 * bytes. Pzstd writes one before each of its frames.
 */
#define SKIPPED_MAGIC 0x184d2a50u
#define SKIPPED_MAGICS 16u

static uint64_t skip_frames(xlx__packed_read_fn *read, void *arg)
{
    uint64_t at = 0;
    uint32_t head[2];
    for (int i = 0; i < XLX__SKIPPED_MAX; i++) {
        if (!read(arg, at, head, sizeof(head)) ||
            le32toh(head[0]) - SKIPPED_MAGIC >= SKIPPED_MAGICS)
            break;
        at += sizeof(head) + le32toh(head[1]);
    }
    return at;
}

static bool is_packed_by(const struct packer *packer, xlx__packed_read_fn *read,
                         void *arg, uint64_t at)
{
    unsigned char start[8];
    return (!at || packer->frames) && read(arg, at, start, packer->len) &&
           !memcmp(start, packer->magic, packer->len);
}

/* As each preset of lzma and xz makes it: 2^n or 2^n + 2^(n-1) bytes. */
static bool is_dictionary(uint32_t size)
{
    uint32_t unit = size % 3 ? size : size / 3;
    return size >= 4096 && !(unit & (unit - 1));
}

/*
 * Lzma's own format has no magic number. Its start is: properties, of which
 * only one value is in use; u32 size of the dictionary; u64 size of the
 * content, all ones when it is not known, else what xz takes for possible; the
 * first byte of the range coder, always 0.
 */
#define LZMA_HEAD 14
#define LZMA_PROPERTIES 0x5d
#define LZMA_CONTENT_MAX (1ull << 38)

static bool is_lzma(xlx__packed_read_fn *read, void *arg)
{
    unsigned char head[LZMA_HEAD];
    uint32_t dictionary;
    uint64_t content;
    if (!read(arg, 0, head, sizeof(head)))
        return false;
    memcpy(&dictionary, head + 1, sizeof(dictionary));
    memcpy(&content, head + 5, sizeof(content));
    content = le64toh(content);
    return head[0] == LZMA_PROPERTIES && !head[LZMA_HEAD - 1] &&
           is_dictionary(le32toh(dictionary)) &&
           (content == UINT64_MAX || content < LZMA_CONTENT_MAX);
}

const char *xlx__packed_by(xlx__packed_read_fn *read, void *arg)
{
    uint64_t at = skip_frames(read, arg);
    for (size_t i = 0; i < XLX__NR(packers); i++)
        if (is_packed_by(&packers[i], read, arg, at))
            return packers[i].program;
    return is_lzma(read, arg) ? "lzma" : NULL;
}

static bool read_fd(void *arg, uint64_t offset, void *to, size_t len)
{
    return !xlx__pread_all(*(int *)arg, to, len, offset);
}

const char *xlx_image_packer(const char *path)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return NULL;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? NULL : xlx__packed_by(read_fd, &fd);
}
