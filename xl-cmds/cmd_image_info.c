/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * image-info: what is in a save file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_image.h"
#include "job.h"
#include "json.h"

enum { OPT_JSON, OPT_PAGES, OPT_SIDECAR };

const struct cmd_option cmd_image_info_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "as JSON" },
    { "pages", 0, CMD_NO_ARG, NULL,
      "read all pages, and count zero and equal ones" },
    CMD_IMAGE_SIDECAR_OPTION,
    { 0 }
};

const char cmd_image_info_details[] =
    "Prints what a file of xl save contains: the guest, its memory, and the\n"
    "Xen that wrote it. It reads only headers, unless --pages is given. For a\n"
    "damaged file it prints the place and the reason.\n"
    "\n"
    "Examples:\n"
    "  xl-ext image-info /var/lib/xen/save/guest\n"
    "  xl-ext image-info --pages --json /var/lib/xen/save/guest\n";

/* What is printed. */
struct view {
    const char *file;
    const struct xlx_image_info *info;
    size_t runs;
    struct xlx_image_config config;
    const char *sidecar_state; /* "none", "ok", or why it is ignored */
    struct xlx_sidecar_info sidecar;
    bool has_survey;
    struct xlx_image_survey survey;
};

static const char *type_of(const struct view *v)
{
    if (*v->config.type)
        return v->config.type;
    return v->info->guest == XLX_IMAGE_PV ? "pv" : "hvm or pvh";
}

static unsigned long mib(uint64_t pages)
{
    return (unsigned long)(pages >> 8);
}

static void print_pages(FILE *out, const char *what, uint64_t pages,
                        uint64_t all)
{
    fprintf(out, "%-11s %lu pages, %lu MiB, %lu%%\n", what,
            (unsigned long)pages, mib(pages),
            (unsigned long)(all ? pages * 100 / all : 0));
}

static void print_escaped(FILE *out, const char *what, const char *text)
{
    char escaped[4 * sizeof(((struct xlx_image_config *)NULL)->name)];
    cmd_escape(text, escaped);
    fprintf(out, "%-11s %s\n", what, escaped);
}

static void print_sidecar(FILE *out, const struct view *v)
{
    fprintf(out, "%-11s %s\n", "sidecar", v->sidecar_state);
    if (v->sidecar.has_crc)
        fprintf(out, "%-11s a crc32c of each page\n", "");
    if (v->sidecar.has_zero)
        print_pages(out, "  zero", v->sidecar.zero_pages, v->info->pages);
    if (v->sidecar.time_differs)
        fprintf(out,
                "%-11s not known: the file was modified since the "
                "sidecar was written\n",
                "  zero");
    if (v->sidecar.working_set_pages)
        print_pages(out, "  first used", v->sidecar.working_set_pages,
                    v->info->pages);
}

static void print_text(FILE *out, const struct view *v)
{
    const struct xlx_image_info *info = v->info;
    print_escaped(out, "name", v->config.name);
    print_escaped(out, "uuid", v->config.uuid);
    print_escaped(out, "type", type_of(v));
    fprintf(out, "%-11s %lu MiB, %u vCPUs\n", "memory",
            (unsigned long)(v->config.max_memkb >> 10), v->config.max_vcpus);
    fprintf(out, "%-11s Xen %u.%u, stream version %u\n", "saved by",
            info->xen_major, info->xen_minor, info->libxc_version);
    fprintf(out, "%-11s %lu, %lu MiB, in %lu runs, highest gfn %#lx\n", "pages",
            (unsigned long)info->pages, mib(info->pages),
            (unsigned long)v->runs, (unsigned long)info->max_gfn);
    fprintf(out, "%-11s %lu\n", "records", (unsigned long)info->records);
    if (v->has_survey) {
        print_pages(out, "zero", v->survey.zero_pages, info->pages);
        print_pages(out, "duplicate", v->survey.duplicate_pages, info->pages);
    }
    print_sidecar(out, v);
}

static void json_sidecar(yajl_gen g, const struct view *v)
{
    json_string(g, "sidecar");
    yajl_gen_map_open(g);
    json_text(g, "state", v->sidecar_state);
    json_bool(g, "has_crc", v->sidecar.has_crc);
    json_bool(g, "has_zero", v->sidecar.has_zero);
    json_bool(g, "time_differs", v->sidecar.time_differs);
    json_count(g, "zero_pages", v->sidecar.zero_pages);
    json_count(g, "working_set_pages", v->sidecar.working_set_pages);
    yajl_gen_map_close(g);
}

static int print_json(FILE *out, const struct view *v)
{
    char xen[32];
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    snprintf(xen, sizeof(xen), "%u.%u", v->info->xen_major, v->info->xen_minor);
    yajl_gen_map_open(g);
    json_text(g, "name", v->config.name);
    json_text(g, "uuid", v->config.uuid);
    json_text(g, "type", type_of(v));
    json_count(g, "max_memkb", v->config.max_memkb);
    json_number(g, "max_vcpus", v->config.max_vcpus);
    json_text(g, "xen", xen);
    json_number(g, "stream_version", v->info->libxc_version);
    json_count(g, "pages", v->info->pages);
    json_count(g, "runs", v->runs);
    json_count(g, "records", v->info->records);
    json_count(g, "max_gfn", v->info->max_gfn);
    if (v->has_survey) {
        json_count(g, "zero_pages", v->survey.zero_pages);
        json_count(g, "duplicate_pages", v->survey.duplicate_pages);
    }
    json_sidecar(g, v);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

static int survey(struct cmd_env *env, const xlx_image *image, struct view *v)
{
    struct job job;
    job_begin(&job, env, "image-info");
    int rc = xlx_image_survey(env->ctx, image, job_progress, &job, &v->survey,
                              sizeof(v->survey));
    job_end(&job);
    v->has_survey = !rc;
    return rc;
}

/* What cannot be used is said in the listing, and is no error. */
static void look_at_sidecar(struct cmd_env *env, const xlx_image *image,
                            const char *path, struct view *v)
{
    xlx_sidecar *sidecar;
    int rc = xlx_sidecar_open(env->ctx, image, path, &sidecar);
    v->sidecar_state = rc == -ENOENT ? "none" : "ignored, see above";
    if (rc)
        return;
    v->sidecar_state = "ok";
    v->sidecar = *xlx_sidecar_info(sidecar);
    xlx_sidecar_close(sidecar);
}

static int show(struct cmd_env *env, const struct cmd_opts *opts,
                const xlx_image *image)
{
    struct view v = { .file = opts->argv[0], .info = xlx_image_info(image) };
    xlx_image_runs(image, &v.runs);
    int rc = xlx_image_config(env->ctx, image, &v.config, sizeof(v.config));
    if (rc == -ENOMEM)
        return CMD_FAILED;
    look_at_sidecar(env, image, opts->arg[OPT_SIDECAR], &v);
    if (opts->set[OPT_PAGES] && survey(env, image, &v))
        return CMD_FAILED;
    if (opts->set[OPT_JSON])
        return print_json(env->out, &v);
    print_text(env->out, &v);
    return CMD_OK;
}

int cmd_image_info(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    xlx_image *image;
    int status;
    if (!cmd_image_open(env, "image-info", 1, argc, argv, &opts, &image,
                        &status))
        return status;
    status = show(env, &opts, image);
    xlx_image_close(image);
    return status;
}
