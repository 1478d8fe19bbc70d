/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The image header and the domain header, with which a libxc stream starts.
 */
#include <endian.h>

#include "image/internal.h"

static int check_image_header(struct xlx__source *src, uint64_t at,
                              const struct fmt_libxc_header *header)
{
    uint32_t version = be32toh(header->version);
    if (header->marker != FMT_LIBXC_MARKER ||
        be32toh(header->id) != FMT_LIBXC_ID)
        return xlx__source_fail(src, EINVAL, at, "no libxc stream starts here");
    if (version < 2 || version > 3)
        return xlx__source_fail(
            src, ENOTSUP, at,
            "libxc's stream: version %" PRIu32 ", known are 2 and 3", version);
    if (be16toh(header->options) & FMT_LIBXC_BIG_ENDIAN)
        return xlx__source_fail(src, ENOTSUP, at,
                                "libxc's stream: a big-endian one");
    return 0;
}

static int check_domain_header(struct xlx__source *src, uint64_t at,
                               const struct fmt_domain_header *header)
{
    if (header->type != FMT_GUEST_PV && header->type != FMT_GUEST_HVM)
        return xlx__source_fail(
            src, ENOTSUP, at, "libxc's stream: unknown kind of guest %" PRIu32,
            header->type);
    if (header->page_shift != 12)
        return xlx__source_fail(src, ENOTSUP, at,
                                "libxc's stream: pages of 2^%u bytes",
                                header->page_shift);
    return 0;
}

int xlx__libxc_headers(struct xlx__source *src, uint64_t at,
                       struct xlx_image *image)
{
    struct fmt_libxc_headers *headers = &image->headers;
    int rc =
        xlx__source_copy(src, at, headers, sizeof(*headers), "libxc's header");
    if (!rc)
        rc = check_image_header(src, at, &headers->image);
    if (!rc)
        rc = check_domain_header(src, at, &headers->domain);
    if (rc)
        return rc;
    struct xlx_image_info *info = &image->info;
    info->guest =
        headers->domain.type == FMT_GUEST_PV ? XLX_IMAGE_PV : XLX_IMAGE_HVM;
    info->xen_major = headers->domain.xen_major;
    info->xen_minor = headers->domain.xen_minor;
    info->libxc_version = be32toh(headers->image.version);
    info->libxc_start = at;
    return 0;
}
