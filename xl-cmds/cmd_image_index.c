/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * image-index and image-verify: make the sidecar of a save file, and hold the
 * file against it.
 */
#include <errno.h>
#include <string.h>

#include "cmd_image.h"
#include "job.h"
#include "json.h"

enum { OPT_JSON, OPT_SIDECAR };

const struct cmd_option cmd_image_index_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print what was found as JSON" },
    CMD_IMAGE_SIDECAR_OPTION,
    { 0 }
};

const char cmd_image_index_details[] =
    "Reads all of FILE and writes FILE.lzx: which pages are zero, and a\n"
    "crc32c of each page. A working set that FILE.lzx already has is kept. A\n"
    "lazy restore uses FILE.lzx if it matches FILE as it is then. If the\n"
    "command is interrupted, it leaves the old FILE.lzx.\n"
    "\n"
    "Example:\n"
    "  xl-ext image-index /var/lib/xen/save/guest\n";

const char cmd_image_verify_details[] =
    "Checks the structure of FILE, reads all pages and checks them against\n"
    "FILE.lzx. It prints the gfn of each wrong page, and the exit status is\n"
    "then 1. Without FILE.lzx it checks only that the structure is right and\n"
    "that all pages can be read, and says so.\n"
    "\n"
    "Example:\n"
    "  xl-ext image-index FILE; ...; xl-ext image-verify FILE\n";

bool cmd_image_open(struct cmd_env *env, const char *name, int most, int argc,
                    char **argv, struct cmd_opts *opts, xlx_image **image_r,
                    int *status)
{
    const struct cmd *self = cmd_find(name);
    if (!cmd_parse(env, self, argc, argv, opts, status))
        return false;
    if (opts->argc < 1 || opts->argc > most) {
        *status = cmd_usage(env, self, "takes %s",
                            most == 1 ? "one save file" : self->args);
        return false;
    }
    *status = CMD_FAILED;
    return !xlx_image_open(env->ctx, opts->argv[0], image_r);
}

/* --- image-index ---------------------------------------------------------- */

static int report_sidecar(struct cmd_env *env, const struct cmd_opts *opts,
                          const xlx_image *image)
{
    xlx_sidecar *sidecar;
    if (xlx_sidecar_open(env->ctx, image, opts->arg[OPT_SIDECAR], &sidecar))
        return CMD_FAILED;
    struct xlx_sidecar_info info = *xlx_sidecar_info(sidecar);
    uint64_t pages = xlx_image_info(image)->pages;
    xlx_sidecar_close(sidecar);
    if (!opts->set[OPT_JSON]) {
        fprintf(env->out, "%s: %lu pages, %lu of them zero\n", opts->argv[0],
                (unsigned long)pages, (unsigned long)info.zero_pages);
        return CMD_OK;
    }
    yajl_gen g = json_open(env->out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_count(g, "pages", pages);
    json_count(g, "zero_pages", info.zero_pages);
    json_count(g, "working_set_pages", info.working_set_pages);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

int cmd_image_index(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    xlx_image *image;
    struct job job;
    int status;
    if (!cmd_image_open(env, "image-index", 1, argc, argv, &opts, &image,
                        &status))
        return status;
    job_begin(&job, env, "image-index");
    int rc = xlx_sidecar_write(env->ctx, image, opts.arg[OPT_SIDECAR],
                               job_progress, &job);
    job_end(&job);
    status = rc ? CMD_FAILED : report_sidecar(env, &opts, image);
    xlx_image_close(image);
    return status;
}

/* --- image-verify --------------------------------------------------------- */

struct verify {
    struct job job; /* first: it is the progress's too */
    yajl_gen json;  /* or NULL */
};

static void print_bad(void *user, uint64_t gfn, int error)
{
    struct verify *v = user;
    const char *why = error == -EILSEQ ? "checksum differs" : strerror(-error);
    if (v->json) {
        yajl_gen_map_open(v->json);
        json_count(v->json, "gfn", gfn);
        json_text(v->json, "error", why);
        yajl_gen_map_close(v->json);
        return;
    }
    job_clear(&v->job);
    fprintf(v->job.env->out, "gfn %#lx: %s\n", (unsigned long)gfn, why);
}

static int verify_pages(struct verify *v, const struct cmd_opts *opts,
                        const xlx_image *image, const xlx_sidecar *sidecar)
{
    struct cmd_env *env = v->job.env;
    bool has_crc = sidecar && xlx_sidecar_info(sidecar)->has_crc;
    if (v->json) {
        yajl_gen_map_open(v->json);
        json_bool(v->json, "has_checksums", has_crc);
        json_string(v->json, "bad_pages");
        yajl_gen_array_open(v->json);
    }
    int rc =
        xlx_image_verify(env->ctx, image, sidecar, job_progress, print_bad, v);
    if (v->json) {
        yajl_gen_array_close(v->json);
        json_bool(v->json, "ok", !rc);
        yajl_gen_map_close(v->json);
    } else if (!rc) {
        job_clear(&v->job);
        fprintf(env->out, "%s: %lu pages, %s\n", opts->argv[0],
                (unsigned long)xlx_image_info(image)->pages,
                has_crc ? "all match their checksums"
                        : "all readable; there are no checksums (image-index "
                          "writes them)");
    }
    return rc ? CMD_FAILED : CMD_OK;
}

int cmd_image_verify(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    struct verify v = { .json = NULL };
    xlx_image *image;
    xlx_sidecar *sidecar = NULL;
    int status;
    if (!cmd_image_open(env, "image-verify", 1, argc, argv, &opts, &image,
                        &status))
        return status;
    int rc = xlx_sidecar_open(env->ctx, image, opts.arg[OPT_SIDECAR], &sidecar);
    bool missing = rc == -ENOENT && opts.arg[OPT_SIDECAR];
    if (missing)
        fprintf(env->err, "image-verify: %s: no such file\n",
                opts.arg[OPT_SIDECAR]);
    if (opts.set[OPT_JSON] && !(v.json = json_open(env->out)))
        rc = -ENOMEM;
    if (!missing && (!rc || rc == -ENOENT)) {
        job_begin(&v.job, env, "image-verify");
        status = verify_pages(&v, &opts, image, sidecar);
        job_end(&v.job);
    }
    if (v.json)
        yajl_gen_free(v.json);
    xlx_sidecar_close(sidecar);
    xlx_image_close(image);
    return status;
}
