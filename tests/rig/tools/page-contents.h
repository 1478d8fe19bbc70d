/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Pages whose content tells where they belong, for programs that load memory
 * into a guest and look at what is there.
 */
#ifndef PAGE_CONTENTS_H
#define PAGE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAGE 4096ul

/* Each word tells the gfn and place it belongs to. */
static uint64_t word(uint64_t gfn, unsigned i)
{
    return (gfn << 20 | i) * 0x9e3779b97f4a7c15;
}

static void fill(uint64_t *p, uint64_t gfn, unsigned long pages)
{
    for (; pages--; gfn++)
        for (unsigned i = 0; i < PAGE / 8; i++)
            *p++ = word(gfn, i);
}

static bool page_holds(const uint64_t *p, uint64_t gfn)
{
    for (unsigned i = 0; i < PAGE / 8; i++)
        if (p[i] != word(gfn, i))
            return false;
    return true;
}

static bool page_is_zero(const uint64_t *p, uint64_t gfn)
{
    (void)gfn;
    return !*p && !memcmp(p, p + 1, PAGE - sizeof(*p));
}

/* What must not be left in a page that somebody gets. */
static bool page_has_secret(const uint64_t *p, uint64_t gfn)
{
    (void)gfn;
    for (unsigned i = 0; i < PAGE / 8; i++)
        if (p[i] == word(0x5ec, i))
            return true;
    return false;
}

#endif
