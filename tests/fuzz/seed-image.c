/* SPDX-License-Identifier: LGPL-2.1-only */
/* Writes what the fuzzers start from: images into one directory, a sidecar of
 * the image that fuzz-sidecar.c has into another. */
#include <stdio.h>
#include <unistd.h>

#include "fakes/image_seeds.h"
#include "fuzz/fuzz-sidecar.c"

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

static int save_images(const char *dir)
{
    int failed = 0;
    struct image_build b = { 0 };
    for (size_t i = 0; !failed && i < NR_IMAGE_SEEDS; i++) {
        image_seeds[i].build(&b);
        failed = save(dir, image_seeds[i].name, b.bytes, b.len);
    }
    build_free(&b);
    return failed;
}

static int save_sidecar(const char *dir)
{
    static const struct xlx_image_range touched[] = { { 9, 2 }, { 0x103, 3 } };
    char path[4096];
    xlx_ctx *ctx;
    snprintf(path, sizeof(path), "%s/whole", dir);
    if (xlx_ctx_new(&ctx))
        return 1;
    xlx_image *image = sidecar_image(ctx);
    int failed = xlx_sidecar_write(ctx, image, path, NULL, NULL) ||
                 xlx_sidecar_working_set_write(ctx, image, path, touched, 2);
    if (failed)
        fprintf(stderr, "%s\n", xlx_ctx_error(ctx));
    xlx_image_close(image);
    xlx_ctx_free(ctx);
    return failed;
}

int main(int argc, char **argv)
{
    return argc != 3 || save_images(argv[1]) || save_sidecar(argv[2]);
}
