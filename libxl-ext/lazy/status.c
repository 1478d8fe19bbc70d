/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/status.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "core/array.h"
#include "core/bytes.h"
#include "core/clean.h"
#include "core/folders.h"
#include "core/io.h"
#include "core/parse.h"
#include "core/replace.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define STATUS_MAX 32768
#define DOMID_MAX 0x7fefu

static const char *const state_names[] = {
    [XLX_LAZY_FILLING] = "filling",   [XLX_LAZY_STALLED] = "stalled",
    [XLX_LAZY_COMPLETE] = "complete", [XLX_LAZY_GONE] = "gone",
    [XLX_LAZY_FAILED] = "failed",
};
#define NR_STATES XLX__NR(state_names)

const char *xlx_lazy_state_name(enum xlx_lazy_state state)
{
    return (unsigned)state < NR_STATES ? state_names[state] : "?";
}

/* The numbers of a status, by their names in JSON. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
/* clang-format off */
#define NUMBER(field) { #field, offsetof(struct xlx_lazy_status, field) }
    /* clang-format on */
    NUMBER(pages),          NUMBER(held_back),    NUMBER(done),
    NUMBER(faults),         NUMBER(fault_pages),  NUMBER(fill_pages),
    NUMBER(prefetch_pages), NUMBER(dropped),      NUMBER(pages_2m),
    NUMBER(retries),        NUMBER(index_us),     NUMBER(mark_us),
    NUMBER(fault_us),       NUMBER(fault_us_max), NUMBER(fill_us),
    NUMBER(restarts),       NUMBER(bwlimit),      NUMBER(paused),
    NUMBER(image_dev),      NUMBER(image_ino),    NUMBER(bad_pages),
#undef NUMBER
};
#define NR_NUMBERS XLX__NR(numbers)

/* --- writing -------------------------------------------------------------- */

static void gen_string(yajl_gen gen, const char *text)
{
    yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

/* JSON is UTF-8; a name is any bytes. */
static void gen_bytes(yajl_gen gen, const char *bytes)
{
    char text[XLX_LAZY_NAME_MAX * XLX__BYTES_GROW + 1];
    xlx__bytes_to_text(bytes, text);
    gen_string(gen, text);
}

static void gen_number(yajl_gen gen, const char *name, uint64_t value)
{
    gen_string(gen, name);
    yajl_gen_integer(gen, (long long)value);
}

/* Pairs of the first gfn and a number of pages. */
static void gen_bad(yajl_gen gen, const struct xlx_lazy_status *status)
{
    gen_string(gen, "bad");
    yajl_gen_array_open(gen);
    for (size_t i = 0; i < status->nr_bad && i < XLX_LAZY_BAD_MAX; i++) {
        yajl_gen_array_open(gen);
        yajl_gen_integer(gen, (long long)status->bad[i].gfn);
        yajl_gen_integer(gen, (long long)status->bad[i].nr);
        yajl_gen_array_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void generate(yajl_gen gen, const struct xlx_lazy_status *status)
{
    yajl_gen_map_open(gen);
    gen_number(gen, "domid", status->domid);
    gen_number(gen, "pid", status->pid);
    gen_string(gen, "state");
    gen_string(gen, xlx_lazy_state_name(status->state));
    gen_string(gen, "image");
    gen_bytes(gen, status->image);
    gen_string(gen, "reason");
    gen_bytes(gen, status->reason);
    for (size_t i = 0; i < NR_NUMBERS; i++)
        gen_number(
            gen, numbers[i].name,
            *(const uint64_t *)((const char *)status + numbers[i].offset));
    gen_bad(gen, status);
    yajl_gen_map_close(gen);
}

static int name_folder(const char *run_dir, char dir[PATH_MAX])
{
    return snprintf(dir, PATH_MAX, "%s/lazy", run_dir) >= PATH_MAX
               ? -ENAMETOOLONG
               : 0;
}

int xlx__lazy_make_dirs(const char *run_dir)
{
    char dir[PATH_MAX];
    int rc = name_folder(run_dir, dir);
    return rc ? rc : xlx__mkdirs(dir);
}

/* The folders are made when they turn out to be missing. */
static int replace_file(const char *run_dir, uint32_t domid, const char *text)
{
    char dir[PATH_MAX], name[24];
    int rc = name_folder(run_dir, dir);
    if (rc)
        return rc;
    snprintf(name, sizeof(name), "%u.json", domid);
    rc = xlx__write_whole(dir, name, text, strlen(text), 0);
    if (rc != -ENOENT)
        return rc;
    rc = xlx__mkdirs(dir);
    return rc ? rc : xlx__write_whole(dir, name, text, strlen(text), 0);
}

char *xlx_lazy_status_json(const struct xlx_lazy_status *status, size_t size)
{
    struct xlx_lazy_status all;
    const unsigned char *text;
    size_t len;
    char *copy = NULL;
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (!gen)
        return NULL;
    xlx__copy_sized(&all, sizeof(all), status, size);
    generate(gen, &all);
    if (yajl_gen_get_buf(gen, &text, &len) == yajl_gen_status_ok && len)
        copy = strndup((const char *)text, len);
    yajl_gen_free(gen);
    return copy;
}

int xlx__lazy_status_write(const char *run_dir,
                           const struct xlx_lazy_status *status)
{
    XLX__AUTO_FREE char *text = xlx_lazy_status_json(status, sizeof(*status));
    if (!text)
        return -ENOMEM;
    return replace_file(run_dir, status->domid, text);
}

void xlx__lazy_status_remove(const char *run_dir, uint32_t domid)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/lazy/%u.json", run_dir, domid) <
        (int)sizeof(path))
        unlink(path);
}

/* --- reading -------------------------------------------------------------- */

static int natural(yajl_val v, uint64_t *value_r)
{
    if (!YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0)
        return -EBADMSG;
    *value_r = (uint64_t)YAJL_GET_INTEGER(v);
    return 0;
}

static int get_number(yajl_val tree, const char *name, uint64_t *value_r)
{
    const char *path[] = { name, NULL };
    return natural(yajl_tree_get(tree, path, yajl_t_number), value_r);
}

static int get_string(yajl_val tree, const char *name, char *text, size_t len)
{
    const char *path[] = { name, NULL };
    const char *value =
        YAJL_GET_STRING(yajl_tree_get(tree, path, yajl_t_string));
    if (!value)
        return -EBADMSG;
    snprintf(text, len, "%s", value);
    return 0;
}

static int get_bytes(yajl_val tree, const char *name, char *bytes, size_t size)
{
    char text[XLX_LAZY_NAME_MAX * XLX__BYTES_GROW + 1];
    int rc = get_string(tree, name, text, sizeof(text));
    if (rc)
        return rc;
    xlx__text_to_bytes(text);
    if (strlen(text) >= size)
        return -EBADMSG;
    strcpy(bytes, text);
    return 0;
}

static int get_state(yajl_val tree, enum xlx_lazy_state *state_r)
{
    char name[32];
    if (get_string(tree, "state", name, sizeof(name)))
        return -EBADMSG;
    for (size_t i = 0; i < NR_STATES; i++) {
        if (!strcmp(name, state_names[i])) {
            *state_r = (enum xlx_lazy_state)i;
            return 0;
        }
    }
    return -EBADMSG;
}

static int get_bad(yajl_val tree, struct xlx_lazy_status *status)
{
    const char *path[] = { "bad", NULL };
    yajl_val list = yajl_tree_get(tree, path, yajl_t_array);
    if (!list || YAJL_GET_ARRAY(list)->len > XLX_LAZY_BAD_MAX)
        return -EBADMSG;
    status->nr_bad = YAJL_GET_ARRAY(list)->len;
    for (size_t i = 0; i < status->nr_bad; i++) {
        yajl_val run = YAJL_GET_ARRAY(list)->values[i];
        if (!YAJL_IS_ARRAY(run) || YAJL_GET_ARRAY(run)->len != 2 ||
            natural(YAJL_GET_ARRAY(run)->values[0], &status->bad[i].gfn) ||
            natural(YAJL_GET_ARRAY(run)->values[1], &status->bad[i].nr))
            return -EBADMSG;
    }
    return 0;
}

static int from_tree(yajl_val tree, struct xlx_lazy_status *status)
{
    uint64_t domid, pid;
    if (get_number(tree, "domid", &domid) || get_number(tree, "pid", &pid) ||
        domid > DOMID_MAX || pid > INT_MAX || get_state(tree, &status->state) ||
        get_bytes(tree, "image", status->image, sizeof(status->image)) ||
        get_bytes(tree, "reason", status->reason, sizeof(status->reason)))
        return -EBADMSG;
    for (size_t i = 0; i < NR_NUMBERS; i++)
        if (get_number(tree, numbers[i].name,
                       (uint64_t *)((char *)status + numbers[i].offset)))
            return -EBADMSG;
    if (get_bad(tree, status))
        return -EBADMSG;
    status->domid = (uint32_t)domid;
    status->pid = (uint32_t)pid;
    return 0;
}

/* A pager that died has this long to be replaced by another, in seconds. */
#define REPLACED_WITHIN_S 5

/* A pager that was killed together with its supervisor cannot say so. */
static void look_for_the_pager(struct xlx_lazy_status *status, time_t written)
{
    if (status->state != XLX_LAZY_FILLING && status->state != XLX_LAZY_STALLED)
        return;
    if (!status->pid || !kill((pid_t)status->pid, 0) || errno != ESRCH)
        return;
    time_t now = time(NULL);
    if (now >= written && now - written < REPLACED_WITHIN_S)
        return;
    status->state = XLX_LAZY_FAILED;
    snprintf(status->reason, sizeof(status->reason),
             "the pager (pid %u) is no longer there: destroy the domain and "
             "restore it again",
             status->pid);
}

int xlx__lazy_status_parse(const char *text, struct xlx_lazy_status *status)
{
    /* All of it is copied to a caller, what is behind a text as well. */
    memset(status, 0, sizeof(*status));
    yajl_val tree = yajl_tree_parse(text, NULL, 0);
    int rc = tree ? from_tree(tree, status) : -EBADMSG;
    yajl_tree_free(tree);
    return rc;
}

static int read_status(const char *path, struct xlx_lazy_status *status)
{
    char text[STATUS_MAX];
    struct stat st;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return -errno;
    long len = xlx__read_upto(fd, text, sizeof(text) - 1);
    if (len < 0)
        return (int)len;
    text[len] = '\0';
    int rc = xlx__lazy_status_parse(text, status);
    if (!rc)
        look_for_the_pager(status, st.st_mtime);
    return rc;
}

int xlx_lazy_status(xlx_ctx *ctx, uint32_t domid,
                    struct xlx_lazy_status *status_r, size_t size)
{
    char path[PATH_MAX];
    struct xlx_lazy_status status;
    snprintf(path, sizeof(path), "%s/lazy/%u.json",
             xlx_ctx_path(ctx, XLX_PATH_RUN), domid);
    int rc = read_status(path, &status);
    if (rc == -ENOENT)
        return xlx__fail(ctx, ENOENT,
                         "domain %u: was not restored lazily on this host",
                         domid);
    if (rc == -EBADMSG)
        return xlx__fail(ctx, EBADMSG, "%s: not a status of a lazy restore",
                         path);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "%s", path);
    xlx__copy_sized(status_r, size, &status, sizeof(status));
    return 0;
}

/* A domain that is being restored is introduced in the end, when all of its
 * memory may be there already; its toolstack has written down its VM before.
 * What cannot be asked for is there. */
static bool domain_is_gone(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__dom_alive(ctx, domid) == 0 &&
           xlx__xs_exists(ctx, XLX__XS_NO_TX, "/local/domain/%u/vm", domid) ==
               0;
}

/* Of a domain that is not there, and nobody works on. What cannot be read tells
 * nothing. */
static bool is_left_behind(xlx_ctx *ctx, const char *path, uint32_t domid)
{
    struct xlx_lazy_status status = { 0 };
    int rc = read_status(path, &status);
    if (rc && rc != -EBADMSG)
        return false;
    if (!rc && status.state != XLX_LAZY_FAILED &&
        status.state != XLX_LAZY_COMPLETE)
        return false;
    return domain_is_gone(ctx, domid);
}

/* A guest that was destroyed since: nobody is left to remove what its pager
 * wrote, or did not come to remove. */
static bool remove_if_over(xlx_ctx *ctx, const char *dir, uint32_t domid)
{
    static const char *const names[] = { "%s/%u.json", "%s/%u.sock",
                                         "%s/.%u.json.new" };
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), names[0], dir, domid) >=
            (int)sizeof(path) ||
        !is_left_behind(ctx, path, domid))
        return false;
    for (size_t i = 0; i < XLX__NR(names); i++)
        if (snprintf(path, sizeof(path), names[i], dir, domid) <
            (int)sizeof(path))
            unlink(path);
    return true;
}

static int domid_of_name(const char *name, uint32_t *domid_r)
{
    char number[8];
    size_t n = strcspn(name, ".");
    if (strcmp(name + n, ".json") || n >= sizeof(number))
        return -EINVAL;
    memcpy(number, name, n);
    number[n] = '\0';
    return xlx__parse_u32(number, 0, DOMID_MAX, domid_r);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int xlx_lazy_list(xlx_ctx *ctx, uint32_t **domids_r)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/lazy", xlx_ctx_path(ctx, XLX_PATH_RUN));
    XLX__AUTO_CLOSEDIR DIR *dir = opendir(path);
    if (!dir && errno != ENOENT)
        return xlx__fail_errno(ctx, errno, "%s", path);

    XLX__AUTO_FREE uint32_t *domids = NULL;
    size_t nr = 0;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        uint32_t domid;
        if (domid_of_name(d->d_name, &domid) ||
            remove_if_over(ctx, path, domid))
            continue;
        uint32_t *more = xlx__array_more(domids, nr, sizeof(*domids));
        if (!more)
            return xlx__fail(ctx, ENOMEM, "%s: no memory", path);
        domids = more;
        domids[nr++] = domid;
    }
    if (nr)
        qsort(domids, nr, sizeof(*domids), by_value);
    *domids_r = xlx__steal(domids);
    return (int)nr;
}
