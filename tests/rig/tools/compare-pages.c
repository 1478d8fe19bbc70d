/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * compare-pages DOMID SAVEFILE: every page of a paused guest against the file
 * it was restored from. It shares no code with what it is to judge: it has its
 * own reader of the three layers of an xl save file (xl's header, libxl's
 * records, libxc's records) and maps the guest's pages itself.
 *
 * Prints counts and exits with 0 only when pages were compared, all of them
 * are there, and all are equal. The special pages below 4 GiB (rings of store,
 * console and device model) change by being used: they are counted apart.
 */
#include <errno.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xenforeignmemory.h>

enum {
    PAGE = 4096,
    BATCH = 512,
    LISTED = 10,
    FIRST_SPECIAL = 0xfeff0,
    END_SPECIAL = 0x100000,
};

#define XL_MAGIC "Xen saved domain, xl format\n \0 \r"
#define LIBXL_IDENT 0x4c6962786c466d74u /* "LibxlFmt" */
#define LIBXL_CONTEXT 1u                /* libxc's stream follows */
#define LIBXC_ID 0x58454e46u            /* "XENF" */
#define LIBXC_END 0u
#define LIBXC_PAGE_DATA 1u
#define PFN_MASK ((UINT64_C(1) << 52) - 1)
#define TYPE_LAST_WITH_DATA 12 /* broken, allocate only, invalid have none */
#define MAX_PFN (UINT64_C(1) << 28)

struct file {
    const uint8_t *data;
    uint64_t size, at;
};

/* Where the last copy of each page is in the file; 0 for none. */
struct pages {
    uint64_t *offset;
    uint64_t count;
};

struct result {
    uint64_t compared, equal, different, missing;
    uint64_t special, special_different;
};

static void fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("compare-pages: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static const void *take(struct file *f, uint64_t size, const char *what)
{
    const void *at = f->data + f->at;

    if (size > f->size - f->at)
        fail("the file ends in %s, at %" PRIu64, what, f->at);
    f->at += size;
    return at;
}

static uint32_t take_u32(struct file *f, const char *what)
{
    uint32_t value;

    memcpy(&value, take(f, sizeof(value), what), sizeof(value));
    return value;
}

static uint64_t take_u64(struct file *f, const char *what)
{
    uint64_t value;

    memcpy(&value, take(f, sizeof(value), what), sizeof(value));
    return value;
}

static uint64_t padded(uint32_t size)
{
    return ((uint64_t)size + 7) & ~UINT64_C(7);
}

static void open_file(struct file *f, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        fail("%s: %s", path, strerror(errno));
    f->size = (uint64_t)st.st_size;
    f->at = 0;
    f->data = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (f->data == MAP_FAILED)
        fail("%s: %s", path, strerror(errno));
    close(fd);
}

static void read_xl_header(struct file *f)
{
    if (memcmp(take(f, 32, "xl's header"), XL_MAGIC, 32))
        fail("not a file of xl save");
    take(f, 12, "xl's header"); /* byte order and flags */
    take(f, take_u32(f, "xl's header"), "xl's configuration");
}

/* Stops behind the record that announces libxc's stream. */
static void read_libxl_head(struct file *f)
{
    uint32_t type, size;

    if (be64toh(take_u64(f, "libxl's header")) != LIBXL_IDENT)
        fail("no libxl stream at %" PRIu64, f->at - 8);
    take(f, 8, "libxl's header"); /* version and options */
    do {
        type = take_u32(f, "a record of libxl");
        size = take_u32(f, "a record of libxl");
        take(f, padded(size), "a record of libxl");
    } while (type != LIBXL_CONTEXT);
}

static void read_libxc_head(struct file *f)
{
    uint64_t marker = take_u64(f, "libxc's header");

    if (marker != UINT64_MAX ||
        be32toh(take_u32(f, "libxc's header")) != LIBXC_ID)
        fail("no libxc stream at %" PRIu64, f->at - 12);
    take(f, 12, "libxc's header");        /* version and options */
    take(f, 16, "libxc's domain header"); /* kind, page size, Xen's version */
}

static void note(struct pages *p, uint64_t pfn, uint64_t offset)
{
    uint64_t count = p->count ? p->count : 1 << 16;

    if (pfn >= MAX_PFN)
        fail("pfn %#" PRIx64 " is beyond all guests", pfn);
    while (pfn >= count)
        count *= 2;
    if (count != p->count) {
        p->offset = realloc(p->offset, count * sizeof(*p->offset));
        if (!p->offset)
            fail("out of memory");
        memset(p->offset + p->count, 0,
               (count - p->count) * sizeof(*p->offset));
        p->count = count;
    }
    p->offset[pfn] = offset;
}

static void read_page_data(struct file *f, struct pages *p)
{
    uint32_t count = take_u32(f, "page data");
    struct file pfns;

    take_u32(f, "page data");
    pfns = *f;
    take(f, (uint64_t)count * 8, "page data");
    while (count--) {
        uint64_t pfn = take_u64(&pfns, "page data");

        if (pfn >> 60 > TYPE_LAST_WITH_DATA)
            continue;
        take(f, PAGE, "a page");
        note(p, pfn & PFN_MASK, f->at - PAGE);
    }
}

static void read_libxc_records(struct file *f, struct pages *p)
{
    uint32_t type, size;

    do {
        uint64_t end;

        type = take_u32(f, "a record of libxc");
        size = take_u32(f, "a record of libxc");
        end = f->at + padded(size);
        if (type == LIBXC_PAGE_DATA) {
            read_page_data(f, p);
            if (f->at > end)
                fail("page data beyond its record, at %" PRIu64, f->at);
        }
        f->at = end < f->size ? end : f->size;
    } while (type != LIBXC_END);
}

static void compare_page(struct result *r, uint64_t pfn, const uint8_t *guest,
                         const uint8_t *saved)
{
    int special = pfn >= FIRST_SPECIAL && pfn < END_SPECIAL;
    int differs = memcmp(guest, saved, PAGE) != 0;
    size_t i = 0;

    r->special += special;
    r->special_different += special && differs;
    if (special)
        return;
    r->compared++;
    r->equal += !differs;
    r->different += differs;
    if (!differs || r->different > LISTED)
        return;
    while (guest[i] == saved[i])
        i++;
    printf("differs: gfn %#" PRIx64 " from byte %zu: %02x, in the file %02x\n",
           pfn, i, guest[i], saved[i]);
}

static void compare_batch(xenforeignmemory_handle *fmem, uint32_t domid,
                          const struct file *f, const struct pages *p,
                          const xen_pfn_t *gfns, size_t count, struct result *r)
{
    int errors[BATCH];
    const uint8_t *guest =
        xenforeignmemory_map(fmem, domid, PROT_READ, count, gfns, errors);

    for (size_t i = 0; i < count; i++) {
        if (guest && !errors[i])
            compare_page(r, gfns[i], guest + i * PAGE,
                         f->data + p->offset[gfns[i]]);
        else if (++r->missing <= LISTED)
            printf("missing: gfn %#lx: %s\n", gfns[i],
                   strerror(guest ? -errors[i] : errno));
    }
    if (guest)
        xenforeignmemory_unmap(fmem, (void *)guest, count);
}

static void compare(uint32_t domid, const struct file *f, const struct pages *p,
                    struct result *r)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfns[BATCH];
    size_t count = 0;

    if (!fmem)
        fail("no access to guests' memory: %s", strerror(errno));
    for (uint64_t pfn = 0; pfn < p->count; pfn++) {
        if (p->offset[pfn])
            gfns[count++] = pfn;
        if (count == BATCH || (count && pfn + 1 == p->count)) {
            compare_batch(fmem, domid, f, p, gfns, count, r);
            count = 0;
        }
    }
    xenforeignmemory_close(fmem);
}

int main(int argc, char **argv)
{
    struct file f;
    struct pages p = { 0 };
    struct result r = { 0 };

    if (argc != 3) {
        fputs("usage: compare-pages DOMID SAVEFILE\n", stderr);
        return 2;
    }
    open_file(&f, argv[2]);
    read_xl_header(&f);
    read_libxl_head(&f);
    read_libxc_head(&f);
    read_libxc_records(&f, &p);
    compare((uint32_t)strtoul(argv[1], NULL, 10), &f, &p, &r);
    printf("compared=%" PRIu64 " equal=%" PRIu64 " different=%" PRIu64
           " missing=%" PRIu64 " special=%" PRIu64 " special_different=%" PRIu64
           "\n",
           r.compared, r.equal, r.different, r.missing, r.special,
           r.special_different);
    return !r.compared || r.equal != r.compared || r.missing;
}
