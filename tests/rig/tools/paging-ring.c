// SPDX-License-Identifier: LGPL-2.1-only
/*
 * paging-ring DOMID : what the patched hypervisor makes of a paging ring that
 * is not as it should be. The domain is paused, and is so again at the end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/hvm/params.h>
#include <xen/vm_event.h>

#define PAGE 4096
#define RING_GFN 0xfeff8ul

static xc_interface *xch;
static xenevtchn_handle *xce;
static vm_event_sring_t *ring;
static uint32_t domid;
static int failed;

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "paging-ring: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void check_is(long got, long want, const char *what)
{
    bool good = got == want;

    if (good)
        printf("  ok: %s: %ld\n", what, got);
    else
        printf("  FAILED: %s: %ld, not %ld\n", what, got, want);
    fflush(stdout);
    failed += !good;
}

static void map_ring(void)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfn = RING_GFN;

    need(fmem, "no access to guests' memory");
    need(!xc_domain_populate_physmap_exact(xch, domid, 1, 0, 0, &gfn),
         "the ring's page");
    ring = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn,
                                NULL);
    need(ring, "the ring");
    memset(ring, 0, PAGE);
}

static void place_ring(uint64_t gfn)
{
    need(!xc_hvm_param_set(xch, domid, HVM_PARAM_PAGING_RING_PFN, gfn),
         "the ring's place");
}

static long enable(uint32_t *port)
{
    return xc_mem_paging_enable(xch, domid, port) ? -errno : 0;
}

/* Nobody holds the ring, so it may be taken over. */
static uint32_t check_taking_over(void)
{
    uint32_t port = 0, again = 0;

    puts("taking over");
    check_is(enable(&port), 0, "a first ring");
    place_ring(0);
    check_is(enable(&again), -EOPNOTSUPP, "no place for the second");
    place_ring(RING_GFN);
    need(!xc_domain_unpause(xch, domid), "unpause");
    check_is(enable(&again), -EINVAL, "the guest runs");
    need(!xc_domain_pause(xch, domid), "pause");
    check_is(enable(&again), 0, "the guest is paused");
    check_is(again, port, "port");
    return port;
}

/* Xen writes the event's place when it has taken a response. */
static void check_responses(int port, RING_IDX prod, const char *what)
{
    RING_IDX before = ring->rsp_event;

    ring->rsp_prod = prod;
    need(!xenevtchn_notify(xce, port), "notify");
    check_is(ring->rsp_event, before, what);
    ring->rsp_prod = 0;
}

static void check_bad_responses(uint32_t remote)
{
    int port = xenevtchn_bind_interdomain(xce, domid, remote);

    puts("responses that nobody has asked for");
    need(port >= 0, "the event channel");
    check_responses(port, 1, "one");
    check_responses(port, 100, "more than there is room for");
    check_responses(port, (RING_IDX)-1, "all that can be counted");
}

int main(int argc, char **argv)
{
    uint32_t port;

    if (argc != 2) {
        fputs("usage: paging-ring DOMID\n", stderr);
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    xch = xc_interface_open(NULL, NULL, 0);
    xce = xenevtchn_open(NULL, 0);
    need(xch && xce, "no access to Xen");
    map_ring();
    port = check_taking_over();
    check_bad_responses(port);
    need(!xc_mem_paging_disable(xch, domid), "cannot disable paging");
    printf("%d failed\n", failed);
    return failed > 0;
}
