/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Calls of Linux that not every C library has a function for.
 */
#ifndef XLX_HOST_FDS_H
#define XLX_HOST_FDS_H

#include <sys/types.h>

/* Closes `first` and all above. For a child before exec: only system calls. */
void xlx__close_from(int first);

/* A descriptor of a process, readable when that has ended; or -1, errno set. */
int xlx__pidfd_open(pid_t pid);

/* 0, or -1 and errno. */
int xlx__pidfd_signal(int pidfd, int sig);

#endif
