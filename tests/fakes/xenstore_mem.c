/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/xenstore_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define MAX_PERMS 4
#define MAX_TX 4

struct node {
    char *path, *value;
    struct xlx__xs_perm perms[MAX_PERMS];
    size_t nr_perms;
};

struct tree {
    struct node *v;
    size_t nr;
};

struct xs_mem {
    struct xlx__xs base;
    struct nth *nth;
    struct tree tree;
    unsigned generation, seen;
    struct {
        bool used;
        unsigned generation;
        struct tree tree;
    } tx[MAX_TX];
    int collide;
    void (*act)(void *user);
    void *user;
};

/* --- trees ---------------------------------------------------------------- */

static size_t find(const struct tree *t, const char *path)
{
    size_t low = 0, high = t->nr;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(t->v[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *get(const struct tree *t, const char *path)
{
    size_t i = find(t, path);
    return i < t->nr && !strcmp(t->v[i].path, path) ? &t->v[i] : NULL;
}

static void free_tree(struct tree *t)
{
    for (size_t i = 0; i < t->nr; i++) {
        free(t->v[i].path);
        free(t->v[i].value);
    }
    free(t->v);
    *t = (struct tree){ 0 };
}

static void copy_tree(struct tree *to, const struct tree *from)
{
    to->v = calloc(from->nr + 1, sizeof(*to->v));
    to->nr = from->nr;
    for (size_t i = 0; i < from->nr; i++) {
        to->v[i] = from->v[i];
        to->v[i].path = strdup(from->v[i].path);
        to->v[i].value = strdup(from->v[i].value);
    }
}

static void set_value(struct node *n, const char *value)
{
    free(n->value);
    n->value = strdup(value);
}

/* Makes the node and its parents; the permissions are the parent's. */
static struct node *make(struct tree *t, const char *path)
{
    struct node *n = get(t, path);
    if (n)
        return n;
    struct node made = { .path = strdup(path), .value = strdup("") };
    char *parent = strdup(path);
    *strrchr(parent, '/') = '\0';
    if (*parent) {
        const struct node *p = make(t, parent);
        memcpy(made.perms, p->perms, sizeof(made.perms));
        made.nr_perms = p->nr_perms;
    } else
        made.nr_perms = 1; /* domain 0, nothing for others */
    free(parent);
    size_t i = find(t, path);
    t->v = realloc(t->v, (t->nr + 1) * sizeof(*t->v));
    memmove(&t->v[i + 1], &t->v[i], (t->nr - i) * sizeof(*t->v));
    t->v[i] = made;
    t->nr++;
    return &t->v[i];
}

static bool below(const char *path, const char *top)
{
    size_t n = strlen(top);
    return !strncmp(path, top, n) && (!path[n] || path[n] == '/');
}

static void remove_all(struct tree *t, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->nr; i++) {
        if (!below(t->v[i].path, path)) {
            t->v[kept++] = t->v[i];
            continue;
        }
        free(t->v[i].path);
        free(t->v[i].value);
    }
    t->nr = kept;
}

/* --- the seam ------------------------------------------------------------- */

static struct xs_mem *mem_of(struct xlx__xs *xs)
{
    return (struct xs_mem *)xs;
}

static bool fails(struct xlx__xs *xs)
{
    return nth_fails(mem_of(xs)->nth);
}

static struct tree *tree_of(struct xlx__xs *xs, uint32_t t)
{
    return t ? &mem_of(xs)->tx[t - 1].tree : &mem_of(xs)->tree;
}

static void changed(struct xlx__xs *xs, uint32_t t)
{
    if (!t)
        mem_of(xs)->generation++;
}

static int mem_read(struct xlx__xs *xs, uint32_t t, const char *path,
                    char **value_r)
{
    if (fails(xs))
        return -EIO;
    const struct node *n = get(tree_of(xs, t), path);
    if (!n)
        return -ENOENT;
    *value_r = strdup(n->value);
    return 0;
}

static int mem_write(struct xlx__xs *xs, uint32_t t, const char *path,
                     const char *value)
{
    if (fails(xs))
        return -EIO;
    set_value(make(tree_of(xs, t), path), value);
    changed(xs, t);
    return 0;
}

static int mem_mkdir(struct xlx__xs *xs, uint32_t t, const char *path)
{
    if (fails(xs))
        return -EIO;
    make(tree_of(xs, t), path);
    changed(xs, t);
    return 0;
}

static int mem_rm(struct xlx__xs *xs, uint32_t t, const char *path)
{
    if (fails(xs))
        return -EIO;
    if (!get(tree_of(xs, t), path))
        return -ENOENT;
    remove_all(tree_of(xs, t), path);
    changed(xs, t);
    return 0;
}

static int mem_ls(struct xlx__xs *xs, uint32_t t, const char *path,
                  struct xlx__names *names)
{
    const struct tree *tree = tree_of(xs, t);
    size_t n = strlen(path);
    if (fails(xs))
        return -EIO;
    if (!get(tree, path))
        return -ENOENT;
    for (size_t i = 0; i < tree->nr; i++) {
        const char *p = tree->v[i].path;
        if (!strncmp(p, path, n) && p[n] == '/' && !strchr(p + n + 1, '/'))
            xlx__names_add(names, p + n + 1);
    }
    return 0;
}

static int mem_set_perms(struct xlx__xs *xs, uint32_t t, const char *path,
                         const struct xlx__xs_perm *perms, size_t nr)
{
    if (fails(xs))
        return -EIO;
    struct node *n = get(tree_of(xs, t), path);
    if (!n || nr > MAX_PERMS)
        return n ? -E2BIG : -ENOENT;
    memcpy(n->perms, perms, nr * sizeof(*perms));
    n->nr_perms = nr;
    changed(xs, t);
    return 0;
}

static int mem_get_perms(struct xlx__xs *xs, uint32_t t, const char *path,
                         struct xlx__xs_perm *perms, size_t max)
{
    if (fails(xs))
        return -EIO;
    const struct node *n = get(tree_of(xs, t), path);
    if (!n)
        return -ENOENT;
    memcpy(perms, n->perms,
           (n->nr_perms < max ? n->nr_perms : max) * sizeof(*perms));
    return (int)n->nr_perms;
}

static int mem_begin(struct xlx__xs *xs, uint32_t *t_r)
{
    struct xs_mem *mem = mem_of(xs);
    if (fails(xs))
        return -EIO;
    for (uint32_t i = 0; i < MAX_TX; i++)
        if (!mem->tx[i].used) {
            mem->tx[i].used = true;
            mem->tx[i].generation = mem->generation;
            copy_tree(&mem->tx[i].tree, &mem->tree);
            *t_r = i + 1;
            return 0;
        }
    return -ENOSPC;
}

static int mem_end(struct xlx__xs *xs, uint32_t t, bool commit)
{
    struct xs_mem *mem = mem_of(xs);
    bool failed = commit && fails(xs); /* before what it compares */
    bool collided = mem->tx[t - 1].generation != mem->generation;
    if (commit && mem->collide) {
        mem->collide--;
        collided = true;
    }
    if (commit && !failed && !collided) {
        free_tree(&mem->tree);
        mem->tree = mem->tx[t - 1].tree;
        mem->tx[t - 1].tree = (struct tree){ 0 };
        mem->generation++;
    }
    free_tree(&mem->tx[t - 1].tree);
    mem->tx[t - 1].used = false;
    return failed ? -EIO : commit && collided ? -EAGAIN : 0;
}

static int mem_watch(struct xlx__xs *xs, const char *path)
{
    (void)path;
    if (fails(xs))
        return -EIO;
    mem_of(xs)->generation++;
    return 0;
}

static int mem_unwatch(struct xlx__xs *xs, const char *path)
{
    (void)xs;
    (void)path;
    return 0;
}

static int mem_wait(struct xlx__xs *xs, int64_t until)
{
    struct xs_mem *mem = mem_of(xs);
    if (fails(xs))
        return -EIO;
    for (;;) {
        if (mem->act)
            mem->act(mem->user);
        if (mem->seen != mem->generation) {
            mem->seen = mem->generation;
            return 1;
        }
        if (xlx__now_ms() >= until)
            return 0;
        xlx__sleep_ms(1);
    }
}

static int mem_introduced(struct xlx__xs *xs, uint32_t domid)
{
    char path[64];
    /* Its folder alone may be there again, written by who came too late. */
    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    return get(&mem_of(xs)->tree, path) != NULL;
}

static int mem_fd(struct xlx__xs *xs)
{
    (void)xs;
    return -1;
}

static void mem_close(struct xlx__seam *seam)
{
    struct xs_mem *mem = (struct xs_mem *)seam;
    for (int i = 0; i < MAX_TX; i++)
        free_tree(&mem->tx[i].tree);
    free_tree(&mem->tree);
    free(mem);
}

static const struct xlx__xs_ops mem_ops = {
    .read = mem_read,
    .write = mem_write,
    .mkdir = mem_mkdir,
    .rm = mem_rm,
    .ls = mem_ls,
    .set_perms = mem_set_perms,
    .get_perms = mem_get_perms,
    .begin = mem_begin,
    .end = mem_end,
    .watch = mem_watch,
    .unwatch = mem_unwatch,
    .wait = mem_wait,
    .introduced = mem_introduced,
    .fd = mem_fd,
};

/* --- for tests ------------------------------------------------------------ */

struct xs_mem *xs_mem_new(struct nth *nth)
{
    struct xs_mem *mem = calloc(1, sizeof(*mem));
    mem->base.seam.close = mem_close;
    mem->base.ops = &mem_ops;
    mem->nth = nth;
    return mem;
}

struct xlx__xs *xs_mem_seam(struct xs_mem *mem)
{
    return &mem->base;
}

void xs_mem_set_peer(struct xs_mem *mem, void (*act)(void *user), void *user)
{
    mem->act = act;
    mem->user = user;
}

void xs_mem_put(struct xs_mem *mem, const char *path, const char *value)
{
    if (value)
        set_value(make(&mem->tree, path), value);
    else
        remove_all(&mem->tree, path);
    mem->generation++;
}

const char *xs_mem_get(struct xs_mem *mem, const char *path)
{
    const struct node *n = get(&mem->tree, path);
    return n ? n->value : NULL;
}

void xs_mem_collide(struct xs_mem *mem, int nr)
{
    mem->collide = nr;
}

char *xs_mem_dump(struct xs_mem *mem)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < mem->tree.nr; i++) {
        const struct node *n = &mem->tree.v[i];
        fprintf(out, "%s = %s (", n->path, n->value);
        for (size_t p = 0; p < n->nr_perms; p++)
            fprintf(out, "%s%u:%u", p ? " " : "", n->perms[p].domid,
                    n->perms[p].may);
        fprintf(out, ")\n");
    }
    fclose(out);
    return text;
}
