/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Passes of usb-reconcile over a host in memory, with a clock that the test
 * sets, and what each of them told.
 */
#ifndef FAKES_PASSES_H
#define FAKES_PASSES_H

#include "fakes/usb_world.h"
#include "usb/assign/reconcile.h"

#define PASSES_REPORTS 16
#define PASSES_LONG_MS 60000 /* never reached, however slow this machine is */

struct passes_line {
    enum xlx_usb_outcome outcome;
    char guest[32], busid[32], reason[200];
    uint32_t domid;
    struct xlx_usb_place place;
    bool wish;
};

struct passes {
    struct usb_world *w;
    struct xlx__reconciler r;
    struct passes_line line[PASSES_REPORTS]; /* of the last pass */
    int nr;
    struct xlx__pass pass;
    int64_t now;
    int64_t took; /* the last pass, by the real clock */
};

/* For cmocka. */
int passes_setup(void **state);
int passes_teardown(void **state);

void passes_report(void *user, const struct xlx_usb_report *r);

void passes_assign(struct passes *f, const char *guest, const char *busid);

/* One pass; returns how many reports there were. */
int passes_now(struct passes *f);

/* One pass a second later. */
int passes_later(struct passes *f);

/* The stick of 1-2 and the mouse of 1-3.1, to be plugged in anew. */
extern const struct sysfs_dev passes_stick, passes_mouse;

void passes_plug(struct passes *f, const struct sysfs_dev *like,
                 const char *busid, const char *address);
void passes_unplug(struct passes *f, const char *busid);

/* The guest has the stick and the mouse, by intent. */
void passes_start_with_two(struct passes *f);

void passes_assert_line(const struct passes *f, int i,
                        enum xlx_usb_outcome outcome, const char *busid);
void passes_assert_port(const struct passes *f, int port, const char *busid);
void passes_assert_has(const struct passes *f, const char *busid, bool has);

#endif
