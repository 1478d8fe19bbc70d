/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Times one after the other, and what is said of them: for programs that
 * measure.
 */
#ifndef TIMES_H
#define TIMES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int longer(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Prints "MEDIAN 99TH-PERCENTILE LONGEST", and how many there were not. */
static void print_spread(uint64_t *us, size_t good, size_t bad)
{
    qsort(us, good, sizeof(*us), longer);
    printf("%lu %lu %lu %zu\n", us[good / 2], us[good * 99 / 100], us[good - 1],
           bad);
}

#endif
