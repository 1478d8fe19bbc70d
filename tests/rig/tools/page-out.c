/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * page-out DOMID HOLD GFN...|all : takes pages from a running guest, and gives
 * each back when it is asked for. With "all" it takes what Xen lets it: not
 * what somebody has mapped.
 *
 * Prints "out N", then a line for each request: what it is for, the gfn, the
 * vcpu, and whether that was paused. Nothing is answered before there have been
 * HOLD requests. SIGTERM brings back what is still out and ends it; "busy N" is
 * how many times Xen was not ready to.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/vm_event.h>

#define PAGE 4096
#define BATCH 512ul
#define MAX_HELD 64
#define RING_GFN 0xfeff8ul

/* By gfn: the contents of what was taken, NULL of what was not. */
static char **pages;
static uint64_t nr_gfns;
static unsigned hold, requests;
static bool all;

static vm_event_request_t held[MAX_HELD];
static unsigned nr_held;

static xc_interface *xch;
static xenforeignmemory_handle *fmem;
static xenevtchn_handle *xce;
static vm_event_back_ring_t ring;
static uint32_t domid;
static int port;
static volatile sig_atomic_t stop;

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "page-out: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static void *map(uint64_t gfn, int prot)
{
    xen_pfn_t pfn = gfn;

    return xenforeignmemory_map(fmem, domid, prot, 1, &pfn, NULL);
}

static void start_paging(void)
{
    xen_pfn_t gfn = RING_GFN;
    void *page = map(gfn, PROT_READ | PROT_WRITE);
    uint32_t remote;

    if (!page) {
        need(!xc_domain_populate_physmap_exact(xch, domid, 1, 0, 0, &gfn),
             "the ring's page");
        page = map(gfn, PROT_READ | PROT_WRITE);
    }
    need(page, "the ring");
    memset(page, 0, PAGE);
    need(!xc_hvm_param_set(xch, domid, HVM_PARAM_PAGING_RING_PFN, gfn),
         "the ring's place");
    need(!xc_mem_paging_enable(xch, domid, &remote), "paging");
    port = xenevtchn_bind_interdomain(xce, domid, remote);
    need(port >= 0, "the event channel");
    SHARED_RING_INIT((vm_event_sring_t *)page);
    BACK_RING_INIT(&ring, (vm_event_sring_t *)page, PAGE);
    need(!xc_domain_decrease_reservation_exact(xch, domid, 1, 0, &gfn),
         "hiding the ring");
}

static void take(uint64_t gfn, const void *contents)
{
    char *copy;

    if (xc_mem_paging_nominate(xch, domid, gfn)) {
        need(all && errno == EBUSY, "nominate");
        return;
    }
    need(!xc_mem_paging_evict(xch, domid, gfn), "evict");
    copy = aligned_alloc(PAGE, PAGE);
    need(copy, "memory");
    memcpy(copy, contents, PAGE);
    pages[gfn] = copy;
}

/* A page that is mapped cannot be taken, so all are copied before. */
static void take_batch(uint64_t first, unsigned nr)
{
    static char copy[BATCH][PAGE];
    xen_pfn_t gfns[BATCH];
    int err[BATCH];
    char *p;

    for (unsigned i = 0; i < nr; i++)
        gfns[i] = first + i;
    p = xenforeignmemory_map(fmem, domid, PROT_READ, nr, gfns, err);
    need(p, "pages");
    for (unsigned i = 0; i < nr; i++)
        if (!err[i])
            memcpy(copy[i], p + i * PAGE, PAGE);
    xenforeignmemory_unmap(fmem, p, nr);
    for (unsigned i = 0; i < nr; i++)
        if (!err[i])
            take(first + i, copy[i]);
}

/* RAM, without the special pages below 4 GiB. */
static void take_all(void)
{
    for (uint64_t gfn = 0; gfn < nr_gfns; gfn += BATCH)
        if (gfn < 0xf0000 || gfn >= 0x100000)
            take_batch(gfn, nr_gfns - gfn < BATCH ? nr_gfns - gfn : BATCH);
}

/* What the guest writes meanwhile would be lost, so it is paused. */
static void take_out(char **gfns)
{
    uint64_t taken = 0;

    need(!xc_domain_pause(xch, domid), "pause");
    if (all)
        take_all();
    else
        for (; *gfns; gfns++)
            take_batch(strtoul(*gfns, NULL, 0), 1);
    need(!xc_domain_unpause(xch, domid), "unpause");
    for (uint64_t gfn = 0; gfn < nr_gfns; gfn++)
        taken += !!pages[gfn];
    printf("out %lu\n", (unsigned long)taken);
    fflush(stdout);
}

static void bring_in(uint64_t gfn)
{
    need(gfn < nr_gfns && pages[gfn], "a page that was not taken");
    /* ENOENT: it is there, or the guest has put something else there. */
    need(!xc_mem_paging_load(xch, domid, gfn, pages[gfn]) || errno == ENOENT,
         "load");
}

static void answer(const vm_event_request_t *req)
{
    vm_event_response_t rsp = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_MEM_PAGING,
        .vcpu_id = req->vcpu_id,
        .flags = req->flags & VM_EVENT_FLAG_VCPU_PAUSED,
        .u.mem_paging = req->u.mem_paging,
    };

    if (!(req->u.mem_paging.flags & MEM_PAGING_DROP_PAGE))
        bring_in(req->u.mem_paging.gfn);
    memcpy(RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt), &rsp, sizeof(rsp));
    ring.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&ring);
    need(!xenevtchn_notify(xce, port), "notify");
}

static void answer_held(void)
{
    for (unsigned i = 0; i < nr_held; i++)
        answer(&held[i]);
    nr_held = 0;
}

static void take_up(void)
{
    vm_event_request_t req;

    while (RING_HAS_UNCONSUMED_REQUESTS(&ring)) {
        memcpy(&req, RING_GET_REQUEST(&ring, ring.req_cons), sizeof(req));
        ring.req_cons++;
        ring.sring->req_event = ring.req_cons + 1;
        requests++;
        printf("%s %#lx vcpu %u %s\n",
               req.u.mem_paging.flags & MEM_PAGING_DROP_PAGE ? "drop" : "asked",
               (unsigned long)req.u.mem_paging.gfn, req.vcpu_id,
               req.flags & VM_EVENT_FLAG_VCPU_PAUSED ? "paused" : "runs");
        fflush(stdout);
        need(nr_held < MAX_HELD, "too many requests");
        held[nr_held++] = req;
    }
    if (requests >= hold)
        answer_held();
}

static void serve(void)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(xce), .events = POLLIN };

    while (!stop) {
        if (poll(&pfd, 1, 100) == 1) {
            int pending = xenevtchn_pending(xce);

            need(pending >= 0 && !xenevtchn_unmask(xce, pending), "event");
        }
        take_up();
    }
}

/* With the domain paused, so that nobody asks for a page meanwhile. */
static bool try_to_end(void)
{
    bool ended;

    need(!xc_domain_pause(xch, domid), "pause");
    take_up();
    ended = !xc_mem_paging_disable(xch, domid);
    need(ended || errno == EBUSY, "end of paging");
    need(!xc_domain_unpause(xch, domid), "unpause");
    return ended;
}

static void end(void)
{
    unsigned busy = 0;

    hold = 0;
    for (uint64_t gfn = 0; gfn < nr_gfns; gfn++)
        if (pages[gfn])
            bring_in(gfn);
    while (!try_to_end()) {
        need(busy++ < 1000, "end of paging");
        usleep(1000);
    }
    printf("busy %u\n", busy);
}

int main(int argc, char **argv)
{
    xen_pfn_t max = 0;

    if (argc < 4) {
        fputs("usage: page-out DOMID HOLD GFN...|all\n", stderr);
        return 2;
    }
    domid = strtoul(argv[1], NULL, 0);
    hold = strtoul(argv[2], NULL, 0);
    all = !strcmp(argv[3], "all");
    xch = xc_interface_open(NULL, NULL, 0);
    fmem = xenforeignmemory_open(NULL, 0);
    xce = xenevtchn_open(NULL, 0);
    need(xch && fmem && xce, "no access to Xen");
    need(!xc_domain_maximum_gpfn(xch, domid, &max), "the guest's size");
    nr_gfns = max + 1;
    pages = calloc(nr_gfns, sizeof(*pages));
    need(pages, "memory");
    signal(SIGTERM, on_signal);
    start_paging();
    take_out(argv + 3);
    serve();
    end();
    return 0;
}
