/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/physmap_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

static struct physmap_fake *of(struct xlx__physmap *p)
{
    return (struct physmap_fake *)p;
}

static int failure(const struct physmap_fake *f)
{
    return f->fail_err ? f->fail_err : -EIO;
}

static bool has_room(const struct physmap_fake *f, uint64_t gfn, unsigned order)
{
    uint64_t n = 1ull << order;
    if (f->limit && f->pages + n > f->limit)
        return false;
    return !order || gfn + n <= f->no_2m_from || gfn >= f->no_2m_end;
}

static void give(struct physmap_fake *f, uint64_t gfn, unsigned order)
{
    unsigned char page[PAGE];
    memset(page, PHYSMAP_FAKE_GARBAGE, sizeof(page));
    assert(gfn % (1ull << order) == 0);
    for (uint64_t end = gfn + (1ull << order); gfn < end; gfn++) {
        assert(gfn < f->nr_gfns && !f->order[gfn]);
        f->order[gfn] = (unsigned char)(1 + order);
        f->pages++;
        ssize_t n = pwrite(f->memory, page, PAGE, (off_t)(gfn * PAGE));
        assert(n == PAGE);
        (void)n;
    }
}

static int fake_populate(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
                         unsigned order, size_t *done_r)
{
    struct physmap_fake *f = of(p);
    int rc = 0;
    assert(nr > 0);
    *done_r = 0;
    if (nth_fails(&f->populates))
        rc = failure(f);
    for (size_t i = 0; !rc && i < nr; i++) {
        if (has_room(f, gfn[i], order))
            give(f, gfn[i], order);
        else
            rc = -ENOMEM;
        *done_r += !rc;
    }
    return rc;
}

/* Returns the index of the first that cannot be mapped, or nr. */
static size_t first_bad(const struct physmap_fake *f, const uint64_t *gfn,
                        size_t nr)
{
    size_t i = 0;
    for (; i < nr && !(f->has_bad_gfn && gfn[i] == f->bad_gfn); i++)
        assert(gfn[i] < f->nr_gfns && f->order[gfn[i]]);
    return i;
}

static void map_each(const struct physmap_fake *f, const uint64_t *gfn,
                     size_t nr, char *at)
{
    for (size_t i = 0, n; i < nr; i += n) {
        for (n = 1; i + n < nr && gfn[i + n] == gfn[i] + n;)
            n++;
        void *to =
            mmap(at + i * PAGE, n * PAGE, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, f->memory, (off_t)(gfn[i] * PAGE));
        assert(to != MAP_FAILED);
        (void)to;
    }
}

static int fake_map(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
                    void **at_r, size_t *bad_r)
{
    struct physmap_fake *f = of(p);
    bool fails = nth_fails(&f->maps);
    *bad_r = fails ? 0 : first_bad(f, gfn, nr);
    if (*bad_r < nr && (fails || f->has_bad_gfn))
        return failure(f);
    *bad_r = 0;
    void *at =
        mmap(NULL, nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(at != MAP_FAILED);
    map_each(f, gfn, nr, at);
    *at_r = at;
    return 0;
}

static void fake_close(struct xlx__physmap *p)
{
    of(p)->closed++;
}

static const struct xlx__physmap_ops fake_ops = {
    .populate = fake_populate,
    .map = fake_map,
    .close = fake_close,
};

struct physmap_fake *physmap_fake_new(uint64_t nr_gfns)
{
    struct physmap_fake *f = calloc(1, sizeof(*f));
    assert(f);
    f->base = (struct xlx__physmap){ .ops = &fake_ops, .domid = 7 };
    f->nr_gfns = nr_gfns;
    f->order = calloc(nr_gfns, 1);
    f->memory = memfd_create("guest", MFD_CLOEXEC);
    assert(f->order && f->memory >= 0);
    int rc = ftruncate(f->memory, (off_t)(nr_gfns * PAGE));
    assert(!rc);
    (void)rc;
    return f;
}

void physmap_fake_free(struct physmap_fake *f)
{
    close(f->memory);
    free(f->order);
    free(f);
}

void physmap_fake_read(const struct physmap_fake *f, uint64_t gfn, void *page)
{
    assert(gfn < f->nr_gfns && f->order[gfn]);
    ssize_t n = pread(f->memory, page, PAGE, (off_t)(gfn * PAGE));
    assert(n == PAGE);
    (void)n;
}

uint64_t physmap_fake_count(const struct physmap_fake *f, unsigned order)
{
    uint64_t count = 0;
    for (uint64_t gfn = 0; gfn < f->nr_gfns; gfn++)
        count += f->order[gfn] == 1 + order;
    return count;
}
