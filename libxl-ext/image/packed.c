/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Compressed save files, which people make by hand: known by their first bytes.
 */
#include "image/packed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clean.h"
#include "core/io.h"

static const struct {
    const char *program;
    size_t len;
    const char *magic;
} packers[] = {
    { "gzip", 2, "\x1f\x8b" },
    { "zstd", 4, "\x28\xb5\x2f\xfd" },
    { "xz", 6,
      "\xfd"
      "7zXZ\0" },
    { "lz4", 4, "\x04\x22\x4d\x18" },
    { "bzip2", 3, "BZh" },
};

const char *xlx__packed_by(const void *start, size_t len)
{
    for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
        if (len >= packers[i].len &&
            !memcmp(start, packers[i].magic, packers[i].len))
            return packers[i].program;
    return NULL;
}

const char *xlx_image_packer(const char *path)
{
    unsigned char start[XLX__PACKED_MAGIC];
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return NULL;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || xlx__pread_all(fd, start, sizeof(start), 0))
        return NULL;
    return xlx__packed_by(start, sizeof(start));
}
