/* SPDX-License-Identifier: LGPL-2.1-only */
/* Writes the images that the fuzzer starts from into a directory. */
#include <stdio.h>
#include <unistd.h>

#include "fakes/image_seeds.h"

static int save(const char *dir, const char *name, const void *bytes,
                size_t len)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, len, 1, file) != 1 || fclose(file)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc != 2;
    struct image_build b = { 0 };
    for (size_t i = 0; !failed && i < NR_IMAGE_SEEDS; i++) {
        image_seeds[i].build(&b);
        failed = save(argv[1], image_seeds[i].name, b.bytes, b.len);
    }
    build_free(&b);
    return failed;
}
