/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What opens is what libxl and libxc read, of every file of the corpus.
 *
 * With XLX_CORPUS=FOLDER the files are written there too, and a list of them
 * for check-image-corpus.sh: file, what verify-stream-v2 should say, name.
 */
#include "test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "fakes/image_corpus.h"
#include "libxl_ext_image.h"

struct tally {
    xlx_ctx *ctx;
    const char *folder;
    FILE *list;
    size_t nr, accepted, stricter, wrong;
    size_t differ; /* on which Xen's own readers disagree */
};

static void write_file(struct tally *t, const char *name,
                       const struct image_build *b,
                       const struct corpus_verdict *verdict)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%zu", t->folder, t->nr);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(b->bytes, 1, b->len, file), b->len);
    assert_int_equal(fclose(file), 0);
    fprintf(t->list, "%zu %d %s\n", t->nr, verdict->verify, name);
}

static bool opens(struct tally *t, const struct image_build *b)
{
    char path[64];
    xlx_image *image = NULL;
    int fd = build_fd(b);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int rc = xlx_image_open(t->ctx, path, &image);
    xlx_image_close(image);
    close(fd);
    return !rc;
}

static void compare(void *arg, const char *name, const struct image_build *b,
                    struct corpus_verdict verdict)
{
    struct tally *t = arg;
    bool want = verdict.libxc && !verdict.stricter, got = opens(t, b);
    t->nr++;
    t->accepted += want;
    t->stricter += verdict.libxc && verdict.stricter;
    t->differ += verdict.libxc != verdict.verify;
    if (t->list)
        write_file(t, name, b, &verdict);
    if (got == want)
        return;
    if (t->wrong++ < 20)
        print_error("%s: %s, it should %s: %s\n", name,
                    got ? "opens" : "does not open", want ? "open" : "not",
                    got ? "" : xlx_ctx_error(t->ctx));
}

static void what_xen_reads_opens_and_nothing_else(void **state)
{
    (void)state;
    struct tally t = { .folder = getenv("XLX_CORPUS") };
    char path[256];
    assert_int_equal(xlx_ctx_new(&t.ctx), 0);
    if (t.folder) {
        snprintf(path, sizeof(path), "%s/list", t.folder);
        t.list = fopen(path, "w");
        assert_non_null(t.list);
    }
    corpus_each(compare, &t);
    if (t.list)
        assert_int_equal(fclose(t.list), 0);
    xlx_ctx_free(t.ctx);
    print_message("%zu files, %zu accepted, %zu refused beyond libxc, on %zu "
                  "Xen's readers differ\n",
                  t.nr, t.accepted, t.stricter, t.differ);
    assert_int_equal(t.wrong, 0);
    /* Neither verdict is the only one. */
    assert_true(t.accepted > t.nr / 10 && t.accepted < t.nr / 2);
    assert_true(t.stricter && t.differ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_xen_reads_opens_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
