/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Cleanup attributes for plain resources. Ordered teardown uses one `out:`
 * label instead; no object uses both.
 */
#ifndef XLX_CORE_CLEAN_H
#define XLX_CORE_CLEAN_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define XLX__CLEAN(fn) __attribute__((cleanup(fn)))
#define XLX__AUTO_FREE XLX__CLEAN(xlx__clean_free)
#define XLX__AUTO_CLOSE XLX__CLEAN(xlx__clean_close)
#define XLX__AUTO_CLOSEDIR XLX__CLEAN(xlx__clean_closedir)

static inline void xlx__clean_free(void *p)
{
    free(*(void **)p);
}

static inline void xlx__clean_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void xlx__clean_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* Hands the value over to the caller; the variable no longer cleans it. */
#define xlx__steal(p)                    \
    ({                                   \
        __typeof__(p) xlx__stolen = (p); \
        (p) = NULL;                      \
        xlx__stolen;                     \
    })

static inline int xlx__steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#endif
