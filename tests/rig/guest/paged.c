/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a guest may do with pages that are out:
 *   paged hypercalls   makes hypercalls whose arguments lie in such pages
 *   paged touch N      N threads, each on its vcpu, touch one of them at once
 *   paged replace      gives such pages back to Xen, and takes them again
 *   paged behind       gives back the ninth of eleven; then, from /run/further
 *                      on, two vcpus touch one of the last two each
 * Prints the gfns of its pages ("gfn N") and "ready", and waits for /run/go,
 * before which dom0 takes the pages away. Then a line for each check, and
 * "end".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Else the numbers of hypercalls are those of before 3.2. */
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/sys/privcmd.h>

#define PAGE 4096ul
#define PAGES 32
/* No other process has something here, whoever Xen writes to. */
#define AT ((char *)0x500000000000)
#define AREA(n) (AT + (n)*PAGE)

static int privcmd;
static uint64_t gfns[PAGES];

static void need(bool good, const char *what)
{
    if (good)
        return;
    printf("FAILED: %s: %s\nend\n", what, strerror(errno));
    exit(2);
}

static void check(bool good, const char *what, ...)
{
    va_list ap;

    printf("%s: ", good ? "ok" : "FAILED");
    va_start(ap, what);
    vprintf(what, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static void check_is(long got, long want, const char *what)
{
    check(got == want, "%s: %ld, wanted %ld", what, got, want);
}

static long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c)
{
    privcmd_hypercall_t call = { .op = op, .arg = { a, b, c } };
    long rc = ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);

    return rc < 0 ? -errno : rc;
}

static long event(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, cmd, (uintptr_t)arg, 0);
}

static long memory(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_memory_op, cmd, (uintptr_t)arg, 0);
}

static void run_on(unsigned vcpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(vcpu, &set);
    need(!sched_setaffinity(0, sizeof(set), &set), "a vcpu of its own");
}

/* --- pages ---------------------------------------------------------------- */

static void make_pages(void)
{
    void *p = mmap(AT, PAGES * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    int fd = open("/proc/self/pagemap", O_RDONLY);

    need(p == AT && fd >= 0, "pages");
    need(!madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE), "small pages");
    need(!mlock(p, PAGES * PAGE), "pages that stay");
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t entry;

        memset(AREA(i), i, PAGE);
        need(pread(fd, &entry, 8, (uintptr_t)AREA(i) / PAGE * 8) == 8, "gfn");
        gfns[i] = entry & ((1ull << 55) - 1);
    }
    close(fd);
}

static void wait_for_file(const char *name)
{
    while (access(name, F_OK))
        usleep(100000);
}

static void wait_until_out(unsigned mask)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (mask & 1u << i)
            printf("gfn %#lx\n", (unsigned long)gfns[i]);
    puts("ready");
    fflush(stdout);
    wait_for_file("/run/go");
}

/* Where items begin so that the last of them lie in the page after. */
static void *across(unsigned page, size_t size, unsigned before)
{
    return AREA(page + 1) - before * size;
}

/* --- hypercalls ----------------------------------------------------------- */

static unsigned alloc_port(struct evtchn_alloc_unbound *arg)
{
    arg->dom = DOMID_SELF;
    arg->remote_dom = 0;
    return event(EVTCHNOP_alloc_unbound, arg) ? 0 : arg->port;
}

/* From here on, ports are given out one after the other. */
static void fill_gaps(void)
{
    struct evtchn_alloc_unbound here;
    unsigned last = 0, in_a_row = 0;

    while (in_a_row < 32) {
        unsigned port = alloc_port(&here);

        need(port, "ports");
        in_a_row = port == last + 1 ? in_a_row + 1 : 0;
        last = port;
    }
}

/* A port that was made and forgotten would leave a gap. */
static void check_event(struct evtchn_alloc_unbound *out)
{
    struct evtchn_alloc_unbound here;
    unsigned first = alloc_port(&here);
    long rc = event(EVTCHNOP_alloc_unbound, out);

    check_is(rc, 0, "event_channel_op");
    check_is(out->port, first + 1, "event_channel_op: port");
    check_is(alloc_port(&here), first + 2, "event_channel_op: next port");
}

static void check_expand(uint64_t gfn)
{
    struct evtchn_expand_array expand = { .array_gfn = gfn };

    check_is(event(EVTCHNOP_expand_array, &expand), 0, "expand_array");
}

static void check_version(char *out)
{
    check_is(hypercall(__HYPERVISOR_xen_version, XENVER_extraversion,
                       (uintptr_t)out, 0),
             0, "xen_version");
    check(strstr(out, "libxl-ext"), "xen_version: '%.16s'", out);
}

static void check_runstate(struct vcpu_runstate_info *out)
{
    check_is(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0,
                       (uintptr_t)out),
             0, "get_runstate_info");
    check(out->state_entry_time && out->state_entry_time >> 56 == 0,
          "get_runstate_info: since %lx", (unsigned long)out->state_entry_time);
}

static void check_runstate_area(struct vcpu_runstate_info *out)
{
    struct vcpu_register_runstate_memory_area area = {
        .addr.p = (uintptr_t)out,
    };

    check_is(hypercall(__HYPERVISOR_vcpu_op,
                       VCPUOP_register_runstate_memory_area, 0,
                       (uintptr_t)&area),
             0, "register_runstate_memory_area");
    check_is(out->state, RUNSTATE_running, "runstate area: state");
}

/* The first in a page that is there, the others in one that is not. */
static void check_memory(xen_pfn_t *list, unsigned nr)
{
    struct xen_memory_reservation r = { .nr_extents = nr, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, list);
    check_is(memory(XENMEM_decrease_reservation, &r), nr,
             "decrease_reservation");
}

/* The structure itself in a page that is not there. */
static void prepare_structure(struct xen_memory_reservation *r, xen_pfn_t *list)
{
    *list = gfns[26];
    *r =
        (struct xen_memory_reservation){ .nr_extents = 1, .domid = DOMID_SELF };
    set_xen_guest_handle(r->extent_start, list);
}

static void check_memory_back(xen_pfn_t *list, unsigned nr)
{
    struct xen_memory_reservation r = { .nr_extents = nr, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, list);
    check_is(memory(XENMEM_populate_physmap, &r), nr, "populate_physmap");
}

static void prepare_copies(struct gnttab_copy *ops, unsigned nr, unsigned from,
                           unsigned to)
{
    for (unsigned i = 0; i < nr; i++)
        ops[i] = (struct gnttab_copy){
            .source = { .u.gmfn = gfns[from],
                        .domid = DOMID_SELF,
                        .offset = 8 * i },
            .dest = { .u.gmfn = gfns[to],
                      .domid = DOMID_SELF,
                      .offset = 8 * i },
            .len = 8,
            .status = 77,
        };
}

static void check_copies(struct gnttab_copy *ops, unsigned nr, unsigned from,
                         unsigned to)
{
    check_is(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy,
                       (uintptr_t)ops, nr),
             0, "grant copy");
    for (unsigned i = 0; i < nr; i++)
        check_is(ops[i].status, 0, "grant copy: status");
    for (unsigned i = 0; i <= 8 * nr; i += 8)
        check_is(AREA(to)[i], i < 8 * nr ? from : to, "grant copy: data");
}

/* Its source is out: it is told to try again, by which time it is there. */
static void check_copy_source(unsigned from, unsigned to)
{
    struct gnttab_copy op;
    int tries = 0;

    do {
        prepare_copies(&op, 1, from, to);
        check_is(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy,
                           (uintptr_t)&op, 1),
                 0, "grant copy from out");
    } while (op.status == GNTST_eagain && ++tries < 3);
    check_is(op.status, 0, "grant copy from out: status");
    check_is(AREA(to)[0], from, "grant copy from out: data");
}

static void prepare_multicall(multicall_entry_t *calls, unsigned nr,
                              struct evtchn_alloc_unbound *args)
{
    for (unsigned i = 0; i < nr; i++) {
        args[i].dom = DOMID_SELF;
        args[i].remote_dom = 0;
        calls[i] = (multicall_entry_t){
            .op = __HYPERVISOR_event_channel_op,
            .result = 77,
            .args = { EVTCHNOP_alloc_unbound, (uintptr_t)&args[i] },
        };
    }
}

/* None is made twice, and none is left out. */
static void check_multicall(multicall_entry_t *calls, unsigned nr,
                            struct evtchn_alloc_unbound *args)
{
    struct evtchn_alloc_unbound here;
    unsigned first = alloc_port(&here);

    check_is(hypercall(__HYPERVISOR_multicall, (uintptr_t)calls, nr, 0), 0,
             "multicall");
    for (unsigned i = 0; i < nr; i++) {
        check_is(calls[i].result, 0, "multicall: result");
        check_is(args[i].port, first + 1 + i, "multicall: port");
    }
    check_is(alloc_port(&here), first + 1 + nr, "multicall: next port");
}

static void try_hypercalls(void)
{
    struct evtchn_alloc_unbound *alloc = (void *)AREA(0);
    multicall_entry_t *calls = across(1, sizeof(*calls), 2);
    struct evtchn_alloc_unbound *args = across(3, sizeof(*args), 3);
    struct gnttab_copy *copies = across(5, sizeof(*copies), 2);
    struct gnttab_copy *copies_out = (void *)AREA(19);
    xen_pfn_t *list = across(7, sizeof(*list), 2);
    xen_pfn_t *list_back = across(9, sizeof(*list_back), 2);
    struct xen_memory_reservation *less = (void *)AREA(24);
    struct xen_memory_reservation *more = (void *)AREA(25);
    const unsigned out = 1u << 0 | 1u << 2 | 1u << 4 | 1u << 6 | 1u << 8 |
                         1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |
                         1u << 15 | 1u << 19 | 1u << 24 | 1u << 25;

    run_on(0);
    fill_gaps();
    alloc_port(alloc);
    prepare_multicall(calls, 4, args);
    prepare_copies(copies, 4, 16, 17);
    prepare_copies(copies_out, 2, 16, 28);
    for (unsigned i = 0; i < 4; i++)
        list[i] = list_back[i] = gfns[20 + i];
    prepare_structure(less, (void *)AREA(27));
    prepare_structure(more, (void *)AREA(27));
    memset(AREA(11), 0xff, PAGE);
    memset(AREA(12), 0xff, PAGE);
    memset(AREA(13), 0xff, PAGE);
    wait_until_out(out);

    check_event(alloc);
    check_version(AREA(11));
    check_runstate((void *)AREA(12));
    check_expand(gfns[14]);
    check_memory(list, 4);
    check_memory_back(list_back, 4);
    check_is(memory(XENMEM_decrease_reservation, less), 1,
             "decrease_reservation: structure");
    check_is(memory(XENMEM_populate_physmap, more), 1,
             "populate_physmap: structure");
    check_copies(copies, 4, 16, 17);
    check_copies(copies_out, 2, 16, 28);
    check_copy_source(15, 18);
    check_multicall(calls, 4, args);
    check_runstate_area((void *)AREA(13));
}

/* --- many vcpus, one page ------------------------------------------------- */

static pthread_barrier_t barrier;
static atomic_int touched;

static void *touch(void *arg)
{
    run_on((uintptr_t)arg);
    pthread_barrier_wait(&barrier);
    while (access("/run/go", F_OK))
        usleep(1000);
    if (*(volatile char *)AREA(3) == 3)
        touched++;
    return NULL;
}

static void touch_together(unsigned nr)
{
    pthread_t threads[64];

    need(nr && nr <= 64, "number of threads");
    need(!pthread_barrier_init(&barrier, NULL, nr + 1), "barrier");
    for (uintptr_t i = 0; i < nr; i++)
        need(!pthread_create(&threads[i], NULL, touch, (void *)i), "thread");
    pthread_barrier_wait(&barrier);
    wait_until_out(1u << 3);
    for (unsigned i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    check_is(touched, nr, "threads that saw the page");
}

/* --- pages given back, and replaced --------------------------------------- */

static void *touch_alone(void *arg)
{
    run_on(1);
    *(int *)arg = *(volatile char *)AREA(2);
    return NULL;
}

static long extents(unsigned cmd, unsigned page)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t gfn = gfns[page];

    set_xen_guest_handle(r.extent_start, &gfn);
    return memory(cmd, &r);
}

/*
 * dom0 answers nothing yet: the second vcpu waits for page 2, and in the end
 * the first one for page 3, by which dom0 sees that all is done.
 */
static void replace(void)
{
    pthread_t thread;
    int seen = -1;

    run_on(0);
    wait_until_out(1u << 0 | 1u << 1 | 1u << 2 | 1u << 3);
    need(!pthread_create(&thread, NULL, touch_alone, &seen), "thread");
    usleep(500000);

    check_is(extents(XENMEM_decrease_reservation, 0), 1, "given back");
    check_is(extents(XENMEM_populate_physmap, 0), 1, "taken again");
    check_is(extents(XENMEM_populate_physmap, 1), 1, "replaced");
    check_is(extents(XENMEM_populate_physmap, 2), 1, "replaced on its way in");
    memset(AREA(0), 0x50, PAGE);
    memset(AREA(1), 0x51, PAGE);
    memset(AREA(2), 0x52, PAGE);
    check_is(AREA(3)[PAGE - 1], 3, "their neighbour: contents");
    pthread_join(thread, NULL);
    check_is(seen, 0x52, "what waited sees");
    check_is(AREA(0)[PAGE - 1], 0x50, "given back, taken again: contents");
    check_is(AREA(1)[PAGE - 1], 0x51, "replaced: contents");
}

static void *touch_last(void *arg)
{
    run_on(1);
    *(int *)arg = *(volatile char *)AREA(10);
    return NULL;
}

/*
 * dom0 has asked for eight, for which the ring has room. It needs an answer of
 * the guest after /run/further, before no vcpu runs any more.
 */
static void behind(void)
{
    pthread_t thread;
    int seen = -1;

    run_on(0);
    wait_until_out((1u << 11) - 1);
    check_is(extents(XENMEM_decrease_reservation, 8), 1, "given back");
    wait_for_file("/run/further");
    usleep(1000000);
    need(!pthread_create(&thread, NULL, touch_last, &seen), "thread");
    check_is(AREA(9)[PAGE - 1], 9, "behind a full ring: contents");
    pthread_join(thread, NULL);
    check_is(seen, 10, "behind a full ring: the other vcpu sees");
    check_is(extents(XENMEM_populate_physmap, 8), 1, "taken again");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    need(privcmd >= 0, "/dev/xen/privcmd");
    unlink("/run/go");
    unlink("/run/further");
    make_pages();
    if (!strcmp(what, "hypercalls"))
        try_hypercalls();
    else if (!strcmp(what, "touch") && argc == 3)
        touch_together(atoi(argv[2]));
    else if (!strcmp(what, "replace"))
        replace();
    else if (!strcmp(what, "behind"))
        behind();
    else
        need(false, "usage: paged hypercalls|touch N|replace|behind");
    puts("end");
    return 0;
}
