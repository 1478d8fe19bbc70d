/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/mounts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"

/* Fields of a line of mountinfo; optional ones and "-" come after the fixed. */
#define FIELD_DEV 2
#define FIELD_WHERE 4
#define FIELDS_FIXED 6

typedef bool parse_fn(struct xlx__mount *mount);

static bool octal(const char *p)
{
    return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' &&
           p[2] >= '0' && p[2] <= '7';
}

/* The kernel writes blanks, newlines and backslashes as \ooo. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *p = text; *p; p++) {
        if (*p == '\\' && octal(p + 1)) {
            *out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + p[3] - '0');
            p += 3;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
}

/* "36 35 98:0 /in/fs /mnt rw,noatime master:1 - ext4 /dev/sdb1 rw" */
static bool parse_mount(struct xlx__mount *mount)
{
    char *rest = mount->line, *field, *where = NULL, *source;
    int n = 0;
    for (; (field = strsep(&rest, " ")); n++) {
        if (n == FIELD_DEV)
            mount->dev = field;
        if (n == FIELD_WHERE)
            where = field;
        if (n >= FIELDS_FIXED && !strcmp(field, "-"))
            break;
    }
    if (!where)
        return false;
    strsep(&rest, " "); /* the file system's type */
    source = strsep(&rest, " ");
    unescape(where);
    mount->where = where;
    if (source)
        unescape(source);
    mount->source = source ? source : "";
    return true;
}

/* "/dev/sdb3   partition  8388604  0  -2"; the first line is a heading. */
static bool parse_swap(struct xlx__mount *mount)
{
    mount->line[strcspn(mount->line, " \t")] = '\0';
    unescape(mount->line);
    mount->source = mount->line;
    return mount->line[0] == '/';
}

/* Takes the line over; a malformed one is dropped. */
static int add_line(struct xlx__mounts *mounts, char *line, parse_fn *parse)
{
    struct xlx__mount mount = { .line = line };
    if (!parse(&mount)) {
        free(line);
        return 0;
    }
    struct xlx__mount *v = xlx__array_more(mounts->v, mounts->nr, sizeof(*v));
    if (!v) {
        free(line);
        return -ENOMEM;
    }
    v[mounts->nr++] = mount;
    mounts->v = v;
    return 0;
}

static int add_lines(struct xlx__mounts *mounts, FILE *in, parse_fn *parse)
{
    for (;;) {
        XLX__AUTO_FREE char *line = NULL;
        size_t size = 0;
        errno = 0;
        ssize_t n = getline(&line, &size, in);
        if (n < 0 && feof(in))
            return 0;
        if (n < 0)
            return errno ? -errno : -EIO;
        line[strcspn(line, "\n")] = '\0';
        int rc = add_line(mounts, xlx__steal(line), parse);
        if (rc)
            return rc;
    }
}

static int read_file(xlx_ctx *ctx, const char *name, parse_fn *parse,
                     bool required, struct xlx__mounts *mounts)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", xlx_ctx_path(ctx, XLX_PATH_PROC),
             name);
    FILE *in = fopen(path, "re");
    if (!in && errno == ENOENT && !required)
        return 0;
    int rc = in ? add_lines(mounts, in, parse) : -errno;
    if (in)
        fclose(in);
    return rc ? xlx__fail_errno(ctx, -rc, "%s: cannot read", path) : 0;
}

int xlx__mounts_read(xlx_ctx *ctx, struct xlx__mounts *mounts)
{
    int rc = read_file(ctx, "self/mountinfo", parse_mount, true, mounts);
    return rc ? rc : read_file(ctx, "swaps", parse_swap, false, mounts);
}

void xlx__mounts_free(struct xlx__mounts *mounts)
{
    for (size_t i = 0; i < mounts->nr; i++)
        free(mounts->v[i].line);
    free(mounts->v);
    *mounts = (struct xlx__mounts){ 0 };
}
