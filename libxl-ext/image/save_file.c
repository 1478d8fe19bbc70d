/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The outer layers of a save file: xl's header, libxl's stream.
 */
#include <endian.h>

#include "image/internal.h"
#include "core/array.h"
#include "image/packed.h"

/* --- xl ------------------------------------------------------------------- */

static bool read_source(void *arg, uint64_t offset, void *to, size_t len)
{
    struct xlx__source *src = arg;
    return offset <= src->size && len <= src->size - offset &&
           !xlx__source_copy(src, offset, to, len, "its start");
}

static int check_packed(struct xlx__source *src)
{
    const char *packer = xlx__packed_by(read_source, src);
    if (!packer)
        return 0;
    return xlx__fail(src->ctx, EMEDIUMTYPE,
                     "%s: compressed with %s: unpack it first, a lazy "
                     "restore has to read at any offset",
                     src->name, packer);
}

/* Save files of other toolstacks, by how they start. */
static const struct {
    const char *what, *advice;
    size_t len;
    const char *start;
} others[] = {
    { "saved by virsh (libvirt), not by xl", "restore it with virsh", 16,
      "libvirt-xml\n \0 \r" },
    { "saved by XenServer or XCP-ng (xapi), not by xl", "resume it there", 15,
      "XenSavedDomv2-\n" },
    { "saved by XenServer or XCP-ng (xapi), not by xl", "resume it there", 15,
      "XenSavedDomain\n" },
    { "saved by xm (xend), not by xl", "restore it with Xen 4.4 or older", 16,
      "LinuxGuestRecord" },
    { "libxl's stream without xl's header", "xl needs the configuration in it",
      8, "LibxlFmt" },
};

/* What does not start as xl's files do. */
static int refuse_start(struct xlx__source *src, const char *start, size_t len)
{
    for (size_t i = 0; i < XLX__NR(others); i++)
        if (len >= others[i].len &&
            !memcmp(start, others[i].start, others[i].len))
            return xlx__fail(src->ctx, EINVAL, "%s: %s: %s", src->name,
                             others[i].what, others[i].advice);
    return xlx__fail(src->ctx, EINVAL,
                     "%s: not a save file: it does not begin like a file of "
                     "`xl save`",
                     src->name);
}

static int check_magic(struct xlx__source *src)
{
    static const char magic[] = FMT_XL_MAGIC;
    char start[sizeof(magic) - 1];
    size_t len = src->size < sizeof(start) ? src->size : sizeof(start);
    if (!len)
        return xlx__fail(src->ctx, EINVAL, "%s: empty, not a save file",
                         src->name);
    int rc = xlx__source_copy(src, 0, start, len, "xl's header");
    if (rc || !memcmp(start, magic, len))
        return rc;
    rc = check_packed(src);
    return rc ? rc : refuse_start(src, start, len);
}

static int check_flags(struct xlx__source *src,
                       const struct fmt_xl_header *header)
{
    uint32_t unknown = header->mandatory_flags & ~FMT_XL_MANDATORY;
    if (header->byte_order == FMT_XL_BYTE_ORDER_SWAPPED)
        return xlx__fail(src->ctx, ENOTSUP,
                         "%s: saved on a machine with the other byte order",
                         src->name);
    if (header->byte_order != FMT_XL_BYTE_ORDER)
        return xlx__fail(src->ctx, EBADMSG,
                         "%s: xl's header: invalid byte order mark %#" PRIx32,
                         src->name, header->byte_order);
    if (unknown)
        return xlx__fail(src->ctx, ENOTSUP,
                         "%s: xl's header: unknown mandatory flags %#" PRIx32
                         ": written by a newer xl",
                         src->name, unknown);
    if (!(header->mandatory_flags & FMT_XL_STREAM_V2))
        return xlx__fail(src->ctx, ENOTSUP,
                         "%s: saved by Xen 4.5 or older: restore it without "
                         "--lazy and save it again",
                         src->name);
    return 0;
}

/* The optional data: the length of the configuration, the configuration. */
static int check_config(struct xlx__source *src,
                        const struct fmt_xl_header *header,
                        struct xlx_image *image)
{
    uint32_t config_len, len = header->optional_data_len;
    int rc = xlx__source_has(src, sizeof(*header), len, "xl's configuration");
    if (rc || !len)
        return rc;
    if (len < sizeof(config_len))
        return xlx__source_fail(src, EBADMSG, sizeof(*header),
                                "xl's configuration: %" PRIu32
                                " bytes cannot hold its length",
                                len);
    rc = xlx__source_copy(src, sizeof(*header), &config_len, sizeof(config_len),
                          "xl's configuration");
    if (rc)
        return rc;
    if (config_len > len - sizeof(config_len))
        return xlx__source_fail(src, EBADMSG, sizeof(*header),
                                "xl's configuration: its length %" PRIu32
                                " is more than the %" PRIu32 " bytes there are",
                                config_len,
                                (uint32_t)(len - sizeof(config_len)));
    image->config_at = sizeof(*header) + sizeof(config_len);
    image->config_len = config_len;
    return 0;
}

static int read_xl_header(struct xlx__source *src, struct xlx_image *image,
                          uint64_t *at)
{
    struct fmt_xl_header header;
    int rc = check_magic(src);
    if (!rc)
        rc = xlx__source_copy(src, 0, &header, sizeof(header), "xl's header");
    if (!rc)
        rc = check_flags(src, &header);
    if (!rc)
        rc = check_config(src, &header, image);
    if (!rc)
        *at = sizeof(header) + (uint64_t)header.optional_data_len;
    return rc;
}

/* --- libxl ---------------------------------------------------------------- */

static int read_libxl_header(struct xlx__source *src, uint64_t *at)
{
    struct fmt_libxl_header header;
    int rc =
        xlx__source_copy(src, *at, &header, sizeof(header), "libxl's header");
    if (rc)
        return rc;
    uint32_t version = be32toh(header.version);
    if (be64toh(header.ident) != FMT_LIBXL_IDENT)
        return xlx__source_fail(src, EBADMSG, *at,
                                "libxl's header: invalid identifier");
    if (version != FMT_LIBXL_VERSION)
        return xlx__source_fail(src, ENOTSUP, *at,
                                "libxl's header: version %" PRIu32
                                ", known is %u",
                                version, FMT_LIBXL_VERSION);
    if (be32toh(header.options) & FMT_LIBXL_BIG_ENDIAN)
        return xlx__source_fail(src, ENOTSUP, *at,
                                "libxl's header: a big-endian stream");
    *at += sizeof(header);
    return 0;
}

enum place { AT_KEY, IN_KEY, IN_VALUE };

/* Where `byte` leads to, from between keys, or from within a key or a value. */
static enum place next_place(enum place place, unsigned char byte)
{
    if (place == AT_KEY)
        return IN_KEY;
    if (byte)
        return place;
    return place == IN_KEY ? IN_VALUE : AT_KEY;
}

/*
 * As libxl reads EMULATOR_XENSTORE_DATA, before the device model is started:
 * relative keys and their values in turn, each up to a NUL.
 */
static int check_keys(struct xlx__source *src, uint64_t at, uint64_t end)
{
    enum place place = AT_KEY;
    for (uint64_t n; at < end; at += n) {
        const unsigned char *bytes;
        n = end - at < XLX__SOURCE_WINDOW ? end - at : XLX__SOURCE_WINDOW;
        int rc = xlx__source_get(src, at, (size_t)n, "libxl's record", &bytes);
        if (rc)
            return rc;
        for (uint64_t i = 0; i < n; i++) {
            if (place == AT_KEY && (!bytes[i] || bytes[i] == '/'))
                return xlx__source_fail(
                    src, EBADMSG, at + i, "libxl's emulator record: %s",
                    bytes[i] ? "a key that begins with '/'" : "an empty key");
            place = next_place(place, bytes[i]);
        }
    }
    if (place == AT_KEY)
        return 0;
    return xlx__source_fail(src, EBADMSG, end,
                            "libxl's emulator record: it ends within a key or "
                            "its value");
}

static int check_emulator(struct xlx__source *src, uint64_t at,
                          const struct fmt_record *record)
{
    if (record->length < sizeof(struct fmt_emulator_header))
        return xlx__source_fail(src, EBADMSG, at,
                                "libxl's emulator record: %" PRIu32
                                " bytes cannot hold its header",
                                record->length);
    if (record->type != FMT_LIBXL_EMULATOR_XENSTORE_DATA)
        return 0;
    at += sizeof(*record);
    return check_keys(src, at + sizeof(struct fmt_emulator_header),
                      at + record->length);
}

/*
 * The record that stands for the libxc stream behind it; *at goes from the
 * record's end to that stream's.
 */
static int read_libxc_context(struct xlx__source *src, uint64_t *at,
                              const struct fmt_record *record,
                              struct xlx_image *image)
{
    uint64_t start = *at - fmt_record_size(record->length);
    if (image->nr_records)
        return xlx__source_fail(src, EBADMSG, start,
                                "libxl's LIBXC_CONTEXT record: the second one");
    int rc = xlx__libxc_index(src, *at, image);
    *at = image->info.libxc_end;
    return rc;
}

static int check_end(struct xlx__source *src, uint64_t at,
                     const struct xlx_image *image)
{
    if (!image->nr_records)
        return xlx__source_fail(src, EBADMSG, at,
                                "libxl's END record: no LIBXC_CONTEXT record "
                                "before it");
    return 0;
}

/* libxl refuses unknown records, also those marked optional; so do we. */
static int refuse_libxl_record(struct xlx__source *src, uint64_t at,
                               uint32_t type)
{
    if (type == FMT_LIBXL_CHECKPOINT_END || type == FMT_LIBXL_CHECKPOINT_STATE)
        return xlx__source_fail(src, ENOTSUP, at,
                                "a checkpointed stream (Remus, COLO), not a "
                                "save file");
    return xlx__source_fail(src, ENOTSUP, at,
                            "libxl's stream: unknown record type %#" PRIx32,
                            type);
}

/* One record; *at goes behind it. */
static int read_libxl_record(struct xlx__source *src, uint64_t *at,
                             struct xlx_image *image, bool *end)
{
    struct fmt_record record;
    uint64_t start = *at;
    int rc = xlx__source_copy(src, start, &record, sizeof(record),
                              "libxl's record header");
    if (!rc)
        rc = xlx__source_has(src, start, fmt_record_size(record.length),
                             "libxl's record");
    if (rc)
        return rc;
    *at = start + fmt_record_size(record.length);

    switch (record.type) {
    case FMT_LIBXL_END:
        *end = true;
        return check_end(src, start, image);
    case FMT_LIBXL_LIBXC_CONTEXT:
        return read_libxc_context(src, at, &record, image);
    case FMT_LIBXL_EMULATOR_XENSTORE_DATA:
    case FMT_LIBXL_EMULATOR_CONTEXT:
        return check_emulator(src, start, &record);
    default:
        return refuse_libxl_record(src, start, record.type);
    }
}

int xlx__save_file_index(struct xlx__source *src, struct xlx_image *image)
{
    uint64_t at;
    int rc = read_xl_header(src, image, &at);
    if (!rc)
        rc = read_libxl_header(src, &at);
    for (bool end = false; !rc && !end;)
        rc = read_libxl_record(src, &at, image, &end);
    if (!rc)
        image->end = at;
    return rc;
}
