// SPDX-License-Identifier: LGPL-2.1-only
/*
 * XENMEM_load_physmap of the patched hypervisor, tried on a paused guest.
 *
 *   load-physmap features    yes or no: whether Xen has it
 *   load-physmap DOMID       every check, one line each; exit status 1 if any
 *                            fails
 *
 * The checks run on gfns above 4 GiB, which are holes, and leave the domain in
 * a state only fit to be destroyed.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xen/memory.h>
#include <xen/version.h>

#include "page-contents.h"

#define LOAD_PHYSMAP 60
#define LOAD_ZEROS 1u
#define FEATURE (1u << 31)

#define PAGING_OP 20
#define MARK_RUN 0x41
#define COUNT_2M 0x43

#define SUPER 512ul
#define BASE 0x100000ul /* 4 GiB */

struct load {
    uint16_t domid, flags;
    uint32_t nr;
    uint64_t gfn, buffer;
};
_Static_assert(sizeof(struct load) == 24, "the size Xen has");

static xencall_handle *xcall;
static xc_interface *xch;
static xenforeignmemory_handle *fmem;
static uint32_t domid;
static int failed;

/* --- saying what is checked ---------------------------------------------- */

static void check_is(long got, long want, const char *what)
{
    if (got == want)
        printf("  ok: %s: %ld\n", what, got);
    else
        printf("  FAILED: %s: %ld, not %ld\n", what, got, want);
    fflush(stdout);
    failed += got != want;
}

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "load-physmap: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* --- hypercalls ---------------------------------------------------------- */

static long memory_op(unsigned op, void *arg, size_t size)
{
    void *copy = xencall_alloc_buffer(xcall, size);
    long rc;

    need(copy, "no hypercall buffer");
    memcpy(copy, arg, size);
    rc = xencall2L(xcall, __HYPERVISOR_memory_op, op, (unsigned long)copy);
    if (rc < 0)
        rc = -errno;
    memcpy(arg, copy, size);
    xencall_free_buffer(xcall, copy);
    return rc;
}

static long load_op(struct load *op)
{
    return memory_op(LOAD_PHYSMAP, op, sizeof(*op));
}

static long load(uint64_t gfn, uint32_t nr, const void *buffer,
                 struct load *left)
{
    struct load op = { .domid = (uint16_t)domid,
                       .flags = buffer ? 0 : LOAD_ZEROS,
                       .nr = nr,
                       .gfn = gfn,
                       .buffer = (uintptr_t)buffer };
    long rc = load_op(&op);

    if (left)
        *left = op;
    return rc;
}

/* -ENOSYS where Xen has no paging or is upstream's. */
static long paging_op(uint8_t which, uint64_t gfn, uint32_t nr)
{
    struct {
        uint8_t op;
        uint16_t domain;
        uint32_t nr;
        uint64_t buffer, gfn;
    } op = { .op = which, .domain = (uint16_t)domid, .nr = nr, .gfn = gfn };

    return memory_op(PAGING_OP, &op, sizeof(op));
}

static bool has_it(void)
{
    struct xen_feature_info *info = xencall_alloc_buffer(xcall, sizeof(*info));
    bool has;

    need(info, "no hypercall buffer");
    info->submap_idx = 0;
    need(!xencall2(xcall, __HYPERVISOR_xen_version, XENVER_get_features,
                   (unsigned long)info),
         "Xen's features");
    has = info->submap & FEATURE;
    xencall_free_buffer(xcall, info);
    return has;
}

static xc_domaininfo_t info(void)
{
    xc_domaininfo_t di;

    need(xc_domain_getinfolist(xch, domid, 1, &di) == 1 && di.domain == domid,
         "no such domain");
    return di;
}

static long present(void)
{
    return (long)info().tot_pages;
}

static void limit_to(unsigned long pages)
{
    need(!xc_domain_setmaxmem(xch, domid, pages * 4),
         "cannot set the domain's limit");
}

/* --- contents ------------------------------------------------------------ */

static void *buffer_of(unsigned long pages)
{
    void *p = xencall_alloc_buffer_pages(xcall, pages);

    need(p, "no hypercall buffer");
    return p;
}

static unsigned long matching(uint64_t gfn, unsigned long pages,
                              bool (*matches)(const uint64_t *, uint64_t))
{
    unsigned long good = 0;

    for (; pages--; gfn++) {
        xen_pfn_t pfn = gfn;
        void *p = xenforeignmemory_map(fmem, domid, PROT_READ, 1, &pfn, NULL);

        if (!p)
            continue;
        good += matches(p, gfn);
        xenforeignmemory_unmap(fmem, p, 1);
    }
    return good;
}

/* How many of the gfns have memory. */
static bool any(const uint64_t *p, uint64_t gfn)
{
    (void)p, (void)gfn;
    return true;
}

/* --- the checks ---------------------------------------------------------- */

static void check_arguments(void)
{
    struct load op = { .nr = 1, .gfn = BASE, .flags = LOAD_ZEROS };
    char *page = buffer_of(2);

    puts("arguments");
    op.domid = 0x7000;
    check_is(load_op(&op), -ESRCH, "no such domain");
    op.domid = 0;
    check_is(load_op(&op), -EPERM, "dom0 itself");
    op.domid = (uint16_t)domid;
    op.flags = 2;
    check_is(load_op(&op), -EINVAL, "an unknown flag");
    op.flags = LOAD_ZEROS;
    op.buffer = (uintptr_t)page;
    check_is(load_op(&op), -EINVAL, "zeros, and a buffer");
    op.flags = 0;
    op.buffer = 0;
    check_is(load_op(&op), -EFAULT, "neither");
    op.buffer = 0xffff800000000000;
    check_is(load_op(&op), -EINVAL, "a buffer out of reach");
    op.buffer = -PAGE;
    check_is(load_op(&op), -EINVAL, "a buffer at the end of addresses");
    op.nr = 2;
    check_is(load_op(&op), -EINVAL, "a buffer around it");
    check_is(load(~0ul, 1, page, NULL), -EINVAL, "at the end of numbers");
    check_is(load(~0ul - 1, 4, NULL, NULL), -EINVAL, "around it");
    check_is(load(1ul << 50, 1, page, NULL), -EINVAL, "out of reach");
    check_is(load(BASE, 0, page, NULL), 0, "nothing");
    check_is((long)matching(BASE, 4, any), 0, "pages with memory");
    xencall_free_buffer_pages(xcall, page, 2);
}

static void check_pages(void)
{
    const uint64_t at = BASE + 10;
    char *buffer = buffer_of(100);
    long before = present();
    struct load left;

    puts("single pages");
    fill((void *)buffer, at, 100);
    check_is(load(at, 100, buffer, &left), 0, "100 pages");
    check_is(left.nr, 0, "left");
    check_is((long)(left.gfn - at), 100, "gfn after them");
    check_is((long)(left.buffer - (uintptr_t)buffer), 100 * PAGE, "bytes used");
    check_is(present() - before, 100, "more pages");
    check_is((long)matching(at, 100, page_holds), 100, "with their contents");
    check_is((long)matching(at - 10, 10, any), 0, "with memory before them");
    check_is((long)matching(at + 100, 10, any), 0, "with memory after them");
    check_is(load(at + 50, 100, buffer, &left), -EEXIST, "over them");
    check_is((long)(left.gfn - at), 50, "offending gfn");
    check_is(left.nr, 100, "left");
    check_is(load(at - 5, 10, buffer, &left), -EEXIST, "up to them");
    check_is((long)(left.gfn - at), 0, "offending gfn");
    check_is(left.nr, 5, "left");
    check_is(load(0x100, 1, buffer, NULL), -EEXIST, "over RAM");
    check_is(present() - before, 105, "more pages");
    check_is((long)matching(at, 100, page_holds), 100, "with their contents");
    xencall_free_buffer_pages(xcall, buffer, 100);
}

/* By paging's operation, where it is there. */
static void check_large(uint64_t gfn, uint32_t nr, long want)
{
    long rc = paging_op(COUNT_2M, gfn, nr);

    if (rc == -ENOSYS || rc == -ENODEV)
        puts("  (nobody counts the large entries)");
    else
        check_is(rc, want, "in large entries");
}

static void check_superpages(void)
{
    const uint64_t at = BASE + 0x1000;
    const unsigned long pages = 3 * SUPER;
    char *buffer = buffer_of(pages);
    long before = present();

    puts("2 MiB pages");
    fill((void *)buffer, at, pages);
    check_is(load(at, pages - 1, buffer, NULL), 0, "two, and 511 pages");
    check_is(present() - before, (long)pages - 1, "more pages");
    check_is((long)matching(at, pages - 1, page_holds), (long)pages - 1,
             "with their contents");
    check_is((long)matching(at + pages - 1, 1, any), 0, "the last has memory");
    check_large(at, (uint32_t)pages, 2 * SUPER);
    check_is(load(at + pages + 1, SUPER, buffer, NULL), 0, "not aligned");
    check_large(at + pages, 2 * SUPER, 0);
    xencall_free_buffer_pages(xcall, buffer, pages);
}

/* With one page of 512 in the way, those before it are loaded one by one. */
static void check_superpage_in_the_way(void)
{
    const uint64_t at = BASE + 0x2000;
    char *buffer = buffer_of(SUPER);
    long before = present();
    struct load left;

    puts("512 gfns that are not all holes");
    fill((void *)buffer, at, SUPER);
    check_is(load(at + 300, 1, NULL, NULL), 0, "one zero page");
    check_is(load(at, SUPER, buffer, &left), -EEXIST, "all");
    check_is((long)(left.gfn - at), 300, "offending gfn");
    check_is(present() - before, 301, "more pages");
    check_is((long)matching(at, 300, page_holds), 300, "with their contents");
    check_is((long)matching(at + 300, 1, page_is_zero), 1, "zero pages");
    check_is((long)matching(at + 301, 211, any), 0, "others with memory");
    xencall_free_buffer_pages(xcall, buffer, SUPER);
}

static void check_zeros(void)
{
    const uint64_t at = BASE + 0x3000;

    puts("zeros");
    check_is(load(at, SUPER + 3, NULL, NULL), 0, "2 MiB and 3 pages");
    check_is((long)matching(at, SUPER + 3, page_is_zero), SUPER + 3,
             "zero pages");
    check_large(at, 2 * SUPER, SUPER);
}

/* The buffer's third page is not there. */
static void check_bad_buffer(void)
{
    const uint64_t at = BASE + 0x4000;
    char *buffer = mmap(NULL, SUPER * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    long before = present();
    struct load left;

    puts("a bad buffer");
    need(buffer != MAP_FAILED, "no memory");
    fill((void *)buffer, at, SUPER);
    need(!munmap(buffer + 2 * PAGE, PAGE), "munmap");
    check_is(load(at, SUPER, buffer, &left), -EFAULT, "512 pages");
    check_is((long)(left.gfn - at), 2, "offending gfn");
    check_is(left.nr, SUPER - 2, "left");
    check_is((long)(left.buffer - (uintptr_t)buffer), 2 * PAGE, "bytes used");
    check_is(present() - before, 2, "more pages");
    check_is((long)matching(at, 2, page_holds), 2, "with their contents");
    check_is((long)matching(at + 2, 510, any), 0, "others with memory");
    munmap(buffer, 2 * PAGE);
    munmap(buffer + 3 * PAGE, (SUPER - 3) * PAGE);
}

/* `room` more pages may come, 512 of which are one where there is room. */
static void load_to_limit(uint64_t at, long room, long nr, const char *what)
{
    unsigned long max = info().max_pages;
    long before = present(), done = nr < room ? nr : room;
    char *buffer = buffer_of((unsigned long)nr);
    struct load left;

    fill((void *)buffer, at, (unsigned long)nr);
    limit_to((unsigned long)(before + room));
    check_is(load(at, (uint32_t)nr, buffer, &left), nr > room ? -ENOMEM : 0,
             what);
    check_is((long)(left.gfn - at), done, "loaded");
    check_is(present() - before, done, "more pages");
    check_is((long)matching(at, (unsigned long)done, page_holds), done,
             "with their contents");
    limit_to(max);
    xencall_free_buffer_pages(xcall, buffer, (unsigned long)nr);
}

static void check_limit(void)
{
    const uint64_t at = BASE + 0x5000;

    puts("the domain's limit");
    load_to_limit(at, 514, 513, "a page less than may be");
    load_to_limit(at + 0x400, 513, 513, "as many as may be");
    load_to_limit(at + 0x800, 512, 513, "a page more");
    load_to_limit(at + 0xc00, 511, 512, "a page more than 511");
}

/* Another one's data is not in a page that is got afterwards. */
static void check_cleared(void)
{
    const uint64_t at = BASE + 0x6000;
    char *buffer = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    xen_pfn_t gfns[256];

    puts("what is left of a page that was not loaded");
    need(buffer != MAP_FAILED, "no memory");
    for (unsigned i = 0; i < PAGE / 16; i++)
        ((uint64_t *)(buffer + PAGE / 2))[i] = word(0x5ec, i);
    need(!munmap(buffer + PAGE, PAGE), "munmap");
    check_is(load(at, 1, buffer + PAGE / 2, NULL), -EFAULT, "half a page");
    for (unsigned i = 0; i < 256; i++)
        gfns[i] = at + 1 + i;
    need(!xc_domain_populate_physmap_exact(xch, domid, 256, 0, 0, gfns),
         "populate");
    check_is((long)matching(at + 1, 256, page_has_secret), 0,
             "pages with what was in it");
    munmap(buffer, PAGE);
}

/* The ring is in nobody's way; what is out is no hole, and stays out. */
static void check_paged(void)
{
    const uint64_t at = BASE + 0x7000;
    char *buffer = buffer_of(SUPER);
    struct load left;
    uint32_t port;

    puts("a domain that is paged");
    if (xc_mem_paging_enable(xch, domid, &port)) {
        puts("  (it cannot be)");
        return;
    }
    fill((void *)buffer, at, SUPER);
    check_is(load(at, 100, buffer, NULL), 0, "holes");
    check_is((long)matching(at, 100, page_holds), 100, "with their contents");
    if (paging_op(MARK_RUN, at + 200, 1) == 0) {
        long before = present();

        check_is(load(at + 100, 200, buffer + 100 * PAGE, &left), -EEXIST,
                 "holes and a page that is out");
        check_is((long)(left.gfn - at), 200, "offending gfn");
        check_is(load(at + 200, SUPER, NULL, &left), -EEXIST, "it alone");
        check_is((long)(left.gfn - at), 200, "offending gfn");
        check_is(present() - before, 100, "more pages");
        check_is((long)info().paged_pages, 1, "pages out");
        /* What is out has its place below the limit. */
        limit_to((unsigned long)present() + 1 + 10);
        check_is(load(at + 0x400, 20, NULL, &left), -ENOMEM,
                 "more than may be");
        check_is((long)(left.gfn - at - 0x400), 10, "loaded");
    }
    need(!xc_mem_paging_disable(xch, domid), "cannot disable paging");
    xencall_free_buffer_pages(xcall, buffer, SUPER);
}

static void check_on_demand(void)
{
    xen_pfn_t gfn = BASE + 0x8000;

    puts("populate on demand");
    limit_to(info().max_pages + 100);
    need(xc_domain_populate_physmap(xch, domid, 1, 0,
                                    XENMEMF_populate_on_demand, &gfn) == 1,
         "populate on demand");
    check_is(load(gfn + 1, 1, NULL, NULL), -EXDEV, "beside it");
    need(xc_domain_decrease_reservation(xch, domid, 1, 0, &gfn) == 1,
         "giving it back");
    check_is(load(gfn + 1, 1, NULL, NULL), 0, "without it");
}

/* Those dom0 has served, which it can only do when Xen returns to it. */
static long interrupts(void)
{
    FILE *f = fopen("/proc/stat", "r");
    char line[4096];
    long n = -1;

    need(f, "cannot read /proc/stat");
    while (n < 0 && fgets(line, sizeof(line), f))
        sscanf(line, "intr %ld", &n);
    fclose(f);
    return n;
}

static void check_preemption(void)
{
    const uint64_t at = BASE + 0x10000;
    const unsigned long pages = 0x8000;
    char *buffer = buffer_of(pages);
    long before;

    puts("a large run");
    fill((void *)buffer, at, pages);
    before = interrupts();
    check_is(load(at, (uint32_t)pages, buffer, NULL), 0, "32,768 pages");
    check_is(interrupts() > before, 1, "interrupts got through");
    check_is((long)matching(at, pages, page_holds), (long)pages,
             "with their contents");
    check_large(at, (uint32_t)pages, (long)pages);
    xencall_free_buffer_pages(xcall, buffer, pages);
}

static void check_everything(void)
{
    limit_to(info().max_pages + 0x10000);
    check_arguments();
    check_pages();
    check_superpages();
    check_superpage_in_the_way();
    check_zeros();
    check_bad_buffer();
    check_limit();
    check_cleared();
    check_preemption();
    check_on_demand();
    check_paged();
}

int main(int argc, char **argv)
{
    char *end;

    if (argc != 2) {
        fputs("usage: load-physmap features | load-physmap DOMID\n", stderr);
        return 2;
    }
    xcall = xencall_open(NULL, 0);
    need(xcall, "no access to Xen");
    if (!strcmp(argv[1], "features")) {
        puts(has_it() ? "yes" : "no");
        return 0;
    }
    domid = (uint32_t)strtoul(argv[1], &end, 10);
    need(*argv[1] && !*end, "not a domain id");
    xch = xc_interface_open(NULL, NULL, 0);
    fmem = xenforeignmemory_open(NULL, 0);
    need(xch && fmem, "no access to Xen");
    check_everything();
    printf("%d failed\n", failed);
    return failed > 0;
}
