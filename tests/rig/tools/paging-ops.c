// SPDX-License-Identifier: LGPL-2.1-only
/*
 * The extended memory paging operations of the patched hypervisor, each tried
 * on a paused guest.
 *
 *   paging-ops features   the mask of extended operations, or an errno's name
 *   paging-ops DOMID
 *       every check, one line each; exit status 1 if any fails
 *
 *   paging-ops DOMID unwatched
 *       the checks after which grants are not watched any more, and one that
 *       crashes the domain
 *
 * The guest's memory below 4 GiB is left alone, but for a few pages: the checks
 * run on gfns above, which are holes, and end with the domain in a state only
 * fit to be destroyed.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenforeignmemory.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sys/privcmd.h>

#include "page-contents.h"

#define OP_FEATURES 0x40
#define OP_MARK_RUN 0x41
#define OP_LOAD_RUN 0x42
#define OP_COUNT_2M 0x43
#define OP_LOAD_ZEROS 0x44
#define COUNT_MAX 0x10000

#define SUPER 512ul
#define BASE 0x100000ul              /* 4 GiB */
#define XEN_OWN 0xffff800000000000ul /* addresses a PV guest may not use */

struct paging_op {
    uint8_t op;
    uint16_t domain;
    uint32_t nr;
    uint64_t buffer;
    uint64_t gfn;
};
_Static_assert(sizeof(struct paging_op) == 24, "the size Xen has");

static xencall_handle *xcall;
static xc_interface *xch;
static xenforeignmemory_handle *fmem;
static uint32_t domid;
static int failed;

/* --- saying what is checked ---------------------------------------------- */

static void check(bool good, const char *what, ...)
{
    va_list ap;

    printf("  %s: ", good ? "ok" : "FAILED");
    va_start(ap, what);
    vprintf(what, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    failed += !good;
}

static void check_is(long got, long want, const char *what)
{
    if (got == want)
        check(true, "%s: %ld", what, got);
    else
        check(false, "%s: %ld, not %ld", what, got, want);
}

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "paging-ops: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* --- hypercalls ---------------------------------------------------------- */

/* The operation's result, or -errno; *op is what Xen left of it. */
static long paging_op(struct paging_op *op)
{
    struct paging_op *arg = xencall_alloc_buffer(xcall, sizeof(*arg));
    long rc;

    need(arg, "no hypercall buffer");
    *arg = *op;
    rc = xencall2L(xcall, __HYPERVISOR_memory_op, 20, (unsigned long)arg);
    if (rc < 0)
        rc = -errno;
    *op = *arg;
    xencall_free_buffer(xcall, arg);
    return rc;
}

static long run_op(uint8_t op, uint64_t gfn, uint32_t nr, void *buffer,
                   struct paging_op *left)
{
    struct paging_op arg = {
        .op = op,
        .domain = domid,
        .nr = nr,
        .buffer = (uintptr_t)buffer,
        .gfn = gfn,
    };
    long rc = paging_op(&arg);

    if (left)
        *left = arg;
    return rc;
}

static long mark(uint64_t gfn, uint32_t nr)
{
    return run_op(OP_MARK_RUN, gfn, nr, NULL, NULL);
}

static long load(uint64_t gfn, uint32_t nr, void *buffer)
{
    return run_op(OP_LOAD_RUN, gfn, nr, buffer, NULL);
}

static long count_2m(uint64_t gfn, uint32_t nr)
{
    return run_op(OP_COUNT_2M, gfn, nr, NULL, NULL);
}

static xc_domaininfo_t info(void)
{
    xc_domaininfo_t di;

    need(xc_domain_getinfolist(xch, domid, 1, &di) == 1 && di.domain == domid,
         "no such domain");
    return di;
}

static long paged(void)
{
    return info().paged_pages;
}

static long present(void)
{
    return info().tot_pages;
}

static void allow_more(unsigned long pages)
{
    need(!xc_domain_setmaxmem(xch, domid, (info().max_pages + pages) * 4),
         "cannot raise the domain's limit");
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
    xen_pfn_t gfns[SUPER];
    unsigned long good = 0;

    while (pages) {
        unsigned long n = pages < SUPER ? pages : SUPER;
        char *p;

        for (unsigned long i = 0; i < n; i++)
            gfns[i] = gfn + i;
        p = xenforeignmemory_map(fmem, domid, PROT_READ, n, gfns, NULL);
        need(p, "cannot map the guest's memory");
        for (unsigned long i = 0; i < n; i++)
            good += matches((void *)(p + i * PAGE), gfn + i);
        xenforeignmemory_unmap(fmem, p, n);
        gfn += n;
        pages -= n;
    }
    return good;
}

/* How many of the gfns hold what fill() puts there. */
static unsigned long holding(uint64_t gfn, unsigned long pages)
{
    return matching(gfn, pages, page_holds);
}

/*
 * One try to map a gfn, unlike libxenforeignmemory's, which tries again until
 * a page that is paged out is there. Asks the pager for it. Returns -errno.
 */
static int ask_for(uint64_t gfn)
{
    int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC), err = 0;
    xen_pfn_t pfn = gfn;
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    privcmd_mmapbatch_v2_t batch = {
        .num = 1,
        .dom = domid,
        .addr = (uintptr_t)p,
        .arr = &pfn,
        .err = &err,
    };

    need(fd >= 0 && p != MAP_FAILED, "cannot use privcmd");
    ioctl(fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch);
    munmap(p, PAGE);
    close(fd);
    return err;
}

/* --- the checks ---------------------------------------------------------- */

static long features(void)
{
    struct paging_op op = { .op = OP_FEATURES, .domain = DOMID_INVALID };

    return paging_op(&op);
}

static void check_features(void)
{
    puts("features");
    check_is(features(), 0x1ff, "mask");
}

static void check_without_ring(void)
{
    static char page[PAGE];

    puts("without a ring");
    check_is(mark(BASE, 1), -ENODEV, "mark_run");
    check_is(load(BASE, 1, page), -ENODEV, "load_run");
    check_is(run_op(0x3f, BASE, 1, NULL, NULL), -ENODEV, "no operation");
    check_is(count_2m(BASE, SUPER), 0, "count_2m of holes");
    check_is(count_2m(0x2000, SUPER), SUPER, "count_2m of a new guest");
}

static void check_bad_domains(void)
{
    struct paging_op op = { .op = OP_MARK_RUN, .nr = 1, .gfn = BASE };

    puts("bad domains");
    op.domain = 0x7000;
    check_is(paging_op(&op), -ESRCH, "mark_run, no such domain");
    op.domain = 0;
    check_is(paging_op(&op), -EPERM, "mark_run, dom0 itself");
    op.op = OP_COUNT_2M;
    op.domain = 0x7000;
    check_is(paging_op(&op), -ESRCH, "count_2m, no such domain");
}

static void check_bad_runs(void)
{
    static char page[PAGE];

    puts("bad runs");
    check_is(run_op(0x45, BASE, 1, NULL, NULL), -ENOSYS, "no operation");
    check_is(mark(BASE, 0), 0, "mark_run of nothing");
    check_is(mark(~0ul, 1), -EINVAL, "mark_run at the end of numbers");
    check_is(mark(~0ul - 1, 4), -EINVAL, "mark_run around it");
    check_is(mark(1ul << 50, 1), -EINVAL, "mark_run out of the guest's reach");
    check_is(count_2m(1ul << 50, 1), -EINVAL, "count_2m out of it");
    check_is(count_2m(BASE, COUNT_MAX), 0, "count_2m of as many as may be");
    check_is(count_2m(0, COUNT_MAX + 1), -EINVAL, "count_2m of more");
    check_is(load(BASE, 1, NULL), -EINVAL, "load_run without a buffer");
    check_is(run_op(OP_LOAD_ZEROS, BASE, 1, page, NULL), -EINVAL,
             "load_zeros with one");
    check_is(paged(), 0, "pages out");
}

static void check_marking(void)
{
    struct paging_op left;

    puts("mark_run");
    check_is(mark(BASE, 100), 0, "100 holes");
    check_is(paged(), 100, "pages out");
    check_is(mark(BASE, 100), 0, "the same again");
    check_is(paged(), 100, "pages out");
    check_is(mark(BASE + 50, 100), 0, "50 of them, and 50 more");
    check_is(paged(), 150, "pages out");
    check_is(run_op(OP_MARK_RUN, 0x100, 7, NULL, &left), -EEXIST, "RAM");
    check_is(left.gfn, 0x100, "offending gfn");
    check_is(left.nr, 7, "left");
}

/* A hole in the guest's memory: as much as was there may be marked. */
static void check_marking_up_to_ram(void)
{
    xen_pfn_t gfns[100];
    struct paging_op left;

    puts("mark_run up to RAM");
    for (unsigned i = 0; i < 100; i++)
        gfns[i] = 0x8000 + i;
    need(!xc_domain_decrease_reservation_exact(xch, domid, 100, 0, gfns),
         "cannot take memory from the guest");
    check_is(run_op(OP_MARK_RUN, 0x8000, 200, NULL, &left), -EEXIST,
             "100 holes and RAM");
    check_is(left.gfn, 0x8000 + 100, "offending gfn");
    check_is(left.nr, 100, "left");
    check_is(paged(), 250, "pages out");
}

static void check_allowance(void)
{
    xc_domaininfo_t di = info();
    long room = (long)(di.max_pages - di.tot_pages - di.paged_pages);
    struct paging_op left;

    puts("mark_run of more than the domain may have");
    check_is(run_op(OP_MARK_RUN, BASE + 0x10000, 100000, NULL, &left), -E2BIG,
             "100,000 holes");
    check_is(left.gfn - BASE - 0x10000, room, "done");
    check_is(100000 - left.nr, room, "not left");
    check_is(paged(), (long)di.paged_pages + room, "pages out");
    allow_more(0x60000);
}

static void check_loading_pages(void)
{
    struct paging_op left;
    char *buffer = buffer_of(100);
    long before = present(), out = paged();

    puts("load_run of single pages");
    fill((void *)buffer, BASE, 100);
    check_is(run_op(OP_LOAD_RUN, BASE, 100, buffer, &left), 0, "100 pages");
    check_is(left.nr, 0, "left");
    check_is(left.gfn, BASE + 100, "gfn after them");
    check_is(left.buffer - (uintptr_t)buffer, 100 * PAGE, "bytes used");
    check_is(out - paged(), 100, "fewer pages out");
    check_is(present() - before, 100, "more pages");
    check_is(holding(BASE, 100), 100, "pages with the right contents");
    memset(buffer, 0, 100 * PAGE);
    check_is(load(BASE, 100, buffer), 0, "again, with zeros");
    check_is(holding(BASE, 100), 100, "pages with the first contents");
    check_is(load(BASE + 0x8000, 3, buffer), 0, "holes count as done");
    check_is(count_2m(BASE, SUPER), 0, "in large entries");
    xencall_free_buffer_pages(xcall, buffer, 100);
}

static void check_loading_superpages(void)
{
    const uint64_t at = BASE + 0x20000;
    const unsigned long pages = 4 * SUPER;
    char *buffer = buffer_of(pages);
    long before = present(), out = paged();

    puts("load_run of superpages");
    check_is(mark(at, pages), 0, "2,048 holes marked");
    fill((void *)buffer, at, pages);
    check_is(load(at, 2 * SUPER, buffer), 0, "two superpages");
    check_is(count_2m(at, pages), 2 * SUPER, "in large entries");
    check_is(paged() - out, 2 * SUPER, "pages out");

    /* Two runs that meet within a superpage. */
    check_is(load(at + 2 * SUPER, 100, buffer + 2 * SUPER * PAGE), 0,
             "100 pages of the third");
    check_is(load(at + 2 * SUPER + 100, 2 * SUPER - 100,
                  buffer + (2 * SUPER + 100) * PAGE),
             0, "the rest");
    check_is(count_2m(at, pages), 4 * SUPER, "in large entries");
    check_is(count_2m(at + 10, SUPER), SUPER, "in large entries, unaligned");
    check_is(paged(), out, "pages out");
    check_is(present() - before, pages, "more pages");
    check_is(holding(at, pages), pages, "pages with the right contents");
    xencall_free_buffer_pages(xcall, buffer, pages);
}

/* Somebody waits for one page of it. */
static void check_loading_awaited(void)
{
    const uint64_t at = BASE + 0x22000;
    char *buffer = buffer_of(SUPER);

    puts("load_run where a page is waited for");
    check_is(mark(at, SUPER), 0, "512 holes marked");
    check_is(ask_for(at + 77), -ENOENT, "asked for one");
    check_is(mark(at, SUPER), 0, "marked again");
    fill((void *)buffer, at, SUPER);
    check_is(load(at, SUPER, buffer), 0, "loaded");
    check_is(count_2m(at, SUPER), SUPER, "in large entries");
    check_is(holding(at, SUPER), SUPER, "pages with the right contents");
    xencall_free_buffer_pages(xcall, buffer, SUPER);
}

/* What check_bad_buffers() leaves set aside, of 512: the third page is lost. */
static const long left_aside = SUPER - 3;

/* The buffer's third page is not there. */
static void check_bad_buffers(void)
{
    const uint64_t at = BASE + 0x24000;
    struct paging_op left;
    char *buffer = mmap(NULL, SUPER * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    long before = present();

    puts("load_run from a bad buffer");
    need(buffer != MAP_FAILED, "no memory");
    fill((void *)buffer, at, SUPER);
    need(!munmap(buffer + 2 * PAGE, PAGE), "munmap");
    check_is(mark(at, SUPER), 0, "512 holes marked");
    check_is(run_op(OP_LOAD_RUN, at, SUPER, buffer, &left), -EFAULT,
             "a hole in the buffer");
    check_is(left.gfn - at, 2, "done");
    check_is(left.nr, SUPER - 2, "left");
    check_is(left.buffer - (uintptr_t)buffer, 2 * PAGE, "bytes used");
    check_is(holding(at, 2), 2, "pages with the right contents");
    check_is(run_op(OP_LOAD_RUN, at + 2, 1, (void *)XEN_OWN, &left), -EINVAL,
             "a buffer out of reach");
    check_is(present() - before, 2, "more pages");
    munmap(buffer, 2 * PAGE);
    munmap(buffer + 3 * PAGE, (SUPER - 3) * PAGE);
}

/* What lies behind the last address is not a buffer that is not there. */
static void check_buffer_around(void)
{
    const uint64_t at = BASE + 0x24800;

    puts("load_run from a buffer around the end of addresses");
    check_is(mark(at + 1, 1), 0, "1 hole marked");
    check_is(run_op(OP_LOAD_RUN, at, 2, (void *)-PAGE, NULL), -EINVAL,
             "a hole and it");
    check_is(run_op(OP_LOAD_ZEROS, at, 2, NULL, NULL), 0, "zeros");
    check_is(matching(at + 1, 1, page_is_zero), 1, "zero pages");
}

/* The buffer ends within the page; another one may get that afterwards. */
static void check_cleared(void)
{
    const uint64_t at = BASE + 0x24c00;
    char *buffer = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    xen_pfn_t gfns[256];

    puts("what is left of a page that was not loaded");
    need(buffer != MAP_FAILED, "no memory");
    for (unsigned i = 0; i < PAGE / 16; i++)
        ((uint64_t *)(buffer + PAGE / 2))[i] = word(0x5ec, i);
    need(!munmap(buffer + PAGE, PAGE), "munmap");
    check_is(mark(at, 1), 0, "1 hole marked");
    check_is(load(at, 1, buffer + PAGE / 2), -EFAULT, "half a page");
    for (unsigned i = 0; i < 256; i++)
        gfns[i] = at + 1 + i;
    need(!xc_domain_populate_physmap_exact(xch, domid, 256, 0, 0, gfns),
         "populate");
    check_is(matching(at + 1, 256, page_has_secret), 0,
             "pages with what was in it");
    check_is(run_op(OP_LOAD_ZEROS, at, 1, NULL, NULL), 0, "zeros");
    munmap(buffer, PAGE);
}

static void limit_to(unsigned long pages)
{
    need(!xc_domain_setmaxmem(xch, domid, pages * 4),
         "cannot set the domain's limit");
}

/* What is out can always come back: by superpages and page by page. */
static void check_limit_lowered(void)
{
    const uint64_t at = BASE + 0x26000;
    char *buffer = buffer_of(2 * SUPER);
    unsigned long limit = info().max_pages, out = paged();

    puts("load_run above the domain's limit");
    check_is(mark(at, 2 * SUPER), 0, "1,024 holes marked");
    fill((void *)buffer, at, 2 * SUPER);
    limit_to(present() - 1);
    check_is(load(at, SUPER, buffer), 0, "512 loaded");
    check_is(load(at + SUPER, SUPER - 1, buffer + SUPER * PAGE), 0,
             "511 loaded");
    check_is(load(at + 2 * SUPER - 1, 1, buffer + (2 * SUPER - 1) * PAGE), 0,
             "one loaded");
    limit_to(limit);
    check_is(paged(), out, "pages out");
    check_is(count_2m(at, 2 * SUPER), 2 * SUPER, "in large entries");
    check_is(holding(at, 2 * SUPER), 2 * SUPER,
             "pages with the right contents");
    xencall_free_buffer_pages(xcall, buffer, 2 * SUPER);
}

static int populated(uint64_t gfn, unsigned nr)
{
    xen_pfn_t gfns[8];

    for (unsigned i = 0; i < nr; i++)
        gfns[i] = gfn + i;
    return xc_domain_populate_physmap(xch, domid, nr, 0, 0, gfns);
}

/* Other memory does not take the place of what is out. */
static void check_limit_reached(void)
{
    const uint64_t at = BASE + 0x27000;
    xc_domaininfo_t di = info();

    puts("populating up to the domain's limit");
    check(di.paged_pages > 8, "more than 8 pages are out");
    limit_to(di.tot_pages + di.paged_pages + 3);
    check_is(populated(at, 8), 3, "room for 3 of 8");
    limit_to(di.tot_pages + 100);
    check_is(populated(at + 3, 1), 0, "none with a limit below what is out");
    limit_to(di.max_pages);
    check_is(populated(at + 3, 5), 5, "room again");
}

static xencall_handle *xcall_opened(void)
{
    xencall_handle *call = xencall_open(NULL, 0);

    need(call, "no access to Xen");
    return call;
}

/* By superpages, and every fourth page by page. */
static void load_in_turn(uint64_t at, unsigned supers)
{
    char *buffer;

    xcall = xcall_opened();
    buffer = buffer_of(SUPER);
    for (unsigned i = 0; i < supers; i++) {
        uint64_t gfn = at + i * SUPER;

        fill((void *)buffer, gfn, SUPER);
        if (i % 4 == 3)
            need(!load(gfn, 1, buffer), "loading the first of 512");
        need(!load(gfn, SUPER, buffer), "loading 512");
    }
}

static pid_t loading(uint64_t at, unsigned supers)
{
    pid_t pid = fork();

    need(pid >= 0, "fork");
    if (pid)
        return pid;
    load_in_turn(at, supers);
    _exit(0);
}

static bool goes_on(pid_t pid)
{
    int status;
    pid_t got = waitpid(pid, &status, WNOHANG);

    need(got >= 0 && (!got || !status), "loading beside it");
    return !got;
}

/* A page that is being loaded is counted once, at each moment. */
static void check_limit_while_loading(void)
{
    const uint64_t at = BASE + 0x70000, extra = BASE + 0x28f00;
    const unsigned supers = 64;
    xc_domaininfo_t di;
    long tried = 0, refused = 0;
    pid_t pid;

    puts("populating at the domain's limit while pages are loaded");
    check_is(mark(at, supers * SUPER), 0, "32,768 holes marked");
    di = info();
    limit_to(di.tot_pages + di.paged_pages + 1);
    for (pid = loading(at, supers); goes_on(pid); tried++) {
        xen_pfn_t gfn = extra;

        if (populated(extra, 1) == 1)
            need(!xc_domain_decrease_reservation_exact(xch, domid, 1, 0, &gfn),
                 "cannot take memory from the guest");
        else
            refused++;
    }
    check(tried > 100, "tried %ld times", tried);
    check_is(refused, 0, "refused");
    check_is(info().tot_pages - di.tot_pages, supers * SUPER, "more pages");
    check_is(populated(extra, 2), 1, "room for one");
    limit_to(di.max_pages);
    check_is(count_2m(at, supers * SUPER), supers * SUPER, "in large entries");
    check_is(holding(at, supers * SUPER), supers * SUPER,
             "pages with the right contents");
}

/* --- loading the parts of a 2 MiB page one by one ------------------------- */

static long host_free(void)
{
    xc_physinfo_t host = { 0 };

    need(!xc_physinfo(xch, &host), "physinfo");
    return (long)host.free_pages;
}

/* Xen's own records of what it sets aside take a page now and then. */
static void check_host_gave(long before, long want, const char *what)
{
    long gave = before - host_free();

    check(labs(gave - want) <= 4, "%s: %ld, %ld or nearly", what, gave, want);
}

static void load_one(uint64_t gfn)
{
    uint64_t *page = buffer_of(1);

    fill(page, gfn, 1);
    need(!load(gfn, 1, page), "loading one page");
    xencall_free_buffer_pages(xcall, page, 1);
}

/* In an order without neighbours. */
static void load_scattered(uint64_t at, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        load_one(at + i * 7 % SUPER);
}

static void check_loading_scattered(void)
{
    const uint64_t at = BASE + 0x2a000;
    long before = present(), out = paged(), host;

    puts("load_run of 512 pages one by one");
    check_is(mark(at, SUPER), 0, "512 holes marked");
    host = host_free();
    load_scattered(at, 0, 1);
    check_is(present() - before, 1, "more pages");
    check_host_gave(host, SUPER, "taken from the host");
    load_scattered(at, 1, SUPER - 1);
    check_is(count_2m(at, SUPER), 0, "in large entries");
    check_is(paged() - out, 1, "pages out");
    load_scattered(at, SUPER - 1, SUPER);
    check_is(count_2m(at, SUPER), SUPER, "in large entries");
    check_is(present() - before, SUPER, "more pages");
    check_is(paged(), out, "pages out");
    check_host_gave(host, SUPER, "taken from the host");
    check_is(holding(at, SUPER), SUPER, "pages with the right contents");
}

static long claimed(void)
{
    return (long)info().outstanding_pages;
}

static void claim(unsigned long pages)
{
    need(!xc_domain_claim_pages(xch, domid, pages), "claiming memory");
}

/*
 * What was set aside for a page that never comes is the host's again, and is
 * claimed again, so that as many other pages can come back as before.
 */
static void check_slots_dropped(void)
{
    const uint64_t at = BASE + 0x2a200;
    const unsigned long vga = 0xa0;
    xen_pfn_t gfns[300];
    long out = paged(), host, before;

    puts("pages that are not loaded, of 512");
    for (unsigned i = 0; i < 300; i++)
        gfns[i] = at + 1 + i;
    check_is(mark(at, SUPER), 0, "512 holes marked");
    claim((unsigned long)(present() + paged()));
    before = claimed();
    host = host_free();
    load_one(at);
    check_host_gave(host, SUPER, "taken from the host");
    check_is(xc_domain_decrease_reservation(xch, domid, 100, 0, gfns), 100,
             "given back");
    check_host_gave(host, SUPER - 100, "taken from the host");
    check_is(before - claimed(), SUPER - 100, "less claimed");
    check_is(xc_domain_populate_physmap(xch, domid, 180, 0, 0, gfns + 100), 180,
             "populated");
    check_host_gave(host, SUPER - 100, "taken from the host");
    check_is(before - claimed(), SUPER - 100, "less claimed");
    need(!xc_domain_iomem_permission(xch, domid, vga, 20, 1), "iomem");
    check_is(xc_domain_memory_mapping(xch, domid, gfns[280], vga, 20,
                                      DPCI_ADD_MAPPING),
             0, "a device mapped");
    check_host_gave(host, SUPER - 120, "taken from the host");
    for (uint64_t gfn = at + 301; gfn < at + SUPER; gfn++)
        load_one(gfn);
    check_host_gave(host, SUPER - 120, "taken from the host, all loaded");
    check_is(before - claimed(), SUPER - 120, "less claimed, all loaded");
    claim(0);
    check_is(paged(), out, "pages out");
    check_is(count_2m(at, SUPER), 0, "in large entries");
    check_is(holding(at + 301, SUPER - 301), SUPER - 301,
             "pages with the right contents");
    need(!xc_domain_memory_mapping(xch, domid, gfns[280], vga, 20,
                                   DPCI_REMOVE_MAPPING),
         "unmapping a device");
}

/* Given back and populated again, the last page lies elsewhere. */
static void check_slot_replaced(void)
{
    const uint64_t at = BASE + 0x2a400;
    xen_pfn_t gfn = at + 9;

    puts("a page that was loaded, given back and populated again, of 512");
    check_is(mark(at, SUPER), 0, "512 holes marked");
    load_one(gfn);
    check_is(xc_domain_decrease_reservation(xch, domid, 1, 0, &gfn), 1,
             "given back");
    check_is(populated(BASE + 0x2bf00, 1), 1,
             "the host's next free page taken");
    check_is(mark(gfn, 1), 0, "marked again");
    load_scattered(at, 0, SUPER);
    check_is(count_2m(at, SUPER), 0, "in large entries");
    check_is(holding(at, SUPER), SUPER, "pages with the right contents");
}

/* As 2 MiB pages and one by one; what is there already is left alone. */
static void check_loading_zeros(void)
{
    const uint64_t at = BASE + 0x2ac00;
    const unsigned long pages = 3 * SUPER;
    struct paging_op left;
    long before = present(), out = paged();

    puts("load_zeros");
    check_is(mark(at, pages), 0, "1,536 holes marked");
    load_one(at + 5);
    load_one(at + SUPER + 5);
    check_is(run_op(OP_LOAD_ZEROS, at + SUPER, 100, NULL, &left), 0,
             "100 pages, one of them there");
    check_is(left.nr, 0, "left");
    check_is((long)left.buffer, 0, "buffer");
    check_is(matching(at + SUPER, 100, page_is_zero), 99, "zero pages");
    check_is(run_op(OP_LOAD_ZEROS, at, pages, NULL, &left), 0, "all of them");
    check_is(matching(at, pages, page_is_zero), pages - 2, "zero pages");
    check_is(holding(at + 5, 1) + holding(at + SUPER + 5, 1), 2,
             "pages with the first contents");
    check_is(count_2m(at, pages), pages, "in large entries");
    check_is(paged(), out, "pages out");
    check_is(present() - before, pages, "more pages");
}

/* What is set aside comes out of the domain's claim, once. */
static void check_claim(void)
{
    const uint64_t at = BASE + 0x2a600;
    unsigned long all;
    long before;

    puts("a claim");
    check_is(mark(at, SUPER), 0, "512 holes marked");
    all = (unsigned long)(present() + paged());
    claim(all);
    before = claimed();
    check_is(paged() - before, left_aside, "set aside before");
    load_scattered(at, 0, 1);
    check_is(before - claimed(), SUPER, "less claimed, with one loaded");
    claim(0);
    claim(all);
    check_is(before - claimed(), SUPER, "less claimed, when claimed again");
    load_scattered(at, 1, SUPER);
    check_is(before - claimed(), SUPER, "less claimed, with all loaded");
    check_is(count_2m(at, SUPER), SUPER, "in large entries");
    claim(0);
    check_is(claimed(), 0, "claimed");
}

static void track_writes(bool on)
{
    need(!xc_shadow_control(xch, domid,
                            on ? XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY
                               : XEN_DOMCTL_SHADOW_OP_OFF,
                            NULL, 0),
         "tracking writes");
}

/* Pages stay small as long as writes are tracked. */
static void check_slots_tracked(void)
{
    const uint64_t at = BASE + 0x2a800;
    long host;

    puts("load_run of pages one by one while writes are tracked");
    check_is(mark(at, 2 * SUPER), 0, "1,024 holes marked");
    load_scattered(at, 0, 100);
    track_writes(true);
    host = host_free();
    load_scattered(at, 100, SUPER);
    check_host_gave(host, 0, "taken from the host");
    load_scattered(at + SUPER, 0, 50);
    check_host_gave(host, 50, "taken from the host");
    check_is(count_2m(at, SUPER), 0, "in large entries");
    check_is(holding(at, SUPER), SUPER, "pages with the right contents");
    track_writes(false);
}

/* For the end of the domain: of each 512 some pages are set aside. */
static void check_slots_left(void)
{
    const uint64_t at = BASE + 0x2b000;
    long host = host_free();

    puts("pages set aside when the domain ends");
    check_is(mark(at, 4 * SUPER), 0, "2,048 holes marked");
    for (unsigned i = 0; i < 4; i++)
        load_one(at + i * SUPER + i * 100);
    check_host_gave(host, 4 * SUPER, "taken from the host");
}

/* Fresh memory where a page was waited for; the host survives it. */
static void check_populating(void)
{
    const uint64_t at = BASE + 0x28000;
    xen_pfn_t gfns[2] = { at, at + 1 };
    long out;

    puts("populating what is out");
    check_is(mark(at, 2), 0, "2 holes marked");
    out = paged();
    check_is(ask_for(at), -ENOENT, "asked for one");
    check_is(xc_domain_populate_physmap_exact(xch, domid, 2, 0, 0, gfns), 0,
             "populated");
    check_is(out - paged(), 2, "fewer pages out");
    check_is(mark(at, 1), -EEXIST, "marked");
}

/* Frames of a device where pages were, one of them asked for. */
static void check_mapping_device(void)
{
    const uint64_t at = BASE + 0x29000;
    const unsigned long vga = 0xa0;
    long out;

    puts("mapping a device over what is out");
    check_is(mark(at, 2), 0, "2 holes marked");
    out = paged();
    check_is(ask_for(at), -ENOENT, "asked for one");
    need(!xc_domain_iomem_permission(xch, domid, vga, 2, 1), "iomem");
    check_is(xc_domain_memory_mapping(xch, domid, at, vga, 2, DPCI_ADD_MAPPING),
             0, "mapped");
    check_is(out - paged(), 2, "fewer pages out");
    check_is(mark(at, 1), -EEXIST, "marked");
    check_is(
        xc_domain_memory_mapping(xch, domid, at, vga, 2, DPCI_REMOVE_MAPPING),
        0, "unmapped");
    check_is(out - paged(), 2, "fewer pages out");
}

/* As a debugger does; a vCPU that never ran has no page tables. */
static long debugger_read(uint64_t at, void *to, unsigned len)
{
    struct xen_domctl *op = xencall_alloc_buffer(xcall, sizeof(*op));
    long rc;

    need(op, "no hypercall buffer");
    *op = (struct xen_domctl){
        .cmd = XEN_DOMCTL_gdbsx_guestmemio,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .domain = domid,
        .u.gdbsx_guest_memio = {
            .gva = at, .uva = (uintptr_t)to, .len = len,
        },
    };
    rc = xencall1(xcall, __HYPERVISOR_domctl, (uintptr_t)op) ? -errno : 0;
    xencall_free_buffer(xcall, op);
    return rc;
}

static void check_debugger(void)
{
    const uint64_t at = BASE + 0x29100;
    uint64_t *page = buffer_of(1), *seen = buffer_of(1);

    puts("a debugger that reads what is out");
    fill(page, at, 1);
    check_is(mark(at, 1), 0, "1 hole marked");
    check_is(debugger_read(at * PAGE, seen, 8), -EFAULT, "read");
    check_is(load(at, 1, page), 0, "loaded");
    check_is(debugger_read(at * PAGE, seen, 8), 0, "read");
    check(*seen == word(at, 0), "the right contents");
    xencall_free_buffer_pages(xcall, seen, 1);
    xencall_free_buffer_pages(xcall, page, 1);
}

/* Only a debug build of Xen has CONFIG_GDBSX. */
static bool has_debugger(void)
{
    uint64_t *seen = buffer_of(1);
    long rc = debugger_read(0, seen, 8);

    xencall_free_buffer_pages(xcall, seen, 1);
    return rc != -ENOSYS;
}

/* A domain that pages has none, not only when paging begins. */
static void check_on_demand(void)
{
    xen_pfn_t gfns[2] = { BASE + 0x29200, BASE + 0x29201 };
    long out = paged();

    puts("populate on demand");
    check_is(xc_domain_populate_physmap(xch, domid, 1, 0,
                                        XENMEMF_populate_on_demand, gfns),
             0, "none");
    check_is(mark(gfns[1], 1), 0, "1 hole marked");
    check_is(xc_domain_decrease_reservation(xch, domid, 1, 0, gfns + 1), 1,
             "given back");
    check_is(paged(), out, "pages out");
}

/* More than the ring has room for; nobody answers. */
static void check_dropping(void)
{
    const uint64_t at = BASE + 0x28100;
    xen_pfn_t gfns[20];
    long out = paged();

    puts("dropping what is out, with the ring full");
    for (unsigned i = 0; i < 20; i++)
        gfns[i] = at + i;
    check_is(mark(at, 20), 0, "20 holes marked");
    check_is(xc_domain_decrease_reservation(xch, domid, 20, 0, gfns), 20,
             "dropped");
    check_is(paged(), out, "pages out");
    check_is(mark(at, 20), 0, "marked again");
}

static long map_grant(grant_ref_t ref, struct gnttab_map_grant_ref *op)
{
    *op = (struct gnttab_map_grant_ref){
        .ref = ref,
        .dom = domid,
        .flags = GNTMAP_device_map | GNTMAP_readonly,
        .status = 77,
    };
    need(!xencall3(xcall, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                   (unsigned long)op, 1),
         "mapping a grant");
    return op->status;
}

static long unmap_grant(struct gnttab_map_grant_ref *map)
{
    struct gnttab_unmap_grant_ref *op = (void *)(map + 1);

    *op = (struct gnttab_unmap_grant_ref){
        .handle = map->handle,
        .dev_bus_addr = map->dev_bus_addr,
        .status = 77,
    };
    need(!xencall3(xcall, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                   (unsigned long)op, 1),
         "unmapping a grant");
    return op->status;
}

/* Past what Xen watches, here by dom0: a backend must not wait for the page. */
static void check_granting(void)
{
    const uint64_t at = BASE + 0x28200;
    const grant_ref_t ref = 100;
    struct gnttab_map_grant_ref *op = buffer_of(1);
    char *page = buffer_of(1);
    void *table = NULL;

    puts("granting what is out");
    need(xenforeignmemory_map_resource(fmem, domid, XENMEM_resource_grant_table,
                                       XENMEM_resource_grant_table_id_shared, 0,
                                       1, &table, PROT_READ | PROT_WRITE, 0),
         "the grant table");
    check_is(mark(at, 1), 0, "1 hole marked");
    ((grant_entry_v1_t *)table)[ref] = (grant_entry_v1_t){
        .flags = GTF_permit_access,
        .domid = 0,
        .frame = at,
    };
    check_is(map_grant(ref, op), GNTST_bad_page, "a backend is told");
    fill((void *)page, at, 1);
    check_is(load(at, 1, page), 0, "loaded");
    check_is(map_grant(ref, op), GNTST_okay, "a backend is told");
    check_is(unmap_grant(op), GNTST_okay, "and ends it");
    ((grant_entry_v1_t *)table)[ref].flags = 0;
    xencall_free_buffer_pages(xcall, page, 1);
    xencall_free_buffer_pages(xcall, op, 1);
}

static void move_table(unsigned from, unsigned to)
{
    for (; from < to; from++)
        need(!xc_domain_add_to_physmap(xch, domid, XENMAPSPACE_grant_table, 0,
                                       BASE + 0x1000 + from),
             "cannot move the grant table");
}

/* At one gfn more than Xen watches: still no backend may be made to wait. */
static void check_moving_table(void)
{
    const unsigned watched = 1024;
    const uint64_t at = BASE + 0x100;
    const grant_ref_t ref = 100;
    struct gnttab_map_grant_ref *op = buffer_of(1);
    void *table = NULL;

    puts("a grant table that goes about");
    check_is(mark(at, 1), 0, "1 hole marked");
    need(xenforeignmemory_map_resource(fmem, domid, XENMEM_resource_grant_table,
                                       XENMEM_resource_grant_table_id_shared, 0,
                                       1, &table, PROT_READ | PROT_WRITE, 0),
         "the grant table");
    ((grant_entry_v1_t *)table)[ref] = (grant_entry_v1_t){
        .flags = GTF_permit_access,
        .domid = 0,
        .frame = at,
    };
    move_table(0, watched - 1);
    check_is(map_grant(ref, op), GNTST_bad_page, "1,023 gfns");
    move_table(watched - 1, watched);
    check_is(map_grant(ref, op), GNTST_bad_page, "1,024 gfns");
    move_table(watched, watched + 1);
    check_is(map_grant(ref, op), GNTST_bad_page, "1,025 gfns");
    ((grant_entry_v1_t *)table)[ref].flags = 0;
    xencall_free_buffer_pages(xcall, op, 1);
}

/* A page that was nominated and is asked for has its frame still. */
static void check_nominated(void)
{
    xen_pfn_t gfn = 0x9000;
    xendevicemodel_handle *dm = xendevicemodel_open(NULL, 0);
    long out = paged(), before = present();

    puts("giving back what was nominated and asked for");
    need(dm, "no access to the device model's operations");
    check_is(xc_mem_paging_nominate(xch, domid, gfn), 0, "nominated");
    check(xendevicemodel_set_mem_type(dm, domid, HVMMEM_ram_rw, gfn, 1) < 0 &&
              errno == EAGAIN,
          "asked for");
    check_is(paged(), out, "pages out");
    check_is(xc_domain_decrease_reservation(xch, domid, 1, 0, &gfn), 1,
             "given back");
    check_is(paged(), out, "pages out");
    check_is(before - present(), 1, "fewer pages");
    xendevicemodel_close(dm);
}

/* A device where a page may not be put: then nothing was, and it crashes. */
static void check_refused(void)
{
    xen_pfn_t gfn = BASE + 0x2000;
    const unsigned long vga = 0xa0;
    long out;

    puts("populating where a device is");
    check_is(mark(gfn, 2), 0, "2 holes marked");
    out = paged();
    need(!xc_domain_iomem_permission(xch, domid, vga, 1, 1), "iomem");
    need(!xc_domain_memory_mapping(xch, domid, gfn + 5, vga, 1,
                                   DPCI_ADD_MAPPING),
         "mapping a device");
    check_is(xc_domain_populate_physmap(xch, domid, 1, 9, 0, &gfn), 0, "none");
    check_is(paged(), out, "pages out");
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

#define LARGE 0x30000ul
#define LARGE_AT (BASE + 0x40000)
#define LARGE_PART 0x10000ul
static char *large_buffer;

static long mark_large(void)
{
    return mark(LARGE_AT, LARGE);
}

/* Small entries, all of them looked at. */
static long count_large(void)
{
    return count_2m(LARGE_AT, COUNT_MAX);
}

static long load_large(void)
{
    return load(LARGE_AT, LARGE_PART, large_buffer);
}

static long load_large_zeros(void)
{
    return run_op(OP_LOAD_ZEROS, LARGE_AT + 2 * LARGE_PART, LARGE_PART, NULL,
                  NULL);
}

/* Starting one beyond the boundary: page by page, but for the middle. */
static long load_large_unaligned(void)
{
    return load(LARGE_AT + LARGE_PART + 1, SUPER - 1, large_buffer + PAGE);
}

static void timed(const char *what, long (*job)(void), unsigned long pages)
{
    double start = now(), took;
    long before = interrupts(), rc = job();

    took = now() - start;
    check_is(rc, 0, what);
    printf("  %.3f s, %.2f us a page, %ld interrupts\n", took,
           took * 1e6 / pages, interrupts() - before);
    if (took > 0.1)
        check(interrupts() - before > took * 30, "interrupts got through");
}

static void check_preemption(void)
{
    puts("large runs");
    large_buffer = buffer_of(LARGE_PART);
    timed("196,608 holes marked", mark_large, LARGE);
    timed("65,536 of them counted", count_large, COUNT_MAX);
    fill((void *)large_buffer, LARGE_AT, LARGE_PART);
    timed("65,536 of them loaded", load_large, LARGE_PART);
    check_is(count_2m(LARGE_AT, LARGE_PART), LARGE_PART, "in large entries");
    check_is(holding(LARGE_AT, LARGE_PART), LARGE_PART,
             "pages with the right contents");
    timed("65,536 zero pages loaded", load_large_zeros, LARGE_PART);
    fill((void *)large_buffer, LARGE_AT + LARGE_PART, SUPER);
    timed("511 loaded, unaligned", load_large_unaligned, SUPER - 1);
    check_is(holding(LARGE_AT + LARGE_PART + 1, SUPER - 1), SUPER - 1,
             "pages with the right contents");
    xencall_free_buffer_pages(xcall, large_buffer, LARGE_PART);
}

/* One page in each superpage costs a page of the paging pool each. */
static void check_pool_used_up(void)
{
    const uint64_t at = BASE + 0x200000;
    long rc = 0, n, out = paged();

    puts("mark_run with the paging pool used up");
    for (n = 0; n < 100000 && !rc; n++)
        rc = mark(at + n * SUPER, 1);
    check_is(rc, -ENOMEM, "one page a superpage");
    check_is(paged() - out, n - 1, "pages out");
}

static void check_everything(void)
{
    uint32_t port;

    check_features();
    check_without_ring();
    check_bad_domains();
    need(!xc_mem_paging_enable(xch, domid, &port), "cannot enable paging");
    check_bad_runs();
    check_marking();
    check_marking_up_to_ram();
    check_allowance();
    check_loading_pages();
    check_loading_superpages();
    check_loading_awaited();
    check_bad_buffers();
    check_buffer_around();
    check_cleared();
    check_limit_lowered();
    check_limit_reached();
    check_limit_while_loading();
    check_loading_scattered();
    check_slots_dropped();
    check_slot_replaced();
    check_loading_zeros();
    check_claim();
    check_populating();
    check_mapping_device();
    if (has_debugger())
        check_debugger();
    check_on_demand();
    check_dropping();
    check_granting();
    check_preemption();
    check_pool_used_up();
    need(!xc_mem_paging_disable(xch, domid), "cannot disable paging");
}

static void check_unwatched(void)
{
    uint32_t port;

    allow_more(0x4000);
    need(!xc_mem_paging_enable(xch, domid, &port), "cannot enable paging");
    check_moving_table();
    check_nominated();
    check_slots_tracked();
    check_slots_left();
    check_refused();
    need(!xc_mem_paging_disable(xch, domid), "cannot disable paging");
}

static int show_features(void)
{
    long mask = features();

    if (mask >= 0)
        printf("%#lx\n", mask);
    else
        printf("%s\n", strerrorname_np(-mask));
    return mask < 0;
}

int main(int argc, char **argv)
{
    char *end;

    if (argc != 2 && (argc != 3 || strcmp(argv[2], "unwatched"))) {
        fputs("usage: paging-ops features | paging-ops DOMID [unwatched]\n",
              stderr);
        return 2;
    }
    xcall = xcall_opened();
    if (!strcmp(argv[1], "features"))
        return show_features();
    domid = strtoul(argv[1], &end, 10);
    need(*argv[1] && !*end, "not a domain id");
    xch = xc_interface_open(NULL, NULL, 0);
    fmem = xenforeignmemory_open(NULL, 0);
    need(xch && fmem, "no access to Xen");
    if (argc == 3)
        check_unwatched();
    else
        check_everything();
    printf("%d failed\n", failed);
    return failed > 0;
}
