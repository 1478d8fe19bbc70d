/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the parts of usb-try (main.c) share: a device opened through usbfs, and
 * requests to it. All of them end the program with a message when they fail.
 */
#ifndef USBFS_H
#define USBFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/usbdevice_fs.h>

#include "../usbip/pattern.h"

/* The time without an answer after which a device counts as hung. */
enum { PATIENCE_MS = 10000 };

_Noreturn void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

uint64_t clock_us(void); /* monotonic */

unsigned long number(const char *text, int base);

/*
 * Opens a device, by busid (1-5) or vendor:product in hexadecimal: the first
 * that is found.
 */
int device_open(const char *which);

/*
 * Takes the interface that has the endpoint, from its driver when it has one,
 * and the setting of it that has. Looks into the descriptors that usbfs gives.
 */
void device_claim(int fd, unsigned int endpoint);

struct usbdevfs_urb *urb_new(unsigned int type, unsigned int endpoint,
                             size_t length, int packets);
void urb_submit(int fd, struct usbdevfs_urb *urb);

/* Waits for an answer; NULL when there is none for that time. */
struct usbdevfs_urb *urb_reap(int fd, int limit_ms);

/* A bulk or interrupt transfer; the bytes it had, or -errno. */
int transfer(int fd, unsigned int endpoint, void *data, size_t length);

/* --- the commands; each returns an exit status */

int play(int argc, char **argv);
int heard(int argc, char **argv);
int listen_to(int argc, char **argv);
int unlink_all(int argc, char **argv);
int bulk(int argc, char **argv);
int echo(int argc, char **argv);
int ask(int argc, char **argv);
int hold(int argc, char **argv);
int line(int argc, char **argv);
int control(int argc, char **argv);
int gone(int argc, char **argv);
int rate(int argc, char **argv);

#endif
