/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xenstore in memory: nodes with permissions that children inherit,
 * transactions that collide, watches, and peers that act while somebody waits.
 */
#ifndef FAKES_XENSTORE_MEM_H
#define FAKES_XENSTORE_MEM_H

#include "fakes/nth.h"
#include "xen/xenstore.h"

struct xs_mem;

/* Freed by its seam's close, so by xlx_ctx_free() once it is ctx->xs. `nth`
 * may be NULL. */
struct xs_mem *xs_mem_new(struct nth *nth);

struct xlx__xs *xs_mem_seam(struct xs_mem *mem);

/* Called again and again while somebody waits: guests, backends. */
void xs_mem_set_peer(struct xs_mem *mem, void (*act)(void *user), void *user);

/* For peers and tests: outside any transaction, never failing, not counted.
 * A NULL value removes; the result of get is valid until the next change. */
void xs_mem_put(struct xs_mem *mem, const char *path, const char *value);
const char *xs_mem_get(struct xs_mem *mem, const char *path);

/* Makes the next `nr` commits fail with -EAGAIN. */
void xs_mem_collide(struct xs_mem *mem, int nr);

/* "path = value (perms)" for each node, sorted; for free(). */
char *xs_mem_dump(struct xs_mem *mem);

#endif
