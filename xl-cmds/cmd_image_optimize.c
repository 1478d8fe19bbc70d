/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * image-optimize: a save file with its pages in the order of their use.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd_image.h"
#include "job.h"
#include "json.h"

enum { OPT_FIRST, OPT_IN_PLACE, OPT_JSON, OPT_SIDECAR };

const struct cmd_option cmd_image_optimize_options[] = {
    { "first", 0, CMD_NEEDS_ARG, "GFN[+N],...",
      "put these pages first, instead of the working set" },
    { "in-place", 0, CMD_NO_ARG, NULL, "replace FILE by the new file" },
    { "json", 'j', CMD_NO_ARG, NULL, "print what was written as JSON" },
    CMD_IMAGE_SIDECAR_OPTION,
    { 0 }
};

const char cmd_image_optimize_details[] =
    "Writes a new save file of the same guest: first the working set of\n"
    "FILE.lzx, then all other pages by gfn; zero pages become holes. Every xl\n"
    "restore reads the new file. The command compares it with FILE before the\n"
    "new file gets its name, and also writes its sidecar. If it is\n"
    "interrupted, nothing has changed.\n"
    "\n"
    "Examples:\n"
    "  xl-ext image-optimize guest.save guest-fast.save\n"
    "  xl-ext image-optimize --in-place guest.save\n";

/* A number, decimal or behind 0x; *text goes behind it. */
static bool read_number(const char **text, uint64_t *value_r)
{
    char *end;
    bool hex = !strncmp(*text, "0x", 2);
    const char *digits = *text + (hex ? 2 : 0);
    if (!(hex ? isxdigit((unsigned char)*digits)
              : isdigit((unsigned char)*digits)))
        return false;
    errno = 0;
    *value_r = strtoull(digits, &end, hex ? 16 : 10);
    *text = end;
    return !errno;
}

/* "GFN[+N],...": into `ranges`, which has room for one a comma and one more. */
static bool read_first(const char *text, struct xlx_image_range *ranges,
                       size_t *nr_r)
{
    size_t nr = 0;
    do {
        struct xlx_image_range *range = &ranges[nr++];
        text += nr > 1;
        range->nr = 1;
        if (!read_number(&text, &range->gfn))
            return false;
        if (*text == '+' && (text++, !read_number(&text, &range->nr)))
            return false;
    } while (*text == ',');
    *nr_r = nr;
    return !*text;
}

struct optimize {
    struct job job;
    const struct cmd_opts *opts;
    const xlx_image *image;
    const struct xlx_image_range *first; /* the working set, or NULL */
    size_t nr;
    const char *out;
    struct xlx_sidecar_info made; /* the sidecar of the new file */
};

/* The new file's sidecar, the working set with it. */
static int write_sidecar(struct optimize *o)
{
    xlx_ctx *ctx = o->job.env->ctx;
    xlx_image *image;
    xlx_sidecar *sidecar;
    int rc = xlx_image_open(ctx, o->out, &image);
    if (rc)
        return rc;
    rc = xlx_sidecar_write(ctx, image, NULL, job_progress, &o->job);
    if (!rc)
        rc = xlx_sidecar_working_set_write(ctx, image, NULL, o->first, o->nr);
    if (!rc)
        rc = xlx_sidecar_open(ctx, image, NULL, &sidecar);
    if (!rc) {
        o->made = *xlx_sidecar_info(sidecar);
        xlx_sidecar_close(sidecar);
    }
    xlx_image_close(image);
    return rc;
}

static int report(const struct optimize *o)
{
    FILE *out = o->job.env->out;
    uint64_t pages = xlx_image_info(o->image)->pages;
    struct stat st;
    if (stat(o->out, &st))
        return CMD_FAILED;
    if (!o->opts->set[OPT_JSON]) {
        fprintf(out,
                "%s: %lu pages, the first %lu in the order of use, %lu zero; "
                "%lu MiB on disk\n",
                o->out, (unsigned long)pages,
                (unsigned long)o->made.working_set_pages,
                (unsigned long)o->made.zero_pages,
                (unsigned long)st.st_blocks >> 11);
        return CMD_OK;
    }
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_count(g, "pages", pages);
    json_count(g, "zero_pages", o->made.zero_pages);
    json_count(g, "working_set_pages", o->made.working_set_pages);
    json_count(g, "bytes", (uint64_t)st.st_size);
    json_count(g, "bytes_on_disk", (uint64_t)st.st_blocks * 512);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

static int optimize(struct cmd_env *env, struct optimize *o)
{
    const char *sidecar_path = o->opts->arg[OPT_SIDECAR];
    xlx_sidecar *sidecar = NULL;
    int rc = o->first
                 ? -ENOENT
                 : xlx_sidecar_open(env->ctx, o->image, sidecar_path, &sidecar);
    if (rc == -ENOENT && sidecar_path && !o->first)
        fprintf(env->err, "image-optimize: %s: no such file\n", sidecar_path);
    if (rc == -ENOMEM || (rc && sidecar_path && !o->first))
        return CMD_FAILED;
    if (!rc)
        o->first = xlx_sidecar_working_set(sidecar, &o->nr);
    job_begin(&o->job, env, "image-optimize");
    rc = xlx_image_optimize(env->ctx, o->image, o->first, o->nr, o->out,
                            job_progress, &o->job);
    if (!rc)
        rc = write_sidecar(o);
    job_end(&o->job);
    int status = rc ? CMD_FAILED : report(o);
    xlx_sidecar_close(sidecar);
    return status;
}

/* With what --first says, if it does. */
static int optimize_with(struct cmd_env *env, struct optimize *o)
{
    const char *text = o->opts->arg[OPT_FIRST];
    if (!text)
        return optimize(env, o);
    struct xlx_image_range *ranges = calloc(strlen(text) + 1, sizeof(*ranges));
    if (!ranges)
        return CMD_FAILED;
    int status;
    if (!read_first(text, ranges, &o->nr)) {
        status = cmd_usage(env, cmd_find("image-optimize"),
                           "--first=%s: not GFN[+N],...", text);
    } else {
        o->first = ranges;
        status = optimize(env, o);
    }
    free(ranges);
    return status;
}

int cmd_image_optimize(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    xlx_image *image;
    int status;
    if (!cmd_image_open(env, "image-optimize", 2, argc, argv, &opts, &image,
                        &status))
        return status;
    if (opts.argc != (opts.set[OPT_IN_PLACE] ? 1 : 2)) {
        status = cmd_usage(env, cmd_find("image-optimize"),
                           "takes FILE and OUT, or --in-place and FILE");
    } else {
        struct optimize o = { .opts = &opts,
                              .image = image,
                              .out = opts.argv[opts.argc - 1] };
        status = optimize_with(env, &o);
    }
    xlx_image_close(image);
    return status;
}
