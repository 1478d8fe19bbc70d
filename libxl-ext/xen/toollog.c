/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/toollog.h"

static void log_nothing(xentoollog_logger *logger, xentoollog_level level,
                        int errnoval, const char *context, const char *format,
                        va_list ap)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format;
    (void)ap;
}

static void show_nothing(xentoollog_logger *logger, const char *context,
                         const char *doing_what, int percent,
                         unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done;
    (void)total;
}

const xentoollog_logger xlx__no_logger = { .vmessage = log_nothing,
                                           .progress = show_nothing };
