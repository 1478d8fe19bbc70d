/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The part of libxencall that a test plays: its handles and buffers, which are
 * counted. To be included by the test itself, which defines xencall2(). A
 * library of fakes cannot have it, or it would be in the way of the real one.
 */
#ifndef XLX_TESTS_PLAYED_XENCALL_H
#define XLX_TESTS_PLAYED_XENCALL_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <xencall.h>

/* Of all Xen's libraries: what is open; buffers that were not freed. */
static struct {
    int open, buffers;
} xen_held;

/* -errno as Xen's libraries report it. */
static int xen_answer(int rc)
{
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger, (void)flags;
    xen_held.open++;
    return (xencall_handle *)&xen_held;
}

int xencall_close(xencall_handle *xcall)
{
    (void)xcall;
    xen_held.open--;
    return 0;
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    (void)xcall;
    xen_held.buffers++;
    return malloc(size);
}

void xencall_free_buffer(xencall_handle *xcall, void *buffer)
{
    (void)xcall;
    xen_held.buffers -= buffer != NULL;
    free(buffer);
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t pages)
{
    return xencall_alloc_buffer(xcall, pages * 4096);
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *buffer,
                               size_t pages)
{
    (void)pages;
    xencall_free_buffer(xcall, buffer);
}

#endif
