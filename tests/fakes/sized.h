/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Programs that were built with another header: public structs of fewer or more
 * members than the library has.
 */
#ifndef FAKES_SIZED_H
#define FAKES_SIZED_H

#include <stddef.h>

/* What a newer program has behind the members that the library knows. */
#define SIZED_MORE 8u

/* A call whose `size` is one of sizeof(**list_r). */
typedef int sized_list_fn(void *user, void **list_r, size_t size);

/* Asserts that an older program, with the first `older` bytes of each element,
 * one of today with `has`, and a newer one get the same list. */
void sized_list_check(sized_list_fn *list, void *user, size_t older,
                      size_t has);

/* The same of a call that fills a struct of the caller, whose last member
 * begins at `last`. */
typedef int sized_fill_fn(void *user, void *to, size_t size);
void sized_fill_check(sized_fill_fn *fill, void *user, size_t older,
                      size_t last, size_t has);

/* The same of a call that is handed a config. `known` is one that it takes,
 * with zeros behind `older`; nothing of a caller's memory behind its size is
 * read, and a member that the library does not know is -E2BIG unless it is 0.
 */
typedef int sized_take_fn(void *user, const void *config, size_t size);
void sized_take_check(sized_take_fn *take, void *user, const void *known,
                      size_t older, size_t has);

#endif
