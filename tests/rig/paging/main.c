/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * paging-contract DOMID : the contract of the paging seam (xen/paging.h) over
 * real Xen, a line a case; exit status 1 when one fails.
 *
 * Works on gfns above 4 GiB of a paused guest, which are holes. Who touches a
 * page is a thread that maps it, as a backend does; no vCPU runs.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#include "fakes/paging_contract.h"
#include "libxl_ext_image.h"

#define BASE 0x100000u    /* 4 GiB */
#define APART 0x1000u     /* gfns of one case and the next */
#define RING_GFN 0xfeff8u /* where a restored guest has it */

struct subject {
    struct paging_subject base;
    xlx_ctx *ctx;
    uint32_t domid;
    pthread_t thread;
    uint64_t gfn; /* that is touched */
    char page[XLX_PAGE_SIZE];
};

static struct subject *of(struct paging_subject *s)
{
    return (struct subject *)s;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(2);
}

/* Waits for a page that is out. */
static void copy_page(uint32_t domid, uint64_t gfn, void *to, const void *from)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t pfn = gfn;
    must(fmem, "xenforeignmemory_open");
    char *p = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, &pfn,
                                   NULL);
    must(p, "map the guest's memory");
    if (to)
        memcpy(to, p, XLX_PAGE_SIZE);
    if (from)
        memcpy(p, from, XLX_PAGE_SIZE);
    xenforeignmemory_unmap(fmem, p, 1);
    xenforeignmemory_close(fmem);
}

static void *touch_page(void *arg)
{
    struct subject *s = arg;
    copy_page(s->domid, s->gfn, s->page, NULL);
    return NULL;
}

static void touch(struct paging_subject *s, uint64_t gfn)
{
    of(s)->gfn = gfn;
    must(!pthread_create(&of(s)->thread, NULL, touch_page, s), "thread");
}

static bool join(struct paging_subject *s, void *page)
{
    bool ended = paging_contract_join(of(s)->thread);
    memcpy(page, of(s)->page, XLX_PAGE_SIZE);
    return ended;
}

static void read_page(struct paging_subject *s, uint64_t gfn, void *page)
{
    copy_page(of(s)->domid, gfn, page, NULL);
}

static void write_page(struct paging_subject *s, uint64_t gfn, const void *page)
{
    copy_page(of(s)->domid, gfn, NULL, page);
}

static void open_paging(struct subject *s)
{
    if (!xlx__paging_open(s->ctx, s->domid, &s->base.paging))
        return;
    fprintf(stderr, "paging-contract: %s\n", xlx_ctx_error(s->ctx));
    exit(2);
}

/* What Xen sees of a process that ends. */
static void die(struct paging_subject *s)
{
    s->paging->ops->close(s->paging);
    open_paging(of(s));
}

static const struct paging_subject_ops ops = {
    .touch = touch,
    .join = join,
    .read = read_page,
    .write = write_page,
    .die = die,
};

/* A case that fails leaves paging as it is: the guest is only fit to be
 * destroyed. */
static bool passes(xlx_ctx *ctx, uint32_t domid, const struct paging_case *c)
{
    struct subject s = {
        .base = { .ops = &ops,
                  .ring_gfn = RING_GFN,
                  .first = BASE + APART * (uint64_t)(c - paging_cases),
                  .wakes_at_load = true },
        .ctx = ctx,
        .domid = domid,
    };
    open_paging(&s);
    const char *wrong = c->run(&s.base);
    s.base.paging->ops->close(s.base.paging);
    printf("  %s: %s%s%s\n", wrong ? "FAILED" : "ok", c->name,
           wrong ? ": " : "", wrong ? wrong : "");
    if (wrong)
        printf("  the last error: %s\n", xlx_ctx_error(ctx));
    fflush(stdout);
    return !wrong;
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    if (argc != 2) {
        fputs("usage: paging-contract DOMID (in dom0)\n", stderr);
        return 2;
    }
    must(!xlx_ctx_new(&ctx), "context");
    for (const struct paging_case *c = paging_cases; c->name; c++)
        if (!passes(ctx, (uint32_t)strtoul(argv[1], NULL, 0), c))
            return 1;
    xlx_ctx_free(ctx);
    return 0;
}
