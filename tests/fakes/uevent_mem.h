/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Uevents that a test sends, in memory.
 */
#ifndef FAKES_UEVENT_MEM_H
#define FAKES_UEVENT_MEM_H

#include "host/uevent.h"

struct uevent_mem;

/* Freed by its seam's close. */
struct uevent_mem *uevent_mem_new(void);
struct xlx__uevents *uevent_mem_seam(struct uevent_mem *mem);

void uevent_mem_send(struct uevent_mem *mem, const char *action,
                     const char *busid);

/* As if the socket's buffer had been too small. */
void uevent_mem_lose(struct uevent_mem *mem);

#endif
