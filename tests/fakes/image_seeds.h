/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Images that are right, one of each kind: what fuzzing starts from.
 */
#ifndef FAKES_IMAGE_SEEDS_H
#define FAKES_IMAGE_SEEDS_H

#include "fakes/image_build.h"

struct image_seed {
    const char *name;
    void (*build)(struct image_build *b); /* resets it first */
};

#define NR_IMAGE_SEEDS 5
extern const struct image_seed image_seeds[NR_IMAGE_SEEDS];

#endif
