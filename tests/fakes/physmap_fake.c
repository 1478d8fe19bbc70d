/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/physmap_fake.h"

#include <assert.h>
#include <errno.h>
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

/* --- load() --------------------------------------------------------------- */

static void put(struct physmap_fake *f, uint64_t gfn, size_t nr,
                const char *content)
{
    static const char zeros[PAGE];
    for (size_t i = 0; i < nr; i++) {
        ssize_t n = pwrite(f->memory, content ? content + i * PAGE : zeros,
                           PAGE, (off_t)((gfn + i) * PAGE));
        assert(n == PAGE);
        (void)n;
    }
}

static bool is_in_the_way(const struct physmap_fake *f, uint64_t gfn)
{
    return f->order[gfn] || (f->has_bad_gfn && gfn == f->bad_gfn);
}

static bool fits_2m(const struct physmap_fake *f, uint64_t gfn, size_t nr)
{
    for (size_t i = 0; i < nr && i < XLX__PHYSMAP_PAGES_2M; i++)
        if (is_in_the_way(f, gfn + i))
            return false;
    return gfn % XLX__PHYSMAP_PAGES_2M == 0 && nr >= XLX__PHYSMAP_PAGES_2M &&
           has_room(f, gfn, XLX__PHYSMAP_ORDER_2M);
}

/* As Xen does: whole blocks where it has them, pages elsewhere. */
static int load_some(struct physmap_fake *f, uint64_t gfn, size_t nr,
                     const char *content, uint32_t *done)
{
    unsigned order = fits_2m(f, gfn, nr) ? XLX__PHYSMAP_ORDER_2M : 0;
    if (f->has_bad_gfn && gfn == f->bad_gfn)
        return failure(f);
    if (f->order[gfn])
        return -EEXIST;
    if (!has_room(f, gfn, order))
        return -ENOMEM;
    give(f, gfn, order);
    put(f, gfn, (size_t)1 << order, content);
    *done += 1u << order;
    return 0;
}

static int fake_load(struct xlx__physmap *p, uint64_t gfn, uint32_t nr,
                     const void *buffer, uint32_t *done_r)
{
    struct physmap_fake *f = of(p);
    const char *from = buffer;
    assert(nr > 0 && (!buffer || f->buffers > 0));
    *done_r = 0;
    int rc = nth_fails(&f->loads) ? failure(f) : 0;
    if (!p->can_load)
        rc = -ENOSYS;
    while (!rc && *done_r < nr)
        rc = load_some(f, gfn + *done_r, nr - *done_r,
                       from ? from + (size_t)*done_r * PAGE : NULL, done_r);
    return rc;
}

static void *fake_buffer_alloc(struct xlx__physmap *p, size_t pages)
{
    if (of(p)->no_buffer)
        return NULL;
    of(p)->buffers++;
    return malloc(pages * PAGE);
}

static void fake_buffer_free(struct xlx__physmap *p, void *buffer, size_t pages)
{
    (void)pages;
    of(p)->buffers -= buffer != NULL;
    free(buffer);
}

static void fake_close(struct xlx__physmap *p)
{
    of(p)->closed++;
}

static const struct xlx__physmap_ops fake_ops = {
    .populate = fake_populate,
    .map = fake_map,
    .load = fake_load,
    .buffer_alloc = fake_buffer_alloc,
    .buffer_free = fake_buffer_free,
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
