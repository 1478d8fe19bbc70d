/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Silence for Xen's libraries.
 */
#ifndef XLX_XEN_TOOLLOG_H
#define XLX_XEN_TOOLLOG_H

#include <stdint.h>

#include <xentoollog.h>

/* Xen's libraries would print what is reported here with its reason. */
extern const xentoollog_logger xlx__no_logger;

/* Their prototypes take it without const; none changes it. */
#define XLX__NO_LOGGER ((xentoollog_logger *)(uintptr_t)&xlx__no_logger)

#endif
