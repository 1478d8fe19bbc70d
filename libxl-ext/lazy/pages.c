/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/pages.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define PER_WORD 32u

struct xlx__pages {
    size_t size; /* of the mapping */
    uint64_t end;
    uint64_t total;
    _Atomic uint64_t done;
    _Atomic uint64_t word[]; /* two bits a gfn */
};

struct xlx__pages *xlx__pages_new(uint64_t end)
{
    uint64_t words = end / PER_WORD + 1;
    if (words > (SIZE_MAX - sizeof(struct xlx__pages)) / sizeof(uint64_t))
        return NULL;
    size_t size = sizeof(struct xlx__pages) + (size_t)words * sizeof(uint64_t);
    struct xlx__pages *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    pages->end = end;
    pages->size = size;
    return pages;
}

void xlx__pages_free(struct xlx__pages *pages)
{
    if (pages)
        munmap(pages, pages->size);
}

static unsigned shift_of(uint64_t gfn)
{
    return 2 * (unsigned)(gfn % PER_WORD);
}

enum xlx__page_state xlx__pages_state(const struct xlx__pages *pages,
                                      uint64_t gfn)
{
    if (gfn >= pages->end)
        return XLX__PAGE_NONE;
    uint64_t word = atomic_load(&pages->word[gfn / PER_WORD]);
    return (enum xlx__page_state)(word >> shift_of(gfn) & 3);
}

/* Moves one page from `from` to `to`; returns the state that was found. */
static enum xlx__page_state move_page(struct xlx__pages *pages, uint64_t gfn,
                                      enum xlx__page_state from,
                                      enum xlx__page_state to)
{
    if (gfn >= pages->end)
        return XLX__PAGE_NONE;
    _Atomic uint64_t *word = &pages->word[gfn / PER_WORD];
    unsigned shift = shift_of(gfn);
    uint64_t old = atomic_load(word), new;
    do {
        enum xlx__page_state found = (enum xlx__page_state)(old >> shift & 3);
        if (found != from)
            return found;
        new = (old & ~((uint64_t)3 << shift)) | (uint64_t)to << shift;
    } while (!atomic_compare_exchange_weak(word, &old, new));
    if (to == XLX__PAGE_DONE)
        atomic_fetch_add(&pages->done, 1);
    return from;
}

void xlx__pages_hold_back(struct xlx__pages *pages, uint64_t gfn, uint64_t nr)
{
    assert(nr <= pages->end && gfn <= pages->end - nr);
    for (uint64_t i = gfn; i < gfn + nr; i++) {
        assert(xlx__pages_state(pages, i) == XLX__PAGE_NONE);
        /* No other thread yet: no need for the cost of a locked operation. */
        _Atomic uint64_t *word = &pages->word[i / PER_WORD];
        uint64_t bits = (uint64_t)XLX__PAGE_ABSENT << shift_of(i);
        atomic_store_explicit(
            word, atomic_load_explicit(word, memory_order_relaxed) | bits,
            memory_order_relaxed);
    }
    pages->total += nr;
}

uint64_t xlx__pages_total(const struct xlx__pages *pages)
{
    return pages->total;
}

uint64_t xlx__pages_done(const struct xlx__pages *pages)
{
    return atomic_load(&pages->done);
}

enum xlx__page_state xlx__pages_claim(struct xlx__pages *pages, uint64_t gfn)
{
    return move_page(pages, gfn, XLX__PAGE_ABSENT, XLX__PAGE_LOADING);
}

/* --- runs, a word at a time ----------------------------------------------- */

/* Two bits of `state` for each of n pages from page `first` of a word on. */
static uint64_t pattern(unsigned first, unsigned n, enum xlx__page_state state)
{
    uint64_t mask = n == PER_WORD ? UINT64_MAX : ((uint64_t)1 << 2 * n) - 1;
    return (0x5555555555555555u * (uint64_t)state & mask) << 2 * first;
}

/* How many pages of the word, from `first` on and at most `max`, are ABSENT. */
static unsigned absent_in(uint64_t word, unsigned first, unsigned max)
{
    uint64_t other =
        (word ^ pattern(0, PER_WORD, XLX__PAGE_ABSENT)) >> 2 * first;
    unsigned n = other ? (unsigned)__builtin_ctzll(other) / 2 : PER_WORD;
    return n < max ? n : max;
}

/* Claims the ABSENT pages that `gfn` starts, within its word. */
static unsigned claim_in_word(struct xlx__pages *pages, uint64_t gfn,
                              uint64_t nr)
{
    _Atomic uint64_t *word = &pages->word[gfn / PER_WORD];
    unsigned first = (unsigned)(gfn % PER_WORD), n;
    unsigned max = PER_WORD - first < nr ? PER_WORD - first : (unsigned)nr;
    uint64_t old = atomic_load(word), new;
    do {
        n = absent_in(old, first, max);
        new = (old & ~pattern(first, n, XLX__PAGE_DONE)) |
              pattern(first, n, XLX__PAGE_LOADING);
    } while (n && !atomic_compare_exchange_weak(word, &old, new));
    return n;
}

uint64_t xlx__pages_claim_run(struct xlx__pages *pages, uint64_t gfn,
                              uint64_t nr, uint64_t *first_r)
{
    uint64_t end = gfn + nr < pages->end ? gfn + nr : pages->end, run = 0;
    for (; gfn < end && !run; gfn += !run) {
        while (gfn + run < end) {
            uint64_t at = gfn + run;
            unsigned n = claim_in_word(pages, at, end - at);
            run += n;
            if (!n || (at + n) % PER_WORD)
                break;
        }
    }
    if (run)
        *first_r = gfn;
    return run;
}

/* How many pages of the word, from `first` on, are not ABSENT. */
static unsigned others_in(uint64_t word, unsigned first)
{
    const uint64_t odd = 0x5555555555555555u;
    uint64_t absent = word & ~(word >> 1) & odd;
    absent >>= 2 * first;
    return absent ? (unsigned)__builtin_ctzll(absent) / 2 : PER_WORD - first;
}

/* The first gfn of [gfn, end) that is ABSENT; end when none is. */
static uint64_t skip_others(const struct xlx__pages *pages, uint64_t gfn,
                            uint64_t end)
{
    while (gfn < end) {
        uint64_t word = atomic_load(&pages->word[gfn / PER_WORD]);
        gfn += others_in(word, (unsigned)(gfn % PER_WORD));
        if (gfn % PER_WORD)
            break;
        word = gfn < end ? atomic_load(&pages->word[gfn / PER_WORD]) : 0;
        if (absent_in(word, 0, 1))
            break;
    }
    return gfn < end ? gfn : end;
}

/* How many pages from `gfn` on are ABSENT; may count beyond `max`. */
static uint64_t count_absent(const struct xlx__pages *pages, uint64_t gfn,
                             uint64_t max)
{
    uint64_t run = 0;
    while (run < max) {
        unsigned first = (unsigned)((gfn + run) % PER_WORD);
        uint64_t word = atomic_load(&pages->word[(gfn + run) / PER_WORD]);
        unsigned n = absent_in(word, first, PER_WORD - first);
        run += n;
        if (first + n < PER_WORD)
            break;
    }
    return run;
}

uint64_t xlx__pages_find_absent(const struct xlx__pages *pages, uint64_t gfn,
                                uint64_t nr, uint64_t max, uint64_t *first_r)
{
    if (gfn >= pages->end)
        return 0;
    uint64_t end = nr < pages->end - gfn ? gfn + nr : pages->end, run = 0;
    while (!run) {
        gfn = skip_others(pages, gfn, end);
        if (gfn == end)
            return 0;
        if (max > end - gfn)
            max = end - gfn;
        run = count_absent(pages, gfn, max); /* 0: it was just taken */
    }
    *first_r = gfn;
    return run < max ? run : max;
}

static void end_load(struct xlx__pages *pages, uint64_t gfn, uint64_t nr,
                     enum xlx__page_state to)
{
    while (nr) {
        _Atomic uint64_t *word = &pages->word[gfn / PER_WORD];
        unsigned first = (unsigned)(gfn % PER_WORD);
        unsigned n = PER_WORD - first < nr ? PER_WORD - first : (unsigned)nr;
        uint64_t mask = pattern(first, n, XLX__PAGE_DONE);
        uint64_t old = atomic_load(word), new;
        do {
            assert((old & mask) == pattern(first, n, XLX__PAGE_LOADING));
            new = (old & ~mask) | pattern(first, n, to);
        } while (!atomic_compare_exchange_weak(word, &old, new));
        gfn += n;
        nr -= n;
    }
}

void xlx__pages_settle(struct xlx__pages *pages, uint64_t gfn, uint64_t nr)
{
    end_load(pages, gfn, nr, XLX__PAGE_DONE);
    atomic_fetch_add(&pages->done, nr);
}

void xlx__pages_release(struct xlx__pages *pages, uint64_t gfn, uint64_t nr)
{
    end_load(pages, gfn, nr, XLX__PAGE_ABSENT);
}

/* 01 stays, 10 becomes 01: the high bit moves down where the low one is off. */
void xlx__pages_release_all(struct xlx__pages *pages)
{
    const uint64_t low = 0x5555555555555555u;
    uint64_t done = 0;
    for (uint64_t i = 0; i <= pages->end / PER_WORD; i++) {
        uint64_t word = atomic_load(&pages->word[i]);
        uint64_t loading = (word >> 1) & ~word & low;
        atomic_store(&pages->word[i], word ^ (loading | loading << 1));
        done += (uint64_t)__builtin_popcountll(word & word >> 1 & low);
    }
    atomic_store(&pages->done, done);
}

void xlx__pages_drop(struct xlx__pages *pages, uint64_t gfn)
{
    move_page(pages, gfn, XLX__PAGE_ABSENT, XLX__PAGE_DONE);
}
