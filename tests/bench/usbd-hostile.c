/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usbd-hostile [REQUESTS [SEED]]: sends that many requests of a guest that
 * means harm (tests/fakes/usbd_hostile.c) and says what became of them. It is
 * the sanitizers that make it a trial: make build/bench-asan/usbd-hostile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fakes/usbd_hostile.h"

int main(int argc, char **argv)
{
    uint64_t requests = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct usbd_hostile done;
    clock_t before = clock();
    usbd_hostile_run(seed, requests, &done);
    printf(
        "%llu requests in %.1f s: %llu answered, %llu reached a device, %llu "
        "rings broken, %llu devices plugged, %llu times killed\n",
        (unsigned long long)done.requests,
        (double)(clock() - before) / CLOCKS_PER_SEC,
        (unsigned long long)done.answers, (unsigned long long)done.submitted,
        (unsigned long long)done.broken, (unsigned long long)done.plugs,
        (unsigned long long)done.kills);
    return 0;
}
