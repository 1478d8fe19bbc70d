/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The files that a pager still opens by name once paging is on, and that are
 * all it has from then on.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../confine/failed.h"
#include "../confine/view.h"
#include "helper.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* A connection that is made again looks for its server, and checks it. */
static const char *const for_servers[] = {
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/gnutls",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/run/systemd/resolve",
};

struct places {
    struct confine_place place[5 + NR(for_servers)];
    size_t nr;
    char root[PATH_MAX], status[PATH_MAX], load[PATH_MAX], image[PATH_MAX],
        sidecar[PATH_MAX], server[PATH_MAX];
};

static void add(struct places *p, const char *path, bool writable)
{
    p->place[p->nr++] = (struct confine_place){ path, writable };
}

/* --- the sidecar ---------------------------------------------------------- */

/* A path beside which no other is: "/" is not given away for it. False. */
static bool cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return false;
    *slash = '\0';
    return true;
}

/* The library keeps a relative path by the folder that it was given in, too. */
static bool folder_of_sidecar(const struct helper *h, const char *image,
                              char *path)
{
    const char *name = h->sidecar ? h->sidecar : image;
    bool relative = *name != '/';
    int n = snprintf(path, PATH_MAX, "%s%s%s",
                     relative && h->folder ? h->folder : "",
                     relative ? "/" : "", name);
    return n < PATH_MAX && cut_name(path);
}

/* --- the socket of a server ----------------------------------------------- */

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    return c && at ? (int)(at - digits) : -1;
}

/* Up to the end of the parameter, as RFC 3986 writes it. */
static void decode(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (; *from && *from != '&' && *from != '#' && n + 1 < size; from++) {
        bool escaped =
            *from == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0;
        to[n++] =
            escaped ? (char)(digit(from[1]) * 16 + digit(from[2])) : *from;
        from += escaped ? 2 : 0;
    }
    to[n] = '\0';
}

/* A server that is started again makes another socket. */
static bool folder_of_socket(const char *uri, char *path)
{
    const char *at = strchr(uri, '?');
    while (at && strncmp(at + 1, "socket=", strlen("socket=")))
        at = strpbrk(at + 1, "&;");
    if (!at)
        return false;
    decode(at + 1 + strlen("socket="), path, PATH_MAX);
    return cut_name(path);
}

/* --- all of them ---------------------------------------------------------- */

static void add_servers(struct places *p, const char *uri)
{
    for (size_t i = 0; i < NR(for_servers); i++)
        add(p, for_servers[i], false);
    if (folder_of_socket(uri, p->server))
        add(p, p->server, false);
}

/* When all is there, it is looked whether the save file still has its name, and
 * the sidecar is written: last of all, as it may be in the folder of that file
 * or of a server's socket. */
static void add_sidecar(struct places *p, const struct helper *h,
                        const char *image)
{
    if (snprintf(p->image, PATH_MAX, "%s", image) < PATH_MAX && *image == '/' &&
        cut_name(p->image))
        add(p, p->image, false);
    if (folder_of_sidecar(h, image, p->sidecar))
        add(p, p->sidecar, true);
}

static int list_places(struct places *p, const struct helper *h,
                       const char *image)
{
    const char *run = xlx_ctx_path(h->ctx, XLX_PATH_RUN);
    const char *proc = xlx_ctx_path(h->ctx, XLX_PATH_PROC);
    if (snprintf(p->root, PATH_MAX, "%s/lazy-root", run) >= PATH_MAX ||
        snprintf(p->status, PATH_MAX, "%s/lazy", run) >= PATH_MAX ||
        snprintf(p->load, PATH_MAX, "%s/loadavg", proc) >= PATH_MAX)
        return -ENAMETOOLONG;
    add(p, p->status, true);
    add(p, p->load, false);
    if (xlx_image_is_uri(image))
        add_servers(p, image);
    if (h->record)
        add_sidecar(p, h, image);
    return 0;
}

int pager_confine_files(const char *who, const struct helper *h,
                        const char *image)
{
    struct places p = { 0 };
    int rc = list_places(&p, h, image);
    if (!rc && mkdir(p.root, 0555) && errno != EEXIST)
        rc = -errno;
    if (rc)
        return confine_failed(who, p.root, -rc);
    return confine_view(who, p.root, p.place, p.nr);
}
