/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How often what fails is tried again, and what was told about it: by a key, a
 * text. Time is what the caller says it is: pure.
 */
#ifndef XLX_USB_ASSIGN_BACKOFF_H
#define XLX_USB_ASSIGN_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XLX__BACKOFF_FIRST_MS 1000
#define XLX__BACKOFF_MAX_MS (5 * 60 * 1000)

struct xlx__trial {
    char *key;
    uint32_t domid; /* of the guest: another one starts again */
    char busid[32]; /* the device */
    unsigned tries; /* since the start, or the last news of device or guest */
    int64_t last, next; /* when it was tried, and may be again */
    bool seen;          /* since xlx__backoff_begin() */
    int told;           /* what the caller wants to remember; -1 at first */
    uint32_t told_hash;
};

struct xlx__backoff {
    struct xlx__trial *v;
    size_t nr;
};

/* The trial with that key, made when it is not yet; NULL: no memory. Valid
 * until the next call. */
struct xlx__trial *xlx__backoff_get(struct xlx__backoff *b, const char *key,
                                    uint32_t domid, const char *busid);

/* Whether it may be tried at `now`. */
bool xlx__backoff_due(const struct xlx__trial *t, int64_t now);

/* It was tried, until `now`. */
void xlx__backoff_tried(struct xlx__trial *t, int64_t now);

/* There is news of a device (NULL: of everything): its trials start again, but
 * none within XLX__BACKOFF_FIRST_MS of the last one. */
void xlx__backoff_reset(struct xlx__backoff *b, const char *busid);

/* What is not asked for between begin and end is forgotten. */
void xlx__backoff_begin(struct xlx__backoff *b);
void xlx__backoff_end(struct xlx__backoff *b);

void xlx__backoff_free(struct xlx__backoff *b);

#endif
